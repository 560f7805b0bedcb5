//! TLSA records by RFC 2136, and a key that stands in the zone before it is used.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::{
    fails, said,
    site::{ADDRESS, HOST, SERVICES},
    type_in, vidimus,
};
use crate::run::{Outcome, output};

pub fn show(folder: &Path, at: &Path) -> Outcome {
    println!("\n--- TLSA records in the signed zone, by RFC 2136; the next key is told before it is used");
    let tlsa = |more: &[&str]| {
        let mut tlsa = Command::new(vidimus());
        tlsa.args([
            "mail",
            "tlsa",
            HOST,
            "--dir",
            "my",
            "--ttl",
            "1",
            "--nsupdate",
            "127.0.0.1",
        ]);
        tlsa.args(more);
        tlsa
    };
    let refused = "127.0.0.1 did not take the records";
    fails(folder, &mut tlsa(&[]), refused)?;
    fails(
        folder,
        &mut tlsa(&["--nsupdate-program", "knsupdate", "--zone", "."]),
        refused,
    )?;
    said(folder, tlsa(&["--tsig-key"]).arg(at.join("update.key")))?;
    let first = each_matches(folder, 1)?;
    said(folder, tlsa(&["--next", "--tsig-key"]).arg(at.join("update.key")))?;
    let both = each_matches(folder, 2)?;
    // As long as the records say: two TTLs.
    sleep(Duration::from_secs(3));
    type_in(
        folder,
        Command::new(vidimus()).args(["mail", "renew", "--force", "--dir", "my"]),
    )?;
    each_matches(folder, 2)?;
    // Knot's program is told the zone.
    let mut last = tlsa(&["--nsupdate-program", "knsupdate", "--zone", ".", "--tsig-key"]);
    said(folder, last.arg(at.join("update.knot")))?;
    let second = each_matches(folder, 1)?;
    match both.len() == 2 && both.contains(&first[0]) && both.contains(&second[0]) && first != second {
        true => Ok(()),
        false => Err(format!(
            "the keys did not follow each other: {first:?}, {both:?}, {second:?}"
        )),
    }
}

/// Whether every service shows the key of one of its records, as openssl sees it.
fn each_matches(folder: &Path, count: usize) -> Outcome<Vec<String>> {
    let mut records = Vec::new();
    println!();
    for (service, port, starttls) in SERVICES {
        let mut kdig = Command::new("kdig");
        let found = output(kdig.args(["@127.0.0.1", "+short", &format!("_{port}._tcp.{HOST}"), "TLSA"]))?;
        records = found.lines().map(str::to_owned).collect();
        records.sort();
        if records.len() != count {
            return Err(format!(
                "{service}: {count} records should be there, and it is {records:?}"
            ));
        }
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-brief", "-connect", &format!("{ADDRESS}:{port}")]);
        openssl.args(starttls.iter().flat_map(|protocol| ["-starttls", protocol]));
        openssl.args(["-verify_return_error", "-dane_tlsa_domain", HOST]);
        openssl.args(records.iter().flat_map(|record| ["-dane_tlsa_rrdata", record]));
        let ended = openssl.current_dir(folder).stdin(Stdio::null()).output();
        let ended = ended.map_err(|error| format!("openssl cannot be run: {error}"))?;
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        let matched = text.lines().find(|line| line.starts_with("DANE TLSA 3 1 1"));
        match matched.filter(|_| ended.status.success() && text.contains("Verification: OK")) {
            Some(line) => println!("{service:<12} {port:>4}  {count} TLSA; openssl: {line}"),
            None => return Err(format!("{service} on port {port} does not match {records:?}: {text}")),
        }
    }
    Ok(records)
}
