//! `vidimus ca` against a running server: what an operator does, as an operator types it.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use testbed::dns::{Dns, Running};

struct Site {
    folder: tempfile::TempDir,
    server: Child,
    directory: String,
    http_port: u16,
    _dns: Running,
}

impl Site {
    async fn start(acme: &str) -> Self {
        Self::start_with(acme, "").await
    }

    /// With more sections of the configuration.
    async fn start_with(acme: &str, more: &str) -> Self {
        Self::start_logging(acme, more, "warn").await
    }

    /// Whose log says as much as is asked for.
    async fn start_logging(acme: &str, more: &str, level: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dns = Dns::start("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let (listen, admin, http_port) = (free_port(), free_port(), free_port());
        let made = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["init", "--listen", &format!("127.0.0.1:{listen}"), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let file = folder.path().join("vidimus.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        config["admin"]["listen"] = format!("127.0.0.1:{admin}").into();
        let changed: toml::Table = format!(
            "http_port = {http_port}\nresolvers = [\"{}\"]\nallow_networks = [\"127.0.0.0/8\", \"::1/128\"]",
            dns.dns_addr
        )
        .parse()
        .unwrap();
        config["validation"].as_table_mut().unwrap().extend(changed);
        let changed: toml::Table = acme.parse().unwrap();
        config["acme"].as_table_mut().unwrap().extend(changed);
        for (section, own) in more.parse::<toml::Table>().unwrap() {
            let section = config.entry(section).or_insert_with(|| toml::Table::new().into());
            section.as_table_mut().unwrap().extend(own.as_table().unwrap().clone());
        }
        fs::write(&file, config.to_string()).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .env("RUST_LOG", level)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("server.log")).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let directory = lines.find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        std::thread::spawn(move || lines.count());
        Self {
            folder,
            server,
            directory: directory.expect("the server serves"),
            http_port,
            _dns: dns,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn vidimus(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What the operator's command answers.
    fn ca(&self, arguments: &[&str]) -> Value {
        let output = self.vidimus(&[&["ca"], arguments, &["--json"]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn issue(&self, name: &str, more: &[&str]) -> Output {
        self.issue_at(&self.directory, name, more)
    }

    fn issue_at(&self, directory: &str, name: &str, more: &[&str]) -> Output {
        let standalone = format!("127.0.0.1:{}", self.http_port);
        let fixed = [
            "cert",
            "issue",
            name,
            "--server",
            directory,
            "--ca-bundle",
            "root.pem",
            "--dir",
            "certs",
            "--standalone",
            &standalone,
        ];
        self.vidimus(&[&fixed, more].concat())
    }

    /// Of the certificate that the client has for a name.
    fn serial(&self, name: &str) -> String {
        let output = self.vidimus(&["cert", "show", name, "--dir", "certs", "--json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        let serial = shown["certificate"]["serial"].as_str();
        serial.unwrap_or_else(|| panic!("{shown}")).to_owned()
    }

    /// What a timer does once the pause is over that the CA asked for between two questions (RFC 9773 §4.3).
    fn renew(&self) {
        for name in ["a.test", "b.test"] {
            let _ = fs::remove_file(self.file("certs/renewal").join(format!("{name}.json")));
        }
        let output = self.vidimus(&["cert", "renew", "--dir", "certs"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn account_url(&self) -> String {
        let place = [
            "account",
            "show",
            "--server",
            &self.directory,
            "--ca-bundle",
            "root.pem",
            "--dir",
            "certs",
            "--json",
        ];
        let output = self.vidimus(&place);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        shown["account"]["url"]
            .as_str()
            .unwrap_or_else(|| panic!("{shown}"))
            .to_owned()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

// 8555-7.3.4-1, 8555-7.3.4-8, t43
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_bound_to_a_key_that_the_operator_handed_out() {
    let site = Site::start("external_accounts = \"required\"").await;
    let refused = site.issue("a.test", &[]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && error.contains("externalAccount"),
        "{error}"
    );

    let key = site.ca(&["eab", "add", "--kid", "shop", "--label", "the shop's"]);
    let mac_key = key["mac_key"].as_str().unwrap();
    fs::write(site.file("mac"), mac_key).unwrap();
    let bound = ["--eab-kid", "shop", "--eab-hmac-key-file", "mac"];
    let issued = site.issue("a.test", &bound);
    assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    let keys = site.ca(&["eab", "list"]);
    assert_eq!(keys["keys"][0]["status"], "used", "{keys}");
    assert_eq!(keys["keys"][0]["accounts"][0], site.account_url().as_str());
    assert!(!keys.to_string().contains(mac_key), "a key is told once");

    site.ca(&["eab", "add", "--kid", "spare"]);
    site.ca(&["eab", "revoke", "spare"]);
    assert_eq!(site.ca(&["eab", "list"])["keys"][1]["status"], "revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_revokes_what_an_account_has_and_then_the_account() {
    let site = Site::start("").await;
    for name in ["a.test", "b.test"] {
        let issued = site.issue(name, &[]);
        assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    }
    let account = site.account_url();
    let found = site.ca(&["revoke", "--account", &account, "--dry-run"]);
    let serials = found["serials"].as_array().unwrap();
    assert_eq!((serials.len(), &found["revoked"]), (2, &Value::Bool(false)));
    let one = serials[0].as_str().unwrap();
    let revoked = site.ca(&["revoke", "--serial", one, "--reason", "4"]);
    assert_eq!(revoked["serials"].as_array().unwrap(), &serials[..1]);
    let rest = site.ca(&[
        "revoke",
        "--from",
        "2020-01-01T00:00:00Z",
        "--to",
        "2120-01-01T00:00:00Z",
    ]);
    assert_eq!(rest["serials"].as_array().unwrap(), &serials[1..]);
    let none = site.ca(&["revoke", "--account", &account]);
    assert_eq!(none["serials"], Value::Array(vec![]));

    assert_eq!(site.ca(&["account", "show", &account])["status"], "valid");
    assert_eq!(site.ca(&["account", "revoke", &account])["status"], "revoked");
    assert!(!site.issue("c.test", &[]).status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t36_t43_no_log_and_no_answer_shows_a_contact_a_token_or_a_key() {
    let site = Site::start_logging("external_accounts = \"required\"", "", "trace").await;
    let key = site.ca(&["eab", "add", "--kid", "shop"]);
    let mac_key = key["mac_key"].as_str().unwrap().to_owned();
    fs::write(site.file("mac"), &mac_key).unwrap();
    let contact = "mailto:canary-7391@mail.test";
    let bound = ["--eab-kid", "shop", "--eab-hmac-key-file", "mac", "--contact", contact];
    let issued = site.issue("a.test", &bound);
    assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    let refused = site.issue("c..test", &["--contact", contact]);
    let listed = site.vidimus(&["ca", "eab", "list", "--json"]);

    let mut said = fs::read_to_string(site.file("server.log")).unwrap();
    assert!(said.contains("answered"), "the log is a full one");
    for output in [issued, refused, listed] {
        said += &String::from_utf8_lossy(&output.stdout);
        said += &String::from_utf8_lossy(&output.stderr);
    }
    let mut secrets = vec![
        ("the contact", contact.to_owned()),
        ("the contact's user", "canary-7391".to_owned()),
        ("the binding's key", mac_key),
        (
            "the operator's token",
            fs::read_to_string(site.file("admin.token")).unwrap().trim().to_owned(),
        ),
    ];
    let keys = files_below(site.folder.path())
        .into_iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    for pem in keys.filter(|text| text.contains("PRIVATE KEY")) {
        // Its second line: the first tells little more than the algorithm.
        secrets.extend(pem.lines().nth(2).map(|line| ("a private key", line.to_owned())));
    }
    assert!(
        secrets.len() > 6,
        "keys of the authority and of the client: {}",
        secrets.len()
    );
    for (what, secret) in secrets {
        assert!(!said.contains(&secret), "{what} is told");
    }
}

fn files_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| files_below(folder)));
    files
}

/// Two directories on one port, each with accounts, rules and profiles of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_further_directory_has_its_own_rules_and_accounts() {
    let site = Site::start_with(
        "",
        "[profile.internal]\nissuer = \"issuing\"\nlifetime = \"2d\"\n\
         [directory.internal]\nprofiles = [\"internal\"]\n\
         [directory.internal.acme]\nexternal_accounts = \"required\"\ndefault_profile = \"internal\"",
    )
    .await;
    let internal = site.directory.replace("/directory", "/internal/directory");
    assert!(site.issue("a.test", &[]).status.success());
    let refused = site.issue_at(&internal, "b.test", &[]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && error.contains("externalAccount"),
        "{error}"
    );

    // A key of one directory binds nothing in the other, and which is meant must be said.
    let output = site.vidimus(&["ca", "eab", "add"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("default, internal"));
    let key = site.ca(&["eab", "add", "--kid", "k", "--directory", "internal"]);
    assert_eq!(
        site.ca(&["eab", "list", "--directory", "default"])["keys"],
        Value::Array(vec![])
    );
    fs::write(site.file("mac"), key["mac_key"].as_str().unwrap()).unwrap();
    let issued = site.issue_at(&internal, "b.test", &["--eab-kid", "k", "--eab-hmac-key-file", "mac"]);
    assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    let keys = site.ca(&["eab", "list", "--directory", "internal"]);
    let account = keys["keys"][0]["accounts"][0].as_str().unwrap().to_owned();
    assert!(account.contains("/internal/acme/account/"), "{account}");
    assert_eq!(
        site.ca(&["account", "show", &account, "--directory", "internal"])["status"],
        "valid"
    );
    let elsewhere = site.vidimus(&["ca", "account", "show", &account, "--directory", "default"]);
    assert!(!elsewhere.status.success());
    let moved = site.vidimus(&[
        "ca",
        "account",
        "show",
        &account.replace("/internal", ""),
        "--directory",
        "default",
    ]);
    assert!(
        !moved.status.success(),
        "an identifier means nothing in another directory"
    );
}

// 9773-4.2: the operator's side of a mass renewal, and what a subscriber's timer makes of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_incident_affects_is_renewed_before_its_time_and_nothing_else_is() {
    let site = Site::start("").await;
    for name in ["a.test", "b.test"] {
        let issued = site.issue(name, &[]);
        assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    }
    let (a, b) = (site.serial("a.test"), site.serial("b.test"));
    site.renew();
    assert_eq!((&site.serial("a.test"), &site.serial("b.test")), (&a, &b));

    fs::write(site.file("serials"), format!("{a}\n")).unwrap();
    let page = "https://status.test/1";
    let affects_nothing = site.vidimus(&["ca", "incident", "declare", "i-1", "--explanation-url", page]);
    assert!(!affects_nothing.status.success());
    let declared = site.ca(&[
        "incident",
        "declare",
        "i-1",
        "--explanation-url",
        page,
        "--serials",
        "serials",
    ]);
    assert_eq!(declared["explanation_url"], page);
    assert_eq!(site.ca(&["incident", "list"])["incidents"][0]["name"], "i-1");
    site.renew();
    assert_ne!(site.serial("a.test"), a);
    assert_eq!(site.serial("b.test"), b);

    site.ca(&["incident", "extend", "i-1", "--serial", &b]);
    site.ca(&["incident", "withdraw", "i-1"]);
    assert_eq!(site.ca(&["incident", "list"])["incidents"], Value::Array(vec![]));
    site.renew();
    assert_eq!(site.serial("b.test"), b);
}

/// Whoever reaches the listener but not the file can do nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_token_nothing_is_done() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::start("").await;
    let token = site.file("admin.token");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&token, "guessed").unwrap();
    let output = site.vidimus(&["ca", "eab", "list"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("admin.token"), "{error}");
}
