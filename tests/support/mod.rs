//! Test support: the sandbox behind the transport seam, in process. The clients are the real ones; only the wire is short.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)] // test support, shared by several tests

use causeway::clients::azure::{API_VERSION, AzureClient, AzureCredential};
use causeway::clients::http::Transport;
use causeway::clients::megaport::{MegaportClient, MegaportCredential};
use causeway_aws::{AwsCredentials, AwsSettings, SdkAws};
pub use causeway_e2e::harness::wire::{SandboxTransport, aws, endpoints};
use causeway_model::secret::Secret;
use causeway_sandbox::{Sandbox, Settings};
use std::sync::Arc;

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
            http: aws(transport),
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
