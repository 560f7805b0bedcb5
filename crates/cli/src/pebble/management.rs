//! The management interface: what a test may know and no client could.

use std::sync::Arc;

use authority::{
    model::{CertificateRecord, CertificateState},
    ports::Store,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, uri::Authority};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use jiff::fmt::strtime;
use pkix::certificate::Serial;
use serde::Serialize;
use server::AsyncHandler;

use super::{
    hierarchy::{Branch, Hierarchy},
    renewal::Dictated,
};

/// Answers the paths of Pebble's interface of the same name.
#[derive(Clone)]
pub struct Management {
    pub dictated: Arc<Dictated>,
    pub hierarchy: Arc<Hierarchy>,
    pub store: Arc<dyn Store>,
}

/// A certificate as a test asks for it by its serial number.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CertificateStatus {
    status: &'static str,
    serial: String,
    certificate: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

impl Management {
    async fn answer(&self, path: &str, base: &str) -> Response<Full<Bytes>> {
        let Some((kind, name)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
            return nothing(StatusCode::NOT_FOUND);
        };
        match kind {
            "roots" => self.numbered(path, base, CERTIFICATES, |branch| &branch.root),
            "root-keys" => self.numbered(path, base, KEYS, |branch| &branch.root_key),
            "intermediates" => self.numbered(path, base, CERTIFICATES, |branch| &branch.issuing),
            "intermediate-keys" => self.numbered(path, base, KEYS, |_| &self.hierarchy.issuing_key),
            "cert-status-by-serial" => self.certificate_status(name).await,
            _ => nothing(StatusCode::NOT_FOUND),
        }
    }

    /// One of each branch, with links to the others of its kind.
    fn numbered<'a>(
        &'a self,
        path: &str,
        base: &str,
        media_type: &'static str,
        pem: impl Fn(&'a Branch) -> &'a str,
    ) -> Response<Full<Bytes>> {
        let branches = &self.hierarchy.branches;
        let numbered = path
            .rsplit_once('/')
            .and_then(|(kind, number)| Some((kind, number.parse::<usize>().ok()?)));
        let Some((kind, branch, number)) =
            numbered.and_then(|(kind, number)| Some((kind, branches.get(number)?, number)))
        else {
            return nothing(StatusCode::NOT_FOUND);
        };
        let mut response = Response::new(Full::from(pem(branch).to_owned()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        for other in (0..branches.len()).filter(|other| *other != number) {
            if let Ok(link) = HeaderValue::try_from(format!("<{base}{kind}/{other}>;rel=\"alternate\"")) {
                headers.append(header::LINK, link);
            }
        }
        response
    }

    async fn certificate_status(&self, serial: &str) -> Response<Full<Bytes>> {
        let Ok(serial) = Serial::from_hex(serial) else {
            return nothing(StatusCode::BAD_REQUEST);
        };
        match self.store.certificate_by_serial(serial).await {
            Ok(record) => match record.as_deref().and_then(status) {
                Some(status) => json(&status),
                None => nothing(StatusCode::NOT_FOUND),
            },
            Err(error) => {
                tracing::error!(%error, "a certificate's status was not found out");
                nothing(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

impl AsyncHandler for Management {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() == "/set-renewal-info/" {
            let body = Limited::new(request.into_body(), LARGEST_BODY).collect().await;
            let body = body.map(|body| body.to_bytes()).map_err(|error| error.to_string());
            return match body.and_then(|body| self.dictated.set(&body)) {
                Ok(()) => nothing(StatusCode::OK),
                Err(sentence) => {
                    let mut response = nothing(StatusCode::BAD_REQUEST);
                    *response.body_mut() = Full::from(format!("{sentence}\n"));
                    response
                }
            };
        }
        let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = named
            .or(request.uri().authority().map(Authority::as_str))
            .unwrap_or("localhost");
        self.answer(request.uri().path(), &format!("https://{host}")).await
    }
}

/// `None` for what was never signed.
fn status(record: &CertificateRecord) -> Option<CertificateStatus> {
    let CertificateState::Issued { certificate } = &record.state else {
        return None;
    };
    Some(CertificateStatus {
        status: if record.revoked.is_some() { "Revoked" } else { "Valid" },
        // As a number: without zeros in front.
        serial: record.serial.to_string().trim_start_matches('0').to_owned(),
        certificate: pkix::pem::encode_certificate(certificate),
        reason: record
            .revoked
            .and_then(|revocation| revocation.reason)
            .map(|reason| reason.code()),
        // As Go prints a time; suites cut it at the offset.
        revoked_at: record
            .revoked
            .and_then(|revocation| strtime::format("%Y-%m-%d %H:%M:%S +0000 UTC", revocation.at).ok()),
    })
}

fn json(body: &impl Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec_pretty(body).expect("invariant: a status is JSON");
    let mut response = Response::new(Full::from(body));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn nothing(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// A chain, and an answer about it.
const LARGEST_BODY: usize = 1024 * 1024;
const CERTIFICATES: &str = "application/pem-certificate-chain; charset=utf-8";
const KEYS: &str = "application/x-pem-file; charset=utf-8";
