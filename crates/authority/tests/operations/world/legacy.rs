//! A directory before a back end: orders bring their CSR, and the certificate comes from a scripted issuer.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use acme::RevocationReason;
use authority::{
    Authority, Failure, Policy, Registry,
    identifier::{Dns, IdentifierType as _},
    model::{Account, CertificateId, CertificateRecord, CertificateState, OrderFacts, OrderId},
    ports::{Answer, BackEnd, BackEndFailure, BackEndRequest, BoxFuture, Issuance, IssuanceRequest, Notes, Validity},
};
use issuance::{External, Issuer, IssuerUrls, Issuers, Profile};
use pkix::{csr::CertificateRequest, name::GeneralName};

use super::{DAY, HOUR, World, clock::Clock, new_order, registry};

pub struct Legacy {
    pub world: World,
    pub back_end: Arc<ScriptedBackEnd>,
    issuance: Arc<Issuers>,
    matching: Option<csr_first::Matching>,
}

impl Legacy {
    pub async fn new(matching: csr_first::Matching) -> Self {
        Self::with(Some(matching)).await
    }

    /// `None`: a directory that takes orders without a CSR.
    pub async fn with(matching: Option<csr_first::Matching>) -> Self {
        let world = World::new().await;
        let back_end = ScriptedBackEnd::new(world.clock.clone());
        let external = External::new("legacy", back_end.clone(), std::slice::from_ref(&back_end.root)).unwrap();
        let profile = profile("legacy", DAY * 45);
        let issuance = Arc::new(Issuers::with_external(Vec::new(), vec![external], vec![profile]).unwrap());
        let mut legacy = Self {
            world,
            back_end,
            issuance,
            matching,
        };
        legacy.world.authority = legacy.node();
        legacy
    }

    /// An authority on the world's store, alive as long as the world's node.
    pub fn node(&self) -> Authority {
        self.node_with(self.world.policy.clone())
    }

    pub fn node_with(&self, policy: Policy) -> Authority {
        let world = &self.world;
        let mut registry = registry(&world.http, &world.dns, &world.check);
        if let Some(matching) = self.matching {
            register(&mut registry, matching);
        }
        Authority::new(
            world.store.clone(),
            world.node.clone(),
            world.told.clone(),
            self.issuance.clone(),
            registry,
            policy,
        )
    }

    pub fn restart(&mut self) {
        self.world.restart();
        self.world.authority = self.node();
    }

    pub async fn order(&self, account: &Arc<Account>, names: &[&str], csr: &[u8]) -> Result<OrderFacts, Failure> {
        let mut request = new_order(names);
        let text = jose::base64url::encode(csr);
        request.members.insert("csr".to_owned(), text.into());
        self.world.authority.new_order(account, request).await
    }

    /// An order with its CSR whose every authorization is valid.
    pub async fn ready(&self, account: &Arc<Account>, names: &[&str], csr: &[u8]) -> OrderFacts {
        let order = self.order(account, names, csr).await.unwrap();
        for n in 0..order.authorizations.len() {
            self.world.respond(account, &order, n, 0).await;
        }
        self.world.reread(&order).await
    }

    pub async fn finalize(&self, account: &Arc<Account>, order: &OrderFacts) -> Result<OrderFacts, Failure> {
        self.world.authority.finalize_as_ordered(account, order.order.id).await
    }
}

fn register(registry: &mut Registry, matching: csr_first::Matching) {
    let settings = csr_first::Settings {
        matching,
        ordinary: Some("https://ca.example/directory".to_owned()),
    };
    csr_first::register(registry, &settings, "https://ca.example/");
}

fn profile(issuer: &str, lifetime: Duration) -> Profile {
    Profile {
        name: "default".into(),
        description: "for tests".into(),
        issuer: issuer.into(),
        lifetime,
        backdate: HOUR,
        common_name: false,
        client_auth: false,
        purpose: issuance::Purpose::Tls,
    }
}

/// What the back end does at the next step.
#[derive(Clone)]
pub enum Does {
    Later(Duration),
    Refuses,
    IsAway,
    /// Never answers: the node can be killed here.
    Hangs,
    /// Works on it until it is told to go on.
    Waits(Arc<tokio::sync::Notify>),
    /// Returns this instead of what it issues.
    Returns(Vec<Vec<u8>>),
}

/// An issuer that files its work by key.
pub struct ScriptedBackEnd {
    issuers: Issuers,
    pub root: Vec<u8>,
    /// Above its leaves.
    pub issuing: Vec<u8>,
    clock: Arc<Clock>,
    script: Mutex<VecDeque<Does>>,
    calls: Mutex<Vec<Call>>,
    issued: Mutex<BTreeMap<String, Vec<u8>>>,
}

/// A step that it was asked for: its name, the key, the CSR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub step: &'static str,
    pub key: String,
    pub csr_sha256: Option<[u8; 32]>,
}

