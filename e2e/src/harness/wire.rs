//! The sandbox behind the operator's transport seam, in process. The clients are the real ones; only the wire is short.
//!
//! Knows host names and nothing of what is said.

use async_trait::async_trait;
use bytes::Bytes;
use causeway::clients::http::{
    AwsExchange, Endpoints, Transport, TransportError, TransportErrorKind,
};
use causeway_aws::AwsHttp;
use causeway_model::intent::Sent;
use causeway_sandbox::Sandbox;
use causeway_sandbox::sandbox::Outcome;
use causeway_sandbox::wire::{Call, Listener, Req, Res};
use causeway_sandbox::{arm, aws as aws_cloud, megaport};
use http::HeaderValue;
use std::sync::Arc;

/// Delivers requests to a sandbox by their host name.
#[derive(Debug, Clone)]
pub struct SandboxTransport(pub Sandbox);

/// Host names of the listeners.
const HOSTS: [(&str, Listener); 5] = [
    ("management.sandbox", Listener::Azure),
    ("login.sandbox", Listener::AzureAuthority),
    ("aws.sandbox", Listener::Aws),
    ("api.megaport.sandbox", Listener::Megaport),
    ("auth.megaport.sandbox", Listener::MegaportAuth),
];

/// Endpoints that [`SandboxTransport`] knows.
pub fn endpoints() -> Endpoints {
    Endpoints {
        azure: "https://management.sandbox".to_owned(),
        azure_authority: "https://login.sandbox".to_owned(),
        aws: Some("https://aws.sandbox".to_owned()),
        megaport: "https://api.megaport.sandbox".to_owned(),
        megaport_auth: "https://auth.megaport.sandbox/oauth2/token".to_owned(),
        extra_ca_pem: None,
    }
}

/// The AWS SDK's way to the same sandbox.
pub fn aws(transport: Arc<dyn Transport>) -> AwsHttp {
    AwsHttp::Exchange(Arc::new(AwsExchange(transport)))
}

/// A request as the sandbox takes it; the host's name when there is no such host.
fn request(req: http::Request<Bytes>) -> Result<(Listener, Req), String> {
    let (mut parts, body) = req.into_parts();
    let name = parts.uri.host().unwrap_or_default();
    let Some((host, listener)) = HOSTS.iter().find(|(h, _)| *h == name) else {
        return Err(name.to_owned());
    };
    // What an HTTP library would add.
    parts
        .headers
        .entry(http::header::HOST)
        .or_insert(HeaderValue::from_static(host));
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let req = Req {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(raw_query.as_bytes())
            .into_owned()
            .collect(),
        raw_query,
        base: format!("https://{host}"),
        headers: parts.headers,
        body,
    };
    Ok((*listener, req))
}

/// What the sandbox would call a request, without its being sent; `None` when nobody serves it.
pub fn identify(sandbox: &Sandbox, req: &http::Request<Bytes>) -> Option<Call> {
    let (listener, req) = request(req.clone()).ok()?;
    let call = sandbox.read(|s| match listener {
        Listener::Azure | Listener::AzureAuthority => arm::identify(s, listener, &req),
        Listener::Aws => aws_cloud::identify(s, listener, &req),
        Listener::Megaport | Listener::MegaportAuth => megaport::identify(s, listener, &req),
        Listener::Control => Err(Box::new(Res::empty(404))),
    });
    call.ok()
}

#[async_trait]
impl Transport for SandboxTransport {
    async fn send(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        super::pace::count(|| format!("{} {}", req.method(), req.uri()));
        let (listener, req) = request(req).map_err(|name| {
            TransportError::new(
                TransportErrorKind::Connect,
                Sent::No,
                format!("no such host: {name}"),
            )
        })?;
        match self.0.call(listener, req).await {
            Outcome::Answer(res) => {
                let mut out = http::Response::new(res.body);
                *out.status_mut() = res.status;
                *out.headers_mut() = res.headers;
                Ok(out)
            }
            Outcome::Broken => Err(TransportError::new(
                TransportErrorKind::Broken,
                Sent::Maybe,
                "the connection broke",
            )),
        }
    }
}
