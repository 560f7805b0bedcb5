//! A web server that says what a test wants at a path (RFC 8555 §8.3).

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

/// A server that runs until this is dropped.
pub struct HttpResponder {
    pub addr: SocketAddr,
    script: Arc<Script>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Script {
    pages: Mutex<HashMap<String, Vec<Page>>>,
    visits: Mutex<Vec<Visit>>,
}

/// What is served at a path.
#[derive(Clone, Debug)]
pub struct Page {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Whether the body goes on for ever.
    pub endless: bool,
    /// Whether nothing is ever said.
    pub silent: bool,
    /// What is waited for before anything is said.
    pub gate: Option<Arc<Semaphore>>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Visit {
    pub method: String,
    pub path: String,
    pub host: String,
}

impl Page {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200, body)
    }

    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            endless: false,
            silent: false,
            gate: None,
        }
    }

    pub fn redirect(status: u16, to: impl Into<String>) -> Self {
        let mut page = Self::status(status, "");
        page.headers.push(("Location", to.into()));
        page
    }

    pub fn endless(body: impl Into<Vec<u8>>) -> Self {
        let mut page = Self::ok(body);
        page.endless = true;
        page
    }

    pub fn silent() -> Self {
        let mut page = Self::ok("");
        page.silent = true;
        page
    }

    /// Said as often as the gate has permits.
    pub fn behind(gate: Arc<Semaphore>, body: impl Into<Vec<u8>>) -> Self {
        let mut page = Self::ok(body);
        page.gate = Some(gate);
        page
    }
}

impl HttpResponder {
    pub async fn start(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let script = Arc::new(Script::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, script.clone()));
        Ok(Self {
            addr,
            script,
            _tasks: tasks,
        })
    }

    /// Serves this page at a path from now on.
    pub fn serve(&self, path: &str, page: Page) {
        self.serve_in_turn(path, vec![page]);
    }

    /// Serves these pages one after the other, the last one for ever.
    pub fn serve_in_turn(&self, path: &str, mut pages: Vec<Page>) {
        pages.reverse();
        lock(&self.script.pages).insert(path.to_owned(), pages);
    }

    pub fn visits(&self, path: &str) -> Vec<Visit> {
        let visits = lock(&self.script.visits);
        visits.iter().filter(|visit| visit.path == path).cloned().collect()
    }
}

async fn serve(listener: TcpListener, script: Arc<Script>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(timeout(PATIENCE, answer(stream, script.clone())))),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, script: Arc<Script>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > LONGEST_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let visit = read(&String::from_utf8_lossy(&head));
    let page = script.next_page(&visit.path);
    lock(&script.visits).push(visit);
    if page.silent {
        return std::future::pending().await;
    }
    if let Some(gate) = &page.gate
        && let Ok(permit) = gate.acquire().await
    {
        permit.forget();
    }
    let mut response = format!("HTTP/1.1 {} Scripted\r\nConnection: close\r\n", page.status);
    for (name, value) in &page.headers {
        response += &format!("{name}: {value}\r\n");
    }
    if !page.endless {
        response += &format!("Content-Length: {}\r\n", page.body.len());
    }
    stream.write_all((response + "\r\n").as_bytes()).await?;
    stream.write_all(&page.body).await?;
    if !page.endless {
        return Ok(());
    }
    loop {
        stream.write_all(&[b'x'; 4096]).await?;
    }
}

impl Script {
    fn next_page(&self, path: &str) -> Page {
        match lock(&self.pages).get_mut(path) {
            Some(pages) if pages.len() > 1 => pages.pop(),
            Some(pages) => pages.last().cloned(),
            None => None,
        }
        .unwrap_or_else(|| Page::status(404, "nothing here"))
    }
}

fn read(head: &str) -> Visit {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let mut next = || words.next().unwrap_or_default().to_owned();
    let (method, path) = (next(), next());
    let host = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim().to_owned())
    });
    Visit {
        method,
        path,
        host: host.unwrap_or_default(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const LONGEST_HEAD: usize = 16 * 1024;
/// Longer than any validator waits.
const PATIENCE: Duration = Duration::from_secs(60);
