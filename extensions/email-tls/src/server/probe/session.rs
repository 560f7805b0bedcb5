//! One session with a mail server: what it greets with, what it offers, before TLS and after.
//!
//! The probe listens before it speaks, and says constants only: nobody can have it say something to anybody.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    Fault,
    fault::Said,
    lines::{Lines, Meter},
    reply::{
        SieveEnd, SmtpLine, imap_capabilities, imap_greeting, imap_tagged, no_literal, offers, pop_greeting, pop_line,
        pop_ok, sieve_end, smtp_greeting, words,
    },
};
use crate::service::{Protocol, Service, TlsMode};

/// With whom, and how.
pub struct Asked<'a> {
    pub service: Service,
    /// The name in the handshake.
    pub host: &'a str,
    /// How the probe introduces itself.
    pub greets_as: &'a str,
    pub tls: &'a Arc<ClientConfig>,
    pub patience: Patience,
}

/// How long a session may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one answer.
    pub step: Duration,
    /// From its first octet.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            step: Duration::from_secs(10),
            whole: Duration::from_secs(25),
        }
    }
}

/// What the server said.
#[derive(Default)]
pub struct Heard {
    /// The text of the greeting, line by line.
    pub greeting: Vec<Vec<u8>>,
    /// Capabilities in the clear, where TLS was yet to come.
    pub before: Vec<Vec<u8>>,
    /// Capabilities under TLS: the ones that count.
    pub after: Vec<Vec<u8>>,
    pub tls_version: Option<String>,
    /// SHA-256 of the end-entity certificate, hex.
    pub certificate: Option<String>,
    meter: Meter,
}

impl Heard {
    /// SHA-256 of the server's lines so far, hex.
    pub fn transcript(&self) -> String {
        self.meter.transcript()
    }
}

/// Holds the session. What was heard until a fault stays heard.
pub async fn hold<S>(stream: S, asked: &Asked<'_>, heard: &mut Heard) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let session = timeout(asked.patience.whole, all(stream, asked, heard)).await;
    session.unwrap_or(Err(Fault::Late))
}

async fn all<S>(stream: S, asked: &Asked<'_>, heard: &mut Heard) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let protocol = asked.service.protocol();
    let stream = match asked.service.tls_mode() {
        TlsMode::Implicit => stream,
        TlsMode::StartTls => {
            let mut talk = Talk::new(stream, asked, &mut heard.meter);
            let (greeting, mut before) = talk.greeting().await?;
            heard.greeting = greeting;
            if protocol != Protocol::Sieve {
                before = talk.capabilities().await?;
            }
            let started = talk.start_tls(&before).await;
            heard.before = before;
            started?
        }
    };
    let stream = handshake(stream, asked, heard).await?;
    let mut talk = Talk::new(stream, asked, &mut heard.meter);
    if asked.service.tls_mode() == TlsMode::Implicit {
        (heard.greeting, heard.after) = talk.greeting().await?;
    }
    match (protocol, asked.service.tls_mode()) {
        // It greets and lists them again by itself (RFC 5804 §2.2).
        (Protocol::Sieve, TlsMode::StartTls) => (heard.greeting, heard.after) = talk.greeting().await?,
        (Protocol::Sieve, TlsMode::Implicit) => {}
        _ => heard.after.extend(talk.capabilities().await?),
    }
    talk.leave().await;
    Ok(())
}

async fn handshake<S>(
    stream: S,
    asked: &Asked<'_>,
    heard: &mut Heard,
) -> Result<tokio_rustls::client::TlsStream<S>, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let failed = |error: &dyn std::fmt::Display| {
        Fault::Handshake(validation::excerpt::plain(error.to_string().as_bytes(), SHOWN))
    };
    let name = ServerName::try_from(asked.host.to_owned()).map_err(|error| failed(&error))?;
    let connector = TlsConnector::from(asked.tls.clone());
    let stream = match timeout(asked.patience.step, connector.connect(name, stream)).await {
        Ok(stream) => stream.map_err(|error| failed(&error))?,
        Err(_) => return Err(failed(&"it was not finished in time")),
    };
    let session: &ClientConnection = stream.get_ref().1;
    heard.tls_version = session
        .protocol_version()
        .and_then(|version| version.as_str())
        .map(|version| version.replace("TLSv1_", "1."));
    heard.certificate = session
        .peer_certificates()
        .and_then(<[_]>::first)
        .map(|certificate| pkix::hex::encode(digest(&SHA256, certificate).as_ref()));
    Ok(stream)
}

struct Talk<'m, 'a, S> {
    lines: Lines<'m, S>,
    protocol: Protocol,
    asked: &'a Asked<'a>,
}

impl<'m, 'a, S: AsyncRead + AsyncWrite + Unpin> Talk<'m, 'a, S> {
    fn new(stream: S, asked: &'a Asked<'a>, meter: &'m mut Meter) -> Self {
        Self {
            lines: Lines::new(stream, meter, asked.patience.step),
            protocol: asked.service.protocol(),
            asked,
        }
    }

