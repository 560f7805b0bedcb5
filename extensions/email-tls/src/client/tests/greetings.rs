use std::sync::Arc;

use client::{Csr, Identifier, KeyType, Method, Proof, Solver, SystemClock, Token, solver::DnsHook};
use pkix::csr::CertificateRequest;
use serde_json::{Map, Value, json};

use super::site::Site;
use crate::{
    client::{
        daemon::{Daemon, WordsFile, most_words},
        journal::Journal,
        kind::Kind,
        publish::Publisher,
        records::RecordSolver,
        session::look,
        solver::MailSolver,
    },
    service::{Service, ServicePort},
    value::{Bound, in_greeting},
};

const SERVICES: [Service; 4] = [Service::Submission, Service::Submissions, Service::Imap, Service::Imaps];

fn publisher(site: &Site, daemons: Vec<Daemon>) -> Arc<Publisher> {
    Arc::new(Publisher::new(
        daemons,
        Journal::of(site.root()),
        "mail.alpha.test".to_owned(),
        site.lookup(),
        Arc::new(SystemClock),
    ))
}

fn proof(name: &str, token: &str, services: &[ServicePort]) -> Proof {
    let services: Vec<Value> = services
        .iter()
        .map(|at| json!({"service": at.service.name(), "port": at.port}))
        .collect();
    let members: Map<String, Value> = [("services".to_owned(), services.into())].into_iter().collect();
    Proof::new(name.parse().unwrap(), Token::new(token).unwrap(), &[7; 32].into()).with_members(members)
}

fn all(site: &Site) -> Vec<ServicePort> {
    site.ports.keys().map(|service| site.at(*service)).collect()
}

async fn greeting(site: &Site, service: Service) -> String {
    let address = ([127, 0, 0, 1], site.ports[&service]).into();
    look(address, service, "mail.alpha.test").await.unwrap().greeting
}

