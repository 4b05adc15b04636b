//! How the SDK reaches the network: its own hyper client with one more CA (production), or an exchange handed in by the
//! caller (in-process tests). No credentials and no retries here.

use crate::gate::{Closed, Gate, GatedBody};
use async_trait::async_trait;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use causeway_model::intent::Sent;
use http_body_util::BodyExt;
use std::fmt;
use std::sync::Arc;

/// One HTTP exchange; the root package adapts its transport to this.
#[async_trait]
pub trait HttpExchange: Send + Sync + fmt::Debug {
    async fn exchange(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, ExchangeError>;
}

/// No usable answer came.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ExchangeError {
    pub sent: Sent,
    pub timeout: bool,
    pub message: String,
}

/// What the SDK sends its requests with.
#[derive(Debug, Clone)]
pub enum AwsHttp {
    /// The SDK's own client; platform roots, and the PEM certificates if given.
    Sdk { extra_ca_pem: Option<Vec<u8>> },
    /// Somebody else's transport.
    Exchange(Arc<dyn HttpExchange>),
    /// One of the others, with a gate before every request that may change something.
    Gated {
        http: Box<AwsHttp>,
        gate: Arc<dyn Gate>,
    },
}

impl AwsHttp {
    /// The client that the SDK gets: what it hands on are whole answers.
    pub(crate) fn client(&self) -> Result<SharedHttpClient, String> {
        let inner = self.connecting()?;
        Ok(http_client_fn(move |settings, components| {
            SharedHttpConnector::new(WholeConnector(inner.http_connector(settings, components)))
        }))
    }

    fn connecting(&self) -> Result<SharedHttpClient, String> {
        match self {
            Self::Sdk { extra_ca_pem } => {
                let mut trust = TrustStore::empty().with_native_roots(true);
                if let Some(pem) = extra_ca_pem {
                    trust = trust.with_pem_certificate(pem.clone());
                }
                let context = TlsContext::builder()
                    .with_trust_store(trust)
                    .build()
                    .map_err(|e| e.to_string())?;
                Ok(aws_smithy_http_client::Builder::new()
                    .tls_provider(tls::Provider::Rustls(
                        tls::rustls_provider::CryptoMode::AwsLc,
                    ))
                    .tls_context(context)
                    .build_https())
            }
            Self::Exchange(exchange) => {
                let connector = SharedHttpConnector::new(Connector(exchange.clone()));
                Ok(http_client_fn(move |_, _| connector.clone()))
            }
            Self::Gated { http, gate } => {
                let (inner, gate) = (http.connecting()?, gate.clone());
                Ok(http_client_fn(move |settings, components| {
                    SharedHttpConnector::new(GatedConnector {
                        inner: inner.http_connector(settings, components),
                        gate: gate.clone(),
                    })
                }))
            }
        }
    }
}

#[derive(Debug)]
struct Connector(Arc<dyn HttpExchange>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let exchange = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|e| ConnectorError::user(e.into()))?;
            let (parts, body) = request.into_parts();
            // Query and JSON bodies are in memory, or behind a gate that answers at once.
            let bytes = match body.bytes() {
                Some(bytes) => Bytes::copy_from_slice(bytes),
                None => body
                    .collect()
                    .await
                    .map_err(ConnectorError::user)?
                    .to_bytes(),
            };
            let response = exchange
                .exchange(http::Request::from_parts(parts, bytes))
                .await
                .map_err(|e| {
                    if e.timeout {
                        ConnectorError::timeout(e.into())
                    } else {
                        ConnectorError::io(e.into())
                    }
                })?;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|e| ConnectorError::other(e.into(), None))
        })
    }
}

/// Whether a request may change something: told by the action, as all requests of these services are POSTs. What is not
/// known to only read is taken to change something.
fn may_change(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let action = headers.get("x-amz-target").map_or_else(
        || {
            let body = request.body().bytes().unwrap_or_default();
            let mut pairs = body.split(|b| *b == b'&');
            pairs
                .find_map(|p| p.strip_prefix(b"Action="))
                .map(|a| String::from_utf8_lossy(a).into_owned())
                .unwrap_or_default()
        },
        |target| target.rsplit('.').next().unwrap_or_default().to_owned(),
    );
    !["Describe", "Get", "List", "Search"]
        .iter()
        .any(|verb| action.starts_with(verb))
}

