//! Signing answers about single certificates (RFC 6960): directly by the issuer, which needs no other key for it.

use authority::ports::IssuanceFailure;
use jiff::Timestamp;
use pkix::{
    certificate::Serial,
    ocsp::{self, CertId, ResponseData, SingleResponse, Status},
};

use crate::Issuer;

impl Issuer {
    /// The serial number that is asked about, `None` if it is not one of this issuer.
    pub fn serial_asked<'a>(&self, certificate: &'a CertId) -> Option<&'a Serial> {
        certificate.serial_under(self.hashes())
    }

    /// The signed response, DER. Nothing is signed that the lint of responses has anything against.
    pub fn sign_ocsp(
        &self,
        responses: Vec<SingleResponse>,
        nonce: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Vec<u8>, IssuanceFailure> {
        self.require_unexpired(now)?;
        let data = ResponseData {
            responder: self.hashes().responder(),
            produced_at: now,
            responses,
            nonce,
        };
        let bytes = data.to_der();
        self.lint(&bytes, &data, now)
            .map_err(|what| IssuanceFailure::Refused(format!("the OCSP response would not be right: {what}")))?;
        Ok(ocsp::assemble(&bytes, self.algorithm(), &self.sign_bytes(&bytes)))
    }

    /// What is about to be signed is read anew, so that a fault of the code that wrote it is found as well.
    fn lint(&self, bytes: &[u8], meant: &ResponseData, now: Timestamp) -> Result<(), String> {
        let read = ResponseData::from_der(bytes).map_err(|error| error.to_string())?;
        if read.responses.is_empty() {
            return Err("it answers nothing".into());
        }
        for single in &read.responses {
            // T42
            if single.this_update > now {
                return Err(format!("thisUpdate {} is later than now, {now}", single.this_update));
            }
            if single.next_update <= single.this_update {
                return Err(format!(
                    "nextUpdate {} is not later than thisUpdate",
                    single.next_update
                ));
            }
            if single.status != Status::Unknown && self.serial_asked(&single.certificate).is_none() {
                return Err("it speaks about a certificate of another issuer".into());
            }
            if let Status::Revoked { at, .. } = single.status
                && at > single.this_update
            {
                return Err(format!("revocation at {at} is after thisUpdate"));
            }
        }
        let says_the_same = read.nonce == meant.nonce
            && read.responder == meant.responder
            && read.responses.len() == meant.responses.len()
            && read.responses.iter().zip(&meant.responses).all(|(read, meant)| {
                read.certificate == meant.certificate && without_time(read.status) == without_time(meant.status)
            });
        match says_the_same {
            true => Ok(()),
            false => Err("the bytes do not say what was meant".into()),
        }
    }
}

/// Fractions of seconds are not written.
fn without_time(status: Status) -> Status {
    match status {
        Status::Revoked { reason, .. } => Status::Revoked {
            at: Timestamp::UNIX_EPOCH,
            reason,
        },
        other => other,
    }
}
