//! What is asked, and what becomes of the answers.

use std::{collections::BTreeSet, sync::Arc};

use acme::{Identifier, ProblemType};
use authority::{
    identifier::{Name, Target},
    model::{DnssecStatus, Observation},
};
use proptest::prelude::*;
use validation::resolver::DnsFailure;

use super::{
    deciding::matrix,
    world::{ACCOUNT, Dns, US, check, check_names, check_proved_by, issue, record, refused},
};

// 8659-3-1, T11
#[tokio::test]
async fn t11_the_first_set_on_the_way_up_decides_wherever_it_stands() {
    for (set, records, name, wildcard) in matrix() {
        for at in ["www.zone.test", "zone.test", "test"] {
            let dns = || Arc::new(Dns::default().with(at, Ok(records.clone())));
            let permits_name = check(&dns(), &["www.zone.test"]).await.is_ok();
            let permits_wildcard = check(&dns(), &["*.www.zone.test"]).await.is_ok();
            assert_eq!((permits_name, permits_wildcard), (name, wildcard), "{set} at {at}");
        }
    }
}

// 8659-3-1
#[tokio::test]
async fn what_is_above_the_first_set_is_neither_asked_nor_counted() {
    let dns = Dns::default()
        .with("zone.test", Ok(vec![issue(US)]))
        .with("test", Err(DnsFailure::ServFail));
    let dns = Arc::new(dns);
    assert!(check(&dns, &["a.b.zone.test"]).await.is_ok());
    assert_eq!(dns.asked(), ["a.b.zone.test", "b.zone.test", "zone.test"]);

    let dns = Dns::default()
        .with("zone.test", Ok(vec![issue(";")]))
        .with("test", Ok(vec![issue(US)]));
    assert!(check(&Arc::new(dns), &["a.b.zone.test"]).await.is_err());

    // A set that restricts nothing is a set, too.
    let iodef = record(0, "iodef", "mailto:a@b.example");
    let dns = Dns::default()
        .with("zone.test", Ok(vec![iodef]))
        .with("test", Ok(vec![issue(";")]));
    assert!(check(&Arc::new(dns), &["zone.test"]).await.is_ok());
}

// 8659-3-1
#[tokio::test]
async fn the_climb_ends_below_the_root_whether_names_exist_or_not() {
    let dns = Arc::new(Dns::default().with("zone.test", Ok(vec![])));
    let evidence = check(&dns, &["a.zone.test"]).await.unwrap();
    assert_eq!(dns.asked(), ["a.zone.test", "zone.test", "test"]);
    let [evidence] = &evidence[..] else { panic!("one look") };
    assert_eq!(evidence.method, "caa");
    assert_eq!(evidence.observations.len(), 3);
}

// 8659-4-4: a wildcard is asked about at its base, which is where its records would be.
#[tokio::test]
async fn a_wildcard_and_its_base_are_one_question_with_two_answers() {
    let records = vec![issue(";"), record(0, "issuewild", US)];
    let dns = Arc::new(Dns::default().with("zone.test", Ok(records)));
    let problem = check(&dns, &["zone.test", "*.zone.test"]).await.unwrap_err();
    assert_eq!(refused(&problem), ["zone.test"]);
    assert_eq!(dns.asked(), ["zone.test"]);
}

// T10, 8659-4-3
#[tokio::test]
async fn t10_a_name_that_is_not_known_about_forbids_although_a_name_above_permits() {
    for (failure, questions) in [
        (DnsFailure::ServFail, 3),
        (DnsFailure::Timeout, 3),
        (DnsFailure::Refused("REFUSED".into()), 3),
        (DnsFailure::Referral, 3),
        (DnsFailure::Transport("connection refused".into()), 3),
        (DnsFailure::Malformed, 3),
        (DnsFailure::Bogus(Default::default()), 1),
        (DnsFailure::Indeterminate, 1),
        (DnsFailure::TooManyAliases(8), 1),
        (DnsFailure::NotAName, 1),
    ] {
        let dns = Dns::default()
            .with("www.zone.test", Err(failure.clone()))
            .with("zone.test", Ok(vec![issue(US)]));
        let dns = Arc::new(dns);
        let problem = check(&dns, &["www.zone.test", "zone.test"]).await.unwrap_err();
        assert_eq!(problem.kind, ProblemType::Dns, "{failure}");
        assert_eq!(refused(&problem), ["www.zone.test"]);
        let detail = &problem.subproblems[0].detail;
        assert!(
            detail.contains("www.zone.test") && detail.contains(&failure.to_string()),
            "{detail}"
        );
        let asked = dns.asked().iter().filter(|name| *name == "www.zone.test").count();
        assert_eq!(asked, questions, "{failure}");
    }
}

