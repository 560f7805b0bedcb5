//! The block in which a reply brings its digest (RFC 8823 §3.2 item 7).

use super::text::{Flow, Text};

/// The digest between the first [`BEGIN`] and its [`END`], without white space.
///
/// The text may be quoted and flowed. A second block is not looked at: it would be a second guess.
pub fn digest(text: &Text) -> Result<String, BlockError> {
    let lines = lines(text);
    let mut lines = lines.iter().map(|line| line.trim());
    if !lines.any(|line| line == BEGIN) {
        return Err(BlockError::NoBegin);
    }
    let mut digest = String::new();
    for line in lines {
        if line == END {
            return if is_digest(&digest) {
                Ok(digest)
            } else {
                Err(BlockError::NotADigest)
            };
        }
        digest.extend(line.split_whitespace());
        if digest.len() > MAX_DIGEST {
            return Err(BlockError::NotADigest);
        }
    }
    Err(BlockError::NoEnd)
}

/// Logical lines without their quote marks (RFC 3676 §4).
fn lines(text: &Text) -> Vec<String> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for line in text.content.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (depth, content) = unquoted(line);
        let is_mark = matches!(content.trim(), BEGIN | END);
        match lines.last_mut() {
            Some((above, last)) if goes_on && *above == depth && !is_mark => last.push_str(content),
            _ => lines.push((depth, content.to_owned())),
        }
        let last = &mut lines.last_mut().expect("invariant: a line was just pushed").1;
        goes_on = text.flow != Flow::Fixed && content.ends_with(' ') && content != "-- " && !is_mark;
        if goes_on && text.flow == Flow::FlowedWithoutSpaces {
            last.pop();
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

/// How deep a line is quoted, and the line. Mail programs write `>>`, `> >` and `>  >`.
fn unquoted(line: &str) -> (usize, &str) {
    let (mut depth, mut rest) = (0, line);
    while let Some(inner) = rest.trim_start_matches(' ').strip_prefix('>') {
        (depth, rest) = (depth + 1, inner);
    }
    (depth, rest.strip_prefix(' ').unwrap_or(rest))
}

/// A SHA-256 digest in base64url, padded or not (8823-3-9).
fn is_digest(text: &str) -> bool {
    let bare = text.strip_suffix('=').unwrap_or(text);
    bare.len() == 43
        && bare
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Why a text has no digest in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    #[error("the text has no line \"{BEGIN}\"")]
    NoBegin,
    #[error("the text has no line \"{END}\" after the other")]
    NoEnd,
    #[error("between the two lines stands no SHA-256 digest in base64url, which has 43 characters")]
    NotADigest,
}

pub const BEGIN: &str = "-----BEGIN ACME RESPONSE-----";
pub const END: &str = "-----END ACME RESPONSE-----";
const MAX_DIGEST: usize = 44;

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";

    fn of(content: &str, flow: Flow) -> Result<String, BlockError> {
        digest(&Text {
            content: content.replace('\n', "\r\n"),
            flow,
        })
    }

    // 8823-3.2-3, 8823-3.2-4, 8823-3-9
    #[test]
    fn the_block_is_found_as_mail_programs_send_it() {
        let (head, tail) = DIGEST.split_at(20);
        for (content, flow) in [
            (format!("Hi\n{BEGIN}\n{DIGEST}\n{END}\nBye\n"), Flow::Fixed),
            (format!("{BEGIN}\n{head}\n{tail}\n{END}"), Flow::Fixed),
            (format!("  {BEGIN}  \n {head} {tail} \n\n{END} "), Flow::Fixed),
            (format!("> {BEGIN}\n> {DIGEST}\n> {END}\n"), Flow::Fixed),
            (format!(">> {BEGIN}\n> > {head}\n>> {tail}\n>>{END}\n"), Flow::Flowed),
            (format!("{BEGIN} \n{head} \n{tail} \n{END} \n"), Flow::Flowed),
            (format!("{BEGIN}\n{head} \n{tail}\n{END}"), Flow::FlowedWithoutSpaces),
            (
                format!("-----BEGIN \nACME RESPONSE-----\n{DIGEST}\n{END}"),
                Flow::Flowed,
            ),
        ] {
            assert_eq!(of(&content, flow).as_deref(), Ok(DIGEST), "{content}");
        }
        assert_eq!(
            of(&format!("{BEGIN}\n{DIGEST}=\n{END}"), Flow::Fixed).unwrap(),
            format!("{DIGEST}=")
        );
    }

    #[test]
    fn what_is_no_block_says_what_is_missing() {
        for (content, error) in [
            (String::new(), BlockError::NoBegin),
            (format!("x {BEGIN}\n{DIGEST}\n{END}"), BlockError::NoBegin),
            (format!("{BEGIN}\n{DIGEST}\n"), BlockError::NoEnd),
            (
                format!("{BEGIN}\n{END}\n{BEGIN}\n{DIGEST}\n{END}"),
                BlockError::NotADigest,
            ),
            (format!("{BEGIN}\n{DIGEST}A\n{END}"), BlockError::NotADigest),
            (format!("{BEGIN}\n{}\n{END}", "+".repeat(43)), BlockError::NotADigest),
            (format!("{BEGIN}\n{}", "A".repeat(10_000)), BlockError::NotADigest),
        ] {
            assert_eq!(of(&content, Flow::Fixed), Err(error), "{content}");
        }
    }

    #[test]
    fn a_second_block_is_no_second_guess() {
        let other = "A".repeat(43);
        let content = format!("{BEGIN}\n{other}\n{END}\n{BEGIN}\n{DIGEST}\n{END}\n");
        assert_eq!(of(&content, Flow::Fixed).unwrap(), other);
    }
}
