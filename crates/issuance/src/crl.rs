//! Signing an issuer's lists of revoked certificates (RFC 5280 §5).

use authority::ports::{CrlContents, IssuanceFailure};
use jiff::Timestamp;
use pkix::crl::{self, Scope, TbsCrl};

use crate::Issuer;

impl Issuer {
    /// The signed list, DER. Nothing is signed that the lint of lists has anything against.
    pub fn sign_crl(&self, contents: CrlContents, now: Timestamp) -> Result<Vec<u8>, IssuanceFailure> {
        self.require_unexpired(now)?;
        let Some(urls) = &self.urls().crl else {
            return Err(IssuanceFailure::Unavailable(format!(
                "the issuer {:?} has no URL for its CRLs; set server.public_http",
                self.name()
            )));
        };
        let tbs = TbsCrl {
            signature_algorithm: self.algorithm(),
            issuer: self.subject().clone(),
            this_update: contents.this_update,
            next_update: contents.next_update,
            number: contents.number,
            authority_key_identifier: self.key_identifier().to_vec(),
            scope: Scope {
                distribution_point: Some(urls.url(contents.shard)),
                // What an issuer of ours signs under a profile is never another authority.
                user_certificates_only: true,
            },
            revoked: contents.revoked,
        };
        let refused = |what: String| IssuanceFailure::Refused(format!("the CRL would not be right: {what}"));
        let bytes = tbs.to_der().map_err(|error| refused(error.to_string()))?;
        lint(&bytes, &tbs, now).map_err(refused)?;
        Ok(crl::assemble(&bytes, self.algorithm(), &self.sign_bytes(&bytes)))
    }
}

/// What is about to be signed is read anew, so that a fault of the code that wrote it is found as well.
fn lint(bytes: &[u8], meant: &TbsCrl, now: Timestamp) -> Result<(), String> {
    let read = TbsCrl::from_der(bytes).map_err(|error| error.to_string())?;
    let whole_seconds = |time: Timestamp| time.as_second();
    // T42: a list from the future is one that relying parties do not take yet.
    if whole_seconds(read.this_update) > whole_seconds(now) {
        return Err(format!("thisUpdate {} is later than now, {now}", read.this_update));
    }
    if read.next_update <= read.this_update {
        return Err(format!(
            "nextUpdate {} is not later than thisUpdate {}",
            read.next_update, read.this_update
        ));
    }
    if read.number == 0 {
        return Err("the number is 0, which is before the first".into());
    }
    let mut pairs = meant.revoked.iter().zip(meant.revoked.iter().skip(1));
    if let Some((first, second)) = pairs.find(|(first, second)| first.serial >= second.serial) {
        return Err(format!(
            "the serial numbers {} and {} are not in ascending order",
            first.serial, second.serial
        ));
    }
    if let Some(entry) = read.revoked.iter().find(|entry| entry.revoked > read.this_update) {
        return Err(format!(
            "{} is revoked at {}, after thisUpdate",
            entry.serial, entry.revoked
        ));
    }
    let says_the_same = read.number == meant.number
        && read.scope == meant.scope
        && read.issuer == meant.issuer
        && read.authority_key_identifier == meant.authority_key_identifier
        && read.signature_algorithm == meant.signature_algorithm
        && whole_seconds(read.this_update) == whole_seconds(meant.this_update)
        && whole_seconds(read.next_update) == whole_seconds(meant.next_update)
        && read.revoked.len() == meant.revoked.len()
        && read.revoked.iter().zip(&meant.revoked).all(|(read, meant)| {
            read.serial == meant.serial
                && read.reason == meant.reason
                && whole_seconds(read.revoked) == whole_seconds(meant.revoked)
        });
    match says_the_same {
        true => Ok(()),
        false => Err("the bytes do not say what was meant".into()),
    }
}
