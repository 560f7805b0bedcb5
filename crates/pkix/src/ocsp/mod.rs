//! Questions about one certificate, and their answers (RFC 6960, RFC 9654).
//!
//! A question is read as far as an answer needs it: who asks and with what signature is nobody's business here. An
//! answer is one that the issuing CA signs itself and names by its key (RFC 6960 §4.2.2.2, §4.2.1 `byKey`).

mod cert_id;
mod request;
mod response;

pub use cert_id::{CertId, IssuerHashes};
pub use request::{OcspRequest, OcspRequestError};
pub use response::{OcspResponse, ResponseData, ResponseError, SingleResponse, Status, Unsuccessful, assemble};

/// Longer requests are not looked at. One of a single certificate takes about 100 octets, a signed one with its chain
/// a few thousand.
pub const LONGEST_REQUEST: usize = 16 * 1024;
/// Longer responses are not looked at: as many answers as a request may ask for, and a chain.
pub const LONGEST_RESPONSE: usize = 64 * 1024;
/// The most certificates in one request. Stock clients ask about one.
pub const MOST_CERTIFICATES: usize = 16;
/// RFC 9654 §2.1: a nonce has from 1 to 128 octets.
pub const LONGEST_NONCE: usize = 128;
