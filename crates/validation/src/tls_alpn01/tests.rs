use std::sync::Mutex;

use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    extension::{Extension, acme_identifier, subject_alternative_names},
    key::KeyPair,
    name::DistinguishedName,
};
use rustls::{
    HandshakeKind, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::PrivatePkcs8KeyDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    double::{Dns, World, closed_port},
    policy::PortPolicy,
};

/// What a responder presents, right until a test makes it wrong.
struct Recipe {
    names: Vec<GeneralName>,
    identifiers: Vec<Extension>,
    key: KeyPair,
    /// Signs the certificate instead of `key`.
    issuer: Option<KeyPair>,
    /// More certificates behind the first.
    chain: Vec<Vec<u8>>,
    alpn: Vec<Vec<u8>>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

impl Recipe {
    fn right() -> Self {
        Self {
            names: vec![GeneralName::Dns("example.org".into())],
            identifiers: vec![acme_identifier(&World::key_authorization().digest())],
            key: KeyPair::generate_p256(),
            issuer: None,
            chain: Vec::new(),
            alpn: vec![ACME_TLS.to_vec()],
            versions: vec![&TLS13],
        }
    }

    /// Long expired, which must not matter (RFC 8737 §3).
    fn certificate(&self) -> Vec<u8> {
        let signer = self.issuer.as_ref().unwrap_or(&self.key);
        let names = (!self.names.is_empty()).then(|| subject_alternative_names(&self.names, true).unwrap());
        let tbs = TbsCertificate {
            serial: Serial::from_random([7; 16]),
            signature_algorithm: signer.algorithm(),
            issuer: DistinguishedName::with_common_name("responder").unwrap(),
            not_before: "2001-01-01T00:00:00Z".parse().unwrap(),
            not_after: "2002-01-01T00:00:00Z".parse().unwrap(),
            subject: DistinguishedName::with_common_name("responder").unwrap(),
            public_key: self.key.public_key().clone(),
            extensions: names.into_iter().chain(self.identifiers.iter().cloned()).collect(),
        }
        .to_der();
        assemble(&tbs, signer.algorithm(), &signer.sign(&tbs))
    }

    fn server(&self) -> (ServerConfig, Arc<Presented>) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pkcs8 = PrivatePkcs8KeyDer::from(self.key.to_pkcs8_der().to_vec());
        let key = provider.key_provider.load_private_key(pkcs8.into()).unwrap();
        let chain = [self.certificate()]
            .into_iter()
            .chain(self.chain.clone())
            .map(Into::into)
            .collect();
        let presented = Arc::new(Presented {
            key: Arc::new(CertifiedKey::new(chain, key)),
            hellos: Mutex::default(),
        });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(presented.clone());
        config.alpn_protocols = self.alpn.clone();
        (config, presented)
    }

    /// Validates `name` against a server that presents this.
    async fn validate(&self, name: Name, dns: Dns) -> (Report, Seen) {
        let address = match name.target() {
            Target::Address(address) => *address,
            _ => "127.0.0.1".parse().unwrap(),
        };
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let world = World {
            ports: PortPolicy {
                http: 80,
                tls: listener.local_addr().unwrap().port(),
            },
            ..World::with(dns)
        };
        let (config, presented) = self.server();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.ok()?;
            let mut received = Vec::new();
            // A peer that closes without ado is an error here, and none of our business.
            drop(stream.read_to_end(&mut received).await);
            Some((received, stream.get_ref().1.handshake_kind()))
        });
        let report = TlsAlpn01::new(world.network()).validate(World::request_for(name)).await;
        let after = server.await.unwrap();
        let hellos = presented.hellos.lock().unwrap().clone();
        (report, Seen { hellos, after })
    }

    async fn verdict(&self) -> Result<(), (ProblemType, String)> {
        let (report, _) = self.validate(World::name("example.org"), dns()).await;
        report.verdict.map_err(|problem| (problem.kind, problem.detail))
    }

    async fn refusal(&self) -> (ProblemType, String) {
        self.verdict().await.expect_err("control was proved")
    }
}

/// What the responder saw: server name and protocols of each handshake; after it, the bytes and its kind.
struct Seen {
    hellos: Vec<(Option<String>, Vec<Vec<u8>>)>,
    after: Option<(Vec<u8>, Option<HandshakeKind>)>,
}

