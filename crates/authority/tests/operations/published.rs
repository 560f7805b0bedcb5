//! Lists of revoked certificates and answers about single ones: what relying parties see, and when.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use authority::{
    Authority, Failure,
    model::Account,
    operations::Requester,
    ports::{Change, StatusSigning, Store},
};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use futures_util::future::join_all;
use jiff::Timestamp;
use pkix::{
    certificate::{Certificate, Serial},
    crl::{Crl, Reason},
    extension::read_crl_distribution_points,
    ocsp::{OcspResponse, ResponseError, Status, Unsuccessful},
    oid,
};

use crate::world::{
    DAY, Issued, World,
    clock::{Clock, Dice},
    store::Fault,
};

const HALF: Duration = Duration::from_secs(7 * 24 * 60 * 60 / 2);

async fn revoke(world: &World, account: &Arc<Account>, issued: &Issued, reason: Option<u64>) {
    let requester = Requester::Account(account.clone());
    world.authority.revoke(&requester, &issued.der, reason).await.unwrap();
}

/// The newest list of a shard, as a relying party reads it.
async fn list(world: &World, shard: u32) -> Crl {
    let published = world.authority.crl("issuing", shard).await.unwrap().unwrap();
    let list = Crl::parse(&published.der).unwrap();
    let issuer = Certificate::parse(&world.issuance.issuing()).unwrap();
    list.verify_signed_by(&issuer.public_key().unwrap()).unwrap();
    let said = list.contents();
    assert_eq!(said.number, published.number);
    assert_eq!(
        world.authority.crl_number("issuing", shard).await.unwrap(),
        Some(said.number)
    );
    assert_eq!(
        (said.this_update, said.next_update),
        (published.this_update, published.next_update)
    );
    // T42
    assert!(said.this_update <= world.clock.now());
    assert!(said.revoked.iter().all(|entry| entry.revoked <= said.this_update));
    list
}

async fn publish(world: &World) {
    world.authority.publish_crls().await.unwrap();
}

fn serials(list: &Crl) -> BTreeSet<Serial> {
    list.contents()
        .revoked
        .iter()
        .map(|entry| entry.serial.clone())
        .collect()
}

/// Where a certificate says that it would be listed.
fn points(issued: &Issued) -> Vec<String> {
    let certificate = issued.certificate();
    let extension = certificate.extension(&oid::CRL_DISTRIBUTION_POINTS).unwrap();
    read_crl_distribution_points(&extension.value).unwrap()
}

// 8555-7.6-11, 8555-7.6-7
#[tokio::test]
async fn a_revocation_is_on_the_next_list_with_its_reason_if_it_has_one() {
    let world = World::new().await;
    let owner = world.account().await;
    assert_eq!(world.authority.crl("issuing", 0).await.unwrap(), None);
    publish(&world).await;
    let empty = list(&world, 0).await;
    assert_eq!(empty.contents().revoked, []);

    let (first, second) = (
        world.issue(&owner, &["a.example"]).await,
        world.issue(&owner, &["b.example"]).await,
    );
    revoke(&world, &owner, &first, Some(0)).await;
    revoke(&world, &owner, &second, Some(4)).await;
    publish(&world).await;
    let full = list(&world, 0).await;
    assert!(full.contents().number > empty.contents().number);
    assert_eq!(full.find(&first.record.serial).unwrap().reason, None);
    assert_eq!(
        full.find(&second.record.serial).unwrap().reason,
        Some(Reason::Superseded)
    );
    assert_eq!(points(&first), ["http://ca.example/crl/issuing/0.crl"]);
    let point = full.contents().scope.distribution_point.clone();
    assert_eq!(point.as_slice(), points(&first));
}

#[tokio::test]
async fn nothing_is_published_anew_before_it_is_due() {
    let world = World::new().await;
    publish(&world).await;
    let first = list(&world, 0).await;
    world.pass(HALF - Duration::from_secs(1)).await;
    publish(&world).await;
    assert_eq!(list(&world, 0).await, first);
    world.pass(Duration::from_secs(1)).await;
    publish(&world).await;
    let second = list(&world, 0).await;
    assert!(second.contents().number > first.contents().number);
    assert!(second.contents().this_update < first.contents().next_update, "no gap");
}

