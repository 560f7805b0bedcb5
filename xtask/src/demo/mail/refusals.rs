//! What an authority for mail services refuses, and what a real LMTP server makes of EHLO.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
};

use super::{
    said,
    site::{ADDRESS, DOMAIN, HOST},
};
use crate::{packages, run::Outcome};

pub fn show(folder: &Path, directory: &str) -> Outcome {
    println!("\n--- LMTP listens on port 24 and is asked by LHLO");
    for (command, code) in [("EHLO", '5'), ("LHLO", '2')] {
        let answer = asked(command)?;
        println!("  24  {command} probe.ca.test: {answer}");
        if !answer.starts_with(code) {
            return Err(format!("the LMTP server answered {command} with {answer}"));
        }
    }
    println!("\n--- what the authority refuses");
    let script = folder.join("refused.py");
    fs::write(&script, include_str!("refused.py")).map_err(|error| format!("{}: {error}", script.display()))?;
    let mut python = Command::new(packages::venv().join("bin/python"));
    python.args(["refused.py", directory, HOST, DOMAIN]);
    let text = said(folder, python.env("REQUESTS_CA_BUNDLE", "ca/root.pem"))?;
    match EXPECTED.iter().find(|sentence| !text.contains(**sentence)) {
        None => Ok(()),
        Some(sentence) => Err(format!("nothing was refused with {sentence:?}")),
    }
}

/// The first line of the answer.
fn asked(command: &str) -> Outcome<String> {
    let failed = |error: std::io::Error| format!("port 24: {error}");
    let stream = TcpStream::connect((ADDRESS, 24)).map_err(failed)?;
    let mut lines = BufReader::new(stream.try_clone().map_err(failed)?).lines();
    let mut line = || lines.next().unwrap_or(Ok(String::new())).map_err(failed);
    line()?;
    (&stream)
        .write_all(format!("{command} probe.ca.test\r\n").as_bytes())
        .map_err(failed)?;
    line()
}

const EXPECTED: &[&str] = &[
    "lmtp:24",
    "TCP port 24 is one of LMTP, which is asked by LHLO and must not answer EHLO (RFC 2033 §4.1)",
    "LMTP is never spoken on port 25 (RFC 2033 §5)",
    "TCP port 5000 is no indication that the person controls the machine",
    "TCP port 143 is not one of imaps",
    "LMTP has no registered service name, so no client looks for it by SRV records",
    "mail is relayed by MX records",
];
