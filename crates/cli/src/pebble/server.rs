//! `pebble`: an authority for one test run. Everything is made at the start and forgotten at the end.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

use authority::Registry;
use issuance::{IssuerUrls, Shape};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use server::{Listener, OpenResource, Place, TlsIdentity};
use tokio::sync::watch;
use validation::{Http01, dial::Network};

use super::{
    address::{Reach, read_listening, read_remote},
    api::Api,
    blocklist::Blocked,
    disturbed::Disturbed,
    environment::Behaviour,
    external_keys,
    file::{File, KeyAlgorithm},
    flags::{Flag, Flags, Kind},
    hierarchy::{Files, Hierarchy},
    management::Management,
    renewal::{self, Dictated, DictatedRenewals},
    say, settings,
};
use crate::compose::{Node, Seams};

pub const FLAGS: &[Flag] = &[
    Flag {
        name: "config",
        older: None,
        kind: Kind::Text("test/config/pebble-config.json"),
        about: "The configuration, a file of JSON",
    },
    Flag {
        name: "dnsserver",
        older: None,
        kind: Kind::Text(""),
        about: "The resolver to ask, HOST:PORT; those of the system if empty",
    },
    Flag {
        name: "strict",
        older: None,
        kind: Kind::Switch,
        about: "Taken for compatibility; this server is always as strict as the RFCs are",
    },
    Flag {
        name: "version",
        older: None,
        kind: Kind::Switch,
        about: "Print the version and end",
    },
];

/// Serves until `stop` turns true.
pub async fn run(flags: &Flags, reach: Reach, stop: watch::Receiver<bool>) -> Result<(), String> {
    if flags.switch("version") {
        say(concat!("Pebble version: vidimus ", env!("CARGO_PKG_VERSION")));
        return Ok(());
    }
    let file = read_file(Path::new(flags.text("config")))?;
    let behaviour = Behaviour::of_environment();
    let resolver = match flags.text("dnsserver") {
        "" => None,
        address => Some(read_remote("-dnsserver", address)?),
    };
    let listening = read_listening("listenAddress", &file.listen_address, reach)?;
    let managing = file.management_listen_address.as_deref().unwrap_or_default();
    let managing = read_listening("managementListenAddress", managing, reach)?;

    let mut apis = listeners(&file, &listening).await?;
    let managements = listeners(&file, &managing).await?;
    let api = apis.pop().ok_or("listenAddress: it is empty; write HOST:PORT")?;
    let url = |listener: &Listener| listener.address().map(url_of).map_err(|error| error.to_string());
    let base = url(&api)?;

    let hierarchy = Arc::new(Hierarchy::create(Shape {
        roots: 1 + behaviour.alternate_roots,
        intermediates: behaviour.chain_length,
        rsa: file.key_algorithm == KeyAlgorithm::Rsa,
    })?);
    let config = settings::of(&file, &behaviour, resolver, &base)?;
    let dictated = Arc::new(Dictated::default());
    let domains = file.domain_blocklist.iter().flatten();
    let seams = TestSeams {
        files: hierarchy.files(),
        ocsp_responder: file.ocsp_responder_url.clone().filter(|url| !url.is_empty()),
        behaviour: behaviour.clone(),
        blocked_domains: domains.map(|domain| domain.to_ascii_lowercase()).collect(),
        dictated: dictated.clone(),
    };
    let node = Node::compose(&config, Path::new(""), api, &seams).await?;
    external_keys::hand_out(node.front().authority(), &file).await?;
    let front = Api::before(
        node.front().clone(),
        node.nonces().clone(),
        &behaviour,
        file.retry_after,
    );
    let management = Management {
        dictated,
        hierarchy,
        store: node.store(),
    };

    if let Some(listener) = managements.first() {
        let base = url(listener)?;
        for number in 0..management.hierarchy.branches.len() {
            say(format_args!("Root CA certificate available at: {base}/roots/{number}"));
        }
    }
    say(format_args!("ACME directory available at: {base}{DIRECTORY}"));
    for listener in managements {
        tokio::spawn(listener.serve(management.clone(), stop.clone()));
    }
    for listener in apis {
        tokio::spawn(listener.serve(front.clone(), stop.clone()));
    }
    node.run_behind(front, stop).await
}

fn read_file(path: &Path) -> Result<File, String> {
    let text = fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        format!("{path} cannot be read: {error}; name the configuration with -config")
    })?;
    File::parse(&text).map_err(|what| format!("{}: {what}", path.display()))
}

/// What makes a server one for tests.
struct TestSeams {
    files: Files,
    ocsp_responder: Option<String>,
    behaviour: Behaviour,
    blocked_domains: Arc<[String]>,
    dictated: Arc<Dictated>,
}

impl Seams for TestSeams {
    fn urls(&self, urls: IssuerUrls) -> IssuerUrls {
        IssuerUrls {
            ocsp: self.ocsp_responder.clone(),
            ..urls
        }
    }

    fn place(&self) -> Place {
        Place {
            directory: DIRECTORY.to_owned(),
            ..Place::default()
        }
    }

    fn registry(&self, registry: &mut Registry, network: &Arc<Network>) {
        registry.wrap_methods(|method| {
            let method = match method.name() {
                "http-01" => Arc::new(Http01::naming_port(network.clone(), true)),
                _ => method,
            };
            Arc::new(Disturbed::around(method, &self.behaviour))
        });
        registry.wrap_identifier_types(|names| {
            let domains = self.blocked_domains.clone();
            Arc::new(Blocked { names, domains })
        });
    }

    fn open(&self, open: Vec<Arc<dyn OpenResource>>) -> Vec<Arc<dyn OpenResource>> {
        let dictate = |resource: Arc<dyn OpenResource>| match resource.directory_member() {
            Some(renewal::MEMBER) => Arc::new(DictatedRenewals {
                renewals: resource,
                dictated: self.dictated.clone(),
            }),
            _ => resource,
        };
        open.into_iter().map(dictate).collect()
    }

    fn read(&self, file: &Path) -> Result<String, String> {
        self.files.read(file)
    }
}

async fn listeners(file: &File, addresses: &[SocketAddr]) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = Listener::https(*address, identity(file)?).await;
        listeners
            .push(listener.map_err(|error| format!("{error}; is another process using it? Name another address"))?);
    }
    Ok(listeners)
}

/// Paths are relative to where the program was started. Keys are of any form: tests have old ones.
fn identity(file: &File) -> Result<TlsIdentity, String> {
    let (certificate, key) = (&file.certificate, &file.private_key);
    let unreadable = |key: &str, path: &Path, error: &dyn std::fmt::Display| {
        format!(
            "{key}: {}: {error}; name a file in PEM, relative to the working directory",
            path.display()
        )
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| unreadable("certificate", certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("privateKey", key, &error))?;
    Ok(TlsIdentity {
        chain: chain.iter().map(|certificate| certificate.to_vec()).collect(),
        key: key.secret_der().to_vec(),
    })
}

/// Where clients look for the directory.
const DIRECTORY: &str = "/dir";

/// How clients on this machine reach an address.
fn url_of(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("https://localhost:{}", address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("https://localhost:{}", address.port()),
        _ => format!("https://{address}"),
    }
}
