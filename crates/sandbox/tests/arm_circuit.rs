//! Circuits, peerings and the provider's state (azure.md §2).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod arm_support;
use arm_support::*;
use causeway_sandbox::arm::provider_side::{self, ProviderPeering};
use causeway_sandbox::faults::{Effect, Fault, Match};
use causeway_sandbox::net::view::Port;
use serde_json::{Value, json};

fn state(body: &Value) -> &str {
    body["properties"]["serviceProviderProvisioningState"]
        .as_str()
        .unwrap()
}

/// A refresh: the whole body put back (azure.md §2.6).
async fn refresh(azure: &Azure) -> Value {
    let body = azure.get(CIRCUIT).await.body;
    azure.make(CIRCUIT, &body).await
}

#[tokio::test(start_paused = true)]
async fn a_circuit_is_created_in_the_async_operation_dialect() {
    let azure = Azure::new().await;
    let accepted = azure.put(CIRCUIT, &circuit()).await;
    assert_eq!(accepted.status, 201);
    assert_eq!(accepted.body["properties"]["provisioningState"], "Updating");
    assert!(accepted.body["properties"]["serviceKey"].is_null());
    assert!(!accepted.header("retry-after").is_empty());
    let url = accepted.header("azure-asyncoperation").to_owned();
    assert!(
        url.starts_with(BASE) && url.contains("/locations/eastus2/operations/"),
        "{url}"
    );
    assert!(accepted.header("location").is_empty());
    let poll = azure.get(&url).await;
    assert_eq!(
        (poll.status, poll.body["status"].as_str().unwrap()),
        (200, "InProgress")
    );
    assert_eq!(
        azure.get(CIRCUIT).await.body["properties"]["provisioningState"],
        "Updating"
    );
    azure.sleep(91.0).await;
    assert_eq!(azure.get(&url).await.body["status"], "Succeeded");
    let body = azure.get(CIRCUIT).await.body;
    let p = &body["properties"];
    assert_eq!(p["provisioningState"], "Succeeded");
    assert_eq!(p["circuitProvisioningState"], "Enabled");
    assert_eq!(state(&body), "NotProvisioned");
    assert!(p["stag"].is_i64());
    let key = p["serviceKey"].as_str().unwrap();
    let seen = azure
        .sandbox
        .with(|s| provider_side::lookup(s, key))
        .unwrap();
    assert_eq!(
        (seen.bandwidth_mbps, seen.peering_location.as_str()),
        (50, "Washington DC2")
    );
    let ledger = azure.sandbox.with(|s| s.ledger.0.clone());
    assert_eq!(ledger.len(), 1);
    assert_eq!(
        (ledger[0].principal.as_str(), ledger[0].ended_at),
        ("causeway", None)
    );
    // The same PUT again is an update of the same circuit, and no new order.
    let again = azure.put(CIRCUIT, &circuit()).await;
    assert_eq!(again.status, 200);
    azure.wait(&again).await;
    assert_eq!(
        azure.get(CIRCUIT).await.body["properties"]["serviceKey"],
        key
    );
    assert_eq!(azure.sandbox.with(|s| s.ledger.0.len()), 1);
}