// etls-p-12
#[tokio::test(flavor = "multi_thread")]
async fn words_of_several_proofs_stand_side_by_side_and_go_with_the_last() {
    let site = Site::with(&SERVICES).await;
    let (main, dovecot) = (site.file("main.cf"), site.file("dovecot.conf"));
    let publisher = publisher(&site, site.daemons());
    let ordered: Vec<Identifier> = ["mail.alpha.test", "_imaps.alpha.test"]
        .map(|name| name.parse().unwrap())
        .into();
    let solver = |kind| MailSolver::new(kind, Arc::clone(&publisher), SERVICES.into(), &ordered);
    let (of_host, of_service) = (solver(Kind::MailGreeting), solver(Kind::MailSrv));
    assert_eq!(of_host.method(), Method::Other("mail-greeting-01"));

    let host_proof = proof("mail.alpha.test", "dG9rZW4x", &all(&site));
    let service_proof = proof("_imaps.alpha.test", "dG9rZW4y", &[site.at(Service::Imaps)]);
    let first = of_host.present(&host_proof).await.unwrap();
    let second = of_service.present(&service_proof).await.unwrap();
    let answer = Value::from(of_host.response(&host_proof));
    assert_eq!(
        answer,
        json!({"services": ["submission", "submissions", "imap", "imaps"]})
    );
    assert_eq!(
        Value::from(of_service.response(&service_proof)),
        json!({"services": ["imaps"]})
    );
    for service in SERVICES {
        let word = in_greeting(&Bound::MailGreeting.value(&host_proof.key_authorization, site.at(service)));
        assert!(greeting(&site, service).await.contains(&word), "{service}");
    }
    let word = in_greeting(&Bound::MailSrv.value(&service_proof.key_authorization, site.at(Service::Imaps)));
    assert!(greeting(&site, Service::Imaps).await.contains(&word));
    // Beside what was there.
    assert!(
        greeting(&site, Service::Imaps)
            .await
            .contains("Dovecot ready. acme-mail-01=")
    );
    assert!(
        greeting(&site, Service::Submission)
            .await
            .starts_with("mail.alpha.test ESMTP")
    );
    assert_eq!(Journal::of(site.root()).read().unwrap().len(), 2);

    first.cleanup().await.unwrap();
    assert!(greeting(&site, Service::Imaps).await.contains(&word));
    drop(second);
    assert_eq!((site.file("main.cf"), site.file("dovecot.conf")), (main, dovecot));
    assert_eq!(site.file("main.live"), site.file("main.cf"));
    assert!(Journal::of(site.root()).read().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banner_of_the_administrators_own_comes_back_as_it_was() {
    let site = Site::with(&[Service::Submission]).await;
    let main = "myhostname = mail.alpha.test\nsmtpd_banner = $myhostname NO UCE   ESMTP\n";
    std::fs::write(site.root().join("main.cf"), main).unwrap();
    let publisher = publisher(&site, site.daemons());
    let solver = MailSolver::new(Kind::MailGreeting, publisher, vec![Service::Submission], &[]);
    let shown = solver
        .present(&proof("mail.alpha.test", "dG9rZW4", &all(&site)))
        .await
        .unwrap();
    assert!(
        greeting(&site, Service::Submission)
            .await
            .starts_with("mail.alpha.test NO UCE   ESMTP acme-mail-01=")
    );
    shown.cleanup().await.unwrap();
    assert_eq!(site.file("main.cf"), main);
}

// 8555-C-2
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_has_left_is_brought_back_by_the_next() {
    let site = Site::with(&SERVICES).await;
    let before = (site.file("main.cf"), site.file("dovecot.conf"));
    let publisher = publisher(&site, site.daemons());
    let solver = MailSolver::new(Kind::MailGreeting, publisher, SERVICES.into(), &[]);
    let shown = solver
        .present(&proof("mail.alpha.test", "dG9rZW4", &all(&site)))
        .await
        .unwrap();
    // Killed: nothing of it is dropped.
    std::mem::forget((shown, solver));
    assert_ne!((site.file("main.cf"), site.file("dovecot.conf")), before);

    let journal = Journal::of(site.root());
    assert_eq!(journal.undo().unwrap(), 2);
    assert_eq!((site.file("main.cf"), site.file("dovecot.conf")), before);
    assert!(!greeting(&site, Service::Submission).await.contains("acme-mail-01="));
    assert_eq!(journal.undo().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_brought_back_stays_in_the_journal() {
    let site = Site::with(&[Service::Submission]).await;
    let daemons = site.daemons();
    let change = daemons[0].before().unwrap();
    change.show(&["acme-mail-01=x".to_owned()]).unwrap();
    let journal = Journal::of(site.root());
    journal.write(&[change]).unwrap();
    let postfix = site.root().join("postfix");
    std::fs::rename(&postfix, site.root().join("away")).unwrap();
    assert!(journal.undo().is_err());
    assert_eq!(journal.read().unwrap().len(), 1);
    std::fs::rename(site.root().join("away"), &postfix).unwrap();
    assert!(journal.read().unwrap().len() == 1 && journal.undo().is_ok());
}

#[tokio::test]
async fn a_greeting_that_somebody_else_has_changed_since_is_left_alone() {
    let site = Site::with(&[]).await;
    let change = site.daemons()[0].before().unwrap();
    change.show(&["acme-mail-01=x".to_owned()]).unwrap();
    let theirs = "smtpd_banner = mine\n";
    std::fs::write(site.root().join("main.cf"), theirs).unwrap();
    change.undo().unwrap();
    assert_eq!(site.file("main.cf"), theirs);
}

#[tokio::test]
async fn of_a_service_in_two_places_the_one_where_it_listens_is_answered_for_and_named_with_its_port() {
    let site = Site::with(&[Service::Imaps]).await;
    let here = site.at(Service::Imaps);
    let elsewhere = ServicePort { port: 993, ..here };
    let of_two = proof("mail.alpha.test", "dG9rZW4", &[elsewhere, here]);
    let solver = MailSolver::new(
        Kind::MailGreeting,
        publisher(&site, site.daemons()),
        vec![Service::Imaps],
        &[],
    );
    let answer = Value::from(solver.seen_at(vec![here]).response(&of_two));
    assert_eq!(
        answer,
        json!({ "services": [{ "service": "imaps", "port": here.port }] })
    );
}

#[tokio::test]
async fn services_that_cannot_be_answered_for_are_named() {
    let site = Site::with(&[Service::Submission]).await;
    let solver = MailSolver::new(
        Kind::MailGreeting,
        publisher(&site, site.daemons()),
        vec![Service::Submission],
        &[],
    );
    let elsewhere = ServicePort {
        service: Service::Imaps,
        port: 993,
    };
    let refused = solver
        .present(&proof("mail.alpha.test", "dG9rZW4", &[elsewhere]))
        .await
        .unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("imaps:993") && said.contains("submission"), "{said}");
    assert!(!solver.can_prove(&"*.alpha.test".parse().unwrap()));
    assert!(!solver.can_prove(&"192.0.2.1".parse().unwrap()));
    // It is looked for at the domain's own addresses (RFC 7817 §4.1); where the host is another, by mail-srv-01.
    assert!(solver.can_prove(&"_submission.mail.alpha.test".parse().unwrap()));
    assert!(!solver.can_prove(&"_submission.alpha.test".parse().unwrap()));
}

/// A host is proven by any of its services, a service only by itself: where greetings are full, the host takes what is left.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_words_are_shown_than_a_reply_line_has_room_for() {
    assert_eq!(most_words(), 6);
    let services = [Service::Smtp, Service::Submission, Service::Submissions];
    let site = Site::with(&services).await;
    let words = site.root().join("words");
    let publisher = publisher(&site, vec![Daemon::WordsFile(WordsFile { path: words.clone() })]);
    let ordered: Vec<Identifier> = ["a", "b", "c", "d", "e"]
        .map(|domain| format!("_submission.{domain}.test").parse().unwrap())
        .into();
    let solver = Arc::new(MailSolver::new(
        Kind::MailGreeting,
        Arc::clone(&publisher),
        services.into(),
        &ordered,
    ));
    let presenting = {
        let (solver, proof) = (Arc::clone(&solver), proof("mail.alpha.test", "dG9rZW4", &all(&site)));
        tokio::spawn(async move { solver.present(&proof).await.map(drop) })
    };
    // The scripted servers do not read that file, so the words are never seen in a greeting; what is written counts.
    while std::fs::read_to_string(&words).unwrap_or_default().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(std::fs::read_to_string(&words).unwrap().lines().count(), 1);
    presenting.abort();
    let _ = presenting.await;
    assert_eq!(std::fs::read_to_string(&words).unwrap(), "");
}

// etls-p-9, etls-p-11
#[test]
fn the_request_names_host_domain_and_services() {
    let identifiers: Vec<Identifier> = [
        "mail.alpha.test",
        "alpha.test",
        "_imaps.alpha.test",
        "_submission.alpha.test",
    ]
    .map(|name| name.parse().unwrap())
    .into();
    let csr = Csr::new(&KeyType::Ec256.generate(), &identifiers).unwrap();
    let request = CertificateRequest::parse(csr.der()).unwrap();
    let names: Vec<String> = request
        .subject_alternative_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "dns:mail.alpha.test",
            "dns:alpha.test",
            "srv:_imaps.alpha.test",
            "srv:_submission.alpha.test"
        ]
    );
}

