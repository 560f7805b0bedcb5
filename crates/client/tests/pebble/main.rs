//! The commands against Debian's pebble, with its own challtestsrv as DNS: what we write is what another
//! implementation reads. Nonces are refused at random, as pebble does by default.

mod world;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use client::{Csr, KeyType};
use pkix::pem;
use world::{Run, World};

/// A certificate from order to revocation, and its account to its end.
#[tokio::test]
async fn a_certificate_lives_its_whole_life() {
    let world = World::start().await;
    let dir = world.path("subscriber");
    let issue = |more: &str| {
        world.run(format!(
            "cert issue www.example.test example.test {more} --dir {}",
            dir.display()
        ))
    };
    let standalone = format!("--standalone 127.0.0.1:{}", world.http_port);

    // 8555-7.3-6
    let run = issue(&standalone).await;
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("--agree-tos") && run.stderr.contains("data:text/plain"),
        "{}",
        run.stderr
    );

    let run = issue(&format!("{standalone} --agree-tos --contact ann@example.test --json")).await;
    let issued = run.json();
    assert_eq!(issued["schema"], 1);
    let certificate = &issued["certificate"];
    assert_eq!(
        certificate["identifiers"],
        serde_json::json!(["www.example.test", "example.test"]),
        "{issued}"
    );
    let folder = dir.join("certs/www.example.test");
    for file in ["cert", "chain", "fullchain", "privkey"] {
        assert_eq!(
            certificate["files"][file],
            folder.join(format!("{file}.pem")).to_str().unwrap()
        );
    }
    // 8555-C-6
    assert_eq!(mode(&folder.join("privkey.pem")), 0o600);
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&dir.join("accounts")), 0o700);
    let first = fs::read_link(&folder).unwrap();
    let full = fs::read_to_string(folder.join("fullchain.pem")).unwrap();
    assert_eq!(full, read(&folder, "cert.pem") + &read(&folder, "chain.pem"));
    assert!(pem::parse_chain(&full).unwrap().len() >= 2);

    let list = world.run(format!("cert list --dir {}", dir.display())).await;
    assert!(
        list.stdout.starts_with("www.example.test  good until "),
        "{}",
        list.stdout
    );
    let show = world
        .run(format!("cert show www.example.test --json --dir {}", dir.display()))
        .await
        .json();
    assert_eq!(show["certificate"]["serial"], certificate["serial"]);

    let renew = world.run(format!("cert renew --dir {}", dir.display())).await;
    assert_eq!(renew.code, 0);
    assert!(renew.stdout.contains("not due before"), "{}", renew.stdout);
    let renew = world
        .run(format!("cert renew --force --json --dir {}", dir.display()))
        .await;
    assert_eq!(renew.code, 0, "{}", renew.stderr);
    assert_eq!(renew.json()["renewals"][0]["outcome"], "renewed");
    assert_ne!(fs::read_link(&folder).unwrap(), first);
    assert_ne!(read(&folder, "fullchain.pem"), full);

    let server = format!("{} --dir {}", world.server(), dir.display());
    let account = world.run(format!("account show --json {server}")).await.json();
    assert_eq!(account["account"]["status"], "valid");
    assert_eq!(account["account"]["contact"][0], "mailto:ann@example.test");
    let changed = world
        .run(format!("account change-key --account-key-type ec384 --json {server}"))
        .await
        .json();
    assert_ne!(changed["account"]["thumbprint"], account["account"]["thumbprint"]);
    assert_eq!(changed["account"]["url"], account["account"]["url"]);

    let revoke = format!("cert revoke www.example.test --dir {}", dir.display());
    assert_eq!(world.run(format!("{revoke} --reason superseded")).await.code, 0);
    let again = world.run(revoke).await;
    assert_eq!(again.code, 0, "what is revoked is revoked: {}", again.stderr);

    let deactivated = world.run(format!("account deactivate --json {server}")).await.json();
    assert_eq!(deactivated["account"]["status"], "deactivated");
    assert_eq!(world.run(format!("account show {server}")).await.code, 2);
}

