//! onion-csr-01, and what a hidden service says of CAA, by the service's own key (RFC 9799 §3.2, §6.4).

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use acme::OnionCaa;
use aws_lc_rs::digest::{Context, SHA512};
use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use curve25519_dalek::{EdwardsPoint, Scalar};
use futures_util::future::{BoxFuture, FutureExt as _};
use pkix::{
    csr::build_csr_with_attributes,
    key::SubjectPublicKey,
    name::OnionAddress,
    oid::{APPLICANT_SIGNING_NONCE, CA_SIGNING_NONCE},
};
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Finalizing, Presented, Solver, SolverError};
use crate::{
    challenge::{Method, Proof},
    clock::random,
    identifier::Identifier,
};

/// Proves the names of one hidden service. Nothing is shown anywhere: the proof is what is sent.
pub struct OnionService {
    key: ServiceKey,
    address: OnionAddress,
    public: SubjectPublicKey,
    caa: Option<PathBuf>,
}

impl OnionService {
    /// `folder` is what torrc names as HiddenServiceDir, `caa` a file with records as the descriptor has them.
    pub fn open(folder: &Path, caa: Option<PathBuf>) -> Result<Self, SolverError> {
        let path = folder.join(KEY_FILE);
        let failed = |source| SolverError::ServiceKey {
            path: path.clone(),
            source,
        };
        let key = ServiceKey::read(&path).map_err(failed)?;
        let address = key.address();
        let public = address.public_key().map_err(|_| failed(ServiceKeyError::Form))?;
        Ok(Self {
            key,
            address,
            public,
            caa,
        })
    }

    fn has(&self, identifier: &Identifier) -> bool {
        match identifier {
            Identifier::Dns(name) | Identifier::Wildcard(name) => OnionAddress::of_host(name) == Some(Ok(self.address)),
            Identifier::Ip(_) | Identifier::Srv(_) | Identifier::Email(_) => false,
        }
    }

    /// The set, signed for so long as finalizing takes.
    fn signed_set(&self, now: i64) -> Result<OnionCaa, SolverError> {
        let caa = match &self.caa {
            None => None,
            Some(path) => Some(fs::read_to_string(path).map_err(|source| SolverError::File {
                path: path.clone(),
                source,
            })?),
        };
        let expiry = u64::try_from(now).unwrap_or_default() + GOOD_FOR;
        let text = OnionCaa::signed_text(expiry, caa.as_deref());
        Ok(OnionCaa {
            signature: URL_SAFE.encode(self.key.sign(text.as_bytes())),
            caa,
            expiry,
        })
    }
}

impl Solver for OnionService {
    fn method(&self) -> Method {
        Method::OnionCsr01
    }

    fn can_prove(&self, identifier: &Identifier) -> bool {
        self.has(identifier)
    }

    fn response(&self, proof: &Proof) -> Map<String, Value> {
        let nonce = jose::base64url::decode(proof.token.as_str()).unwrap_or_default();
        let own: [u8; 16] = random();
        let attributes = [
            (CA_SIGNING_NONCE, nonce.as_slice()),
            (APPLICANT_SIGNING_NONCE, own.as_slice()),
        ];
        let csr = build_csr_with_attributes(&self.public, &attributes, |info| self.key.sign(info).to_vec())
            .expect("invariant: two attributes of a few octets can be encoded");
        [("csr".to_owned(), Value::from(jose::base64url::encode(csr)))]
            .into_iter()
            .collect()
    }

    /// Where the CA wants it or there is something to say: null in place of a descriptor's set would be less than that.
    fn add_to_finalize(&self, asked: &Finalizing<'_>, members: &mut Map<String, Value>) -> Result<(), SolverError> {
        let is_wanted = asked.meta.get("inBandOnionCAARequired") == Some(&Value::Bool(true));
        let is_ours = asked.identifiers.iter().any(|identifier| self.has(identifier));
        if is_ours && (is_wanted || self.caa.is_some()) {
            let sets = members.entry("onionCAA").or_insert_with(|| json!({}));
            sets[self.address.to_string()] = json!(self.signed_set(asked.now.as_second())?);
        }
        Ok(())
    }

    fn present<'a>(&'a self, _proof: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        async { Ok(Presented::new(|| Ok(()))) }.boxed()
    }

    fn hint(&self, _identifier: &Identifier) -> String {
        format!("The request was signed by the key of {}.", self.address)
    }
}

/// A hidden service's private key as Tor keeps it: an Ed25519 key after its expansion (RFC 8032 §5.1.5, steps 1 to 3), of
/// which the seed is not known.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ServiceKey {
    scalar: Scalar,
    prefix: [u8; 32],
    #[zeroize(skip)]
    public: [u8; 32],
}

/// Why a file is no such key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceKeyError {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error("it is not a key as Tor writes it: 96 octets that begin with \"== ed25519v1-secret: type0 ==\"")]
    Form,
}

impl ServiceKey {
    pub fn read(path: &Path) -> Result<Self, ServiceKeyError> {
        let mut content = Zeroizing::new(Vec::with_capacity(FILE + 1));
        fs::File::open(path)?.take(FILE as u64 + 1).read_to_end(&mut content)?;
        Self::from_file(&content)
    }

    pub fn from_file(content: &[u8]) -> Result<Self, ServiceKeyError> {
        let expanded = content.strip_prefix(HEADER).ok_or(ServiceKeyError::Form)?;
        let expanded: &[u8; 64] = expanded.try_into().map_err(|_| ServiceKeyError::Form)?;
        let (scalar, prefix) = expanded.split_first_chunk().ok_or(ServiceKeyError::Form)?;
        let prefix = prefix.try_into().map_err(|_| ServiceKeyError::Form)?;
        // What is not clamped is not what Tor writes, and of no service.
        if scalar[0] & 7 != 0 || scalar[31] & 0xc0 != 0x40 {
            return Err(ServiceKeyError::Form);
        }
        let scalar = Scalar::from_bytes_mod_order(*scalar);
        let public = EdwardsPoint::mul_base(&scalar).compress().to_bytes();
        Ok(Self { scalar, prefix, public })
    }

    pub fn address(&self) -> OnionAddress {
        OnionAddress::of_key(self.public)
    }

    /// RFC 8032 §5.1.6, from step 2 on.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let secret = Zeroizing::new(hash(&[&self.prefix, message]));
        let commitment = EdwardsPoint::mul_base(&secret).compress().to_bytes();
        let challenge = hash(&[&commitment, &self.public, message]);
        let answer = *secret + challenge * self.scalar;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&commitment);
        signature[32..].copy_from_slice(answer.as_bytes());
        signature
    }
}

/// SHA-512 as a number of the group's order.
fn hash(parts: &[&[u8]]) -> Scalar {
    let mut context = Context::new(&SHA512);
    parts.iter().for_each(|part| context.update(part));
    let wide: [u8; 64] = context
        .finish()
        .as_ref()
        .try_into()
        .expect("invariant: SHA-512 has 64 octets");
    Scalar::from_bytes_mod_order_wide(&wide)
}

const KEY_FILE: &str = "hs_ed25519_secret_key";
const HEADER: &[u8; 32] = b"== ed25519v1-secret: type0 ==\0\0\0";
const FILE: usize = 96;
/// Seconds; RFC 9799 §6.4 has 8 hours as the most, and clocks differ.
const GOOD_FOR: u64 = 60 * 60;

#[cfg(test)]
mod tests;
