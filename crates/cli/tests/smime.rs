//! S/MIME certificates of an organisation: proved by the mailbox's domain, used by programs of others.

mod served;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use conformance::{Options, World};
use jose::base64url;
use mail::{
    dkim::{Algorithm, Signer, SigningKey},
    message::{Message, domain::Domain},
};
use serde_json::json;
use testbed::dns::Dns;

use served::Served;

struct Authority {
    folder: tempfile::TempDir,
    server: Child,
    directory: String,
    resolver: String,
    control: String,
}

impl Authority {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args([
                "dev",
                "--no-first-certificate",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
            ])
            .args(["--challtestsrv", "127.0.0.1:0", "--dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let mut said = |key: &str| {
            let found = lines
                .by_ref()
                .find_map(|line| line.strip_prefix(key).map(str::to_owned));
            found.unwrap_or_else(|| panic!("no line begins with {key:?}"))
        };
        let directory = said("ready ");
        let resolver = said("dns ");
        let control = said("challtestsrv ");
        let hook = folder.path().join("hook");
        let script = format!(
            "#!/bin/sh\ncase $1 in present) way=set-txt;; *) way=clear-txt;; esac\n\
             exec curl -sf -d \"{{\\\"host\\\":\\\"$2\\\",\\\"value\\\":\\\"$3\\\"}}\" {control}/$way\n"
        );
        fs::write(&hook, script).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        std::thread::spawn(move || lines.count());
        Self {
            folder,
            server,
            directory,
            resolver,
            control,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, name: &str, profile: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args([
                "cert",
                "issue",
                name,
                "--profile",
                profile,
                "--server",
                &self.directory,
                "--ca-bundle",
            ])
            .arg(self.file("root.pem"))
            .arg("--dir")
            .arg(self.file("client"))
            .arg("--dns-hook")
            .arg(self.file("hook"))
            .output()
            .unwrap()
    }

    /// A file of the certificate of that name.
    fn issued(&self, name: &str, file: &str) -> PathBuf {
        let path = self.file("client").join("certs").join(name).join(file);
        assert!(path.is_file(), "{}", path.display());
        path
    }

    fn set(&self, way: &str, body: &str) {
        let url = format!("{}/{way}", self.control);
        let done = Command::new("curl").args(["-sf", "-d", body, &url]).output();
        assert!(done.unwrap().status.success());
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn done(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

fn openssl(authority: &Authority, arguments: &[&str]) -> Output {
    Command::new("openssl")
        .args(arguments)
        .current_dir(authority.folder.path())
        .output()
        .unwrap()
}

// EXTENSIONS 3.6, 8823-3-1
#[test]
fn one_record_at_the_domain_gives_a_mailbox_a_certificate_that_signs_and_decrypts() {
    let authority = Authority::start();
    let said = done(&authority.issue("Alice@Alpha.Test", "smime"));
    assert!(said.contains("Alice@alpha.test"), "{said}");
    let (certificate, key) = (
        authority.issued("Alice@alpha.test", "cert.pem"),
        authority.issued("Alice@alpha.test", "privkey.pem"),
    );
    let chain = authority.issued("Alice@alpha.test", "chain.pem");
    let [certificate, key, chain] = [&certificate, &key, &chain].map(|path| path.to_str().unwrap());
    let text = done(&openssl(&authority, &["x509", "-in", certificate, "-noout", "-text"]));
    for part in [
        "email:Alice@alpha.test",
        "E-mail Protection",
        "Digital Signature, Key Agreement",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("TLS Web"), "{text}");

    fs::write(authority.file("letter"), "Dear Bob\n").unwrap();
    let sign = [
        "cms",
        "-sign",
        "-in",
        "letter",
        "-out",
        "signed",
        "-signer",
        certificate,
        "-inkey",
        key,
    ];
    done(&openssl(&authority, &[&sign[..], &["-certfile", chain]].concat()));
    let verify = [
        "cms",
        "-verify",
        "-in",
        "signed",
        "-CAfile",
        "root.pem",
        "-purpose",
        "smimesign",
        "-out",
        "read",
    ];
    done(&openssl(&authority, &verify));
    assert_eq!(
        fs::read_to_string(authority.file("read")).unwrap().trim_end(),
        "Dear Bob"
    );
    done(&openssl(
        &authority,
        &[
            "cms",
            "-encrypt",
            "-aes256",
            "-in",
            "letter",
            "-out",
            "closed",
            certificate,
        ],
    ));
    done(&openssl(
        &authority,
        &[
            "cms",
            "-decrypt",
            "-in",
            "closed",
            "-recip",
            certificate,
            "-inkey",
            key,
            "-out",
            "opened",
        ],
    ));
    assert_eq!(
        fs::read_to_string(authority.file("opened")).unwrap().trim_end(),
        "Dear Bob"
    );
}

/// As docs/guides/smime.md has it.
#[test]
fn nss_imports_certificate_and_key_and_takes_them_for_signing_and_for_receiving() {
    let authority = Authority::start();
    done(&authority.issue("alice@alpha.test", "smime"));
    let [chain, key] =
        ["fullchain.pem", "privkey.pem"].map(|file| authority.issued("alice@alpha.test", file).display().to_string());
    let name = "alice@alpha.test";
    let export = [
        "pkcs12", "-export", "-in", &chain, "-inkey", &key, "-name", name, "-passout", "pass:1", "-out", "p12",
    ];
    done(&openssl(&authority, &export));
    fs::create_dir(authority.file("nss")).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .args(["-d", "sql:nss"])
            .current_dir(authority.folder.path())
            .output();
        done(&output.unwrap_or_else(|error| panic!("{program}: {error}; it is of libnss3-tools")))
    };
    run("certutil", &["-N", "--empty-password"]);
    run("certutil", &["-A", "-n", "Vidimus", "-t", ",C,", "-i", "root.pem"]);
    run("pk12util", &["-i", "p12", "-W", "1"]);
    for usage in ["S", "R"] {
        let said = run("certutil", &["-V", "-n", name, "-u", usage]);
        assert!(said.contains("certificate is valid"), "{said}");
    }
}

// RFC 9598 §3
#[test]
fn a_local_part_beyond_ascii_is_certified_in_its_own_form() {
    let authority = Authority::start();
    done(&authority.issue("jürgen@alpha.test", "smime"));
    let folders = fs::read_dir(authority.file("client").join("certs")).unwrap();
    let folder = folders.map(|entry| entry.unwrap().path()).next().unwrap();
    let certificate = folder.join("cert.pem");
    let text = done(&openssl(
        &authority,
        &["x509", "-in", certificate.to_str().unwrap(), "-noout", "-text"],
    ));
    assert!(
        text.contains("SmtpUTF8Mailbox:") && text.contains("jürgen@alpha.test"),
        "{text}"
    );
}

#[test]
fn a_certificate_has_names_of_the_kind_that_its_profile_is_for() {
    let authority = Authority::start();
    let of_server = refused(&authority.issue("alice@alpha.test", "default"));
    assert!(of_server.contains("not for mailboxes"), "{of_server}");
    let of_mailbox = refused(&authority.issue("alpha.test", "smime"));
    assert!(of_mailbox.contains("for mailboxes alone"), "{of_mailbox}");
}

// T14
#[tokio::test(flavor = "multi_thread")]
async fn t14_what_proves_a_mailbox_proves_neither_its_domain_nor_another_and_the_domain_proves_no_mailbox() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let dns = Dns::start(any, Some(any)).await.unwrap();
    let more: toml::Table = format!(
        "validation = {{ resolvers = [\"{}\"] }}\nacme = {{ reuse_authorizations = \"1d\" }}\n\
         extensions = {{ email-reply = {{ enabled = true }} }}\n",
        dns.dns_addr
    )
    .parse()
    .unwrap();
    let served = Served::start(|config| {
        config.extend(more.clone());
        let profiles = config["profile"].as_table_mut().unwrap();
        let mut smime = profiles["default"].clone();
        smime.as_table_mut().unwrap().insert("purpose".into(), "email".into());
        profiles.insert("smime".into(), smime);
    });
    let options = Options {
        challtestsrv: dns.control_addr.map(|address| format!("http://{address}")),
        ..Options::new(served.directory(), served.folder.path().join("root.pem"))
    };
    let world = World::open(options).await.unwrap();
    let account = world.account().await.unwrap();
    let ordered = async |kind: &str, name: &str, profile: &str| {
        let request = json!({ "identifiers": [{ "type": kind, "value": name }], "profile": profile });
        let url = world.resource("newOrder").unwrap();
        let answer = world.post(&account, &url, &request).await.unwrap().expect(201).unwrap();
        let order = answer.json().unwrap();
        let authorization = order["authorizations"][0].as_str().unwrap().to_owned();
        let status = world.read_json(&account, &authorization).await.unwrap()["status"].clone();
        (authorization, status)
    };
    let prove = async |authorization: &str| {
        let challenge = world.challenge(&account, authorization, "dns-01").await.unwrap();
        let value = base64url::encode(challenge.digest(&account));
        dns.handle.add_txt("_acme-challenge.alpha.test", &value).unwrap();
        let asked = world.post(&account, &challenge.url, &json!({})).await.unwrap();
        asked.expect(200).unwrap();
        assert_eq!(world.settled(&account, authorization).await.unwrap()["status"], "valid");
    };
    prove(&ordered("email", "alice@alpha.test", "smime").await.0).await;
    for (kind, name, profile, status) in [
        ("email", "alice@alpha.test", "smime", "valid"),
        ("email", "Alice@alpha.test", "smime", "pending"),
        ("email", "bob@alpha.test", "smime", "pending"),
        ("dns", "alpha.test", "default", "pending"),
        ("dns", "*.alpha.test", "default", "pending"),
    ] {
        assert_eq!(ordered(kind, name, profile).await.1, status, "{name}");
    }
    prove(&ordered("dns", "alpha.test", "default").await.0).await;
    assert_eq!(ordered("dns", "alpha.test", "default").await.1, "valid");
    assert_eq!(ordered("email", "carol@alpha.test", "smime").await.1, "pending");
}

// 9495-4-1
#[test]
fn issuemail_of_the_domain_decides_and_issue_does_not() {
    let authority = Authority::start();
    let record = |domain: &str, tag: &str| {
        format!("{{\"host\":\"{domain}.\",\"policies\":[{{\"tag\":\"{tag}\",\"value\":\"other.example\"}}]}}")
    };
    authority.set("add-caa", &record("web.test", "issue"));
    done(&authority.issue("alice@web.test", "smime"));
    authority.set("add-caa", &record("mail.test", "issuemail"));
    let said = refused(&authority.issue("alice@mail.test", "smime"));
    assert!(said.contains("CAA") && said.contains("issuemail"), "{said}");
}

#[test]
fn the_doctor_says_whether_a_reply_by_mail_would_work() {
    let authority = Authority::start();
    let key = SigningKey::generate(Algorithm::Ed25519Sha256).unwrap();
    let signer = Signer::new(Domain::parse("alpha.test").unwrap(), "s1", key).unwrap();
    let text = |host: &str, value: &str| {
        authority.set("set-txt", &format!("{{\"host\":\"{host}.\",\"value\":\"{value}\"}}"));
    };
    text("alpha.test", "v=spf1 a -all");
    text("_dmarc.alpha.test", "v=DMARC1; p=reject");
    text(&signer.key_name(), &signer.record());
    let doctor = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["smime", "doctor", "--resolver", &authority.resolver])
            .args(arguments)
            .current_dir(authority.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said)
    };

