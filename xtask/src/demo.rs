//! `cargo xtask demo`: an authority from nothing, one certificate, and what is in it.

use std::{fs, process::Command};

use crate::{
    run::{Outcome, cargo, run},
    target,
    vidimus::binary,
};

pub fn show() -> Outcome {
    run(&mut cargo(&["build", "--release", "--workspace", "--locked"]))?;
    let dir = target().join("demo");
    // Begins from nothing each time; a leftover that cannot be removed shows in the next command.
    let _ = fs::remove_dir_all(&dir);
    run(Command::new(binary("vidimus"))
        .args([
            "dev",
            "--once",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--challtestsrv",
            "127.0.0.1:0",
        ])
        .arg("--dir")
        .arg(&dir))?;
    let certs = dir.join("certs/localhost");
    run(Command::new("openssl")
        .arg("verify")
        .arg("-CAfile")
        .arg(dir.join("root.pem"))
        .arg("-untrusted")
        .arg(certs.join("chain.pem"))
        .arg(certs.join("cert.pem")))?;
    run(Command::new("openssl")
        .args([
            "x509",
            "-noout",
            "-subject",
            "-issuer",
            "-dates",
            "-ext",
            "subjectAltName",
            "-in",
        ])
        .arg(certs.join("cert.pem")))
}