#[tokio::test]
async fn names_are_proven_by_tls_alpn() {
    let world = World::start().await;
    let run = world
        .run(format!(
            "cert issue a.test b.test 127.0.0.1 --tls-alpn 127.0.0.1:{} --agree-tos --json",
            world.tls_port
        ))
        .await;
    let identifiers = run.json()["certificate"]["identifiers"].clone();
    assert_eq!(
        identifiers.as_array().map(Vec::len),
        Some(3),
        "{} {identifiers}",
        run.stderr
    );
}

#[tokio::test]
async fn a_wildcard_is_proven_by_a_dns_hook() {
    let world = World::start().await;
    let hook = world.dns_hook();
    let run = world
        .run(format!(
            "cert issue *.example.test example.test --dns-hook {} --agree-tos",
            hook.display()
        ))
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let calls = fs::read_to_string(world.path("hook.log")).unwrap();
    let count = |verb: &str| calls.lines().filter(|line| line.starts_with(verb)).count();
    // 8555-7.5.1-5
    assert_eq!((count("present"), count("cleanup")), (2, 2), "{calls}");
    assert!(world.path("default/certs/_.example.test/fullchain.pem").exists());
}

#[tokio::test]
async fn names_are_proven_below_a_web_root() {
    let world = World::start().await;
    let root = world.path("www");
    fs::create_dir(&root).unwrap();
    let _server = world.serve_files(&root).await;
    for key_type in ["ec256", "ec384", "rsa2048"] {
        let run = world
            .run(format!(
                "cert issue a.test --webroot {} --agree-tos --key-type {key_type} --account-key-type rsa2048",
                root.display()
            ))
            .await;
        assert_eq!(run.code, 0, "{key_type}: {}", run.stderr);
    }
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
}

/// The key of a request that was made elsewhere is neither needed nor written.
#[tokio::test]
async fn a_request_made_elsewhere_is_certified_without_its_key() {
    let world = World::start().await;
    let key = KeyType::Ec256.generate();
    let csr = Csr::new(&key, &["a.test".parse().unwrap(), "b.test".parse().unwrap()]).unwrap();
    let path = world.path("request.der");
    fs::write(&path, csr.der()).unwrap();
    let standalone = format!("--standalone 127.0.0.1:{}", world.http_port);
    let run = world
        .run(format!(
            "cert issue --csr {} {standalone} --agree-tos --json",
            path.display()
        ))
        .await;
    let issued = run.json();
    assert!(
        issued["certificate"]["files"]["privkey"].is_null(),
        "{issued} {}",
        run.stderr
    );
    let folder = world.path("default/certs/a.test");
    assert!(!folder.join("privkey.pem").exists());

    // Revoked by its own key, without the account.
    let key_path = world.path("key.pem");
    fs::write(&key_path, key.to_pkcs8_pem().as_bytes()).unwrap();
    let cert = folder.join("cert.pem");
    let other = world.path("nobody");
    let revoke = format!(
        "cert revoke --cert {} {} --dir {}",
        cert.display(),
        world.server(),
        other.display()
    );
    assert_eq!(world.run(&revoke).await.code, 2, "there is no account in this folder");
    let run = world
        .run(format!("{revoke} --key {} --reason keyCompromise", key_path.display()))
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
}

// 8555-6.7-3: identifier, problem type and what to do next
#[tokio::test]
async fn a_failed_validation_names_the_problem_and_the_next_step() {
    let world = World::start().await;
    let other_port = world::free_port();
    let run: Run = world
        .run(format!(
            "cert issue a.test --standalone 127.0.0.1:{other_port} --agree-tos --json"
        ))
        .await;
    assert_eq!(run.code, 1);
    for part in ["a.test", "http-01", "urn:ietf:params:acme:error:", "next:", "port 80"] {
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
    }
    let error = &run.json()["error"];
    assert_eq!(error["kind"], "unproven");
    assert!(
        error["problem"]["type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("urn:ietf:params:acme:error:"))
    );
    assert_eq!(error["failures"][0]["identifier"], "a.test");
    assert!(!world.path("default/certs").exists());
}

// 8555-C-4
#[tokio::test]
async fn a_server_with_a_certificate_of_its_own_is_refused() {
    let world = World::start().await;
    let run = world
        .run_without_bundle("cert issue a.test --standalone 127.0.0.1:0 --agree-tos --json")
        .await;
    assert_eq!(run.code, 1);
    assert_eq!(run.json()["error"]["kind"], "transport");
    assert!(run.stderr.contains("--ca-bundle"), "{}", run.stderr);
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
