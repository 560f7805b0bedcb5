//! A program of the operator's as issuer: one call for each step, JSON in, JSON out, and no shell.
//!
//! It is called with a `key` that is the same for everything about one certificate. A step may come twice with the same
//! key, after a crash of either side, and must then be answered as the first time: the key is what the program files
//! its work under. What cannot be answered is an exit code other than 0; it is asked again.

use std::{path::PathBuf, process::Stdio, time::Duration};

use acme::{Identifier, RevocationReason};
use authority::ports::{Answer, BackEnd, BackEndFailure, BackEndRequest, BoxFuture, Notes};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process,
};

/// `kind = "command"`.
#[derive(Clone, Debug)]
pub struct Command {
    /// Absolute path and arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub folder: PathBuf,
    /// How long one call may take.
    pub time_limit: Duration,
    pub patience: Duration,
}

/// What the program reads from its standard input.
#[derive(Serialize)]
#[serde(tag = "step", rename_all = "lowercase", rename_all_fields = "camelCase")]
enum Question<'a> {
    Submit(Order<'a>),
    Issue(Order<'a>),
    Abandon {
        key: &'a str,
    },
    Revoke {
        key: &'a str,
        /// PEM.
        certificate: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<u64>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    key: &'a str,
    directory: &'a str,
    profile: &'a str,
    identifiers: &'a [Identifier],
    /// PEM.
    csr: String,
    /// Of the DER, in hexadecimal digits.
    csr_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<Timestamp>,
}

impl<'a> Order<'a> {
    fn of(request: &'a BackEndRequest) -> Self {
        Self {
            key: &request.key,
            directory: &request.directory,
            profile: &request.profile,
            identifiers: &request.identifiers,
            csr: pkix::pem::encode_request(&request.csr),
            csr_sha256: pkix::hex::encode(&request.csr_sha256),
            not_before: request.not_before,
            not_after: request.not_after,
        }
    }
}

/// What it writes to its standard output.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase", rename_all_fields = "camelCase")]
enum Reply {
    /// To `submit`, `abandon` and `revoke`.
    Done,
    /// To `issue`: PEM, the certificate first, each signed by the next.
    Issued { chain: String },
    /// To `issue`: not yet; seconds.
    Later { retry_after: u64 },
    /// For good. The reason is for the subscriber.
    Refused { reason: String },
}

impl BackEnd for Command {
    fn submit<'a>(&'a self, request: &'a BackEndRequest) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        Box::pin(async move { done(self.ask(&Question::Submit(Order::of(request))).await?) })
    }

    /// The program keeps its own notes, under the key.
    fn issue<'a>(
        &'a self,
        request: &'a BackEndRequest,
        _notes: &'a dyn Notes,
    ) -> BoxFuture<'a, Result<Answer, BackEndFailure>> {
        Box::pin(async move { answer(self.ask(&Question::Issue(Order::of(request))).await?) })
    }

    fn abandon<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        Box::pin(async move { done(self.ask(&Question::Abandon { key }).await?) })
    }

    fn revoke<'a>(
        &'a self,
        key: &'a str,
        certificate: &'a [u8],
        reason: Option<RevocationReason>,
    ) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        let question = Question::Revoke {
            key,
            certificate: pkix::pem::encode_certificate(certificate),
            reason: reason.map(RevocationReason::code),
        };
        Box::pin(async move { done(self.ask(&question).await?) })
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

fn done(reply: Reply) -> Result<(), BackEndFailure> {
    match reply {
        Reply::Done => Ok(()),
        Reply::Refused { reason } => Err(BackEndFailure::Refused(bounded(&reason))),
        other => Err(unexpected(&other, "\"done\" or \"refused\"")),
    }
}

fn answer(reply: Reply) -> Result<Answer, BackEndFailure> {
    match reply {
        Reply::Issued { chain } => {
            let chain = pkix::pem::parse_chain(&chain);
            let unreadable = |error| BackEndFailure::Unavailable(format!("its \"chain\" is not PEM: {error}"));
            Ok(Answer::Chain(chain.map_err(unreadable)?))
        }
        Reply::Later { retry_after } => Ok(Answer::Later(Duration::from_secs(retry_after))),
        Reply::Refused { reason } => Err(BackEndFailure::Refused(bounded(&reason))),
        other => Err(unexpected(&other, "\"issued\", \"later\" or \"refused\"")),
    }
}

fn unexpected(reply: &Reply, expected: &str) -> BackEndFailure {
    BackEndFailure::Unavailable(format!("it answered {reply:?} where {expected} is an answer"))
}

impl Command {
    async fn ask(&self, question: &Question<'_>) -> Result<Reply, BackEndFailure> {
        let asked = tokio::time::timeout(self.time_limit, self.run(question));
        let name = self.command.first().map(String::as_str).unwrap_or_default();
        match asked.await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(why)) => Err(BackEndFailure::Unavailable(format!("{name}: {why}"))),
            // Dropping the call has ended the program.
            Err(_) => Err(BackEndFailure::Unavailable(format!(
                "{name}: no answer within {} s; the program was ended",
                self.time_limit.as_secs()
            ))),
        }
    }

    async fn run(&self, question: &Question<'_>) -> Result<Reply, String> {
        let (program, arguments) = self.command.split_first().ok_or("no program is named")?;
        let mut child = process::Command::new(program)
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("it cannot be started: {error}"))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err("it has no pipes".to_owned());
        };
        let question = serde_json::to_vec(question).map_err(|error| error.to_string())?;
        let tell = async move {
            // A program that answers without having read everything is free to do so.
            let _ = stdin.write_all(&question).await;
            drop(stdin);
        };
        let (mut said, mut complained) = (Vec::new(), Vec::new());
        let mut stdout = stdout.take(LONGEST_OUTPUT + 1);
        let mut stderr = stderr.take(LONGEST_OUTPUT);
        let ((), out, err) = tokio::join!(tell, stdout.read_to_end(&mut said), stderr.read_to_end(&mut complained));
        out.and(err)
            .map_err(|error| format!("its output cannot be read: {error}"))?;
        if said.len() as u64 > LONGEST_OUTPUT {
            return Err(format!("it wrote more than {LONGEST_OUTPUT} bytes"));
        }
        // Closed, so that one that writes more than is read of it does not wait for ever.
        drop((stdout, stderr));
        let status = child.wait().await.map_err(|error| error.to_string())?;
        if !status.success() {
            let complained = bounded(&String::from_utf8_lossy(&complained));
            return Err(format!("it ended with {status}: {complained}"));
        }
        serde_json::from_slice(&said).map_err(|error| {
            let said = bounded(&String::from_utf8_lossy(&said));
            format!("it wrote no answer that can be read: {error}: {said}")
        })
    }
}

/// Texts of others, for logs and subscribers: one line, printable, not too long.
fn bounded(text: &str) -> String {
    let text: String = text.chars().take(LONGEST_TEXT).collect();
    let words: Vec<_> = text.split_whitespace().collect();
    let printable = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    words.join(" ").chars().map(printable).collect()
}

/// A chain of ten certificates is not half as long.
const LONGEST_OUTPUT: u64 = 256 * 1024;
const LONGEST_TEXT: usize = 300;

#[cfg(test)]
mod tests;
