//! What Prometheus reads.

use std::fmt::Write;

use storage::Statistics;

/// Prometheus text format, version 0.0.4.
pub fn render(store: &Statistics) -> String {
    let mut text = String::new();
    let counters = [
        ("vidimus_store_commits_total", "Durable transactions.", store.commits),
        ("vidimus_store_changes_total", "Changes in them.", store.jobs),
        ("vidimus_store_rows_total", "Rows in them.", store.rows),
    ];
    for (name, help, value) in counters {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
    }
    text
}
