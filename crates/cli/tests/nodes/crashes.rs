//! A node that dies in the middle of an issuance, and the one that takes it up.

use pkix::certificate::Certificate;

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
    // All that a dying node does is to finalize: its points are those of PLAN, the signature, and COMPLETE.
    for (point, name) in POINTS {
        let order = subscriber.ready_order(&survivor, &format!("{name}.example.test")).await;
        let mut dying = world.node_with_bomb(name, point);
        let nonce = subscriber.nonce(&dying).await;
        let csr = order.csr();
        let request = subscriber.sign(&nonce, &order.finalize, finalize(&csr).to_string().as_bytes());
        let lost = subscriber.send(&dying, &request).await;
        assert!(lost.is_err(), "{name}: {lost:?}");
        dying.wait_for_its_end();

        let seen = subscriber
            .read_until(&survivor, &order.url, &["valid", "invalid"])
            .await;
        assert_eq!(seen["status"], "valid", "{seen}");
        let chain = subscriber.read(&survivor, &text(&seen["certificate"])).await;
        let chain = pkix::pem::parse_chain(&String::from_utf8_lossy(&chain.body)).unwrap();
        assert_eq!(Certificate::parse(&chain[0]).unwrap().spki_der(), csr.spki_der());
        // The same CSR again gets what there is.
        let again = subscriber.post(&survivor, &order.finalize, &finalize(&csr)).await;
        let again = again.expect(200).unwrap().json().unwrap();
        assert_eq!(again["certificate"], seen["certificate"]);
    }
    let signed = world.signed();
    assert_eq!(signed.len(), 2, "two died with a signature: {signed:?}");
    assert_eq!(world.count("SELECT count(*) FROM certificates"), POINTS.len() as u64);
    let known = world.query("SELECT ltrim(encode(serial, 'hex'), '0') FROM certificates WHERE state = 'issued'");
    assert_eq!(known.len(), POINTS.len());
    for serial in signed {
        assert!(
            known.contains(&serial.trim_start_matches('0').to_owned()),
            "{serial} was signed and is not known: {known:?}"
        );
    }
}

/// PLAN, the signature and COMPLETE have a point before and one after each; the client has nothing before the first.
const POINTS: [(u64, &str); 4] = [(2, "planned"), (3, "unsigned"), (4, "signed"), (5, "incomplete")];
