//! Media types and dispositions with their parameters (RFC 2045 §5.1, RFC 2183).

/// What a part says it is. A field that cannot be read says nothing, which is text/plain only where the field is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentType {
    /// Type and subtype in lower case.
    pub kind: String,
    parameters: Vec<(String, String)>,
}

impl ContentType {
    /// RFC 2045 §5.2: what is absent is plain text.
    pub(crate) fn absent() -> Self {
        Self::parse("text/plain")
    }

    /// Parameters continued over several (RFC 2231 §3) are not read: no boundary or charset needs it.
    pub(crate) fn parse(value: &str) -> Self {
        let mut pieces = pieces(value).into_iter();
        let kind = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
        let parameters = pieces
            .filter_map(|piece| {
                let (name, value) = piece.split_once('=')?;
                Some((name.trim().to_ascii_lowercase(), unquoted(value.trim())))
            })
            .collect();
        Self { kind, parameters }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The text between semicolons that are in no quotes and no comment; comments are dropped.
pub(crate) fn pieces(value: &str) -> Vec<String> {
    let (mut pieces, mut quoted, mut depth) = (vec![String::new()], false, 0_u32);
    let mut chars = value.chars();
    while let Some(next) = chars.next() {
        let last = pieces
            .last_mut()
            .expect("invariant: there is a piece from the beginning");
        match next {
            '\\' if quoted => {
                last.push('\\');
                last.extend(chars.next());
            }
            '"' if depth == 0 => {
                quoted = !quoted;
                last.push('"');
            }
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => depth -= 1,
            ';' if !quoted && depth == 0 => pieces.push(String::new()),
            c if depth == 0 => last.push(c),
            _ => {}
        }
    }
    pieces
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else {
        return value.to_owned();
    };
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(next) = chars.next() {
        match next {
            '"' => break,
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_and_out_of_quotes() {
        let plain = ContentType::parse("Text/Plain; charset=\"utf-8\" (c;x); Format=flowed; delsp=yes");
        assert_eq!(plain.kind, "text/plain");
        assert_eq!(plain.parameter("charset"), Some("utf-8"));
        assert_eq!(plain.parameter("format"), Some("flowed"));
        let mixed = ContentType::parse("multipart/mixed; boundary=\"a;b\\\"c\"");
        assert_eq!(mixed.parameter("boundary"), Some("a;b\"c"));
        assert_eq!(ContentType::parse("").kind, "");
    }
}
