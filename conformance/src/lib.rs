//! A test per requirement, runnable against any directory URL
