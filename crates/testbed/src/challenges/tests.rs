use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use acme::{Identifier, KeyAuthorization};
use authority::{
    Registry,
    model::AccountId,
    ports::{Report, ValidationMethod, ValidationRequest},
};
use jose::Thumbprint;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const TOKEN: &str = "DGyRejmCefe7v4NfDGDKfA";

struct World {
    servers: ChallengeServers,
    methods: Vec<Arc<dyn ValidationMethod>>,
    registry: Registry,
}

impl World {
    async fn start() -> Self {
        let one = vec![LOOPBACK];
        let wanted = Addresses {
            management: one.clone(),
            dns: one.clone(),
            http: one.clone(),
            https: one.clone(),
            tls_alpn: one,
        };
        let servers = ChallengeServers::start(&wanted, Arc::default()).await.unwrap();
        let settings = validation::Settings {
            http_port: servers.addresses.http[0].port(),
            // Redirects may lead there; tls-alpn-01 has settings of its own below.
            tls_port: servers.addresses.https[0].port(),
            resolvers: servers.addresses.dns.clone(),
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..Default::default()
        };
        let tls_alpn = validation::Settings {
            tls_port: servers.addresses.tls_alpn[0].port(),
            ..settings.clone()
        };
        let clock: validation::attempt::Clock = Arc::new(|| "2026-11-23T12:00:00Z".parse().unwrap());
        let network = |settings| Arc::new(validation::network(settings, clock.clone()).unwrap());
        let mut methods = validation::base_methods(&network(settings));
        methods.retain(|method| method.name() != "tls-alpn-01");
        let mut others = validation::base_methods(&network(tls_alpn));
        others.retain(|method| method.name() == "tls-alpn-01");
        methods.append(&mut others);
        let mut registry = Registry::default();
        registry.add_identifier_type(authority::identifier::Dns);
        ip::register(&mut registry);
        Self {
            servers,
            methods,
            registry,
        }
    }

    /// What the product's own validator thinks of the responders.
    async fn validate(&self, method: &str, identifier: Identifier) -> Report {
        let request = ValidationRequest {
            account: AccountId(1),
            name: self.registry.admit(&identifier).unwrap(),
            token: TOKEN.to_owned(),
            key_authorization: proof(),
            response: None,
            code: None,
        };
        let method = self.methods.iter().find(|known| known.name() == method).unwrap();
        method.validate(request).await
    }

    async fn tell(&self, path: &str, body: Value) {
        assert_eq!(
            self.post(path, &body.to_string()).await,
            (200, String::new()),
            "{path} {body}"
        );
    }

    async fn ask(&self, path: &str, host: &str) -> Value {
        let (status, events) = self.post(path, &json!({ "host": host }).to_string()).await;
        assert_eq!(status, 200, "{path} {host}: {events}");
        serde_json::from_str(&events).unwrap()
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        exchange(self.servers.addresses.management[0], &request).await
    }

    async fn get(&self, path: &str, host: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        exchange(self.servers.addresses.http[0], &request).await
    }
}

