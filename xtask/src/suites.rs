//! The published test suites of ACME clients, unmodified, against this product under the names of Pebble's programs.
//!
//! A suite comes from the package registry with its own lock file and is built in a folder of its own below the target
//! directory, which may be kept between runs.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::{
    run::{Outcome, cargo, output},
    target,
};

/// Runs every suite.
pub fn all() -> Outcome {
    let manifest = source(INSTANT_ACME)?;
    let bin = links()?;
    let mut command = cargo(&["test", "--locked", "--manifest-path"]);
    command.arg(&manifest).arg("--target-dir").arg(folder().join("build"));
    // Its other provider of cryptography builds in a third of the time, and is not ours.
    command.args([
        "--no-default-features",
        "--features",
        "hyper-rustls,ring,x509-parser,time",
    ]);
    command.args(["--test", "pebble", "--", "--ignored"]);
    command.env("PEBBLE", bin.join("pebble"));
    command.env("CHALLTESTSRV", bin.join("pebble-challtestsrv"));
    // The suite says ":PORT", which would be every address of this machine.
    command.env("VIDIMUS_LOOPBACK_ONLY", "1");
    // It gives up after a few refused nonces in a row, and chance must not fail a build.
    command.env("PEBBLE_WFE_NONCEREJECT", "0");
    // Some validations end at once, some later.
    command.env("PEBBLE_VA_SLEEPTIME", "2");
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let suite = command.spawn().and_then(Child::wait_with_output);
    let suite = suite.map_err(|error| format!("cargo cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&suite.stdout);
    println!("{}", said.trim_end());
    match suite.status.success() && said.contains(EXPECTED) {
        true => Ok(()),
        false => Err(format!("{}: it did not say {EXPECTED:?}", INSTANT_ACME.0)),
    }
}

/// Name and version; the version decides how many tests there are.
const INSTANT_ACME: (&str, &str) = ("instant-acme", "0.8.5");
const EXPECTED: &str = "test result: ok. 14 passed; 0 failed; 0 ignored";

/// The manifest of a crate as it was published, which lies in cargo's own folder.
fn source((name, version): (&str, &str)) -> Outcome<PathBuf> {
    let fetch = folder().join(format!("fetch-{name}"));
    let manifest = fetch.join("Cargo.toml");
    // A package that exists to depend on it. Its lock file stays, so that the registry is asked once.
    let package = format!(
        "[package]\nname = \"fetch-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{name} = \"={version}\"\n\n[workspace]\n"
    );
    write(&manifest, &package)?;
    write(&fetch.join("src/lib.rs"), "")?;
    let mut metadata = cargo(&["metadata", "--format-version", "1", "--manifest-path"]);
    let metadata = output(metadata.arg(&manifest))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let found = packages.find(|package| package["name"] == name && package["version"] == version);
    let found = found.and_then(|package| package["manifest_path"].as_str());
    found
        .map(PathBuf::from)
        .ok_or_else(|| format!("cargo metadata does not know where {name} {version} is"))
}

/// The debug build under the names that suites start.
fn links() -> Outcome<PathBuf> {
    let vidimus = target().join("debug/vidimus");
    let vidimus = vidimus
        .canonicalize()
        .map_err(|error| format!("{}: {error}; cargo xtask test build makes it", vidimus.display()))?;
    let bin = folder().join("bin");
    make_folder(&bin)?;
    for name in ["pebble", "pebble-challtestsrv"] {
        let link = bin.join(name);
        // It may not be there; if it cannot be removed, the next line says so.
        let _ = fs::remove_file(&link);
        symlink(&vidimus, &link).map_err(|error| format!("{}: {error}", link.display()))?;
    }
    bin.canonicalize()
        .map_err(|error| format!("{}: {error}", bin.display()))
}

fn folder() -> PathBuf {
    target().join("suites")
}

fn write(file: &Path, content: &str) -> Outcome {
    if fs::read_to_string(file).is_ok_and(|there| there == content) {
        return Ok(());
    }
    file.parent().map_or(Ok(()), make_folder)?;
    fs::write(file, content).map_err(|error| format!("{}: {error}", file.display()))
}

fn make_folder(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
