//! The client against a server that can be told to misbehave.

mod bench;
mod csr_first;
mod fake;

mod accounts;
mod certificates;
mod files;
mod hostile;
mod orders;
mod renewals;
mod requests;
mod responders;
