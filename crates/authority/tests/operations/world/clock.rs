//! A clock that the test moves, dice that fall the same each time, and tasks that can be made to vanish.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use authority::ports::{BoxFuture, Runtime};
use jiff::Timestamp;
use tokio::task::AbortHandle;

/// The time of the whole world: it goes on when a node dies.
pub struct Clock {
    state: Mutex<State>,
}

struct State {
    now: Timestamp,
    sleepers: Vec<Waker>,
}

impl Clock {
    pub fn new() -> Arc<Self> {
        let state = State {
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            sleepers: Vec::new(),
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    pub fn now(&self) -> Timestamp {
        self.state.lock().unwrap().now
    }

    pub fn advance(&self, duration: Duration) {
        let mut state = self.state.lock().unwrap();
        state.now = state.now.checked_add(duration).unwrap();
        state.sleepers.drain(..).for_each(Waker::wake);
    }
}

/// Ends when the clock has been moved to its time or past it.
struct Sleep {
    clock: Arc<Clock>,
    until: Timestamp,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state.lock().unwrap();
        if self.until <= state.now {
            return Poll::Ready(());
        }
        state.sleepers.push(context.waker().clone());
        Poll::Pending
    }
}

/// SplitMix64: every world has its own seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// One node's runtime. Its tasks run on the test's executor until the node dies.
pub struct Node {
    pub clock: Arc<Clock>,
    dice: Mutex<Dice>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Node {
    pub fn new(clock: Arc<Clock>, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            clock,
            dice: Mutex::new(Dice::new(seed)),
            tasks: Mutex::default(),
        })
    }

    /// Every task ends where it stands.
    pub fn die(&self) {
        self.tasks.lock().unwrap().drain(..).for_each(|task| task.abort());
    }

    /// A request that is being served: it dies with the node.
    pub fn serve<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        let task = tokio::spawn(request);
        self.tasks.lock().unwrap().push(task.abort_handle());
        task
    }
}

impl Runtime for Node {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn random(&self, bytes: &mut [u8]) {
        self.dice.lock().unwrap().fill(bytes);
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(self.serve(task));
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.clock.now().checked_add(duration).unwrap();
        Box::pin(Sleep {
            clock: self.clock.clone(),
            until,
        })
    }
}
