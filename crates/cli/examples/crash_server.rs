//! `vidimus serve` with a bomb in it: a node composed as always, that kills itself with SIGKILL at the n-th point.
//!
//! Points lie before and after every commit and every signature. Each signature is written down, synced, the moment it
//! exists: whatever becomes of the process, the harness knows what was signed.
//!
//! `crash_server CONFIG POINT SIGNED`: configuration file, number of the point (0 never), file of signed serials.

use std::{
    fs::File,
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use acme::Identifier;
use authority::{
    model::{
        Account, AccountId, Authorization, AuthorizationId, CertificateId, CertificateRecord, OrderFacts, OrderId,
        Record, Revoked,
    },
    ports::{
        BoxFuture, CertificateFilter, Change, Claimed, Committed, CrlContents, CrlIssuer, IdKind, Issuance,
        IssuanceFailure, IssuanceRequest, Planned, Spend, Spent, StatusSigning, Store, StoreError, Validity,
    },
};
use cli::{
    compose::{Node, Seams, listen, tls_identity},
    serve::stop_signal,
};
use jiff::Timestamp;
use jose::Thumbprint;
use pkix::{
    certificate::Serial,
    name::GeneralName,
    ocsp::{CertId, SingleResponse},
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, point, signed] = arguments.as_slice() else {
        return Err("usage: crash_server CONFIG POINT SIGNED".into());
    };
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| "two providers")?;
    let file = PathBuf::from(file);
    let folder = file.parent().unwrap_or(Path::new("."));
    let config = config::Config::read(&file).map_err(|error| error.to_string())?;
    let bomb = Arc::new(Bomb {
        left: AtomicU64::new(point.parse().map_err(|_| "POINT is a number")?),
    });
    let identity = tls_identity(&config, folder)?;
    let api = listen(
        "server.listen",
        server::Listener::https(config.server.listen, identity).await,
    )?;
    let node = Node::compose(
        &config,
        folder,
        api,
        &Bombs {
            bomb,
            signed: signed.into(),
        },
    )
    .await?;
    println!("ready {}/directory", config.server.external_url);
    node.run(stop_signal()?).await
}

struct Bombs {
    bomb: Arc<Bomb>,
    signed: PathBuf,
}

impl Seams for Bombs {
    fn store(&self, inner: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(BombedStore {
            inner,
            bomb: self.bomb.clone(),
        })
    }

    fn issuance(&self, inner: Arc<dyn Issuance>) -> Arc<dyn Issuance> {
        Arc::new(BombedIssuance {
            inner,
            bomb: self.bomb.clone(),
            signed: self.signed.clone(),
        })
    }
}

struct Bomb {
    left: AtomicU64,
}

impl Bomb {
    /// Counts a point; at the last one nothing more happens in this process.
    fn point(&self) {
        if self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) == Ok(1) {
            let _ = Command::new("kill")
                .args(["-9", &std::process::id().to_string()])
                .status();
            loop {
                std::thread::park();
            }
        }
    }
}

struct BombedIssuance {
    inner: Arc<dyn Issuance>,
    bomb: Arc<Bomb>,
    signed: PathBuf,
}

impl Issuance for BombedIssuance {
    fn has_profile(&self, profile: &str) -> bool {
        self.inner.has_profile(profile)
    }

    fn prepare(&self, request: &IssuanceRequest<'_>) -> Result<Planned, IssuanceFailure> {
        self.inner.prepare(request)
    }

    fn sign<'a>(
        &'a self,
        record: &'a CertificateRecord,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>> {
        Box::pin(async move {
            self.bomb.point();
            let certificate = self.inner.sign(record, now).await?;
            let mut file = File::options()
                .append(true)
                .create(true)
                .open(&self.signed)
                .expect("the file of serials");
            writeln!(file, "{}", record.serial)
                .and_then(|()| file.sync_all())
                .expect("a serial written down");
            self.bomb.point();
            Ok(certificate)
        })
    }

    fn profiles(&self) -> Vec<(String, String)> {
        self.inner.profiles()
    }

    fn admit_name(&self, profile: &str, name: &GeneralName) -> Result<(), String> {
        self.inner.admit_name(profile, name)
    }

    fn admit_validity(&self, profile: &str, asked: Validity, now: Timestamp) -> Result<(), String> {
        self.inner.admit_validity(profile, asked, now)
    }

    fn chains(&self, issuer: &str) -> Vec<Vec<Vec<u8>>> {
        self.inner.chains(issuer)
    }
}

