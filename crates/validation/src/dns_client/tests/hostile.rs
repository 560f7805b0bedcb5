//! Answers that no well-kept server gives (INCIDENTS T10).

use domain::{
    base::{iana::Class, message_builder::AnswerBuilder},
    rdata::{Ns, Soa},
};

use super::*;

/// A server that sends what a script makes of each query: any number of datagrams, or the one answer over TCP.
async fn scripted(script: fn(&Message<[u8]>) -> Vec<Vec<u8>>) -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let (length, client) = udp.recv_from(&mut buffer).await.unwrap();
            for datagram in script(Message::from_slice(&buffer[..length]).unwrap()) {
                udp.send_to(&datagram, client).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            // The last of a script is what it says over TCP.
            let answer = script(Message::from_slice(&query).unwrap()).pop().unwrap();
            stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    address
}

async fn asked(script: fn(&Message<[u8]>) -> Vec<Vec<u8>>, name: &str) -> Answer<Vec<u8>> {
    client(&[scripted(script).await]).txt(name).await
}

fn reply(query: &Message<[u8]>, fill: impl FnOnce(&mut AnswerBuilder<Vec<u8>>)) -> Vec<u8> {
    let mut answer = MessageBuilder::new_vec().start_answer(query, Rcode::NOERROR).unwrap();
    fill(&mut answer);
    answer.finish()
}

fn with_text(query: &Message<[u8]>, text: &str) -> Vec<u8> {
    reply(query, |answer| {
        let name: Name<Vec<u8>> = query.sole_question().unwrap().qname().to_name();
        push_text(answer, &name, text);
    })
}

fn push_text(answer: &mut AnswerBuilder<Vec<u8>>, name: &Name<Vec<u8>>, text: &str) {
    let text = Txt::<Vec<u8>>::build_from_slice(text.as_bytes()).unwrap();
    answer.push((name, Ttl::ZERO, text)).unwrap();
}

fn name(text: &str) -> Name<Vec<u8>> {
    Name::from_str(text).unwrap()
}

// T10
#[tokio::test]
async fn t10_answers_to_other_questions_are_passed_over() {
    let answer = asked(
        |query| {
            let right = with_text(query, "right");
            let mut other_id = with_text(query, "other id");
            other_id[1] ^= 1;
            let mut no_answer = with_text(query, "a query");
            no_answer[2] &= 0x7f;
            // The question's first label is another.
            let mut other_name = with_text(query, "other name");
            other_name[13] = b'z';
            let mut other_type = with_text(query, "other type");
            // After the header and the name of seven octets: an A record is asked for.
            other_type[20] = 1;
            let short = b"\0".to_vec();
            vec![other_id, no_answer, other_name, other_type, short, right]
        },
        "a.org",
    )
    .await;
    assert_eq!(texts(&answer), ["right"]);
}

// T10
#[tokio::test]
async fn t10_letter_case_does_not_matter_in_what_comes_back() {
    let answer = asked(
        |query| {
            let upper = reply(query, |answer| push_text(answer, &name("A.ORG"), "here"));
            let mut shouted = upper;
            shouted[13..18].make_ascii_uppercase();
            vec![shouted]
        },
        "a.org",
    )
    .await;
    assert_eq!(texts(&answer), ["here"]);
}

// T10
#[tokio::test]
async fn t10_records_of_other_names_and_classes_do_not_count() {
    let answer = asked(
        |query| {
            vec![reply(query, |answer| {
                push_text(answer, &name("b.org"), "another's");
                push_text(answer, &name("x.a.org"), "below");
                push_text(answer, &name("org"), "above");
                let chaos = Txt::<Vec<u8>>::build_from_slice(b"chaos").unwrap();
                answer.push((name("a.org"), Class::CH, Ttl::ZERO, chaos)).unwrap();
            })]
        },
        "a.org",
    )
    .await;
    assert_eq!(answer.records, Ok(vec![]));
}

