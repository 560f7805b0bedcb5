//! A server that cannot start says why and what to do, in one sentence, and ends with exit code 1.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
};

#[test]
fn a_database_that_is_not_there() {
    let authority = Authority::new();
    let nobody = free_address();
    authority.set("database", "url", &format!("postgres://ida:secret@{nobody}/vidimus"));
    let sentence = authority.refuses_to_serve();
    assert!(!sentence.contains("secret"), "{sentence}");
    said(
        &sentence,
        &[
            "vidimus on 127.0.0.1",
            "refused",
            "is the server running",
            "[database] url",
        ],
    );
}

#[test]
fn a_url_that_names_no_database() {
    let authority = Authority::new();
    authority.set("database", "url", "mysql://ida:secret@db.example.test/vidimus");
    let sentence = authority.refuses_to_serve();
    assert!(!sentence.contains("secret"), "{sentence}");
    said(&sentence, &["db.example.test", "names no database", "write \"sqlite:"]);
}

#[test]
fn a_port_that_somebody_else_listens_on() {
    for (section, key) in [
        ("server", "listen"),
        ("server", "peer"),
        ("server", "public_listen"),
        ("admin", "listen"),
    ] {
        let authority = Authority::new();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap().to_string();
        authority.set(section, key, &address);
        said(
            &authority.refuses_to_serve(),
            &[
                &format!("{section}.{key}"),
                &address,
                "in use",
                "is another process using it",
            ],
        );
    }
}

#[test]
fn a_key_that_cannot_be_read() {
    for (file, setting) in [("api.key", "server.tls_key"), ("issuing.key", "issuer.issuing")] {
        let authority = Authority::new();
        fs::write(authority.file(file), "not a key\n").unwrap();
        said(&authority.refuses_to_serve_as_checked(), &[setting, file, "PKCS#8"]);
        fs::remove_file(authority.file(file)).unwrap();
        said(
            &authority.refuses_to_serve_as_checked(),
            &[setting, file, "cannot be read", "name a file that this user can read"],
        );
    }
}

#[test]
fn a_key_of_another_certificate() {
    let authority = Authority::new();
    fs::copy(authority.file("api.key"), authority.file("issuing.key")).unwrap();
    said(
        &authority.refuses_to_serve_as_checked(),
        &["issuing", "not the certificate's key", "issuing.key"],
    );
    let authority = Authority::new();
    fs::copy(authority.file("issuing.key"), authority.file("api.key")).unwrap();
    said(&authority.refuses_to_serve_as_checked(), &["server.tls_key", "api.key"]);
}

// t24
#[test]
fn an_issuer_that_expired() {
    let authority = Authority::new();
    let long_ago = "2000-01-01T00:00:00Z".parse().unwrap();
    let expired = issuance::create_authority("old", [[1; 19], [2; 19]], long_ago).unwrap();
    fs::write(authority.file("issuing.pem"), expired.issuing).unwrap();
    fs::write(authority.file("issuing.key"), &*expired.issuing_key).unwrap();
    said(
        &authority.refuses_to_serve_as_checked(),
        &["issuer.issuing", "issuing.pem", "expired at 20", "have it renewed"],
    );
}

#[test]
fn a_key_of_the_configuration_that_does_not_exist() {
    let authority = Authority::new();
    authority.set("server", "listen_on", "127.0.0.1:1");
    said(
        &authority.refuses_to_serve_as_checked(),
        &["vidimus.toml", "listen_on", "expected one of", "external_url"],
    );
}

#[test]
fn a_value_that_cannot_be_meant() {
    for (section, key, value, why) in [
        ("server", "lease", "0s", "more than nothing"),
        ("server", "lease", "10m", "less than 600 s"),
        ("server", "lease", "soon", "is not a duration"),
        ("server", "peer", "0.0.0.0:1234", "name the one that they can reach"),
        ("server", "external_url", "http://ca.example.test", "https://"),
    ] {
        let authority = Authority::new();
        authority.set(section, key, value);
        said(
            &authority.refuses_to_serve_as_checked(),
            &[&format!("{section}.{key}"), why],
        );
    }
}

