//! What the messages of the corpus and their target know of each other.

use jiff::Timestamp;

/// The challenge's `from`.
pub const FROM: &str = "acme-challenge+5f3c@ca.test";
/// The mailbox that is asked for.
pub const TO: &str = "alice@alpha.test";
pub const TOKEN_PART1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
pub const TOKEN_PART2: &str = "GBkaGxwdHh8gISIjJCUmJygpKissLS4v";
pub const THUMBPRINT: &str = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ";
/// Where the mailbox's domain has its key.
pub const KEY_NAME: &str = "s1._domainkey.alpha.test";
/// RFC 8463 §A.2.
pub const RECORD: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
pub const NOW: Timestamp = Timestamp::constant(1_795_514_400, 0);
