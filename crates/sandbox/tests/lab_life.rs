//! The lab's whole life on all three clouds at once: made and taken down as fast as the providers allow, by a driver
//! that starts each step one simulated second after what it needs is ready. Checks what no provider's own tests can:
//! the critical path against the time it really took, ledger, live objects, sessions, traces and the fail-over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod arm_support;
mod aws_support;
mod megaport_support;

use arm_support::{Azure, CIRCUIT, PEERING, VPN};
use aws_support::{Aws, TABLE, VPC};
use causeway_sandbox::control;
use causeway_sandbox::critical::Kind;
use causeway_sandbox::{Sandbox, World};
use http::Method;
use megaport_support::Client;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

const ERGW: &str = "virtualNetworkGateways/ergw";
const AZURE_PORT: &str = "a2b00000-0000-4000-8000-000000000001";
const KEY: &str = "firstkey1234";
/// Inside networks by gateway instance and tunnel.
const INSIDE: [[&str; 2]; 2] = [
    ["169.254.21.0/30", "169.254.22.0/30"],
    ["169.254.21.4/30", "169.254.22.4/30"],
];

/// A step and what it waits for.
type Plan = &'static [(&'static str, &'static [&'static str])];

const CREATE: Plan = &[
    ("router", &[]),
    ("circuit", &[]),
    ("ergw", &[]),
    ("pip-0", &[]),
    ("pip-1", &[]),
    // Both gateways take the virtual network's lock.
    ("vpngw", &["pip-0", "pip-1", "ergw"]),
    ("vgw", &[]),
    ("attachment", &["vgw"]),
    ("propagation", &["attachment"]),
    ("dxgw", &[]),
    ("association", &["dxgw", "attachment"]),
    ("vxc-azure", &["router", "circuit"]),
    // One order at a time on one router.
    ("vxc-aws", &["vxc-azure"]),
    ("provisioned", &["vxc-azure"]),
    ("peering", &["provisioned"]),
    ("er-connection", &["peering", "ergw"]),
    ("vif", &["vxc-aws", "dxgw"]),
    ("cgw-0", &["pip-0"]),
    ("cgw-1", &["pip-1"]),
    ("vpn-0", &["cgw-0", "attachment"]),
    ("vpn-1", &["cgw-1", "attachment"]),
    ("lng-0-0", &["vpn-0"]),
    ("lng-0-1", &["vpn-0"]),
    ("lng-1-0", &["vpn-1"]),
    ("lng-1-1", &["vpn-1"]),
    // One connection at a time on one gateway.
    ("ipsec-0-0", &["vpngw", "lng-0-0"]),
    ("ipsec-0-1", &["ipsec-0-0", "lng-0-1"]),
    ("ipsec-1-0", &["ipsec-0-1", "lng-1-0"]),
    ("ipsec-1-1", &["ipsec-1-0", "lng-1-1"]),
];

const DELETE: Plan = &[
    ("er-connection", &[]),
    ("peering", &["er-connection"]),
    ("vxc-azure", &["peering"]),
    ("released", &["vxc-azure"]),
    ("circuit", &["released"]),
    ("vif", &[]),
    ("vxc-aws", &["vif", "vxc-azure"]),
    ("router", &["vxc-azure", "vxc-aws"]),
    ("association", &[]),
    ("dxgw", &["association", "vif"]),
    ("ipsec-0-0", &[]),
    ("ipsec-0-1", &["ipsec-0-0"]),
    ("ipsec-1-0", &["ipsec-0-1"]),
    ("ipsec-1-1", &["ipsec-1-0"]),
    ("vpngw", &["ipsec-1-1"]),
    ("ergw", &["er-connection", "vpngw"]),
    ("lng-0-0", &["ipsec-0-0"]),
    ("lng-0-1", &["ipsec-0-1"]),
    ("lng-1-0", &["ipsec-1-0"]),
    ("lng-1-1", &["ipsec-1-1"]),
    ("pip-0", &["vpngw"]),
    ("pip-1", &["vpngw"]),
    ("vpn-0", &["ipsec-0-1"]),
    ("vpn-1", &["ipsec-1-1"]),
    ("cgw-0", &["vpn-0"]),
    ("cgw-1", &["vpn-1"]),
    ("propagation", &[]),
    (
        "attachment",
        &["association", "propagation", "vpn-0", "vpn-1"],
    ),
    ("vgw", &["attachment"]),
];

