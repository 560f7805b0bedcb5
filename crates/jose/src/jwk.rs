//! Public keys as JSON (RFC 7517, RFC 7518 §6, RFC 8037 §2).

mod error;

use std::{borrow::Cow, fmt, hash, ops::RangeInclusive};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeStruct as _};
use serde_json::value::RawValue;

pub use self::error::{JwkError, MalformedJwk};
use crate::{
    Algorithm, Thumbprint, Verifier, base64url,
    json::{self, ObjectError, Value},
    public_key::{Curve, PublicKey},
    spki,
};

/// The sizes of RSA keys that are accepted, in bits.
///
/// RFC 7518 §3.3 sets the lower end. The upper one keeps the most that a request can cost near that of the other
/// algorithms: the time to verify grows with the square of the size.
pub const RSA_BITS: RangeInclusive<usize> = 2048..=4096;

/// A public key that may sign requests: checked, and in the only form it has.
///
/// Two are equal if they are the same key, however they were written. In JSON it is an object; reading one needs
/// `serde_json`, since a text is what is checked.
#[derive(Clone)]
pub struct Jwk {
    key: PublicKey,
    verifier: Verifier,
}

impl Jwk {
    /// Reads a key. Members that are of no use for its type are ignored, those of a private key are refused.
    pub fn parse(json: &str) -> Result<Jwk, JwkError> {
        let [kty, crv, x, y, n, e, private @ ..] = json::members(json, &MEMBERS)?;
        let kty = string("kty", kty)?;
        if kty != "EC" && kty != "OKP" && kty != "RSA" {
            return Err(JwkError::UnsupportedKeyType(json::excerpt(&kty)));
        }
        if let Some(index) = private.iter().position(Option::is_some) {
            return Err(JwkError::PrivateMember(MEMBERS[MEMBERS.len() - private.len() + index]));
        }
        Jwk::new(match &*kty {
            "EC" => {
                let crv = string("crv", crv)?;
                let curve = Curve::from_name(&crv).ok_or_else(|| JwkError::UnsupportedCurve(json::excerpt(&crv)))?;
                let x = coordinate("x", x, curve.coordinate_len())?;
                let y = coordinate("y", y, curve.coordinate_len())?;
                PublicKey::from_coordinates(curve, &x, &y)
            }
            "OKP" => {
                let crv = string("crv", crv)?;
                if crv != "Ed25519" {
                    return Err(JwkError::UnsupportedCurve(json::excerpt(&crv)));
                }
                PublicKey::Ed25519(coordinate("x", x, 32)?)
            }
            _ => PublicKey::Rsa {
                n: number("n", n)?,
                e: number("e", e)?,
            },
        })
    }

    /// The key of a certificate or a request, if it is one that could be an account's.
    pub fn from_spki_der(der: &[u8]) -> Result<Jwk, JwkError> {
        Jwk::new(spki::parse(der)?)
    }

    fn new(key: PublicKey) -> Result<Jwk, JwkError> {
        let verifier = Verifier::new(&key, &RSA_BITS)?;
        Ok(Jwk { key, verifier })
    }

    /// The SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) with this key, points uncompressed.
    pub fn to_spki_der(&self) -> Vec<u8> {
        self.verifier.to_spki_der()
    }

    /// The required members in lexicographic order, without white space (RFC 7638 §3).
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("invariant: a struct whose fields are strings is JSON")
    }

    /// The SHA-256 thumbprint (RFC 7638).
    pub fn thumbprint(&self) -> Thumbprint {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, self.to_json().as_bytes()).as_ref());
        Thumbprint::from(bytes)
    }

    /// The one algorithm the key may be used with (RFC 8725 §3.1).
    pub fn algorithm(&self) -> Algorithm {
        self.verifier.algorithm()
    }

    /// What checks signatures made with the key. It was made when the key was read: this only counts a reference.
    pub fn verifier(&self) -> Verifier {
        self.verifier.clone()
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Jwk {}

impl hash::Hash for Jwk {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({})", self.to_json())
    }
}

// The order of the fields is that of the thumbprint (RFC 7638 §3.3).
impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.key {
            PublicKey::Ec { curve, point } => {
                let (x, y) = point[1..].split_at(curve.coordinate_len());
                let mut object = serializer.serialize_struct("Jwk", 4)?;
                object.serialize_field("crv", curve.name())?;
                object.serialize_field("kty", "EC")?;
                object.serialize_field("x", &base64url::encode(x))?;
                object.serialize_field("y", &base64url::encode(y))?;
                object.end()
            }
            PublicKey::Ed25519(x) => {
                let mut object = serializer.serialize_struct("Jwk", 3)?;
                object.serialize_field("crv", "Ed25519")?;
                object.serialize_field("kty", "OKP")?;
                object.serialize_field("x", &base64url::encode(x))?;
                object.end()
            }
            PublicKey::Rsa { n, e } => {
                let mut object = serializer.serialize_struct("Jwk", 3)?;
                object.serialize_field("e", &base64url::encode(e))?;
                object.serialize_field("kty", "RSA")?;
                object.serialize_field("n", &base64url::encode(n))?;
                object.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Jwk::parse(json.get()).map_err(D::Error::custom)
    }
}

impl From<ObjectError> for JwkError {
    fn from(error: ObjectError) -> Self {
        Self::Malformed(match error {
            ObjectError::NotAnObject => MalformedJwk::NotAnObject,
            ObjectError::TooDeep => MalformedJwk::TooDeep,
            ObjectError::TooManyMembers => MalformedJwk::TooManyMembers,
            ObjectError::DuplicateMember(name) => MalformedJwk::DuplicateMember(name),
        })
    }
}

fn string<'a>(member: &'static str, value: Option<Value<'a>>) -> Result<Cow<'a, str>, MalformedJwk> {
    value
        .ok_or(MalformedJwk::MissingMember(member))?
        .as_string()
        .ok_or(MalformedJwk::WrongType(member))
}

fn bytes(member: &'static str, value: Option<Value<'_>>) -> Result<Vec<u8>, MalformedJwk> {
    base64url::decode(&string(member, value)?).map_err(|error| MalformedJwk::BadBase64 { member, error })
}

/// Bytes of which leading zeros are a part (RFC 7518 §6.2.1.2).
fn coordinate(member: &'static str, value: Option<Value<'_>>, expected: usize) -> Result<Vec<u8>, MalformedJwk> {
    let bytes = bytes(member, value)?;
    if bytes.len() != expected {
        return Err(MalformedJwk::Length {
            member,
            expected,
            actual: bytes.len(),
        });
    }
    Ok(bytes)
}

/// A positive number, in as few bytes as it needs (Base64urlUInt, RFC 7518 §2).
fn number(member: &'static str, value: Option<Value<'_>>) -> Result<Vec<u8>, MalformedJwk> {
    let bytes = bytes(member, value)?;
    if bytes.first().is_none_or(|&byte| byte == 0) {
        return Err(MalformedJwk::LeadingZero(member));
    }
    Ok(bytes)
}

/// The members that are looked at; from the seventh on they make a key private or secret (RFC 7518 §6.2.2, §6.3.2 and
/// §6.4, RFC 8037 §2).
const MEMBERS: [&str; 14] = [
    "kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi", "oth", "k",
];
