use std::{collections::HashMap, sync::Mutex};

use acme::KeyAuthorization;
use authority::{
    identifier::{self, IdentifierType},
    model::{AccountId, DnssecStatus},
};
use jiff::Timestamp;
use jose::Thumbprint;
use validation::{
    Timeouts,
    policy::{AddressPolicy, PortPolicy},
    resolver::{Addresses, Answer, DnsFailure, Resolver, ServiceHost},
};

use super::*;

const URL: &str = "https://example.com/acme/acct/ExampleAccount";

/// Texts by name; names that are asked for are written down.
#[derive(Default)]
struct Table {
    texts: HashMap<String, String>,
    asked: Mutex<Vec<String>>,
}

impl Resolver for Table {
    fn addresses<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, Addresses> {
        unreachable!("no address is asked for")
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let text = self.texts.get(name).map(|text| vec![text.clone().into_bytes()]);
        Box::pin(std::future::ready(Answer {
            records: text.ok_or(DnsFailure::NxDomain),
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

fn method(resolver: Arc<Table>) -> DnsAccount {
    let network = Network {
        resolver,
        addresses: AddressPolicy::default(),
        ports: PortPolicy::default(),
        timeouts: Timeouts::default(),
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        connections: Default::default(),
    };
    DnsAccount {
        network: Arc::new(network),
        account_url: Arc::new(|AccountId(id)| match id {
            1 => URL.to_owned(),
            other => format!("https://example.com/acme/acct/{other}"),
        }),
    }
}

fn request(account: u64) -> ValidationRequest {
    let token = "DGyRejmCefe7v4NfDGDKfA";
    ValidationRequest {
        account: AccountId(account),
        name: identifier::Dns.admit("*.example.org").unwrap(),
        token: token.to_owned(),
        key_authorization: KeyAuthorization::new(token, &Thumbprint::from([7; 32])),
        response: None,
        code: None,
    }
}

async fn report(texts: &[(&str, &str)], account: u64) -> (Report, Vec<String>) {
    let texts = texts.iter().map(|(name, text)| (name.to_string(), text.to_string()));
    let table = Arc::new(Table {
        texts: texts.collect(),
        asked: Mutex::default(),
    });
    let report = method(table.clone()).validate(request(account)).await;
    let asked = table.asked.lock().unwrap().clone();
    (report, asked)
}

// DNSACC-1, T13: the draft's own example.
#[test]
fn t13_the_label_is_the_draft_s_to_the_letter() {
    assert_eq!(
        record_name(URL, "example.org"),
        "_ujmmovf2vn55tgye._acme-challenge.example.org"
    );
    for near in [
        "http://example.com/acme/acct/ExampleAccount",
        "https://example.com/acme/acct/exampleaccount",
    ] {
        assert_ne!(record_name(near, "example.org"), record_name(URL, "example.org"));
    }
}

// RFC 4648 §10, whose vectors of five octets these are, in lower case.
#[test]
fn base32_is_that_of_rfc_4648() {
    assert_eq!(base32(b"fooba"), "mzxw6ytb");
    assert_eq!(base32(&[0; 5]), "aaaaaaaa");
    assert_eq!(base32(&[255; 5]), "77777777");
}

// DNSACC-1, T13
#[tokio::test]
async fn t13_the_digest_counts_at_that_name_and_at_none_near_it() {
    let right = request(1).key_authorization.dns_value();
    let name = "_ujmmovf2vn55tgye._acme-challenge.example.org";
    let (proved, asked) = report(&[(name, &right)], 1).await;
    assert_eq!((proved.verdict, asked), (Ok(()), vec![name.to_owned()]));
    assert_eq!(proved.evidence.method, "dns-account-01");
    for near in [
        "ujmmovf2vn55tgye._acme-challenge.example.org",
        "_ujmmovf2vn55tgye.acme-challenge.example.org",
        "_ujmmovf2vn55tgye.example.org",
        "_acme-challenge.example.org",
        "_acme-challenge_ujmmovf2vn55tgye.example.org",
        "example.org",
    ] {
        let (refused, asked) = report(&[(near, &right)], 1).await;
        let problem = refused.verdict.unwrap_err();
        assert_eq!(problem.kind, ProblemType::Unauthorized, "{near}");
        assert!(
            problem.detail.contains(URL) && problem.detail.contains(name),
            "{problem}"
        );
        assert_eq!(asked, [name]);
    }
    let (wrong, _) = report(&[(name, "wrong")], 1).await;
    assert_eq!(wrong.verdict.unwrap_err().kind, ProblemType::Unauthorized);
}

// DNSACC-2
#[tokio::test]
async fn another_account_has_another_label() {
    let right = request(2).key_authorization.dns_value();
    let (refused, _) = report(&[("_ujmmovf2vn55tgye._acme-challenge.example.org", &right)], 2).await;
    assert!(refused.verdict.is_err());
}
