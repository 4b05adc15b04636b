//! The Megaport client against shapes written from megaport.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::*;
use crate::clients::http::scripted::{Say, Scripted};
use crate::clients::http::{Endpoints, TransportErrorKind};
use causeway_model::intent::{Intent, Sent};
use causeway_model::routes::{Rows, SessionState};
use causeway_model::secret::Secret;
use causeway_model::spec::PeeringPort;
use serde_json::{Value, json};
use std::sync::Arc;

const MCR: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const VXC: &str = "bbbbbbbb-0000-4000-8000-000000000001";

fn client(script: &Arc<Scripted>) -> MegaportClient {
    let credential = MegaportCredential {
        access_key: "access-1".into(),
        secret_key: Secret::new("api-secret-value"),
    };
    MegaportClient::new(&credential, script.clone(), &Endpoints::default())
}

fn data(v: Value) -> Say {
    Say::Json(200, json!({"message": "m", "terms": "t", "data": v}))
}

fn mcr_order() -> McrOrder {
    McrOrder {
        name: "op-eu-1 [token]".into(),
        location_id: 67,
        port_speed_mbps: 1000,
        term_months: 1,
        asn: 64600,
        diversity_zone: Some("Red".into()),
        cost_centre: None,
        tags: Tags::from([("owner".to_owned(), "uid-1".to_owned())]),
    }
}

fn interface(password: Option<&str>) -> RouterInterface {
    RouterInterface {
        description: "to-aws".into(),
        vlan: None,
        address: "169.254.50.218/30".parse().unwrap(),
        sessions: vec![RouterBgp {
            peer_asn: 64901,
            local_address: "169.254.50.218".parse().unwrap(),
            peer_address: "169.254.50.217".parse().unwrap(),
            password: password.map(Secret::new),
            shutdown: false,
            description: "lab".into(),
            bfd: true,
            as_path_prepend: 0,
            med_out: None,
            deny_export_to: vec![],
        }],
    }
}

fn aws_order() -> VxcOrder {
    VxcOrder {
        name: "op-aws-1 [token]".into(),
        router_uid: MCR.into(),
        rate_limit_mbps: 50,
        term_months: 1,
        cost_centre: Some("net".into()),
        tags: Tags::from([("owner".to_owned(), "uid-1".to_owned())]),
        interfaces: vec![interface(Some("md5-key-value"))],
        far_end: FarEnd::AwsVif {
            port_uid: "port-1".into(),
            owner_account: "111122223333".into(),
            vif_name: "lab-vif".into(),
            asn: 64600,
            amazon_asn: Some(64901),
            auth_key: Secret::new("md5-key-value"),
            customer_address: "169.254.50.218/30".parse().unwrap(),
            amazon_address: "169.254.50.217/30".parse().unwrap(),
        },
    }
}

#[tokio::test]
async fn a_token_is_fetched_with_basic_auth_and_reused() {
    let s = Scripted::new([data(json!([])), data(json!([]))]);
    let c = client(&s);
    c.products().await.unwrap();
    c.products().await.unwrap();
    assert_eq!(s.tokens().len(), 1);
    let token = &s.tokens()[0];
    assert_eq!(
        token.url,
        "https://auth-m2m.megaport.com/oauth2/token?grant_type=client_credentials"
    );
    assert!(token.header("authorization").unwrap().starts_with("Basic "));
    assert_eq!(s.seen()[1].header("authorization"), Some("Bearer token-1"));
}

#[tokio::test]
async fn an_expired_token_is_renewed_before_it_is_used() {
    let short = || {
        Say::Json(
            200,
            json!({"access_token": "short", "token_type": "Bearer", "expires_in": 0}),
        )
    };
    let s = Scripted::with_tokens([short(), short()], [data(json!([])), data(json!([]))]);
    let c = client(&s);
    c.products().await.unwrap();
    c.products().await.unwrap();
    assert_eq!(s.tokens().len(), 2);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let refused = || {
        Say::Json(
            401,
            json!({"message": "Access token is missing, unknown or expired"}),
        )
    };
    let s = Scripted::new([refused(), data(json!([])), refused(), refused()]);
    let c = client(&s);
    c.products().await.unwrap();
    assert_eq!(s.tokens().len(), 2);
    assert_eq!(s.seen()[1].header("authorization"), Some("Bearer token-2"));
    let e = c.products().await.unwrap_err();
    assert!(e.is_auth());
    assert_eq!(s.seen().len(), 4, "not a third time");
}

