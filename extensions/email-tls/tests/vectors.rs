//! The vectors of `docs/protocol/email-tls.md`, which a second implementation computed, and that implementation's own tests.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use acme::KeyAuthorization;
use email_tls::{
    service::{Service, ServicePort},
    value::{Bound, in_capabilities, in_greeting},
};
use jose::Jwk;
use serde_json::Value;

// ETLS-P-3
#[test]
fn the_values_and_words_are_those_of_the_page() {
    let file = root().join("docs/protocol/email-tls-vectors.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let key = Jwk::parse(&vectors["jwk"].to_string()).unwrap();
    assert_eq!(key.thumbprint().to_string(), text(&vectors, "thumbprint"));
    let proof = KeyAuthorization::new(text(&vectors, "token"), &key.thumbprint());
    assert_eq!(proof.as_str(), text(&vectors, "keyAuthorization"));
    assert_eq!(proof.dns_value(), text(&vectors, "drafted"));
    for vector in vectors["values"].as_array().unwrap() {
        let method = [Bound::MailGreeting, Bound::DnsService, Bound::MailSrv]
            .into_iter()
            .find(|method| method.method() == text(vector, "method"))
            .unwrap();
        let service = Service::from_name(text(vector, "service")).unwrap();
        let port = u16::try_from(vector["port"].as_u64().unwrap()).unwrap();
        let value = method.value(&proof, ServicePort { service, port });
        assert_eq!(value, text(vector, "value"), "{vector}");
        if let Some(greeting) = vector.get("greeting") {
            assert_eq!(&in_greeting(&value), greeting);
            assert_eq!(&in_capabilities(service.protocol(), &value), &vector["capability"]);
        }
    }
}

/// Each service is there for each method that it can be proved by.
#[test]
fn the_page_leaves_no_service_out() {
    let page = std::fs::read_to_string(root().join("docs/protocol/email-tls.md")).unwrap();
    for service in Service::ALL {
        let port = service
            .registered_port()
            .map_or_else(|| "none".to_owned(), |port| port.to_string());
        assert!(page.contains(&format!("| `{service}` | {port} |")), "{service}");
    }
}

#[test]
fn a_responder_and_a_verifier_made_from_the_page_agree_with_it_and_with_each_other() {
    let tests = root().join("extensions/email-tls/interop/test_peers.py");
    let run = Command::new(python())
        .arg("-B")
        .arg(tests)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

fn python() -> PathBuf {
    std::env::var_os("VIDIMUS_PYTHON_BIN")
        .map(|folder| Path::new(&folder).join("python3"))
        .filter(|python| python.exists())
        .unwrap_or_else(|| "python3".into())
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
