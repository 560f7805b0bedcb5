//! DER and nothing but DER (X.690 §10 and §11).
//!
//! The `der` crate refuses indefinite and overlong lengths, but lets pass a DEFAULT that was written out, a SET OF out of
//! order, padded arcs in an object identifier, and whatever stands in a value that it is not asked to read. What has only
//! one encoding is therefore encoded again and compared, and every element is walked through.

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Length, Reader, Sequence, SliceReader, Tag, Tagged, Writer};

/// The bytes are not the DER encoding of what they should hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    #[error("{0}")]
    Malformed(#[from] der::Error),
    #[error("a BER encoding that DER does not allow")]
    NotCanonical,
    #[error("more than {DEEPEST} levels of elements within elements")]
    TooDeep,
}

/// Reads one value that fills `bytes` and is encoded as DER demands.
pub(crate) fn decode<'a, T>(bytes: &'a [u8]) -> Result<T, DerError>
where
    T: Decode<'a, Error = der::Error> + Encode,
{
    let value = T::from_der(bytes)?;
    if encode(&value) != bytes {
        return Err(DerError::NotCanonical);
    }
    walk(bytes, DEEPEST)?;
    Ok(value)
}

/// Levels of elements within elements. Certificates have about ten.
const DEEPEST: usize = 32;

/// Visits every element, and with it the lengths in values that nobody reads.
fn walk(elements: &[u8], levels: usize) -> Result<(), DerError> {
    let levels = levels.checked_sub(1).ok_or(DerError::TooDeep)?;
    let mut reader = SliceReader::new(elements)?;
    while !reader.is_finished() {
        let element = AnyRef::decode(&mut reader)?;
        match element.tag() {
            Tag::ObjectIdentifier => minimal_arcs(element.value())?,
            tag if tag.is_constructed() => walk(element.value(), levels)?,
            _ => (),
        }
    }
    Ok(())
}

/// X.690 §8.19.2: an arc does not begin with an octet of zero bits. A padded identifier is one extension to those who
/// compare numbers and another to those who compare octets.
pub(crate) fn minimal_arcs(content: &[u8]) -> Result<(), DerError> {
    let mut first = true;
    for octet in content {
        if first && *octet == 0x80 {
            return Err(DerError::NotCanonical);
        }
        first = octet & 0x80 == 0;
    }
    Ok(())
}

pub(crate) fn encode(value: &impl Encode) -> Vec<u8> {
    value
        .to_der()
        .expect("invariant: values are made in memory of parts far below the 256 MiB that DER lengths end at here")
}

/// The bytes of one whole element, tag and length included, left for another reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a>(pub &'a [u8]);

impl<'a> Decode<'a> for Raw<'a> {
    type Error = der::Error;

    fn decode<R: Reader<'a>>(reader: &mut R) -> der::Result<Self> {
        reader.tlv_bytes().map(Raw)
    }
}

impl Encode for Raw<'_> {
    fn encoded_len(&self) -> der::Result<Length> {
        self.0.len().try_into()
    }

    fn encode(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.0)
    }
}

/// The envelope of certificates and requests (RFC 5280 §4.1, RFC 2986 §4.2).
#[derive(Clone, Debug, Sequence)]
pub(crate) struct Signed<'a> {
    /// Kept as it was signed.
    pub signed: Raw<'a>,
    pub algorithm: Raw<'a>,
    pub signature: BitStringRef<'a>,
}

/// Where `part`, a slice of `whole`, lies in it.
pub(crate) fn range_in(whole: &[u8], part: &[u8]) -> std::ops::Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |octet: u8| char::from(octet).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
    digits.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_that_is_written_out_is_not_der() {
        #[derive(Sequence)]
        struct Flag {
            #[asn1(default = "bool::default")]
            set: bool,
        }
        assert!(decode::<Flag>(&[0x30, 0x00]).is_ok_and(|flag| !flag.set));
        assert!(decode::<Flag>(&[0x30, 0x03, 0x01, 0x01, 0xff]).is_ok_and(|flag| flag.set));
        let explicit_false = decode::<Flag>(&[0x30, 0x03, 0x01, 0x01, 0x00]);
        assert!(matches!(explicit_false, Err(DerError::NotCanonical)));
    }

    #[test]
    fn lengths_must_be_minimal_and_definite_and_nothing_may_follow() {
        assert!(decode::<Vec<u8>>(&[0x30, 0x03, 0x02, 0x01, 0x05]).is_ok());
        assert!(decode::<Vec<u8>>(&[0x30, 0x81, 0x03, 0x02, 0x01, 0x05]).is_err());
        assert!(decode::<Vec<u8>>(&[0x30, 0x80, 0x02, 0x01, 0x05, 0x00, 0x00]).is_err());
        assert!(decode::<Vec<u8>>(&[0x30, 0x03, 0x02, 0x01, 0x05, 0x00]).is_err());
        assert!(decode::<Vec<u8>>(&[0x30, 0x04, 0x02, 0x02, 0x00, 0x05]).is_err());
    }

    #[test]
    fn values_that_nobody_reads_are_der_as_well() {
        assert!(decode::<Raw<'_>>(&[0x30, 0x02, 0x06, 0x00]).is_ok());
        let padded_arc = [0x30, 0x05, 0x06, 0x03, 0x2a, 0x80, 0x01];
        assert_eq!(decode::<Raw<'_>>(&padded_arc), Err(DerError::NotCanonical));
        let overlong_inside = [0x30, 0x05, 0xa0, 0x03, 0x04, 0x81, 0x00];
        assert!(decode::<Raw<'_>>(&overlong_inside).is_err());
        assert!(decode::<Raw<'_>>(&[0x30, 0x02, 0x30, 0x01]).is_err());
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |levels: usize| {
            (0..levels).fold(vec![], |inner: Vec<u8>, _| {
                [&[0x30, inner.len() as u8][..], &inner].concat()
            })
        };
        assert!(decode::<Raw<'_>>(&nested(30)).is_ok());
        assert_eq!(decode::<Raw<'_>>(&nested(40)), Err(DerError::TooDeep));
    }
}
