//! Drives the lab's life on a sandbox in process, through the providers' APIs: a plan of steps, each started one simulated
//! second after what it needs is ready.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's own driver: what goes wrong here fails the test"
)]

mod plans;
mod unmake;

pub use plans::{CREATE, DELETE, Plan};

use crate::arm_support::{self, Azure, CIRCUIT, PEERING, VPN};
use crate::aws_support::{Aws, TABLE, VPC};
use crate::megaport_support::{self, Client};
use causeway_sandbox::control;
use causeway_sandbox::{Sandbox, World};
use http::Method;
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

pub struct Lab {
    pub sandbox: Sandbox,
    pub azure: Azure,
    pub aws: Aws,
    pub megaport: Client,
    pub ids: RefCell<BTreeMap<String, String>>,
}

/// `name-0-1` as its base and numbers.
pub fn split(step: &str) -> (&str, Vec<usize>) {
    let base = step.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    let numbers = step[base.len()..]
        .split('-')
        .filter_map(|n| n.parse().ok())
        .collect();
    (base, numbers)
}

/// The ARM path of a step, when it is one of ARM's.
pub fn arm_path(step: &str) -> Option<String> {
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
    pub async fn new(world: World) -> Self {
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
    pub fn on(&self, sandbox: Sandbox) -> Self {
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

    pub fn id(&self, step: &str) -> String {
        self.ids
            .borrow()
            .get(step)
            .cloned()
            .unwrap_or_else(|| panic!("no ID of {step} yet"))
    }
    pub fn keep(&self, step: &str, id: &str) {
        assert!(!id.is_empty(), "{step} has no ID");
        self.ids.borrow_mut().insert(step.to_owned(), id.to_owned());
    }

    /// The address outside of the tunnel with this inside network.
    pub async fn outside(&self, instance: usize, tunnel: usize) -> String {
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

    pub async fn arm_body(&self, step: &str) -> Value {
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
    pub async fn make(&self, step: &str) -> bool {
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

    pub async fn ec2_state(&self, action: &str, parameter: &str, step: &str) -> String {
        let id = self.id(step);
        let xml = self.aws.ec2(action, &[(parameter, &id)]).await;
        if xml.status == 200 {
            xml.get("state")
        } else {
            "deleted".to_owned()
        }
    }

    pub async fn attachment(&self) -> String {
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

    pub async fn dxgw(&self) -> Option<String> {
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

    pub async fn provider_state(&self) -> String {
        let body = self.azure.get(CIRCUIT).await.body;
        body["properties"]["serviceProviderProvisioningState"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub async fn made(&self, step: &str) -> bool {
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

    /// Walks a plan; answers how many simulated seconds it took.
    pub async fn walk(&self, plan: Plan, making: bool) -> f64 {
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

    pub fn get(&self, path: &str) -> Value {
        let req = megaport_support::request(&Method::GET, path, &[], "");
        let res = control::respond(&self.sandbox, &req);
        assert_eq!(res.status, 200, "{path}: {:?}", res.body);
        serde_json::from_slice(&res.body).unwrap()
    }

    pub fn post(&self, path: &str) {
        let req = megaport_support::request(&Method::POST, path, &[], "");
        let res = control::respond(&self.sandbox, &req);
        assert_eq!(res.status, 204, "{path}: {:?}", res.body);
    }

    /// Which way packets take between two hosts; every branch must arrive, and by one path.
    pub fn path(&self, from: &str, to: &str) -> String {
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
    pub fn show(&self, path: &str) {
        if std::env::var_os("SHOW").is_some() {
            println!("GET {path}\n{:#}\n", self.get(path));
        }
    }
}
