//! `cargo xtask demo csr-first`: a directory before an authority that begins with the CSR, and the ordinary one of the
//! same server.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{HTTP_PORT, Server, type_in, vidimus};
use crate::{packages, root, run::Outcome};

/// Our client and the package `acme` of PyPI with a few lines; then certbot and lego, which stop and are told where to go.
pub fn show(folder: &Path) -> Outcome {
    packages::python()?;
    // Its DNS has an address for every name.
    let world = Server::start(folder)?;
    let resolver = world.said("dns").ok_or("vidimus dev told no DNS")?;
    for made in ["front", "legacy"] {
        type_in(
            folder,
            run(&["init", "--listen", FRONT, "--dir", made]).stdout(Stdio::null()),
        )?;
    }
    for (from, to) in [("issuing.pem", "ca.pem"), ("issuing.key", "ca.key")] {
        let legacy = folder.join("legacy");
        fs::rename(legacy.join(from), legacy.join(to)).map_err(|error| format!("legacy/{from}: {error}"))?;
    }
    let example = root().join("extensions/csr-first/example");
    configure(folder, &resolver, &example)?;
    let _front = Server::spawn(folder, &["serve", "--config", "front/vidimus.toml"])?;
    let (ordinary, directory) = (
        format!("https://{FRONT}/directory"),
        format!("https://{FRONT}/legacy/directory"),
    );
    for url in [&directory, &ordinary, &format!("https://{FRONT}/errors/csrRequired")] {
        type_in(
            folder,
            Command::new("curl").args(["-s", "--cacert", "front/root.pem", url]),
        )?;
    }

    println!("\n\n--- our client: sees the flag and sends its CSR with the order");
    let mut ours = run(&[
        "cert",
        "issue",
        "ours.example.test",
        "--server",
        &directory,
        "--ca-bundle",
        "front/root.pem",
    ]);
    type_in(folder, ours.args(["--dir", "my", "--standalone", &listen()]))?;
    verify(
        folder,
        "legacy",
        "my/certs/ours.example.test/cert.pem",
        "my/certs/ours.example.test/chain.pem",
    )?;

    println!("\n--- PyPI's acme, with the few lines between the marks");
    let script = example.join("with_pypi_acme.py");
    let lines = fs::read_to_string(&script).map_err(|error| format!("{}: {error}", script.display()))?;
    let marked: Vec<_> = lines.lines().skip_while(|line| !line.starts_with("# ---")).collect();
    let end = marked
        .iter()
        .rposition(|line| line.starts_with("# ---"))
        .unwrap_or_default();
    if end > MOST_LINES + 1 {
        return Err(format!(
            "{} lines are new to the package, not {MOST_LINES} at most",
            end - 1
        ));
    }
    println!("{}", marked[..=end].join("\n"));
    let mut pypi = Command::new(packages::venv().join("bin/python"));
    pypi.arg(&script)
        .args([&directory, "pypi.example.test", &HTTP_PORT.to_string(), "pypi.pem"]);
    type_in(folder, pypi.env("REQUESTS_CA_BUNDLE", "front/root.pem"))?;
    verify(folder, "legacy", "pypi.pem", "pypi.pem")?;

    println!("\n--- what the back end was told, and when");
    calls(folder)?;

    println!("\n--- stock certbot and lego: told what is wrong and where to go");
    let told = ["newOrderCsrRequired", &ordinary];
    fails(folder, &mut certbot(&directory, "front/root.pem"), &told)?;
    fails(folder, &mut lego(&directory, "front/root.pem", "lego-legacy"), &told)?;
    println!("\n--- and there it works, in the same process");
    type_in(folder, &mut certbot(&ordinary, "front/root.pem"))?;
    let live = "cb/live/stock.example.test";
    verify(
        folder,
        "front",
        &format!("{live}/cert.pem"),
        &format!("{live}/chain.pem"),
    )?;
    type_in(folder, &mut lego(&ordinary, "front/root.pem", "lego"))?;
    let lego = "lego/certificates/stock.example.test";
    verify(folder, "front", &format!("{lego}.crt"), &format!("{lego}.issuer.crt"))
}

