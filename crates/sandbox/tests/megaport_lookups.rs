//! Megaport: catalogues, diagnostics, prices, telemetry.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod megaport_support;

use causeway_sandbox::wire::Listener;
use http::Method;
use megaport_support::*;
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn locations_say_where_a_router_can_be() {
    let c = Client::new(world()).await;
    let all = c.read("/v3/locations").await;
    let all = all.as_array().unwrap();
    assert!(all.len() >= 10);
    let lab = all.iter().find(|l| l["id"] == 67).unwrap();
    assert_eq!(lab["name"], "Equinix DC2");
    for zone in ["red", "blue"] {
        assert_eq!(
            lab["diversityZones"][zone]["mcrSpeedMbps"],
            json!([1000, 2500, 5000, 10000])
        );
    }
    assert!(all.iter().any(|l| l["diversityZones"].is_null()));
    assert!(all.iter().any(|l| l["market"] == "AU"
        && l["status"] == "Active"
        && l["diversityZones"]["red"]["mcrSpeedMbps"] == json!([1000, 2500])));
    let some = c
        .read("/v3/locations?locationStatuses=Restricted&locationStatuses=Deployment")
        .await;
    assert_eq!(some.as_array().unwrap().len(), 2);
    assert_eq!(c.get("/v2/locations").await.0, 404, "gone");
    let regions = c.read("/v2/networkRegions").await;
    assert_eq!(regions[0]["networkRegion"], "MP1");
}

#[tokio::test(start_paused = true)]
async fn partner_ports_of_all_kinds() {
    let c = Client::new(world()).await;
    let all = c.read("/v2/dropdowns/partner/megaports").await;
    let kinds = |k: &str| {
        all.as_array()
            .unwrap()
            .iter()
            .filter(|p| p["connectType"] == k && p["locationId"] == 67)
            .count()
    };
    assert_eq!((kinds("AWS"), kinds("AWSHC"), kinds("AZURE")), (3, 2, 2));
    let permitted = c
        .read("/v2/dropdowns/partner/megaports?connectType=AWS&vxcPermitted=true")
        .await;
    assert!(
        permitted
            .as_array()
            .unwrap()
            .iter()
            .all(|p| p["vxcPermitted"] == true && p["connectType"] == "AWS")
    );
    let world = causeway_sandbox::describe::world(&c.sandbox.snapshot().world);
    assert_eq!(world["megaport"]["locationID"], 67);
    assert_eq!(world["megaport"]["awsPortUIDs"][0], RED_AWS);
    assert_eq!(world["human"]["megaport"]["accessKey"], "mp-key-human");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_service_key_is_a_400() {
    let c = Client::new(world()).await;
    let (status, body) = c
        .get("/v2/secure/azure/22222222-0000-4000-8000-000000000000")
        .await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().contains("service key"));
}