#[tokio::test]
async fn wrong_keys_are_an_auth_error_in_every_form() {
    let answers = [
        Say::Json(400, json!({"error": "invalid_client"})),
        Say::Json(401, json!({"message": "no"})),
        Say::Json(200, json!({"error": "invalid_client"})),
    ];
    let s = Scripted::with_tokens(answers, []);
    let c = client(&s);
    for _ in 0..3 {
        let e = c.check_access().await.unwrap_err();
        assert!(e.is_auth(), "{e:?}");
        assert!(!e.may_have_happened());
        assert!(
            e.to_string().contains("access-1") && !e.to_string().contains("api-secret-value"),
            "{e}"
        );
    }
}

#[tokio::test]
async fn an_mcr_order_has_the_documented_body_and_answers_its_uid() {
    let s = Scripted::new([data(json!([])), data(json!([{"technicalServiceUid": MCR}]))]);
    let c = client(&s);
    c.validate_mcr(&mcr_order()).await.unwrap();
    assert_eq!(c.buy_mcr(&mcr_order()).await.unwrap(), MCR);
    let order = json!({"productType": "MCR2", "productName": "op-eu-1 [token]", "locationId": 67, "portSpeed": 1000, "term": 1,
        "costCentre": "", "marketplaceVisibility": false, "config": {"mcrAsn": 64600, "diversityZone": "red"},
        "resourceTags": [{"key": "owner", "value": "uid-1"}]});
    let seen = s.seen();
    assert_eq!(
        seen[0].url,
        "https://api.megaport.com/v3/networkdesign/validate"
    );
    assert_eq!(
        seen[0].json(),
        json!([order]),
        "validate takes the bare array"
    );
    assert_eq!(seen[1].url, "https://api.megaport.com/v4/networkdesign/buy");
    assert_eq!(
        seen[1].json(),
        json!({"networkDesign": [order], "discountCodes": []})
    );
}

#[tokio::test]
async fn a_vxc_order_carries_the_key_on_both_sides() {
    let s = Scripted::new([data(
        json!([{"vxcJTechnicalServiceUid": VXC, "vxc": {"technicalServiceUid": VXC}}]),
    )]);
    assert_eq!(client(&s).buy_vxc(&aws_order()).await.unwrap(), VXC);
    assert_eq!(
        s.seen()[0].json()["networkDesign"][0],
        json!({"productUid": MCR, "associatedVxcs": [{"productName": "op-aws-1 [token]", "rateLimit": 50, "term": 1, "shutdown": false,
            "resourceTags": [{"key": "owner", "value": "uid-1"}],
            "aEnd": {"vlan": 0, "partnerConfig": {"interfaces": [{"description": "to-aws", "interfaceType": "subInterface",
                "ipAddresses": ["169.254.50.218/30"], "bgpConnections": [{"peerAsn": 64901, "localIpAddress": "169.254.50.218",
                "peerIpAddress": "169.254.50.217", "password": "md5-key-value", "shutdown": false, "description": "lab", "bfdEnabled": true,
                "asPathPrependCount": 0}]}]}},
            "bEnd": {"productUid": "port-1", "vlan": 0, "partnerConfig": {"connectType": "AWS", "type": "private", "ownerAccount": "111122223333",
                "name": "lab-vif", "asn": 64600, "authKey": "md5-key-value", "customerIpAddress": "169.254.50.218/30",
                "amazonIpAddress": "169.254.50.217/30", "amazonAsn": 64901}},
            "costCentre": "net"}]})
    );
}

#[tokio::test]
async fn an_azure_vxc_names_the_port_and_sends_no_peers() {
    let s = Scripted::new([data(json!([{"vxcJTechnicalServiceUid": VXC}]))]);
    let mut order = aws_order();
    order.interfaces[0].vlan = Some(100);
    order.interfaces[0].sessions[0].deny_export_to = vec!["169.254.101.222".parse().unwrap()];
    order.far_end = FarEnd::Azure {
        port_uid: "port-2".into(),
        service_key: Secret::new("key-1"),
    };
    client(&s).buy_vxc(&order).await.unwrap();
    let vxc = &s.seen()[0].json()["networkDesign"][0]["associatedVxcs"][0];
    assert_eq!(
        vxc["bEnd"],
        json!({"productUid": "port-2", "vlan": 0, "partnerConfig": {"connectType": "AZURE", "serviceKey": "key-1", "peers": []}})
    );
    let interface = &vxc["aEnd"]["partnerConfig"]["interfaces"][0];
    assert_eq!(interface["vlan"], json!(100));
    assert_eq!(
        interface["bgpConnections"][0]["denyExportTo"],
        json!(["169.254.101.222"])
    );
}

