//! revokeCert (RFC 8555 §7.6).

use std::sync::Arc;

use acme::{AuthorizationStatus, RevocationReason};
use jiff::Timestamp;
use pkix::certificate::Certificate;

use super::Authority;
use crate::{
    Failure, Refusal,
    identifier::Name,
    model::{Account, CertificateRecord, CertificateState, Revocation},
    ports::{Change, Committed, Subject},
};

/// Who asks, as the signature on the request proved it.
#[derive(Debug)]
pub enum Requester {
    Account(Arc<Account>),
    /// The holder of this key, SubjectPublicKeyInfo in DER.
    CertificateKey(Vec<u8>),
}

impl Authority {
    pub async fn revoke(&self, requester: &Requester, der: &[u8], reason: Option<u64>) -> Result<(), Failure> {
        let certificate = Certificate::parse(der)
            .map_err(|error| Refusal::Malformed(format!("\"certificate\" cannot be read: {error}")))?;
        let reason = admit_reason(reason)?;
        loop {
            let record = self.store.certificate_by_serial(certificate.serial().clone()).await?;
            let record = self.ours(record, &certificate)?;
            self.admit(requester, &record, &certificate, reason).await?;
            self.revoke_at_back_end(&record, reason).await?;
            let revoke = Change::Revoke {
                id: record.id,
                version: record.version,
                revocation: decide(&record, requester, reason, self.now())?,
            };
            let blocks = match reason {
                Some(RevocationReason::KeyCompromise) => self.block(&record).await?,
                _ => Vec::new(),
            };
            if self.store.commit(revoke.and(blocks)).await? == Committed::Done {
                self.changes.changed(Subject::Revocations);
                return Ok(());
            }
        }
    }

    /// RFC 8555 §7.6: the certificate's key, the issuing account, or an account with authorizations for every name.
    async fn admit(
        &self,
        requester: &Requester,
        record: &CertificateRecord,
        certificate: &Certificate,
        reason: Option<RevocationReason>,
    ) -> Result<(), Failure> {
        let account = match requester {
            Requester::CertificateKey(spki) if *spki == certificate.spki_der() => return Ok(()),
            Requester::CertificateKey(_) => {
                return Err(Refusal::Unauthorized(
                    "the request is signed by another key than the certificate's".into(),
                )
                .into());
            }
            Requester::Account(account) if account.id == record.account => return Ok(()),
            Requester::Account(account) => account,
        };
        for name in self.names_of(certificate)? {
            if !self.holds(account, &name).await? {
                let detail = format!("this account holds no valid authorization for {}", name.identifier());
                return Err(Refusal::Unauthorized(detail).into());
            }
        }
        if reason == Some(RevocationReason::KeyCompromise) {
            // Holding the names proves nothing about the key.
            let detail =
                "keyCompromise is taken from the issuing account or from whoever signs with the certificate's key";
            return Err(Refusal::BadRevocationReason(detail.into()).into());
        }
        Ok(())
    }

    /// The very bytes that were issued: a precertificate or a changed signature is something else (8555-7.6-10). Of what
    /// may have been signed no signature is on record, and any that the issuer made will do.
    fn ours(
        &self,
        record: Option<Arc<CertificateRecord>>,
        shown: &Certificate,
    ) -> Result<Arc<CertificateRecord>, Refusal> {
        let record = record.ok_or(Refusal::NotFound)?;
        let is_ours = match &record.state {
            CertificateState::Issued { certificate } => certificate == shown.der(),
            CertificateState::Planned { .. } | CertificateState::Abandoned => {
                record.to_be_signed == shown.tbs_der() && self.is_signed_by(&record.issuer, shown)
            }
        };
        is_ours.then_some(record).ok_or(Refusal::NotFound)
    }

    fn is_signed_by(&self, issuer: &str, certificate: &Certificate) -> bool {
        let chains = self.issuance.chains(issuer);
        let issuer = chains.first().and_then(|chain| Certificate::parse(chain.first()?).ok());
        let key = issuer.and_then(|issuer| issuer.public_key().ok());
        key.is_some_and(|key| certificate.verify_signed_by(&key).is_ok())
    }

    fn names_of(&self, certificate: &Certificate) -> Result<Vec<Name>, Failure> {
        let names =
            certificate
                .names()
                .iter()
                .map(|general_name| match self.registry.read_general_name(general_name) {
                    Some(Ok(name)) => Ok(name),
                    _ => Err(Failure::Refused(Refusal::Unauthorized(format!(
                        "no authorization can cover {general_name}"
                    )))),
                });
        names.collect()
    }

    /// Whether the account has a valid authorization for exactly this name; a wildcard needs a wildcard's.
    async fn holds(&self, account: &Account, name: &Name) -> Result<bool, Failure> {
        let now = self.now();
        let candidates = self
            .store
            .authorizations_for(account.id, name.base().clone(), CANDIDATES)
            .await?;
        Ok(candidates.iter().any(|candidate| {
            candidate.status(now) == AuthorizationStatus::Valid && candidate.wildcard == name.is_wildcard()
        }))
    }
}

/// How many of the newest authorizations for a name are looked at.
const CANDIDATES: usize = 1000;

fn admit_reason(code: Option<u64>) -> Result<Option<RevocationReason>, Refusal> {
    let Some(code) = code else { return Ok(None) };
    match RevocationReason::from_code(code) {
        // RFC 5280 §5.3.1: unspecified is the same as absent, and absent is preferred.
        Some(RevocationReason::Unspecified) => Ok(None),
        Some(RevocationReason::PrivilegeWithdrawn) | None => Err(Refusal::BadRevocationReason(format!(
            "reason {code} is not accepted; 0 (unspecified), 1 (keyCompromise), 3 (affiliationChanged), 4 (superseded) \
             and 5 (cessationOfOperation) are"
        ))),
        reason => Ok(reason),
    }
}

/// The revocation as it will be: the first, or, when the key's holder says so, the same one for the key's compromise.
fn decide(
    record: &CertificateRecord,
    requester: &Requester,
    reason: Option<RevocationReason>,
    now: Timestamp,
) -> Result<Revocation, Refusal> {
    const COMPROMISE: Option<RevocationReason> = Some(RevocationReason::KeyCompromise);
    let revocation = match record.revoked {
        None => Revocation { at: now, reason },
        // INCIDENTS T28: the reason may move to this one and nowhere else; since when it was revoked stays.
        Some(before)
            if reason == COMPROMISE
                && before.reason != COMPROMISE
                && matches!(requester, Requester::CertificateKey(_)) =>
        {
            Revocation { reason, ..before }
        }
        Some(_) => return Err(Refusal::AlreadyRevoked),
    };
    if record.not_after < now {
        return Err(Refusal::Malformed(format!(
            "the certificate expired at {}; nothing is left to revoke",
            record.not_after
        )));
    }
    Ok(revocation)
}
