//! A table in place of the DNS that writes down what it is asked.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use acme::Problem;
use authority::{
    identifier::{self, IdentifierType, Name},
    model::{AccountId, DnssecStatus, Evidence},
    ports::{BoxFuture, PreIssuance, PreIssuanceCheck, Proven},
};
use jiff::Timestamp;
use validation::resolver::{Addresses, Answer, DnsFailure, Resolver, ServiceHost};

use crate::{CaaCheck, Patience};

pub const US: &str = "ca.example";
pub const ACCOUNT: &str = "https://ca.example/acme/account/7";

/// A record's data.
pub fn record(flags: u8, tag: &str, value: &str) -> Vec<u8> {
    [&[flags, tag.len() as u8], tag.as_bytes(), value.as_bytes()].concat()
}

pub fn issue(value: &str) -> Vec<u8> {
    record(0, "issue", value)
}

type Outcome = Result<Vec<Vec<u8>>, DnsFailure>;

#[derive(Default)]
pub struct Dns {
    outcomes: Mutex<HashMap<String, VecDeque<Outcome>>>,
    asked: Mutex<Vec<String>>,
    /// Questions about these never end.
    silent: Vec<String>,
}

impl Dns {
    /// Called again for one name: what it answers the next time (the last for ever).
    pub fn with(self, name: &str, outcome: Outcome) -> Self {
        let mut outcomes = self.outcomes.lock().unwrap();
        outcomes.entry(name.to_owned()).or_default().push_back(outcome);
        drop(outcomes);
        self
    }

    pub fn silent(mut self, name: &str) -> Self {
        self.silent.push(name.to_owned());
        self
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolver for Dns {
    fn addresses<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, Addresses> {
        unreachable!("CAA asks for no address")
    }

    fn txt<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        unreachable!("CAA asks for no text")
    }

    fn srv<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Answer<ServiceHost>> {
        unreachable!("CAA asks for no service")
    }

    fn caa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        self.asked.lock().unwrap().push(name.to_owned());
        if self.silent.iter().any(|silent| silent == name) {
            return Box::pin(std::future::pending());
        }
        let mut outcomes = self.outcomes.lock().unwrap();
        let records = outcomes.get_mut(name).map(|outcomes| match outcomes.len() {
            1 => outcomes[0].clone(),
            _ => outcomes.pop_front().unwrap(),
        });
        let answer = Answer {
            records: records.unwrap_or(Err(DnsFailure::NxDomain)),
            aliases: Vec::new(),
            dnssec: DnssecStatus::Secure,
            resolver: "table".to_owned(),
        };
        Box::pin(async move {
            // Others get their turn, as they would while a network is waited for.
            tokio::task::yield_now().await;
            answer
        })
    }
}

/// Checks names, all proved by `http-01` for account 7.
pub async fn check(dns: &Arc<Dns>, names: &[&str]) -> Result<Vec<Evidence>, Problem> {
    check_proved_by("http-01", dns, names).await
}

pub async fn check_proved_by(method: &str, dns: &Arc<Dns>, names: &[&str]) -> Result<Vec<Evidence>, Problem> {
    let names: Vec<Name> = names.iter().map(|name| identifier::Dns.admit(name).unwrap()).collect();
    check_names(method, dns, &names).await
}

pub async fn check_names(method: &str, dns: &Arc<Dns>, names: &[Name]) -> Result<Vec<Evidence>, Problem> {
    let account_url = Arc::new(|AccountId(id)| format!("https://ca.example/acme/account/{id}"));
    let clock = Arc::new(|| Timestamp::UNIX_EPOCH);
    let identities = vec![US.to_owned(), "second.example".to_owned()];
    let check = CaaCheck::new(dns.clone(), identities, account_url, clock).with_patience(Patience {
        attempts: 3,
        pause: Duration::ZERO,
        // Long enough for whatever answers, short enough to wait for what does not.
        whole: match dns.silent.is_empty() {
            true => Duration::from_secs(60),
            false => Duration::from_millis(50),
        },
    });
    let proven = names.iter().map(|name| Proven {
        name,
        method,
        validated: Timestamp::UNIX_EPOCH,
    });
    let proven: Vec<_> = proven.collect();
    let request = PreIssuance {
        account: AccountId(7),
        profile: "default",
        names: &proven,
        spki_der: &[],
        members: &serde_json::Map::new(),
        now: Timestamp::UNIX_EPOCH,
    };
    check.check(&request).await
}

/// The values of the subproblems' identifiers.
pub fn refused(problem: &Problem) -> Vec<&str> {
    let identifiers = problem
        .subproblems
        .iter()
        .map(|problem| problem.identifier.as_ref().unwrap());
    identifiers.map(|identifier| identifier.value.as_str()).collect()
}
