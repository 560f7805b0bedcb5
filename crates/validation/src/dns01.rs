//! `dns-01` (RFC 8555 §8.4).

use std::sync::Arc;

use acme::{KeyAuthorization, ProblemType};
use authority::{
    identifier::{Name, Target},
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};

use crate::{
    attempt::{Attempt, Failure},
    dial::Network,
    excerpt,
    resolver::{Answer, DnsFailure},
};

/// Control shown by a TXT record at `_acme-challenge` below the name.
pub struct Dns01 {
    network: Arc<Network>,
}

impl Dns01 {
    pub fn new(network: Arc<Network>) -> Self {
        Self { network }
    }
}

impl ValidationMethod for Dns01 {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Never for addresses (RFC 8738 §7); for wildcards it is the only method of the base.
    fn offered_for(&self, name: &Name) -> bool {
        matches!(name.target(), Target::Host(_))
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let network = self.network.clone();
        Box::pin(async move {
            let mut attempt = network.begin(NAME);
            let outcome = network
                .in_time(ProblemType::Dns, prove(&network, &request, &mut attempt))
                .await;
            attempt.conclude(outcome)
        })
    }
}

async fn prove(network: &Network, request: &ValidationRequest, attempt: &mut Attempt) -> Result<(), Failure> {
    let Target::Host(host) = request.name.target() else {
        return Err(Failure::lasting(
            ProblemType::RejectedIdentifier,
            "The identifier has no place in the DNS.",
        ));
    };
    digest_at(
        network,
        &format!("_acme-challenge.{host}"),
        &request.key_authorization,
        attempt,
    )
    .await
}

/// Looks for the key authorization's digest among the TXT records of a name: what `dns-01` does at its name, and methods
/// of the same kind at theirs.
pub async fn digest_at(
    network: &Network,
    name: &str,
    key_authorization: &KeyAuthorization,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let answer = texts_at(network, name, attempt).await;
    judge(name, &answer, &key_authorization.dns_value())
}

/// Asks for the TXT records of a name and writes down what came.
pub async fn texts_at(network: &Network, name: &str, attempt: &mut Attempt) -> Answer<Vec<u8>> {
    let answer = network.resolver.txt(name).await;
    attempt.saw(answer.observation(name, "TXT", |text| excerpt::quoted(text, SHOWN)));
    answer
}

/// The records of an answer, or what its failure means for a proof of control.
pub fn records_of<'a>(name: &str, answer: &'a Answer<Vec<u8>>) -> Result<&'a [Vec<u8>], Failure> {
    answer.records.as_deref().map_err(|failure| {
        let detail = format!(
            "Looking up TXT at {}: {failure} (asked {}).",
            via(answer, name),
            answer.resolver
        );
        Failure {
            transient: failure.is_transient(),
            ..Failure::lasting(problem_type(failure), detail)
        }
    })
}

/// One matching record among several suffices: two orders may be under way for one name.
fn judge(name: &str, answer: &Answer<Vec<u8>>, expected: &str) -> Result<(), Failure> {
    let found = via(answer, name);
    let records = records_of(name, answer)?;
    if records.iter().any(|record| record == expected.as_bytes()) {
        return Ok(());
    }
    let detail = match records {
        [] => format!("There is no TXT record at {found}; it should be \"{expected}\"."),
        [only] => format!(
            "The TXT record at {found} is {}, not \"{expected}\".",
            excerpt::quoted(only, SHOWN)
        ),
        several => {
            let shown: Vec<_> = several
                .iter()
                .take(LISTED)
                .map(|record| excerpt::quoted(record, SHOWN))
                .collect();
            let more = if several.len() > LISTED { " …" } else { "" };
            format!(
                "None of the {} TXT records at {found} is \"{expected}\": {}{more}.",
                several.len(),
                shown.join(" ")
            )
        }
    };
    Err(Failure::lasting(ProblemType::Unauthorized, detail))
}

/// Says where an alias led, for whoever set the record in the wrong zone.
fn via(answer: &Answer<Vec<u8>>, name: &str) -> String {
    match answer.aliases.last() {
        Some(alias) => format!("{name} (an alias of {})", excerpt::plain(alias.as_bytes(), 253)),
        None => name.to_owned(),
    }
}

fn problem_type(failure: &DnsFailure) -> ProblemType {
    match failure {
        // The name is the subscriber's to make, so its absence says that nothing was proved.
        DnsFailure::NxDomain => ProblemType::Unauthorized,
        _ => ProblemType::Dns,
    }
}

