//! Numbers sealed into one AES-256 block: unguessable, bound to their kind, authentic before any look-up.
//!
//! A block that nobody sealed opens to a right-looking one with probability 2⁻⁶⁴ or less: kind, directory and the zero
//! bytes must fit, and the number must exist (INCIDENTS T35). Whoever has the key can make identifiers, but every
//! resource still asks for its account's signature.

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};

/// What a sealed block stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Account = 1,
    Order = 2,
    Authorization = 3,
    Challenge = 4,
    Certificate = 5,
    OrdersPage = 6,
    Nonce = 7,
    Unpause = 8,
}

/// A number, and a smaller one beside it: a challenge's index, a certificate's n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub number: u64,
    pub extra: u32,
}

/// The key of all identifiers on the wire. It is kept for ever and is part of a backup.
pub struct Seal {
    /// Of the directory that the numbers belong to; 0 for what belongs to none.
    tag: u16,
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
}

impl Seal {
    pub fn new(key: &[u8; 32]) -> Self {
        let bound = || UnboundCipherKey::new(&AES_256, key).expect("invariant: an AES-256 key has 32 bytes");
        Self {
            tag: 0,
            encrypting: EncryptingKey::ecb(bound()).expect("invariant: one block needs no mode of operation"),
            decrypting: DecryptingKey::ecb(bound()).expect("invariant: one block needs no mode of operation"),
        }
    }

    /// The same key for the identifiers of a directory, which open nowhere else.
    pub fn for_directory(self, tag: u16) -> Self {
        Self { tag, ..self }
    }

    /// 22 characters of base64url.
    pub fn seal(&self, kind: Kind, sealed: Sealed) -> String {
        let mut block = [0; 16];
        block[0] = kind as u8;
        block[1..9].copy_from_slice(&sealed.number.to_be_bytes());
        block[9..13].copy_from_slice(&sealed.extra.to_be_bytes());
        block[13..15].copy_from_slice(&self.tag.to_be_bytes());
        self.encrypting
            .less_safe_encrypt(&mut block, EncryptionContext::None)
            .expect("invariant: one whole block can be encrypted");
        jose::base64url::encode(block)
    }

    /// `None` for anything that was not sealed as this kind.
    pub fn open(&self, kind: Kind, text: &str) -> Option<Sealed> {
        let mut block: [u8; 16] = jose::base64url::decode(text).ok()?.try_into().ok()?;
        self.decrypting.decrypt(&mut block, DecryptionContext::None).ok()?;
        if block[0] != kind as u8 || block[13..15] != self.tag.to_be_bytes() || block[15] != 0 {
            return None;
        }
        Some(Sealed {
            number: u64::from_be_bytes(block[1..9].try_into().ok()?),
            extra: u32::from_be_bytes(block[9..13].try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_opens_only_as_the_kind_it_was_sealed_as() {
        let seal = Seal::new(&[7; 32]);
        let order = Sealed { number: 42, extra: 3 };
        let text = seal.seal(Kind::Order, order);
        assert_eq!(text.len(), 22);
        assert_eq!(seal.open(Kind::Order, &text), Some(order));
        assert_eq!(seal.open(Kind::Account, &text), None);
        assert_eq!(Seal::new(&[8; 32]).open(Kind::Order, &text), None);
    }

    // 8555-10.5-1, t35
    #[test]
    fn neighbouring_numbers_share_nothing_on_the_wire() {
        let seal = Seal::new(&[7; 32]);
        let [a, b] = [1, 2].map(|number| seal.seal(Kind::Order, Sealed { number, extra: 0 }));
        let same = a.bytes().zip(b.bytes()).filter(|(a, b)| a == b).count();
        assert!(same < 8, "{a} {b}");
    }

    #[test]
    fn text_that_was_not_sealed_opens_to_nothing() {
        let seal = Seal::new(&[7; 32]);
        for text in [
            "",
            "1",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAB",
            "../../etc/passwd",
            "%00",
        ] {
            assert_eq!(seal.open(Kind::Order, text), None, "{text}");
        }
    }
}
