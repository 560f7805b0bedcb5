use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use domain::{
    base::{
        Message, MessageBuilder, Name, Rtype,
        iana::{Class, Rcode},
    },
    rdata::AllRecordData,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

struct World {
    running: Running,
    socket: UdpSocket,
}

impl World {
    async fn start() -> Self {
        let running = Dns::start(LOOPBACK, Some(LOOPBACK)).await.unwrap();
        let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
        socket.connect(running.dns_addr).await.unwrap();
        Self { running, socket }
    }

    fn zone(&self) -> &Zone {
        &self.running.handle
    }

    async fn exchange(&self, query: &[u8]) -> Message<Vec<u8>> {
        self.socket.send(query).await.unwrap();
        let mut reply = vec![0; 65536];
        let len = timeout(Duration::from_secs(5), self.socket.recv(&mut reply))
            .await
            .unwrap()
            .unwrap();
        reply.truncate(len);
        Message::from_octets(reply).unwrap()
    }

    async fn ask(&self, name: &str, rtype: Rtype) -> Result<Vec<String>, Rcode> {
        records(&self.exchange(&query(name, rtype)).await)
    }

    async fn ask_tcp(&self, name: &str, rtype: Rtype) -> Result<Vec<String>, Rcode> {
        let mut stream = TcpStream::connect(self.running.dns_addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let query = query(name, rtype);
        // Two queries on one connection: the second answer counts.
        let mut answer = Vec::new();
        for _ in 0..2 {
            stream.write_u16(query.len() as u16).await.unwrap();
            stream.write_all(&query).await.unwrap();
            answer = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut answer).await.unwrap();
        }
        records(&Message::from_octets(answer).unwrap())
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.running.control_addr.unwrap()).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn script(&self, path: &str, body: &str) {
        assert_eq!(self.post(path, body).await, (200, String::new()), "{path} {body}");
    }
}

fn query(name: &str, rtype: Rtype) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    builder.header_mut().set_id(4711);
    let mut builder = builder.question();
    builder.push((Name::vec_from_str(name).unwrap(), rtype)).unwrap();
    builder.finish()
}

fn records(message: &Message<Vec<u8>>) -> Result<Vec<String>, Rcode> {
    assert!(message.header().qr() && message.header().aa() && message.header().ra());
    assert_eq!(message.header().id(), 4711);
    if message.header().rcode() != Rcode::NOERROR {
        return Err(message.header().rcode());
    }
    let answer = message.answer().unwrap().limit_to::<AllRecordData<_, _>>();
    Ok(answer
        .map(|record| record.unwrap())
        .map(|record| format!("{} {}", record.rtype(), record.data()))
        .collect())
}

#[tokio::test]
async fn every_name_has_the_default_address_and_nothing_else() {
    let world = World::start().await;
    assert_eq!(world.ask("example.org", Rtype::A).await, Ok(vec!["A 127.0.0.1".into()]));
    assert_eq!(
        world.ask("a.b.c.d.example", Rtype::A).await,
        Ok(vec!["A 127.0.0.1".into()])
    );
    for rtype in [
        Rtype::AAAA,
        Rtype::TXT,
        Rtype::CAA,
        Rtype::MX,
        Rtype::DNSKEY,
        Rtype::CNAME,
    ] {
        assert_eq!(world.ask("example.org", rtype).await, Ok(vec![]), "{rtype}");
    }
    world.zone().set_default_ipv4(Some(Ipv4Addr::new(192, 0, 2, 1)));
    world.zone().set_default_ipv6(Some(Ipv6Addr::LOCALHOST));
    assert_eq!(world.ask("example.org", Rtype::A).await, Ok(vec!["A 192.0.2.1".into()]));
    assert_eq!(world.ask("example.org", Rtype::AAAA).await, Ok(vec!["AAAA ::1".into()]));
    world.zone().set_default_ipv4(None);
    assert_eq!(world.ask("example.org", Rtype::A).await, Ok(vec![]));
}

#[tokio::test]
async fn a_scripted_name_has_its_own_records_however_it_is_written() {
    let world = World::start().await;
    world
        .zone()
        .add_a(
            "Own.Example",
            &[Ipv4Addr::new(192, 0, 2, 7), Ipv4Addr::new(192, 0, 2, 8)],
        )
        .unwrap();
    world.zone().add_txt("_acme-challenge.own.example.", "one").unwrap();
    world.zone().add_txt("_acme-challenge.own.example", "two").unwrap();
    assert_eq!(
        world.ask("OWN.example", Rtype::A).await,
        Ok(vec!["A 192.0.2.7".into(), "A 192.0.2.8".into()])
    );
    assert_eq!(
        world.ask("_acme-Challenge.own.example", Rtype::TXT).await,
        Ok(vec!["TXT \"one\"".into(), "TXT \"two\"".into()])
    );
    world.zone().clear_txt("_acme-challenge.own.example").unwrap();
    assert_eq!(world.ask("_acme-challenge.own.example", Rtype::TXT).await, Ok(vec![]));
    world.zone().clear_a("own.example").unwrap();
    assert_eq!(world.ask("own.example", Rtype::A).await, Ok(vec!["A 127.0.0.1".into()]));
}

