//! The two transports (RFC 1035 §4.2).

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    time::timeout,
};

use super::{answer::Transport, zone::Zone};

/// Binds both transports to one port. With port 0 the system's choice for UDP may be taken for TCP: then again.
pub(crate) async fn bind(addr: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempts = if addr.port() == 0 { 16 } else { 1 };
    loop {
        let udp = UdpSocket::bind(addr).await?;
        attempts -= 1;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if attempts == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// One task answers everything, in one buffer: an answer takes less time than handing it to another task.
pub(crate) async fn udp(socket: UdpSocket, zone: Arc<Zone>) {
    let mut query = [0; 4096];
    let mut reply = Vec::with_capacity(4096);
    loop {
        let Ok((len, peer)) = socket.recv_from(&mut query).await else {
            continue;
        };
        match zone.answer(&query[..len], reply, Transport::Udp) {
            Some(answer) => {
                // A peer that went away does not concern the others.
                let _ = socket.send_to(&answer, peer).await;
                reply = answer;
            }
            None => reply = Vec::with_capacity(4096),
        }
    }
}

pub(crate) async fn tcp(listener: TcpListener, zone: Arc<Zone>) {
    loop {
        let stream = accept(&listener).await;
        drop(tokio::spawn(connection(stream, zone.clone())));
    }
}

/// The next connection, however long it takes.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Out of descriptors: others must close first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(mut stream: TcpStream, zone: Arc<Zone>) -> io::Result<()> {
    let mut query = Vec::new();
    let mut reply = Vec::new();
    while let Ok(len) = timeout(IDLE, stream.read_u16()).await? {
        query.resize(len.into(), 0);
        timeout(IDLE, stream.read_exact(&mut query)).await??;
        let Some(mut answer) = zone.answer(&query, reply, Transport::Tcp) else {
            break;
        };
        let len = u16::try_from(answer.len()).map_err(io::Error::other)?;
        answer.splice(..0, len.to_be_bytes());
        stream.write_all(&answer).await?;
        reply = answer;
    }
    Ok(())
}

/// RFC 7766 §6.2.3 recommends a few seconds.
const IDLE: Duration = Duration::from_secs(10);
