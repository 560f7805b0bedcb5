//! What every test needs: a fake server, a clock that does not wait, a folder.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use client::{
    Account, Clock, Directory, Error, Identifier, Issued, KeyType, Registration, Request, RetryPolicy, SolverSettings,
    SystemClock, Transport, TransportSettings, Wanted, issue,
};
use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::{SignedDuration, Timestamp};
use jose::{Algorithm, SigningKey};

use crate::fake::Fake;

/// Sleeping moves it on; it notes for how long.
#[derive(Default)]
pub struct TestClock {
    slept: Mutex<Vec<Duration>>,
    ahead: Mutex<SignedDuration>,
}

impl TestClock {
    pub fn advance(&self, by: SignedDuration) {
        *self.ahead.lock().unwrap() += by;
    }

    pub fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + *self.ahead.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.slept.lock().unwrap().push(duration);
        self.advance(SignedDuration::try_from(duration).unwrap());
        tokio::task::yield_now().boxed()
    }

    fn jitter(&self) -> f64 {
        0.0
    }
}

pub struct Bench {
    pub fake: Fake,
    pub clock: Arc<TestClock>,
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        Self {
            fake: Fake::start().await,
            clock: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn directory(&self) -> Directory {
        let settings = TransportSettings {
            allow_http: true,
            ..TransportSettings::default()
        };
        let transport = Transport::new(settings).unwrap();
        let clock: Arc<dyn Clock> = self.clock.clone();
        Directory::new(self.fake.directory(), transport, RetryPolicy::default(), clock)
    }

    /// A registered account.
    pub async fn account(&self) -> Account {
        let key = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
        Account::create(&self.directory(), key, &Registration::default())
            .await
            .unwrap()
    }

    /// A request for these names, proven below a web root that nobody serves: the server believes.
    pub fn request(&self, names: &[&str]) -> Request {
        let identifiers: Vec<Identifier> = names.iter().map(|name| name.parse().unwrap()).collect();
        let wanted = Wanted::Names {
            identifiers,
            key_type: KeyType::Ec256,
            reuse_key: false,
        };
        let root = self.path("www");
        std::fs::create_dir_all(&root).unwrap();
        let mut request = Request::new(
            self.fake.directory(),
            self.path("store"),
            wanted,
            vec![SolverSettings::Webroot(root)],
        );
        request.transport.allow_http = true;
        request.clock = self.clock.clone();
        request
    }

    pub async fn issue(&self, names: &[&str]) -> Result<Issued, Error> {
        issue(self.request(names)).await
    }

    /// Everything below the web root.
    pub fn shown(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("www")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path)
                } else {
                    found.push(path)
                }
            }
        }
        found
    }
}
