//! The DNS's further methods and CAA, on a server that has them switched on.

mod served;

use std::net::SocketAddr;

use conformance::{Options, World, craft, world::Account};
use jose::base64url;
use pkix::key::KeyPair;
use serde_json::{Value, json};
use testbed::dns::{self, Dns, Property};

use served::Served;

struct Authority {
    served: Served,
    dns: dns::Running,
}

impl Authority {
    async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let dns = Dns::start(any, Some(any)).await.unwrap();
        let more: toml::Table = format!(
            "validation = {{ resolvers = [\"{}\"] }}\n\
             acme = {{ caa_identities = [\"ca.example\"] }}\n\
             extensions = {{ dns-account = {{ enabled = true }}, dns-persist = {{ enabled = true }} }}\n",
            dns.dns_addr
        )
        .parse()
        .unwrap();
        let served = Served::start(|config| {
            config.extend(more.clone());
        });
        Self { served, dns }
    }

    async fn world(&self) -> World {
        let options = Options {
            challtestsrv: self.dns.control_addr.map(|address| format!("http://{address}")),
            domain: "methods.example".into(),
            ..Options::new(self.served.directory(), self.served.folder.path().join("root.pem"))
        };
        World::open(options).await.unwrap()
    }
}

/// The challenge of a type, as it is shown.
async fn shown(world: &World, account: &Account, authorization: &str, kind: &str) -> Value {
    let object = world.read_json(account, authorization).await.unwrap();
    let challenges = object["challenges"].as_array().unwrap().iter();
    let mut wanted = challenges.filter(|challenge| challenge["type"] == kind);
    wanted.next().unwrap_or_else(|| panic!("{kind}: {object}")).clone()
}

/// Responds to a challenge and waits for what becomes of its authorization.
async fn concluded(world: &World, account: &Account, authorization: &str, kind: &str) -> Value {
    let challenge = shown(world, account, authorization, kind).await;
    let url = challenge["url"].as_str().unwrap();
    world.post(account, url, &json!({})).await.unwrap().expect(200).unwrap();
    world.settled(account, authorization).await.unwrap()
}

// CLIENTS 0.1 rows 1 and 2, DNSP-1
#[tokio::test]
async fn they_are_offered_after_those_that_every_client_knows() {
    let authority = Authority::start().await;
    let world = authority.world().await;
    let account = world.account().await.unwrap();
    let order = world.order(&account, &[&world.name("offer")]).await.unwrap();
    let object = world.read_json(&account, &order.authorizations()[0]).await.unwrap();
    let challenges = object["challenges"].as_array().unwrap();
    let types: Vec<_> = challenges
        .iter()
        .map(|challenge| challenge["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        ["http-01", "dns-01", "tls-alpn-01", "dns-account-01", "dns-persist-01"]
    );
    for challenge in challenges {
        let persistent = challenge["type"] == "dns-persist-01";
        assert_eq!(challenge.get("token").is_some(), !persistent, "{challenge}");
        let issuers = persistent.then(|| json!(["ca.example"]));
        assert_eq!(challenge.get("issuer-domain-names"), issuers.as_ref(), "{challenge}");
    }
}

// DNSACC-1
#[tokio::test]
async fn a_record_below_the_account_s_label_proves_control() {
    let authority = Authority::start().await;
    let world = authority.world().await;
    let account = world.account().await.unwrap();
    for provisioned in [false, true] {
        let name = world.name("account");
        let order = world.order(&account, &[&name]).await.unwrap();
        let url = &order.authorizations()[0];
        if provisioned {
            let challenge = world.challenge(&account, url, "dns-account-01").await.unwrap();
            let record = dns_account::record_name(&account.url, &name);
            let value = base64url::encode(challenge.digest(&account));
            authority.dns.handle.add_txt(&record, &value).unwrap();
        }
        let object = concluded(&world, &account, url, "dns-account-01").await;
        assert_eq!(
            object["status"],
            if provisioned { "valid" } else { "invalid" },
            "{object}"
        );
    }
}

// DNSP-2, DNSP-3, 8657-4-1: one record for every order, as long as it stands.
#[tokio::test]
async fn a_record_that_stays_proves_control_of_a_wildcard_until_it_is_taken_away() {
    let authority = Authority::start().await;
    let world = authority.world().await;
    let account = world.account().await.unwrap();
    let zone = world.name("persist");
    let (wildcard, record) = (format!("*.{zone}"), format!("_validation-persist.{zone}"));
    let value = format!("ca.example; accounturi={}; policy=wildcard", account.url);
    let caa = |methods: &str| {
        vec![Property {
            flags: 0,
            tag: "issue".into(),
            value: format!("ca.example; accounturi={}; validationmethods={methods}", account.url),
        }]
    };
    let dns = &authority.dns.handle;
    dns.add_txt(&record, &value).unwrap();
    dns.add_caa(&zone, &caa("dns-persist-01")).unwrap();
    for _ in 0..2 {
        let order = world.order(&account, &[&wildcard]).await.unwrap();
        let object = concluded(&world, &account, &order.authorizations()[0], "dns-persist-01").await;
        assert_eq!(object["status"], "valid", "{object}");
        let key = KeyPair::generate_p256();
        let csr = craft::csr_for(&key, &[&wildcard]);
        world.complete(&account, order, key, csr).await.unwrap();
    }
    let order = world.order(&account, &[&wildcard]).await.unwrap();
    concluded(&world, &account, &order.authorizations()[0], "dns-persist-01").await;
    dns.clear_caa(&zone).unwrap();
    dns.add_caa(&zone, &caa("dns-01")).unwrap();
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[&wildcard]);
    let answer = world.finalize(&account, &order, &csr).await.unwrap();
    answer.refused_with(403, &["caa"]).unwrap();

    dns.clear_txt(&record).unwrap();
    let order = world.order(&account, &[&wildcard]).await.unwrap();
    let object = concluded(&world, &account, &order.authorizations()[0], "dns-persist-01").await;
    assert_eq!(object["status"], "invalid", "{object}");
}
