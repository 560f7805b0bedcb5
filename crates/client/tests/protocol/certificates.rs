//! What comes as a certificate (RFC 8555 §7.4.2, §11.4).

use client::{ChainError, Error, KeyType, SystemClock};
use pkix::name::GeneralName;

use crate::{
    bench::Bench,
    fake::{Reply, World},
};

/// Whatever the server gives instead of the certificate, what is installed stays.
async fn refused(replace: impl Fn(&World, &str) -> String + Send + 'static) -> ChainError {
    let bench = Bench::new().await;
    let good = bench.issue(&["a.test"]).await.unwrap();
    let before = std::fs::read(&good.files.fullchain).unwrap();
    bench.fake.script(move |seen, world| {
        seen.target.starts_with("/certificate/").then(|| {
            let chain = world.certificates.last().unwrap().clone();
            Reply::text(200, "application/pem-certificate-chain", &replace(world, &chain))
        })
    });
    let error = bench.issue(&["a.test"]).await.unwrap_err();
    assert_eq!(std::fs::read(&good.files.fullchain).unwrap(), before);
    assert!(error.next_step().unwrap().contains("untouched"));
    match error {
        Error::Chain { source, .. } => source,
        other => panic!("{other}"),
    }
}

// 8555-7.4.2-5
#[tokio::test]
async fn a_chain_with_anything_but_certificates_is_not_installed() {
    let key = KeyType::Ec256.generate().to_pkcs8_pem().to_string();
    let appended = move |_: &World, chain: &str| format!("{chain}{key}");
    assert!(matches!(refused(appended).await, ChainError::Pem(_)));
    assert!(matches!(
        refused(|_, chain| format!("$(reboot)\n{chain}")).await,
        ChainError::Pem(_)
    ));
    assert!(matches!(
        refused(|_, chain| chain.replace("-----BEGIN", "; rm -rf /\n-----BEGIN")).await,
        ChainError::Pem(_)
    ));
    assert!(matches!(refused(|_, _| String::new()).await, ChainError::Pem(_)));
    assert!(matches!(
        refused(|_, _| "<html></html>".to_owned()).await,
        ChainError::Pem(_)
    ));
    assert!(matches!(
        refused(|_, chain| chain.repeat(20)).await,
        ChainError::TooLong(_)
    ));
}

// 8555-7.4.2-6
#[tokio::test]
async fn a_certificate_for_another_key_is_not_installed() {
    let other = |world: &World, _: &str| {
        let key = KeyType::Ec256.generate();
        world.issue(
            key.public_key().clone(),
            &[GeneralName::Dns("a.test".into())],
            "Test CA",
        )
    };
    assert_eq!(refused(other).await, ChainError::OtherKey);
}

// 8555-7.4.2-6
#[tokio::test]
async fn a_certificate_without_an_ordered_name_is_not_installed() {
    let without = |world: &World, chain: &str| {
        let leaf = client::Chain::parse(chain.as_bytes()).unwrap();
        let key = leaf.leaf().public_key().unwrap();
        world.issue(key, &[GeneralName::Dns("other.test".into())], "Test CA")
    };
    assert_eq!(refused(without).await, ChainError::MissingNames("a.test".to_owned()));
}

#[tokio::test]
async fn a_certificate_that_is_over_is_not_installed() {
    let bench = Bench::new().await;
    let issued = bench.issue(&["a.test"]).await.unwrap();
    let later = client::Clock::now(&SystemClock) + jiff::SignedDuration::from_hours(24 * 91);
    let error = issued
        .chain
        .check(issued.chain.leaf().spki_der(), &issued.identifiers, later)
        .unwrap_err();
    assert!(matches!(error, ChainError::Expired(_)));
}

// 8555-7.4.2-7
#[tokio::test]
async fn of_several_chains_the_preferred_one_is_taken() {
    for (preferred, expected) in [
        (Some("Older Root"), true),
        (Some("Test CA"), false),
        (Some("Nobody"), false),
        (None, false),
    ] {
        let bench = Bench::new().await;
        bench.fake.script(|seen, world| match seen.target.as_str() {
            "/certificate/0" => {
                let url = world.url("/certificate/0/alternate");
                Some(world.answer(seen).with("link", format!("<{url}>;rel=\"alternate\"")))
            }
            "/certificate/0/alternate" => {
                let chain = client::Chain::parse(world.certificates[0].as_bytes()).unwrap();
                let chain = world.issue(chain.leaf().public_key().unwrap(), chain.leaf().names(), "Older Root");
                Some(Reply::text(200, "application/pem-certificate-chain", &chain))
            }
            _ => None,
        });
        let mut request = bench.request(&["a.test"]);
        request.preferred_chain = preferred.map(str::to_owned);
        let issued = client::issue(request).await.unwrap();
        assert_eq!(issued.chain.leads_to("Older Root"), expected, "{preferred:?}");
    }
}
