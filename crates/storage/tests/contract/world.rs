//! The databases to test on.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use storage::{CommitFault, CommitFaults, Database, OpenError, postgres::PostgresStore, sqlite::SqliteStore};
use tempfile::TempDir;
use testbed::postgres;

/// One database, which a store can be opened on again and again.
pub struct World {
    place: Place,
    /// What happens at the next COMMIT.
    pub fault: Arc<Mutex<Option<CommitFault>>>,
    /// How often a store asked that the process end.
    pub fatal: Arc<AtomicU32>,
}

enum Place {
    Memory,
    File { _directory: TempDir, path: PathBuf },
    Postgres { url: String },
}

impl World {
    pub fn memory() -> Self {
        Self::new(Place::Memory)
    }

    pub fn file() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vidimus.db");
        Self::new(Place::File {
            _directory: directory,
            path,
        })
    }

    /// An empty database of a cluster.
    pub fn postgres(url: String) -> Self {
        Self::new(Place::Postgres { url })
    }

    fn new(place: Place) -> Self {
        Self {
            place,
            fault: Arc::default(),
            fatal: Arc::default(),
        }
    }

    pub async fn open(&self) -> Arc<dyn Database> {
        self.try_open().await.unwrap()
    }

    pub async fn try_open(&self) -> Result<Arc<dyn Database>, OpenError> {
        let (fault, fatal) = (self.fault.clone(), self.fatal.clone());
        let faults: CommitFaults = Arc::new(move || fault.lock().unwrap().take());
        match &self.place {
            Place::Memory => Ok(SqliteStore::in_memory()?),
            Place::File { path, .. } => {
                let on_fatal = Box::new(move |_| {
                    fatal.fetch_add(1, Ordering::SeqCst);
                });
                Ok(SqliteStore::open_with_faults(path, on_fatal, Some(faults))?)
            }
            Place::Postgres { url } => Ok(PostgresStore::open_with_faults(url, Some(faults)).await?),
        }
    }

    /// Whether a second store sees what the first one wrote. Rules about restarts hold for such databases only.
    pub fn outlives_its_store(&self) -> bool {
        !matches!(self.place, Place::Memory)
    }

    pub fn path(&self) -> &PathBuf {
        match &self.place {
            Place::File { path, .. } => path,
            Place::Memory | Place::Postgres { .. } => panic!("it has no path"),
        }
    }

    /// A statement behind the store's back, which must be closed.
    pub async fn execute(&self, sql: &str) {
        match &self.place {
            Place::File { path, .. } => rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap(),
            Place::Postgres { url } => drop(postgres::execute(url, sql)),
            Place::Memory => panic!("nobody else can reach it"),
        }
    }
}
