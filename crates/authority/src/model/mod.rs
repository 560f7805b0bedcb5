//! What is true: the authority's own objects, apart from how they look on the wire or in a row.

mod account;
mod authorization;
mod certificate;
mod code;
mod evidence;
mod id;
mod order;
mod record;

pub use account::{Account, AccountState};
pub use authorization::{Authorization, AuthorizationState, Challenge, Response};
pub use certificate::{CertificateRecord, CertificateState, Revocation, Revoked};
pub use code::{CodeAnswer, Dispatched, SentCode};
pub use evidence::{DnssecStatus, Evidence, Observation};
pub use id::{AccountId, AuthorizationId, CertificateId, ChallengeId, OrderId};
pub use order::{Order, OrderFacts};
pub use record::{Record, RecordChange};
