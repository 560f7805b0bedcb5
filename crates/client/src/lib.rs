//! An ACME client: account, order and challenge handles, solvers, files
