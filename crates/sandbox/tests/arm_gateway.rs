//! Gateways: rules, locks and what stays in use (azure.md §3).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::semicolon_if_nothing_returned,
    reason = "tests"
)]

mod arm_support;
use arm_support::*;
use causeway_sandbox::arm::world::{Place, RouteTableWorld, RouteWorld, SecurityGroupWorld};
use http::Method;
use serde_json::{Value, json};

/// What is done to the properties of a good body.
type Change = Box<dyn FnOnce(&mut Value)>;

const ER: &str = "virtualNetworkGateways/ergw";

#[tokio::test(start_paused = true)]
async fn gateways_get_the_pinned_addresses_in_either_order() {
    for vpn_first in [false, true] {
        let azure = Azure::new().await;
        if vpn_first {
            azure.vpn().await;
            azure.make(ER, &er_gateway()).await;
        } else {
            azure.make(ER, &er_gateway()).await;
            azure.vpn().await;
        }
        let er = azure.get(ER).await.body;
        assert_eq!(
            er["properties"]["bgpSettings"]["bgpPeeringAddress"],
            "172.29.255.12,172.29.255.13"
        );
        assert!(er["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"].is_null());
        let vpn = azure.get(VPN).await.body;
        let bgp = &vpn["properties"]["bgpSettings"];
        assert_eq!(bgp["bgpPeeringAddress"], "172.29.255.14,172.29.255.15");
        assert_eq!(
            bgp["bgpPeeringAddresses"][1]["customBgpIpAddresses"],
            json!(["169.254.21.6"])
        );
        assert_eq!(
            bgp["bgpPeeringAddresses"][1]["defaultBgpIpAddresses"],
            json!(["172.29.255.15"])
        );
        let pip = azure.get("publicIPAddresses/pip-1").await.body;
        assert_eq!(
            bgp["bgpPeeringAddresses"][1]["tunnelIpAddresses"][0],
            pip["properties"]["ipAddress"]
        );
        let view = azure.sandbox.with(|s| causeway_sandbox::arm::view(s));
        assert_eq!(view.er_gateways[0].instances.len(), 2);
        assert_eq!(
            view.vpn_gateways[0].instances[0].apipa[0].to_string(),
            "169.254.21.2"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_network_sees_a_gateway_only_while_it_is_whole() {
    let azure = Azure::new().await;
    let count = |a: &Azure| {
        a.sandbox
            .with(|s| causeway_sandbox::arm::view(s).er_gateways.len())
    };
    let accepted = azure.put(ER, &er_gateway()).await;
    azure.sleep(1400.0).await;
    assert_eq!(count(&azure), 0);
    azure.wait(&accepted).await;
    assert_eq!(count(&azure), 1);
    azure.delete(ER).await;
    assert_eq!(count(&azure), 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_gateway_waits_for_the_network() {
    let azure = Azure::new().await;
    azure.make("publicIPAddresses/pip-0", &pip()).await;
    azure.make("publicIPAddresses/pip-1", &pip()).await;
    let running = azure.put(ER, &er_gateway()).await;
    let a = azure.put(VPN, &vpn_gateway()).await;
    assert_eq!(
        (a.status, a.code(), a.detail()),
        (429, "RetryableError", "ReferencedResourceNotProvisioned")
    );
    assert!(!a.header("retry-after").is_empty());
    // Nor may subnets change meanwhile.
    let subnet = azure.get("virtualNetworks/vnet/subnets/vm").await.body;
    let a = azure.put("virtualNetworks/vnet/subnets/vm", &subnet).await;
    assert_eq!((a.status, a.code()), (409, "AnotherOperationInProgress"));
    // The gateway itself is busy too.
    assert_eq!(azure.delete(ER).await.code(), "AnotherOperationInProgress");
    assert_eq!(
        azure.put(ER, &er_gateway()).await.code(),
        "AnotherOperationInProgress"
    );
    assert_eq!(azure.get(VPN).await.status, 404);
    azure.wait(&running).await;
    azure.make(VPN, &vpn_gateway()).await;
    let (ops, ledger) = azure
        .sandbox
        .with(|s| (s.ops.all.clone(), s.ledger.0.clone()));
    let of = |what: &str| ops.iter().find(|o| o.resource.ends_with(what)).unwrap();
    assert!(of("/vnet-gateway").depends_on.contains(&of("/ergw").id));
    assert!(of("/vnet-gateway").depends_on.contains(&of("/pip-1").id));
    let kinds: Vec<_> = ledger
        .iter()
        .map(|e| serde_json::to_value(e.kind).unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "publicIPAddress",
            "publicIPAddress",
            "expressRouteGateway",
            "vpnGateway"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_gateway_waits_for_its_public_addresses() {
    let azure = Azure::new().await;
    azure.make("publicIPAddresses/pip-0", &pip()).await;
    azure.put("publicIPAddresses/pip-1", &pip()).await;
    let a = azure.put(VPN, &vpn_gateway()).await;
    assert_eq!(
        (a.status, a.detail()),
        (429, "ReferencedResourceNotProvisioned")
    );
    assert!(
        a.body["error"]["details"][0]["message"]
            .as_str()
            .unwrap()
            .contains("PutPublicIpAddressOperation")
    );
}

/// What the VPN gateway's PUT answers after a change to its body.
async fn refused(
    azure: &Azure,
    path: &str,
    mut body: Value,
    change: impl FnOnce(&mut Value),
) -> (u16, String) {
    change(&mut body["properties"]);
    let a = azure.put(path, &body).await;
    (a.status, a.code().to_owned())
}

#[tokio::test(start_paused = true)]
async fn vpn_gateways_that_azure_would_not_make() {
    let azure = Azure::new().await;
    azure.make("publicIPAddresses/pip-0", &pip()).await;
    azure.make("publicIPAddresses/pip-1", &pip()).await;
    let mut plain = pip();
    plain.as_object_mut().unwrap().remove("zones");
    azure.make("publicIPAddresses/plain", &plain).await;
    let sku =
        |name: &'static str| move |p: &mut Value| p["sku"] = json!({"name": name, "tier": name});
    let cases: Vec<(Change, &str)> = vec![
        (Box::new(sku("VpnGw2")), "NonAzSkusNotAllowedForVPNGateway"),
        (
            Box::new(sku("Standard")),
            "NonAzSkusNotAllowedForVPNGateway",
        ),
        (
            Box::new(sku("ErGw1AZ")),
            "InvalidGatewaySkuSpecifiedForGatewayDeploymentType",
        ),
        (
            Box::new(sku("VpnGw1AZ")),
            "VirtualNetworkGatewaySkuCannotBeCreatedForSpecifiedVmGeneration",
        ),
        (
            Box::new(|p| p["sku"]["tier"] = "VpnGw3AZ".into()),
            "InvalidGatewaySkuTier",
        ),
        (Box::new(sku("VpnGw9")), "InvalidRequestFormat"),
        (
            Box::new(|p| {
                p["sku"] = json!({"name": "VpnGw5AZ", "tier": "VpnGw5AZ"});
                p["vpnGatewayGeneration"] = "Generation1".into();
            }),
            "VirtualNetworkGatewaySkuCannotBeCreatedForSpecifiedVmGeneration",
        ),
        (
            Box::new(|p| p["bgpSettings"]["asn"] = 65517.into()),
            "InvalidBgpAsn",
        ),
        (
            Box::new(|p| {
                p["bgpSettings"]["bgpPeeringAddresses"][0]["customBgpIpAddresses"] =
                    json!(["169.254.30.2"])
            }),
            "InvalidCustomBgpIpAddress",
        ),
        (
            Box::new(|p| {
                p["bgpSettings"]["bgpPeeringAddresses"][0]["customBgpIpAddresses"] =
                    json!(["169.254.21.6"])
            }),
            "DuplicateCustomBgpIpAddress",
        ),
        (
            Box::new(|p| {
                p["bgpSettings"]["bgpPeeringAddresses"][0]["ipconfigurationId"] = "/x".into()
            }),
            "InvalidBgpPeeringAddressIpConfiguration",
        ),
        (
            Box::new(|p| {
                p["ipConfigurations"].as_array_mut().unwrap().pop();
            }),
            "InvalidNumberOfGatewayIpConfigurations",
        ),
        (
            Box::new(|p| {
                p["ipConfigurations"][1]["properties"]["publicIPAddress"] =
                    p["ipConfigurations"][0]["properties"]["publicIPAddress"].clone()
            }),
            "PublicIPAddressInUse",
        ),
        (
            Box::new(|p| {
                p["ipConfigurations"][1]["properties"]["publicIPAddress"]["id"] =
                    format!("{NETWORK}/publicIPAddresses/plain").into()
            }),
            "VmssVpnGatewayPublicIpsMustHaveZonesConfigured",
        ),
        (
            Box::new(|p| {
                p["ipConfigurations"][1]["properties"]["publicIPAddress"]["id"] =
                    format!("{NETWORK}/publicIPAddresses/none").into()
            }),
            "InvalidResourceReference",
        ),
        (
            Box::new(|p| {
                p["ipConfigurations"][1]["properties"]["publicIPAddress"]["id"] =
                    format!("{NETWORK}/virtualNetworks/vnet").into()
            }),
            "InvalidRequestFormat",
        ),
        (
            Box::new(|p| {
                p["ipConfigurations"][1]["properties"]["publicIPAddress"]["id"] = "pip-1".into()
            }),
            "LinkedInvalidPropertyId",
        ),
        (
            Box::new(|p| {
                p["ipConfigurations"][0]["properties"]["subnet"]["id"] =
                    format!("{NETWORK}/virtualNetworks/vnet/subnets/vm").into()
            }),
            "InvalidSubnetForGateway",
        ),
        (
            Box::new(|p| p["vpnType"] = "PolicyBased".into()),
            "PolicyBasedVpnNotSupported",
        ),
    ];
    for (change, code) in cases {
        assert_eq!(
            refused(&azure, VPN, vpn_gateway(), change).await,
            (400, code.to_owned())
        );
    }
    assert_eq!(azure.get(VPN).await.status, 404);
    let products = azure.sandbox.with(|s| s.ledger.0.len());
    assert_eq!(products, 3, "the refused ones cost nothing");
}

#[tokio::test(start_paused = true)]
async fn beside_an_expressroute_gateway_the_asn_is_65515() {
    let azure = Azure::new().await;
    azure.make(ER, &er_gateway()).await;
    azure.make("publicIPAddresses/pip-0", &pip()).await;
    azure.make("publicIPAddresses/pip-1", &pip()).await;
    let answer = refused(&azure, VPN, vpn_gateway(), |p| {
        p["bgpSettings"]["asn"] = 65010.into()
    })
    .await;
    assert_eq!(answer, (400, "VpnGatewayAsnMustBe65515".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn expressroute_gateways_that_azure_would_not_make() {
    let azure = Azure::new().await;
    azure.make("publicIPAddresses/pip-0", &pip()).await;
    let cases: Vec<(Change, u16, &str)> = vec![
        (
            Box::new(|p| {
                p["ipConfigurations"][0]["properties"]["publicIPAddress"] =
                    json!({"id": format!("{NETWORK}/publicIPAddresses/pip-0")})
            }),
            500,
            "InternalServerError",
        ),
        (
            Box::new(|p| p["customRoutes"] = json!({"addressPrefixes": ["10.0.0.0/8"]})),
            400,
            "CustomRoutesNotSupportedOnExpressRouteGateway",
        ),
        (
            Box::new(|p| p["sku"] = json!({"name": "VpnGw2AZ", "tier": "VpnGw2AZ"})),
            400,
            "InvalidGatewaySkuSpecifiedForGatewayDeploymentType",
        ),
        (
            Box::new(|p| {
                p["ipConfigurations"][0]["properties"]["subnet"]["id"] =
                    format!("{NETWORK}/virtualNetworks/other/subnets/GatewaySubnet").into()
            }),
            400,
            "InvalidResourceReference",
        ),
    ];
    for (change, status, code) in cases {
        assert_eq!(
            refused(&azure, ER, er_gateway(), change).await,
            (status, code.to_owned())
        );
    }
    azure.make(ER, &er_gateway()).await;
    let a = azure
        .put("virtualNetworkGateways/second", &er_gateway())
        .await;
    assert_eq!(
        a.code(),
        "OnlyOneVirtualNetworkGatewayOfATypeIsAllowedInAVirtualNetwork"
    );
    // Up within the family; from the zone-redundant family to the other only by a new gateway.
    let mut body = er_gateway();
    body["properties"]["sku"] = json!({"name": "ErGw2AZ", "tier": "ErGw2AZ"});
    azure.make(ER, &body).await;
    body["properties"]["sku"] = json!({"name": "HighPerformance", "tier": "HighPerformance"});
    assert_eq!(
        azure.put(ER, &body).await.code(),
        "GatewaySkuCannotBeChanged"
    );
}

#[tokio::test(start_paused = true)]
async fn a_gateway_subnet_that_is_missing_small_or_guarded_is_refused() {
    let mut missing = world();
    missing.azure.virtual_networks[0].subnets.pop();
    let azure = Azure::with_world(missing).await;
    assert_eq!(
        azure.put(ER, &er_gateway()).await.code(),
        "InvalidResourceReference"
    );

    let mut small = world();
    small.azure.virtual_networks[0].subnets[1].address_prefix = "172.29.255.0/28".parse().unwrap();
    let azure = Azure::with_world(small).await;
    let a = azure.put(ER, &er_gateway()).await;
    assert_eq!((a.status, a.code()), (400, "GatewaySubnetTooSmall"));

    let mut guarded = world();
    guarded
        .azure
        .network_security_groups
        .push(SecurityGroupWorld {
            place: Place::default(),
            name: "nsg".into(),
        });
    guarded.azure.virtual_networks[0].subnets[1].network_security_group = Some("nsg".into());
    let azure = Azure::with_world(guarded).await;
    assert_eq!(
        azure.put(ER, &er_gateway()).await.code(),
        "NetworkSecurityGroupCannotBeAttachedToGatewaySubnet"
    );

    let mut routed = world();
    routed.azure.route_tables.push(RouteTableWorld {
        place: Place::default(),
        name: "rt".into(),
        disable_bgp_route_propagation: false,
        routes: vec![RouteWorld {
            name: "all".into(),
            address_prefix: "0.0.0.0/0".parse().unwrap(),
            next_hop_type: "Internet".into(),
            next_hop_ip_address: None,
        }],
    });
    routed.azure.virtual_networks[0].subnets[1].route_table = Some("rt".into());
    let azure = Azure::with_world(routed).await;
    assert_eq!(
        azure.put(ER, &er_gateway()).await.code(),
        "RouteTableCannotBeAttachedToGatewaySubnet"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_gateway_uses_stays_in_use_for_a_moment_after_it() {
    let azure = Azure::new().await;
    azure.vpn().await;
    let a = azure.delete("publicIPAddresses/pip-0").await;
    assert_eq!(
        (a.status, a.code()),
        (400, "PublicIPAddressCannotBeDeleted")
    );
    let a = azure
        .delete("virtualNetworks/vnet/subnets/GatewaySubnet")
        .await;
    assert_eq!(a.code(), "InUseSubnetCannotBeDeleted");
    assert_eq!(
        azure.delete("virtualNetworks/vnet").await.code(),
        "InUseSubnetCannotBeDeleted"
    );
    azure.remove(VPN).await;
    assert_eq!(
        azure.delete("publicIPAddresses/pip-0").await.code(),
        "PublicIPAddressCannotBeDeleted"
    );
    assert_eq!(
        azure
            .delete("virtualNetworks/vnet/subnets/GatewaySubnet")
            .await
            .code(),
        "InUseSubnetCannotBeDeleted"
    );
    azure.sleep(21.0).await;
    azure.remove("publicIPAddresses/pip-0").await;
    azure.remove("publicIPAddresses/pip-1").await;
    assert_eq!(azure.delete("publicIPAddresses/pip-1").await.status, 204);
    azure
        .remove("virtualNetworks/vnet/subnets/GatewaySubnet")
        .await;
    let ops = azure.sandbox.with(|s| s.ops.all.clone());
    let last = |what: &str| ops.iter().rfind(|o| o.resource.ends_with(what)).unwrap();
    assert!(
        last("/pip-0")
            .depends_on
            .contains(&last("/vnet-gateway").id),
        "the address could not go before its gateway"
    );
    assert!(
        azure
            .sandbox
            .with(|s| s.ledger.0.iter().all(|e| e.ended_at.is_some()))
    );
    // A VM's subnet never goes.
    assert_eq!(
        azure.delete("virtualNetworks/vnet/subnets/vm").await.code(),
        "InUseSubnetCannotBeDeleted"
    );
}

#[tokio::test(start_paused = true)]
async fn tags_of_gateways_are_patched_by_an_operation() {
    let azure = Azure::new().await;
    azure.make(ER, &er_gateway()).await;
    let a = azure.patch(ER, &json!({"tags": {"owner": "x"}})).await;
    assert_eq!(a.status, 200);
    assert!(!a.header("azure-asyncoperation").is_empty());
    assert_eq!(
        azure.get(ER).await.body["properties"]["provisioningState"],
        "Updating"
    );
    azure.wait(&a).await;
    let body = azure.get(ER).await.body;
    assert_eq!(
        (
            &body["tags"]["owner"],
            &body["properties"]["provisioningState"]
        ),
        (&json!("x"), &json!("Succeeded"))
    );
}

#[tokio::test(start_paused = true)]
async fn methods_that_a_path_does_not_have() {
    let azure = Azure::new().await;
    assert_eq!(azure.put("virtualNetworks", &json!({})).await.status, 405);
    assert_eq!(
        azure
            .get("virtualNetworkGateways/ergw/getBgpPeerStatus")
            .await
            .status,
        405
    );
    assert_eq!(
        azure
            .send(
                Method::PATCH,
                "virtualNetworks/vnet/subnets/vm",
                &[],
                Some(&json!({}))
            )
            .await
            .status,
        405
    );
}

#[tokio::test(start_paused = true)]
async fn azure_moves_old_skus_by_itself() {
    let mut world = world();
    world.azure.retired_gateway_skus.clear();
    let azure = Azure::with_world(world).await;
    let mut plain = pip();
    plain.as_object_mut().unwrap().remove("zones");
    azure.make("publicIPAddresses/pip-0", &plain).await;
    azure.make("publicIPAddresses/pip-1", &plain).await;
    let mut body = vpn_gateway();
    body["properties"]["sku"] = json!({"name": "VpnGw2", "tier": "VpnGw2"});
    azure.make(VPN, &body).await;
    let happening = serde_json::from_value(
        json!({"type": "skuMigration", "gateway": format!("{NETWORK}/{VPN}")}),
    )
    .unwrap();
    azure.sandbox.happen(&happening).unwrap();
    assert_eq!(
        azure.get(VPN).await.body["properties"]["sku"]["name"],
        "VpnGw2AZ"
    );
    assert!(azure.sandbox.happen(&happening).is_err(), "once only");
}
