//! Issuers and their keys, profiles, lint, signature; their CRLs and OCSP responses.
//!
//! In scope: turning a ready order into to-be-signed bytes by a profile that decides every byte, linting them, and
//! signing exactly what was linted. Out of scope: whether an order is ready, and in which sequence it is stored and
//! signed (the `authority`).

mod branched;
mod crl;
mod external;
mod hierarchy;
mod issuer;
mod linted;
mod ocsp;
mod profile;
mod urls;

use std::{collections::BTreeMap, sync::Arc};

use authority::{
    model::CertificateRecord,
    ports::{
        BackEnd, BoxFuture, CrlContents, CrlIssuer, Issuance, IssuanceFailure, IssuanceRequest, Planned, Returned,
        StatusSigning, Validity,
    },
};
use jiff::Timestamp;
use pkix::{
    certificate::Serial,
    name::GeneralName,
    ocsp::{CertId, SingleResponse},
};

pub use branched::{Branch, Branched, Shape, create_branched};
pub use external::External;
pub use hierarchy::{HierarchyError, NewAuthority, create_authority, end_entity_for_api};
pub use issuer::{Issuer, IssuerError};
pub use profile::{MailKeys, Profile, Purpose};
pub use urls::{CrlUrls, IssuerUrls};

use crate::{external::Either, linted::Linted};

/// Every issuer and profile of a server, by name.
pub struct Issuers {
    issuers: BTreeMap<String, Arc<Issuer>>,
    external: BTreeMap<String, External>,
    profiles: BTreeMap<String, Profile>,
}

impl Issuers {
    /// Each profile's issuer must be among the issuers.
    pub fn new(issuers: Vec<Issuer>, profiles: Vec<Profile>) -> Result<Self, IssuerError> {
        Self::with_external(issuers, Vec::new(), profiles)
    }

    /// With issuers that are not ours, whose names are none of ours.
    pub fn with_external(
        issuers: Vec<Issuer>,
        external: Vec<External>,
        profiles: Vec<Profile>,
    ) -> Result<Self, IssuerError> {
        let issuers: BTreeMap<_, _> = issuers
            .into_iter()
            .map(|issuer| (issuer.name().to_owned(), Arc::new(issuer)))
            .collect();
        let external: BTreeMap<_, _> = external
            .into_iter()
            .map(|external| (external.name().to_owned(), external))
            .collect();
        for profile in &profiles {
            if !issuers.contains_key(&profile.issuer) && !external.contains_key(&profile.issuer) {
                return Err(IssuerError::Unknown {
                    profile: profile.name.clone(),
                    issuer: profile.issuer.clone(),
                });
            }
        }
        let profiles = profiles
            .into_iter()
            .map(|profile| (profile.name.clone(), profile))
            .collect();
        Ok(Self {
            issuers,
            external,
            profiles,
        })
    }

    fn profile(&self, name: &str) -> Result<(&Profile, Either<'_>), String> {
        let profile = self.profiles.get(name);
        let profile = profile.ok_or_else(|| format!("the profile {name:?} is not configured"))?;
        let issuer = match (self.issuers.get(&profile.issuer), self.external.get(&profile.issuer)) {
            (Some(issuer), _) => Either::Own(issuer),
            (None, Some(external)) => Either::External(external),
            (None, None) => return Err(format!("the issuer {:?} is not configured", profile.issuer)),
        };
        Ok((profile, issuer))
    }

    fn issuer(&self, name: &str) -> Result<&Issuer, IssuanceFailure> {
        let issuer = self.issuers.get(name).map(Arc::as_ref);
        issuer.ok_or_else(|| IssuanceFailure::Unavailable(format!("the issuer {name:?} is not configured any more")))
    }

    pub fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.issuers.values().map(Arc::as_ref)
    }
}

impl Issuance for Issuers {
    fn has_profile(&self, profile: &str) -> bool {
        self.profiles.contains_key(profile)
    }

    fn profiles(&self) -> Vec<(String, String)> {
        let profiles = self.profiles.values();
        profiles
            .map(|profile| (profile.name.clone(), profile.description.clone()))
            .collect()
    }

