//! The suite against `vidimus dev`: nothing may fail.

mod running;

use std::{process::Command, time::Duration};

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
        directory: server.line("ready"),
        ca_bundle: dir.path().join("root.pem"),
        http_port: Some(http_port),
        tls_port: Some(tls_port),
        responder: [127, 0, 0, 1].into(),
        challtestsrv: Some(server.line("challtestsrv")),
        domain: "conformance.example".into(),
        certificates: Some(target.issued()),
        parallel: 8,
        pause: Duration::ZERO,
        skip: Vec::new(),
    })
    .await;
    target.write("conformance-vidimus.md", &report.markdown());
    let failed = report.failed();
    assert!(failed.is_empty(), "failed: {failed:?}\n{}", report.summary());
}

// 8555-7.3-5
#[tokio::test]
async fn nobody_gets_an_account_of_a_server_with_terms_without_agreeing() {
    let target = workspace_target();
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new(target.vidimus())
        .args(["init", "--listen", &format!("127.0.0.1:{}", free_port()), "--dir"])
        .arg(dir.path())
        .status()
        .unwrap();
    assert!(made.success());
    let file = dir.path().join("vidimus.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let config = config.replace("127.0.0.1:14001", "127.0.0.1:0");
    let config = config.replace("[acme]", "[acme]\nterms_of_service = \"https://ca.example/terms\"");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(target.vidimus());
    command.arg("serve").arg("--config").arg(&file);
    let server = Server::start(command, &["ready"]);
    let options = conformance::Options {
        directory: server.line("ready"),
        ca_bundle: dir.path().join("root.pem"),
        http_port: None,
        tls_port: None,
        responder: [127, 0, 0, 1].into(),
        challtestsrv: None,
        domain: "conformance.example".into(),
        certificates: None,
        parallel: 1,
        pause: Duration::ZERO,
        skip: Vec::new(),
    };
    let report = conformance::run(options, &["8555-7.3-5".to_owned()]).await.unwrap();
    assert!(report.failed().is_empty(), "{}", report.summary());
    assert_eq!(format!("{:?}", report.standing("8555-7.3-5")), "Pass");
}
