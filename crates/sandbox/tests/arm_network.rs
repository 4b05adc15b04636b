//! Public addresses, virtual networks, subnets, route tables and interfaces (azure.md §5).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::semicolon_if_nothing_returned,
    reason = "tests"
)]

mod arm_support;
use arm_support::*;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn public_addresses_have_fixed_zones_and_kind() {
    let azure = Azure::new().await;
    let path = "publicIPAddresses/p";
    let made = azure.make(path, &pip()).await;
    assert!(made["properties"]["ipAddress"].is_string());
    let mut body = pip();
    body["zones"] = json!(["1"]);
    assert_eq!(
        azure.put(path, &body).await.code(),
        "ResourceAvailabilityZonesCannotBeModified"
    );
    let mut body = pip();
    body["properties"]["publicIPAllocationMethod"] = "Dynamic".into();
    assert_eq!(
        azure.put("publicIPAddresses/q", &body).await.code(),
        "StandardSkuPublicIPAddressMustUseStaticAllocation"
    );
    body["sku"] = json!({"name": "Basic"});
    assert_eq!(
        azure.put("publicIPAddresses/q", &body).await.code(),
        "BasicSkuPublicIpNotAllowed"
    );
    let again = azure.make(path, &made).await;
    assert_eq!(
        again["properties"]["ipAddress"],
        made["properties"]["ipAddress"]
    );
    assert_ne!(
        azure.make("publicIPAddresses/q", &pip()).await["properties"]["ipAddress"],
        made["properties"]["ipAddress"]
    );
    assert_eq!(
        azure.put("publicIPAddresses/-bad-", &pip()).await.code(),
        "InvalidResourceName"
    );
}

