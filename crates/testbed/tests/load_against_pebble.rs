//! The load generator against a server that is not ours: Debian's pebble.

use std::{sync::Arc, time::Duration};

use testbed::{
    dns::Dns,
    load::{Accounts, Pebble, Plan, Polling, Report, Scenario, Trust, run},
    responder::{Answers, Responder},
};

/// A pebble, the DNS it asks, and the responder it dials.
struct World {
    pebble: Pebble,
    responder: Responder,
    _dns: testbed::dns::Running,
}

impl World {
    async fn start() -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        let responder = Responder::start(any).await.unwrap();
        let dns = Dns::start(any, None).await.unwrap();
        let pebble = Pebble::start(responder.addr.port(), dns.dns_addr).await.unwrap();
        Self {
            pebble,
            responder,
            _dns: dns,
        }
    }

    async fn run(&self, change: impl FnOnce(&mut Plan)) -> Report {
        self.run_with(&self.responder.answers, change).await
    }

    async fn run_with(&self, answers: &Arc<Answers>, change: impl FnOnce(&mut Plan)) -> Report {
        let mut plan = Plan {
            directory: self.pebble.directory.clone(),
            trust: Trust::Anything,
            scenario: Scenario::Issue,
            clients: 2,
            rounds: 6,
            accounts: Accounts::One,
            polling: Polling {
                polite: true,
                interval: Duration::from_millis(5),
                respect_retry_after: false,
            },
            suffix: "example.test".into(),
            server_pids: vec![self.pebble.pid()],
            limit: Duration::from_secs(60),
        };
        change(&mut plan);
        run(&plan, answers).await.unwrap()
    }
}

#[tokio::test]
async fn every_scenario_is_carried_out_to_the_last_round() {
    let world = World::start().await;
    for scenario in [
        Scenario::Issue,
        Scenario::Cold,
        Scenario::FixedRate { per_second: 50.0 },
        Scenario::NewNonce,
        Scenario::NewAccount,
    ] {
        let report = world.run(|plan| plan.scenario = scenario).await;
        assert!(report.is_clean(), "{report:#?}");
        assert_eq!((report.done, report.latency.count), (6, 6));
        assert!(report.server_rss_kib.unwrap()[1] > 0);
    }
}

#[tokio::test]
async fn each_client_can_have_an_account_of_its_own() {
    let world = World::start().await;
    let report = world.run(|plan| plan.accounts = Accounts::Each).await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.requests["newOrder"].count, 6);
    // A client that does not believe `valid` before it has polled sends seven at least.
    let classic = world.run(|plan| plan.polling.polite = false).await;
    assert!(classic.is_clean() && classic.requests_per_round >= 7.0, "{classic:#?}");
}

#[tokio::test]
async fn issuances_that_fail_are_counted_by_their_problem() {
    let world = World::start().await;
    // The account's thumbprint is told to another responder, so that pebble's finds no key authorization.
    let report = world.run_with(&Arc::default(), |_| {}).await;
    assert!(!report.is_clean());
    assert_eq!((report.done, report.failures.total, report.failures.hangs), (0, 6, 0));
    let (label, (count, detail)) = report.failures.by_label.first_key_value().unwrap();
    assert_eq!((label.as_str(), *count), ("unauthorized (authorization invalid)", 6));
    assert!(!detail.is_empty());
}

#[tokio::test]
async fn what_does_not_end_in_time_is_a_hang() {
    let world = World::start().await;
    let report = world.run(|plan| plan.limit = Duration::ZERO).await;
    assert_eq!((report.done, report.failures.hangs), (0, 2));
}
