//! `cargo xtask demo mail`: one certificate for eight services of a running mail host, from one command.

mod dane;
mod drafted;
mod pebble;
mod peer;
mod refusals;
mod site;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use site::{ADDRESS, DOMAIN, HOST, SERVICES, Site};

use super::{Server, daemons, type_in, typed, vidimus};
use crate::{
    packages,
    run::{Outcome, output, run},
    target,
};

/// Makes a private network, in which the standard ports are free, and goes on there.
pub fn show(folder: &Path) -> Outcome {
    packages::python()?;
    let mut able = Command::new("unshare");
    able.args(PRIVATE).arg("true");
    if let Err(error) = output(&mut able) {
        return Err(format!(
            "the demo mail needs standard ports, which it takes in a network namespace of its own, and this machine does not \
             permit one ({error}); run it as root with CAP_SYS_ADMIN"
        ));
    }
    // Not the file that runs: the build before the demo may have replaced it.
    let own = target().join("debug").join("xtask");
    let mut inside = Command::new("unshare");
    // The shell is the namespace's first process, and collects what daemons leave behind.
    inside.args(PRIVATE).args(["sh", "-c", "\"$@\"; exit $?", "sh"]);
    inside.arg(own).args(["demo", "mail", INSIDE]).arg(folder);
    run(&mut inside)
}

const INSIDE: &str = "inside";
const PRIVATE: &[&str] = &[
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
];

/// In the private network.
pub fn inside(folder: &Path) -> Outcome {
    let site_folder = daemons::site_folder("mail", folder)?;
    let outcome = in_site(folder, &site_folder);
    match &outcome {
        Ok(()) => {
            let _ = fs::remove_dir_all(&site_folder);
        }
        Err(_) => eprintln!("what the daemons said is in {}", site_folder.display()),
    }
    outcome
}

fn in_site(folder: &Path, at: &Path) -> Outcome {
    println!("--- a mail host: Postfix and Dovecot on the standard ports, signed DNS, a certificate that nobody knows");
    let _site = Site::start(at)?;
    each_shows(folder, None, &at.join("first.pem"))?;
    let authority = authority(folder, at)?;
    refusals::show(folder, &authority.directory)?;

    println!("\n--- a certificate for the host; while its words stand, another implementation looks at them");
    let words = peer::Words {
        files: &configured(at),
        mark: WORD,
        method: "mail-greeting-01",
        services: SERVICES.len(),
    };
    peer::show(folder, &mut issue(&authority.directory, "my"), &authority, &words)?;
    no_words(at)?;
    pebble::show(folder, at)?;
    as_usual(folder)?;

    println!("\n--- one command: host, domain and services");
    let issue = || {
        let mut issue = issue(&authority.directory, "my");
        issue.args(["--domain", DOMAIN, "--srv"]);
        issue
    };
    let text = said(folder, &mut issue())?;
    for name in [DOMAIN, "_imaps.alpha.test", "_submission.alpha.test"] {
        expect(&text, &format!("{name}: showing the proof by mail-srv-01"))?;
    }
    let (certificate, chain) = (
        format!("my/certs/{HOST}/cert.pem"),
        format!("my/certs/{HOST}/chain.pem"),
    );
    let show = [
        "x509",
        "-noout",
        "-issuer",
        "-dates",
        "-ext",
        "subjectAltName",
        "-in",
        &certificate,
    ];
    type_in(folder, Command::new("openssl").args(show))?;
    type_in(
        folder,
        Command::new("openssl").args(["verify", "-CAfile", "ca/root.pem", "-untrusted", &chain, &certificate]),
    )?;
    each_shows(folder, Some("ca/root.pem"), &folder.join(&certificate))?;
    no_words(at)?;

    let mut scan = Command::new(vidimus());
    type_in(
        folder,
        scan.args(["mail", "scan", HOST, "--domain", DOMAIN, "--port", "lmtp:24"]),
    )?;

    println!("\n--- renewed");
    let first = read(&folder.join(&certificate))?;
    type_in(
        folder,
        Command::new(vidimus()).args(["mail", "renew", "--force", "--dir", "my"]),
    )?;
    if read(&folder.join(&certificate))? == first {
        return Err("the certificate is the same as before".to_owned());
    }
    each_shows(folder, Some("ca/root.pem"), &folder.join(&certificate))?;

    println!("\n--- killed half-way, with its words in the greetings; the next run takes them away");
    killed(folder, &mut issue(), at)?;
    type_in(folder, &mut issue())?;
    no_words(at)?;
    each_shows(folder, Some("ca/root.pem"), &folder.join(&certificate))?;

    println!("\n--- what PyPI's service-identity says");
    identify(folder, &certificate)?;
    dane::show(folder, at)?;
    drafted::show(folder, &authority, at)
}

