//! How many simulated issuances a second the store can keep, and what each costs the processor.
//!
//! `cargo build --release --workspace --example throughput`, then
//! `target/release/examples/throughput [sqlite:FILE | postgres://…] [SECONDS]`
//!
//! Each client does what one issuance asks of the store: an order with one authorization, its validation, PLAN and
//! COMPLETE, with the reads in between.

#![expect(clippy::disallowed_methods, reason = "what is measured is the real clock")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use acme::Identifier;
use authority::{
    model::*,
    ports::{Change, Committed, IdKind, Store},
};
use jiff::Timestamp;
use jose::{Algorithm, SigningKey, Thumbprint};
use pkix::certificate::Serial;
use storage::Database;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .unwrap_or_else(|| format!("sqlite:{}/throughput.db", std::env::temp_dir().display()));
    let seconds = arguments
        .next()
        .map_or(5, |seconds| seconds.parse().expect("a number of seconds"));
    let store = storage::open(&url, Box::new(|what| panic!("{what}")))
        .await
        .expect("a database");
    println!("{url}");
    println!(
        "clients  issuances/s  us CPU each  of it writer  commits each  group  rows each  p50 ms  p99 ms  RSS MiB"
    );
    for clients in [1, 8, 32, 128] {
        round(&store, clients, Duration::from_secs(seconds)).await;
    }
    store.close().await;
}

async fn round(store: &Arc<dyn Database>, clients: u64, length: Duration) {
    let serials = Arc::new(AtomicU64::new(Timestamp::now().as_nanosecond() as u64));
    let ended = Arc::new(AtomicBool::new(false));
    let mut accounts = Vec::new();
    for _ in 0..clients {
        accounts.push(new_account(&**store).await);
    }
    let (before, cpu, writer, start) = (
        store.statistics(),
        cpu(None),
        cpu(Some("sqlite-writer")),
        Instant::now(),
    );
    let tasks: Vec<_> = accounts
        .into_iter()
        .map(|account| {
            let (store, serials, ended) = (store.clone(), serials.clone(), ended.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while !ended.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    issue(&*store, account, serials.fetch_add(1, Ordering::Relaxed)).await;
                    times.push(begun.elapsed());
                }
                times
            })
        })
        .collect();
    tokio::time::sleep(length).await;
    ended.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("no issuance fails"));
    }
    let (elapsed, after) = (start.elapsed().as_secs_f64(), store.statistics());
    let issued = times.len() as f64;
    let each = |count: u64| count as f64 / issued;
    let (cpu, writer) = (self::cpu(None) - cpu, self::cpu(Some("sqlite-writer")) - writer);
    times.sort();
    let millisecond = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e3;
    println!(
        "{clients:7}  {:11.0}  {:11.1}  {:12.1}  {:12.2}  {:5.1}  {:9.2}  {:6.2}  {:6.2}  {:7.1}",
        times.len() as f64 / elapsed,
        each(cpu) / 1e3,
        each(writer) / 1e3,
        each(after.commits - before.commits),
        (after.jobs - before.jobs) as f64 / (after.commits - before.commits).max(1) as f64,
        each(after.rows - before.rows),
        millisecond(50),
        millisecond(99),
        resident() / 1024.0,
    );
}

async fn new_account(store: &dyn Store) -> AccountId {
    let id = AccountId(store.reserve(IdKind::Account, 1).await.unwrap().start);
    let account = Account {
        id,
        directory: "default".into(),
        key: SigningKey::generate(Algorithm::Es256).unwrap().jwk().clone(),
        contact: vec![],
        agreed_terms: None,
        external_binding: None,
        state: AccountState::Active,
        created: Timestamp::now(),
        version: 0,
    };
    done(store, Change::CreateAccount(account)).await;
    id
}

