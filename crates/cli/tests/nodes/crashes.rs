//! A node that dies in the middle of an issuance, and the one that takes it up.

use crate::{
    subscriber::{Subscriber, finalize, text},
    world::World,
};

// t22, t23, 8555-7.4-16
#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_whose_node_was_killed_is_finished_by_the_other_when_the_lease_ends() {
    let world = World::new().await;
    let survivor = world.node("survivor");
    let subscriber = Subscriber::at(&survivor, &world).await;
    let mut orders = Vec::new();
    // All that a dying node does is to finalize: its points are those of PLAN, the signature, and COMPLETE.
    for (point, name) in [
        (AFTER_PLAN, "planned"),
        (BEFORE_SIGNATURE, "unsigned"),
        (AFTER_SIGNATURE, "signed"),
        (BEFORE_COMPLETE, "incomplete"),
    ] {
        let order = subscriber.ready_order(&survivor, &format!("{name}.example.test")).await;
        let mut dying = world.node_with_bomb(name, point);
        let nonce = subscriber.nonce(&dying).await;
        let csr = order.csr();
        let request = subscriber.sign(&nonce, &order.finalize, finalize(&csr).to_string().as_bytes());
        let lost = subscriber.send(&dying, &request).await;
        assert!(lost.is_err(), "{name}: {lost:?}");
        dying.wait_for_its_end();
        orders.push((order, csr));
    }
    let signed = world.signed();
    assert_eq!(signed.len(), 2, "{signed:?}");
    for (order, csr) in &orders {
        let seen = subscriber
            .read_until(&survivor, &order.url, &["valid", "invalid"])
            .await;
        assert_eq!(seen["status"], "valid", "{seen}");
        let chain = subscriber.read(&survivor, &text(&seen["certificate"])).await;
        let chain = pkix::pem::parse_chain(&String::from_utf8_lossy(&chain.body)).unwrap();
        let leaf = pkix::certificate::Certificate::parse(&chain[0]).unwrap();
        assert_eq!(leaf.spki_der(), csr.spki_der());
        // The same CSR again gets what there is.
        let again = subscriber.post(&survivor, &order.finalize, &finalize(csr)).await;
        assert_eq!(
            again.expect(200).unwrap().json().unwrap()["certificate"],
            seen["certificate"]
        );
    }
    let known = world.query("SELECT ltrim(encode(serial, 'hex'), '0') FROM certificates WHERE state = 'issued'");
    assert_eq!(known.len(), orders.len());
    for serial in signed {
        assert!(
            known.contains(&serial.trim_start_matches('0').to_owned()),
            "{serial} was signed and is not known: {known:?}"
        );
    }
}

const AFTER_PLAN: u64 = 2;
const BEFORE_SIGNATURE: u64 = 3;
const AFTER_SIGNATURE: u64 = 4;
const BEFORE_COMPLETE: u64 = 5;
