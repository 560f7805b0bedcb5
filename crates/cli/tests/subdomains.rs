//! Names below a domain that was proved (RFC 9444), on a server that has it switched on, and by our own client.

mod served;

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use conformance::{Options, World, craft, world::Account};
use pkix::key::KeyPair;
use serde_json::{Value, json};
use testbed::dns::{self, Dns, Property};

use served::Served;

struct Authority {
    served: Served,
    dns: dns::Running,
}

impl Authority {
    async fn start(extensions: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let dns = Dns::start(any, Some(any)).await.unwrap();
        let more: toml::Table = format!(
            "validation = {{ resolvers = [\"{}\"] }}\n\
             acme = {{ caa_identities = [\"ca.example\"] }}\nextensions = {{ {extensions} }}\n",
            dns.dns_addr
        )
        .parse()
        .unwrap();
        let served = Served::start(|config| {
            config.extend(more.clone());
        });
        Self { served, dns }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.served.folder.path().join(name)
    }

    async fn world(&self) -> World {
        let options = Options {
            challtestsrv: self.dns.control_addr.map(|address| format!("http://{address}")),
            domain: "zone.example".into(),
            ..Options::new(self.served.directory(), self.file("root.pem"))
        };
        World::open(options).await.unwrap()
    }

    /// A program that makes records, and writes down where.
    fn hook(&self) -> PathBuf {
        let path = self.file("hook");
        let script = format!(
            r#"#!/bin/bash
echo "$1 $2" >> {log}
case $1 in
  present) path=/set-txt body="{{\"host\":\"$2\",\"value\":\"$3\"}}" ;;
  cleanup) path=/clear-txt body="{{\"host\":\"$2\"}}" ;;
esac
exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1
printf 'POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s' "$path" "${{#body}}" "$body" >&3
read -r answer <&3
[[ $answer == *200* ]]
"#,
            log = self.file("hook.log").display(),
            port = self.dns.control_addr.unwrap().port(),
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn client(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["cert"])
            .args(arguments)
            .arg("--dir")
            .arg(self.file("certs"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn issue(&self, arguments: &[&str]) -> Output {
        let (server, root) = (self.served.directory(), self.file("root.pem"));
        let hook = self.hook();
        let own = [
            "--server",
            &server,
            "--ca-bundle",
            root.to_str().unwrap(),
            "--dns-hook",
            hook.to_str().unwrap(),
        ];
        self.client(&[&["issue"][..], arguments, &own[..]].concat())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn order_below(world: &World, account: &Account, names: &[&str], ancestor: &str) -> conformance::world::Order {
    let identifiers = names
        .iter()
        .map(|name| json!({ "type": "dns", "value": name, "ancestorDomain": ancestor }));
    let identifiers: Vec<Value> = identifiers.collect();
    world.order_identifiers(account, identifiers.into()).await.unwrap()
}

// 9444-4.3-1, 9444-4.1-1: by our own client, also when renewing.
#[tokio::test(flavor = "multi_thread")]
async fn our_client_proves_the_ancestor_once_for_all_names_below_it() {
    let authority = Authority::start("subdomains = { enabled = true }").await;
    let names = ["a.zone.example", "*.b.zone.example"];
    let issued = authority.issue(&[&names[..], &["--ancestor", "zone.example"]].concat());
    assert!(issued.status.success(), "{}", said(&issued));
    let once = "present _acme-challenge.zone.example.\ncleanup _acme-challenge.zone.example.\n";
    assert_eq!(fs::read_to_string(authority.file("hook.log")).unwrap(), once);
    let shown = authority.client(&["show", "a.zone.example", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let shown = shown.to_string();
    assert!(names.iter().all(|name| shown.contains(name)), "{shown}");

    let renewed = authority.client(&["renew", "--force", "a.zone.example"]);
    assert!(renewed.status.success(), "{}", said(&renewed));
    assert_eq!(fs::read_to_string(authority.file("hook.log")).unwrap(), once.repeat(2));

    let useless = authority.issue(&["a.zone.example", "--ancestor", "other.example"]);
    assert!(
        said(&useless).contains("other.example is no domain above"),
        "{}",
        said(&useless)
    );
    let suffix = authority.issue(&["a.zone.example", "--ancestor", "example"]);
    assert!(said(&suffix).contains("public suffix"), "{}", said(&suffix));
}

// 9444-4.4-1
#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_where_nobody_said_so_and_the_members_mean_nothing() {
    let authority = Authority::start("").await;
    let world = authority.world().await;
    assert_eq!(world.directory["meta"].get("subdomainAuthAllowed"), None);
    let account = world.account().await.unwrap();
    let (name, other) = (world.name("www"), world.name("ww"));
    let order = order_below(&world, &account, &[&name, &other], &other).await;
    assert_eq!(order.authorizations().len(), 2);
    let object = world.read_json(&account, &order.authorizations()[0]).await.unwrap();
    assert_eq!(object["identifier"], json!({ "type": "dns", "value": name }));
    assert_eq!(object.get("subdomainAuthAllowed"), None);
    let refused = authority.issue(&["a.zone.example", "--ancestor", "zone.example"]);
    assert!(said(&refused).contains("leave out --ancestor"), "{}", said(&refused));
}

// 9444-4.3-3, 8659-4-4: the ordered names are asked about CAA, with the method that proved their ancestor.
#[tokio::test]
async fn each_name_s_own_caa_decides_however_its_ancestor_was_proved() {
    let authority = Authority::start("subdomains = { enabled = true }").await;
    let world = authority.world().await;
    let account = world.account().await.unwrap();
    let zone = world.name("caa");
    let (open, closed) = (format!("open.{zone}"), format!("closed.{zone}"));
    let issue = |value: &str| {
        vec![Property {
            flags: 0,
            tag: "issue".into(),
            value: value.into(),
        }]
    };
    let dns = &authority.dns.handle;
    dns.add_caa(&zone, &issue("ca.example; validationmethods=dns-01"))
        .unwrap();
    dns.add_caa(&closed, &issue("ca.example; validationmethods=http-01"))
        .unwrap();
    let order = order_below(&world, &account, &[&open, &closed], &zone).await;
    assert_eq!(order.authorizations().len(), 1);
    let order = world.make_ready(&account, order).await.unwrap();
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[&open, &closed]);
    let refused = world.finalize(&account, &order, &csr).await.unwrap();
    let problem = refused.refused_with(403, &["caa"]).unwrap();
    let subproblems = problem["subproblems"].as_array().unwrap();
    assert_eq!(subproblems.len(), 1, "{problem}");
    assert_eq!(subproblems[0]["identifier"]["value"], closed);
    dns.clear_caa(&closed).unwrap();
    let answer = world.finalize(&account, &order, &csr).await.unwrap();
    answer.expect(200).unwrap();
}

// 9444-4.3-3, DNSP-3: what a standing record lets be proved below it is what it says.
#[tokio::test]
async fn every_dns_method_proves_an_ancestor_and_a_standing_record_only_if_it_covers_wildcards() {
    let on = "subdomains = { enabled = true }, dns-account = { enabled = true }, dns-persist = { enabled = true }";
    let authority = Authority::start(on).await;
    let world = authority.world().await;
    let account = world.account().await.unwrap();
    for (policy, status) in [("", "invalid"), ("; policy=wildcard", "valid")] {
        let zone = world.name("persist");
        let order = order_below(&world, &account, &[&format!("a.{zone}")], &zone).await;
        let url = &order.authorizations()[0];
        let object = world.read_json(&account, url).await.unwrap();
        let challenges = object["challenges"].as_array().unwrap().iter();
        let types: Vec<_> = challenges
            .clone()
            .map(|challenge| challenge["type"].as_str().unwrap())
            .collect();
        assert_eq!(types, ["dns-01", "dns-account-01", "dns-persist-01"]);
        let record = format!("ca.example; accounturi={}{policy}", account.url);
        let dns = &authority.dns.handle;
        dns.add_txt(&format!("_validation-persist.{zone}"), &record).unwrap();
        let challenge = challenges.last().unwrap()["url"].as_str().unwrap();
        let answer = world.post(&account, challenge, &json!({})).await.unwrap();
        answer.expect(200).unwrap();
        let object = world.settled(&account, url).await.unwrap();
        assert_eq!(object["status"], status, "{object}");
    }
}
