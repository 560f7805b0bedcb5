//! http-01 by a web server of our own (RFC 8555 §8.3).

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use http::{HeaderValue, Method as HttpMethod, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{Presented, Solver, SolverError, Task, listen};
use crate::{
    challenge::{Method, Proof},
    identifier::Identifier,
};

/// Answers for the tokens it was given, and 404 to everything else: it is no mirror for what somebody asks
/// (RFC 8555 §8.3, REQUIREMENTS 8555-8.3-6).
pub struct HttpStandalone {
    proofs: Proofs,
    address: SocketAddr,
    server: Task,
}

type Proofs = Arc<RwLock<HashMap<String, Bytes>>>;

impl HttpStandalone {
    /// Listens at once, so that a port in use is known before anything is ordered.
    pub async fn listen(address: &str) -> Result<Self, SolverError> {
        let listener = listen(address).await?;
        let local = listener.local_addr().map_err(|source| SolverError::Listen {
            address: address.to_owned(),
            source,
        })?;
        let proofs = Proofs::default();
        Ok(Self {
            address: local,
            server: Task::spawn(serve(listener, Arc::clone(&proofs))),
            proofs,
        })
    }

    /// Where it listens: the port is a real one even if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Solver for HttpStandalone {
    fn method(&self) -> Method {
        Method::Http01
    }

    fn present<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        async move {
            let token = proof.token.as_str().to_owned();
            let content = Bytes::from(proof.key_authorization.as_str().to_owned());
            self.proofs
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(token.clone(), content);
            let proofs = Arc::clone(&self.proofs);
            Ok(Presented::new(move || {
                proofs.write().unwrap_or_else(PoisonError::into_inner).remove(&token);
                Ok(())
            }))
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.server.stop().boxed()
    }

    fn hint(&self, identifier: &Identifier) -> String {
        format!(
            "The CA fetches http://{identifier}/.well-known/acme-challenge/ on port 80, unless its operator set another: check that it leads to {} of this machine and that no firewall is in between.",
            self.address
        )
    }
}

async fn serve(listener: TcpListener, proofs: Proofs) {
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely; they come back.
                tracing::debug!(%error, "accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let proofs = Arc::clone(&proofs);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let response = answer(&request, &proofs);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(SLOWEST_REQUEST)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the http-01 responder ended badly");
            }
            drop(permit);
        });
    }
}

fn answer(request: &Request<Incoming>, proofs: &Proofs) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), HttpMethod::GET | HttpMethod::HEAD);
    let token = request.uri().path().strip_prefix(PATH).filter(|_| is_read);
    let content = token.and_then(|token| {
        proofs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .cloned()
    });
    tracing::debug!(
        path = request.uri().path(),
        known = content.is_some(),
        "http-01 request"
    );
    let (status, media_type, content) = match content {
        Some(content) => (StatusCode::OK, "application/octet-stream", content),
        None => (StatusCode::NOT_FOUND, "text/plain", Bytes::from_static(b"Not Found\n")),
    };
    let mut response = Response::new(Full::new(content));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

const PATH: &str = "/.well-known/acme-challenge/";
/// Five perspectives of a CA, times the names of a large order.
const MOST_CONNECTIONS: usize = 512;
const SLOWEST_REQUEST: Duration = Duration::from_secs(10);
/// hyper's smallest.
const LARGEST_HEAD: usize = 8192;
