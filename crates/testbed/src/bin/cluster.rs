//! A PostgreSQL cluster for as long as this program's standard input is open.
//!
//! It prints the URL of a new, empty database; whoever started it closes its input, or ends, and nothing is left.

use std::io::{Read as _, Write as _};

use testbed::postgres::Cluster;

fn main() {
    let cluster = Cluster::start();
    println!("{}", cluster.database());
    let _ = std::io::stdout().flush();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
