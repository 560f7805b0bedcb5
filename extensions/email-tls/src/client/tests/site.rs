//! A mail site: servers that read greeting and certificate at every session, and programs that change them.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    extension::subject_alternative_names,
    key::KeyPair,
    name::{DistinguishedName, GeneralName},
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    client::{
        daemon::{Daemon, Dovecot, Postfix},
        lookup::Lookup,
        session::Stream,
    },
    service::{Protocol, Service, ServicePort, TlsMode},
};

pub struct Site {
    pub folder: TempDir,
    pub ports: BTreeMap<Service, u16>,
}

impl Site {
    /// Serves these services, each at a port of its own.
    pub async fn with(services: &[Service]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("main.cf"), "myhostname = mail.alpha.test\n").unwrap();
        fs::write(root.join("dovecot.conf"), "ssl = yes\n").unwrap();
        for (name, script) in [
            ("postconf", POSTCONF),
            ("postfix", "cp $2/main.cf $2/main.live\n"),
            ("doveconf", DOVECONF),
            ("doveadm", "cp $2 $2.live\n"),
        ] {
            let path = root.join(name);
            fs::write(&path, format!("#!/bin/sh\nset -e\n{script}")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (from, to) in [("main.cf", "main.live"), ("dovecot.conf", "dovecot.conf.live")] {
            fs::copy(root.join(from), root.join(to)).unwrap();
        }
        certify(root, &["mail.alpha.test"]);
        let mut ports = BTreeMap::new();
        for service in services {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            ports.insert(*service, listener.local_addr().unwrap().port());
            tokio::spawn(serve(listener, *service, root.to_owned()));
        }
        Self { folder, ports }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn at(&self, service: Service) -> ServicePort {
        ServicePort {
            service,
            port: self.ports[&service],
        }
    }

    pub fn lookup(&self) -> Lookup {
        Lookup {
            connect: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            resolver: None,
            ports: self.ports.clone(),
        }
    }

    pub fn daemons(&self) -> Vec<Daemon> {
        let program = |name: &str| self.root().join(name);
        vec![
            Daemon::Postfix(Postfix {
                config: Some(self.root().to_owned()),
                postconf: program("postconf"),
                postfix: program("postfix"),
            }),
            Daemon::Dovecot(Dovecot {
                config: program("dovecot.conf"),
                doveconf: program("doveconf"),
                doveadm: program("doveadm"),
            }),
        ]
    }

    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.root().join(name)).unwrap()
    }
}

/// What postconf does that is asked of it here.
const POSTCONF: &str = r#"cf=$2/main.cf; name=${4%% = *}
case $3 in
-n) grep "^$4 = " $cf || true ;;
-h) if grep -q "^$4 = " $cf; then sed -n "s/^$4 = //p" $cf; else echo '$myhostname ESMTP $mail_name'; fi ;;
-e) grep -v "^$name = " $cf >$cf.new || true; printf '%s\n' "$4" >>$cf.new; mv $cf.new $cf ;;
-X) grep -v "^$4 = " $cf >$cf.new || true; mv $cf.new $cf ;;
esac
"#;
const DOVECONF: &str = r##"case $3 in
-h) if grep -q "^$4 = " $2; then sed -n "s/^$4 = //p" $2 | tail -n 1
    elif [ $4 = login_greeting ]; then echo 'Dovecot ready.'; else echo; fi ;;
-n) echo "# 2.3.19.1 (9b53102964): $2" ;;
esac
"##;

/// Self-signed, as `cert.pem` and `key.pem`; gives the SHA-256 of the certificate.
pub fn certify(root: &Path, names: &[&str]) -> [u8; 32] {
    let key = KeyPair::generate_p256();
    let names: Vec<GeneralName> = names
        .iter()
        .map(|name| match name.starts_with('_') {
            true => GeneralName::srv(name).unwrap(),
            false => GeneralName::Dns((*name).to_owned()),
        })
        .collect();
    let subject = DistinguishedName::with_common_name("a mail server").unwrap();
    let tbs = TbsCertificate {
        serial: Serial::from_random([7; 16]),
        signature_algorithm: key.algorithm(),
        issuer: subject.clone(),
        not_before: now() - SignedDuration::from_hours(24),
        not_after: now() + SignedDuration::from_hours(24 * 30),
        subject,
        public_key: key.public_key().clone(),
        extensions: vec![subject_alternative_names(&names, false).unwrap()],
    }
    .to_der();
    let der = assemble(&tbs, key.algorithm(), &key.sign(&tbs));
    fs::write(root.join("cert.pem"), pkix::pem::encode_certificate(&der)).unwrap();
    fs::write(root.join("key.pem"), key.to_pkcs8_pem().as_bytes()).unwrap();
    pkix::certificate::Certificate::parse(&der).unwrap().sha256()
}

