//! The protected header (RFC 7515 §4, RFC 8555 §6.2).

use crate::{
    Algorithm, Jwk, JwsError, KeyReferenceFault, base64url,
    json::{self, Value},
    jws::string,
};

/// What the signature covers besides the payload.
///
/// Header parameters that ACME has no use for are ignored, as RFC 7515 §4 requires; none is ever followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtectedHeader {
    /// The name of [`ProtectedHeader::algorithm`].
    pub alg: String,
    pub key: KeyReference,
    /// base64url, not empty. A request needs one; what is within a request has none (RFC 8555 §6.2).
    pub nonce: Option<String>,
    pub url: String,
    algorithm: Algorithm,
}

/// The key that is said to have signed: exactly one of `jwk` and `kid` (RFC 8555 §6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReference {
    Jwk(Jwk),
    Kid(String),
}

impl ProtectedHeader {
    pub(crate) fn parse(json: &str) -> Result<Self, JwsError> {
        let [alg, crit, b64, jwk, kid, nonce, url] =
            json::members(json, &["alg", "crit", "b64", "jwk", "kid", "nonce", "url"]).map_err(JwsError::in_header)?;
        // First, so that a client which can do better learns what to use even if its key is of a kind unknown here.
        let alg = string("alg", alg)?;
        let algorithm = Algorithm::from_str(&alg).ok_or_else(|| JwsError::UnsupportedAlgorithm(json::excerpt(&alg)))?;
        // No extension is understood, so naming one is an error (RFC 7515 §4.1.11), and so is an empty list.
        if crit.is_some() {
            return Err(JwsError::Crit);
        }
        if b64.is_some() {
            return Err(JwsError::B64);
        }
        let nonce = nonce.map(|nonce| string("nonce", Some(nonce))).transpose()?;
        // RFC 8555 §6.5.2: otherwise the JWS is malformed, which is not the same as an unknown nonce.
        if let Some(nonce) = &nonce
            && (nonce.is_empty() || base64url::decode(nonce).is_err())
        {
            return Err(JwsError::BadBase64 { member: "nonce" });
        }
        let url = string("url", url)?;
        let key = match (jwk, kid) {
            (Some(jwk), None) => KeyReference::Jwk(parse_jwk(jwk)?),
            (None, Some(kid)) => KeyReference::Kid(string("kid", Some(kid))?.into_owned()),
            (Some(_), Some(_)) => return Err(JwsError::KeyReference(KeyReferenceFault::Both)),
            (None, None) => return Err(JwsError::KeyReference(KeyReferenceFault::None)),
        };
        Ok(Self {
            alg: alg.into_owned(),
            key,
            nonce: nonce.map(std::borrow::Cow::into_owned),
            url: url.into_owned(),
            algorithm,
        })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn parse_jwk(jwk: Value<'_>) -> Result<Jwk, JwsError> {
    if !jwk.as_json().starts_with('{') {
        return Err(JwsError::WrongType { member: "jwk" });
    }
    Jwk::parse(jwk.as_json()).map_err(JwsError::BadJwk)
}
