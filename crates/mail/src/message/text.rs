//! The first text/plain part of a message, decoded (RFC 8823 §3.2 item 7, RFC 2046 §5.1).

use super::{Field, Message, charset, content_type::ContentType, split, transfer::Encoding};

/// Plain text, with what its lines mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub content: String,
    pub flow: Flow,
}

/// How lines belong together (RFC 3676 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Fixed,
    /// A line that ends in a space goes on in the next.
    Flowed,
    /// The same, and the space is no part of the text.
    FlowedWithoutSpaces,
}

impl Text {
    /// The text of a message. Parts within parts are looked into in their sequence, attachments and attached messages
    /// are not.
    pub fn first_of(message: &Message<'_>) -> Result<Self, TextError> {
        let mut search = Search {
            parts: 0,
            has_html: false,
        };
        match search.entity(message.fields(), message.body(), 1)? {
            Some(text) => Ok(text),
            None if search.has_html => Err(TextError::HtmlOnly),
            None => Err(TextError::NoText),
        }
    }
}

struct Search {
    parts: usize,
    has_html: bool,
}

impl Search {
    fn entity(&mut self, fields: &[Field<'_>], body: &[u8], depth: usize) -> Result<Option<Text>, TextError> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(TextError::TooManyParts);
        }
        if depth > MAX_DEPTH {
            return Err(TextError::TooDeep);
        }
        let value = |name: &str| fields.iter().find(|field| field.is(name)).map(Field::value);
        let kind = value("Content-Type").map_or_else(ContentType::absent, |value| ContentType::parse(&value));
        if kind.kind.starts_with("multipart/") {
            let boundary = kind.parameter("boundary").ok_or(TextError::NoBoundary)?;
            return self.parts(boundary, body, depth);
        }
        let disposition = value("Content-Disposition").unwrap_or_default().to_ascii_lowercase();
        if disposition.starts_with("attachment") {
            return Ok(None);
        }
        self.has_html |= kind.kind == "text/html";
        if kind.kind != "text/plain" {
            return Ok(None);
        }
        let encoding = value("Content-Transfer-Encoding").unwrap_or_default();
        let decoded = Encoding::named(&encoding).and_then(|encoding| encoding.decode(body));
        let octets = decoded.ok_or(TextError::Encoding)?;
        let charset = kind.parameter("charset").unwrap_or("us-ascii");
        let content = charset::decode(&octets, charset).ok_or(TextError::Charset)?;
        let flow = flow(&kind);
        Ok(Some(Text { content, flow }))
    }

    fn parts(&mut self, boundary: &str, body: &[u8], depth: usize) -> Result<Option<Text>, TextError> {
        for part in delimited(body, boundary) {
            let (fields, content) = split(part).map_err(|_| TextError::PartHeader)?;
            if let Some(text) = self.entity(&fields, content, depth + 1)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

fn flow(kind: &ContentType) -> Flow {
    let is = |name, value: &str| {
        kind.parameter(name)
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    match (is("format", "flowed"), is("delsp", "yes")) {
        (true, true) => Flow::FlowedWithoutSpaces,
        (true, false) => Flow::Flowed,
        (false, _) => Flow::Fixed,
    }
}

/// The parts between the delimiter lines; the line end before a delimiter belongs to it (RFC 2046 §5.1.1). A last part
/// without its delimiter counts: mail is cut short.
fn delimited<'b>(body: &'b [u8], boundary: &str) -> Vec<&'b [u8]> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let (mut start, mut at) = (None, 0);
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        let after = at + line.len();
        if let Some(rest) = line.strip_prefix(delimiter.as_bytes()) {
            let rest = rest.trim_ascii();
            if rest.is_empty() || rest == b"--" {
                let end = at.saturating_sub(2);
                parts.extend(
                    start
                        .filter(|start| *start <= at)
                        .map(|start: usize| &body[start..end.max(start)]),
                );
                start = rest.is_empty().then_some(after);
                if start.is_none() {
                    return parts;
                }
            }
        }
        at = after;
        if parts.len() > MAX_PARTS {
            return parts;
        }
    }
    parts.extend(start.map(|start| &body[start..]));
    parts
}

/// Why a message has no text to look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("the message is HTML alone; send it as plain text, or as both")]
    HtmlOnly,
    #[error("the message has no text/plain part")]
    NoText,
    #[error("parts are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("the message has more than {MAX_PARTS} parts")]
    TooManyParts,
    #[error("a multipart type has no boundary")]
    NoBoundary,
    #[error("the header of a part cannot be read")]
    PartHeader,
    #[error("the text's transfer encoding is unknown or does not fit it; send it as 7bit, quoted-printable or base64")]
    Encoding,
    #[error("the text's charset is unknown; send it as UTF-8")]
    Charset,
}

