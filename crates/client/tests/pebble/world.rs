//! A pebble and a challtestsrv on loopback ports, and a folder that goes away with them.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use clap::Parser;
use client::commands::{AccountCommand, CertCommand, Output};
use jiff::Timestamp;
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    extension::subject_alternative_names,
    key::KeyPair,
    name::{DistinguishedName, GeneralName},
    pem,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct World {
    pub http_port: u16,
    pub tls_port: u16,
    listen: u16,
    management: u16,
    folder: tempfile::TempDir,
    _programs: [Running; 2],
}

/// What a command said and how it ended.
pub struct Run {
    pub code: u8,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {} {}", self.stdout, self.stderr))
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Parser)]
enum Vidimus {
    Cert(CertCommand),
    Account(AccountCommand),
}

impl World {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [listen, dns, dns_management, management, http_port, tls_port] = std::array::from_fn(|_| free_port());
        certificate(folder.path());
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{listen}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.path().join("api.pem"),
            "privateKey": folder.path().join("api-key.pem"),
            "httpPort": http_port,
            "tlsPort": tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        fs::write(folder.path().join("pebble.json"), config.to_string()).unwrap();
        let names = Command::new("pebble-challtestsrv")
            .args([
                "-defaultIPv4",
                "127.0.0.1",
                "-defaultIPv6",
                "",
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
            ])
            .args([
                "-dns01",
                &format!("127.0.0.1:{dns}"),
                "-management",
                &format!("127.0.0.1:{dns_management}"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble-challtestsrv is missing: apt-get install pebble");
        let pebble = Command::new("pebble")
            .arg("-config")
            .arg(folder.path().join("pebble.json"))
            .args(["-dnsserver", &format!("127.0.0.1:{dns}")])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "15")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("pebble.log")).unwrap())
            .spawn()
            .expect("pebble is missing: apt-get install pebble");
        let programs = [Running(names), Running(pebble)];
        until_open(listen).await;
        until_open(dns_management).await;
        Self {
            http_port,
            tls_port,
            listen,
            management: dns_management,
            folder,
            _programs: programs,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `--server` and `--ca-bundle`.
    pub fn server(&self) -> String {
        format!("{} --ca-bundle {}", self.server_url(), self.path("api.pem").display())
    }

    fn server_url(&self) -> String {
        format!("--server https://localhost:{}/dir", self.listen)
    }

    /// Runs a command line; server and folder are added where they are missing.
    pub async fn run(&self, line: impl Into<String>) -> Run {
        let mut line = line.into();
        if line.starts_with("cert issue") {
            line = format!("{line} {}", self.server());
        }
        self.run_as_it_is(line).await
    }

    pub async fn run_without_bundle(&self, line: &str) -> Run {
        self.run_as_it_is(format!("{line} {}", self.server_url())).await
    }

    async fn run_as_it_is(&self, mut line: String) -> Run {
        if !line.contains("--dir") {
            line = format!("{line} --dir {}", self.path("default").display());
        }
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let mut output = Output::to(stdout.clone(), stderr.clone());
        let code = match Vidimus::try_parse_from(format!("vidimus {line}").split_ascii_whitespace()) {
            Ok(Vidimus::Cert(command)) => command.run(&mut output).await,
            Ok(Vidimus::Account(command)) => command.run(&mut output).await,
            Err(error) => panic!("{line}: {error}"),
        };
        let code = (0..=2).find(|number| ExitCode::from(*number) == code).unwrap();
        Run {
            code,
            stdout: stdout.text(),
            stderr: stderr.text(),
        }
    }

    /// A hook that makes records in challtestsrv.
    pub fn dns_hook(&self) -> PathBuf {
        let path = self.path("hook");
        let script = format!(
            r#"#!/bin/bash
echo "$1 $2 $3" >> {log}
case $1 in
  present) path=/set-txt body="{{\"host\":\"$2\",\"value\":\"$3\"}}" ;;
  cleanup) path=/clear-txt body="{{\"host\":\"$2\"}}" ;;
esac
exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1
printf 'POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s' "$path" "${{#body}}" "$body" >&3
read -r answer <&3
[[ $answer == *200* ]]
"#,
            log = self.path("hook.log").display(),
            port = self.management,
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A web server that knows files and nothing else.
    pub async fn serve_files(&self, root: &Path) -> JoinHandle<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.http_port)).await.unwrap();
        let root = root.to_owned();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request
                    .split(' ')
                    .nth(1)
                    .unwrap_or("/")
                    .trim_start_matches('/')
                    .to_owned();
                let answer = match fs::read(root.join(path)) {
                    Ok(content) => [
                        format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", content.len()).into_bytes(),
                        content,
                    ]
                    .concat(),
                    Err(_) => b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
                };
                let _ = stream.write_all(&answer).await;
            }
        })
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

async fn until_open(port: u16) {
    for _ in 0..500 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing listens on port {port} after ten seconds");
}

/// The certificate of pebble's API, its own issuer.
fn certificate(folder: &Path) {
    let key = KeyPair::generate_p256();
    let subject = DistinguishedName::with_common_name("localhost").unwrap();
    let names = [
        GeneralName::Dns("localhost".into()),
        GeneralName::Ip("127.0.0.1".parse().unwrap()),
    ];
    let tbs = TbsCertificate {
        serial: Serial::from_random([7; 16]),
        signature_algorithm: key.algorithm(),
        issuer: subject.clone(),
        not_before: "2020-01-01T00:00:00Z".parse::<Timestamp>().unwrap(),
        not_after: "2049-01-01T00:00:00Z".parse::<Timestamp>().unwrap(),
        subject,
        public_key: key.public_key().clone(),
        extensions: vec![subject_alternative_names(&names, false).unwrap()],
    }
    .to_der();
    let der = assemble(&tbs, key.algorithm(), &key.sign(&tbs));
    fs::write(folder.join("api.pem"), pem::encode_certificate(&der)).unwrap();
    fs::write(folder.join("api-key.pem"), key.to_pkcs8_pem().as_bytes()).unwrap();
}