// T27: the oracle knows what was revoked; between successive lists only what is over may go.
#[tokio::test]
async fn t27_what_is_revoked_and_unexpired_is_on_every_list() {
    let world = World::new().await;
    let owner = world.account().await;
    let mut dice = Dice::new(27);
    let mut revoked: BTreeMap<Serial, Timestamp> = BTreeMap::new();
    let mut unrevoked: Vec<Issued> = Vec::new();
    let mut before: Option<Crl> = None;
    for _ in 0..110 {
        unrevoked.push(world.issue(&owner, &["a.example"]).await);
        unrevoked.retain(|issued| issued.record.not_after >= world.clock.now());
        for _ in 0..dice.below(3) {
            if !unrevoked.is_empty() {
                let issued = unrevoked.remove(dice.below(unrevoked.len()));
                revoke(&world, &owner, &issued, [None, Some(1), Some(4)][dice.below(3)]).await;
                revoked.insert(issued.record.serial.clone(), issued.record.not_after);
            }
        }
        publish(&world).await;
        let now = list(&world, 0).await;
        let listed = serials(&now);
        for (serial, not_after) in &revoked {
            assert!(
                *not_after < world.clock.now() || listed.contains(serial),
                "{serial} is missing"
            );
        }
        assert!(listed.iter().all(|serial| revoked.contains_key(serial)));
        if let Some(before) = before.filter(|before| *before != now) {
            assert!(now.contents().number > before.contents().number);
            for gone in serials(&before).difference(&listed) {
                // RFC 5280 §3.3: it was on a list that was issued after the certificate expired.
                assert!(revoked[gone] < before.contents().this_update, "{gone} went too early");
            }
        }
        before = Some(now);
        world.pass(DAY / 2 * (1 + dice.below(3) as u32)).await;
    }
    let left = serials(&before.unwrap());
    assert!(
        !left.is_empty() && left.len() < revoked.len(),
        "the test has seen entries go"
    );
}

// RFC 5280 §3.3: a list that was published only for a revocation is not the regular one that lets an entry go.
#[tokio::test]
async fn an_entry_goes_only_after_a_regular_list_beyond_its_end() {
    let world = World::new().await;
    let owner = world.account().await;
    let expiring = world.issue(&owner, &["a.example"]).await;
    revoke(&world, &owner, &expiring, None).await;
    let is_listed = async || serials(&list(&world, 0).await).contains(&expiring.record.serial);
    let left = expiring.record.not_after.duration_since(world.clock.now());
    world.pass(Duration::try_from(left).unwrap() - DAY).await;
    publish(&world).await;
    world.pass(DAY + Duration::from_secs(10)).await;
    for _ in 0..2 {
        let other = world.issue(&owner, &["b.example"]).await;
        revoke(&world, &owner, &other, None).await;
        publish(&world).await;
        assert!(is_listed().await, "an extra list keeps it");
    }
    world.pass(HALF).await;
    publish(&world).await;
    assert!(is_listed().await, "the first regular list after its end has it");
    let regular = list(&world, 0).await;
    publish(&world).await;
    assert_eq!(list(&world, 0).await, regular, "that it will go makes no list due");
    world.pass(HALF).await;
    publish(&world).await;
    assert!(!is_listed().await);
}

// T30
#[tokio::test]
async fn t30_certificates_stay_in_their_shard_when_the_number_of_shards_changes() {
    let world = World::new().await;
    let owner = world.account().await;
    let mut all = Vec::new();
    for shards in [1, 4, 2] {
        world.issuance.crl_shards(shards);
        publish(&world).await;
        for _ in 0..6 {
            let issued = world.issue(&owner, &["a.example"]).await;
            assert!(issued.record.crl_shard.unwrap() < shards);
            all.push(issued);
        }
    }
    let used: BTreeSet<u32> = all.iter().map(|issued| issued.record.crl_shard.unwrap()).collect();
    assert!(used.len() > 2, "{used:?}");
    for issued in &all {
        let shard = issued.record.crl_shard.unwrap();
        assert_eq!(points(issued), [format!("http://ca.example/crl/issuing/{shard}.crl")]);
        revoke(&world, &owner, issued, None).await;
    }
    // There are two now; the others are published all the same, with the place that their certificates name.
    publish(&world).await;
    for shard in 0..4 {
        let list = list(&world, shard).await;
        let expected: BTreeSet<_> = all
            .iter()
            .filter(|issued| issued.record.crl_shard == Some(shard))
            .map(|issued| issued.record.serial.clone())
            .collect();
        assert_eq!(serials(&list), expected);
        let point = format!("http://ca.example/crl/issuing/{shard}.crl");
        assert_eq!(list.contents().scope.distribution_point, Some(point));
        assert!(list.contents().scope.user_certificates_only);
    }
    assert_eq!(world.authority.crl("issuing", 4).await.unwrap(), None);
}

// T42, T27
#[tokio::test]
async fn t42_a_list_from_a_clock_that_was_ahead_is_replaced_and_loses_nothing() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    let ahead = Clock::new();
    ahead.advance(DAY * 200);
    let node_ahead = world.node_with_clock(ahead);
    publish(&world).await;
    let first = list(&world, 0).await;
    // For the node whose clock is wrong the certificate has expired long ago.
    revoke(&world, &owner, &issued, None).await;
    node_ahead.publish_crls().await.unwrap();
    let wrong = node_ahead.crl("issuing", 0).await.unwrap().unwrap();
    assert!(wrong.this_update > world.clock.now());

    publish(&world).await;
    let right = list(&world, 0).await;
    assert!(right.contents().number > wrong.number && wrong.number > first.contents().number);
    assert!(right.find(&issued.record.serial).is_some());
}

