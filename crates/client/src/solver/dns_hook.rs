//! dns-01 by a program of the subscriber's (RFC 8555 §8.4).
//!
//! The contract is the one that other clients made common for such programs: `CMD present FQDN VALUE` makes the TXT
//! record and returns when it can be seen, `CMD cleanup FQDN VALUE` removes it. Several records may stand at one name.

use std::{
    io::Read as _,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt as _};
use serde::{Deserialize, Serialize};

use super::{Presented, Solver, SolverError, blocking};
use crate::{
    challenge::{Method, Proof},
    identifier::Identifier,
    store::{Ledger, Note, Trace},
};

/// Runs the hook, one call at a time: few such programs expect to run twice at once.
pub struct DnsHook {
    command: Vec<String>,
    limit: Duration,
    one_at_a_time: Arc<Mutex<()>>,
    ledger: Option<Ledger>,
}

impl DnsHook {
    /// `command` is the path of a program; if there is none of that name, it is a program and its first arguments,
    /// separated by spaces. No shell sees it.
    pub fn new(command: &str, limit: Duration, ledger: Option<Ledger>) -> Self {
        let command = match std::path::absolute(command) {
            Ok(path) if path.is_file() => vec![path.to_string_lossy().into_owned()],
            _ => command.split_ascii_whitespace().map(str::to_owned).collect(),
        };
        Self {
            command,
            limit,
            one_at_a_time: Arc::default(),
            ledger,
        }
    }

    /// Makes a record of another method's, at a name and with a value of that method.
    pub async fn present_at(&self, proof: &Proof, fqdn: String, value: String) -> Result<Presented, SolverError> {
        let call = Call {
            command: self.command.clone(),
            fqdn,
            value,
            identifier: proof.identifier.to_string(),
            token: proof.token.as_str().to_owned(),
            limit: self.limit,
        };
        let note = self
            .ledger
            .as_ref()
            .and_then(|ledger| ledger.note(&Trace::Dns(call.clone())));
        let turn = Arc::clone(&self.one_at_a_time);
        let again = call.clone();
        let presented = Presented::new(move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            again.run("cleanup")?;
            note.into_iter().for_each(Note::settle);
            Ok(())
        });
        let turn = Arc::clone(&self.one_at_a_time);
        let shown = blocking(move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            call.run("present")
        });
        match shown.await {
            Ok(()) => Ok(presented),
            Err(error) => {
                let _ = presented.cleanup().await;
                Err(error)
            }
        }
    }
}

impl Solver for DnsHook {
    fn method(&self) -> Method {
        Method::Dns01
    }

    fn present<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        let fqdn = proof.identifier.challenge_record().unwrap_or_default();
        self.present_at(proof, fqdn, proof.key_authorization.dns_value())
            .boxed()
    }

    fn hint(&self, identifier: &Identifier) -> String {
        format!(
            "The CA looks for a TXT record at {}: check that the hook writes to the zone that is public and returns only when all its servers have the record.",
            identifier.challenge_record().unwrap_or_default()
        )
    }
}

/// One record that a hook makes and removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    command: Vec<String>,
    fqdn: String,
    value: String,
    identifier: String,
    token: String,
    limit: Duration,
}

impl Call {
    pub(super) fn run(&self, verb: &str) -> Result<(), SolverError> {
        let call = format!("{} {verb} {} {}", self.command.join(" "), self.fqdn, self.value);
        let failed = |source| SolverError::HookStart {
            command: self.command.join(" "),
            source,
        };
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        let mut child = Command::new(program)
            .args(arguments)
            .args([verb, &self.fqdn, &self.value])
            .env("VIDIMUS_IDENTIFIER", &self.identifier)
            .env("VIDIMUS_TOKEN", &self.token)
            .env("VIDIMUS_FQDN", &self.fqdn)
            .env("VIDIMUS_VALUE", &self.value)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stderr = child.stderr.take();
        // Read while it runs, or a talkative hook would block; a thread, because this runs in drops too.
        let listener = thread::spawn(move || {
            let mut said = Vec::new();
            if let Some(mut stderr) = stderr {
                let _ = stderr.by_ref().take(LONGEST_STDERR).read_to_end(&mut said);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            }
            String::from_utf8_lossy(&said).into_owned()
        });
        let Some(status) = wait(&mut child, self.limit).map_err(failed)? else {
            return Err(SolverError::HookTimedOut {
                call,
                limit: self.limit,
            });
        };
        if status.success() {
            return Ok(());
        }
        let stderr = listener.join().unwrap_or_default();
        Err(SolverError::Hook {
            call,
            status: status.to_string(),
            stderr,
        })
    }
}

/// Waits, but not for ever; what takes too long is killed.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(2));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if waited >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

const LONGEST_STDERR: u64 = 4096;

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::PermissionsExt as _,
        path::{Path, PathBuf},
    };

    use super::*;
    use crate::challenge::Token;

    fn script(folder: &Path, body: &str) -> PathBuf {
        let path = folder.join("a hook.sh");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn proof(identifier: &str) -> Proof {
        Proof::new(
            identifier.parse().unwrap(),
            Token::new("tok-1").unwrap(),
            &[7; 32].into(),
        )
    }

    // 8555-8.4-1, 8555-7.5.1-5
    #[tokio::test]
    async fn the_hook_is_called_with_verb_name_and_value_and_again_to_clean_up() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let hook = script(
            folder.path(),
            &format!(
                "echo \"$# $1 $2 $3 $VIDIMUS_IDENTIFIER $VIDIMUS_TOKEN\" >> {}",
                log.display()
            ),
        );
        let solver = DnsHook::new(hook.to_str().unwrap(), Duration::from_secs(20), None);
        let proof = proof("*.example.org");
        solver.present(&proof).await.unwrap().cleanup().await.unwrap();
        let value = proof.key_authorization.dns_value();
        let line = |verb| format!("3 {verb} _acme-challenge.example.org. {value} *.example.org tok-1\n");
        assert_eq!(fs::read_to_string(&log).unwrap(), line("present") + &line("cleanup"));
    }

    #[tokio::test]
    async fn a_hook_that_fails_is_an_error_with_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let hook = script(folder.path(), "echo no such zone >&2; exit 3");
        let solver = DnsHook::new(hook.to_str().unwrap(), Duration::from_secs(20), None);
        let error = solver.present(&proof("a.test")).await.unwrap_err().to_string();
        assert!(
            error.contains("no such zone") && error.contains('3') && error.contains("_acme-challenge.a.test."),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_hook_that_hangs_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let hook = script(folder.path(), "exec sleep 1000");
        let solver = DnsHook::new(hook.to_str().unwrap(), Duration::from_millis(50), None);
        let error = solver.present(&proof("a.test")).await.unwrap_err();
        assert!(matches!(error, SolverError::HookTimedOut { .. }), "{error}");
    }

    // t44
    #[tokio::test]
    async fn t44_no_shell_sees_the_command() {
        let solver = DnsHook::new("/bin/true; touch /tmp/owned", Duration::from_secs(5), None);
        assert!(matches!(
            solver.present(&proof("a.test")).await,
            Err(SolverError::HookStart { .. })
        ));
    }
}