    fn admit_name(&self, profile: &str, name: &GeneralName) -> Result<(), String> {
        let (profile, _) = self.profile(profile)?;
        profile.admit_name(name)
    }

    fn admit_validity(&self, profile: &str, asked: Validity, now: Timestamp) -> Result<(), String> {
        let (profile, issuer) = self.profile(profile)?;
        profile.admit(asked, now, issuer.lifespan())
    }

    fn prepare(&self, request: &IssuanceRequest<'_>) -> Result<Planned, IssuanceFailure> {
        let (profile, issuer) = self.profile(request.profile).map_err(IssuanceFailure::Unavailable)?;
        // The order was looked at so too, but the profile may have changed since.
        for (_, name) in request.names {
            profile.admit_name(name).map_err(IssuanceFailure::Refused)?;
        }
        let issuer = match issuer {
            Either::Own(issuer) => issuer,
            Either::External(external) => return external.plan(request, profile),
        };
        let serial = Serial::from_random(request.serial_randomness);
        let crl_shard = issuer.urls().crl_shard(&serial);
        let tbs = profile.to_be_signed(request, serial.clone(), issuer)?;
        let not_after = tbs.not_after;
        let bytes = tbs.to_der();
        let linted = Linted::new(bytes, issuer)?;
        Ok(Planned {
            serial,
            issuer: issuer.name().to_owned(),
            crl_shard,
            to_be_signed: linted.into_bytes(),
            not_after,
        })
    }

    fn sign<'a>(
        &'a self,
        record: &'a CertificateRecord,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>> {
        Box::pin(async move {
            let issuer = self.issuer(&record.issuer)?;
            issuer.require_unexpired(now)?;
            let linted = Linted::new(record.to_be_signed.clone(), issuer)?;
            Ok(issuer.sign(&linted))
        })
    }

    fn chains(&self, issuer: &str) -> Vec<Vec<Vec<u8>>> {
        self.issuers
            .get(issuer)
            .map(|issuer| issuer.chains().to_vec())
            .unwrap_or_default()
    }

    fn issuer_of(&self, profile: &str) -> Option<String> {
        Some(self.profiles.get(profile)?.issuer.clone())
    }

    fn back_end(&self, issuer: &str) -> Option<Arc<dyn BackEnd>> {
        self.external.get(issuer).map(External::back_end)
    }

    fn admit_returned(
        &self,
        record: &CertificateRecord,
        chain: &[Vec<u8>],
        now: Timestamp,
    ) -> Result<Returned, String> {
        match self.profile(&record.profile)? {
            (profile, Either::External(external)) if external.name() == record.issuer => {
                external.admit(chain, profile, now)
            }
            _ => Err(format!(
                "the profile {:?} is not the issuer {:?}'s any more",
                record.profile, record.issuer
            )),
        }
    }
}

impl StatusSigning for Issuers {
    fn crl_issuers(&self, now: Timestamp) -> Vec<CrlIssuer> {
        let alive = self.issuers().filter(|issuer| issuer.not_after() > now);
        let with_lists = alive.filter_map(|issuer| issuer.urls().crl.as_ref().map(|crl| (issuer, crl)));
        with_lists
            .map(|(issuer, crl)| CrlIssuer {
                name: issuer.name().to_owned(),
                shards: crl.shards().get(),
                lifetime: crl.lifetime(),
            })
            .collect()
    }

    fn sign_crl<'a>(
        &'a self,
        issuer: &'a str,
        contents: CrlContents,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>> {
        Box::pin(async move { self.issuer(issuer)?.sign_crl(contents, now) })
    }

    fn serial_asked<'a>(&self, issuer: &str, certificate: &'a CertId) -> Option<&'a Serial> {
        self.issuer(issuer).ok()?.serial_asked(certificate)
    }

    fn sign_ocsp<'a>(
        &'a self,
        issuer: &'a str,
        responses: Vec<SingleResponse>,
        nonce: Option<Vec<u8>>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>> {
        Box::pin(async move { self.issuer(issuer)?.sign_ocsp(responses, nonce, now) })
    }
}
