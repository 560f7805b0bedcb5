//! Words in greetings and among capabilities, for as long as somebody wants them there.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use client::{Clock, printable, solver::SolverError};
use jiff::SignedDuration;

use super::{
    daemon::{Change, Daemon},
    journal::Journal,
    kind::Place,
    lookup::Lookup,
    session::{Look, look},
};
use crate::service::{Service, ServicePort};

/// A word for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub at: ServicePort,
    pub place: Place,
    pub text: String,
}

impl Word {
    fn is_in(&self, look: &Look) -> bool {
        match self.place {
            Place::Capability => look.lists(self.at.service.protocol(), &self.text),
            Place::Greeting | Place::Record => look.greets_with(&self.text),
        }
    }

    fn instead(&self, look: &Look) -> String {
        match self.place {
            Place::Capability => format!("under TLS it lists {:?}", printable(&look.capabilities.join(", "))),
            Place::Greeting | Place::Record => format!("it greets with {:?}", printable(&look.greeting)),
        }
    }
}

/// Shows words in the greetings of mail programs, those of several proofs side by side.
pub struct Publisher {
    daemons: Vec<Daemon>,
    journal: Journal,
    host: String,
    lookup: Lookup,
    clock: Arc<dyn Clock>,
    patience: Duration,
    wanted: Mutex<Vec<(Ticket, Word)>>,
    shown: Mutex<Shown>,
    turn: tokio::sync::Mutex<()>,
}

/// Whose words they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What stands in the greetings now, a row a daemon.
#[derive(Default)]
struct Shown {
    last: u64,
    rows: Vec<Option<(Change, Vec<String>)>>,
}

impl Publisher {
    pub fn new(daemons: Vec<Daemon>, journal: Journal, host: String, lookup: Lookup, clock: Arc<dyn Clock>) -> Self {
        Self {
            daemons,
            journal,
            host,
            lookup,
            clock,
            patience: Duration::from_secs(30),
            wanted: Mutex::default(),
            shown: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Whose services they are.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn shows(&self, place: Place, service: Service) -> bool {
        self.daemons.iter().any(|daemon| daemon.shows(place, service))
    }

    /// A place for words; nothing is shown yet.
    pub fn ticket(&self) -> Ticket {
        let mut shown = locked(&self.shown);
        shown.last += 1;
        Ticket(shown.last)
    }

    /// Returns when every word can be seen from here. What others want meanwhile is shown in the same reload.
    pub async fn show(self: &Arc<Self>, ticket: Ticket, words: &[Word]) -> Result<(), SolverError> {
        locked(&self.wanted).extend(words.iter().map(|word| (ticket, word.clone())));
        {
            let _turn = self.turn.lock().await;
            let publisher = Arc::clone(self);
            tokio::task::spawn_blocking(move || publisher.apply())
                .await
                .map_err(|error| failed(format!("changing the greetings failed: {error}"), None))??;
        }
        for word in words {
            self.wait_for(word).await?;
        }
        Ok(())
    }

    /// Takes words away. The greetings are brought back with the last of them, in one reload. May block.
    pub fn withdraw(&self, ticket: Ticket) -> Result<(), SolverError> {
        let is_last = {
            let mut wanted = locked(&self.wanted);
            wanted.retain(|(other, _)| *other != ticket);
            wanted.is_empty()
        };
        match is_last {
            true => self.apply(),
            false => Ok(()),
        }
    }

    /// Makes every greeting what is wanted. The journal knows of it first.
    fn apply(&self) -> Result<(), SolverError> {
        let mut shown = locked(&self.shown);
        shown.rows.resize(self.daemons.len(), None);
        let wanted: Vec<Word> = locked(&self.wanted).iter().map(|(_, word)| word.clone()).collect();
        let mut outcome = Ok(());
        for (at, daemon) in self.daemons.iter().enumerate() {
            let words: Vec<String> = wanted
                .iter()
                .filter(|word| daemon.shows(word.place, word.at.service))
                .map(|word| word.text.clone())
                .collect();
            if let Err(error) = self.apply_one(daemon, words, at, &mut shown) {
                outcome = Err(error);
            }
        }
        outcome
    }

    fn apply_one(&self, daemon: &Daemon, words: Vec<String>, at: usize, shown: &mut Shown) -> Result<(), SolverError> {
        let now = shown.rows[at].clone();
        match now {
            Some((_, before)) if before == words => Ok(()),
            None if words.is_empty() => Ok(()),
            Some((change, _)) if words.is_empty() => {
                change.undo().map_err(daemon_failed)?;
                shown.rows[at] = None;
                self.write_journal(shown)
            }
            Some((change, _)) => {
                change.show(&words).map_err(daemon_failed)?;
                shown.rows[at] = Some((change, words));
                Ok(())
            }
            None => {
                let change = daemon.before().map_err(daemon_failed)?;
                shown.rows[at] = Some((change.clone(), Vec::new()));
                self.write_journal(shown)?;
                change.show(&words).map_err(daemon_failed)?;
                shown.rows[at] = Some((change, words));
                Ok(())
            }
        }
    }

    fn write_journal(&self, shown: &Shown) -> Result<(), SolverError> {
        let changes: Vec<Change> = shown.rows.iter().flatten().map(|(change, _)| change.clone()).collect();
        self.journal
            .write(&changes)
            .map_err(|error| failed(error.to_string(), None))
    }

    async fn wait_for(&self, word: &Word) -> Result<(), SolverError> {
        let addresses = self
            .lookup
            .addresses(&self.host)
            .await
            .map_err(|what| failed(what, None))?;
        let port = self.lookup.ports.get(&word.at.service).copied().unwrap_or(word.at.port);
        let started = self.clock.now();
        let patience = SignedDuration::try_from(self.patience).unwrap_or(SignedDuration::MAX);
        loop {
            let (mut seen, mut sightings, mut is_elsewhere) = (String::new(), 0, false);
            // A process from before the reload may still take a session: twice everywhere is seen.
            for address in addresses.iter().chain(&addresses) {
                match look(SocketAddr::new(*address, port), word.at.service, &self.host).await {
                    Ok(look) if word.is_in(&look) => sightings += 1,
                    Ok(look) => {
                        is_elsewhere = true;
                        seen = word.instead(&look);
                    }
                    Err(error) => seen = error.to_string(),
                }
            }
            // An address where nothing answers is the CA's to pass over; one that shows something else is not.
            if sightings >= 2 && !is_elsewhere {
                return Ok(());
            }
            if self.clock.now().duration_since(started) >= patience {
                let what = format!("{} at {} does not show its word: {seen}", word.at, self.host);
                let next = match word.place {
                    Place::Capability => UNLISTED,
                    Place::Greeting | Place::Record => UNSEEN,
                };
                return Err(failed(what, Some(next)));
            }
            self.clock.sleep(BETWEEN_LOOKS).await;
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        locked(&self.wanted).clear();
        if let Err(error) = self.apply() {
            tracing::warn!(%error, "a greeting is not brought back; the next mail command tries again");
        }
    }
}

fn daemon_failed(error: super::daemon::DaemonError) -> SolverError {
    failed(error.to_string(), None)
}

pub(super) fn failed(what: String, next: Option<&str>) -> SolverError {
    SolverError::Other {
        what,
        next: next.map(str::to_owned),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const UNSEEN: &str = "See whether another setting (-o smtpd_banner in master.cf, login_greeting in a protocol block) hides it, \
                      and whether another program listens there.";
const UNLISTED: &str =
    "A proxy has to do TLS itself (--cert, --key) to list it there; a Dovecot newer than 2.3 may not.";
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
