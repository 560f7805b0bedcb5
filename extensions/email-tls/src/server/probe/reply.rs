//! What mail servers say, read.

use super::{Fault, fault::Said};

/// A line of an SMTP or LMTP reply (RFC 5321 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmtpLine<'a> {
    pub code: u16,
    pub is_last: bool,
    pub text: &'a [u8],
}

impl<'a> SmtpLine<'a> {
    pub fn read(line: &'a [u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        let (is_last, text) = match rest.split_first() {
            None => (true, rest),
            Some((b' ', text)) => (true, text),
            Some((b'-', text)) => (false, text),
            Some(_) => return None,
        };
        Some(Self { code, is_last, text })
    }
}

/// What a line of SMTP means that should have been a greeting.
pub fn smtp_greeting(code: u16, line: &[u8]) -> Result<(), Fault> {
    match code {
        220 => Ok(()),
        421 => Err(Fault::Busy(Said::of(line))),
        400..=499 => Err(Fault::Later(Said::of(line))),
        500..=599 => Err(Fault::Away(Said::of(line))),
        _ => Err(Fault::NoGreeting(Said::of(line))),
    }
}

/// The text of an IMAP greeting, and the capabilities in its code (RFC 3501 §7.1).
pub fn imap_greeting(line: &[u8]) -> Result<(&[u8], Vec<Vec<u8>>), Fault> {
    let (status, text) = untagged(line).ok_or_else(|| Fault::NoGreeting(Said::of(line)))?;
    if status.eq_ignore_ascii_case(b"BYE") {
        return Err(match starts_with(text, b"[UNAVAILABLE]") {
            true => Fault::Busy(Said::of(line)),
            false => Fault::Away(Said::of(line)),
        });
    }
    if !status.eq_ignore_ascii_case(b"OK") && !status.eq_ignore_ascii_case(b"PREAUTH") {
        return Err(Fault::NoGreeting(Said::of(line)));
    }
    no_literal(line)?;
    let code = text.strip_prefix(b"[").and_then(|rest| {
        let end = rest.iter().position(|octet| *octet == b']')?;
        Some((&rest[..end], &rest[end + 1..]))
    });
    Ok(match code {
        Some((code, text)) => {
            let mut atoms = words(code);
            let is_capability = atoms
                .next()
                .is_some_and(|atom| atom.eq_ignore_ascii_case(b"CAPABILITY"));
            let listed = atoms.filter(|_| is_capability).map(<[u8]>::to_vec).collect();
            (text, listed)
        }
        None => (text, Vec::new()),
    })
}

/// The capabilities of an untagged CAPABILITY response; `None` for another line.
pub fn imap_capabilities(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (status, text) = untagged(line)?;
    let is_capability = status.eq_ignore_ascii_case(b"CAPABILITY");
    is_capability.then(|| words(text).map(<[u8]>::to_vec).collect())
}

/// The status of the response to a command with this tag.
pub fn imap_tagged<'a>(line: &'a [u8], tag: &[u8]) -> Option<&'a [u8]> {
    let mut all = words(line);
    (all.next()? == tag).then_some(all.next().unwrap_or_default())
}

/// `* STATUS text`.
fn untagged(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(b"* ")?;
    let end = rest.iter().position(|octet| *octet == b' ').unwrap_or(rest.len());
    Some((&rest[..end], rest.get(end + 1..).unwrap_or_default()))
}

/// A line that announces octets to come (RFC 3501 §4.3, RFC 7888): they could hold anything, ends of lines included.
pub fn no_literal(line: &[u8]) -> Result<(), Fault> {
    let inside = line.strip_suffix(b"}").and_then(|rest| {
        let start = rest.iter().rposition(|octet| *octet == b'{')?;
        Some(&rest[start + 1..])
    });
    match inside {
        Some(inside) if inside.iter().all(|octet| octet.is_ascii_digit() || *octet == b'+') => {
            Err(Fault::Literal(Said::of(line)))
        }
        _ => Ok(()),
    }
}

/// The text of a positive POP3 response (RFC 1939 §3).
pub fn pop_ok(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"+OK")?;
    match rest.split_first() {
        None => Some(rest),
        Some((b' ', text)) => Some(text),
        Some(_) => None,
    }
}

pub fn pop_greeting(line: &[u8]) -> Result<&[u8], Fault> {
    match pop_ok(line) {
        Some(text) => Ok(text),
        None if !starts_with(line, b"-ERR") => Err(Fault::NoGreeting(Said::of(line))),
        // RFC 3206 §4, RFC 2449 §8.1.1
        None if starts_with(line, b"-ERR [SYS/TEMP]") || starts_with(line, b"-ERR [IN-USE]") => {
            Err(Fault::Busy(Said::of(line)))
        }
        None => Err(Fault::Away(Said::of(line))),
    }
}

