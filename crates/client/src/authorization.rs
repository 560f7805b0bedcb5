//! Authorizations, and how they come to be valid (RFC 8555 §7.5).

use std::sync::Arc;

use acme::{AuthorizationStatus, Problem, ProblemType};

use crate::{
    account::{Account, json},
    ancestor::Ancestors,
    challenge::{Challenge, Proof, TokenChallenge, is_onion},
    error::{Error, Failure},
    identifier::Identifier,
    progress::{Event, Progress},
    solver::{Presented, Solver},
    transport::Answer,
    wire::{self, AuthorizationRead},
};

/// An authorization as it was last read.
#[derive(Clone, Debug)]
pub struct Authorization {
    account: Account,
    url: String,
    read: AuthorizationRead,
}

impl Authorization {
    pub async fn bind(account: &Account, url: &str) -> Result<Self, Error> {
        let (read, _) = fetch(account, url).await?;
        Ok(Self {
            account: account.clone(),
            url: url.to_owned(),
            read,
        })
    }

    pub fn status(&self) -> AuthorizationStatus {
        self.read.object.status
    }

    /// As the server wrote it; for a wildcard without the `*.`
    pub fn identifier(&self) -> &acme::Identifier {
        &self.read.object.identifier
    }

    pub fn challenges(&self) -> &[Challenge] {
        &self.read.challenges
    }

    /// Gives up the right to certificates for this name (RFC 8555 §7.5.2).
    pub async fn deactivate(&self) -> Result<(), Error> {
        let payload = json(&serde_json::json!({"status": "deactivated"}));
        self.account
            .post(&self.url, &payload, "the deactivation of the authorization")
            .await
            .map(drop)
    }

    /// Shows a proof of one of the ordered names, or of a domain above them that was named as well, by the first solver
    /// that fits; nothing for a name that is proven.
    pub async fn present(
        self,
        ordered: &[Identifier],
        ancestors: &Ancestors,
        solvers: &[Arc<dyn Solver>],
        progress: &Progress,
    ) -> Result<Option<Attempt>, Error> {
        if self.status() == AuthorizationStatus::Valid {
            return Ok(None);
        }
        // What goes into paths, names and arguments is the subscriber's own text (INCIDENTS T44).
        let identifier = self.which_of(ordered, ancestors)?;
        if self.status() != AuthorizationStatus::Pending {
            return Err(self.failure(identifier, None));
        }
        let (solver, challenge) = self.choose(&identifier, solvers)?;
        let thumbprint = self.account.thumbprint();
        let proof = Proof::new(identifier.clone(), challenge.token, &thumbprint).with_members(challenge.members);
        let presented = solver.present(&proof).await?;
        let response = json(&solver.response(&proof));
        progress(&Event::Presented {
            identifier: identifier.clone(),
            method: solver.method(),
        });
        Ok(Some(Attempt {
            authorization: self,
            identifier,
            solver,
            challenge: challenge.url,
            response,
            presented,
        }))
    }

    /// The ordered name that this authorization is for; a server that asks for proof of another is not served.
    fn which_of(&self, ordered: &[Identifier], ancestors: &Ancestors) -> Result<Identifier, Error> {
        let (identifier, wildcard) = (self.identifier(), self.read.object.wildcard);
        let exact = ordered
            .iter()
            .find(|ordered| ordered.is_proven_by(identifier, wildcard));
        // Some servers leave `wildcard` out.
        let unmarked = || ordered.iter().find(|ordered| ordered.is_proven_by(identifier, true));
        let above = || ancestors.proven_by(ordered, &self.read.object);
        exact.or_else(unmarked).cloned().or_else(above).ok_or_else(|| {
            Error::protocol(
                &self.url,
                format!("an authorization for {identifier}, which was not ordered"),
            )
        })
    }

