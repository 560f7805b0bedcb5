//! Orders (RFC 8555 §7.4).

use std::{collections::BTreeSet, sync::Arc};

use acme::{Finalize, NewOrder, OrderStatus, ProblemType, RenewalId};
use futures_util::{
    future::join_all,
    stream::{self, StreamExt as _},
};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    account::{Account, json},
    ancestor::Ancestors,
    authorization::{Attempt, Authorization},
    chain::Chain,
    csr::Csr,
    directory::Directory,
    error::{Error, Failure},
    identifier::Identifier,
    progress::Progress,
    solver::Solver,
    transport::Answer,
    wire,
};

/// An order as it was last read. Its URL is all that is needed to take it up again.
#[derive(Clone, Debug)]
pub struct Order {
    account: Account,
    url: String,
    identifiers: Vec<Identifier>,
    ancestors: Ancestors,
    object: acme::Order,
}

/// The validity that is asked for; most CAs refuse to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
}

/// What is asked for beside names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderOptions {
    pub validity: Validity,
    /// One of those that the directory offers (draft-ietf-acme-profiles §4).
    pub profile: Option<String>,
    /// The certificate that this order is to replace (RFC 9773 §5).
    pub replaces: Option<RenewalId>,
    /// Domains that can be proven in place of names below them (RFC 9444 §4.3).
    pub ancestors: Ancestors,
}

impl OrderOptions {
    fn members(&self) -> Map<String, Value> {
        let replaces = self.replaces.as_ref().map(RenewalId::to_string);
        [("profile", self.profile.clone()), ("replaces", replaces)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
            .collect()
    }
}

impl Order {
    pub async fn create(account: &Account, identifiers: &[Identifier], options: OrderOptions) -> Result<Self, Error> {
        Self::create_with(account, identifiers, &options, options.members()).await
    }

    /// With the request that the certificate is to be issued from, for a CA that begins with it.
    pub async fn create_for(account: &Account, csr: &Csr, options: OrderOptions) -> Result<Self, Error> {
        let text = Value::from(jose::base64url::encode(csr.der()));
        let mut members = options.members();
        members.insert("csr".to_owned(), text.clone());
        let order = Self::create_with(account, csr.identifiers(), &options, members).await?;
        if order.object.members.get("csr") != Some(&text) {
            tracing::warn!(order = %order.url, "the CA does not show the request that came with the order");
        }
        Ok(order)
    }

    async fn create_with(
        account: &Account,
        identifiers: &[Identifier],
        options: &OrderOptions,
        members: Map<String, Value>,
    ) -> Result<Self, Error> {
        let url = account.directory().resources().await?.new_order;
        let request = NewOrder {
            identifiers: identifiers.iter().map(|name| options.ancestors.request(name)).collect(),
            not_before: options.validity.not_before.map(|time| time.to_string()),
            not_after: options.validity.not_after.map(|time| time.to_string()),
            members,
        };
        let names: Vec<String> = identifiers.iter().map(Identifier::to_string).collect();
        let answer = account
            .post(&url, &json(&request), &format!("the order for {}", names.join(", ")))
            .await?;
        let location = answer
            .location()
            .ok_or_else(|| Error::protocol(&url, "the order has no Location"))?;
        let object = wire::order(&answer.body).map_err(|what| Error::protocol(&url, what))?;
        let order = Self {
            account: account.clone(),
            url: location,
            identifiers: identifiers.to_vec(),
            ancestors: options.ancestors.clone(),
            object,
        };
        let wanted: BTreeSet<_> = identifiers.iter().map(Identifier::to_wire).collect();
        // Another kind of certificate would be worse than none.
        if let Some(profile) = &options.profile
            && order.object.members.get("profile").and_then(Value::as_str) != Some(profile)
        {
            let what = format!("the order does not have the profile {profile:?} that was asked for");
            return Err(Error::protocol(&order.url, what));
        }
        match normalized(&order.object.identifiers) == wanted {
            true => Ok(order),
            false => Err(Error::protocol(
                &order.url,
                "the order is for other names than were asked for",
            )),
        }
    }

    /// Takes up an order of this account that was made before.
    pub async fn bind(account: &Account, url: &str) -> Result<Self, Error> {
        let (object, _) = fetch(account, url).await?;
        let identifiers = object.identifiers.iter().filter_map(Identifier::from_wire).collect();
        Ok(Self {
            account: account.clone(),
            url: url.to_owned(),
            identifiers,
            ancestors: Ancestors::default(),
            object,
        })
    }

    pub(crate) fn directory(&self) -> &Directory {
        self.account.directory()
    }

