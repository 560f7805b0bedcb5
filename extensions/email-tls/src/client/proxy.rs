//! `vidimus mail proxy`: in front of a program whose greeting cannot be changed.
//!
//! Sessions are passed through line by line until the client says anything but what may precede a handshake; from then on
//! octets are passed as they are. Words are put into the greeting, or as capabilities after those of the program. With
//! `--cert` and `--key` the proxy does STARTTLS itself and speaks to the program in the clear, so that capabilities said
//! after the handshake have the words too; without them STARTTLS goes through, and only what is said before it has.

use std::{fs, io, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use client::{
    Error,
    commands::{Output, until_interrupted},
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{failure, kind::drafted, session::Stream};
use crate::{
    service::Protocol,
    value::{GREETING, in_capabilities, in_drafted_capabilities},
};

#[derive(Clone, Debug, Args)]
pub(super) struct ProxyArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Where the program listens
    #[arg(long, value_name = "ADDR:PORT")]
    upstream: SocketAddr,
    #[arg(long)]
    protocol: Spoken,
    /// A word to put in, acme-mail-01=…, or a capability, ACME=…; may be repeated
    #[arg(long = "word", value_name = "WORD")]
    words: Vec<String>,
    /// A file with a word a line, read at every session: what `vidimus mail issue --words-file` writes
    #[arg(long, value_name = "FILE")]
    words_file: Option<PathBuf>,
    /// Where the words go; what is a capability goes among the capabilities anyway
    #[arg(long = "as", default_value = "greeting")]
    place: Place,
    /// Do STARTTLS here, with this chain
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// and its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The handshake comes first, as on ports 465, 993 and 995
    #[arg(long, requires = "cert")]
    implicit_tls: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Spoken {
    Smtp,
    Lmtp,
    Imap,
    Pop3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Place {
    Greeting,
    Capability,
}

impl Spoken {
    fn protocol(self) -> Protocol {
        match self {
            Self::Smtp => Protocol::Smtp,
            Self::Lmtp => Protocol::Lmtp,
            Self::Imap => Protocol::Imap,
            Self::Pop3 => Protocol::Pop3,
        }
    }
}

pub(super) async fn run(args: ProxyArgs, out: &Output) -> ExitCode {
    match until_interrupted(serve(args, out)).await {
        Ok(()) | Err(Error::Interrupted) => ExitCode::SUCCESS,
        Err(error) => out.failed(&error, false),
    }
}

async fn serve(args: ProxyArgs, out: &Output) -> Result<(), Error> {
    // Read once to say at once what is wrong with it; again at every session, since it is renewed.
    acceptor(&args)?;
    words(&args)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| failure(format!("cannot listen on {}: {error}", args.listen)))?;
    let address = listener.local_addr().map_err(failure)?;
    out.result(&format!("listening on {address} for {}", args.upstream));
    passing(listener, Arc::new(args)).await
}

pub(super) async fn passing(listener: TcpListener, args: Arc<ProxyArgs>) -> Result<(), Error> {
    let places = Arc::new(Semaphore::new(MOST_SESSIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(failure)?;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                continue;
            }
        };
        let args = Arc::clone(&args);
        tokio::spawn(async move {
            if let Err(error) = session(stream, &args).await {
                tracing::debug!(%peer, %error, "a session broke off");
            }
            drop(place);
        });
    }
}

async fn session(client: TcpStream, args: &ProxyArgs) -> io::Result<()> {
    let acceptor = acceptor(args).map_err(io::Error::other)?;
    let mut client: Box<dyn Stream> = match (&acceptor, args.implicit_tls) {
        (Some(acceptor), true) => Box::new(in_time(HANDSHAKE, acceptor.accept(client)).await?),
        _ => Box::new(client),
    };
    let upstream = TcpStream::connect(args.upstream).await?;
    let mut talk = Talk {
        protocol: args.protocol.protocol(),
        place: args.place,
        words: words(args).map_err(io::Error::other)?,
        does_tls: acceptor.is_some() && !args.implicit_tls,
        hides_tls: acceptor.is_some(),
        upstream: BufReader::new(upstream),
    };
    in_time(BEFORE_PASSING, talk.greet(&mut client)).await?;
    let after = in_time(BEFORE_PASSING, talk.until_something_else(client)).await?;
    match after {
        After::Over => Ok(()),
        After::Pass(client, said) => talk.pass(client, &said).await,
        After::Handshake(client) => {
            let acceptor = acceptor.ok_or_else(|| io::Error::other("there is no certificate for STARTTLS"))?;
            let client: Box<dyn Stream> = Box::new(in_time(HANDSHAKE, acceptor.accept(client)).await?);
            talk.does_tls = false;
            match in_time(BEFORE_PASSING, talk.until_something_else(client)).await? {
                After::Pass(client, said) => talk.pass(client, &said).await,
                After::Over | After::Handshake(_) => Ok(()),
            }
        }
    }
}

struct Talk {
    protocol: Protocol,
    place: Place,
    words: Vec<String>,
    /// STARTTLS is offered and done here.
    does_tls: bool,
    /// What the program offers of it is not shown.
    hides_tls: bool,
    upstream: BufReader<TcpStream>,
}

/// How the part that is understood ends.
enum After {
    Over,
    /// What the client has said that is not understood here.
    Pass(Box<dyn Stream>, Vec<u8>),
    Handshake(Box<dyn Stream>),
}

impl Talk {
    async fn greet(&mut self, client: &mut Box<dyn Stream>) -> io::Result<()> {
        loop {
            let line = line(&mut self.upstream).await?;
            let is_last = !matches!(self.protocol, Protocol::Smtp | Protocol::Lmtp) || line.get(3) != Some(&b'-');
            let line = match (is_last, self.place) {
                (true, Place::Greeting) => with_words(&line, &self.greeted()),
                _ => line,
            };
            client.write_all(&line).await?;
            if is_last {
                return client.flush().await;
            }
        }
    }

    /// The commands that may come before a handshake.
    async fn until_something_else(&mut self, client: Box<dyn Stream>) -> io::Result<After> {
        let mut client = BufReader::new(client);
        loop {
            let command = line(&mut client).await?;
            if command.is_empty() {
                return Ok(After::Over);
            }
            match self.read(&command) {
                Said::Capabilities => {
                    self.upstream.get_mut().write_all(&command).await?;
                    let reply = self.capabilities(&command).await?;
                    client.get_mut().write_all(&reply).await?;
                }
                Said::StartTls if self.does_tls => {
                    let reply = self.ready(&command);
                    // What came in the same breath must not count after the handshake (RFC 3207 §4.2).
                    if !client.buffer().is_empty() {
                        return Ok(After::Over);
                    }
                    client.get_mut().write_all(&reply).await?;
                    client.get_mut().flush().await?;
                    return Ok(After::Handshake(client.into_inner()));
                }
                Said::StartTls | Said::Other => {
                    let mut said = command;
                    said.extend_from_slice(client.buffer());
                    return Ok(After::Pass(client.into_inner(), said));
                }
            }
            client.get_mut().flush().await?;
        }
    }

    /// Everything else, as it comes.
    async fn pass(mut self, mut client: Box<dyn Stream>, said: &[u8]) -> io::Result<()> {
        client.write_all(self.upstream.buffer()).await?;
        let upstream = self.upstream.get_mut();
        upstream.write_all(said).await?;
        copy_bidirectional(&mut client, upstream).await.map(drop)
    }

    fn read(&self, command: &[u8]) -> Said {
        let text = String::from_utf8_lossy(command);
        let mut words = text.split_ascii_whitespace();
        let verb = match self.protocol {
            Protocol::Imap => words.nth(1),
            _ => words.next(),
        };
        match (self.protocol, verb.unwrap_or_default().to_ascii_uppercase().as_str()) {
            (Protocol::Smtp, "EHLO") | (Protocol::Lmtp, "LHLO") | (Protocol::Pop3, "CAPA") => Said::Capabilities,
            (Protocol::Imap, "CAPABILITY") => Said::Capabilities,
            (Protocol::Pop3, "STLS") => Said::StartTls,
            (Protocol::Smtp | Protocol::Lmtp | Protocol::Imap, "STARTTLS") => Said::StartTls,
            _ => Said::Other,
        }
    }

    /// The program's answer, with ours in it.
    async fn capabilities(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        let mut lines = vec![line(&mut self.upstream).await?];
        let tag = command
            .split(u8::is_ascii_whitespace)
            .next()
            .unwrap_or_default()
            .to_vec();
        while !self.is_last(&lines, &tag) && lines.len() < MOST_LINES {
            lines.push(line(&mut self.upstream).await?);
        }
        let is_answer = match self.protocol {
            Protocol::Imap => true,
            Protocol::Pop3 => lines[0].starts_with(b"+OK"),
            _ => lines[0].starts_with(b"250"),
        };
        if !is_answer {
            return Ok(lines.concat());
        }
        Ok(match self.protocol {
            Protocol::Smtp | Protocol::Lmtp => self.smtp_capabilities(&lines),
            Protocol::Pop3 => self.pop3_capabilities(lines),
            _ => self.imap_capabilities(lines),
        })
    }

    fn is_last(&self, lines: &[Vec<u8>], tag: &[u8]) -> bool {
        let Some(last) = lines.last().filter(|last| !last.is_empty()) else {
            return true;
        };
        match self.protocol {
            Protocol::Imap => last.starts_with(tag) && last.get(tag.len()) == Some(&b' '),
            Protocol::Pop3 => lines[0].starts_with(b"-") || trimmed(last) == b".",
            _ => last.get(3) != Some(&b'-'),
        }
    }

    /// `250-` before all but the last line.
    fn smtp_capabilities(&self, lines: &[Vec<u8>]) -> Vec<u8> {
        let texts = lines
            .iter()
            .map(|line| trimmed(line).get(4..).unwrap_or_default().to_vec());
        let mut texts: Vec<Vec<u8>> = texts.collect();
        if self.hides_tls {
            texts.retain(|text| !text.eq_ignore_ascii_case(b"STARTTLS"));
        }
        if self.does_tls {
            texts.push(b"STARTTLS".to_vec());
        }
        texts.extend(self.own().into_iter().map(String::into_bytes));
        let last = texts.len().saturating_sub(1);
        let numbered = texts.into_iter().enumerate().map(|(at, text)| {
            let code: &[u8] = if at == last { b"250 " } else { b"250-" };
            [code, &text, b"\r\n"].concat()
        });
        numbered.collect::<Vec<_>>().concat()
    }

    fn pop3_capabilities(&self, mut lines: Vec<Vec<u8>>) -> Vec<u8> {
        let end = lines.pop().unwrap_or_default();
        if self.hides_tls {
            lines.retain(|line| !trimmed(line).eq_ignore_ascii_case(b"STLS"));
        }
        if self.does_tls {
            lines.push(b"STLS\r\n".to_vec());
        }
        lines.extend(self.own().into_iter().map(|own| format!("{own}\r\n").into_bytes()));
        lines.push(end);
        lines.concat()
    }

    fn imap_capabilities(&self, mut lines: Vec<Vec<u8>>) -> Vec<u8> {
        let head: &[u8] = b"* CAPABILITY ";
        for line in lines.iter_mut() {
            if !line
                .get(..head.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(head))
            {
                continue;
            }
            let text = String::from_utf8_lossy(trimmed(line)).into_owned();
            let mut atoms: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
            if self.hides_tls {
                atoms.retain(|atom| !atom.eq_ignore_ascii_case("STARTTLS"));
            }
            if self.does_tls {
                atoms.push("STARTTLS".to_owned());
            }
            atoms.extend(self.own());
            *line = format!("{}\r\n", atoms.join(" ")).into_bytes();
        }
        lines.concat()
    }

    /// The words that may stand in a greeting.
    fn greeted(&self) -> Vec<String> {
        let words = self.words.iter().filter(|word| drafted(word).is_none());
        words.cloned().collect()
    }

    /// The words as capabilities: those of the draft, and ours if they are to be such.
    fn own(&self) -> Vec<String> {
        let bound = |word: &'_ str| -> Option<String> {
            let value = word.strip_prefix(GREETING)?.strip_prefix('=')?;
            (self.place == Place::Capability).then(|| in_capabilities(self.protocol, value))
        };
        let of_draft = |word: &'_ str| drafted(word).map(|digest| in_drafted_capabilities(self.protocol, digest));
        let words = self.words.iter();
        words
            .filter_map(|word| of_draft(word).or_else(|| bound(word)))
            .collect()
    }

    fn ready(&self, command: &[u8]) -> Vec<u8> {
        match self.protocol {
            Protocol::Imap => {
                let tag = command.split(u8::is_ascii_whitespace).next().unwrap_or_default();
                [tag, b" OK begin TLS negotiation now\r\n"].concat()
            }
            Protocol::Pop3 => b"+OK begin TLS negotiation\r\n".to_vec(),
            _ => b"220 2.0.0 ready to start TLS\r\n".to_vec(),
        }
    }
}

