//! Issuers that are not ours: whom to ask, and what of their answers is believed.

use std::sync::Arc;

use authority::ports::{BackEnd, IssuanceFailure, IssuanceRequest, Planned, Returned};
use jiff::{SignedDuration, Timestamp};
use pkix::{
    certificate::{Certificate, Serial},
    extension::read_subject_key_identifier,
    lint::LintContext,
    oid,
};

use crate::{IssuerError, Profile, linted::findings, profile::Lifespan};

/// An issuer that is asked for whole certificates.
pub struct External {
    name: String,
    back_end: Arc<dyn BackEnd>,
    /// What its chains must lead to; empty: to whatever they lead.
    roots: Vec<Certificate>,
}

impl External {
    /// `roots` are DER.
    pub fn new(name: &str, back_end: Arc<dyn BackEnd>, roots: &[Vec<u8>]) -> Result<Self, IssuerError> {
        let roots = roots
            .iter()
            .map(|der| Certificate::parse(der))
            .collect::<Result<_, _>>();
        Ok(Self {
            name: name.to_owned(),
            back_end,
            roots: roots.map_err(|error| IssuerError::Certificate {
                name: name.to_owned(),
                error,
            })?,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn back_end(&self) -> Arc<dyn BackEnd> {
        Arc::clone(&self.back_end)
    }

    /// Of an issuer that is asked nothing is known that could bound the dates.
    pub(crate) fn lifespan(&self) -> Lifespan<'_> {
        Lifespan {
            name: &self.name,
            not_before: Timestamp::MIN,
            not_after: Timestamp::MAX,
        }
    }

    /// In place of bytes to be signed, the CSR to be issued from.
    pub(crate) fn plan(&self, request: &IssuanceRequest<'_>, profile: &Profile) -> Result<Planned, IssuanceFailure> {
        let (_, not_after) = profile.validity(request.validity, request.now, self.lifespan())?;
        Ok(Planned {
            serial: Serial::from_random(request.serial_randomness),
            issuer: self.name.clone(),
            crl_shard: None,
            to_be_signed: request.csr.der().to_vec(),
            not_after,
        })
    }

    /// See [`authority::ports::Issuance::admit_returned`].
    pub(crate) fn admit(&self, chain: &[Vec<u8>], profile: &Profile, now: Timestamp) -> Result<Returned, String> {
        if chain.len() > LONGEST_CHAIN {
            return Err(format!("a chain of {} certificates", chain.len()));
        }
        let parsed = chain.iter().map(|der| Certificate::parse(der));
        let parsed: Vec<Certificate> = parsed
            .collect::<Result<_, _>>()
            .map_err(|error| format!("a certificate of the chain cannot be read: {error}"))?;
        let (leaf, above) = parsed.split_first().ok_or("no certificate")?;
        let issuer = self.links(leaf, above, now)?;
        if leaf.is_ca() {
            return Err("it is a CA certificate".into());
        }
        self.lint(leaf, issuer)?;
        dates(leaf, profile, now)?;
        let above = above.iter().filter(|one| one.subject() != one.issuer());
        Ok(Returned {
            above: above.map(|one| one.der().to_vec()).collect(),
            leaf: leaf.clone(),
        })
    }

    /// Each signed by the next, up to a root that is known. The issuer of the first.
    fn links<'a>(
        &'a self,
        leaf: &'a Certificate,
        above: &'a [Certificate],
        now: Timestamp,
    ) -> Result<&'a Certificate, String> {
        let mut below = leaf;
        for issuer in above {
            signed_by(below, issuer, now)?;
            below = issuer;
        }
        let is_root = |one: &Certificate| {
            let same = |root: &&Certificate| root.spki_der() == one.spki_der() && root.subject() == one.subject();
            self.roots.iter().find(same)
        };
        let root = match is_root(below) {
            Some(root) => Some(root),
            None => self.roots.iter().find(|root| signed_by(below, root, now).is_ok()),
        };
        if root.is_none() && !self.roots.is_empty() {
            return Err("its chain leads to none of the roots that are configured".into());
        }
        above
            .first()
            .or(root)
            .ok_or_else(|| "the issuer's certificate is missing: neither in the chain nor among the roots".into())
    }

    fn lint(&self, leaf: &Certificate, issuer: &Certificate) -> Result<(), String> {
        let identifier = issuer.extension(&oid::SUBJECT_KEY_IDENTIFIER);
        let identifier = identifier.and_then(|extension| read_subject_key_identifier(&extension.value).ok());
        let identifier = identifier.or_else(|| leaf.authority_key_identifier().map(<[u8]>::to_vec));
        let context = LintContext {
            issuer_name_der: issuer.subject().der(),
            issuer_key_identifier: &identifier.unwrap_or_default(),
            issuer_not_after: issuer.not_after(),
            signature_algorithm: leaf
                .signature_algorithm()
                .ok_or("its signature is of an unknown algorithm")?,
            is_ca: false,
        };
        findings(leaf.tbs_der(), &context).map_or(Ok(()), Err)
    }
}

fn signed_by(below: &Certificate, issuer: &Certificate, now: Timestamp) -> Result<(), String> {
    if below.issuer() != issuer.subject() || !issuer.is_ca() {
        return Err("the chain is not one: a certificate does not name the next as its issuer".into());
    }
    if issuer.not_after() <= now {
        return Err(format!(
            "a CA certificate of the chain expired at {}",
            issuer.not_after()
        ));
    }
    let key = issuer
        .public_key()
        .map_err(|error| format!("a CA key of the chain: {error}"))?;
    below
        .verify_signed_by(&key)
        .map_err(|error| format!("a signature of the chain does not verify: {error}"))
}

/// Valid now, and not for longer than the profile's certificates are. Its issuer chose when it begins.
fn dates(leaf: &Certificate, profile: &Profile, now: Timestamp) -> Result<(), String> {
    let (from, to) = (leaf.not_before(), leaf.not_after());
    if to <= now {
        return Err(format!("it expired at {to}"));
    }
    let second = SignedDuration::from_secs(1);
    let longest = SignedDuration::try_from(profile.lifetime).unwrap_or(SignedDuration::MAX);
    let lasts = to.duration_since(from) + second;
    if lasts > longest {
        return Err(format!(
            "it lasts from {from} to {to}, longer than the {} s of profile {:?}",
            longest.as_secs(),
            profile.name
        ));
    }
    Ok(())
}

const LONGEST_CHAIN: usize = 10;

/// Both kinds, by name.
pub(crate) enum Either<'a> {
    Own(&'a crate::Issuer),
    External(&'a External),
}

impl<'a> Either<'a> {
    pub(crate) fn lifespan(&self) -> Lifespan<'a> {
        match self {
            Self::Own(issuer) => issuer.lifespan(),
            Self::External(external) => external.lifespan(),
        }
    }
}
