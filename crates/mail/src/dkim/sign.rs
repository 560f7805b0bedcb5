//! Signing (RFC 6376 §5, RFC 8463 §3).

use std::fmt;

use aws_lc_rs::{
    digest,
    encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa,
    signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Algorithm, Canonicalization, signature};
use crate::message::{Message, domain::Domain};

/// A domain's private key. It is shown nowhere but by [`SigningKey::to_pkcs8_der`].
pub struct SigningKey(PrivateKey);

enum PrivateKey {
    Rsa(rsa::KeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A new key; RSA ones have 2048 bits, which fits into one answer of the DNS. Randomness is the cryptographic
    /// library's.
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningKeyError> {
        let key = match algorithm {
            Algorithm::RsaSha256 => rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map(PrivateKey::Rsa),
            Algorithm::Ed25519Sha256 => Ed25519KeyPair::generate().map(PrivateKey::Ed25519),
        };
        key.map(Self).map_err(|_| SigningKeyError)
    }

    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, SigningKeyError> {
        Ed25519KeyPair::from_pkcs8(der)
            .map(PrivateKey::Ed25519)
            .or_else(|_| rsa::KeyPair::from_pkcs8(der).map(PrivateKey::Rsa))
            .map(Self)
            .map_err(|_| SigningKeyError)
    }

    /// PKCS#8 in PEM.
    pub fn from_pem(pem: &str) -> Result<Self, SigningKeyError> {
        let (_, der) = pem_rfc7468::decode_vec(pem.as_bytes()).map_err(|_| SigningKeyError)?;
        Self::from_pkcs8_der(&Zeroizing::new(der))
    }

    pub fn to_pem(&self) -> Zeroizing<String> {
        let pem = pem_rfc7468::encode_string("PRIVATE KEY", pem_rfc7468::LineEnding::LF, &self.to_pkcs8_der());
        Zeroizing::new(pem.expect("invariant: a key has fewer octets than memory"))
    }

    /// PKCS#8 version 1, which everything reads.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let der = match &self.0 {
            PrivateKey::Rsa(key) => key.as_der().map(|der: Pkcs8V1Der<'_>| der.as_ref().to_vec()),
            PrivateKey::Ed25519(key) => key.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
        };
        Zeroizing::new(der.expect("invariant: a key that was read or generated can be written"))
    }

    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            PrivateKey::Rsa(_) => Algorithm::RsaSha256,
            PrivateKey::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// The TXT record to publish, in one piece; the DNS wants it in strings of at most 255 octets.
    pub fn record(&self) -> String {
        match &self.0 {
            PrivateKey::Rsa(key) => {
                let der: Result<PublicKeyX509Der<'_>, _> = key.public_key().as_der();
                let der = der.expect("invariant: a key that can sign can be written");
                format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(der.as_ref()))
            }
            PrivateKey::Ed25519(key) => {
                format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(key.public_key().as_ref()))
            }
        }
    }

    fn sign(&self, header: &[u8]) -> Vec<u8> {
        match &self.0 {
            PrivateKey::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), header, &mut signature)
                    .expect("invariant: the buffer has the length of the modulus");
                signature
            }
            PrivateKey::Ed25519(key) => {
                let digest = digest::digest(&digest::SHA256, header);
                key.sign(digest.as_ref()).as_ref().to_vec()
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.algorithm()).finish()
    }
}

/// The octets are no private key that DKIM has an algorithm for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not an unencrypted PKCS#8 key of type RSA (2048 bits and more) or Ed25519")]
pub struct SigningKeyError;

/// Signs for a domain under a selector.
#[derive(Debug)]
pub struct Signer {
    domain: Domain,
    selector: String,
    key: SigningKey,
}

impl Signer {
    /// `None` where the selector is no name.
    pub fn new(domain: Domain, selector: &str, key: SigningKey) -> Option<Self> {
        let selector = selector.to_ascii_lowercase();
        signature::is_selector(&selector).then_some(Self { domain, selector, key })
    }

    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Where [`SigningKey::record`] is published.
    pub fn key_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    pub fn record(&self) -> String {
        self.key.record()
    }

    /// A DKIM-Signature field, folded and with its CRLF, to stand before the message.
    ///
    /// Each name is listed once more than the message has fields of it, so that none can be added on the way
    /// (RFC 6376 §8.15). The form is relaxed for both parts.
    pub fn sign(&self, message: &Message<'_>, names: &[&str], now: Timestamp) -> String {
        let names: Vec<String> = names.iter().flat_map(|name| over_signed(message, name)).collect();
        let form = Canonicalization::Relaxed;
        let unsigned = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={};\r\n s={}; t={};\r\n h={};\r\n bh={};\r\n b=",
            self.key.algorithm().as_str(),
            self.domain,
            self.selector,
            now.as_second().max(0),
            folded(&names, ":"),
            STANDARD.encode(form.body_hash(message.body())),
        );
        let header = signature::signed_header(message, &names, form, unsigned.as_bytes());
        let encoded = STANDARD.encode(self.key.sign(&header));
        let lines: Vec<String> = encoded
            .as_bytes()
            .chunks(LINE)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        format!("{unsigned}{}\r\n", lines.join("\r\n  "))
    }
}

fn over_signed(message: &Message<'_>, name: &str) -> Vec<String> {
    let count = message.fields().iter().filter(|field| field.is(name)).count();
    vec![name.to_ascii_lowercase(); count + 1]
}

/// Words with a separator between them, in lines that are not too long.
fn folded(words: &[String], separator: &str) -> String {
    let (mut out, mut len) = (String::new(), 0);
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        if len + word.len() > LINE {
            out.push_str("\r\n  ");
            len = 0;
        }
        out.push_str(word);
        len += word.len() + separator.len();
    }
    out
}

/// RFC 5322 §2.1.1 recommends lines of 78 at most.
const LINE: usize = 70;
