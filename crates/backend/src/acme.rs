//! Another ACME authority as issuer: names are proved here by the subscriber, ordered and proved there by this server.
//!
//! The order there is noted with the order here before it is worked on: whoever comes after a crash, or on another node,
//! goes on with it, and of two that made one at the same time one is noted and the other is left to expire.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::acme::{OrderStatus, ProblemType as Kind, RevocationReason};
use authority::ports::{Answer, BackEnd, BackEndFailure, BackEndRequest, BoxFuture, Notes};
use client::{
    Account, Csr, Directory, Error, Order, OrderOptions, Registration, RetryPolicy, SolverSettings, SystemClock,
    Transport, TransportSettings, Trust, Validity, silent,
};
use jose::SigningKey;
use tokio::sync::Mutex as AsyncMutex;

/// `kind = "acme"`.
pub struct Relay {
    directory: Directory,
    key: Arc<SigningKey>,
    agrees_to_terms: bool,
    solvers: Vec<SolverSettings>,
    patience: Duration,
    account: AsyncMutex<Option<Account>>,
    /// Keys that are worked on by this process.
    busy: Mutex<HashSet<String>>,
}

/// Whom to ask, as whom, and how names are proved to them.
pub struct RelaySettings {
    /// The URL of the directory.
    pub server: String,
    /// Roots of the server's own certificate; the machine's without it.
    pub ca_bundle: Option<PathBuf>,
    pub account_key: SigningKey,
    pub agrees_to_terms: bool,
    pub solvers: Vec<SolverSettings>,
    pub patience: Duration,
}

impl Relay {
    /// Nothing is asked before there is an order. `Err` says why nothing could be.
    pub fn new(settings: RelaySettings) -> Result<Self, String> {
        let transport = TransportSettings {
            trust: settings.ca_bundle.map_or(Trust::Platform, Trust::Bundle),
            ..TransportSettings::default()
        };
        let transport = Transport::new(transport).map_err(|error| error.to_string())?;
        let policy = RetryPolicy {
            // Whoever asked comes again.
            attempts: 3,
            patience: POLLED_FOR,
            ..RetryPolicy::default()
        };
        Ok(Self {
            directory: Directory::new(settings.server, transport, policy, Arc::new(SystemClock)),
            key: Arc::new(settings.account_key),
            agrees_to_terms: settings.agrees_to_terms,
            solvers: settings.solvers,
            patience: settings.patience,
            account: AsyncMutex::default(),
            busy: Mutex::default(),
        })
    }

    /// Registered when it is first needed; a key that has an account gets that one (RFC 8555 §7.3).
    async fn account(&self) -> Result<Account, Error> {
        let mut known = self.account.lock().await;
        if let Some(account) = &*known {
            return Ok(account.clone());
        }
        let registration = Registration {
            terms_of_service_agreed: self.agrees_to_terms,
            ..Registration::default()
        };
        let account = Account::create(&self.directory, Arc::clone(&self.key), &registration).await?;
        *known = Some(account.clone());
        Ok(account)
    }

    async fn relay(&self, request: &BackEndRequest, notes: &dyn Notes) -> Result<Answer, Fault> {
        let csr =
            Csr::read(&request.csr).map_err(|error| Fault::refused(format!("the CSR cannot be relayed: {error}")))?;
        let account = self.account().await?;
        let mut order = match notes.read().await? {
            Some(url) => Order::bind(&account, &url).await?,
            None => {
                let validity = Validity {
                    not_before: request.not_before,
                    not_after: request.not_after,
                };
                let options = OrderOptions {
                    validity,
                    ..OrderOptions::default()
                };
                let order = match self.directory.wants_csr_first().await? {
                    true => Order::create_for(&account, &csr, options).await?,
                    false => Order::create(&account, csr.identifiers(), options).await?,
                };
                notes.write(order.url()).await?;
                order
            }
        };
        if order.status() == OrderStatus::Pending {
            let mut solvers = Vec::new();
            for settings in &self.solvers {
                solvers.push(settings.start(None).await.map_err(Error::from)?);
            }
            let solved = order.solve(&solvers, &silent()).await;
            for solver in solvers {
                solver.close().await;
            }
            solved?;
        }
        order.finalize(&csr).await?;
        let (chain, _) = order.download(None).await?;
        let chain = pkix::pem::parse_chain(&chain.full_pem());
        Ok(Answer::Chain(chain.map_err(|error| Fault::away(error.to_string()))?))
    }
}

/// A failure, and whether it may pass.
struct Fault(BackEndFailure);

impl Fault {
    fn refused(why: String) -> Self {
        Self(BackEndFailure::Refused(why))
    }

    fn away(why: String) -> Self {
        Self(BackEndFailure::Unavailable(why))
    }
}

impl From<BackEndFailure> for Fault {
    fn from(failure: BackEndFailure) -> Self {
        Self(failure)
    }
}

/// What the server there decided about this order is for good; what it says of our account, and what went wrong on the
/// way, is the operator's to mend.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let why = error.to_string();
        let of_the_order = [
            Kind::BadCsr,
            Kind::Caa,
            Kind::RejectedIdentifier,
            Kind::UnsupportedIdentifier,
            Kind::Compound,
        ];
        match &error {
            Error::OrderFailed { .. } | Error::Unproven(_) => Self::refused(why),
            error if of_the_order.iter().any(|kind| error.is(kind)) => Self::refused(why),
            _ => Self::away(why),
        }
    }
}

impl BackEnd for Relay {
    /// An order there is made when there is a CSR that is issued from, not before.
    fn submit<'a>(&'a self, _request: &'a BackEndRequest) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        Box::pin(async { Ok(()) })
    }

    fn issue<'a>(
        &'a self,
        request: &'a BackEndRequest,
        notes: &'a dyn Notes,
    ) -> BoxFuture<'a, Result<Answer, BackEndFailure>> {
        Box::pin(async move {
            let Some(_turn) = Turn::take(&self.busy, &request.key) else {
                return Ok(Answer::Later(POLLED_FOR));
            };
            match self.relay(request, notes).await {
                Ok(answer) => Ok(answer),
                Err(Fault(failure)) => Err(failure),
            }
        })
    }

    /// An order there that is not finalized expires (RFC 8555 §7.1.6); there is no word for giving it up.
    fn abandon<'a>(&'a self, _key: &'a str) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        Box::pin(async { Ok(()) })
    }

    fn revoke<'a>(
        &'a self,
        _key: &'a str,
        certificate: &'a [u8],
        reason: Option<RevocationReason>,
    ) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        Box::pin(async move {
            let revoked = async { self.account().await?.revoke(certificate, reason).await };
            revoked.await.map_err(|error: Error| match error {
                Error::Refused(refusal) if refusal.status < 500 => BackEndFailure::Refused(refusal.to_string()),
                error => BackEndFailure::Unavailable(error.to_string()),
            })
        })
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

/// One at a time for each key: a slow proof may outlast the lease on the work.
struct Turn<'a> {
    busy: &'a Mutex<HashSet<String>>,
    key: String,
}

impl<'a> Turn<'a> {
    fn take(busy: &'a Mutex<HashSet<String>>, key: &str) -> Option<Self> {
        let is_free = busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned());
        is_free.then(|| Self {
            busy,
            key: key.to_owned(),
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

/// How long one question waits for the server there before it is asked again.
const POLLED_FOR: Duration = Duration::from_secs(20);
