//! JSON Web Signatures and Keys, as ACME uses them: RFC 7515, 7517, 7518, 7638, 8037 and 8725.
//!
//! In scope: the flattened JSON serialization of a JWS, signed with an asymmetric key; public keys as JWK and as
//! SubjectPublicKeyInfo; their thumbprints; private keys as PKCS#8. Everything is strict: one way to write a thing is
//! accepted, anything else is an error that says what was seen.
//!
//! Out of scope, and who does it instead: whether a nonce is fresh, a `url` is right and a `kid` is known (the server);
//! which keys are blocked (the authority, by [`Thumbprint`]); limits on a request before it is read (the server, with
//! [`MAX_BODY`] as the last word here). There is no I/O and no clock.

mod algorithm;
pub mod base64url;
mod header;
mod json;
mod jwk;
mod jws;
mod mac;
mod public_key;
mod signing_key;
mod spki;
mod thumbprint;
mod verifier;

pub use algorithm::Algorithm;
pub use header::{KeyReference, ProtectedHeader};
pub use jwk::{Jwk, JwkError, MalformedJwk, RSA_BITS};
pub use jws::{Jws, JwsError, KeyReferenceFault, MAX_BODY, Payload, Serialization};
pub use mac::{MacJws, MacJwsError, mac_flattened};
pub use signing_key::{KeyRef, SigningKey, SigningKeyError, sign_flattened};
pub use thumbprint::Thumbprint;
pub use verifier::{RSA_BITS_LENIENT, Verifier, VerifyError};
