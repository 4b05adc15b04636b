//! A person with the `human` credentials of a rig's world, at the providers' own APIs: what is done here is in the call log
//! under that name, and none of it is the operator's.
//!
//! For tests only, hence the panics.
#![allow(clippy::panic)]

use super::rig::Rig;
use super::wire::{self, SandboxTransport, endpoints};
use causeway::clients::azure::{API_VERSION, AzureClient, AzureCredential, ResourceId};
use causeway::clients::http::Transport;
use causeway::clients::megaport::{MegaportClient, MegaportCredential};
use causeway_aws::{AwsCredentials, AwsSettings, SdkAws};
use causeway_model::secret::Secret;
use causeway_sandbox::describe;
use serde_json::Value;
use std::sync::Arc;

/// The clouds' portals, as far as a test needs them.
#[derive(Debug)]
pub struct Human {
    pub azure: AzureClient,
    pub aws: SdkAws,
    pub megaport: MegaportClient,
    group: String,
}

impl Human {
    /// Logs in.
    ///
    /// # Panics
    /// When the world has no such credentials.
    pub async fn of(rig: &Rig) -> Self {
        let world = rig.sandbox.read(|s| describe::world(&s.world));
        let text = |pointer: &str| {
            let found = world.pointer(pointer).and_then(Value::as_str);
            found
                .unwrap_or_else(|| panic!("the world has no {pointer}"))
                .to_owned()
        };
        let transport: Arc<dyn Transport> = Arc::new(SandboxTransport(rig.sandbox.clone()));
        let azure = AzureClient::new(
            &text("/azure/subscriptionID"),
            &AzureCredential::ClientSecret {
                tenant_id: text("/azure/tenantID"),
                client_id: text("/human/azure/clientID"),
                client_secret: Secret::new(text("/human/azure/clientSecret")),
            },
            transport.clone(),
            &endpoints(),
            API_VERSION,
        );
        let aws = SdkAws::new(AwsSettings {
            region: text("/aws/region"),
            credentials: AwsCredentials::Static {
                access_key_id: text("/human/aws/accessKeyID"),
                secret_access_key: Secret::new(text("/human/aws/secretAccessKey")),
                session_token: None,
            },
            http: wire::aws(transport.clone()),
            endpoint: endpoints().aws,
        });
        let key = MegaportCredential {
            access_key: text("/human/megaport/accessKey"),
            secret_key: Secret::new(text("/human/megaport/secretKey")),
        };
        Self {
            azure: azure.unwrap_or_else(|e| panic!("Azure: {e}")),
            aws: aws.await.unwrap_or_else(|e| panic!("AWS: {e}")),
            megaport: MegaportClient::new(&key, transport, &endpoints()),
            group: text("/azure/resourceGroup"),
        }
    }

    /// An ARM ID in the world's resource group.
    pub fn id(&self, kind: &str, name: &str) -> ResourceId {
        self.azure.id(&self.group, kind, name)
    }
}
