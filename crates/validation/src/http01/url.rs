//! Where a request goes, and where a redirect may send it (RFC 3986, narrowed to what validation needs).

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use authority::identifier::{Dns, IdentifierType, Target};
use http::uri::PathAndQuery;
use rustls::pki_types::ServerName;

use crate::excerpt;

/// An absolute http or https URL whose host is a DNS name or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub scheme: Scheme,
    pub host: Target,
    /// Where it is dialled.
    pub port: u16,
    /// Whether the URL names its port; in the first one it is understood, whatever is dialled in place of 80.
    names_port: bool,
    path: PathAndQuery,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// Why a redirect is not followed; completes the sentence "the redirect is not followed: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RedirectRefusal {
    #[error("it has characters that do not belong into a URL")]
    Characters,
    #[error("its scheme is neither http nor https")]
    Scheme,
    #[error("it carries a user name")]
    UserInfo,
    #[error("its host is neither a DNS name nor an address")]
    Host,
    #[error("its host is a number; an address is written as such")]
    NumericHost,
    #[error("its port is not a port")]
    Port,
    #[error("its path cannot be read")]
    Path,
    #[error(
        "a slash is missing between \"{host}\" and \"/.well-known\" in the configuration of the redirecting server"
    )]
    MissingSlash { host: String },
}

impl Url {
    /// RFC 8555 §8.3 and RFC 8738 §5: the scheme is http, the port 80, the path fixed.
    /// Whatever port is dialled in place of 80, it is not named unless `names_port` says so.
    pub fn of_challenge(host: Target, port: u16, names_port: bool, token: &str) -> Self {
        let path = format!("/.well-known/acme-challenge/{token}")
            .parse()
            .expect("invariant: a token consists of base64url characters");
        Self {
            scheme: Scheme::Http,
            host,
            port,
            names_port,
            path,
        }
    }

    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// As in the `Host` header (RFC 9110 §7.2).
    pub fn authority(&self) -> String {
        let host = match &self.host {
            Target::Host(host) => host.clone(),
            Target::Address(IpAddr::V4(address)) => address.to_string(),
            Target::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Target::Service { .. } | Target::Mailbox { .. } | Target::None => String::new(),
        };
        match self.names_port {
            true => format!("{host}:{}", self.port),
            false => host,
        }
    }

