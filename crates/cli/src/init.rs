//! `vidimus init`: the files of a new authority.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::Args;
use config::{Acme, Admin, Config, Database, Server, Validation};
use pkix::name::GeneralName;

use crate::{files, world};

#[derive(Args)]
pub struct Init {
    /// Where to write; made if it does not exist. Nothing in it is overwritten.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Where the API will listen.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:14000")]
    listen: SocketAddr,
    /// How clients will reach it, if not by the listening address.
    #[arg(long, value_name = "URL")]
    external_url: Option<String>,
}

impl Init {
    pub fn run(self) -> Result<(), String> {
        files::make_folder(&self.dir)?;
        let file = self.dir.join("vidimus.toml");
        if file.exists() {
            return Err(format!(
                "{} exists already; choose another --dir, or serve it",
                file.display()
            ));
        }
        let external_url = self.external_url.unwrap_or_else(|| format!("https://{}", self.listen));
        let config = first_config(self.listen, external_url.clone());
        let text = config.to_toml().map_err(|error| error.to_string())?;
        // What `serve` would refuse is refused before anything is written.
        Config::parse(&text)?;
        let keys = AuthorityFiles::of(&self.dir);
        keys.make_if_missing()?;
        keys.make_api_certificate(&api_names(self.listen, &external_url))?;
        files::write(&file, &text)?;
        println!("{}", file.display());
        println!("{}", keys.root.display());
        println!("next: vidimus serve --config {}", file.display());
        Ok(())
    }
}

/// A configuration with the issuer and profile that [`AuthorityFiles`] makes.
pub fn first_config(listen: SocketAddr, external_url: String) -> Config {
    let issuer = config::Issuer {
        certificate: Some("issuing.pem".into()),
        key: Some("issuing.key".into()),
        ..config::Issuer::default()
    };
    let profile = config::Profile {
        description: "certificates of TLS servers".to_owned(),
        issuer: "issuing".to_owned(),
        lifetime: "90d".parse().expect("invariant: a duration"),
        backdate: "1h".parse().expect("invariant: a duration"),
        common_name: false,
        client_auth: false,
        purpose: config::Purpose::Tls,
    };
    Config {
        server: Server {
            listen,
            external_url,
            tls_certificate: "api.pem".into(),
            tls_key: "api.key".into(),
            public_http: None,
            public_listen: None,
            proxies: Vec::new(),
            peer: None,
            state: ".".into(),
            hold: "1s".parse().expect("invariant: a duration"),
            orders_per_page: 25,
            lease: "1m".parse().expect("invariant: a duration"),
        },
        admin: Admin::default(),
        database: Database::default(),
        acme: Acme::default(),
        validation: Validation::default(),
        perspectives: None,
        issuer: BTreeMap::from([("issuing".to_owned(), issuer)]),
        profile: BTreeMap::from([("default".to_owned(), profile)]),
        extensions: BTreeMap::new(),
        directory: BTreeMap::new(),
    }
}

/// Root, issuing CA and API certificate in one folder.
pub struct AuthorityFiles {
    pub root: PathBuf,
    root_key: PathBuf,
    issuing: PathBuf,
    issuing_key: PathBuf,
    api: PathBuf,
    api_key: PathBuf,
}

impl AuthorityFiles {
    pub fn of(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        Self {
            root: file("root.pem"),
            root_key: file("root.key"),
            issuing: file("issuing.pem"),
            issuing_key: file("issuing.key"),
            api: file("api.pem"),
            api_key: file("api.key"),
        }
    }

    /// Makes root and issuing CA unless they are there. The issuing certificate comes last: it says that all are.
    pub fn make_if_missing(&self) -> Result<(), String> {
        if self.issuing.exists() {
            return Ok(());
        }
        if self.root_key.exists() || self.issuing_key.exists() {
            let key = self.root_key.display();
            return Err(format!(
                "{key} is there but {} is not; choose another folder",
                self.issuing.display()
            ));
        }
        let label = pkix::hex::encode(&world::random_array::<3>());
        let random = [world::random_array(), world::random_array()];
        let made = issuance::create_authority(&label, random, world::now()).map_err(|error| error.to_string())?;
        files::write_secret(&self.root_key, &made.root_key)?;
        files::write_secret(&self.issuing_key, &made.issuing_key)?;
        files::write(&self.root, &made.root)?;
        files::write(&self.issuing, &format!("{}{}", made.issuing, made.root))
    }

    /// A fresh certificate and key for the API.
    pub fn make_api_certificate(&self, names: &[GeneralName]) -> Result<(), String> {
        let (root, root_key) = (
            files::read(&self.root)?,
            zeroize::Zeroizing::new(files::read(&self.root_key)?),
        );
        let (certificate, key) =
            issuance::end_entity_for_api(&root, &root_key, names, world::random_array(), world::now())
                .map_err(|error| error.to_string())?;
        files::write_secret(&self.api_key, &key.to_pkcs8_pem())?;
        files::write(&self.api, &pkix::pem::encode_certificate(&certificate))
    }
}

/// localhost, both loopback addresses, the listening address, and the external URL's host.
pub fn api_names(listen: SocketAddr, external_url: &str) -> Vec<GeneralName> {
    let mut names = vec![
        GeneralName::Dns("localhost".into()),
        GeneralName::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        GeneralName::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    if !listen.ip().is_unspecified() {
        names.push(GeneralName::Ip(listen.ip()));
    }
    let host = external_url
        .trim_start_matches("https://")
        .split('/')
        .next()
        .unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    };
    match host.trim_matches(['[', ']']).parse() {
        Ok(address) => names.push(GeneralName::Ip(address)),
        Err(_) => names.push(GeneralName::Dns(host.to_ascii_lowercase())),
    }
    let mut unique = Vec::with_capacity(names.len());
    names.into_iter().for_each(|name| {
        if !unique.contains(&name) {
            unique.push(name)
        }
    });
    unique
}
