//! The first half of the token, from a Subject (RFC 8823 §3.1 item 1, §3.2 item 1).

use super::{Message, encoded_word};

/// The token after the last `ACME:`, whatever stands before, without white space and otherwise exactly as received.
pub fn token(message: &Message<'_>) -> Result<String, SubjectError> {
    let subject = text(message)?;
    let (_, after) = subject.rsplit_once(LABEL).ok_or(SubjectError::NoLabel)?;
    let token: String = after.split_whitespace().collect();
    let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=');
    match token.len() {
        0 => Err(SubjectError::NoToken),
        len if len > MAX_TOKEN || !token.chars().all(is_token) => Err(SubjectError::NotAToken),
        _ => Ok(token),
    }
}

/// Whether nothing stands before `ACME:`, as in a challenge; a reply has `Re:`, `AW:`, `SV:` there (RFC 8823 §3 step 5).
pub fn is_original(message: &Message<'_>) -> bool {
    text(message).is_ok_and(|subject| subject.trim_start().starts_with(LABEL))
}

fn text(message: &Message<'_>) -> Result<String, SubjectError> {
    let field = message.field("Subject").ok_or(SubjectError::Missing)?;
    Ok(encoded_word::decode(&field.value()))
}

/// Why a Subject has no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error("there is no Subject")]
    Missing,
    #[error("the Subject has no \"ACME:\" in it")]
    NoLabel,
    #[error("nothing stands after \"ACME:\" in the Subject")]
    NoToken,
    #[error("what stands after the last \"ACME:\" in the Subject is no token")]
    NotAToken,
}

const LABEL: &str = "ACME:";
/// Far more than any authority's.
const MAX_TOKEN: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(subject: &str) -> Result<String, SubjectError> {
        let text = format!("Subject: {subject}\r\n\r\n");
        token(&Message::parse(text.as_bytes()).unwrap())
    }

    // 8823-3.2-2, 8823-3.1-1
    #[test]
    fn prefixes_of_every_language_and_folds_do_not_matter() {
        for subject in [
            "ACME: abc-_1",
            "Re: ACME: abc-_1",
            "AW: SV: Re[2]: ACME: abc-_1",
            "ACME: other Re: ACME: abc-_1",
            "ACME:\r\n abc\r\n -_1",
            "ACME:abc-_1",
            "=?utf-8?B?5Zue5aSNOiBBQ01FOiBhYmM=?=\r\n =?utf-8?Q?-=5F1?=",
            "[EXTERNAL] =?iso-8859-1?Q?R=E9p=A0:?= ACME: abc-_1",
        ] {
            assert_eq!(of(subject).unwrap(), "abc-_1", "{subject}");
        }
        // 8823-3-9: what was received is what is joined.
        assert_eq!(
            of("ACME: LgYemJLy3F1LDkiJrdIGbEzyFJyOyf6vBdyZ1TG3sME=").unwrap().len(),
            44
        );
    }

    #[test]
    fn a_subject_without_a_token_says_what_is_missing() {
        assert_eq!(of("Hello"), Err(SubjectError::NoLabel));
        assert_eq!(of("acme: abc"), Err(SubjectError::NoLabel));
        assert_eq!(of("ACME: "), Err(SubjectError::NoToken));
        assert_eq!(of("ACME: abc (fwd)"), Err(SubjectError::NotAToken));
        assert_eq!(
            of(&format!("ACME: {}", "a".repeat(MAX_TOKEN + 1))),
            Err(SubjectError::NotAToken)
        );
    }
}