struct Lab {
    sandbox: Sandbox,
    azure: Azure,
    aws: Aws,
    megaport: Client,
    ids: RefCell<BTreeMap<String, String>>,
}

/// `name-0-1` as its base and numbers.
fn split(step: &str) -> (&str, Vec<usize>) {
    let base = step.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    let numbers = step[base.len()..]
        .split('-')
        .filter_map(|n| n.parse().ok())
        .collect();
    (base, numbers)
}

/// The ARM path of a step, when it is one of ARM's.
fn arm_path(step: &str) -> Option<String> {
    let (base, n) = split(step);
    Some(match base {
        "circuit" => CIRCUIT.to_owned(),
        "peering" => PEERING.to_owned(),
        "ergw" => ERGW.to_owned(),
        "vpngw" => VPN.to_owned(),
        "pip" => format!("publicIPAddresses/pip-{}", n[0]),
        "lng" => format!("localNetworkGateways/lng-{}-{}", n[0], n[1]),
        "ipsec" => format!("connections/ipsec-{}-{}", n[0], n[1]),
        "er-connection" => "connections/er".to_owned(),
        _ => return None,
    })
}

impl Lab {
    async fn new(world: World) -> Self {
        let azure = Azure::with_world(world.clone()).await;
        let sandbox = azure.sandbox.clone();
        let key = world.aws.key_of("causeway").unwrap().clone();
        let aws = Aws {
            sandbox: sandbox.clone(),
            key: key.access_key_id,
            secret: key.secret_access_key,
            token: None,
            region: "us-east-1".into(),
            skew: 0,
        };
        let megaport = Client::on(sandbox.clone()).await;
        Self {
            sandbox,
            azure,
            aws,
            megaport,
            ids: RefCell::default(),
        }
    }

    /// The same clients and IDs on another sandbox, whose state knows their tokens.
    fn on(&self, sandbox: Sandbox) -> Self {
        Self {
            azure: Azure {
                sandbox: sandbox.clone(),
                token: self.azure.token.clone(),
            },
            aws: Aws {
                sandbox: sandbox.clone(),
                ..self.aws.clone()
            },
            megaport: self.megaport.on_clone(sandbox.clone()),
            ids: RefCell::new(self.ids.borrow().clone()),
            sandbox,
        }
    }

    fn id(&self, step: &str) -> String {
        self.ids
            .borrow()
            .get(step)
            .cloned()
            .unwrap_or_else(|| panic!("no ID of {step} yet"))
    }
    fn keep(&self, step: &str, id: &str) {
        assert!(!id.is_empty(), "{step} has no ID");
        self.ids.borrow_mut().insert(step.to_owned(), id.to_owned());
    }

    /// The address outside of the tunnel with this inside network.
    async fn outside(&self, instance: usize, tunnel: usize) -> String {
        let id = self.id(&format!("vpn-{instance}"));
        let xml = self
            .aws
            .ec2("DescribeVpnConnections", &[("VpnConnectionId.1", &id)])
            .await
            .ok();
        let options = xml
            .body
            .split("<tunnelOptionSet>")
            .nth(1)
            .unwrap()
            .split("</tunnelOptionSet>")
            .next()
            .unwrap();
        let between = |text: &str, name: &str| {
            text.split(&format!("<{name}>"))
                .nth(1)
                .and_then(|r| r.split('<').next())
                .unwrap_or_default()
                .to_owned()
        };
        options
            .split("<outsideIpAddress>")
            .skip(1)
            .map(|o| format!("<outsideIpAddress>{o}"))
            .find(|o| between(o, "tunnelInsideCidr") == INSIDE[instance][tunnel])
            .map(|o| between(&o, "outsideIpAddress"))
            .unwrap()
    }