#[tokio::test]
async fn a_failure_that_passes_by_itself_is_waited_out() {
    let dns = Dns::default()
        .with("zone.test", Err(DnsFailure::ServFail))
        .with("zone.test", Err(DnsFailure::Timeout))
        .with("zone.test", Ok(vec![issue(US)]));
    let dns = Arc::new(dns);
    assert!(check(&dns, &["zone.test"]).await.is_ok());
    assert_eq!(dns.asked().len(), 3);
}

#[tokio::test]
async fn a_dns_that_never_answers_is_a_problem_for_the_names_it_was_asked_about() {
    let dns = Dns::default().silent("slow.test");
    let problem = check(&Arc::new(dns), &["slow.test"]).await.unwrap_err();
    assert_eq!(
        (problem.kind.clone(), refused(&problem)),
        (ProblemType::Dns, vec!["slow.test"])
    );
}

// 8659-4-5
#[tokio::test]
async fn a_refusal_names_the_record_its_place_and_what_would_permit() {
    let account = format!("0 issue \"{US}; accounturi={ACCOUNT}\"");
    let methods = format!("0 issue \"{US}; validationmethods=http-01\"");
    for (records, says) in [
        (
            vec![issue(";")],
            vec![
                "0 issue \";\" permits nobody",
                "publish zone.test. CAA 0 issue \"ca.example\"",
            ],
        ),
        (
            vec![issue("other.example")],
            vec!["permits other.example", "publish zone.test. CAA 0 issue \"ca.example\""],
        ),
        (
            vec![record(128, "tbs", "x")],
            vec!["128 tbs \"x\" is critical", "correct or remove this at zone.test"],
        ),
        (
            vec![vec![0, 0]],
            vec!["cannot be read", "correct or remove this at zone.test"],
        ),
        (
            vec![issue(&format!("{US}; accounturi=x"))],
            vec!["another account", account.as_str()],
        ),
        (
            vec![issue(&format!("{US}; validationmethods=dns-01"))],
            vec!["by dns-01 only", methods.as_str()],
        ),
    ] {
        let dns = Arc::new(Dns::default().with("zone.test", Ok(records)));
        let problem = check(&dns, &["www.zone.test", "free.example"]).await.unwrap_err();
        assert_eq!(problem.kind, ProblemType::Caa);
        assert_eq!(refused(&problem), ["www.zone.test"]);
        let detail = &problem.subproblems[0].detail;
        assert!(
            detail.starts_with("CAA at zone.test forbids www.zone.test: "),
            "{detail}"
        );
        for part in says {
            assert!(detail.contains(part), "{detail} does not say {part}");
        }
    }
    // A record for wildcards is what helps where such records stand.
    let dns = Arc::new(Dns::default().with("zone.test", Ok(vec![issue(US), record(0, "issuewild", ";")])));
    let problem = check(&dns, &["*.zone.test"]).await.unwrap_err();
    assert!(
        problem
            .detail
            .contains("publish zone.test. CAA 0 issuewild \"ca.example\""),
        "{problem}"
    );
}

#[tokio::test]
async fn a_refusal_is_bounded_however_many_records_there_are() {
    let records = vec![issue(&"\u{1}".repeat(60_000)); 100];
    let dns = Arc::new(Dns::default().with("zone.test", Ok(records)));
    let problem = check(&dns, &["zone.test"]).await.unwrap_err();
    assert!(problem.detail.len() < 12_000, "{}", problem.detail.len());
    assert!(problem.detail.contains("and 96 more"));
}

// RFC 8555 §6.7.1
#[tokio::test]
async fn different_problems_are_a_compound_of_subproblems() {
    let dns = Dns::default()
        .with("a.test", Ok(vec![issue(";")]))
        .with("b.test", Err(DnsFailure::ServFail));
    let problem = check(&Arc::new(dns), &["a.test", "b.test", "c.test"])
        .await
        .unwrap_err();
    assert_eq!(problem.kind, ProblemType::Compound);
    assert_eq!(refused(&problem), ["a.test", "b.test"]);
    let kinds: Vec<_> = problem.subproblems.iter().map(|problem| problem.kind.clone()).collect();
    assert_eq!(kinds, [ProblemType::Caa, ProblemType::Dns]);
}

