//! `vidimus dev`: an authority on this machine, at once, and a certificate from it.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::Args;
use client::{KeyType, Request, SolverSettings, Trust, Wanted};
use config::Config;
use mail::dkim::{Algorithm, SigningKey};
use server::Listener;
use testbed::dns::{Dns, Running};
use tokio::sync::watch;

use crate::{
    compose::{Node, Seamless, listen, tls_identity},
    files,
    init::{AuthorityFiles, api_names, first_config},
    serve::stop_signal,
};

#[derive(Args)]
pub struct Dev {
    /// Where everything is kept between runs.
    #[arg(long, value_name = "DIR", default_value = ".vidimus-dev")]
    dir: PathBuf,
    /// Where the API listens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:14000")]
    listen: SocketAddr,
    /// Where health and metrics are answered.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:14001")]
    admin: SocketAddr,
    /// The port that http-01 dials.
    #[arg(long, value_name = "PORT", default_value_t = 5002)]
    http_port: u16,
    /// The port that tls-alpn-01 dials.
    #[arg(long, value_name = "PORT", default_value_t = 5001)]
    tls_port: u16,
    /// Where a mail service of this machine is dialled in place of its own port, for example `imaps:993=1993`.
    #[arg(long = "mail-port", value_name = "SERVICE:PORT=PORT", value_parser = mail_port)]
    mail_ports: Vec<(String, u16)>,
    /// Prove mailboxes by mail, too: the mail server that takes what is to be sent, for example `127.0.0.1:25`.
    #[arg(long, value_name = "ADDR:PORT")]
    mail_relay: Option<SocketAddr>,
    /// Where replies to that mail are taken.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:2525",
        requires = "mail_relay"
    )]
    mail_listen: SocketAddr,
    /// The domain that the mail comes from; its signing key's record is printed.
    #[arg(long, value_name = "DOMAIN", default_value = "ca.test", requires = "mail_relay")]
    mail_domain: String,
    /// Ask this resolver instead of the built-in DNS, which answers every name with 127.0.0.1.
    #[arg(long, value_name = "ADDR:PORT")]
    dns: Option<SocketAddr>,
    /// Validate DNSSEC with these trust anchors.
    #[arg(long, value_name = "FILE")]
    dns_anchors: Option<PathBuf>,
    /// Where the built-in DNS is scripted, by pebble-challtestsrv's interface.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8055")]
    challtestsrv: SocketAddr,
    /// Do not obtain a certificate for localhost.
    #[arg(long)]
    no_first_certificate: bool,
    /// End after the first certificate.
    #[arg(long, conflicts_with = "no_first_certificate")]
    once: bool,
}

impl Dev {
    pub async fn run(self) -> Result<(), String> {
        files::make_folder(&self.dir)?;
        let keys = AuthorityFiles::of(&self.dir);
        keys.make_if_missing()?;

        let dns = self.start_dns().await?;
        let resolver = dns
            .as_ref()
            .map(|dns| dns.dns_addr)
            .or(self.dns)
            .ok_or("no DNS to ask")?;
        // The API's certificate covers addresses, not ports, so it can be made before the port is known.
        keys.make_api_certificate(&api_names(self.listen, &format!("https://{}", self.listen)))?;
        let mut config = self.config(resolver);
        let api = listen(
            "--listen",
            Listener::https(self.listen, tls_identity(&config, &self.dir)?).await,
        )?;
        let address = api.address().map_err(|error| error.to_string())?;
        config.server.listen = address;
        config.server.external_url = format!("https://{address}");
        let dkim = self.dkim_record()?;
        let node = Node::compose(&config, &self.dir, api, &Seamless).await?;
        config.admin.listen = node.admin_address()?;
        let directory = format!("https://{address}/directory");
        files::write(&self.dir.join("directory.url"), &format!("{directory}\n"))?;
        files::write(
            &self.dir.join("vidimus.toml"),
            &config.to_toml().map_err(|error| error.to_string())?,
        )?;

        println!("ready {directory}");
        println!("admin http://{}", config.admin.listen);
        println!("dns {resolver}");
        if let Some(record) = dkim {
            println!("dkim {record}");
        }
        if let Some(control) = dns.as_ref().and_then(|dns| dns.control_addr) {
            println!("challtestsrv http://{control}");
        }
        let (end, ended) = watch::channel(false);
        let signal = stop_signal()?;
        let serving = tokio::spawn(node.run(either(signal, ended)));
        if !self.no_first_certificate {
            match self.first_certificate(&directory, &keys.root).await {
                Ok(path) => println!("certificate {}", path.display()),
                Err(why) if self.once => {
                    let _ = end.send(true);
                    let _ = serving.await;
                    return Err(format!("the first certificate was not obtained: {why}"));
                }
                Err(why) => eprintln!("vidimus: the first certificate was not obtained: {why}; the server runs on"),
            }
        }
        if self.once {
            let _ = end.send(true);
        } else {
            self.say_what_next(&directory);
        }
        serving.await.map_err(|error| error.to_string())?
    }