    async fn arm_body(&self, step: &str) -> Value {
        let (base, n) = split(step);
        match base {
            "circuit" => arm_support::circuit(),
            "peering" => arm_support::peering(),
            "ergw" => arm_support::er_gateway(),
            "vpngw" => arm_support::vpn_gateway(),
            "pip" => arm_support::pip(),
            "er-connection" => arm_support::er_connection(),
            "lng" => {
                let amazon = INSIDE[n[0]][n[1]]
                    .replace(".0/30", ".1")
                    .replace(".4/30", ".5");
                arm_support::lng(&self.outside(n[0], n[1]).await, &amazon)
            }
            _ => {
                let mut body = arm_support::ipsec(&format!("lng-{}-{}", n[0], n[1]));
                body["properties"]["sharedKey"] = json!(KEY);
                body
            }
        }
    }

    /// Starts a step; false when the provider says "not now".
    async fn make(&self, step: &str) -> bool {
        if let Some(path) = arm_path(step) {
            let body = self.arm_body(step).await;
            let answer = self.azure.put(&path, &body).await;
            return match answer.status {
                200 | 201 => true,
                409 | 429 => false,
                other => panic!("PUT {path}: {other} {}", answer.body),
            };
        }
        let (base, n) = split(step);
        match base {
            "router" => {
                let id = self
                    .megaport
                    .bought(megaport_support::mcr_order("lab"))
                    .await;
                self.keep(step, &id);
            }
            "vxc-azure" => {
                let circuit = self.azure.get(CIRCUIT).await.body;
                let key = circuit["properties"]["serviceKey"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                let order = json!({"productUid": self.id("router"), "associatedVxcs": [{
                    "productName": "to-azure", "rateLimit": 50, "term": 1, "shutdown": false,
                    "aEnd": {"vlan": 0, "partnerConfig": {"interfaces": [{
                        "ipAddresses": ["169.254.101.217/30"], "vlan": 100,
                        "bgpConnections": [{
                            "peerAsn": 12076, "localIpAddress": "169.254.101.217", "peerIpAddress": "169.254.101.218",
                            "shutdown": false, "bfdEnabled": true,
                        }],
                    }]}},
                    "bEnd": {"productUid": AZURE_PORT, "partnerConfig": {"connectType": "AZURE", "serviceKey": key, "peers": []}},
                }]});
                let id = self.megaport.bought(order).await;
                self.keep(step, &id);
            }
            "vxc-aws" => {
                let order = megaport_support::aws_order(
                    &self.id("router"),
                    "to-aws",
                    Some("SecretBgpKey1"),
                );
                let id = self.megaport.bought(order).await;
                self.keep(step, &id);
            }
            "vgw" => {
                let made = self
                    .aws
                    .ec2(
                        "CreateVpnGateway",
                        &[("Type", "ipsec.1"), ("AmazonSideAsn", "64900")],
                    )
                    .await
                    .ok();
                self.keep(step, &made.get("vpnGatewayId"));
            }
            "attachment" => {
                let vgw = self.id("vgw");
                self.aws
                    .ec2(
                        "AttachVpnGateway",
                        &[("VpnGatewayId", &vgw), ("VpcId", VPC)],
                    )
                    .await
                    .ok();
            }
            "propagation" => {
                let vgw = self.id("vgw");
                let what = [("GatewayId", vgw.as_str()), ("RouteTableId", TABLE)];
                self.aws.ec2("EnableVgwRoutePropagation", &what).await.ok();
            }
            "dxgw" => {
                let input = json!({"directConnectGatewayName": "lab", "amazonSideAsn": 64901});
                let made = self.aws.dx("CreateDirectConnectGateway", input).await.ok();
                self.keep(
                    step,
                    made["directConnectGateway"]["directConnectGatewayId"]
                        .as_str()
                        .unwrap(),
                );
            }
            "association" => {
                let id = self.aws.associate(&self.id("dxgw"), &self.id("vgw")).await;
                self.keep(step, &id);
            }
            "vif" => {
                let all = self
                    .aws
                    .dx("DescribeVirtualInterfaces", json!({}))
                    .await
                    .ok();
                let Some(vif) = all["virtualInterfaces"]
                    .as_array()
                    .unwrap()
                    .first()
                    .cloned()
                else {
                    return false;
                };
                let id = vif["virtualInterfaceId"].as_str().unwrap();
                self.keep(step, id);
                let input =
                    json!({"virtualInterfaceId": id, "directConnectGatewayId": self.id("dxgw")});
                self.aws
                    .dx("ConfirmPrivateVirtualInterface", input)
                    .await
                    .ok();
            }
            "cgw" => {
                let pip = self
                    .azure
                    .get(&arm_path(&format!("pip-{}", n[0])).unwrap())
                    .await
                    .body;
                let address = pip["properties"]["ipAddress"].as_str().unwrap().to_owned();
                let params = [
                    ("Type", "ipsec.1"),
                    ("IpAddress", address.as_str()),
                    ("BgpAsn", "65515"),
                    ("DeviceName", step),
                ];
                let made = self.aws.ec2("CreateCustomerGateway", &params).await.ok();
                self.keep(step, &made.get("customerGatewayId"));
            }
            "vpn" => {
                let [one, two] = INSIDE[n[0]];
                let options = |t: usize, name: &str| format!("Options.TunnelOptions.{t}.{name}");
                let mut more = Vec::new();
                for (t, inside) in [(1, one), (2, two)] {
                    more.push((options(t, "TunnelInsideCidr"), inside));
                    more.push((options(t, "PreSharedKey"), KEY));
                    more.push((options(t, "StartupAction"), "start"));
                }
                let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (k.as_str(), *v)).collect();
                let made = self
                    .aws
                    .create_vpn(&self.id(&format!("cgw-{}", n[0])), &self.id("vgw"), &more)
                    .await
                    .ok();
                self.keep(step, &made.get("vpnConnectionId"));
            }
            "provisioned" => {}
            other => panic!("no step {other}"),
        }
        true
    }

