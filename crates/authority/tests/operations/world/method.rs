//! A validation method that answers what the test has written down.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use acme::{Problem, ProblemType};
use authority::{
    identifier::{Name, Target},
    model::{Evidence, Observation},
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use tokio::sync::oneshot;

use super::clock::Clock;

pub enum Answer {
    Valid,
    /// A failure that stays one.
    Lasting(&'static str),
    /// A failure that may pass by itself.
    Transient(&'static str),
    /// Any failure, with everything that it says.
    Failed(Problem, bool),
    /// Nothing, until the test sends something.
    Held(oneshot::Receiver<Answer>),
}

impl Answer {
    pub fn held() -> (oneshot::Sender<Answer>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self::Held(receiver))
    }
}

pub struct ScriptedMethod {
    name: &'static str,
    /// Proves wildcards as well, and no addresses.
    through_dns: bool,
    clock: Arc<Clock>,
    script: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<ValidationRequest>>,
}

impl ScriptedMethod {
    pub fn new(name: &'static str, through_dns: bool, clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Self {
            name,
            through_dns,
            clock,
            script: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    /// The next answers; when there are none left, everything is valid.
    pub fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().extend(answers);
    }

    pub fn seen(&self) -> Vec<ValidationRequest> {
        self.seen.lock().unwrap().clone()
    }

    pub fn attempts(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl ValidationMethod for ScriptedMethod {
    fn name(&self) -> &'static str {
        self.name
    }

    fn offered_for(&self, name: &Name) -> bool {
        match self.through_dns {
            true => matches!(name.target(), Target::Host(_)),
            false => !name.is_wildcard(),
        }
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let mut answer = self.script.lock().unwrap().pop_front().unwrap_or(Answer::Valid);
        let observation = Observation::Failed {
            what: format!("looked at {}", request.name.identifier()),
        };
        self.seen.lock().unwrap().push(request);
        let (method, clock) = (self.name.to_owned(), self.clock.clone());
        let started = clock.now();
        Box::pin(async move {
            while let Answer::Held(receiver) = answer {
                answer = match receiver.await {
                    Ok(answer) => answer,
                    Err(_) => std::future::pending().await,
                };
            }
            let (verdict, transient) = match answer {
                Answer::Lasting(why) => (Err(Problem::new(ProblemType::Unauthorized, why)), false),
                Answer::Transient(why) => (Err(Problem::new(ProblemType::Connection, why)), true),
                Answer::Failed(problem, transient) => (Err(problem), transient),
                Answer::Valid | Answer::Held(_) => (Ok(()), false),
            };
            let evidence = Evidence {
                method,
                perspective: "local".into(),
                started,
                finished: clock.now(),
                observations: vec![observation],
            };
            Report {
                evidence,
                verdict,
                transient,
            }
        })
    }
}
