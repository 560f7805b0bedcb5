//! Settings of looking from several places: the authority's, and those of `vidimus perspective`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use crate::{Span, settings::span};

/// `[perspectives]`: other places on the network that have to see what this server sees, of every directory; without it
/// none is asked. See [perspectives.md](perspectives.md).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Perspectives {
    /// This server's own certificate towards them, PEM, as `vidimus perspective identity` makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its key, PKCS#8 PEM, mode 0600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The fewest remote perspectives with which this server starts. Of two to five one may fail to corroborate, of six or more two.
    pub remotes_at_least: usize,
    /// The fewest regions from which one has to corroborate.
    pub regions_at_least: usize,
    /// How long one may take for one answer, 30 s at most; later it counts as one that did not corroborate.
    pub time_limit: Span,
    pub(crate) remote: BTreeMap<String, Remote>,
}

/// `[perspectives.remote.NAME]`: one of them. Every one is asked about everything.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Where it answers, `https://HOST:PORT`; `http://` only to this machine, for tests.
    pub url: String,
    /// Whose service region it is in: `afrinic`, `apnic`, `arin`, `lacnic` or `ripe`.
    pub region: Region,
    /// Its certificate, PEM, which is the only one that is accepted; two while one replaces the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
}

/// The service region of an Internet registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    Afrinic,
    Apnic,
    Arin,
    Lacnic,
    Ripe,
}

/// `[perspective]`, in a file of its own for `vidimus perspective serve`: a remote perspective. The file also has `[validation]` and
/// `[extensions.*]`, which mean what they mean to a server and have to agree with its.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Perspective {
    /// What the authority calls it.
    pub name: String,
    /// Where it listens, ADDRESS:PORT.
    pub listen: SocketAddr,
    /// Its certificate, PEM. Without one it speaks plain HTTP, on this machine alone, for tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its key, PKCS#8 PEM, mode 0600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Who may ask: the certificates of the authority's servers, PEM, and nobody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    /// The `external_url` of the authority.
    pub external_url: String,
    /// The names by which CAA records mean the authority, as in its `[acme]`.
    #[serde(default)]
    pub caa_identities: Vec<String>,
    /// The most questions that are worked on at once, 256 if nothing is said; one more is refused.
    #[serde(default = "at_once")]
    pub at_once: usize,
}

impl Default for Perspectives {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            remotes_at_least: 2,
            regions_at_least: 2,
            time_limit: span("30s"),
            remote: BTreeMap::new(),
        }
    }
}

impl Perspectives {
    pub fn remotes(&self) -> impl Iterator<Item = (&String, &Remote)> {
        self.remote.iter()
    }

    /// What no single key can know.
    pub(crate) fn check(&self) -> Result<(), String> {
        let remotes = self.remote.len();
        if self.remotes_at_least == 0 || remotes < self.remotes_at_least {
            return Err(format!(
                "perspectives.remotes_at_least: it is {}, and there are {remotes} [perspectives.remote.NAME]; name as many, \
                 and at least one",
                self.remotes_at_least
            ));
        }
        let regions: BTreeSet<_> = self.remote.values().map(|remote| remote.region).collect();
        if regions.len() < self.regions_at_least {
            return Err(format!(
                "perspectives.regions_at_least: it is {}, and the remotes are in {}; name some elsewhere",
                self.regions_at_least,
                regions.len()
            ));
        }
        if self.time_limit.duration().is_zero() || self.time_limit > LONGEST {
            return Err(format!(
                "perspectives.time_limit: \"{}\" is not more than nothing and at most {LONGEST}",
                self.time_limit
            ));
        }
        for (name, remote) in &self.remote {
            let https = remote.url.starts_with("https://");
            if !https && !remote.url.starts_with("http://") {
                return Err(format!(
                    "perspectives.remote.{name}.url: {:?} does not begin with https://",
                    remote.url
                ));
            }
            if https && remote.certificate.is_none() {
                return Err(format!("perspectives.remote.{name}.certificate: it is missing"));
            }
            if https && (self.certificate.is_none() || self.key.is_none()) {
                return Err(format!(
                    "perspectives.certificate and perspectives.key: {name} is asked over TLS, and wants to see them"
                ));
            }
        }
        Ok(())
    }
}

/// As long as a method may take by itself.
const LONGEST: Span = Span::seconds_of(30);

fn at_once() -> usize {
    256
}

#[cfg(test)]
mod tests {
    use crate::{Config, tests::SMALL as SERVER};

    fn refusal(more: &str) -> String {
        Config::parse(&format!("{SERVER}{more}")).expect_err("it was read")
    }

    fn two(url: &str) -> String {
        format!(
            "[perspectives.remote.a]\nurl = \"{url}1\"\nregion = \"arin\"\ncertificate = \"a.pem\"\n\
             [perspectives.remote.b]\nurl = \"{url}2\"\nregion = \"ripe\"\ncertificate = \"b.pem\"\n"
        )
    }

    #[test]
    fn remotes_are_read_and_written_out() {
        let text = format!(
            "{SERVER}[perspectives]\ncertificate = \"us.pem\"\nkey = \"us.key\"\n{}",
            two("https://x:")
        );
        let config = Config::parse(&text).unwrap();
        let again = Config::parse(&config.to_toml().unwrap()).unwrap();
        let perspectives = again.perspectives.unwrap();
        assert_eq!(perspectives.remotes().count(), 2);
        assert_eq!((perspectives.remotes_at_least, perspectives.regions_at_least), (2, 2));
    }

    // T16, T17
    #[test]
    fn t17_a_table_of_perspectives_with_too_few_of_them_is_refused() {
        assert!(refusal("[perspectives]\n").contains("perspectives.remotes_at_least"));
        let three = format!("[perspectives]\nremotes_at_least = 3\n{}", two("http://[::1]:"));
        assert!(refusal(&three).contains("perspectives.remotes_at_least"));
        let none = "[perspectives]\nremotes_at_least = 0\n";
        assert!(refusal(none).contains("at least one"));
    }

    #[test]
    fn what_is_wrong_with_a_remote_is_named() {
        for (more, named) in [
            (two("https://x:"), "perspectives.certificate"),
            (two("x:"), "perspectives.remote.a.url"),
            (
                two("http://[::1]:").replace("ripe", "mars"),
                "perspectives.remote.b.region",
            ),
            (
                format!("[perspectives]\ntime_limit = \"31s\"\n{}", two("http://[::1]:")),
                "perspectives.time_limit",
            ),
        ] {
            let error = refusal(&more);
            assert!(error.contains(named), "{error}");
        }
    }
}
