//! One run: prepare, start the clock, let every client work until all rounds are taken, stop the clock.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use acme::Directory;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::Method;
use jose::{Algorithm, SigningKey};
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    connection::{Endpoint, NoAnswer},
    measure::{Failure, Recorder},
    prepare::PreparedOrder,
    report::Report,
    subscriber::{Account, Subscriber, World},
    tls::{Trust, client_config},
    usage::Usage,
};
use crate::responder::Answers;

/// What to do, to whom, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    pub directory: String,
    pub trust: Trust,
    pub scenario: Scenario,
    pub clients: usize,
    /// How often the scenario's round is done, by all clients together.
    pub rounds: usize,
    pub accounts: Accounts,
    pub polling: Polling,
    /// Names are `l<n>.<suffix>`.
    pub suffix: String,
    /// The processes whose CPU and memory are the server's.
    pub server_pids: Vec<u32>,
    /// When this is over, what has not ended counts as a hang.
    pub limit: Duration,
}

/// What one round is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// A certificate, on a connection that is kept.
    Issue,
    /// A certificate, with everything a program needs that has just started: connection, directory, nonce.
    Cold,
    /// A certificate, begun at a fixed rate; a round that begins late has waited since its time.
    FixedRate {
        per_second: f64,
    },
    NewNonce,
    NewAccount,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accounts {
    /// All clients use the same.
    One,
    /// Each client has its own.
    Each,
}

/// How a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// Believe an answer that says `valid`. Otherwise every authorization and order is polled at least once.
    pub polite: bool,
    pub interval: Duration,
    /// Wait as long as the server says, instead of `interval`.
    pub respect_retry_after: bool,
}

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the directory {url} cannot be read: {why}")]
    Directory { url: String, why: String },
    #[error("before the measurement: {label}: {detail}")]
    Preparation { label: String, detail: String },
    #[error("no certificate request can be made: {0}")]
    Request(#[from] x509_cert::der::Error),
}

/// Carries a plan out. `answers` belongs to a responder that the server's http-01 reaches.
pub async fn run(plan: &Plan, answers: &Arc<Answers>) -> Result<Report, LoadError> {
    let world = Arc::new(look_around(plan, answers).await?);
    let rounds = Arc::new(Rounds::prepare(plan)?);
    let clients = ready_clients(plan, &world, answers).await?;

    let (server_before, own_before) = (Usage::of_all(&plan.server_pids)?, Usage::of(std::process::id())?);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (subscriber, account) in clients {
        tasks.spawn(work(subscriber, account, rounds.clone(), start, start + plan.limit));
    }
    let mut recorder = Recorder::default();
    while let Some(done) = tasks.join_next().await {
        recorder.merge(done.map_err(io::Error::other)?);
    }
    let took = start.elapsed();
    // A server that is no longer there shows in the failures.
    let server = Usage::of_all(&plan.server_pids).unwrap_or(server_before);
    let own = Usage::of(std::process::id())?;
    Ok(Report::new(
        plan,
        recorder,
        took,
        [server_before, server],
        [own_before, own],
    ))
}

async fn look_around(plan: &Plan, answers: &Arc<Answers>) -> Result<World, LoadError> {
    let url = plan.directory.clone();
    let endpoint = Endpoint::resolve(&url, client_config(&plan.trust)?).await?;
    let answer = endpoint
        .connect()
        .await?
        .request(&endpoint, Method::GET, &url, None)
        .await;
    let why = match answer {
        Ok(answer) => match serde_json::from_slice::<Directory>(&answer.body) {
            Ok(directory) => {
                return Ok(World {
                    endpoint,
                    directory_url: url,
                    directory,
                    polling: plan.polling,
                    answers: answers.clone(),
                    answer_each: plan.accounts == Accounts::Each,
                });
            }
            Err(error) => format!("HTTP {}, {error}", answer.status),
        },
        Err(NoAnswer::Timeout) => "no answer".to_owned(),
        Err(NoAnswer::Broken(why)) => why,
    };
    Err(LoadError::Directory { url, why })
}

