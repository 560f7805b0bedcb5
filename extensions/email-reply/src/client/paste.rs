//! A reply by hand: what to copy from the challenge mail, and what to send back.

use std::io::BufRead as _;

use client::{commands::Output, solver::SolverError};
use mail::{
    answer::Answer,
    message::{address::Mailbox, block},
};

use super::solver::failed;

/// Asks for the token, says what to send, and waits until it was sent.
pub async fn by_hand(mailbox: &Mailbox, from: &Mailbox, answer: impl Fn(&str) -> Answer) -> Result<(), SolverError> {
    let out = Output::standard();
    out.note(&format!(
        "{from} sends a mail to {mailbox}. Paste its Subject, or what stands there after \"ACME:\", and press Enter:"
    ));
    let token = loop {
        match token(&line().await?) {
            Some(token) => break token,
            None => out.note("this is no token: letters, digits, \"-\" and \"_\", 22 and more. Paste it again:"),
        }
    };
    let answer = answer(&token);
    for line in [
        &format!(
            "Answer that mail from {mailbox} (Reply does it), as plain text, with the last three lines and nothing else:"
        ),
        "",
        &format!("To: {from}"),
        &format!("Subject: Re: ACME: {token}"),
        "",
        block::BEGIN,
        answer.digest(),
        block::END,
        "",
        "Press Enter when it is sent:",
    ] {
        out.note(line);
    }
    line().await.map(drop)
}

/// With the words before it, or without.
fn token(pasted: &str) -> Option<String> {
    let token = pasted.rsplit("ACME:").next().unwrap_or_default();
    let token: String = token.split_whitespace().collect();
    let is_token = mail::answer::decode(&token).is_some_and(|octets| octets.len() >= 16);
    is_token.then_some(token)
}

async fn line() -> Result<String, SolverError> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|count| (count, line))
    });
    match read.await {
        Ok(Ok((count, line))) if count > 0 => Ok(line),
        _ => Err(failed(
            "the input ended".to_owned(),
            Some("Run it from a terminal, or answer by --imap and --submission."),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_from_a_subject_or_alone_and_nothing_else_is_one() {
        let wanted = Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYX".to_owned());
        assert_eq!(token("Subject: ACME: AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\n"), wanted);
        assert_eq!(token("  AAECAwQFBgcICQoL\tDA0ODxAREhMUFRYX "), wanted);
        assert_eq!(token("AAEC"), None);
        assert_eq!(token("no token at all"), None);
        assert_eq!(token(""), None);
    }
}