#[test]
fn an_issuer_whose_settings_are_another_kinds() {
    for (text, parts) in [
        ("kind = \"command\"", ["issuer.legacy.command", "needs it"]),
        (
            "kind = \"command\"\ncommand = [\"issue.sh\"]",
            ["issuer.legacy.command", "not an absolute path"],
        ),
        (
            "kind = \"command\"\ncommand = [\"/bin/true\"]\nkey = \"issuing.key\"",
            ["issuer.legacy.key", "no use for it"],
        ),
        ("certificate = \"issuing.pem\"", ["issuer.legacy.key", "needs it"]),
        ("kind = \"acme\"", ["issuer.legacy.server", "needs it"]),
        (
            "kind = \"cmp\"",
            ["issuer.legacy.kind", "expected one of `own`, `command`, `acme`"],
        ),
    ] {
        let authority = Authority::new();
        let config = fs::read_to_string(authority.file("vidimus.toml")).unwrap();
        fs::write(
            authority.file("vidimus.toml"),
            format!("{config}\n[issuer.legacy]\n{text}\n"),
        )
        .unwrap();
        said(&authority.refuses_to_serve_as_checked(), &parts);
    }
}

#[test]
fn a_configuration_that_is_not_there_or_not_toml() {
    let authority = Authority::new();
    fs::write(authority.file("vidimus.toml"), "[server\n").unwrap();
    said(&authority.refuses_to_serve_as_checked(), &["vidimus.toml", "line 1"]);
    fs::remove_file(authority.file("vidimus.toml")).unwrap();
    said(
        &authority.refuses_to_serve_as_checked(),
        &["vidimus.toml", "cannot be read"],
    );
}

#[test]
fn an_extension_that_cannot_work_as_it_is_set() {
    for (text, parts) in [
        (
            "[extensions.caa]\nenabled = true",
            ["extensions.caa.enabled", "acme.caa_identities is empty"],
        ),
        (
            "[extensions.dns-persist]\nenabled = true",
            ["extensions.dns-persist.enabled", "acme.caa_identities is empty"],
        ),
        (
            "[extensions.ip]\nenabled = 1",
            ["extensions.ip.enabled", "neither true nor false"],
        ),
        ("[extensions.ip]\nport = 1", ["extensions.ip.port", "no such setting"]),
        (
            "[extensions.csr-first]\nenabled = true\nmatch = \"names\"",
            ["extensions.csr-first", "`identical` or `identifiers`"],
        ),
        (
            "[extensions.onoin]\nenabled = true",
            ["extensions.onoin", "there is no such extension; there are: "],
        ),
    ] {
        let authority = Authority::new();
        let config = fs::read_to_string(authority.file("vidimus.toml")).unwrap();
        fs::write(authority.file("vidimus.toml"), format!("{config}\n{text}\n")).unwrap();
        said(&authority.refuses_to_serve_as_checked(), &parts);
    }
    for identity in ["CA.example", "ca.example.", "*.example", ""] {
        let authority = Authority::new();
        let file = authority.file("vidimus.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        let acme = config.entry("acme").or_insert_with(|| toml::Table::new().into());
        let acme = acme.as_table_mut().unwrap();
        acme.insert("caa_identities".into(), vec![identity].into());
        fs::write(file, config.to_string()).unwrap();
        said(
            &authority.refuses_to_serve_as_checked(),
            &["acme.caa_identities", "in lower case without a final dot"],
        );
    }
}

/// What `vidimus init` makes, to be spoilt.
struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["init", "--listen", &free_address(), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let authority = Self { folder };
        authority.set("admin", "listen", "127.0.0.1:0");
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set(&self, section: &str, key: &str, value: &str) {
        let file = self.file("vidimus.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        let section = config[section].as_table_mut().unwrap();
        section.insert(key.into(), value.into());
        fs::write(file, config.to_string()).unwrap();
    }

    /// What it says instead, and what `config check` says too.
    fn refuses_to_serve_as_checked(&self) -> String {
        let sentence = self.refuses_to_serve();
        let checked = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["config", "check", "--config"])
            .arg(self.file("vidimus.toml"))
            .output()
            .unwrap();
        assert_eq!(checked.status.code(), Some(1));
        assert_eq!(self.sentence(&String::from_utf8(checked.stderr).unwrap()), sentence);
        sentence
    }

    /// What it says instead.
    fn refuses_to_serve(&self) -> String {
        let mut server = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["serve", "--config"])
            .arg(self.file("vidimus.toml"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        if !ready.is_empty() {
            server.kill().unwrap();
            server.wait().unwrap();
            panic!("it serves: {ready}");
        }
        let mut sentence = String::new();
        server.stderr.take().unwrap().read_to_string(&mut sentence).unwrap();
        assert_eq!(server.wait().unwrap().code(), Some(1), "{sentence}");
        self.sentence(&sentence)
    }

    /// The one sentence of what a command said, without the folder.
    fn sentence(&self, said: &str) -> String {
        let (sentence, rest) = said.split_once('\n').expect("a line");
        assert!(rest.is_empty(), "{sentence}\nis followed by\n{rest}");
        sentence
            .strip_prefix("vidimus: ")
            .unwrap_or_else(|| panic!("{sentence}"))
            .replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn said(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}