/// Each client with its connection, its account and a nonce.
async fn ready_clients(
    plan: &Plan,
    world: &Arc<World>,
    answers: &Answers,
) -> Result<Vec<(Subscriber, Arc<Account>)>, LoadError> {
    let shared = match plan.accounts {
        Accounts::One => {
            let account = Subscriber::new(world.clone()).register(new_key()).await?;
            answers.set_thumbprint(&account.key.jwk().thumbprint().to_string());
            Some(Arc::new(account))
        }
        Accounts::Each => None,
    };
    let ready = stream::iter(0..plan.clients).map(|_| {
        let (mut subscriber, shared) = (Subscriber::new(world.clone()), shared.clone());
        async move {
            let account = match shared {
                Some(account) => {
                    subscriber.warm().await?;
                    account
                }
                None => Arc::new(subscriber.register(new_key()).await?),
            };
            subscriber.recorder = Recorder::default();
            Ok((subscriber, account))
        }
    });
    ready.buffer_unordered(AT_ONCE).try_collect().await
}

/// The rounds that remain to be done, with what each needs.
struct Rounds {
    scenario: Scenario,
    next: AtomicUsize,
    count: usize,
    orders: Vec<PreparedOrder>,
    keys: Vec<SigningKey>,
}

impl Rounds {
    fn prepare(plan: &Plan) -> Result<Self, LoadError> {
        let mut rounds = Self {
            scenario: plan.scenario,
            next: AtomicUsize::new(0),
            count: plan.rounds,
            orders: Vec::new(),
            keys: Vec::new(),
        };
        match plan.scenario {
            Scenario::NewNonce => {}
            Scenario::NewAccount => rounds.keys = (0..plan.rounds).map(|_| new_key()).collect(),
            Scenario::Issue | Scenario::Cold | Scenario::FixedRate { .. } => {
                let names = (0..plan.rounds).map(|n| format!("l{n}.{}", plan.suffix));
                rounds.orders = names.map(|name| PreparedOrder::new(&name)).collect::<Result<_, _>>()?;
            }
        }
        Ok(rounds)
    }

    fn take(&self) -> Option<usize> {
        Some(self.next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < self.count)
    }

    async fn round(&self, n: usize, subscriber: &mut Subscriber, account: &Account) -> Result<(), Failure> {
        match self.scenario {
            Scenario::Issue | Scenario::FixedRate { .. } => subscriber.issue(account, &self.orders[n]).await,
            Scenario::Cold => {
                subscriber.forget();
                subscriber.fetch_directory().await?;
                subscriber.issue(account, &self.orders[n]).await
            }
            Scenario::NewNonce => subscriber.fetch_nonce().await.map(drop),
            Scenario::NewAccount => subscriber.new_account(&self.keys[n]).await.map(drop),
        }
    }
}

/// One client's loop.
async fn work(
    mut subscriber: Subscriber,
    account: Arc<Account>,
    rounds: Arc<Rounds>,
    start: Instant,
    deadline: Instant,
) -> Recorder {
    while let Some(n) = rounds.take() {
        let mut begin = Instant::now();
        if let Scenario::FixedRate { per_second } = rounds.scenario {
            let due = start + Duration::from_secs_f64(n as f64 / per_second);
            if due > begin {
                sleep_until(due).await;
                begin = Instant::now();
            } else {
                begin = due;
            }
        }
        match timeout_at(deadline, rounds.round(n, &mut subscriber, &account)).await {
            Ok(Ok(())) => subscriber.recorder.round(begin.elapsed()),
            Ok(Err(failure)) => subscriber.recorder.failures.count(failure),
            Err(_) => {
                subscriber.recorder.failures.count(Failure {
                    label: "not ended at the time limit".to_owned(),
                    detail: String::new(),
                    hang: true,
                });
                break;
            }
        }
    }
    subscriber.recorder
}

fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).expect("invariant: randomness is at hand")
}

impl From<Failure> for LoadError {
    fn from(failure: Failure) -> Self {
        Self::Preparation {
            label: failure.label,
            detail: failure.detail,
        }
    }
}

/// Clients that are made ready at the same time: handshakes are not what is measured.
const AT_ONCE: usize = 16;