    async fn ec2_state(&self, action: &str, parameter: &str, step: &str) -> String {
        let id = self.id(step);
        let xml = self.aws.ec2(action, &[(parameter, &id)]).await;
        if xml.status == 200 {
            xml.get("state")
        } else {
            "deleted".to_owned()
        }
    }

    async fn attachment(&self) -> String {
        let id = self.id("vgw");
        let xml = self
            .aws
            .ec2("DescribeVpnGateways", &[("VpnGatewayId.1", &id)])
            .await
            .ok();
        let part = xml
            .body
            .split("<attachments>")
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        part.split("<state>")
            .nth(1)
            .and_then(|s| s.split('<').next())
            .unwrap_or("detached")
            .to_owned()
    }

    async fn dxgw(&self) -> Option<String> {
        let all = self
            .aws
            .dx(
                "DescribeDirectConnectGateways",
                json!({"directConnectGatewayId": self.id("dxgw")}),
            )
            .await
            .ok();
        all["directConnectGateways"][0]["directConnectGatewayState"]
            .as_str()
            .map(str::to_owned)
    }

    async fn provider_state(&self) -> String {
        let body = self.azure.get(CIRCUIT).await.body;
        body["properties"]["serviceProviderProvisioningState"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    async fn made(&self, step: &str) -> bool {
        if let Some(path) = arm_path(step) {
            let read = self.azure.get(&path).await;
            assert_ne!(
                read.body["properties"]["provisioningState"], "Failed",
                "{path}"
            );
            return read.status == 200
                && read.body["properties"]["provisioningState"] == "Succeeded";
        }
        match split(step).0 {
            "router" | "vxc-azure" | "vxc-aws" => {
                self.megaport.status(&self.id(step)).await == "LIVE"
            }
            "vgw" => {
                self.ec2_state("DescribeVpnGateways", "VpnGatewayId.1", step)
                    .await
                    == "available"
            }
            "attachment" => self.attachment().await == "attached",
            "dxgw" => self.dxgw().await.as_deref() == Some("available"),
            "association" => {
                self.aws.association_state(&self.id(step)).await.as_deref() == Some("associated")
            }
            "vif" => matches!(
                self.aws.vif_state(&self.id(step)).await.as_str(),
                "available" | "down"
            ),
            "cgw" => {
                self.ec2_state("DescribeCustomerGateways", "CustomerGatewayId.1", step)
                    .await
                    == "available"
            }
            "vpn" => {
                self.ec2_state("DescribeVpnConnections", "VpnConnectionId.1", step)
                    .await
                    == "available"
            }
            "provisioned" => self.provider_state().await == "Provisioned",
            _ => true,
        }
    }

    /// Starts a step of the way back; false when the provider says "not now".
    async fn unmake(&self, step: &str) -> bool {
        if let Some(path) = arm_path(step) {
            let answer = self.azure.delete(&path).await;
            return match answer.status {
                200 | 202 => true,
                // Public addresses stay "in use" for a moment after their gateway has gone.
                400 | 409 | 429 => false,
                other => panic!("DELETE {path}: {other} {}", answer.body),
            };
        }
        match split(step).0 {
            "router" | "vxc-azure" | "vxc-aws" => {
                let (status, body) = self.megaport.cancel(&self.id(step), "").await;
                assert_eq!(status, 200, "{step}: {body}");
            }
            "vif" => {
                self.aws
                    .dx(
                        "DeleteVirtualInterface",
                        json!({"virtualInterfaceId": self.id(step)}),
                    )
                    .await
                    .ok();
            }
            "association" => {
                let input = json!({"associationId": self.id(step)});
                self.aws
                    .dx("DeleteDirectConnectGatewayAssociation", input)
                    .await
                    .ok();
            }
            "dxgw" => {
                self.aws
                    .dx(
                        "DeleteDirectConnectGateway",
                        json!({"directConnectGatewayId": self.id(step)}),
                    )
                    .await
                    .ok();
            }
            "propagation" => {
                let vgw = self.id("vgw");
                let what = [("GatewayId", vgw.as_str()), ("RouteTableId", TABLE)];
                self.aws.ec2("DisableVgwRoutePropagation", &what).await.ok();
            }
            "attachment" => {
                let vgw = self.id("vgw");
                self.aws
                    .ec2(
                        "DetachVpnGateway",
                        &[("VpnGatewayId", &vgw), ("VpcId", VPC)],
                    )
                    .await
                    .ok();
            }
            "vgw" => {
                self.aws
                    .ec2("DeleteVpnGateway", &[("VpnGatewayId", &self.id(step))])
                    .await
                    .ok();
            }
            "cgw" => {
                self.aws
                    .ec2(
                        "DeleteCustomerGateway",
                        &[("CustomerGatewayId", &self.id(step))],
                    )
                    .await
                    .ok();
            }
            "vpn" => {
                self.aws
                    .ec2(
                        "DeleteVpnConnection",
                        &[("VpnConnectionId", &self.id(step))],
                    )
                    .await
                    .ok();
            }
            "released" => {
                let now = self.sandbox.now().0.to_string();
                self.keep(step, &now);
            }
            other => panic!("no step {other}"),
        }
        true
    }

    async fn unmade(&self, step: &str) -> bool {
        if let Some(path) = arm_path(step) {
            return self.azure.get(&path).await.status == 404;
        }
        match split(step).0 {
            "router" | "vxc-azure" | "vxc-aws" => {
                self.megaport.status(&self.id(step)).await == "DECOMMISSIONED"
            }
            "vif" => matches!(
                self.aws.vif_state(&self.id(step)).await.as_str(),
                "deleted" | ""
            ),
            "association" => {
                let state = self.aws.association_state(&self.id(step)).await;
                matches!(state.as_deref(), None | Some("disassociated"))
            }
            "dxgw" => matches!(self.dxgw().await.as_deref(), None | Some("deleted")),
            "attachment" => self.attachment().await == "detached",
            "vgw" => {
                self.ec2_state("DescribeVpnGateways", "VpnGatewayId.1", step)
                    .await
                    == "deleted"
            }
            "cgw" => {
                self.ec2_state("DescribeCustomerGateways", "CustomerGatewayId.1", step)
                    .await
                    == "deleted"
            }
            "vpn" => {
                self.ec2_state("DescribeVpnConnections", "VpnConnectionId.1", step)
                    .await
                    == "deleted"
            }
            "released" => {
                if self.provider_state().await == "NotProvisioned" {
                    return self.azure.get(CIRCUIT).await.body["properties"]["provisioningState"]
                        == "Succeeded";
                }
                // As soon as the provider has reported it, one refresh shows it (azure.md §2.6).
                let since = causeway_sandbox::SimTime(self.id(step).parse().unwrap());
                if self.sandbox.now().secs_since(since) > 120.0
                    && !self.ids.borrow().contains_key("refresh")
                {
                    let body = self.azure.get(CIRCUIT).await.body;
                    let answer = self.azure.put(CIRCUIT, &body).await;
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    self.keep("refresh", "asked for");
                }
                false
            }
            _ => true,
        }
    }

    /// Walks a plan; answers how many simulated seconds it took.
    async fn walk(&self, plan: Plan, making: bool) -> f64 {
        let begun = self.sandbox.now();
        let (mut running, mut done): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for _ in 0..20_000 {
            let mut still = Vec::new();
            for step in running {
                if if making {
                    self.made(step).await
                } else {
                    self.unmade(step).await
                } {
                    done.push(step);
                } else {
                    still.push(step);
                }
            }
            running = still;
            if done.len() == plan.len() {
                return self.sandbox.now().secs_since(begun);
            }
            for (step, needs) in plan {
                let free = !running.contains(step)
                    && !done.contains(step)
                    && needs.iter().all(|n| done.contains(n));
                if free
                    && if making {
                        self.make(step).await
                    } else {
                        self.unmake(step).await
                    }
                {
                    running.push(step);
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("these never end: {running:?}, of {done:?}");
    }

    fn get(&self, path: &str) -> Value {
        let req = megaport_support::request(&Method::GET, path, &[], "");
        let res = control::respond(&self.sandbox, &req);
        assert_eq!(res.status, 200, "{path}: {:?}", res.body);
        serde_json::from_slice(&res.body).unwrap()
    }

    fn post(&self, path: &str) {
        let req = megaport_support::request(&Method::POST, path, &[], "");
        let res = control::respond(&self.sandbox, &req);
        assert_eq!(res.status, 204, "{path}: {:?}", res.body);
    }

    /// Which way packets take between two hosts; every branch must arrive, and by one path.
    fn path(&self, from: &str, to: &str) -> String {
        let branches = self.sandbox.trace(from, to).unwrap();
        assert!(!branches.is_empty());
        for b in &branches {
            assert!(
                b.arrives && b.path == branches[0].path,
                "{from} to {to}: {branches:#?}"
            );
        }
        branches[0].path.clone()
    }

    /// Prints an answer of the control API for the documentation, when asked to.
    fn show(&self, path: &str) {
        if std::env::var_os("SHOW").is_some() {
            println!("GET {path}\n{:#}\n", self.get(path));
        }
    }
}

fn report(what: &str, took: f64, lab: &Lab, kind: Kind) {
    let path = lab.sandbox.critical_path(kind, None);
    println!("{what}: {took} s, critical path {} s", path.seconds);
    for s in &path.chain {
        println!(
            "  {:7.1} {:7.1}  {} {}",
            s.done_after, s.seconds, s.operation, s.resource
        );
    }
    assert!(
        path.seconds > 0.0 && took >= path.seconds - 1.0,
        "{what} was faster than its critical path"
    );
    assert!(
        took <= 1.05 * path.seconds,
        "{what} took {took} s, its critical path {} s",
        path.seconds
    );
}

#[tokio::test(start_paused = true)]
async fn the_labs_whole_life() {
    let mut world = World {
        jitter: 0.0,
        ..World::default()
    };
    world.lags.values_mut().for_each(|l| *l = 0.0);
    let lab = Lab::new(world).await;
    let at_start = lab.get("/diff");
    assert_eq!(at_start, json!([]));

    let took = lab.walk(CREATE, true).await;
    report("create", took, &lab, Kind::Create);
    let kinds = |open: bool| {
        let mut kinds: Vec<String> = lab
            .sandbox
            .ledger()
            .into_iter()
            .filter(|e| e.ended_at.is_none() == open)
            .map(|e| {
                serde_json::to_value(e.kind)
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        kinds.sort();
        kinds
    };
    let bought = [
        "expressRouteCircuit",
        "expressRouteGateway",
        "mcr",
        "publicIPAddress",
        "publicIPAddress",
        "vpnConnection",
        "vpnConnection",
        "vpnGateway",
        "vxc",
        "vxc",
    ];
    assert_eq!(kinds(true), bought);
    assert_eq!(kinds(false), [""; 0]);

    // A minute for tunnels and sessions, then both directions go over ExpressRoute.
    tokio::time::sleep(Duration::from_secs(120)).await;
    for session in lab.sandbox.sessions() {
        println!("  {} {:?} {:?}", session.id, session.state, session.reason);
    }
    assert_eq!(lab.path("vm", "ec2"), "ExpressRoute");
    assert_eq!(lab.path("ec2", "vm"), "ExpressRoute");
    lab.show("/sessions");
    lab.show("/trace?from=vm&to=ec2");
    lab.show("/links");
    lab.show("/nodes");

    // The lab's fail-over: BGP shut on the VXC to AWS.
    let vif = lab
        .sandbox
        .sessions()
        .into_iter()
        .find(|s| s.kind == "vif")
        .unwrap();
    let id = url::form_urlencoded::byte_serialize(vif.id.as_bytes()).collect::<String>();
    lab.post(&format!("/sessions/{id}/shutdown"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.path("vm", "ec2"), "VPN");
    assert_eq!(lab.path("ec2", "vm"), "VPN");
    lab.post(&format!("/sessions/{id}/start"));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(lab.path("vm", "ec2"), "ExpressRoute");
    assert_eq!(lab.path("ec2", "vm"), "ExpressRoute");
    lab.show("/ledger");
    lab.show("/live");
    lab.show("/diff");
    lab.show("/critical-path?kind=create");

    let took = lab.walk(DELETE, false).await;
    report("delete", took, &lab, Kind::Delete);
    lab.show("/critical-path?kind=delete");
    lab.show("/operations");
    assert_eq!(kinds(true), [""; 0]);
    assert_eq!(kinds(false), bought);
    assert_eq!(lab.get("/diff"), json!([]));
    // What AWS keeps listing for a while is not counted as living.
    assert_eq!(lab.get("/live"), json!([]));
    assert_eq!(lab.sandbox.sessions().len(), 0);
}

/// The whole state without what is wall time by nature: the dates in signed requests.
fn frozen(sandbox: &Sandbox) -> String {
    let mut state = sandbox.snapshot();
    for call in &mut state.calls.entries {
        call.headers.clear();
    }
    serde_json::to_string(&state).unwrap()
}

#[tokio::test(start_paused = true)]
async fn copies_of_the_standing_lab_go_on_identically_also_from_json() {
    // The default world: durations vary and reads lag.
    let lab = Lab::new(World::default()).await;
    lab.walk(CREATE, true).await;
    let state = lab.sandbox.snapshot();
    let json = serde_json::to_string(&state).unwrap();
    let reread: causeway_sandbox::State = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&reread).unwrap(), json);
    let mut ends = Vec::new();
    for state in [state, reread] {
        let copy = lab.on(Sandbox::from_state(state, 1.0));
        copy.walk(DELETE, false).await;
        assert_eq!(copy.sandbox.live(), []);
        ends.push(frozen(&copy.sandbox));
    }
    assert!(
        ends[0] == ends[1],
        "two copies of one state came to different ends"
    );
}
