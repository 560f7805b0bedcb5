//! Placing the order, and placing it again where the CA wants it otherwise.

use std::sync::Arc;

use acme::{OrderStatus, ProblemType};
use serde_json::Value;

use super::{
    Request,
    prepared::{Prepared, PreparedKey},
};
use crate::{
    account::Account,
    accounts, ancestor, ari,
    directory::Directory,
    error::Error,
    identifier::Identifier,
    order::{Order, OrderOptions},
    printable::printable,
    progress::Event,
    store::{Ahead, CertificateName, Store},
};

/// Orders; once more if the server has lost the account, and once more without what it refuses.
pub(super) async fn order(
    request: &Request,
    store: &Store,
    mut account: Account,
    wanted: &Prepared,
    name: &CertificateName,
) -> Result<(Account, Order, Option<Ahead>), Error> {
    let mut identifiers = wanted.identifiers.clone();
    let mut options = options(request, account.directory()).await?;
    let mut csr_first = account.directory().wants_csr_first().await?;
    let mut is_registered_again = false;
    let mut may_skip = request.skip_rejected && matches!(wanted.key, PreparedKey::Make { .. });
    loop {
        let mut ahead = match csr_first {
            true => Some(wanted.ahead(&identifiers, store, name, &request.server).await?),
            false => None,
        };
        let error = match place(&account, &identifiers, options.clone(), ahead.as_mut()).await {
            Ok(order) => return Ok((account, order, ahead)),
            Err(error) => error,
        };
        if error.wants_csr_first() && !csr_first {
            csr_first = true;
            continue;
        }
        if error.is(&ProblemType::AccountDoesNotExist) && !is_registered_again {
            is_registered_again = true;
            let key = Arc::clone(account.key());
            account = accounts::register_again(
                store,
                account.directory(),
                key,
                &request.registration,
                &request.progress,
            )
            .await?;
            continue;
        }
        if options.replaces.is_some() && may_be_about_replaces(&error) {
            tracing::warn!(%error, "ordering again without saying what is replaced");
            options.replaces = None;
            continue;
        }
        let rejected = error.rejected_identifiers();
        let accepted: Vec<Identifier> = identifiers
            .iter()
            .filter(|identifier| !rejected.contains(identifier))
            .cloned()
            .collect();
        if !may_skip || accepted.is_empty() || accepted.len() == identifiers.len() {
            return Err(error);
        }
        may_skip = false;
        (request.progress)(&Event::LeftOut { identifiers: rejected });
        identifiers = accepted;
    }
}

/// What is asked for beside names, as far as the CA knows of it.
async fn options(request: &Request, directory: &Directory) -> Result<OrderOptions, Error> {
    if let Some(profile) = &request.profile {
        let meta = directory.resources().await?.meta;
        let offered = meta.members.get("profiles").and_then(Value::as_object);
        let offered =
            offered.ok_or_else(|| Error::Input("the CA offers no profiles: leave out --profile".to_owned()))?;
        if !offered.contains_key(profile) {
            let names: Vec<_> = offered.iter().map(|(name, what)| format!("{name} ({what})")).collect();
            let what = format!("the CA has no profile {profile:?}; it has {}", names.join(", "));
            return Err(Error::Input(printable(&what)));
        }
    }
    if !request.ancestors.is_empty() {
        let meta = directory.resources().await?.meta;
        if meta.members.get(ancestor::COVERS) != Some(&Value::Bool(true)) {
            return Err(Error::Input(
                "the CA authorizes no subdomains (RFC 9444): leave out --ancestor".to_owned(),
            ));
        }
    }
    // RFC 9773 §5: only to a CA that says it knows.
    let replaces = match &request.replaces {
        Some(id) if ari::renewal_info(directory).await?.is_some() => Some(id.clone()),
        _ => None,
    };
    Ok(OrderOptions {
        validity: request.validity,
        profile: request.profile.clone(),
        replaces,
        ancestors: request.ancestors.clone(),
    })
}

/// CAs refuse it in many words, and a renewal must not fail for it (CLIENTS 2, row 15): unless the refusal is clearly about
/// something else, it counts.
fn may_be_about_replaces(error: &Error) -> bool {
    let Error::Refused(refusal) = error else {
        return false;
    };
    let is_about_else = refusal.problem.as_ref().is_some_and(|problem| {
        matches!(
            problem.kind,
            ProblemType::AccountDoesNotExist
                | ProblemType::Compound
                | ProblemType::ExternalAccountRequired
                | ProblemType::InvalidProfile
                | ProblemType::RejectedIdentifier
                | ProblemType::UnsupportedIdentifier
        ) || !problem.subproblems.is_empty()
    });
    refusal.status < 500 && !is_about_else
}

/// Places an order, or takes up the one that was placed with this request before.
async fn place(
    account: &Account,
    identifiers: &[Identifier],
    options: OrderOptions,
    ahead: Option<&mut Ahead>,
) -> Result<Order, Error> {
    let Some(ahead) = ahead else {
        return Order::create(account, identifiers, options).await;
    };
    if let Some(url) = ahead.order() {
        match Order::bind(account, url).await {
            Ok(order) if order.status() != OrderStatus::Invalid => {
                return Ok(order.with_ancestors(options.ancestors));
            }
            // It is over, or the CA has lost it.
            Ok(_) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let order = Order::create_for(account, ahead.csr(), options).await?;
    ahead.ordered(order.url())?;
    Ok(order)
}
