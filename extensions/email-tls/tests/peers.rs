//! The authority's probe and mail services that a second implementation publishes (`extensions/email-tls/interop`).

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use acme::KeyAuthorization;
use email_tls::{
    server::probe::{Asked, Fault, Heard, Patience, Published, hold},
    service::{Service, ServicePort},
    value::Bound,
};
use jose::Jwk;

/// All services on free ports, until it is dropped.
struct Responder {
    child: Child,
    listening: Vec<(ServicePort, u16)>,
}

impl Responder {
    fn start(key_authorization: &KeyAuthorization, more: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/responder.py");
        let mut python = Command::new("python3");
        python.arg("-B").arg(script).args(["--host", HOST]);
        python
            .args(["--key-authorization", key_authorization.as_str()])
            .args(more);
        for service in Service::ALL {
            let port = service.registered_port().unwrap_or(24);
            python.arg("--serve").arg(format!("{service}:{port}=0"));
        }
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut listening = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some((at, port)) = line.strip_prefix("listening ").and_then(|rest| rest.split_once(' ')) else {
                break;
            };
            let (service, registered) = at.split_once(':').unwrap();
            let service = Service::from_name(service).unwrap();
            let at = ServicePort {
                service,
                port: registered.parse().unwrap(),
            };
            listening.push((at, port.parse().unwrap()));
        }
        assert_eq!(listening.len(), Service::ALL.len());
        Self { child, listening }
    }

    async fn look(&self, service: Service) -> (ServicePort, Result<Published, Fault>) {
        let (at, port) = *self.listening.iter().find(|(at, _)| at.service == service).unwrap();
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let asked = Asked {
            service,
            host: HOST,
            greets_as: "probe.example.org",
            tls: &Arc::new(validation::unverified::config(&[])),
            patience: Patience::default(),
        };
        let mut heard = Heard::default();
        let outcome = hold(stream, &asked, &mut heard).await;
        (at, outcome.map(|()| Published::of(service.protocol(), &heard)))
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn key_authorization() -> KeyAuthorization {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/email-tls-vectors.json");
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let key = Jwk::parse(&vectors["jwk"].to_string()).unwrap();
    KeyAuthorization::new(vectors["token"].as_str().unwrap(), &key.thumbprint())
}

// ETLS-P-3
#[tokio::test]
async fn what_another_implementation_publishes_is_found_in_greetings_and_in_capabilities() {
    let proof = key_authorization();
    for (method, bound) in [
        ("mail-greeting-01", Bound::MailGreeting),
        ("mail-srv-01", Bound::MailSrv),
    ] {
        for place in ["greeting", "capability"] {
            let responder = Responder::start(&proof, &["--method", method, "--place", place]);
            for service in Service::ALL {
                if (service, place) == (Service::Sieve, "greeting") {
                    continue;
                }
                let (at, published) = responder.look(service).await;
                let expected = bound.value(&proof, at).into_bytes();
                let values = published.unwrap().values;
                assert!(values.contains(&expected), "{at}, {method} in the {place}: {values:?}");
            }
        }
    }
}

// ETLS-3.4-1, ETLS-3.4-2, ETLS-3.4-3
#[tokio::test]
async fn drafted_capabilities_of_another_implementation_are_found() {
    let proof = key_authorization();
    for (method, services) in [
        (
            "capability-smtp-00",
            &[Service::Smtp, Service::Submissions, Service::Lmtp][..],
        ),
        ("capability-imap-00", &[Service::Imap, Service::Imaps]),
        ("capability-pop-00", &[Service::Pop3, Service::Pop3s]),
    ] {
        let responder = Responder::start(&proof, &["--method", method, "--place", "capability"]);
        for service in services {
            let (at, published) = responder.look(*service).await;
            let expected = proof.dns_value().into_bytes();
            assert!(published.unwrap().drafted.contains(&expected), "{at}");
        }
    }
}

// ETLS-P-4
#[tokio::test]
async fn another_implementation_that_breaks_the_rules_of_starttls_proves_nothing() {
    let proof = key_authorization();
    let with_starttls = Service::ALL.into_iter().filter(|service| {
        let is_implicit = [Service::Submissions, Service::Imaps, Service::Pop3s].contains(service);
        !is_implicit
    });
    let with_starttls: Vec<_> = with_starttls.collect();
    let injecting = Responder::start(&proof, &["--fault", "inject"]);
    let stripped = Responder::start(&proof, &["--fault", "no-starttls"]);
    let in_clear = Responder::start(&proof, &["--place", "clear"]);
    for service in with_starttls {
        let (at, injected) = injecting.look(service).await;
        assert!(matches!(injected, Err(Fault::PipelinedAfter(_))), "{at}: {injected:?}");
        let (at, without) = stripped.look(service).await;
        assert!(matches!(without, Err(Fault::NoTls(_))), "{at}: {without:?}");
        let (at, clear) = in_clear.look(service).await;
        assert!(clear.unwrap().values.is_empty(), "{at}");
    }
}

const HOST: &str = "mail.example.org";
