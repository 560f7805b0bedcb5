//! A certificate for the mail services of a host: host, SRV-IDs and all, proved by what its servers greet with.

mod served;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use conformance::{
    Options, World,
    world::{Account, Order, find_challenge},
};
use email_tls::{
    server::Ports,
    service::ServicePort,
    value::{Bound, in_greeting},
};
use pkix::{
    certificate::{Certificate, Serial, TbsCertificate, assemble},
    csr::build_csr,
    key::KeyPair,
    name::{DistinguishedName, GeneralName},
};
use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use testbed::dns::{self, Dns, Property};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio_rustls::TlsAcceptor;

use served::Served;

/// A host with a submission server and an IMAP server, whose greetings can be changed as an administrator would.
struct MailHost {
    submission: u16,
    imaps: u16,
    banner: Arc<Mutex<String>>,
}

impl MailHost {
    async fn start() -> Self {
        let tls = TlsAcceptor::from(worthless_certificate());
        let banner = Arc::new(Mutex::new("ready".to_owned()));
        let (submission, imaps) = (listener().await, listener().await);
        let ports = (port(&submission), port(&imaps));
        let (said, acceptor) = (banner.clone(), tls.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = submission.accept().await {
                let (said, acceptor) = (said.lock().unwrap().clone(), acceptor.clone());
                tokio::spawn(async move {
                    let mut plain = BufStream::new(stream);
                    say(&mut plain, &format!("220-mail ESMTP\r\n220 {said}\r\n")).await?;
                    answer(&mut plain, "EHLO ", "250-mail hello\r\n250 STARTTLS\r\n").await?;
                    answer(&mut plain, "STARTTLS", "220 go ahead\r\n").await?;
                    let mut stream = BufStream::new(acceptor.accept(plain.into_inner()).await.ok()?);
                    answer(&mut stream, "EHLO ", "250-mail hello\r\n250 SIZE\r\n").await?;
                    answer(&mut stream, "QUIT", "221 bye\r\n").await
                });
            }
        });
        let said = banner.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = imaps.accept().await {
                let (said, acceptor) = (said.lock().unwrap().clone(), tls.clone());
                tokio::spawn(async move {
                    let mut stream = BufStream::new(acceptor.accept(stream).await.ok()?);
                    say(&mut stream, &format!("* OK {said}\r\n")).await?;
                    let listed = "* CAPABILITY IMAP4rev1\r\na OK done\r\n";
                    answer(&mut stream, "a CAPABILITY", listed).await?;
                    answer(&mut stream, "z LOGOUT", "* BYE\r\nz OK\r\n").await
                });
            }
        });
        Self {
            submission: ports.0,
            imaps: ports.1,
            banner,
        }
    }
}

async fn listener() -> tokio::net::TcpListener {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn port(listener: &tokio::net::TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) -> Option<()> {
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

async fn answer<S>(stream: &mut BufStream<S>, expected: &str, text: &str) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.starts_with(expected).then_some(())?;
    say(stream, text).await
}

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
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], private.into());
    Arc::new(config.unwrap())
}

struct Authority {
    served: Served,
    dns: dns::Running,
}

impl Authority {
    async fn start(mail: &MailHost) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let dns = Dns::start(any, Some(any)).await.unwrap();
        let more: toml::Table = format!(
            "validation = {{ resolvers = [\"{}\"], allow_networks = [\"127.0.0.0/8\", \"::1/128\"] }}\n\
             acme = {{ caa_identities = [\"ca.example\"], reuse_authorizations = \"1d\" }}\n\
             [extensions.email-tls]\nenabled = true\n\
             dial = {{ \"submission:587\" = {}, \"imaps:993\" = {} }}\n",
            dns.dns_addr, mail.submission, mail.imaps
        )
        .parse()
        .unwrap();
        let served = Served::start(|config| {
            config.extend(more.clone());
            let profiles = config["profile"].as_table_mut().unwrap();
            profiles.insert("mail".to_owned(), profiles["default"].clone());
        });
        Self { served, dns }
    }

    async fn world(&self) -> World {
        let options = Options {
            challtestsrv: self.dns.control_addr.map(|address| format!("http://{address}")),
            domain: "mail.example".into(),
            ..Options::new(self.served.directory(), self.served.folder.path().join("root.pem"))
        };
        World::open(options).await.unwrap()
    }
}

/// The host, and two of its services.
fn identifiers(host: &str) -> Value {
    json!([
        { "type": "dns", "value": host },
        { "type": "srv", "value": format!("_imaps.{host}") },
        { "type": "srv", "value": format!("_submission.{host}") },
    ])
}

async fn ordered(world: &World, account: &Account, host: &str) -> Order {
    let request = json!({ "identifiers": identifiers(host), "profile": "mail" });
    let url = world.resource("newOrder").unwrap();
    let answer = world.post(account, &url, &request).await.unwrap().expect(201).unwrap();
    Order {
        url: answer.location().unwrap(),
        body: answer.json().unwrap(),
    }
}

/// Which services prove an identifier here.
fn wanted(identifier: &Value) -> &'static [&'static str] {
    match identifier["value"].as_str() {
        Some(value) if value.starts_with("_imaps.") => &["imaps:993"],
        Some(value) if value.starts_with("_submission.") => &["submission:587"],
        _ => &["submission:587", "imaps:993"],
    }
}

fn place(text: &str) -> ServicePort {
    let ports = Ports::new(&[], true, &Default::default()).unwrap();
    let mut offered = ports.offered().into_iter();
    offered.find(|place| place.to_string() == text).unwrap()
}