#[tokio::test]
async fn a_buy_is_sent_once_whatever_happens() {
    let cases = [
        (
            Say::Json(
                500,
                json!({"message": "Problem talking with network provisioning system, got code 500"}),
            ),
            Sent::Maybe,
        ),
        (
            Say::Fail(TransportErrorKind::Timeout, Sent::Maybe),
            Sent::Maybe,
        ),
        (Say::Fail(TransportErrorKind::Connect, Sent::No), Sent::No),
        (Say::Json(429, json!({"message": "slow down"})), Sent::No),
        (
            Say::Json(400, json!({"message": "Validation failed", "data": "term"})),
            Sent::No,
        ),
        // Accepted, but we cannot tell what was bought.
        (data(json!([{"serviceName": "x"}])), Sent::Yes),
        (Say::Full(200, vec![], "<html>".into()), Sent::Yes),
    ];
    for (say, sent) in cases {
        let shown = format!("{say:?}");
        let s = Scripted::new([say]);
        let e = client(&s).buy_vxc(&aws_order()).await.unwrap_err();
        assert_eq!(e.sent, sent, "{shown}");
        assert_eq!(s.seen().len(), 1, "{shown}");
    }
}

#[tokio::test]
async fn keys_that_the_service_quotes_are_masked() {
    let s = Scripted::new([
        Say::Json(
            400,
            json!({"message": "bad authKey md5-key-value", "data": ["md5-key-value is too short"]}),
        ),
        Say::Json(
            400,
            json!({"message": "No ExpressRoute circuit was found for service key key-1-of-circuit"}),
        ),
    ]);
    let c = client(&s);
    let e = c.buy_vxc(&aws_order()).await.unwrap_err();
    assert!(!format!("{e:?}{e}").contains("md5-key-value"), "{e}");
    let e = c
        .azure_key(&Secret::new("key-1-of-circuit"))
        .await
        .unwrap_err();
    assert!(e.is_blocked(), "a young circuit is waited for: {e:?}");
    assert!(!format!("{e:?}{e}").contains("key-1-of-circuit"), "{e}");
}

#[tokio::test]
async fn an_azure_key_has_two_ports() {
    let s = Scripted::new([data(
        json!({"connectType": "AZURE", "bandwidth": 200, "bandwidths": [200], "vlan": "3001", "megaports": [
        {"type": "primary", "productUid": "p-1", "portSpeed": 10000, "locationId": 88, "vxc": 60001},
        {"type": "secondary", "productUid": "p-2", "portSpeed": 10000, "locationId": 88, "vxc": null}]}),
    )]);
    let key = client(&s).azure_key(&Secret::new("key-1")).await.unwrap();
    assert_eq!((key.bandwidth, key.vlan), (Some(200), Some(3001)));
    assert!(!key.port(PeeringPort::Primary).unwrap().is_free());
    assert_eq!(key.port(PeeringPort::Secondary).unwrap().product_uid, "p-2");
    assert!(key.port(PeeringPort::Secondary).unwrap().is_free());
}

fn vxc_body(csp: Value) -> Value {
    json!({"productUid": VXC, "productName": "op-aws-1", "productType": "VXC", "rateLimit": 50, "provisioningStatus": "LIVE", "up": true,
        "shutdown": false, "locked": false, "adminLocked": false, "cancelable": true, "costCentre": null, "contractTermMonths": 1,
        "vxcApproval": {"status": null}, "aEnd": {"productUid": MCR, "locationId": 67, "vlan": 3},
        "bEnd": {"productUid": "port-9", "locationId": 67, "vlan": 213, "innerVlan": null},
        "resources": {"vll": {"up": 1}, "interface": [], "csp_connection": csp}})
}

