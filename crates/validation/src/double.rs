//! A small world for tests: a table in place of the DNS, a clock that stands still.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use acme::{Identifier, KeyAuthorization};
use authority::{
    identifier::{self, IdentifierType, Name, Target},
    model::DnssecStatus,
    ports::{BoxFuture, ValidationRequest},
};
use jiff::Timestamp;
use jose::Thumbprint;
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    key::KeyPair,
    name::DistinguishedName,
};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Timeouts,
    dial::Network,
    policy::{AddressPolicy, PortPolicy},
    resolver::{Addresses, Answer, DnsFailure, Resolver, ServiceHost},
};

/// A resolver that answers from a table; a name that is not there does not exist.
#[derive(Default)]
pub struct Dns {
    hosts: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    texts: HashMap<String, Vec<String>>,
    failures: HashMap<String, DnsFailure>,
}

impl Dns {
    /// Called again for one host: what it answers the next time (the last for ever).
    pub fn host(self, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.hosts
            .lock()
            .unwrap()
            .entry(name.to_owned())
            .or_default()
            .push_back(addresses);
        self
    }

    pub fn txt(mut self, name: &str, records: Vec<String>) -> Self {
        self.texts.insert(name.to_owned(), records);
        self
    }

    pub fn failing(mut self, name: &str, failure: DnsFailure) -> Self {
        self.failures.insert(name.to_owned(), failure);
        self
    }

    fn answer<T>(&self, name: &str, records: Option<Vec<T>>) -> Answer<T> {
        let records = match self.failures.get(name) {
            Some(failure) => Err(failure.clone()),
            None => records.ok_or(DnsFailure::NxDomain),
        };
        Answer {
            records,
            aliases: Vec::new(),
            dnssec: DnssecStatus::Unchecked,
            resolver: "table".to_owned(),
        }
    }
}

impl Resolver for Dns {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Addresses> {
        let mut hosts = self.hosts.lock().unwrap();
        let addresses = hosts.get_mut(host).map(|answers| match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap(),
        });
        let v4 = |addresses: &Vec<IpAddr>| -> Vec<Ipv4Addr> {
            addresses
                .iter()
                .filter_map(|address| if let IpAddr::V4(v4) = address { Some(*v4) } else { None })
                .collect()
        };
        let v6 = |addresses: &Vec<IpAddr>| -> Vec<Ipv6Addr> {
            addresses
                .iter()
                .filter_map(|address| if let IpAddr::V6(v6) = address { Some(*v6) } else { None })
                .collect()
        };
        let answer = Addresses {
            v4: self.answer(host, addresses.as_ref().map(v4)),
            v6: self.answer(host, addresses.as_ref().map(v6)),
        };
        Box::pin(std::future::ready(answer))
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        let texts = self
            .texts
            .get(name)
            .map(|texts| texts.iter().map(|text| text.clone().into_bytes()).collect());
        Box::pin(std::future::ready(self.answer(name, texts)))
    }

    fn caa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        Box::pin(std::future::ready(self.answer(name, None)))
    }

    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<ServiceHost>> {
        Box::pin(std::future::ready(self.answer(name, None)))
    }
}

pub struct World {
    pub dns: Arc<Dns>,
    pub ports: PortPolicy,
    pub allow: Vec<&'static str>,
    pub timeouts: Timeouts,
}

impl World {
    pub const TOKEN: &str = "DGyRejmCefe7v4NfDGDKfA";

    pub fn with(dns: Dns) -> Self {
        Self {
            dns: Arc::new(dns),
            ports: PortPolicy::default(),
            allow: vec!["127.0.0.0/8", "::1/128"],
            timeouts: Timeouts {
                attempt: Duration::from_secs(5),
                ..Timeouts::default()
            },
        }
    }

    pub fn network(&self) -> Arc<Network> {
        Arc::new(Network {
            resolver: self.dns.clone(),
            addresses: AddressPolicy::new(self.allow.iter().map(|network| network.parse().unwrap()).collect()),
            ports: self.ports,
            timeouts: self.timeouts,
            clock: Arc::new(|| Timestamp::UNIX_EPOCH),
            connections: Default::default(),
        })
    }

    pub fn key_authorization() -> KeyAuthorization {
        KeyAuthorization::new(Self::TOKEN, &Thumbprint::from([7; 32]))
    }

