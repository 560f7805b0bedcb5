use std::{fs, time::Duration};

use super::*;

/// A program that is what the script says, in a folder of its own.
struct Program {
    folder: tempfile::TempDir,
    command: Command,
}

impl Program {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("issue.sh"), script).unwrap();
        let command = Command {
            command: vec![
                "/bin/sh".to_owned(),
                "issue.sh".to_owned(),
                "two words; $HOME".to_owned(),
            ],
            folder: folder.path().to_owned(),
            time_limit: Duration::from_secs(60),
            patience: Duration::from_secs(600),
        };
        Self { folder, command }
    }

    fn wrote(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }
}

struct NoNotes;

impl Notes for NoNotes {
    fn read(&self) -> BoxFuture<'_, Result<Option<String>, BackEndFailure>> {
        panic!("a program keeps its own")
    }

    fn write<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        panic!("a program keeps its own")
    }
}

fn request() -> BackEndRequest {
    BackEndRequest {
        key: "here.7.0".to_owned(),
        directory: "default".to_owned(),
        profile: "legacy".to_owned(),
        identifiers: vec![Identifier::dns("www.example.test")],
        csr: vec![1, 2, 3],
        csr_sha256: [0xab; 32],
        not_before: None,
        not_after: Some("2027-01-01T00:00:00Z".parse().unwrap()),
    }
}

fn unavailable<T: std::fmt::Debug>(outcome: Result<T, BackEndFailure>) -> String {
    match outcome {
        Err(BackEndFailure::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_step_is_one_call_that_reads_json_and_no_shell_sees_its_arguments() {
    let program =
        Program::new("printf '%s' \"$1\" > argument; cat >> asked; echo >> asked; echo '{\"status\":\"done\"}'");
    program.command.submit(&request()).await.unwrap();
    program.command.abandon("here.7.0").await.unwrap();
    let reason = Some(RevocationReason::Superseded);
    program.command.revoke("here.7.0", &[4, 5], reason).await.unwrap();
    assert_eq!(program.wrote("argument"), "two words; $HOME");
    let asked = program.wrote("asked");
    let asked: Vec<serde_json::Value> = asked.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(asked[0]["step"], "submit");
    assert_eq!(asked[0]["key"], "here.7.0");
    assert_eq!(asked[0]["identifiers"][0]["value"], "www.example.test");
    assert_eq!(asked[0]["csrSha256"], "ab".repeat(32));
    assert!(
        asked[0]["csr"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE REQUEST-----\n")
    );
    assert_eq!(asked[0]["notAfter"], "2027-01-01T00:00:00Z");
    assert_eq!(asked[1], serde_json::json!({"step": "abandon", "key": "here.7.0"}));
    assert_eq!((&asked[2]["step"], &asked[2]["reason"]), (&"revoke".into(), &4.into()));
}

#[tokio::test]
async fn an_answer_is_a_chain_or_a_time_or_a_refusal_with_its_reason() {
    let chain = pkix::pem::encode_certificates(&[vec![1; 9], vec![2; 9]]).replace('\n', "\\n");
    for (answer, expected) in [
        (
            format!("{{\"status\":\"issued\",\"chain\":\"{chain}\"}}"),
            Ok(Answer::Chain(vec![vec![1; 9], vec![2; 9]])),
        ),
        (
            "{\"status\":\"later\",\"retryAfter\":90}".to_owned(),
            Ok(Answer::Later(Duration::from_secs(90))),
        ),
        (
            "{\"status\":\"refused\",\"reason\":\"not\\n  \\u001b[31mtoday\"}".to_owned(),
            Err(BackEndFailure::Refused("not \u{fffd}[31mtoday".to_owned())),
        ),
    ] {
        let program = Program::new("cat > /dev/null; cat answer");
        fs::write(program.folder.path().join("answer"), answer).unwrap();
        assert_eq!(program.command.issue(&request(), &NoNotes).await, expected);
    }
}

#[tokio::test]
async fn whatever_is_no_answer_is_asked_again_and_says_why() {
    for (script, why) in [
        ("echo the disk is full >&2; exit 3", "the disk is full"),
        ("echo hello", "no answer that can be read"),
        ("echo '{\"status\":\"done\"}'", "where"),
        ("echo '{\"status\":\"issued\",\"chain\":\"x\"}'", "not PEM"),
        ("head -c 300000 /dev/zero", "more than"),
        ("kill -9 $$", "signal"),
    ] {
        let said = unavailable(Program::new(script).command.issue(&request(), &NoNotes).await);
        assert!(said.contains(why), "{script}: {said}");
    }
    let mut nobody = Program::new("").command;
    nobody.command = vec!["/nowhere/issue".to_owned()];
    assert!(unavailable(nobody.abandon("k").await).contains("/nowhere/issue: it cannot be started"));
}

#[tokio::test]
async fn one_that_does_not_answer_is_ended() {
    let mut program = Program::new("exec sleep 1000");
    program.command.time_limit = Duration::from_millis(50);
    assert!(unavailable(program.command.issue(&request(), &NoNotes).await).contains("no answer within"));
}
