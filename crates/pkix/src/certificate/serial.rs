//! Serial numbers (RFC 5280 §4.1.2.2).

use std::cmp::Ordering;
use std::fmt;

use crate::encoding;

/// A positive number of at most 20 octets, the sign's zero octet among them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Serial {
    /// The content of the INTEGER: minimal, with a zero octet in front where the first bit would be the sign.
    octets: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SerialError {
    #[error("the serial number is not positive")]
    NotPositive,
    #[error("the serial number has more than 20 octets")]
    TooLong,
    #[error("the serial number is not in hexadecimal digits")]
    NotHexadecimal,
    #[error("the serial number is not an INTEGER of DER")]
    NotMinimal,
}

const LONGEST: usize = 20;

/// Stands in front of the random octets, so that the number is positive, not zero, and not shortened by leading zeros,
/// whatever they are. Clearing the first random bit instead is how serials came to have 63 random bits for 64.
const FIRST_OCTET: u8 = 0x1f;

impl Serial {
    /// A serial number of `N + 1` octets in which all `8·N` random bits are kept: 128 to 152 of them, where CAs owe 64
    /// (Baseline Requirements 7.1).
    pub fn from_random<const N: usize>(random: [u8; N]) -> Self {
        const {
            assert!(
                N >= 16 && N < LONGEST,
                "from 16 to 19 random octets make a serial number"
            )
        }
        let mut octets = Vec::with_capacity(1 + N);
        octets.push(FIRST_OCTET);
        octets.extend(random);
        Self { octets }
    }

    /// Reads what `Display` writes, in either case, with or without leading zeros.
    pub fn from_hex(digits: &str) -> Result<Self, SerialError> {
        if digits.is_empty() {
            return Err(SerialError::NotHexadecimal);
        }
        // Not the length of a number is limited here, but the work.
        if digits.len() > 4 * LONGEST {
            return Err(SerialError::TooLong);
        }
        let even = if digits.len().is_multiple_of(2) {
            digits.to_owned()
        } else {
            format!("0{digits}")
        };
        let octets = encoding::from_hex(&even).ok_or(SerialError::NotHexadecimal)?;
        let start = octets
            .iter()
            .position(|octet| *octet != 0)
            .ok_or(SerialError::NotPositive)?;
        let mut octets = octets[start..].to_vec();
        if octets[0] & 0x80 != 0 {
            octets.insert(0, 0);
        }
        Self::from_der_content(&octets)
    }

    /// The content octets of an INTEGER.
    pub fn from_der_content(octets: &[u8]) -> Result<Self, SerialError> {
        match octets {
            [] => Err(SerialError::NotMinimal),
            [0] | [0x80..=0xff, ..] => Err(SerialError::NotPositive),
            [0, 0..=0x7f, ..] => Err(SerialError::NotMinimal),
            _ if octets.len() > LONGEST => Err(SerialError::TooLong),
            _ => Ok(Self {
                octets: octets.to_vec(),
            }),
        }
    }

    /// The content octets of the INTEGER, sign octet included: what RFC 9773 §4.1 puts into a renewal URL.
    pub fn der_content(&self) -> &[u8] {
        &self.octets
    }

    /// The number, most significant octet first, without a sign octet.
    pub fn magnitude(&self) -> &[u8] {
        self.octets.strip_prefix(&[0]).unwrap_or(&self.octets)
    }
}

/// By the number: of two minimal encodings of positive numbers the longer one is the greater.
impl Ord for Serial {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.octets.len().cmp(&other.octets.len());
        by_length.then_with(|| self.octets.cmp(&other.octets))
    }
}

impl PartialOrd for Serial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Lower-case hexadecimal digits, two for each octet of the number.
impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.magnitude().iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

impl std::str::FromStr for Serial {
    type Err = SerialError;

    fn from_str(digits: &str) -> Result<Self, SerialError> {
        Self::from_hex(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::sha256;

    // T20: the random bits are counted after the number was made positive
    #[test]
    fn t20_a_hundred_thousand_serials_keep_every_random_bit() {
        const COUNT: usize = 100_000;
        let mut ones = [0u32; 128];
        let mut seen = std::collections::HashSet::new();
        for count in 0..COUNT {
            // Hashes of a counter: as even as random octets, and the same in every run.
            let random: [u8; 16] = sha256(&count.to_be_bytes())[..16].try_into().unwrap();
            let serial = Serial::from_random(random);
            let octets = serial.der_content();
            assert!(octets.len() == 17 && octets[0] != 0 && octets[0] < 0x80);
            assert_eq!(octets[1..], random);
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(octets[1 + bit / 8] >> (bit % 8) & 1);
            }
            assert!(seen.insert(serial));
        }
        // Each bit is one in half of the serials, give or take six standard deviations of √(100000)/2 = 158.
        assert!(
            ones.iter().all(|count| count.abs_diff(COUNT as u32 / 2) < 6 * 158),
            "{ones:?}"
        );
    }

    // T20
    #[test]
    fn t20_no_random_octets_make_a_serial_zero_negative_or_too_long() {
        for random in [[0; 19], [0xff; 19], [0x80; 19]] {
            let serial = Serial::from_random(random);
            assert_eq!(Serial::from_der_content(serial.der_content()).unwrap(), serial);
            assert_eq!(serial.der_content().len(), 20);
        }
    }

    #[test]
    fn a_serial_is_written_in_hexadecimal_and_read_back() {
        let serial = Serial::from_der_content(&[0x00, 0x87, 0x65, 0x43, 0x21]).unwrap();
        assert_eq!(serial.to_string(), "87654321");
        for digits in ["87654321", "0087654321", "87654321", "087654321"] {
            assert_eq!(Serial::from_hex(digits).unwrap(), serial);
        }
        assert_eq!("ABCDEF".parse::<Serial>().unwrap().to_string(), "abcdef");
        assert_eq!(Serial::from_hex("1").unwrap().to_string(), "01");
        assert_eq!(Serial::from_hex(""), Err(SerialError::NotHexadecimal));
        assert_eq!(Serial::from_hex("0x12"), Err(SerialError::NotHexadecimal));
        assert_eq!(Serial::from_hex("00"), Err(SerialError::NotPositive));
        assert_eq!(Serial::from_hex(&"7f".repeat(21)), Err(SerialError::TooLong));
        assert_eq!(Serial::from_hex(&"ff".repeat(20)), Err(SerialError::TooLong));
    }

    // T26
    #[test]
    fn t26_negative_zero_and_padded_serials_are_refused() {
        assert_eq!(Serial::from_der_content(&[0xff]), Err(SerialError::NotPositive));
        assert_eq!(Serial::from_der_content(&[0x80, 1]), Err(SerialError::NotPositive));
        assert_eq!(Serial::from_der_content(&[0]), Err(SerialError::NotPositive));
        assert_eq!(Serial::from_der_content(&[0, 1]), Err(SerialError::NotMinimal));
        assert_eq!(Serial::from_der_content(&[]), Err(SerialError::NotMinimal));
        assert_eq!(Serial::from_der_content(&[1; 21]), Err(SerialError::TooLong));
    }

    #[test]
    fn serials_are_ordered_as_numbers() {
        let serials =
            ["01", "7f", "80", "ff", "0100", "8000", "010000"].map(|digits| Serial::from_hex(digits).unwrap());
        assert!(serials.is_sorted());
    }

    // RFC 9773 §4.1
    #[test]
    fn the_octets_of_a_renewal_url_keep_the_sign() {
        assert_eq!(
            Serial::from_hex("87654321").unwrap().der_content(),
            [0x00, 0x87, 0x65, 0x43, 0x21]
        );
    }
}
