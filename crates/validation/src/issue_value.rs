//! The value of CAA `issue` properties (RFC 8659 §4.2), whose syntax others borrow (RFC 9495 §3, dns-persist-01).

/// A value that follows the grammar. Whoever gets none from [`IssueValue::parse`] is told to treat it as one that names
/// no issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueValue {
    /// Lower case; `None` is written `;` and means nobody.
    pub issuer: Option<String>,
    /// In their sequence, a tag as often as it stands there.
    pub parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Lower case.
    pub tag: String,
    /// As it stands there; it may be empty.
    pub value: String,
}

/// Where a value leaves the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIssueValue {
    #[error("what stands before the first \";\" is not a domain name")]
    Issuer,
    #[error("there is nothing between two \";\", or after the last")]
    EmptyParameter,
    #[error("a parameter is not written tag=value")]
    Parameter,
}

impl IssueValue {
    pub fn parse(value: &[u8]) -> Result<Self, NotAnIssueValue> {
        let mut parts = value.split(|byte| *byte == b';');
        let issuer = match trim(parts.next().unwrap_or_default()) {
            b"" => None,
            name => Some(issuer_name(name).ok_or(NotAnIssueValue::Issuer)?),
        };
        let parts: Vec<_> = parts.map(trim).collect();
        let parameters = match parts.as_slice() {
            // A single ";" may stand before nothing.
            [b""] => Vec::new(),
            parts => parts.iter().map(|part| parameter(part)).collect::<Result<_, _>>()?,
        };
        Ok(Self { issuer, parameters })
    }

    /// The values of one parameter, by its tag in lower case.
    pub fn values<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = &'a str> {
        let wanted = self.parameters.iter().filter(move |parameter| parameter.tag == tag);
        wanted.map(|parameter| parameter.value.as_str())
    }
}

/// A domain name as issuers are named by, in lower case; `None` if it is none.
pub fn issuer_name(name: &[u8]) -> Option<String> {
    name.split(|byte| *byte == b'.').all(is_word).then(|| lower(name))
}

fn parameter(part: &[u8]) -> Result<Parameter, NotAnIssueValue> {
    if part.is_empty() {
        return Err(NotAnIssueValue::EmptyParameter);
    }
    let at = part
        .iter()
        .position(|byte| *byte == b'=')
        .ok_or(NotAnIssueValue::Parameter)?;
    let (tag, value) = (trim(&part[..at]), trim(&part[at + 1..]));
    if is_word(tag) && value.iter().all(u8::is_ascii_graphic) {
        Ok(Parameter {
            tag: lower(tag),
            value: String::from_utf8_lossy(value).into_owned(),
        })
    } else {
        Err(NotAnIssueValue::Parameter)
    }
}

/// Letters and digits, with hyphens between them: a label, or a parameter's tag.
fn is_word(bytes: &[u8]) -> bool {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric)) && bytes.iter().all(inside)
}

/// RFC 5234's WSP, and nothing else that other languages take for white space.
fn trim(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let Some(first) = bytes.iter().position(is_text) else {
        return b"";
    };
    let last = bytes.iter().rposition(is_text).unwrap_or(first);
    &bytes[first..=last]
}

fn lower(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<(Option<String>, Vec<(String, String)>), NotAnIssueValue> {
        let value = IssueValue::parse(value.as_bytes())?;
        let parameters = value
            .parameters
            .into_iter()
            .map(|parameter| (parameter.tag, parameter.value));
        Ok((value.issuer, parameters.collect()))
    }

    // 8659-4-2
    #[test]
    fn every_way_to_write_a_value_is_read() {
        let plain = (Some("ca.example".to_owned()), vec![]);
        for value in [
            "ca.example",
            " \t ca.example\t ",
            "CA.Example",
            "ca.example;",
            "ca.example ; ",
        ] {
            assert_eq!(read(value), Ok(plain.clone()), "{value:?}");
        }
        for value in ["", " ", ";", " ; \t"] {
            assert_eq!(read(value), Ok((None, vec![])), "{value:?}");
        }
        let with = |parameters: &[(&str, &str)]| {
            let parameters = parameters
                .iter()
                .map(|(tag, value)| (tag.to_string(), value.to_string()));
            Ok((Some("ca.example".to_owned()), parameters.collect()))
        };
        assert_eq!(read("ca.example; a=b"), with(&[("a", "b")]));
        assert_eq!(read("ca.example;A-1 =\tB=c ;\t d="), with(&[("a-1", "B=c"), ("d", "")]));
        assert_eq!(read("ca.example;a=1;a=2"), with(&[("a", "1"), ("a", "2")]));
        assert_eq!(
            read("ca.example; accounturi=https://ca.example/a/1?x#y"),
            with(&[("accounturi", "https://ca.example/a/1?x#y")])
        );
        assert_eq!(read("; a=b").map(|(issuer, _)| issuer), Ok(None));
        assert_eq!(
            read("localhost").map(|(issuer, _)| issuer),
            Ok(Some("localhost".into()))
        );
        assert_eq!(read("a--b.1-c").map(|(issuer, _)| issuer), Ok(Some("a--b.1-c".into())));
    }

    // 8659-4-2
    #[test]
    fn a_value_outside_the_grammar_is_none() {
        for (value, why) in [
            ("%%%%%", NotAnIssueValue::Issuer),
            ("ca.example.", NotAnIssueValue::Issuer),
            (".ca.example", NotAnIssueValue::Issuer),
            ("ca..example", NotAnIssueValue::Issuer),
            ("-ca.example", NotAnIssueValue::Issuer),
            ("ca-.example", NotAnIssueValue::Issuer),
            ("ca_1.example", NotAnIssueValue::Issuer),
            ("*.example", NotAnIssueValue::Issuer),
            ("ca.example other.example", NotAnIssueValue::Issuer),
            ("ca.example\n", NotAnIssueValue::Issuer),
            ("ca.example\0", NotAnIssueValue::Issuer),
            ("\"ca.example\"", NotAnIssueValue::Issuer),
            ("b\u{fc}cher.example", NotAnIssueValue::Issuer),
            ("a=b", NotAnIssueValue::Issuer),
            ("ca.example;;", NotAnIssueValue::EmptyParameter),
            ("ca.example; a=b;", NotAnIssueValue::EmptyParameter),
            ("ca.example; ; a=b", NotAnIssueValue::EmptyParameter),
            ("ca.example; a", NotAnIssueValue::Parameter),
            ("ca.example; =b", NotAnIssueValue::Parameter),
            ("ca.example; a b=c", NotAnIssueValue::Parameter),
            ("ca.example; a_b=c", NotAnIssueValue::Parameter),
            ("ca.example; a=b c", NotAnIssueValue::Parameter),
            ("ca.example; a=b\u{e9}", NotAnIssueValue::Parameter),
            ("ca.example; a=b\u{7f}", NotAnIssueValue::Parameter),
        ] {
            assert_eq!(read(value), Err(why), "{value:?}");
        }
    }
}
