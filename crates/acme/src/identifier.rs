//! Identifiers as they stand on the wire (RFC 8555 §9.7.7).

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};

/// A typed name: `{"type": "dns", "value": "www.example.org"}`.
///
/// The value is not interpreted here; each identifier type has one file in the authority that states its
/// grammar and its canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Identifier {
    #[serde(rename = "type")]
    pub kind: String,
    pub value: String,
}

impl Identifier {
    pub fn new(kind: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            value: value.into(),
        }
    }

    pub fn dns(value: impl Into<String>) -> Self {
        Self::new("dns", value)
    }

    pub fn ip(value: impl Into<String>) -> Self {
        Self::new("ip", value)
    }
}

/// An identifier as newOrder and newAuthz name it, with what extensions add to it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Flat")]
pub struct RequestedIdentifier {
    #[serde(flatten)]
    pub identifier: Identifier,
    /// What nobody has registered is ignored, and none of it is reflected.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// The same in one level. To be read with a flattened map, an object must be an object.
#[derive(Deserialize)]
struct Flat {
    #[serde(rename = "type")]
    kind: String,
    value: String,
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl From<Flat> for RequestedIdentifier {
    fn from(Flat { kind, value, members }: Flat) -> Self {
        Self {
            identifier: Identifier { kind, value },
            members,
        }
    }
}

impl From<Identifier> for RequestedIdentifier {
    fn from(identifier: Identifier) -> Self {
        Self {
            identifier,
            members: Map::new(),
        }
    }
}

/// From an object only: what serde derives would read `["dns", "www.example.org"]` as well.
impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Identifier;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with \"type\" and \"value\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Identifier, A::Error> {
        #[derive(Deserialize)]
        struct Pair {
            #[serde(rename = "type")]
            kind: String,
            value: String,
        }
        let Pair { kind, value } = Pair::deserialize(MapAccessDeserializer::new(members))?;
        Ok(Identifier { kind, value })
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 8555-7.4-2
    #[test]
    fn an_identifier_is_an_object_with_a_type_and_a_value() {
        let read = |json: &str| serde_json::from_str::<Identifier>(json);
        let written = r#"{"type":"dns","value":"www.example.org","since":1}"#;
        assert_eq!(read(written).unwrap(), Identifier::dns("www.example.org"));
        let requested = |json: &str| serde_json::from_str::<RequestedIdentifier>(json);
        let with_members = requested(written).unwrap();
        assert_eq!(with_members.identifier, Identifier::dns("www.example.org"));
        assert_eq!(serde_json::to_string(&with_members).unwrap(), written);
        for wrong in [
            r#"["dns","www.example.org"]"#,
            r#"{"type":"dns"}"#,
            r#"{"type":"dns","type":"dns","value":"www.example.org"}"#,
            r#""www.example.org""#,
            "null",
        ] {
            assert!(read(wrong).is_err() && requested(wrong).is_err(), "{wrong}");
        }
    }
}
