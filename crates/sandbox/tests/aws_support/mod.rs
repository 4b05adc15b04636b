//! A signing AWS client on a sandbox in process, and readers of its answers.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a failed unwrap fails the test, and not every test uses all of it"
)]

use bytes::Bytes;
use causeway_sandbox::aws::{partner, sigv4};
use causeway_sandbox::sandbox::Outcome;
use causeway_sandbox::wire::{Listener, Req};
use causeway_sandbox::{Sandbox, Settings, World};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub const VPC: &str = "vpc-0a1b2c3d4e5f60718";
pub const TABLE: &str = "rtb-0a1b2c3d4e5f60718";

/// An answer of EC2 or STS.
#[derive(Debug, Clone)]
pub struct Xml {
    pub status: u16,
    pub body: String,
}

impl Xml {
    /// The text of every element of this name, in order.
    pub fn all(&self, name: &str) -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        self.body
            .split(&open)
            .skip(1)
            .filter_map(|rest| rest.split(&close).next())
            .map(str::to_owned)
            .collect()
    }
    pub fn get(&self, name: &str) -> String {
        self.all(name).first().cloned().unwrap_or_default()
    }
    /// The error code; empty on success.
    pub fn code(&self) -> String {
        self.get("Code")
    }
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }
    /// Asserts a refusal with this code.
    pub fn refused(self, code: &str) -> Self {
        assert!(
            self.status >= 400 && self.code() == code,
            "expected {code}: {} {}",
            self.status,
            self.body
        );
        self
    }
}

/// An answer of Direct Connect.
#[derive(Debug, Clone)]
pub struct Json {
    pub status: u16,
    pub body: Value,
}

impl Json {
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
    /// Asserts a client exception whose message has these words.
    pub fn refused(self, words: &str) -> Value {
        let message = self.body["message"].as_str().unwrap_or_default();
        assert!(
            self.status == 400
                && self.body["__type"] == "DirectConnectClientException"
                && message.contains(words),
            "expected a refusal with '{words}': {} {}",
            self.status,
            self.body
        );
        self.body
    }
}

/// Who signs, and for where.
#[derive(Debug, Clone)]
pub struct Aws {
    pub sandbox: Sandbox,
    pub key: String,
    pub secret: String,
    pub token: Option<String>,
    pub region: String,
    /// Added to the wall clock, in seconds.
    pub skew: i64,
}

/// A world with exact durations and no read lag.
pub fn exact_world() -> World {
    World {
        jitter: 0.0,
        lags: BTreeMap::new(),
        ..World::default()
    }
}

