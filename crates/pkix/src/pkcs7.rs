//! Certificates in a CMS message that has nothing else (RFC 5652 §5.1, "certs-only" of RFC 8551 §3.8).

/// A degenerate SignedData with these certificates, DER each, in their sequence.
pub fn certificates(certificates: &[&[u8]]) -> Vec<u8> {
    const SIGNED_DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    const DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    const VERSION_1: &[u8] = &[0x02, 1, 1];
    const EMPTY_SET: &[u8] = &[0x31, 0];
    let signed_data = [
        VERSION_1,
        EMPTY_SET,
        &element(0x30, DATA),
        &element(0xa0, &certificates.concat()),
        EMPTY_SET,
    ];
    let content = element(0xa0, &element(0x30, &signed_data.concat()));
    element(0x30, &[SIGNED_DATA, &content].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let used = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut out = vec![tag];
    match used {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | long.len() as u8);
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        assert_eq!(element(0x30, &[]), [0x30, 0]);
        assert_eq!(element(0x04, &[1; 127])[..2], [0x04, 127]);
        assert_eq!(element(0x04, &[1; 128])[..3], [0x04, 0x81, 128]);
        assert_eq!(element(0x04, &[1; 300])[..4], [0x04, 0x82, 1, 44]);
    }
}
