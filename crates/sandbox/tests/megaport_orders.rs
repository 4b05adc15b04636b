//! Megaport: tokens, orders and what becomes of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod megaport_support;

use causeway_sandbox::faults::{Effect, Fault, Match};
use causeway_sandbox::ledger::ProductKind;
use causeway_sandbox::wire::Listener;
use causeway_sandbox::{Sandbox, Settings};
use http::Method;
use megaport_support::*;
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn token_in_each_form_and_refusals() {
    let sandbox = Sandbox::new(Settings {
        world: world(),
        ..Settings::default()
    });
    use base64::Engine as _;
    let basic = |pair: &str| {
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        )
    };
    let good = basic("mp-key-causeway:mp-secret-causeway-0c1d2e3f");
    let bad = basic("mp-key-causeway:nonsense");
    // Grant type in the query with an empty body, as the Go SDK does it, and in the form.
    let query = request(
        &Method::POST,
        "/oauth2/token?grant_type=client_credentials",
        &[("authorization", &good)],
        "",
    );
    let (status, body, _) = send(&sandbox, Listener::MegaportAuth, query).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("Bearer")));
    assert_eq!(body["expires_in"], 3600);
    let form = request(
        &Method::POST,
        "/oauth2/token",
        &[("authorization", &good)],
        "grant_type=client_credentials",
    );
    assert_eq!(send(&sandbox, Listener::MegaportAuth, form).await.0, 200);
    let wrong = request(
        &Method::POST,
        "/oauth2/token?grant_type=client_credentials",
        &[("authorization", &bad)],
        "",
    );
    let (status, body, _) = send(&sandbox, Listener::MegaportAuth, wrong).await;
    assert_eq!((status, body), (400, json!({"error": "invalid_client"})));
    let none = request(
        &Method::POST,
        "/oauth2/token",
        &[("authorization", &good)],
        "",
    );
    assert_eq!(send(&sandbox, Listener::MegaportAuth, none).await.0, 400);
    // Without, and with an unknown token.
    for header in [&[][..], &[("authorization", "Bearer mpt-0")][..]] {
        let req = request(&Method::GET, "/v2/products", header, "");
        let (status, body, _) = send(&sandbox, Listener::Megaport, req).await;
        assert_eq!(status, 401);
        assert!(body["message"].is_string() && body["trace_id"].is_string());
    }
    // Who calls is told by the key.
    let human = request(
        &Method::POST,
        "/oauth2/token",
        &[],
        "grant_type=client_credentials&client_id=mp-key-human&client_secret=mp-secret-human-4a5b6c7d",
    );
    send(&sandbox, Listener::MegaportAuth, human).await;
    let log = sandbox.snapshot().calls.entries;
    assert_eq!(log.last().unwrap().principal, "human");
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_refused() {
    let mut w = world();
    w.megaport.token_seconds = 0;
    let c = Client::new(w).await;
    assert_eq!(c.get("/v2/products").await.0, 401);
}

