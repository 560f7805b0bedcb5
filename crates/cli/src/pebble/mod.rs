//! Stand-ins for the programs that the test suites of ACME clients start: `pebble` and
//! `pebble-challtestsrv`.
//!
//! The command lines are those of the programs they stand in for; what answers is this product. A link to the binary
//! under one of the names suffices, also with a version and platform behind it.

mod address;
mod api;
mod blocklist;
mod challtestsrv;
mod dice;
mod disturbed;
mod environment;
mod external_keys;
mod file;
mod flags;
mod hierarchy;
mod management;
mod renewal;
mod server;
mod settings;

use std::{
    ffi::{OsStr, OsString},
    fmt,
    io::Write as _,
    path::Path,
    process::ExitCode,
};

use self::{
    address::Reach,
    flags::{Flag, Flags, Wrong},
};
use crate::serve::stop_signal;

/// One of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Pebble,
    Challtestsrv,
}

impl Program {
    /// Which program the name of a file stands for: `pebble`, `pebble-challtestsrv`, `pebble_v2.8.0_linux_amd64`, …
    pub fn called(name: &OsStr) -> Option<Self> {
        let name = Path::new(name).file_name()?.to_str()?;
        if name.starts_with("pebble-challtestsrv") {
            Some(Self::Challtestsrv)
        } else if name == "pebble" || name.starts_with("pebble_") || name.starts_with("pebble-") {
            Some(Self::Pebble)
        } else {
            None
        }
    }

    /// Runs with the arguments that follow the program's name.
    pub async fn run(self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        let arguments = arguments.into_iter().map(|word| word.to_string_lossy().into_owned());
        let flags = match Flags::parse(self.flags(), &arguments.collect::<Vec<_>>()) {
            Ok(flags) => flags,
            Err(Wrong::Help) => {
                say(flags::usage(self.name(), self.flags()).trim_end());
                return ExitCode::SUCCESS;
            }
            Err(Wrong::Usage(sentence)) => {
                eprintln!(
                    "{}: {sentence}\n{}",
                    self.name(),
                    flags::usage(self.name(), self.flags())
                );
                return ExitCode::from(2);
            }
        };
        match self.serve(&flags).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(sentence) => {
                eprintln!("{}: {sentence}", self.name());
                ExitCode::FAILURE
            }
        }
    }

    async fn serve(self, flags: &Flags) -> Result<(), String> {
        let reach = Reach::of_environment();
        match self {
            Self::Pebble => server::run(flags, reach, stop_signal()?).await,
            Self::Challtestsrv => challtestsrv::run(flags, reach, stop_signal()?).await,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Pebble => "pebble",
            Self::Challtestsrv => "pebble-challtestsrv",
        }
    }

    fn flags(self) -> &'static [Flag] {
        match self {
            Self::Pebble => server::FLAGS,
            Self::Challtestsrv => challtestsrv::FLAGS,
        }
    }
}

/// To standard output, also if nobody reads it any more: a suite may have closed it.
fn say(line: impl fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_the_name_of_its_file() {
        for (name, program) in [
            ("pebble-challtestsrv", Some(Program::Challtestsrv)),
            (
                "./assets/pebble-challtestsrv_v2.8.0_linux_amd64",
                Some(Program::Challtestsrv),
            ),
            ("pebble", Some(Program::Pebble)),
            ("/usr/bin/pebble", Some(Program::Pebble)),
            ("assets/pebble_v2.8.0_linux_amd64", Some(Program::Pebble)),
            ("pebble-linux-amd64", Some(Program::Pebble)),
            ("pebble/vidimus", None),
            ("/usr/bin/vidimus", None),
            ("pebbles", None),
            ("", None),
        ] {
            assert_eq!(Program::called(OsStr::new(name)), program, "{name}");
        }
    }
}
