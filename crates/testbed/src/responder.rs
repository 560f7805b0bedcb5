//! The subscriber's web server of http-01 (RFC 8555 §8.3): answers from memory, for any host.
//!
//! It is made for load: one read, one write, one connection per request, and constant memory where one account asks
//! for everything, since any token has an answer then.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// A server that runs until this is dropped.
pub struct Responder {
    pub addr: SocketAddr,
    pub answers: Arc<Answers>,
    _tasks: JoinSet<()>,
}

impl Responder {
    /// Serves on `addr`; port 0 is allowed.
    pub async fn start(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let answers = Arc::new(Answers::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, answers.clone()));
        Ok(Self {
            addr,
            answers,
            _tasks: tasks,
        })
    }
}

/// What is served under `/.well-known/acme-challenge/`.
#[derive(Default)]
pub struct Answers {
    by_token: Mutex<HashMap<String, String>>,
    thumbprint: RwLock<Option<String>>,
    served: AtomicU64,
}

impl Answers {
    /// Serves this key authorization for this token.
    pub fn insert(&self, token: &str, key_authorization: &str) {
        self.lock().insert(token.to_owned(), key_authorization.to_owned());
    }

    pub fn remove(&self, token: &str) {
        self.lock().remove(token);
    }

    /// Serves `token.thumbprint` for every token that was not inserted.
    pub fn set_thumbprint(&self, thumbprint: &str) {
        *self.thumbprint.write().unwrap_or_else(PoisonError::into_inner) = Some(thumbprint.to_owned());
    }

    /// Requests that got an answer with status 200.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    fn find(&self, token: &str) -> Option<String> {
        if let Some(key_authorization) = self.lock().get(token) {
            return Some(key_authorization.clone());
        }
        let thumbprint = self.thumbprint.read().unwrap_or_else(PoisonError::into_inner);
        thumbprint.as_ref().map(|thumbprint| format!("{token}.{thumbprint}"))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, answers: Arc<Answers>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(timeout(PATIENCE, answer(stream, answers.clone())))),
            // Out of descriptors: others must close first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, answers: Arc<Answers>) -> io::Result<()> {
    let mut request = [0; MAX_HEAD];
    let mut len = 0;
    while !request[..len].ends_with(b"\r\n\r\n") {
        match stream.read(&mut request[len..]).await? {
            0 => return Ok(()),
            more => len += more,
        }
    }
    let body = token(&request[..len]).and_then(|token| answers.find(token));
    let response = match &body {
        Some(body) => {
            answers.served.fetch_add(1, Ordering::Relaxed);
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            )
        }
        None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
    };
    stream.write_all(response.as_bytes()).await
}

/// The token of a request `GET /.well-known/acme-challenge/TOKEN HTTP/1.1`.
fn token(request: &[u8]) -> Option<&str> {
    let line = request.split(|byte| *byte == b'\r').next()?;
    let path = line.strip_prefix(b"GET ")?.strip_suffix(b" HTTP/1.1")?;
    let token = path.strip_prefix(b"/.well-known/acme-challenge/")?;
    let is_base64url = !token.is_empty()
        && token
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    std::str::from_utf8(token).ok().filter(|_| is_base64url)
}

/// A validator's request has a handful of short headers.
const MAX_HEAD: usize = 8 * 1024;
/// Nobody keeps a connection without asking.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(responder: &Responder, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(responder.addr).await.unwrap();
        // In two pieces: a request need not come in one.
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: any").as_bytes())
            .await
            .unwrap();
        stream.flush().await.unwrap();
        stream.write_all(b".example\r\n\r\n").await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn start() -> Responder {
        Responder::start("127.0.0.1:0".parse().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_token_that_was_inserted_is_answered_until_it_is_removed() {
        let responder = start().await;
        responder.answers.insert("tok_en-1", "tok_en-1.thumb");
        let path = "/.well-known/acme-challenge/tok_en-1";
        assert_eq!(get(&responder, path).await, (200, "tok_en-1.thumb".into()));
        responder.answers.remove("tok_en-1");
        assert_eq!(get(&responder, path).await.0, 404);
        assert_eq!(responder.answers.served(), 1);
    }

    #[tokio::test]
    async fn with_a_thumbprint_every_token_has_an_answer() {
        let responder = start().await;
        responder.answers.set_thumbprint("thumb");
        responder.answers.insert("other", "other.elsewhere");
        assert_eq!(
            get(&responder, "/.well-known/acme-challenge/a").await,
            (200, "a.thumb".into())
        );
        assert_eq!(
            get(&responder, "/.well-known/acme-challenge/other").await,
            (200, "other.elsewhere".into())
        );
    }

    #[tokio::test]
    async fn what_is_not_a_challenge_is_not_found() {
        let responder = start().await;
        responder.answers.set_thumbprint("thumb");
        for path in [
            "/",
            "/.well-known/acme-challenge/",
            "/.well-known/acme-challenge/a/b",
            "/.well-known/acme-challenge/a.b",
        ] {
            assert_eq!(get(&responder, path).await.0, 404, "{path}");
        }
    }
}
