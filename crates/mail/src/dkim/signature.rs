//! A DKIM-Signature field: read, and held against its message (RFC 6376 §3.5, §6.1).

use aws_lc_rs::constant_time;
use jiff::Timestamp;

use super::{Algorithm, Canonicalization, Fault, KeyRecord, tags::Tags};
use crate::{
    dns::Txt,
    message::{Field, Message, domain::Domain, transfer_base64},
};

/// What a signature says of itself. Nothing of it is proven before [`Signature::verify`].
#[derive(Clone, Debug)]
pub struct Signature<'a> {
    field: Field<'a>,
    pub algorithm: Algorithm,
    /// `d=`
    pub domain: Domain,
    /// `s=`
    pub selector: String,
    /// The names of `h=` in lower case; one that stands more often than its field keeps others from being added.
    pub names: Vec<String>,
    /// `x=`, in seconds.
    pub expires: Option<i64>,
    created: Option<i64>,
    identity: Domain,
    header: Canonicalization,
    body: Canonicalization,
    body_hash: Vec<u8>,
    signature: Vec<u8>,
    /// Where the value of `b=` stands within the raw field.
    blank: std::ops::Range<usize>,
}

/// A signature that could not be read, with what it calls itself as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub domain: Option<Domain>,
    pub selector: Option<String>,
    pub fault: Fault,
}

/// What a verifier insists on, and when it is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub now: Timestamp,
    /// At least [`super::LEAST_RSA_BITS`].
    pub least_rsa_bits: usize,
}

/// The signatures of a message as they stand, at most [`MAX_SIGNATURES`].
pub fn signatures<'a>(message: &Message<'a>) -> Vec<Result<Signature<'a>, Unreadable>> {
    let fields = message.fields().iter().filter(|field| field.is("DKIM-Signature"));
    fields
        .take(MAX_SIGNATURES)
        .map(|field| Signature::parse(*field))
        .collect()
}

impl<'a> Signature<'a> {
    fn parse(field: Field<'a>) -> Result<Self, Unreadable> {
        let text = str::from_utf8(field.raw_value()).map_err(|_| Unreadable::of(Fault::Tag("v")))?;
        let tags = Tags::parse(text).map_err(|error| Unreadable::of(Fault::Tags(error)))?;
        Self::of(field, &tags).map_err(|fault| Unreadable {
            domain: tags.value("d").and_then(Domain::parse),
            selector: tags
                .value("s")
                .filter(|selector| is_selector(selector))
                .map(str::to_owned),
            fault,
        })
    }

