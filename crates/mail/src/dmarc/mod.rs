//! What a domain wants done with mail that nobody vouches for: DMARC, RFC 7489 as renewed by RFC 9989.
//!
//! Organizational domains are found by the tree walk of the renewed document, not by a list of public suffixes. A domain
//! that does not exist has its own policy there (`np`); it is not read, because whoever judges mail here has just sent
//! mail to the same domain.

mod evaluate;
mod record;
mod walk;

pub use self::{
    evaluate::{Authenticated, Evaluation, Outcome, Verdict},
    record::{Alignment, Policy, PublicSuffix, Record},
    walk::MAX_QUERIES,
};
