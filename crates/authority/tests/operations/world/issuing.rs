//! The issuing side: the true one, with a hand on it.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
};

use acme::{Problem, ProblemType};
use authority::{
    model::{CertificateRecord, Evidence},
    ports::{
        BoxFuture, CrlContents, CrlIssuer, Issuance, IssuanceFailure, IssuanceRequest, Planned, PreIssuance,
        PreIssuanceCheck, StatusSigning, Validity,
    },
};
use issuance::{CrlUrls, Issuer, IssuerUrls, Issuers, NewAuthority, Profile};
use jiff::Timestamp;
use pkix::{
    certificate::Serial,
    name::GeneralName,
    ocsp::{CertId, SingleResponse},
};
use tokio::sync::oneshot;

/// What the signing side does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    Works,
    FailsOnce,
    Fails,
    /// Never answers: the node can be killed here.
    Hangs,
}

pub struct ScriptedIssuance {
    issuers: Mutex<Arc<Issuers>>,
    made: NewAuthority,
    pub refuse_to_prepare: Mutex<Option<fn() -> IssuanceFailure>>,
    pub signing: Mutex<Signing>,
    /// A profile that the operator has taken away.
    pub ended: Mutex<Option<String>>,
    /// The to-be-signed bytes of every call, whether or not it was answered.
    asked: Mutex<Vec<Vec<u8>>>,
    /// The to-be-signed bytes of every signature made.
    signed: Mutex<Vec<Vec<u8>>>,
}

impl ScriptedIssuance {
    pub fn new(now: Timestamp) -> Arc<Self> {
        let made = issuance::create_authority("c0ffee", [[1; 19], [2; 19]], now).unwrap();
        Arc::new(Self {
            issuers: Mutex::new(Arc::new(issuers(&made, 1))),
            made,
            ended: Mutex::default(),
            refuse_to_prepare: Mutex::default(),
            signing: Mutex::new(Signing::Works),
            asked: Mutex::default(),
            signed: Mutex::default(),
        })
    }

    /// The configuration changes.
    pub fn crl_shards(&self, shards: u32) {
        *self.issuers.lock().unwrap() = Arc::new(issuers(&self.made, shards));
    }

    /// The issuing CA's certificate, DER.
    pub fn issuing(&self) -> Vec<u8> {
        self.issuers().chains("issuing").remove(0).remove(0)
    }

    fn issuers(&self) -> Arc<Issuers> {
        self.issuers.lock().unwrap().clone()
    }

    pub fn signing(&self, signing: Signing) {
        *self.signing.lock().unwrap() = signing;
    }

    pub fn asked(&self) -> Vec<Vec<u8>> {
        self.asked.lock().unwrap().clone()
    }

    pub fn signed(&self) -> Vec<Vec<u8>> {
        self.signed.lock().unwrap().clone()
    }
}

impl Issuance for ScriptedIssuance {
    fn has_profile(&self, profile: &str) -> bool {
        self.issuers().has_profile(profile) && self.ended.lock().unwrap().as_deref() != Some(profile)
    }

    fn prepare(&self, request: &IssuanceRequest<'_>) -> Result<Planned, IssuanceFailure> {
        match *self.refuse_to_prepare.lock().unwrap() {
            Some(failure) => Err(failure()),
            None => self.issuers().prepare(request),
        }
    }

    fn sign<'a>(
        &'a self,
        record: &'a CertificateRecord,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>> {
        self.asked.lock().unwrap().push(record.to_be_signed.clone());
        let signing = {
            let mut signing = self.signing.lock().unwrap();
            match *signing {
                Signing::FailsOnce => std::mem::replace(&mut *signing, Signing::Works),
                other => other,
            }
        };
        Box::pin(async move {
            match signing {
                Signing::Works => {
                    let certificate = self.issuers().sign(record, now).await?;
                    self.signed.lock().unwrap().push(record.to_be_signed.clone());
                    Ok(certificate)
                }
                Signing::FailsOnce | Signing::Fails => Err(IssuanceFailure::Unavailable("the signer is away".into())),
                Signing::Hangs => std::future::pending().await,
            }
        })
    }

    fn profiles(&self) -> Vec<(String, String)> {
        self.issuers().profiles()
    }

    fn admit_name(&self, profile: &str, name: &GeneralName) -> Result<(), String> {
        self.issuers().admit_name(profile, name)
    }

    fn admit_validity(&self, profile: &str, asked: Validity, now: Timestamp) -> Result<(), String> {
        self.issuers().admit_validity(profile, asked, now)
    }

    fn chains(&self, issuer: &str) -> Vec<Vec<Vec<u8>>> {
        self.issuers().chains(issuer)
    }
}