/// A line of a POP3 response of several, without its stuffing; `None` for the last (RFC 1939 §3).
pub fn pop_line(line: &[u8]) -> Option<&[u8]> {
    match line.strip_prefix(b".") {
        Some(b"") => None,
        Some(rest) => Some(rest),
        None => Some(line),
    }
}

/// What ends a ManageSieve response (RFC 5804 §1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SieveEnd<'a> {
    Ok(&'a [u8]),
    No,
    Bye,
}

pub fn sieve_end(line: &[u8]) -> Option<SieveEnd<'_>> {
    let mut all = words(line);
    let first = all.next()?;
    if first.eq_ignore_ascii_case(b"OK") {
        let text = line[2..].trim_ascii();
        Some(SieveEnd::Ok(
            text.strip_prefix(b"\"")
                .and_then(|text| text.strip_suffix(b"\""))
                .unwrap_or(text),
        ))
    } else if first.eq_ignore_ascii_case(b"NO") {
        Some(SieveEnd::No)
    } else if first.eq_ignore_ascii_case(b"BYE") {
        Some(SieveEnd::Bye)
    } else {
        None
    }
}

/// Whether a list of capabilities offers this one, in any case.
pub fn offers(capabilities: &[Vec<u8>], keyword: &str) -> bool {
    capabilities.iter().any(|line| {
        let first = words(line).next().unwrap_or_default();
        let first = first
            .strip_prefix(b"\"")
            .and_then(|first| first.strip_suffix(b"\""))
            .unwrap_or(first);
        first.eq_ignore_ascii_case(keyword.as_bytes())
    })
}

/// Words between blanks.
pub fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|octet| matches!(octet, b' ' | b'\t'))
        .filter(|word| !word.is_empty())
}

fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len())
        .is_some_and(|first| first.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    // ETLS-P-6
    #[test]
    fn a_line_of_smtp_is_a_code_and_says_whether_more_follow() {
        let line = |text: &'static str| SmtpLine::read(text.as_bytes());
        let expected = |code, is_last, text: &'static str| {
            let text = text.as_bytes();
            Some(SmtpLine { code, is_last, text })
        };
        assert_eq!(line("220-a b"), expected(220, false, "a b"));
        assert_eq!(line("250 STARTTLS"), expected(250, true, "STARTTLS"));
        assert_eq!(line("250"), expected(250, true, ""));
        for wrong in ["", "25", "2x0 a", "250_a", "* OK", "+OK"] {
            assert_eq!(line(wrong), None, "{wrong}");
        }
    }

    // ETLS-3.4-2
    #[test]
    fn an_imap_greeting_may_have_capabilities_in_its_code_and_no_literal() {
        let greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS ACME=x] ready";
        let (text, listed) = imap_greeting(greeting).unwrap();
        assert_eq!(text, b" ready");
        assert_eq!(
            listed,
            [b"IMAP4rev1".to_vec(), b"STARTTLS".to_vec(), b"ACME=x".to_vec()]
        );
        assert_eq!(imap_greeting(b"* PREAUTH hello").unwrap(), (&b"hello"[..], Vec::new()));
        assert_eq!(imap_greeting(b"* OK [ALERT] hello").unwrap().1, Vec::<Vec<u8>>::new());
        assert!(matches!(imap_greeting(b"* OK {12}"), Err(Fault::Literal(_))));
        assert!(matches!(imap_greeting(b"* OK a {12+}"), Err(Fault::Literal(_))));
        assert!(matches!(imap_greeting(b"* BYE no"), Err(Fault::Away(_))));
        assert!(matches!(imap_greeting(b"* BYE [UNAVAILABLE] no"), Err(Fault::Busy(_))));
        assert!(matches!(imap_greeting(b"220 hello"), Err(Fault::NoGreeting(_))));
    }

    // ETLS-P-6
    #[test]
    fn stuffed_dots_of_pop_are_taken_off() {
        assert_eq!(pop_line(b"TOP"), Some(&b"TOP"[..]));
        assert_eq!(pop_line(b"..a"), Some(&b".a"[..]));
        assert_eq!(pop_line(b"."), None);
        assert_eq!(pop_ok(b"+OK hi"), Some(&b"hi"[..]));
        assert_eq!(pop_ok(b"+OKAY"), None);
        assert!(matches!(pop_greeting(b"-ERR [SYS/TEMP] x"), Err(Fault::Busy(_))));
        assert!(matches!(pop_greeting(b"-ERR x"), Err(Fault::Away(_))));
    }

    #[test]
    fn a_capability_is_found_by_its_first_word_in_any_case() {
        let listed = [b"SIZE 1000".to_vec(), b"StartTls".to_vec()];
        assert!(offers(&listed, "STARTTLS"));
        assert!(!offers(&listed, "1000"));
        assert!(offers(&[b"\"STARTTLS\"".to_vec()], "STARTTLS"));
        assert_eq!(sieve_end(b"OK \"ready\""), Some(SieveEnd::Ok(b"ready")));
        assert_eq!(sieve_end(b"\"OK\""), None);
    }
}
