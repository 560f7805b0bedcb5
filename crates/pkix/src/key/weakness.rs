//! Keys that are well-formed and worthless.

use super::arithmetic::Number;
use super::public::{RsaPublicKey, exponent};
use super::{KeyBlocklist, SubjectPublicKey};
use crate::encoding;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Weakness {
    #[error("the key is on the list of keys that are not to be used")]
    Blocklisted,
    /// Small exponents turn mistakes of padding into forgeries; Baseline Requirements 6.1.6 advise 65537 and more.
    #[error("the RSA exponent is below 65537")]
    SmallExponent,
    #[error("the RSA modulus is divisible by {0}")]
    SmallFactor(u32),
    /// CVE-2017-15361: primes of the form `k·M + (65537^a mod M)`.
    #[error("the RSA key was made by a faulty library (ROCA)")]
    Roca,
    /// CVE-2022-26320: Fermat's method factors the modulus at once.
    #[error("the primes of the RSA modulus are too close to each other")]
    ClosePrimes,
}

impl SubjectPublicKey {
    /// What is known to be wrong with the key itself. Asked once for each new key: 0.1 to 0.3 ms for RSA.
    pub fn weakness(&self) -> Option<Weakness> {
        let key: RsaPublicKey<'_> = match encoding::decode(self.key_bits()) {
            Ok(key) if matches!(self.kind(), super::KeyKind::Rsa { .. }) => key,
            _ => return None,
        };
        if exponent(&key).is_none_or(|exponent| exponent < 65537) {
            return Some(Weakness::SmallExponent);
        }
        let modulus = Number::from_be_bytes(key.modulus.as_bytes());
        let residues = Residues::of(&modulus);
        if let Some(prime) = residues.factor() {
            return Some(Weakness::SmallFactor(prime));
        }
        if residues.are_in_the_roca_group() {
            return Some(Weakness::Roca);
        }
        has_close_primes(&modulus).then_some(Weakness::ClosePrimes)
    }

    /// As `weakness`, after the operator's list.
    pub fn weakness_or_blocked(&self, blocklist: &KeyBlocklist) -> Option<Weakness> {
        match blocklist.contains(&self.fingerprint()) {
            true => Some(Weakness::Blocklisted),
            false => self.weakness(),
        }
    }
}

/// Baseline Requirements 6.1.6: a modulus should have no factor smaller than 752. There are 133 such primes.
const PRIMES: [u32; 133] = {
    let (mut primes, mut count, mut candidate) = ([0; 133], 0, 2);
    while candidate < 752 {
        let (mut earlier, mut prime) = (0, true);
        while earlier < count {
            prime &= candidate % primes[earlier] != 0;
            earlier += 1;
        }
        if prime {
            primes[count] = candidate;
            count += 1;
        }
        candidate += 1;
    }
    assert!(count == 133);
    primes
};

/// A modulus modulo each of the small primes.
struct Residues([u32; 133]);

impl Residues {
    fn of(modulus: &Number) -> Self {
        let mut residues = [0; 133];
        let mut done = 0;
        // Dividing the long number is what costs, so it is divided by products of primes.
        while done < PRIMES.len() {
            let (mut product, mut end) = (1u64, done);
            while let Some(larger) = PRIMES.get(end).and_then(|prime| product.checked_mul(u64::from(*prime))) {
                (product, end) = (larger, end + 1);
            }
            let rest = modulus.remainder(product);
            for index in done..end {
                residues[index] = (rest % u64::from(PRIMES[index])) as u32;
            }
            done = end;
        }
        Self(residues)
    }

    fn factor(&self) -> Option<u32> {
        self.0
            .iter()
            .position(|residue| *residue == 0)
            .map(|index| PRIMES[index])
    }

    /// The faulty library's moduli are powers of 65537 modulo every prime up to 167 (and more for longer keys). The
    /// chance of a sound modulus to be so by accident is one in about 2^28.
    fn are_in_the_roca_group(&self) -> bool {
        let mut sets = POWERS_OF_65537.iter().zip(self.0);
        sets.all(|(powers, residue)| powers[residue as usize / 64] >> (residue % 64) & 1 == 1)
    }
}

/// For each of the 39 primes up to 167 the powers of 65537 modulo it, as a set of bits.
const POWERS_OF_65537: [[u64; 3]; 39] = {
    let (mut sets, mut index) = ([[0; 3]; 39], 0);
    while index < 39 {
        let (prime, mut power) = (PRIMES[index], 1);
        loop {
            sets[index][power as usize / 64] |= 1 << (power % 64);
            power = power * (65537 % prime) % prime;
            if power == 1 {
                break;
            }
        }
        index += 1;
    }
    sets
};

