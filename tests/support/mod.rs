//! Test support: the sandbox behind the transport seam, in process. The clients are the real ones; only the wire is short.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)] // test support, shared by several tests

use async_trait::async_trait;
use bytes::Bytes;
use causeway::clients::azure::{API_VERSION, AzureClient, AzureCredential};
use causeway::clients::http::{
    AwsExchange, Endpoints, Transport, TransportError, TransportErrorKind,
};
use causeway::clients::megaport::{MegaportClient, MegaportCredential};
use causeway_aws::{AwsCredentials, AwsHttp, AwsSettings, SdkAws};
use causeway_model::intent::Sent;
use causeway_model::secret::Secret;
use causeway_sandbox::sandbox::Outcome;
use causeway_sandbox::wire::{Listener, Req};
use causeway_sandbox::{Sandbox, Settings};
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

#[async_trait]
impl Transport for SandboxTransport {
    async fn send(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (mut parts, body) = req.into_parts();
        let host = parts.uri.host().unwrap_or_default().to_owned();
        let listener = HOSTS
            .iter()
            .find(|(h, _)| *h == host)
            .map(|(_, l)| *l)
            .ok_or_else(|| {
                TransportError::new(
                    TransportErrorKind::Connect,
                    Sent::No,
                    format!("no such host: {host}"),
                )
            })?;
        // What an HTTP library would add.
        parts
            .headers
            .entry(http::header::HOST)
            .or_insert_with(|| host.parse().unwrap());
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

/// The lab's world with its clock in hand, and the three clients on it.
pub struct Lab {
    pub sandbox: Sandbox,
    pub azure: AzureClient,
    pub megaport: MegaportClient,
    pub aws: SdkAws,
    pub subscription: String,
    pub resource_group: String,
    pub location: String,
}

impl Lab {
    pub async fn new() -> Self {
        let sandbox = Sandbox::new(Settings::default());
        sandbox.clock(|c| c.set_paused(true));
        let transport: Arc<dyn Transport> = Arc::new(SandboxTransport(sandbox.clone()));
        let endpoints = endpoints();
        let world = sandbox.with(|s| s.world.clone());
        let credential = AzureCredential::ClientSecret {
            tenant_id: world.azure.tenant_id.clone(),
            client_id: world.azure.causeway.client_id.clone(),
            client_secret: Secret::new(world.azure.causeway.client_secret.clone()),
        };
        let subscription = world.azure.subscription_id().to_owned();
        let azure = AzureClient::new(
            &subscription,
            &credential,
            transport.clone(),
            &endpoints,
            API_VERSION,
        )
        .unwrap();
        let megaport = MegaportClient::new(
            &MegaportCredential {
                access_key: world.megaport.causeway.access_key.clone(),
                secret_key: Secret::new(world.megaport.causeway.secret_key.expose()),
            },
            transport.clone(),
            &endpoints,
        );
        // The sandbox writes these keys into world.json; in process they are read from the same place.
        let aws_world = serde_json::to_value(&world.aws).unwrap();
        let key = |path: &str| {
            aws_world
                .pointer(path)
                .and_then(|v| v.as_str())
                .unwrap_or("unknown")
                .to_owned()
        };
        let aws = SdkAws::new(AwsSettings {
            region: "us-east-1".to_owned(),
            credentials: AwsCredentials::Static {
                access_key_id: key("/accessKeys/0/accessKeyID"),
                secret_access_key: Secret::new(key("/accessKeys/0/secretAccessKey")),
                session_token: None,
            },
            http: AwsHttp::Exchange(Arc::new(AwsExchange(transport))),
            endpoint: endpoints.aws.clone(),
        })
        .await
        .unwrap();
        Self {
            sandbox,
            azure,
            megaport,
            aws,
            subscription,
            resource_group: world.azure.resource_group().to_owned(),
            location: world.azure.location().to_owned(),
        }
    }

    /// Lets simulated time pass.
    pub fn advance(&self, seconds: f64) {
        self.sandbox.clock(|c| c.advance(seconds));
        self.sandbox.with(|_| ());
    }

    /// Looks every ten simulated seconds until `look` finds something; gives up after `hours`.
    pub async fn until<T>(
        &self,
        what: &str,
        hours: f64,
        mut look: impl AsyncFnMut() -> Option<T>,
    ) -> T {
        let steps = (hours * 360.0) as usize;
        for _ in 0..steps {
            if let Some(found) = look().await {
                return found;
            }
            self.advance(10.0);
        }
        panic!("{what} did not happen within {hours} simulated hours");
    }

    /// Objects that exist beyond the world's own, as `kind name state`.
    pub fn live(&self) -> Vec<String> {
        self.sandbox
            .live()
            .into_iter()
            .map(|o| format!("{} {} {}", o.kind, o.name, o.state))
            .collect()
    }
}
