//! Profiles: recipes that decide every byte. A CSR gives its key and its names, nothing else.

use std::time::Duration;

use authority::ports::{IssuanceFailure, IssuanceRequest, Validity};
use jiff::{SignedDuration, Timestamp};
use pkix::{
    certificate::{Serial, TbsCertificate},
    extension::{self, Extension, KeyUsage},
    key::KeyKind,
    name::{DistinguishedName, GeneralName},
    oid,
};

use crate::Issuer;

/// A recipe for end-entity certificates.
#[derive(Clone, Debug)]
pub struct Profile {
    pub name: String,
    /// What it is for, in a sentence for subscribers.
    pub description: String,
    pub issuer: String,
    /// From notBefore to notAfter, both included: the certificate says one second less (RFC 5280 §4.1.2.5).
    pub lifetime: Duration,
    /// How far notBefore lies in the past, for clocks that are behind.
    pub backdate: Duration,
    /// Whether the first DNS name or mailbox of at most 64 characters becomes the common name.
    pub common_name: bool,
    pub client_auth: bool,
    pub purpose: Purpose,
}

/// What certificates of a profile are for, and so which names they may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Servers, by their names, addresses and services.
    #[default]
    Tls,
    /// Mailboxes (RFC 8550 §4.4).
    Email(MailKeys),
}

/// What the key of a mailbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKeys {
    Dual,
    Signing,
    Encryption,
}

impl Profile {
    /// Whether a certificate of this profile may have this name. `Err` says which profiles are for it.
    pub(crate) fn admit_name(&self, name: &GeneralName) -> Result<(), String> {
        let is_mailbox = matches!(name, GeneralName::Email(_)) || name.as_smtp_utf8_mailbox().is_some();
        let name = &self.name;
        match (self.purpose, is_mailbox) {
            (Purpose::Tls, false) | (Purpose::Email(_), true) => Ok(()),
            (Purpose::Tls, true) => Err(format!(
                "certificates of profile {name:?} are for servers, not for mailboxes; order another profile"
            )),
            (Purpose::Email(_), false) => Err(format!(
                "certificates of profile {name:?} are for mailboxes alone; order another profile"
            )),
        }
    }

    pub(crate) fn to_be_signed(
        &self,
        request: &IssuanceRequest<'_>,
        serial: Serial,
        issuer: &Issuer,
    ) -> Result<TbsCertificate, IssuanceFailure> {
        let (not_before, not_after) = self.validity(request.validity, request.now, issuer.lifespan())?;
        let subject = self.subject(request)?;
        let key = request.csr.public_key();
        let names: Vec<GeneralName> = request
            .names
            .iter()
            .map(|(_, general_name)| general_name.clone())
            .collect();
        let mut extensions = vec![
            extension::key_usage(self.key_usage(key.kind())?),
            extension::extended_key_usage(self.purposes()),
            extension::basic_constraints(false, None),
            extension::subject_key_identifier(&key.key_identifier()),
            extension::authority_key_identifier(&issuer.key_identifier()),
        ];
        let urls = issuer.urls();
        let places = urls.extensions(urls.crl_shard(&serial));
        extensions.extend(places.map_err(|error| IssuanceFailure::Unavailable(error.to_string()))?);
        let names = extension::subject_alternative_names(&names, subject.is_empty());
        extensions.push(names.map_err(|error| IssuanceFailure::Refused(error.to_string()))?);
        Ok(TbsCertificate {
            serial,
            signature_algorithm: issuer.algorithm(),
            issuer: issuer.subject().clone(),
            not_before,
            not_after,
            subject,
            public_key: key.clone(),
            extensions,
        })
    }