    fn choose(
        &self,
        identifier: &Identifier,
        solvers: &[Arc<dyn Solver>],
    ) -> Result<(Arc<dyn Solver>, TokenChallenge), Error> {
        let usable = solvers.iter().filter(|solver| solver.can_prove(identifier));
        for solver in usable {
            let mut offered = self.challenges().iter();
            if let Some(challenge) = offered.find_map(|challenge| challenge.of_method(solver.method())) {
                return Ok((Arc::clone(solver), challenge));
            }
        }
        let offered: Vec<String> = self.challenges().iter().map(Challenge::to_string).collect();
        let given: Vec<&str> = solvers.iter().map(|solver| solver.method().as_str()).collect();
        let what = format!(
            "the CA offers {}; this command can do {}",
            or_nothing(&offered.join(", ")),
            or_nothing(&given.join(", "))
        );
        let hint = match identifier {
            Identifier::Dns(name) | Identifier::Wildcard(name) if is_onion(name) => {
                "Give --onion with the folder of this very hidden service; a CA that does not offer onion-csr-01 is the wrong one for it."
            }
            Identifier::Wildcard(_) => "A wildcard can only be proven by dns-01: give --dns-hook.",
            Identifier::Ip(_) => "An address can only be proven by http-01 or tls-alpn-01.",
            Identifier::Srv(_) | Identifier::Email(_) | Identifier::Dns(_) => {
                "Give a solver for one of the methods that the CA offers."
            }
        };
        let failure = Failure {
            identifier: identifier.clone(),
            method: None,
            problem: None,
            what,
            hint: hint.to_owned(),
        };
        Err(Error::Unproven(vec![failure]))
    }

    /// RFC 8555 §7.5.1: an object to the challenge, mostly an empty one, then reads of the authorization until it is decided.
    async fn respond_and_wait(&mut self, challenge: &str, response: &[u8]) -> Result<(), Error> {
        let started = self.account.directory().clock().now();
        let answer = match self.account.post(challenge, response, "the challenge").await {
            Ok(answer) => Some(answer),
            // A lost answer and its repetition: the challenge may be under way or over. The authorization knows.
            Err(error) if error.is(&ProblemType::Malformed) => None,
            Err(error) => return Err(error),
        };
        if let Some(answer) = answer.filter(|answer| answer.headers.contains_key(http::header::RETRY_AFTER)) {
            self.pause(0, &answer, started).await?;
        }
        for poll in 0.. {
            let (read, answer) = fetch(&self.account, &self.url).await?;
            self.read = read;
            if self.status() != AuthorizationStatus::Pending {
                break;
            }
            self.pause(poll, &answer, started).await?;
        }
        Ok(())
    }

    async fn pause(&self, poll: u32, answer: &Answer, started: jiff::Timestamp) -> Result<(), Error> {
        self.account
            .directory()
            .pause_before_poll(poll, answer, started, "the validation")
            .await
    }

    fn failure(&self, identifier: Identifier, solver: Option<&dyn Solver>) -> Error {
        let method = solver.map(Solver::method);
        let known = self.challenges().iter().filter_map(|challenge| match method {
            Some(method) => challenge.of_method(method),
            None => challenge.known().map(|(_, challenge)| challenge.clone()),
        });
        let problem: Option<Problem> = known.into_iter().find_map(|challenge| challenge.error);
        let hint = solver.map(|solver| solver.hint(&identifier)).unwrap_or_default();
        let what = format!("the authorization is {}", format!("{:?}", self.status()).to_lowercase());
        Error::Unproven(vec![Failure {
            identifier,
            method,
            problem,
            what,
            hint,
        }])
    }
}

/// A proof that is being shown for an authorization. Dropping it takes the proof away.
#[derive(Debug)]
pub struct Attempt {
    authorization: Authorization,
    identifier: Identifier,
    solver: Arc<dyn Solver>,
    challenge: String,
    response: Vec<u8>,
    presented: Presented,
}

impl Attempt {
    /// Tells the server to look, and waits for what it says.
    pub async fn validate(&mut self, progress: &Progress) -> Result<(), Error> {
        self.authorization
            .respond_and_wait(&self.challenge, &self.response)
            .await?;
        match self.authorization.status() {
            AuthorizationStatus::Valid => {
                progress(&Event::Proven {
                    identifier: self.identifier.clone(),
                });
                Ok(())
            }
            _ => Err(self.authorization.failure(self.identifier.clone(), Some(&*self.solver))),
        }
    }

    /// Takes the proof away (RFC 8555 §7.5.1: when it is no longer needed).
    pub async fn cleanup(self, progress: &Progress) {
        if let Err(error) = self.presented.cleanup().await {
            progress(&Event::NotCleanedUp {
                identifier: self.identifier,
                why: error.to_string(),
            });
        }
    }
}

async fn fetch(account: &Account, url: &str) -> Result<(AuthorizationRead, Answer), Error> {
    let answer = account.get(url, "the authorization").await?;
    let read = wire::authorization(&answer.body).map_err(|what| Error::protocol(url, what))?;
    Ok((read, answer))
}

fn or_nothing(list: &str) -> &str {
    if list.is_empty() { "nothing" } else { list }
}
