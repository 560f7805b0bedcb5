//! A test per requirement, runnable against any directory URL.
//!
//! In scope: what RFC 8555, RFC 8737 and RFC 8738 ask of a server and what can be seen on the wire, together with the
//! behaviours that installed clients depend on. The list is `requirements.tsv`; each test names the ids it shows.
//! Out of scope: what only the inside shows (crashes, failing signers), which the parts themselves test.
//!
//! A test is a black box: it sees the directory, answers validations ([`responder`]) and scripts names ([`dns`]). What
//! cannot be tried for lack of an option is reported as not applicable, never as passed.

pub mod answer;
pub mod catalogue;
pub mod craft;
pub mod dns;
pub mod message;
pub mod report;
pub mod requirements;
pub mod responder;
pub mod speaker;
pub mod test;
pub mod world;

use std::time::Duration;

use futures_util::{StreamExt, stream};

pub use report::Report;
pub use world::{Options, World};

use test::{Finding, Test, Verdict};

/// Runs the suite, or the tests that show one of `only`.
pub async fn run(options: Options, only: &[String]) -> Result<Report, Verdict> {
    let world = World::open(options).await?;
    let wanted = |test: &&Test| only.is_empty() || test.shows.iter().any(|id| only.iter().any(|only| only == id));
    let (last, first): (Vec<_>, Vec<_>) = requirements::all().filter(wanted).partition(|test| test.last);
    let mut findings: Vec<_> = stream::iter(first)
        .map(|test| run_one(&world, test))
        .buffer_unordered(world.options.parallel.max(1))
        .collect()
        .await;
    // They judge everything that was said before.
    for test in last {
        findings.push(run_one(&world, test).await);
    }
    findings.sort_by_key(|finding| finding.test.name);
    Ok(Report::new(
        &world.options.directory,
        findings,
        world.speaker.is_dead(),
        !only.is_empty(),
    ))
}

async fn run_one(world: &World, test: &'static Test) -> Finding {
    if world.options.skip.contains(&test.sentence()) {
        let outcome = Err(Verdict::NotApplicable("left out by --skip".into()));
        return Finding { test, outcome };
    }
    let outcome = tokio::time::timeout(LONGEST, (test.run)(world)).await;
    Finding {
        test,
        outcome: outcome.unwrap_or_else(|_| Err(Verdict::Failed(format!("no end after {LONGEST:?}")))),
    }
}

/// Three attempts of a validation, five to ten seconds apart, and some rest.
const LONGEST: Duration = Duration::from_secs(120);
