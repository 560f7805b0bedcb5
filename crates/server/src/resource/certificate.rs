//! Certificates (RFC 8555 §7.4.2).

use std::sync::Arc;

use authority::{
    Failure,
    model::{Account, CertificateId},
};
use http::StatusCode;

use crate::{Front, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Arc<Account>>, id: CertificateId) -> Result<Reply, Rejection> {
    signed.require_read()?;
    let (record, certificate) = front.authority.certificate(&signed.signer, id).await?;
    let chain = front.authority.issuance().chain(&record.issuer).ok_or_else(|| {
        Failure::Unavailable(format!(
            "issuer {:?} of certificate {} is not configured",
            record.issuer, record.serial
        ))
    })?;
    let whole = std::iter::once(certificate).chain(chain);
    let pem: String = whole.map(|der| pkix::pem::encode_certificate(&der)).collect();
    Ok(Reply::of(StatusCode::OK, acme::PEM_CHAIN, pem))
}
