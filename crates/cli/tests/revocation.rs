//! What relying parties with stock tools see of a revocation: `openssl verify` fetches the CRL that a certificate names,
//! `openssl ocsp` asks the responder that it names.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use acme::RevocationReason;
use client::{
    Account, Csr, Directory, Identifier, KeyType, Order, Registration, RetryPolicy, Solver, SystemClock, Transport,
    TransportSettings, Trust, silent, solver::HttpStandalone,
};
use pkix::{
    certificate::Certificate,
    crl::{Crl, Reason},
    extension::{read_authority_info_access, read_crl_distribution_points},
    key::KeyPair,
    oid,
};
use testbed::dns::Dns;

// 8555-7.6-11, 5280-5-1, 6960-1
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_is_refused_by_whoever_asks() {
    let world = World::new().await;
    let account = world.account().await;
    let (kept, revoked) = (
        world.issue(&account, "kept", None).await.unwrap(),
        world.issue(&account, "revoked", None).await.unwrap(),
    );
    for name in ["kept", "revoked"] {
        assert!(world.verify(name).contains(": OK"), "{}", world.verify(name));
        world.says(name, "good");
    }
    account
        .revoke(revoked.der(), Some(RevocationReason::Superseded))
        .await
        .unwrap();
    // The answer comes from the facts, the list a moment later from the one that publishes.
    world.says("revoked", "revoked");
    let list = world.wait_for_entry(&revoked).await;
    assert_eq!(list.find(revoked.serial()).unwrap().reason, Some(Reason::Superseded));
    assert!(
        world.verify("revoked").contains("certificate revoked"),
        "{}",
        world.verify("revoked")
    );
    assert!(world.verify("kept").contains(": OK"));
    world.says("kept", "good");
    assert!(
        Crl::parse(&world.fetch(&point(&kept), &[]).body)
            .unwrap()
            .find(kept.serial())
            .is_none()
    );
}

// 8555-7.6-11
#[tokio::test(flavor = "multi_thread")]
async fn lists_and_answers_may_be_cached_and_survive_a_restart() {
    let mut world = World::new().await;
    let account = world.account().await;
    let issued = world.issue(&account, "cached", None).await.unwrap();
    account.revoke(issued.der(), None).await.unwrap();
    let list = world.wait_for_entry(&issued).await;
    let point = point(&issued);

    let first = world.fetch(&point, &[]);
    assert_eq!(
        (first.status, first.field("content-type")),
        (200, "application/pkix-crl")
    );
    assert!(first.field("cache-control").starts_with("max-age=3"), "{}", first.head);
    let tag = first.field("etag").to_owned();
    assert_eq!(tag, format!("\"{}\"", list.contents().number));
    let again = world.fetch(&point, &[("If-None-Match", &tag)]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    let since = first.field("last-modified").to_owned();
    assert_eq!(world.fetch(&point, &[("If-Modified-Since", &since)]).status, 304);
    for (path, status) in [
        ("/crl/issuing/99.crl", 404),
        ("/crl/other/0.crl", 404),
        ("/ocsp/other", 404),
    ] {
        assert_eq!(world.fetch(&world.public_url(path), &[]).status, status, "{path}");
    }
    let issuer = world.fetch(&world.public_url("/issuer/issuing.cer"), &[]);
    assert_eq!(issuer.field("content-type"), "application/pkix-cert");
    issued
        .verify_signed_by(&Certificate::parse(&issuer.body).unwrap().public_key().unwrap())
        .unwrap();

    // The same question with GET, as RFC 6960 A.1 encodes it.
    world.openssl("ocsp -issuer issuing.pem -cert cached.pem -no_nonce -reqout request.der");
    world.openssl("base64 -A -in request.der -out request.b64");
    let question = fs::read_to_string(world.file("request.b64")).unwrap();
    let question = question.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let answer = world.fetch(&format!("{}/{question}", responder(&issued)), &[]);
    assert_eq!(answer.field("content-type"), "application/ocsp-response");
    assert!(
        answer.field("cache-control").starts_with("max-age=3"),
        "{}",
        answer.head
    );
    fs::write(world.file("response.der"), &answer.body).unwrap();
    let said = world.openssl(
        "ocsp -issuer issuing.pem -cert cached.pem -no_nonce -reqin request.der -respin response.der -CAfile root.pem",
    );
    assert!(
        said.contains("cached.pem: revoked") && said.contains("verify OK"),
        "{said}"
    );
    let nothing = world.fetch(&format!("{}/bm90aGluZw", responder(&issued)), &[]);
    assert_eq!((nothing.status, &nothing.body[..]), (200, &[0x30, 3, 0x0a, 1, 1][..]));
    assert_eq!(nothing.field("cache-control"), "no-store");

    world.restart();
    let after = world.fetch(&point, &[]);
    assert_eq!((after.field("etag"), &after.body), (tag.as_str(), &first.body));
    assert!(world.verify("cached").contains("certificate revoked"));
}

// T28
#[tokio::test(flavor = "multi_thread")]
async fn t28_a_compromised_key_is_refused_and_its_other_certificate_is_on_a_list() {
    let world = World::new().await;
    let account = world.account().await;
    let key = KeyPair::generate_p256();
    let first = world.issue(&account, "first", Some(&key)).await.unwrap();
    let second = world.issue(&account, "second", Some(&key)).await.unwrap();
    let reason = Some(RevocationReason::KeyCompromise);
    let signing = jose::SigningKey::from_pkcs8_der(&key.to_pkcs8_der()).unwrap();
    client::revoke_with_certificate_key(&world.directory, &signing, first.der(), reason)
        .await
        .unwrap();
    for certificate in [&first, &second] {
        let list = world.wait_for_entry(certificate).await;
        let entry = list.find(certificate.serial()).unwrap();
        assert_eq!(entry.reason, Some(Reason::KeyCompromise));
    }
    assert!(world.verify("second").contains("certificate revoked"));
    let refused = world
        .issue(&account, "third", Some(&key))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("badCSR") && refused.contains("compromised"),
        "{refused}"
    );
}

