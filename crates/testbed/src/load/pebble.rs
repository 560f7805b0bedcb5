//! Debian's pebble, as the peer that figures are compared with.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

/// A pebble that runs until this is dropped.
pub struct Pebble {
    pub directory: String,
    child: Child,
    _dir: TempDir,
}

impl Pebble {
    /// Starts it without its artificial waits and refusals. It dials `http_port` for http-01 and asks `dns`.
    pub async fn start(http_port: u16, dns: SocketAddr) -> io::Result<Self> {
        let dir = TempDir::with_prefix("pebble-")?;
        let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stdin(Stdio::null())
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        let [listen, management] = free_ports()?;
        let config = serde_json::json!({ "pebble": {
            "listenAddress": listen,
            "managementListenAddress": management,
            "certificate": certificate,
            "privateKey": key,
            "httpPort": http_port,
            "tlsPort": 5001,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        let config_path = dir.path().join("pebble.json");
        fs::write(&config_path, config.to_string())?;
        let child = Command::new("pebble")
            .arg("-config")
            .arg(&config_path)
            .arg("-dnsserver")
            .arg(dns.to_string())
            .envs([
                ("PEBBLE_VA_NOSLEEP", "1"),
                ("PEBBLE_WFE_NONCEREJECT", "0"),
                ("PEBBLE_AUTHZREUSE", "0"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pebble = Self {
            directory: format!("https://localhost:{}/dir", listen.port()),
            child,
            _dir: dir,
        };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(listen).await.is_err() {
            if Instant::now() > until {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "pebble does not listen"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(pebble)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports that nobody listened on a moment ago.
fn free_ports() -> io::Result<[SocketAddr; 2]> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (one, other) = (TcpListener::bind(any)?, TcpListener::bind(any)?);
    Ok([one.local_addr()?, other.local_addr()?])
}