#[derive(Debug)]
struct Presented {
    key: Arc<CertifiedKey>,
    hellos: Mutex<Vec<(Option<String>, Vec<Vec<u8>>)>>,
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let protocols = hello
            .alpn()
            .map(|alpn| alpn.map(<[u8]>::to_vec).collect())
            .unwrap_or_default();
        self.hellos
            .lock()
            .unwrap()
            .push((hello.server_name().map(str::to_owned), protocols));
        Some(self.key.clone())
    }
}

fn dns() -> Dns {
    Dns::default().host("example.org", &["127.0.0.1"])
}

// 8737-3-2, 8737-4-2
#[tokio::test]
async fn a_self_signed_certificate_with_name_and_digest_is_accepted_even_if_it_has_expired() {
    let rsa_over_tls12 = Recipe {
        key: KeyPair::generate_rsa2048(),
        versions: vec![&TLS12],
        ..Recipe::right()
    };
    for recipe in [
        Recipe::right(),
        Recipe {
            versions: vec![&TLS12],
            ..Recipe::right()
        },
        Recipe {
            key: KeyPair::generate_p384(),
            ..Recipe::right()
        },
        Recipe {
            key: KeyPair::generate_p384(),
            versions: vec![&TLS12],
            ..Recipe::right()
        },
        Recipe {
            key: KeyPair::generate_ed25519(),
            ..Recipe::right()
        },
        Recipe {
            key: KeyPair::generate_rsa2048(),
            ..Recipe::right()
        },
        rsa_over_tls12,
    ] {
        assert_eq!(recipe.verdict().await, Ok(()), "{:?}", recipe.key);
    }
}

// 8737-3-4, 8737-4-1, 8737-4-3
#[tokio::test]
async fn it_offers_one_protocol_and_one_name_and_sends_nothing() {
    for versions in [vec![&TLS12], vec![&TLS13]] {
        let recipe = Recipe {
            versions,
            ..Recipe::right()
        };
        let (report, seen) = recipe.validate(World::name("example.org"), dns()).await;
        assert_eq!(report.verdict, Ok(()));
        assert_eq!(seen.hellos, [(Some("example.org".to_owned()), vec![ACME_TLS.to_vec()])]);
        let (received, kind) = seen.after.unwrap();
        assert_eq!((received.len(), kind), (0, Some(HandshakeKind::Full)));
    }
}

#[tokio::test]
async fn evidence_holds_the_facts_of_the_handshake() {
    // Its signatures are the same every time.
    let recipe = Recipe {
        key: KeyPair::generate_ed25519(),
        ..Recipe::right()
    };
    let (report, _) = recipe.validate(World::name("example.org"), dns()).await;
    let seen = serde_json::to_value(report.evidence.observations.last().unwrap()).unwrap();
    assert_eq!(
        (&seen["saw"], &seen["server_name"]),
        (&"tls".into(), &"example.org".into())
    );
    assert_eq!(
        (&seen["version"], &seen["alpn"]),
        (&"TLSv1_3".into(), &"acme-tls/1".into())
    );
    assert_eq!(seen["certificate"], certificate::fingerprint(&recipe.certificate()));
}

// 8737-3-5, T6
#[tokio::test]
async fn t6_a_server_that_ignores_alpn_proves_nothing() {
    let (kind, detail) = Recipe {
        alpn: vec![],
        ..Recipe::right()
    }
    .refusal()
    .await;
    assert_eq!(kind, ProblemType::Unauthorized);
    assert!(detail.contains("did not choose the protocol acme-tls/1"), "{detail}");
}

// 8737-3-5, T6
#[tokio::test]
async fn t6_a_server_that_speaks_other_protocols_only_proves_nothing() {
    let alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(
        Recipe {
            alpn,
            ..Recipe::right()
        }
        .refusal()
        .await
        .0,
        ProblemType::Tls
    );
}

// T6: the virtual host that answers for every name answers with its own.
#[tokio::test]
async fn t6_a_certificate_for_another_name_proves_nothing() {
    for names in [
        vec![],
        vec![GeneralName::Dns("other.example".into())],
        vec![GeneralName::Dns("*.example.org".into())],
        vec![GeneralName::Dns("www.example.org".into())],
        vec![GeneralName::Dns("org".into())],
        vec![GeneralName::Dns("example.org.".into())],
        vec![GeneralName::Ip("127.0.0.1".parse().unwrap())],
        vec![GeneralName::Email("example.org".into())],
        vec![GeneralName::Uri("example.org".into())],
    ] {
        let (kind, detail) = Recipe {
            names: names.clone(),
            ..Recipe::right()
        }
        .refusal()
        .await;
        assert_eq!(kind, ProblemType::Unauthorized, "{names:?}");
        assert!(detail.contains("not example.org and nobody else"), "{detail}");
    }
}

