//! The same command with an authority that knows neither mail services nor SRV-IDs: Debian's Pebble, by dns-01.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::json;

use super::super::daemons::wait_for;
use super::{
    each_shows, expect, said,
    site::{DOMAIN, HOST},
};
use crate::run::{Outcome, output};

pub fn show(folder: &Path, at: &Path) -> Outcome {
    println!("\n--- the same command, an authority without these methods: Debian's Pebble, by dns-01 and RFC 2136");
    let _pebble = Pebble::start(folder)?;
    println!("\n$ cat hook\n{}", super::read(&at.join("hook"))?.trim_end());
    let mut issue = super::issue(DIRECTORY, "pebble");
    issue
        .args(["--domain", DOMAIN, "--srv", "--agree-tos", "--dns-hook"])
        .arg(at.join("hook"));
    let text = said(folder, &mut issue)?;
    expect(
        &text,
        "this authority does not issue SRV-IDs; dropped: _submission.alpha.test, _submissions.alpha.test",
    )?;
    for name in [HOST, DOMAIN] {
        expect(&text, &format!("{name}: showing the proof by dns-01"))?;
    }
    let root = output(
        Command::new("curl")
            .current_dir(folder)
            .args(["-s", "--cacert", "ca/root.pem", ROOT]),
    )?;
    fs::write(folder.join("pebble-root.pem"), root).map_err(|error| format!("pebble-root.pem: {error}"))?;
    let certificate = folder.join(format!("pebble/certs/{HOST}/cert.pem"));
    each_shows(folder, Some("pebble-root.pem"), &certificate)
}

/// Until it is dropped. Its API has the certificate of the authority's, since both are at the same address.
struct Pebble(Child);

impl Pebble {
    fn start(folder: &Path) -> Outcome<Self> {
        let config = json!({ "pebble": {
            "listenAddress": API, "managementListenAddress": MANAGEMENT,
            "certificate": "ca/api.pem", "privateKey": "ca/api.key",
            "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "", "externalAccountBindingRequired": false,
        }});
        let (file, log) = (folder.join("pebble.json"), folder.join("pebble.log"));
        fs::write(&file, config.to_string()).map_err(|error| format!("{}: {error}", file.display()))?;
        let out = fs::File::create(&log).and_then(|out| Ok((out.try_clone()?, out)));
        let (out, err) = out.map_err(|error| format!("{}: {error}", log.display()))?;
        let mut pebble = Command::new("pebble");
        pebble.args(["-config", "pebble.json", "-dnsserver", "127.0.0.1:53"]);
        pebble.env("PEBBLE_VA_NOSLEEP", "1");
        println!("\n$ {}", super::typed(&pebble));
        let child = pebble
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn();
        let started = Self(child.map_err(|error| format!("pebble cannot be run: {error}"))?);
        wait_for(API)?;
        Ok(started)
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const API: &str = "127.0.0.1:14100";
const MANAGEMENT: &str = "127.0.0.1:15100";
const DIRECTORY: &str = "https://127.0.0.1:14100/dir";
const ROOT: &str = "https://127.0.0.1:15100/roots/0";
