//! `cargo xtask bench`: the figures, with the machine they belong to, beside Debian's pebble in the same run.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::{
    machine,
    run::{Outcome, cargo, run},
    target,
    vidimus::{Cluster, Running, binary, free_port},
};

/// Builds, measures and prints; `--quick` does a fifth of the rounds.
pub fn measure(options: &[&str]) -> Outcome {
    let scale = match options {
        [] => 1,
        ["--quick"] => 5,
        _ => {
            return Err(format!("bench knows only --quick, not {}", options.join(" ")));
        }
    };
    run(&mut cargo(&["build", "--release", "--workspace", "--locked"]))?;
    let facts = machine::facts();
    println!("{facts:#}");
    let bench = Bench {
        http_port: free_port()?,
        dns: format!("127.0.0.1:{}", free_port()?),
        scale,
    };

    // Debian's pebble hangs at 32 clients and more, so that it is measured at fewer.
    let peer = bench.load(&["--pebble", "--clients", "1,8", "--rounds", &bench.rounds(1500)])?;

    let server = Running::dev(bench.http_port, &bench.dns)?;
    let caa = bench.drive(&server, &["--clients", "8", "--rounds", &bench.rounds(4000)])?;
    // Pebble asks no CAA: what is compared does not either, and the row above tells what it costs.
    let server = server.serve(without_caa)?;
    let empty_kib = server.rss_kib();
    let ours = |arguments: &[&str]| bench.drive(&server, arguments);
    let issue = ours(&["--clients", "1,8,32,128", "--rounds", &bench.rounds(4000)])?;
    let classic = ours(&["--clients", "8", "--classic", "--rounds", &bench.rounds(4000)])?;
    let crowd = ours(&[
        "--clients",
        "1000",
        "--accounts",
        "each",
        "--rounds",
        &bench.rounds(10_000),
    ])?;
    let rounds = bench.rounds(4000);
    let paced = ours(&[
        "--scenario",
        "fixed-rate",
        "--rate",
        "200",
        "--clients",
        "64",
        "--rounds",
        &rounds,
    ])?;
    let cold = ours(&["--scenario", "cold", "--clients", "8", "--rounds", &bench.rounds(2000)])?;
    let nonce = ours(&[
        "--scenario",
        "new-nonce",
        "--clients",
        "8",
        "--rounds",
        &bench.rounds(40_000),
    ])?;
    let account = ours(&[
        "--scenario",
        "new-account",
        "--clients",
        "8",
        "--rounds",
        &bench.rounds(5000),
    ])?;
    let start = server.start.as_secs_f64();

    let cluster = Cluster::start()?;
    let server = server.serve(|text| text.replace("sqlite:vidimus.db", &cluster.url))?;
    let postgres = bench.drive(&server, &["--clients", "1,8,32,128", "--rounds", &bench.rounds(2000)])?;
    drop(server);
    drop(cluster);

    let figures = json!({
        "machine": facts, "pebble": peer, "issue": issue, "caa": caa, "classic": classic, "crowd": crowd, "paced": paced,
        "cold": cold, "new_nonce": nonce, "new_account": account, "postgres": postgres,
        "start_s": start, "empty_kib": empty_kib,
    });
    let path = target().join("bench.json");
    fs::write(&path, format!("{figures:#}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
    print!("\n{}", comparison(&figures));
    println!("\nall figures: {}", path.display());
    Ok(())
}

fn without_caa(text: &str) -> String {
    let lines = text.lines().map(|line| match line.starts_with("caa_identities") {
        true => "caa_identities = []",
        false => line,
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

struct Bench {
    http_port: u16,
    dns: String,
    scale: usize,
}

impl Bench {
    fn rounds(&self, full: usize) -> String {
        (full / self.scale).to_string()
    }

    /// Drives our server; the DNS that it asks is served by the generator, so that its CPU is the generator's.
    fn drive(&self, server: &Running, arguments: &[&str]) -> Outcome<Value> {
        let (bundle, pid) = (server.ca_bundle(), server.pid().to_string());
        let bundle = bundle.to_string_lossy();
        let fixed = [
            "--directory",
            &server.directory,
            "--ca-bundle",
            &bundle,
            "--server-pid",
            &pid,
            "--dns",
            &self.dns,
        ];
        self.load(&[&fixed, arguments].concat())
    }

    /// Runs the generator. Failed issuances are a result: they are in the figures, and printed.
    fn load(&self, arguments: &[&str]) -> Outcome<Value> {
        let json = target().join("load.json");
        // What an earlier run left must not be taken for this one's.
        let _ = fs::remove_file(&json);
        let mut command = Command::new(binary("load"));
        command
            .args(arguments)
            .args(["--http-port", &self.http_port.to_string(), "--json"])
            .arg(&json);
        println!();
        let outcome = run(&mut command);
        match fs::read(&json) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", json.display())),
            Err(_) => Err(outcome.err().unwrap_or_else(|| "load wrote no figures".to_owned())),
        }
    }
}

/// A goal, and the figure that was measured for it.
struct Line {
    goal: &'static str,
    figure: Option<f64>,
    /// Infinite where there is only an aim.
    must: f64,
    aim: f64,
    /// Whether more is better.
    more: bool,
}

/// The goals that this run can judge, as a table.
fn comparison(figures: &Value) -> String {
    let at = |name: &str, clients: u64| {
        let runs = figures[name].as_array().into_iter().flatten();
        runs.into_iter()
            .find(|run| run["clients"] == clients)
            .unwrap_or(&Value::Null)
    };
    let cpu = |run: &Value| run["server_cpu_ms"].as_f64();
    let ratio = |one: Option<f64>, other: Option<f64>| Some(one? / other.filter(|other| *other > 0.0)?);
    let (ours, crowded) = (at("issue", 8), at("issue", 128));
    let requests = ours["requests_per_round"].as_f64();
    let best = figures["issue"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|run| run["per_second"].as_f64());
    let failed = [
        "issue",
        "caa",
        "classic",
        "crowd",
        "paced",
        "cold",
        "new_nonce",
        "new_account",
        "postgres",
    ]
    .iter()
    .flat_map(|name| {
        figures[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|run| run["failures"]["total"].as_f64())
    });
    let fair = ratio(
        crowded["clients"].as_f64().map(|clients| 2000.0 * clients),
        crowded["per_second"].as_f64(),
    );
    let rss = |run: &Value| Some(run["server_rss_kib"][1].as_f64()? / 1024.0);
    let line = |goal, figure, must, aim| Line {
        goal,
        figure,
        must,
        aim,
        more: false,
    };
    let lines = [
        line(
            "CPU of an issuance at 8 clients, against pebble's",
            ratio(cpu(ours), cpu(at("pebble", 8))),
            0.30,
            0.20,
        ),
        line(
            "the same with CAA, against without",
            ratio(cpu(at("caa", 8)), cpu(ours)),
            f64::INFINITY,
            1.3,
        ),
        line(
            "the same, against the floor at as many requests",
            ratio(cpu(ours), requests.map(floor_ms)),
            2.0,
            1.4,
        ),
        Line {
            goal: "issuances a second, best",
            figure: best.reduce(f64::max),
            must: 900.0,
            aim: 1300.0,
            more: true,
        },
        line("failures in all runs", Some(failed.sum()), 0.0, 0.0),
        line(
            "p99 at 128 clients, against 2 x clients / rate",
            ratio(crowded["latency"]["p99"].as_f64(), fair),
            f64::INFINITY,
            1.0,
        ),
        line(
            "p99 at 200 a second, ms",
            at("paced", 64)["latency"]["p99"].as_f64(),
            25.0,
            10.0,
        ),
        line("requests of an issuance, polite client", requests, 7.0, 5.0),
        line(
            "CPU of newNonce, us",
            cpu(at("new_nonce", 8)).map(|ms| ms * 1000.0),
            15.0,
            12.0,
        ),
        line(
            "CPU of newAccount, us",
            cpu(at("new_account", 8)).map(|ms| ms * 1000.0),
            120.0,
            90.0,
        ),
        line("CPU of a cold issuance, ms", cpu(at("cold", 8)), 1.5, 1.0),
        line(
            "CPU of an issuance on PostgreSQL, against SQLite's",
            ratio(cpu(at("postgres", 8)), cpu(ours)),
            1.5,
            1.2,
        ),
        line(
            "memory when empty, MiB",
            figures["empty_kib"].as_f64().map(|kib| kib / 1024.0),
            20.0,
            10.0,
        ),
        line("memory after 128 clients, MiB", rss(crowded), 60.0, 40.0),
        line("start with an empty store, s", figures["start_s"].as_f64(), 0.1, 0.05),
    ];
    let mut text = format!("{:<50} {:>9} {:>9} {:>9}\n", "goal", "figure", "must", "aim");
    for line in lines {
        let shown = |figure: Option<f64>| figure.map_or("-".to_owned(), |figure| format!("{figure:.2}"));
        text += &format!(
            "{:<50} {:>9} {:>9} {:>9.2}  {}\n",
            line.goal,
            shown(line.figure),
            shown(Some(line.must).filter(|must| must.is_finite())),
            line.aim,
            line.verdict()
        );
    }
    text
}

impl Line {
    fn verdict(&self) -> &'static str {
        let Some(figure) = self.figure else {
            return "not measured";
        };
        let reaches = |goal: f64| {
            if self.more { figure >= goal } else { figure <= goal }
        };
        match (reaches(self.aim), reaches(self.must)) {
            (true, _) => "aim reached",
            (false, true) => "must reached",
            (false, false) => "MISSED",
        }
    }
}

/// What the primitives of an issuance cost on two cores of a 2020s server: 0.47 ms at 5 requests, 0.59 ms at 7.
fn floor_ms(requests: f64) -> f64 {
    0.47 + (requests - 5.0) * 0.06
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_in_its_own_direction() {
        let line = |figure, more| Line {
            goal: "",
            figure,
            must: 10.0,
            aim: if more { 20.0 } else { 5.0 },
            more,
        };
        assert_eq!(line(Some(4.0), false).verdict(), "aim reached");
        assert_eq!(line(Some(7.0), false).verdict(), "must reached");
        assert_eq!(line(Some(11.0), false).verdict(), "MISSED");
        assert_eq!(line(Some(25.0), true).verdict(), "aim reached");
        assert_eq!(line(Some(15.0), true).verdict(), "must reached");
        assert_eq!(line(Some(9.0), true).verdict(), "MISSED");
        assert_eq!(line(None, true).verdict(), "not measured");
    }

    #[test]
    fn the_comparison_finds_its_figures() {
        let figures = json!({
            "pebble": [{ "clients": 8, "server_cpu_ms": 4.0 }],
            "issue": [{ "clients": 8, "server_cpu_ms": 1.0, "requests_per_round": 5.0, "per_second": 1000.0 }],
        });
        let text = comparison(&figures);
        assert!(text.contains("0.25      0.30      0.20  must reached"), "{text}");
        assert!(text.contains("1000.00    900.00   1300.00  must reached"), "{text}");
    }
}
