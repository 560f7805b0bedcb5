//! keyChange (RFC 8555 §7.3.5).

use std::sync::Arc;

use acme::KeyChange;
use authority::model::Account;
use http::StatusCode;
use jose::{Jwk, Jws, KeyReference};

use super::account;
use crate::{
    Front, Resource,
    gate::{self, Signed, excerpt},
    problem::Rejection,
    reply::Reply,
};

pub async fn post(front: &Front, signed: Signed<Arc<Account>>) -> Result<Reply, Rejection> {
    let new = read_inner(front, &signed)?;
    let account = front.authority.change_key(signed.signer, new).await?;
    Ok(account::show(front, &account, StatusCode::OK))
}

/// The new key, if its holder says that it is to replace the account's.
fn read_inner(front: &Front, signed: &Signed<Arc<Account>>) -> Result<Jwk, Rejection> {
    let wrong = |why: String| Rejection::Payload(format!("the inner JWS: {why}"));
    let inner = Jws::parse(signed.payload()).map_err(Rejection::InnerJws)?;
    let header = inner.header();
    if header.nonce.is_some() {
        return Err(wrong("it has a \"nonce\", which belongs in the outer one only".into()));
    }
    let expected = front.links.url(Resource::KeyChange);
    if header.url != expected {
        let seen = excerpt(&header.url);
        return Err(wrong(format!(
            "its \"url\" is {seen:?}; the outer one's is {expected:?}"
        )));
    }
    let KeyReference::Jwk(new) = header.key.clone() else {
        return Err(wrong(
            "it is signed with \"kid\"; the new key belongs in \"jwk\"".into(),
        ));
    };
    let payload = inner
        .verify(&new.verifier())
        .map_err(|error| wrong(error.to_string()))?;
    let change: KeyChange = gate::object(payload.as_bytes()).map_err(|why| wrong(format!("its payload {why}")))?;
    let account = front.account_url(signed.signer.id);
    if change.account != account {
        let seen = excerpt(&change.account);
        return Err(wrong(format!(
            "its \"account\" is {seen:?}; the outer \"kid\" is {account:?}"
        )));
    }
    let old = Jwk::parse(&change.old_key.to_string()).map_err(|error| wrong(format!("its \"oldKey\": {error}")))?;
    if old.thumbprint() != signed.signer.key.thumbprint() {
        return Err(wrong("its \"oldKey\" is not the key that the account has now".into()));
    }
    Ok(new)
}
