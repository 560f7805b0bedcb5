//! Whether anybody whom the author's domain stands for vouches for a message (RFC 9989 §5.3).

use super::{
    record::{Alignment, Policy},
    walk::Walk,
};
use crate::{
    dns::{Answers, Step},
    message::domain::Domain,
};

/// A domain that was proven to have had its hand in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authenticated {
    /// `d=` of a signature that passed.
    Dkim(Domain),
    /// Domain of a return path for which SPF passed.
    Spf(Domain),
}

/// An author's domain and whoever vouches for its message.
#[derive(Clone, Debug)]
pub struct Evaluation {
    pub author: Domain,
    /// More than [`MAX_AUTHENTICATED`] are not looked at.
    pub authenticated: Vec<Authenticated>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub verdict: Verdict,
    /// Where the record stands that applies.
    pub record_at: Option<Domain>,
    /// What it wants of mail that fails.
    pub policy: Policy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    /// There is no record.
    None,
    /// The DNS gave no answer.
    TempError,
}

impl Outcome {
    /// Whether the domain wants such mail kept from its addressee.
    pub fn is_refusal(&self) -> bool {
        self.verdict == Verdict::Fail && self.policy > Policy::None
    }
}

impl Evaluation {
    /// The outcome, or the names it needs first: at most [`super::MAX_QUERIES`] for the author, and as many for each
    /// vouching domain that is below the author's organization.
    pub fn step(&self, answers: &Answers) -> Step<Outcome> {
        let author = match Walk::of(&self.author, answers) {
            Step::Ask(names) => return Step::Ask(names),
            Step::Done(Err(_)) => return Step::Done(Outcome::without_record(Verdict::TempError)),
            Step::Done(Ok(author)) => author,
        };
        let Some((record_at, record)) = author.found else {
            return Step::Done(Outcome::without_record(Verdict::None));
        };
        let policy = if record_at == self.author {
            record.policy
        } else {
            record.subdomain_policy
        };
        let outcome = |verdict| {
            Step::Done(Outcome {
                verdict,
                record_at: Some(record_at.clone()),
                policy: if record.is_testing { policy.milder() } else { policy },
            })
        };
        let mut unavailable = false;
        let domains = self
            .authenticated
            .iter()
            .take(MAX_AUTHENTICATED)
            .map(|authenticated| match authenticated {
                Authenticated::Dkim(domain) => (domain, record.dkim),
                Authenticated::Spf(domain) => (domain, record.spf),
            });
        for (domain, alignment) in domains {
            if *domain == self.author {
                return outcome(Verdict::Pass);
            }
            // Whoever is not below the organization has another one: there is no need to ask.
            if alignment == Alignment::Strict || !domain.is_within(&author.organization) {
                continue;
            }
            match Walk::of(domain, answers) {
                Step::Ask(names) => return Step::Ask(names),
                Step::Done(Ok(other)) if other.organization == author.organization => return outcome(Verdict::Pass),
                Step::Done(Ok(_)) => {}
                Step::Done(Err(_)) => unavailable = true,
            }
        }
        outcome(if unavailable { Verdict::TempError } else { Verdict::Fail })
    }
}

impl Outcome {
    fn without_record(verdict: Verdict) -> Self {
        Self {
            verdict,
            record_at: None,
            policy: Policy::None,
        }
    }
}

/// Every signature that is looked at, and the return path.
const MAX_AUTHENTICATED: usize = 9;

#[cfg(test)]
mod tests {
    use super::{super::walk::MAX_QUERIES, *};
    use crate::dns::Txt;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    /// The outcome with the names that were asked for.
    fn asked(author: &str, authenticated: &[Authenticated], zone: &[(&str, &str)]) -> (Outcome, Vec<String>) {
        let evaluation = Evaluation {
            author: domain(author),
            authenticated: authenticated.to_vec(),
        };
        let (mut answers, mut asked) = (Answers::default(), Vec::new());
        loop {
            match evaluation.step(&answers) {
                Step::Done(outcome) => return (outcome, asked),
                Step::Ask(names) => {
                    for name in names {
                        let texts: Vec<String> = zone
                            .iter()
                            .filter(|(at, _)| *at == name)
                            .map(|(_, text)| (*text).to_owned())
                            .collect();
                        let unavailable = texts.iter().any(|text| text == "?");
                        answers.insert(&name, if unavailable { Txt::Unavailable } else { Txt::of(texts) });
                        asked.push(name);
                    }
                }
            }
        }
    }

    fn verdict(author: &str, authenticated: &[Authenticated], zone: &[(&str, &str)]) -> (Verdict, Policy) {
        let (outcome, _) = asked(author, authenticated, zone);
        (outcome.verdict, outcome.policy)
    }