/// An authority whose operator has switched nothing on.
fn as_usual(folder: &Path) -> Outcome {
    println!("\n--- a directory without domain_by_srv: what it does not take is left out");
    let mut issue = issue(&format!("https://{API}/usual/directory"), "usual");
    let text = said(
        folder,
        issue.args(["--domain", DOMAIN, "--srv", "--services", "imaps,submission"]),
    )?;
    expect(
        &text,
        "this authority wants these names proven in a way that this command cannot: see --dns-hook; dropped: alpha.test",
    )?;
    expect(
        &text,
        "names       mail.alpha.test _submission.alpha.test _imaps.alpha.test",
    )
}

/// `vidimus init`, and what an authority for mail services says beside.
fn authority(folder: &Path, at: &Path) -> Outcome<Server> {
    let mut init = Command::new(vidimus());
    init.args(["init", "--dir", "ca", "--listen", API]);
    type_in(folder, init.stdout(Stdio::null()))?;
    let text = format!(
        "[server]\nlisten = \"{API}\"\nexternal_url = \"https://{API}\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n\
         [acme]\ncaa_identities = [\"ca.test\"]\n\n\
         [validation]\nresolvers = [\"127.0.0.1:53\"]\ntrust_anchors = \"{}\"\nallow_networks = [\"203.0.113.0/24\"]\n\n\
         [issuer.own]\ncertificate = \"issuing.pem\"\nkey = \"issuing.key\"\n\n\
         [profile.default]\nissuer = \"own\"\n\n[profile.mail]\nissuer = \"own\"\n\n\
         [extensions.email-tls]\nenabled = true\nports = [\"lmtp:24\"]\ndomain_by_srv = true\ndrafted = true\n\
         greets_as = \"probe.ca.test\"\n\n\
         [directory.usual.extensions.email-tls]\nenabled = true\nports = [\"lmtp:24\"]\ngreets_as = \"probe.ca.test\"\n",
        at.join("anchors").display()
    );
    println!("\n$ cat ca/vidimus.toml\n{text}");
    let file = folder.join("ca/vidimus.toml");
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Server::spawn(folder, &["serve", "--config", "ca/vidimus.toml"])
}

/// As the guide has it.
fn issue(directory: &str, store: &str) -> Command {
    let mut issue = Command::new(vidimus());
    issue.args(["mail", "issue", HOST, "--port", "lmtp:24", "--postfix", "--dovecot"]);
    issue.args(["--server", directory, "--ca-bundle", "ca/root.pem", "--dir", store]);
    issue
}

/// Types in, and gives what it said.
fn said(folder: &Path, command: &mut Command) -> Outcome<String> {
    println!("\n$ {}", typed(command));
    let ended = command.current_dir(folder).stdin(Stdio::null()).output();
    let ended = ended.map_err(|error| format!("{}: {error}", typed(command)))?;
    let text = [ended.stderr, ended.stdout].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    print!("{text}");
    match ended.status.success() {
        true => Ok(text),
        false => Err(format!("`{}` ended with {}", typed(command), ended.status)),
    }
}

/// Types in what has to fail, with a sentence.
fn fails(folder: &Path, command: &mut Command, sentence: &str) -> Outcome {
    println!("\n$ {}", typed(command));
    let ended = command.current_dir(folder).stdin(Stdio::null()).output();
    let ended = ended.map_err(|error| format!("{}: {error}", typed(command)))?;
    let text = String::from_utf8_lossy(&ended.stderr);
    print!("{text}");
    match ended.status.success() {
        true => Err(format!("`{}` should have failed", typed(command))),
        false => expect(&text, sentence),
    }
}

fn expect(text: &str, sentence: &str) -> Outcome {
    match text.contains(sentence) {
        true => Ok(()),
        false => Err(format!("it did not say {sentence:?}")),
    }
}

/// Asks every port, and compares what it shows with a file.
fn each_shows(folder: &Path, root: Option<&str>, certificate: &Path) -> Outcome {
    each_shows_at((HOST, ADDRESS), SERVICES, folder, root, certificate)
}

