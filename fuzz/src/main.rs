//! `fuzz [--rounds N] [--seed N] [TARGET ...]`: the corpus and deterministic damage to it, without any fuzzer.
//! `fuzz --seeds` makes the corpus anew, `fuzz --input FILE TARGET` gives a target one input.

use std::{env, fs, process::ExitCode};

use fuzz::{
    corpus,
    replay::{Extent, replay},
    target::{ALL, Target},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["--seeds"] => corpus::write_seeds().map_err(|error| format!("the corpus cannot be written: {error}")),
        ["--input", file, name] => one(file, name),
        words => damaged(words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn one(file: &str, name: &str) -> Result<(), String> {
    let input = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    (named(name)?.run)(&input);
    Ok(())
}

fn damaged(words: &[&str]) -> Result<(), String> {
    let mut extent = Extent { rounds: 2000, seed: 1 };
    let mut targets = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|word| word.parse::<u32>().ok());
            number.ok_or(format!("{word} needs a number"))
        };
        match *word {
            "--rounds" => extent.rounds = number()?,
            "--seed" => extent.seed = number()?.into(),
            name => targets.push(*named(name)?),
        }
    }
    if targets.is_empty() {
        targets = ALL.to_vec();
    }
    let mut failures = Vec::new();
    for target in &targets {
        match replay(target, extent) {
            Ok(count) => println!("{:<12} {count:>8} inputs", target.name),
            Err(failure) => failures.push(failure.keep(target, &env::temp_dir())),
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("\n")),
    }
}

fn named(name: &str) -> Result<&'static Target, String> {
    ALL.iter().find(|target| target.name == name).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|target| target.name).collect();
        format!("there is no target {name:?}; there are {}", known.join(", "))
    })
}