// 8737-3-6, T7
#[tokio::test]
async fn t7_a_name_beside_the_right_one_is_refused() {
    let right = || GeneralName::Dns("example.org".into());
    for other in [
        right(),
        GeneralName::Dns("b.example".into()),
        GeneralName::Ip("192.0.2.1".parse().unwrap()),
    ] {
        for names in [vec![right(), other.clone()], vec![other.clone(), right()]] {
            let (kind, detail) = Recipe {
                names,
                ..Recipe::right()
            }
            .refusal()
            .await;
            assert_eq!(kind, ProblemType::Unauthorized);
            assert!(detail.contains("example.org"), "{detail}");
        }
    }
}

// 8737-3-6, 8737-3-11
#[tokio::test]
async fn names_are_compared_without_regard_to_case_and_as_a_labels() {
    let upper = Recipe {
        names: vec![GeneralName::Dns("EXAMPLE.Org".into())],
        ..Recipe::right()
    };
    assert_eq!(upper.verdict().await, Ok(()));
    let idn = "xn--bcher-kva.example";
    let recipe = Recipe {
        names: vec![GeneralName::Dns(idn.into())],
        ..Recipe::right()
    };
    let (report, seen) = recipe
        .validate(World::name(idn), Dns::default().host(idn, &["127.0.0.1"]))
        .await;
    assert_eq!(report.verdict, Ok(()));
    assert_eq!(seen.hellos[0].0.as_deref(), Some(idn));
}

// 8737-3-7, 8737-3-8, T7
#[tokio::test]
async fn t7_an_extension_that_is_not_as_it_must_be_is_refused() {
    let right = acme_identifier(&World::key_authorization().digest());
    let with = |value: Vec<u8>| Extension { value, ..right.clone() };
    let digest = World::key_authorization().digest();
    let draft = Extension {
        oid: "1.3.6.1.5.5.7.1.30.1".parse().unwrap(),
        ..right.clone()
    };
    for (identifiers, why) in [
        (vec![], "has no acmeIdentifier"),
        (vec![draft], "has no acmeIdentifier"),
        (
            vec![Extension {
                critical: false,
                ..right.clone()
            }],
            "not critical",
        ),
        (vec![right.clone(), right.clone()], "twice"),
        (vec![right.clone(), acme_identifier(&[0; 32])], "twice"),
        (vec![acme_identifier(&[0; 32])], "not the digest"),
        (vec![with(digest.to_vec())], "cannot be read"),
        (vec![with([&[4, 31], &digest[1..]].concat())], "31 octets"),
        (vec![with([&[4, 33, 0], &digest[..]].concat())], "33 octets"),
        (vec![with([&[4, 32], &digest[..], &[0]].concat())], "cannot be read"),
        (vec![with([&[4, 0x81, 32], &digest[..]].concat())], "cannot be read"),
        (vec![with([&[3, 32], &digest[..]].concat())], "cannot be read"),
        (vec![with(vec![])], "cannot be read"),
    ] {
        let (kind, detail) = Recipe {
            identifiers,
            ..Recipe::right()
        }
        .refusal()
        .await;
        assert_eq!(kind, ProblemType::Unauthorized, "{detail}");
        assert!(detail.contains(why), "{why}: {detail}");
    }
}

// T7
#[tokio::test]
async fn t7_a_certificate_that_somebody_else_signed_is_refused() {
    let (kind, detail) = Recipe {
        issuer: Some(KeyPair::generate_p256()),
        ..Recipe::right()
    }
    .refusal()
    .await;
    assert_eq!(kind, ProblemType::Unauthorized);
    assert!(detail.contains("not signed with its own key"), "{detail}");
}

// T7
#[tokio::test]
async fn t7_a_chain_is_refused() {
    let chain = vec![Recipe::right().certificate()];
    let (kind, detail) = Recipe {
        chain,
        ..Recipe::right()
    }
    .refusal()
    .await;
    assert_eq!(kind, ProblemType::Unauthorized);
    assert!(detail.contains("2 certificates instead of one"), "{detail}");
}

