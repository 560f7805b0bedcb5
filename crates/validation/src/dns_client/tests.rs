use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use domain::{
    base::{MessageBuilder, Record, Ttl, name::FlattenInto},
    rdata::ZoneRecordData,
    zonefile::inplace::{Entry, Zonefile},
};
use hyper::body::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

use super::*;

mod hostile;

/// A name server on loopback with a zone in zone file format. What it has no record for is an alias, or nothing.
struct Server {
    address: SocketAddr,
    questions: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Zone {
    text: String,
    rcode: Rcode,
    /// As a recursor does; otherwise an alias is all that is told.
    follows_aliases: bool,
    /// Larger answers over UDP are cut and marked.
    udp_limit: usize,
}

impl Zone {
    fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            rcode: Rcode::NOERROR,
            follows_aliases: true,
            udp_limit: 1232,
        }
    }

    fn failing(rcode: Rcode) -> Self {
        Self { rcode, ..Self::of("") }
    }

    fn answer(&self, query: &[u8], limit: usize) -> Vec<u8> {
        let query = Message::from_octets(query).unwrap();
        let question = query.sole_question().unwrap();
        let records: Vec<Record<Name<Bytes>, ZoneRecordData<Bytes, Name<Bytes>>>> =
            Zonefile::from(self.text.as_bytes())
                .map(|entry| match entry.unwrap() {
                    Entry::Record(record) => record.flatten_into(),
                    Entry::Include { .. } => unreachable!(),
                })
                .collect();
        let exists = records.iter().any(|record| record.owner().name_eq(question.qname()));
        let rcode = if exists || self.rcode != Rcode::NOERROR {
            self.rcode
        } else {
            Rcode::NXDOMAIN
        };
        let mut answer = MessageBuilder::new_vec().start_answer(&query, rcode).unwrap();
        let mut sought: Name<Vec<u8>> = question.qname().to_vec();
        let mut hops = 0;
        loop {
            let mut alias = None;
            for record in records.iter().filter(|record| record.owner().name_eq(&sought)) {
                if record.rtype() == question.qtype() || record.rtype() == Rtype::CNAME {
                    answer.push((record.owner(), Ttl::ZERO, record.data())).unwrap();
                }
                if let ZoneRecordData::Cname(cname) = record.data() {
                    alias = Some(cname.cname().to_vec());
                }
            }
            hops += 1;
            match alias {
                Some(alias) if self.follows_aliases && hops < 20 => sought = alias,
                _ => break,
            }
        }
        if answer.as_slice().len() <= limit {
            return answer.finish();
        }
        let mut cut = MessageBuilder::new_vec().start_answer(&query, rcode).unwrap();
        cut.header_mut().set_tc(true);
        cut.finish()
    }
}

impl Server {
    async fn serving(zone: Zone) -> Self {
        // Some other test may have the port that UDP got.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let questions = Arc::new(AtomicUsize::new(0));
        let (count, other) = (questions.clone(), zone.clone());
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, client) = udp.recv_from(&mut buffer).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                udp.send_to(&zone.answer(&buffer[..length], zone.udp_limit), client)
                    .await
                    .unwrap();
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let mut query = vec![0; stream.read_u16().await.unwrap().into()];
                stream.read_exact(&mut query).await.unwrap();
                let answer = other.answer(&query, usize::MAX);
                stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        Self { address, questions }
    }

    fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

fn client(servers: &[SocketAddr]) -> DnsClient {
    DnsClient::new(servers, None, Duration::from_millis(200)).unwrap()
}

async fn txt(zone: Zone, name: &str) -> Answer<Vec<u8>> {
    let server = Server::serving(zone).await;
    client(&[server.address]).txt(name).await
}

fn texts(answer: &Answer<Vec<u8>>) -> Vec<&str> {
    answer
        .records
        .as_ref()
        .unwrap()
        .iter()
        .map(|text| str::from_utf8(text).unwrap())
        .collect()
}

