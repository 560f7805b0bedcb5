//! The doctor before a scripted DNS.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;
use mail::{
    dkim::{
        Algorithm, Signer, SigningKey,
        coverage::{LISTS, REQUIRED},
    },
    message::{Message, address::Mailbox},
    spf::{DnsFailure, Family, SpfDns},
};

use super::{
    doctor::Case,
    report::{Finding, Report, Verdict},
};
use crate::dns::{Dns, Property};

/// A name that has `?` in any record does not answer for that type.
#[derive(Default)]
struct Script {
    txt: BTreeMap<String, Vec<String>>,
    mx: BTreeMap<String, Vec<String>>,
    addresses: BTreeMap<String, Vec<IpAddr>>,
    caa: BTreeMap<String, Vec<Property>>,
}

impl Script {
    /// A domain about which there is nothing to say.
    fn sound() -> Self {
        Self::default()
            .mx("alpha.test", &["mail.alpha.test"])
            .address("mail.alpha.test")
            .txt("alpha.test", "v=spf1 mx -all")
            .txt("_dmarc.alpha.test", "v=DMARC1; p=reject")
    }

    fn txt(mut self, name: &str, text: &str) -> Self {
        self.txt.entry(name.to_owned()).or_default().push(text.to_owned());
        self
    }

    fn without_txt(mut self, name: &str) -> Self {
        self.txt.remove(name);
        self
    }

    fn mx(mut self, name: &str, hosts: &[&str]) -> Self {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        self.mx.insert(name.to_owned(), hosts);
        self
    }

    fn address(mut self, name: &str) -> Self {
        self.addresses.insert(name.to_owned(), vec![[198, 51, 100, 1].into()]);
        self
    }

    fn caa(mut self, name: &str, is_critical: bool, tag: &str, value: &str) -> Self {
        let property = Property {
            is_critical,
            tag: tag.to_owned(),
            value: value.as_bytes().to_vec(),
        };
        self.caa.entry(name.to_owned()).or_default().push(property);
        self
    }

    async fn about(&self, selectors: &[&str], message: Option<&str>) -> Report {
        let selectors: Vec<String> = selectors.iter().map(|selector| (*selector).to_owned()).collect();
        let case = Case {
            mailbox: &alice(),
            message: message.map(str::as_bytes),
            selectors: &selectors,
            now: now(),
        };
        case.report(self).await
    }
}

fn said(texts: Option<&Vec<String>>) -> Result<Vec<String>, DnsFailure> {
    let texts = texts.cloned().unwrap_or_default();
    match texts.iter().any(|text| text == "?") {
        true => Err(DnsFailure),
        false => Ok(texts),
    }
}

impl SpfDns for Script {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        said(self.txt.get(name))
    }

    async fn mx(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        said(self.mx.get(name))
    }

    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, DnsFailure> {
        let known = self.addresses.get(name).filter(|_| family == Family::V4);
        Ok(known.cloned().unwrap_or_default())
    }
}

impl Dns for Script {
    async fn caa(&self, name: &str) -> Result<Vec<Property>, DnsFailure> {
        Ok(self.caa.get(name).cloned().unwrap_or_default())
    }
}

fn alice() -> Mailbox {
    Mailbox::parse("alice@alpha.test").unwrap()
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn signer(domain: &str) -> Signer {
    let key = SigningKey::generate(Algorithm::Ed25519Sha256).unwrap();
    Signer::new(mail::message::domain::Domain::parse(domain).unwrap(), "s1", key).unwrap()
}

const LETTER: &str = "From: Alice <alice@alpha.test>\r\nTo: bob@beta.test\r\nSubject: Re: Hello\r\n\
    Date: Fri, 2 Jan 2026 03:04:00 +0000\r\nMessage-ID: <1@alpha.test>\r\nIn-Reply-To: <2@beta.test>\r\n\
    References: <2@beta.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\n\
    \r\nHello\r\n";

fn signed(signer: &Signer, names: &[&str]) -> String {
    signer.sign(&Message::parse(LETTER.as_bytes()).unwrap(), names, now()) + LETTER
}

fn found<'a>(report: &'a Report, about: &str) -> Vec<&'a Finding> {
    let findings = report.findings.iter().filter(|finding| finding.about == about);
    findings.collect()
}