const NAME: &str = "dns-01";
/// A digest has 43 characters; what is longer is no near miss.
const SHOWN: usize = 64;
const LISTED: usize = 5;

#[cfg(test)]
mod tests {
    use authority::model::Observation;

    use super::*;
    use crate::double::{Dns, World};

    const RIGHT: &str = "RIGHT";

    /// The problem type's name and detail, or nothing when the record was accepted.
    async fn problem_with(dns: Dns) -> Option<(ProblemType, String, bool)> {
        let world = World::with(dns);
        let report = Dns01::new(world.network()).validate(world.request("example.org")).await;
        report
            .verdict
            .err()
            .map(|problem| (problem.kind, problem.detail, report.transient))
    }

    fn txt(records: &[&str]) -> Dns {
        let right = World::key_authorization().dns_value();
        let records: Vec<_> = records.iter().map(|text| text.replace(RIGHT, &right)).collect();
        Dns::default().txt("_acme-challenge.example.org", records)
    }

    // 8555-8.4-1
    #[tokio::test]
    async fn the_digest_of_the_key_authorization_is_accepted() {
        assert_eq!(problem_with(txt(&[RIGHT])).await, None);
    }

    // 8555-8.4-2
    #[tokio::test]
    async fn one_matching_record_among_others_suffices() {
        assert_eq!(problem_with(txt(&["v=spf1 -all", RIGHT, ""])).await, None);
    }

    #[tokio::test]
    async fn nothing_but_the_exact_value_is_accepted() {
        for wrong in ["", " RIGHT", "RIGHT ", "RIGHT.", "RIGHT=", "\"RIGHT\"", "right"] {
            let (kind, detail, transient) = problem_with(txt(&[wrong])).await.unwrap();
            assert_eq!(kind, ProblemType::Unauthorized);
            assert!(detail.contains("at _acme-challenge.example.org"), "{detail}");
            assert!(!transient);
        }
    }

    #[tokio::test]
    async fn a_mismatch_lists_what_was_found_bounded_and_escaped() {
        let long = "x".repeat(4000);
        let records = vec!["a\"\n"; 3]
            .into_iter()
            .chain([long.as_str(); 97])
            .collect::<Vec<_>>();
        let (_, detail, _) = problem_with(txt(&records)).await.unwrap();
        assert!(
            detail.contains("None of the 100 TXT records") && detail.contains(r#""a\"\n""#),
            "{detail}"
        );
        assert!(detail.len() < 600, "{}", detail.len());
    }

    #[tokio::test]
    async fn no_record_and_no_name_are_unauthorized_and_do_not_pass_by_themselves() {
        for dns in [txt(&[]), Dns::default()] {
            let (kind, _, transient) = problem_with(dns).await.unwrap();
            assert_eq!((kind, transient), (ProblemType::Unauthorized, false));
        }
    }

    // T10
    #[tokio::test]
    async fn t10_a_question_without_an_answer_is_a_dns_problem() {
        for (failure, may_pass) in [
            (DnsFailure::ServFail, true),
            (DnsFailure::Timeout, true),
            (DnsFailure::Bogus(Default::default()), false),
            (DnsFailure::TooManyAliases(8), false),
        ] {
            let dns = Dns::default().failing("_acme-challenge.example.org", failure);
            let (kind, _, transient) = problem_with(dns).await.unwrap();
            assert_eq!((kind, transient), (ProblemType::Dns, may_pass));
        }
    }

    // 8555-8.4-1, 8738-7-1
    #[test]
    fn it_is_offered_for_hosts_and_wildcards_and_not_for_addresses() {
        let method = Dns01::new(World::with(Dns::default()).network());
        assert!(method.offered_for(&World::name("example.org")));
        assert!(method.offered_for(&World::name("*.example.org")));
        assert!(!method.offered_for(&World::address_name("192.0.2.1")));
    }

    // T13
    #[tokio::test]
    async fn a_wildcard_is_proved_at_its_base_name() {
        let world = World::with(txt(&[RIGHT]));
        let report = Dns01::new(world.network())
            .validate(world.request("*.example.org"))
            .await;
        assert_eq!(report.verdict, Ok(()));
        assert_eq!(report.evidence.method, "dns-01");
        let [Observation::Resolved { name, .. }] = &report.evidence.observations[..] else {
            panic!("one answer");
        };
        assert_eq!(name, "_acme-challenge.example.org");
    }
}