impl StatusSigning for ScriptedIssuance {
    fn crl_issuers(&self, now: Timestamp) -> Vec<CrlIssuer> {
        self.issuers().crl_issuers(now)
    }

    fn sign_crl<'a>(
        &'a self,
        issuer: &'a str,
        contents: CrlContents,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>> {
        Box::pin(async move { self.issuers().sign_crl(issuer, contents, now).await })
    }

    fn serial_asked<'a>(&self, issuer: &str, certificate: &'a CertId) -> Option<&'a Serial> {
        self.issuers().serial_asked(issuer, certificate)
    }

    fn sign_ocsp<'a>(
        &'a self,
        issuer: &'a str,
        responses: Vec<SingleResponse>,
        nonce: Option<Vec<u8>>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>> {
        Box::pin(async move { self.issuers().sign_ocsp(issuer, responses, nonce, now).await })
    }
}

/// One issuer and its profiles.
fn issuers(made: &NewAuthority, shards: u32) -> Issuers {
    let shards = NonZeroU32::new(shards).unwrap();
    let urls = IssuerUrls {
        crl: Some(CrlUrls::new("http://ca.example/crl/issuing", shards, super::DAY * 7)),
        certificate: Some("http://ca.example/issuer/issuing.cer".into()),
        ocsp: None,
    };
    let issuer = Issuer::from_pem("issuing", &made.issuing, &made.issuing_key, urls).unwrap();
    let profile = |name: &str, lifetime| Profile {
        name: name.into(),
        description: "for tests".into(),
        issuer: "issuing".into(),
        lifetime,
        backdate: super::HOUR,
        common_name: true,
        client_auth: false,
        purpose: issuance::Purpose::Tls,
    };
    let profiles = [profile("default", super::DAY * 45), profile("short", super::DAY * 6)];
    Issuers::new(vec![issuer], profiles.into()).unwrap()
}

/// A look at the names before PLAN, which notes what it was shown and forbids what the test forbids.
#[derive(Default)]
pub struct ScriptedCheck {
    pub forbidden: Mutex<Option<String>>,
    /// Waited for by the next call before it answers.
    pub gate: Mutex<Option<oneshot::Receiver<()>>>,
    shown: Mutex<Vec<Vec<String>>>,
    methods: Mutex<Vec<Vec<String>>>,
}

impl ScriptedCheck {
    /// The names of each call.
    pub fn shown(&self) -> Vec<Vec<String>> {
        self.shown.lock().unwrap().clone()
    }

    /// By what each of them was proved.
    pub fn methods(&self) -> Vec<Vec<String>> {
        self.methods.lock().unwrap().clone()
    }
}

impl PreIssuanceCheck for ScriptedCheck {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn check<'a>(&'a self, request: &'a PreIssuance<'a>) -> BoxFuture<'a, Result<Vec<Evidence>, Problem>> {
        Box::pin(async move {
            let gate = self.gate.lock().unwrap().take();
            if let Some(gate) = gate {
                gate.await.unwrap();
            }
            let names = request
                .names
                .iter()
                .map(|proven| proven.name.identifier().value.clone());
            let names: Vec<_> = names.collect();
            let forbidden = self.forbidden.lock().unwrap().clone();
            let verdict = match names.iter().find(|name| Some(*name) == forbidden.as_ref()) {
                Some(name) => Err(Problem::new(ProblemType::Caa, format!("{name} forbids issuance"))),
                None => Ok(Vec::new()),
            };
            self.shown.lock().unwrap().push(names);
            let methods = request.names.iter().map(|proven| proven.method.to_owned());
            self.methods.lock().unwrap().push(methods.collect());
            verdict
        })
    }
}
