//! Held against dkimpy: what it signs passes here, what is signed here passes there, and of damaged messages both say the
//! same.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail::{
    dkim::{Limits, signatures},
    dns::Txt,
    message::Message,
};
use serde_json::{Value, json};

use crate::{ED25519_SEED, NOW, RSA_PEM, ed25519, rsa, signer};

#[test]
fn dkimpy_agrees() {
    let mut dice = Dice(0x5eed_5eed_5eed_5eed);
    let messages: Vec<String> = (0..MESSAGES).map(|_| dice.message()).collect();
    let forms = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"];
    let to_sign: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let is_rsa = index % 2 == 0;
            let form = forms[index / 2 % forms.len()];
            json!({ "message": STANDARD.encode(text), "rsa": is_rsa, "form": form })
        })
        .collect();
    let signed = ask(&json!({ "sign": to_sign, "rsa": RSA_PEM, "ed25519": ED25519_SEED }));
    let theirs = signed["signed"]
        .as_array()
        .unwrap()
        .iter()
        .zip(&messages)
        .map(|(field, text)| {
            let field = STANDARD.decode(field.as_str().unwrap()).unwrap();
            String::from_utf8(field).unwrap() + text
        });
    let signers = [
        signer("alpha.test", "rsa", rsa()),
        signer("alpha.test", "ed", ed25519()),
    ];
    let ours = messages.iter().enumerate().map(|(index, text)| {
        let message = Message::parse(text.as_bytes()).unwrap();
        signers[index % 2].sign(&message, &["From", "To", "Subject", "X-Odd"], *NOW) + text
    });
    let good: Vec<String> = theirs.chain(ours).collect();
    for text in &good {
        assert!(passes(text), "{text:?}");
    }
    let damaged: Vec<String> = good
        .iter()
        .map(|text| dice.damaged(text))
        .filter(|text| is_judged(text))
        .collect();
    assert!(damaged.len() > MESSAGES);
    let all: Vec<&String> = good.iter().chain(&damaged).collect();
    let encoded: Vec<String> = all.iter().map(|text| STANDARD.encode(text)).collect();
    let keys = json!({ signers[0].key_name(): signers[0].record(), signers[1].key_name(): signers[1].record() });
    let verified = ask(&json!({ "verify": encoded, "keys": keys }));
    for (text, theirs) in all.iter().zip(verified["verified"].as_array().unwrap()) {
        assert_eq!(theirs.as_bool(), Some(passes(text)), "{text:?}");
    }
}

fn passes(text: &str) -> bool {
    let message = Message::parse(text.as_bytes()).unwrap();
    // dkimpy signs at the time it is.
    let now = "2200-01-01T00:00:00Z".parse().unwrap();
    let limits = Limits {
        now,
        least_rsa_bits: 1024,
    };
    signatures(&message).into_iter().flatten().any(|signature| {
        let key = match signature.key_name().as_str() {
            "rsa._domainkey.alpha.test" => Txt::Records(vec![rsa().record()]),
            "ed._domainkey.alpha.test" => Txt::Records(vec![ed25519().record()]),
            _ => Txt::Absent,
        };
        signature.verify(&message, &key, &limits).is_ok()
    })
}

/// Damage may make a text that is no message here, or change what a signature says of itself; what is compared is how
/// messages are hashed.
fn is_judged(text: &str) -> bool {
    Message::parse(text.as_bytes()).is_ok_and(|message| signatures(&message).iter().any(Result::is_ok))
}

fn ask(question: &Value) -> Value {
    let python = std::env::var_os("VIDIMUS_PYTHON_BIN").map(PathBuf::from);
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .join("tools/python/bin");
    let python = python.unwrap_or(tools).join("python3");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dkim_peer.py");
    let mut peer = Command::new(&python)
        .arg("-B")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}: cargo xtask test python installs it", python.display()));
    let mut stdin = peer.stdin.take().unwrap();
    stdin.write_all(question.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = peer.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "is dkimpy there? cargo xtask test python installs it"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Xorshift: the same messages in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn some(&mut self, most: usize, from: &[&str]) -> String {
        (0..self.below(most)).map(|_| self.pick(from)).collect()
    }

    fn message(&mut self) -> String {
        let value = ["a", " ", "\t", "  ", "\r\n ", "\r\n\t", "B=", ";", "c:", "\u{e9}", "."];
        let mut text = String::from("From: alice@alpha.test\r\nTo: bob@beta.test\r\n");
        for _ in 0..self.below(4) {
            // Not at the end of a fold: a line of white space alone is read in many ways.
            let name = self.pick(&["X-Odd", "x-odd", "X-Other"]);
            text += &format!("{name}:{}z{}\r\n", self.some(6, &value), self.pick(&["", " ", "\t "]));
        }
        text += &format!("Subject: s{}z\r\n\r\n", self.some(6, &value));
        let body = self.some(
            14,
            &["line", " ", "\t", "  ", "\r\n", "\r\n", ".", "\u{e9}", "=20", "> "],
        );
        // Where the last line has no end, dkimpy keeps the white space of it; no mail server hands such a message on.
        text + &body + if body.is_empty() { "" } else { "\r\n" }
    }

    fn damaged(&mut self, text: &str) -> String {
        let mut octets = text.as_bytes().to_vec();
        let start = text.find("\r\nFrom:").unwrap() + 2;
        let at = start + self.below(octets.len() - start);
        octets[at] = self.pick(&["a", "A", " ", "\t", "."]).as_bytes()[0];
        String::from_utf8(octets).unwrap_or_default()
    }
}

const MESSAGES: usize = 80;
