//! The suite as a program.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use conformance::{Options, world::ExternalKey};

/// Tries an ACME server against what is required of it, and reports per requirement.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The directory, for example https://localhost:14000/directory
    #[arg(long)]
    directory: String,
    /// PEM of the roots that the directory's TLS is verified with
    #[arg(long, default_value = "/etc/ssl/certs/ca-certificates.crt")]
    ca_bundle: PathBuf,
    /// The port on which the server under test dials http-01; the suite listens there
    #[arg(long)]
    http_port: Option<u16>,
    /// The port on which the server under test dials tls-alpn-01; the suite listens there
    #[arg(long)]
    tls_port: Option<u16>,
    /// The address to listen on for both
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    responder: IpAddr,
    /// The management interface of the DNS that the server under test asks, for example http://127.0.0.1:8055
    #[arg(long)]
    challtestsrv: Option<String>,
    /// Every name that is ordered ends in this one
    #[arg(long, default_value = "conformance.example")]
    domain: String,
    /// Only the tests that show these ids
    #[arg(long, num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// Write the results there as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the results there as a Markdown table
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Write every issued chain into this directory
    #[arg(long)]
    certificates: Option<PathBuf>,
    /// How many tests run at once
    #[arg(long, default_value_t = 8)]
    parallel: usize,
    /// How many milliseconds after a request its effect is looked for
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// Leave out the test with this sentence, which brings the server down
    #[arg(long)]
    skip: Vec<String>,
    /// The name of a MAC key that may bind any number of accounts
    #[arg(long, requires = "eab_key")]
    eab_kid: Option<String>,
    /// That key, base64url
    #[arg(long, requires = "eab_kid")]
    eab_key: Option<String>,
    /// The key, PKCS#8 PEM, of an account that agreed to terms which have changed since
    #[arg(long)]
    outdated_account: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<bool, String> {
    let external_key = match (arguments.eab_kid, arguments.eab_key) {
        (Some(kid), Some(key)) => {
            let key = jose::base64url::decode(&key).map_err(|error| format!("--eab-key: {error}"))?;
            Some(ExternalKey { kid, key })
        }
        _ => None,
    };
    let options = Options {
        directory: arguments.directory,
        ca_bundle: arguments.ca_bundle,
        http_port: arguments.http_port,
        tls_port: arguments.tls_port,
        responder: arguments.responder,
        challtestsrv: arguments.challtestsrv,
        domain: arguments.domain,
        certificates: arguments.certificates,
        parallel: arguments.parallel,
        pause: Duration::from_millis(arguments.pause),
        skip: arguments.skip,
        external_key,
        outdated_account: arguments.outdated_account,
    };
    let report = conformance::run(options, &arguments.only)
        .await
        .map_err(|verdict| verdict.to_string())?;
    print!("{}", report.summary());
    for (path, text) in [
        (arguments.json, format!("{:#}\n", report.json())),
        (arguments.markdown, report.markdown()),
    ] {
        if let Some(path) = path {
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(report.failed().is_empty())
}
