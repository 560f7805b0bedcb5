//! The way out: from a target to a connection, through resolution and policy.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use acme::ProblemType;
use authority::{identifier::Target, model::Observation};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    Timeouts,
    attempt::{Attempt, Clock, Failure},
    connections::{Connections, Held},
    policy::{AddressPolicy, PortPolicy},
    resolver::{Addresses, Answer, Resolver},
};

/// What every method needs to look at the network.
pub struct Network {
    pub resolver: Arc<dyn Resolver>,
    pub addresses: AddressPolicy,
    pub ports: PortPolicy,
    pub timeouts: Timeouts,
    pub clock: Clock,
    pub connections: Connections,
}

/// A connection, and to whom.
pub struct Dialled {
    pub stream: TcpStream,
    pub address: SocketAddr,
    /// To be kept as long as the connection is used.
    pub place: Held,
}

impl Network {
    pub fn begin(&self, method: &'static str) -> Attempt {
        Attempt::begin(method, self.clock.clone())
    }

    /// Ends what takes longer than an attempt may, as a problem of the given type. What was seen until then stays seen.
    pub async fn in_time(
        &self,
        late: ProblemType,
        attempt: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        within(self.timeouts.attempt, late, attempt).await
    }

    /// Connects to the target. The address that was judged is the address that is dialled, so an answer of the DNS
    /// that changes in between changes nothing.
    pub async fn dial(&self, target: &Target, port: u16, attempt: &mut Attempt) -> Result<Dialled, Failure> {
        let candidates = match target {
            Target::Host(host) => self.resolve(host, attempt).await?,
            Target::Address(address) => vec![*address],
            Target::Service { .. } | Target::Mailbox { .. } | Target::None => {
                return Err(Failure::lasting(
                    ProblemType::RejectedIdentifier,
                    "The identifier has no place on the network.",
                ));
            }
        };
        let candidates = self.permitted(candidates, attempt)?;
        let mut failures = Vec::new();
        for address in candidates {
            let address = SocketAddr::new(address, port);
            let place = self.connections.take(address.ip()).await;
            let error = match timeout(self.timeouts.connect, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    attempt.saw(Observation::Connected { address });
                    return Ok(Dialled { stream, address, place });
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {}", seconds(self.timeouts.connect)),
            };
            failures.push(format!("{address} ({error})"));
            attempt.saw(Observation::NotConnected { address, error });
        }
        Err(Failure::passing(
            ProblemType::Connection,
            format!("No connection to {}.", failures.join(", nor to ")),
        ))
    }

    async fn resolve(&self, host: &str, attempt: &mut Attempt) -> Result<Vec<IpAddr>, Failure> {
        let addresses = self.resolver.addresses(host).await;
        attempt.saw(addresses.v6.observation(host, "AAAA", ToString::to_string));
        attempt.saw(addresses.v4.observation(host, "A", ToString::to_string));
        candidates(host, addresses)
    }

    fn permitted(&self, candidates: Vec<IpAddr>, attempt: &mut Attempt) -> Result<Vec<IpAddr>, Failure> {
        let mut permitted = Vec::new();
        let mut refusals = Vec::new();
        for address in candidates {
            match self.addresses.judge(address) {
                Ok(()) => permitted.push(address),
                Err(forbidden) => {
                    refusals.push(format!("{address} is {forbidden}"));
                    attempt.saw(Observation::Refused {
                        address,
                        rule: forbidden.to_string(),
                    });
                }
            }
        }
        if permitted.is_empty() {
            let detail = format!("This address is not connected to: {}.", refusals.join("; "));
            return Err(Failure::lasting(ProblemType::Connection, detail));
        }
        Ok(permitted)
    }
}

/// As [`Network::in_time`], with a limit of the caller's.
pub async fn within<T>(
    limit: Duration,
    late: ProblemType,
    attempt: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(limit, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::passing(
            late,
            format!("The validation was not finished after {}.", seconds(limit)),
        )),
    }
}

/// IPv6 first; IPv4 is for when IPv6 gives no connection (RFC 8555 leaves the choice; who publishes both means both).
fn candidates(host: &str, addresses: Addresses) -> Result<Vec<IpAddr>, Failure> {
    let failures = [failure_of("AAAA", &addresses.v6), failure_of("A", &addresses.v4)];
    let forged = failures.iter().flatten().find(|failure| failure.2);
    let v6 = addresses
        .v6
        .records
        .unwrap_or_default()
        .into_iter()
        .map(IpAddr::V6)
        .take(PER_FAMILY);
    let v4 = addresses
        .v4
        .records
        .unwrap_or_default()
        .into_iter()
        .map(IpAddr::V4)
        .take(PER_FAMILY);
    let candidates: Vec<_> = v6.chain(v4).collect();
    if !candidates.is_empty() && forged.is_none() {
        return Ok(candidates);
    }
    if failures.iter().all(Option::is_none) {
        let detail = format!("{host} has neither an A nor an AAAA record.");
        return Err(Failure::lasting(ProblemType::Dns, detail));
    }
    let transient = forged.is_none() && failures.iter().flatten().any(|failure| failure.1);
    let told: Vec<_> = failures.into_iter().flatten().map(|failure| failure.0).collect();
    let problem = Failure::lasting(ProblemType::Dns, format!("Looking up {host}: {}.", told.join("; ")));
    Err(Failure { transient, ..problem })
}

/// In words, whether it may pass, whether it smells of forgery.
fn failure_of<T>(record_type: &str, answer: &Answer<T>) -> Option<(String, bool, bool)> {
    let failure = answer.records.as_ref().err()?;
    let told = format!("{record_type}: {failure} (asked {})", answer.resolver);
    Some((told, failure.is_transient(), failure.is_forgery()))
}

pub(crate) fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

/// With both families and a connect timeout of 2 s each, 8 s are the most that dialling takes of an attempt's 10 s.
const PER_FAMILY: usize = 2;
