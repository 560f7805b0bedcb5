use authority::{
    identifier::{self, IdentifierType},
    model::{AccountId, DnssecStatus, Observation},
};
use jiff::Timestamp;
use jose::Thumbprint;
use validation::{
    Timeouts,
    policy::{AddressPolicy, PortPolicy},
    resolver::{Addresses, Answer, DnsFailure, Resolver, ServiceHost},
};

use super::*;

const ACCOUNT: &str = "https://ca.example/acct/123";
const NOW: i64 = 1_721_952_000;

fn outcome(records: &[&str], wildcard: bool) -> Result<(), ProblemType> {
    let issuers = ["authority.example".to_owned(), "ca.example.net".to_owned()];
    let asked = Asked {
        issuers: &issuers,
        account_url: ACCOUNT,
        wildcard,
        now: NOW,
    };
    let records: Vec<_> = records.iter().map(|record| record.as_bytes().to_vec()).collect();
    let at = "_validation-persist.example.com";
    judge(at, &records, &asked).map_err(|failure| {
        assert!(failure.detail.contains(at) && failure.detail.contains("authority.example; accounturi="));
        assert!(!failure.transient);
        failure.kind
    })
}

// DNSP-2: the draft's own examples.
#[test]
fn the_records_of_the_draft_prove_what_they_say() {
    for (record, name, wildcard) in [
        ("authority.example; accounturi=https://ca.example/acct/123", true, false),
        (
            "authority.example; accounturi=https://ca.example/acct/123; policy=wildcard",
            true,
            true,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; persistUntil=1721952000",
            true,
            false,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; policy=wildcard; persistUntil=1721952000",
            true,
            true,
        ),
        (
            "CA.Example.NET;AccountURI=https://ca.example/acct/123;POLICY=WildCard",
            true,
            true,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; policy=other",
            true,
            false,
        ),
        (
            "authority.example; future=1; accounturi=https://ca.example/acct/123",
            true,
            false,
        ),
    ] {
        assert_eq!(outcome(&[record], false).is_ok(), name, "{record}");
        assert_eq!(outcome(&[record], true).is_ok(), wildcard, "{record}");
    }
}

// DNSP-3
#[test]
fn what_lacks_something_is_unauthorized_and_what_cannot_be_read_is_malformed() {
    use ProblemType::{Malformed, Unauthorized};
    for (record, kind) in [
        ("", Unauthorized),
        (";", Unauthorized),
        ("v=spf1 -all", Unauthorized),
        ("other.example; accounturi=https://ca.example/acct/123", Unauthorized),
        (
            "sub.authority.example; accounturi=https://ca.example/acct/123",
            Unauthorized,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/124",
            Unauthorized,
        ),
        (
            "authority.example; accounturi=https://CA.example/acct/123",
            Unauthorized,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123/",
            Unauthorized,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; persistUntil=1721951999",
            Unauthorized,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; persistUntil=0",
            Unauthorized,
        ),
        ("authority.example", Malformed),
        ("authority.example; policy=wildcard", Malformed),
        ("authority.example; accounturi=https://ca.example/acct/123;", Malformed),
        ("authority.example; accounturi", Malformed),
        (
            "authority.example; accounturi=https://ca.example/acct/123 policy=wildcard",
            Malformed,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; accounturi=https://ca.example/acct/123",
            Malformed,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; policy=a; policy=wildcard",
            Malformed,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; persistUntil=",
            Malformed,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; persistUntil=-1",
            Malformed,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; persistUntil=+1721952001",
            Malformed,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; persistUntil=1e12",
            Malformed,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; persistUntil=2099-01-01T00:00:00Z",
            Malformed,
        ),
        (
            "authority.example; accounturi=https://ca.example/acct/123; persistUntil=99999999999999999999",
            Malformed,
        ),
    ] {
        assert_eq!(outcome(&[record], false), Err(kind), "{record}");
    }
    assert_eq!(outcome(&[], false), Err(Unauthorized));
}

#[test]
fn records_stand_beside_each_other_and_one_is_enough() {
    let right = "authority.example; accounturi=https://ca.example/acct/123";
    let other = "other.example; accounturi=https://other.example/1";
    let stranger = "authority.example; accounturi=https://ca.example/acct/124";
    assert_eq!(
        outcome(&[other, "v=spf1 -all", stranger, "authority.example;;", right], false),
        Ok(())
    );
    assert_eq!(
        outcome(&["authority.example;;", stranger], false),
        Err(ProblemType::Unauthorized)
    );
    // Two halves make no whole.
    let wild = "authority.example; accounturi=https://ca.example/acct/124; policy=wildcard";
    assert_eq!(outcome(&[right, wild], true), Err(ProblemType::Unauthorized));
}

struct Table(Vec<&'static str>);

impl Resolver for Table {
    fn addresses<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, Addresses> {
        unreachable!("no address is asked for")
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        let records = match name {
            "_validation-persist.example.com" => Ok(self.0.iter().map(|text| text.as_bytes().to_vec()).collect()),
            _ => Err(DnsFailure::NxDomain),
        };
        Box::pin(std::future::ready(Answer {
            records,
            aliases: Vec::new(),
            dnssec: DnssecStatus::Unchecked,
            resolver: "table".to_owned(),
        }))
    }

    fn caa<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        unreachable!("no CAA is asked for")
    }

    fn srv<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Answer<ServiceHost>> {
        unreachable!("no SRV is asked for")
    }
}

fn registered(issuers: usize) -> Registry {
    let network = Network {
        resolver: Arc::new(Table(vec!["ca0.example; accounturi=https://ca.example/acct/123"])),
        addresses: AddressPolicy::default(),
        ports: PortPolicy::default(),
        timeouts: Timeouts::default(),
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        connections: Default::default(),
    };
    let mut registry = Registry::default();
    let issuers = (0..issuers).map(|n| format!("ca{n}.example")).collect();
    let account_url = Arc::new(|AccountId(id)| format!("https://ca.example/acct/{id}"));
    register(&mut registry, Arc::new(network), account_url, issuers);
    registry
}

// DNSP-1
#[test]
fn a_challenge_has_issuers_and_no_token() {
    let name = identifier::Dns.admit("*.example.com").unwrap();
    for (issuers, offered) in [(1, 1), (10, 10), (11, 10)] {
        let registry = registered(issuers);
        let method = registry.methods_for(&name).next().unwrap();
        assert!(!method.has_token() && !method.reusable());
        let members = method.members(&name, "");
        assert_eq!(members.keys().collect::<Vec<_>>(), ["issuer-domain-names"]);
        assert_eq!(members["issuer-domain-names"].as_array().unwrap().len(), offered);
        assert_eq!(members["issuer-domain-names"][0], "ca0.example");
    }
}

// T13, DNSP-2
#[tokio::test]
async fn t13_the_record_is_looked_for_at_its_name_to_the_letter() {
    let registry = registered(1);
    let method = registry.method("dns-persist-01").unwrap();
    for (account, name, proved) in [
        (123, "example.com", true),
        (124, "example.com", false),
        (123, "*.example.com", false),
    ] {
        let report = method
            .validate(ValidationRequest {
                account: AccountId(account),
                name: identifier::Dns.admit(name).unwrap(),
                token: String::new(),
                key_authorization: acme::KeyAuthorization::new("", &Thumbprint::from([7; 32])),
                response: None,
                code: None,
            })
            .await;
        assert_eq!(report.verdict.is_ok(), proved, "{account} {name}");
        let [Observation::Resolved { name, .. }] = &report.evidence.observations[..] else {
            panic!("one answer");
        };
        assert_eq!(name, "_validation-persist.example.com");
    }
}