#[tokio::test]
async fn addresses_of_both_families_are_found() {
    let server = Server::serving(Zone::of(
        "example.org. 60 IN A 192.0.2.1\nexample.org. 60 IN A 192.0.2.2\nEXAMPLE.org. 60 IN AAAA 2001:db8::1\n",
    ))
    .await;
    let addresses = client(&[server.address]).addresses("example.org").await;
    assert_eq!(
        addresses.v4.records.unwrap(),
        ["192.0.2.1".parse::<Ipv4Addr>().unwrap(), "192.0.2.2".parse().unwrap()]
    );
    assert_eq!(
        addresses.v6.records.unwrap(),
        ["2001:db8::1".parse::<Ipv6Addr>().unwrap()]
    );
    assert_eq!(addresses.v4.dnssec, DnssecStatus::Unchecked);
    assert_eq!(addresses.v4.resolver, server.address.to_string());
    assert_eq!(server.questions(), 2);
}

// 6186-3-1
#[tokio::test]
async fn a_service_s_hosts_are_found_and_a_lone_dot_is_none() {
    let server = Server::serving(Zone::of(
        "_imaps._tcp.example.org. 60 IN SRV 10 5 993 Mail.Example.NET.\n_pop3._tcp.example.org. 60 IN SRV 0 0 0 .\n",
    ))
    .await;
    let client = client(&[server.address]);
    let [imaps] = &client.srv("_imaps._tcp.example.org").await.records.unwrap()[..] else {
        panic!("one record");
    };
    assert_eq!((imaps.priority, imaps.weight, imaps.port), (10, 5, 993));
    assert_eq!(
        (imaps.host.as_str(), imaps.to_string().as_str()),
        ("mail.example.net", "10 5 993 mail.example.net.")
    );
    assert_eq!(client.srv("_pop3._tcp.example.org").await.records.unwrap()[0].host, "");
    assert_eq!(
        client.srv("_sieve._tcp.example.org").await.records,
        Err(DnsFailure::NxDomain)
    );
}

// T10
#[tokio::test]
async fn t10_a_name_without_the_record_is_not_a_name_that_does_not_exist() {
    let zone = || Zone::of("example.org. 60 IN A 192.0.2.1\n");
    assert_eq!(txt(zone(), "example.org").await.records, Ok(vec![]));
    assert_eq!(txt(zone(), "other.org").await.records, Err(DnsFailure::NxDomain));
}

// 8555-8.4-2
#[tokio::test]
async fn the_strings_of_one_record_are_joined_and_records_are_not() {
    let answer = txt(
        Zone::of("a.org. 60 IN TXT \"one\" \"two\"\na.org. 60 IN TXT \"\"\n"),
        "a.org",
    )
    .await;
    assert_eq!(texts(&answer), ["onetwo", ""]);
}

// 8555-8.4-2, T10
#[tokio::test]
async fn t10_aliases_are_followed_whether_or_not_the_resolver_does() {
    let zone = Zone::of("a.org. 60 IN CNAME b.org.\nb.org. 60 IN CNAME c.org.\nc.org. 60 IN TXT \"here\"\n");
    for zone in [
        zone.clone(),
        Zone {
            follows_aliases: false,
            ..zone
        },
    ] {
        let answer = txt(zone, "a.org").await;
        assert_eq!(texts(&answer), ["here"]);
        assert_eq!(answer.aliases, ["b.org", "c.org"]);
    }
}

// T10
#[tokio::test]
async fn t10_an_alias_to_nothing_is_no_record_and_one_to_no_name_is_no_name() {
    let nothing = Zone::of("a.org. 60 IN CNAME b.org.\nb.org. 60 IN A 192.0.2.1\n");
    assert_eq!(txt(nothing, "a.org").await.records, Ok(vec![]));
    let no_name = Zone {
        follows_aliases: false,
        ..Zone::of("a.org. 60 IN CNAME b.org.\n")
    };
    assert_eq!(txt(no_name, "a.org").await.records, Err(DnsFailure::NxDomain));
}

