//! `cargo xtask test`: everything that must hold, in steps, the quickest to fail first.

use std::{process::Command, time::Instant};

use crate::{
    demo, docs, issued, layers, minutes, packages,
    run::{Outcome, cargo, output, run},
    suites, target,
};

type Step = (&'static str, &'static str, fn() -> Outcome);

/// Name, what it is for, and how. Each stops the run if it fails.
const STEPS: &[Step] = &[
    ("debian", "packages that the tests need", packages::debian),
    (
        "python",
        "linters from PyPI in an environment of their own",
        packages::python,
    ),
    ("format", "cargo fmt --check", || run(&mut cargo(&["fmt", "--check"]))),
    (
        "layers",
        "the arrows between the parts, against the manifests",
        layers::check,
    ),
    ("clippy", "lints, warnings are errors", clippy),
    ("build", "every crate, as locked", || {
        run(&mut cargo(&["build", "--workspace", "--locked"]))
    }),
    (
        "minutes",
        "the tests and commands that docs/minutes.md names",
        minutes::check,
    ),
    (
        "docs",
        "the documentation pages that are made from the code",
        docs::check,
    ),
    ("tests", "unit, contract, conformance and interoperability tests", tests),
    (
        "fuzz",
        "every reader of strangers' octets, with damage that is the same in every run",
        fuzz,
    ),
    (
        "suites",
        "the published test suite of an ACME client, with this product in Pebble's place",
        suites::all,
    ),
    (
        "pkilint",
        "a foreign linter on every certificate that a test had issued",
        issued::lint,
    ),
    ("demo", "the documented commands against real peers", || {
        demo::show("all")
    }),
];

/// Runs all steps, or those that are named.
pub fn all(arguments: &[&str]) -> Outcome {
    if arguments == ["--list"] {
        for (name, purpose, _) in STEPS {
            println!("{name:<8} {purpose}");
        }
        return Ok(());
    }
    run_steps(&named(arguments)?)
}

/// The steps with these names; all if there are none.
pub fn named(names: &[&str]) -> Outcome<Vec<&'static Step>> {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|(step, ..)| step != *name)) {
        return Err(format!(
            "there is no step {unknown:?}; `cargo xtask test --list` names them"
        ));
    }
    Ok(STEPS
        .iter()
        .filter(|(name, ..)| names.is_empty() || names.contains(name))
        .collect())
}

fn run_steps(steps: &[&Step]) -> Outcome {
    let begin = Instant::now();
    let mut done = Vec::new();
    for (index, (name, purpose, step)) in steps.iter().enumerate() {
        println!("\n== {}/{} {name}: {purpose}", index + 1, steps.len());
        let start = Instant::now();
        let outcome = step();
        let seconds = start.elapsed().as_secs_f64();
        if let Err(error) = outcome {
            let again = format!("again with: cargo xtask test {name}");
            return Err(format!("step {name} failed after {seconds:.1} s: {error}\n{again}"));
        }
        println!("== {name} ok, {seconds:.1} s");
        done.push(format!("{name} {seconds:.1} s"));
    }
    println!(
        "\nall {} steps passed in {:.1} s: {}",
        done.len(),
        begin.elapsed().as_secs_f64(),
        done.join(", ")
    );
    Ok(())
}

fn clippy() -> Outcome {
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Built with everything else, so that nothing is built twice. A fuzzer that finds its own way is in `fuzz/README.md`.
fn fuzz() -> Outcome {
    run(&mut cargo(&["build", "--workspace", "--locked"]))?;
    run(Command::new(target().join("debug").join("fuzz")).args(["--rounds", FUZZ_ROUNDS]))
}

/// Some 20 s of a debug build's time.
const FUZZ_ROUNDS: &str = "15000";

/// With nextest where it is installed: each test has a process of its own there, and they run side by side.
fn tests() -> Outcome {
    let path = packages::venv().join("bin");
    let with_tools = |command: &mut Command| {
        // Tests that lint certificates find the linters here.
        command.env("VIDIMUS_PYTHON_BIN", &path);
        run(command)
    };
    if output(&mut cargo(&["nextest", "--version"])).is_ok() {
        with_tools(&mut cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--no-fail-fast",
            // Programs of others, real sockets and two cores: what passes only at the second try is printed as flaky.
            "--retries",
            "2",
        ]))
    } else {
        println!("cargo-nextest is not installed: with cargo test");
        with_tools(&mut cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]))
    }
}