    /// INCIDENTS T19: exact, minus the one second that "inclusive" means; T24: never beyond the issuer. What the order
    /// asked for is given to the second (RFC 8555 §7.4), or nothing is.
    pub(crate) fn validity(
        &self,
        asked: Validity,
        now: Timestamp,
        issuer: Lifespan<'_>,
    ) -> Result<(Timestamp, Timestamp), IssuanceFailure> {
        let overflow =
            |_| IssuanceFailure::Unavailable(format!("profile {:?}: the lifetime ends after time does", self.name));
        let second = SignedDuration::from_secs(1);
        let not_before = match asked.not_before {
            Some(asked) => asked,
            None => now.checked_sub(self.backdate).map_err(overflow)?.max(issuer.not_before),
        };
        let longest = match asked.not_before {
            Some(from) => from.checked_add(self.lifetime).map_err(overflow)?,
            None => {
                let from = now.checked_sub(self.backdate).map_err(overflow)?;
                from.checked_add(self.lifetime).map_err(overflow)?
            }
        };
        let longest = longest.checked_sub(second).map_err(overflow)?;
        let not_after = asked.not_after.unwrap_or(longest);
        let refused = |why: String| Err(IssuanceFailure::Refused(why));
        if not_after <= now || not_after <= not_before {
            return refused(format!(
                "the order's notAfter, {not_after}, has passed; place a new order"
            ));
        }
        if asked.not_after.is_some() && not_after > longest {
            return refused(format!(
                "the order's notAfter is {not_after}; a certificate of profile {:?} ends at {longest} at the latest",
                self.name
            ));
        }
        if not_before < issuer.not_before {
            return refused(format!(
                "the order's notBefore is {not_before}; the issuer begins at {}",
                issuer.not_before
            ));
        }
        if not_after > issuer.not_after {
            return Err(IssuanceFailure::Unavailable(format!(
                "the issuer {:?} ends at {}, before a certificate of profile {:?} would",
                issuer.name, issuer.not_after, self.name
            )));
        }
        Ok((not_before, not_after))
    }

    /// Whether an order may ask for these dates. It may take days until it is finalized; what is true of the dates
    /// themselves is checked here, the rest then.
    pub(crate) fn admit(&self, asked: Validity, now: Timestamp, issuer: Lifespan<'_>) -> Result<(), String> {
        if let Some(not_before) = asked.not_before {
            let earliest = now.checked_sub(self.backdate).unwrap_or(now);
            let latest = now.checked_add(self.lifetime).unwrap_or(now);
            if not_before < earliest {
                return Err(format!(
                    "\"notBefore\" is {not_before}; this profile dates back to {earliest} at most"
                ));
            }
            if not_before > latest {
                return Err(format!(
                    "\"notBefore\" is {not_before}; this profile dates ahead to {latest} at most"
                ));
            }
        }
        if let (Some(not_before), Some(not_after)) = (asked.not_before, asked.not_after)
            && not_before >= not_after
        {
            return Err(format!(
                "\"notAfter\", {not_after}, is not after \"notBefore\", {not_before}"
            ));
        }
        self.validity(asked, now, issuer)
            .map(drop)
            .map_err(|failure| failure.to_string())
    }

    fn subject(&self, request: &IssuanceRequest<'_>) -> Result<DistinguishedName, IssuanceFailure> {
        // RFC 5280 appendix A.1: ub-common-name is 64.
        let names = request.names.iter().filter_map(|(_, name)| match name {
            GeneralName::Dns(name) | GeneralName::Email(name) if name.len() <= 64 => Some(name),
            _ => None,
        });
        match names.into_iter().next() {
            Some(name) if self.common_name => DistinguishedName::with_common_name(name)
                .map_err(|error| IssuanceFailure::Refused(format!("{name:?} is no common name: {error}"))),
            _ => Ok(DistinguishedName::empty()),
        }
    }

