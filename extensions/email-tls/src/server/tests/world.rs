//! A table in place of the DNS, and mail servers that say what a script says.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use acme::{Identifier, KeyAuthorization};
use authority::{
    Registry, identifier,
    model::{AccountId, DnssecStatus},
    ports::{BoxFuture, Report, ValidationRequest},
};
use jiff::Timestamp;
use jose::Thumbprint;
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    key::KeyPair,
    name::DistinguishedName,
};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use validation::{
    Timeouts,
    dial::Network,
    policy::{AddressPolicy, PortPolicy},
    resolver::{Addresses, Answer, DnsFailure, Resolver, ServiceHost},
};

use super::super::{Ports, Settings, named, ports::parse, register};
use crate::{
    service::{Protocol, ServicePort, TlsMode},
    value::{Bound, in_capabilities, in_greeting},
};

pub const HOST: &str = "mail.alpha.test";
const TOKEN: &str = "DGyRejmCefe7v4NfDGDKfA";

pub fn key_authorization() -> KeyAuthorization {
    KeyAuthorization::new(TOKEN, &Thumbprint::from([7; 32]))
}

pub fn at(text: &str) -> ServicePort {
    parse(text).unwrap()
}

/// What `mail-greeting-01` wants to see.
pub fn value(place: &str) -> String {
    Bound::MailGreeting.value(&key_authorization(), at(place))
}

pub fn word(place: &str) -> String {
    in_greeting(&value(place))
}

/// Names that are not there do not exist.
#[derive(Default)]
pub struct Dns {
    pub hosts: Vec<&'static str>,
    pub texts: HashMap<String, String>,
    pub services: HashMap<&'static str, Vec<ServiceHost>>,
    pub dnssec: Option<DnssecStatus>,
    /// What every host is an alias of.
    pub alias: Option<&'static str>,
}

impl Dns {
    fn answer<T>(&self, records: Option<Vec<T>>) -> Answer<T> {
        Answer {
            records: records.ok_or(DnsFailure::NxDomain),
            aliases: Vec::new(),
            dnssec: self.dnssec.unwrap_or(DnssecStatus::Unchecked),
            resolver: "table".to_owned(),
        }
    }
}

impl Resolver for Dns {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Addresses> {
        let known = host == HOST || self.hosts.contains(&host);
        let mut addresses = Addresses {
            v4: self.answer(known.then(|| vec![Ipv4Addr::LOCALHOST])),
            v6: self.answer(known.then(Vec::new)),
        };
        addresses.v4.aliases.extend(self.alias.map(str::to_owned));
        Box::pin(std::future::ready(addresses))
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        let text = self.texts.get(name).map(|text| vec![text.clone().into_bytes()]);
        Box::pin(std::future::ready(self.answer(text)))
    }

    fn caa<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        unreachable!("no CAA is asked for")
    }

    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<ServiceHost>> {
        Box::pin(std::future::ready(self.answer(self.services.get(name).cloned())))
    }
}

/// An authority with the extension.
pub struct World {
    pub dns: Dns,
    pub listed: Vec<&'static str>,
    /// Places, and the ports where they are found.
    pub moved: Vec<(&'static str, u16)>,
    pub srv_by_domain: bool,
    pub domain_by_service: bool,
    pub domain_by_srv: bool,
}

impl World {
    pub fn new() -> Self {
        Self {
            dns: Dns::default(),
            listed: vec!["lmtp:24", "sieve:4190", "imaps:1993"],
            moved: Vec::new(),
            srv_by_domain: false,
            domain_by_service: false,
            domain_by_srv: false,
        }
    }

    /// With a server at this place of [`HOST`].
    pub fn with(place: &'static str, server: &Server) -> Self {
        Self {
            moved: vec![(place, server.port)],
            ..Self::new()
        }
    }

    pub fn txt(mut self, name: &str, text: &str) -> Self {
        self.dns.texts.insert(name.to_owned(), text.to_owned());
        self
    }

