//! The words of `vidimus mail issue` in real greetings, looked at by another implementation while they stand.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    PATIENCE, Server, has, read,
    site::{ADDRESS, HOST},
    typed,
};
use crate::{
    packages, root,
    run::{Outcome, output},
};

/// What is looked at.
pub struct Words<'a> {
    /// Where they are configured.
    pub files: &'a [PathBuf],
    /// What each file then has.
    pub mark: &'a str,
    pub method: &'a str,
    /// How many services show one.
    pub services: usize,
}

/// The authority is stopped as soon as words are configured, so that they stand until somebody else has seen them.
pub fn show(folder: &Path, issue: &mut Command, authority: &Server, words: &Words<'_>) -> Outcome<String> {
    issue.env("RUST_LOG", "email_tls=debug");
    println!("\n$ {}", typed(issue));
    let log = folder.join("peer.log");
    let file = fs::File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = file.map_err(|error| format!("{}: {error}", log.display()))?;
    let child = issue
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn();
    let mut child = child.map_err(|error| format!("{}: {error}", typed(issue)))?;
    let end = Instant::now() + PATIENCE;
    while !words.files.iter().all(|file| has(file, words.mark)) {
        let ended = child.try_wait().map_err(|error| error.to_string())?;
        if ended.is_some() || Instant::now() > end {
            let _ = child.kill();
            return Err(format!("its words were never seen: {}", read(&log)?));
        }
        sleep(Duration::from_millis(2));
    }
    let id = authority.child.id().to_string();
    let signal = |name: &str| output(Command::new("kill").args(["-s", name, &id])).map(drop);
    signal("STOP")?;
    let verified = verify_all(&log, words);
    signal("CONT")?;
    let ended = child.wait().map_err(|error| error.to_string())?;
    let text = read(&log)?;
    println!();
    let lines = text.lines().filter(|line| !line.contains(" DEBUG "));
    lines.for_each(|line| println!("{line}"));
    match (verified, ended.success()) {
        (Ok(()), true) => Ok(text),
        (Err(error), _) => Err(error),
        (Ok(()), false) => Err(format!("it ended with {ended}")),
    }
}

fn verify_all(log: &Path, words: &Words<'_>) -> Outcome {
    let text = read(log)?;
    let line = text.lines().find(|line| line.contains("showing words"));
    let line = line.ok_or("it did not log what it shows")?;
    let (proof, services) = (field(line, "key_authorization")?, field(line, "services")?);
    println!("its words stand, and the authority is held; extensions/email-tls/interop/verifier.py says:");
    let services: Vec<&str> = services.split(',').collect();
    let mut last = ("", "");
    for place in &services {
        last = place.split_once(':').ok_or("a service without a port")?;
        let end = Instant::now() + PATIENCE;
        loop {
            match verified(words.method, last, &proof) {
                Ok(said) => {
                    print!("    {said}");
                    break;
                }
                // Until the programs have read their configuration.
                Err(error) if Instant::now() > end => return Err(error),
                Err(_) => sleep(Duration::from_millis(100)),
            }
        }
    }
    let thumbprint = proof
        .split_once('.')
        .map(|(_, thumbprint)| thumbprint)
        .unwrap_or_default();
    match verified(words.method, last, &format!("anotherToken.{thumbprint}")) {
        Err(said) if said.contains("words of another proof") => println!("    invalid for another token"),
        other => return Err(format!("with another token it said {other:?}")),
    }
    match services.len() == words.services {
        true => Ok(()),
        false => Err(format!(
            "{} services had words, and not {}",
            services.len(),
            words.services
        )),
    }
}

fn verified(method: &str, (service, port): (&str, &str), proof: &str) -> Outcome<String> {
    let mut python = Command::new(packages::venv().join("bin/python"));
    let script: PathBuf = root().join("extensions/email-tls/interop/verifier.py");
    python
        .arg("-B")
        .arg(script)
        .args(["--address", ADDRESS, "--host", HOST]);
    python.args(["--service", service, "--port", port, "--key-authorization", proof]);
    python.args(["--method", method]);
    let ended = python
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    match ended.status.success() {
        true => Ok(said),
        false => Err(format!("{service}:{port}: {said}")),
    }
}

fn field(line: &str, name: &str) -> Outcome<String> {
    let value = line
        .split_once(&format!("{name}=\""))
        .and_then(|(_, rest)| rest.split_once('"'));
    match value {
        Some((value, _)) => Ok(value.to_owned()),
        None => Err(format!("there is no {name} in {line}")),
    }
}