fn only<'a>(report: &'a Report, about: &str) -> &'a Finding {
    let findings = found(report, about);
    assert_eq!(findings.len(), 1, "{about}: {:#?}", report.findings);
    findings[0]
}

#[tokio::test]
async fn a_domain_that_is_in_order_and_a_letter_that_is_signed_to_the_last_field_would_work() {
    let signer = signer("alpha.test");
    let names: Vec<&str> = REQUIRED.into_iter().chain(LISTS).collect();
    let dns = Script::sound().txt(&signer.key_name(), &signer.record());
    let report = dns.about(&[], Some(&signed(&signer, &names))).await;
    let sound = report.findings.iter().all(|finding| finding.verdict == Verdict::Ok);
    assert!(sound && report.works(), "{:#?}", report.findings);
    let levels = report.levels.unwrap();
    assert!(levels.present && levels.essential && levels.strict);
    assert_eq!(report.json()["works"], true);
    let lines = report.lines();
    assert!(lines.last().unwrap().ends_with("would work"), "{lines:#?}");
}

#[tokio::test]
async fn a_domain_that_takes_no_mail_cannot_be_challenged() {
    for (dns, part) in [
        (Script::sound().mx("alpha.test", &[""]), "takes no mail"),
        (Script::sound().mx("alpha.test", &[]), "neither MX nor address"),
        (Script::sound().mx("alpha.test", &["gone.alpha.test"]), "has an address"),
        (Script::sound().mx("alpha.test", &["?"]), "no answer"),
    ] {
        let report = dns.about(&[], None).await;
        let finding = only(&report, "MX");
        assert!(
            finding.verdict == Verdict::WouldNotWork && finding.says.contains(part),
            "{finding:?}"
        );
        assert!(!report.works() && finding.remedy.is_some());
    }
    let implicit = Script::sound().mx("alpha.test", &[]).address("alpha.test");
    assert_eq!(only(&implicit.about(&[], None).await, "MX").verdict, Verdict::Ok);
}

#[tokio::test]
async fn a_key_is_absent_revoked_under_test_or_silent_and_one_that_is_fine_is_enough() {
    let fine = signer("alpha.test").record();
    for (record, part) in [
        (None, "no key"),
        (Some("v=DKIM1; p=".to_owned()), "revoked"),
        (Some(fine.replace("p=", "t=y; p=")), "under test"),
        (Some("?".to_owned()), "no answer"),
        (Some("v=DKIM1; k=ed25519; p=AAAA".to_owned()), "cannot be read"),
    ] {
        let mut dns = Script::sound();
        if let Some(record) = &record {
            dns = dns.txt("s1._domainkey.alpha.test", record);
        }
        let report = dns.about(&["s1"], None).await;
        let finding = only(&report, "DKIM key");
        assert!(
            finding.verdict == Verdict::WouldNotWork && finding.says.contains(part),
            "{finding:?}"
        );
        let report = dns
            .txt("s2._domainkey.alpha.test", &fine)
            .about(&["s1", "s2"], None)
            .await;
        let verdicts: Vec<Verdict> = found(&report, "DKIM key")
            .iter()
            .map(|finding| finding.verdict)
            .collect();
        assert_eq!(verdicts, [Verdict::Attention, Verdict::Ok]);
        assert!(report.works());
    }
    let report = Script::sound().about(&[], None).await;
    assert_eq!(only(&report, "DKIM key").verdict, Verdict::Attention);
}

// RFC 8301 §3.2
#[tokio::test]
async fn a_short_rsa_key_is_none_and_one_that_is_just_long_enough_wants_attention() {
    for (bits, verdict) in [
        (512, Verdict::WouldNotWork),
        (1024, Verdict::Attention),
        (2048, Verdict::Ok),
    ] {
        let report = Script::sound()
            .txt("s1._domainkey.alpha.test", &rsa_record(bits))
            .about(&["s1"], None)
            .await;
        let finding = only(&report, "DKIM key");
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(finding.says.contains(&format!("{bits} bits")), "{finding:?}");
    }
}