    pub fn name(name: &str) -> Name {
        identifier::Dns.admit(name).unwrap()
    }

    pub fn address_name(address: &str) -> Name {
        let identifier = Identifier::ip(address);
        Name::admitted(
            identifier.clone(),
            identifier,
            Target::Address(address.parse().unwrap()),
        )
    }

    pub fn request(&self, name: &str) -> ValidationRequest {
        Self::request_for(Self::name(name))
    }

    pub fn request_for(name: Name) -> ValidationRequest {
        ValidationRequest {
            account: authority::model::AccountId(1),
            name,
            token: Self::TOKEN.to_owned(),
            key_authorization: Self::key_authorization(),
            response: None,
            code: None,
        }
    }
}

/// A web server on loopback: the bytes it sends are a function of the request's head.
pub struct Web {
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

fn worthless_certificate() -> ServerConfig {
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
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], private.into())
        .unwrap()
}

/// A port of 127.0.0.1 that stays closed as long as the socket lives.
pub fn closed_port() -> (u16, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (socket.local_addr().unwrap().port(), socket)
}

/// What a [`Web`] does with a request.
pub enum Act {
    Send(Vec<u8>),
    /// Sends the one, and then the other until nobody reads it.
    SendForever(Vec<u8>, Vec<u8>),
    /// Sends this and then nothing, with the connection open.
    Stall(Vec<u8>),
}

impl Web {
    pub async fn at(address: &str, act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind((address, 0)).await.unwrap(), act)
    }

    /// On a port of 127.0.0.1 that nobody listens to on ::1; the socket keeps it so.
    pub async fn on_ipv4_only(act: impl Fn(&str) -> Act + Send + Sync + 'static) -> (Self, TcpSocket) {
        let (listener, closed) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let closed = TcpSocket::new_v6().unwrap();
            if closed
                .bind(SocketAddr::new(
                    Ipv6Addr::LOCALHOST.into(),
                    listener.local_addr().unwrap().port(),
                ))
                .is_ok()
            {
                break (listener, closed);
            }
        };
        (Self::on(listener, act), closed)
    }

    /// Over TLS, with a certificate that expired long ago and names nobody.
    pub async fn over_tls(act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::accepting(
            listener,
            act,
            Some(TlsAcceptor::from(Arc::new(worthless_certificate()))),
        )
    }

    fn on(listener: TcpListener, act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        Self::accepting(listener, act, None)
    }

    fn accepting(
        listener: TcpListener,
        act: impl Fn(&str) -> Act + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, act) = (heads.clone(), Arc::new(act));
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                match &tls {
                    None => drop(tokio::spawn(serve(stream, seen.clone(), act.clone()))),
                    Some(tls) => {
                        let stream = tls.accept(stream).await.unwrap();
                        drop(tokio::spawn(serve(stream, seen.clone(), act.clone())));
                    }
                }
            }
        });
        Self { port, heads, server }
    }

    /// Answers every request with this body.
    pub async fn saying(body: impl Into<String>) -> Self {
        let body = body.into();
        Self::at("127.0.0.1", move |_| Act::ok(&body)).await
    }

    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Act {
    pub fn ok(body: &str) -> Self {
        Self::answer("200 OK", "", body)
    }

    pub fn redirect(location: &str) -> Self {
        Self::answer("302 Found", &format!("Location: {location}\r\n"), "")
    }

    pub fn answer(status: &str, fields: &str, body: &str) -> Self {
        let length = body.len();
        Self::Send(format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n{body}").into_bytes())
    }
}

async fn serve<S>(mut stream: S, seen: Arc<Mutex<Vec<String>>>, act: Arc<dyn Fn(&str) -> Act + Send + Sync>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.clone());
    match act(&head) {
        // A client that has read enough may be gone.
        Act::Send(bytes) => drop(stream.write_all(&bytes).await),
        Act::SendForever(start, more) => {
            drop(stream.write_all(&start).await);
            while stream.write_all(&more).await.is_ok() {}
        }
        Act::Stall(bytes) => {
            drop(stream.write_all(&bytes).await);
            // Until the client gives up.
            drop(stream.read_u8().await);
        }
    }
    drop(stream.shutdown().await);
}
