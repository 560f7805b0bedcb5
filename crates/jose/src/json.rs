//! One JSON object, read once and strictly.
//!
//! Values are found, not built: each is a slice of the input, so nothing is nested in memory and the work is linear in
//! the input's length whatever it contains.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer as _,
    de::{self, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Arrays and objects within each other. A JWS header needs two, for `jwk`; the rest is room for members to come.
const MAX_DEPTH: usize = 16;

/// Members of one object. RFC 7515 and 7517 register fewer than thirty between them.
const MAX_MEMBERS: usize = 64;

/// The members of the object `json` which have one of `names`, in the order of `names`.
///
/// Other members are ignored, as RFC 7515 §4 and RFC 7517 §4 require, but no name may occur twice.
pub(crate) fn members<'a, const N: usize>(
    json: &'a str,
    names: &[&'static str; N],
) -> Result<[Option<Value<'a>>; N], ObjectError> {
    if exceeds_depth(json) {
        return Err(ObjectError::TooDeep);
    }
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = deserializer
        .deserialize_map(Members {
            names,
            fault: &mut fault,
        })
        .and_then(|members| deserializer.end().map(|()| members));
    read.map_err(|_| fault.unwrap_or(ObjectError::NotAnObject))
}

/// Why a text is not an object that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ObjectError {
    NotAnObject,
    TooDeep,
    TooManyMembers,
    DuplicateMember(String),
}

/// The JSON text of a member's value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    pub(crate) fn as_json(self) -> &'a str {
        self.0
    }

    /// The string this value is, if it is one.
    pub(crate) fn as_string(self) -> Option<Cow<'a, str>> {
        let quoted = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if quoted.contains('\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(quoted))
        }
    }
}

/// At most forty characters of something received, for an error to show.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

fn exceeds_depth(json: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

struct Members<'n, 'f, const N: usize> {
    names: &'n [&'static str; N],
    fault: &'f mut Option<ObjectError>,
}

impl<const N: usize> Members<'_, '_, N> {
    fn fail<E: de::Error>(self, fault: ObjectError) -> E {
        *self.fault = Some(fault);
        E::custom("refused")
    }
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, '_, N> {
    type Value = [Option<Value<'de>>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        let mut others: Vec<Cow<'de, str>> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            let value = Value(map.next_value::<&'de RawValue>()?.get());
            let duplicate = match self.names.iter().position(|known| *known == name) {
                Some(index) => found[index].replace(value).is_some(),
                None => {
                    others.contains(&name) || {
                        others.push(name.clone());
                        false
                    }
                }
            };
            if duplicate {
                return Err(self.fail(ObjectError::DuplicateMember(excerpt(&name))));
            }
            if others.len() > MAX_MEMBERS {
                return Err(self.fail(ObjectError::TooManyMembers));
            }
        }
        Ok(found)
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<[Option<String>; 2], ObjectError> {
        members(json, &["a", "b"]).map(|found| found.map(|value| value.map(|value| value.as_json().to_owned())))
    }

    #[test]
    fn members_are_found_wherever_they_stand() {
        assert_eq!(
            check(" {\t\"c\":[1,{}],\r\n \"b\" : null , \"a\": \"x\" } \n"),
            Ok([Some("\"x\"".into()), Some("null".into())])
        );
        assert_eq!(check("{}"), Ok([None, None]));
        assert_eq!(check(r#"{"\u0061":1}"#), Ok([Some("1".into()), None]));
    }

    #[test]
    fn other_json_and_no_json_are_refused() {
        for json in [
            "",
            " ",
            "null",
            "1",
            "\"a\"",
            "[]",
            "{",
            "{}}",
            "{},",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "\u{feff}{}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":NaN}",
            "{}/**/",
            "{\"\\ud800\":1}",
        ] {
            assert_eq!(check(json), Err(ObjectError::NotAnObject), "{json:?}");
        }
    }

    // 8555-6.2-14
    #[test]
    fn no_name_may_occur_twice_however_it_is_spelt() {
        for (json, name) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"{"a":1,"\u0061":1}"#, "a"),
            (r#"{"c":1,"a":1,"c":1}"#, "c"),
            (r#"{"c":1,"\u0063":1}"#, "c"),
            (r#"{"":1,"":1}"#, ""),
        ] {
            assert_eq!(check(json), Err(ObjectError::DuplicateMember(name.into())), "{json}");
        }
    }

    // 8555-6.2-15, T31
    #[test]
    fn deep_and_crowded_objects_are_refused() {
        let nested = |depth: usize| format!("{{\"c\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert_eq!(check(&nested(MAX_DEPTH)), Ok([None, None]));
        assert_eq!(check(&nested(MAX_DEPTH + 1)), Err(ObjectError::TooDeep));
        assert_eq!(check(&"[".repeat(100_000)), Err(ObjectError::TooDeep));
        assert_eq!(check(&"{\"c\":".repeat(20_000)), Err(ObjectError::TooDeep));
        assert_eq!(
            check(r#"{"c":"[[[[[[[[[[[[[[[[[[[[\"[[[[[[[[[[[[[[[["}"#),
            Ok([None, None])
        );

        let crowd = |count: usize| {
            format!(
                "{{{}}}",
                (0..count).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(",")
            )
        };
        assert_eq!(check(&crowd(MAX_MEMBERS)), Ok([None, None]));
        assert_eq!(check(&crowd(MAX_MEMBERS + 1)), Err(ObjectError::TooManyMembers));
    }

    #[test]
    fn only_a_string_is_a_string() {
        let string = |json: &str| {
            members(json, &["a"]).unwrap()[0]
                .and_then(Value::as_string)
                .map(Cow::into_owned)
        };
        assert_eq!(string(r#"{"a":"x y"}"#), Some("x y".into()));
        assert_eq!(string(r#"{"a":"\"\\\/\ud83d\ude00"}"#), Some("\"\\/\u{1f600}".into()));
        for json in [
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":["x"]}"#,
            r#"{"a":{"x":"y"}}"#,
            r#"{"a":"\ud800"}"#,
        ] {
            assert_eq!(string(json), None, "{json}");
        }
    }
}