#[tokio::test]
async fn products_are_read_in_every_shape_that_was_seen() {
    let router = |connections: Value| {
        json!({"connectType": "VROUTER", "resource_name": "a_csp_connection", "bgp_peers": ["169.254.50.217"],
        "bgp_status": {"169.254.50.217": 1}, "interfaces": [{"vlan": null, "ipAddresses": ["169.254.50.218/30"], "bgpConnections": connections}]})
    };
    let session = json!({"peerAsn": "64901", "localIpAddress": "169.254.50.218", "peerIpAddress": "169.254.50.217", "password": "md5-key-value",
        "shutdown": false, "bfdEnabled": true, "asPathPrependCount": null, "medOut": null, "denyExportTo": null});
    let aws = json!({"connectType": "AWS", "resource_name": "b_csp_connection", "vif_id": "dxvif-1", "account": "111122223333", "asn": 64600,
        "peerAsn": 64901, "customer_address": "169.254.50.218/30", "amazon_address": "169.254.50.217/30", "authKey": "md5-key-value", "vlan": 213});
    let both = vxc_body(json!([router(json!([session])), aws]));
    let bare = {
        let mut v = vxc_body(router(session.clone()));
        v["productUid"] = json!("bbbbbbbb-0000-4000-8000-000000000002");
        v
    };
    let dead = json!({"productUid": "bbbbbbbb-0000-4000-8000-000000000003", "productType": "VXC", "productName": "old",
        "provisioningStatus": "DECOMMISSIONED", "resources": {"vll": []}, "aEnd": null, "bEnd": {"productUid": null}});
    let mcr = json!({"productUid": MCR, "productName": "op-eu-1", "productType": "MCR2", "provisioningStatus": "LIVE", "portSpeed": 1000,
        "locationId": 67, "diversityZone": "red", "costCentre": "net", "contractTermMonths": 1, "locked": false, "cancelable": true,
        "associatedVxcs": [both, bare, dead], "resources": {"virtual_router": {"mcrAsn": 64600}, "interface": {"up": 1}}});
    let port = json!({"productUid": "p", "productType": "MEGAPORT", "provisioningStatus": "LIVE", "associatedVxcs": both.clone()});
    let gone = json!({"productUid": "m2", "productType": "MCR2", "provisioningStatus": "NOVEL_STATE", "associatedVxcs": null, "resources": null});
    let s = Scripted::new([data(json!([mcr, port, gone]))]);
    let products = client(&s).products().await.unwrap();
    let m = products.mcr(MCR).unwrap();
    assert_eq!(
        (m.asn, m.port_speed_mbps, m.vxc_uids.len()),
        (Some(64600), 1000, 3)
    );
    assert!(m.status.is_ready() && m.cancelable);
    let novel = &products.mcr("m2").unwrap().status;
    assert!(!novel.is_ready() && !novel.is_gone() && !novel.is_terminating());
    assert_eq!(
        products.vxcs.len(),
        3,
        "listed under two products, kept once"
    );
    let v = products.vxc(VXC).unwrap();
    assert_eq!(v.aws.as_ref().unwrap().vif_id.as_deref(), Some("dxvif-1"));
    assert_eq!(v.aws.as_ref().unwrap().amazon_asn, Some(64901));
    assert_eq!(v.sessions().rows[0].state, SessionState::Up);
    assert_eq!(v.sessions().rows[0].peer_asn, Some(64901));
    let bare = products
        .vxc("bbbbbbbb-0000-4000-8000-000000000002")
        .unwrap();
    assert_eq!(
        bare.sessions().rows[0].state,
        SessionState::Up,
        "a bare object instead of a list"
    );
    let dead = products
        .vxc("bbbbbbbb-0000-4000-8000-000000000003")
        .unwrap();
    assert!(dead.status.is_gone() && dead.router.is_none());
    assert!(!format!("{products:?}").contains("md5-key-value"));
}

#[tokio::test]
async fn a_vxc_that_somebody_shut_is_administratively_down() {
    let csp = json!({"connectType": "VROUTER", "resource_name": "a_csp_connection", "bgp_status": {"169.254.50.217": 0}, "interfaces": [
        {"bgpConnections": {"peerIpAddress": "169.254.50.217", "localIpAddress": "169.254.50.218", "peerAsn": 64901, "shutdown": true}}]});
    let s = Scripted::new([data(vxc_body(csp))]);
    let vxc = client(&s).vxc(VXC).await.unwrap().unwrap();
    assert_eq!(
        vxc.sessions().rows[0].state,
        SessionState::AdministrativelyDown
    );
}

#[tokio::test]
async fn a_missing_product_may_be_a_400_and_a_missing_list_is_not_an_empty_account() {
    let s = Scripted::new([
        Say::Json(
            400,
            json!({"message": format!("Could not find a service with UID {MCR}"), "data": null}),
        ),
        Say::Json(404, json!({"message": "Not Found"})),
        Say::Json(
            400,
            json!({"message": format!("Could not find a service with UID {MCR}")}),
        ),
        data(Value::Null),
    ]);
    let c = client(&s);
    assert!(c.mcr(MCR).await.unwrap().is_none());
    assert!(c.tags(MCR).await.unwrap().is_none());
    c.cancel_mcr(MCR).await.unwrap();
    assert!(
        s.seen()[2]
            .url
            .ends_with("/action/CANCEL_NOW?safeDelete=true")
    );
    assert_eq!(c.products().await.unwrap_err().code, "UnreadableAnswer");
}

