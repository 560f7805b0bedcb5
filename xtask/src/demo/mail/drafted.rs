//! The challenge types as they were drafted: a capability that Dovecot lists itself, what the proxy lists in front of
//! programs that cannot, and records in the zone.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    slice,
};

use super::super::daemons::wait_for;
use super::{
    Server, each_shows, each_shows_at, expect, has, peer, read, said,
    site::{ADDRESS, DOMAIN, HOST, LEGACY, LEGACY_ADDRESS, SERVICES},
    typed, vidimus,
};
use crate::run::Outcome;

pub fn show(folder: &Path, authority: &Server, at: &Path) -> Outcome {
    let directory = authority.directory.as_str();
    let dovecot = at.join("dovecot-config/dovecot.conf");
    println!("\n--- as drafted: capability-imap-00 by Dovecot's own imap_capability");
    let mut issue = command(directory, HOST, "capability-imap-00");
    let words = peer::Words {
        files: slice::from_ref(&dovecot),
        mark: "imap_capability",
        method: "capability-imap-00",
        services: 2,
    };
    issue.args(["--services", "imap,imaps", "--dovecot"]);
    let text = peer::show(folder, &mut issue, authority, &words)?;
    expect(&text, &format!("{HOST}: showing the proof by capability-imap-00"))?;
    if has(&dovecot, words.mark) {
        return Err("dovecot.conf still has the capability".to_owned());
    }

    println!("\n--- as drafted: dns-email-00 in the zone, by the hook of dns-01");
    let mut issue = super::issue(directory, "my");
    issue.args(["--domain", DOMAIN, "--srv"]);
    issue.args([
        "--challenge",
        "mail-greeting-01",
        "--challenge",
        "dns-email-00",
        "--dns-hook",
    ]);
    let text = said(folder, issue.arg(at.join("hook")))?;
    for service in ["submission", "submissions", "imap", "imaps", "pop3", "pop3s"] {
        expect(
            &text,
            &format!("_{service}.{DOMAIN}: showing the proof by dns-email-00"),
        )?;
    }
    each_shows(
        folder,
        Some("ca/root.pem"),
        &folder.join(format!("my/certs/{HOST}/cert.pem")),
    )?;

    println!("\n--- and dns-service-01, whose value says for which service it is; no program is touched");
    let mut issue = command(directory, HOST, "dns-service-01");
    issue.args([
        "--domain",
        DOMAIN,
        "--srv",
        "--services",
        "imaps",
        "--name",
        "by-records",
        "--dns-hook",
    ]);
    let text = said(folder, issue.arg(at.join("hook")))?;
    expect(&text, &format!("_imaps.{DOMAIN}: showing the proof by dns-service-01"))?;
    expect(&text, &format!("names       {HOST} {DOMAIN} _imaps.{DOMAIN}"))?;
    let mut renew = Command::new(vidimus());
    let text = said(
        folder,
        renew.args(["mail", "renew", "--force", "by-records", "--dir", "my"]),
    )?;
    expect(&text, &format!("_imaps.{DOMAIN}: showing the proof by dns-service-01"))?;

    println!("\n--- as drafted: programs that cannot list a capability, with the proxy in front");
    let files = [at.join("proxy.pem"), at.join("proxy.key"), at.join("words")];
    for (from, to) in [("first.pem", &files[0]), ("first.key", &files[1])] {
        fs::copy(at.join(from), to).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    let proxies: Vec<Proxy> = PROXIED
        .iter()
        .map(|proxied| Proxy::start(folder, proxied, at))
        .collect::<Outcome<_>>()?;
    for (kind, services) in [
        ("capability-smtp-00", "submission,submissions,lmtp"),
        ("capability-imap-00", "imap,imaps"),
        ("capability-pop-00", "pop3,pop3s"),
    ] {
        let mut issue = command(directory, LEGACY, kind);
        issue
            .args(["--services", services, "--port", "lmtp:24", "--words-file"])
            .arg(&files[2]);
        issue.arg("--cert-file").arg(&files[0]).arg("--key-file").arg(&files[1]);
        let text = said(folder, &mut issue)?;
        expect(&text, &format!("{LEGACY}: showing the proof by {kind}"))?;
        expect(&text, &format!("{LEGACY}: proven"))?;
        if !read(&files[2])?.is_empty() {
            return Err("the words' file is not empty again".to_owned());
        }
    }
    let mut renew = Command::new(vidimus());
    let text = said(folder, renew.args(["mail", "renew", "--force", LEGACY, "--dir", "my"]))?;
    expect(&text, &format!("{LEGACY}: showing the proof by capability-pop-00"))?;
    let services: Vec<_> = SERVICES
        .iter()
        .filter(|(service, ..)| *service != "smtp")
        .copied()
        .collect();
    let certificate = folder.join(format!("my/certs/{LEGACY}/cert.pem"));
    let outcome = each_shows_at(
        (LEGACY, LEGACY_ADDRESS),
        &services,
        folder,
        Some("ca/root.pem"),
        &certificate,
    );
    drop(proxies);
    outcome
}

fn command(directory: &str, host: &str, kind: &str) -> Command {
    let mut issue = Command::new(vidimus());
    issue.args(["mail", "issue", host, "--challenge", kind]);
    issue.args(["--server", directory, "--ca-bundle", "ca/root.pem", "--dir", "my"]);
    issue
}

/// One `vidimus mail proxy`, until it is dropped.
struct Proxy(Child);

impl Proxy {
    fn start(
        folder: &Path,
        (port, protocol, upstream, is_implicit): &(u16, &str, u16, bool),
        at: &Path,
    ) -> Outcome<Self> {
        let mut proxy = Command::new(vidimus());
        let listen = format!("{LEGACY_ADDRESS}:{port}");
        proxy.args([
            "mail",
            "proxy",
            "--listen",
            &listen,
            "--upstream",
            &format!("{ADDRESS}:{upstream}"),
        ]);
        proxy
            .args(["--protocol", protocol, "--words-file"])
            .arg(at.join("words"));
        proxy
            .arg("--cert")
            .arg(at.join("proxy.pem"))
            .arg("--key")
            .arg(at.join("proxy.key"));
        proxy.args(is_implicit.then_some("--implicit-tls"));
        println!("$ {}", typed(&proxy));
        proxy.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        let child = proxy.spawn().map_err(|error| format!("{}: {error}", typed(&proxy)))?;
        let started = Self(child);
        wait_for(&listen)?;
        Ok(started)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where it listens, what is spoken, where the program is, and whether the handshake comes first.
const PROXIED: &[(u16, &str, u16, bool)] = &[
    (587, "smtp", 25, false),
    (465, "smtp", 25, true),
    (143, "imap", 143, false),
    (993, "imap", 143, true),
    (110, "pop3", 110, false),
    (995, "pop3", 110, true),
    (24, "lmtp", 24, false),
];
