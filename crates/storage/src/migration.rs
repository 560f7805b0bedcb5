//! Steps of the schema, each applied once and remembered with its digest.

use aws_lc_rs::digest::{SHA256, digest};

use crate::OpenError;

/// One step. Its text never changes after a release: what was applied is compared with it at every start.
pub(crate) struct Migration {
    pub name: &'static str,
    pub sql: &'static str,
}

impl Migration {
    pub fn sha256(&self) -> Vec<u8> {
        digest(&SHA256, self.sql.as_bytes()).as_ref().to_vec()
    }
}

/// The steps that are missing, with their versions, counted from 1.
pub(crate) fn pending<'a>(
    database: &str,
    applied: &[(i64, Vec<u8>)],
    known: &'a [Migration],
) -> Result<Vec<(i64, &'a Migration)>, OpenError> {
    let numbered = (1..).zip(known);
    let newest = known.len() as i64;
    for (version, sha256) in applied {
        match numbered.clone().find(|(number, _)| number == version) {
            None => {
                return Err(OpenError::Newer {
                    database: database.into(),
                    found: *version,
                    known: newest,
                });
            }
            Some((_, migration)) if migration.sha256() != *sha256 => {
                return Err(OpenError::Altered {
                    database: database.into(),
                    version: *version,
                });
            }
            Some(_) => {}
        }
    }
    Ok(numbered
        .filter(|(number, _)| applied.iter().all(|(version, _)| version != number))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] = &[
        Migration {
            name: "one",
            sql: "CREATE TABLE a (b)",
        },
        Migration {
            name: "two",
            sql: "CREATE TABLE c (d)",
        },
    ];

    fn versions(applied: &[(i64, Vec<u8>)]) -> Result<Vec<i64>, String> {
        let pending = pending("x.db", applied, KNOWN).map_err(|error| error.to_string())?;
        Ok(pending.into_iter().map(|(version, _)| version).collect())
    }

    #[test]
    fn only_missing_steps_are_applied() {
        let one = (1, KNOWN[0].sha256());
        assert_eq!(versions(&[]), Ok(vec![1, 2]));
        assert_eq!(versions(std::slice::from_ref(&one)), Ok(vec![2]));
        assert_eq!(versions(&[one, (2, KNOWN[1].sha256())]), Ok(vec![]));
    }

    #[test]
    fn t45_a_newer_schema_and_a_changed_step_are_refused() {
        assert!(
            versions(&[(3, vec![0; 32])])
                .unwrap_err()
                .contains("has schema 3, this program knows schemas up to 2")
        );
        assert!(versions(&[(1, vec![0; 32])]).unwrap_err().contains("schema step 1"));
    }
}
