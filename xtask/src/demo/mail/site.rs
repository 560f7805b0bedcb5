//! A mail host of its own, with Debian's Postfix, Dovecot and Knot, on the standard ports of a private network.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use super::super::daemons::{quiet, wait_for};
use crate::run::{Outcome, output};

pub const HOST: &str = "mail.alpha.test";
/// Of the mail addresses.
pub const DOMAIN: &str = "alpha.test";
/// No network of the real world has it (RFC 5737), and no network of any kind is around.
pub const ADDRESS: &str = "203.0.113.25";
/// Another host, for programs that cannot do what is wanted of them.
pub const LEGACY: &str = "legacy.alpha.test";
pub const LEGACY_ADDRESS: &str = "203.0.113.26";

/// Service, port, and what openssl calls the way to TLS.
pub const SERVICES: &[(&str, u16, Option<&str>)] = &[
    ("smtp", 25, Some("smtp")),
    ("submission", 587, Some("smtp")),
    ("submissions", 465, None),
    ("imap", 143, Some("imap")),
    ("imaps", 993, None),
    ("pop3", 110, Some("pop3")),
    ("pop3s", 995, None),
    ("lmtp", 24, Some("lmtp")),
];

/// Runs until it is dropped.
pub struct Site {
    folder: PathBuf,
}

impl Site {
    /// Inside a private network only: it takes ports, and names are looked up at its own DNS.
    pub fn start(folder: &Path) -> Outcome<Self> {
        let site = Self {
            folder: folder.to_owned(),
        };
        site.network()?;
        site.dns()?;
        site.first_certificate()?;
        site.dovecot()?;
        site.postfix()?;
        for (_, port, _) in SERVICES {
            wait_for(&format!("{ADDRESS}:{port}"))?;
        }
        Ok(site)
    }

    fn network(&self) -> Outcome {
        quiet(Command::new("ip").args(["link", "set", "lo", "up"]))?;
        for address in [ADDRESS, LEGACY_ADDRESS] {
            quiet(Command::new("ip").args(["addr", "add", &format!("{address}/32"), "dev", "lo"]))?;
        }
        for (name, content) in [
            ("resolv.conf", "nameserver 127.0.0.1\n"),
            ("hosts", "127.0.0.1 localhost\n"),
        ] {
            let file = self.write(name, content)?;
            mount(&file, name)?;
        }
        Ok(())
    }

    /// One signed zone, the root, is the whole DNS.
    fn dns(&self) -> Outcome {
        self.folder("dns")?;
        self.write("dns/root.zone", include_str!("root.zone"))?;
        let secret = output(Command::new("openssl").args(["rand", "-base64", "32"]))?;
        let secret = secret.trim();
        let config = include_str!("knot.conf").replace("@SECRET@", secret);
        let config = self.write("dns/knot.conf", &config)?;
        // As nsupdate of BIND takes it, and as that of Knot does.
        let key = format!("key \"update.\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n");
        self.write("update.key", &key)?;
        self.write("update.knot", &format!("hmac-sha256:update.:{secret}\n"))?;
        let hook = self.write("hook", include_str!("hook"))?;
        quiet(Command::new("chmod").arg("755").arg(hook))?;
        quiet(Command::new("knotd").arg("-d").arg("-c").arg(config))?;
        wait_for("127.0.0.1:53")?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let ask = ["@127.0.0.1", "+noall", "+answer", ".", "DNSKEY"];
            let keys = output(Command::new("kdig").args(ask)).unwrap_or_default();
            let anchors: Vec<_> = keys
                .lines()
                .filter(|line| line.contains(" 257 ") || line.contains("\t257 "))
                .collect();
            if !anchors.is_empty() {
                return self.write("anchors", &format!("{}\n", anchors.join("\n"))).map(drop);
            }
            sleep(STEP);
        }
        Err("knotd did not sign its zone".to_owned())
    }

    /// What a new mail server has: one that nobody knows.
    fn first_certificate(&self) -> Outcome {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]);
        openssl.args([
            "-days",
            "2",
            "-subj",
            "/CN=nobody-knows-me",
            "-keyout",
            "first.key",
            "-out",
            "first.pem",
        ]);
        quiet(openssl.current_dir(&self.folder))
    }

    fn dovecot(&self) -> Outcome {
        self.folder("dovecot")?;
        self.write("users", "alice@alpha.test:{PLAIN}alice::::::\n")?;
        let config = self.folder("dovecot-config")?;
        self.write("dovecot-config/dovecot.conf", include_str!("dovecot.conf"))?;
        mount(&config, "dovecot")?;
        quiet(&mut Command::new("dovecot"))
    }

    fn postfix(&self) -> Outcome {
        let config = self.folder("postfix")?;
        // Postfix looks here for what belongs to it too.
        quiet(Command::new("cp").args(["-a", "/etc/postfix/."]).arg(&config))?;
        self.write("postfix/main.cf", include_str!("main.cf"))?;
        self.write("postfix/master.cf", include_str!("master.cf"))?;
        self.folder("postfix-queue")?;
        let data = self.folder("postfix-data")?;
        quiet(Command::new("chown").arg("postfix").arg(data))?;
        mount(&config, "postfix")?;
        quiet(Command::new("postfix").arg("start"))
    }

    fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.folder.join(name);
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    fn write(&self, name: &str, content: &str) -> Outcome<PathBuf> {
        let path = self.folder.join(name);
        let content = content.replace("@SITE@", &self.folder.display().to_string());
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = quiet(Command::new("postfix").arg("stop"));
        for pid in ["dovecot/master.pid", "dns/knot.pid"] {
            if let Ok(pid) = fs::read_to_string(self.folder.join(pid)) {
                let _ = quiet(Command::new("kill").arg(pid.trim()));
            }
        }
    }
}

/// In the place of what the machine has in /etc, seen by this demo's processes alone.
fn mount(path: &Path, name: &str) -> Outcome {
    quiet(
        Command::new("mount")
            .arg("--bind")
            .arg(path)
            .arg(format!("/etc/{name}")),
    )
}

const PATIENCE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(50);
