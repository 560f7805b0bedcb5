//! A mail server for replies: whoever connects, what they may use up, and whom it is for.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use authority::ports::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    guests::{Guests, Room},
    session::{Action, Answer, Session},
    wire::{LONGEST_COMMAND, line, message, part},
};

/// A mail that somebody delivers.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub peer: IpAddr,
    pub helo: String,
    /// The version, where it came by TLS.
    pub tls: Option<String>,
    /// `None`: the null return path.
    pub return_path: Option<String>,
    pub recipient: String,
    pub octets: Vec<u8>,
}

/// Whether mail for a recipient is taken. Texts are for the other host's postmaster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    Yes,
    No(String),
    Later(String),
}

/// What became of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Done,
    Refused(String),
    Later(String),
}

/// Whom the mail is for.
pub trait Desk: Send + Sync {
    fn accepts<'a>(&'a self, recipient: &'a str) -> BoxFuture<'a, Acceptance>;
    /// After [`Taken::Done`] it is on disk.
    fn take<'a>(&'a self, delivery: Delivery) -> BoxFuture<'a, Taken>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Lmtp,
}

#[derive(Clone)]
pub struct Settings {
    pub protocol: Protocol,
    /// What it calls itself.
    pub host: String,
    pub tls: Option<Arc<rustls::ServerConfig>>,
    pub room: Room,
    /// Without a word from the other side.
    pub idle: Duration,
    pub longest: Duration,
}

pub struct Listener {
    socket: TcpListener,
    settings: Arc<Settings>,
}

impl Listener {
    pub async fn bind(address: SocketAddr, settings: Settings) -> io::Result<Self> {
        Ok(Self {
            socket: TcpListener::bind(address).await?,
            settings: Arc::new(settings),
        })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub async fn serve(self, desk: Arc<dyn Desk>) {
        let guests = Arc::new(Guests::default());
        loop {
            let (stream, peer) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a mail connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (settings, desk) = (self.settings.clone(), desk.clone());
            let guest = Guests::admit(&guests, peer.ip(), settings.room);
            tokio::spawn(async move {
                let Some(_guest) = guest else {
                    let mut stream = stream;
                    let line = format!("421 4.7.0 {} has too many connections\r\n", settings.host);
                    let _ = timeout(PAUSE, stream.write_all(line.as_bytes())).await;
                    return;
                };
                let _ = timeout(settings.longest, converse(stream, peer.ip(), &settings, &*desk)).await;
            });
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn converse(stream: TcpStream, peer: IpAddr, settings: &Settings, desk: &dyn Desk) -> io::Result<()> {
    let mut stream: BufReader<Box<dyn Stream>> = BufReader::new(Box::new(stream));
    let mut session = Session::new(settings.protocol, &settings.host, settings.tls.is_some());
    let mut tls = None;
    stream.write_all(session.greeting().as_bytes()).await?;
    loop {
        stream.flush().await?;
        let Some(line) = timeout(settings.idle, line(&mut stream, LONGEST_COMMAND)).await?? else {
            return part(&mut stream, "500 5.5.2 a command is one line, ended by CRLF\r\n").await;
        };
        let answer = match session.command(&line) {
            Action::Answer(answer) => answer,
            Action::Ask(recipient) => {
                let acceptance = desk.accepts(&recipient).await;
                session.asked(recipient, acceptance)
            }
            Action::StartTls(text) => {
                let Some(config) = &settings.tls else { return Ok(()) };
                // RFC 3207 §6: what was sent ahead came from nobody knows whom.
                if !stream.buffer().is_empty() {
                    return Ok(());
                }
                stream.write_all(text.as_bytes()).await?;
                stream.flush().await?;
                let accepting = TlsAcceptor::from(config.clone()).accept(stream.into_inner());
                let secured = timeout(settings.idle, accepting).await??;
                tls = secured
                    .get_ref()
                    .1
                    .protocol_version()
                    .map(|version| format!("{version:?}"));
                stream = BufReader::new(Box::new(secured));
                session.secured();
                continue;
            }
            Action::Data(text) => {
                stream.write_all(text.as_bytes()).await?;
                stream.flush().await?;
                let octets = match message(&mut stream, settings.idle).await? {
                    Ok(octets) => octets,
                    Err(why) => return part(&mut stream, &why).await,
                };
                let mail = session.envelope();
                let mut taken = Vec::with_capacity(mail.recipients.len());
                for recipient in mail.recipients {
                    let delivery = Delivery {
                        peer,
                        helo: session.helo().to_owned(),
                        tls: tls.clone(),
                        return_path: mail.return_path.clone(),
                        recipient,
                        octets: octets.clone(),
                    };
                    taken.push(desk.take(delivery).await);
                }
                Answer::Say(session.taken(&taken))
            }
        };
        match answer {
            Answer::Say(text) => stream.write_all(text.as_bytes()).await?,
            Answer::End(text) => {
                stream.write_all(text.as_bytes()).await?;
                return stream.flush().await;
            }
        }
    }
}

const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _};

    use super::*;

    struct Clerk;

    impl Desk for Clerk {
        fn accepts<'a>(&'a self, _recipient: &'a str) -> BoxFuture<'a, Acceptance> {
            Box::pin(std::future::ready(Acceptance::Yes))
        }

        fn take<'a>(&'a self, delivery: Delivery) -> BoxFuture<'a, Taken> {
            let taken = match delivery.recipient.starts_with("known") {
                true => Taken::Done,
                false => Taken::Refused("nobody".to_owned()),
            };
            Box::pin(std::future::ready(taken))
        }
    }

