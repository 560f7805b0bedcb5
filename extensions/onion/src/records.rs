//! CAA records as a service's descriptor has them (RFC 9799 §6): a line `caa FLAGS TAG VALUE` each, with the value as
//! RFC 8659 §4.1.1 presents it. Pure.

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the set has {0} octets; {LONGEST} are the most")]
    TooLong(usize),
    #[error("line {line} is not \"caa FLAGS TAG VALUE\": {why}")]
    Line { line: usize, why: &'static str },
}

/// Reads a set into the form that records have in the DNS (RFC 8659 §4.1). One line that cannot be read spoils all.
pub fn read(text: &str) -> Result<Vec<Vec<u8>>, Unreadable> {
    if text.len() > LONGEST {
        return Err(Unreadable::TooLong(text.len()));
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let lines = text.split('\n').enumerate();
    lines
        .map(|(at, line)| record(line).map_err(|why| Unreadable::Line { line: at + 1, why }))
        .collect()
}

fn record(line: &str) -> Result<Vec<u8>, &'static str> {
    let (keyword, rest) = word(line);
    if keyword != "caa" {
        return Err("it does not begin with \"caa\"");
    }
    let (flags, rest) = word(rest);
    let is_number = !flags.is_empty() && flags.bytes().all(|byte| byte.is_ascii_digit());
    let flags: u8 = is_number
        .then(|| flags.parse().ok())
        .flatten()
        .ok_or("its flags are not a number from 0 to 255")?;
    let (tag, rest) = word(rest);
    let length = u8::try_from(tag.len()).map_err(|_| "its tag is too long")?;
    if length == 0 || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("its tag is not letters and digits");
    }
    let value = value(rest)?;
    Ok([&[flags, length][..], tag.as_bytes(), &value].concat())
}

/// Up to white space, and what follows that.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(WHITE).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start_matches(WHITE))
}

/// A character-string (RFC 1035 §5.1) and nothing after it.
fn value(text: &str) -> Result<Vec<u8>, &'static str> {
    let (text, quoted) = match text.strip_prefix('"') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let mut octets = text.bytes();
    let mut value = Vec::with_capacity(text.len());
    let mut closed = false;
    while let Some(octet) = octets.next() {
        match octet {
            b'"' if quoted => {
                closed = true;
                break;
            }
            b'"' => return Err("a quotation mark stands within a value that does not begin with one"),
            b' ' | b'\t' if !quoted => break,
            b'\\' => value.push(escaped(&mut octets)?),
            other => value.push(other),
        }
    }
    if quoted && !closed {
        return Err("its value has no closing quotation mark");
    }
    if !quoted && value.is_empty() {
        return Err("it has no value");
    }
    match octets.all(|octet| octet == b' ' || octet == b'\t') {
        true => Ok(value),
        false => Err("something follows its value"),
    }
}

/// What follows a backslash: three digits for an octet, or the character itself.
fn escaped(octets: &mut std::str::Bytes<'_>) -> Result<u8, &'static str> {
    let first = octets.next().ok_or("it ends in a backslash")?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut number = u32::from(first - b'0');
    for _ in 0..2 {
        let digit = octets.next().filter(u8::is_ascii_digit);
        number = number * 10 + u32::from(digit.ok_or("an escaped octet has less than three digits")? - b'0');
    }
    u8::try_from(number).map_err(|_| "an escaped octet is more than 255")
}

const WHITE: [char; 2] = [' ', '\t'];
/// More than a descriptor has room for beside its introduction points.
const LONGEST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    // 9799-6-1
    #[test]
    fn lines_are_records() {
        let set = "caa 128 issue \"acmeforonions.example;validationmethods=onion-csr-01\"\ncaa 0 iodef \"mailto:example@example.com\"";
        let records = read(set).unwrap();
        assert_eq!(
            records,
            [
                &b"\x80\x05issueacmeforonions.example;validationmethods=onion-csr-01"[..],
                b"\0\x05iodefmailto:example@example.com"
            ]
        );
        assert_eq!(read(&format!("{set}\n")), Ok(records));
        assert_eq!(read("caa  0\tissue ca.example ").unwrap(), [b"\0\x05issueca.example"]);
        assert_eq!(
            read(r#"caa 0 issue "a\"\\\065\010""#).unwrap(),
            [b"\0\x05issuea\"\\A\n"]
        );
        assert_eq!(read("caa 0 issue \"\"").unwrap(), [b"\0\x05issue"]);
        assert_eq!(read("").unwrap(), Vec::<Vec<u8>>::new());
    }

    // 9799-6-1
    #[test]
    fn one_line_that_is_no_record_spoils_the_set() {
        for wrong in [
            "issue ca.example",
            "CAA 0 issue ca.example",
            "caa",
            "caa 0",
            "caa 0 issue",
            "caa 0 issue ",
            "caa 256 issue \"a\"",
            "caa +1 issue \"a\"",
            "caa -1 issue \"a\"",
            "caa 0 is-sue \"a\"",
            "caa 0 issue \"a",
            "caa 0 issue \"a\" b",
            "caa 0 issue a b",
            "caa 0 issue a\"b\"",
            "caa 0 issue \"a\\",
            "caa 0 issue \"\\25\"",
            "caa 0 issue \"\\256\"",
            "caa 0 issue \"a\"\r",
            "caa 0 issue \"a\"\n\n",
            "\ncaa 0 issue \"a\"",
            " caa 0 issue \"a\"",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
            assert!(
                read(&format!("caa 0 issue \"a\"\n{wrong}\ncaa 0 issue \"b\"")).is_err(),
                "{wrong:?}"
            );
        }
        assert_eq!(read(&" ".repeat(LONGEST + 1)), Err(Unreadable::TooLong(LONGEST + 1)));
    }
}