#[tokio::test]
async fn of_nodes_that_publish_at_once_one_wins() {
    let world = World::new().await;
    let owner = world.account().await;
    let nodes: Vec<Authority> = (0..8).map(|_| world.second_node()).collect();
    let mut numbers = BTreeSet::new();
    for _ in 0..3 {
        let issued = world.issue(&owner, &["a.example"]).await;
        revoke(&world, &owner, &issued, None).await;
        let outcomes = join_all(nodes.iter().map(Authority::publish_crls)).await;
        assert!(outcomes.iter().all(Result::is_ok));
        let list = list(&world, 0).await;
        assert!(list.find(&issued.record.serial).is_some());
        assert!(numbers.insert(list.contents().number));
    }
    // Each was published once: the records were created, and changed twice.
    let record = world.store.record("crl", "issuing/0").await.unwrap().unwrap();
    assert_eq!(record.version, 2);
}

#[tokio::test]
async fn a_list_that_the_store_did_not_take_is_published_the_next_time() {
    for fault in [Fault::NotWritten, Fault::WrittenAllTheSame] {
        let world = World::new().await;
        let owner = world.account().await;
        publish(&world).await;
        let issued = world.issue(&owner, &["a.example"]).await;
        revoke(&world, &owner, &issued, None).await;
        world
            .store
            .fail_next(|change| matches!(change, Change::Records { .. }), fault);
        assert!(matches!(
            world.authority.publish_crls().await,
            Err(Failure::Unavailable(_))
        ));
        publish(&world).await;
        let list = list(&world, 0).await;
        assert!(list.find(&issued.record.serial).is_some());
    }
}

/// A request about one certificate (RFC 6960 §4.1.1), SHA-1 as stock clients write it.
fn question(issuer: &Certificate, serial: &Serial) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let hash = |octets: &[u8]| element(4, digest(&SHA1_FOR_LEGACY_USE_ONLY, octets).as_ref());
    let algorithm = b"\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00".to_vec();
    // The content of the BIT STRING: an uncompressed point of P-256.
    let spki = issuer.spki_der();
    let point = &spki[spki.len() - 65..];
    let id = [
        algorithm,
        hash(issuer.subject().der()),
        hash(point),
        element(2, serial.der_content()),
    ];
    let id = element(0x30, &id.concat());
    let list = element(0x30, &element(0x30, &id));
    element(0x30, &element(0x30, &list))
}

/// What the authority answers, verified, and the time that it says.
async fn status(world: &World, serial: &Serial) -> Status {
    let issuer = Certificate::parse(&world.issuance.issuing()).unwrap();
    let answer = world
        .authority
        .ocsp("issuing", &question(&issuer, serial))
        .await
        .unwrap();
    let response = OcspResponse::parse(&answer.der).unwrap();
    response.verify_signed_by(&issuer.public_key().unwrap()).unwrap();
    let [single] = response.data().responses.as_slice() else {
        panic!("{response:?}");
    };
    assert!(single.this_update <= world.clock.now() && single.next_update > world.clock.now());
    assert_eq!(answer.validity, Some((single.this_update, single.next_update)));
    single.status
}

// 6960-1, 8555-7.6-11
#[tokio::test]
async fn an_answer_says_good_then_revoked_and_unknown_of_what_was_never_issued() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    let serial = &issued.record.serial;
    assert_eq!(status(&world, serial).await, Status::Good);
    world.pass(DAY).await;
    revoke(&world, &owner, &issued, Some(4)).await;
    let at = world.authority.now();
    world.pass(DAY).await;
    let reason = Some(Reason::Superseded);
    assert_eq!(status(&world, serial).await, Status::Revoked { at, reason });
    let never_issued = Serial::from_random([0xee; 19]);
    assert_eq!(status(&world, &never_issued).await, Status::Unknown);
}

// 6960-1
#[tokio::test]
async fn questions_about_others_and_what_is_no_question_are_answered_without_a_signature() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    // The leaf as if it were an issuer.
    let elsewhere = question(&issued.certificate(), &issued.record.serial);
    for (request, expected) in [
        (&elsewhere[..], Unsuccessful::Unauthorized),
        (b"\x30\x00", Unsuccessful::MalformedRequest),
        (b"", Unsuccessful::MalformedRequest),
    ] {
        let answer = world.authority.ocsp("issuing", request).await.unwrap();
        assert_eq!(answer.validity, None);
        assert_eq!(
            OcspResponse::parse(&answer.der),
            Err(ResponseError::Unsuccessful(expected))
        );
    }
    assert_eq!(world.authority.ocsp("other", &elsewhere).await, None);
    assert_eq!(world.issuance.crl_issuers(world.clock.now()).len(), 1);
}
