//! What the writer's thread is asked to do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use authority::ports::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::cache::Objects;

/// One write: all of it happens, or nothing.
pub(super) trait Write: Send + 'static {
    type Output: Send;

    /// Runs within a transaction that others share. If it answers `Ok` without having done what it was asked for, it
    /// has written nothing. Runs again, in a new transaction, when somebody else's failure undid the first one.
    fn apply(&self, connection: &Connection) -> Result<Self::Output, Failure>;

    /// After COMMIT: brings the cache up to date.
    fn publish(self, output: &Self::Output, objects: &mut Objects);
}

/// Why a write could not be made; whatever it had written is undone.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => Self::Unavailable(format!("SQLite: {error}")),
            Failure::Store(error) => error,
        }
    }
}

/// A [`Write`] whose output is forgotten by its type.
pub(super) trait Job: Send {
    fn run(&mut self, connection: &Connection) -> Result<(), Failure>;
    fn publish(self: Box<Self>, objects: &mut Objects) -> Box<dyn FnOnce() + Send>;
    fn fail(self: Box<Self>, error: StoreError);
}

pub(super) struct Task<W: Write> {
    write: W,
    output: Option<W::Output>,
    reply: oneshot::Sender<Result<W::Output, StoreError>>,
}

impl<W: Write> Task<W> {
    pub fn new(write: W, reply: oneshot::Sender<Result<W::Output, StoreError>>) -> Self {
        Self {
            write,
            output: None,
            reply,
        }
    }
}

impl<W: Write> Job for Task<W> {
    fn run(&mut self, connection: &Connection) -> Result<(), Failure> {
        self.output = Some(self.write.apply(connection)?);
        Ok(())
    }

    fn publish(self: Box<Self>, objects: &mut Objects) -> Box<dyn FnOnce() + Send> {
        let Self { write, output, reply } = *self;
        let output = output.expect("only what has run is published");
        write.publish(&output, objects);
        // Whoever asked may have gone: the write stands all the same.
        Box::new(move || drop(reply.send(Ok(output))))
    }

    fn fail(self: Box<Self>, error: StoreError) {
        drop(self.reply.send(Err(error)));
    }
}

/// Runs a job; a panic is a failure of that job alone.
pub(super) fn guarded(job: &mut dyn Job, connection: &Connection) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(|| job.run(connection))).unwrap_or_else(|panic| {
        Err(Failure::Store(StoreError::Unavailable(format!(
            "a write panicked: {}",
            panic_text(&*panic)
        ))))
    })
}

pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
