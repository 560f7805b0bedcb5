//! Finding the set of records that counts for a name (RFC 8659 §3).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use authority::{
    model::{DnssecStatus, Observation},
    ports::BoxFuture,
};
use futures_util::future::{FutureExt, Shared};
use tokio::time::sleep;
use validation::resolver::{Answer, DnsFailure, Resolver};

use crate::property::Property;

/// How long a failure of the DNS is put up with.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often a question is asked whose failure may pass by itself.
    pub attempts: u32,
    /// Between one failure and the next attempt.
    pub pause: Duration,
    /// For all names of one order.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 3,
            pause: Duration::from_millis(250),
            whole: Duration::from_secs(30),
        }
    }
}

/// The questions of one check. A name that several names of an order have above them is asked about once.
pub(crate) struct Climb<'a> {
    resolver: &'a dyn Resolver,
    patience: Patience,
    /// Each with its place in the sequence in which they were first asked.
    questions: Mutex<HashMap<String, (usize, Asking<'a>)>>,
}

type Asking<'a> = Shared<BoxFuture<'a, Arc<Answer<Vec<u8>>>>>;

/// The set that counts, and the name at which it stands.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub at: String,
    pub records: Vec<Vec<u8>>,
}

/// A name of which it is not known whether it has records, and so whether any above it count.
#[derive(Clone, Debug, thiserror::Error)]
#[error("CAA at {at}: {failure} (asked {resolver})")]
pub(crate) struct Unknown {
    pub at: String,
    pub failure: DnsFailure,
    pub resolver: String,
}

impl<'a> Climb<'a> {
    pub fn new(resolver: &'a dyn Resolver, patience: Patience) -> Self {
        Self {
            resolver,
            patience,
            questions: Mutex::default(),
        }
    }

    /// From the name upwards to below the root, to the first that has records. Where an alias leads is part of the answer
    /// for the name, and nothing is asked above it; what is above the first records is not asked at all.
    pub async fn from(&self, domain: &str) -> Result<Option<Found>, Unknown> {
        let mut at = domain;
        loop {
            let answer = self.answer(at).await;
            match &answer.records {
                Ok(records) if !records.is_empty() => {
                    return Ok(Some(Found {
                        at: at.to_owned(),
                        records: records.clone(),
                    }));
                }
                Ok(_) | Err(DnsFailure::NxDomain) => {}
                Err(failure) => {
                    return Err(Unknown {
                        at: at.to_owned(),
                        failure: failure.clone(),
                        resolver: answer.resolver.clone(),
                    });
                }
            }
            match at.split_once('.') {
                Some((_, parent)) => at = parent,
                None => return Ok(None),
            }
        }
    }

    /// Everything that was answered, as evidence. A hundred names of a hundred labels each are ten thousand answers that
    /// say nothing: of those without records only so many are kept.
    pub fn observations(&self) -> Vec<Observation> {
        let questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asked: Vec<_> = questions.iter().collect();
        asked.sort_unstable_by_key(|(_, (place, _))| *place);
        let (mut observations, mut empty) = (Vec::new(), 0);
        for (name, (_, asking)) in asked {
            let Some(answer) = asking.peek() else { continue };
            let says_nothing =
                answer.records.as_ref().is_ok_and(Vec::is_empty) || matches!(answer.records, Err(DnsFailure::NxDomain));
            empty += usize::from(says_nothing);
            if !says_nothing || empty <= MOST_EMPTY {
                observations.push(answer.observation(name, "CAA", |data| Property::show(data)));
            }
        }
        if let Some(more) = empty.checked_sub(MOST_EMPTY + 1) {
            observations.push(Observation::Resolved {
                name: format!("… and {} more names without records", more + 1),
                record_type: "CAA".to_owned(),
                resolver: String::new(),
                dnssec: DnssecStatus::Unchecked,
                answers: Vec::new(),
                error: None,
            });
        }
        observations
    }

    fn answer(&self, name: &str) -> Asking<'a> {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, asking)) = questions.get(name) {
            return asking.clone();
        }
        let asking = ask(self.resolver, self.patience, name.to_owned()).boxed().shared();
        let place = questions.len();
        questions.insert(name.to_owned(), (place, asking.clone()));
        asking
    }
}

async fn ask(resolver: &dyn Resolver, patience: Patience, name: String) -> Arc<Answer<Vec<u8>>> {
    let mut attempt = 1;
    loop {
        let answer = resolver.caa(&name).await;
        let may_pass = answer.records.as_ref().is_err_and(DnsFailure::is_transient);
        if !may_pass || attempt >= patience.attempts {
            return Arc::new(answer);
        }
        attempt += 1;
        sleep(patience.pause).await;
    }
}

/// More than an order of a hundred names of three labels has.
const MOST_EMPTY: usize = 400;
