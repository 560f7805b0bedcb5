//! What the authority does, operation by operation, in a world whose time and failures the test decides.

mod accounts;
mod ahead;
mod authorizations;
mod back_end;
mod challenges;
mod codes;
mod compromise;
mod csr_first;
mod dates;
mod exactly_once;
mod external_accounts;
mod finalizing;
mod key_change;
mod keys;
mod limits;
mod names;
mod orders;
mod profiles;
mod published;
mod renewal_info;
mod replaces;
mod revocation;
mod store_failures;
mod subdomains;
mod validation;
mod world;
