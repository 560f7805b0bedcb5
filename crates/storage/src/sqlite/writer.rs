//! The one writer: a thread that folds all waiting writes into one transaction.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use authority::ports::StoreError;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::{
    cache::Cache,
    health::Health,
    job::{Job, Task, Write, guarded, panic_text},
};
use crate::{CommitFault, CommitFaults, OnFatal, Statistics};

/// More than this would make the first of them wait longer than a sync takes.
const LARGEST_GROUP: usize = 512;

/// Writes that may wait; whoever comes later waits to be let in.
const QUEUE: usize = 4096;

/// The way to the writer's thread.
pub(super) struct Writer {
    sender: mpsc::Sender<Message>,
    health: Arc<Health>,
    counts: Arc<Counts>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    jobs: AtomicU64,
    rows: AtomicU64,
}

/// What the thread is started with.
pub(super) struct Setting {
    pub connection: Arc<Mutex<Connection>>,
    pub cache: Arc<Cache>,
    pub health: Arc<Health>,
    pub on_fatal: OnFatal,
    pub faults: Option<CommitFaults>,
    /// Locked for as long as the thread lives.
    pub _lock: Option<std::fs::File>,
    pub path: Option<PathBuf>,
}

impl Writer {
    pub fn start(setting: Setting) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (health, counts) = (setting.health.clone(), Arc::new(Counts::default()));
        let side = Side {
            receiver,
            counts: counts.clone(),
            setting,
            closing: None,
        };
        let thread = thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || side.run())?;
        Ok(Self {
            sender,
            health,
            counts,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Has a write made; when this answers, it is on disk.
    pub async fn write<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        self.health.check()?;
        let (reply, outcome) = oneshot::channel();
        let job = Box::new(Task::new(write, reply));
        if self.sender.send(Message::Job(job)).await.is_err() {
            return Err(self.health.closed());
        }
        outcome.await.unwrap_or_else(|_| Err(self.health.closed()))
    }

    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.sender.send(Message::Close(reply)).await.is_ok() {
            // An error means that the thread has ended, which is what is wanted.
            let _ = closed.await;
        }
    }

    pub fn statistics(&self) -> Statistics {
        Statistics {
            commits: self.counts.commits.load(Ordering::Relaxed),
            jobs: self.counts.jobs.load(Ordering::Relaxed),
            rows: self.counts.rows.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Writer {
    /// Waits for the thread, so that the file can be opened again at once.
    fn drop(&mut self) {
        let (sender, _) = mpsc::channel(1);
        self.sender = sender;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // A panic was already made known by `Side::run`.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Side {
    receiver: mpsc::Receiver<Message>,
    counts: Arc<Counts>,
    setting: Setting,
    closing: Option<oneshot::Sender<()>>,
}

/// What is known after a transaction went wrong.
enum Undone {
    /// Nothing of it is in the database.
    Clean(StoreError),
    /// Nobody knows.
    Unknown(StoreError),
}

impl Side {
    fn run(mut self) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.serve()));
        let fatal = match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panic) => Some(format!("the writer panicked: {}", panic_text(&*panic))),
        };
        match fatal {
            None => self.setting.health.set_closed(),
            Some(what) => {
                tracing::error!(%what, "what is on disk is no longer known; this process must end");
                self.setting.health.set_dead(what.clone());
                let on_fatal = std::mem::replace(&mut self.setting.on_fatal, Box::new(|_| {}));
                on_fatal(what);
            }
        }
        let Self {
            mut receiver,
            setting,
            closing,
            ..
        } = self;
        // Jobs that still wait are dropped with the queue, and with them the other ends of their replies.
        receiver.close();
        drop(receiver);
        // Only now may another process have the file.
        drop(setting);
        if let Some(closing) = closing {
            let _ = closing.send(());
        }
    }

    /// Until the store is closed; an error is one after which this must not go on.
    fn serve(&mut self) -> Result<(), StoreError> {
        while self.closing.is_none() {
            match self.receiver.blocking_recv() {
                None => break,
                Some(Message::Close(reply)) => self.closing = Some(reply),
                Some(Message::Job(job)) => self.group(job)?,
            }
        }
        self.setting.health.set_closed();
        self.checkpoint();
        Ok(())
    }

    /// One transaction for a job and all that wait behind it.
    fn group(&mut self, first: Box<dyn Job>) -> Result<(), StoreError> {
        let connection = self.setting.connection.clone();
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut group = vec![first];
        let mut failed = Vec::new();
        let before = connection.total_changes();
        let outcome = match self.attempt(&connection, &mut group) {
            Attempt::Committed => Ok(()),
            Attempt::Failed(undone) => Err(undone),
            Attempt::Again => self.attempt_apart(&connection, &mut group, &mut failed),
        };
        let outcome = match outcome {
            Err(Undone::Clean(error)) => roll_back(&connection).and(Err(Undone::Clean(error))),
            outcome => outcome,
        };
        let rows = connection.total_changes() - before;
        // In memory this is the readers' connection too, and nobody may be told while it is held.
        drop(connection);
        for (job, error) in failed {
            job.fail(error);
        }
        match outcome {
            Ok(()) => {
                self.counts.commits.fetch_add(1, Ordering::Relaxed);
                self.counts.jobs.fetch_add(group.len() as u64, Ordering::Relaxed);
                self.counts.rows.fetch_add(rows, Ordering::Relaxed);
                let mut replies = Vec::with_capacity(group.len());
                self.setting.cache.publish(|objects| {
                    replies.extend(group.into_iter().map(|job| job.publish(objects)));
                });
                for reply in replies {
                    reply();
                }
                Ok(())
            }
            Err(Undone::Clean(error)) => {
                tracing::error!(%error, jobs = group.len(), "a transaction failed and was undone");
                for job in group {
                    job.fail(error.clone());
                }
                Ok(())
            }
            Err(Undone::Unknown(error)) => {
                self.setting.health.set_dead(error.to_string());
                for job in group {
                    job.fail(error.clone());
                }
                Err(error)
            }
        }
    }

    /// The fast way: no savepoints, since a conflict writes nothing. Takes in whatever arrives before COMMIT.
    fn attempt(&mut self, connection: &Connection, group: &mut Vec<Box<dyn Job>>) -> Attempt {
        if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
            return Attempt::Failed(Undone::Clean(unavailable("BEGIN", &error)));
        }
        let mut next = 0;
        loop {
            while next < group.len() {
                if let Err(failure) = guarded(&mut *group[next], connection) {
                    tracing::warn!(
                        ?failure,
                        "a write failed; the group is done again, each write by itself"
                    );
                    return match roll_back(connection) {
                        Ok(()) => Attempt::Again,
                        Err(undone) => Attempt::Failed(undone),
                    };
                }
                next += 1;
            }
            if group.len() >= LARGEST_GROUP || self.closing.is_some() {
                break;
            }
            match self.receiver.try_recv() {
                Ok(Message::Job(job)) => group.push(job),
                Ok(Message::Close(reply)) => self.closing = Some(reply),
                Err(_) => break,
            }
        }
        match self.commit(connection) {
            Ok(()) => Attempt::Committed,
            Err(undone) => Attempt::Failed(undone),
        }
    }

    /// The careful way, after somebody in the group failed: each job in a savepoint; those that fail are taken out.
    fn attempt_apart(
        &mut self,
        connection: &Connection,
        group: &mut Vec<Box<dyn Job>>,
        failed: &mut Vec<(Box<dyn Job>, StoreError)>,
    ) -> Result<(), Undone> {
        let statement = |sql| execute(connection, sql).map_err(|error| Undone::Clean(unavailable(sql, &error)));
        statement("BEGIN IMMEDIATE")?;
        let mut next = 0;
        while next < group.len() {
            statement("SAVEPOINT job")?;
            match guarded(&mut *group[next], connection) {
                Ok(()) => {
                    statement("RELEASE job")?;
                    next += 1;
                }
                // SQLite has undone the whole transaction by itself: a full disk, an I/O error, no memory.
                Err(failure) if connection.is_autocommit() => return Err(Undone::Clean(failure.into())),
                Err(failure) => {
                    statement("ROLLBACK TO job")?;
                    statement("RELEASE job")?;
                    failed.push((group.remove(next), failure.into()));
                }
            }
        }
        self.commit(connection)
    }

    fn commit(&self, connection: &Connection) -> Result<(), Undone> {
        let fault = self.setting.faults.as_ref().and_then(|faults| faults());
        let injected = || unavailable("COMMIT", &"an injected fault");
        match fault {
            Some(CommitFault::NoRoom) => return Err(Undone::Clean(injected())),
            Some(CommitFault::NotWritten) => {
                roll_back(connection)?;
                return Err(Undone::Unknown(injected()));
            }
            Some(CommitFault::WrittenButReported) | None => {}
        }
        match execute(connection, "COMMIT") {
            Ok(()) if fault == Some(CommitFault::WrittenButReported) => Err(Undone::Unknown(injected())),
            Ok(()) => Ok(()),
            Err(error) => {
                let reported = unavailable("COMMIT", &error);
                match error.sqlite_error_code() {
                    // Another program holds a lock, or the frames found no room: the frame that would make them count
                    // was not written.
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull) => {
                        Err(Undone::Clean(reported))
                    }
                    _ => Err(Undone::Unknown(reported)),
                }
            }
        }
    }

    /// Leaves one tidy file behind.
    fn checkpoint(&self) {
        if self.setting.path.is_none() {
            return;
        }
        let connection = self.setting.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log stays; it is read at the next start");
        }
    }
}

enum Attempt {
    Committed,
    Again,
    Failed(Undone),
}

fn roll_back(connection: &Connection) -> Result<(), Undone> {
    if connection.is_autocommit() {
        return Ok(());
    }
    execute(connection, "ROLLBACK").map_err(|error| Undone::Unknown(unavailable("ROLLBACK", &error)))
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn unavailable(statement: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("{statement} failed: {error}"))
}
