use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use authority::identifier::Target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use validation::http_offline::{self, Redirect};

use super::dns_answer::block_on;
use super::names::{REGISTRY, is_shown};

/// What a web server says to http-01, in pieces as long as the first octet says; and where its `Location` leads.
pub fn http_answer(data: &[u8]) {
    let challenge = http_offline::challenge(Target::Host("example.org".to_owned()), "token");
    for location in data.split(|octet| *octet == b'\n') {
        redirect(challenge.follow(location));
    }
    let Some((piece, answer)) = data.split_first() else {
        return;
    };
    let server = Server {
        answer: answer.to_vec(),
        at: 0,
        piece: usize::from(*piece).max(1),
        was_asked: false,
        waiting: None,
    };
    let Some(answered) = block_on(http_offline::exchange(server, &challenge, EXPECTED)) else {
        return;
    };
    assert!((100..1000).contains(&answered.status));
    assert!(
        answered.body.len() <= EXPECTED + 128,
        "{} octets of body",
        answered.body.len()
    );
    if let Some(led) = answered.redirect {
        redirect(led);
    }
}

/// INCIDENTS T9: what is followed has one meaning, and it is the one that is shown.
fn redirect(led: Result<Redirect, String>) {
    let led = match led {
        Ok(led) => led,
        Err(refusal) => return is_shown(&refusal),
    };
    is_shown(&led.text);
    match &led.host {
        Target::Host(host) => {
            let name = REGISTRY
                .admit(&acme::Identifier::dns(host))
                .expect("a host that is followed is a name");
            assert_eq!((name.is_wildcard(), &name.identifier().value), (false, host));
        }
        Target::Address(_) => {}
        Target::Service { .. } | Target::Mailbox { .. } | Target::None => panic!("a redirect leads nowhere"),
    }
    assert!(led.path.starts_with('/'), "{}", led.path);
    let _ = led.server_name();
    if !led.text.ends_with('…') && !led.text.contains('\\') {
        assert_eq!(led.follow(led.text.as_bytes()), Ok(led.clone()));
    }
    // A request can be written for it, whatever the answer.
    let silent = Server {
        answer: Vec::new(),
        at: 0,
        piece: 1,
        was_asked: false,
        waiting: None,
    };
    assert_eq!(block_on(http_offline::exchange(silent, &led, EXPECTED)), None);
}

/// The length of a key authorization.
const EXPECTED: usize = 87;

/// The other end of a connection, which answers when it was asked and then goes away.
struct Server {
    answer: Vec<u8>,
    at: usize,
    piece: usize,
    was_asked: bool,
    waiting: Option<Waker>,
}

impl AsyncRead for Server {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.was_asked {
            self.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let end = self.answer.len().min(self.at + self.piece.min(buffer.remaining()));
        buffer.put_slice(&self.answer[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, asked: &[u8]) -> Poll<io::Result<usize>> {
        self.was_asked = true;
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
        Poll::Ready(Ok(asked.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