fn configure(folder: &Path, resolver: &str, example: &Path) -> Outcome {
    let (program, legacy) = (example.join("legacy_ca.py"), folder.join("legacy"));
    let text = format!(
        "[server]\nlisten = \"{FRONT}\"\nexternal_url = \"https://{FRONT}\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n\
         [validation]\nhttp_port = {HTTP_PORT}\nresolvers = [\"{resolver}\"]\nallow_networks = [\"127.0.0.0/8\"]\n\n\
         [issuer.own]\ncertificate = \"issuing.pem\"\nkey = \"issuing.key\"\n\n[profile.default]\nissuer = \"own\"\n\n\
         [issuer.legacy]\nkind = \"command\"\ncommand = [\"/usr/bin/python3\", \"{}\", \"{}\"]\nroots = \"../legacy/root.pem\"\n\n\
         [profile.legacy]\nissuer = \"legacy\"\n\n[directory.legacy]\nprofiles = [\"legacy\"]\n\n\
         [directory.legacy.acme]\ndefault_profile = \"legacy\"\n\n[directory.legacy.extensions.csr-first]\nenabled = true\n\
         match = \"identical\"\nordinary = \"https://{FRONT}/directory\"\n",
        program.display(),
        legacy.display()
    );
    println!("\n$ cat front/vidimus.toml\n{text}");
    let file = folder.join("front/vidimus.toml");
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Every CSR that was signed was told at submit, and before its order's certificate was asked for.
fn calls(folder: &Path) -> Outcome {
    let file = folder.join("legacy/calls.log");
    let log = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    println!("$ cat legacy/calls.log\n{log}");
    let calls = log.lines().map(serde_json::from_str);
    let calls: Vec<Value> = calls.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    let told = |call: &Value| {
        calls
            .iter()
            .find(|one| one["step"] == "submit" && one["key"] == call["key"])
            .cloned()
    };
    let issued: Vec<_> = calls.iter().filter(|call| call["step"] == "issue").collect();
    let right = issued.iter().all(|call| {
        told(call).is_some_and(|submit| {
            submit["csrSha256"] == call["csrSha256"] && submit["at"].as_f64() < call["at"].as_f64()
        })
    });
    match issued.len() {
        2 if right => {
            println!(
                "two certificates, each from the CSR that was told before its order, and its challenges, were made"
            );
            Ok(())
        }
        count => Err(format!(
            "{count} certificates were asked for, and not each from the CSR that was submitted"
        )),
    }
}

fn verify(folder: &Path, authority: &str, certificate: &str, chain: &str) -> Outcome {
    let root = format!("{authority}/root.pem");
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-CAfile", &root, "-untrusted", chain, certificate]);
    type_in(folder, &mut openssl)
}

/// Shows a command that must fail, and that it says what it is told.
fn fails(folder: &Path, command: &mut Command, told: &[&str]) -> Outcome {
    println!("\n$ {}", super::typed(command));
    let ended = command.current_dir(folder).stdin(Stdio::null()).output();
    let ended = ended.map_err(|error| format!("{}: {error}", super::typed(command)))?;
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    println!("{}", said.trim_end());
    let flat: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match told.iter().find(|part| !flat.contains(**part)) {
        None if !ended.status.success() => Ok(()),
        None => Err(format!("`{}` did not fail", super::typed(command))),
        Some(part) => Err(format!("`{}` does not say {part:?}", super::typed(command))),
    }
}

fn certbot(directory: &str, root: &str) -> Command {
    // Debian's own, 2.1.0, fails at showing any refusal of a newOrder on its Python ("can't set attribute").
    let mut certbot = Command::new(packages::venv().join("bin/certbot"));
    certbot.args([
        "certonly",
        "--standalone",
        "--http-01-port",
        &HTTP_PORT.to_string(),
        "--server",
        directory,
    ]);
    certbot.args([
        "-d",
        "stock.example.test",
        "--agree-tos",
        "-m",
        "you@example.test",
        "-n",
    ]);
    certbot.args(["--config-dir", "cb", "--work-dir", "cb", "--logs-dir", "cb"]);
    certbot.env("REQUESTS_CA_BUNDLE", root);
    certbot
}

/// It files accounts by host, so each directory of one server needs a folder of its own.
fn lego(directory: &str, root: &str, path: &str) -> Command {
    let mut lego = Command::new("lego");
    lego.args([
        "--path",
        path,
        "--server",
        directory,
        "--http",
        "--http.port",
        &listen(),
    ]);
    lego.args([
        "-d",
        "stock.example.test",
        "-m",
        "you@example.test",
        "--accept-tos",
        "run",
    ]);
    lego.env("LEGO_CA_CERTIFICATES", root);
    lego
}

fn run(arguments: &[&str]) -> Command {
    let mut command = Command::new(vidimus());
    command.args(arguments);
    command
}

fn listen() -> String {
    format!("127.0.0.1:{HTTP_PORT}")
}

/// The server with both directories.
const FRONT: &str = "127.0.0.1:14012";
/// So few lines must be enough for a client that exists.
const MOST_LINES: usize = 30;
