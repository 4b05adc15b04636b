//! How the SDK reaches the network: its own hyper client with one more CA (production), or an exchange handed in by the
//! caller (in-process tests). No credentials and no retries here.

use async_trait::async_trait;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use causeway_model::intent::Sent;
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
}

impl AwsHttp {
    pub(crate) fn client(&self) -> Result<SharedHttpClient, String> {
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
            // Query and JSON bodies are always in memory.
            let bytes = body
                .bytes()
                .map(Bytes::copy_from_slice)
                .ok_or_else(|| ConnectorError::user("streaming body".into()))?;
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
