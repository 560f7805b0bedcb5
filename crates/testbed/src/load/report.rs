//! The figures of a run, for people and for programs.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde::Serialize;

use super::{
    measure::{Failures, Kind, Latency, Recorder},
    run::{Accounts, Plan, Scenario},
    usage::Usage,
};

/// What one run gave. Times are milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub directory: String,
    pub scenario: Scenario,
    pub accounts: Accounts,
    pub clients: usize,
    /// Rounds that were asked for.
    pub planned: usize,
    /// Rounds that succeeded.
    pub done: usize,
    pub seconds: f64,
    pub per_second: f64,
    pub latency: Latency,
    pub requests: BTreeMap<&'static str, Latency>,
    pub requests_per_round: f64,
    pub nonce_retries: u64,
    pub failures: Failures,
    /// CPU of the server's processes for each round that succeeded; absent without `--server-pid`.
    pub server_cpu_ms: Option<f64>,
    pub server_rss_kib: Option<[u64; 2]>,
    /// This process: clients, responder, and DNS if that runs here.
    pub own_cpu_ms: f64,
}

impl Report {
    pub(super) fn new(plan: &Plan, recorder: Recorder, took: Duration, server: [Usage; 2], own: [Usage; 2]) -> Self {
        let done = recorder.rounds.len();
        let each = |amount: f64| if done == 0 { 0.0 } else { amount / done as f64 };
        let cpu = |usage: [Usage; 2]| each((usage[1].cpu.saturating_sub(usage[0].cpu)).as_secs_f64() * 1000.0);
        let asked: usize = recorder.requests.iter().map(Vec::len).sum();
        let kinds = Kind::ALL.into_iter().zip(recorder.requests);
        Self {
            directory: plan.directory.clone(),
            scenario: plan.scenario,
            accounts: plan.accounts,
            clients: plan.clients,
            planned: plan.rounds,
            done,
            seconds: took.as_secs_f64(),
            per_second: done as f64 / took.as_secs_f64(),
            latency: Latency::of(recorder.rounds),
            requests: kinds
                .filter(|(_, micros)| !micros.is_empty())
                .map(|(kind, micros)| (kind.name(), Latency::of(micros)))
                .collect(),
            requests_per_round: each(asked as f64),
            nonce_retries: recorder.nonce_retries,
            failures: recorder.failures,
            server_cpu_ms: (!plan.server_pids.is_empty()).then(|| cpu(server)),
            server_rss_kib: (!plan.server_pids.is_empty()).then(|| server.map(|usage| usage.rss_kib)),
            own_cpu_ms: cpu(own),
        }
    }

    /// Whether every round succeeded.
    pub fn is_clean(&self) -> bool {
        self.failures.total == 0 && self.done == self.planned
    }
}

/// A table of several runs, and below it the requests of the last and every failure.
pub fn table(reports: &[Report]) -> String {
    let mut text = format!(
        "{:<11} {:>7} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>5} {:>8} {:>7} {:>13} {:>6}\n",
        "scenario",
        "clients",
        "done",
        "per s",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "req",
        "cpu ms",
        "own ms",
        "rss MiB",
        "failed"
    );
    for report in reports {
        let Latency { p50, p90, p99, max, .. } = report.latency;
        let cpu = report.server_cpu_ms.map_or("-".to_owned(), |ms| format!("{ms:.3}"));
        let rss = report.server_rss_kib.map_or("-".to_owned(), |[before, after]| {
            format!("{:.1}-{:.1}", before as f64 / 1024.0, after as f64 / 1024.0)
        });
        let failed = match report.failures.hangs {
            0 => report.failures.total.to_string(),
            _ => "hangs".to_owned(),
        };
        line(
            &mut text,
            format_args!(
                "{:<11} {:>7} {:>7} {:>8.1} {p50:>8.2} {p90:>8.2} {p99:>8.2} {max:>8.2} {:>5.2} {cpu:>8} {:>7.3} {rss:>13} {failed:>6}",
                report.scenario.name(),
                report.clients,
                report.done,
                report.per_second,
                report.requests_per_round,
                report.own_cpu_ms,
            ),
        );
    }
    if let Some(last) = reports.last() {
        line(&mut text, format_args!("\nrequests at {} clients:", last.clients));
        for kind in Kind::ALL {
            if let Some(latency) = last.requests.get(kind.name()) {
                let Latency {
                    count,
                    p50,
                    p90,
                    p99,
                    max,
                } = latency;
                line(
                    &mut text,
                    format_args!(
                        "  {:<19} {count:>7}  p50 {p50:>7.2}  p90 {p90:>7.2}  p99 {p99:>7.2}  max {max:>7.2} ms",
                        kind.name()
                    ),
                );
            }
        }
    }
    for report in reports {
        for (label, (count, detail)) in &report.failures.by_label {
            line(
                &mut text,
                format_args!("failed at {} clients: {count} x {label}: {detail}", report.clients),
            );
        }
        if report.nonce_retries > 0 {
            line(
                &mut text,
                format_args!("at {} clients: {} nonces refused", report.clients, report.nonce_retries),
            );
        }
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String has no error.
    let _ = writeln!(text, "{arguments}");
}

impl Scenario {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Cold => "cold",
            Self::FixedRate { .. } => "fixed-rate",
            Self::NewNonce => "new-nonce",
            Self::NewAccount => "new-account",
        }
    }
}