    fn purposes(&self) -> &'static [pkix::ObjectIdentifier] {
        match (self.purpose, self.client_auth) {
            (Purpose::Tls, false) => &[oid::SERVER_AUTH],
            (Purpose::Tls, true) => &[oid::SERVER_AUTH, oid::CLIENT_AUTH],
            (Purpose::Email(_), false) => &[oid::EMAIL_PROTECTION],
            (Purpose::Email(_), true) => &[oid::EMAIL_PROTECTION, oid::CLIENT_AUTH],
        }
    }

    fn key_usage(&self, kind: KeyKind) -> Result<KeyUsage, IssuanceFailure> {
        let signing = KeyUsage::DIGITAL_SIGNATURE;
        Ok(match self.purpose {
            // RFC 5246 §7.4.2: in TLS only RSA keys did more than sign.
            Purpose::Tls if matches!(kind, KeyKind::Rsa { .. }) => signing | KeyUsage::KEY_ENCIPHERMENT,
            Purpose::Tls | Purpose::Email(MailKeys::Signing) => signing,
            Purpose::Email(MailKeys::Dual) => signing | self.encryption(kind)?,
            Purpose::Email(MailKeys::Encryption) => self.encryption(kind)?,
        })
    }

    /// RSA keys transport keys, elliptic ones agree on them (RFC 8550 §4.4.2); those of Ed25519 only sign.
    fn encryption(&self, kind: KeyKind) -> Result<KeyUsage, IssuanceFailure> {
        match kind {
            KeyKind::Rsa { .. } => Ok(KeyUsage::KEY_ENCIPHERMENT),
            KeyKind::EcP256 | KeyKind::EcP384 => Ok(KeyUsage::KEY_AGREEMENT),
            KeyKind::Ed25519 => Err(IssuanceFailure::Refused(format!(
                "a key of {kind} cannot encrypt, and certificates of profile {:?} are for that; send a CSR with an RSA or \
                 P-256 key",
                self.name
            ))),
        }
    }
}

/// Between which dates an issuer can issue.
#[derive(Clone, Copy)]
pub(crate) struct Lifespan<'a> {
    pub name: &'a str,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

/// An issuer's own extensions follow the same house rules.
pub(crate) fn ca_extensions(
    key_identifier: &[u8; 20],
    issuer_key_identifier: &[u8; 20],
    path_length: Option<u8>,
) -> Vec<Extension> {
    vec![
        extension::key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN | KeyUsage::DIGITAL_SIGNATURE),
        extension::basic_constraints(true, path_length),
        extension::subject_key_identifier(key_identifier),
        extension::authority_key_identifier(issuer_key_identifier),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(lifetime: Duration) -> Profile {
        Profile {
            name: "default".to_owned(),
            description: String::new(),
            issuer: "default".to_owned(),
            lifetime,
            backdate: Duration::from_secs(3600),
            common_name: false,
            client_auth: false,
            purpose: Purpose::Tls,
        }
    }

    // 5280-4.1-1
    #[test]
    fn t19_the_lifetime_is_to_the_second_with_both_ends_counted() {
        let issuer = Lifespan {
            name: "default",
            not_before: Timestamp::UNIX_EPOCH,
            not_after: "2100-01-01T00:00:00Z".parse().unwrap(),
        };
        let day = 24 * 3600;
        for lifetime in [8 * 3600, 7 * day, 90 * day, 398 * day].map(Duration::from_secs) {
            for now in [
                "2026-02-27T23:59:59Z",
                "2027-12-31T23:30:00Z",
                "2028-02-28T23:59:59Z",
                "2049-12-31T23:59:59Z",
            ] {
                let now: Timestamp = now.parse().unwrap();
                let asked = Validity {
                    not_before: None,
                    not_after: None,
                };
                let (from, to) = profile(lifetime).validity(asked, now, issuer).unwrap();
                let seconds = to.as_second() - from.as_second() + 1;
                assert_eq!(seconds, lifetime.as_secs() as i64, "{now}");
                let asked = Validity {
                    not_before: Some(now),
                    not_after: None,
                };
                let (from, to) = profile(lifetime).validity(asked, now, issuer).unwrap();
                assert_eq!(
                    (from, to.as_second() - from.as_second() + 1),
                    (now, lifetime.as_secs() as i64)
                );
                // The second that made three million too long is refused where it is asked for.
                let asked = Validity {
                    not_before: Some(now),
                    not_after: Some(to + SignedDuration::from_secs(1)),
                };
                assert!(profile(lifetime).validity(asked, now, issuer).is_err(), "{now}");
            }
        }
    }
}