// ETLS-P-7
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_proven_by_one_service_that_its_zone_names_and_a_host_by_itself() {
    let site = Site::with(&SERVICES).await;
    let publisher = publisher(&site, site.daemons());
    let [host, domain]: [Identifier; 2] = ["mail.alpha.test", "alpha.test"].map(|name| name.parse().unwrap());
    let ordered = [host.clone(), domain.clone()];
    let solver = |kind| MailSolver::new(kind, Arc::clone(&publisher), SERVICES.into(), &ordered);
    let (of_host, of_domain) = (solver(Kind::MailGreeting), solver(Kind::MailSrv));
    assert!(of_host.can_prove(&host) && !of_host.can_prove(&domain));
    assert!(of_domain.can_prove(&domain) && !of_domain.can_prove(&host));
    let proof = proof("alpha.test", "dG9rZW4x", &all(&site));
    let shown = of_domain.present(&proof).await.unwrap();
    assert_eq!(
        Value::from(of_domain.response(&proof)),
        json!({"services": ["submission"]})
    );
    let word = in_greeting(&Bound::MailSrv.value(&proof.key_authorization, site.at(Service::Submission)));
    assert!(greeting(&site, Service::Submission).await.contains(&word));
    shown.cleanup().await.unwrap();
}

// ETLS-3.4-2, ETLS-3.4.1-1
#[tokio::test(flavor = "multi_thread")]
async fn the_draft_s_capability_is_listed_by_dovecot_beside_the_administrators_own() {
    let site = Site::with(&[Service::Imap, Service::Imaps, Service::Submission]).await;
    let own = "ssl = yes\nimap_capability = + XOWN\n";
    for (before, expected) in [
        ("ssl = yes\n", "imap_capability = + ACME="),
        (own, "imap_capability = + XOWN ACME="),
    ] {
        std::fs::write(site.root().join("dovecot.conf"), before).unwrap();
        std::fs::write(site.root().join("dovecot.conf.live"), before).unwrap();
        let services = vec![Service::Imap, Service::Imaps, Service::Submission];
        let solver = MailSolver::new(Kind::CapabilityImap, publisher(&site, site.daemons()), services, &[]);
        let places = [site.at(Service::Imap), site.at(Service::Imaps)];
        let proof = proof("mail.alpha.test", "dG9rZW4x", &places);
        let shown = solver.present(&proof).await.unwrap();
        assert_eq!(
            Value::from(solver.response(&proof)),
            json!({"services": ["imap", "imaps"]})
        );
        let digest = proof.key_authorization.dns_value();
        assert!(site.file("dovecot.conf").contains(&format!("{expected}{digest}")));
        // No greeting is changed for it.
        assert!(!site.file("dovecot.conf").contains("login_greeting"));
        shown.cleanup().await.unwrap();
        assert_eq!(site.file("dovecot.conf"), before);
    }
    let unable = MailSolver::new(
        Kind::CapabilitySmtp,
        publisher(&site, site.daemons()),
        vec![Service::Submission],
        &[],
    );
    assert!(!unable.can_prove(&"mail.alpha.test".parse().unwrap()));
}