impl StatusSigning for BombedIssuance {
    fn crl_issuers(&self, now: Timestamp) -> Vec<CrlIssuer> {
        self.inner.crl_issuers(now)
    }

    fn sign_crl<'a>(
        &'a self,
        issuer: &'a str,
        contents: CrlContents,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>> {
        self.inner.sign_crl(issuer, contents, now)
    }

    fn serial_asked<'a>(&self, issuer: &str, certificate: &'a CertId) -> Option<&'a Serial> {
        self.inner.serial_asked(issuer, certificate)
    }

    fn sign_ocsp<'a>(
        &'a self,
        issuer: &'a str,
        responses: Vec<SingleResponse>,
        nonce: Option<Vec<u8>>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>> {
        self.inner.sign_ocsp(issuer, responses, nonce, now)
    }
}

struct BombedStore {
    inner: Arc<dyn Store>,
    bomb: Arc<Bomb>,
}

impl Store for BombedStore {
    fn commit(&self, change: Change) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move {
            self.bomb.point();
            let committed = self.inner.commit(change).await;
            self.bomb.point();
            committed
        })
    }

    fn spend(&self, spends: Vec<Spend>, now: Timestamp, only_look: bool) -> BoxFuture<'_, Result<Spent, StoreError>> {
        self.inner.spend(spends, now, only_look)
    }

    fn claim(&self, now: Timestamp, lease: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Claimed>, StoreError>> {
        self.inner.claim(now, lease, limit)
    }

    fn reserve(&self, kind: IdKind, count: u64) -> BoxFuture<'_, Result<Range<u64>, StoreError>> {
        self.inner.reserve(kind, count)
    }

    fn account(&self, id: AccountId) -> BoxFuture<'_, Result<Option<Arc<Account>>, StoreError>> {
        self.inner.account(id)
    }

    fn account_by_key<'a>(
        &'a self,
        directory: &'a str,
        thumbprint: Thumbprint,
    ) -> BoxFuture<'a, Result<Option<Arc<Account>>, StoreError>> {
        self.inner.account_by_key(directory, thumbprint)
    }

    fn accounts_of_key(&self, thumbprint: Thumbprint) -> BoxFuture<'_, Result<Vec<AccountId>, StoreError>> {
        self.inner.accounts_of_key(thumbprint)
    }

    fn order(&self, id: OrderId) -> BoxFuture<'_, Result<Option<OrderFacts>, StoreError>> {
        self.inner.order(id)
    }

    fn authorization(&self, id: AuthorizationId) -> BoxFuture<'_, Result<Option<Arc<Authorization>>, StoreError>> {
        self.inner.authorization(id)
    }

    fn certificate(&self, id: CertificateId) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>> {
        self.inner.certificate(id)
    }

    fn certificate_by_serial(
        &self,
        serial: Serial,
    ) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>> {
        self.inner.certificate_by_serial(serial)
    }

    fn orders_of(
        &self,
        account: AccountId,
        after: OrderId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderFacts>, StoreError>> {
        self.inner.orders_of(account, after, limit)
    }

    fn authorizations_for(
        &self,
        account: AccountId,
        identifier: Identifier,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Authorization>>, StoreError>> {
        self.inner.authorizations_for(account, identifier, limit)
    }

    fn certificates(
        &self,
        filter: CertificateFilter,
        after: Option<CertificateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<CertificateRecord>>, StoreError>> {
        self.inner.certificates(filter, after, limit)
    }

    fn revoked<'a>(
        &'a self,
        issuer: &'a str,
        shard: u32,
        since: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Revoked>, StoreError>> {
        self.inner.revoked(issuer, shard, since)
    }

    fn record<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>, StoreError>> {
        self.inner.record(kind, key)
    }

    fn records<'a>(
        &'a self,
        kind: &'a str,
        owner: Option<u64>,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        self.inner.records(kind, owner, after, limit)
    }

    fn due_records<'a>(
        &'a self,
        kind: &'a str,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        self.inner.due_records(kind, now, limit)
    }
}
