//! What the authority needs of the world, as traits.

mod issuance;
mod order;
mod revocation;
mod runtime;
mod store;
mod validation;

pub use issuance::{Issuance, IssuanceFailure, IssuanceRequest, Planned, PreIssuanceCheck, Validity};
pub use order::{Asked, OrderMember, Taken};
pub use revocation::{CrlContents, CrlIssuer, StatusSigning};
pub use runtime::{Changes, Runtime, Subject};
pub use store::{CertificateFilter, Change, Claimed, Committed, IdKind, Store, StoreError};
pub use validation::{Report, ValidationMethod, ValidationRequest};

/// A future that can be sent between threads.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
