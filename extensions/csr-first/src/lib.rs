//! The CSR with newOrder, for authorities that begin with one (ACME working group at IETF 100).
//!
//! A directory that has this says so in its meta, takes `csr` beside `identifiers` in newOrder, refuses an order without
//! one by a problem type of its own, and shows it in the order. Which checks a CSR must pass is the base's own business,
//! the same at newOrder and at finalize: the first CSR earns nothing that the one to be issued from is then spared.

use acme::{Problem, ProblemType};
use authority::{
    Failure, Refusal, Registry,
    ports::{Asked, BoxFuture, FirstCsr, OrderMember, Taken},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use server::Page;

/// `[extensions.csr-first]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the first CSR binds.
    #[serde(default, rename = "match")]
    pub matching: Matching,
    /// URL of a directory that takes orders without a CSR, for clients that cannot send one.
    pub ordinary: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// The back end worked from it: finalize issues from this very CSR, and from no other.
    #[default]
    Identical,
    /// It counts for its names; finalize brings the CSR that is issued from.
    Identifiers,
}

impl Matching {
    fn as_str(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Identifiers => "identifiers",
        }
    }
}

/// Adds the member of newOrder. `external_url` is where the problem type's page is.
pub fn register(registry: &mut Registry, settings: &Settings, external_url: &str) {
    registry.add_order_member(CsrMember {
        settings: settings.clone(),
        kind: format!("{}{PATH}", external_url.trim_end_matches('/')),
    });
}

/// What the directory says, so that no client has to guess.
pub fn describe(meta: &mut Map<String, Value>, settings: &Settings) {
    let members = [
        (REQUIRED, Value::from(true)),
        ("newOrderCsrMatch", Value::from(settings.matching.as_str())),
    ];
    meta.extend(members.map(|(name, value)| (name.to_owned(), value)));
}

/// What the problem type's URI shows to a person who opens it.
pub fn page(settings: &Settings) -> Page {
    let ordinary = match &settings.ordinary {
        Some(url) => format!(
            "<p>A client that cannot do this uses the ordinary directory, <code>{}</code>.</p>",
            escape(url)
        ),
        None => String::new(),
    };
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>csrRequired</title><h1>csrRequired</h1>\
         <p>This directory stands before an authority that begins with the certificate request. Its <code>meta</code> has \
         <code>\"{REQUIRED}\": true</code>: a new order needs the member <code>csr</code>, the request's DER in base64url \
         without padding, beside <code>identifiers</code>, for the same names.</p>{ordinary}</html>\n"
    );
    Page { path: PATH, body }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

struct CsrMember {
    settings: Settings,
    /// The problem type, outside the IETF's namespace (RFC 8555 §6.7).
    kind: String,
}

impl OrderMember for CsrMember {
    fn name(&self) -> &'static str {
        "csr"
    }

    fn admit<'a>(&'a self, value: Option<&'a Value>, _asked: &'a Asked<'a>) -> BoxFuture<'a, Result<Taken, Failure>> {
        let taken = self.take(value).map_err(Failure::from);
        Box::pin(async move { taken })
    }
}

impl CsrMember {
    fn take(&self, value: Option<&Value>) -> Result<Taken, Refusal> {
        let Some(value) = value else {
            return Err(Refusal::Problem(self.required()));
        };
        let malformed = |why: String| Refusal::Malformed(format!("\"csr\" is not base64url without padding: {why}"));
        let text = value
            .as_str()
            .ok_or_else(|| malformed("it is not a string".to_owned()))?;
        let der = jose::base64url::decode(text).map_err(|error| malformed(error.to_string()))?;
        Ok(Taken {
            shown: Some(value.clone()),
            csr: Some(FirstCsr {
                der,
                binding: self.settings.matching == Matching::Identical,
            }),
            ..Taken::default()
        })
    }

    fn required(&self) -> Problem {
        let mut detail = format!(
            "this directory has \"{REQUIRED}\" in its \"meta\": a new order must bring its CSR, DER in base64url, as \"csr\" \
             beside \"identifiers\""
        );
        if let Some(ordinary) = &self.settings.ordinary {
            detail.push_str(&format!(
                "; a client that cannot do so uses the ordinary directory {ordinary}"
            ));
        }
        let mut problem = Problem::new(ProblemType::Other(self.kind.clone()), detail);
        problem.status = Some(400);
        problem
    }
}

const REQUIRED: &str = "newOrderCsrRequired";
const PATH: &str = "/errors/csrRequired";

#[cfg(test)]
mod tests {
    use super::*;

    fn member(matching: Matching) -> CsrMember {
        CsrMember {
            settings: Settings {
                matching,
                ordinary: Some("https://ca.example/directory".to_owned()),
            },
            kind: "https://ca.example/errors/csrRequired".to_owned(),
        }
    }

    // LCSR-3
    #[test]
    fn an_order_without_csr_is_refused_by_a_type_outside_the_ietf_namespace_that_says_what_to_do() {
        let Err(Refusal::Problem(problem)) = member(Matching::Identical).take(None) else {
            panic!("it was taken")
        };
        assert_eq!(problem.kind.to_string(), "https://ca.example/errors/csrRequired");
        assert_eq!(problem.status, Some(400));
        for said in [REQUIRED, "\"csr\"", "https://ca.example/directory"] {
            assert!(problem.detail.contains(said), "{}", problem.detail);
        }
    }

    // LCSR-5
    #[test]
    fn a_csr_is_shown_as_it_was_sent_and_binds_where_the_back_end_worked_from_it() {
        let sent = Value::from("AQID");
        for (matching, binding) in [(Matching::Identical, true), (Matching::Identifiers, false)] {
            let taken = member(matching)
                .take(Some(&sent))
                .unwrap_or_else(|refusal| panic!("{refusal}"));
            assert_eq!(taken.shown.as_ref(), Some(&sent));
            let first = taken.csr.unwrap();
            assert_eq!((first.der.as_slice(), first.binding), (&[1, 2, 3][..], binding));
        }
        for odd in [Value::from(7), Value::Null, Value::from("AQI="), Value::from("A+/D")] {
            assert!(matches!(
                member(Matching::Identical).take(Some(&odd)),
                Err(Refusal::Malformed(_))
            ));
        }
    }

    // LCSR-1
    #[test]
    fn the_directory_states_the_flag_and_which_csr_is_issued_from() {
        for (matching, text) in [
            (Matching::Identical, "identical"),
            (Matching::Identifiers, "identifiers"),
        ] {
            let mut meta = Map::new();
            let settings = Settings {
                matching,
                ordinary: None,
            };
            describe(&mut meta, &settings);
            assert_eq!(meta[REQUIRED], true);
            assert_eq!(meta["newOrderCsrMatch"], text);
        }
    }
}