/// `RSAPublicKey` with a modulus of so many bits and the exponent 65537. Nothing is ever verified with it.
fn rsa_record(bits: usize) -> String {
    let length = |octets: usize| match octets {
        0..128 => vec![octets as u8],
        128..256 => vec![0x81, octets as u8],
        _ => vec![0x82, (octets >> 8) as u8, octets as u8],
    };
    let mut modulus = vec![0];
    modulus.extend(vec![0xff; bits / 8]);
    let mut integers = [&[2][..], &length(modulus.len()), &modulus].concat();
    integers.extend([2, 3, 1, 0, 1]);
    let der = [&[0x30][..], &length(integers.len()), &integers].concat();
    format!("v=DKIM1; k=rsa; p={}", base64(&der))
}

fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in octets.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let is_there = at <= three.len();
            let six = (bits >> (18 - 6 * at)) & 63;
            text.push(if is_there { ALPHABET[six as usize] as char } else { '=' });
        }
    }
    text
}

// 8823-M-2
#[tokio::test]
async fn the_policy_is_found_up_the_tree_and_its_absence_wants_attention() {
    let bare = || Script::sound().without_txt("_dmarc.alpha.test");
    for (dns, verdict, part) in [
        (bare(), Verdict::Attention, "neither alpha.test"),
        (
            bare().txt("_dmarc.test", "v=DMARC1; p=reject"),
            Verdict::Ok,
            "_dmarc.test is reject",
        ),
        (
            bare().txt("_dmarc.alpha.test", "v=DMARC1; p=none"),
            Verdict::Attention,
            "is none",
        ),
        (bare().txt("_dmarc.alpha.test", "?"), Verdict::Attention, "no answer"),
    ] {
        let report = dns.about(&[], None).await;
        let finding = only(&report, "DMARC");
        assert!(finding.verdict == verdict && finding.says.contains(part), "{finding:?}");
    }
}

// 9495-4-1
#[tokio::test]
async fn issuemail_says_who_may_issue_also_from_above_and_issue_says_nothing() {
    for (dns, verdict, part) in [
        (Script::sound(), Verdict::Ok, "every authority"),
        (
            Script::sound().caa("alpha.test", false, "issue", ";"),
            Verdict::Ok,
            "every authority",
        ),
        (
            Script::sound().caa("test", false, "issuemail", "ca.example"),
            Verdict::Ok,
            "only ca.example",
        ),
        (
            Script::sound().caa("alpha.test", false, "issuemail", ";"),
            Verdict::WouldNotWork,
            "nobody",
        ),
        (
            Script::sound().caa("alpha.test", false, "issuemail", "%%"),
            Verdict::WouldNotWork,
            "nobody",
        ),
        (
            Script::sound().caa("alpha.test", true, "novel", "x"),
            Verdict::WouldNotWork,
            "critical",
        ),
    ] {
        let report = dns.about(&[], None).await;
        let finding = only(&report, "CAA");
        assert!(finding.verdict == verdict && finding.says.contains(part), "{finding:?}");
    }
}

#[tokio::test]
async fn spf_that_cannot_be_evaluated_matters_where_list_fields_are_not_signed() {
    let signer = signer("alpha.test");
    let many: Vec<String> = (0..11).map(|at| format!("a:h{at}.alpha.test")).collect();
    let many = format!("v=spf1 {} -all", many.join(" "));
    for (record, part) in [
        ("v=spf1 -all", "no host"),
        ("v=spf1 include:gone.test -all", "cannot be evaluated"),
        ("v=spf1 nonsense", "cannot be read"),
        (many.as_str(), "cannot be evaluated"),
    ] {
        let dns = || {
            Script::sound()
                .without_txt("alpha.test")
                .txt("alpha.test", record)
                .txt(&signer.key_name(), &signer.record())
        };
        let lists: Vec<&str> = REQUIRED.into_iter().chain(LISTS).collect();
        let report = dns().about(&[], Some(&signed(&signer, &lists))).await;
        let spf = only(&report, "SPF");
        assert!(spf.verdict == Verdict::Attention && spf.says.contains(part), "{spf:?}");
        assert!(report.works(), "{:#?}", report.findings);
        let report = dns().about(&[], Some(&signed(&signer, &REQUIRED))).await;
        let lists = only(&report, "List-* fields");
        assert_eq!(lists.verdict, Verdict::WouldNotWork);
        assert!(
            lists
                .remedy
                .as_deref()
                .unwrap()
                .contains("OverSignHeaders From,List-Id,"),
            "{lists:?}"
        );
        assert!(!report.works() && !report.levels.unwrap().present);
    }
}

