//! A certificate by its name in URLs (RFC 9773 §4.1).

use std::sync::Arc;

use acme::RenewalId;
use authority::{
    Failure,
    model::{CertificateRecord, CertificateState},
    ports::Store,
};
use pkix::certificate::{Certificate, Serial};

/// The record with the certificate in it; `None` where there is none of this name. One that is planned is none yet.
pub async fn find(store: &dyn Store, id: &RenewalId) -> Result<Option<(Arc<CertificateRecord>, Certificate)>, Failure> {
    // What no certificate can have, none of ours has.
    let Ok(serial) = Serial::from_der_content(id.serial()) else {
        return Ok(None);
    };
    let Some(record) = store.certificate_by_serial(serial).await? else {
        return Ok(None);
    };
    let CertificateState::Issued { certificate } = &record.state else {
        return Ok(None);
    };
    let certificate = Certificate::parse(certificate)
        .map_err(|error| Failure::Unavailable(format!("certificate {}: {error}", record.serial)))?;
    // Serials repeat between issuers of others: both halves must fit.
    match certificate.authority_key_identifier() == Some(id.key_identifier()) {
        true => Ok(Some((record, certificate))),
        false => Ok(None),
    }
}
