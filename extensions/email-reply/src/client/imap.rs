//! Looking for a mail in a mailbox (RFC 3501, RFC 8314). Nothing is marked, moved or deleted.

use std::{collections::HashSet, net::IpAddr, sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use mail::message::{MAX_MESSAGE, address::Mailbox};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::server_url::ServerUrl;

pub struct Imap {
    pub server: ServerUrl,
    /// Dialled in place of the server's name.
    pub connect: Option<IpAddr>,
    pub user: String,
    pub password: String,
    /// A root in place of the system's, PEM.
    pub ca: Option<Vec<u8>>,
}

/// A mail that may be the one.
pub struct Candidate {
    pub folder: &'static str,
    pub uid: u32,
    pub octets: Vec<u8>,
}

pub struct Open {
    session: async_imap::Session<TlsStream<TcpStream>>,
}

impl Imap {
    /// Logs in. `Err` is a sentence.
    pub async fn open(&self) -> Result<Open, String> {
        let failed = |why: String| format!("the mailbox cannot be read at {}: {why}", self.server);
        timeout(PATIENCE, self.log_in())
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
            .map_err(failed)
    }

    async fn log_in(&self) -> Result<Open, String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        let stream = match self.connect {
            Some(address) => TcpStream::connect((address, self.server.port)).await,
            None => TcpStream::connect((self.server.host.as_str(), self.server.port)).await,
        };
        let stream = stream.map_err(|error| said(&error))?;
        let stream = match self.server.is_implicit {
            true => stream,
            false => start_tls(stream).await?,
        };
        let name = ServerName::try_from(self.server.host.clone()).map_err(|error| said(&error))?;
        let stream = TlsConnector::from(Arc::new(self.tls()?)).connect(name, stream).await;
        let mut client = async_imap::Client::new(stream.map_err(|error| said(&error))?);
        if self.server.is_implicit {
            let greeting = client.read_response().await.map_err(|error| said(&error))?;
            greeting.ok_or("it closed the connection")?;
        }
        let session = client.login(&self.user, &self.password).await;
        let session = session.map_err(|(error, _)| format!("{} is not let in: {error}", self.user))?;
        Ok(Open { session })
    }

    fn tls(&self) -> Result<ClientConfig, String> {
        let builder = ClientConfig::builder();
        let builder = match &self.ca {
            None => builder.with_platform_verifier().map_err(|error| error.to_string())?,
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|error| format!("--mail-ca: {error}"))?;
                    roots.add(certificate).map_err(|error| format!("--mail-ca: {error}"))?;
                }
                builder.with_root_certificates(roots)
            }
        };
        Ok(builder.with_no_client_auth())
    }
}

/// Greeting and STARTTLS (RFC 3501 §6.2.1). What came with its answer would come from nobody knows whom.
async fn start_tls(stream: TcpStream) -> Result<TcpStream, String> {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let read = async |stream: &mut BufReader<TcpStream>, line: &mut Vec<u8>| {
        line.clear();
        loop {
            let available = stream.fill_buf().await.map_err(|error| error.to_string())?;
            let end = available.iter().position(|octet| *octet == b'\n');
            let count = end.map_or(available.len(), |at| at + 1);
            line.extend_from_slice(&available[..count]);
            stream.consume(count);
            if count == 0 || line.len() > LONGEST_LINE {
                return Err("it is no IMAP server".to_owned());
            }
            if end.is_some() {
                return Ok(());
            }
        }
    };
    read(&mut stream, &mut line).await?;
    if !line.starts_with(b"* OK") {
        return Err("it does not greet like an IMAP server".to_owned());
    }
    stream
        .write_all(b"tls STARTTLS\r\n")
        .await
        .map_err(|error| error.to_string())?;
    loop {
        read(&mut stream, &mut line).await?;
        if line.starts_with(b"* ") {
            continue;
        }
        return match line.starts_with(b"tls OK") && stream.buffer().is_empty() {
            true => Ok(stream.into_inner()),
            false => Err("it does not start TLS; use imaps://".to_owned()),
        };
    }
}

impl Open {
    /// The mails from an address that were not seen before, wherever mail arrives. `Err` is a sentence.
    pub async fn from(
        &mut self,
        from: &Mailbox,
        seen: &HashSet<(&'static str, u32)>,
    ) -> Result<Vec<Candidate>, String> {
        let looking = self.look(from, seen);
        let looked = timeout(PATIENCE, looking).await;
        looked
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
            .map_err(|why| format!("the mailbox cannot be searched: {why}"))
    }

    async fn look(&mut self, from: &Mailbox, seen: &HashSet<(&'static str, u32)>) -> Result<Vec<Candidate>, String> {
        let mut candidates = Vec::new();
        for folder in FOLDERS {
            match self.session.examine(folder).await {
                Ok(_) => {}
                Err(error) if folder == FOLDERS[0] => return Err(error.to_string()),
                // Not every mailbox has all of them.
                Err(_) => continue,
            }
            let found = self.session.uid_search(format!("FROM \"{from}\"")).await;
            let found = found.map_err(|error| error.to_string())?;
            for uid in found
                .into_iter()
                .filter(|uid| !seen.contains(&(folder, *uid)))
                .take(MOST)
            {
                let item = format!("(BODY.PEEK[]<0.{MAX_MESSAGE}>)");
                let fetched = self.session.uid_fetch(uid.to_string(), item).await;
                let fetched = fetched.map_err(|error| error.to_string())?;
                let fetched: Vec<_> = fetched.try_collect().await.map_err(|error| error.to_string())?;
                if let Some(octets) = fetched.iter().find_map(|mail| mail.body()) {
                    candidates.push(Candidate {
                        folder,
                        uid,
                        octets: octets.to_vec(),
                    });
                }
            }
        }
        Ok(candidates)
    }
}

const FOLDERS: [&str; 3] = ["INBOX", "Junk", "Spam"];
const MOST: usize = 20;
const LONGEST_LINE: usize = 8192;
const PATIENCE: Duration = Duration::from_secs(60);
