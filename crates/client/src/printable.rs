//! Text from a server, made fit for a terminal and a log.

/// Control characters could move the cursor or hide lines, so a hostile server's text loses them. Its length is
/// bounded too.
pub fn printable(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|character| {
            if character.is_control() || is_direction(character) {
                ' '
            } else {
                character
            }
        })
        .take(LONGEST)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown.trim().to_owned()
}

/// Characters that reorder what stands around them.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const LONGEST: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    // t44
    #[test]
    fn t44_text_of_a_server_cannot_drive_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\nc\u{202e}d"), "a [2Jb  c d");
        assert_eq!(printable(&"x".repeat(5000)).chars().count(), LONGEST + 1);
    }
}
