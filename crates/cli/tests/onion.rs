//! A hidden service's certificate: our server without Tor, our client with the key as Tor keeps it.

mod served;

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use aws_lc_rs::digest::{SHA512, digest};
use pkix::{key::KeyPair, name::OnionAddress};

use served::Served;

struct Authority {
    served: Served,
}

impl Authority {
    fn start(extension: bool) -> Self {
        let more: toml::Table = format!(
            "validation = {{ resolvers = [\"127.0.0.1:9\"] }}\n\
             acme = {{ caa_identities = [\"ca.example\"] }}\n\
             extensions = {{ onion = {{ enabled = {extension} }}, dns-account = {{ enabled = true }} }}\n"
        )
        .parse()
        .unwrap();
        let served = Served::start(|config| {
            config.extend(more.clone());
        });
        Self { served }
    }

    /// The folder of a hidden service of its own.
    fn service(&self, seed: u8) -> String {
        let mut expanded = digest(&SHA512, &[seed; 32]).as_ref().to_vec();
        expanded[0] &= 0xf8;
        expanded[31] = expanded[31] & 0x7f | 0x40;
        let folder = self.served.folder.path().join(format!("hs{seed}"));
        fs::create_dir_all(&folder).unwrap();
        let file = [&b"== ed25519v1-secret: type0 ==\0\0\0"[..], &expanded].concat();
        fs::write(folder.join("hs_ed25519_secret_key"), file).unwrap();
        folder.display().to_string()
    }

    fn issue(&self, names: &[&str], more: &[&str]) -> Output {
        let mut client = vidimus();
        client.args(["cert", "issue"]).args(names).args(more);
        client.args([
            "--server",
            &self.served.directory(),
            "--name",
            "service",
            "--dir",
            "own",
            "--ca-bundle",
            "root.pem",
        ]);
        let client = client.current_dir(self.served.folder.path()).stdin(Stdio::null());
        client.output().unwrap()
    }
}

fn vidimus() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vidimus"))
}

/// The host name of the service whose key comes from this seed.
fn address(seed: u8) -> String {
    let pkcs8 = [
        &b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..],
        &[seed; 32],
    ]
    .concat();
    let key = KeyPair::from_pkcs8_der(&pkcs8).unwrap();
    OnionAddress::of_key(*key.public_key().spki_der().last_chunk().unwrap()).to_string()
}

// 9799-3.2-2, 9799-3.2-3, 9799-6-1, 9799-6.4.1-1
#[test]
fn our_client_gets_a_wildcard_for_two_services_and_only_as_they_permit() {
    let authority = Authority::start(true);
    let (one, two) = (authority.service(1), authority.service(2));
    let (wildcard, host) = (format!("*.{}", address(1)), format!("www.{}", address(2)));
    let names = [wildcard.as_str(), host.as_str()];
    let keys = ["--onion", one.as_str(), "--onion", two.as_str()];
    let output = authority.issue(&names, &keys);
    assert!(output.status.success(), "{}", said(&output));
    let certificate = authority.served.folder.path().join("own/certs/service/cert.pem");
    let mut openssl = Command::new("openssl");
    let openssl = openssl
        .args(["x509", "-noout", "-ext", "subjectAltName", "-in"])
        .arg(certificate);
    let shown = said(&openssl.output().unwrap());
    assert!(
        names.iter().all(|name| shown.contains(&format!("DNS:{name}"))),
        "{shown}"
    );

    let set = authority.served.folder.path().join("caa");
    for (records, permitted) in [
        ("caa 0 issue \"ca.example; validationmethods=onion-csr-01\"\n", true),
        ("caa 0 issue \"ca.example\"\ncaa 0 issuewild \";\"\n", false),
    ] {
        fs::write(&set, records).unwrap();
        let output = authority.issue(&names, &[&keys[..], &["--onion-caa", "caa"]].concat());
        assert_eq!(output.status.success(), permitted, "{}", said(&output));
        assert_eq!(said(&output).contains("issuewild"), !permitted, "{}", said(&output));
    }
    // Another service's key proves nothing, and is not even tried.
    let output = authority.issue(&names, &keys[..2]);
    assert!(
        !output.status.success() && said(&output).contains("--onion"),
        "{}",
        said(&output)
    );
}

// 9799-2-1, 9799-3.1-1
#[test]
fn where_the_extension_is_off_a_service_is_refused() {
    let authority = Authority::start(false);
    let service = authority.service(1);
    let output = authority.issue(&[&address(1)], &["--onion", &service]);
    assert!(!output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("RFC 7686"), "{}", said(&output));
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