// T10
#[tokio::test]
async fn t10_a_dname_leads_where_its_prefix_leads_with_and_without_the_alias_it_means() {
    for script in [
        |query: &Message<[u8]>| {
            vec![reply(query, |answer| {
                answer
                    .push((name("old.org"), Ttl::ZERO, Dname::new(name("new.org"))))
                    .unwrap();
                answer
                    .push((name("x.y.old.org"), Ttl::ZERO, Cname::new(name("x.y.new.org"))))
                    .unwrap();
                push_text(answer, &name("x.y.new.org"), "here");
            })]
        },
        |query: &Message<[u8]>| {
            vec![reply(query, |answer| {
                answer
                    .push((name("OLD.org"), Ttl::ZERO, Dname::new(name("new.org"))))
                    .unwrap();
                push_text(answer, &name("x.y.new.org"), "here");
            })]
        },
    ] {
        let answer = asked(script, "x.y.old.org").await;
        assert_eq!(texts(&answer), ["here"]);
        assert_eq!(answer.aliases, ["x.y.new.org"]);
        // Its owner itself is not redirected (RFC 6672 §2.3).
        assert_eq!(asked(script, "old.org").await.records, Ok(vec![]));
    }
}

// T10
#[tokio::test]
async fn t10_a_dname_that_leads_below_itself_comes_to_an_end() {
    let answer = asked(
        |query| {
            vec![reply(query, |answer| {
                answer
                    .push((name("a.org"), Ttl::ZERO, Dname::new(name("b.a.org"))))
                    .unwrap();
            })]
        },
        "x.a.org",
    )
    .await;
    assert_eq!(answer.records, Err(DnsFailure::TooManyAliases(MAX_ALIASES)));
    let longer = asked(
        |query| {
            let long = format!("{}org", "a234567.".repeat(31));
            vec![reply(query, |answer| {
                answer
                    .push((name("a.org"), Ttl::ZERO, Dname::new(name(&long))))
                    .unwrap();
            })]
        },
        "too-long-for-that.a.org",
    )
    .await;
    assert_eq!(longer.records, Err(DnsFailure::NotAName));
}

// T10
#[tokio::test]
async fn t10_a_name_with_two_aliases_has_no_answer() {
    let answer = asked(
        |query| {
            vec![reply(query, |answer| {
                answer
                    .push((name("a.org"), Ttl::ZERO, Cname::new(name("b.org"))))
                    .unwrap();
                answer
                    .push((name("a.org"), Ttl::ZERO, Cname::new(name("c.org"))))
                    .unwrap();
                push_text(answer, &name("c.org"), "here");
            })]
        },
        "a.org",
    )
    .await;
    assert_eq!(answer.records, Err(DnsFailure::Malformed));
}

/// The chain `a0.org` … of this many aliases, and a text at its end.
async fn chain(aliases: usize) -> Answer<Vec<u8>> {
    let links: String = (0..aliases)
        .map(|n| format!("a{n}.org. 60 IN CNAME a{}.org.\n", n + 1))
        .collect();
    txt(
        Zone::of(&format!("{links}a{aliases}.org. 60 IN TXT \"here\"\n")),
        "a0.org",
    )
    .await
}

// T10
#[tokio::test]
async fn t10_a_chain_of_aliases_may_have_eight_and_no_more() {
    let answer = chain(MAX_ALIASES).await;
    assert_eq!((texts(&answer), answer.aliases.len()), (vec!["here"], MAX_ALIASES));
    assert_eq!(
        chain(MAX_ALIASES + 1).await.records,
        Err(DnsFailure::TooManyAliases(MAX_ALIASES))
    );
}

fn referral(query: &Message<[u8]>) -> Vec<Vec<u8>> {
    let answer = MessageBuilder::new_vec().start_answer(query, Rcode::NOERROR).unwrap();
    let mut authority = answer.authority();
    authority
        .push((name("org"), Ttl::ZERO, Ns::new(name("ns.org"))))
        .unwrap();
    vec![authority.finish()]
}

// T10
#[tokio::test]
async fn t10_a_lame_server_that_refers_elsewhere_has_not_said_that_there_is_nothing() {
    let lame = scripted(referral).await;
    assert_eq!(client(&[lame]).txt("a.org").await.records, Err(DnsFailure::Referral));
    assert_eq!(client(&[lame]).caa("a.org").await.records, Err(DnsFailure::Referral));
    let good = Server::serving(Zone::of("a.org. 60 IN TXT \"here\"\n")).await;
    assert_eq!(texts(&client(&[lame, good.address]).txt("a.org").await), ["here"]);
    // Nothing, said by who knows: with an SOA it is no referral, whatever servers are named beside it.
    let nothing = asked(
        |query| {
            let answer = MessageBuilder::new_vec().start_answer(query, Rcode::NOERROR).unwrap();
            let mut authority = answer.authority();
            authority
                .push((name("org"), Ttl::ZERO, Ns::new(name("ns.org"))))
                .unwrap();
            let zero = Ttl::ZERO;
            let soa = Soa::new(name("org"), name("org"), 1.into(), zero, zero, zero, zero);
            authority.push((name("org"), Ttl::ZERO, soa)).unwrap();
            vec![authority.finish()]
        },
        "a.org",
    )
    .await;
    assert_eq!(nothing.records, Ok(vec![]));
}