    pub fn registry(self) -> Registry {
        let listed: Vec<_> = self.listed.iter().map(ToString::to_string).collect();
        let moved: BTreeMap<_, _> = self
            .moved
            .iter()
            .map(|(place, port)| (place.to_string(), *port))
            .collect();
        let network = Arc::new(Network {
            resolver: Arc::new(self.dns),
            addresses: AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]),
            ports: PortPolicy::default(),
            timeouts: Timeouts {
                connect: Duration::from_secs(10),
                attempt: Duration::from_secs(30),
                ..Timeouts::default()
            },
            clock: Arc::new(|| Timestamp::UNIX_EPOCH),
            connections: Default::default(),
        });
        let mut registry = Registry::default();
        registry.add_identifier_type(identifier::Dns);
        let base = validation::base_methods(&network);
        base.into_iter().for_each(|method| registry.add_method(method));
        let settings = Settings {
            profile: "mail".to_owned(),
            ports: Ports::new(&listed, true, &moved).unwrap(),
            drafted: true,
            srv_by_domain: self.srv_by_domain,
            domain_by_service: self.domain_by_service,
            domain_by_srv: self.domain_by_srv,
            greets_as: "probe.ca.test".to_owned(),
        };
        register(&mut registry, network, settings);
        registry
    }

    /// Validates a name; the response names these places.
    pub async fn validate(self, method: &str, (kind, name): (&str, &str), places: &[&str]) -> Report {
        let registry = self.registry();
        let name = registry.admit(&Identifier::new(kind, name)).unwrap();
        let method = registry.method(method).unwrap();
        assert!(method.offered_for(&name) && method.serves(&name, "mail"));
        let places: Vec<_> = places.iter().map(|place| at(place)).collect();
        let response: Option<Value> = (!places.is_empty()).then(|| named::keep(&places));
        let request = ValidationRequest {
            account: AccountId(1),
            name,
            token: TOKEN.to_owned(),
            key_authorization: key_authorization(),
            response,
            code: None,
        };
        method.validate(request).await
    }

    /// `mail-greeting-01` at one place of [`HOST`].
    pub async fn greeted(self, place: &str) -> Report {
        self.validate("mail-greeting-01", ("dns", HOST), &[place]).await
    }
}

pub enum Step {
    Send(String),
    /// Octet by octet, each in a packet of its own.
    Drip(String),
    /// The same until nobody reads it.
    Flood(&'static str),
    /// A line that begins so.
    Expect(&'static str),
    Tls,
}

/// What an honest server does, with a word in its greeting and a line or atom among its capabilities.
pub fn honest(place: &str, word: &str, capability: &str) -> Vec<Step> {
    let at = at(place);
    let is_implicit = at.service.tls_mode() == TlsMode::Implicit;
    let protocol = at.service.protocol();
    let mut steps = Vec::new();
    if !is_implicit {
        steps.push(greeting(protocol, word, "STARTTLS"));
        steps.extend(capabilities(protocol, &["STARTTLS", "STLS"]));
        steps.extend(start_tls(protocol));
    }
    steps.push(Step::Tls);
    let again = protocol == Protocol::Sieve;
    if is_implicit || again {
        steps.push(greeting(protocol, word, capability));
    }
    steps.extend(capabilities(protocol, &[capability]));
    steps
}

pub fn greeting(protocol: Protocol, word: &str, capability: &str) -> Step {
    Step::Send(match protocol {
        Protocol::Smtp | Protocol::Lmtp => format!("220-{HOST} ESMTP\r\n220 {word}\r\n"),
        Protocol::Imap => format!("* OK [CAPABILITY IMAP4rev1] {word} ready\r\n"),
        Protocol::Pop3 => format!("+OK {word}\r\n"),
        Protocol::Sieve => {
            let quote = if capability.starts_with('"') { "" } else { "\"" };
            format!("\"IMPLEMENTATION\" \"x\"\r\n{quote}{capability}{quote}\r\nOK \"{word}\"\r\n")
        }
    })
}

pub fn capabilities(protocol: Protocol, listed: &[&str]) -> Vec<Step> {
    let lines = |start: &str| -> String { listed.iter().map(|line| format!("{start}{line}\r\n")).collect() };
    let (command, reply) = match protocol {
        Protocol::Smtp => ("EHLO ", format!("250-{HOST} hello\r\n{}250 SIZE\r\n", lines("250-"))),
        Protocol::Lmtp => ("LHLO ", format!("250-{HOST} hello\r\n{}250 SIZE\r\n", lines("250-"))),
        Protocol::Imap => (
            "a CAPABILITY",
            format!("* CAPABILITY IMAP4rev1 {}\r\na OK done\r\n", listed.join(" ")),
        ),
        Protocol::Pop3 => ("CAPA", format!("+OK\r\nTOP\r\n{}.\r\n", lines(""))),
        Protocol::Sieve => return Vec::new(),
    };
    vec![Step::Expect(command), Step::Send(reply)]
}

pub fn start_tls(protocol: Protocol) -> Vec<Step> {
    let (command, reply) = match protocol {
        Protocol::Smtp | Protocol::Lmtp => ("STARTTLS", "220 go ahead\r\n"),
        Protocol::Imap => ("b STARTTLS", "b OK go ahead\r\n"),
        Protocol::Pop3 => ("STLS", "+OK go ahead\r\n"),
        Protocol::Sieve => ("STARTTLS", "OK \"go ahead\"\r\n"),
    };
    vec![Step::Expect(command), Step::Send(reply.to_owned())]
}

pub fn capability_of(place: &str) -> String {
    in_capabilities(at(place).service.protocol(), &value(place))
}

/// On a port of loopback, for as many connections as come.
pub struct Server {
    pub port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, steps) = (Arc::new(Mutex::new(Vec::new())), Arc::new(steps));
        let (tls, lines) = (TlsAcceptor::from(worthless_certificate()), heard.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (steps, lines, tls) = (steps.clone(), lines.clone(), tls.clone());
                tokio::spawn(async move {
                    let rest = play(stream, &steps, &lines).await;
                    if let Some((stream, rest)) = rest
                        && let Ok(stream) = tls.accept(stream).await
                    {
                        play(stream, rest, &lines).await;
                    }
                });
            }
        });
        Self { port, heard, task }
    }

    /// Every line that was said to it.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// As far as TLS; what comes after it.