#[tokio::test(start_paused = true)]
async fn virtual_networks_keep_or_drop_subnets_by_the_rule() {
    let azure = Azure::new().await;
    let body = json!({"location": "East US 2", "properties": {
        "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
        "subnets": [{"name": "a", "properties": {"addressPrefix": "10.1.0.0/24"}}],
    }});
    let made = azure.make("virtualNetworks/v2", &body).await;
    assert_eq!(
        (&made["location"], &made["properties"]["subnets"][0]["name"]),
        (&json!("eastus2"), &json!("a"))
    );
    let mut absent = body.clone();
    absent["properties"]
        .as_object_mut()
        .unwrap()
        .remove("subnets");
    assert_eq!(
        azure.make("virtualNetworks/v2", &absent).await["properties"]["subnets"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for (prefix, code) in [
        ("10.2.0.0/24", "NetcfgInvalidSubnet"),
        ("10.1.0.128/25", "NetcfgSubnetRangesOverlap"),
        ("10.1.9.1/24", "InvalidAddressPrefixFormat"),
    ] {
        let a = azure
            .put(
                "virtualNetworks/v2/subnets/b",
                &json!({"properties": {"addressPrefix": prefix}}),
            )
            .await;
        assert_eq!(a.code(), code);
    }
    let mut empty = body.clone();
    empty["properties"]["subnets"] = json!([]);
    assert_eq!(
        azure.make("virtualNetworks/v2", &empty).await["properties"]["subnets"],
        json!([])
    );
    azure.remove("virtualNetworks/v2").await;
    // The lab's own network keeps the subnet that its machine is in.
    let mut vnet = azure.get("virtualNetworks/vnet").await.body;
    vnet["properties"]["subnets"] = json!([]);
    assert_eq!(
        azure.put("virtualNetworks/vnet", &vnet).await.code(),
        "InUseSubnetCannotBeDeleted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_subnet_put_is_a_full_replace() {
    let azure = Azure::new().await;
    let routes = json!({"location": "eastus2", "properties": {"routes": [
        {"name": "nva", "properties": {"addressPrefix": "172.29.0.0/16", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "172.29.10.4"}},
    ]}});
    azure.make("routeTables/rt", &routes).await;
    let table = json!({"id": format!("{NETWORK}/routeTables/rt")});
    let path = "virtualNetworks/vnet/subnets/GatewaySubnet";
    let mut subnet = azure.get(path).await.body;
    subnet["properties"]["routeTable"] = table;
    azure.make(path, &subnet).await;
    assert_eq!(
        azure.get("routeTables/rt").await.body["properties"]["subnets"][0]["id"],
        subnet_id()
    );
    assert_eq!(
        azure.delete("routeTables/rt").await.code(),
        "InUseRouteTableCannotBeDeleted"
    );
    let view = azure.sandbox.with(|s| causeway_sandbox::arm::view(s));
    assert_eq!(
        view.vnets[0].gateway_subnet_routes[0]
            .next_hop
            .unwrap()
            .to_string(),
        "172.29.10.4"
    );
    let local =
        json!({"properties": {"addressPrefix": "172.29.255.0/24", "nextHopType": "VnetLocal"}});
    azure.make("routeTables/rt/routes/local", &local).await;
    assert_eq!(
        azure
            .sandbox
            .with(|s| causeway_sandbox::arm::view(s).vnets[0]
                .gateway_subnet_routes
                .len()),
        2
    );
    azure.remove("routeTables/rt/routes/nva").await;
    // Nothing that GatewaySubnet may not carry can come in through the table.
    let all = json!({"properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "Internet"}});
    assert_eq!(
        azure.put("routeTables/rt/routes/all", &all).await.code(),
        "RouteTableCannotBeAttachedToGatewaySubnet"
    );
    azure
        .make(
            "networkSecurityGroups/nsg",
            &json!({"location": "eastus2", "properties": {}}),
        )
        .await;
    subnet["properties"]["networkSecurityGroup"] =
        json!({"id": format!("{NETWORK}/networkSecurityGroups/nsg")});
    assert_eq!(
        azure.put(path, &subnet).await.code(),
        "NetworkSecurityGroupCannotBeAttachedToGatewaySubnet"
    );
    azure
        .make(
            path,
            &json!({"properties": {"addressPrefix": "172.29.255.0/24"}}),
        )
        .await;
    assert!(
        azure.get(path).await.body["properties"]["routeTable"].is_null(),
        "what a PUT omits is gone"
    );
    azure.remove("routeTables/rt").await;
    let changed = azure
        .sandbox
        .with(|s| causeway_sandbox::arm::world_objects(s));
    assert_eq!(changed.len(), 2, "the network and the interface");
}

#[tokio::test(start_paused = true)]
async fn routes_are_validated() {
    let azure = Azure::new().await;
    for (properties, code) in [
        (
            json!({"addressPrefix": "10.0.0.0/8", "nextHopType": "VirtualNetwork"}),
            "InvalidRequestFormat",
        ),
        (
            json!({"addressPrefix": "10.0.0.0/8", "nextHopType": "VirtualAppliance"}),
            "RouteNextHopIpAddressRequired",
        ),
        (
            json!({"addressPrefix": "10.0.0.0/8", "nextHopType": "Internet", "nextHopIpAddress": "10.0.0.1"}),
            "RouteNextHopIpAddressNotAllowed",
        ),
        (
            json!({"addressPrefix": "10.0.0.1/8", "nextHopType": "Internet"}),
            "InvalidAddressPrefixFormat",
        ),
        (
            json!({"addressPrefix": "10.0.0.0/8"}),
            "MissingJsonProperty",
        ),
    ] {
        let body = json!({"location": "eastus2", "properties": {"routes": [{"name": "r", "properties": properties}]}});
        let a = azure.put("routeTables/rt", &body).await;
        assert_eq!((a.status, a.code()), (400, code));
    }
}

#[tokio::test(start_paused = true)]
async fn the_interface_is_there_and_its_routes_need_a_running_machine() {
    let azure = Azure::new().await;
    let nic = azure.get("networkInterfaces/vm-nic").await.body;
    assert_eq!(
        nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"],
        "172.29.0.10"
    );
    assert!(nic["properties"]["virtualMachine"]["id"].is_string());
    let rows = azure
        .table("networkInterfaces/vm-nic/effectiveRouteTable")
        .await;
    let local = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["nextHopType"] == "VnetLocal")
        .unwrap();
    assert_eq!(
        (&local["addressPrefix"], &local["source"], &local["state"]),
        (
            &json!(["172.29.0.0/16"]),
            &json!("Default"),
            &json!("Active")
        )
    );
    let mut world = world();
    world.azure.network_interfaces[0].running = false;
    let azure = Azure::with_world(world).await;
    let a = azure
        .post("networkInterfaces/vm-nic/effectiveRouteTable")
        .await;
    assert_eq!(
        a.code(),
        "NetworkInterfaceNotAttachedToRunningVirtualMachine"
    );
}
