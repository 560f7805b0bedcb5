//! The little arithmetic on large numbers that judging an RSA modulus takes. Public values only: not constant-time.

/// A non-negative number, least significant limb first, without leading zero limbs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number(Vec<u64>);

impl Number {
    pub fn from_be_bytes(octets: &[u8]) -> Self {
        let limb = |chunk: &[u8]| chunk.iter().fold(0, |limb, octet| limb << 8 | u64::from(*octet));
        Self(octets.rchunks(8).map(limb).collect()).trimmed()
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub fn remainder(&self, divisor: u64) -> u64 {
        let step = |rest: u64, limb: &u64| ((u128::from(rest) << 64 | u128::from(*limb)) % u128::from(divisor)) as u64;
        self.0.iter().rev().fold(0, step)
    }

    pub fn add(&mut self, other: &Number) {
        let mut carry = false;
        for position in 0..other.0.len().max(self.0.len()) {
            if position == self.0.len() {
                self.0.push(0);
            }
            let (sum, first) = self.0[position].overflowing_add(other.0.get(position).copied().unwrap_or(0));
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            self.0[position] = sum;
            carry = first || second;
        }
        if carry {
            self.0.push(1);
        }
    }

    /// `other` must not be larger.
    pub fn subtract(&mut self, other: &Number) {
        let mut borrow = false;
        for (position, limb) in self.0.iter_mut().enumerate() {
            let (difference, first) = limb.overflowing_sub(other.0.get(position).copied().unwrap_or(0));
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = first || second;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Shifts by one or two bits and sets the lowest ones.
    fn append_bits(&mut self, count: u32, bits: u64) {
        let mut carry = bits;
        for limb in &mut self.0 {
            let next = *limb >> (64 - count);
            *limb = *limb << count | carry;
            carry = next;
        }
        if carry != 0 {
            self.0.push(carry);
        }
    }

    pub fn double_and_add_one(&mut self) {
        self.append_bits(1, 1);
    }

    /// The integer square root and what remains, two bits of the number for one of the root.
    pub fn square_root(&self) -> (Number, Number) {
        let (mut root, mut rest) = (Number(Vec::new()), Number(Vec::new()));
        for limb in self.0.iter().rev() {
            for shift in (0..64).step_by(2).rev() {
                rest.append_bits(2, limb >> shift & 3);
                // (2r + 1)² − (2r)² = 4r + 1
                let mut trial = root.clone();
                trial.append_bits(2, 1);
                let fits = rest >= trial;
                if fits {
                    rest.subtract(&trial);
                }
                root.append_bits(1, u64::from(fits));
            }
        }
        (root, rest)
    }

    pub fn is_square(&self) -> bool {
        // Squares are one in six of the residues of 64 and one in twenty-two of those of 45045 = 3²·5·7·11·13,
        // so the root is drawn about once in a hundred calls.
        const RESIDUES_OF_64: u64 = {
            let (mut set, mut root) = (0, 0);
            while root < 64 {
                set |= 1 << (root * root % 64);
                root += 1;
            }
            set
        };
        let Some(lowest) = self.0.first() else {
            return true;
        };
        if RESIDUES_OF_64 >> (lowest % 64) & 1 == 0 {
            return false;
        }
        let rest = self.remainder(45045);
        let residue_of = |divisor: u64| (0..divisor).any(|root| root * root % divisor == rest % divisor);
        [9, 5, 7, 11, 13].into_iter().all(residue_of) && self.square_root().1.is_zero()
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: u128) -> Number {
        Number::from_be_bytes(&value.to_be_bytes())
    }

    /// A sequence that is the same in every run (splitmix64).
    fn seeded() -> impl Iterator<Item = u64> {
        std::iter::successors(Some(1u64), |state| Some(state.wrapping_add(0x9e37_79b9_7f4a_7c15))).map(|state| {
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb)
        })
    }

    #[test]
    fn sums_differences_and_remainders_agree_with_those_of_128_bits() {
        let mut values = seeded().map(u128::from);
        for _ in 0..1000 {
            let [Some(a), Some(b), Some(c)] = [values.next(), values.next(), values.next()] else {
                unreachable!()
            };
            let large = a << 62 | b;
            let mut sum = number(large);
            sum.add(&number(c));
            assert_eq!(sum, number(large + c));
            assert_eq!(sum.remainder(45045), ((large + c) % 45045) as u64);
            sum.subtract(&number(large));
            assert_eq!(sum, number(c));
        }
        let mut carried = number(u128::MAX);
        carried.add(&number(1));
        assert_eq!(carried, Number(vec![0, 0, 1]));
        carried.subtract(&number(1));
        assert_eq!(carried, number(u128::MAX));
    }

    #[test]
    fn a_root_squared_and_its_rest_give_the_number_back() {
        for value in seeded()
            .take(500)
            .map(|value| u128::from(value) * u128::from(value >> 7) + 1)
        {
            let (root, rest) = number(value).square_root();
            let expected = value.isqrt();
            assert_eq!((root, rest), (number(expected), number(value - expected * expected)));
        }
    }

    #[test]
    fn squares_are_known_and_their_neighbours_are_not_squares() {
        assert!(number(0).is_square());
        for root in seeded().take(200).map(|value| u128::from(value >> 1)) {
            assert!(number(root * root).is_square());
            assert!(!number(root * root + 1).is_square());
            assert!(!number(root * root - 1).is_square());
        }
    }
}
