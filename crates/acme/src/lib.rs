//! The vocabulary of ACME: objects, requests, problems, identifiers (RFC 8555, RFC 9457).
//!
//! In scope: what stands on the wire, as types that both a server and a client can read and write.
//! Out of scope: what is true about an order (the authority decides), signatures (`jose`), HTTP.
//!
//! Reading is tolerant where RFC 8555 asks for it: unknown members are ignored, unknown challenge
//! types and problem types are kept as they came.

mod account;
mod authorization;
mod directory;
mod identifier;
mod key_authorization;
mod onion;
mod order;
mod problem;
mod renewal;
mod revocation;

pub use account::{Account, AccountStatus, AccountUpdate, KeyChange, NewAccount, OrdersList};
pub use authorization::{Authorization, AuthorizationStatus, Challenge, ChallengeStatus, NewAuthorization};
pub use directory::{Directory, Meta};
pub use identifier::{Identifier, RequestedIdentifier};
pub use key_authorization::KeyAuthorization;
pub use onion::OnionCaa;
pub use order::{Finalize, NewOrder, Order, OrderStatus};
pub use problem::{Problem, ProblemType};
pub use renewal::{RenewalId, RenewalIdError, RenewalInfo, Window};
pub use revocation::{RevocationReason, RevokeCert};

/// The media type of every signed request (RFC 8555 §6.2).
pub const JOSE_JSON: &str = "application/jose+json";
/// The media type of a problem document (RFC 9457 §3).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The media type of a certificate chain (RFC 8555 §9.1).
pub const PEM_CHAIN: &str = "application/pem-certificate-chain";
