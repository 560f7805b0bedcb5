//! The way out: by a mail server of one's own, or straight to the one of the recipient's domain (RFC 5321 §5.1).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    address::Envelope,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls as LettreTls, TlsParameters},
        extension::ClientId,
        response::{Category, Code, Detail, Severity},
    },
};
use mail::spf::{Family, SpfDns as _};
use tokio::time::timeout;
use validation::dial::Network;

use crate::{
    dns::Recursor,
    smtp::{chain, envelope},
};

/// Where mail goes.
pub enum Route {
    Relay {
        host: String,
        port: u16,
        tls: Tls,
        credentials: Option<(String, String)>,
    },
    /// The mail servers of each domain, at addresses that policy allows to dial.
    Exchange {
        network: Arc<Network>,
        resolver: SocketAddr,
        port: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    Never,
    IfOffered,
    Required,
}

/// What became of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Who took it, with its words.
    Accepted(String),
    Later(String),
    Refused(String),
}

pub struct Sender {
    route: Route,
    /// How this host introduces itself.
    helo: String,
}

impl Sender {
    pub fn new(route: Route, helo: String) -> Self {
        Self { route, helo }
    }

    /// One attempt, within a minute.
    pub async fn send(&self, from: &str, to: &str, octets: &[u8]) -> Sent {
        let envelope = match envelope(from, to) {
            Ok(envelope) => envelope,
            Err(why) => return Sent::Refused(why),
        };
        let sending = async {
            match &self.route {
                Route::Relay {
                    host,
                    port,
                    tls,
                    credentials,
                } => {
                    self.by(host, host, *port, *tls, credentials.as_ref(), &envelope, octets)
                        .await
                }
                Route::Exchange {
                    network,
                    resolver,
                    port,
                } => self.to_exchange(network, *resolver, *port, to, &envelope, octets).await,
            }
        };
        let late = || Sent::Later(format!("no end within {} s", LONGEST.as_secs()));
        timeout(LONGEST, sending).await.unwrap_or_else(|_| late())
    }

    async fn to_exchange(
        &self,
        network: &Network,
        resolver: SocketAddr,
        port: u16,
        to: &str,
        envelope: &Envelope,
        octets: &[u8],
    ) -> Sent {
        let domain = to.rsplit_once('@').map_or("", |(_, domain)| domain);
        let dns = Recursor::new(resolver);
        let Ok(mut exchanges) = dns.mx(domain).await else {
            return Sent::Later(format!("the DNS gave no answer about the mail servers of {domain}"));
        };
        // RFC 7505.
        if exchanges.iter().any(String::is_empty) {
            return Sent::Refused(format!("{domain} takes no mail: its MX is empty"));
        }
        if exchanges.is_empty() {
            exchanges.push(domain.to_owned());
        }
        let mut last = Sent::Later(format!("no mail server of {domain} has an address"));
        for host in exchanges.iter().take(MOST_EXCHANGES) {
            let mut addresses = Vec::new();
            for family in [Family::V6, Family::V4] {
                addresses.extend(dns.addresses(host, family).await.unwrap_or_default());
            }
            for address in addresses.into_iter().take(MOST_ADDRESSES) {
                if let Err(forbidden) = network.addresses.judge(address) {
                    last = Sent::Later(format!("{host}: {address} is not dialled: it is {forbidden}"));
                    continue;
                }
                let dial = address.to_string();
                last = self.by(&dial, host, port, Tls::IfOffered, None, envelope, octets).await;
                if !matches!(last, Sent::Later(_)) {
                    return last;
                }
            }
        }
        last
    }