    fn of(field: Field<'a>, tags: &Tags<'_>) -> Result<Self, Fault> {
        let value = |name: &'static str| tags.value(name).ok_or(Fault::Tag(name));
        if value("v")? != "1" {
            return Err(Fault::Tag("v"));
        }
        let algorithm = value("a")?;
        let algorithm = Algorithm::named(algorithm).ok_or_else(|| Fault::Algorithm(shown(algorithm)))?;
        if tags.value("l").is_some() {
            return Err(Fault::PartialBody);
        }
        if tags
            .packed("q")
            .is_some_and(|ways| !ways.split(':').any(|way| way == "dns/txt"))
        {
            return Err(Fault::Tag("q"));
        }
        let domain = Domain::parse(value("d")?).ok_or(Fault::Tag("d"))?;
        let selector = value("s")?.to_ascii_lowercase();
        if !is_selector(&selector) {
            return Err(Fault::Tag("s"));
        }
        let identity = match tags.value("i").map(|identity| identity.rsplit_once('@')) {
            None => domain.clone(),
            Some(Some((_, identity))) => Domain::parse(identity).ok_or(Fault::Tag("i"))?,
            Some(None) => return Err(Fault::Tag("i")),
        };
        if !identity.is_within(&domain) {
            return Err(Fault::Identity);
        }
        let (header, body) = canonicalization(tags.value("c")).ok_or(Fault::Tag("c"))?;
        let names = tags.packed("h").ok_or(Fault::Tag("h"))?.to_ascii_lowercase();
        let names: Vec<String> = names.split(':').map(str::to_owned).collect();
        if names.len() > MAX_NAMES || names.iter().any(String::is_empty) {
            return Err(Fault::Tag("h"));
        }
        if !names.iter().any(|name| name == "from") {
            return Err(Fault::FromUnsigned);
        }
        let octets = |name: &'static str| {
            let packed = tags.packed(name).ok_or(Fault::Tag(name))?;
            transfer_base64(packed.as_bytes())
                .filter(|octets| !octets.is_empty())
                .ok_or(Fault::Tag(name))
        };
        let seconds = |name: &'static str| match tags.value(name) {
            None => Ok(None),
            Some(text) if text.bytes().all(|octet| octet.is_ascii_digit()) => {
                text.parse().map(Some).map_err(|_| Fault::Tag(name))
            }
            Some(_) => Err(Fault::Tag(name)),
        };
        let (created, expires): (Option<i64>, Option<i64>) = (seconds("t")?, seconds("x")?);
        if created
            .zip(expires)
            .is_some_and(|(created, expires)| expires <= created)
        {
            return Err(Fault::Tag("x"));
        }
        let offset = field.name().len() + 1;
        let blank = tags.range("b").ok_or(Fault::Tag("b"))?;
        Ok(Self {
            field,
            algorithm,
            domain,
            selector,
            names,
            expires,
            created,
            identity,
            header,
            body,
            body_hash: octets("bh")?,
            signature: octets("b")?,
            blank: blank.start + offset..blank.end + offset,
        })
    }

    /// The name whose TXT record [`Signature::verify`] wants (RFC 6376 §3.6.2.1).
    pub fn key_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// Whether the domain signed this message, as it is now.
    pub fn verify(&self, message: &Message<'_>, key: &Txt, limits: &Limits) -> Result<(), Fault> {
        let now = limits.now.as_second();
        if self.expires.is_some_and(|expires| expires < now) {
            return Err(Fault::Expired);
        }
        if self
            .created
            .is_some_and(|created| created > now.saturating_add(MAX_SKEW))
        {
            return Err(Fault::Future);
        }
        let key = KeyRecord::of(key)?;
        if key.is_strict && self.identity != self.domain {
            return Err(Fault::Identity);
        }
        let hash = self.body.body_hash(message.body());
        constant_time::verify_slices_are_equal(hash.as_ref(), &self.body_hash).map_err(|_| Fault::Body)?;
        let header = self.signed_header(message);
        let signed: &[u8] = &header;
        match self.algorithm {
            Algorithm::RsaSha256 => key.verify(self.algorithm, limits.least_rsa_bits, signed, &self.signature)?,
            // RFC 8463 §3: PureEdDSA of the SHA-256 digest.
            Algorithm::Ed25519Sha256 => {
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, signed);
                key.verify(self.algorithm, limits.least_rsa_bits, digest.as_ref(), &self.signature)?;
            }
        }
        // Last, so that a signature under test is known to be otherwise right.
        if key.is_testing { Err(Fault::KeyTesting) } else { Ok(()) }
    }

    /// Whether its names include this one, in lower case.
    pub fn covers(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    fn signed_header(&self, message: &Message<'_>) -> Vec<u8> {
        let mut raw = self.field.raw()[..self.blank.start].to_vec();
        raw.extend(&self.field.raw()[self.blank.end..]);
        signed_header(message, &self.names, self.header, &raw)
    }
}

impl Unreadable {
    fn of(fault: Fault) -> Self {
        Self {
            domain: None,
            selector: None,
            fault,
        }
    }
}

/// The named fields, each the lowest that is not yet taken, then the signature's own without its value and its last CRLF
/// (RFC 6376 §3.7, §5.4.2). A name that has no field left stands for its absence.
pub(super) fn signed_header(message: &Message<'_>, names: &[String], form: Canonicalization, own: &[u8]) -> Vec<u8> {
    let fields = message.fields();
    let mut taken = vec![false; fields.len()];
    let mut out = Vec::new();
    for name in names {
        let lowest = (0..fields.len()).rev().find(|&at| !taken[at] && fields[at].is(name));
        if let Some(at) = lowest {
            taken[at] = true;
            out.extend(form.field(fields[at].raw()));
        }
    }
    let own = form.field(own);
    out.extend(own.strip_suffix(b"\r\n").unwrap_or(&own));
    out
}

fn canonicalization(value: Option<&str>) -> Option<(Canonicalization, Canonicalization)> {
    let Some(value) = value else {
        return Some((Canonicalization::Simple, Canonicalization::Simple));
    };
    let (header, body) = value.split_once('/').unwrap_or((value, "simple"));
    Some((Canonicalization::named(header)?, Canonicalization::named(body)?))
}

/// Labels, with the underscores that people put into selectors.
pub(super) fn is_selector(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
    };
    text.len() <= 200 && text.split('.').all(is_label)
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect::<String>().escape_debug().to_string()
}

/// Forwarders add one each; whoever sends more is not looked at further.
pub const MAX_SIGNATURES: usize = 8;
/// Names cost a walk over the header each.
const MAX_NAMES: usize = 150;
/// How far a signer's clock may be ahead, in seconds (RFC 6376 §3.5 leaves it to the verifier).
const MAX_SKEW: i64 = 300;
