//! Mail as evidence: who sent a message, who vouches for it, and what it answers.
//!
//! Documents: RFC 5322 with RFC 6532, 2045 to 2047 and 3676 (messages), RFC 6376, 8301, 8463 and 8616 (DKIM), RFC 7489
//! as renewed by RFC 9989 (DMARC), RFC 7208 (SPF), RFC 3834 (automatic mail), RFC 8823 (challenge and reply).
//!
//! There is no I/O, no runtime, no clock and no randomness but that of signing keys. The DNS comes in by [`dns::Step`]: a
//! judgement says which TXT records it needs and is asked again with them. Only SPF asks as it goes, through
//! [`spf::SpfDns`]. Out of scope, and who does it instead: sending and receiving, remembering what was seen and
//! answered, limits per mailbox (the extension that offers `email-reply-00`); replies signed with S/MIME (nobody yet).
//!
//! An `Authentication-Results` field of a message is never read: everybody can write one.
//!
//! # From challenge to verdict
//!
//! ```
//! use mail::{
//!     answer::Answer,
//!     challenge::{Challenge, Unverified},
//!     dkim::{Algorithm, Signer, SigningKey, coverage},
//!     dns::{Answers, Step, Txt},
//!     message::{Message, address::Mailbox},
//!     message_id::MessageId,
//!     reply::{self, Envelope, Expected, Policy, Reply, Verdict},
//! };
//!
//! let now = "2026-11-24T10:00:00Z".parse()?;
//! let [from, to] = ["acme-challenge+5f3c@ca.test", "alice@alpha.test"].map(|text| Mailbox::parse(text).expect("an address"));
//! let signer = |mailbox: &Mailbox| {
//!     let key = SigningKey::generate(Algorithm::Ed25519Sha256).expect("a key");
//!     Signer::new(mailbox.domain().clone(), "s1", key).expect("a selector")
//! };
//! let (authority, alpha) = (signer(&from), signer(&to));
//! // What stands in the DNS.
//! let dns = |name: &str| match name {
//!     name if name == authority.key_name() => Txt::of(vec![authority.record()]),
//!     name if name == alpha.key_name() => Txt::of(vec![alpha.record()]),
//!     "_dmarc.alpha.test" => Txt::of(vec!["v=DMARC1; p=reject".to_owned()]),
//!     _ => Txt::Absent,
//! };
//!
//! // The authority sends a challenge.
//! let token_part1 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
//! let message_id = MessageId::new("5f3c", from.domain()).expect("a name");
//! let challenge = Challenge { from: &from, to: &to, token_part1, message_id: &message_id, date: now, authority: "CA of test" };
//! let sent = challenge.signed(&[&authority])?;
//!
//! // The client reads it, and believes it once the authority's domain is known to have signed it.
//! let unverified = Unverified::read(&sent, &from, &to)?;
//! let mut answers = Answers::default();
//! let received = loop {
//!     match unverified.judge(&Default::default(), now, &answers) {
//!         Step::Ask(names) => names.iter().for_each(|name| answers.insert(name, dns(name))),
//!         Step::Done(received) => break received?,
//!     }
//! };
//!
//! // It answers; the sender's mail server signs.
//! let answer = Answer::new(&received.token_part1, "token-part2", "thumbprint");
//! let composed = reply::compose(&received, answer.digest(), &MessageId::new("1", to.domain()).expect("a name"), now);
//! let names: Vec<&str> = coverage::REQUIRED.into_iter().chain(coverage::LISTS).collect();
//! let mut mailed = alpha.sign(&Message::parse(&composed)?, &names, now).into_bytes();
//! mailed.extend(composed);
//!
//! // The authority judges.
//! let envelope = Envelope { recipient: from.clone(), has_null_return_path: false, spf: None };
//! let expected = Expected { mailbox: &to, recipient: &from, token_part1 };
//! let reply = Reply::read(&mailed, &envelope)?;
//! let mut answers = Answers::default();
//! let verdict = loop {
//!     match reply.judge(&expected, &Policy::default(), now, &answers) {
//!         Step::Ask(names) => names.iter().for_each(|name| answers.insert(name, dns(name))),
//!         Step::Done(verdict) => break verdict,
//!     }
//! };
//! assert!(matches!(verdict, Verdict::Authentic(facts) if facts.answers(&answer).is_some()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod answer;
pub mod authentication;
pub mod automatic;
pub mod bounce;
pub mod challenge;
pub mod dkim;
pub mod dmarc;
pub mod dns;
pub mod message;
pub mod message_id;
pub mod reply;
pub mod spf;
