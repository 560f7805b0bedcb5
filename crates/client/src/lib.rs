//! An ACME client (RFC 8555, RFC 8737, RFC 8738): directory, account, order and authorization handles, solvers that
//! tidy up after themselves, and files that change all at once.
//!
//! [`issue`] does everything. Below it, [`Directory`], [`Account`], [`Order`] and [`Authorization`] are the protocol:
//! owned handles that can be named by their URL and taken up again after a crash. Time and chance come from a
//! [`Clock`], so nothing here has to be waited for in a test.
//!
//! A server is not trusted further than the protocol needs. Its tokens are base64url before they come near a path, its
//! identifiers never reach a hook, its text never reaches a terminal with control characters, and what it calls a
//! certificate is installed only if it is one for our key and names.

mod account;
mod accounts;
mod ancestor;
mod ari;
mod authorization;
mod binding;
mod chain;
mod challenge;
mod clock;
pub mod commands;
mod contact;
mod csr;
mod directory;
mod error;
mod identifier;
mod issue;
mod nonce;
mod order;
mod printable;
mod progress;
mod renew;
mod renewal;
mod retry;
pub mod solver;
pub mod store;
mod transport;
mod trust;
mod wire;

pub use account::{Account, Registration, revoke_with_certificate_key};
pub use ancestor::Ancestors;
pub use authorization::{Attempt, Authorization};
pub use binding::ExternalAccount;
pub use chain::{Chain, ChainError};
pub use challenge::{Challenge, Method, Proof, Token, TokenChallenge};
pub use clock::{Clock, SystemClock};
pub use contact::{Contact, ContactError};
pub use csr::{Csr, CsrInputError, KeyType};
pub use directory::Directory;
pub use error::{Error, Failure, Refusal};
pub use identifier::{Identifier, IdentifierError};
pub use issue::{Issued, Request, Wanted, issue};
pub use order::{Order, OrderOptions, Validity};
pub use printable::printable;
pub use progress::{Event, Progress, silent};
pub use renew::{Renewal, Renewed, renew};
pub use renewal::{Heard, RenewalPlan, RenewalState, Suggestion, renewal_id};
pub use retry::RetryPolicy;
pub use solver::{Solver, SolverSettings};
pub use transport::{Transport, TransportError, TransportSettings};
pub use trust::{Trust, TrustError};