    pub fn server_name(&self) -> ServerName<'static> {
        let host = match &self.host {
            Target::Address(address) => address.to_string(),
            Target::Host(host) => host.clone(),
            Target::Service { .. } | Target::Mailbox { .. } | Target::None => String::new(),
        };
        ServerName::try_from(host).expect("invariant: an https URL comes from a redirect, whose host was admitted")
    }

    /// Resolves a `Location` against this URL (RFC 9110 §10.2.2, RFC 3986 §5.2). The fragment is dropped.
    pub fn follow(&self, location: &[u8]) -> Result<Self, RedirectRefusal> {
        let location = readable(location)?;
        let location = location.split('#').next().unwrap_or_default();
        if let Some((scheme, rest)) = split_scheme(location) {
            let scheme = match scheme.to_ascii_lowercase().as_str() {
                "http" => Scheme::Http,
                "https" => Scheme::Https,
                _ => return Err(RedirectRefusal::Scheme),
            };
            return Self::with_authority(scheme, rest.strip_prefix("//").ok_or(RedirectRefusal::Host)?);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::with_authority(self.scheme, rest);
        }
        let path = match location.chars().next() {
            Some('/') => location.to_owned(),
            Some('?') => format!("{}{location}", self.path.path()),
            Some(_) => {
                let directory = self.path.path().rsplit_once('/').map_or("", |(directory, _)| directory);
                format!("{directory}/{location}")
            }
            None => self.path.as_str().to_owned(),
        };
        Ok(Self {
            path: parse_path(&path)?,
            ..self.clone()
        })
    }

    fn with_authority(scheme: Scheme, rest: &str) -> Result<Self, RedirectRefusal> {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(RedirectRefusal::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        let default = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        Ok(Self {
            scheme,
            host: parse_host(host)?,
            port: port.unwrap_or(default),
            names_port: port.is_some(),
            path: parse_path(&path)?,
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(
            f,
            "{scheme}://{}{}",
            self.authority(),
            excerpt::plain(self.path().as_bytes(), SHOWN)
        )
    }
}

/// Visible ASCII, and no backslash, which some readers take for a slash.
fn readable(location: &[u8]) -> Result<&str, RedirectRefusal> {
    let clean = location.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\');
    str::from_utf8(location)
        .ok()
        .filter(|_| clean)
        .ok_or(RedirectRefusal::Characters)
}

/// RFC 3986 §3.1; a colon after the first slash or question mark belongs to a path.
fn split_scheme(location: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = location.split_once(':')?;
    let letters = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (!scheme.is_empty() && scheme.chars().all(letters)).then_some((scheme, rest))
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), RedirectRefusal> {
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, None)),
        Some("") => Ok((host, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
            .parse()
            .map(|port| (host, Some(port)))
            .map_err(|_| RedirectRefusal::Port),
        _ => Err(RedirectRefusal::Port),
    }
}

fn parse_host(host: &str) -> Result<Target, RedirectRefusal> {
    if let Some(literal) = host.strip_prefix('[') {
        let address: Ipv6Addr = literal
            .strip_suffix(']')
            .and_then(|literal| literal.parse().ok())
            .ok_or(RedirectRefusal::Host)?;
        return Ok(Target::Address(address.into()));
    }
    if let Ok(IpAddr::V4(address)) = host.parse() {
        return Ok(Target::Address(address.into()));
    }
    if is_number(host.trim_end_matches('.').rsplit('.').next().unwrap_or_default()) {
        return Err(RedirectRefusal::NumericHost);
    }
    if let Some(host) = host.to_ascii_lowercase().strip_suffix(".well-known") {
        return Err(RedirectRefusal::MissingSlash {
            host: excerpt::plain(host.as_bytes(), SHOWN),
        });
    }
    match Dns.admit(host) {
        Ok(name) if !name.is_wildcard() => Ok(name.target().clone()),
        _ => Err(RedirectRefusal::Host),
    }
}

/// What some readers take for a part of an IPv4 address: `2130706433`, `0x7f000001`, `017700000001` (WHATWG URL §3.5).
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn parse_path(path: &str) -> Result<PathAndQuery, RedirectRefusal> {
    path.parse().map_err(|_| RedirectRefusal::Path)
}

/// How much of a path or a `Location` is shown.
pub(super) const SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(location: &str) -> Result<String, RedirectRefusal> {
        let url = Url::of_challenge(Target::Host("example.org".into()), 80, false, "tok");
        url.follow(location.as_bytes()).map(|url| url.to_string())
    }

    #[test]
    fn locations_are_resolved_against_the_url_that_was_asked() {
        for (location, url) in [
            ("/x?y#z", "http://example.org/x?y"),
            ("other", "http://example.org/.well-known/acme-challenge/other"),
            ("?again", "http://example.org/.well-known/acme-challenge/tok?again"),
            ("#here", "http://example.org/.well-known/acme-challenge/tok"),
            ("//www.example.org/x", "http://www.example.org/x"),
            ("https://www.example.org", "https://www.example.org/"),
            ("HTTPS://WWW.Example.ORG:443/a:b", "https://www.example.org:443/a:b"),
            ("http://example.org?x", "http://example.org/?x"),
            ("http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/x"),
            ("http://192.0.2.1/x", "http://192.0.2.1/x"),
            ("/a:b", "http://example.org/a:b"),
            // An at sign in a path is nobody's user name, and an empty port is the default one.
            ("http://example.org:/x:y@z", "http://example.org/x:y@z"),
        ] {
            assert_eq!(follow(location), Ok(url.to_owned()), "{location}");
        }
    }

    // 8555-8.3-2, T9
    #[test]
    fn t9_locations_that_could_mean_something_else_are_refused_each_for_its_reason() {
        for (location, refusal) in [
            ("ftp://example.org/", RedirectRefusal::Scheme),
            ("file:///etc/passwd", RedirectRefusal::Scheme),
            ("gopher://127.0.0.1:25/", RedirectRefusal::Scheme),
            ("javascript:alert(1)", RedirectRefusal::Scheme),
            ("http:/example.org", RedirectRefusal::Host),
            ("http:example.org", RedirectRefusal::Host),
            ("http:///x", RedirectRefusal::Host),
            ("http://user@example.org/", RedirectRefusal::UserInfo),
            ("http://example.org:80@127.0.0.1/", RedirectRefusal::UserInfo),
            ("http://0/", RedirectRefusal::NumericHost),
            ("http://2130706433/", RedirectRefusal::NumericHost),
            ("http://0x7f000001/", RedirectRefusal::NumericHost),
            ("http://0x7f.1/", RedirectRefusal::NumericHost),
            ("http://127.1/", RedirectRefusal::NumericHost),
            ("http://0177.0.0.1/", RedirectRefusal::NumericHost),
            ("http://127.0.0.1./", RedirectRefusal::NumericHost),
            ("http://example.org:0x50/", RedirectRefusal::Port),
            ("http://example.org:65536/", RedirectRefusal::Port),
            ("http://[::1/", RedirectRefusal::Port),
            ("http://[::1]x/", RedirectRefusal::Port),
            ("http://[fe80::1%25eth0]/", RedirectRefusal::Host),
            ("http://[127.0.0.1]/", RedirectRefusal::Host),
            ("http://exa mple.org/", RedirectRefusal::Characters),
            ("http://127.0.0.1\\@example.org/", RedirectRefusal::Characters),
            ("http://127\u{3002}0\u{3002}0\u{3002}1/", RedirectRefusal::Characters),
            ("http://b\u{fc}cher.example/", RedirectRefusal::Characters),
            ("http://127.0.0.%31/", RedirectRefusal::Host),
            ("http://*.example.org/", RedirectRefusal::Host),
            ("http://example.org./", RedirectRefusal::Host),
            ("\r\nX: y", RedirectRefusal::Characters),
        ] {
            assert_eq!(follow(location), Err(refusal), "{location}");
        }
    }

    // T8
    #[test]
    fn t8_a_redirect_that_forgot_the_slash_is_explained() {
        let refusal = follow("https://example.org.well-known/acme-challenge/tok").unwrap_err();
        assert_eq!(
            refusal,
            RedirectRefusal::MissingSlash {
                host: "example.org".into()
            }
        );
        assert!(
            refusal
                .to_string()
                .contains("a slash is missing between \"example.org\" and")
        );
        // Hosts have no letter case.
        assert_eq!(
            follow("https://Example.ORG.Well-Known/acme-challenge/tok"),
            Err(refusal)
        );
    }

    #[test]
    fn a_path_alone_stays_where_it_is_and_a_host_means_the_port_of_its_scheme() {
        let url = Url::of_challenge(Target::Host("example.org".into()), 5002, false, "tok");
        assert_eq!(url.follow(b"/x").map(|url| url.port), Ok(5002));
        assert_eq!(url.follow(b"http://example.org/x").map(|url| url.port), Ok(80));
        assert_eq!(url.follow(b"//example.org/x").map(|url| url.port), Ok(80));
        assert_eq!(url.follow(b"https://example.org/x").map(|url| url.port), Ok(443));
        assert_eq!(url.follow(b"https://example.org:5001/x").map(|url| url.port), Ok(5001));
    }

    // 8738-5-1
    #[test]
    fn an_address_is_its_own_host_and_ipv6_stands_in_brackets() {
        let authority =
            |address: &str| Url::of_challenge(Target::Address(address.parse().unwrap()), 80, false, "t").authority();
        assert_eq!(authority("192.0.2.1"), "192.0.2.1");
        assert_eq!(authority("2001:db8::1"), "[2001:db8::1]");
    }
}
