//! The digest that answers a challenge, from both halves of its token (RFC 8823 §3 step 6, RFC 8555 §8.1).
//!
//! The document joins the halves as texts. Clients exist that decode both and encode the octets together, which is the
//! same only where the first half is a multiple of three octets long: an authority should make it so, and takes either.

use aws_lc_rs::{constant_time, digest};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};

/// How the halves of a token become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// As texts, which is what the document says.
    Text,
    /// As octets, encoded together.
    Octets,
}

/// What an answer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    text: String,
    octets: Option<String>,
}

impl Answer {
    /// Both halves exactly as they were sent and received, and the account key's thumbprint in base64url.
    pub fn new(token_part1: &str, token_part2: &str, thumbprint: &str) -> Self {
        let text = of(&format!("{token_part1}{token_part2}"), thumbprint);
        let decoded = decode(token_part1).zip(decode(token_part2));
        let octets = decoded.map(|(first, second)| {
            let token = URL_SAFE_NO_PAD.encode([first, second].concat());
            of(&token, thumbprint)
        });
        Self { text, octets }
    }

    /// What a client sends: the halves joined as texts.
    pub fn digest(&self) -> &str {
        &self.text
    }

    /// Whether the two readings differ, so that an authority that reads otherwise refuses [`Answer::digest`]: worth saying
    /// when it does.
    pub fn is_ambiguous(&self) -> bool {
        self.octets.as_ref().is_some_and(|octets| *octets != self.text)
    }

    /// How the received digest was made, or `None` where it is wrong. It may be padded. Both are compared in full and in
    /// constant time.
    pub fn matches(&self, received: &str) -> Option<Joining> {
        let received = received.strip_suffix('=').unwrap_or(received);
        let same =
            |wanted: &str| constant_time::verify_slices_are_equal(wanted.as_bytes(), received.as_bytes()).is_ok();
        let [text, octets] = [same(&self.text), same(self.octets.as_deref().unwrap_or_default())];
        match (text, octets && self.octets.is_some()) {
            (true, _) => Some(Joining::Text),
            (false, true) => Some(Joining::Octets),
            (false, false) => None,
        }
    }
}

/// Octets of a half, padded or not; `None` where it is no base64url.
pub fn decode(half: &str) -> Option<Vec<u8>> {
    LENIENT.decode(half).ok()
}

fn of(token: &str, thumbprint: &str) -> String {
    let key_authorization = format!("{token}.{thumbprint}");
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, key_authorization.as_bytes()))
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
