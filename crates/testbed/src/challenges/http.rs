//! The responder of http-01 (RFC 8555 §8.3), over plain HTTP and, where redirects may lead, over TLS.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::timeout,
};

use super::{
    certificate,
    script::{HttpRequest, Script},
    tls_alpn::{PATIENCE, acceptor},
};
use crate::dns::serve::accept;

pub async fn serve(listener: TcpListener, script: Arc<Script>) {
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(timeout(LIFE, converse(stream, script.clone(), None)));
    }
}

pub async fn serve_tls(listener: TcpListener, script: Arc<Script>) {
    let certificate = OneForAll(Arc::new(certificate::of_https()));
    let acceptor = acceptor(Arc::new(certificate), vec![b"h2".to_vec(), b"http/1.1".to_vec()]);
    loop {
        let handshake = timeout(PATIENCE, acceptor.accept(accept(&listener).await));
        let script = script.clone();
        tokio::spawn(timeout(LIFE, async move {
            if let Ok(Ok(stream)) = handshake.await {
                let server_name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
                converse(stream, script, Some(server_name)).await;
            }
        }));
    }
}

/// `server_name` is that of TLS, if there is TLS.
async fn converse<S>(stream: S, script: Arc<Script>, server_name: Option<String>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, &script, server_name.as_deref());
        async move { Ok::<_, Infallible>(response) }
    });
    // A client that breaks off does not concern the others.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer<B>(request: &Request<B>, script: &Script, server_name: Option<&str>) -> Response<Full<Bytes>> {
    let uri = request.uri();
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = header
        .or(uri.authority().map(|authority| authority.as_str()))
        .unwrap_or_default();
    let seen = HttpRequest {
        url: uri
            .path_and_query()
            .map_or_else(|| uri.path().to_owned(), ToString::to_string),
        host: host.to_owned(),
        https: server_name.is_some(),
        server_name: server_name.unwrap_or_default().to_owned(),
    };
    script.http_requests.remember(without_port(host), seen);

    let mut response = Response::new(Full::default());
    let redirect = script.redirect(uri.path()).filter(|_| server_name.is_none());
    let content = uri.path().strip_prefix(PREFIX).and_then(|token| script.content(token));
    match (redirect.map(HeaderValue::try_from), content) {
        (Some(Ok(target)), _) => {
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(header::LOCATION, target);
        }
        (_, Some(content)) => {
            let octets = HeaderValue::from_static("application/octet-stream");
            response.headers_mut().insert(header::CONTENT_TYPE, octets);
            *response.body_mut() = Full::from(content);
        }
        _ => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}

/// A name, or an address without its brackets.
fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

struct OneForAll(Arc<CertifiedKey>);

impl ResolvesServerCert for OneForAll {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

impl fmt::Debug for OneForAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneForAll")
    }
}

const PREFIX: &str = "/.well-known/acme-challenge/";
/// A validator asks once and goes; a connection that somebody forgot is closed.
const LIFE: Duration = Duration::from_secs(60);