#[tokio::test(start_paused = true)]
async fn the_catalogue_is_served_and_enforced() {
    let azure = Azure::new().await;
    let list = azure
        .get(&format!(
            "{SUBSCRIPTION}/providers/Microsoft.Network/expressRouteServiceProviders"
        ))
        .await;
    let megaport = list.body["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["name"] == "Megaport")
        .unwrap();
    assert!(
        megaport["properties"]["peeringLocations"]
            .as_array()
            .unwrap()
            .contains(&json!("Washington DC2"))
    );
    assert_eq!(
        megaport["properties"]["bandwidthsOffered"][0],
        json!({"offerName": "50Mbps", "valueInMbps": 50})
    );
    for (member, value, code) in [
        (
            "serviceProviderName",
            json!("Nobody"),
            "ServiceProviderNotFound",
        ),
        (
            "peeringLocation",
            json!("Atlantis"),
            "PeeringLocationNotSupported",
        ),
        ("bandwidthInMbps", json!(77), "BandwidthNotSupported"),
    ] {
        let mut body = circuit();
        body["properties"]["serviceProviderProperties"][member] = value;
        let a = azure.put(CIRCUIT, &body).await;
        assert_eq!((a.status, a.code()), (400, code));
    }
    let mut body = circuit();
    body["sku"]["name"] = "Premium_MeteredData".into();
    assert_eq!(
        azure.put(CIRCUIT, &body).await.code(),
        "InvalidExpressRouteCircuitSku"
    );
    assert_eq!(azure.get(CIRCUIT).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn bandwidth_grows_only_and_place_and_provider_stay() {
    let azure = Azure::new().await;
    let mut body = circuit();
    body["properties"]["serviceProviderProperties"]["bandwidthInMbps"] = 200.into();
    azure.make(CIRCUIT, &body).await;
    assert_eq!(
        azure.put(CIRCUIT, &circuit()).await.code(),
        "ExpressRouteCircuitBandwidthCannotBeReduced"
    );
    body["properties"]["serviceProviderProperties"]["bandwidthInMbps"] = 500.into();
    let made = azure.make(CIRCUIT, &body).await;
    assert_eq!(
        made["properties"]["serviceProviderProperties"]["bandwidthInMbps"],
        500
    );
    body["properties"]["serviceProviderProperties"]["peeringLocation"] = "London".into();
    assert_eq!(
        azure.put(CIRCUIT, &body).await.code(),
        "ExpressRouteCircuitPropertyCannotBeChanged"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peering_needs_the_provider_and_good_values() {
    let azure = Azure::new().await;
    assert_eq!(
        azure.put(PEERING, &peering()).await.code(),
        "ParentResourceNotFound"
    );
    azure.make(CIRCUIT, &circuit()).await;
    assert_eq!(
        azure.put(PEERING, &peering()).await.code(),
        "ExpressRouteCircuitNotProvisioned"
    );
    let key = azure.get(CIRCUIT).await.body["properties"]["serviceKey"]
        .as_str()
        .unwrap()
        .to_owned();
    azure.vxc_live(&key, Port::Primary);
    assert_eq!(
        azure.put(PEERING, &peering()).await.code(),
        "ExpressRouteCircuitNotProvisioned"
    );
    azure.sleep(61.0).await;
    for (member, value, code) in [
        ("peerASN", json!(65515), "InvalidPeerAsn"),
        ("peerASN", json!(12076), "InvalidPeerAsn"),
        ("vlanId", json!(4095), "InvalidParameterValue"),
        (
            "primaryPeerAddressPrefix",
            json!("169.254.101.217/30"),
            "InvalidPeerAddressPrefix",
        ),
        (
            "primaryPeerAddressPrefix",
            json!("169.254.101.216/29"),
            "InvalidPeerAddressPrefix",
        ),
        (
            "secondaryPeerAddressPrefix",
            json!("169.254.101.216/30"),
            "PeerAddressPrefixesOverlap",
        ),
        (
            "secondaryPeerAddressPrefix",
            Value::Null,
            "MissingJsonProperty",
        ),
        (
            "peeringType",
            json!("MicrosoftPeering"),
            "PeeringTypeMismatch",
        ),
    ] {
        let mut body = peering();
        body["properties"][member] = value;
        let a = azure.put(PEERING, &body).await;
        assert_eq!((a.status, a.code()), (400, code), "{member}");
    }
    let made = azure.make(PEERING, &peering()).await;
    assert_eq!(made["properties"]["azureASN"], 12076);
    assert_eq!(made["properties"]["lastModifiedBy"], "Customer");
    // A child's etag is its parent's (azure.md §1.3).
    assert_eq!(made["etag"], azure.get(CIRCUIT).await.body["etag"]);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_put_drops_the_peerings_that_it_omits() {
    let azure = Azure::new().await;
    azure.provisioned_circuit().await;
    let mut body = peering();
    body["properties"]["sharedKey"] = "md5-secret".into();
    let made = azure.make(PEERING, &body).await;
    assert!(
        made["properties"]["sharedKey"].is_null(),
        "keys are not read back"
    );
    let kept = refresh(&azure).await;
    assert_eq!(kept["properties"]["peerings"].as_array().unwrap().len(), 1);
    let key = azure.sandbox.with(|s| {
        causeway_sandbox::arm::view(s).circuits[0]
            .peering
            .clone()
            .unwrap()
            .shared_key
    });
    assert_eq!(
        key.as_deref(),
        Some("md5-secret"),
        "a refresh without the key keeps it"
    );
    let mut body = azure.get(CIRCUIT).await.body;
    body["properties"]
        .as_object_mut()
        .unwrap()
        .remove("peerings");
    azure.make(CIRCUIT, &body).await;
    assert_eq!(azure.get(PEERING).await.status, 404);
    assert!(
        azure
            .sandbox
            .with(|s| causeway_sandbox::arm::view(s).circuits[0].peering.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn the_provider_state_is_shown_only_after_a_refresh() {
    let azure = Azure::new().await;
    let key = azure.provisioned_circuit().await;
    azure.vxc_gone(&key, Port::Primary);
    // A refresh that ends before the provider has let go shows the old state.
    assert_eq!(state(&refresh(&azure).await), "Provisioned");
    azure.sleep(60.0).await;
    // The provider has let go; reads alone never show it.
    for _ in 0..5 {
        assert_eq!(state(&azure.get(CIRCUIT).await.body), "Provisioned");
        azure.sleep(300.0).await;
    }
    // Deleting it now is accepted and fails afterwards, with HTTP 200 on the status.
    let accepted = azure.delete(CIRCUIT).await;
    assert_eq!(accepted.status, 202);
    assert!(!accepted.header("location").is_empty());
    assert_eq!(
        azure.get(CIRCUIT).await.body["properties"]["provisioningState"],
        "Deleting"
    );
    let end = azure.wait(&accepted).await;
    assert_eq!(
        (end.status, end.body["status"].as_str().unwrap()),
        (200, "Failed")
    );
    assert_eq!(end.body["error"]["code"], "ConflictError");
    assert!(
        end.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("not in Deprovisioned state")
    );
    let by_location = azure.get(accepted.header("location")).await;
    assert_eq!(
        (by_location.status, by_location.code()),
        (409, "ConflictError")
    );
    assert_eq!(
        azure.get(CIRCUIT).await.body["properties"]["provisioningState"],
        "Failed"
    );
    // The refresh repairs it, and then it goes.
    assert_eq!(state(&refresh(&azure).await), "NotProvisioned");
    azure.remove(CIRCUIT).await;
    assert_eq!(azure.delete(CIRCUIT).await.status, 204);
    let ledger = azure.sandbox.with(|s| s.ledger.0.clone());
    assert!(ledger.len() == 1 && ledger[0].ended_at.is_some());
    assert!(
        azure
            .sandbox
            .with(|s| causeway_sandbox::arm::live(s))
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_refresh_the_provider_state_follows_after_hours() {
    let azure = Azure::new().await;
    let key = azure.provisioned_circuit().await;
    azure.vxc_gone(&key, Port::Primary);
    azure.sleep(4.0 * 3600.0).await;
    assert_eq!(state(&azure.get(CIRCUIT).await.body), "Provisioned");
    azure.sleep(130.0).await;
    assert_eq!(state(&azure.get(CIRCUIT).await.body), "NotProvisioned");
}

#[tokio::test(start_paused = true)]
async fn a_fault_makes_the_provider_lag_longer() {
    let azure = Azure::new().await;
    let key = azure.provisioned_circuit().await;
    azure.sandbox.add_fault(Fault {
        matches: Match::default(),
        effect: Effect::ProviderStateLag,
        status: None,
        code: None,
        seconds: Some(3600.0),
        times: None,
    });
    azure.vxc_gone(&key, Port::Primary);
    azure.sleep(1800.0).await;
    assert_eq!(state(&refresh(&azure).await), "Provisioned");
    azure.sleep(1900.0).await;
    assert_eq!(state(&refresh(&azure).await), "NotProvisioned");
}

#[tokio::test(start_paused = true)]
async fn the_circuit_stays_provisioned_while_a_port_is_left() {
    let azure = Azure::new().await;
    let key = azure.provisioned_circuit().await;
    azure.vxc_live(&key, Port::Secondary);
    azure.vxc_gone(&key, Port::Primary);
    azure.sleep(3600.0).await;
    assert_eq!(state(&refresh(&azure).await), "Provisioned");
    azure.vxc_gone(&key, Port::Secondary);
    azure.sleep(121.0).await;
    assert_eq!(state(&refresh(&azure).await), "NotProvisioned");
}

#[tokio::test(start_paused = true)]
async fn operations_on_one_circuit_exclude_each_other() {
    let azure = Azure::new().await;
    azure.provisioned_circuit().await;
    let running = azure.put(PEERING, &peering()).await;
    assert_eq!(running.status, 201);
    let body = azure.get(CIRCUIT).await.body;
    assert_eq!(body["properties"]["provisioningState"], "Updating");
    let a = azure.put(CIRCUIT, &body).await;
    assert_eq!((a.status, a.code()), (409, "AnotherOperationInProgress"));
    assert!(
        a.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("/operations/")
    );
    assert!(!a.header("retry-after").is_empty());
    assert_eq!(
        azure.delete(CIRCUIT).await.code(),
        "AnotherOperationInProgress"
    );
    assert_eq!(
        azure.delete(PEERING).await.code(),
        "AnotherOperationInProgress"
    );
    azure.wait(&running).await;
    azure.remove(PEERING).await;
    assert_eq!(azure.delete(PEERING).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn megaport_can_make_the_peering() {
    let azure = Azure::new().await;
    let key = azure.provisioned_circuit().await;
    let wish = ProviderPeering {
        peer_asn: 64600,
        primary_subnet: Some("169.254.101.216/30".into()),
        secondary_subnet: Some("169.254.101.220/30".into()),
        vlan: 100,
        shared_key: None,
    };
    azure
        .sandbox
        .with(|s| provider_side::create_peering(s, &key, &wish));
    assert_eq!(azure.get(PEERING).await.status, 404);
    azure.sleep(121.0).await;
    let made = azure.get(PEERING).await.body;
    assert_eq!(made["properties"]["lastModifiedBy"], "Provider");
    // A refresh does not make it the customer's.
    let body = refresh(&azure).await;
    assert_eq!(
        body["properties"]["peerings"][0]["properties"]["lastModifiedBy"],
        "Provider"
    );
    azure.remove(PEERING).await;
}

#[tokio::test(start_paused = true)]
async fn authorization_keys_leave_reads_with_2026() {
    let azure = Azure::new().await;
    azure.make(CIRCUIT, &circuit()).await;
    let path = format!("{CIRCUIT}/authorizations/other");
    let made = azure.make(&path, &json!({"properties": {}})).await;
    let key = made["properties"]["authorizationKey"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(made["properties"]["authorizationUseStatus"], "Available");
    let new = azure
        .get(&format!("{NETWORK}/{path}?api-version=2026-01-01"))
        .await
        .body;
    assert!(new["properties"]["authorizationKey"].is_null());
    let listed = azure
        .post(&format!("{NETWORK}/{path}/listKeys?api-version=2026-01-01"))
        .await;
    assert_eq!(
        (
            listed.status,
            listed.body["authorizationKey"].as_str().unwrap()
        ),
        (200, key.as_str())
    );
    assert_eq!(azure.post(&format!("{path}/listKeys")).await.status, 404);
    azure.remove(&path).await;
}