    /// The text of the greeting, and capabilities that are in it.
    async fn greeting(&mut self) -> Result<(Vec<Vec<u8>>, Vec<Vec<u8>>), Fault> {
        match self.protocol {
            Protocol::Smtp | Protocol::Lmtp => {
                let mut text = Vec::new();
                loop {
                    let line = self.lines.line(GREETING).await?;
                    let Some(read) = SmtpLine::read(&line) else {
                        return Err(Fault::NoGreeting(Said::of(&line)));
                    };
                    smtp_greeting(read.code, &line)?;
                    text.push(read.text.to_vec());
                    if read.is_last {
                        return Ok((text, Vec::new()));
                    }
                }
            }
            Protocol::Imap => {
                let line = self.lines.line(GREETING).await?;
                let (text, capabilities) = imap_greeting(&line)?;
                Ok((vec![text.to_vec()], capabilities))
            }
            Protocol::Pop3 => {
                let line = self.lines.line(GREETING).await?;
                Ok((vec![pop_greeting(&line)?.to_vec()], Vec::new()))
            }
            Protocol::Sieve => {
                let mut capabilities = Vec::new();
                loop {
                    let line = self.lines.line(GREETING).await?;
                    no_literal(&line)?;
                    match sieve_end(&line) {
                        Some(SieveEnd::Ok(text)) => return Ok((vec![text.to_vec()], capabilities)),
                        Some(SieveEnd::No | SieveEnd::Bye) => return Err(Fault::Away(Said::of(&line))),
                        None if line.starts_with(b"\"") => capabilities.push(line),
                        None => return Err(Fault::NoGreeting(Said::of(&line))),
                    }
                }
            }
        }
    }

    async fn capabilities(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        let mut listed = Vec::new();
        match self.protocol {
            Protocol::Smtp | Protocol::Lmtp => {
                // RFC 2033 §4.1: LMTP has no EHLO.
                let command = if self.protocol == Protocol::Smtp {
                    "EHLO"
                } else {
                    "LHLO"
                };
                self.lines
                    .say(&format!("{command} {}", self.asked.greets_as), command)
                    .await?;
                // The first line may repeat what the probe said of itself, so it is no capability.
                let mut is_first = true;
                loop {
                    let line = self.lines.line(command).await?;
                    let read = smtp_answer(&line, 250, command)?;
                    if !is_first {
                        listed.push(read.text.to_vec());
                    }
                    is_first = false;
                    if read.is_last {
                        return Ok(listed);
                    }
                }
            }
            Protocol::Imap => {
                self.lines.say("a CAPABILITY", "CAPABILITY").await?;
                loop {
                    let line = self.lines.line("CAPABILITY").await?;
                    no_literal(&line)?;
                    if let Some(status) = imap_tagged(&line, b"a") {
                        return match status.eq_ignore_ascii_case(b"OK") {
                            true => Ok(listed),
                            false => Err(Fault::Answer("CAPABILITY", Said::of(&line))),
                        };
                    }
                    listed.extend(imap_capabilities(&line).unwrap_or_default());
                }
            }
            Protocol::Pop3 => {
                self.lines.say("CAPA", "CAPA").await?;
                let line = self.lines.line("CAPA").await?;
                if pop_ok(&line).is_none() {
                    // RFC 2449 §5: a server without the command has no capabilities.
                    return Ok(listed);
                }
                loop {
                    let line = self.lines.line("CAPA").await?;
                    match pop_line(&line) {
                        Some(line) => listed.push(line.to_vec()),
                        None => return Ok(listed),
                    }
                }
            }
            // In the greeting.
            Protocol::Sieve => Ok(listed),
        }
    }

    /// Turns to TLS, if the server offers it; what is left is the stream.
    async fn start_tls(mut self, capabilities: &[Vec<u8>]) -> Result<S, Fault> {
        let keyword = match self.protocol {
            Protocol::Pop3 => "STLS",
            _ => "STARTTLS",
        };
        if !offers(capabilities, keyword) {
            return Err(Fault::NoTls(keyword));
        }
        let command = match self.protocol {
            Protocol::Imap => "b STARTTLS",
            _ => keyword,
        };
        self.lines.say(command, keyword).await?;
        loop {
            let line = self.lines.line(keyword).await?;
            let is_positive = match self.protocol {
                Protocol::Smtp | Protocol::Lmtp => match smtp_answer(&line, 220, keyword)?.is_last {
                    true => Some(true),
                    false => None,
                },
                Protocol::Imap => imap_tagged(&line, b"b").map(|status| status.eq_ignore_ascii_case(b"OK")),
                Protocol::Pop3 => Some(pop_ok(&line).is_some()),
                Protocol::Sieve => sieve_end(&line).map(|end| matches!(end, SieveEnd::Ok(_))),
            };
            match is_positive {
                Some(true) => break,
                Some(false) => return Err(Fault::Answer(keyword, Said::of(&line))),
                None => {}
            }
        }
        self.lines.into_stream().map_err(|fault| match fault {
            Fault::Pipelined => Fault::PipelinedAfter(keyword),
            other => other,
        })
    }

    /// What a server does with it makes no difference any more.
    async fn leave(mut self) {
        let farewell = match self.protocol {
            Protocol::Imap => "z LOGOUT",
            Protocol::Sieve => "LOGOUT",
            Protocol::Smtp | Protocol::Lmtp | Protocol::Pop3 => "QUIT",
        };
        let leave = async {
            self.lines.say(farewell, "the end").await?;
            self.lines.line("the end").await
        };
        let _ = timeout(LEAVING, leave).await;
    }
}

fn smtp_answer<'l>(line: &'l [u8], expected: u16, command: &'static str) -> Result<SmtpLine<'l>, Fault> {
    match SmtpLine::read(line) {
        Some(read) if read.code == expected => Ok(read),
        Some(read) if read.code == 421 => Err(Fault::Busy(Said::of(line))),
        Some(read) if (400..500).contains(&read.code) => Err(Fault::Later(Said::of(line))),
        _ => Err(Fault::Answer(command, Said::of(line))),
    }
}

/// The words of a greeting.
pub fn greeting_words(heard: &Heard) -> impl Iterator<Item = &[u8]> {
    heard.greeting.iter().flat_map(|line| words(line))
}

const GREETING: &str = "the greeting";
const SHOWN: usize = 120;
/// For an answer to a farewell.
const LEAVING: Duration = Duration::from_secs(1);
