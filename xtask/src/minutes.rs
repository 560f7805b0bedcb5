//! `docs/minutes.md` against what it names: the tests exist, the commands are known, nothing is left out.

use std::{collections::BTreeSet, fs, io, path::Path, process::Command};

use crate::{
    USAGE,
    run::{Outcome, output},
    target, test,
};

/// Reads the page and lists every row that says what is not so.
pub fn check() -> Outcome {
    let page = fs::read_to_string(PAGE).map_err(|error| format!("{PAGE}: {error}"))?;
    let (rows, mut faults) = read(&page);
    let mut functions = BTreeSet::new();
    for folder in SOURCES {
        find_functions(Path::new(folder), &mut functions).map_err(|error| format!("{folder}: {error}"))?;
    }
    for row in &rows {
        let missing = row.tests.iter().filter(|name| !functions.contains(**name));
        faults.extend(missing.map(|name| format!("{}: there is no test {name:?}", row.id)));
        let unknown = row.commands.iter().filter_map(|command| known(command).err());
        faults.extend(unknown.map(|error| format!("{}: {error}", row.id)));
    }
    if faults.is_empty() {
        println!("{} rows name what there is", rows.len());
        return Ok(());
    }
    Err(format!("{PAGE}:\n  {}", faults.join("\n  ")))
}

const PAGE: &str = "docs/minutes.md";
const SOURCES: &[&str] = &["crates", "extensions", "conformance", "xtask"];

/// What stands instead of a name: it comes later, or the remark asks for nothing that could be shown.
const WITHOUT_NAME: &[&str] = &["not yet", "nothing"];

struct Row<'p> {
    id: &'p str,
    tests: Vec<&'p str>,
    commands: Vec<&'p str>,
}

/// The rows of all tables of the page, and what is wrong with their form.
fn read(page: &str) -> (Vec<Row<'_>>, Vec<String>) {
    let (mut rows, mut faults, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
    let lines = page.lines().map(str::trim).zip(1..);
    for (line, number) in lines.filter(|(line, _)| line.starts_with('|')) {
        let inner = line.trim_start_matches('|').trim_end_matches('|');
        let cells: Vec<_> = inner.split('|').map(str::trim).collect();
        if cells[0] == "#" || cells.iter().all(|cell| cell.chars().all(|c| "-:".contains(c))) {
            continue;
        }
        if !ids.insert(cells[0]) {
            faults.push(format!("{}: the id occurs twice", cells[0]));
        }
        match row(&cells) {
            Ok(row) => rows.push(row),
            Err(fault) if cells[0].is_empty() => faults.push(format!("line {number}: {fault}")),
            Err(fault) => faults.push(format!("{}: {fault}", cells[0])),
        }
    }
    if rows.is_empty() {
        faults.push("there is no row".to_owned());
    }
    (rows, faults)
}

fn row<'p>(cells: &[&'p str]) -> Outcome<Row<'p>> {
    let [id, _who, _remark, _answer, _document, tests, commands] = cells else {
        return Err(format!("{} cells instead of 7", cells.len()));
    };
    if let Some(empty) = cells.iter().position(|cell| cell.is_empty()) {
        return Err(format!("cell {} is empty", empty + 1));
    }
    let (tests, commands) = (names(tests)?, names(commands)?);
    Ok(Row { id, tests, commands })
}

/// What stands in backticks, with nothing but commas between.
fn names(cell: &str) -> Outcome<Vec<&str>> {
    if WITHOUT_NAME.contains(&cell) {
        return Ok(Vec::new());
    }
    let parts: Vec<_> = cell.split('`').collect();
    let names: Vec<_> = parts.iter().skip(1).step_by(2).copied().collect();
    let is_clean = parts.iter().step_by(2).all(|text| matches!(text.trim(), "" | ","));
    // An even number of backticks makes an odd number of parts.
    if parts.len() % 2 == 0 || names.is_empty() || names.contains(&"") || !is_clean {
        let instead = WITHOUT_NAME.join(" or ");
        return Err(format!("{cell:?} is neither names in backticks nor {instead}"));
    }
    Ok(names)
}

/// Adds the names of all functions below a folder.
fn find_functions(folder: &Path, functions: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_functions(&path, functions)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            functions.extend(function_names(&fs::read_to_string(&path)?).map(str::to_owned));
        }
    }
    Ok(())
}

