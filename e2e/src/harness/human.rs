//! A person with the `human` credentials of a rig's world, at the providers' own APIs: what is done here is in the call log
//! under that name, and none of it is the operator's.
//!
//! For tests only, hence the panics.
#![allow(clippy::panic)]

use super::rig::Rig;
use super::wire::{self, SandboxTransport, endpoints};
use causeway::clients::azure::{API_VERSION, AzureClient, AzureCredential, ResourceId};
use causeway::clients::http::Transport;
use causeway::clients::megaport::{McrOrder, MegaportClient, MegaportCredential, Tags};
use causeway_aws::{AwsCredentials, AwsSettings, DirectConnectApi, Ec2Api, SdkAws};
use causeway_model::intent::CloudError;
use causeway_model::secret::Secret;
use causeway_sandbox::describe;
use causeway_sandbox::sandbox::LiveObject;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

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

    /// Deletes, detaches, disables or cancels what the sandbox says is there. What is accepted may still fail later.
    ///
    /// # Errors
    /// What the provider says, most often that something uses it.
    ///
    /// # Panics
    /// For a kind of object that no test has met.
    pub async fn delete(&self, o: &LiveObject) -> Result<(), CloudError> {
        let pair = || o.id.split_once('/').unwrap_or_default();
        match o.kind.as_str() {
            "MCR2" => self.megaport.cancel_mcr(&o.id).await,
            "VXC" => self.megaport.cancel_vxc(&o.id).await,
            "vpn-gateway" => self.aws.delete_vpn_gateway(&o.id).await,
            "vpn-gateway-attachment" => self.aws.detach_vpn_gateway(pair().0, pair().1).await,
            "vgw-route-propagation" => self.aws.disable_propagation(pair().0, pair().1).await,
            "customer-gateway" => self.aws.delete_customer_gateway(&o.id).await,
            "vpn-connection" => self.aws.delete_vpn_connection(&o.id).await,
            "dx-gateway" => self.aws.delete_dx_gateway(&o.id).await,
            "dx-gateway-association" => self.aws.delete_dx_association(&o.id).await,
            "dxvif" => self.aws.delete_vif(&o.id).await,
            _ if o.id.starts_with("/subscriptions/") => {
                let id = ResourceId::new(o.id.clone());
                self.azure.delete("a person", &id).await.map(|_| ())
            }
            other => panic!("nobody deletes a {other}"),
        }
    }

    /// A router in the location of the samples, which links alone may use.
    ///
    /// # Panics
    /// When Megaport refuses it.
    pub async fn router(&self) -> String {
        let bought = self.megaport.buy_mcr(&router_order()).await;
        bought.unwrap_or_else(|e| panic!("{e}"))
    }

    /// A virtual private gateway, attached to the VPC, which links alone may use.
    ///
    /// # Panics
    /// When AWS refuses it.
    pub async fn gateway(&self, rig: &Rig) -> String {
        let tags = Tags::from([("Name".to_owned(), "a person's gateway".to_owned())]);
        let made = self.aws.create_vpn_gateway(64900, &tags).await;
        let id = made.unwrap_or_else(|e| panic!("{e}")).id;
        rig.pass(Duration::from_mins(1)).await;
        let vpc = rig.sandbox.read(|s| describe::world(&s.world))["aws"]["vpcID"].clone();
        let vpc = vpc.as_str().unwrap_or_default().to_owned();
        let attached = self.aws.attach_vpn_gateway(&id, &vpc).await;
        attached.unwrap_or_else(|e| panic!("{e}"));
        id
    }
}

/// What a person orders as a router that links may use, in the samples' location.
pub fn router_order() -> McrOrder {
    McrOrder {
        name: "a person's router".to_owned(),
        location_id: 67,
        port_speed_mbps: 1000,
        term_months: 1,
        asn: 64600,
        diversity_zone: Some("Red".to_owned()),
        cost_centre: None,
        tags: Tags::new(),
    }
}