/// Lets reads pass, and asks the gate for everything else when its body is about to be sent.
#[derive(Debug)]
struct GatedConnector {
    inner: SharedHttpConnector,
    gate: Arc<dyn Gate>,
}

impl HttpConnector for GatedConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if !may_change(&request) {
            return self.inner.call(request);
        }
        let closed = || {
            ConnectorError::io(Box::new(ExchangeError {
                sent: Sent::No,
                timeout: false,
                message: Closed.to_string(),
            }))
        };
        if !self.gate.is_open() {
            return HttpConnectorFuture::ready(Err(closed()));
        }
        let Some(bytes) = request.body().bytes().map(Bytes::copy_from_slice) else {
            return HttpConnectorFuture::ready(Err(ConnectorError::user("streaming body".into())));
        };
        let (body, refused) = GatedBody::new(bytes, self.gate.clone());
        *request.body_mut() = SdkBody::from_body_1_x(body);
        let sending = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            match sending.await {
                Err(_) if refused.is_set() => Err(closed()),
                other => other,
            }
        })
    }
}

/// The SDK's XML reader takes the end of the text for the end of a list, and an empty JSON body for an empty object: an answer
/// that was cut off would be read as a shorter one, and what is missing in it as gone.
#[derive(Debug)]
struct WholeConnector(SharedHttpConnector);

impl HttpConnector for WholeConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let xml = !request.headers().contains_key("x-amz-target");
        let sending = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let mut response = sending.await?;
            if !response.status().is_success() {
                return Ok(response);
            }
            let body = std::mem::replace(response.body_mut(), SdkBody::taken());
            let bytes = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
            if !(if xml {
                is_whole_xml(&bytes)
            } else {
                !bytes.is_empty()
            }) {
                return Err(ConnectorError::io(Box::new(ExchangeError {
                    sent: Sent::Yes,
                    timeout: false,
                    message: format!("the answer was cut off after {} bytes", bytes.len()),
                })));
            }
            *response.body_mut() = SdkBody::from(bytes);
            Ok(response)
        })
    }
}

/// Whether a document ends with its root element.
fn is_whole_xml(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let mut rest = text.trim();
    if rest.starts_with("<?") {
        rest = rest.split_once("?>").map_or("", |(_, root)| root.trim());
    }
    let Some(root) = rest.strip_prefix('<') else {
        return false;
    };
    let name = root
        .split(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
        .next()
        .unwrap_or_default();
    let empty = root.ends_with("/>") && !root.contains('<');
    !name.is_empty() && (empty || rest.ends_with(&format!("</{name}>")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_whole_when_its_root_ends() {
        let whole = "<?xml version=\"1.0\"?>\n<R xmlns=\"x\"><a><b/></a></R>";
        assert!(is_whole_xml(format!("{whole}\n").as_bytes()));
        assert!(is_whole_xml(b"<R xmlns=\"x\"/>") && is_whole_xml(b"<R/>"));
        for at in 0..whole.len() {
            let cut = &whole[..at];
            assert!(!is_whole_xml(cut.as_bytes()), "{cut}");
        }
        assert!(!is_whole_xml(b"<html><p>oops</p>") && !is_whole_xml(b"nothing"));
    }

    fn request(target: Option<&str>, body: &'static str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        if let Some(target) = target {
            request
                .headers_mut()
                .insert("x-amz-target", target.to_owned());
        }
        request
    }

    #[test]
    fn only_known_reads_pass_the_gate_unasked() {
        for (target, body, changes) in [
            (
                None,
                "Action=DescribeVpnConnections&Version=2016-11-15",
                false,
            ),
            (None, "Action=GetCallerIdentity&Version=2011-06-15", false),
            (None, "Version=2016-11-15&Action=CreateVpnConnection", true),
            (None, "Action=EnableVgwRoutePropagation", true),
            (
                Some("OvertureService.DescribeVirtualInterfaces"),
                "{}",
                false,
            ),
            (
                Some("OvertureService.ConfirmPrivateVirtualInterface"),
                "{}",
                true,
            ),
            (Some("OvertureService.TagResource"), "{}", true),
            (None, "", true),
        ] {
            assert_eq!(
                may_change(&request(target, body)),
                changes,
                "{target:?} {body}"
            );
        }
    }
}