fn point(certificate: &Certificate) -> String {
    let extension = certificate.extension(&oid::CRL_DISTRIBUTION_POINTS).unwrap();
    read_crl_distribution_points(&extension.value).unwrap().remove(0)
}

fn responder(certificate: &Certificate) -> String {
    let extension = certificate.extension(&oid::AUTHORITY_INFO_ACCESS).unwrap();
    read_authority_info_access(&extension.value).unwrap().ocsp.remove(0)
}

/// A server with everything public switched on, and a client.
struct World {
    folder: tempfile::TempDir,
    server: Child,
    public: SocketAddr,
    directory: Directory,
    solver: Arc<dyn Solver>,
    _dns: testbed::dns::Running,
}

/// What came over plain HTTP.
struct Fetched {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl World {
    async fn new() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let dns = Dns::start(([127, 0, 0, 1], 0).into(), None).await.unwrap();
        let solver = HttpStandalone::listen("127.0.0.1:0").await.unwrap();
        let (listen, public) = (free_address(), free_address());
        let made = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["init", "--listen", &listen.to_string(), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let file = folder.path().join("vidimus.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        let mut set = |section: &str, key: &str, value: toml::Value| {
            config[section].as_table_mut().unwrap().insert(key.into(), value);
        };
        set("server", "public_http", format!("http://{public}").into());
        set("server", "public_listen", public.to_string().into());
        set("admin", "listen", "127.0.0.1:0".into());
        set("validation", "http_port", i64::from(solver.address().port()).into());
        set("validation", "resolvers", vec![dns.dns_addr.to_string()].into());
        set("validation", "allow_networks", vec!["127.0.0.0/8"].into());
        let issuing = config["issuer"]["issuing"].as_table_mut().unwrap();
        issuing.insert("crl_shards".into(), 3.into());
        issuing.insert("ocsp".into(), true.into());
        fs::write(&file, config.to_string()).unwrap();
        let transport = Transport::new(TransportSettings {
            trust: Trust::Bundle(folder.path().join("root.pem")),
            ..Default::default()
        });
        let url = format!("https://{listen}/directory");
        let clock = Arc::new(SystemClock);
        Self {
            server: start(folder.path()),
            folder,
            public,
            directory: Directory::new(&url, transport.unwrap(), RetryPolicy::default(), clock),
            solver: Arc::new(solver),
            _dns: dns,
        }
    }

