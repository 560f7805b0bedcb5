//! Where a command speaks: results on standard output, everything else on standard error.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    error::{Error, Failure},
    printable::printable,
    progress::Progress,
};

/// The two streams of a command.
#[derive(Clone)]
pub struct Output {
    stdout: Stream,
    stderr: Stream,
}

type Stream = Arc<Mutex<dyn Write + Send>>;

impl Output {
    pub fn standard() -> Self {
        Self::to(io::stdout(), io::stderr())
    }

    pub fn to(stdout: impl Write + Send + 'static, stderr: impl Write + Send + 'static) -> Self {
        Self {
            stdout: Arc::new(Mutex::new(stdout)),
            stderr: Arc::new(Mutex::new(stderr)),
        }
    }

    /// A line of the result.
    pub fn result(&self, line: &str) {
        write(&self.stdout, line);
    }

    /// The whole result for programs: one object on one line, its form named by `schema`.
    pub fn json(&self, member: &str, value: Value) {
        write(&self.stdout, &json!({"schema": SCHEMA, member: value}).to_string());
    }

    /// A line for who waits.
    pub fn note(&self, line: &str) {
        write(&self.stderr, &printable(line));
    }

    pub fn progress(&self) -> Progress {
        let stderr = Arc::clone(&self.stderr);
        Arc::new(move |event| write(&stderr, &printable(&event.to_string())))
    }

    /// Says what went wrong and what to do next, and gives the exit code for it.
    pub fn failed(&self, error: &Error, as_json: bool) -> ExitCode {
        if as_json {
            self.json("error", error_json(error));
        }
        write(&self.stderr, &format!("error: {error}"));
        if let Some(next) = error.next_step() {
            write(&self.stderr, &format!("next: {next}"));
        }
        super::exit_code(error)
    }
}

/// Nobody who reads is no reason to stop in the middle.
fn write(stream: &Stream, line: &str) {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = writeln!(stream, "{line}").and_then(|()| stream.flush());
}

pub(super) fn error_json(error: &Error) -> Value {
    let mut value = json!({"kind": error.kind(), "message": error.to_string(), "retryable": error.is_retryable()});
    if let Some(next) = error.next_step() {
        value["next"] = next.into();
    }
    if let Some(problem) = error.problem() {
        value["problem"] = serde_json::to_value(problem).unwrap_or_default();
    }
    if let Error::Unproven(failures) = error {
        value["failures"] = failures.iter().map(failure_json).collect();
    }
    value
}

fn failure_json(failure: &Failure) -> Value {
    json!({
        "identifier": failure.identifier,
        "method": failure.method,
        "problem": failure.problem,
        "message": failure.to_string(),
        "hint": failure.hint,
    })
}

const SCHEMA: u32 = 1;
