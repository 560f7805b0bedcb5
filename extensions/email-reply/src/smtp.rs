//! What every mail that goes out has in common, whoever sends it.

use lettre::{Address, address::Envelope};

/// Of one sender and one recipient. `Err` is a sentence.
pub fn envelope(from: &str, to: &str) -> Result<Envelope, String> {
    let parse = |text: &str| {
        text.parse::<Address>()
            .map_err(|error| format!("mail cannot be sent with the address {text:?}: {error}"))
    };
    Envelope::new(Some(parse(from)?), vec![parse(to)?]).map_err(|error| error.to_string())
}

/// An error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
