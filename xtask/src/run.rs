//! Programs that are run for their effect or for what they print.

use std::process::{Command, Stdio};

/// What went wrong, as a sentence.
pub type Outcome<T = ()> = Result<T, String>;

/// Runs a program in view of the user. Its failure is an error that names the whole command.
pub fn run(command: &mut Command) -> Outcome {
    let line = line(command);
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` failed: {status}")),
        Err(error) => Err(format!("`{line}` cannot be run: {error}")),
    }
}

/// What a program prints on standard output.
pub fn output(command: &mut Command) -> Outcome<String> {
    let line = line(command);
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(format!(
            "`{line}` failed: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        )),
        Err(error) => Err(format!("`{line}` cannot be run: {error}")),
    }
}

pub fn cargo(arguments: &[&str]) -> Command {
    // Cargo sets this for what it runs, so that the toolchain stays the same.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
