//! The transport seam: production fills it with reqwest, tests with an in-process service. It moves bytes and knows nothing
//! of providers, retries or credentials.

use super::endpoints::Endpoints;
use super::guarded::{AtSending, not_leading};
use async_trait::async_trait;
use bytes::Bytes;
use causeway_aws::GatedBody;
use causeway_model::intent::Sent;
use std::fmt;
use std::time::Duration;

/// How long establishing a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a whole exchange may take; the slowest honest answers (Azure diagnostics) are asynchronous.
const TOTAL_TIMEOUT: Duration = Duration::from_mins(1);
/// Larger answers are refused: the biggest known (Megaport's product list) are a few megabytes.
const MAX_BODY: usize = 64 << 20;

/// Sends one request and returns the whole answer, whatever its status.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    async fn send(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError>;
}

/// What went wrong below HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// The request itself cannot be sent (malformed URL or header).
    Invalid,
    /// No connection: DNS, TCP, TLS, proxy.
    Connect,
    Timeout,
    /// The connection broke, or the answer is not HTTP.
    Broken,
    /// It was not sent: another process leads.
    NotLeading,
}

/// No usable answer came.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    pub kind: TransportErrorKind,
    /// Whether the server may have seen the request.
    pub sent: Sent,
    /// Cause chain in one line; names the host, never headers or bodies.
    pub message: String,
}

impl TransportError {
    pub fn new(kind: TransportErrorKind, sent: Sent, message: impl Into<String>) -> Self {
        Self {
            kind,
            sent,
            message: message.into(),
        }
    }
}

/// The production transport: rustls with the platform's roots and, if configured, one more CA.
#[derive(Debug, Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    /// Fails when the extra CA is not PEM or the platform has no usable roots.
    pub fn new(endpoints: &Endpoints) -> Result<Self, TransportError> {
        let invalid = |e: reqwest::Error| {
            TransportError::new(TransportErrorKind::Invalid, Sent::No, chain(&e))
        };
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            // A redirect would carry credentials to a host nobody configured.
            .redirect(reqwest::redirect::Policy::none())
            // Resending is the controllers' decision (design §2.1).
            .retry(reqwest::retry::never())
            .user_agent(concat!("causeway/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &endpoints.extra_ca_pem {
            let extra = reqwest::Certificate::from_pem_bundle(pem).map_err(invalid)?;
            if extra.is_empty() {
                return Err(TransportError::new(
                    TransportErrorKind::Invalid,
                    Sent::No,
                    "the extra CA file holds no PEM certificate; give one or leave --extra-ca-file empty",
                ));
            }
            builder = builder.tls_certs_merge(extra);
        }
        Ok(Self {
            client: builder.build().map_err(invalid)?,
        })
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        // Connections are made and waited for after this: the gate is asked again when one is there.
        let mut refused = None;
        let gate = req.extensions().get::<AtSending>().cloned();
        let req = req.map(|bytes| match gate {
            Some(AtSending(gate)) if !bytes.is_empty() => {
                let (body, flag) = GatedBody::new(bytes, gate);
                refused = Some(flag);
                reqwest::Body::wrap(body)
            }
            _ => reqwest::Body::from(bytes),
        });
        let req = reqwest::Request::try_from(req)
            .map_err(|e| TransportError::new(TransportErrorKind::Invalid, Sent::No, chain(&e)))?;
        let mut res = self.client.execute(req).await.map_err(|e| {
            if refused.as_ref().is_some_and(|r| r.is_set()) {
                return not_leading();
            }
            let (kind, sent) = if e.is_connect() {
                (TransportErrorKind::Connect, Sent::No)
            } else if e.is_builder() {
                (TransportErrorKind::Invalid, Sent::No)
            } else if e.is_timeout() {
                (TransportErrorKind::Timeout, Sent::Maybe)
            } else {
                (TransportErrorKind::Broken, Sent::Maybe)
            };
            TransportError::new(kind, sent, with_hint(chain(&e.without_url())))
        })?;
        let mut out = http::Response::builder().status(res.status());
        if let Some(headers) = out.headers_mut() {
            *headers = std::mem::take(res.headers_mut());
        }
        let mut body = Vec::new();
        // The status line has come: the request was seen, only its outcome is unknown.
        while let Some(chunk) = res.chunk().await.map_err(|e| {
            let kind = if e.is_timeout() {
                TransportErrorKind::Timeout
            } else {
                TransportErrorKind::Broken
            };
            TransportError::new(kind, Sent::Maybe, chain(&e.without_url()))
        })? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(TransportError::new(
                    TransportErrorKind::Broken,
                    Sent::Maybe,
                    "the answer is larger than 64 MiB",
                ));
            }
            body.extend_from_slice(&chunk);
        }
        out.body(Bytes::from(body))
            .map_err(|e| TransportError::new(TransportErrorKind::Broken, Sent::Maybe, chain(&e)))
    }
}

/// What to do about a certificate that nobody here trusts.
fn with_hint(message: String) -> String {
    if message.contains("UnknownIssuer") || message.contains("invalid peer certificate") {
        format!(
            "{message}; if a proxy or private endpoint has a CA of its own, name its PEM file in --extra-ca-file"
        )
    } else {
        message
    }
}

/// An error and its causes in one line.
fn chain(e: &dyn std::error::Error) -> String {
    let mut out = e.to_string();
    let mut source = e.source();
    while let Some(s) = source {
        let text = s.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        source = s.source();
    }
    out
}
