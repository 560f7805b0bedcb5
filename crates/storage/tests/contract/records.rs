//! Records, alone and together with a change.

use authority::{
    model::*,
    ports::{CertificateFilter, Change, Committed},
};
use serde_json::json;

use crate::{objects::*, world::World};

fn record(key: &str) -> Record {
    Record::new("eab", key, &json!({"mac": "ü"})).owned_by(7).due_at(at(60))
}

fn alone(records: Vec<RecordChange>) -> Change {
    Change::records(records)
}

pub async fn a_record_is_made_once_and_changes_from_the_version_it_was_read_at(world: &World) {
    let store = world.open().await;
    done(&*store, alone(vec![RecordChange::Create(record("a"))])).await;
    conflict(&*store, alone(vec![RecordChange::Create(record("a"))])).await;
    let found = store.record("eab", "a").await.unwrap().unwrap();
    assert_eq!(found, record("a"));
    let changed = found.clone().with(&json!({"used": true}));
    done(&*store, alone(vec![RecordChange::Update(changed.clone())])).await;
    conflict(&*store, alone(vec![RecordChange::Update(changed.clone())])).await;
    conflict(&*store, alone(vec![RecordChange::delete(&found)])).await;
    let found = store.record("eab", "a").await.unwrap().unwrap();
    assert_eq!(found, Record { version: 1, ..changed });
    done(&*store, alone(vec![RecordChange::delete(&found)])).await;
    assert_eq!(store.record("eab", "a").await.unwrap(), None);
    conflict(&*store, alone(vec![RecordChange::Update(found)])).await;
}

pub async fn of_several_records_all_are_changed_or_none(world: &World) {
    let store = world.open().await;
    let (first, second) = (record("a"), record("b"));
    done(&*store, alone(vec![RecordChange::Create(second.clone())])).await;
    let both = vec![
        RecordChange::Create(first.clone()),
        RecordChange::Create(second.clone()),
    ];
    conflict(&*store, alone(both)).await;
    assert_eq!(store.record("eab", "a").await.unwrap(), None);
    let absent = |key: &str| RecordChange::Absent {
        kind: "eab".into(),
        key: key.into(),
    };
    conflict(&*store, alone(vec![RecordChange::Create(first.clone()), absent("b")])).await;
    assert_eq!(store.record("eab", "a").await.unwrap(), None);
    done(&*store, alone(vec![RecordChange::Create(first), absent("c")])).await;
}

// 8555-7.3.4-8
pub async fn a_change_and_its_records_happen_together_or_not_at_all(world: &World) {
    let store = world.open().await;
    let key = record("key");
    done(&*store, alone(vec![RecordChange::Create(key.clone())])).await;
    let used = RecordChange::Update(key.with(&json!({"account": 1})));
    let first = account(101);
    done(&*store, Change::CreateAccount(first.clone()).and(vec![used.clone()])).await;
    assert!(store.account(first.id).await.unwrap().is_some());

    // The record was used: no account either.
    let second = account(102);
    conflict(&*store, Change::CreateAccount(second.clone()).and(vec![used])).await;
    assert!(store.account(second.id).await.unwrap().is_none());

    // The account's key was used: no record either.
    let third = Account {
        key: first.key.clone(),
        ..account(103)
    };
    let create = RecordChange::Create(record("other"));
    conflict(&*store, Change::CreateAccount(third).and(vec![create])).await;
    assert_eq!(store.record("eab", "other").await.unwrap(), None);
}

pub async fn records_are_listed_by_kind_owner_and_due_time(world: &World) {
    let store = world.open().await;
    let other = Record {
        owner: None,
        due: None,
        ..record("B")
    };
    let later = Record {
        due: Some(at(30)),
        owner: Some(8),
        ..record("c")
    };
    let foreign = Record {
        kind: "incident".into(),
        ..record("a")
    };
    let all = [record("a"), other.clone(), later.clone(), foreign];
    done(&*store, alone(all.into_iter().map(RecordChange::Create).collect())).await;
    let keys = |records: Vec<Record>| records.into_iter().map(|record| record.key).collect::<Vec<_>>();
    assert_eq!(keys(store.records("eab", None, "", 9).await.unwrap()), ["B", "a", "c"]);
    assert_eq!(keys(store.records("eab", None, "B", 1).await.unwrap()), ["a"]);
    assert_eq!(keys(store.records("eab", Some(8), "", 9).await.unwrap()), ["c"]);
    assert_eq!(keys(store.due_records("eab", at(60), 9).await.unwrap()), ["c", "a"]);
    assert_eq!(keys(store.due_records("eab", at(59), 9).await.unwrap()), ["c"]);
}

