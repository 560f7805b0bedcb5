//! Where relying parties find what they need about an issuer, plain HTTP (RFC 5280 §4.2.1.13, §4.2.2.1).

use std::{num::NonZeroU32, time::Duration};

use pkix::{
    certificate::Serial,
    extension::{self, Extension},
    name::NameError,
};

/// What stands in an issuer's certificates. It cannot be added to them later.
#[derive(Clone, Debug, Default)]
pub struct IssuerUrls {
    pub crl: Option<CrlUrls>,
    /// The issuer's own certificate.
    pub certificate: Option<String>,
    /// Who answers about single certificates (RFC 6960).
    pub ocsp: Option<String>,
}

/// The lists of an issuer: several, so that none grows without bound.
///
/// A certificate stays in the shard that it was issued into, whatever the number of shards is later: the shard is
/// recorded with it, and its URL does not depend on how many there are.
#[derive(Clone, Debug)]
pub struct CrlUrls {
    base: String,
    shards: NonZeroU32,
    lifetime: Duration,
}

impl CrlUrls {
    /// The lists are at `{base}/{shard}.crl`; new certificates go into shards below `shards`. A list counts for
    /// `lifetime`, and so does an OCSP response.
    pub fn new(base: &str, shards: NonZeroU32, lifetime: Duration) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            shards,
            lifetime,
        }
    }

    pub fn url(&self, shard: u32) -> String {
        format!("{}/{shard}.crl", self.base)
    }

    /// How many shards new certificates are spread over.
    pub fn shards(&self) -> NonZeroU32 {
        self.shards
    }

    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The shard of a certificate that is about to be issued: the last octets of a serial number are random.
    pub(crate) fn shard_of(&self, serial: &Serial) -> u32 {
        let octets = serial.magnitude();
        let last = &octets[octets.len().saturating_sub(size_of::<u32>())..];
        last.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)) % self.shards
    }
}

impl IssuerUrls {
    /// Where the certificate with this serial number will be listed if it is revoked.
    pub(crate) fn crl_shard(&self, serial: &Serial) -> Option<u32> {
        self.crl.as_ref().map(|crl| crl.shard_of(serial))
    }

    /// The extensions of a certificate in this shard.
    pub(crate) fn extensions(&self, crl_shard: Option<u32>) -> Result<Vec<Extension>, NameError> {
        let crl = match (&self.crl, crl_shard) {
            (Some(crl), Some(shard)) => Some(extension::crl_distribution_points(&[&crl.url(shard)])?),
            _ => None,
        };
        let access = extension::authority_info_access(self.certificate.as_deref(), self.ocsp.as_deref())?;
        Ok(crl.into_iter().chain(access).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(shards: u32) -> CrlUrls {
        CrlUrls::new(
            "http://ca.example/crl/issuing/",
            NonZeroU32::new(shards).unwrap(),
            Duration::from_secs(600),
        )
    }

    // T30
    #[test]
    fn t30_a_shard_has_the_same_url_whatever_their_number_is() {
        assert_eq!(urls(1).url(7), "http://ca.example/crl/issuing/7.crl");
        assert_eq!(urls(64).url(7), urls(1).url(7));
    }

    #[test]
    fn certificates_spread_evenly_over_all_shards() {
        for shards in [1, 3, 64, 1000] {
            let urls = urls(shards);
            let mut counts = vec![0u32; shards as usize];
            for count in 0..100 * shards {
                let mut random = [0; 19];
                random[15..].copy_from_slice(&count.wrapping_mul(0x9e37_79b1).to_be_bytes());
                counts[urls.shard_of(&Serial::from_random(random)) as usize] += 1;
            }
            assert!(counts.iter().all(|count| (30..300).contains(count)), "{counts:?}");
        }
    }

    #[test]
    fn a_short_serial_has_a_shard_too() {
        assert_eq!(urls(10).shard_of(&Serial::from_hex("0c").unwrap()), 2);
    }
}