    async fn listening(settings: Settings) -> SocketAddr {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), settings).await.unwrap();
        let address = listener.address().unwrap();
        tokio::spawn(listener.serve(Arc::new(Clerk)));
        address
    }

    fn settings(protocol: Protocol) -> Settings {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider);
        let tls = tls.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let nobody = Arc::new(rustls::server::ResolvesServerCertUsingSni::new());
        Settings {
            protocol,
            host: "ca.test".to_owned(),
            tls: Some(Arc::new(tls.with_cert_resolver(nobody))),
            room: Room {
                connections: 3,
                per_address: 2,
            },
            idle: Duration::from_secs(60),
            longest: Duration::from_secs(600),
        }
    }

    /// Everything that is said until the other side closes.
    async fn said(address: SocketAddr, octets: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(octets).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said
    }

    #[tokio::test]
    async fn lmtp_answers_for_each_recipient_over_the_wire() {
        let address = listening(settings(Protocol::Lmtp)).await;
        let said = said(
            address,
            b"LHLO mail.alpha.test\r\nMAIL FROM:<a@alpha.test>\r\nRCPT TO:<known@ca.test>\r\nRCPT TO:<other@ca.test>\r\n\
              DATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n",
        )
        .await;
        let last: Vec<&str> = said.lines().rev().take(3).collect();
        assert_eq!(
            last,
            ["221 2.0.0 ca.test closes", "550 5.7.1 nobody", "250 2.0.0 taken"]
        );
    }

    #[tokio::test]
    async fn what_is_sent_ahead_of_tls_ends_the_connection_before_it_begins() {
        let address = listening(settings(Protocol::Smtp)).await;
        let said = said(address, b"EHLO a.test\r\nSTARTTLS\r\nMAIL FROM:<a@alpha.test>\r\n").await;
        assert!(said.contains("STARTTLS"), "{said}");
        assert!(!said.contains("go ahead") && !said.contains("2.1.0"), "{said}");
    }

    // 8823-3-14
    #[tokio::test]
    async fn who_sends_too_much_hears_why_though_it_sends_all_of_it_first() {
        let address = listening(settings(Protocol::Smtp)).await;
        let mut mail = b"EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<known@ca.test>\r\nDATA\r\n".to_vec();
        mail.extend([&b"a".repeat(900)[..], b"\r\n"].concat().repeat(8000));
        let said = said(address, &mail).await;
        assert!(said.contains("552 5.3.4"), "{said}");
    }

    #[tokio::test]
    async fn an_address_has_so_many_connections_and_no_more() {
        let address = listening(settings(Protocol::Smtp)).await;
        let guest = async || {
            let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            (stream, line)
        };
        let (first, _second) = (guest().await, guest().await);
        assert!(first.1.starts_with("220 ca.test"), "{}", first.1);
        let (_, refused) = guest().await;
        assert_eq!(refused, "421 4.7.0 ca.test has too many connections\r\n");
    }
}