fn each_shows_at(
    (host, address): (&str, &str),
    services: &[(&str, u16, Option<&str>)],
    folder: &Path,
    root: Option<&str>,
    certificate: &Path,
) -> Outcome {
    let expected = first_certificate(&read(certificate)?);
    println!();
    for (service, port, starttls) in services {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "s_client",
            "-connect",
            &format!("{address}:{port}"),
            "-servername",
            host,
        ]);
        openssl.args(starttls.iter().flat_map(|protocol| ["-starttls", protocol]));
        if let Some(root) = root {
            openssl.args(["-CAfile", root, "-verify_hostname", host, "-verify_return_error"]);
        }
        let said = output(openssl.current_dir(folder))?;
        if first_certificate(&said) != expected {
            return Err(format!(
                "{service} on port {port} does not show {}",
                certificate.display()
            ));
        }
        let way = starttls.map_or("TLS at once", |_| "STARTTLS");
        let trust = root.map_or("nobody knows it", |_| "chain and name verified by openssl");
        println!(
            "{service:<12} {port:>4}  {way:<12} shows {} ({trust})",
            short(certificate)
        );
    }
    Ok(())
}

fn first_certificate(text: &str) -> String {
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE"));
    lines.take_while(|line| !line.starts_with("-----END")).collect()
}

/// Kills the command as soon as both programs have been told to show its words.
fn killed(folder: &Path, command: &mut Command, at: &Path) -> Outcome {
    println!("\n$ {}", typed(command));
    let mut child = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", typed(command)))?;
    let end = Instant::now() + PATIENCE;
    while !configured(at).iter().all(|file| has_word(file)) {
        let ended = child.try_wait().map_err(|error| error.to_string())?;
        if let Some(status) = ended {
            return Err(format!("it ended with {status} before its words were seen"));
        }
        if Instant::now() > end {
            let _ = child.kill();
            return Err("its words were never seen".to_owned());
        }
        sleep(Duration::from_millis(2));
    }
    // SIGKILL: nothing is tidied up.
    child
        .kill()
        .and_then(|()| child.wait())
        .map_err(|error| error.to_string())?;
    for file in configured(at) {
        if !has_word(&file) {
            return Err(format!(
                "{} had no word any more when the command was killed",
                file.display()
            ));
        }
        println!("killed; {} still has the words", short(&file));
    }
    Ok(())
}

/// Neither configured nor said.
fn no_words(at: &Path) -> Outcome {
    for file in configured(at) {
        if has_word(&file) {
            return Err(format!("{} still has a word", file.display()));
        }
    }
    for port in [25, 143, 110] {
        let mut greeting = String::new();
        let stream = TcpStream::connect((ADDRESS, port)).map_err(|error| format!("port {port}: {error}"))?;
        let read = BufReader::new(stream).read_line(&mut greeting);
        read.map_err(|error| format!("port {port}: {error}"))?;
        println!("{port:>4}  {}", greeting.trim_end());
        if greeting.contains(WORD) {
            return Err(format!("port {port} still greets with a word"));
        }
    }
    Ok(())
}

fn configured(at: &Path) -> [PathBuf; 2] {
    [at.join("postfix/main.cf"), at.join("dovecot-config/dovecot.conf")]
}

fn has_word(file: &Path) -> bool {
    has(file, WORD)
}

fn has(file: &Path, mark: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains(mark))
}

fn identify(folder: &Path, certificate: &str) -> Outcome {
    let script = folder.join("identify.py");
    fs::write(&script, include_str!("mail/identify.py")).map_err(|error| format!("{}: {error}", script.display()))?;
    let accepted = [HOST, DOMAIN, "_imaps.alpha.test", "_submission.alpha.test"];
    let refused = ["_imaps.other.test", "_xmpp-client.alpha.test", "alpha.example"];
    let mut python = Command::new(packages::venv().join("bin/python"));
    python.arg("identify.py").arg(certificate).args(accepted).args(refused);
    println!("\n$ {}", typed(&python));
    let said = output(python.current_dir(folder))?;
    print!("{said}");
    let expected = accepted.iter().map(|name| format!("accepted {name}"));
    let expected: Vec<_> = expected
        .chain(refused.iter().map(|name| format!("refused  {name}")))
        .collect();
    match said.lines().eq(expected.iter()) {
        true => Ok(()),
        false => Err(format!("it should have said {}", expected.join(", "))),
    }
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn short(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

const API: &str = "127.0.0.1:14000";
const WORD: &str = "acme-mail-01=";
const PATIENCE: Duration = Duration::from_secs(60);