    fn restart(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        self.server = start(self.folder.path());
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn account(&self) -> Account {
        let key = Arc::new(jose::SigningKey::generate(jose::Algorithm::Es256).unwrap());
        Account::create(&self.directory, key, &Registration::default())
            .await
            .unwrap()
    }

    /// A certificate for `{name}.example.test`, in the files `{name}.pem` and `issuing.pem`.
    async fn issue(&self, account: &Account, name: &str, key: Option<&KeyPair>) -> Result<Certificate, client::Error> {
        let identifier = acme::Identifier::dns(format!("{name}.example.test"));
        let names = [Identifier::from_wire(&identifier).unwrap()];
        let mut order = Order::create(account, &names, Default::default()).await?;
        order.solve(std::slice::from_ref(&self.solver), &silent()).await?;
        let fresh = KeyType::default().generate();
        let csr = Csr::new(key.unwrap_or(&fresh), &names).unwrap();
        order.finalize(&csr).await?;
        let (chain, _) = order.download(None).await?;
        let chain = pkix::pem::parse_chain(&chain.full_pem()).unwrap();
        for (file, der) in [(name, &chain[0]), ("issuing", &chain[1])] {
            fs::write(self.file(&format!("{file}.pem")), pkix::pem::encode_certificate(der)).unwrap();
        }
        Ok(Certificate::parse(&chain[0]).unwrap())
    }

    /// The list that a certificate names, as soon as the certificate is on it.
    async fn wait_for_entry(&self, certificate: &Certificate) -> Crl {
        for _ in 0..MOST_LOOKS {
            let fetched = self.fetch(&point(certificate), &[]);
            let list = Crl::parse(&fetched.body).unwrap();
            if list.find(certificate.serial()).is_some() {
                return list;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} never was on its list", certificate.serial());
    }

    /// What `openssl verify` says after it fetched the list that the certificate names.
    fn verify(&self, name: &str) -> String {
        let output = Command::new("openssl")
            .current_dir(self.folder.path())
            .args("verify -x509_strict -crl_check -crl_download -CAfile root.pem -untrusted issuing.pem".split(' '))
            .arg(format!("{name}.pem"))
            .output()
            .expect("the Debian package openssl must be installed for this test");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// What `openssl ocsp` is told by the responder that the certificate names.
    fn says(&self, name: &str, status: &str) {
        let certificate = fs::read_to_string(self.file(&format!("{name}.pem"))).unwrap();
        let der = pkix::pem::parse_chain(&certificate).unwrap().remove(0);
        let url = responder(&Certificate::parse(&der).unwrap());
        for hash in ["-sha1", "-sha256"] {
            let said = self.openssl(&format!(
                "ocsp {hash} -issuer issuing.pem -cert {name}.pem -url {url} -CAfile root.pem -nonce"
            ));
            assert!(said.contains(&format!("{name}.pem: {status}")), "{said}");
            assert!(said.contains("verify OK") && !said.contains("WARNING"), "{said}");
        }
    }

    fn openssl(&self, arguments: &str) -> String {
        let output = Command::new("openssl")
            .current_dir(self.folder.path())
            .args(arguments.split_whitespace())
            .output()
            .expect("the Debian package openssl must be installed for this test");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {said}");
        said
    }

    fn public_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    fn fetch(&self, url: &str, fields: &[(&str, &str)]) -> Fetched {
        let path = url.strip_prefix(&self.public_url("")).expect("a public URL");
        let mut stream = TcpStream::connect(self.public).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.public
        )
        .unwrap();
        for (name, value) in fields {
            write!(stream, "{name}: {value}\r\n").unwrap();
        }
        stream.write_all(b"\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        Fetched {
            status: head[9..12].parse().unwrap(),
            head,
            body: answer[end + 4..].to_vec(),
        }
    }
}

impl Fetched {
    fn field(&self, name: &str) -> &str {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| panic!("no {name} in {}", self.head)).1
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts the server and waits until it says that it is ready.
fn start(folder: &Path) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vidimus"))
        .args(["serve", "--config"])
        .arg(folder.join("vidimus.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("ready"), "the server did not start: {line:?}");
    // Whatever else it prints is read, so that it can go on printing.
    std::thread::spawn(move || output.lines().map_while(Result::ok).count());
    child
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A minute: the slowest machine publishes within one.
const MOST_LOOKS: usize = 1200;
