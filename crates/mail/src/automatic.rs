//! Who else than a person at a mailbox may have sent a message: lists, robots, loops (RFC 8823 §3.2 item 6, RFC 3834).

use crate::message::{Message, address::Mailbox, content_type};

/// What the field Auto-Submitted says (RFC 3834 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutoSubmitted {
    /// Absent, or `no`: a person.
    No,
    /// `auto-generated`, with whether `type=acme` stands beside it.
    Generated { acme: bool },
    /// `auto-replied`, likewise.
    Replied { acme: bool },
    /// Another word; no person either.
    Other(String),
}

impl AutoSubmitted {
    pub fn of(message: &Message<'_>) -> Self {
        let Some(field) = message.field("Auto-Submitted") else {
            return Self::No;
        };
        let pieces = content_type::pieces(&field.value());
        let word = pieces.first().map_or("", |word| word.trim()).to_ascii_lowercase();
        let acme = pieces[1..].iter().any(|piece| {
            let piece: String = piece.split_whitespace().collect::<String>().replace('"', "");
            piece.eq_ignore_ascii_case("type=acme")
        });
        match word.as_str() {
            "no" => Self::No,
            "auto-generated" => Self::Generated { acme },
            "auto-replied" => Self::Replied { acme },
            other => Self::Other(shown(other)),
        }
    }
}

/// Why a reply is not a mailbox's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Automatic {
    #[error("it came through a mailing list: it has a field {0}; answer from the mailbox itself")]
    List(String),
    #[error("somebody passed it on: it has a field {0}; answer from the mailbox itself")]
    Resent(String),
    #[error("it is bulk mail: its Precedence is {0}")]
    Precedence(String),
    #[error("it has been here before: it has an X-Loop of ours")]
    Loop,
    #[error("it was sent by a robot: its Auto-Submitted is {0}; an answer has auto-replied, or no such field")]
    AutoSubmitted(String),
    #[error("it has the null return path and is not Auto-Submitted: auto-replied; type=acme")]
    NullReturnPath,
}

/// The first reason to take a reply for no mailbox's own, if there is one.
///
/// Programs that know of RFC 8823 answer by themselves, so `auto-replied` is no reason; with `type=acme` it may even have
/// the null return path that RFC 3834 §3.3 gives to automatic replies.
pub fn reason(message: &Message<'_>, recipient: &Mailbox, has_null_return_path: bool) -> Option<Automatic> {
    for field in message.fields() {
        let name = field.name().to_ascii_lowercase();
        // Every List-* field, also those that are not registered.
        if name.starts_with("list-") || LISTS.contains(&name.as_str()) {
            return Some(Automatic::List(shown(field.name())));
        }
        // RFC 5322 §3.6.6: put into the hands of the mail system again, by whoever had it.
        if name.starts_with("resent-") {
            return Some(Automatic::Resent(shown(field.name())));
        }
        let value = || field.value().to_ascii_lowercase();
        if name == "precedence" && BULK.contains(&value().as_str()) {
            return Some(Automatic::Precedence(value()));
        }
        if name == "x-loop" && value().contains(&recipient.to_string().to_ascii_lowercase()) {
            return Some(Automatic::Loop);
        }
    }
    match AutoSubmitted::of(message) {
        AutoSubmitted::Replied { acme: true } => None,
        AutoSubmitted::No | AutoSubmitted::Replied { acme: false } => {
            has_null_return_path.then_some(Automatic::NullReturnPath)
        }
        AutoSubmitted::Generated { .. } => Some(Automatic::AutoSubmitted("auto-generated".into())),
        AutoSubmitted::Other(word) => Some(Automatic::AutoSubmitted(word)),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect::<String>().escape_debug().to_string()
}

/// What list programs write beside List-*: ezmlm and Yahoo, Mailman.
const LISTS: [&str; 3] = ["mailing-list", "x-beenthere", "x-mailing-list"];
const BULK: [&str; 3] = ["list", "bulk", "junk"];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str, null: bool) -> Option<Automatic> {
        let recipient = Mailbox::parse("acme-challenge+5f3c@ca.test").unwrap();
        let text = format!("From: alice@alpha.test\r\n{fields}\r\n\r\n");
        reason(&Message::parse(text.as_bytes()).unwrap(), &recipient, null)
    }

    // 8823-3.2-5, 8823-M-4
    #[test]
    fn lists_bulk_loops_and_robots_each_have_their_reason() {
        for name in [
            "List-Id",
            "List-Help",
            "List-Unsubscribe",
            "List-Subscribe",
            "List-Post",
            "List-Owner",
            "LIST-ARCHIVE",
            "List-Unsubscribe-Post",
            "List-X",
            "Mailing-List",
            "X-BeenThere",
        ] {
            assert_eq!(of(&format!("{name}: x"), false), Some(Automatic::List(name.into())));
        }
        assert_eq!(
            of("Resent-From: bob@beta.test", false),
            Some(Automatic::Resent("Resent-From".into()))
        );
        for word in ["list", "Bulk", "junk"] {
            let lower = word.to_lowercase();
            assert_eq!(
                of(&format!("Precedence: {word}"), false),
                Some(Automatic::Precedence(lower))
            );
        }
        assert_eq!(
            of("X-Loop: <ACME-challenge+5f3c@ca.test>", false),
            Some(Automatic::Loop)
        );
        assert_eq!(
            of("Auto-Submitted: auto-generated; type=acme", false),
            Some(Automatic::AutoSubmitted("auto-generated".into()))
        );
        assert_eq!(
            of("Auto-Submitted: auto-notified", false),
            Some(Automatic::AutoSubmitted("auto-notified".into()))
        );
        assert_eq!(of("Auto-Submitted: no", true), Some(Automatic::NullReturnPath));
        assert_eq!(
            of("Auto-Submitted: auto-replied", true),
            Some(Automatic::NullReturnPath)
        );
    }

    #[test]
    fn people_and_programs_that_know_acme_may_answer() {
        for fields in [
            "X-A: b",
            "Precedence: first-class",
            "X-Loop: bob@beta.test",
            "Auto-Submitted: No (really)",
            "Auto-Submitted: auto-replied",
        ] {
            assert_eq!(of(fields, false), None, "{fields}");
        }
        assert_eq!(of("Auto-Submitted: auto-replied; x=y; Type = \"acme\"", true), None);
    }
}