impl Aws {
    pub fn new() -> Self {
        Self::with_world(exact_world(), 1)
    }
    pub fn with_world(world: World, seed: u64) -> Self {
        let key = world.aws.key_of("causeway").unwrap().clone();
        let sandbox = Sandbox::new(Settings {
            world,
            seed,
            ..Settings::default()
        });
        Self {
            sandbox,
            key: key.access_key_id,
            secret: key.secret_access_key,
            token: None,
            region: "us-east-1".into(),
            skew: 0,
        }
    }
    pub fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.into(),
            ..self.clone()
        }
    }

    /// Lets simulated seconds pass.
    pub async fn pass(&self, seconds: f64) {
        tokio::time::advance(Duration::from_secs_f64(seconds)).await;
    }

    pub fn request(&self, service: &str, headers: &[(&'static str, &str)], body: String) -> Req {
        let now = jiff::Timestamp::now().as_second() + self.skew;
        let iso = jiff::Timestamp::from_second(now).unwrap().to_string();
        let stamp = iso.replace(['-', ':'], "");
        let date = stamp[..8].to_owned();
        let mut map = HeaderMap::new();
        map.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
        map.insert("x-amz-date", HeaderValue::from_str(&stamp).unwrap());
        if let Some(t) = &self.token {
            map.insert("x-amz-security-token", HeaderValue::from_str(t).unwrap());
        }
        for (k, v) in headers {
            map.insert(*k, HeaderValue::from_str(v).unwrap());
        }
        let mut signed: Vec<String> = map.keys().map(|k| k.as_str().to_owned()).collect();
        signed.sort();
        let mut req = Req {
            method: Method::POST,
            path: "/".into(),
            query: vec![],
            raw_query: String::new(),
            base: "https://127.0.0.1:4566".into(),
            headers: map,
            body: Bytes::from(body),
        };
        let canonical = sigv4::canonical_request(&req, &signed);
        let signature = sigv4::sign(
            &self.secret,
            &stamp,
            &date,
            &self.region,
            service,
            &canonical,
        );
        let auth = format!(
            "AWS4-HMAC-SHA256 Credential={}/{date}/{}/{service}/aws4_request, SignedHeaders={}, Signature={signature}",
            self.key,
            self.region,
            signed.join(";")
        );
        req.headers
            .insert("authorization", HeaderValue::from_str(&auth).unwrap());
        req
    }

    pub async fn send(&self, req: Req) -> (u16, String) {
        match self.sandbox.call(Listener::Aws, req).await {
            Outcome::Answer(res) => (
                res.status.as_u16(),
                String::from_utf8(res.body.to_vec()).unwrap(),
            ),
            Outcome::Broken => (0, String::new()),
        }
    }

    pub fn form(action: &str, version: &str, params: &[(&str, &str)]) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", version)
            .extend_pairs(params)
            .finish()
    }

    pub async fn ec2(&self, action: &str, params: &[(&str, &str)]) -> Xml {
        let body = Self::form(action, "2016-11-15", params);
        let ty = "application/x-www-form-urlencoded; charset=utf-8";
        let (status, body) = self
            .send(self.request("ec2", &[("content-type", ty)], body))
            .await;
        Xml { status, body }
    }

    pub async fn sts(&self, action: &str, params: &[(&str, &str)]) -> Xml {
        let body = Self::form(action, "2011-06-15", params);
        let ty = "application/x-www-form-urlencoded; charset=utf-8";
        let (status, body) = self
            .send(self.request("sts", &[("content-type", ty)], body))
            .await;
        Xml { status, body }
    }

    pub async fn dx(&self, operation: &str, input: Value) -> Json {
        let target = format!("OvertureService.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        let (status, body) = self
            .send(self.request("directconnect", &headers, input.to_string()))
            .await;
        let body = serde_json::from_str(&body).unwrap_or(Value::Null);
        Json { status, body }
    }

    // ---- the lab's steps -----------------------------------------------------------------------------------------

    /// A VGW that is available, with the lab's ASN.
    pub async fn vgw(&self) -> String {
        let made = self
            .ec2(
                "CreateVpnGateway",
                &[("Type", "ipsec.1"), ("AmazonSideAsn", "64900")],
            )
            .await
            .ok();
        self.pass(5.0).await;
        made.get("vpnGatewayId")
    }
    /// A VGW attached to the lab's VPC.
    pub async fn attached_vgw(&self) -> String {
        let id = self.vgw().await;
        self.ec2("AttachVpnGateway", &[("VpnGatewayId", &id), ("VpcId", VPC)])
            .await
            .ok();
        self.pass(30.0).await;
        id
    }
    pub async fn cgw(&self, ip: &str) -> String {
        let made = self
            .ec2(
                "CreateCustomerGateway",
                &[
                    ("Type", "ipsec.1"),
                    ("IpAddress", ip),
                    ("BgpAsn", "65515"),
                    ("DeviceName", ip),
                ],
            )
            .await
            .ok();
        self.pass(3.0).await;
        made.get("customerGatewayId")
    }
    /// A VPN connection that is available.
    pub async fn vpn(&self, cgw: &str, vgw: &str) -> String {
        let made = self.create_vpn(cgw, vgw, &[]).await.ok();
        self.pass(300.0).await;
        made.get("vpnConnectionId")
    }
    pub async fn create_vpn(&self, cgw: &str, vgw: &str, more: &[(&str, &str)]) -> Xml {
        let mut params = vec![
            ("Type", "ipsec.1"),
            ("CustomerGatewayId", cgw),
            ("VpnGatewayId", vgw),
        ];
        params.extend(more);
        self.ec2("CreateVpnConnection", &params).await
    }
    /// A Direct Connect gateway that is available.
    pub async fn dxgw(&self) -> String {
        let made = self
            .dx(
                "CreateDirectConnectGateway",
                json!({"directConnectGatewayName": "lab", "amazonSideAsn": 64901}),
            )
            .await
            .ok();
        self.pass(40.0).await;
        text(&made["directConnectGateway"]["directConnectGatewayId"])
    }
    /// An association that has been asked for.
    pub async fn associate(&self, dxgw: &str, vgw: &str) -> String {
        let made = self
            .dx(
                "CreateDirectConnectGatewayAssociation",
                json!({"directConnectGatewayId": dxgw, "gatewayId": vgw}),
            )
            .await
            .ok();
        text(&made["directConnectGatewayAssociation"]["associationId"])
    }
    /// What the partner does for the lab: a hosted VIF, shown as `confirming`.
    pub async fn hosted_vif(&self) -> String {
        let vif = partner::HostedVif {
            owner_account: "111122223333".into(),
            name: "lab".into(),
            kind: "private".into(),
            region: "us-east-1".into(),
            location: "EqDC2".into(),
            vlan: 213,
            asn: 64600,
            amazon_asn: None,
            auth_key: "SecretBgpKey1".into(),
            amazon_address: "169.254.50.217/30".into(),
            customer_address: "169.254.50.218/30".into(),
        };
        let id = self.sandbox.with(|s| partner::allocate_vif(s, &vif));
        self.pass(10.0).await;
        id
    }
    pub async fn vif_state(&self, id: &str) -> String {
        let got = self
            .dx(
                "DescribeVirtualInterfaces",
                json!({"virtualInterfaceId": id}),
            )
            .await
            .ok();
        text(&got["virtualInterfaces"][0]["virtualInterfaceState"])
    }
    pub async fn association_state(&self, id: &str) -> Option<String> {
        let got = self
            .dx(
                "DescribeDirectConnectGatewayAssociations",
                json!({"associationId": id}),
            )
            .await
            .ok();
        got["directConnectGatewayAssociations"][0]["associationState"]
            .as_str()
            .map(str::to_owned)
    }
}

pub fn text(v: &Value) -> String {
    v.as_str().unwrap_or_default().to_owned()
}