    /// With the domains that the order named when it was made: it does not show them.
    #[must_use]
    pub fn with_ancestors(self, ancestors: Ancestors) -> Self {
        Self { ancestors, ..self }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn object(&self) -> &acme::Order {
        &self.object
    }

    pub fn status(&self) -> OrderStatus {
        self.object.status
    }

    pub fn identifiers(&self) -> &[Identifier] {
        &self.identifiers
    }

    pub async fn authorizations(&self) -> Result<Vec<Authorization>, Error> {
        let fetched = stream::iter(self.object.authorizations.clone())
            .map(|url| async move { Authorization::bind(&self.account, &url).await })
            .buffered(AT_ONCE);
        fetched.collect::<Vec<_>>().await.into_iter().collect()
    }

    /// Proves all names at once, and returns when the order is no longer pending. Dropping the future takes all proofs
    /// away.
    ///
    /// All proofs are shown before the first is looked at, and taken away after the last: a name and its wildcard have
    /// their records at one place, where resolvers would remember the first, and hooks remove both.
    pub async fn solve(&mut self, solvers: &[Arc<dyn Solver>], progress: &Progress) -> Result<(), Error> {
        if self.status() == OrderStatus::Pending {
            let (attempts, errors) = self.present(solvers, progress).await;
            let attempts: Vec<(Attempt, Result<(), Error>)> = match errors.is_empty() {
                true => self.validate(attempts, progress).await,
                false => attempts.into_iter().map(|attempt| (attempt, Ok(()))).collect(),
            };
            let (attempts, outcomes): (Vec<_>, Vec<_>) = attempts.into_iter().unzip();
            join_all(attempts.into_iter().map(|attempt| attempt.cleanup(progress))).await;
            together(
                errors
                    .into_iter()
                    .chain(outcomes.into_iter().filter_map(Result::err))
                    .collect(),
            )?;
        }
        self.wait_while(OrderStatus::Pending, None, "the order").await
    }

    async fn present(&self, solvers: &[Arc<dyn Solver>], progress: &Progress) -> (Vec<Attempt>, Vec<Error>) {
        let presented = stream::iter(self.object.authorizations.clone()).map(|url| async move {
            let authorization = Authorization::bind(&self.account, &url).await?;
            authorization
                .present(&self.identifiers, &self.ancestors, solvers, progress)
                .await
        });
        let (mut attempts, mut errors) = (Vec::new(), Vec::new());
        let mut presented = presented.buffer_unordered(AT_ONCE);
        while let Some(outcome) = presented.next().await {
            match outcome {
                Ok(attempt) => attempts.extend(attempt),
                Err(error) => errors.push(error),
            }
        }
        (attempts, errors)
    }

    async fn validate(&self, attempts: Vec<Attempt>, progress: &Progress) -> Vec<(Attempt, Result<(), Error>)> {
        let validated = stream::iter(attempts).map(|mut attempt| async move {
            let outcome = attempt.validate(progress).await;
            (attempt, outcome)
        });
        validated.buffer_unordered(AT_ONCE).collect().await
    }

    /// Sends the request and waits for the certificate (RFC 8555 §7.4).
    pub async fn finalize(&mut self, csr: &Csr) -> Result<(), Error> {
        self.finalize_with(csr, Map::new()).await
    }

    /// As `finalize`, with what extensions want beside the request.
    pub async fn finalize_with(&mut self, csr: &Csr, members: Map<String, Value>) -> Result<(), Error> {
        if csr.spki_der() == spki_of(&self.account)? {
            // RFC 8555 §11.1: one key, one use.
            return Err(Error::Input(
                "the certificate request has the key of the account, which must not certify names".to_owned(),
            ));
        }
        let request = json(&Finalize {
            csr: Some(jose::base64url::encode(csr.der())),
            members,
        });
        let mut last = None;
        for _ in 0..MOST_FINALIZES {
            if self.status() != OrderStatus::Ready {
                break;
            }
            let url = self.object.finalize.clone();
            match self.account.post(&url, &request, "the certificate request").await {
                Ok(answer) => {
                    let object = wire::order(&answer.body).map_err(|what| Error::protocol(&url, what))?;
                    self.replace(object)?;
                    last = Some(answer);
                }
                // The first answer may have been lost, or the order is late: it is read again, not given up (8555-7.4-13).
                Err(error) if error.is(&ProblemType::OrderNotReady) => {
                    let (object, answer) = fetch(&self.account, &self.url).await?;
                    self.replace(object)?;
                    self.wait_while(OrderStatus::Pending, Some(answer), "the order").await?;
                }
                Err(error) => return Err(error),
            }
        }
        self.wait_while(OrderStatus::Processing, last, "the issuance").await?;
        match self.status() {
            OrderStatus::Valid => Ok(()),
            other => Err(Error::protocol(
                &self.url,
                format!("the order is {other:?} after its finalization"),
            )),
        }
    }

    /// The certificate of a valid order. Of several chains the one that leads to `preferred` is taken, if there is one
    /// (RFC 8555 §7.4.2).
    pub async fn download(&self, preferred: Option<&str>) -> Result<(Chain, String), Error> {
        let url = self
            .object
            .certificate
            .clone()
            .ok_or_else(|| Error::protocol(&self.url, "the order is valid but names no certificate"))?;
        let (chain, answer) = self.chain(&url).await?;
        let Some(preferred) = preferred.filter(|name| !chain.leads_to(name)) else {
            return Ok((chain, url));
        };
        for alternate in answer.links("alternate").into_iter().take(MOST_ALTERNATES) {
            let (other, _) = self.chain(&alternate).await?;
            if other.leads_to(preferred) && other.leaf().spki_der() == chain.leaf().spki_der() {
                return Ok((other, alternate));
            }
        }
        tracing::warn!(preferred, "the CA offers no such chain; its first is taken");
        Ok((chain, url))
    }

    async fn chain(&self, url: &str) -> Result<(Chain, Answer), Error> {
        let account = &self.account;
        let answer = account
            .directory()
            .post_accepting(account.signer(), url, b"", "the certificate", acme::PEM_CHAIN)
            .await?;
        let chain = Chain::parse(&answer.body).map_err(|source| Error::Chain {
            url: url.to_owned(),
            source,
        })?;
        Ok((chain, answer))
    }

    /// Reads the order until it has left a status, as seldom as the server likes (8555-7.4-12).
    async fn wait_while(
        &mut self,
        status: OrderStatus,
        mut last: Option<Answer>,
        what: &'static str,
    ) -> Result<(), Error> {
        let directory = self.account.directory().clone();
        let started = directory.clock().now();
        for poll in 0.. {
            if self.status() != status {
                break;
            }
            if let Some(answer) = last.take() {
                directory.pause_before_poll(poll, &answer, started, what).await?;
            }
            let (object, answer) = fetch(&self.account, &self.url).await?;
            self.replace(object)?;
            last = Some(answer);
        }
        match self.status() {
            OrderStatus::Invalid => Err(Error::OrderFailed {
                url: self.url.clone(),
                problem: self.object.error.clone().map(Box::new),
            }),
            _ => Ok(()),
        }
    }

    /// Both arrays are fixed once an order is made, though not their sequence (RFC 8555 §7.1.3).
    fn replace(&mut self, object: acme::Order) -> Result<(), Error> {
        let authorizations = |order: &acme::Order| order.authorizations.iter().cloned().collect::<BTreeSet<_>>();
        if normalized(&object.identifiers) != normalized(&self.object.identifiers) {
            return Err(Error::protocol(
                &self.url,
                "the order has other identifiers than before",
            ));
        }
        if authorizations(&object) != authorizations(&self.object) {
            return Err(Error::protocol(
                &self.url,
                "the order has other authorizations than before",
            ));
        }
        self.object = object;
        Ok(())
    }
}

async fn fetch(account: &Account, url: &str) -> Result<(acme::Order, Answer), Error> {
    let answer = account.get(url, "the order").await?;
    let object = wire::order(&answer.body).map_err(|what| Error::protocol(url, what))?;
    Ok((object, answer))
}

/// What was wrong with each name, so that all can be mended at once.
fn together(mut errors: Vec<Error>) -> Result<(), Error> {
    // What is wrong with the connection or the account says more than what it did to single names.
    if let Some(at) = errors.iter().position(|error| !matches!(error, Error::Unproven(_))) {
        return Err(errors.swap_remove(at));
    }
    let mut failures: Vec<Failure> = Vec::new();
    for error in errors {
        if let Error::Unproven(more) = error {
            failures.extend(more);
        }
    }
    failures.sort_by(|one, other| one.identifier.cmp(&other.identifier));
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Error::Unproven(failures))
    }
}

/// As sets of names in their canonical form; what has none is compared as it stands.
fn normalized(identifiers: &[acme::Identifier]) -> BTreeSet<acme::Identifier> {
    identifiers
        .iter()
        .map(|wire| Identifier::from_wire(wire).map_or_else(|| wire.clone(), |identifier| identifier.to_wire()))
        .collect()
}

fn spki_of(account: &Account) -> Result<Vec<u8>, Error> {
    let key = pkix::key::KeyPair::from_pkcs8_der(&account.key().to_pkcs8_der());
    let key = key.map_err(|error| Error::Input(format!("the account key cannot be used: {error}")))?;
    Ok(key.public_key().spki_der().to_vec())
}

/// Authorizations under way together: enough for speed, few enough for a server's patience.
const AT_ONCE: usize = 16;
const MOST_FINALIZES: usize = 3;
const MOST_ALTERNATES: usize = 10;
