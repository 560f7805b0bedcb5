//! What was found, per requirement.

use std::{collections::BTreeSet, fmt::Write};

use serde::Serialize;

use crate::{
    catalogue::{self, Requirement},
    test::{Finding, Verdict},
};

pub struct Report {
    directory: String,
    findings: Vec<Finding>,
    /// The server stopped answering on the way.
    pub died: bool,
    /// Not all tests were wanted.
    partial: bool,
}

/// What the tests of one requirement say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Pass,
    Fail,
    NotApplicable,
    NoTest,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    level: &'a str,
    statement: &'a str,
    standing: Standing,
    /// Why it failed or was not applicable.
    remarks: Vec<String>,
}

impl Report {
    pub fn new(directory: &str, findings: Vec<Finding>, died: bool, partial: bool) -> Self {
        Self {
            directory: directory.to_owned(),
            findings,
            died,
            partial,
        }
    }

    /// The ids that failed.
    pub fn failed(&self) -> BTreeSet<&'static str> {
        let rows = catalogue::all().filter(|requirement| self.standing(requirement.id) == Standing::Fail);
        rows.map(|requirement| requirement.id).collect()
    }

    fn findings_of(&self, id: &str) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.test.shows.contains(&id))
    }

    pub fn standing(&self, id: &str) -> Standing {
        let mut standing = Standing::NoTest;
        for finding in self.findings_of(id) {
            match (&finding.outcome, standing) {
                (Err(Verdict::Failed(_)), _) => return Standing::Fail,
                (Ok(()), _) => standing = Standing::Pass,
                (Err(Verdict::NotApplicable(_)), Standing::NoTest) => standing = Standing::NotApplicable,
                (Err(Verdict::NotApplicable(_)), _) => {}
            }
        }
        standing
    }

    fn row<'a>(&'a self, requirement: &Requirement) -> Row<'a> {
        let remarks = self.findings_of(requirement.id).filter_map(|finding| {
            let verdict = finding.outcome.as_ref().err()?;
            Some(format!("{}: {verdict}", finding.test.sentence()))
        });
        Row {
            id: requirement.id,
            level: requirement.level,
            statement: requirement.statement,
            standing: self.standing(requirement.id),
            remarks: remarks.collect(),
        }
    }

    pub fn markdown(&self) -> String {
        let mut page = format!("# Conformance of {}\n\n{}\n\n", self.directory, self.figures());
        page += "| id | level | requirement | result |\n|---|---|---|---|\n";
        for requirement in catalogue::all() {
            let row = self.row(&requirement);
            let mut result = row.standing.word().to_owned();
            for remark in &row.remarks {
                result += &format!("<br>{}", remark.replace('|', "\\|").replace('\n', " "));
            }
            // Writing to a String cannot fail.
            let _ = writeln!(page, "| {} | {} | {} | {result} |", row.id, row.level, row.statement);
        }
        page
    }

    /// What stands on standard output.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            if let Err(Verdict::Failed(why)) = &finding.outcome {
                let _ = writeln!(
                    text,
                    "FAIL {} ({}): {why}",
                    finding.test.sentence(),
                    finding.test.shows.join(", ")
                );
            }
        }
        let _ = writeln!(text, "{}", self.figures());
        if self.died {
            text += "the server stopped answering\n";
        }
        if !self.partial {
            let ids = catalogue::all().map(|requirement| requirement.id);
            let untested: Vec<_> = ids.filter(|id| self.standing(id) == Standing::NoTest).collect();
            let _ = writeln!(text, "no test yet: {}", untested.join(" "));
        }
        text
    }

    fn figures(&self) -> String {
        let count = |standing| catalogue::all().filter(|row| self.standing(row.id) == standing).count();
        format!(
            "{} requirements pass, {} fail, {} not applicable, {} without a test; {} tests",
            count(Standing::Pass),
            count(Standing::Fail),
            count(Standing::NotApplicable),
            count(Standing::NoTest),
            self.findings.len()
        )
    }

    pub fn json(&self) -> serde_json::Value {
        let rows: Vec<_> = catalogue::all()
            .map(|requirement| self.row(&requirement))
            .map(|row| serde_json::json!(row))
            .collect();
        serde_json::json!({ "directory": self.directory, "requirements": rows })
    }
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "**fail**",
            Self::NotApplicable => "not applicable",
            Self::NoTest => "no test yet",
        }
    }
}
