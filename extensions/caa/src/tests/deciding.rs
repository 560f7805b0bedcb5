//! What a set of records permits.

use super::world::{ACCOUNT, US, issue, record};
use crate::{Asked, Objection, Permission, Refused, Scope, decide};

fn asked(scope: Scope, identities: &[String]) -> Asked<'_> {
    Asked {
        scope,
        identities,
        account: ACCOUNT,
        method: "http-01",
    }
}

fn outcome(records: &[Vec<u8>], scope: Scope) -> Result<Permission, Vec<Refused>> {
    decide(records, &asked(scope, &[US.to_owned()]))
}

/// Whether the set permits a name, a wildcard, a mailbox.
fn permits(records: &[Vec<u8>]) -> [bool; 3] {
    [Scope::Name, Scope::Wildcard, Scope::Mail].map(|scope| outcome(records, scope).is_ok())
}

fn wild(value: &str) -> Vec<u8> {
    record(0, "issuewild", value)
}

fn mail(value: &str) -> Vec<u8> {
    record(0, "issuemail", value)
}

/// Sets, and whether each permits a name and a wildcard.
pub fn matrix() -> Vec<(&'static str, Vec<Vec<u8>>, bool, bool)> {
    let unreadable = vec![0, 9, b'i'];
    vec![
        ("issue us", vec![issue(US)], true, true),
        ("issue nobody", vec![issue(";")], false, false),
        ("issue empty", vec![issue("")], false, false),
        ("issue another", vec![issue("other.example")], false, false),
        ("issue below us", vec![issue("sub.ca.example")], false, false),
        ("issue above us", vec![issue("example")], false, false),
        ("issuewild us", vec![wild(US)], true, true),
        ("issuewild nobody", vec![wild(";")], true, false),
        ("issuewild another", vec![wild("other.example")], true, false),
        ("issue us, issuewild nobody", vec![issue(US), wild(";")], true, false),
        (
            "issue us, issuewild another",
            vec![issue(US), wild("other.example")],
            true,
            false,
        ),
        ("issue nobody, issuewild us", vec![issue(";"), wild(US)], false, true),
        (
            "issue another, issuewild us",
            vec![issue("other.example"), wild(US)],
            false,
            true,
        ),
        (
            "issue us, issuewild malformed",
            vec![issue(US), wild("%%%%%")],
            true,
            false,
        ),
        ("both us", vec![issue(US), wild(US)], true, true),
        ("nobody and us", vec![issue(";"), issue(US)], true, true),
        ("malformed and us", vec![issue("%%%%%"), issue(US)], true, true),
        ("another and us", vec![issue("other.example"), issue(US)], true, true),
        ("malformed", vec![issue("%%%%%")], false, false),
        ("final dot", vec![issue("ca.example.")], false, false),
        ("iodef", vec![record(0, "iodef", "mailto:a@b.example")], true, true),
        (
            "critical iodef",
            vec![record(128, "iodef", "mailto:a@b.example")],
            true,
            true,
        ),
        ("issuemail nobody", vec![mail(";")], true, true),
        ("unknown", vec![record(0, "tbs", "Unknown")], true, true),
        ("unknown, lowest bit", vec![record(1, "tbs", "Unknown")], true, true),
        (
            "unknown, reserved bits",
            vec![record(127, "tbs", "Unknown")],
            true,
            true,
        ),
        (
            "unknown, issue nobody",
            vec![record(0, "tbs", "Unknown"), issue(";")],
            false,
            false,
        ),
        ("critical unknown", vec![record(128, "tbs", "Unknown")], false, false),
        (
            "critical unknown, all bits",
            vec![record(255, "tbs", "Unknown")],
            false,
            false,
        ),
        (
            "critical unknown, issue us",
            vec![issue(US), record(128, "tbs", "Unknown")],
            false,
            false,
        ),
        ("critical issue us", vec![record(128, "issue", US)], true, true),
        ("lowest bit, issue us", vec![record(1, "issue", US)], true, true),
        ("lowest bit, issue nobody", vec![record(1, "issue", ";")], false, false),
        ("capitals", vec![record(0, "ISSUE", "CA.Example")], true, true),
        ("capitals, nobody", vec![record(0, "IssueWild", ";")], true, false),
        (
            "same account twice",
            vec![issue(&format!("{US}; accounturi={ACCOUNT}; accounturi={ACCOUNT}"))],
            false,
            false,
        ),
        ("unreadable", vec![unreadable.clone()], false, false),
        ("unreadable, issue us", vec![issue(US), unreadable], false, false),
    ]
}

// T11, 8659-4-1, 8659-4-2, 8659-4.1-1, 8657-4-3
#[test]
fn t11_every_set_permits_what_it_says_to_names_and_to_wildcards() {
    assert_eq!(permits(&[]), [true; 3]);
    for (set, records, name, wildcard) in matrix() {
        let [permits_name, permits_wildcard, _] = permits(&records);
        assert_eq!((permits_name, permits_wildcard), (name, wildcard), "{set}");
        let reversed: Vec<_> = records.into_iter().rev().collect();
        let [permits_name, permits_wildcard, _] = permits(&reversed);
        assert_eq!((permits_name, permits_wildcard), (name, wildcard), "{set}, reversed");
    }
}

// 9495-4-1
#[test]
fn issuemail_alone_restricts_mailboxes() {
    for (set, records, ..) in matrix() {
        // What bars everything bars mailboxes too; `issue` and `issuewild` do not.
        let expected = !set.starts_with("critical unknown") && !set.contains("unreadable") && set != "issuemail nobody";
        assert_eq!(permits(&records)[2], expected, "{set}");
    }
    assert!(permits(&[mail(US)])[2]);
    assert!(!permits(&[mail("%%%%%")])[2]);
    assert!(!permits(&[mail("other.example"), issue(US)])[2]);
}

