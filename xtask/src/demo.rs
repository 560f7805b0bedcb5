//! `cargo xtask demo [core|csr-first|mail|smime|all]`: the documented commands of each system against real peers, as a transcript that ends in
//! the artefact and a foreign program's verdict.

mod csr_first;
mod daemons;
mod mail;
mod smime;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{
    packages,
    run::{Outcome, cargo, run},
    target,
};

type Demo = (&'static str, fn(&Path) -> Outcome);

/// One for each system that exists.
const DEMOS: &[Demo] = &[
    ("core", core),
    ("csr-first", csr_first::show),
    ("mail", mail::show),
    ("smime", smime::show),
];

/// What a demo starts of itself, where it has made a place for it.
pub fn inside(name: &str, folder: &str) -> Outcome {
    match name {
        "mail" => mail::inside(Path::new(folder)),
        _ => Err(format!("the demo {name:?} has no inside")),
    }
}

/// Runs a demo by name, or all of them.
pub fn show(name: &str) -> Outcome {
    let demos: Vec<_> = DEMOS
        .iter()
        .filter(|(known, _)| name == "all" || name == *known)
        .collect();
    if demos.is_empty() {
        let known: Vec<_> = DEMOS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "there is no demo {name:?}; there are: {}, all",
            known.join(", ")
        ));
    }
    packages::debian()?;
    run(&mut cargo(&["build", "--workspace", "--locked"]))?;
    for (name, demo) in demos {
        let folder = target().join("demo").join(name);
        // From nothing each time; a leftover that cannot be removed shows in the next line.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        println!("\n=== {name}");
        demo(&folder)?;
    }
    Ok(())
}

/// An authority, a certificate by our client, one by certbot, one by lego, each verified by openssl.
fn core(folder: &Path) -> Outcome {
    let server = Server::start(folder)?;
    let (directory, port) = (server.directory.as_str(), HTTP_PORT.to_string());
    let listen = format!("127.0.0.1:{HTTP_PORT}");
    let vidimus = |arguments: &[&str]| {
        let mut command = Command::new(vidimus());
        command.args(arguments);
        command
    };
    let mut ours = vidimus(&[
        "cert",
        "issue",
        "www.example.test",
        "--server",
        directory,
        "--ca-bundle",
        "ca/root.pem",
    ]);
    type_in(folder, ours.args(["--dir", "my", "--standalone", &listen]))?;
    verify(
        folder,
        "my/certs/www.example.test/cert.pem",
        "my/certs/www.example.test/chain.pem",
    )?;

    let mut certbot = Command::new("certbot");
    certbot.args([
        "certonly",
        "--standalone",
        "--http-01-port",
        &port,
        "--server",
        directory,
        "-d",
        "certbot.example.test",
    ]);
    certbot.args([
        "--agree-tos",
        "-m",
        "you@example.test",
        "-n",
        "--config-dir",
        "cb",
        "--work-dir",
        "cb",
        "--logs-dir",
        "cb",
    ]);
    type_in(folder, certbot.env("REQUESTS_CA_BUNDLE", "ca/root.pem"))?;
    verify(
        folder,
        "cb/live/certbot.example.test/cert.pem",
        "cb/live/certbot.example.test/chain.pem",
    )?;

    let mut lego = Command::new("lego");
    lego.args([
        "--path",
        "lego",
        "--server",
        directory,
        "--http",
        "--http.port",
        &listen,
        "-d",
        "lego.example.test",
    ]);
    lego.args(["-m", "you@example.test", "--accept-tos", "run"]);
    type_in(folder, lego.env("LEGO_CA_CERTIFICATES", "ca/root.pem"))?;
    let lego = "lego/certificates/lego.example.test";
    verify(folder, &format!("{lego}.crt"), &format!("{lego}.issuer.crt"))?;

    type_in(
        folder,
        &mut vidimus(&["cert", "revoke", "www.example.test", "--dir", "my"]),
    )
}

fn verify(folder: &Path, certificate: &str, chain: &str) -> Outcome {
    let show = [
        "x509",
        "-noout",
        "-issuer",
        "-dates",
        "-ext",
        "subjectAltName",
        "-in",
        certificate,
    ];
    type_in(folder, Command::new("openssl").args(show))?;
    type_in(
        folder,
        Command::new("openssl").args(["verify", "-CAfile", "ca/root.pem", "-untrusted", chain, certificate]),
    )
}

/// Shows a command as a person would type it, and runs it.
fn type_in(folder: &Path, command: &mut Command) -> Outcome {
    println!("\n$ {}", typed(command));
    run(command.current_dir(folder).stdin(Stdio::null()))
}

fn typed(command: &Command) -> String {
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
    let mut line: Vec<String> = environment.map(|(name, value)| format!("{name}={value}")).collect();
    line.push(
        Path::new(command.get_program())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    );
    line.extend(
        command
            .get_args()
            .map(|argument| argument.to_string_lossy().into_owned()),
    );
    line.join(" ")
}

/// `vidimus dev` until this is dropped.
struct Server {
    child: Child,
    directory: String,
    /// What it printed first, line by line.
    said: Vec<String>,
}

impl Server {
    fn start(folder: &Path) -> Outcome<Self> {
        let port = HTTP_PORT.to_string();
        let arguments = [
            "dev",
            "--dir",
            "ca",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ];
        let more = [
            "--challtestsrv",
            "127.0.0.1:0",
            "--http-port",
            &port,
            "--no-first-certificate",
        ];
        Self::spawn(folder, &[&arguments[..], &more[..]].concat())
    }

    /// Waits until it serves, and a moment of what it prints then.
    fn spawn(folder: &Path, arguments: &[&str]) -> Outcome<Self> {
        println!("\n$ vidimus {}", arguments.join(" "));
        let mut child = Command::new(vidimus())
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("vidimus does not start: {error}"))?;
        let lines = child
            .stdout
            .take()
            .map(|out| BufReader::new(out).lines())
            .into_iter()
            .flatten();
        let mut lines = lines.map_while(Result::ok);
        let (mut said, last) = (
            Vec::new(),
            match arguments.first() {
                Some(&"dev") if arguments.contains(&"--dns") => "dns ",
                Some(&"dev") => "challtestsrv ",
                _ => "ready ",
            },
        );
        for line in lines.by_ref() {
            println!("{line}");
            let is_last = line.starts_with(last);
            said.push(line);
            if is_last {
                break;
            }
        }
        std::thread::spawn(move || lines.count());
        let mut server = Self {
            child,
            directory: String::new(),
            said,
        };
        match server.said("ready") {
            Some(directory) => {
                server.directory = directory;
                Ok(server)
            }
            None => Err(format!("vidimus {} ended before it was ready", arguments.join(" "))),
        }
    }

    /// What follows a word that begins a line.
    fn said(&self, word: &str) -> Option<String> {
        let mut lines = self.said.iter();
        lines.find_map(|line| Some(line.strip_prefix(word)?.strip_prefix(' ')?.to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn vidimus() -> PathBuf {
    target().join("debug/vidimus")
}

/// Not the default of `vidimus dev`, so that one that is running is left alone.
const HTTP_PORT: u16 = 5012;