    async fn start_dns(&self) -> Result<Option<Running>, String> {
        if self.dns.is_some() {
            return Ok(None);
        }
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        match Dns::start(any, Some(self.challtestsrv)).await {
            Ok(running) => Ok(Some(running)),
            Err(error) => Err(format!(
                "the built-in DNS cannot listen on {} (--challtestsrv): {error}; name another address, or use --dns",
                self.challtestsrv
            )),
        }
    }

    fn config(&self, resolver: SocketAddr) -> Config {
        let mut config = first_config(self.listen, format!("https://{}", self.listen));
        config.admin.listen = self.admin;
        config.acme.caa_identities = vec![CAA_IDENTITY.to_owned()];
        config.validation.http_port = self.http_port;
        config.validation.tls_port = self.tls_port;
        config.validation.resolvers = vec![resolver];
        config.validation.trust_anchors = self
            .dns_anchors
            .as_ref()
            .map(|file| std::path::absolute(file).unwrap_or(file.clone()));
        let mail = config::Profile {
            description: "certificates of mail services".to_owned(),
            ..config.profile[&config.acme.default_profile].clone()
        };
        config.profile.insert(MAIL.to_owned(), mail);
        let smime = config::Profile {
            description: "S/MIME certificates of mailboxes".to_owned(),
            purpose: config::Purpose::Email,
            ..config.profile[&config.acme.default_profile].clone()
        };
        config.profile.insert(SMIME.to_owned(), smime);
        config.extensions.insert("email-reply".to_owned(), self.smime());
        config.extensions.insert("email-tls".to_owned(), self.mail());
        config.validation.allow_networks = LOOPBACK.iter().filter_map(|network| network.parse().ok()).collect();
        config
    }

