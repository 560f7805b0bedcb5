//! What the authority does, operation by operation, in a world whose time and failures the test decides.

mod accounts;
mod authorizations;
mod challenges;
mod exactly_once;
mod finalizing;
mod keys;
mod names;
mod orders;
mod revocation;
mod store_failures;
mod validation;
mod world;
