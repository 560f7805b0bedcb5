//! The project's own commands: `cargo xtask test | bench | demo | docs | layers | minutes`.
#![expect(clippy::disallowed_methods, reason = "these commands measure how long things take")]

mod bench;
mod demo;
mod docs;
mod issued;
mod layers;
mod machine;
mod minutes;
mod packages;
mod run;
mod suites;
mod test;
mod vidimus;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let Err(error) = env::set_current_dir(root()) {
        eprintln!("xtask: {}: {error}", root().display());
        return ExitCode::FAILURE;
    }
    let outcome = match arguments.as_slice() {
        ["test", steps @ ..] => test::all(steps),
        ["bench", options @ ..] => bench::measure(options),
        ["demo"] => demo::show("core"),
        ["demo", name] => demo::show(name),
        ["demo", name, "inside", folder] => demo::inside(name, folder),
        ["docs"] => docs::write(),
        ["layers"] => layers::check(),
        ["minutes"] => minutes::check(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder; every command runs there.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask
        .parent()
        .expect("invariant: xtask is a folder of the workspace")
        .to_owned()
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [STEP…]      everything that must hold before a change is merged, or the named steps of it
  test --list       the names of the steps
  bench [--quick]   the figures, beside Debian's pebble; also in target/bench.json
  demo [core|csr-first|mail|all]   the documented commands against real peers, as a transcript
  docs              write the documentation pages that are made from the code
  layers            whether the crates' manifests keep to the arrows between the parts
  minutes           whether docs/minutes.md names tests and commands that exist
";
