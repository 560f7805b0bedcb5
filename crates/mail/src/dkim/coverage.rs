//! Which header fields a signature must cover for RFC 8823 (§3.1 item 6, §3.2 item 9).
//!
//! The document wants twelve names in every reply's `h=`, also those that the message does not have. No signer that is
//! widely installed lists them unasked, so there are levels below. What they give up is said at each.

use std::fmt;

use super::Signature;
use crate::message::Message;

/// How much a signature must cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// Every name of the document, even of fields that the message does not have.
    Strict,
    /// From, To, Subject and Date, and each name of the document that the message has.
    #[default]
    Present,
    /// From, To, Subject, Date, and In-Reply-To where there is one. A reply's digest binds both halves of the token and the
    /// account's key, From the mailbox, Subject the challenge: what stays unsigned cannot make another digest.
    Essential,
}

/// Of which mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Challenge,
    Reply,
}

impl Coverage {
    /// What the signature leaves out although this level wants it, in the document's words.
    pub fn missing(self, kind: Kind, message: &Message<'_>, signature: &Signature<'_>) -> Vec<&'static str> {
        let always = |name: &str| ESSENTIAL.contains(&name);
        let wanted = REQUIRED.iter().copied().filter(|name| match self {
            _ if kind == Kind::Reply && *name == "Auto-Submitted" => false,
            Self::Strict => true,
            Self::Present => always(name) || message.has(name),
            Self::Essential => always(name) || (*name == "In-Reply-To" && message.has(name)),
        });
        wanted
            .filter(|name| !signature.covers(&name.to_ascii_lowercase()))
            .collect()
    }
}

/// Whether no field of a mailing list can have been taken away after the signature was made: each is covered.
pub fn covers_lists(signature: &Signature<'_>) -> bool {
    LISTS.iter().all(|name| signature.covers(&name.to_ascii_lowercase()))
}

/// A signature that is right but does not reach as far as it must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncovered {
    pub domain: String,
    pub selector: String,
    pub missing: Vec<&'static str>,
}

impl fmt::Display for Uncovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            selector,
            missing,
        } = self;
        let missing = missing.join(", ");
        write!(
            f,
            "signature of {domain} (selector {selector}) does not cover {missing}; {OPENDKIM}"
        )
    }
}

/// What an administrator does about it.
const OPENDKIM: &str = "with OpenDKIM add \"SignHeaders *,+Auto-Submitted,+Message-ID,+Sender,+Reply-To,+Cc,+Content-Type,\
    +Content-Transfer-Encoding\"";

const ESSENTIAL: [&str; 4] = ["From", "To", "Subject", "Date"];

/// RFC 8823 §3.1 item 6; a reply's list (§3.2 item 9) is the same without Auto-Submitted.
pub const REQUIRED: [&str; 13] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "In-Reply-To",
    "References",
    "Message-ID",
    "Auto-Submitted",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// What the document recommends beside, of resent mail.
pub const RESENT: [&str; 4] = ["Resent-Date", "Resent-From", "Resent-To", "Resent-Cc"];

/// What the document recommends beside, of mailing lists.
pub const LISTS: [&str; 8] = [
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "List-Unsubscribe-Post",
];
