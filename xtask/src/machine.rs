//! The facts of the machine that figures belong to.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::run::output;

pub fn facts() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpuinfo, meminfo) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    let said = |program: &str, arguments: &[&str]| {
        output(Command::new(program).args(arguments))
            .map(|text| text.trim().to_owned())
            .ok()
    };
    json!({
        "cpu": field(&cpuinfo, "model name"),
        "cores": cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
        "memory": field(&meminfo, "MemTotal"),
        "kernel": said("uname", &["-sr"]),
        "load": read("/proc/loadavg").trim(),
        "rustc": said("rustc", &["--version"]),
        "pebble": said("dpkg-query", &["-W", "-f", "${Version}", "pebble"]),
        "commit": said("git", &["rev-parse", "--short", "HEAD"]),
        "when": said("date", &["-u", "+%Y-%m-%dT%H:%MZ"]),
    })
}
