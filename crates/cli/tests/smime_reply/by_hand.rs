//! What a person sees and types with `smime enroll --paste`.

use email_reply::server::transport::sender::Sent;
use mail::{
    message::{address::Mailbox, domain::Domain},
    message_id::MessageId,
    reply,
};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::site::{Site, now};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_enrols_by_hand_with_what_the_command_says() {
    let mut site = Site::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut enroll = tokio::process::Command::new(env!("CARGO_BIN_EXE_vidimus"))
        .args([
            "smime",
            "enroll",
            "alice@alpha.test",
            "--paste",
            "--server",
            &site.served.directory(),
        ])
        .arg("--ca-bundle")
        .arg(site.served.folder.path().join("root.pem"))
        .arg("--dir")
        .arg(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut typed = enroll.stdin.take().unwrap();
    let mut said = BufReader::new(enroll.stderr.take().unwrap()).lines();
    let mail = site.delivered.recv().await.unwrap();
    let from = Mailbox::parse(mail.return_path.as_deref().unwrap()).unwrap();
    let received = site.read(&mail.octets, &from, "alice@alpha.test");
    typed
        .write_all(format!("ACME: {}\n", received.token_part1).as_bytes())
        .await
        .unwrap();

    let mut wanted = Vec::new();
    while !wanted.iter().any(|line: &String| line.contains("END ACME RESPONSE")) {
        wanted.push(said.next_line().await.unwrap().expect("it says what to send"));
    }
    let at = wanted
        .iter()
        .position(|line| line.contains("BEGIN ACME RESPONSE"))
        .unwrap();
    let digest = &wanted[at + 1];
    assert!(wanted.iter().any(|line| *line == format!("To: {from}")), "{wanted:?}");
    assert!(
        wanted
            .iter()
            .any(|line| *line == format!("Subject: Re: ACME: {}", received.token_part1))
    );

    let id = MessageId::new("by-hand", &Domain::parse("alpha.test").unwrap()).unwrap();
    let octets = String::from_utf8(reply::compose(&received, digest, &id, now())).unwrap();
    let sent = site
        .deliver(
            "alice@alpha.test",
            &from.to_string(),
            &site.signed(&site.alpha, &octets),
        )
        .await;
    assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
    typed.write_all(b"\n").await.unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
    assert!(enroll.wait().await.unwrap().success());
    assert!(folder.path().join("certs/alice@alpha.test/fullchain.pem").is_file());
}
