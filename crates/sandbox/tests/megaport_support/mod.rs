//! A client for tests of the Megaport simulation: in process, under tokio's paused clock.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's own client: what goes wrong here fails the test"
)]

use bytes::Bytes;
use causeway_sandbox::sandbox::Outcome;
use causeway_sandbox::wire::{Listener, Req};
use causeway_sandbox::{Sandbox, Settings, World};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

pub const RED_AWS: &str = "a0a00000-0000-4000-8000-000000000001";
pub const BLUE_AWS: &str = "a0a00000-0000-4000-8000-000000000002";
pub const RED_HC: &str = "a0a00000-0000-4000-8000-000000000003";

/// The lab's world without jitter, so that durations are exact.
pub fn world() -> World {
    World {
        jitter: 0.0,
        ..World::default()
    }
}

pub struct Client {
    pub sandbox: Sandbox,
    token: String,
}

pub fn request(method: &Method, target: &str, headers: &[(&'static str, &str)], body: &str) -> Req {
    let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for (k, v) in headers {
        map.insert(*k, HeaderValue::from_str(v).unwrap());
    }
    Req {
        method: method.clone(),
        path: path.to_owned(),
        query: url::form_urlencoded::parse(raw_query.as_bytes())
            .into_owned()
            .collect(),
        raw_query: raw_query.to_owned(),
        base: "https://127.0.0.1:1".to_owned(),
        headers: map,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

pub async fn send(sandbox: &Sandbox, listener: Listener, req: Req) -> (u16, Value, HeaderMap) {
    match sandbox.call(listener, req).await {
        Outcome::Answer(res) => {
            let body = serde_json::from_slice(&res.body).unwrap_or(Value::Null);
            (res.status.as_u16(), body, res.headers)
        }
        Outcome::Broken => panic!("the connection broke"),
    }
}

impl Client {
    pub async fn new(world: World) -> Self {
        let sandbox = Sandbox::new(Settings {
            world,
            ..Settings::default()
        });
        Self::on(sandbox).await
    }

    pub async fn on(sandbox: Sandbox) -> Self {
        let form = "grant_type=client_credentials&client_id=mp-key-causeway&client_secret=mp-secret-causeway-0c1d2e3f";
        let req = request(&Method::POST, "/oauth2/token", &[], form);
        let (status, body, _) = send(&sandbox, Listener::MegaportAuth, req).await;
        assert_eq!(status, 200, "{body}");
        let token = format!("Bearer {}", body["access_token"].as_str().unwrap());
        Self { sandbox, token }
    }

    /// The same token on a copy of the sandbox.
    pub fn on_clone(&self, sandbox: Sandbox) -> Self {
        Self {
            sandbox,
            token: self.token.clone(),
        }
    }

    pub async fn call(&self, method: Method, target: &str, body: Option<Value>) -> (u16, Value) {
        let text = body.map(|b| b.to_string()).unwrap_or_default();
        let req = request(&method, target, &[("authorization", &self.token)], &text);
        let (status, body, headers) = send(&self.sandbox, Listener::Megaport, req).await;
        assert!(
            headers.contains_key("trace-id"),
            "{target}: every answer has a trace ID"
        );
        (status, body)
    }
    pub async fn get(&self, target: &str) -> (u16, Value) {
        self.call(Method::GET, target, None).await
    }
    pub async fn post(&self, target: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, target, Some(body)).await
    }
    pub async fn put(&self, target: &str, body: Value) -> (u16, Value) {
        self.call(Method::PUT, target, Some(body)).await
    }
    pub async fn delete(&self, target: &str) -> (u16, Value) {
        self.call(Method::DELETE, target, None).await
    }
    pub async fn cancel(&self, uid: &str, query: &str) -> (u16, Value) {
        let target = format!("/v3/product/{uid}/action/CANCEL_NOW{query}");
        self.call(Method::POST, &target, None).await
    }
    /// `data` of a read that must succeed.
    pub async fn read(&self, target: &str) -> Value {
        let (status, body) = self.get(target).await;
        assert_eq!(status, 200, "{target}: {body}");
        body["data"].clone()
    }
    pub async fn product(&self, uid: &str) -> Value {
        self.read(&format!("/v2/product/{uid}")).await
    }
    pub async fn status(&self, uid: &str) -> String {
        self.product(uid).await["provisioningStatus"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Buys with the wrapped form.
    pub async fn buy(&self, order: Value) -> (u16, Value) {
        let body = json!({"networkDesign": [order], "discountCodes": []});
        self.post("/v4/networkdesign/buy", body).await
    }
    pub async fn bought(&self, order: Value) -> String {
        let (status, body) = self.buy(order).await;
        assert_eq!(status, 200, "{body}");
        let first = &body["data"][0];
        first
            .get("technicalServiceUid")
            .or_else(|| first.get("vxcJTechnicalServiceUid"))
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    }
    /// A live MCR.
    pub async fn mcr(&self, name: &str) -> String {
        let uid = self.bought(mcr_order(name)).await;
        wait(120.0).await;
        assert_eq!(self.status(&uid).await, "LIVE");
        uid
    }
    /// A live VXC to AWS.
    pub async fn aws_vxc(&self, mcr: &str, name: &str, key: Option<&str>) -> String {
        let uid = self.bought(aws_order(mcr, name, key)).await;
        wait(120.0).await;
        assert_eq!(self.status(&uid).await, "LIVE");
        uid
    }
}

/// Lets simulated time pass.
pub async fn wait(seconds: f64) {
    tokio::time::advance(std::time::Duration::from_secs_f64(seconds)).await;
}

pub fn mcr_order(name: &str) -> Value {
    json!({
        "productType": "MCR2", "productName": name, "locationId": 67, "portSpeed": 1000, "term": 1,
        "costCentre": "", "config": {"mcrAsn": 64600, "diversityZone": "red"},
        "resourceTags": [{"key": "owner", "value": "lab"}],
    })
}

/// One session towards AWS, with or without a key.
pub fn interfaces(key: Option<&str>) -> Value {
    let mut session = json!({
        "peerAsn": 64901, "localIpAddress": "169.254.50.218", "peerIpAddress": "169.254.50.217",
        "shutdown": false, "bfdEnabled": true,
    });
    if let Some(k) = key {
        session["password"] = json!(k);
    }
    json!([{"ipAddresses": ["169.254.50.218/30"], "bfd": {}, "bgpConnections": [session]}])
}

pub fn aws_order(mcr: &str, name: &str, key: Option<&str>) -> Value {
    let mut b = json!({
        "connectType": "AWS", "type": "private", "ownerAccount": "111122223333", "name": "lab-vif",
        "asn": 64600, "amazonAsn": 64901,
        "customerIpAddress": "169.254.50.218/30", "amazonIpAddress": "169.254.50.217/30",
        "noSuchField": true,
    });
    if let Some(k) = key {
        b["authKey"] = json!(k);
    }
    json!({"productUid": mcr, "associatedVxcs": [{
        "productName": name, "rateLimit": 50, "term": 1, "shutdown": false,
        "aEnd": {"vlan": 0, "partnerConfig": {"interfaces": interfaces(key)}},
        "bEnd": {"productUid": RED_AWS, "partnerConfig": b},
        "resourceTags": [{"key": "owner", "value": "lab"}],
    }]})
}
