//! Looking at a mail service: from a host and a place to what it says of itself.

mod fault;
mod lines;
mod reply;
mod session;

use std::{sync::Arc, time::Duration};

use acme::ProblemType;
use authority::{identifier::Target, model::Observation};
use rustls::ClientConfig;
use validation::{
    attempt::{Attempt, Failure},
    dial::{Dialled, Network, within},
    dns01, unverified,
};

use super::{lasting, ports::Ports};
use crate::{
    service::{Protocol, ServicePort},
    value::{CAPABILITY, DRAFTED, GREETING},
};

pub use self::{
    fault::Fault,
    session::{Asked, Heard, Patience, hold},
};

/// What looks.
pub struct Probe {
    network: Arc<Network>,
    tls: Arc<ClientConfig>,
    greets_as: String,
}

impl Probe {
    pub fn new(network: Arc<Network>, greets_as: String) -> Self {
        Self {
            network,
            tls: Arc::new(unverified::config(&[])),
            greets_as,
        }
    }

    /// What a service of a host says, and whom to name in a refusal of it. The caller has judged the place.
    pub async fn look(
        &self,
        host: &str,
        at: ServicePort,
        ports: &Ports,
        attempt: &mut Attempt,
    ) -> Result<(Published, String), Failure> {
        let target = Target::Host(host.to_owned());
        let dial = self.network.dial(&target, ports.dialled(at), attempt);
        let dialled = within(self.network.timeouts.attempt, ProblemType::Connection, dial).await;
        let Dialled {
            stream,
            address,
            place: _place,
        } = dialled.map_err(|failure| Failure {
            detail: format!("{at} of {host}: {}", failure.detail),
            ..failure
        })?;
        let asked = Asked {
            service: at.service,
            host,
            greets_as: &self.greets_as,
            tls: &self.tls,
            patience: Patience::default(),
        };
        let mut heard = Heard::default();
        let outcome = hold(stream, &asked, &mut heard).await;
        let published = Published::of(at.service.protocol(), &heard);
        attempt.saw(Observation::Mail {
            service: at.service.name().to_owned(),
            port: at.port,
            address,
            tls_version: heard.tls_version.clone(),
            certificate: heard.certificate.clone(),
            transcript: heard.transcript(),
            found: published.shown(),
        });
        let whose = format!("{at} of {host} at {}", address.ip());
        match outcome {
            Ok(()) => Ok((published, whose)),
            Err(fault) => Err(fault.of(&whose)),
        }
    }

    /// A port that nobody has registered counts where the host's owner says that it is his: a tenant of the machine who
    /// can listen there cannot write into its zone.
    pub async fn pinned(&self, host: &str, at: ServicePort, attempt: &mut Attempt) -> Result<(), Failure> {
        if !Ports::needs_pin(at) {
            return Ok(());
        }
        let name = format!("_acme-port.{host}");
        let texts = async { Ok(dns01::texts_at(&self.network, &name, attempt).await) };
        let answer = within(self.network.timeouts.attempt, ProblemType::Dns, texts).await?;
        let port = at.port.to_string();
        let hint =
            format!("{at} is no registered port of the service, so {host} has to name it: {name} TXT \"{port}\"");
        let records = dns01::records_of(&name, &answer).map_err(|failure| Failure {
            detail: format!("{hint}. {}", failure.detail),
            ..failure
        })?;
        match records.iter().any(|record| record == port.as_bytes()) {
            true => Ok(()),
            false => Err(lasting(format!("{hint}; there is no such record."))),
        }
    }
}

/// The values that stand where a proof stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// In the greeting, or among the capabilities under TLS.
    pub values: Vec<Vec<u8>>,
    /// Among the capabilities in the clear.
    pub in_clear: Vec<Vec<u8>>,
    /// By the draft's keyword, among the capabilities under TLS.
    pub drafted: Vec<Vec<u8>>,
    pub drafted_in_clear: Vec<Vec<u8>>,
}

impl Published {
    pub fn of(protocol: Protocol, heard: &Heard) -> Self {
        let in_greeting = session::greeting_words(heard).filter_map(|word| assigned(GREETING, word));
        let among = |capabilities: &[Vec<u8>], keyword: &str| -> Vec<Vec<u8>> {
            let listed = capabilities.iter().flat_map(|line| listed(protocol, keyword, line));
            listed.map(<[u8]>::to_vec).collect()
        };
        Self {
            values: in_greeting
                .map(<[u8]>::to_vec)
                .chain(among(&heard.after, CAPABILITY))
                .collect(),
            in_clear: among(&heard.before, CAPABILITY),
            drafted: among(&heard.after, DRAFTED),
            drafted_in_clear: among(&heard.before, DRAFTED),
        }
    }

    fn shown(&self) -> Vec<String> {
        let all = self.values.iter().chain(&self.drafted);
        all.take(KEPT)
            .map(|value| validation::excerpt::plain(value, LONGEST))
            .collect()
    }
}

/// The values of a capability that begins with this keyword.
fn listed<'l>(protocol: Protocol, keyword: &str, line: &'l [u8]) -> Vec<&'l [u8]> {
    match protocol {
        Protocol::Imap => assigned(keyword, line).into_iter().collect(),
        Protocol::Smtp | Protocol::Lmtp | Protocol::Pop3 | Protocol::Sieve => {
            let mut words = reply::words(line).map(|word| match protocol {
                Protocol::Sieve => word
                    .strip_prefix(b"\"")
                    .and_then(|word| word.strip_suffix(b"\""))
                    .unwrap_or(word),
                _ => word,
            });
            match words.next() {
                Some(first) if first.eq_ignore_ascii_case(keyword.as_bytes()) => words.collect(),
                _ => Vec::new(),
            }
        }
    }
}

/// The value of `KEYWORD=value`; the keyword's case does not matter, the value's does.
fn assigned<'w>(keyword: &str, word: &'w [u8]) -> Option<&'w [u8]> {
    let at = word.iter().position(|octet| *octet == b'=')?;
    word[..at]
        .eq_ignore_ascii_case(keyword.as_bytes())
        .then_some(&word[at + 1..])
}

/// All of it, with a record to look up and a connection to make: no method takes longer.
pub const WHOLE: Duration = Duration::from_secs(30);
/// Values that are kept as evidence.
const KEPT: usize = 8;
const LONGEST: usize = 64;