    #[expect(clippy::too_many_arguments, reason = "one exchange, wherever it goes")]
    async fn by(
        &self,
        dial: &str,
        host: &str,
        port: u16,
        tls: Tls,
        credentials: Option<&(String, String)>,
        envelope: &Envelope,
        octets: &[u8],
    ) -> Sent {
        let tls = match tls_of(tls, host) {
            Ok(tls) => tls,
            Err(why) => return Sent::Later(why),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(dial)
            .port(port)
            .tls(tls)
            .hello_name(ClientId::Domain(self.helo.clone()))
            .timeout(Some(PATIENCE));
        if let Some((user, password)) = credentials {
            transport = transport.credentials(Credentials::new(user.clone(), password.clone()));
        }
        match transport.build().send_raw(envelope, octets).await {
            Ok(response) => {
                let words: Vec<&str> = response.message().collect();
                Sent::Accepted(shown(&format!("{host}:{port}: {}", words.join(" "))))
            }
            Err(error) if error.status().is_some_and(is_of_the_mail) => {
                Sent::Refused(shown(&format!("{host}:{port}: {error}")))
            }
            Err(error) => Sent::Later(shown(&format!("{host}:{port}: {}", chain(&error)))),
        }
    }
}

/// Whether a reply is a last word on this mail (RFC 5321 §4.2.2: x5x speaks of mail, x3x of authentication). 554 is also
/// what a host says that takes no mail from us at all (§3.1): another may.
fn is_of_the_mail(code: Code) -> bool {
    code.severity == Severity::PermanentNegativeCompletion
        && code.category == Category::MailSystem
        && code.detail != Detail::Four
}

fn tls_of(tls: Tls, host: &str) -> Result<LettreTls, String> {
    let parameters = |is_checked: bool| {
        let parameters = TlsParameters::builder(host.to_owned())
            .dangerous_accept_invalid_certs(!is_checked)
            .dangerous_accept_invalid_hostnames(!is_checked);
        parameters.build_rustls().map_err(|error| error.to_string())
    };
    Ok(match tls {
        Tls::Never => LettreTls::None,
        // RFC 7435: without DANE or MTA-STS nobody knows whose certificate it should be; against listeners it helps.
        Tls::IfOffered => LettreTls::Opportunistic(parameters(false)?),
        Tls::Required => LettreTls::Required(parameters(true)?),
    })
}

/// What strangers say is bounded before it is kept.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_WORDS).collect()
}

const LONGEST: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(20);
const MOST_EXCHANGES: usize = 4;
const MOST_ADDRESSES: usize = 4;
const LONGEST_WORDS: usize = 300;

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
        net::TcpListener,
    };

    use super::*;

    /// A mail server that answers each command by what it begins with.
    async fn sent_to(greeting: &'static str, answers: &'static [(&'static str, &'static str)]) -> Sent {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = socket.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut say = greeting.to_owned();
            loop {
                stream.write_all(format!("{say}\r\n").as_bytes()).await.unwrap();
                let mut line = String::new();
                if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
                    return;
                }
                let answer = answers.iter().find(|(verb, _)| line.starts_with(verb));
                say = answer.map_or("250 ok", |(_, answer)| answer).to_owned();
            }
        });
        let route = Route::Relay {
            host: "127.0.0.1".to_owned(),
            port,
            tls: Tls::Never,
            credentials: Some(("ca".to_owned(), "secret".to_owned())),
        };
        let sender = Sender::new(route, "ca.test".to_owned());
        sender
            .send("ca@ca.test", "alice@alpha.test", b"Subject: x\r\n\r\nx\r\n")
            .await
    }

    const EHLO: (&str, &str) = ("EHLO", "250-mail.alpha.test\r\n250 AUTH PLAIN");

    #[tokio::test]
    async fn a_mailbox_that_is_not_there_is_a_last_word() {
        let answers = &[EHLO, ("AUTH", "235 ok"), ("RCPT", "550 5.1.1 nobody")];
        assert!(matches!(sent_to("220 hello", answers).await, Sent::Refused(why) if why.contains("nobody")));
    }

    #[tokio::test]
    async fn a_server_that_does_not_want_us_or_our_password_says_nothing_of_the_mailbox() {
        let wrong = sent_to("220 hello", &[EHLO, ("AUTH", "535 5.7.8 wrong password")]).await;
        assert!(
            matches!(&wrong, Sent::Later(why) if why.contains("535") || why.contains("wrong")),
            "{wrong:?}"
        );
        let closed = sent_to("554 no service here", &[EHLO]).await;
        assert!(matches!(&closed, Sent::Later(_)), "{closed:?}");
    }
}