    fn smime(&self) -> toml::Table {
        let mut settings = vec![("enabled", toml::Value::Boolean(true))];
        if let Some(relay) = self.mail_relay {
            let keys = [(SELECTOR.to_owned(), DKIM_KEY.into())];
            settings.extend([
                ("domain", self.mail_domain.as_str().into()),
                ("listen", self.mail_listen.to_string().into()),
                ("relay", relay.to_string().into()),
                ("relay_tls", "never".into()),
                ("dkim", toml::Value::Table(keys.into_iter().collect())),
            ]);
        }
        settings
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    /// The key that signs challenge mails, made when there is none; the record that belongs to it.
    fn dkim_record(&self) -> Result<Option<String>, String> {
        if self.mail_relay.is_none() {
            return Ok(None);
        }
        let file = self.dir.join(DKIM_KEY);
        let key = match file.exists() {
            true => {
                SigningKey::from_pem(&files::read(&file)?).map_err(|error| format!("{}: {error}", file.display()))?
            }
            false => {
                let key = SigningKey::generate(Algorithm::RsaSha256).map_err(|error| error.to_string())?;
                files::write_secret(&file, &key.to_pem())?;
                key
            }
        };
        Ok(Some(format!(
            "{SELECTOR}._domainkey.{} TXT {}",
            self.mail_domain,
            key.record()
        )))
    }

    fn mail(&self) -> toml::Table {
        let listed = self.mail_ports.iter().map(|(place, _)| place.as_str().into());
        let dial = self.mail_ports.iter();
        let dial = dial.map(|(place, port)| (place.clone(), toml::Value::Integer((*port).into())));
        let settings = [
            ("enabled", toml::Value::Boolean(true)),
            ("profile", MAIL.into()),
            ("ports", toml::Value::Array(listed.collect())),
            ("dial", toml::Value::Table(dial.collect())),
        ];
        settings
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    /// Through our own client and real http-01, like anybody's.
    async fn first_certificate(&self, directory: &str, root: &Path) -> Result<PathBuf, String> {
        let loopback = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), self.http_port);
        let wanted = Wanted::Names {
            identifiers: vec!["localhost".parse().map_err(|error| format!("localhost: {error}"))?],
            key_type: KeyType::default(),
            reuse_key: false,
        };
        let solvers = vec![SolverSettings::Standalone(loopback.to_string())];
        let mut request = Request::new(directory, &self.dir, wanted, solvers);
        request.transport.trust = Trust::Bundle(root.to_owned());
        let issued = client::issue(request).await.map_err(|error| error.to_string())?;
        Ok(issued.files.fullchain)
    }

    /// Lines to paste.
    fn say_what_next(&self, directory: &str) {
        let root = std::path::absolute(self.dir.join("root.pem")).unwrap_or_else(|_| self.dir.join("root.pem"));
        let (root, http, tls) = (root.display(), self.http_port, self.tls_port);
        println!(
            "
To get another certificate from this authority (every name resolves to 127.0.0.1 here):

  certbot   REQUESTS_CA_BUNDLE={root} certbot certonly --standalone --http-01-address 127.0.0.1 --http-01-port {http} \\
              --server {directory} -d www.example.test --agree-tos -m you@example.test -n \\
              --config-dir cb --work-dir cb --logs-dir cb
  lego      LEGO_CA_CERTIFICATES={root} lego --server {directory} --http --http.port 127.0.0.1:{http} \\
              -d www.example.test -m you@example.test -a run
  vidimus   vidimus cert issue www.example.test --server {directory} --ca-bundle {root} \\
              --dir certs --standalone 127.0.0.1:{http}
            (or --tls-alpn 127.0.0.1:{tls})
  curl      curl --cacert {root} {directory}

Stop with Ctrl-C; everything is kept in {}.",
            self.dir.display()
        );
    }
}

/// What CAA records call the authority of every `vidimus dev`.
const CAA_IDENTITY: &str = "dev.vidimus.test";

/// The profile of orders that name mail services.
const MAIL: &str = "mail";
/// In the folder.
const DKIM_KEY: &str = "dkim.pem";
const SELECTOR: &str = "dev";
/// The profile of orders that name mailboxes.
const SMIME: &str = "smime";

fn mail_port(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("{text:?} is no place and port as in imaps:993=1993");
    let (place, port) = text.split_once('=').ok_or_else(wrong)?;
    Ok((place.to_owned(), port.parse().map_err(|_| wrong())?))
}

const LOOPBACK: &[&str] = &["127.0.0.0/8", "::1/128"];

/// Turns true when one of the two does.
fn either(mut a: watch::Receiver<bool>, mut b: watch::Receiver<bool>) -> watch::Receiver<bool> {
    let (send, receive) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = a.wait_for(|stop| *stop) => {}, _ = b.wait_for(|stop| *stop) => {} }
        let _ = send.send(true);
    });
    receive
}
