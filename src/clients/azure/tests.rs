//! The ARM client against shapes written from azure.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::*;
use crate::clients::http::scripted::{Say, Scripted};
use crate::clients::http::{Endpoints, Transport, TransportError, TransportErrorKind};
use causeway_model::intent::{Intent, Sent};
use causeway_model::routes::Rows;
use causeway_model::routes::azure::{CircuitRouteRow, circuit_routes};
use causeway_model::secret::Secret;
use causeway_model::spec::{IpsecProfile, PeeringPort};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const BASE: &str = "https://management.azure.com";
const KEY: &str = "5b1e0000-service-key";

fn client(script: &Arc<Scripted>) -> AzureClient {
    client_on(script.clone())
}

fn client_on(transport: Arc<dyn Transport>) -> AzureClient {
    let credential = AzureCredential::ClientSecret {
        tenant_id: "11111111-0000-4000-8000-000000000001".into(),
        client_id: "client-1".into(),
        client_secret: Secret::new("client-secret-value"),
    };
    AzureClient::new(
        "sub-1",
        &credential,
        transport,
        &Endpoints::default(),
        API_VERSION,
    )
    .unwrap()
}

fn circuit_id() -> ResourceId {
    ResourceId::circuit("sub-1", "vpn-rg", "to-megaport")
}

