//! `pebble-challtestsrv`: responders of every challenge, for the suites of ACME clients.

use std::sync::Arc;

use testbed::challenges::{Addresses, ChallengeServers, Script};
use tokio::sync::watch;

use super::{
    address::{Reach, read_listening},
    flags::{Flag, Flags, Kind},
    say,
};

pub const FLAGS: &[Flag] = &[
    text("management", None, ":8055", "Where the servers are scripted over HTTP"),
    text(
        "dnsserver",
        Some("dns01"),
        ":8053",
        "Where the DNS is served; a list with commas, nowhere if empty",
    ),
    text(
        "http01",
        None,
        ":5002",
        "Where http-01 is answered; a list with commas, nowhere if empty",
    ),
    text(
        "https01",
        None,
        ":5003",
        "Where redirects to HTTPS are answered; a list with commas, nowhere if empty",
    ),
    text(
        "tlsalpn01",
        None,
        ":5001",
        "Where tls-alpn-01 is answered; a list with commas, nowhere if empty",
    ),
    text(
        "defaultIPv4",
        None,
        "127.0.0.1",
        "The address of names that have no A record; none if empty",
    ),
    text(
        "defaultIPv6",
        None,
        "::1",
        "The address of names that have no AAAA record; none if empty",
    ),
    text("doh", None, "", "Taken for compatibility; DNS over HTTPS is not served"),
    text("doh-cert", None, "", "Taken for compatibility"),
    text("doh-cert-key", None, "", "Taken for compatibility"),
];

const fn text(name: &'static str, older: Option<&'static str>, default: &'static str, about: &'static str) -> Flag {
    Flag {
        name,
        older,
        kind: Kind::Text(default),
        about,
    }
}

/// Serves until `stop` turns true.
pub async fn run(flags: &Flags, reach: Reach, mut stop: watch::Receiver<bool>) -> Result<(), String> {
    let listening = |name: &str| read_listening(&format!("-{name}"), flags.text(name), reach);
    let wanted = Addresses {
        management: listening("management")?,
        dns: listening("dnsserver")?,
        http: listening("http01")?,
        https: listening("https01")?,
        tls_alpn: listening("tlsalpn01")?,
    };
    let script = Arc::new(Script::default());
    script.zone.set_default_ipv4(default_address(flags, "defaultIPv4")?);
    script.zone.set_default_ipv6(default_address(flags, "defaultIPv6")?);
    let servers = ChallengeServers::start(&wanted, script)
        .await
        .map_err(|error| error.to_string())?;

    let Addresses {
        management,
        dns,
        http,
        https,
        tls_alpn,
    } = &servers.addresses;
    for (what, addresses) in [
        ("dns", dns),
        ("http-01", http),
        ("https", https),
        ("tls-alpn-01", tls_alpn),
        ("management", management),
    ] {
        addresses
            .iter()
            .for_each(|address| say(format_args!("pebble-challtestsrv: {what} on {address}")));
    }
    if !flags.text("doh").is_empty() {
        say("pebble-challtestsrv: DNS over HTTPS is not served; use -dnsserver");
    }
    say("pebble-challtestsrv: ready");
    let _ = stop.wait_for(|stop| *stop).await;
    Ok(())
}

fn default_address<Address: std::str::FromStr>(flags: &Flags, name: &str) -> Result<Option<Address>, String> {
    match flags.text(name).trim_matches('"') {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("-{name}: {text:?} is not an address of this family; give one, or nothing")),
    }
}
