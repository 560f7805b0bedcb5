//! The corpus, and damaged versions of it, given to targets in an ordinary program.

use std::{fs, io, panic, path::Path};

use crate::{corpus, damage::Damage, target::Target};

/// How much a replay does.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Damaged inputs per unit of a target's share.
    pub rounds: u32,
    pub seed: u64,
}

/// How many inputs a target was given, or the first that made it panic.
pub fn replay(target: &Target, extent: Extent) -> Result<u64, Failure> {
    let seeds = corpus::read(target.name).map_err(Failure::Corpus)?;
    let mut damage = Damage::new(extent.seed);
    for seed in &seeds {
        run(target, seed)?;
    }
    let rounds = u64::from(extent.rounds) * u64::from(target.share);
    for _ in 0..rounds {
        let [seed, other] = [damage.below(seeds.len()), damage.below(seeds.len())];
        run(target, &damage.of(&seeds[seed], &seeds[other]))?;
    }
    Ok(seeds.len() as u64 + rounds)
}

/// Why a replay ended early.
#[derive(Debug)]
pub enum Failure {
    Corpus(io::Error),
    /// The input that made the target panic.
    Panic(Vec<u8>),
}

impl Failure {
    /// Keeps the input where it can be given to a debugger; a sentence about it.
    pub fn keep(&self, target: &Target, folder: &Path) -> String {
        let name = target.name;
        match self {
            Self::Corpus(error) => format!("{name}: the corpus cannot be read: {error}"),
            Self::Panic(input) => {
                let file = folder.join(format!("fuzz-{name}"));
                match fs::write(&file, input) {
                    Ok(()) => format!("{name}: panicked; the input is in {}", file.display()),
                    Err(error) => format!("{name}: panicked; {} cannot be written: {error}", file.display()),
                }
            }
        }
    }
}

fn run(target: &Target, input: &[u8]) -> Result<(), Failure> {
    let run = target.run;
    panic::catch_unwind(|| run(input)).map_err(|_| Failure::Panic(input.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ALL;

    #[test]
    fn every_target_has_a_corpus_that_it_survives() {
        for target in ALL {
            let count = replay(target, Extent { rounds: 0, seed: 0 }).unwrap_or_else(|failure| panic!("{failure:?}"));
            assert!(count >= 3, "{} has {count} inputs", target.name);
        }
    }

    #[test]
    fn what_a_target_panics_at_is_told() {
        let target = Target {
            name: "jws",
            run: |_| panic!("on purpose"),
            share: 1,
        };
        let failure = replay(&target, Extent { rounds: 0, seed: 0 }).unwrap_err();
        assert!(matches!(failure, Failure::Panic(input) if !input.is_empty()));
    }
}