async fn play<'s, S>(mut stream: S, steps: &'s [Step], heard: &Mutex<Vec<String>>) -> Option<(S, &'s [Step])>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for (done, step) in steps.iter().enumerate() {
        match step {
            Step::Tls => return Some((stream, &steps[done + 1..])),
            Step::Send(text) => stream.write_all(text.as_bytes()).await.ok()?,
            Step::Drip(text) => {
                for octet in text.bytes() {
                    stream.write_all(&[octet]).await.ok()?;
                    stream.flush().await.ok()?;
                    tokio::task::yield_now().await;
                }
            }
            Step::Flood(text) => loop {
                stream.write_all(text.as_bytes()).await.ok()?;
            },
            Step::Expect(start) => {
                let line = read_line(&mut stream).await?;
                let is_expected = line.starts_with(start);
                heard.lock().unwrap().push(line);
                if !is_expected {
                    return None;
                }
            }
        }
        stream.flush().await.ok()?;
    }
    // The farewell; a server that closed at once could have its last words lost.
    if let Some(line) = read_line(&mut stream).await {
        heard.lock().unwrap().push(line);
    }
    None
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await.ok()? {
            b'\n' => return Some(String::from_utf8(line).ok()?.trim_end().to_owned()),
            octet => line.push(octet),
        }
    }
}

/// It expired long ago and names nobody.
fn worthless_certificate() -> Arc<ServerConfig> {
    let key = KeyPair::generate_p256();
    let nobody = DistinguishedName::with_common_name("nobody").unwrap();
    let tbs = TbsCertificate {
        serial: Serial::from_random([7; 16]),
        signature_algorithm: key.algorithm(),
        issuer: nobody.clone(),
        not_before: "2001-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2002-01-01T00:00:00Z".parse().unwrap(),
        subject: nobody,
        public_key: key.public_key().clone(),
        extensions: Vec::new(),
    }
    .to_der();
    let certificate = assemble(&tbs, key.algorithm(), &key.sign(&tbs));
    let private = PrivatePkcs8KeyDer::from(key.to_pkcs8_der().to_vec());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], private.into())
        .unwrap();
    Arc::new(config)
}

/// One of each service.
pub const PLACES: [&str; 9] = [
    "smtp:25",
    "submission:587",
    "submissions:465",
    "imap:143",
    "imaps:993",
    "pop3:110",
    "pop3s:995",
    "sieve:4190",
    "lmtp:24",
];