// ETLS-3.3-1, ETLS-3-2
#[tokio::test]
async fn the_draft_s_record_is_made_by_the_hook_at_the_name_of_service_and_port() {
    let folder = tempfile::tempdir().unwrap();
    let (hook, log) = (folder.path().join("hook"), folder.path().join("log"));
    std::fs::write(&hook, format!("#!/bin/sh\necho \"$1 $2 $3\" >>{}\n", log.display())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&hook, mode).unwrap();
    let at = |service: Service| ServicePort {
        service,
        port: service.registered_port().unwrap(),
    };
    let proof = proof("_imaps.alpha.test", "dG9rZW4x", &[at(Service::Imaps)]);
    for kind in [Kind::DnsEmail, Kind::DnsService] {
        let hook = DnsHook::new(hook.to_str().unwrap(), std::time::Duration::from_secs(20), None);
        let solver = RecordSolver::new(kind, "mail.alpha.test".to_owned(), hook, vec![at(Service::Imaps)]);
        assert!(solver.can_prove(&proof.identifier) && solver.method() == Method::Other(kind.method()));
        assert_eq!(
            Value::from(solver.response(&proof)),
            json!({"service": "imaps", "port": 993})
        );
        solver.present(&proof).await.unwrap().cleanup().await.unwrap();
    }
    let line = |verb: &str, value: &str| format!("{verb} _993._imaps._acme-challenge.alpha.test. {value}\n");
    let (digest, bound) = (
        proof.key_authorization.dns_value(),
        Bound::DnsService.value(&proof.key_authorization, at(Service::Imaps)),
    );
    let expected = [&digest, &bound].map(|value| line("present", value) + &line("cleanup", value));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), expected.concat());
}
