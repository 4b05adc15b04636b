//! Adapters that run azure_identity and, in process, the AWS SDK over our [`Transport`]. They convert and add nothing.

use super::transport::{Transport, TransportError, TransportErrorKind};
use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request};
use bytes::Bytes;
use causeway_aws::http::{ExchangeError, HttpExchange};
use causeway_model::intent::Sent;
use std::sync::Arc;

/// azure_core's HTTP client on our transport.
#[derive(Debug)]
pub struct AzureHttp(pub Arc<dyn Transport>);

#[async_trait]
impl HttpClient for AzureHttp {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut req = http::Request::builder()
            .method(request.method().as_str())
            .uri(request.url().as_str());
        for (name, value) in request.headers().iter() {
            req = req.header(name.as_str(), value.as_str());
        }
        let body = match request.body() {
            Body::Bytes(bytes) => bytes.clone(),
            Body::SeekableStream(_) => {
                // Token requests are small forms; a stream would need the pipeline of azure_core.
                return Err(Error::with_message(
                    ErrorKind::Other,
                    "streaming request bodies are not supported",
                ));
            }
        };
        let req = req
            .body(body)
            .map_err(|e| Error::new(ErrorKind::DataConversion, e))?;
        let res = self.0.send(req).await.map_err(|e| {
            let kind = match e.sent {
                Sent::No => ErrorKind::Connection,
                Sent::Maybe | Sent::Yes => ErrorKind::Io,
            };
            Error::new(kind, e)
        })?;
        let mut headers = Headers::new();
        for (name, value) in res.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(AsyncRawResponse::from_bytes(
            res.status().as_u16().into(),
            headers,
            res.into_body(),
        ))
    }
}

/// The AWS SDK's HTTP client on our transport (in process; production uses the SDK's own client).
#[derive(Debug)]
pub struct AwsExchange(pub Arc<dyn Transport>);

#[async_trait]
impl HttpExchange for AwsExchange {
    async fn exchange(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, ExchangeError> {
        self.0
            .send(req)
            .await
            .map_err(|e: TransportError| ExchangeError {
                sent: e.sent,
                timeout: e.kind == TransportErrorKind::Timeout,
                message: e.message,
            })
    }
}
