//! The suite against `vidimus dev`: nothing may fail.

mod running;

use std::process::Command;

use running::{Server, free_port, report, workspace_target};

#[tokio::test]
async fn vidimus_meets_every_requirement_that_has_a_test() {
    let target = workspace_target();
    let binary = target.vidimus();
    assert!(
        binary.exists(),
        "{} is missing; `cargo build --workspace` builds it",
        binary.display()
    );
    let dir = tempfile::tempdir().unwrap();
    let (http_port, tls_port) = (free_port(), free_port());
    let mut command = Command::new(binary);
    command
        .args([
            "dev",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--challtestsrv",
            "127.0.0.1:0",
        ])
        .arg("--no-first-certificate")
        .args([
            "--http-port",
            &http_port.to_string(),
            "--tls-port",
            &tls_port.to_string(),
        ])
        .arg("--dir")
        .arg(dir.path());
    let server = Server::start(command, &["ready", "challtestsrv"]);
    let report = report(conformance::Options {
        http_port: Some(http_port),
        tls_port: Some(tls_port),
        challtestsrv: Some(server.line("challtestsrv")),
        certificates: Some(target.issued()),
        ..conformance::Options::new(server.line("ready"), dir.path().join("root.pem"))
    })
    .await;
    target.write("conformance-vidimus.md", &report.markdown());
    let failed = report.failed();
    assert!(failed.is_empty(), "failed: {failed:?}\n{}", report.summary());
}