    fn dkim(text: &str) -> Authenticated {
        Authenticated::Dkim(domain(text))
    }

    fn spf(text: &str) -> Authenticated {
        Authenticated::Spf(domain(text))
    }

    // 8823-M-2
    #[test]
    fn who_vouches_must_be_of_the_same_organization() {
        let relaxed = [("_dmarc.alpha.test", "v=DMARC1; p=reject; sp=quarantine")];
        for (author, vouching, verdict_and_policy) in [
            ("alpha.test", vec![dkim("alpha.test")], (Verdict::Pass, Policy::Reject)),
            (
                "alpha.test",
                vec![dkim("mail.alpha.test")],
                (Verdict::Pass, Policy::Reject),
            ),
            (
                "alpha.test",
                vec![spf("mail.alpha.test")],
                (Verdict::Pass, Policy::Reject),
            ),
            (
                "news.alpha.test",
                vec![dkim("alpha.test")],
                (Verdict::Pass, Policy::Quarantine),
            ),
            (
                "alpha.test",
                vec![dkim("beta.test"), spf("beta.test")],
                (Verdict::Fail, Policy::Reject),
            ),
            (
                "alpha.test",
                vec![dkim("notalpha.test")],
                (Verdict::Fail, Policy::Reject),
            ),
            ("alpha.test", vec![], (Verdict::Fail, Policy::Reject)),
            ("news.alpha.test", vec![], (Verdict::Fail, Policy::Quarantine)),
        ] {
            assert_eq!(
                verdict(author, &vouching, &relaxed),
                verdict_and_policy,
                "{author} {vouching:?}"
            );
        }
        let strict = [("_dmarc.alpha.test", "v=DMARC1; p=reject; adkim=s; aspf=r")];
        assert_eq!(
            verdict("alpha.test", &[dkim("mail.alpha.test")], &strict).0,
            Verdict::Fail
        );
        assert_eq!(
            verdict("alpha.test", &[spf("mail.alpha.test")], &strict).0,
            Verdict::Pass
        );
    }

    #[test]
    fn no_record_no_answer_and_two_records_are_three_things() {
        assert_eq!(verdict("alpha.test", &[], &[]), (Verdict::None, Policy::None));
        assert_eq!(
            verdict("alpha.test", &[], &[("_dmarc.test", "?")]),
            (Verdict::TempError, Policy::None)
        );
        let two = [
            ("_dmarc.alpha.test", "v=DMARC1; p=reject"),
            ("_dmarc.alpha.test", "v=DMARC1; p=none"),
        ];
        assert_eq!(verdict("alpha.test", &[], &two), (Verdict::None, Policy::None));
        let beside = [
            ("_dmarc.alpha.test", "v=DMARC1; p=reject"),
            ("_dmarc.alpha.test", "v=spf1 -all"),
        ];
        assert_eq!(verdict("alpha.test", &[], &beside), (Verdict::Fail, Policy::Reject));
        let testing = [("_dmarc.alpha.test", "v=DMARC1; p=quarantine; t=y")];
        assert!(!asked("alpha.test", &[], &testing).0.is_refusal());
    }

    #[test]
    fn the_walk_finds_the_organization_and_ends() {
        // A department that is an organization of its own.
        let own = [
            ("_dmarc.law.alpha.test", "v=DMARC1; p=reject; psd=n"),
            ("_dmarc.alpha.test", "v=DMARC1; p=none"),
        ];
        assert_eq!(verdict("law.alpha.test", &[dkim("alpha.test")], &own).0, Verdict::Fail);
        assert_eq!(
            verdict("a.law.alpha.test", &[dkim("b.law.alpha.test")], &own).0,
            Verdict::Pass
        );
        // Two who register below the same suffix.
        let suffix = [("_dmarc.shops.test", "v=DMARC1; p=reject; psd=y")];
        assert_eq!(
            verdict("a.shops.test", &[dkim("b.shops.test")], &suffix),
            (Verdict::Fail, Policy::Reject)
        );
        assert_eq!(
            verdict("mail.a.shops.test", &[dkim("x.a.shops.test")], &suffix),
            (Verdict::Pass, Policy::Reject)
        );
        let long = format!("{}alpha.test", "a.".repeat(30));
        let (outcome, names) = asked(&long, &[], &[("_dmarc.alpha.test", "v=DMARC1; p=reject")]);
        assert_eq!((outcome.verdict, names.len()), (Verdict::Fail, MAX_QUERIES));
        assert_eq!(names[1], "_dmarc.a.a.a.a.a.alpha.test");
    }
}