/// Tests of the conformance suite are functions without a test's attribute, so every function counts.
fn function_names(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let function = line.trim().trim_start_matches("pub ").trim_start_matches("async ");
        function.strip_prefix("fn ")?.split(['(', '<']).next()
    })
}

/// Whether the program would take these words; it is asked for its help only.
fn known(command: &str) -> Outcome {
    let words: Vec<_> = command.split_whitespace().map(|word| word.trim_matches('\'')).collect();
    match words.as_slice() {
        ["vidimus", arguments @ ..] => {
            let own = arguments.iter().take_while(|word| **word != "--");
            let help = output(Command::new(target().join("debug/vidimus")).args(own).arg("--help"));
            help.map(drop)
                .map_err(|error| error.lines().take(2).collect::<Vec<_>>().join(": "))
        }
        ["cargo", "xtask", "test", steps @ ..] if *steps != ["--list"] => test::named(steps).map(drop),
        ["cargo", "xtask", arguments @ ..] => in_usage(USAGE, arguments),
        _ => Err(format!("{command:?} begins with neither vidimus nor cargo xtask")),
    }
}

/// Whether one line of the usage, up to its explanation, has all these words.
fn in_usage(usage: &str, arguments: &[&str]) -> Outcome {
    let is_taken = usage.lines().filter_map(|line| line.strip_prefix("  ")).any(|line| {
        let synopsis = line.split("  ").next().unwrap_or_default();
        let words: Vec<_> = synopsis.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
        arguments.first() == words.first() && arguments.iter().all(|argument| words.contains(argument))
    });
    let missing = format!("there is no `cargo xtask {}`", arguments.join(" "));
    if is_taken { Ok(()) } else { Err(missing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "| core-01 | RB | why | so | RFC 8555 §7.4 | `a`, `b` | `vidimus dev --once` |";

    #[test]
    fn a_row_gives_its_id_tests_and_commands() {
        let page = format!(
            "Text | with a bar.\n\n| # | who |\n|---|:---:|\n{GOOD}\n| b | c | d | e | f | not yet | nothing |"
        );
        let (rows, faults) = read(&page);
        assert_eq!(faults, [""; 0]);
        assert_eq!((rows[0].id, rows[0].tests.as_slice()), ("core-01", &["a", "b"][..]));
        assert_eq!(rows[0].commands, ["vidimus dev --once"]);
        assert!(rows[1].tests.is_empty() && rows[1].commands.is_empty());
    }

    #[test]
    fn a_bad_row_is_named_by_its_id_or_its_line() {
        for (bad, expected) in [
            ("| a | b | c | d | e | `f` |", "a: 6 cells instead of 7"),
            ("| a | b | c | d | e | `f` | `g` | h |", "a: 8 cells instead of 7"),
            ("| a | b |  | d | e | `f` | `g` |", "a: cell 3 is empty"),
            ("|  | b | c | d | e | `f` | `g` |", "line 2: cell 1 is empty"),
            (GOOD, "core-01: the id occurs twice"),
        ] {
            assert_eq!(read(&format!("{GOOD}\n{bad}")).1, [expected]);
        }
        for cell in ["f", "`f", "``", "`f` g", "not yet `f`", "later"] {
            assert!(names(cell).is_err(), "{cell}");
        }
        assert_eq!(read("# A page\n").1, ["there is no row"]);
    }

    #[test]
    fn tests_of_every_kind_are_found_and_calls_are_not() {
        let source = "#[test]\nfn one() {}\n    pub async fn two<T>(world: &World) {}\n// fn no()\nlet x = f(n);";
        assert_eq!(function_names(source).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn commands_of_other_programs_and_unknown_words_are_refused() {
        assert!(known("curl https://example.test").is_err());
        assert!(known("cargo xtask test no-such-step").is_err());
        assert!(known("cargo xtask test format").is_ok() && known("cargo xtask test --list").is_ok());
        let usage = "usage: x\n\n  bench [--quick]   figures\n  demo [core|mail]  show\n";
        let taken = |line: &str| in_usage(usage, &line.split(' ').collect::<Vec<_>>()).is_ok();
        assert!(["bench", "bench --quick", "demo mail"].into_iter().all(taken));
        assert!(
            !["", "figures", "bench --slow", "demo show", "usage"]
                .into_iter()
                .any(taken)
        );
    }
}