/// Publishes the words for an authorization, responds, and waits for what becomes of it.
async fn proved(world: &World, account: &Account, mail: &MailHost, url: &str) -> Value {
    let object = world.read_json(account, url).await.unwrap();
    let challenge = find_challenge(&object, "mail-greeting-01").unwrap_or_else(|| panic!("{object}"));
    assert!(challenge["services"].is_array(), "{challenge}");
    let token = challenge["token"].as_str().unwrap();
    let thumbprint = account.key.jwk().thumbprint();
    let key_authorization = acme::KeyAuthorization::new(token, &thumbprint);
    let services = wanted(&object["identifier"]);
    let words = services
        .iter()
        .map(|text| in_greeting(&Bound::MailGreeting.value(&key_authorization, place(text))));
    *mail.banner.lock().unwrap() = words.collect::<Vec<_>>().join(" ");
    let names: Vec<_> = services.iter().map(|text| text.split(':').next()).collect();
    let url_of_challenge = challenge["url"].as_str().unwrap();
    let response = json!({ "services": names });
    let answer = world.post(account, url_of_challenge, &response).await.unwrap();
    answer.expect(200).unwrap();
    world.settled(account, url).await.unwrap()
}

// ETLS-P-8, ETLS-P-9, ETLS-P-3, ETLS-4-1, 8657-4-2
#[tokio::test]
async fn one_order_gives_one_certificate_for_a_host_and_its_services() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mail = MailHost::start().await;
    let authority = Authority::start(&mail).await;
    let world = authority.world().await;
    let account = world.account().await.unwrap();
    let host = world.name("one");
    let order = ordered(&world, &account, &host).await;
    assert_eq!(order.body["identifiers"], identifiers(&host));
    for url in order.authorizations() {
        let object = proved(&world, &account, &mail, &url).await;
        assert_eq!(object["status"], "valid", "{object}");
    }
    let names = [
        GeneralName::Dns(host.clone()),
        GeneralName::srv(&format!("_imaps.{host}")).unwrap(),
        GeneralName::srv(&format!("_submission.{host}")).unwrap(),
    ];
    let key = KeyPair::generate_p256();
    let too_few = build_csr(&key, None, &names[..2]).unwrap();
    let refused = world.finalize(&account, &order, &too_few).await.unwrap();
    refused.refused_with(400, &["badCSR"]).unwrap();
    // The domain has its say about its services too, and knows our methods by the names that are ours to give.
    let csr = build_csr(&key, None, &names).unwrap();
    let caa = |methods: &str| {
        vec![Property {
            flags: 0,
            tag: "issue".into(),
            value: format!("ca.example; validationmethods={methods}"),
        }]
    };
    let dns = &authority.dns.handle;
    dns.add_caa(&host, &caa("http-01")).unwrap();
    let refused = world.finalize(&account, &order, &csr).await.unwrap();
    refused.refused_with(403, &["caa"]).unwrap();
    dns.clear_caa(&host).unwrap();
    dns.add_caa(&host, &caa("ca-mail-greeting-01")).unwrap();
    let issued = world.complete(&account, order, key, csr).await.unwrap();
    let certificate = Certificate::parse(&issued.chain[0]).unwrap();
    let mut certified = certificate.names().to_vec();
    certified.sort();
    assert_eq!(certified, names);

    // What the mail servers proved counts in another order of the profile, and in no order of another.
    let again = ordered(&world, &account, &host).await;
    assert_eq!(again.status(), "ready");
    let plain = world.order(&account, &[&host]).await.unwrap();
    assert_eq!(plain.status(), "pending");
    let object = world.read_json(&account, &plain.authorizations()[0]).await.unwrap();
    assert!(find_challenge(&object, "mail-greeting-01").is_none(), "{object}");
    let request = json!({ "identifiers": identifiers(&host) });
    let url = world.resource("newOrder").unwrap();
    let refused = world.post(&account, &url, &request).await.unwrap();
    refused.refused_with(403, &["rejectedIdentifier"]).unwrap();
}

// ETLS-P-1, ETLS-3-3
#[tokio::test]
async fn what_a_server_does_not_show_is_told_with_its_service() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mail = MailHost::start().await;
    let authority = Authority::start(&mail).await;
    let world = authority.world().await;
    let account = world.account().await.unwrap();
    let order = ordered(&world, &account, &world.name("none")).await;
    let url = &order.authorizations()[1];
    let object = world.read_json(&account, url).await.unwrap();
    let challenge = find_challenge(&object, "mail-greeting-01").unwrap()["url"]
        .as_str()
        .unwrap()
        .to_owned();
    // What cannot be looked at changes nothing.
    for response in [
        json!({ "services": [{ "service": "imaps", "port": 5000 }] }),
        json!({ "services": ["ftp"] }),
    ] {
        let answer = world.post(&account, &challenge, &response).await.unwrap();
        answer.refused_with(400, &["malformed"]).unwrap();
    }
    let response = json!({ "services": ["imaps"] });
    world
        .post(&account, &challenge, &response)
        .await
        .unwrap()
        .expect(200)
        .unwrap();
    let object = world.settled(&account, url).await.unwrap();
    assert_eq!(object["status"], "invalid");
    let error = &find_challenge(&object, "mail-greeting-01").unwrap()["error"];
    let detail = error["detail"].as_str().unwrap();
    assert!(
        detail.contains("imaps:993 of ") && detail.contains("acme-mail-01="),
        "{detail}"
    );
}
