use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

use client::{Clock, SystemClock};

use super::site::{Site, certify};
use crate::{
    client::{
        deploy::{Installable, install, verify},
        settings::{InstallPlace, MailSettings},
    },
    service::Service,
};

const SERVICES: [Service; 2] = [Service::Submission, Service::Imaps];

fn settings(site: &Site, place: InstallPlace) -> MailSettings {
    MailSettings {
        schema: 1,
        host: "mail.alpha.test".to_owned(),
        domain: Some("alpha.test".to_owned()),
        services: Vec::new(),
        connect: site.lookup().connect,
        resolver: None,
        ports: site
            .ports
            .iter()
            .map(|(service, port)| (service.name().to_owned(), *port))
            .collect(),
        challenges: Vec::new(),
        dns_hook: None,
        daemons: site.daemons(),
        place,
    }
}

// etls-p-12
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_reaches_every_service_and_is_seen_there() {
    let site = Site::with(&SERVICES).await;
    let store = tempfile::tempdir().unwrap();
    let sha256 = certify(store.path(), &["mail.alpha.test", "_imaps.alpha.test"]);
    let what = Installable {
        name: "mail.alpha.test".to_owned(),
        fullchain: store.path().join("cert.pem"),
        key: store.path().join("key.pem"),
    };
    let place = InstallPlace {
        cert_file: Some(site.root().join("tls.pem")),
        key_file: Some(site.root().join("tls.key")),
        exec: Some(format!(
            "cp {} {}",
            what.fullchain.display(),
            site.root().join("ran").display()
        )),
    };
    std::fs::write(site.root().join("tls.key"), "old").unwrap();
    let settings = settings(&site, place);
    let said = install(&settings, &what).await.unwrap();
    assert_eq!(said.len(), 2);
    let mode = std::fs::metadata(site.root().join("tls.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(site.root().join("ran").exists());
    let chain_files = format!(
        "smtpd_tls_chain_files = {0}/tls.key, {0}/tls.pem\n",
        site.root().display()
    );
    assert!(site.file("main.cf").contains(&chain_files), "{}", site.file("main.cf"));

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let services = SERVICES.map(|service| site.at(service));
    let said = verify(&settings, &services, sha256, &clock).await.unwrap();
    assert!(
        said[0].contains("good for mail.alpha.test; not good for alpha.test"),
        "{said:?}"
    );
    assert!(said[1].contains("good for alpha.test by SRV-ID"), "{said:?}");
}

#[tokio::test]
async fn settings_are_remembered_for_the_next_time() {
    let site = Site::with(&[]).await;
    let name = "mail.alpha.test".parse().unwrap();
    assert_eq!(MailSettings::load(site.root(), &name).unwrap(), None);
    let settings = settings(&site, InstallPlace::default());
    settings.save(site.root(), &name).unwrap();
    assert_eq!(MailSettings::load(site.root(), &name).unwrap(), Some(settings));
    let path = site.root().join("mail/certificate-mail.alpha.test.json");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
