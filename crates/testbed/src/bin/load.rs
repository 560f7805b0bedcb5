//! `load`: drives an ACME server and prints what it did.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Parser, ValueEnum};
use testbed::{
    dns::Dns,
    load::{Accounts, Pebble, Plan, Polling, Report, Scenario, Trust, run, table},
    responder::Responder,
};

/// Drive an ACME server with many clients and measure it.
///
/// http-01 is answered by this process on --http-port, which the server must dial for any name. Ends with status 1 if
/// any issuance failed.
#[derive(Parser)]
#[command(name = "load")]
struct Arguments {
    /// The server's directory.
    #[arg(long, required_unless_present = "pebble")]
    directory: Option<String>,
    /// Start /usr/bin/pebble for each measurement and drive that.
    #[arg(long, conflicts_with_all = ["directory", "server_pid", "ca_bundle"])]
    pebble: bool,
    /// Certificates that the server's chain must lead to, in PEM.
    #[arg(long)]
    ca_bundle: Option<PathBuf>,
    /// Believe any certificate of the server.
    #[arg(long, conflicts_with = "ca_bundle")]
    insecure: bool,
    #[arg(long, value_enum, default_value = "issue")]
    scenario: Round,
    /// Numbers of clients, one measurement for each.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
    clients: Vec<usize>,
    /// Rounds of a measurement, all clients together.
    #[arg(long, default_value_t = 2000)]
    rounds: usize,
    /// Issuances a second in the scenario fixed-rate.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    #[arg(long, value_enum, default_value = "one")]
    accounts: WhoseAccount,
    /// Names are l<n>.<suffix>; the default differs from run to run.
    #[arg(long)]
    suffix: Option<String>,
    /// Where http-01 is answered.
    #[arg(long, default_value_t = 5002)]
    http_port: u16,
    /// Serve a DNS here that answers every name with 127.0.0.1.
    #[arg(long)]
    dns: Option<SocketAddr>,
    /// Between polls.
    #[arg(long, default_value_t = 5)]
    poll_ms: u64,
    /// Wait as long as the server says instead.
    #[arg(long)]
    respect_retry_after: bool,
    /// Poll every authorization and order at least once: seven requests, as most clients send.
    #[arg(long)]
    classic: bool,
    /// A process of the server, whose CPU and memory are measured.
    #[arg(long)]
    server_pid: Vec<u32>,
    /// A measurement that takes longer has hung.
    #[arg(long, default_value_t = 120)]
    limit_seconds: u64,
    /// Threads of this process; 0 is one for each core.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Write the figures here as well.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Round {
    Issue,
    Cold,
    FixedRate,
    NewNonce,
    NewAccount,
}

#[derive(Clone, Copy, ValueEnum)]
enum WhoseAccount {
    One,
    Each,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match arguments.threads {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        0 => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
        threads => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build(),
    };
    let outcome = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(measure(&arguments)));
    match outcome {
        Ok(reports) if reports.iter().all(Report::is_clean) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &Arguments) -> Result<Vec<Report>, Box<dyn std::error::Error>> {
    let responder = Responder::start((Ipv4Addr::LOCALHOST, arguments.http_port).into()).await?;
    let dns_addr = match (arguments.dns, arguments.pebble) {
        (Some(addr), _) => Some(addr),
        (None, true) => Some((Ipv4Addr::LOCALHOST, 0).into()),
        (None, false) => None,
    };
    let dns = match dns_addr {
        Some(addr) => Some(Dns::start(addr, None).await?),
        None => None,
    };
    let mut reports = Vec::new();
    for &clients in &arguments.clients {
        let mut plan = arguments.plan(clients)?;
        // A fresh one for each measurement: a hung pebble stays hung.
        let pebble = match &dns {
            Some(dns) if arguments.pebble => Some(Pebble::start(responder.addr.port(), dns.dns_addr).await?),
            _ => None,
        };
        if let Some(pebble) = &pebble {
            plan.directory.clone_from(&pebble.directory);
            plan.trust = Trust::Anything;
            plan.server_pids = vec![pebble.pid()];
        }
        eprintln!(
            "load: {} clients, {} rounds of {}",
            clients,
            plan.rounds,
            plan.scenario.name()
        );
        reports.push(run(&plan, &responder.answers).await?);
    }
    print!("{}", table(&reports));
    if let Some(path) = &arguments.json {
        fs::write(path, serde_json::to_vec_pretty(&reports)?)?;
    }
    Ok(reports)
}

impl Arguments {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the edge: the moment only makes names unique"
    )]
    fn plan(&self, clients: usize) -> Result<Plan, Box<dyn std::error::Error>> {
        let trust = match &self.ca_bundle {
            Some(path) => Trust::Bundle(path.clone()),
            None if self.insecure || self.pebble => Trust::Anything,
            None => return Err("either --ca-bundle or --insecure is needed".into()),
        };
        // Names must be new to a server that keeps its orders.
        let moment = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let suffix = match &self.suffix {
            Some(suffix) => format!("c{clients}.{suffix}"),
            None => format!("r{moment:x}.example.test"),
        };
        Ok(Plan {
            directory: self.directory.clone().unwrap_or_default(),
            trust,
            scenario: match self.scenario {
                Round::Issue => Scenario::Issue,
                Round::Cold => Scenario::Cold,
                Round::FixedRate => Scenario::FixedRate { per_second: self.rate },
                Round::NewNonce => Scenario::NewNonce,
                Round::NewAccount => Scenario::NewAccount,
            },
            clients,
            rounds: self.rounds,
            accounts: match self.accounts {
                WhoseAccount::One => Accounts::One,
                WhoseAccount::Each => Accounts::Each,
            },
            polling: Polling {
                polite: !self.classic,
                interval: Duration::from_millis(self.poll_ms),
                respect_retry_after: self.respect_retry_after,
            },
            suffix,
            server_pids: self.server_pid.clone(),
            limit: Duration::from_secs(self.limit_seconds),
        })
    }
}
