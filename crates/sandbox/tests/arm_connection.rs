//! Connections of both types, shared keys and the tables of gateways (azure.md §3.6, §4).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::semicolon_if_nothing_returned,
    reason = "tests"
)]

mod arm_support;
use arm_support::*;
use causeway_sandbox::net::view::Port;
use serde_json::{Value, json};

/// What is done to the properties of a good body.
type Change = Box<dyn FnOnce(&mut Value)>;

const ER: &str = "virtualNetworkGateways/ergw";

async fn ipsec_ready() -> Azure {
    let azure = Azure::new().await;
    azure.vpn().await;
    azure
        .make(
            "localNetworkGateways/l1",
            &lng("203.0.113.10", "169.254.21.1"),
        )
        .await;
    azure
        .make(
            "localNetworkGateways/l2",
            &lng("203.0.113.11", "169.254.22.1"),
        )
        .await;
    azure
}

#[tokio::test(start_paused = true)]
async fn an_expressroute_connection_needs_provider_peering_and_gateway() {
    let azure = Azure::new().await;
    let path = "connections/er";
    assert_eq!(
        azure.put(path, &er_connection()).await.code(),
        "InvalidResourceReference"
    );
    azure.make(ER, &er_gateway()).await;
    let body = azure.make(CIRCUIT, &circuit()).await;
    let key = body["properties"]["serviceKey"].as_str().unwrap();
    assert_eq!(
        azure.put(path, &er_connection()).await.code(),
        "ExpressRouteCircuitNotProvisioned"
    );
    azure.vxc_live(key, Port::Primary);
    azure.sleep(61.0).await;
    assert_eq!(
        azure.put(path, &er_connection()).await.code(),
        "ExpressRouteCircuitPrivatePeeringNotFound"
    );
    azure.make(PEERING, &peering()).await;
    let mut wrong = er_connection();
    wrong["properties"]["peer"]["id"] = format!("{NETWORK}/{PEERING}").into();
    assert_eq!(
        azure.put(path, &wrong).await.detail(),
        "InvalidJsonReferenceWrongType"
    );
    let mut wrong = er_connection();
    wrong["properties"]["virtualNetworkGateway1"] = json!({"properties": {}});
    assert_eq!(azure.put(path, &wrong).await.code(), "InvalidRequestFormat");

    let running = azure.put(path, &er_connection()).await;
    assert_eq!(running.status, 201);
    // It holds the circuit and the gateway.
    assert_eq!(
        azure.put(PEERING, &peering()).await.code(),
        "AnotherOperationInProgress"
    );
    assert_eq!(
        azure.put(ER, &er_gateway()).await.code(),
        "AnotherOperationInProgress"
    );
    azure.wait(&running).await;
    let made = azure.get(path).await.body;
    assert_eq!(
        made["properties"]["virtualNetworkGateway1"],
        json!({"id": format!("{NETWORK}/{ER}"), "properties": {}})
    );
    assert!(made["properties"]["sharedKey"].is_null());
    assert_eq!(
        azure.put("connections/twin", &er_connection()).await.code(),
        "ConnectionAlreadyExistsBetweenResources"
    );
    // An ExpressRoute connection has no key; the read shows an empty list (azure.md §4.3).
    assert_eq!(
        azure.get("connections/er/sharedkey").await.body["value"],
        json!([])
    );

    // Down again, in order.
    assert_eq!(
        azure.delete(ER).await.code(),
        "InUseVirtualNetworkGatewayCannotBeDeleted"
    );
    assert_eq!(
        azure.delete(CIRCUIT).await.code(),
        "InUseExpressRouteCircuitCannotBeDeleted"
    );
    assert_eq!(
        azure.delete(PEERING).await.code(),
        "InUseExpressRouteCircuitPeeringCannotBeDeleted"
    );
    azure.remove(path).await;
    azure.remove(PEERING).await;
    azure.remove(ER).await;
    let ops = azure.sandbox.with(|s| s.ops.all.clone());
    let last = |what: &str| ops.iter().rfind(|o| o.resource.ends_with(what)).unwrap();
    assert!(
        last("/azureprivatepeering")
            .depends_on
            .contains(&last("connections/er").id)
    );
    assert!(
        last("/ergw")
            .depends_on
            .contains(&last("connections/er").id)
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_waits_for_its_gateway() {
    let azure = Azure::new().await;
    azure.provisioned_circuit().await;
    azure.make(PEERING, &peering()).await;
    azure.put(ER, &er_gateway()).await;
    let a = azure.put("connections/er", &er_connection()).await;
    assert_eq!(
        (a.status, a.detail()),
        (429, "ReferencedResourceNotProvisioned")
    );
    assert!(
        a.body["error"]["details"][0]["message"]
            .as_str()
            .unwrap()
            .contains("PutVirtualNetworkGatewayOperation")
    );
}

#[tokio::test(start_paused = true)]
async fn connections_of_one_gateway_are_made_one_by_one() {
    let azure = ipsec_ready().await;
    let running = azure.put("connections/c1", &ipsec("l1")).await;
    let a = azure.put("connections/c2", &ipsec("l2")).await;
    assert_eq!((a.status, a.code()), (409, "AnotherOperationInProgress"));
    // A local network gateway that a connection of this gateway uses waits as well.
    let a = azure
        .put(
            "localNetworkGateways/l1",
            &lng("203.0.113.12", "169.254.21.1"),
        )
        .await;
    assert_eq!((a.status, a.code()), (409, "AnotherOperationInProgress"));
    azure.wait(&running).await;
    azure.make("connections/c2", &ipsec("l2")).await;
    assert_eq!(
        azure.delete("localNetworkGateways/l1").await.code(),
        "InUseLocalNetworkGatewayCannotBeDeleted"
    );
    let deleting = azure.delete("connections/c1").await;
    assert_eq!(
        azure.delete("connections/c2").await.code(),
        "AnotherOperationInProgress"
    );
    // A second DELETE of the same thing joins the first.
    let again = azure.delete("connections/c1").await;
    assert_eq!(
        (again.status, again.header("location")),
        (202, deleting.header("location"))
    );
    azure.wait(&deleting).await;
    azure.remove("localNetworkGateways/l1").await;
}

#[tokio::test(start_paused = true)]
async fn the_location_dialect_says_202_and_then_nothing() {
    let azure = ipsec_ready().await;
    let deleting = azure.delete("localNetworkGateways/l1").await;
    let location = deleting.header("location").to_owned();
    let poll = azure.get(&location).await;
    assert_eq!(
        (poll.status, poll.header("location")),
        (202, location.as_str())
    );
    azure.sleep(11.0).await;
    let poll = azure.get(&location).await;
    assert_eq!((poll.status, poll.body), (204, Value::Null));
}

#[tokio::test(start_paused = true)]
async fn a_shared_key_is_hidden_and_changed_only_by_its_own_put() {
    let azure = ipsec_ready().await;
    let path = "connections/c1";
    azure.make(path, &ipsec("l1")).await;
    assert!(azure.get(path).await.body["properties"]["sharedKey"].is_null());
    assert_eq!(
        azure.get("connections/c1/sharedkey").await.body["value"],
        "first-key-1234"
    );
    let mut body = ipsec("l1");
    body["properties"]["sharedKey"] = "second-key-5678".into();
    azure.make(path, &body).await;
    assert_eq!(
        azure.get("connections/c1/sharedkey").await.body["value"],
        "first-key-1234"
    );
    let put = azure
        .put(
            "connections/c1/sharedkey",
            &json!({"value": "second-key-5678"}),
        )
        .await;
    assert_eq!(put.status, 200);
    assert_eq!(
        azure.get(path).await.body["properties"]["provisioningState"],
        "Updating"
    );
    azure.wait(&put).await;
    assert_eq!(
        azure.get("connections/c1/sharedkey").await.body["value"],
        "second-key-5678"
    );
    let view = azure.sandbox.with(|s| causeway_sandbox::arm::view(s));
    assert_eq!(view.ipsec_connections[0].shared_key, "second-key-5678");
    assert_eq!(
        azure
            .put("connections/c1/sharedkey", &json!({}))
            .await
            .code(),
        "MissingJsonProperty"
    );
    // Without a key the service makes one.
    let mut body = ipsec("l2");
    body["properties"]
        .as_object_mut()
        .unwrap()
        .remove("sharedKey");
    azure.make("connections/c2", &body).await;
    assert!(
        azure.get("connections/c2/sharedkey").await.body["value"]
            .as_str()
            .unwrap()
            .len()
            > 16
    );
}

#[tokio::test(start_paused = true)]
async fn ipsec_connections_that_azure_would_not_make() {
    let azure = ipsec_ready().await;
    let cases: Vec<(Change, &str)> = vec![
        (
            Box::new(|p| {
                p["ipsecPolicies"][0]
                    .as_object_mut()
                    .unwrap()
                    .remove("pfsGroup");
            }),
            "IpsecPolicyIncomplete",
        ),
        (
            Box::new(|p| p["ipsecPolicies"][0]["ipsecEncryption"] = "GCMAES256".into()),
            "InvalidIpsecPolicyGcm",
        ),
        (
            Box::new(|p| {
                p["ipsecPolicies"][0]["ipsecEncryption"] = "GCMAES256".into();
                p["ipsecPolicies"][0]["ipsecIntegrity"] = "GCMAES128".into();
            }),
            "InvalidIpsecPolicyGcm",
        ),
        (
            Box::new(|p| p["ipsecPolicies"][0]["dhGroup"] = "DHGroup5".into()),
            "InvalidRequestFormat",
        ),
        (
            Box::new(|p| p["ipsecPolicies"][0]["saLifeTimeSeconds"] = 200.into()),
            "InvalidParameterValue",
        ),
        (
            Box::new(|p| {
                let one = p["ipsecPolicies"][0].clone();
                p["ipsecPolicies"].as_array_mut().unwrap().push(one);
            }),
            "OnlyOneIpsecPolicyAllowed",
        ),
        (
            Box::new(|p| p["dpdTimeoutSeconds"] = 5.into()),
            "InvalidDpdTimeout",
        ),
        (
            Box::new(|p| p["dpdTimeoutSeconds"] = 4000.into()),
            "InvalidParameterValue",
        ),
        (Box::new(|p| p["sharedKey"] = "".into()), "InvalidSharedKey"),
        (
            Box::new(
                |p| p["gatewayCustomBgpIpAddresses"] = json!([{"ipConfigurationId": format!("{NETWORK}/{VPN}/ipConfigurations/ipc0"), "customBgpIpAddress": "169.254.22.2"}]),
            ),
            "InvalidGatewayCustomBgpIpAddress",
        ),
        (
            Box::new(
                |p| p["gatewayCustomBgpIpAddresses"] = json!([{"ipConfigurationId": format!("{NETWORK}/{VPN}/ipConfigurations/ipc0"), "customBgpIpAddress": "169.254.21.2"}]),
            ),
            "GatewayCustomBgpIpAddressForEachInstanceRequired",
        ),
        (
            Box::new(|p| p["connectionType"] = "ExpressRoute".into()),
            "ConnectionTypeNotSupportedByGateway",
        ),
        (
            Box::new(|p| {
                p["localNetworkGateway2"]["id"] =
                    format!("{NETWORK}/localNetworkGateways/none").into()
            }),
            "InvalidResourceReference",
        ),
        (
            Box::new(|p| {
                p["usePolicyBasedTrafficSelectors"] = true.into();
                p["ipsecPolicies"] = json!([]);
            }),
            "PolicyBasedTrafficSelectorsNeedIpsecPolicy",
        ),
    ];
    for (change, code) in cases {
        let mut body = ipsec("l1");
        change(&mut body["properties"]);
        let a = azure.put("connections/c1", &body).await;
        assert_eq!((a.status, a.code()), (400, code), "{}", a.body);
    }
    // GCM with PFS is a policy like any other.
    let mut body = ipsec("l1");
    body["properties"]["ipsecPolicies"][0]["ipsecEncryption"] = "GCMAES256".into();
    body["properties"]["ipsecPolicies"][0]["ipsecIntegrity"] = "GCMAES256".into();
    azure.make("connections/c1", &body).await;
    body["properties"]["connectionProtocol"] = "IKEv1".into();
    assert_eq!(
        azure.put("connections/c1", &body).await.code(),
        "ConnectionProtocolCannotBeChanged"
    );
}

#[tokio::test(start_paused = true)]
async fn local_network_gateways_are_validated() {
    let azure = Azure::new().await;
    for (member, value, code) in [
        (
            "gatewayIpAddress",
            json!("not-an-ip"),
            "InvalidGatewayIpAddress",
        ),
        (
            "fqdn",
            json!("vpn.example.org"),
            "InvalidLocalNetworkGateway",
        ),
        (
            "bgpSettings",
            Value::Null,
            "LocalNetworkGatewayAddressSpaceRequired",
        ),
        (
            "bgpSettings",
            json!({"asn": 65515, "bgpPeeringAddress": "169.254.21.1"}),
            "InvalidBgpAsn",
        ),
        (
            "bgpSettings",
            json!({"asn": 64900}),
            "InvalidBgpPeeringAddress",
        ),
    ] {
        let mut body = lng("203.0.113.10", "169.254.21.1");
        body["properties"][member] = value;
        let a = azure.put("localNetworkGateways/l", &body).await;
        assert_eq!((a.status, a.code()), (400, code));
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateways_list_of_connections_is_the_smaller_model() {
    let azure = ipsec_ready().await;
    azure.make("connections/c1", &ipsec("l1")).await;
    let list = azure.get(&format!("{VPN}/connections")).await.body;
    let p = &list["value"][0]["properties"];
    assert_eq!(
        p["virtualNetworkGateway1"],
        json!({"id": format!("{NETWORK}/{VPN}")})
    );
    assert!(p.get("dpdTimeoutSeconds").is_none());
    // A list need not know the status; the connection itself does (azure.md §4.5).
    assert_eq!(
        azure.get("connections").await.body["value"][0]["properties"]["connectionStatus"],
        "Unknown"
    );
    assert_eq!(
        azure.get("connections/c1").await.body["properties"]["connectionStatus"],
        "Connecting"
    );
}

#[tokio::test(start_paused = true)]
async fn gateway_tables_are_posts_that_end_in_a_bare_result() {
    let azure = Azure::new().await;
    let running = azure.put(ER, &er_gateway()).await;
    let a = azure.post(&format!("{ER}/getBgpPeerStatus")).await;
    assert_eq!((a.status, a.code()), (409, "AnotherOperationInProgress"));
    azure.wait(&running).await;
    azure.vpn().await;
    azure.sleep(60.0).await;
    let accepted = azure.post(&format!("{ER}/getBgpPeerStatus")).await;
    assert_eq!(accepted.status, 202);
    assert!(accepted.header("azure-asyncoperation").is_empty());
    let peers = azure.table(&format!("{ER}/getBgpPeerStatus")).await;
    let mesh: Vec<_> = peers
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["asn"] == 65515)
        .collect();
    assert!(
        mesh.iter()
            .any(|p| p["neighbor"] == "172.29.255.14" && p["state"] == "Connected"),
        "{peers}"
    );
    let routes = azure.table(&format!("{ER}/getLearnedRoutes")).await;
    let own = routes
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["origin"] == "Network")
        .unwrap();
    assert_eq!(
        (&own["network"], &own["asPath"], &own["weight"]),
        (&json!("172.29.0.0/16"), &json!(""), &json!(32768))
    );
    assert_eq!(
        azure
            .post(&format!("{ER}/getAdvertisedRoutes"))
            .await
            .code(),
        "MissingQueryParameter"
    );
    assert_eq!(
        azure
            .post(&format!("{ER}/getAdvertisedRoutes?peer=x"))
            .await
            .code(),
        "InvalidQueryParameterValue"
    );
    azure
        .table(&format!("{ER}/getAdvertisedRoutes?peer=172.29.255.14"))
        .await;
    // Reads make no entry in the operations that the critical path is over.
    assert!(
        azure
            .sandbox
            .with(|s| s.ops.all.iter().all(|o| !o.operation.contains("get")))
    );
}

#[tokio::test(start_paused = true)]
async fn broken_ibgp_is_a_server_error() {
    let azure = Azure::new().await;
    azure.make(ER, &er_gateway()).await;
    azure.vpn().await;
    azure.sleep(60.0).await;
    let nva = json!({"location": "eastus2", "properties": {"routes": [
        {"name": "nva", "properties": {"addressPrefix": "172.29.0.0/16", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "172.29.10.4"}},
    ]}});
    azure.make("routeTables/rt", &nva).await;
    let path = "virtualNetworks/vnet/subnets/GatewaySubnet";
    let mut subnet = azure.get(path).await.body;
    subnet["properties"]["routeTable"] = json!({"id": format!("{NETWORK}/routeTables/rt")});
    azure.make(path, &subnet).await;
    azure.sleep(400.0).await;
    let accepted = azure.post(&format!("{VPN}/getBgpPeerStatus")).await;
    let end = azure.wait(&accepted).await;
    assert_eq!((end.status, end.code()), (500, "InternalServerError"));
}

#[tokio::test(start_paused = true)]
async fn circuit_tables_need_a_peering_and_a_path() {
    let azure = Azure::new().await;
    azure.provisioned_circuit().await;
    assert_eq!(
        azure
            .post(&format!("{PEERING}/routeTables/primary"))
            .await
            .status,
        404
    );
    azure.make(PEERING, &peering()).await;
    assert_eq!(
        azure
            .post(&format!("{PEERING}/routeTables/third"))
            .await
            .code(),
        "InvalidDevicePath"
    );
    azure.table(&format!("{PEERING}/routeTables/primary")).await;
    let summary = azure
        .table(&format!("{PEERING}/routeTablesSummary/primary"))
        .await;
    assert_eq!(
        (&summary[0]["neighbor"], &summary[0]["as"]),
        (&json!("169.254.101.217"), &json!(64600))
    );
    let arp = azure.table(&format!("{PEERING}/arpTables/primary")).await;
    assert_eq!(
        (&arp[0]["interface"], &arp[1]["ipAddress"]),
        (&json!("On-Prem"), &json!("169.254.101.218"))
    );
    assert_eq!(
        azure
            .table(&format!("{PEERING}/arpTables/secondary"))
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let stats = azure.get(&format!("{CIRCUIT}/stats")).await.body;
    assert!(stats["primarybytesIn"].as_i64().unwrap() > 0 && stats["secondarybytesIn"] == 0);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_of_another_subscription_needs_an_authorization() {
    let other = "00000000-0000-4000-8000-000000000002";
    let mut world = world();
    let mut second = world.azure.subscriptions[0].clone();
    second.subscription_id = other.to_owned();
    world.azure.subscriptions.push(second);
    let azure = Azure::with_world(world).await;
    azure.make(ER, &er_gateway()).await;
    let far = NETWORK.replace("00000000-0000-4000-8000-000000000001", other);
    let made = azure.make(&format!("{far}/{CIRCUIT}"), &circuit()).await;
    azure.vxc_live(
        made["properties"]["serviceKey"].as_str().unwrap(),
        Port::Primary,
    );
    azure.sleep(61.0).await;
    azure.make(&format!("{far}/{PEERING}"), &peering()).await;
    let authorization = format!("{far}/{CIRCUIT}/authorizations/lab");
    let guest = azure.make(&authorization, &json!({"properties": {}})).await;
    let mut body = er_connection();
    body["properties"]["peer"]["id"] = format!("{far}/{CIRCUIT}").into();
    assert_eq!(
        azure.put("connections/er", &body).await.code(),
        "AuthorizationKeyInvalid"
    );
    body["properties"]["authorizationKey"] = guest["properties"]["authorizationKey"].clone();
    let made = azure.make("connections/er", &body).await;
    assert!(
        made["properties"]["authorizationKey"].is_null(),
        "keys are not read back"
    );
    let used = azure.get(&authorization).await.body;
    assert_eq!(used["properties"]["authorizationUseStatus"], "InUse");
    assert_eq!(used["properties"]["connectionResourceUri"], made["id"]);
    assert_eq!(
        azure.delete(&authorization).await.code(),
        "InUseAuthorizationCannotBeDeleted"
    );
    azure.remove("connections/er").await;
    azure.remove(&authorization).await;
}
