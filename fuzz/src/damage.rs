//! Damage to octets, the same in every run.

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Damage(u64);

impl Damage {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `input` with one to four changes; `other` is what some of them are taken from.
    pub fn of(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut octets = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(octets.len() + 1);
            let end = (at + 1 + self.below(16)).min(octets.len());
            match self.below(9) {
                0 => self.replace(&mut octets, at, |random, octet| octet ^ (1 << random.below(8))),
                1 => self.replace(&mut octets, at, |random, _| random.below(256) as u8),
                2 => self.replace(&mut octets, at, |random, _| EDGES[random.below(EDGES.len())]),
                // Lengths and counts: one more, one less.
                3 => self.replace(&mut octets, at, |random, octet| {
                    octet.wrapping_add(if random.below(2) == 0 { 1 } else { 255 })
                }),
                4 => drop(octets.drain(at..end)),
                5 => {
                    let piece = octets[at..end].to_vec();
                    octets.splice(at..at, piece);
                }
                6 => octets.truncate(at),
                7 => octets.insert(at, self.below(256) as u8),
                _ => {
                    let from = self.below(other.len() + 1);
                    let piece = &other[from..(from + 1 + self.below(64)).min(other.len()).max(from)];
                    octets.splice(at..if self.below(2) == 0 { at } else { end }, piece.iter().copied());
                }
            }
        }
        octets
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn replace(&mut self, octets: &mut [u8], at: usize, change: impl Fn(&mut Self, u8) -> u8) {
        if let Some(octet) = octets.get_mut(at) {
            *octet = change(self, *octet);
        }
    }
}

/// Ends of ranges, tags of DER, and what separates things in text.
const EDGES: &[u8] = b"\x00\x01\x7f\x80\x81\x82\xff\x02\x03\x04\x06\x30\x31\xa0\xa3 \"\\{}[],:;=./*-\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_does_the_same_damage_and_another_does_other() {
        let of = |seed| {
            let mut damage = Damage::new(seed);
            (0..100)
                .map(|_| damage.of(b"some octets", b"others"))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn nothing_at_all_can_be_damaged_too() {
        let mut damage = Damage::new(3);
        for _ in 0..1000 {
            damage.of(b"", b"");
        }
    }
}