#[tokio::test(start_paused = true)]
async fn mcr_goes_deployable_configured_live_and_lists_lag() {
    let mut w = world();
    w.lags.insert("megaport".into(), 60.0);
    let c = Client::new(w).await;
    let (status, body) = c.buy(mcr_order("lab-a")).await;
    assert_eq!(status, 200, "{body}");
    let uid = body["data"][0]["technicalServiceUid"]
        .as_str()
        .unwrap()
        .to_owned();
    // A read by UID knows it at once, the list later.
    let p = c.product(&uid).await;
    assert_eq!(p["provisioningStatus"], "DEPLOYABLE");
    assert_eq!(p["resources"], Value::Null);
    assert_eq!(c.read("/v2/products").await, json!([]));
    wait(76.0).await;
    assert_eq!(c.status(&uid).await, "CONFIGURED");
    wait(4.0).await;
    let p = c.product(&uid).await;
    assert_eq!(p["provisioningStatus"], "LIVE");
    assert_eq!(p["connectType"], "VROUTER");
    assert_eq!(p["diversityZone"], "red");
    assert_eq!(p["resources"]["virtual_router"]["mcrAsn"], 64600);
    assert!(
        p["resources"]["interface"].is_object(),
        "an object for an MCR"
    );
    assert!(
        p["createDate"].is_i64() && p["liveDate"].is_i64(),
        "dates are numbers"
    );
    assert_eq!(c.read("/v2/products").await.as_array().unwrap().len(), 1);
    assert_eq!(
        c.read(&format!("/v2/product/{uid}/tags")).await,
        json!({"resourceTags": [{"key": "owner", "value": "lab"}]})
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_makes_an_order_idempotent() {
    let c = Client::new(world()).await;
    let one = c.bought(mcr_order("same")).await;
    let two = c.bought(mcr_order("same")).await;
    assert_ne!(one, two);
    let ledger = c.sandbox.snapshot().ledger.0;
    assert_eq!(
        ledger.iter().filter(|e| e.kind == ProductKind::Mcr).count(),
        2
    );
    assert!(
        ledger
            .iter()
            .all(|e| e.name == "same" && e.principal == "causeway")
    );
}

#[tokio::test(start_paused = true)]
async fn bad_mcr_orders_are_refused() {
    let c = Client::new(world()).await;
    let refused = async |field: &str, value: Value, says: &str| {
        let mut order = mcr_order("x");
        match field.split_once('.') {
            Some((a, b)) => order[a][b] = value,
            None => order[field] = value,
        }
        for (status, body) in [
            c.post("/v3/networkdesign/validate", json!([order.clone()]))
                .await,
            c.buy(order).await,
        ] {
            assert_eq!(status, 400, "{field}: {body}");
            let message = body["message"].as_str().unwrap();
            assert!(message.contains(says), "{field}: {message}");
            assert!(body["data"].is_string());
        }
    };
    refused("locationId", json!(9999), "location 9999").await;
    refused("locationId", json!(68), "does not take orders").await;
    refused("locationId", json!(402), "not available").await;
    refused("portSpeed", json!(1500), "portSpeed").await;
    refused("term", json!(2), "term").await;
    refused("config.mcrAsn", json!(65515), "reserved").await;
    refused("config.mcrAsn", json!(12076), "reserved").await;
    refused("config.diversityZone", json!("green"), "diversityZone").await;
    refused("costCentre", json!("x".repeat(256)), "costCentre").await;
    refused("productName", json!(""), "productName").await;
    let (status, _) = c
        .post(
            "/v4/networkdesign/buy",
            json!({"networkDesign": [mcr_order("x")]}),
        )
        .await;
    assert_eq!(status, 400, "discountCodes must be there");
    assert!(
        c.sandbox.snapshot().ledger.0.is_empty(),
        "nothing was bought"
    );
}

#[tokio::test(start_paused = true)]
async fn validate_prices_and_buys_nothing() {
    let c = Client::new(world()).await;
    let (status, body) = c
        .post("/v3/networkdesign/validate", json!([mcr_order("x")]))
        .await;
    assert_eq!(status, 200);
    assert_eq!(body["data"][0]["price"]["monthlyRate"], 400.0);
    assert_eq!(body["data"][0]["price"]["currency"], "USD");
    assert!(c.sandbox.snapshot().ledger.0.is_empty());
    let log = c.sandbox.snapshot().calls.entries;
    assert!(!log.last().unwrap().mutating);
}

#[tokio::test(start_paused = true)]
async fn the_old_form_of_buying_takes_a_bare_array() {
    let c = Client::new(world()).await;
    let (status, body) = c
        .post("/v3/networkdesign/buy", json!([mcr_order("old")]))
        .await;
    assert_eq!(status, 200);
    assert!(body["data"][0]["technicalServiceUid"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_failed_deployment_ends_in_failed_and_is_not_billed() {
    let c = Client::new(world()).await;
    c.sandbox.add_fault(Fault {
        matches: Match {
            operation: Some("POST /v4/networkdesign/buy".into()),
            resource: Some("doomed".into()),
            ..Match::default()
        },
        effect: Effect::LroFails,
        status: None,
        code: None,
        seconds: None,
        times: None,
    });
    let doomed = c.bought(mcr_order("doomed")).await;
    let fine = c.bought(mcr_order("fine")).await;
    wait(100.0).await;
    assert_eq!(c.status(&doomed).await, "FAILED");
    assert_eq!(c.status(&fine).await, "LIVE");
    let ledger = c.sandbox.snapshot().ledger.0;
    assert!(
        ledger
            .iter()
            .find(|e| e.id == doomed)
            .unwrap()
            .ended_at
            .is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn an_aws_vxc_shows_both_sides_and_its_secrets() {
    let c = Client::new(world()).await;
    let mcr = c.mcr("lab-a").await;
    let (status, body) = c.buy(aws_order(&mcr, "lab-vif", Some("key-0123456"))).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["data"][0]["vxc"]["provisioningStatus"], "DEPLOYABLE");
    let uid = body["data"][0]["vxcJTechnicalServiceUid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(body["data"][0].get("technicalServiceUid").is_none());
    assert_eq!(c.product(&uid).await["resources"], json!({}));
    wait(61.0).await;
    let p = c.product(&uid).await;
    assert_eq!(p["provisioningStatus"], "CONFIGURED");
    assert_eq!(p["up"], false);
    assert!(
        p["resources"]["csp_connection"][1]["vif_id"].is_string(),
        "assigned by CONFIGURED"
    );
    wait(4.0).await;
    let p = c.product(&uid).await;
    assert_eq!(p["provisioningStatus"], "LIVE");
    let csp = p["resources"]["csp_connection"]
        .as_array()
        .expect("an array when there are two");
    assert_eq!(csp[0]["connectType"], "VROUTER");
    assert_eq!(csp[0]["resource_name"], "a_csp_connection");
    assert_eq!(csp[0]["bgp_status"], json!({"169.254.50.217": 0}));
    let session = &csp[0]["interfaces"][0]["bgpConnections"][0];
    assert_eq!(session["password"], "key-0123456", "in clear text");
    assert!(
        csp[0]["interfaces"][0].get("bfd").is_none(),
        "dropped without an error"
    );
    assert_eq!(csp[1]["connectType"], "AWS");
    assert_eq!(csp[1]["authKey"], "key-0123456");
    assert!(csp[1].get("noSuchField").is_none());
    assert_eq!(csp[1]["vlan"], p["bEnd"]["vlan"]);
    assert_ne!(p["bEnd"]["vlan"], 0, "auto never reads back as 0");
    assert_eq!(p["resources"]["vll"]["b_vlan"], p["bEnd"]["vlan"]);
    assert!(p["resources"]["interface"].is_array(), "a list for a VXC");
    // The call log does not show it.
    let log = c.sandbox.snapshot().calls.entries;
    assert!(log.iter().all(|e| !e.body.contains("key-0123456")));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_nobody_gave_is_on_the_aws_side_only() {
    let c = Client::new(world()).await;
    let mcr = c.mcr("lab-a").await;
    let uid = c.aws_vxc(&mcr, "no-key", None).await;
    let csp = c.product(&uid).await["resources"]["csp_connection"].clone();
    assert!(csp[1]["authKey"].as_str().unwrap().len() >= 6);
    assert_eq!(
        csp[0]["interfaces"][0]["bgpConnections"][0]["password"],
        Value::Null
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_router_configuration_megaport_makes_one() {
    let c = Client::new(world()).await;
    let mcr = c.mcr("lab-a").await;
    let mut order = aws_order(&mcr, "auto", None);
    order["associatedVxcs"][0]["aEnd"] = json!({});
    let b = &mut order["associatedVxcs"][0]["bEnd"]["partnerConfig"];
    for field in ["customerIpAddress", "amazonIpAddress"] {
        b.as_object_mut().unwrap().remove(field);
    }
    let uid = c.bought(order).await;
    wait(100.0).await;
    let csp = c.product(&uid).await["resources"]["csp_connection"].clone();
    let session = &csp[0]["interfaces"][0]["bgpConnections"][0];
    assert_eq!(
        session["password"], csp[1]["authKey"],
        "equal on both sides here"
    );
    let amazon = csp[1]["amazonIpAddress"].as_str().unwrap();
    assert_eq!(session["peerIpAddress"], amazon.trim_end_matches("/30"));
}

#[tokio::test(start_paused = true)]
async fn bad_vxc_orders_are_refused() {
    let c = Client::new(world()).await;
    let mcr = c.mcr("lab-a").await;
    let try_with = async |change: &dyn Fn(&mut Value)| {
        let mut order = aws_order(&mcr, "x", Some("key-0123456"));
        change(&mut order["associatedVxcs"][0]);
        let (status, body) = c.buy(order).await;
        assert_eq!(status, 400, "{body}");
        body["message"].as_str().unwrap().to_owned()
    };
    let m = try_with(&|v| v["bEnd"] = json!({"partnerConfig": v["bEnd"]["partnerConfig"]})).await;
    assert_eq!(m, "Valid B-End is required");
    let m = try_with(&|v| v["bEnd"]["partnerConfig"]["connectType"] = json!("AWSHC")).await;
    assert!(m.starts_with("Validation of b_csp_request failed"), "{m}");
    let m = try_with(&|v| v["bEnd"]["productUid"] = json!("a0a00000-0000-4000-8000-0000000000ff"))
        .await;
    assert!(m.starts_with("Could not find a service with UID"), "{m}");
    let m = try_with(&|v| v["bEnd"]["productUid"] = json!("a0a00000-0000-4000-8000-000000000007"))
        .await;
    assert!(m.contains("does not permit"), "{m}");
    let m = try_with(&|v| v["bEnd"]["partnerConfig"]["ownerAccount"] = json!("12")).await;
    assert!(m.contains("12 digits"), "{m}");
    let m = try_with(&|v| v["bEnd"]["partnerConfig"]["type"] = json!("transit")).await;
    assert!(m.contains("private or public"), "{m}");
    let m = try_with(&|v| v["bEnd"]["partnerConfig"]["authKey"] = json!("short")).await;
    assert!(m.contains("authKey"), "{m}");
    let m = try_with(&|v| v["bEnd"]["vlan"] = json!(1)).await;
    assert!(m.contains("VLAN 1"), "{m}");
    let m = try_with(&|v| v["rateLimit"] = json!(2000)).await;
    assert!(m.contains("rateLimit 2000"), "{m}");
    let session = |field: &'static str, value: Value| {
        move |v: &mut Value| {
            v["aEnd"]["partnerConfig"]["interfaces"][0]["bgpConnections"][0][field] = value.clone();
        }
    };
    for (field, value, says) in [
        ("peerIpAddress", json!("10.0.0.1"), "subnet"),
        (
            "localIpAddress",
            json!("169.254.50.217"),
            "not an address of the interface",
        ),
        ("asPathPrependCount", json!(11), "asPathPrependCount"),
        ("peerType", json!("CLOUD"), "peerType"),
        ("exportPolicy", json!("maybe"), "exportPolicy"),
        ("importWhitelist", json!(77), "prefix list 77"),
        ("denyExportTo", json!(["x"]), "not an address"),
    ] {
        let m = try_with(&session(field, value)).await;
        assert!(m.contains(says), "{field}: {m}");
    }
    // An address that has no session yet is fine.
    let mut order = aws_order(&mcr, "x", Some("key-0123456"));
    order["associatedVxcs"][0]["aEnd"]["partnerConfig"]["interfaces"][0]["bgpConnections"][0]["permitExportTo"] =
        json!(["192.0.2.9"]);
    let (status, body) = c.post("/v3/networkdesign/validate", json!([order])).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test(start_paused = true)]
async fn concurrent_orders_on_one_router_fail() {
    let c = Client::new(world()).await;
    let mcr = c.bought(mcr_order("a")).await;
    let (status, _) = c.buy(aws_order(&mcr, "early", Some("key-0123456"))).await;
    assert_eq!(status, 500, "the router itself is still being deployed");
    wait(100.0).await;
    let other = c.mcr("b").await;
    let first = c.bought(aws_order(&mcr, "one", Some("key-0123456"))).await;
    let (status, body) = c.buy(aws_order(&mcr, "two", Some("key-0123456"))).await;
    assert_eq!(status, 500);
    assert!(body["message"].as_str().unwrap().contains("got code 500"));
    // Another router does not mind.
    c.bought(aws_order(&other, "three", Some("key-0123456")))
        .await;
    let (status, body) = c.cancel(&first, "").await;
    assert_eq!(status, 500);
    assert!(body["message"].as_str().unwrap().contains("rollback-only"));
    wait(100.0).await;
    c.bought(aws_order(&mcr, "two", Some("key-0123456"))).await;
}

#[tokio::test(start_paused = true)]
async fn vlans_are_unique_over_a_capacity_group() {
    let c = Client::new(world()).await;
    let mcr = c.mcr("a").await;
    let mut order = aws_order(&mcr, "one", Some("key-0123456"));
    order["associatedVxcs"][0]["bEnd"]["vlan"] = json!(77);
    let one = c.bought(order.clone()).await;
    wait(100.0).await;
    assert_eq!(c.product(&one).await["bEnd"]["vlan"], 77);
    order["associatedVxcs"][0]["bEnd"]["productUid"] = json!(BLUE_AWS);
    let (status, body) = c.buy(order.clone()).await;
    let number = c.product(&one).await["nServiceId"].clone();
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        format!("VLAN 77 not available on service ID {number}")
    );
    c.cancel(&one, "").await;
    c.bought(order).await;
}

#[tokio::test(start_paused = true)]
async fn a_port_that_rotates_before_deployment_changes_the_b_end() {
    let c = Client::new(world()).await;
    let mcr = c.mcr("a").await;
    let uid = c.bought(aws_order(&mcr, "one", Some("key-0123456"))).await;
    c.sandbox.with(causeway_sandbox::megaport::rotate_ports);
    wait(100.0).await;
    let end = c.product(&uid).await["bEnd"]["productUid"].clone();
    assert_ne!(end, RED_AWS);
    let ports = c
        .read("/v2/dropdowns/partner/megaports?connectType=AWS")
        .await;
    let ports = ports.as_array().unwrap();
    assert!(ports.iter().any(|p| p["productUid"] == end));
    assert!(
        ports
            .iter()
            .all(|p| p["productUid"] != RED_AWS && p["connectType"] == "AWS")
    );
    // The old UID can still be ordered.
    c.bought(aws_order(&mcr, "two", Some("key-0123456"))).await;
}

#[tokio::test(start_paused = true)]
async fn hosted_connections_have_fixed_sizes_and_no_router_configuration() {
    let c = Client::new(world()).await;
    let mcr = c.mcr("a").await;
    let order = |rate: u32| {
        json!({"productUid": mcr, "associatedVxcs": [{
            "productName": "hc", "rateLimit": rate, "term": 1,
            "bEnd": {"productUid": RED_HC,
                     "partnerConfig": {"connectType": "AWSHC", "ownerAccount": "111122223333", "name": "dxcon"}},
        }]})
    };
    assert_eq!(c.buy(order(75)).await.0, 400);
    let uid = c.bought(order(50)).await;
    wait(100.0).await;
    let csp = c.product(&uid).await["resources"]["csp_connection"].clone();
    assert!(csp.is_object(), "an object when there is one");
    assert_eq!(csp["connectType"], "AWSHC");
    assert!(csp["connectionId"].is_string());
    let (status, _) = c
        .put(&format!("/v3/product/vxc/{uid}"), json!({"rateLimit": 100}))
        .await;
    assert_eq!(status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_vxc_between_two_routers_is_listed_twice() {
    let c = Client::new(world()).await;
    let (a, b) = (c.mcr("a").await, c.mcr("b").await);
    let order = json!({"productUid": a, "associatedVxcs": [{
        "productName": "between", "rateLimit": 100, "term": 1,
        "aEnd": {"vlan": 0}, "bEnd": {"productUid": b, "vlan": 0},
    }]});
    let uid = c.bought(order).await;
    wait(200.0).await;
    let list = c.read("/v2/products").await;
    let seen = list
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|p| p["associatedVxcs"].as_array().unwrap())
        .filter(|v| v["productUid"] == uid.as_str())
        .count();
    assert_eq!(seen, 2);
}

#[tokio::test(start_paused = true)]
async fn a_read_only_key_reads_and_validates_but_changes_nothing() {
    let mut w = world();
    w.megaport.causeway.read_only = true;
    let c = Client::new(w).await;
    assert_eq!(c.get("/v2/products").await.0, 200);
    let design = json!([mcr_order("x")]);
    assert_eq!(c.post("/v3/networkdesign/validate", design).await.0, 200);
    assert_eq!(c.buy(mcr_order("x")).await.0, 403);
    assert!(c.sandbox.snapshot().ledger.0.is_empty());
}