impl ScriptedBackEnd {
    fn new(clock: Arc<Clock>) -> Arc<Self> {
        let made = issuance::create_authority("1e9acf", [[3; 19], [4; 19]], clock.now()).unwrap();
        let issuer = Issuer::from_pem("own", &made.issuing, &made.issuing_key, IssuerUrls::default()).unwrap();
        let first = |pem: &str| pkix::pem::parse_chain(pem).unwrap().remove(0);
        Arc::new(Self {
            issuers: Issuers::new(vec![issuer], vec![profile("own", DAY * 45)]).unwrap(),
            root: first(&made.root),
            issuing: first(&made.issuing),
            clock,
            script: Mutex::default(),
            calls: Mutex::default(),
            issued: Mutex::default(),
        })
    }

    pub fn next(&self, does: Does) {
        self.script.lock().unwrap().push_back(does);
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub fn steps(&self) -> Vec<&'static str> {
        self.calls().iter().map(|call| call.step).collect()
    }

    /// A certificate for a CSR, as the order's would be.
    pub async fn certify(&self, csr: &[u8], validity: Validity) -> Vec<u8> {
        let csr = CertificateRequest::parse(csr).unwrap();
        let names = csr.subject_alternative_names().iter().map(|name| match name {
            GeneralName::Dns(dns) => (Dns.admit(dns).unwrap(), name.clone()),
            other => panic!("{other}"),
        });
        let names: Vec<_> = names.collect();
        let now = self.clock.now();
        // As if it were drawn: one for each that was made.
        let mut serial_randomness = [7; 19];
        serial_randomness[0] = self.issued.lock().unwrap().len() as u8;
        let request = IssuanceRequest {
            profile: "default",
            names: &names,
            csr: &csr,
            validity,
            serial_randomness,
            now,
        };
        let planned = self.issuers.prepare(&request).unwrap();
        let record = CertificateRecord {
            id: CertificateId {
                order: OrderId(1),
                n: 0,
            },
            account: authority::model::AccountId(1),
            serial: planned.serial,
            issuer: planned.issuer,
            profile: "default".into(),
            csr_sha256: csr.sha256(),
            key_sha256: csr.public_key().fingerprint(),
            crl_shard: None,
            to_be_signed: planned.to_be_signed,
            planned: now,
            not_after: planned.not_after,
            checks: Vec::new(),
            evidence_root: [0; 32],
            salt: [0; 16],
            state: CertificateState::Abandoned,
            revoked: None,
            version: 0,
        };
        self.issuers.sign(&record, now).await.unwrap()
    }

    async fn does(
        &self,
        step: &'static str,
        key: &str,
        csr_sha256: Option<[u8; 32]>,
    ) -> Result<Option<Answer>, BackEndFailure> {
        self.calls.lock().unwrap().push(Call {
            step,
            key: key.to_owned(),
            csr_sha256,
        });
        let does = self.script.lock().unwrap().pop_front();
        match does {
            None => Ok(None),
            Some(Does::Later(pause)) => Ok(Some(Answer::Later(pause))),
            Some(Does::Returns(chain)) => Ok(Some(Answer::Chain(chain))),
            Some(Does::Refuses) => Err(BackEndFailure::Refused("not on a Sunday".into())),
            Some(Does::IsAway) => Err(BackEndFailure::Unavailable("the mainframe is being moved".into())),
            Some(Does::Waits(goes_on)) => {
                goes_on.notified().await;
                Ok(None)
            }
            Some(Does::Hangs) => std::future::pending().await,
        }
    }
}

impl BackEnd for ScriptedBackEnd {
    fn submit<'a>(&'a self, request: &'a BackEndRequest) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        Box::pin(async move {
            self.does("submit", &request.key, Some(request.csr_sha256)).await?;
            Ok(())
        })
    }

    fn issue<'a>(
        &'a self,
        request: &'a BackEndRequest,
        notes: &'a dyn Notes,
    ) -> BoxFuture<'a, Result<Answer, BackEndFailure>> {
        Box::pin(async move {
            // Noted at the first call, and there at each later one.
            match notes.read().await? {
                None => notes.write(&request.key).await?,
                Some(note) => assert_eq!(note, request.key),
            }
            if let Some(answer) = self.does("issue", &request.key, Some(request.csr_sha256)).await? {
                return Ok(answer);
            }
            let known = self.issued.lock().unwrap().get(&request.key).cloned();
            let leaf = match known {
                Some(leaf) => leaf,
                None => {
                    let validity = Validity {
                        not_before: request.not_before,
                        not_after: request.not_after,
                    };
                    let leaf = self.certify(&request.csr, validity).await;
                    self.issued.lock().unwrap().insert(request.key.clone(), leaf.clone());
                    leaf
                }
            };
            Ok(Answer::Chain(vec![leaf, self.issuing.clone()]))
        })
    }

    fn abandon<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        Box::pin(async move { self.does("abandon", key, None).await.map(drop) })
    }

    fn revoke<'a>(
        &'a self,
        key: &'a str,
        _certificate: &'a [u8],
        _reason: Option<RevocationReason>,
    ) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        Box::pin(async move { self.does("revoke", key, None).await.map(drop) })
    }

    fn patience(&self) -> Duration {
        DAY
    }
}