// T10
#[tokio::test]
async fn t10_a_message_that_breaks_off_says_nothing() {
    let whole = |query: &Message<[u8]>| vec![with_text(query, &"x".repeat(100))];
    assert_eq!(texts(&asked(whole, "a.org").await), ["x".repeat(100)]);
    let cut = |query: &Message<[u8]>| {
        let mut cut = with_text(query, &"x".repeat(100));
        cut.truncate(cut.len() - 1);
        vec![cut]
    };
    assert_eq!(asked(cut, "a.org").await.records, Err(DnsFailure::Malformed));
    let promising = |query: &Message<[u8]>| {
        let mut promising = with_text(query, "x");
        // Two records are promised.
        promising[7] = 2;
        vec![promising]
    };
    assert_eq!(asked(promising, "a.org").await.records, Err(DnsFailure::Malformed));
}

// T10
#[tokio::test]
async fn t10_an_answer_over_tcp_must_be_to_the_question_too() {
    let answer = asked(
        |query| {
            let mut truncated = reply(query, |_| {});
            truncated[2] |= 0x02;
            let mut other = with_text(query, "other");
            other[0] ^= 1;
            vec![truncated, other]
        },
        "a.org",
    )
    .await;
    assert_eq!(answer.records, Err(DnsFailure::Malformed));
}

// T10
#[tokio::test]
async fn t10_the_largest_text_there_can_be_is_read_whole() {
    // 65535 octets of message, less header, question, record and the length octets of strings.
    let text = "x".repeat(65_000);
    let strings: String = text
        .as_bytes()
        .chunks(255)
        .map(|chunk| format!(" \"{}\"", str::from_utf8(chunk).unwrap()))
        .collect();
    let answer = txt(Zone::of(&format!("a.org. 60 IN TXT{strings}\n")), "a.org").await;
    assert_eq!(texts(&answer), [text]);
}

// T10
#[tokio::test]
async fn t10_a_hundred_caa_records_come_as_they_are() {
    let zone: String = (0..100)
        .map(|n| {
            format!("a.org. 60 IN CAA {n} issue \"ca{n}.example; accounturi=https://ca{n}.example/account/{n}\"\n")
        })
        .collect();
    let server = Server::serving(Zone::of(&zone)).await;
    let mut records = client(&[server.address]).caa("A.org").await.records.unwrap();
    records.sort_unstable();
    assert_eq!(records.len(), 100);
    assert_eq!(
        records[7],
        b"\x07\x05issueca7.example; accounturi=https://ca7.example/account/7"
    );
}

// T10
#[tokio::test]
async fn t10_caa_data_that_means_nothing_comes_as_it_is() {
    let address = scripted(|query| {
        vec![reply(query, |answer| {
            for data in [&b""[..], b"\0", b"\0\xffissue", b"\x80\0"] {
                let data = UnknownRecordData::from_octets(Rtype::CAA, data.to_vec()).unwrap();
                answer.push((name("a.org"), Ttl::ZERO, data)).unwrap();
            }
        })]
    })
    .await;
    let answer = client(&[address]).caa("a.org").await;
    assert_eq!(
        answer.records.unwrap(),
        [&b""[..], b"\0", b"\0\xffissue", b"\x80\0"].map(<[u8]>::to_vec)
    );
}

// T10, 8659-3-1
#[tokio::test]
async fn t10_caa_behind_an_alias_is_the_alias_s() {
    let zone = Zone::of("a.org. 60 IN CNAME b.net.\nb.net. 60 IN CAA 0 issue \";\"\nnet. 60 IN CAA 0 issue \"x\"\n");
    let server = Server::serving(zone).await;
    let answer = client(&[server.address]).caa("a.org").await;
    assert_eq!(
        (answer.records, answer.aliases),
        (Ok(vec![b"\0\x05issue;".to_vec()]), vec!["b.net".to_owned()])
    );
    let nothing = Server::serving(Zone::of("a.org. 60 IN CNAME b.net.\nb.net. 60 IN A 192.0.2.1\n")).await;
    assert_eq!(client(&[nothing.address]).caa("a.org").await.records, Ok(vec![]));
}