/// multipart/mixed of signed of related of alternative is four.
const MAX_DEPTH: usize = 5;
const MAX_PARTS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Text, TextError> {
        let octets = text.replace('\n', "\r\n");
        Text::first_of(&Message::parse(octets.as_bytes()).unwrap())
    }

    fn content(text: &str) -> String {
        of(text).unwrap_or_else(|error| panic!("{error}")).content
    }

    // 8823-3.2-4
    #[test]
    fn the_first_plain_text_is_found_wherever_it_is() {
        assert_eq!(content("A: b\n\nhello\n"), "hello\r\n");
        assert_eq!(
            content("Content-Type: TEXT/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: Base64\n\n6Q==\n"),
            "\u{e9}"
        );
        let nested = "Content-Type: multipart/mixed; boundary=a\n\npreamble\n--a\nContent-Type: multipart/alternative;\n boundary=\"b c\"\n\n\
            --b c\nContent-Type: text/html\n\n<p>\n--b c\n\nplain\n--b c--\n--a\n\nsecond\n--a--\n";
        assert_eq!(content(nested), "plain");
        let attached = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Disposition: Attachment\n\nno\n--a  \nContent-Type: text/plain; \
            format=flowed; delsp=yes\n\nyes";
        assert_eq!(
            of(attached).unwrap(),
            Text {
                content: "yes".into(),
                flow: Flow::FlowedWithoutSpaces
            }
        );
    }

    #[test]
    fn a_message_without_text_says_why() {
        let multipart = |inner: &str| format!("Content-Type: multipart/mixed; boundary=a\n\n--a\n{inner}\n--a--\n");
        for (text, error) in [
            ("Content-Type: text/html\n\n<p>".to_owned(), TextError::HtmlOnly),
            (multipart("Content-Type: text/html\n\n<p>"), TextError::HtmlOnly),
            (
                multipart("Content-Type: message/rfc822\n\nA: b\n\nno"),
                TextError::NoText,
            ),
            (
                "Content-Type: multipart/mixed; boundary=a\n\n".to_owned(),
                TextError::NoText,
            ),
            ("Content-Type: multipart/mixed\n\n".to_owned(), TextError::NoBoundary),
            (multipart("no field\n\ntext"), TextError::PartHeader),
            (
                "Content-Transfer-Encoding: x-own\n\ntext".to_owned(),
                TextError::Encoding,
            ),
            ("Content-Transfer-Encoding: base64\n\n*".to_owned(), TextError::Encoding),
            (
                "Content-Type: text/plain; charset=utf-16\n\ntext".to_owned(),
                TextError::Charset,
            ),
            (
                "Content-Type: multipart/mixed; boundary=a\n\n".to_owned() + &"--a\nContent-Type: a/b\n\n\n".repeat(60),
                TextError::TooManyParts,
            ),
        ] {
            assert_eq!(of(&text), Err(error), "{text}");
        }
    }

    // 8823-3-14
    #[test]
    fn parts_within_parts_have_an_end() {
        let deep = |levels: usize| {
            let open = |level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
            (0..levels).map(open).collect::<String>() + "\ntext"
        };
        assert_eq!(content(&deep(MAX_DEPTH - 1)), "text");
        assert_eq!(of(&deep(MAX_DEPTH)), Err(TextError::TooDeep));
    }
}
