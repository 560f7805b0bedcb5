//! What is required (`requirements.tsv`): id, level, statement.
//!
//! An id is a document, a section and a number; `0.1-n` are behaviours that installed clients depend on, `Tn` lessons
//! of incidents elsewhere.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub id: &'static str,
    /// MUST, SHD (should), MAY, TRAP (often got wrong), PROJ (our own).
    pub level: &'static str,
    pub statement: &'static str,
}

/// All of them, in the sequence of the documents.
pub fn all() -> impl Iterator<Item = Requirement> {
    TABLE.lines().map(|line| {
        let mut columns = line.splitn(3, '\t');
        let mut next = || columns.next().unwrap_or_default();
        Requirement {
            id: next(),
            level: next(),
            statement: next(),
        }
    })
}

const TABLE: &str = include_str!("../requirements.tsv");

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::requirements;

    #[test]
    fn every_requirement_has_an_id_of_its_own_a_level_and_a_statement() {
        let mut ids = HashSet::new();
        for requirement in all() {
            assert!(ids.insert(requirement.id), "{} is there twice", requirement.id);
            assert!(
                ["MUST", "SHD", "MAY", "TRAP", "PROJ"].contains(&requirement.level),
                "{requirement:?}"
            );
            assert!(requirement.statement.ends_with('.'), "{requirement:?}");
        }
    }

    #[test]
    fn every_test_shows_requirements_that_exist() {
        let ids: HashSet<_> = all().map(|requirement| requirement.id).collect();
        for test in requirements::all() {
            assert!(!test.shows.is_empty(), "{}", test.name);
            for id in test.shows {
                assert!(ids.contains(id), "{} shows {id}", test.name);
            }
        }
    }
}