#[tokio::test]
async fn an_update_sends_all_sessions_with_their_keys_and_no_vlan() {
    let s = Scripted::new([data(json!({})), data(json!({}))]);
    let c = client(&s);
    let update = VxcUpdate {
        interfaces: Some(vec![interface(Some("md5-key-value"))]),
        rate_limit_mbps: Some(100),
        ..VxcUpdate::default()
    };
    c.update_vxc(VXC, &update).await.unwrap();
    let body = s.seen()[0].json();
    assert_eq!(
        body["aEndConfig"]["interfaces"][0]["bgpConnections"][0]["password"],
        json!("md5-key-value")
    );
    assert_eq!(body["rateLimit"], json!(100));
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    c.update_mcr(
        MCR,
        &McrUpdate {
            name: None,
            cost_centre: "net".into(),
            term_months: None,
        },
    )
    .await
    .unwrap();
    assert_eq!(s.seen()[1].json(), json!({"costCentre": "net"}));
}

#[tokio::test]
async fn diagnostics_are_pending_until_a_200_and_empty_is_a_result() {
    let s = Scripted::new([
        data(json!("op-7")),
        Say::Json(202, json!({"message": "Operation is still in progress"})),
        data(json!([])),
        data(
            json!([{"prefix": "172.29.0.0/16", "asPath": "12076 65515", "source": "169.254.101.218", "best": true, "external": true, "valid": true, "nextHop": {"ip": "169.254.101.218", "vxc": {"id": 7, "name": "er"}}}]),
        ),
    ]);
    let c = client(&s);
    let id = c
        .start_neighbor_routes(MCR, "169.254.101.218".parse().unwrap(), Direction::Received)
        .await
        .unwrap();
    assert!(s.seen()[0].url.ends_with("/diagnostics/routes/bgp/neighbor?async=true&direction=RECEIVED&peer_ip_address=169.254.101.218"));
    assert_eq!(c.poll_bgp_routes(MCR, &id).await.unwrap(), None);
    assert_eq!(
        c.poll_bgp_routes(MCR, &id).await.unwrap(),
        Some(Rows::default())
    );
    let rows = c.poll_bgp_routes(MCR, &id).await.unwrap().unwrap();
    assert!(
        causeway_model::routes::megaport::bgp_routes(&rows.rows)
            .has("172.29.0.0/16".parse().unwrap())
    );
}

#[tokio::test]
async fn catalogues_tolerate_null_zones_and_drop_closed_ports() {
    let s = Scripted::new([
        data(
            json!([{"id": 67, "name": "DC2", "status": "Active", "diversityZones": {"red": {"mcrSpeedMbps": [1000, 2500]}, "blue": null}},
            {"id": 68, "name": "Old", "status": "Expired", "diversityZones": null}]),
        ),
        data(
            json!([{"connectType": "AWS", "productUid": "b", "vxcPermitted": true, "rank": 20, "locationId": 67},
            {"connectType": "AWS", "productUid": "a", "vxcPermitted": true, "rank": 10, "locationId": 67},
            {"connectType": "AWS", "productUid": "closed", "vxcPermitted": false, "rank": 1, "locationId": 67},
            {"connectType": "AWSHC", "productUid": "hc", "vxcPermitted": true, "rank": 1, "locationId": 67}]),
        ),
    ]);
    let c = client(&s);
    let locations = c.locations().await.unwrap();
    assert_eq!(locations[0].mcr_speeds(Some("Red")), [1000, 2500]);
    assert!(locations[0].mcr_speeds(Some("blue")).is_empty() && !locations[1].is_orderable());
    let ports: Vec<_> = c
        .partner_ports("AWS")
        .await
        .unwrap()
        .into_iter()
        .map(|p| p.product_uid)
        .collect();
    assert_eq!(ports, ["a", "b"]);
}

#[tokio::test]
async fn identifiers_that_would_leave_their_path_are_not_sent() {
    let s = Scripted::new([]);
    let c = client(&s);
    for bad in ["", "../products", "a/b", "a?x=y"] {
        let e = c.mcr(bad).await.unwrap_err();
        assert_eq!(e.intent, Intent::Terminal, "{bad}");
    }
    assert!(s.seen().is_empty() && s.tokens().is_empty());
}

#[test]
fn a_key_that_is_masked_is_not_known() {
    let key = |shown: &str| {
        let session: SeenBgp = serde_json::from_value(json!({ "password": shown })).unwrap();
        session.password.map(|k| k.expose().to_owned())
    };
    assert_eq!(key("md5-key-value").as_deref(), Some("md5-key-value"));
    assert_eq!(key("md5*key").as_deref(), Some("md5*key"));
    for shown in ["", "********"] {
        assert_eq!(key(shown), None, "{shown}");
    }
}