async fn exchange(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    let read = timeout(Duration::from_secs(30), stream.read_to_string(&mut response));
    read.await.unwrap().unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn proof() -> KeyAuthorization {
    KeyAuthorization::new(TOKEN, &Thumbprint::from([7; 32]))
}

#[tokio::test]
async fn the_validator_finds_what_was_scripted_for_each_challenge_until_it_is_removed() {
    let world = World::start().await;
    let content = proof().as_str().to_owned();
    let digest = proof().dns_value();
    let record = "_acme-challenge.www.example.org.";
    for (method, add, body, del, back) in [
        (
            "http-01",
            "/add-http01",
            json!({ "token": TOKEN, "content": content }),
            "/del-http01",
            json!({ "token": TOKEN }),
        ),
        (
            "dns-01",
            "/set-txt",
            json!({ "host": record, "value": digest }),
            "/clear-txt",
            json!({ "host": record }),
        ),
        (
            "tls-alpn-01",
            "/add-tlsalpn01",
            json!({ "host": "www.example.org", "content": content }),
            "/del-tlsalpn01",
            json!({ "host": "www.example.org" }),
        ),
    ] {
        let name = || Identifier::dns("www.example.org");
        assert!(world.validate(method, name()).await.verdict.is_err(), "{method}");
        world.tell(add, body).await;
        assert_eq!(world.validate(method, name()).await.verdict, Ok(()), "{method}");
        world.tell(del, back).await;
        assert!(world.validate(method, name()).await.verdict.is_err(), "{method}");
    }
}

// 8738-6-2
#[tokio::test]
async fn an_address_is_proved_by_its_name_in_the_reverse_tree() {
    let world = World::start().await;
    let content = proof().as_str().to_owned();
    world
        .tell("/add-tlsalpn01", json!({ "host": "127.0.0.1", "content": content }))
        .await;
    let report = world.validate("tls-alpn-01", Identifier::ip("127.0.0.1")).await;
    assert_eq!(report.verdict, Ok(()));
    let seen = world.ask("/tlsalpn01-request-history", "1.0.0.127.in-addr.arpa").await;
    assert_eq!(
        seen,
        json!([{ "ServerName": "1.0.0.127.in-addr.arpa", "SupportedProtos": ["acme-tls/1"] }])
    );
}

#[tokio::test]
async fn a_redirect_leads_from_http_to_https_and_the_history_tells_both() {
    let world = World::start().await;
    let path = format!("/.well-known/acme-challenge/{TOKEN}");
    let target = format!(
        "https://moved.example.org:{}{path}",
        world.servers.addresses.https[0].port()
    );
    world
        .tell(
            "/add-http01",
            json!({ "token": TOKEN, "content": proof().as_str().to_owned() }),
        )
        .await;
    world
        .tell("/add-redirect", json!({ "path": path, "targetURL": target }))
        .await;
    let report = world.validate("http-01", Identifier::dns("www.example.org")).await;
    assert_eq!(report.verdict, Ok(()));

    let plain = world.ask("/http-request-history", "www.example.org").await;
    assert_eq!(plain[0]["URL"], path.as_str());
    assert_eq!(plain[0]["HTTPS"], false);
    assert_eq!(plain[0]["ServerName"], "");
    let moved = world.ask("/http-request-history", "MOVED.example.org").await;
    assert_eq!(moved.as_array().unwrap().len(), 1);
    assert_eq!(moved[0]["HTTPS"], true);
    assert_eq!(moved[0]["ServerName"], "moved.example.org");

    world.tell("/del-redirect", json!({ "path": path })).await;
    assert_eq!(
        world.get(&path, "www.example.org:5002").await,
        (200, proof().as_str().to_owned())
    );
    let again = world.ask("/http-request-history", "www.example.org").await;
    assert_eq!(again[1]["Host"], "www.example.org:5002");
}

#[tokio::test]
async fn each_history_is_cleared_alone_and_for_one_host() {
    let world = World::start().await;
    world.get("/anything?a=b", "one.example").await;
    world.get("/", "two.example").await;
    world.validate("dns-01", Identifier::dns("one.example")).await;
    world.validate("tls-alpn-01", Identifier::dns("one.example")).await;
    assert_eq!(
        world.ask("/http-request-history", "one.example").await[0]["URL"],
        "/anything?a=b"
    );
    for (kind, history, host) in [
        ("http", "/http-request-history", "one.example"),
        ("dns", "/dns-request-history", "_acme-challenge.one.example"),
        ("tlsalpn", "/tlsalpn01-request-history", "one.example"),
    ] {
        assert_ne!(world.ask(history, host).await, json!([]), "{kind}");
        world
            .tell("/clear-request-history", json!({ "host": host, "type": kind }))
            .await;
        assert_eq!(world.ask(history, host).await, json!([]), "{kind}");
    }
    assert_ne!(world.ask("/http-request-history", "two.example").await, json!([]));
}

#[tokio::test]
async fn the_dns_is_scripted_at_the_same_address() {
    let world = World::start().await;
    world
        .tell("/add-a", json!({ "host": "away.example", "addresses": ["192.0.2.1"] }))
        .await;
    world.tell("/set-servfail", json!({ "host": "broken.example" })).await;
    for name in ["away.example", "broken.example"] {
        let report = world.validate("http-01", Identifier::dns(name)).await;
        assert!(report.verdict.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_script_that_cannot_be_followed_is_refused_with_a_sentence() {
    let world = World::start().await;
    for (path, body) in [
        ("/add-http01", r#"{"token":"","content":"x"}"#),
        ("/add-http01", r#"{"token":"t"}"#),
        ("/del-redirect", r#"{"path":""}"#),
        ("/add-redirect", r#"{"path":"/x","targetURL":""}"#),
        ("/add-tlsalpn01", r#"{"host":"not a name","content":"x"}"#),
        ("/clear-request-history", r#"{"host":"a.example","type":"all"}"#),
        ("/clear-request-history", r#"{"host":"a.example"}"#),
        ("/http-request-history", ""),
    ] {
        let (status, sentence) = world.post(path, body).await;
        assert_eq!(status, 400, "{path} {body}");
        assert!(!sentence.trim().is_empty(), "{path} {body}");
    }
}

#[tokio::test]
async fn a_server_without_an_address_is_off_and_an_address_that_is_taken_is_named() {
    let servers = ChallengeServers::start(&Addresses::default(), Arc::default())
        .await
        .unwrap();
    assert_eq!(servers.addresses, Addresses::default());
    let taken = tokio::net::TcpListener::bind(LOOPBACK).await.unwrap();
    let http = vec![taken.local_addr().unwrap()];
    let wanted = Addresses {
        http: http.clone(),
        ..Addresses::default()
    };
    let error = ChallengeServers::start(&wanted, Arc::default())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains(&http[0].to_string()) && error.contains("HTTP"),
        "{error}"
    );
}

#[test]
fn what_was_asked_is_remembered_up_to_a_bound() {
    let history = history::History::default();
    (0..HISTORY + 10).for_each(|number| history.remember("a.example.", number));
    let kept = history.of("A.example");
    assert_eq!((kept.len(), kept[0]), (HISTORY, 10));
}