// 8657-4-1: the method of the authorization that is used, whenever it was proved.
#[tokio::test]
async fn the_method_is_the_one_by_which_control_was_proved() {
    let records = vec![issue(&format!("{US}; validationmethods=dns-01,ca-own-00"))];
    let dns = Arc::new(Dns::default().with("zone.test", Ok(records)));
    for (method, permitted) in [
        ("dns-01", true),
        ("http-01", false),
        ("own-00", true),
        ("ca-own-00", false),
    ] {
        let outcome = check_proved_by(method, &dns, &["zone.test"]).await;
        assert_eq!(outcome.is_ok(), permitted, "{method}");
    }
}

// 8738-4-3
#[tokio::test]
async fn addresses_are_not_asked_about() {
    let identifier = Identifier::ip("192.0.2.1");
    let address = Target::Address("192.0.2.1".parse().unwrap());
    let name = Name::admitted(identifier.clone(), identifier, address);
    let dns = Arc::new(Dns::default().with("2.192.in-addr.arpa", Ok(vec![issue(";")])));
    assert_eq!(check_names("http-01", &dns, &[name]).await.unwrap(), []);
    assert!(dns.asked().is_empty());
}

#[tokio::test]
async fn evidence_has_every_answer_with_the_records_that_do_not_count() {
    let records = vec![
        issue(US),
        record(0, "iodef", "mailto:a@b.example"),
        record(1, "tbs", "\n"),
    ];
    let dns = Arc::new(Dns::default().with("zone.test", Ok(records)));
    let evidence = check(&dns, &["a.zone.test", "b.zone.test"]).await.unwrap();
    let seen = &evidence[0].observations;
    let names: Vec<_> = seen
        .iter()
        .map(|seen| match seen {
            Observation::Resolved { name, record_type, .. } if record_type == "CAA" => name.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["a.zone.test", "b.zone.test", "zone.test"]);
    let Observation::Resolved {
        dnssec, answers, error, ..
    } = &seen[2]
    else {
        panic!("an answer");
    };
    assert_eq!((*dnssec, error), (DnssecStatus::Secure, &None));
    assert_eq!(
        answers,
        &[
            "0 issue \"ca.example\"",
            "0 iodef \"mailto:a@b.example\"",
            r#"1 tbs "\n""#
        ]
    );
}

#[tokio::test]
async fn evidence_is_bounded_however_many_labels_are_climbed() {
    let names: Vec<_> = (0..20).map(|n| format!("{}z{n}.test", "a.".repeat(80))).collect();
    let listed: Vec<_> = names.iter().map(String::as_str).collect();
    let dns = Arc::new(Dns::default().with("z9.test", Ok(vec![issue(US)])));
    let evidence = check(&dns, &listed).await.unwrap();
    let seen = &evidence[0].observations;
    assert!(dns.asked().len() > 1000, "{}", dns.asked().len());
    assert_eq!(seen.len(), 402);
    let text = format!("{seen:?}");
    assert!(text.contains("0 issue") && text.contains("more names without records"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    // T1
    #[test]
    fn t1_every_name_is_asked_about_exactly_once_and_any_set_of_them_forbids(
        forbidding in proptest::collection::vec(any::<bool>(), 3..100),
        shared_parent in any::<bool>(),
    ) {
        let count = forbidding.len();
        let zone = |n: usize| if shared_parent { "zone.test".to_owned() } else { format!("zone{n}.test") };
        let names: Vec<_> = (0..count).map(|n| format!("n{n}.{}", zone(n))).collect();
        let forbidden: Vec<&str> = names.iter().zip(&forbidding).filter(|(_, no)| **no).map(|(name, _)| &**name).collect();
        let dns = forbidden.iter().fold(Dns::default(), |dns, name| dns.with(name, Ok(vec![issue(";")])));
        let dns = Arc::new(dns);
        let listed: Vec<&str> = names.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let outcome = runtime.block_on(check(&dns, &listed));
        match outcome {
            Ok(_) => prop_assert!(forbidden.is_empty()),
            Err(problem) => {
                prop_assert_eq!(&problem.kind, &ProblemType::Caa);
                prop_assert_eq!(refused(&problem), forbidden.clone());
            }
        }
        let asked = dns.asked();
        let distinct: BTreeSet<_> = asked.iter().collect();
        prop_assert_eq!(asked.len(), distinct.len(), "a name was asked about twice");
        for name in &names {
            prop_assert!(distinct.contains(name), "{} was not asked about", name);
        }
    }
}