pub fn now() -> Timestamp {
    use client::Clock as _;
    client::SystemClock.now()
}

async fn serve(listener: TcpListener, service: Service, root: PathBuf) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let root = root.clone();
        tokio::spawn(async move {
            let stream: Box<dyn Stream> = match service.tls_mode() {
                TlsMode::Implicit => Box::new(acceptor(&root).accept(stream).await?),
                TlsMode::StartTls => Box::new(stream),
            };
            session(stream, service, &root, true).await
        });
    }
}

fn setting(root: &Path, file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(root.join(file)).unwrap();
    let mut values = text.lines().filter_map(|line| line.strip_prefix(&format!("{name} = ")));
    values.next_back().map(str::to_owned)
}

/// As the last reload left it.
fn greeting(root: &Path, protocol: Protocol) -> String {
    let last = |file: &str, name: &str, otherwise: &str| {
        let value = setting(root, file, name);
        let value = value.as_deref().unwrap_or(otherwise);
        value.replace("$myhostname", "mail.alpha.test")
    };
    match protocol {
        Protocol::Smtp => format!("220 {}", last("main.live", "smtpd_banner", "$myhostname ESMTP Postfix")),
        Protocol::Pop3 => format!("+OK {}", last("dovecot.conf.live", "login_greeting", "Dovecot ready.")),
        _ => format!(
            "* OK [CAPABILITY IMAP4rev1 STARTTLS] {}",
            last("dovecot.conf.live", "login_greeting", "Dovecot ready.")
        ),
    }
}

fn acceptor(root: &Path) -> TlsAcceptor {
    let setting = |file: &str, name: &str| {
        let text = fs::read_to_string(root.join(file)).unwrap();
        text.lines()
            .filter_map(|line| line.strip_prefix(name))
            .next_back()
            .map(|value| PathBuf::from(value.trim_start_matches([' ', '=', '<'])))
    };
    // Dovecot's certificate is everybody's here, once it is installed.
    let cert = setting("dovecot.conf.live", "ssl_cert").unwrap_or_else(|| root.join("cert.pem"));
    let key = setting("dovecot.conf.live", "ssl_key").unwrap_or_else(|| root.join("key.pem"));
    let chain = CertificateDer::pem_file_iter(cert)
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn session(stream: Box<dyn Stream>, service: Service, root: &Path, greets: bool) -> std::io::Result<()> {
    let protocol = service.protocol();
    let mut stream = BufReader::new(stream);
    if greets {
        say(&mut stream, &greeting(root, protocol)).await?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let tag = match protocol {
            Protocol::Imap => words.next().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let has_tls = greets && service.tls_mode() == TlsMode::StartTls;
        let offer = |word: &'static str| if has_tls { word } else { "" };
        match words.next().unwrap_or_default() {
            "EHLO" => {
                say(
                    &mut stream,
                    &format!("250-mail.alpha.test{}\r\n250 SIZE", offer("\r\n250-STARTTLS")),
                )
                .await?
            }
            "CAPA" => say(&mut stream, &format!("+OK\r\nTOP{}\r\n.", offer("\r\nSTLS"))).await?,
            "CAPABILITY" => {
                let own = setting(root, "dovecot.conf.live", "imap_capability");
                let own = own.map_or_else(String::new, |own| format!(" {}", own.trim_start_matches(['+', ' '])));
                let said = format!("* CAPABILITY IMAP4rev1{}{own}\r\n{tag} OK done", offer(" STARTTLS"));
                say(&mut stream, &said).await?;
            }
            "STARTTLS" | "STLS" => {
                let ready = match protocol {
                    Protocol::Smtp => "220 ready".to_owned(),
                    Protocol::Pop3 => "+OK ready".to_owned(),
                    _ => format!("{tag} OK ready"),
                };
                say(&mut stream, &ready).await?;
                let tls = acceptor(root).accept(stream.into_inner()).await?;
                return Box::pin(session(Box::new(tls), service, root, false)).await;
            }
            _ => return Ok(()),
        }
    }
}

async fn say(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>, line: &str) -> std::io::Result<()> {
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.get_mut().flush().await
}
