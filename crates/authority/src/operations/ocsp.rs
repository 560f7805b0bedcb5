//! Answers about single certificates (RFC 6960), from the same facts as the lists.

use jiff::Timestamp;
use pkix::{
    certificate::Serial,
    crl::Reason,
    ocsp::{OcspRequest, SingleResponse, Status, Unsuccessful},
};

use super::{Authority, later};
use crate::{
    Failure,
    model::CertificateState,
    ports::{CrlIssuer, IssuanceFailure},
};

/// An OCSPResponse in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspAnswer {
    pub der: Vec<u8>,
    /// thisUpdate and nextUpdate, between which caches may keep it; nothing for one that says nothing.
    pub validity: Option<(Timestamp, Timestamp)>,
}

impl Authority {
    /// `None` if there is no such issuer here.
    pub async fn ocsp(&self, issuer: &str, request: &[u8]) -> Option<OcspAnswer> {
        let now = self.now();
        let issuers = self.issuance.crl_issuers(now);
        let issuer = issuers.into_iter().find(|known| known.name == issuer)?;
        let answer = self.answer(&issuer, request, now).await;
        Some(answer.unwrap_or_else(|unsuccessful| OcspAnswer {
            der: unsuccessful.to_der(),
            validity: None,
        }))
    }

    async fn answer(&self, issuer: &CrlIssuer, request: &[u8], now: Timestamp) -> Result<OcspAnswer, Unsuccessful> {
        let request = OcspRequest::parse(request).map_err(|error| {
            tracing::debug!(%error, "an OCSP request was refused");
            Unsuccessful::MalformedRequest
        })?;
        let next_update = later(now, issuer.lifetime);
        let (mut responses, mut any_is_ours) = (Vec::new(), false);
        for certificate in request.certificates {
            let serial = self.issuance.serial_asked(&issuer.name, &certificate);
            any_is_ours |= serial.is_some();
            let status = match serial {
                Some(serial) => self.status_of(issuer, serial, now).await.map_err(|failure| {
                    tracing::warn!(%failure, "an OCSP request was not answered");
                    Unsuccessful::TryLater
                })?,
                None => Status::Unknown,
            };
            responses.push(SingleResponse {
                certificate,
                status,
                this_update: now,
                next_update,
            });
        }
        if !any_is_ours {
            return Err(Unsuccessful::Unauthorized);
        }
        let signed = self
            .issuance
            .sign_ocsp(&issuer.name, responses, request.nonce, now)
            .await;
        let der = signed.map_err(|failure: IssuanceFailure| {
            tracing::error!(issuer = issuer.name, %failure, "an OCSP response was not signed");
            Unsuccessful::InternalError
        })?;
        Ok(OcspAnswer {
            der,
            validity: Some((now, next_update)),
        })
    }

    /// Good is said only of what was issued (Baseline Requirements 4.9.10).
    async fn status_of(&self, issuer: &CrlIssuer, serial: &Serial, now: Timestamp) -> Result<Status, Failure> {
        let record = self.store.certificate_by_serial(serial.clone()).await?;
        let Some(record) = record.filter(|record| record.issuer == issuer.name) else {
            return Ok(Status::Unknown);
        };
        Ok(match (&record.revoked, &record.state) {
            (Some(revocation), _) => Status::Revoked {
                at: revocation.at.min(now),
                reason: revocation
                    .reason
                    .and_then(|reason| Reason::from_code(u8::try_from(reason.code()).ok()?)),
            },
            (None, CertificateState::Issued { .. }) => Status::Good,
            (None, CertificateState::Planned { .. } | CertificateState::Abandoned) => Status::Unknown,
        })
    }
}
