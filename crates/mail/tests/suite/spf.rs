//! SPF against a zone in memory (RFC 7208).

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::FutureExt as _;
use mail::spf::{Delivery, DnsFailure, Family, SpfDns, SpfResult, check};

use crate::mailbox;

/// Lines of `name TYPE value`; the value `?` is no answer.
struct Zone {
    lines: Vec<[String; 3]>,
    asked: AtomicUsize,
}

impl Zone {
    fn new(text: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.trim().splitn(3, ' ').map(str::to_owned);
            std::array::from_fn(|_| words.next().unwrap())
        };
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(line)
            .collect();
        Self {
            lines,
            asked: AtomicUsize::new(0),
        }
    }

    fn find(&self, name: &str, kind: &str) -> Result<Vec<String>, DnsFailure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = self.lines.iter().filter(|[at, known, _]| at == name && known == kind);
        let values: Vec<String> = found.map(|[_, _, value]| value.clone()).collect();
        if values.iter().any(|value| value == "?") {
            Err(DnsFailure)
        } else {
            Ok(values)
        }
    }
}

impl SpfDns for Zone {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        self.find(name, "TXT")
    }

    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, DnsFailure> {
        let kind = if family == Family::V4 { "A" } else { "AAAA" };
        Ok(self
            .find(name, kind)?
            .iter()
            .map(|text| text.parse().unwrap())
            .collect())
    }

    async fn mx(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        self.find(name, "MX")
    }
}

fn result(zone: &str, host: &str, from: Option<&str>) -> SpfResult {
    let zone = Zone::new(zone);
    let delivery = Delivery {
        host: host.parse().unwrap(),
        helo: "mx.alpha.test".to_owned(),
        return_path: from.map(mailbox),
    };
    let outcome = check(&zone, &delivery).now_or_never().unwrap();
    assert!(zone.asked.load(Ordering::Relaxed) < 130);
    outcome.result
}

fn of(record: &str, host: &str) -> SpfResult {
    let zone = format!(
        "alpha.test TXT v=spf1 {record}
        alpha.test TXT something else
        alpha.test A 192.0.2.1
        alpha.test AAAA 2001:db8::1
        alpha.test MX mx.alpha.test
        mx.alpha.test A 192.0.2.25
        pass.test TXT v=spf1 ip4:198.51.100.0/24 -all
        none.test A 192.0.2.77
        silent.test TXT ?
        broken.test TXT v=spf1 all:x
        two.test TXT v=spf1 -all
        two.test TXT v=spf1 +all
        9.113.0.203.in-addr.alpha.test A 127.0.0.2
        self.test TXT v=spf1 include:self.test -all"
    );
    result(&zone, host, Some("alice@alpha.test"))
}

#[test]
fn mechanisms_match_hosts() {
    use SpfResult::{Fail, Neutral, Pass, SoftFail};
    for (record, host, expected) in [
        ("-all", "192.0.2.1", Fail),
        ("", "192.0.2.1", Neutral),
        ("a -all", "192.0.2.1", Pass),
        ("a -all", "192.0.2.2", Fail),
        ("a/24 -all", "192.0.2.2", Pass),
        ("a//64 -all", "2001:db8::2", Pass),
        ("a/24 -all", "2001:db8::2", Fail),
        ("mx ~all", "192.0.2.25", Pass),
        ("mx ~all", "192.0.2.26", SoftFail),
        ("ip4:192.0.2.0/25 ?all", "192.0.2.127", Pass),
        ("ip4:192.0.2.0/25 ?all", "192.0.2.128", Neutral),
        ("ip4:0.0.0.0/0 -all", "203.0.113.9", Pass),
        ("ip4:192.0.2.9 -all", "::ffff:192.0.2.9", Pass),
        ("ip6:2001:db8::/32 -all", "2001:db8:ffff::", Pass),
        ("ip6::: -all", "192.0.2.9", Fail),
        ("include:pass.test -all", "198.51.100.7", Pass),
        ("include:pass.test ~all", "192.0.2.1", SoftFail),
        ("-include:pass.test +all", "198.51.100.7", Fail),
        ("redirect=pass.test", "198.51.100.7", Pass),
        ("redirect=pass.test", "192.0.2.1", Fail),
        ("exists:%{ir}.%{v}.%{d} -all", "203.0.113.9", Pass),
        ("exists:%{ir}.%{v}.%{d} -all", "203.0.113.8", Fail),
        ("ptr ptr:alpha.test -all", "192.0.2.1", Fail),
        ("x=y a -all", "192.0.2.1", Pass),
    ] {
        assert_eq!(of(record, host), expected, "{record} {host}");
    }
}

#[test]
fn errors_are_temporary_or_permanent() {
    use SpfResult::{None, PermError, TempError};
    for (record, expected) in [
        ("foo", PermError),
        ("include:none.test", PermError),
        ("redirect=none.test", PermError),
        ("include:broken.test -all", PermError),
        ("include:two.test -all", PermError),
        ("include:silent.test -all", TempError),
        // A loop spends its lookups.
        ("include:self.test -all", PermError),
        ("a:a.test a:b.test a:c.test -all", PermError),
        ("exists:a.test mx:b.test a:c.test -all", PermError),
        ("ptr ptr ptr ptr ptr ptr ptr ptr ptr ptr ptr -all", PermError),
    ] {
        assert_eq!(of(record, "192.0.2.9"), expected, "{record}");
    }
    assert_eq!(
        of("ptr ptr ptr ptr ptr ptr ptr ptr ptr ptr -all", "192.0.2.9"),
        SpfResult::Fail
    );
    assert_eq!(of("a:a.test a:b.test -all", "192.0.2.9"), SpfResult::Fail);
    assert_eq!(result("", "192.0.2.1", Some("a@alpha.test")), None);
    assert_eq!(
        result("alpha.test TXT v=spf10 -all", "192.0.2.1", Some("a@alpha.test")),
        None
    );
    assert_eq!(result("", "192.0.2.1", Some("a@localhost")), None);
    let many = (0..11)
        .map(|n| format!("alpha.test MX mx{n}.alpha.test\n"))
        .collect::<String>();
    assert_eq!(
        result(
            &format!("alpha.test TXT v=spf1 mx -all\n{many}"),
            "192.0.2.1",
            Some("a@alpha.test")
        ),
        PermError
    );
}

#[test]
fn the_name_of_ehlo_stands_for_the_null_return_path() {
    let zone = "mx.alpha.test TXT v=spf1 a exists:%{l}.%{o} -all\nmx.alpha.test A 192.0.2.25";
    assert_eq!(result(zone, "192.0.2.25", None), SpfResult::Pass);
    assert_eq!(result(zone, "192.0.2.26", None), SpfResult::Fail);
}
