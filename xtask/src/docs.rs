//! `cargo xtask docs`: the pages that are made from the code, written or checked.

use std::{fs, path::Path, process::Command};

use crate::{
    root,
    run::{Outcome, cargo, run},
    target,
};

/// Writes them anew.
pub fn write() -> Outcome {
    run(&mut cargo(&["build", "--workspace", "--locked"]))?;
    make(&root().join("docs"))
}

/// Fails when a page is not what the code says.
pub fn check() -> Outcome {
    let fresh = target().join("docs");
    make(&fresh)?;
    for page in PAGES {
        let (made, kept) = (fresh.join(page), root().join("docs").join(page));
        if fs::read(&made).ok() != fs::read(&kept).ok() {
            return Err(format!("docs/{page} is not what the code says: cargo xtask docs"));
        }
    }
    println!("{} pages are what the code says", PAGES.len());
    Ok(())
}

fn make(folder: &Path) -> Outcome {
    run(Command::new(target().join("debug/vidimus")).arg("pages").arg(folder))
}

const PAGES: &[&str] = &["operating/configuration.md", "protocol/identifiers.md"];
