//! From a domain up the tree, to its policy and its organization (RFC 9989 §4.10).

use super::record::{PublicSuffix, Record};
use crate::{
    dns::{Answers, Step, Txt},
    message::domain::Domain,
};

/// What stands on the way up from one domain.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub organization: Domain,
    /// The domain's own record, or its organization's, or its public suffix's.
    pub found: Option<(Domain, Record)>,
}

/// The DNS did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unavailable;

impl Walk {
    pub(super) fn of(start: &Domain, answers: &Answers) -> Step<Result<Self, Unavailable>> {
        let mut found: Vec<(Domain, Record)> = Vec::new();
        let mut next = Some(start.clone());
        while let Some(domain) = next {
            let name = format!("_dmarc.{domain}");
            match answers.of(&name) {
                None => return Step::Ask(vec![name]),
                Some(Txt::Unavailable) => return Step::Done(Err(Unavailable)),
                Some(answer) => found.extend(only(answer).map(|record| (domain.clone(), record))),
            }
            let said = found
                .last()
                .filter(|(at, _)| *at == domain)
                .map(|(_, record)| record.public_suffix);
            let is_end = match said {
                Some(PublicSuffix::No) => true,
                Some(PublicSuffix::Yes) => domain != *start,
                Some(PublicSuffix::Unsaid) | None => false,
            };
            next = if is_end { None } else { above(&domain, start) };
        }
        let organization = organization(start, &found);
        let at = |wanted: &Domain| found.iter().find(|(domain, _)| domain == wanted).cloned();
        let policy = at(start).or_else(|| at(&organization)).or_else(|| {
            let suffix = organization.parent()?;
            at(&suffix).filter(|(_, record)| record.public_suffix == PublicSuffix::Yes)
        });
        Step::Done(Ok(Self {
            organization,
            found: policy,
        }))
    }
}

/// One record among the texts; several are none (RFC 9989 §4.10).
fn only(answer: &Txt) -> Option<Record> {
    let Txt::Records(texts) = answer else {
        return None;
    };
    let mut records = texts.iter().filter_map(|text| Record::parse(text));
    records.next().filter(|_| records.next().is_none())
}

/// One label less; of a long name so many less that [`MAX_QUERIES`] are enough.
fn above(domain: &Domain, start: &Domain) -> Option<Domain> {
    let mut above = domain.parent();
    while domain == start && above.as_ref().is_some_and(|above| above.labels() >= MAX_QUERIES) {
        above = above.and_then(|above| above.parent());
    }
    above
}

/// RFC 9989 §4.10.2.
fn organization(start: &Domain, found: &[(Domain, Record)]) -> Domain {
    let is = |said| {
        found
            .iter()
            .find(|(at, record)| record.public_suffix == said && (said == PublicSuffix::No || at != start))
    };
    if let Some((domain, _)) = is(PublicSuffix::No) {
        return domain.clone();
    }
    if let Some((suffix, _)) = is(PublicSuffix::Yes) {
        let mut below = start.clone();
        while let Some(parent) = below.parent().filter(|parent| parent != suffix) {
            below = parent;
        }
        return below;
    }
    found.last().map_or_else(|| start.clone(), |(domain, _)| domain.clone())
}

/// RFC 9989 §4.10: a name of more labels is asked for itself and for its last seven.
pub const MAX_QUERIES: usize = 8;
