//! Lines of a stranger's, within limits.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::Fault;

/// What a session has left to read, and the digest of what was read.
pub(super) struct Meter {
    octets: usize,
    lines: usize,
    digest: Context,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            octets: OCTETS,
            lines: LINES,
            digest: Context::new(&SHA256),
        }
    }
}

impl Meter {
    pub fn transcript(&self) -> String {
        pkix::hex::encode(self.digest.clone().finish().as_ref())
    }
}

/// A conversation in lines.
pub(super) struct Lines<'m, S> {
    stream: S,
    /// Read and not yet looked at.
    rest: Vec<u8>,
    meter: &'m mut Meter,
    step: Duration,
}

impl<'m, S: AsyncRead + AsyncWrite + Unpin> Lines<'m, S> {
    pub fn new(stream: S, meter: &'m mut Meter, step: Duration) -> Self {
        Self {
            stream,
            rest: Vec::new(),
            meter,
            step,
        }
    }

    /// The next line, without its end. `of` is what is waited for.
    pub async fn line(&mut self, of: &'static str) -> Result<Vec<u8>, Fault> {
        match timeout(self.step, self.next(of)).await {
            Ok(line) => line,
            Err(_) => Err(Fault::Slow(of)),
        }
    }

    async fn next(&mut self, of: &'static str) -> Result<Vec<u8>, Fault> {
        loop {
            if let Some(end) = self.rest.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return self.admit(line);
            }
            if self.rest.len() > LONGEST {
                return Err(Fault::Endless("a line of more than 1000 octets"));
            }
            let mut more = [0; 1024];
            let read = self.stream.read(&mut more).await;
            let read = read.map_err(|error| Fault::Broken(of, error.to_string()))?;
            if read == 0 {
                return Err(Fault::Closed(of));
            }
            self.meter.octets = self
                .meter
                .octets
                .checked_sub(read)
                .ok_or(Fault::Endless("more than 64 KiB"))?;
            self.rest.extend_from_slice(&more[..read]);
        }
    }

    fn admit(&mut self, line: Vec<u8>) -> Result<Vec<u8>, Fault> {
        self.meter.digest.update(&line);
        self.meter.lines = self
            .meter
            .lines
            .checked_sub(1)
            .ok_or(Fault::Endless("more than 200 lines"))?;
        if line.len() > LONGEST {
            return Err(Fault::Endless("a line of more than 1000 octets"));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        match text.iter().any(|octet| matches!(octet, b'\0' | b'\r')) {
            true => Err(Fault::Control),
            false => Ok(text.to_vec()),
        }
    }

    /// Says one of the few things that a probe says.
    pub async fn say(&mut self, line: &str, of: &'static str) -> Result<(), Fault> {
        let send = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.write_all(b"\r\n").await?;
            self.stream.flush().await
        };
        match timeout(self.step, send).await {
            Ok(sent) => sent.map_err(|error| Fault::Broken(of, error.to_string())),
            Err(_) => Err(Fault::Slow(of)),
        }
    }

    /// The stream, for a handshake. Whatever came with the last line was written before it, by anybody on the way
    /// (RFC 3207 §6, RFC 8314 §7).
    pub fn into_stream(self) -> Result<S, Fault> {
        match self.rest.is_empty() {
            true => Ok(self.stream),
            false => Err(Fault::Pipelined),
        }
    }
}

const OCTETS: usize = 64 * 1024;
const LINES: usize = 200;
/// Twice what SMTP allows (RFC 5321 §4.5.3.1.5), with the line's end.
const LONGEST: usize = 1000;