#[tokio::test]
async fn a_cname_is_followed_and_a_circle_of_them_fails() {
    let world = World::start().await;
    world.zone().set_cname("www.example", "host.example").unwrap();
    world.zone().set_cname("host.example", "real.example").unwrap();
    world
        .zone()
        .add_a("real.example", &[Ipv4Addr::new(192, 0, 2, 9)])
        .unwrap();
    let chain = ["CNAME host.example.", "CNAME real.example.", "A 192.0.2.9"]
        .map(String::from)
        .to_vec();
    assert_eq!(world.ask("www.example", Rtype::A).await, Ok(chain));
    assert_eq!(
        world.ask("www.example", Rtype::CNAME).await,
        Ok(vec!["CNAME host.example.".into()])
    );
    world.zone().set_cname("real.example", "www.example").unwrap();
    assert_eq!(world.ask("www.example", Rtype::A).await, Err(Rcode::SERVFAIL));
    world.zone().clear_cname("real.example").unwrap();
    world.zone().set_servfail("real.example").unwrap();
    assert_eq!(world.ask("www.example", Rtype::A).await, Err(Rcode::SERVFAIL));
    world.zone().clear_servfail("real.example").unwrap();
    assert!(world.ask("www.example", Rtype::A).await.is_ok());
}

#[tokio::test]
async fn tcp_gives_what_is_too_long_for_udp() {
    let world = World::start().await;
    let long = "x".repeat(700);
    world.zone().add_txt("long.example", &long).unwrap();
    let truncated = world.exchange(&query("long.example", Rtype::TXT)).await;
    assert!(truncated.header().tc());
    assert_eq!(truncated.header_counts().ancount(), 0);
    let whole = world.ask_tcp("long.example", Rtype::TXT).await.unwrap();
    assert_eq!(whole[0].matches('x').count(), 700);
}

#[tokio::test]
async fn edns_lets_a_longer_answer_through_and_is_answered_with_edns() {
    let world = World::start().await;
    world.zone().add_txt("long.example", &"x".repeat(700)).unwrap();
    let mut builder = MessageBuilder::new_vec().question();
    builder
        .push((Name::vec_from_str("long.example").unwrap(), Rtype::TXT))
        .unwrap();
    let mut builder = builder.additional();
    builder
        .opt(|opt| {
            opt.set_udp_payload_size(4096);
            opt.set_dnssec_ok(true);
            Ok(())
        })
        .unwrap();
    let answer = world.exchange(&builder.finish()).await;
    assert!(!answer.header().tc());
    assert_eq!(answer.header_counts().ancount(), 1);
    assert_eq!(answer.opt().unwrap().udp_payload_size(), 1232);
}

#[tokio::test]
async fn a_negative_answer_carries_the_zones_soa() {
    let world = World::start().await;
    let answer = world.exchange(&query("example.org", Rtype::CAA)).await;
    let authority: Vec<_> = answer
        .authority()
        .unwrap()
        .map(|record| record.unwrap().rtype())
        .collect();
    assert_eq!(authority, [Rtype::SOA]);
    let positive = world.exchange(&query("example.org", Rtype::A)).await;
    assert_eq!(positive.header_counts().nscount(), 0);
}

