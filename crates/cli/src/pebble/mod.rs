//! Stand-ins for the programs that the test suites of ACME clients start: `pebble-challtestsrv`.
//!
//! The command lines are those of the programs they stand in for; what answers is this product. A link to the binary
//! under one of the names suffices, also with a version and platform behind it.

mod address;
mod challtestsrv;
mod flags;

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
    Challtestsrv,
}

impl Program {
    /// Which program the name of a file stands for: `pebble-challtestsrv`, `pebble-challtestsrv_v2.8.0_linux_amd64`, …
    pub fn called(name: &OsStr) -> Option<Self> {
        let name = Path::new(name).file_name()?.to_str()?;
        if name.starts_with("pebble-challtestsrv") {
            Some(Self::Challtestsrv)
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
            Self::Challtestsrv => challtestsrv::run(flags, reach, stop_signal()?).await,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Challtestsrv => "pebble-challtestsrv",
        }
    }

    fn flags(self) -> &'static [Flag] {
        match self {
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
            ("/usr/bin/vidimus", None),
            ("pebbles", None),
            ("", None),
        ] {
            assert_eq!(Program::called(OsStr::new(name)), program, "{name}");
        }
    }
}