/// Rounds of Fermat's method. Honest primes differ in their leading bits and need more rounds than there is time;
/// a hundred find every pair that differs by less than about 28 times the fourth root of the modulus.
const ROUNDS: usize = 100;

/// Looks for `a` just above √n with `a² − n` a square `b²`; then n = (a − b)(a + b).
fn has_close_primes(modulus: &Number) -> bool {
    let (root, rest) = modulus.square_root();
    if rest.is_zero() {
        return true;
    }
    // With n = r² + rest, the first candidate a = r + 1 gives a² − n = 2r + 1 − rest.
    let mut step = root;
    step.double_and_add_one();
    let mut difference = step.clone();
    difference.subtract(&rest);
    let two = Number::from_be_bytes(&[2]);
    for _ in 0..ROUNDS {
        if difference.is_square() {
            return true;
        }
        // (a + 1)² − a² = 2a + 1, which grows by two
        step.add(&two);
        difference.add(&step);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyKind, KeyPair};
    use der::asn1::{AnyRef, BitStringRef, UintRef};
    use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

    fn key(modulus: &str, exponent: &[u8]) -> SubjectPublicKey {
        let modulus: String = modulus.split_whitespace().collect();
        let modulus = encoding::from_hex(&modulus).unwrap();
        let key = RsaPublicKey {
            modulus: UintRef::new(&modulus).unwrap(),
            exponent: UintRef::new(exponent).unwrap(),
        };
        let key = encoding::encode(&key);
        let info = SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef {
                oid: crate::oid::RSA_ENCRYPTION,
                parameters: Some(AnyRef::NULL),
            },
            subject_public_key: BitStringRef::from_bytes(&key).unwrap(),
        };
        SubjectPublicKey::from_spki_der(&encoding::encode(&info)).unwrap()
    }

    fn weakness(modulus: &str) -> Option<Weakness> {
        key(modulus, &[1, 0, 1]).weakness()
    }

    // The moduli below were made for this test; each is a product of two primes of the kind its name says.
    const SOUND: &str = "
        c4066221514d03de0427c1800e86859866800b5644fd31fdaf9e8aac15acb173b2801fad4d36f263bbc3aec1672685f3e8bf772f
        5cb3ccbfbb1d8590a92b7f0e8de48f08f90b837a780fbb28e141970b4cd7047aa9d20e84ddffc21f35d145dee0f539c10b2a9a0c
        5af4af129c8c2069ec6c05724340c448dcd8518098b9733015583d9397c99ef11b730042ca51d682c0c71c0d7d0f9f7ec78b49f8
        c84699002d4a4004f2803956cabda175f7d7e06b32edb22d175b6cd566805a7fd138d951c81be2c72de2e7882cefedfb3d240c95
        1856da6797e09f5dd485589e21339f140d09a138a09d9b23417a4fd3ef29d3776512bace3b9a13c52f7e43e62ebfedd9";
    /// Both primes k·M + (65537^a mod M) with M the product of the first 71 primes, as in CVE-2017-15361.
    const ROCA: &str = "
        f17b151eed86d2844e7c4e4a87621b2c9e42b8b9997fa3028a5198a77142952ace9410895efbba06c8987b47f33cb7e12509a2f1
        d2f8f14fffb10f2a8a5d22f6eb33b1089244e97ec84355b559fa247ee40d61339e9dd391d97a1829143a4388ff5aef3d5fbeeb9f
        13713fff6c4e6a40547b81123d3734105b696d619f18458c500ae54adb30a5bb048b6a903590b7add65dad9dc4970f1ba050bd24
        671b4965eb71358e53df90453bb8b54897988fb548828817c00d1d8df17ea3380c84ef8eea456979018ecf7542f849c65f47f86b
        c530f3b530f0d1256bf05ec90b09e011a754165985d27a283de66b8601906fdca7cf13f99f8bfdfb7584e2fc2d9a7963";
    /// The second prime follows p + 2^500.
    const CLOSE: &str = "
        be2baab57441a51717a3c16124aa292b1612ef84dee676aa9b8d5f2819c5cf6d7a28957153bd75085c0e0ae09dbcbbe8d366e347
        9f1497c96179222cbdcb7ffdb52272153cc1fce94532c8c195084abe00f1d429a54c868b3088d7fb045920dd96b145518048653b
        c1a640c5c7739c82732a43b125b90dd61dea48fc4bf0d4f2aa9bb95d2248175842ce051c0ca3df4ee80876150eddadffc53fd99d
        a4fc66889bca29db6eb2ad5ad9c15b501b9a3516a87d8e1297bb1ef3eed84ad5cf246be7816f6f019f8ce77218f7ee8f5941fe0e
        c34523f4ea93655544326fcf46fc2b24bfc6c0fbba9c2cfffed0f6641db67f81ed90dee3dde0490520fc8cd3b558d07b";
    /// Found in round 59 of Fermat's method.
    const CLOSE_IN_A_LATE_ROUND: &str = "
        be2baab57441a51717a3c16124aa292b1612ef84dee676aa9b8d5f2819c5cf6d7a28957153bd75085c0e0ae09dbcbbe8d366e347
        9f1497c96179222cbdcb800ef1fcc13bf8f956672bc097faaf292a68f196e0c7ec0bcae01f1f2dca96c64243e19d0bb4cbc9ee47
        533b4b3d35b30c46e5ce8e43421825f30b85f31ccaab10c6aed7045fc4a30fbbd3a35832daab383ca1c809af1470cccbfc0d7695
        68ede3994923a7bb9df204dd84094cca64d8724e8db554c14d6cef316d99fa2062575254c1d72375609f6333be6ad5c09a504936
        21b0b20a433577d6bbd99bb4253e100c781be9abc39f5a8ddd3c4b7ca3ce00d08e0e4352e2c8dc42db39d7d85cee1f01";
    /// About 2^540 apart, which is too much for Fermat's method.
    const APART: &str = "
        be2baab57441a51717a3c16124aa292b1612ef84dee676aa9b8d5f2819c5cf6d7a28957153bd75085c0e0ae09dbcbbe8d366e347
        9f1497c96179222ccbea89a8a0b2b78160d57693bf98c5142fca5d688a5c130332678b9210e6e3266cdae0638044a8400d57d166
        9aab14464b7aa2aba290a9b14574ff4fab89064ccb4c4fd54fa68e593880e051315c38a6ff73b4657a1cc11f7e3ee7c077243152
        19aa26f6c0123cc99e4bd4d400e0093fcbf846afb0df2a0e986dc895ee31a6db4bffc5e8e2363b6a104b9158580b9013c3747f98
        4f827a92d27dd34d7979eee9c58bbcaed47331f492ea56b099aad34f9ba78a6cf2ad11b3bb19698ca2e3fea9ad23d8ed";
    const DIVISIBLE_BY_751: &str = "
        e6666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666
        66666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666
        66666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666
        66666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666
        666666666666666666666666666666666666666666666666666666666666666666666666666666666666666666674115";

    // T25
    #[test]
    fn t25_a_roca_key_is_known_by_its_modulus() {
        assert_eq!(weakness(ROCA), Some(Weakness::Roca));
    }

    // T25
    #[test]
    fn t25_close_primes_are_found_by_fermats_method() {
        assert_eq!(weakness(CLOSE), Some(Weakness::ClosePrimes));
        assert_eq!(weakness(CLOSE_IN_A_LATE_ROUND), Some(Weakness::ClosePrimes));
    }

    // T25
    #[test]
    fn t25_small_factors_and_small_exponents_are_weak() {
        assert_eq!(weakness(DIVISIBLE_BY_751), Some(Weakness::SmallFactor(751)));
        assert_eq!(key(SOUND, &[3]).weakness(), Some(Weakness::SmallExponent));
    }

    #[test]
    fn sound_keys_are_not_called_weak() {
        assert_eq!(weakness(SOUND), None);
        assert_eq!(weakness(APART), None);
        assert_eq!(key(SOUND, &[1, 0, 3]).weakness(), None);
        assert_eq!(key(SOUND, &[1, 0, 1]).kind(), KeyKind::Rsa { bits: 2048 });
        for pair in [
            KeyPair::generate_p256(),
            KeyPair::generate_ed25519(),
            KeyPair::generate_rsa2048(),
        ] {
            assert_eq!(pair.public_key().weakness(), None);
        }
    }

    // T25
    #[test]
    fn t25_a_key_on_the_list_is_weak_whatever_its_kind() {
        let pair = KeyPair::generate_p256();
        let mut list = KeyBlocklist::default();
        assert_eq!(pair.public_key().weakness_or_blocked(&list), None);
        list.insert(pair.public_key().fingerprint());
        assert_eq!(
            pair.public_key().weakness_or_blocked(&list),
            Some(Weakness::Blocklisted)
        );
    }

    #[test]
    fn residues_are_those_of_the_single_primes() {
        let modulus = encoding::from_hex(&ROCA.split_whitespace().collect::<String>()).unwrap();
        let modulus = Number::from_be_bytes(&modulus);
        for (prime, residue) in PRIMES.iter().zip(Residues::of(&modulus).0) {
            assert_eq!(modulus.remainder(u64::from(*prime)), u64::from(residue));
        }
    }
}
