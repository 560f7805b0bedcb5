//! Lines and messages as they come over the wire, within limits.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    time::timeout,
};

use super::session::MOST_OCTETS;

/// The last word to a host that may still be sending: closing on it would throw the word away with what it sends
/// (RFC 9293 §3.10.7.1), so that is read, within limits, and dropped.
pub async fn part<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, words: &str) -> io::Result<()> {
    stream.write_all(words.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(MOST_DROPPED);
    let mut nowhere = tokio::io::sink();
    let _ = timeout(LONGEST_PARTING, tokio::io::copy_buf(&mut rest, &mut nowhere)).await;
    Ok(())
}

/// One line without its CRLF; `None` where it is too long or ended by LF alone.
pub async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let available = stream.fill_buf().await?;
        if available.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (part, ended) = match available.iter().position(|octet| *octet == b'\n') {
            Some(at) => (at + 1, true),
            None => (available.len(), false),
        };
        if line.len() + part > most {
            return Ok(None);
        }
        line.extend_from_slice(&available[..part]);
        stream.consume(part);
        if ended {
            line.pop();
            let ends_right = line.pop() == Some(b'\r') && !line.contains(&b'\r');
            return Ok(ends_right.then_some(line));
        }
    }
}

/// A message up to its final dot. The inner `Err` is the last reply of a session that cannot go on: where lines do not
/// end with CRLF two hosts may see the end of a message at two places.
pub async fn message<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
    idle: Duration,
) -> io::Result<Result<Vec<u8>, String>> {
    let mut octets = Vec::new();
    loop {
        let Some(line) = timeout(idle, line(stream, LONGEST_LINE)).await?? else {
            return Ok(Err(
                "550 5.6.11 a line is too long or does not end with CRLF\r\n".to_owned()
            ));
        };
        let line = match line.as_slice() {
            b"." => return Ok(Ok(octets)),
            [b'.', rest @ ..] => rest,
            line => line,
        };
        if octets.len() + line.len() + 2 > MOST_OCTETS {
            return Ok(Err(format!("552 5.3.4 a reply has {MOST_OCTETS} octets at most\r\n")));
        }
        octets.extend_from_slice(line);
        octets.extend_from_slice(b"\r\n");
    }
}

pub const LONGEST_COMMAND: usize = 1000;
/// RFC 5321 §4.5.3.1.6 has 1000; there are programs that do not break lines.
const LONGEST_LINE: usize = 16 * 1024;
const MOST_DROPPED: u64 = 16 * 1024 * 1024;
const LONGEST_PARTING: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(octets: &[u8]) -> Result<Vec<u8>, String> {
        let mut stream = BufReader::new(octets);
        message(&mut stream, LONGEST_PARTING).await.unwrap()
    }

    #[tokio::test]
    async fn a_message_ends_with_its_dot_and_nowhere_else() {
        let whole = read(b"a: b\r\n\r\n..x\r\n.\r\nRSET\r\n").await.unwrap();
        assert_eq!(whole, b"a: b\r\n\r\n.x\r\n");
        // Smuggling: some hosts take these for the end, so nobody may.
        for wrong in [&b"a\n.\r\nMAIL"[..], b"a\r\n.\nMAIL", b"a\r.\r\nMAIL", b"a\n.\nMAIL"] {
            assert!(read(wrong).await.unwrap_err().starts_with("550 5.6.11"));
        }
    }

    // 8823-3-14
    #[tokio::test]
    async fn a_message_that_is_too_large_is_not_kept() {
        let large = [&b"a".repeat(900)[..], b"\r\n"].concat().repeat(400);
        assert!(read(&large).await.unwrap_err().starts_with("552 5.3.4"));
        let long = b"a".repeat(LONGEST_LINE + 1);
        assert!(read(&long).await.unwrap_err().starts_with("550"));
    }
}