async fn issue(store: &dyn Store, account: AccountId, number: u64) {
    let now = Timestamp::now();
    let expires = now + Duration::from_secs(86_400);
    let order = OrderId(store.reserve(IdKind::Order, 1).await.unwrap().start);
    let authorization = AuthorizationId(store.reserve(IdKind::Authorization, 1).await.unwrap().start);
    let name = Identifier::dns(format!("host-{number}.example.org"));
    let challenge = |method: &str| Challenge {
        method: method.into(),
        token: "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ".into(),
    };
    assert!(store.account(account).await.unwrap().is_some());
    assert!(
        store
            .authorizations_for(account, name.clone(), 1)
            .await
            .unwrap()
            .is_empty()
    );
    done(
        store,
        Change::CreateOrder {
            account: (account, 0),
            order: Order {
                id: order,
                account,
                identifiers: vec![name.clone()],
                authorizations: vec![authorization],
                profile: "tls-server".into(),
                created: now,
                not_before: None,
                not_after: None,
                members: serde_json::Map::new(),
                csr: None,
                expires,
                failure: None,
                version: 0,
            },
            authorizations: vec![Authorization {
                id: authorization,
                account,
                identifier: name.clone(),
                wildcard: false,
                members: Default::default(),
                challenges: vec![challenge("http-01"), challenge("dns-01"), challenge("tls-alpn-01")],
                expires,
                state: AuthorizationState::Pending,
                version: 0,
            }],
        },
    )
    .await;

    store.account(account).await.unwrap();
    store.authorization(authorization).await.unwrap();
    let pending = store.authorization(authorization).await.unwrap().unwrap();
    let mut answered = Authorization::clone(&pending);
    answered.state = AuthorizationState::Valid {
        response: Response {
            challenge: 0,
            at: now,
            thumbprint: Thumbprint::from([1; 32]),
            payload: None,
        },
        validated: now,
        evidence: vec![evidence(&name.value, now)],
    };
    done(store, Change::UpdateAuthorization(answered)).await;

    let holder = store.account(account).await.unwrap().unwrap();
    let facts = store.order(order).await.unwrap().unwrap();
    let certificate = CertificateRecord {
        id: CertificateId { order, n: 0 },
        account,
        serial: serial(number),
        issuer: "main".into(),
        profile: "tls-server".into(),
        csr_sha256: [1; 32],
        key_sha256: *Thumbprint::from(std::array::from_fn(|at| (number >> (8 * (at % 8))) as u8)).as_bytes(),
        crl_shard: Some(0),
        checks: vec![],
        to_be_signed: vec![0x30; 550],
        planned: now,
        not_after: expires,
        evidence_root: [1; 32],
        salt: [1; 16],
        state: CertificateState::Planned {
            lease: now + Duration::from_secs(30),
        },
        revoked: None,
        version: 0,
    };
    let id = certificate.id;
    done(
        store,
        Change::Plan {
            account: (account, holder.version),
            order: (order, facts.order.version),
            authorizations: facts.authorizations.iter().map(|a| (a.id, a.version)).collect(),
            certificate,
        },
    )
    .await;
    done(
        store,
        Change::Complete {
            id,
            version: 0,
            certificate: vec![0x30; 640],
        },
    )
    .await;
    let facts = store.order(order).await.unwrap().unwrap();
    assert!(facts.certificate.is_some());
    assert!(store.certificate(id).await.unwrap().is_some());
}

async fn done(store: &dyn Store, change: Change) {
    assert_eq!(
        store.commit(change).await.expect("the store is available"),
        Committed::Done
    );
}

/// Spread like random ones, which is what makes an index of them costly.
fn serial(number: u64) -> Serial {
    let mut bytes = [0x1f; 20];
    bytes[1..9].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Serial::from_der_content(&bytes).expect("it is positive")
}

fn evidence(name: &str, now: Timestamp) -> Evidence {
    let address = "127.0.0.1:80".parse().unwrap();
    Evidence {
        method: "http-01".into(),
        perspective: "local".into(),
        started: now,
        finished: now,
        observations: vec![
            Observation::Resolved {
                name: name.into(),
                record_type: "A".into(),
                resolver: "127.0.0.1:53".into(),
                dnssec: DnssecStatus::Insecure,
                answers: vec!["127.0.0.1".into()],
                error: None,
            },
            Observation::Connected { address },
            Observation::Http {
                url: format!("http://{name}/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ"),
                address,
                status: 200,
                location: None,
                body_start: "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI".into(),
            },
        ],
    }
}

/// Nanoseconds that the threads of that name, or all, have run.
fn cpu(name: Option<&str>) -> u64 {
    let mut total = 0;
    for thread in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file| std::fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        if name.is_none_or(|name| read("comm").trim() == name) {
            total += read("schedstat")
                .split(' ')
                .next()
                .and_then(|time| time.parse::<u64>().ok())
                .unwrap_or(0);
        }
    }
    total
}

/// Resident memory, KiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|size| size.parse().ok())
        .unwrap_or(0.0)
}
