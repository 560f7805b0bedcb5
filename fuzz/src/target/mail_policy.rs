use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use mail::{
    dmarc::{self, Authenticated, Evaluation, MAX_QUERIES},
    dns::{Answers, Step, Txt},
    message::domain::Domain,
    spf::{self, Delivery, DnsFailure, Family, SpfDns},
};

/// Records of a domain, a line each, given to whatever DMARC and SPF ask for: both come to an end, within their limits.
pub fn mail_policy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.lines().take(MOST_LINES).collect();
    for line in &lines {
        if let Some(record) = dmarc::Record::parse(line) {
            assert!(line.contains("DMARC1") && record.policy <= dmarc::Policy::Reject);
        }
        assert!(spf::Record::parse(line).is_err() || spf::Record::is_one(line));
    }
    walk(&lines);
    let zone = Zone {
        lines: &lines,
        asked: AtomicUsize::new(0),
    };
    for host in ["192.0.2.1", "2001:db8::1"] {
        let delivery = Delivery {
            host: host.parse().expect("an address"),
            helo: "mx.alpha.test".to_owned(),
            return_path: None,
        };
        let check = std::pin::pin!(spf::check(&zone, &delivery));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(check.poll(&mut context).is_ready(), "nothing waits here");
        // Each lookup may be followed by that of its record, or of ten exchanges.
        assert!(zone.asked.swap(0, Ordering::Relaxed) <= 2 + spf::MAX_LOOKUPS * 11);
    }
}

fn walk(lines: &[&str]) {
    let domain = |text| Domain::parse(text).expect("a domain");
    let evaluation = Evaluation {
        author: domain("a.b.c.d.e.f.g.h.i.alpha.test"),
        authenticated: vec![
            Authenticated::Dkim(domain("x.alpha.test")),
            Authenticated::Spf(domain("alpha.test")),
        ],
    };
    let mut answers = Answers::default();
    let mut asked = 0;
    while let Step::Ask(names) = evaluation.step(&answers) {
        for name in names {
            let line = lines.get(asked % lines.len().max(1)).map(|line| (*line).to_owned());
            answers.insert(name, Txt::of(line.into_iter().collect()));
            asked += 1;
        }
        assert!(asked <= 3 * MAX_QUERIES);
    }
}

/// Answers the lines in turn.
struct Zone<'a> {
    lines: &'a [&'a str],
    asked: AtomicUsize,
}

impl Zone<'_> {
    fn next(&self) -> Option<&str> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        self.lines.get(asked % self.lines.len().max(1)).copied()
    }
}

impl SpfDns for Zone<'_> {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        assert!(name.len() <= 253);
        Ok(self.next().map(str::to_owned).into_iter().collect())
    }

    async fn addresses(&self, _: &str, _: Family) -> Result<Vec<IpAddr>, DnsFailure> {
        Ok(self.next().and_then(|line| line.parse().ok()).into_iter().collect())
    }

    async fn mx(&self, _: &str) -> Result<Vec<String>, DnsFailure> {
        let line = self.next().ok_or(DnsFailure)?;
        Ok(line.split(' ').map(str::to_owned).collect())
    }
}

const MOST_LINES: usize = 50;