enum Said {
    Capabilities,
    StartTls,
    Other,
}

fn with_words(line: &[u8], words: &[String]) -> Vec<u8> {
    match words.is_empty() {
        true => line.to_vec(),
        false => [trimmed(line), b" ", words.join(" ").as_bytes(), b"\r\n"].concat(),
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

/// Whoever says nothing holds no place for long; what is passed on is the program's to end.
async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
    }
}

/// With its end; nothing when the other side has ended.
async fn line(reader: &mut BufReader<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
    match line.len() as u64 >= LONGEST_LINE {
        true => Err(io::Error::from(io::ErrorKind::InvalidData)),
        false => Ok(line),
    }
}

fn words(args: &ProxyArgs) -> Result<Vec<String>, Error> {
    let mut words = args.words.clone();
    if let Some(path) = &args.words_file {
        match fs::read_to_string(path) {
            Ok(text) => words.extend(text.split_ascii_whitespace().map(str::to_owned)),
            // Before the first proof.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failure(format!("cannot read {}: {error}", path.display()))),
        }
    }
    let is_word = |word: &String| word.len() <= 200 && word.bytes().all(|byte| byte.is_ascii_graphic());
    match words.iter().find(|word| !is_word(word)) {
        Some(word) => Err(Error::Input(format!(
            "{word:?} is no word that can stand in a greeting"
        ))),
        None => Ok(words),
    }
}

fn acceptor(args: &ProxyArgs) -> Result<Option<TlsAcceptor>, Error> {
    let (Some(cert), Some(key)) = (&args.cert, &args.key) else {
        return Ok(None);
    };
    let unreadable = |path: &PathBuf, error: &dyn std::fmt::Display| failure(format!("{}: {error}", path.display()));
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(cert, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| unreadable(cert, &error))?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

const MOST_SESSIONS: usize = 512;
const HANDSHAKE: Duration = Duration::from_secs(30);
/// RFC 5321 §4.5.3.2.7 gives a client five minutes for a command; all that come before a session is passed on have them together.
const BEFORE_PASSING: Duration = Duration::from_secs(300);
const MOST_LINES: usize = 200;
const LONGEST_LINE: u64 = 8 * 1024;
