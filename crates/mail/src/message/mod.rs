//! A message as octets: its header fields as they were sent, and its body (RFC 5322 §2, RFC 6532).
//!
//! The reader is strict where two readers could disagree about who wrote what: a field that may stand once and stands
//! twice, a line that ends otherwise than with CRLF, a name with white space before its colon. Nothing is repaired, and
//! no octet is lost: DKIM hashes what was sent.

pub mod address;
pub mod block;
mod charset;
pub(crate) mod content_type;
pub mod domain;
mod encoded_word;
pub mod subject;
pub mod text;
mod transfer;

pub(crate) use transfer::base64 as transfer_base64;

/// A message whose header can be read in one way only. Octets: at most [`MAX_MESSAGE`].
#[derive(Clone, Debug)]
pub struct Message<'a> {
    fields: Vec<Field<'a>>,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    pub fn parse(octets: &'a [u8]) -> Result<Self, MessageError> {
        if octets.len() > MAX_MESSAGE {
            return Err(MessageError::TooLarge(octets.len()));
        }
        let (fields, body) = split(octets)?;
        for name in ONCE {
            if fields.iter().filter(|field| field.is(name)).count() > 1 {
                return Err(MessageError::Twice(name));
            }
        }
        Ok(Self { fields, body })
    }

    /// In the sequence in which they stand.
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The first of this name, in any letter case. What must stand once stands once.
    pub fn field(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.is(name))
    }

    pub fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// One header field, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    raw: &'a [u8],
    name: &'a str,
}

impl<'a> Field<'a> {
    /// Name, colon, value, with all its folds and its final CRLF.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    pub fn name(&self) -> &'a str {
        self.name
    }

    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// What follows the colon, folded as it was, without the final CRLF.
    pub fn raw_value(&self) -> &'a [u8] {
        let value = &self.raw[self.name.len() + 1..];
        value.strip_suffix(b"\r\n").unwrap_or(value)
    }

    /// The value unfolded and trimmed (RFC 5322 §2.2.3); octets that are not UTF-8 become U+FFFD.
    pub fn value(&self) -> String {
        let unfolded: Vec<u8> = self
            .raw_value()
            .iter()
            .copied()
            .filter(|octet| !matches!(octet, b'\r' | b'\n'))
            .collect();
        String::from_utf8_lossy(&unfolded).trim_matches([' ', '\t']).to_owned()
    }
}

/// Lines of a file that ends them with LF alone, as Maildir has them, in the form [`Message::parse`] wants.
pub fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 32);
    for (at, octet) in octets.iter().enumerate() {
        if *octet == b'\n' && (at == 0 || octets[at - 1] != b'\r') {
            out.push(b'\r');
        }
        out.push(*octet);
    }
    out
}

/// The header fields of an entity and what follows the empty line.
fn split(octets: &[u8]) -> Result<(Vec<Field<'_>>, &[u8]), MessageError> {
    if let Some(at) = bare_line_end(octets) {
        return Err(MessageError::BareLineEnd(at));
    }
    let mut fields = Vec::new();
    let mut rest = octets;
    loop {
        if rest.is_empty() {
            return Ok((fields, rest));
        }
        if let Some(body) = rest.strip_prefix(b"\r\n") {
            return Ok((fields, body));
        }
        let raw = &rest[..field_len(rest)];
        rest = &rest[raw.len()..];
        if octets.len() - rest.len() > MAX_HEADER {
            return Err(MessageError::HeaderTooLarge);
        }
        if fields.len() == MAX_FIELDS {
            return Err(MessageError::TooManyFields);
        }
        let name = name(raw).ok_or(MessageError::NotAField(fields.len() + 1))?;
        fields.push(Field { raw, name });
    }
}

