//! Both programs, started by links to the binary, on ports that the system chooses.

use std::{
    env, fs,
    io::{BufRead, BufReader, Lines},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use conformance::{answer::Answer, speaker::Speaker};
use http::Request;
use pkix::{certificate::Certificate, name::GeneralName, pem};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::certificates;

pub struct World {
    folder: tempfile::TempDir,
    base: String,
    management: String,
    script: String,
    pub http_port: u16,
    speaker: Speaker,
    _programs: [Running; 2],
}

#[derive(Default)]
pub struct Settings {
    /// Beside the variables that make it quick and without chance.
    pub environment: &'static [(&'static str, &'static str)],
    pub external_account_required: bool,
    /// The algorithm of a private key in the form before PKCS#8.
    pub traditional_key: Option<&'static str>,
}

pub const OCSP_RESPONDER: &str = "http://127.0.0.1:4002";
/// Of the external account `kid-1`.
pub const MAC_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// The binary by another name.
pub fn program(name: &str) -> Command {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pebble");
    fs::create_dir_all(&folder).unwrap();
    let link = folder.join(name);
    if let Err(error) = symlink(env!("CARGO_BIN_EXE_vidimus"), &link) {
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    }
    let mut command = Command::new(link);
    command.stdin(Stdio::null()).env_remove("RUST_LOG");
    for (variable, _) in env::vars().filter(|(variable, _)| variable.starts_with("PEBBLE_")) {
        command.env_remove(variable);
    }
    command
}

impl World {
    pub async fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0";
        let mut challenges = Running::start(program("pebble-challtestsrv").args([
            "-management",
            any,
            "-dnsserver",
            any,
            "-http01",
            any,
            "-tlsalpn01",
            any,
            "-https01",
            "",
            "-doh",
            "",
            "-defaultIPv6",
            "",
        ]));
        let [dns, http, tls_alpn, script] =
            ["dns", "http-01", "tls-alpn-01", "management"].map(|what| challenges.line(&format!("{what} on ")));
        let port = |address: &str| address.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();

        let (certificate, key) = identity(folder.path(), settings.traditional_key);
        let config = json!({ "pebble": {
            "listenAddress": any,
            "managementListenAddress": any,
            "certificate": certificate,
            "privateKey": key,
            "httpPort": port(&http),
            "tlsPort": port(&tls_alpn),
            "ocspResponderURL": OCSP_RESPONDER,
            "externalAccountBindingRequired": settings.external_account_required,
            "externalAccountMACKeys": { "kid-1": MAC_KEY },
            "domainBlocklist": ["blocked-domain.example"],
            "retryAfter": { "authz": 3, "order": 5 },
            "keyAlgorithm": "ecdsa",
            "profiles": {
                "default": { "description": "the usual", "validityPeriod": 7_776_000 },
                "shortlived": { "description": "a week, nearly", "validityPeriod": 518_400 },
            },
        }});
        let file = folder.path().join("pebble.json");
        fs::write(&file, config.to_string()).unwrap();
        let mut pebble = program("pebble");
        pebble.arg("-config").arg(&file).args(["-dnsserver", &dns, "-strict"]);
        pebble.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        pebble.envs(settings.environment.iter().copied());
        let mut pebble = Running::start(&mut pebble);
        let management = pebble.line("Root CA certificate available at: ");
        let directory = pebble.line("ACME directory available at: ");
        Self {
            base: directory.strip_suffix("/dir").unwrap().to_owned(),
            management: management.strip_suffix("/roots/0").unwrap().to_owned(),
            script,
            http_port: port(&http),
            speaker: Speaker::new(&folder.path().join("root.pem")).unwrap(),
            folder,
            _programs: [challenges, pebble],
        }
    }

    pub fn speaker(&self) -> Speaker {
        Speaker::new(&self.folder.path().join("root.pem")).unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn directory(&self) -> Value {
        self.get(&self.url("/dir")).await.expect(200).unwrap().json().unwrap()
    }

    pub fn new_account(&self) -> Value {
        json!({ "termsOfServiceAgreed": true, "contact": ["mailto:you@example.com"] })
    }

    /// What the management interface says.
    pub async fn managed(&self, path: &str) -> Answer {
        self.get(&format!("{}{path}", self.management)).await
    }

    pub async fn certificate(&self, path: &str) -> Certificate {
        let answer = self.managed(path).await.expect(200).unwrap();
        certificates(&answer.body).remove(0)
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.speaker
            .send(Request::get(url).body(Default::default()).unwrap())
            .await
            .unwrap()
    }

    /// Tells or asks the challenge server.
    pub async fn script(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.script).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path} {body}: {answer}");
        let said = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(said).unwrap_or_default()
    }
}

/// A program until this is dropped.
struct Running {
    child: Child,
    /// Kept open: a program that prints into a closed pipe might end.
    said: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, said }
    }

    /// What follows these words in the first line that has them.
    fn line(&mut self, words: &str) -> String {
        let lines = self.said.by_ref().map_while(Result::ok);
        let mut found = lines.filter_map(|line| Some(line.split_once(words)?.1.to_owned()));
        found
            .next()
            .unwrap_or_else(|| panic!("the program ended before it said {words:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate for this machine, its key, and in `root.pem` whoever vouches for it.
fn identity(folder: &Path, traditional_key: Option<&str>) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if traditional_key == Some("RSA") {
        // No authority of ours vouches for RSA keys; the certificate vouches for itself.
        let made = openssl()
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=localhost",
            ])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext",
                "basicConstraints=CA:FALSE",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        fs::copy(&certificate, folder.join("root.pem")).unwrap();
    } else {
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let authority = issuance::create_authority("test", [[1; 19], [2; 19]], now).unwrap();
        let names = [
            GeneralName::Dns("localhost".into()),
            GeneralName::Ip([127, 0, 0, 1].into()),
        ];
        let (leaf, leaf_key) =
            issuance::end_entity_for_api(&authority.root, &authority.root_key, &names, [3; 19], now).unwrap();
        fs::write(folder.join("root.pem"), &authority.root).unwrap();
        fs::write(&certificate, pem::encode_certificate(&leaf)).unwrap();
        fs::write(&key, &*leaf_key.to_pkcs8_pem()).unwrap();
    }
    if traditional_key.is_some() {
        let old = folder.join("old.pem");
        let converted = openssl()
            .args(["pkey", "-traditional", "-in"])
            .arg(&key)
            .arg("-out")
            .arg(&old)
            .status();
        assert!(converted.unwrap().success());
        let begins = format!("-----BEGIN {} PRIVATE KEY", traditional_key.unwrap_or_default());
        assert!(fs::read_to_string(&old).unwrap().starts_with(&begins));
        return (certificate, old);
    }
    (certificate, key)
}

fn openssl() -> Command {
    let mut command = Command::new("openssl");
    command.stdin(Stdio::null());
    command
}