    // Lines as Maildir has them.
    let letter = "From: alice@alpha.test\nTo: bob@beta.test\nSubject: Re: x\nDate: Thu, 2 Jan 2025 03:04:00 +0000\n\
        In-Reply-To: <1@beta.test>\nMessage-ID: <1@alpha.test>\n\nx\n";
    let sent = letter.replace('\n', "\r\n");
    let sign = |names: &[&str]| {
        let time = "2025-01-02T03:04:05Z".parse().unwrap();
        signer
            .sign(&Message::parse(sent.as_bytes()).unwrap(), names, time)
            .replace("\r\n", "\n")
            + letter
    };
    let usual = ["From", "To", "Subject", "Date", "In-Reply-To"];
    fs::write(authority.file("good"), sign(&[&usual[..], &["Message-ID"]].concat())).unwrap();
    fs::write(authority.file("bad"), sign(&usual)).unwrap();

    let (code, said) = doctor(&["alice@alpha.test", "--selector", "s1"]);
    assert!(
        code == Some(0) && said.contains("s1._domainkey.alpha.test is Ed25519"),
        "{said}"
    );
    let (code, said) = doctor(&["alice@alpha.test", "--message", "good"]);
    assert!(
        code == Some(0) && said.contains("\na reply by mail from alice@alpha.test would work"),
        "{said}"
    );
    let (code, said) = doctor(&["alice@alpha.test", "--message", "bad", "--json"]);
    let report: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    let levels = serde_json::json!({"essential": true, "present": false, "strict": false});
    assert_eq!((code, &report["doctor"]["levels"]), (Some(1), &levels), "{said}");
    assert!(said.contains("does not cover Message-ID; with OpenDKIM add"), "{said}");
    let (code, said) = doctor(&["alice@alpha.test", "--selector", "gone"]);
    assert!(
        code == Some(1) && said.contains("would not work  DKIM key: gone._domainkey.alpha.test"),
        "{said}"
    );
    for wrong in [&["alpha.test"][..], &["alice@alpha.test", "--message", "no-such-file"]] {
        let (code, said) = doctor(wrong);
        assert_eq!(code, Some(2), "{said}");
    }
}