// T10
#[tokio::test]
async fn t10_aliases_in_a_circle_come_to_an_end() {
    let circle = Zone::of("a.org. 60 IN CNAME b.org.\nb.org. 60 IN CNAME a.org.\n");
    for zone in [
        circle.clone(),
        Zone {
            follows_aliases: false,
            ..circle
        },
    ] {
        assert_eq!(
            txt(zone, "a.org").await.records,
            Err(DnsFailure::TooManyAliases(MAX_ALIASES))
        );
    }
}

// 8555-8.4-3, T10
#[tokio::test]
async fn t10_a_truncated_answer_is_asked_for_again_over_tcp() {
    let many: String = (0..100)
        .map(|n| format!("a.org. 60 IN TXT \"{n}-{}\"\n", "x".repeat(200)))
        .collect();
    assert_eq!(texts(&txt(Zone::of(&many), "a.org").await).len(), 100);
}

// 8555-8.4-3
#[tokio::test]
async fn nothing_is_remembered_between_two_calls() {
    let server = Server::serving(Zone::of("a.org. 60 IN A 192.0.2.1\n")).await;
    let client = client(&[server.address]);
    for asked in 1..=3 {
        assert_eq!(client.txt("late.org").await.records, Err(DnsFailure::NxDomain));
        assert_eq!(server.questions(), asked);
    }
}

// T10
#[tokio::test]
async fn t10_a_failing_resolver_is_followed_by_the_next() {
    let good = Server::serving(Zone::of("a.org. 60 IN TXT \"here\"\n")).await;
    let servfail = Server::serving(Zone::failing(Rcode::SERVFAIL)).await;
    let refused = Server::serving(Zone::failing(Rcode::REFUSED)).await;
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let servers = [
        silent.local_addr().unwrap(),
        servfail.address,
        refused.address,
        good.address,
    ];
    let answer = client(&servers).txt("a.org").await;
    assert_eq!(texts(&answer), ["here"]);
    assert_eq!(answer.resolver, good.address.to_string());
}

// T10
#[tokio::test]
async fn t10_each_failure_keeps_its_name() {
    assert_eq!(
        txt(Zone::failing(Rcode::SERVFAIL), "a.org").await.records,
        Err(DnsFailure::ServFail)
    );
    assert_eq!(
        txt(Zone::failing(Rcode::REFUSED), "a.org").await.records,
        Err(DnsFailure::Refused("REFUSED".into()))
    );
    assert_eq!(
        txt(Zone::of(""), &"a".repeat(64)).await.records,
        Err(DnsFailure::NotAName)
    );
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let client = DnsClient::new(&[silent.local_addr().unwrap()], None, Duration::from_millis(10)).unwrap();
    assert_eq!(client.txt("a.org").await.records, Err(DnsFailure::Timeout));
}

// An answer that nobody signed is no answer where a trust anchor says that everything is signed.
#[tokio::test]
async fn with_a_trust_anchor_an_unsigned_answer_is_refused() {
    let server = Server::serving(Zone::of("a.org. 60 IN TXT \"here\"\n")).await;
    let anchor = ". 60 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";
    let client = DnsClient::new(&[server.address], Some(anchor.to_owned()), Duration::from_millis(200)).unwrap();
    let answer = client.txt("a.org").await;
    assert!(
        answer.records.as_ref().unwrap_err().is_forgery(),
        "{:?}",
        answer.records
    );
    assert_eq!(answer.dnssec, DnssecStatus::Bogus);
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let query = Duration::from_secs(1);
    assert!(matches!(
        DnsClient::new(&[], None, query),
        Err(DnsSettingsError::NoResolver)
    ));
    let nonsense = DnsClient::new(&["127.0.0.1:53".parse().unwrap()], Some("no record".into()), query);
    assert!(matches!(nonsense, Err(DnsSettingsError::Anchors(_))));
}