#[tokio::test(start_paused = true)]
async fn diagnostics_are_pending_first_and_may_be_empty() {
    let c = Client::new(world()).await;
    let mcr = c.bought(mcr_order("a")).await;
    let base = format!("/v2/product/mcr2/{mcr}/diagnostics");
    assert_eq!(
        c.get(&format!("{base}/routes/ip?async=true")).await.0,
        400,
        "not live yet"
    );
    wait(100.0).await;
    for query in [
        "routes/ip?async=true",
        "routes/bgp?async=true&ip_address=172.16.0.0/16",
        "routes/bgp/neighbor?async=true&direction=RECEIVED&peer_ip_address=169.254.50.217",
    ] {
        let id = c.read(&format!("{base}/{query}")).await;
        let poll = format!(
            "{base}/routes/operation?operationId={}",
            id.as_str().unwrap()
        );
        let (status, body) = c.get(&poll).await;
        assert_eq!(status, 202);
        assert!(body["message"].is_string() && body.get("data").is_none());
        wait(5.0).await;
        assert_eq!(c.read(&poll).await, json!([]), "a valid result");
    }
    let id = c
        .read(&format!(
            "{base}/ping?destination_address=10.1.1.1&packet_count=3"
        ))
        .await;
    wait(5.0).await;
    let ping = c
        .read(&format!(
            "{base}/routes/operation?operationId={}",
            id.as_str().unwrap()
        ))
        .await;
    assert_eq!(ping["statistics"]["packetsTransmitted"], 3);
    assert_eq!(ping["statistics"]["packetLossPct"], 100.0);
    for bad in [
        "routes/bgp/neighbor?async=true&direction=received&peer_ip_address=169.254.50.217",
        "routes/bgp/neighbor?async=true&direction=RECEIVED",
        "ping",
        "ping?destination_address=10.1.1.1&packet_count=61",
    ] {
        assert_eq!(c.get(&format!("{base}/{bad}")).await.0, 400, "{bad}");
    }
    assert_eq!(
        c.get(&format!("{base}/routes/operation?operationId=none"))
            .await
            .0,
        404
    );
    // The paths of older SDKs never existed.
    let old = format!("/v2/product/mcr2/{mcr}/lookingGlass/routes");
    assert_eq!(c.get(&old).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn prices_come_from_the_worlds_table() {
    let c = Client::new(world()).await;
    let ask = |body: Value| c.post("/v4/pricebook/product", body);
    let (_, mcr) = ask(
        json!({"productType": "MCR2", "locationId": 67, "speed": 1000, "term": 12,
                              "addOns": [{"addOnType": "IP_SEC", "tunnelCount": 10}]}),
    )
    .await;
    assert_eq!(mcr["data"]["monthlyRackRate"], 600.0);
    assert_eq!(mcr["data"]["monthlyRate"], 540.0);
    assert_eq!(mcr["data"]["prices"][1]["chargeReason"], "ADD_ON_CHARGE");
    let (_, vxc) = ask(
        json!({"productType": "VXC", "aLocationId": 67, "bLocationId": 67, "speed": 50,
                              "aEndProductType": "MCR2", "connectType": "AWS", "term": 1}),
    )
    .await;
    assert_eq!(vxc["data"]["monthlyRate"], 40.0);
    assert_eq!(
        ask(json!({"productType": "MCR2", "locationId": 1, "speed": 1}))
            .await
            .0,
        400
    );
    let log = c.sandbox.snapshot().calls.entries;
    assert!(log.iter().all(|e| !e.mutating));
}

#[tokio::test(start_paused = true)]
async fn telemetry_has_no_envelope() {
    let c = Client::new(world()).await;
    let mcr = c.mcr("a").await;
    wait(3600.0).await;
    let c = Client::on(c.sandbox.clone()).await;
    let (status, body) = c
        .get(&format!(
            "/v2/product/mcr2/{mcr}/telemetry?type=BITS&type=SPEED"
        ))
        .await;
    assert_eq!(status, 200);
    assert_eq!(body["serviceUid"], mcr.as_str());
    assert_eq!(body["data"].as_array().unwrap().len(), 4);
    let sample = body["data"][2]["samples"][0].as_array().unwrap().clone();
    assert_eq!((sample.len(), &sample[1]), (2, &json!(1000)));
}

#[tokio::test(start_paused = true)]
async fn approvals_and_events_are_empty_lists() {
    let c = Client::new(world()).await;
    assert_eq!(
        c.read("/v3/order_approvals?status=PENDING&pageNumber=0")
            .await,
        json!([])
    );
    assert_eq!(
        c.read("/ens/v1/status/maintenance?state=Scheduled").await,
        json!([])
    );
    assert_eq!(
        c.get("/ens/v1/status/maintenance?state=scheduled").await.0,
        400
    );
    assert_eq!(c.get("/ens/v1/status/outage?state=Ongoing").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_json_is_a_400() {
    let c = Client::new(world()).await;
    let token = {
        let form = "grant_type=client_credentials&client_id=mp-key-causeway&client_secret=mp-secret-causeway-0c1d2e3f";
        let req = request(&Method::POST, "/oauth2/token", &[], form);
        let (_, body, _) = send(&c.sandbox, Listener::MegaportAuth, req).await;
        format!("Bearer {}", body["access_token"].as_str().unwrap())
    };
    let req = request(
        &Method::POST,
        "/v3/networkdesign/validate",
        &[("authorization", &token)],
        "[{",
    );
    assert_eq!(send(&c.sandbox, Listener::Megaport, req).await.0, 400);
    assert_eq!(c.post("/v3/networkdesign/validate", json!([])).await.0, 400);
}
