//! Command lines in the manner of Go's `flag` package: `-name value`, `-name=value`, one dash or two.

use std::{collections::HashMap, fmt::Write as _};

/// One flag of a program.
pub struct Flag {
    pub name: &'static str,
    /// How earlier versions called it.
    pub older: Option<&'static str>,
    pub kind: Kind,
    pub about: &'static str,
}

pub enum Kind {
    /// With its default.
    Text(&'static str),
    Switch,
}

/// A command line that was understood.
#[derive(Debug)]
pub struct Flags {
    given: HashMap<&'static str, String>,
}

/// Why there is nothing to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It was asked what the flags are.
    Help,
    /// A sentence.
    Usage(String),
}

impl Flags {
    pub fn parse(flags: &'static [Flag], arguments: &[String]) -> Result<Self, Wrong> {
        let mut given = HashMap::new();
        let mut arguments = arguments.iter().map(String::as_str).peekable();
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                break;
            }
            let word = argument.strip_prefix('-').filter(|rest| !rest.is_empty());
            let word =
                word.ok_or_else(|| Wrong::Usage(format!("{argument:?} is not a flag; every argument belongs to one")))?;
            let word = word.strip_prefix('-').unwrap_or(word);
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            let named = |flag: &&Flag| flag.name == name || flag.older == Some(name);
            let Some(flag) = flags.iter().find(named) else {
                return Err(match name {
                    "h" | "help" => Wrong::Help,
                    _ => Wrong::Usage(format!("there is no flag -{name}")),
                });
            };
            let value = match (&flag.kind, value) {
                (_, Some(value)) => value,
                // `-strict false` is in old instructions, though Go would not read it so.
                (Kind::Switch, None) => arguments.next_if(|next| truth(next).is_some()).unwrap_or("true"),
                (Kind::Text(_), None) => arguments
                    .next()
                    .ok_or_else(|| Wrong::Usage(format!("-{name} is followed by nothing; give it a value")))?,
            };
            if matches!(flag.kind, Kind::Switch) && truth(value).is_none() {
                return Err(Wrong::Usage(format!("-{name}={value}: write true or false")));
            }
            given.insert(flag.name, value.to_owned());
        }
        for flag in flags {
            if let Kind::Text(default) = flag.kind {
                given.entry(flag.name).or_insert_with(|| default.to_owned());
            }
        }
        Ok(Self { given })
    }

    /// A text's value or default; empty for what is no flag.
    pub fn text(&self, name: &str) -> &str {
        self.given.get(name).map(String::as_str).unwrap_or_default()
    }

    pub fn switch(&self, name: &str) -> bool {
        truth(self.text(name)) == Some(true)
    }
}

/// What is printed for `-help` and after a mistake.
pub fn usage(program: &str, flags: &[Flag]) -> String {
    let mut text = format!("Usage of {program}:\n");
    for Flag {
        name,
        older,
        kind,
        about,
    } in flags
    {
        let older = older.map(|older| format!(" (or -{older})")).unwrap_or_default();
        let _ = match kind {
            Kind::Switch => writeln!(text, "  -{name}{older}\n        {about}"),
            Kind::Text("") => writeln!(text, "  -{name} TEXT{older}\n        {about}"),
            Kind::Text(default) => writeln!(text, "  -{name} TEXT{older}\n        {about} (default {default:?})"),
        };
    }
    text
}

/// The spellings that Go reads as a truth value.
fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag {
            name: "dnsserver",
            older: Some("dns01"),
            kind: Kind::Text(":8053"),
            about: "Where the DNS is served",
        },
        Flag {
            name: "strict",
            older: None,
            kind: Kind::Switch,
            about: "Strictly",
        },
    ];

    fn parse(arguments: &[&str]) -> Result<Flags, Wrong> {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        Flags::parse(FLAGS, &arguments)
    }

    #[test]
    fn a_value_follows_or_is_joined_by_an_equals_sign_after_one_dash_or_two() {
        for arguments in [
            &["-dnsserver", ":1"][..],
            &["--dnsserver", ":1"],
            &["-dnsserver=:1"],
            &["-dns01", ":1"],
            &["-dnsserver", ":2", "--dns01=:1"],
        ] {
            assert_eq!(parse(arguments).unwrap().text("dnsserver"), ":1", "{arguments:?}");
        }
        assert_eq!(parse(&["-dnsserver", ""]).unwrap().text("dnsserver"), "");
        assert_eq!(parse(&["-dnsserver="]).unwrap().text("dnsserver"), "");
        assert_eq!(parse(&[]).unwrap().text("dnsserver"), ":8053");
    }

    #[test]
    fn a_switch_needs_no_value_and_takes_one() {
        for (arguments, expected) in [
            (&[][..], false),
            (&["-strict"], true),
            (&["-strict=false"], false),
            (&["-strict=1"], true),
            (&["-strict", "false"], false),
            (&["-strict", "-dnsserver", ":1"], true),
        ] {
            assert_eq!(parse(arguments).unwrap().switch("strict"), expected, "{arguments:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_help_is_no_mistake() {
        for (arguments, word) in [
            (&["-bogus"][..], "-bogus"),
            (&["bare"], "bare"),
            (&["-dnsserver"], "followed by nothing"),
            (&["-strict=maybe"], "true or false"),
            (&["-"], "not a flag"),
        ] {
            match parse(arguments).unwrap_err() {
                Wrong::Usage(sentence) => assert!(sentence.contains(word), "{sentence}"),
                Wrong::Help => panic!("{arguments:?} asks for no help"),
            }
        }
        assert_eq!(parse(&["-h"]).unwrap_err(), Wrong::Help);
        assert_eq!(parse(&["--help"]).unwrap_err(), Wrong::Help);
        let usage = usage("pebble", FLAGS);
        assert!(
            usage.contains("-dnsserver") && usage.contains("-dns01") && usage.contains(":8053"),
            "{usage}"
        );
    }
}
