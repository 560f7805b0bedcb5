//! `vidimus cert` and `vidimus account`. The binary mounts [`CertCommand`] and [`AccountCommand`]; each verb is a file.
//! Commands of extensions take their places, servers and solvers from here.

mod account;
mod args;
mod issue;
mod list;
mod output;
mod renew;
mod revoke;
mod show;

pub use args::{AccountCommand, CertCommand, PlaceArgs, RegistrationArgs, ServerArgs, SolverArgs, TrustArgs, seconds};
pub use issue::issued_json;
pub use output::Output;
pub use renew::{line as renewal_line, outcome_json as renewal_json};

use std::process::ExitCode;

use crate::error::Error;

/// 0 done, 1 refused or failed, 2 wrong usage.
fn exit_code(error: &Error) -> ExitCode {
    match error {
        Error::Input(_) => ExitCode::from(2),
        _ => ExitCode::from(1),
    }
}

/// Does the work, unless somebody says stop; then the work is dropped, and with it everything that was shown.
pub async fn until_interrupted<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return work.await;
    };
    tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => Err(Error::Interrupted),
        _ = terminate.recv() => Err(Error::Interrupted),
    }
}
