//! What a test is, and what it can say.

use std::{fmt, future::Future, pin::Pin};

use crate::World;

/// One behaviour.
pub struct Test {
    /// A function's name: a sentence.
    pub name: &'static str,
    /// The requirements this test is evidence for.
    pub shows: &'static [&'static str],
    pub run: for<'a> fn(&'a World) -> Running<'a>,
    /// Runs after all others, and looks back on them.
    pub last: bool,
}

/// Tests take turns on one thread; what they wait for runs elsewhere.
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;
pub type Outcome<T = ()> = Result<T, Verdict>;

/// Why a test did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Failed(String),
    /// It could not be tried: an option is missing, or the server does not offer what is asked about.
    NotApplicable(String),
}

impl<E: std::error::Error> From<E> for Verdict {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => write!(f, "{why}"),
            Self::NotApplicable(why) => write!(f, "not applicable: {why}"),
        }
    }
}

/// A test that was run.
pub struct Finding {
    pub test: &'static Test,
    pub outcome: Outcome,
}

impl Test {
    pub fn sentence(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// The table of a module: ids, then the function that shows them.
#[macro_export]
macro_rules! tests {
    ($($($id:literal),+ => $run:ident $(, $last:ident)?;)+) => {
        pub const TESTS: &[$crate::test::Test] = &[$(
            $crate::test::Test {
                name: stringify!($run),
                shows: &[$($id),+],
                run: |world| Box::pin($run(world)),
                last: false $(|| { stringify!($last); true })?,
            }
        ),+];
    };
}

/// Ends the test with a sentence unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::test::Verdict::Failed(format!($($text)+)));
        }
    };
}

#[macro_export]
macro_rules! fail {
    ($($text:tt)+) => {
        return Err($crate::test::Verdict::Failed(format!($($text)+)))
    };
}

#[macro_export]
macro_rules! not_applicable {
    ($($text:tt)+) => {
        return Err($crate::test::Verdict::NotApplicable(format!($($text)+)))
    };
}
