//! Objects to keep, with nothing left empty that could get lost.

use std::sync::Arc;

use acme::{Identifier, Problem, ProblemType};
use authority::{
    model::*,
    ports::{Change, Committed, IdKind, Store},
};
use jiff::Timestamp;
use jose::{Algorithm, SigningKey};
use pkix::certificate::Serial;
use serde_json::{Map, json};

/// Seconds into the test.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub fn account(id: u64) -> Account {
    Account {
        id: AccountId(id),
        directory: "default".into(),
        key: SigningKey::generate(Algorithm::Es256).unwrap().jwk().clone(),
        contact: vec!["mailto:ida@example.org".into(), "mailto:\"ü\"@example.org".into()],
        agreed_terms: Some("https://ca.example/terms".into()),
        external_binding: Some(json!({"protected": "a", "payload": "b", "signature": "c"})),
        state: AccountState::Active,
        created: "2026-11-23T15:00:00.123456789Z".parse().unwrap(),
        version: 0,
    }
}

pub fn order(id: u64, account: AccountId, authorizations: &[u64]) -> Order {
    Order {
        id: OrderId(id),
        account,
        identifiers: authorizations
            .iter()
            .map(|id| Identifier::dns(format!("*.{id}.example.org")))
            .collect(),
        authorizations: authorizations.iter().map(|id| AuthorizationId(*id)).collect(),
        profile: "tls-server".into(),
        created: at(0),
        not_before: Some(at(60)),
        not_after: Some(at(600)),
        members: Map::from_iter([("replaces".to_owned(), json!("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"))]),
        csr: Some(vec![0x30, 0]),
        expires: at(86_400),
        failure: None,
        version: 0,
    }
}

pub fn authorization(id: u64, account: AccountId) -> Authorization {
    let challenge = |method: &str| Challenge {
        method: method.into(),
        token: format!("token-{id}"),
    };
    Authorization {
        id: AuthorizationId(id),
        account,
        identifier: Identifier::dns(format!("{id}.example.org")),
        wildcard: true,
        members: [("covers".to_owned(), true.into())].into_iter().collect(),
        challenges: vec![challenge("http-01"), challenge("dns-01")],
        expires: at(86_400),
        state: AuthorizationState::Pending,
        version: 0,
    }
}

fn response() -> Response {
    Response {
        challenge: 1,
        at: at(10),
        thumbprint: jose::Thumbprint::from([7; 32]),
        payload: None,
    }
}

pub fn evidence() -> Vec<Evidence> {
    vec![Evidence {
        method: "http-01".into(),
        perspective: "local".into(),
        started: "2026-11-23T15:00:00.123456789Z".parse().unwrap(),
        finished: at(12),
        observations: vec![
            Observation::Connected {
                address: "[::1]:80".parse().unwrap(),
            },
            Observation::Http {
                url: "http://example.org/.well-known/acme-challenge/x".into(),
                address: "127.0.0.1:80".parse().unwrap(),
                status: 302,
                location: Some("https://example.org/\u{0}\"".into()),
                body_start: "x".into(),
            },
        ],
    }]
}

pub fn problem() -> Problem {
    Problem::new(ProblemType::Caa, "CAA of example.org forbids it").about(Identifier::dns("example.org"))
}

pub fn processing(due: Timestamp, lease: Timestamp) -> AuthorizationState {
    AuthorizationState::Processing {
        response: response(),
        attempts: 1,
        due,
        lease,
        error: Some(problem()),
        evidence: evidence(),
    }
}

pub fn valid() -> AuthorizationState {
    AuthorizationState::Valid {
        response: response(),
        validated: at(12),
        evidence: evidence(),
    }
}

pub fn invalid() -> AuthorizationState {
    AuthorizationState::Invalid {
        response: response(),
        problem: problem(),
        evidence: evidence(),
    }
}

/// A serial of that number.
pub fn serial(number: u64) -> Serial {
    let mut bytes = [1; 20];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Serial::from_der_content(&bytes).unwrap()
}

pub fn planned(order: &Order, serial_number: u64) -> CertificateRecord {
    CertificateRecord {
        id: CertificateId { order: order.id, n: 0 },
        account: order.account,
        serial: serial(serial_number),
        issuer: "main".into(),
        profile: "tls-server".into(),
        csr_sha256: [2; 32],
        key_sha256: [5; 32],
        crl_shard: Some(3),
        checks: evidence(),
        to_be_signed: vec![0x30, 0, 255],
        planned: at(20),
        not_after: at(90 * 86_400),
        evidence_root: [3; 32],
        salt: [4; 16],
        state: CertificateState::Planned { lease: at(50) },
        revoked: None,
        version: 0,
    }
}

/// An account with an order that can be finalized.
pub struct Ready {
    pub account: Arc<Account>,
    pub order: Arc<Order>,
    pub authorizations: Vec<Arc<Authorization>>,
}

impl Ready {
    pub async fn create(store: &dyn Store) -> Self {
        let account = new_account(store).await;
        Self::of(store, &account).await
    }

    pub async fn of(store: &dyn Store, account: &Arc<Account>) -> Self {
        let facts = new_order(store, account.id).await;
        for authorization in &facts.authorizations {
            let mut changed = Authorization::clone(authorization);
            changed.state = valid();
            done(store, Change::UpdateAuthorization(changed)).await;
        }
        let facts = store.order(facts.order.id).await.unwrap().unwrap();
        Self {
            account: account.clone(),
            order: facts.order,
            authorizations: facts.authorizations,
        }
    }

    /// The plan that holds as long as nothing changes.
    pub fn plan(&self, serial_number: u64) -> Change {
        Change::Plan {
            account: (self.account.id, self.account.version),
            order: (self.order.id, self.order.version),
            authorizations: self.authorizations.iter().map(|a| (a.id, a.version)).collect(),
            certificate: planned(&self.order, serial_number),
        }
    }

    pub fn certificate(&self) -> CertificateId {
        CertificateId {
            order: self.order.id,
            n: 0,
        }
    }
}

pub async fn number(store: &dyn Store, kind: IdKind) -> u64 {
    store.reserve(kind, 1).await.unwrap().start
}

pub async fn new_account(store: &dyn Store) -> Arc<Account> {
    let account = account(number(store, IdKind::Account).await);
    let id = account.id;
    done(store, Change::CreateAccount(account)).await;
    store.account(id).await.unwrap().unwrap()
}

/// With two authorizations.
pub async fn new_order(store: &dyn Store, account: AccountId) -> OrderFacts {
    let numbers = store.reserve(IdKind::Authorization, 2).await.unwrap();
    let authorizations: Vec<_> = numbers.collect();
    let order = order(number(store, IdKind::Order).await, account, &authorizations);
    let id = order.id;
    let authorizations = authorizations.iter().map(|id| authorization(*id, account)).collect();
    let account = (account, store.account(account).await.unwrap().unwrap().version);
    done(
        store,
        Change::CreateOrder {
            account,
            order,
            authorizations,
        },
    )
    .await;
    store.order(id).await.unwrap().unwrap()
}

pub async fn done(store: &dyn Store, change: Change) {
    assert_eq!(
        store.commit(change.clone()).await.unwrap(),
        Committed::Done,
        "{change:?}"
    );
}

pub async fn conflict(store: &dyn Store, change: Change) {
    assert_eq!(
        store.commit(change.clone()).await.unwrap(),
        Committed::Conflict,
        "{change:?}"
    );
}

/// All there is of an object; not every one of them can be compared.
pub fn text(object: &impl std::fmt::Debug) -> String {
    format!("{object:#?}")
}