fn circuit_body() -> Value {
    json!({
        "name": "to-megaport", "id": circuit_id().as_str(), "etag": "W/\"0f\"", "type": "Microsoft.Network/expressRouteCircuits",
        "location": "eastus2", "tags": null,
        "sku": {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
        "properties": {
            "provisioningState": "Succeeded", "resourceGuid": "g-1", "serviceKey": KEY, "circuitProvisioningState": "Enabled",
            "serviceProviderProvisioningState": "Provisioned", "stag": 21, "allowGlobalReach": false,
            "authorizations": [{"name": "a", "properties": {"authorizationKey": "hidden-auth-key"}}],
            "peerings": [{"name": "AzurePrivatePeering", "properties": {"peeringType": "AzurePrivatePeering", "peerASN": 64600,
                "primaryPeerAddressPrefix": "169.254.40.0/30", "vlanId": 310, "azureASN": 12076, "ipv6PeeringConfig": {"x": 1}}}],
            "serviceProviderProperties": {"serviceProviderName": "Megaport", "peeringLocation": "Washington DC2", "bandwidthInMbps": 50}
        }
    })
}

#[tokio::test]
async fn a_token_is_fetched_once_and_sent_with_the_pinned_version() {
    let s = Scripted::new([
        Say::Json(200, circuit_body()),
        Say::Json(
            404,
            json!({"error": {"code": "ResourceNotFound", "message": "no"}}),
        ),
    ]);
    let c = client(&s);
    let circuit = c.circuit(&circuit_id()).await.unwrap().unwrap();
    assert_eq!(
        circuit.properties.service_provider_provisioning_state,
        ProviderState::Provisioned
    );
    assert_eq!(circuit.properties.key(&circuit_id()).unwrap().expose(), KEY);
    assert!(c.circuit(&circuit_id()).await.unwrap().is_none());
    assert_eq!(s.tokens().len(), 1);
    let form = String::from_utf8(s.tokens()[0].body.to_vec()).unwrap();
    assert!(
        form.contains("scope=https%3A%2F%2Fmanagement.azure.com%2F.default"),
        "{form}"
    );
    let seen = &s.seen()[0];
    assert_eq!(
        seen.url,
        format!("{BASE}{}?api-version={API_VERSION}", circuit_id())
    );
    assert_eq!(seen.header("authorization"), Some("Bearer token-1"));
    assert!(seen.header("x-ms-client-request-id").is_some());
}

#[tokio::test]
async fn credentials_that_entra_refuses_are_an_auth_error_without_trace_ids() {
    let refused = json!({"error": "invalid_client", "error_codes": [7000215], "correlation_id": "c", "trace_id": "t", "timestamp": "2026-11-22",
        "error_description": "AADSTS7000215: Invalid client secret provided. Trace ID: 1234 Correlation ID: 99"});
    let s = Scripted::with_tokens([Say::Json(401, refused)], []);
    let e = client(&s).circuit(&circuit_id()).await.unwrap_err();
    assert!(e.is_auth(), "{e:?}");
    assert!(!e.may_have_happened());
    assert!(e.message.contains("AADSTS7000215"), "{e:?}");
    assert!(!e.to_string().contains("Trace ID"), "{e}");
    assert!(!e.to_string().contains("client-secret-value"));
    assert_eq!(s.tokens().len(), 1, "no retries inside the client");
}

#[tokio::test]
async fn an_unreachable_authority_is_transient() {
    let s = Scripted::with_tokens(
        [
            Say::Fail(TransportErrorKind::Connect, Sent::No),
            Say::Json(
                503,
                json!({"error": "temporarily_unavailable", "error_description": "x", "error_codes": [], "correlation_id": "", "trace_id": "", "timestamp": ""}),
            ),
        ],
        [],
    );
    let c = client(&s);
    for _ in 0..2 {
        let e = c.circuit(&circuit_id()).await.unwrap_err();
        assert!(e.is_transient(), "{e:?}");
    }
}

/// The authority refuses the first request for a token and takes its time for each.
#[derive(Debug)]
struct SlowAuthority(Arc<Scripted>);

#[async_trait::async_trait]
impl Transport for SlowAuthority {
    async fn send(
        &self,
        req: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, TransportError> {
        if req.uri().path().contains("oauth2") {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        self.0.send(req).await
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_token_shares_its_failure_and_keeps_no_core_busy() {
    let circuits = (0..9).map(|_| Say::Json(200, circuit_body()));
    let s = Scripted::with_tokens(
        [Say::Fail(TransportErrorKind::Broken, Sent::Maybe)],
        circuits,
    );
    let c = client_on(Arc::new(SlowAuthority(s.clone())));
    let began = tokio::time::Instant::now();
    let id = circuit_id();
    // Some ask when the first request is already under way, some when it has failed.
    let mut all = std::pin::pin!(futures::future::join_all((0..12_u64).map(async |n| {
        tokio::time::sleep(Duration::from_secs(5 * n)).await;
        c.circuit(&id).await
    })));
    let mut polls = 0;
    let answers = std::future::poll_fn(|cx| {
        polls += 1;
        assert!(polls < 1000, "polled without an end: time stands still");
        all.as_mut().poll(cx)
    })
    .await;
    // Those of the first 30 seconds.
    let failed = answers.iter().filter(|a| a.is_err()).count();
    assert!((6..=7).contains(&failed), "{failed} failed: {answers:?}");
    assert!(answers.iter().flatten().all(Option::is_some), "{answers:?}");
    assert!(
        answers
            .iter()
            .filter_map(|a| a.as_ref().err())
            .all(|e| e.is_transient()),
        "{answers:?}"
    );
    assert_eq!(s.tokens().len(), 2);
    assert!(
        began.elapsed() < Duration::from_secs(70),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn lists_follow_next_links_and_never_off_the_service() {
    let next = format!("{BASE}/subscriptions/sub-1/page2?api-version=x&$skiptoken=a");
    let s = Scripted::new([
        Say::Json(200, json!({"value": [circuit_body()], "nextLink": next})),
        Say::Json(200, json!({"value": [circuit_body()], "nextLink": null})),
        Say::Json(
            200,
            json!({"value": [], "nextLink": "https://evil.example/more"}),
        ),
    ]);
    let c = client(&s);
    assert_eq!(c.circuits("vpn-rg").await.unwrap().len(), 2);
    assert_eq!(s.seen()[1].url, next);
    let e = c.circuits("vpn-rg").await.unwrap_err();
    assert_eq!(e.code, "ForeignLink");
    assert_eq!(s.seen().len(), 3, "the token did not follow the link");
}

#[tokio::test]
async fn creating_a_circuit_sends_the_documented_body_and_hands_the_operation_back() {
    let url = format!(
        "{BASE}/subscriptions/sub-1/providers/Microsoft.Network/locations/eastus2/operations/1?api-version=x"
    );
    let s = Scripted::new([Say::Full(
        201,
        vec![
            ("azure-asyncoperation", url.clone()),
            ("location", "https://other".into()),
            ("retry-after", "10".into()),
        ],
        circuit_body().to_string(),
    )]);
    let spec = CircuitSpec {
        location: "eastus2".into(),
        tags: BTreeMap::from([("owner".to_owned(), "op".to_owned())]),
        sku_tier: "Standard".into(),
        sku_family: "MeteredData".into(),
        service_provider: "Megaport".into(),
        peering_location: "Washington DC2".into(),
        bandwidth_mbps: 50,
    };
    let accepted = client(&s)
        .create_circuit(&circuit_id(), &spec)
        .await
        .unwrap();
    assert_eq!(accepted.operation_url, Some(url));
    assert_eq!(accepted.retry_after, Some(Duration::from_secs(10)));
    assert!(!format!("{accepted:?}").contains(KEY));
    let seen = &s.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.header("if-match")),
        ("PUT", None)
    );
    assert_eq!(
        seen.json(),
        json!({"location": "eastus2", "tags": {"owner": "op"},
            "sku": {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
            "properties": {"allowClassicOperations": false, "serviceProviderProperties":
                {"serviceProviderName": "Megaport", "peeringLocation": "Washington DC2", "bandwidthInMbps": 50}}})
    );
}

#[tokio::test]
async fn read_change_write_keeps_what_we_do_not_know_and_sends_the_etag() {
    let s = Scripted::new([
        Say::Json(200, circuit_body()),
        Say::Json(200, circuit_body()),
    ]);
    let c = client(&s);
    let mut circuit = c.circuit(&circuit_id()).await.unwrap().unwrap();
    circuit
        .properties
        .service_provider_properties
        .as_mut()
        .unwrap()
        .bandwidth_in_mbps = Some(100);
    c.update_circuit(&circuit_id(), &circuit).await.unwrap();
    let seen = &s.seen()[1];
    assert_eq!(seen.header("if-match"), Some("W/\"0f\""));
    let mut want = circuit_body();
    want["properties"]["serviceProviderProperties"]["bandwidthInMbps"] = json!(100);
    want.as_object_mut().unwrap().remove("tags");
    // The peering gains only the state that a missing one stands for.
    want["properties"]["peerings"][0]["properties"]["provisioningState"] = json!("Succeeded");
    assert_eq!(seen.json(), want);
}

#[tokio::test]
async fn a_refresh_puts_the_whole_body_back_and_the_key_that_reads_hide() {
    let s = Scripted::new([
        Say::Json(200, circuit_body()),
        Say::Json(200, circuit_body()),
    ]);
    let key = Secret::new("md5-key");
    client(&s)
        .refresh_circuit(&circuit_id(), Some(&key))
        .await
        .unwrap();
    let mut want = circuit_body();
    want["properties"]["peerings"][0]["properties"]["sharedKey"] = json!("md5-key");
    let seen = &s.seen()[1];
    assert_eq!(seen.json(), want);
    assert_eq!(seen.header("if-match"), Some("W/\"0f\""));
}

#[tokio::test]
async fn operations_are_judged_by_their_status_word_not_by_http() {
    let url = format!(
        "{BASE}/subscriptions/sub-1/providers/Microsoft.Network/locations/eastus2/operations/1?api-version=x"
    );
    let s = Scripted::new([
        Say::Full(
            200,
            vec![("retry-after", "5".into())],
            json!({"status": "InProgress"}).to_string(),
        ),
        Say::Json(200, json!({"status": "Fiddling"})),
        Say::Json(200, json!({"status": "Succeeded"})),
        Say::Json(
            200,
            json!({"status": "Failed", "error": {"code": "ConflictError", "message": "The specified dedicated circuit is not in Deprovisioned state."}}),
        ),
        Say::Json(200, json!({"status": "Canceled"})),
        Say::Json(
            404,
            json!({"error": {"code": "NotFound", "message": "gone"}}),
        ),
    ]);
    let c = client(&s);
    let at = async || {
        c.operation_status("expressRouteCircuits.delete", &circuit_id(), &url)
            .await
    };
    assert_eq!(
        at().await.unwrap(),
        OperationStatus::InProgress {
            retry_after: Some(Duration::from_secs(5))
        }
    );
    assert_eq!(
        at().await.unwrap(),
        OperationStatus::InProgress { retry_after: None }
    );
    assert_eq!(at().await.unwrap(), OperationStatus::Succeeded);
    let OperationStatus::Failed(e) = at().await.unwrap() else {
        panic!("not failed")
    };
    assert!(e.is_blocked());
    assert_eq!(e.sent, Sent::Yes);
    let OperationStatus::Failed(e) = at().await.unwrap() else {
        panic!("not failed")
    };
    assert_eq!(e.code, "OperationCanceled");
    assert!(at().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn diagnostics_end_with_a_200_whatever_its_body() {
    let location = format!(
        "{BASE}/subscriptions/sub-1/providers/Microsoft.Network/locations/eastus2/operationResults/1?api-version=x"
    );
    let rows = json!({"value": [{"network": "172.16.0.0", "nextHop": "169.254.40.1", "locPrf": "", "weight": 0, "path": "64600 64901"}], "nextLink": null});
    let s = Scripted::new([
        Say::Full(
            202,
            vec![("location", location.clone()), ("retry-after", "3".into())],
            String::new(),
        ),
        Say::Full(202, vec![], String::new()),
        Say::Json(200, rows),
        Say::Full(204, vec![], String::new()),
        Say::Json(
            500,
            json!({"error": {"code": "InternalServerError", "message": "An error occurred."}}),
        ),
    ]);
    let c = client(&s);
    let started = c
        .start_circuit_routes(&circuit_id(), PeeringPort::Primary)
        .await
        .unwrap();
    let Long::Running {
        location: at,
        retry_after,
    } = started
    else {
        panic!("not running")
    };
    assert_eq!(
        (at.as_str(), retry_after),
        (location.as_str(), Some(Duration::from_secs(3)))
    );
    assert_eq!(
        s.seen()[0].url,
        format!(
            "{BASE}{}/peerings/AzurePrivatePeering/routeTables/primary?api-version={API_VERSION}",
            circuit_id()
        )
    );
    let poll = async || {
        c.poll::<Rows<CircuitRouteRow>>("x", &circuit_id(), &at)
            .await
    };
    // A 202 without a Location is polled where it was.
    assert!(matches!(poll().await.unwrap(), Long::Running { location, .. } if location == at));
    let Long::Done(rows) = poll().await.unwrap() else {
        panic!("not done")
    };
    assert!(circuit_routes(&rows.rows).has("172.16.0.0/16".parse().unwrap()));
    assert!(matches!(poll().await.unwrap(), Long::Done(rows) if rows.rows.is_empty()));
    let e = poll().await.unwrap_err();
    assert!(e.is_transient() && e.code == "InternalServerError");
}

#[tokio::test]
async fn deleting_what_is_absent_succeeds() {
    let s = Scripted::new([
        Say::Full(204, vec![], String::new()),
        Say::Json(
            404,
            json!({"error": {"code": "ParentResourceNotFound", "message": "x"}}),
        ),
        Say::Full(202, vec![("location", format!("{BASE}/x"))], String::new()),
    ]);
    let c = client(&s);
    assert!(c.delete_circuit(&circuit_id()).await.unwrap().is_none());
    assert!(
        c.delete_private_peering(&circuit_id())
            .await
            .unwrap()
            .is_none()
    );
    let accepted = c.delete_circuit(&circuit_id()).await.unwrap().unwrap();
    assert_eq!(accepted.operation_url, Some(format!("{BASE}/x")));
}

#[tokio::test]
async fn a_lost_answer_is_ambiguous_and_a_refused_connection_is_not() {
    for (kind, sent) in [
        (TransportErrorKind::Timeout, Sent::Maybe),
        (TransportErrorKind::Broken, Sent::Maybe),
        (TransportErrorKind::Connect, Sent::No),
    ] {
        let s = Scripted::new([Say::Fail(kind, sent)]);
        let e = client(&s).delete_circuit(&circuit_id()).await.unwrap_err();
        assert!(e.is_transient());
        assert_eq!(e.sent, sent);
    }
}

#[tokio::test]
async fn vpn_bodies_spell_the_two_configuration_ids_differently() {
    let s = Scripted::new([Say::Json(201, json!({})), Say::Json(201, json!({}))]);
    let c = client(&s);
    let gateway = ResourceId::gateway("sub-1", "vpn-rg", "vnet-gateway");
    let vnet = ResourceId::virtual_network("sub-1", "vpn-rg", "vnet");
    let instance = |n: u8| VpnInstanceSpec {
        ip_configuration: format!("ipc{n}"),
        public_ip: ResourceId::public_ip("sub-1", "vpn-rg", &format!("pip-{n}")),
        bgp_addresses: vec![format!("169.254.21.{}", 4 * n + 2)],
    };
    let spec = VpnGatewaySpec {
        location: "eastus2".into(),
        tags: BTreeMap::new(),
        sku: "VpnGw2AZ".into(),
        generation: "Generation2".into(),
        asn: 65515,
        subnet: vnet.gateway_subnet(),
        instances: vec![instance(0), instance(1)],
    };
    c.create_vpn_gateway(&gateway, &spec).await.unwrap();
    let body = s.seen()[0].json();
    assert_eq!(body["properties"]["activeActive"], json!(true));
    assert_eq!(
        body["properties"]["bgpSettings"]["bgpPeeringAddresses"][1],
        json!({"ipconfigurationId": format!("{gateway}/ipConfigurations/ipc1"), "customBgpIpAddresses": ["169.254.21.6"]})
    );
    let profile = IpsecProfile::cbc();
    let spec = IpsecConnectionSpec {
        location: "eastus2".into(),
        tags: BTreeMap::new(),
        gateway: gateway.clone(),
        local_gateway: ResourceId::local_gateway("sub-1", "vpn-rg", "lng"),
        shared_key: Secret::new("psk-value"),
        enable_bgp: true,
        dpd_timeout_seconds: 45,
        policy: IpsecPolicy {
            sa_life_time_seconds: profile.lifetime_seconds,
            sa_data_size_kilobytes: 102_400_000,
            ipsec_encryption: profile.esp_encryption.clone(),
            ipsec_integrity: profile.esp_integrity.clone(),
            ike_encryption: profile.ike_encryption.clone(),
            ike_integrity: profile.ike_integrity.clone(),
            dh_group: profile.dh_group.clone(),
            pfs_group: profile.pfs_group.clone(),
        },
        custom_bgp_addresses: vec![("ipc0".into(), "169.254.21.2".into())],
    };
    assert!(!format!("{spec:?}").contains("psk-value"));
    c.create_ipsec_connection(&ResourceId::connection("sub-1", "vpn-rg", "c"), &spec)
        .await
        .unwrap();
    let p = &s.seen()[1].json()["properties"];
    assert_eq!(
        p["gatewayCustomBgpIpAddresses"][0]["ipConfigurationId"],
        json!(format!("{gateway}/ipConfigurations/ipc0"))
    );
    assert_eq!(
        p["virtualNetworkGateway1"],
        json!({"id": gateway.as_str(), "properties": {}})
    );
    assert_eq!(
        p["ipsecPolicies"][0].as_object().unwrap().len(),
        8,
        "all eight fields are mandatory"
    );
}

#[tokio::test]
async fn shared_keys_come_as_text_or_as_an_empty_list() {
    let s = Scripted::new([
        Say::Json(200, json!({"value": "psk-value"})),
        Say::Json(200, json!({"value": []})),
    ]);
    let c = client(&s);
    let id = ResourceId::connection("sub-1", "vpn-rg", "c");
    assert_eq!(
        c.shared_key(&id).await.unwrap().unwrap().expose(),
        "psk-value"
    );
    assert!(c.shared_key(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn nothing_that_prints_shows_a_key() {
    let mut body = circuit_body();
    body["properties"]["peerings"][0]["properties"]["sharedKey"] = json!("md5-key-value");
    // A shape that does not fit: serde would quote the value.
    let mut odd = circuit_body();
    odd["properties"]["peerings"] = json!("quoted-by-serde");
    let s = Scripted::new([Say::Json(200, body), Say::Json(200, odd)]);
    let c = client(&s);
    let shown = format!("{:?}", c.circuit(&circuit_id()).await.unwrap());
    for secret in [KEY, "md5-key-value", "hidden-auth-key"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let e = c.circuit(&circuit_id()).await.unwrap_err();
    assert_eq!(e.code, "UnreadableAnswer");
    assert!(!format!("{e:?}{e}").contains("quoted-by-serde"), "{e}");
    assert!(!format!("{c:?}").contains("client-secret-value"));
}

#[tokio::test]
async fn an_id_that_would_leave_its_path_is_not_sent() {
    let s = Scripted::new([]);
    let bad = ResourceId::new("/subscriptions/s/../../tenants");
    let e = client(&s).circuit(&bad).await.unwrap_err();
    assert_eq!(e.intent, Intent::Terminal);
    assert!(s.seen().is_empty());
}

#[tokio::test]
async fn a_pod_without_workload_identity_says_so() {
    if std::env::var_os("AZURE_FEDERATED_TOKEN_FILE").is_some() {
        return;
    }
    let s = Scripted::new([]);
    let made = AzureClient::new(
        "sub-1",
        &AzureCredential::WorkloadIdentity,
        s.clone(),
        &Endpoints::default(),
        API_VERSION,
    );
    let e = made.unwrap_err();
    assert!(e.is_auth(), "{e:?}");
    assert!(e.to_string().contains("workload identity"), "{e}");
}
