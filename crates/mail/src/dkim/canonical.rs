//! The form of a message that is hashed (RFC 6376 §3.4).

use aws_lc_rs::digest;

/// How much of a message's form may change on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canonicalization {
    Simple,
    Relaxed,
}

impl Canonicalization {
    pub(crate) fn named(text: &str) -> Option<Self> {
        match text {
            "simple" => Some(Self::Simple),
            "relaxed" => Some(Self::Relaxed),
            _ => None,
        }
    }

    /// A header field, with its final CRLF (§3.4.1, §3.4.2).
    pub(crate) fn field(self, raw: &[u8]) -> Vec<u8> {
        if self == Self::Simple {
            return raw.to_vec();
        }
        let colon = raw.iter().position(|octet| *octet == b':').unwrap_or(raw.len());
        let mut out = raw[..colon].trim_ascii_end().to_ascii_lowercase();
        out.push(b':');
        let value: Vec<u8> = raw[(colon + 1).min(raw.len())..]
            .iter()
            .copied()
            .filter(|octet| !matches!(octet, b'\r' | b'\n'))
            .collect();
        let start = value.iter().position(|octet| !is_space(*octet)).unwrap_or(value.len());
        out.extend(reduced(&value[start..]));
        out.extend(b"\r\n");
        out
    }

    /// SHA-256 of the body (§3.4.3, §3.4.4).
    pub(crate) fn body_hash(self, body: &[u8]) -> digest::Digest {
        digest::digest(&digest::SHA256, &self.body(body))
    }

    fn body(self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len() + 2);
        for line in body.split_inclusive(|octet| *octet == b'\n') {
            let content = line.strip_suffix(b"\r\n").unwrap_or(line);
            match self {
                Self::Simple => out.extend(content),
                Self::Relaxed => out.extend(reduced(content)),
            }
            out.extend(b"\r\n");
        }
        while out.ends_with(b"\r\n\r\n") {
            out.truncate(out.len() - 2);
        }
        // An empty body is a line for one and nothing for the other.
        match (self, out.as_slice()) {
            (Self::Simple, b"") => b"\r\n".to_vec(),
            (Self::Relaxed, b"\r\n") => Vec::new(),
            _ => out,
        }
    }
}

/// White space at the end dropped, every other run of it one space.
fn reduced(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let end = line.iter().rposition(|octet| !is_space(*octet)).map_or(0, |at| at + 1);
    for octet in &line[..end] {
        match (is_space(*octet), out.last()) {
            (true, Some(b' ')) => {}
            (true, _) => out.push(b' '),
            (false, _) => out.push(*octet),
        }
    }
    out
}

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6376 §3.4.5
    #[test]
    fn the_examples_of_the_document_come_out() {
        let fields = [&b"A: X\r\n"[..], b"B : Y\t\r\n\tZ  \r\n"];
        let body = b" C \r\nD \t E\r\n\r\n\r\n";
        let header = |form: Canonicalization| fields.map(|field| form.field(field)).concat();
        assert_eq!(header(Canonicalization::Relaxed), b"a:X\r\nb:Y Z\r\n");
        assert_eq!(header(Canonicalization::Simple), fields.concat());
        assert_eq!(Canonicalization::Relaxed.body(body), b" C\r\nD E\r\n");
        assert_eq!(Canonicalization::Simple.body(body), b" C \r\nD \t E\r\n");
    }

    #[test]
    fn empty_lines_at_the_end_are_no_part_of_a_body() {
        let (simple, relaxed) = (Canonicalization::Simple, Canonicalization::Relaxed);
        for body in [&b""[..], b"\r\n", b"\r\n\r\n"] {
            assert_eq!(simple.body(body), b"\r\n");
            assert_eq!(relaxed.body(body), b"");
        }
        assert_eq!(simple.body(b"a"), b"a\r\n");
        // A line of white space alone is empty once it is relaxed.
        assert_eq!(relaxed.body(b"a\r\n \t\r\n\r\n \r\n"), b"a\r\n");
        assert_eq!(relaxed.body(b" \r\n\t"), b"");
        assert_eq!(simple.body(b"a\r\n \r\n\r\n"), b"a\r\n \r\n");
    }
}
