//! Every certificate that a test had issued, under the eyes of a foreign linter.

use std::{fs, process::Command};

use crate::{
    packages, root,
    run::{Outcome, run},
    target,
};

/// Fails with the findings. That there are certificates at all is part of it.
pub fn lint() -> Outcome {
    let folder = target().join("issued");
    let count = fs::read_dir(&folder).map_or(0, |entries| entries.flatten().count());
    if count < FEWEST {
        return Err(format!(
            "{} has {count} certificates; the tests leave more",
            folder.display()
        ));
    }
    run(Command::new(packages::venv().join("bin/python"))
        .arg(root().join("xtask/lint_issued.py"))
        .arg(&folder))
}

/// The interoperability tests alone leave more than this.
const FEWEST: usize = 10;
