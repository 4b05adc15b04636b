//! Megaport: VXCs to ExpressRoute circuits, and what both providers say of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod megaport_support;

use causeway_sandbox::megaport;
use causeway_sandbox::net::view::{FarEnd, Port};
use causeway_sandbox::wire::Listener;
use http::Method;
use megaport_support::*;
use serde_json::{Value, json};

/// The part of ARM that these tests need.
struct Arm {
    token: String,
    circuit: String,
}

impl Arm {
    /// Orders a circuit of 50 Mbps; answers its service key too.
    async fn new(c: &Client) -> (Self, String) {
        let world = causeway_sandbox::describe::world(&c.sandbox.snapshot().world);
        let azure = |key: &str| world["azure"][key].as_str().unwrap().to_owned();
        let form = format!(
            "grant_type=client_credentials&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&client_id={}&client_secret={}",
            azure("clientID"),
            azure("clientSecret")
        );
        let path = format!("/{}/oauth2/v2.0/token", azure("tenantID"));
        let req = request(
            &Method::POST,
            &path,
            &[("content-type", "application/x-www-form-urlencoded")],
            &form,
        );
        let (status, body, _) = send(&c.sandbox, Listener::AzureAuthority, req).await;
        assert_eq!(status, 200, "{body}");
        let arm = Self {
            token: format!("Bearer {}", body["access_token"].as_str().unwrap()),
            circuit: format!(
                "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/expressRouteCircuits/to-megaport",
                azure("subscriptionID"),
                azure("resourceGroup")
            ),
        };
        let body = json!({
            "location": azure("location"),
            "sku": {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
            "properties": {"serviceProviderProperties": {
                "serviceProviderName": "Megaport", "peeringLocation": "Washington DC2", "bandwidthInMbps": 50,
            }},
        });
        arm.call(c, Method::PUT, "", Some(body)).await;
        wait(300.0).await;
        let key = arm.circuit(c).await["serviceKey"]
            .as_str()
            .unwrap()
            .to_owned();
        (arm, key)
    }

    async fn call(
        &self,
        c: &Client,
        method: Method,
        child: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let target = format!("{}{child}?api-version=2024-05-01", self.circuit);
        let text = body.map(|b| b.to_string()).unwrap_or_default();
        let headers = [
            ("authorization", self.token.as_str()),
            ("content-type", "application/json"),
        ];
        let req = request(&method, &target, &headers, &text);
        let (status, body, _) = send(&c.sandbox, Listener::Azure, req).await;
        assert!(status < 300, "{method} {target}: {status} {body}");
        (status, body)
    }

    async fn circuit(&self, c: &Client) -> Value {
        self.call(c, Method::GET, "", None).await.1["properties"].clone()
    }
}

fn order(mcr: &str, key: &str, port: &Value, host: u8, peers: Value) -> Value {
    let ours = format!("169.254.101.{host}");
    json!({"productUid": mcr, "associatedVxcs": [{
        "productName": "to-azure", "rateLimit": 50, "term": 1,
        "aEnd": {"vlan": 0, "partnerConfig": {"interfaces": [{
            "vlan": 100, "ipAddresses": [format!("{ours}/30")],
            "bgpConnections": [{"peerAsn": 12076, "localIpAddress": ours,
                                "peerIpAddress": format!("169.254.101.{}", host + 1)}],
        }]}},
        "bEnd": {"productUid": port, "partnerConfig": {"connectType": "AZURE", "serviceKey": key, "peers": peers}},
    }]})
}

async fn ready() -> (Client, Arm, String, String, Value) {
    let c = Client::new(world()).await;
    let mcr = c.mcr("lab-a").await;
    let (arm, key) = Arm::new(&c).await;
    let lookup = c.read(&format!("/v2/secure/azure/{key}")).await;
    (c, arm, mcr, key, lookup)
}

#[tokio::test(start_paused = true)]
async fn the_lookup_says_which_ports_are_free() {
    let (c, _, mcr, key, lookup) = ready().await;
    assert_eq!(lookup["service_key"], key.as_str());
    assert_eq!(
        (&lookup["bandwidth"], &lookup["managed"]),
        (&json!(50), &json!(false))
    );
    let ports = lookup["megaports"].as_array().unwrap();
    assert_eq!(ports.len(), 2);
    assert_eq!(
        (&ports[0]["type"], &ports[1]["type"]),
        (&json!("primary"), &json!("secondary"))
    );
    assert!(
        ports
            .iter()
            .all(|p| p["vxc"].is_null() && p["locationId"] == 67)
    );
    // The list of partner ports has them under the same UIDs.
    let list = c
        .read("/v2/dropdowns/partner/megaports?connectType=AZURE")
        .await;
    for p in ports {
        assert!(
            list.as_array()
                .unwrap()
                .iter()
                .any(|l| l["productUid"] == p["productUid"])
        );
    }
    let vxc = c
        .bought(order(&mcr, &key, &ports[0]["productUid"], 217, json!([])))
        .await;
    wait(100.0).await;
    let p = c.product(&vxc).await;
    let again = c.read(&format!("/v2/secure/azure/{key}")).await;
    assert_eq!(again["megaports"][0]["vxc"], p["nServiceId"], "taken");
    assert!(again["megaports"][1]["vxc"].is_null());
    let (status, body) = c
        .buy(order(&mcr, &key, &ports[0]["productUid"], 217, json!([])))
        .await;
    assert_eq!(status, 400);
    assert!(
        body["message"].as_str().unwrap().contains("already in use"),
        "{body}"
    );
    assert!(body["data"].is_array());
    assert_eq!(
        p["bEnd"]["vlan"], lookup["vlan"],
        "the outer tag is Microsoft's"
    );
    let csp = p["resources"]["csp_connection"][1].clone();
    assert_eq!(
        (&csp["connectType"], &csp["managed"]),
        (&json!("AZURE"), &json!(false))
    );
    assert_eq!(csp["service_key"], key.as_str());
    let view = c.sandbox.with(|s| megaport::view(s));
    assert_eq!(
        view.vxcs[0].far,
        FarEnd::Azure {
            service_key: key,
            port: Port::Primary
        }
    );
    assert_eq!(view.vxcs[0].interfaces[0].vlan, Some(100));
}

#[tokio::test(start_paused = true)]
async fn bad_azure_orders_are_refused() {
    let (c, _, mcr, key, lookup) = ready().await;
    let port = &lookup["megaports"][0]["productUid"];
    let refused = async |order: Value, says: &str| {
        let (status, body) = c.buy(order).await;
        let message = body["message"].as_str().unwrap().to_owned();
        assert_eq!(status, 400, "{message}");
        assert!(message.contains(says), "{message}");
    };
    let nobody = "22222222-0000-4000-8000-000000000000";
    refused(
        order(&mcr, nobody, port, 217, json!([])),
        "service key was not found",
    )
    .await;
    let mut fast = order(&mcr, &key, port, 217, json!([]));
    fast["associatedVxcs"][0]["rateLimit"] = json!(100);
    refused(fast, "more than the circuit's 50 Mbps").await;
    let elsewhere = json!("a2b00000-0000-4000-8000-000000000003");
    refused(
        order(&mcr, &key, &elsewhere, 217, json!([])),
        "belongs to Washington DC2",
    )
    .await;
    let peer = |p: Value| order(&mcr, &key, port, 217, json!([p]));
    refused(
        peer(
            json!({"type": "private", "peer_asn": "64600", "primary_subnet": "169.254.101.216/30"}),
        ),
        "Azure: invalid vlan",
    )
    .await;
    refused(
        peer(json!({"type": "private", "peer_asn": "64600", "vlan": 100})),
        "Azure: missing primary_subnet or secondary_subnet",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_circuit_follows_its_vxc_and_a_peering_blocks_its_deletion() {
    let (c, arm, mcr, key, lookup) = ready().await;
    assert_eq!(
        arm.circuit(&c).await["serviceProviderProvisioningState"],
        "NotProvisioned"
    );
    let port = &lookup["megaports"][0]["productUid"];
    let vxc = c.bought(order(&mcr, &key, port, 217, json!([]))).await;
    wait(100.0).await;
    wait(900.0).await;
    assert_eq!(
        arm.circuit(&c).await["serviceProviderProvisioningState"],
        "Provisioned"
    );
    let peering = json!({"properties": {
        "peeringType": "AzurePrivatePeering", "peerASN": 64600, "vlanId": 100,
        "primaryPeerAddressPrefix": "169.254.101.216/30", "secondaryPeerAddressPrefix": "169.254.101.220/30",
    }});
    arm.call(
        &c,
        Method::PUT,
        "/peerings/AzurePrivatePeering",
        Some(peering),
    )
    .await;
    wait(900.0).await;
    let (status, body) = c.cancel(&vxc, "").await;
    assert_eq!(status, 400);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("has an attached peering connection that must be removed in Azure first")
    );
    assert_eq!(
        c.cancel(&mcr, "").await.0,
        400,
        "nor does it go with its router"
    );
    arm.call(&c, Method::DELETE, "/peerings/AzurePrivatePeering", None)
        .await;
    wait(900.0).await;
    assert_eq!(c.cancel(&vxc, "").await.0, 200);
    assert_eq!(c.status(&vxc).await, "DECOMMISSIONED");
    // The circuit goes too, after a refresh, and the dead VXC can still be read.
    wait(1800.0).await;
    let body = arm.call(&c, Method::GET, "", None).await.1;
    arm.call(&c, Method::PUT, "", Some(body)).await;
    wait(300.0).await;
    assert_eq!(
        arm.circuit(&c).await["serviceProviderProvisioningState"],
        "NotProvisioned"
    );
    arm.call(&c, Method::DELETE, "", None).await;
    wait(900.0).await;
    let (status, _) = c.get(&format!("/v2/secure/azure/{key}")).await;
    assert_eq!(status, 400);
    assert_eq!(c.status(&vxc).await, "DECOMMISSIONED");
}

#[tokio::test(start_paused = true)]
async fn ordered_with_peers_megaport_makes_the_peering_and_the_routers_side() {
    let (c, arm, mcr, key, lookup) = ready().await;
    let peers = json!([{
        "type": "private", "peer_asn": "64600", "vlan": 100, "shared_key": "md5-0123456",
        "primary_subnet": "169.254.101.216/30", "secondary_subnet": "169.254.101.220/30",
    }]);
    let mut uids = Vec::new();
    for p in lookup["megaports"].as_array().unwrap() {
        let mut o = order(&mcr, &key, &p["productUid"], 217, peers.clone());
        o["associatedVxcs"][0]["aEnd"] = json!({"vlan": 0});
        uids.push(c.bought(o).await);
        wait(100.0).await;
    }
    wait(1800.0).await;
    let peering = arm
        .call(&c, Method::GET, "/peerings/AzurePrivatePeering", None)
        .await
        .1;
    assert_eq!(peering["properties"]["vlanId"], 100);
    assert_eq!(peering["properties"]["peerASN"], 64600);
    for (uid, host) in uids.iter().zip([217, 221]) {
        let csp = c.product(uid).await["resources"]["csp_connection"].clone();
        let session = &csp[0]["interfaces"][0]["bgpConnections"][0];
        assert_eq!(session["localIpAddress"], format!("169.254.101.{host}"));
        assert_eq!(session["peerAsn"], 12076);
        assert_eq!(session["password"], "md5-0123456");
        assert_eq!(csp[1]["managed"], true);
        assert_eq!(csp[1]["peers"][0]["peer_asn"], 64600, "a number on reads");
        assert_eq!(csp[1]["peers"][0]["vlan"], 100);
    }
    let log = c.sandbox.snapshot().calls.entries;
    assert!(log.iter().all(|e| !e.body.contains("md5-0123456")));
}
