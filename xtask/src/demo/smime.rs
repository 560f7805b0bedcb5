//! `cargo xtask demo smime`: a certificate for a mailbox of a running mail site, by one command, and what it is good for.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Server,
    daemons::{quiet, site_folder, wait_for},
    type_in, vidimus,
};
use crate::run::{Outcome, output};

pub fn show(folder: &Path) -> Outcome {
    println!("--- a mail site: Postfix, Dovecot and OpenDKIM, with the mailbox alice@alpha.test");
    let site = Site::start(folder)?;
    println!("\n--- an authority that proves mailboxes by mail, and what the DNS says of both domains");
    let ca = folder.join("ca");
    let (relay, inbox) = (format!("127.0.0.1:{}", site.smtp), format!("127.0.0.1:{}", site.inbox));
    let arguments = [
        "dev",
        "--no-first-certificate",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--challtestsrv",
        "127.0.0.1:0",
        "--dir",
        "ca",
        "--mail-domain",
        "ca.test",
        "--mail-relay",
        &relay,
        "--mail-listen",
        &inbox,
    ];
    let server = Server::spawn(folder, &arguments)?;
    let said = |key: &str| {
        let found = server.said.iter().find_map(|line| line.strip_prefix(key));
        found
            .map(str::to_owned)
            .ok_or_else(|| format!("vidimus says nothing of {key:?}"))
    };
    let (directory, resolver, dkim, control) = (said("ready ")?, said("dns ")?, said("dkim ")?, said("challtestsrv ")?);
    let (name, record) = dkim.split_once(" TXT ").ok_or("no DKIM record is printed")?;
    let alpha = site.read("dkim/record")?;
    for (name, text) in [
        (name, record),
        ("mail._domainkey.alpha.test", alpha.as_str()),
        ("_dmarc.alpha.test", "v=DMARC1; p=reject; adkim=s"),
        ("_dmarc.ca.test", "v=DMARC1; p=reject"),
        ("alpha.test", "v=spf1 ip4:127.0.0.1 -all"),
    ] {
        let body = format!("{{\"host\":\"{name}.\",\"value\":\"{text}\"}}");
        output(Command::new("curl").args(["-sf", "-d", &body, &format!("{control}/set-txt")]))?;
    }

    println!("\n--- one command, with what a mail program knows too");
    fs::write(folder.join("password"), "alice-pw\n").map_err(|error| error.to_string())?;
    let root = site.folder.join("tls/root.pem");
    let mut enroll = Command::new(vidimus());
    enroll.args(["smime", "enroll", "alice@alpha.test", "--server", &directory]);
    enroll.args(["--ca-bundle", "ca/root.pem", "--dir", "my", "--resolver", &resolver]);
    enroll.args(["--imap", &format!("imaps://mail.alpha.test:{}", site.imaps)]);
    enroll.args([
        "--submission",
        &format!("submission://mail.alpha.test:{}", site.submission),
    ]);
    enroll
        .args(["--connect", "127.0.0.1", "--password-file", "password", "--mail-ca"])
        .arg(&root);
    type_in(folder, &mut enroll)?;
    let certificate = "my/certs/alice@alpha.test/fullchain.pem";
    let show = [
        "x509",
        "-noout",
        "-dates",
        "-ext",
        "subjectAltName,extendedKeyUsage,keyUsage",
        "-in",
    ];
    type_in(folder, Command::new("openssl").args(show).arg(certificate))?;

    println!("\n--- what it is for: signed by alice, verified by anybody who trusts the authority");
    fs::write(folder.join("letter"), "Dear Bob\n").map_err(|error| error.to_string())?;
    let mut sign = Command::new("openssl");
    sign.args([
        "cms",
        "-sign",
        "-in",
        "letter",
        "-out",
        "letter.eml",
        "-signer",
        certificate,
    ]);
    sign.args([
        "-certfile",
        "my/certs/alice@alpha.test/chain.pem",
        "-inkey",
        "my/certs/alice@alpha.test/privkey.pem",
    ]);
    type_in(folder, &mut sign)?;
    let verify = [
        "cms",
        "-verify",
        "-in",
        "letter.eml",
        "-CAfile",
        "ca/root.pem",
        "-purpose",
        "smimesign",
    ];
    type_in(folder, Command::new("openssl").args(verify))?;

    println!("\n--- renewed, by another mail");
    let first = fs::read(folder.join(certificate)).map_err(|error| error.to_string())?;
    type_in(
        folder,
        Command::new(vidimus()).args(["smime", "renew", "--force", "--dir", "my"]),
    )?;
    match fs::read(folder.join(certificate)).map_err(|error| error.to_string())? == first {
        true => Err(format!("{} is still the first certificate", ca.display())),
        false => Ok(()),
    }
}

/// Runs until it is dropped.
struct Site {
    folder: PathBuf,
    smtp: u16,
    submission: u16,
    imaps: u16,
    /// The authority's.
    inbox: u16,
}

impl Site {
    fn start(folder: &Path) -> Outcome<Self> {
        let ports = free_ports()?;
        let [smtp, submission, imaps, sasl, milter, inbox] = ports;
        let site = Self {
            folder: site_folder("smime", folder)?,
            smtp,
            submission,
            imaps,
            inbox,
        };
        fs::write(folder.join("site.sh"), include_str!("smime/site.sh")).map_err(|error| error.to_string())?;
        let names = ["SMTP", "SUBMISSION", "IMAPS", "SASL", "MILTER", "INBOX"];
        let mut start = site.script(folder, "start");
        start.envs(names.into_iter().zip(ports.map(|port| port.to_string())));
        quiet(&mut start)?;
        [smtp, submission, imaps, sasl, milter]
            .into_iter()
            .try_for_each(|port| wait_for(&format!("127.0.0.1:{port}")))?;
        Ok(site)
    }

    fn script(&self, folder: &Path, verb: &str) -> Command {
        let mut script = Command::new("sh");
        script.arg(folder.join("site.sh")).arg(verb).arg(&self.folder);
        script
    }

    fn read(&self, name: &str) -> Outcome<String> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let mut stop = Command::new("sh");
        stop.args(["-c", include_str!("smime/site.sh"), "site.sh", "stop"])
            .arg(&self.folder);
        let _ = quiet(&mut stop);
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn free_ports<const N: usize>() -> Outcome<[u16; N]> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound: Vec<TcpListener> = (0..N).filter_map(|_| TcpListener::bind(any).ok()).collect();
    let ports: Vec<u16> = bound
        .iter()
        .filter_map(|listener| Some(listener.local_addr().ok()?.port()))
        .collect();
    ports.try_into().map_err(|_| "there are no free ports".to_owned())
}
