//! revokeCert (RFC 8555 §7.6).

use acme::RevokeCert;
use authority::operations::Requester;
use http::StatusCode;

use crate::{
    Front,
    gate::{Signed, Signer},
    problem::Rejection,
    reply::Reply,
};

pub async fn post(front: &Front, signed: Signed<Signer>) -> Result<Reply, Rejection> {
    let request: RevokeCert = signed.read()?;
    let certificate = jose::base64url::decode(&request.certificate)
        .map_err(|error| Rejection::Payload(format!("\"certificate\" is not base64url without padding: {error}")))?;
    let requester = match signed.signer {
        Signer::Account(account) => Requester::Account(account),
        Signer::Key(key) => Requester::CertificateKey(key.to_spki_der()),
    };
    front.authority.revoke(&requester, &certificate, request.reason).await?;
    Ok(Reply::empty(StatusCode::OK))
}
