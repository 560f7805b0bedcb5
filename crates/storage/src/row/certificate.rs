//! The table `certificates`.

use std::{borrow::Cow, ops::RangeInclusive};

use acme::RevocationReason;
use authority::{
    model::{AccountId, CertificateId, CertificateRecord, CertificateState, Evidence, OrderId, Revocation, Revoked},
    ports::StoreError,
};
use pkix::certificate::Serial;
use serde::{Deserialize, Serialize};

use super::{Place, Text, json};

/// A row as it is read.
pub(crate) struct CertificateRow<'a> {
    pub key: i64,
    pub account: i64,
    pub serial: &'a [u8],
    pub issuer: &'a str,
    pub state: &'a str,
    pub version: i64,
    pub to_be_signed: &'a [u8],
    /// Exactly while the state is `issued`.
    pub certificate: Option<&'a [u8]>,
    pub not_after: i64,
    pub evidence_root: &'a [u8],
    pub salt: &'a [u8],
    /// Exactly while the state is `planned`.
    pub lease: Option<i64>,
    pub revoked: Option<i64>,
    pub reason: Option<i64>,
    pub crl_shard: Option<i64>,
    pub planned: i64,
    pub data: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Data<'a> {
    profile: Text<'a>,
    csr_sha256: Text<'a>,
    key_sha256: Text<'a>,
    #[serde(default, skip_serializing_if = "is_empty")]
    checks: Cow<'a, [Evidence]>,
}

/// One integer for (order, n), so that rows lie in the order of their orders and need no second index. 2^20
/// certificates of one order are more than a century of hourly renewals; 2^43 orders are more than a store can hold.
const N_BITS: u32 = 20;

pub(crate) fn key(id: CertificateId) -> i64 {
    (id.order.0.cast_signed() << N_BITS) | i64::from(id.n)
}

pub(crate) fn keys_of(order: OrderId) -> RangeInclusive<i64> {
    let first = key(CertificateId { order, n: 0 });
    first..=first | ((1 << N_BITS) - 1)
}

fn id(key: i64) -> CertificateId {
    CertificateId {
        order: OrderId((key >> N_BITS).cast_unsigned()),
        n: (key & ((1 << N_BITS) - 1)) as u32,
    }
}

impl CertificateRow<'_> {
    pub fn data(record: &CertificateRecord) -> String {
        json(&Data {
            profile: Text::Borrowed(&record.profile),
            csr_sha256: jose::base64url::encode(record.csr_sha256).into(),
            key_sha256: jose::base64url::encode(record.key_sha256).into(),
            checks: Cow::Borrowed(&record.checks),
        })
    }

    pub fn read(&self) -> Result<CertificateRecord, StoreError> {
        let place = Place {
            table: "certificates",
            row: self.key,
        };
        let data: Data = place.data(self.data)?;
        let key_sha256 = jose::base64url::decode(&data.key_sha256).map_err(|error| place.corrupt("data", error))?;
        let csr_sha256 = jose::base64url::decode(&data.csr_sha256).map_err(|error| place.corrupt("data", error))?;
        Ok(CertificateRecord {
            id: id(self.key),
            account: AccountId(self.account.cast_unsigned()),
            serial: Serial::from_der_content(self.serial)
                .map_err(|_| place.corrupt("serial", "it is no serial number"))?,
            issuer: self.issuer.to_owned(),
            profile: data.profile.into_owned(),
            csr_sha256: place.bytes("data", &csr_sha256)?,
            key_sha256: place.bytes("data", &key_sha256)?,
            crl_shard: match self.crl_shard {
                None => None,
                Some(shard) => Some(u32::try_from(shard).map_err(|_| place.corrupt("crl_shard", shard))?),
            },
            to_be_signed: self.to_be_signed.to_vec(),
            planned: place.time("planned", self.planned)?,
            not_after: place.time("not_after", self.not_after)?,
            checks: data.checks.into_owned(),
            evidence_root: place.bytes("evidence_root", self.evidence_root)?,
            salt: place.bytes("salt", self.salt)?,
            state: match (self.state, self.lease, self.certificate) {
                ("planned", Some(lease), None) => CertificateState::Planned {
                    lease: place.time("lease", lease)?,
                },
                ("issued", None, Some(certificate)) => CertificateState::Issued {
                    certificate: certificate.to_vec(),
                },
                ("abandoned", None, None) => CertificateState::Abandoned,
                (state, lease, certificate) => {
                    let (lease, certificate) = (presence(lease), presence(certificate));
                    let what = format!("{state:?} with {lease} lease and {certificate} certificate is no state");
                    return Err(place.corrupt("state", what));
                }
            },
            revoked: match (self.revoked, self.reason) {
                (None, None) => None,
                (Some(at), reason) => Some(revocation(place, at, reason)?),
                (None, Some(_)) => return Err(place.corrupt("revoked", "there is a reason and no time")),
            },
            version: place.version(self.version)?,
        })
    }
}

/// The first eight octets of a key's SHA-256, as the column `key_tag` holds them.
pub(crate) fn key_tag(key_sha256: &[u8; 32]) -> i64 {
    let first = key_sha256
        .first_chunk()
        .expect("invariant: 32 octets have a first eight");
    i64::from_be_bytes(*first)
}

/// A line of a CRL, as it is read: key, serial, revoked, reason, not_after.
pub(crate) struct RevokedRow<'a> {
    pub key: i64,
    pub serial: &'a [u8],
    pub revoked: i64,
    pub reason: Option<i64>,
    pub not_after: i64,
}

impl RevokedRow<'_> {
    pub fn read(&self) -> Result<Revoked, StoreError> {
        let place = Place {
            table: "certificates",
            row: self.key,
        };
        Ok(Revoked {
            serial: Serial::from_der_content(self.serial)
                .map_err(|_| place.corrupt("serial", "it is no serial number"))?,
            revocation: revocation(place, self.revoked, self.reason)?,
            not_after: place.time("not_after", self.not_after)?,
        })
    }
}

fn revocation(place: Place, at: i64, reason: Option<i64>) -> Result<Revocation, StoreError> {
    Ok(Revocation {
        at: place.time("revoked", at)?,
        reason: read_reason(place, reason)?,
    })
}

fn is_empty(checks: &[Evidence]) -> bool {
    checks.is_empty()
}

fn presence<T>(column: Option<T>) -> &'static str {
    if column.is_some() { "a" } else { "no" }
}

fn read_reason(place: Place, code: Option<i64>) -> Result<Option<RevocationReason>, StoreError> {
    let Some(code) = code else { return Ok(None) };
    u64::try_from(code)
        .ok()
        .and_then(RevocationReason::from_code)
        .map(Some)
        .ok_or_else(|| place.corrupt("reason", format_args!("{code} is no reason of ours")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_order_and_number_apart() {
        for (order, n) in [(1, 0), (1, 1), (2, 0), ((1 << 43) - 1, (1 << 20) - 1)] {
            let certificate = CertificateId {
                order: OrderId(order),
                n,
            };
            assert_eq!(id(key(certificate)), certificate);
            assert!(keys_of(OrderId(order)).contains(&key(certificate)));
            assert!(!keys_of(OrderId(order + 1)).contains(&key(certificate)));
        }
    }
}
