//! What the authority needs of the world, as traits.

mod back_end;
mod code;
mod issuance;
mod limit;
mod operator;
mod order;
mod revocation;
mod runtime;
mod satisfaction;
mod store;
mod validation;

pub use back_end::{Answer, BackEnd, BackEndFailure, BackEndRequest, Notes, Returned};
pub use code::{CodeLimit, CodeTransport, Dispatch};
pub use issuance::{
    Issuance, IssuanceFailure, IssuanceRequest, Planned, PreIssuance, PreIssuanceCheck, Proven, Validity,
};
pub use limit::{Spend, Spent, draw};
pub use operator::{OperatorOperation, OperatorRequest};
pub use order::{Asked, FirstCsr, OrderMember, Taken};
pub use revocation::{CrlContents, CrlIssuer, StatusSigning};
pub use runtime::{Changes, Runtime, Subject};
pub use satisfaction::{Satisfaction, Ways, Wider};
pub use store::{CertificateFilter, Change, Claimed, Committed, IdKind, Store, StoreError};
pub use validation::{Report, ValidationMethod, ValidationRequest};

/// A future that can be sent between threads.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The URL of an account, which the world knows it by (RFC 8555 §7.3): CAA records and labels in the DNS are made of it.
pub type AccountUrl = std::sync::Arc<dyn Fn(crate::model::AccountId) -> String + Send + Sync>;
