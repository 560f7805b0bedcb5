//! What `mail` accepts, refuses and writes, through its public interface.

mod answer;
mod challenge;
mod dkim;
mod peer;
mod reply;
mod spf;

use std::sync::LazyLock;

use jiff::Timestamp;
use mail::{
    dkim::{Signer, SigningKey},
    dns::{Answers, Step, Txt},
    message::{address::Mailbox, domain::Domain},
};

/// RFC 8463 §A.1 as PKCS#8.
fn ed25519() -> SigningKey {
    SigningKey::from_pkcs8_der(include_bytes!("../data/ed25519.p8")).unwrap()
}

fn rsa() -> SigningKey {
    let lines = RSA_PEM.lines().filter(|line| !line.starts_with('-'));
    SigningKey::from_pkcs8_der(&decoded(&lines.collect::<String>())).unwrap()
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn signer(domain: &str, selector: &str, key: SigningKey) -> Signer {
    Signer::new(Domain::parse(domain).unwrap(), selector, key).unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

/// Judges with answers from a zone; `?` stands for no answer.
fn settled<T>(zone: &[(&str, &str)], mut judge: impl FnMut(&Answers) -> Step<T>) -> T {
    let mut answers = Answers::default();
    for _ in 0..20 {
        match judge(&answers) {
            Step::Done(done) => return done,
            Step::Ask(names) => names
                .iter()
                .for_each(|name| answers.insert(name, looked_up(zone, name))),
        }
    }
    panic!("a judgement asks without an end");
}

fn looked_up(zone: &[(&str, &str)], name: &str) -> Txt {
    let texts: Vec<String> = zone
        .iter()
        .filter(|(at, _)| *at == name)
        .map(|(_, text)| (*text).to_owned())
        .collect();
    if texts.iter().any(|text| text == "?") {
        Txt::Unavailable
    } else {
        Txt::of(texts)
    }
}

static NOW: LazyLock<Timestamp> = LazyLock::new(|| "2026-11-24T10:00:00Z".parse().unwrap());
const ED25519_SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const RSA_PEM: &str = include_str!("../data/rsa2048.pem");
