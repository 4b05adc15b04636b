//! A client for tests of Azure: in process, under tokio's paused clock, with a token of the token endpoint.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's own client: what goes wrong here fails the test"
)]

use bytes::Bytes;
use causeway_sandbox::arm::provider_side;
use causeway_sandbox::net::view::Port;
use causeway_sandbox::sandbox::Outcome;
use causeway_sandbox::wire::{Listener, Req};
use causeway_sandbox::{Sandbox, Settings, World};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use std::time::Duration;

pub const BASE: &str = "https://azure.test";
pub const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-4000-8000-000000000001";
pub const NETWORK: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/vpn-rg/providers/Microsoft.Network";
pub const VERSION: &str = "2025-05-01";

pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub headers: HeaderMap,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
    pub fn detail(&self) -> &str {
        self.body["error"]["details"][0]["code"]
            .as_str()
            .unwrap_or_default()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    }
}

pub struct Azure {
    pub sandbox: Sandbox,
    pub token: String,
}

/// The lab's world, exact: no jitter, no read lag.
pub fn world() -> World {
    let mut world = World {
        jitter: 0.0,
        ..World::default()
    };
    world.lags.insert("arm".into(), 0.0);
    world
}

pub async fn send(
    sandbox: &Sandbox,
    listener: Listener,
    method: Method,
    url: &str,
    headers: &[(&'static str, &str)],
    body: &str,
) -> Answer {
    let target = url.strip_prefix(BASE).unwrap_or(url);
    let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for (k, v) in headers {
        map.insert(*k, HeaderValue::from_str(v).unwrap());
    }
    let req = Req {
        method,
        path: path.to_owned(),
        query: url::form_urlencoded::parse(raw_query.as_bytes())
            .into_owned()
            .collect(),
        raw_query: raw_query.to_owned(),
        base: BASE.to_owned(),
        headers: map,
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    match sandbox.call(listener, req).await {
        Outcome::Answer(res) => Answer {
            status: res.status.as_u16(),
            body: serde_json::from_slice(&res.body).unwrap_or(Value::Null),
            headers: res.headers,
        },
        Outcome::Broken => panic!("the connection broke"),
    }
}

pub async fn token_answer(sandbox: &Sandbox, id: &str, secret: &str, scope: &str) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", id)
        .append_pair("client_secret", secret)
        .append_pair("scope", scope)
        .finish();
    let tenant = sandbox.with(|s| s.world.azure.tenant_id.clone());
    let path = format!("/{tenant}/oauth2/v2.0/token");
    send(
        sandbox,
        Listener::AzureAuthority,
        Method::POST,
        &path,
        &[],
        &form,
    )
    .await
}

impl Azure {
    pub async fn new() -> Self {
        Self::with_world(world()).await
    }
    pub async fn with_world(world: World) -> Self {
        let (id, secret) = (
            world.azure.causeway.client_id.clone(),
            world.azure.causeway.client_secret.clone(),
        );
        let sandbox = Sandbox::new(Settings {
            world,
            ..Settings::default()
        });
        let answer = token_answer(
            &sandbox,
            &id,
            &secret,
            "https://management.azure.com/.default",
        )
        .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let token = answer.body["access_token"].as_str().unwrap().to_owned();
        Self { sandbox, token }
    }

    /// A request; `path` is under the lab's resource group unless it starts with `/` or is a URL.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut url = if path.starts_with('/') || path.starts_with("https:") {
            path.to_owned()
        } else {
            format!("{NETWORK}/{path}")
        };
        if !url.contains("api-version=") {
            let sep = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{sep}api-version={VERSION}");
        }
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let text = body.map(Value::to_string).unwrap_or_default();
        send(&self.sandbox, Listener::Azure, method, &url, &all, &text).await
    }
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &[], Some(body)).await
    }
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, &[], Some(body)).await
    }
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }
    pub async fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[], None).await
    }

    /// Polls an accepted operation to its end; answers the last poll. Bounded.
    pub async fn wait(&self, accepted: &Answer) -> Answer {
        let status = accepted.header("azure-asyncoperation").to_owned();
        let location = accepted.header("location").to_owned();
        let url = if status.is_empty() {
            &location
        } else {
            &status
        };
        assert!(
            !url.is_empty(),
            "not a long-running answer: {} {}",
            accepted.status,
            accepted.body
        );
        for _ in 0..5000 {
            let poll = self.get(url).await;
            let running = if status.is_empty() {
                poll.status == 202
            } else {
                poll.body["status"] == "InProgress"
            };
            if !running {
                return poll;
            }
            let after: u64 = poll.header("retry-after").parse().unwrap();
            self.sleep(after as f64).await;
        }
        panic!("the operation never ends");
    }
    /// PUT and wait for success.
    pub async fn make(&self, path: &str, body: &Value) -> Value {
        let accepted = self.put(path, body).await;
        assert!(
            matches!(accepted.status, 200 | 201),
            "PUT {path}: {} {}",
            accepted.status,
            accepted.body
        );
        let end = self.wait(&accepted).await;
        assert_eq!(end.body["status"], "Succeeded", "PUT {path}: {}", end.body);
        let read = self.get(path).await;
        assert_eq!(read.status, 200, "GET {path}: {}", read.body);
        assert_eq!(read.body["properties"]["provisioningState"], "Succeeded");
        read.body
    }
    /// DELETE and wait for success.
    pub async fn remove(&self, path: &str) {
        let accepted = self.delete(path).await;
        assert_eq!(accepted.status, 202, "DELETE {path}: {}", accepted.body);
        let end = self.wait(&accepted).await;
        assert_eq!(
            end.body["status"], "Succeeded",
            "DELETE {path}: {}",
            end.body
        );
        assert_eq!(self.get(path).await.status, 404);
    }
    /// POST a read and wait for its table.
    pub async fn table(&self, path: &str) -> Value {
        let accepted = self.post(path).await;
        assert_eq!(accepted.status, 202, "POST {path}: {}", accepted.body);
        let end = self.wait(&accepted).await;
        assert_eq!(end.status, 200, "POST {path}: {}", end.body);
        assert!(end.body["status"].is_null(), "a bare result has no status");
        end.body["value"].clone()
    }

    /// Lets simulated seconds pass.
    pub async fn sleep(&self, seconds: f64) {
        tokio::time::advance(Duration::from_secs_f64(seconds)).await;
        self.sandbox.with(|_| ());
    }

    /// What the connectivity provider reports.
    pub fn vxc_live(&self, key: &str, port: Port) {
        self.sandbox
            .with(|s| provider_side::vxc_live(s, key, port, "vxc-1"));
    }
    pub fn vxc_gone(&self, key: &str, port: Port) {
        self.sandbox
            .with(|s| provider_side::vxc_gone(s, key, port, "vxc-1"));
    }
}