// T6: a certificate is public; its key is what must be there.
#[tokio::test]
async fn t6_a_copied_certificate_without_its_key_proves_nothing() {
    for versions in [vec![&TLS12], vec![&TLS13]] {
        let thief = Recipe {
            versions,
            ..Recipe::right()
        };
        let (mut config, presented) = thief.server();
        let stolen = vec![Recipe::right().certificate().into()];
        let key = Arc::new(CertifiedKey::new(stolen, presented.key.key.clone()));
        config.cert_resolver = Arc::new(Presented {
            key,
            hellos: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            drop(TlsAcceptor::from(Arc::new(config)).accept(stream).await);
        });
        let world = World {
            ports: PortPolicy { http: 80, tls },
            ..World::with(dns())
        };
        let report = TlsAlpn01::new(world.network())
            .validate(world.request("example.org"))
            .await;
        let problem = report.verdict.unwrap_err();
        assert_eq!(
            (problem.kind, report.transient),
            (ProblemType::Tls, false),
            "{}",
            problem.detail
        );
    }
}

/// The problem with a server that sends these bytes and closes.
async fn answered_with(bytes: &'static [u8]) -> (ProblemType, bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Reading first, so that closing is no reset.
        drop(stream.read(&mut [0; 4096]).await);
        drop(stream.write_all(bytes).await);
    });
    let world = World {
        ports: PortPolicy { http: 80, tls },
        ..World::with(dns())
    };
    let report = TlsAlpn01::new(world.network())
        .validate(world.request("example.org"))
        .await;
    (report.verdict.unwrap_err().kind, report.transient)
}

// 8737-3-10, 8737-4-1, T7
#[tokio::test]
async fn t7_tls_1_1_and_what_is_no_tls_are_tls_problems() {
    let server_hello_of_tls_1_1 = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
        0123456789abcdef0123456789abcdef\x00\xc0\x13\x00";
    for bytes in [
        &server_hello_of_tls_1_1[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x78",
    ] {
        assert_eq!(
            answered_with(bytes).await,
            (ProblemType::Tls, false),
            "{}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(answered_with(b"").await, (ProblemType::Tls, true));
}

// 8737-3-10
#[tokio::test]
async fn a_closed_port_is_a_connection_problem_that_may_pass() {
    let (tls, _socket) = closed_port();
    let world = World {
        ports: PortPolicy { http: 80, tls },
        ..World::with(dns())
    };
    let report = TlsAlpn01::new(world.network())
        .validate(world.request("example.org"))
        .await;
    assert_eq!(
        (report.verdict.unwrap_err().kind, report.transient),
        (ProblemType::Connection, true)
    );
}

// 8738-6-1, 8738-6-2, T15
#[tokio::test]
async fn t15_an_address_is_asked_for_by_its_reverse_name_and_named_as_an_address() {
    for (address, reverse) in [
        ("127.0.0.1", "1.0.0.127.in-addr.arpa".to_owned()),
        ("::1", format!("1.{}ip6.arpa", "0.".repeat(31))),
    ] {
        let recipe = Recipe {
            names: vec![GeneralName::Ip(address.parse().unwrap())],
            ..Recipe::right()
        };
        let (report, seen) = recipe.validate(World::address_name(address), Dns::default()).await;
        assert_eq!(report.verdict, Ok(()));
        assert_eq!(seen.hellos[0].0.as_ref(), Some(&reverse));
        for wrong in [
            GeneralName::Dns(address.into()),
            GeneralName::Dns(reverse),
            GeneralName::Ip([127, 0, 0, 2].into()),
        ] {
            let recipe = Recipe {
                names: vec![wrong],
                ..Recipe::right()
            };
            let (report, _) = recipe.validate(World::address_name(address), Dns::default()).await;
            assert_eq!(report.verdict.unwrap_err().kind, ProblemType::Unauthorized);
        }
    }
}

// 8738-6-1
#[test]
fn reverse_names_are_those_of_the_documents() {
    assert_eq!(reverse_name("192.0.2.10".parse().unwrap()), "10.2.0.192.in-addr.arpa");
    // RFC 3596 §2.5
    assert_eq!(
        reverse_name("4321:0:1:2:3:4:567:89ab".parse().unwrap()),
        "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"
    );
}

// 8737-5-1
#[test]
fn it_is_offered_for_hosts_and_addresses_and_not_for_wildcards() {
    let method = TlsAlpn01::new(World::with(Dns::default()).network());
    assert!(method.offered_for(&World::name("example.org")));
    assert!(method.offered_for(&World::address_name("192.0.2.1")));
    assert!(!method.offered_for(&World::name("*.example.org")));
}
