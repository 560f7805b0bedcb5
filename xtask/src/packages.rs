//! What the tests need from outside: Debian packages and one Python environment.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    run::{Outcome, output, run},
    target,
};

/// Debian packages: foreign clients and servers, a second opinion on certificates, a database, signed zones.
const DEBIAN: &[&str] = &[
    "bind9-dnsutils",
    "ca-certificates",
    "certbot",
    "curl",
    "dehydrated",
    "dovecot-imapd",
    "dovecot-lmtpd",
    "dovecot-pop3d",
    "iproute2",
    "knot",
    "knot-dnsutils",
    "lego",
    "libnss3-tools",
    "opendkim",
    "openssl",
    "pebble",
    "postfix",
    "postgresql",
    "python3-venv",
    "uacme",
    "unbound",
];

/// From PyPI, pinned: the linters that every issued certificate passes, the newest certbot, a verifier of SRV-IDs, and a
/// signer and verifier of mail with its curve.
const PYTHON: &[&str] = &[
    "pkilint==0.13.3",
    "certbot==5.8.0",
    "service-identity==26.1.0",
    "dkimpy==1.1.8",
    "pynacl==1.6.2",
];

/// Installs the packages that are missing. Nothing is asked of the network when none is.
pub fn debian() -> Outcome {
    let missing: Vec<&str> = DEBIAN
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        println!("all {} packages are installed", DEBIAN.len());
        return Ok(());
    }
    println!("missing: {}", missing.join(" "));
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        return Err(format!(
            "as root: apt-get install --no-install-recommends {}",
            missing.join(" ")
        ));
    }
    run(Command::new("apt-get").args(["update", "-q"]))?;
    run(Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-q", "-y", "--no-install-recommends"])
        .args(&missing))?;
    match missing.iter().find(|package| !is_installed(package)) {
        Some(package) => Err(format!("{package} is still missing after apt-get install")),
        None => Ok(()),
    }
}

fn is_installed(package: &str) -> bool {
    output(Command::new("dpkg").args(["-s", package]))
        .is_ok_and(|status| status.contains("Status: install ok installed"))
}

/// The Python environment below the target directory.
pub fn venv() -> PathBuf {
    target().join("tools/python")
}

/// Makes the environment if it does not hold exactly what is pinned here.
pub fn python() -> Outcome {
    let (venv, wanted) = (venv(), PYTHON.join("\n"));
    let mark = venv.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        println!("{} is there", PYTHON.join(" "));
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    run(Command::new(venv.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(PYTHON))?;
    fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))
}