/// What an operator, a CRL and a compromised key ask for.
pub async fn certificates_are_found_by_account_key_time_and_revocation(world: &World) {
    let store = world.open().await;
    let (first, second) = (Ready::create(&*store).await, Ready::create(&*store).await);
    done(&*store, first.plan(1)).await;
    let Change::Plan {
        account,
        order,
        authorizations,
        certificate,
    } = second.plan(2)
    else {
        unreachable!()
    };
    let certificate = CertificateRecord {
        // The same tag: told apart by the rest.
        key_sha256: std::array::from_fn(|at| if at < 8 { 5 } else { 6 }),
        planned: at(500),
        crl_shard: None,
        ..certificate
    };
    let plan = Change::Plan {
        account,
        order,
        authorizations,
        certificate,
    };
    done(&*store, plan).await;
    let found = async |filter: CertificateFilter| {
        let found = store.certificates(filter, None, 9).await.unwrap();
        found.iter().map(|record| record.id).collect::<Vec<_>>()
    };
    let (one, two) = (first.certificate(), second.certificate());
    assert_eq!(found(CertificateFilter::default()).await, [one, two]);
    let after = store
        .certificates(CertificateFilter::default(), Some(one), 9)
        .await
        .unwrap();
    assert_eq!(after.len(), 1);
    let of_key = CertificateFilter {
        key_sha256: Some([5; 32]),
        ..Default::default()
    };
    assert_eq!(found(of_key).await, [one]);
    let of_account = CertificateFilter {
        account: Some(second.account.id),
        ..Default::default()
    };
    assert_eq!(found(of_account).await, [two]);
    let of_time = CertificateFilter {
        planned: (Some(at(21)), Some(at(501))),
        ..Default::default()
    };
    assert_eq!(found(of_time).await, [two]);
    let unexpired = CertificateFilter {
        unexpired_at: Some(at(90 * 86_400 + 1)),
        ..Default::default()
    };
    assert_eq!(found(unexpired).await, []);

    assert_eq!(store.revoked("main", 3, at(0)).await.unwrap(), []);
    let revocation = Revocation {
        at: at(700),
        reason: acme::RevocationReason::from_code(4),
    };
    for (id, version) in [(one, 0), (two, 0)] {
        let revoke = Change::Revoke {
            id,
            version,
            revocation,
        };
        assert_eq!(store.commit(revoke).await.unwrap(), Committed::Done);
    }
    let line = Revoked {
        serial: serial(1),
        revocation,
        not_after: at(90 * 86_400),
    };
    assert_eq!(store.revoked("main", 3, at(90 * 86_400)).await.unwrap(), [line]);
    assert_eq!(store.revoked("main", 3, at(90 * 86_400 + 1)).await.unwrap(), []);
    assert_eq!(store.revoked("main", 0, at(0)).await.unwrap(), []);
}

pub async fn an_order_is_made_for_the_account_as_it_was_read(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    let deactivated = Account {
        state: AccountState::Deactivated,
        ..Account::clone(&account)
    };
    done(&*store, Change::UpdateAccount(deactivated)).await;
    let late = Change::CreateOrder {
        account: (account.id, account.version),
        order: order(9001, account.id, &[9001]),
        authorizations: vec![authorization(9001, account.id)],
    };
    conflict(&*store, late).await;
    assert!(store.order(OrderId(9001)).await.unwrap().is_none());
    assert!(store.authorization(AuthorizationId(9001)).await.unwrap().is_none());
}

// RFC 8555 §7.4.1
pub async fn an_authorization_may_stand_alone(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    let alone = authorization(9101, account.id);
    done(&*store, Change::CreateAuthorization(alone.clone())).await;
    conflict(&*store, Change::CreateAuthorization(alone.clone())).await;
    assert_eq!(
        text(&store.authorization(alone.id).await.unwrap().unwrap()),
        text(&alone)
    );
}

// A key may have an account in each directory, and one in each.
pub async fn a_key_may_have_one_account_in_each_directory(world: &World) {
    let store = world.open().await;
    let first = new_account(&*store).await;
    let second = Account {
        key: first.key.clone(),
        directory: "other".into(),
        ..account(first.id.0 + 1)
    };
    done(&*store, Change::CreateAccount(second.clone())).await;
    let thumbprint = first.key.thumbprint();
    let found = async |directory| {
        store
            .account_by_key(directory, thumbprint)
            .await
            .unwrap()
            .map(|found| found.id)
    };
    assert_eq!(found("default").await, Some(first.id));
    assert_eq!(found("other").await, Some(second.id));
    assert_eq!(found("third").await, None);
    let mut all = store.accounts_of_key(thumbprint).await.unwrap();
    all.sort();
    assert_eq!(all, [first.id, second.id]);
    assert_eq!(store.accounts_of_key(account(0).key.thumbprint()).await.unwrap(), []);
}
