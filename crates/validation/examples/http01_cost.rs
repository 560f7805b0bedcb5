//! Prints what one http-01 validation costs: CPU time of the validating process, kernel included, on loopback.
//!
//! `cargo run --release --example http01_cost`. The name server and the web server run in a process of their own.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Command, Stdio},
    sync::Arc,
};

use acme::KeyAuthorization;
use authority::{
    identifier::{Dns, IdentifierType},
    ports::ValidationRequest,
};
use domain::{
    base::{Message, MessageBuilder, Rtype, Ttl, iana::Rcode},
    rdata::A,
};
use jiff::Timestamp;
use jose::Thumbprint;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};
use validation::{Settings, base_methods, network};

const BATCHES: usize = 50;
const BATCH: u64 = 400;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    match std::env::args().nth(1).as_deref() {
        Some("serve") => runtime.block_on(serve()),
        _ => runtime.block_on(measure()),
    }
}

async fn measure() {
    let mut servers = Command::new(std::env::current_exe().unwrap())
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(servers.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let (web, dns) = line.trim().split_once(' ').unwrap();
    let settings = Settings {
        http_port: web.parse().unwrap(),
        resolvers: vec![dns.parse::<SocketAddr>().unwrap()],
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..Settings::default()
    };
    let network = network(settings, Arc::new(|| Timestamp::UNIX_EPOCH)).unwrap();
    let http01 = base_methods(&Arc::new(network)).remove(0);
    let mut costs = Vec::new();
    for _ in 0..BATCHES {
        let before = cpu_nanoseconds();
        for _ in 0..BATCH {
            let report = http01.validate(request("example.org")).await;
            assert_eq!(report.verdict, Ok(()));
        }
        costs.push((cpu_nanoseconds() - before) as f64 / 1000.0 / BATCH as f64);
    }
    costs.sort_by(f64::total_cmp);
    let (best, median) = (costs[0], costs[BATCHES / 2]);
    println!("one http-01 validation: {median:.1} us of CPU time (the quietest batch {best:.1} us)");
    servers.kill().unwrap();
    servers.wait().unwrap();
}

fn request(name: &str) -> ValidationRequest {
    ValidationRequest {
        account: authority::model::AccountId(1),
        name: Dns.admit(name).unwrap(),
        token: TOKEN.to_owned(),
        key_authorization: key_authorization(),
        response: None,
        code: None,
    }
}

fn key_authorization() -> KeyAuthorization {
    KeyAuthorization::new(TOKEN, &Thumbprint::from([7; 32]))
}

/// On the CPU, user and kernel, of this thread: the runtime has no other.
fn cpu_nanoseconds() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedstat.split(' ').next().unwrap().parse().unwrap()
}

async fn serve() {
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dns = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    println!("{} {}", web.local_addr().unwrap().port(), dns.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let (length, client) = dns.recv_from(&mut buffer).await.unwrap();
            dns.send_to(&answer(&buffer[..length]), client).await.unwrap();
        }
    });
    let body = key_authorization().as_str().to_owned();
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    loop {
        let (mut stream, _) = web.accept().await.unwrap();
        let mut head = [0; 1500];
        let read = stream.read(&mut head).await.unwrap();
        assert!(head[..read].ends_with(b"\r\n\r\n"));
        stream.write_all(response.as_bytes()).await.unwrap();
    }
}

/// 127.0.0.1 for every name, and no IPv6.
fn answer(query: &[u8]) -> Vec<u8> {
    let query = Message::from_octets(query).unwrap();
    let question = query.sole_question().unwrap();
    let mut answer = MessageBuilder::new_vec().start_answer(&query, Rcode::NOERROR).unwrap();
    if question.qtype() == Rtype::A {
        answer
            .push((question.qname(), Ttl::ZERO, A::from_octets(127, 0, 0, 1)))
            .unwrap();
    }
    answer.finish()
}

const TOKEN: &str = "DGyRejmCefe7v4NfDGDKfA";