#[tokio::test]
async fn the_control_interface_scripts_everything_that_challtestsrv_scripts() {
    let world = World::start().await;
    world.script("/set-default-ipv4", r#"{"ip":"192.0.2.1"}"#).await;
    world.script("/set-default-ipv6", r#"{"ip":"::2"}"#).await;
    assert_eq!(world.ask("x.example", Rtype::A).await, Ok(vec!["A 192.0.2.1".into()]));
    assert_eq!(world.ask("x.example", Rtype::AAAA).await, Ok(vec!["AAAA ::2".into()]));
    world.script("/set-default-ipv6", r#"{"ip":""}"#).await;
    assert_eq!(world.ask("x.example", Rtype::AAAA).await, Ok(vec![]));

    for (set, clear, set_body, rtype, expected) in [
        ("/set-txt", "/clear-txt", r#""value":"v""#, Rtype::TXT, "TXT \"v\""),
        (
            "/add-a",
            "/clear-a",
            r#""addresses":["192.0.2.5"]"#,
            Rtype::A,
            "A 192.0.2.5",
        ),
        (
            "/add-aaaa",
            "/clear-aaaa",
            r#""addresses":["2001:db8::5"]"#,
            Rtype::AAAA,
            "AAAA 2001:db8::5",
        ),
        (
            "/add-caa",
            "/clear-caa",
            r#""policies":[{"tag":"issue","value":"ca.example"}]"#,
            Rtype::CAA,
            "CAA 0 issue \"ca.example\"",
        ),
        (
            "/set-cname",
            "/clear-cname",
            r#""target":"t.example""#,
            Rtype::CNAME,
            "CNAME t.example.",
        ),
    ] {
        world
            .script(set, &format!(r#"{{"host":"h.example.",{set_body}}}"#))
            .await;
        assert_eq!(world.ask("h.example", rtype).await.unwrap(), [expected]);
        world.script(clear, r#"{"host":"h.example"}"#).await;
        assert_ne!(world.ask("h.example", rtype).await.unwrap(), [expected]);
    }
    world.script("/set-servfail", r#"{"host":"h.example"}"#).await;
    assert_eq!(world.ask("h.example", Rtype::CAA).await, Err(Rcode::SERVFAIL));
    world.script("/clear-servfail", r#"{"host":"h.example"}"#).await;
    assert_eq!(world.ask("h.example", Rtype::CAA).await, Ok(vec![]));
}

#[tokio::test]
async fn a_critical_caa_property_can_be_scripted() {
    let world = World::start().await;
    world
        .script(
            "/add-caa",
            r#"{"host":"h.example","policies":[{"flags":128,"tag":"tbs","value":"Unknown"}]}"#,
        )
        .await;
    assert_eq!(
        world.ask("h.example", Rtype::CAA).await.unwrap(),
        ["CAA 128 tbs \"Unknown\""]
    );
}

#[tokio::test]
async fn the_history_tells_who_was_asked_for_what() {
    let world = World::start().await;
    world.ask("seen.example", Rtype::A).await.unwrap();
    world.ask("SEEN.example", Rtype::CAA).await.unwrap();
    world.ask("other.example", Rtype::A).await.unwrap();
    let seen: Vec<_> = world
        .zone()
        .history("seen.example")
        .unwrap()
        .iter()
        .map(|question| question.rtype)
        .collect();
    assert_eq!(seen, [Rtype::A, Rtype::CAA]);
    let (status, json) = world.post("/dns-request-history", r#"{"host":"other.example"}"#).await;
    assert_eq!(status, 200);
    assert_eq!(json, r#"[{"Question":{"Name":"other.example.","Qtype":1,"Qclass":1}}]"#);
    world
        .script("/clear-request-history", r#"{"host":"seen.example","type":"dns"}"#)
        .await;
    assert_eq!(world.zone().history("seen.example").unwrap(), []);
    assert_eq!(world.zone().history("other.example").unwrap().len(), 1);
}

#[tokio::test]
async fn a_script_that_cannot_be_followed_is_refused_with_a_sentence() {
    let world = World::start().await;
    for (path, body) in [
        ("/set-txt", r#"{"host":"a..b","value":"v"}"#),
        ("/set-txt", r#"{"host":"","value":"v"}"#),
        ("/set-txt", r#"{"value":"v"}"#),
        ("/add-a", r#"{"host":"a.example","addresses":["::1"]}"#),
        (
            "/add-caa",
            r#"{"host":"a.example","policies":[{"tag":"not a tag","value":""}]}"#,
        ),
        ("/set-default-ipv4", r#"{"ip":"nowhere"}"#),
        ("/clear-a", "nothing"),
    ] {
        let (status, text) = world.post(path, body).await;
        assert_eq!(status, 400, "{path} {body}");
        assert!(!text.is_empty());
    }
}

#[tokio::test]
async fn nonsense_and_answers_get_no_answer_and_do_no_harm() {
    let world = World::start().await;
    let mut answer = query("example.org", Rtype::A);
    answer[2] |= 0x80;
    for nonsense in [&b""[..], b"x", &[0xff; 11], &answer] {
        world.socket.send(nonsense).await.unwrap();
    }
    // Without a question there is nothing to answer but the format.
    let formerr = world.exchange(&[0x12, 0x67, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await;
    assert_eq!(formerr.header().rcode(), Rcode::FORMERR);
    let mut update = query("example.org", Rtype::SOA);
    update[2] |= 5 << 3;
    assert_eq!(world.exchange(&update).await.header().rcode(), Rcode::NOTIMP);
    assert_eq!(world.ask("example.org", Rtype::A).await, Ok(vec!["A 127.0.0.1".into()]));
}

#[test]
fn what_was_asked_is_remembered_up_to_a_bound() {
    let zone = Zone::default();
    for _ in 0..zone::HISTORY + 10 {
        zone.remember(Question {
            name: Name::vec_from_str("a.example").unwrap(),
            rtype: Rtype::A,
            class: Class::IN,
        });
    }
    assert_eq!(zone.history("a.example").unwrap().len(), zone::HISTORY);
}