// 8823-3.2-9
#[tokio::test]
async fn what_a_signature_leaves_out_decides_the_level_and_the_line_for_opendkim_is_said() {
    let signer = signer("alpha.test");
    let dns = Script::sound().txt(&signer.key_name(), &signer.record());
    let usual = [
        "From",
        "To",
        "Subject",
        "Date",
        "In-Reply-To",
        "References",
        "MIME-Version",
    ];
    let report = dns.about(&[], Some(&signed(&signer, &usual))).await;
    let levels = report.levels.unwrap();
    assert_eq!((levels.essential, levels.present, levels.strict), (true, false, false));
    assert!(!report.works());
    let remedy = found(&report, "signed fields")[0].remedy.clone().unwrap();
    for part in ["Message-ID", "Content-Type", "SignHeaders *,+Auto-Submitted"] {
        assert!(remedy.contains(part), "{remedy}");
    }

    let all = [&usual[..], &["Message-ID", "Content-Type", "Content-Transfer-Encoding"]].concat();
    let report = dns.about(&[], Some(&signed(&signer, &all))).await;
    let levels = report.levels.unwrap();
    assert_eq!((levels.essential, levels.present, levels.strict), (true, true, false));
    assert!(report.works(), "{:#?}", report.findings);
}

#[tokio::test]
async fn a_letter_that_is_no_reply_does_not_show_whether_a_reply_would_be_signed() {
    let signer = signer("alpha.test");
    let dns = Script::sound().txt(&signer.key_name(), &signer.record());
    let letter = "From: alice@alpha.test\r\nTo: bob@beta.test\r\nSubject: x\r\nDate: Fri, 2 Jan 2026 03:04:00 +0000\r\n\r\nx\r\n";
    let names = ["From", "To", "Subject", "Date"];
    let field = signer.sign(&Message::parse(letter.as_bytes()).unwrap(), &names, now());
    let report = dns.about(&[], Some(&(field + letter))).await;
    let unseen = found(&report, "signed fields");
    let says = |finding: &&&Finding| finding.says.contains("In-Reply-To, References");
    assert!(
        unseen
            .iter()
            .any(|finding| says(&finding) && finding.verdict == Verdict::Attention),
        "{unseen:#?}"
    );
}

#[tokio::test]
async fn nobody_else_s_signature_and_no_changed_letter_counts() {
    let (own, other) = (signer("alpha.test"), signer("mailer.test"));
    let dns = Script::sound()
        .txt(&own.key_name(), &own.record())
        .txt(&other.key_name(), &other.record());
    let names: Vec<&str> = REQUIRED.into_iter().chain(LISTS).collect();
    for (letter, part) in [
        (LETTER.to_owned(), "no DKIM signature"),
        (signed(&other, &names), "mailer.test (selector s1) signed it"),
        (
            signed(&own, &names).replace("Re: Hello", "Re: Hallo"),
            "are not those that were signed",
        ),
        (
            signed(&own, &names).replace("\r\n\r\nHello", "\r\n\r\nHullo"),
            "the body is not",
        ),
    ] {
        let report = dns.about(&["s1"], Some(&letter)).await;
        let says: Vec<&str> = found(&report, "signature")
            .iter()
            .map(|finding| finding.says.as_str())
            .collect();
        assert!(says.iter().any(|says| says.contains(part)), "{says:?}");
        assert!(!report.works());
    }
    let from_alias = signed(&own, &names).replace("<alice@", "<sales@");
    let report = dns.about(&[], Some(&from_alias)).await;
    assert_eq!(only(&report, "message").verdict, Verdict::WouldNotWork);
    let report = dns.about(&[], Some("no message")).await;
    assert!(only(&report, "message").says.contains("cannot be read") && !report.works());
}