/// Octets of the first field: its line and those that continue it.
fn field_len(octets: &[u8]) -> usize {
    let mut end = 0;
    loop {
        let line = octets[end..].windows(2).position(|pair| pair == b"\r\n");
        end = line.map_or(octets.len(), |at| end + at + 2);
        if !matches!(octets.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

/// RFC 5322 §3.6.8. White space before the colon is obsolete syntax that readers disagree about (§4.5).
fn name(raw: &[u8]) -> Option<&str> {
    let colon = raw.iter().position(|octet| *octet == b':')?;
    let name = &raw[..colon];
    let is_name = (1..=MAX_NAME).contains(&colon) && name.iter().all(u8::is_ascii_graphic);
    str::from_utf8(name).ok().filter(|_| is_name && !raw.contains(&0))
}

fn bare_line_end(octets: &[u8]) -> Option<usize> {
    (0..octets.len()).find(|&at| match octets[at] {
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || octets[at - 1] != b'\r',
        _ => false,
    })
}

/// Why octets are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error("the message has {0} octets; {MAX_MESSAGE} is the most")]
    TooLarge(usize),
    #[error("octet {0} is a CR or LF alone; lines of a message end with CRLF (RFC 5322 section 2.3)")]
    BareLineEnd(usize),
    #[error("the header has more than {MAX_HEADER} octets")]
    HeaderTooLarge,
    #[error("the header has more than {MAX_FIELDS} fields")]
    TooManyFields,
    #[error("line {0} of the header, not counting folds, is no header field")]
    NotAField(usize),
    #[error("the header field {0} stands more than once; send it once (RFC 5322 section 3.6)")]
    Twice(&'static str),
}

/// A reply with pictures fits, and a mail server need not keep more of a stranger's.
pub const MAX_MESSAGE: usize = 256 * 1024;
/// Postfix's `header_size_limit` is 102400; the longest ARC and Received chains seen have a third of this.
const MAX_HEADER: usize = 64 * 1024;
const MAX_FIELDS: usize = 500;
const MAX_NAME: usize = 77;

/// RFC 5322 §3.6, RFC 2045 §4 to §6, RFC 3834 §5: at most one of each.
const ONCE: [&str; 15] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_octets_and_the_body_its_own() {
        let octets = b"Subject: ACME:\r\n\ttoken \r\nX-A:  \r\n\r\nbody\r\n";
        let message = Message::parse(octets).unwrap();
        assert_eq!(message.fields().len(), 2);
        assert_eq!(
            message.field("SUBJECT").unwrap().raw(),
            b"Subject: ACME:\r\n\ttoken \r\n"
        );
        assert_eq!(message.field("subject").unwrap().value(), "ACME:\ttoken");
        assert_eq!(message.field("x-a").unwrap().value(), "");
        assert_eq!(message.body(), b"body\r\n");
    }

    #[test]
    fn a_header_alone_is_a_message_without_a_body() {
        for octets in [&b"A: b"[..], b"A: b\r\n", b"A: b\r\n\r\n"] {
            assert!(Message::parse(octets).unwrap().body().is_empty());
        }
    }

    // 8823-3.2-8
    #[test]
    fn what_may_stand_once_is_refused_twice_by_its_name() {
        for name in ONCE {
            let text = format!("{name}: a\r\nX: y\r\n{}: b\r\n\r\n", name.to_uppercase());
            assert_eq!(Message::parse(text.as_bytes()).unwrap_err(), MessageError::Twice(name));
        }
    }

    #[test]
    fn line_ends_alone_are_refused_in_header_and_body() {
        for (text, at) in [
            ("A: b\n\r\n", 4),
            ("A: b\r\n\r\nx\ny", 9),
            ("A: b\r\n\r\nx\r", 9),
            ("\nA: b", 0),
        ] {
            assert_eq!(
                Message::parse(text.as_bytes()).unwrap_err(),
                MessageError::BareLineEnd(at)
            );
        }
    }

    #[test]
    fn what_readers_disagree_about_is_no_field() {
        for text in [
            "From : a@b\r\n\r\n",
            " From: a\r\n\r\n",
            ": a\r\n\r\n",
            "From\r\n\r\n",
            "A: \0\r\n\r\n",
            "\u{e9}: a\r\n\r\n",
        ] {
            assert_eq!(
                Message::parse(text.as_bytes()).unwrap_err(),
                MessageError::NotAField(1),
                "{text:?}"
            );
        }
    }

    #[test]
    fn there_is_an_end_to_what_is_read() {
        let octets = vec![b'a'; MAX_MESSAGE + 1];
        assert_eq!(
            Message::parse(&octets).unwrap_err(),
            MessageError::TooLarge(MAX_MESSAGE + 1)
        );
        let many = "A: b\r\n".repeat(MAX_FIELDS + 1);
        assert_eq!(
            Message::parse(many.as_bytes()).unwrap_err(),
            MessageError::TooManyFields
        );
        let long = format!("A: {}\r\n\r\n", "b".repeat(MAX_HEADER));
        assert_eq!(
            Message::parse(long.as_bytes()).unwrap_err(),
            MessageError::HeaderTooLarge
        );
    }

    #[test]
    fn lines_of_a_maildir_become_those_of_a_message() {
        assert_eq!(with_crlf(b"A: b\n\nc\r\nd\n"), b"A: b\r\n\r\nc\r\nd\r\n");
    }
}