fn objections(value: &str) -> Vec<Objection> {
    match outcome(&[issue(value)], Scope::Name) {
        Ok(_) => Vec::new(),
        Err(refused) => refused.into_iter().map(|refused| refused.why).collect(),
    }
}

// T12, 8657-3-1
#[test]
fn t12_accounturi_is_the_account_s_url_to_the_letter_and_stands_there_once() {
    assert_eq!(objections(&format!("{US}; accounturi={ACCOUNT}")), []);
    assert_eq!(objections(&format!("{US}; AccountURI = {ACCOUNT}")), []);
    for other in [
        "",
        "7",
        "https://ca.example/acme/account/8",
        "https://ca.example/acme/account/77",
        "https://ca.example/acme/account/7/",
        "https://ca.example/acme/account/",
        "https://CA.example/acme/account/7",
        "HTTPS://ca.example/acme/account/7",
        "https://ca.example:443/acme/account/7",
        "https://ca.example/acme/%61ccount/7",
        "http://ca.example/acme/account/7",
        "\"https://ca.example/acme/account/7\"",
    ] {
        let objections = objections(&format!("{US}; accounturi={other}"));
        assert_eq!(objections, [Objection::AnotherAccount], "{other}");
    }
    for twice in [ACCOUNT, "https://ca.example/acme/account/8"] {
        let value = format!("{US}; accounturi={ACCOUNT}; accounturi={twice}");
        assert_eq!(objections(&value), [Objection::Accounts]);
    }
    // Another authority's property is not ours, whatever account it names.
    let value = format!("other.example; accounturi={ACCOUNT}");
    assert_eq!(objections(&value), [Objection::Another("other.example".into())]);
}

// T12, 8657-4-1
#[test]
fn t12_validationmethods_lists_the_method_that_was_used() {
    for list in ["http-01", "dns-01,http-01", "http-01,tls-alpn-01", "x,y,http-01"] {
        assert_eq!(objections(&format!("{US}; validationmethods={list}")), [], "{list}");
    }
    for other in [
        "dns-01",
        "dns-01,tls-alpn-01",
        "http-0",
        "http-011",
        "HTTP-01",
        "ca-http-01",
    ] {
        let objections = objections(&format!("{US}; validationmethods={other}"));
        let shown = other.replace(',', ", ");
        assert_eq!(objections, [Objection::AnotherMethod(shown)], "{other}");
    }
    assert_eq!(objections(&format!("{US}; validationmethods=")), [Objection::NoMethod]);
    for malformed in [
        "http-01,",
        ",http-01",
        "http-01,,dns-01",
        ",",
        "http_01,http-01",
        "http-01|dns-01",
    ] {
        let objections = objections(&format!("{US}; validationmethods={malformed}"));
        assert_eq!(objections, [Objection::MethodList], "{malformed}");
    }
    let twice = format!("{US}; validationmethods=http-01; validationmethods=http-01");
    assert_eq!(objections(&twice), [Objection::MethodList]);
}

// T12, 8657-4-3
#[test]
fn t12_each_property_stands_alone() {
    let account = format!("{US}; accounturi={ACCOUNT}");
    let stranger = format!("{US}; accounturi=https://ca.example/acme/account/8");
    let methods = format!("{US}; validationmethods=dns-01");
    let both = format!("{account}; validationmethods=dns-01");
    assert!(outcome(&[issue(&stranger), issue(&account)], Scope::Name).is_ok());
    assert!(outcome(&[issue(&methods), issue(&account)], Scope::Name).is_ok());
    // Neither half of two properties makes a whole.
    assert!(outcome(&[issue(&stranger), issue(&methods)], Scope::Name).is_err());
    assert!(outcome(&[issue(&both)], Scope::Name).is_err());
    assert!(outcome(&[issue(&both), wild(&account)], Scope::Wildcard).is_ok());
}

#[test]
fn a_parameter_that_means_nothing_here_is_a_restriction_that_cannot_be_kept() {
    for unknown in [
        "account=230123",
        "accounturl=https://ca.example/acme/account/8",
        "validationmethod=dns-01",
    ] {
        let [objection] = &objections(&format!("{US}; {unknown}"))[..] else {
            panic!("{unknown} was ignored");
        };
        let (tag, _) = unknown.split_once('=').unwrap();
        assert_eq!(objection, &Objection::Parameter(tag.into()));
    }
}

// T10
#[test]
fn t10_one_among_a_hundred_records_permits_and_a_hundred_that_do_not_forbid() {
    let others = (0..100).map(|n| issue(&format!("ca{n}.example.net")));
    let mut records: Vec<_> = others.collect();
    assert_eq!(outcome(&records, Scope::Name).unwrap_err().len(), 100);
    for place in [0, 50, 100] {
        records.insert(place, issue(US));
        assert_eq!(
            outcome(&records, Scope::Name),
            Ok(Permission::By("0 issue \"ca.example\"".into()))
        );
        records.remove(place);
    }
}

#[test]
fn without_a_name_of_its_own_an_authority_is_permitted_by_no_record() {
    assert_eq!(decide(&[], &asked(Scope::Name, &[])), Ok(Permission::Unrestricted));
    assert!(decide(&[issue(US)], &asked(Scope::Name, &[])).is_err());
    assert!(decide(&[issue(";")], &asked(Scope::Name, &[])).is_err());
    assert!(decide(&[issue("")], &asked(Scope::Name, &["".to_owned()])).is_err());
}
