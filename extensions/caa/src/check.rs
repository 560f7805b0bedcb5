//! The check of an order's names.

use std::{collections::BTreeSet, sync::Arc};

use acme::{Problem, ProblemType};
use authority::{
    identifier::Target,
    model::Evidence,
    ports::{AccountUrl, BoxFuture, PreIssuance, PreIssuanceCheck, Proven},
};
use futures_util::stream::{self, StreamExt};
use tokio::time::timeout;
use validation::{attempt::Clock, resolver::Resolver};

use crate::{
    climb::{Climb, Found, Patience, Unknown},
    decision::{Asked, Objection, Refused, Scope, decide},
    method::label,
};

/// Asks the domains whether they let this authority issue.
pub struct CaaCheck {
    resolver: Arc<dyn Resolver>,
    identities: Vec<String>,
    account_url: AccountUrl,
    clock: Clock,
    patience: Patience,
}

impl CaaCheck {
    /// `identities` are the names by which records mean this authority, in lower case. With none of them, every record
    /// that restricts anything forbids.
    pub fn new(resolver: Arc<dyn Resolver>, identities: Vec<String>, account_url: AccountUrl, clock: Clock) -> Self {
        Self {
            resolver,
            identities,
            account_url,
            clock,
            patience: Patience::default(),
        }
    }

    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    async fn look(&self, request: &PreIssuance<'_>) -> Result<Vec<Evidence>, Problem> {
        let started = (self.clock)();
        let account = (self.account_url)(request.account);
        let subjects: Vec<_> = request.names.iter().filter_map(Subject::of).collect();
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let climb = Climb::new(&*self.resolver, self.patience);
        let looks = subjects.iter().enumerate().map(|(at, subject)| {
            let look = self.one(subject, &account, &climb);
            Box::pin(async move { (at, look.await) }) as BoxFuture<'_, _>
        });
        // Listed, so that every future is of one known type.
        let looks: Vec<_> = looks.collect();
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        let mut outcomes: Vec<_> = subjects.iter().map(|subject| Err(self.too_late(subject))).collect();
        let all = async {
            while let Some((at, outcome)) = looks.next().await {
                outcomes[at] = outcome;
            }
        };
        // Whatever is not known by then stays as it is.
        let _ = timeout(self.patience.whole, all).await;
        let problems: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
        if !problems.is_empty() {
            return Err(together(problems, subjects.len()));
        }
        Ok(vec![Evidence {
            method: NAME.to_owned(),
            perspective: LOCAL.to_owned(),
            started,
            finished: (self.clock)(),
            observations: climb.observations(),
        }])
    }

    fn too_late(&self, subject: &Subject<'_>) -> Problem {
        let (name, whole) = (subject.shown, self.patience.whole.as_secs_f32());
        let detail = format!("Whether CAA permits {name} was not known after {whole} s; finalize again");
        Problem::new(ProblemType::Dns, detail).about(subject.proven.name.identifier().clone())
    }

    /// `Err` is a subproblem about the name.
    async fn one(&self, subject: &Subject<'_>, account: &str, climb: &Climb<'_>) -> Result<(), Problem> {
        let method = label(subject.proven.method);
        let asked = Asked {
            scope: subject.scope,
            identities: &self.identities,
            account,
            method: &method,
        };
        let problem = match climb.from(subject.domain).await {
            Ok(None) => return Ok(()),
            Ok(Some(found)) => match decide(&found.records, &asked) {
                Ok(_) => return Ok(()),
                Err(refused) => Problem::new(ProblemType::Caa, forbidden(subject.shown, &found, &refused, &asked)),
            },
            Err(unknown) => Problem::new(ProblemType::Dns, not_known(subject.shown, &unknown)),
        };
        Err(problem.about(subject.proven.name.identifier().clone()))
    }
}

impl PreIssuanceCheck for CaaCheck {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check<'a>(&'a self, request: &'a PreIssuance<'a>) -> BoxFuture<'a, Result<Vec<Evidence>, Problem>> {
        Box::pin(self.look(request))
    }
}

/// A name of the order that has a domain to ask.
struct Subject<'a> {
    proven: &'a Proven<'a>,
    domain: &'a str,
    scope: Scope,
    /// As the order has it.
    shown: &'a str,
}

impl<'a> Subject<'a> {
    /// `None` for what CAA says nothing about: addresses (RFC 8738 §4.3), and names that are not in the DNS.
    fn of(proven: &'a Proven<'a>) -> Option<Self> {
        let (scope, domain) = match proven.name.target() {
            Target::Host(domain) if proven.name.is_wildcard() => (Scope::Wildcard, domain),
            Target::Host(domain) | Target::Service { domain, .. } => (Scope::Name, domain),
            Target::Mailbox { domain } => (Scope::Mail, domain),
            Target::Address(_) | Target::None => return None,
        };
        let shown = &proven.name.identifier().value;
        Some(Self {
            proven,
            domain,
            scope,
            shown,
        })
    }
}

/// What forbids, where it stands, and what would permit.
fn forbidden(name: &str, found: &Found, refused: &[Refused], asked: &Asked<'_>) -> String {
    let at = &found.at;
    let mut listed: Vec<_> = refused.iter().take(LISTED).map(ToString::to_string).collect();
    if let Some(more) = refused.len().checked_sub(LISTED + 1) {
        listed.push(format!("and {} more", more + 1));
    }
    let listed = listed.join("; ");
    format!("CAA at {at} forbids {name}: {listed}. {}", remedy(at, refused, asked))
}

fn remedy(at: &str, refused: &[Refused], asked: &Asked<'_>) -> String {
    let any = |test: fn(&Objection) -> bool| refused.iter().any(|refused| test(&refused.why));
    if any(|why| matches!(why, Objection::Critical | Objection::Unreadable(_))) {
        return format!("To permit it, correct or remove this at {at}");
    }
    let Some(identity) = asked.identities.first() else {
        return "This authority has no name that a record could permit it by".to_owned();
    };
    let tags: BTreeSet<_> = refused.iter().map(|refused| refused.tag.as_str()).collect();
    let tag = tags.first().copied().unwrap_or(asked.scope.tag());
    let (account, method) = (asked.account, asked.method);
    let (parameters, otherwise) = if any(|why| matches!(why, Objection::AnotherAccount | Objection::Accounts)) {
        (format!("; accounturi={account}"), "")
    } else if any(|why| {
        matches!(
            why,
            Objection::AnotherMethod(_) | Objection::NoMethod | Objection::MethodList
        )
    }) {
        let parameters = format!("; validationmethods={method}");
        (
            parameters,
            ", or prove control by a method that is permitted, in a new order",
        )
    } else {
        (String::new(), "")
    };
    format!("To permit it, publish {at}. CAA 0 {tag} \"{identity}{parameters}\"{otherwise}")
}

/// RFC 8659 §3: a certificate that a record might forbid is not issued.
fn not_known(name: &str, unknown: &Unknown) -> String {
    format!(
        "Whether CAA permits {name} is not known: {unknown}. Nothing is issued until the DNS answers; finalize again then"
    )
}

fn together(problems: Vec<Problem>, names: usize) -> Problem {
    Problem::of_several(problems, |count| {
        format!("CAA keeps {count} of the order's {names} names from being issued for; each has a subproblem")
    })
}

const NAME: &str = "caa";
/// The perspective of this process.
const LOCAL: &str = "local";
/// Names under way at once: a full order of a hundred is done in a dozen rounds, and a recursor sees no flood.
const AT_ONCE: usize = 8;
/// Records named in one refusal.
const LISTED: usize = 4;