// ---- Bodies of the lab (lab.md, azure.md) --------------------------------------------------------------------------

pub const CIRCUIT: &str = "expressRouteCircuits/to-megaport";
pub const PEERING: &str = "expressRouteCircuits/to-megaport/peerings/AzurePrivatePeering";

pub fn circuit() -> Value {
    json!({
        "location": "eastus2",
        "sku": {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
        "properties": {"serviceProviderProperties": {
            "serviceProviderName": "Megaport", "peeringLocation": "Washington DC2", "bandwidthInMbps": 50,
        }},
    })
}

pub fn peering() -> Value {
    json!({"properties": {
        "peeringType": "AzurePrivatePeering", "peerASN": 64600, "vlanId": 100, "state": "Enabled",
        "primaryPeerAddressPrefix": "169.254.101.216/30", "secondaryPeerAddressPrefix": "169.254.101.220/30",
    }})
}

pub fn subnet_id() -> String {
    format!("{NETWORK}/virtualNetworks/vnet/subnets/GatewaySubnet")
}

pub fn er_gateway() -> Value {
    json!({"location": "eastus2", "properties": {
        "gatewayType": "ExpressRoute", "sku": {"name": "ErGw1AZ", "tier": "ErGw1AZ"},
        "ipConfigurations": [{"name": "default", "properties": {
            "privateIPAllocationMethod": "Dynamic", "subnet": {"id": subnet_id()},
        }}],
    }})
}

pub fn pip() -> Value {
    json!({"location": "eastus2", "sku": {"name": "Standard", "tier": "Regional"}, "zones": ["1", "2", "3"],
           "properties": {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"}})
}

pub const VPN: &str = "virtualNetworkGateways/vnet-gateway";

pub fn vpn_gateway() -> Value {
    let config = |i: usize| {
        json!({"name": format!("ipc{i}"), "properties": {
            "privateIPAllocationMethod": "Dynamic", "subnet": {"id": subnet_id()},
            "publicIPAddress": {"id": format!("{NETWORK}/publicIPAddresses/pip-{i}")},
        }})
    };
    let bgp = |i: usize, address: &str| json!({"ipconfigurationId": format!("{NETWORK}/{VPN}/ipConfigurations/ipc{i}"), "customBgpIpAddresses": [address]});
    json!({"location": "eastus2", "properties": {
        "gatewayType": "Vpn", "vpnType": "RouteBased", "vpnGatewayGeneration": "Generation2",
        "sku": {"name": "VpnGw2AZ", "tier": "VpnGw2AZ"}, "activeActive": true, "enableBgp": true,
        "ipConfigurations": [config(0), config(1)],
        "bgpSettings": {"asn": 65515, "bgpPeeringAddresses": [bgp(0, "169.254.21.2"), bgp(1, "169.254.21.6")]},
    }})
}

pub fn lng(address: &str, bgp: &str) -> Value {
    json!({"location": "eastus2", "properties": {
        "gatewayIpAddress": address, "localNetworkAddressSpace": {"addressPrefixes": []},
        "bgpSettings": {"asn": 64900, "bgpPeeringAddress": bgp, "peerWeight": 0},
    }})
}

pub fn ipsec(lng: &str) -> Value {
    json!({"location": "eastus2", "properties": {
        "connectionType": "IPsec", "connectionProtocol": "IKEv2", "enableBgp": true, "sharedKey": "first-key-1234",
        "virtualNetworkGateway1": {"id": format!("{NETWORK}/{VPN}"), "properties": {}},
        "localNetworkGateway2": {"id": format!("{NETWORK}/localNetworkGateways/{lng}"), "properties": {}},
        "dpdTimeoutSeconds": 45, "connectionMode": "ResponderOnly",
        "ipsecPolicies": [{
            "saLifeTimeSeconds": 3600, "saDataSizeKilobytes": 102400000, "ipsecEncryption": "AES256",
            "ipsecIntegrity": "SHA256", "ikeEncryption": "AES256", "ikeIntegrity": "SHA256",
            "dhGroup": "DHGroup14", "pfsGroup": "PFS2048",
        }],
    }})
}

pub fn er_connection() -> Value {
    json!({"location": "eastus2", "properties": {
        "connectionType": "ExpressRoute", "routingWeight": 0,
        "virtualNetworkGateway1": {"id": format!("{NETWORK}/virtualNetworkGateways/ergw"), "properties": {}},
        "peer": {"id": format!("{NETWORK}/{CIRCUIT}")},
    }})
}

impl Azure {
    /// A circuit that its provider has provisioned on the primary port; answers the service key.
    pub async fn provisioned_circuit(&self) -> String {
        let body = self.make(CIRCUIT, &circuit()).await;
        let key = body["properties"]["serviceKey"]
            .as_str()
            .unwrap()
            .to_owned();
        self.vxc_live(&key, Port::Primary);
        self.sleep(61.0).await;
        let body = self.get(CIRCUIT).await.body;
        assert_eq!(
            body["properties"]["serviceProviderProvisioningState"],
            "Provisioned"
        );
        key
    }
    /// The two public addresses and the VPN gateway.
    pub async fn vpn(&self) -> Value {
        self.make("publicIPAddresses/pip-0", &pip()).await;
        self.make("publicIPAddresses/pip-1", &pip()).await;
        self.make(VPN, &vpn_gateway()).await
    }
}
