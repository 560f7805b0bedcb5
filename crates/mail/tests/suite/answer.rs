//! The token of two halves (8823-3-8, 8823-3-9).

use mail::answer::{Answer, Joining};

const THUMBPRINT: &str = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ";

#[test]
fn a_first_half_of_whole_octets_has_one_reading() {
    let answer = Answer::new(
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "GBkaGxwdHh8gISIjJCUmJygpKissLS4v",
        THUMBPRINT,
    );
    assert_eq!(answer.digest(), "oM-oA_fBxnBU8MEv1rWyLDXTesWpDU1qDvagTRWxyjo");
    assert!(!answer.is_ambiguous());
    assert_eq!(
        answer.matches("oM-oA_fBxnBU8MEv1rWyLDXTesWpDU1qDvagTRWxyjo"),
        Some(Joining::Text)
    );
}

#[test]
fn of_another_first_half_both_readings_are_taken() {
    for (part1, text, octets) in [
        (
            "AAAAAAAAAAAAAAAAAAAAAA",
            "XUYYQcGbV5OvTUx4cANct7JCxX-GJx4cw2wZXvW1BIs",
            "nKw_4ZJsNIsbJ0R6BgVTnvYsHGMLoil9L2qHZwTS0PI",
        ),
        // RFC 8823 figure 1: padded, and joined as it was received.
        (
            "LgYemJLy3F1LDkiJrdIGbEzyFJyOyf6vBdyZ1TG3sME=",
            "23Insr3J_mPw9NEi9TCHTOJnxmUdQBAAc7lqsulH8xk",
            "S72d8FG2WvMIMBxlkmVfzjTBsRLKZ_ziMx2Cpdu87bM",
        ),
    ] {
        let answer = Answer::new(part1, "DGyRejmCefe7v4NfDGDKfA", THUMBPRINT);
        assert_eq!(answer.digest(), text);
        assert!(answer.is_ambiguous());
        assert_eq!(answer.matches(text), Some(Joining::Text));
        assert_eq!(answer.matches(octets), Some(Joining::Octets));
        assert_eq!(answer.matches(&format!("{text}=")), Some(Joining::Text));
    }
}

#[test]
fn everything_else_is_wrong() {
    let answer = Answer::new("no base64url!", "DGyRejmCefe7v4NfDGDKfA", THUMBPRINT);
    let digest = answer.digest();
    for wrong in [
        "",
        "=",
        &digest[..42],
        &digest.to_lowercase(),
        &format!("{digest}=="),
        &format!("{digest}A"),
    ] {
        assert_eq!(answer.matches(wrong), None, "{wrong}");
    }
    assert_eq!(answer.matches(digest), Some(Joining::Text));
}
