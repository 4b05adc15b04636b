//! The lab through the three providers' own APIs, in one sandbox: built step by step, failed over by a BGP shutdown at
//! Megaport, back, and the bonus exercise; each API's answers against the rows that lab.md prints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod arm_support;
mod aws_support;
mod megaport_support;

use arm_support::{Azure, NETWORK, VPN};
use aws_support::Aws;
use causeway_sandbox::World;
use megaport_support::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const KEY: &str = "SecretBgpKey1";
const NIC: &str = "networkInterfaces/vm-nic";

struct Lab {
    azure: Azure,
    aws: Aws,
    megaport: Client,
    mcr: String,
    vxc_aws: String,
    vif: String,
    vpns: Vec<String>,
}

fn strings(v: &Value, keys: &[&str]) -> String {
    let one = |k: &&str| match &v[*k] {
        Value::String(s) => s.clone(),
        Value::Array(a) => a
            .iter()
            .map(|x| x.as_str().unwrap_or_default())
            .collect::<Vec<_>>()
            .join(","),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    keys.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn rows(table: &Value, keys: &[&str]) -> Vec<String> {
    table
        .as_array()
        .unwrap()
        .iter()
        .map(|r| strings(r, keys).trim().to_owned())
        .collect()
}

fn psk(instance: usize, tunnel: usize) -> String {
    format!("Lab.Key_{instance}{tunnel}")
}

fn azure_vxc(mcr: &str, key: &str, port: &Value) -> Value {
    json!({"productUid": mcr, "associatedVxcs": [{
        "productName": "to-azure", "rateLimit": 50, "term": 1,
        "aEnd": {"vlan": 0, "partnerConfig": {"interfaces": [{
            "vlan": 100, "ipAddresses": ["169.254.101.217/30"],
            "bgpConnections": [{"peerAsn": 12076, "localIpAddress": "169.254.101.217",
                                "peerIpAddress": "169.254.101.218", "bfdEnabled": true}],
        }]}},
        "bEnd": {"productUid": port, "partnerConfig": {"connectType": "AZURE", "serviceKey": key, "peers": []}},
    }]})
}

impl Lab {
    async fn build() -> Self {
        let world = World {
            jitter: 0.0,
            lags: BTreeMap::new(),
            ..World::default()
        };
        let pair = world.aws.key_of("causeway").unwrap().clone();
        let azure = Azure::with_world(world).await;
        let aws = Aws {
            sandbox: azure.sandbox.clone(),
            key: pair.access_key_id,
            secret: pair.secret_access_key,
            token: None,
            region: "us-east-1".into(),
            skew: 0,
        };
        let megaport = Client::on(azure.sandbox.clone()).await;
        let mcr = megaport.mcr("lab-a").await;

        // Azure's half up to the service key.
        let circuit = azure
            .make(arm_support::CIRCUIT, &arm_support::circuit())
            .await;
        let key = circuit["properties"]["serviceKey"].as_str().unwrap();
        azure
            .make("virtualNetworkGateways/ergw", &arm_support::er_gateway())
            .await;
        azure.vpn().await;

        // AWS's half.
        let vgw = aws.attached_vgw().await;
        let propagate = [
            ("GatewayId", vgw.as_str()),
            ("RouteTableId", aws_support::TABLE),
        ];
        aws.ec2("EnableVgwRoutePropagation", &propagate).await.ok();
        let dxgw = aws.dxgw().await;
        aws.associate(&dxgw, &vgw).await;
        let mut vpns = Vec::new();
        for i in 0..2 {
            let pip = azure.get(&format!("publicIPAddresses/pip-{i}")).await.body;
            let cgw = aws
                .cgw(pip["properties"]["ipAddress"].as_str().unwrap())
                .await;
            vpns.push(Self::vpn(&aws, &cgw, &vgw, i).await);
        }

        // Megaport between them.
        let lookup = megaport.read(&format!("/v2/secure/azure/{key}")).await;
        let port = &lookup["megaports"][0]["productUid"];
        megaport.bought(azure_vxc(&mcr, key, port)).await;
        // The router takes one order at a time.
        azure.sleep(300.0).await;
        let vxc_aws = megaport.aws_vxc(&mcr, "to-aws", Some(KEY)).await;
        let product = megaport.product(&vxc_aws).await;
        let vif = product["resources"]["csp_connection"]
            .as_array()
            .unwrap()
            .iter()
            .find_map(|c| c["vif_id"].as_str())
            .unwrap()
            .to_owned();
        let confirm = json!({"virtualInterfaceId": vif, "directConnectGatewayId": dxgw});
        aws.dx("ConfirmPrivateVirtualInterface", confirm).await.ok();
        azure.sleep(120.0).await;

        // Azure again: peering, connections.
        azure
            .make(arm_support::PEERING, &arm_support::peering())
            .await;
        azure
            .make("connections/er", &arm_support::er_connection())
            .await;
        for (i, id) in vpns.iter().enumerate() {
            let got = aws
                .ec2("DescribeVpnConnections", &[("VpnConnectionId.1", id)])
                .await
                .ok();
            // Which outside address belongs to which tunnel: joined by the inside prefix.
            let set = aws_support::Xml {
                status: 200,
                body: got.get("tunnelOptionSet"),
            };
            let (outsides, insides) = (set.all("outsideIpAddress"), set.all("tunnelInsideCidr"));
            for t in 0..2 {
                let inside = format!("169.254.{}.{}/30", 21 + t, 4 * i);
                let at = insides.iter().position(|x| *x == inside).unwrap();
                let outside = &outsides[at];
                let name = format!("i{i}t{t}");
                let bgp = format!("169.254.{}.{}", 21 + t, 1 + 4 * i);
                azure
                    .make(
                        &format!("localNetworkGateways/{name}"),
                        &arm_support::lng(outside, &bgp),
                    )
                    .await;
                let mut body = arm_support::ipsec(&name);
                body["properties"]["sharedKey"] = json!(psk(i, t));
                azure.make(&format!("connections/{name}"), &body).await;
            }
        }
        // The association takes longest.
        azure.sleep(1800.0).await;
        Self {
            azure,
            aws,
            megaport,
            mcr,
            vxc_aws,
            vif,
            vpns,
        }
    }

    async fn vpn(aws: &Aws, cgw: &str, vgw: &str, i: usize) -> String {
        let mut options: Vec<(String, String)> = Vec::new();
        for t in 0..2 {
            let inside = format!("169.254.{}.{}/30", 21 + t, 4 * i);
            for (name, value) in [
                ("TunnelInsideCidr", inside),
                ("PreSharedKey", psk(i, t)),
                ("IKEVersion.1.Value", "ikev2".to_owned()),
                ("StartupAction", "start".to_owned()),
                ("Phase1EncryptionAlgorithm.1.Value", "AES256".to_owned()),
                ("Phase1IntegrityAlgorithm.1.Value", "SHA2-256".to_owned()),
                ("Phase1DHGroupNumber.1.Value", "14".to_owned()),
                ("Phase2EncryptionAlgorithm.1.Value", "AES256".to_owned()),
                ("Phase2IntegrityAlgorithm.1.Value", "SHA2-256".to_owned()),
                ("Phase2DHGroupNumber.1.Value", "14".to_owned()),
            ] {
                options.push((format!("Options.TunnelOptions.{}.{name}", t + 1), value));
            }
        }
        let more: Vec<(&str, &str)> = options
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let made = aws.create_vpn(cgw, vgw, &more).await.ok();
        aws.pass(300.0).await;
        made.get("vpnConnectionId")
    }

    async fn circuit(&self, path: &str) -> Vec<String> {
        let url = format!(
            "{}/peerings/AzurePrivatePeering/routeTables/{path}",
            arm_support::CIRCUIT
        );
        rows(
            &self.azure.table(&url).await,
            &["network", "nextHop", "weight", "path"],
        )
    }

    async fn learned(&self) -> Vec<String> {
        rows(
            &self
                .azure
                .table("virtualNetworkGateways/ergw/getLearnedRoutes")
                .await,
            &[
                "network",
                "origin",
                "sourcePeer",
                "asPath",
                "weight",
                "nextHop",
            ],
        )
    }

    async fn effective(&self) -> Vec<String> {
        rows(
            &self
                .azure
                .table(&format!("{NIC}/effectiveRouteTable"))
                .await,
            &[
                "source",
                "state",
                "addressPrefix",
                "nextHopType",
                "nextHopIpAddress",
            ],
        )
        .into_iter()
        .filter(|r| r.starts_with("VirtualNetworkGateway"))
        .collect()
    }

    /// `status message` of the tunnels of both connections, the one that is down first.
    async fn telemetry(&self) -> Vec<String> {
        let mut out = Vec::new();
        for id in &self.vpns {
            let got = self
                .aws
                .ec2("DescribeVpnConnections", &[("VpnConnectionId.1", id)])
                .await
                .ok();
            let part = aws_support::Xml {
                status: 200,
                body: got.get("vgwTelemetry"),
            };
            let mut both: Vec<String> = part
                .all("status")
                .iter()
                .zip(part.all("statusMessage"))
                .map(|(s, m)| format!("{s} {m}"))
                .collect();
            // AWS lists them in an order of its own.
            both.sort();
            out.extend(both);
        }
        out
    }

    /// Routes of the VPC's table that came by propagation.
    async fn propagated(&self) -> Vec<String> {
        let got = self
            .aws
            .ec2(
                "DescribeRouteTables",
                &[("RouteTableId.1", aws_support::TABLE)],
            )
            .await
            .ok();
        let routes = aws_support::Xml {
            status: 200,
            body: got.get("routeSet"),
        };
        let mut out: Vec<String> = routes
            .body
            .split("<item>")
            .filter(|i| i.contains("EnableVgwRoutePropagation") && i.contains("active"))
            .map(|i| {
                aws_support::Xml {
                    status: 200,
                    body: i.to_owned(),
                }
                .get("destinationCidrBlock")
            })
            .collect();
        out.sort();
        out
    }

    async fn vif_bgp(&self) -> String {
        let input = json!({"virtualInterfaceId": self.vif});
        let got = self.aws.dx("DescribeVirtualInterfaces", input).await.ok();
        strings(
            &got["virtualInterfaces"][0]["bgpPeers"][0],
            &["bgpStatus", "bgpPeerState"],
        )
    }

    /// Shuts or starts the session on the VXC to AWS as a person in the portal does.
    async fn shut(&self, shut: bool) {
        let mut list = megaport_support::interfaces(Some(KEY));
        list[0]["bgpConnections"][0]["shutdown"] = json!(shut);
        let path = format!("/v3/product/vxc/{}", self.vxc_aws);
        let (status, body) = self
            .megaport
            .put(&path, json!({"aEndConfig": {"interfaces": list}}))
            .await;
        assert_eq!(status, 200, "{body}");
        self.azure.sleep(60.0).await;
    }

    /// The Looking Glass's BGP table: prefix, path, next hop.
    async fn looking_glass(&self) -> Vec<String> {
        let base = format!("/v2/product/mcr2/{}/diagnostics/routes", self.mcr);
        let id = self.megaport.read(&format!("{base}/bgp?async=true")).await;
        self.azure.sleep(30.0).await;
        let id = id.as_str().unwrap();
        let table = self
            .megaport
            .read(&format!("{base}/operation?operationId={id}"))
            .await;
        table
            .as_array()
            .unwrap()
            .iter()
            .map(|r| {
                let hop = r["nextHop"]["ip"].as_str().unwrap_or_default();
                format!("{} {hop}", strings(r, &["prefix", "asPath"]))
            })
            .collect()
    }
}

/// lab.md's rows; `e2e/tests/truth.rs` holds the RouteReport against the same ones.
const ROWS: &str = include_str!("fixtures/lab-tables.json");

/// The rows of one state of the lab.
fn printed(state: &str) -> Value {
    let all: Value = serde_json::from_str(ROWS).unwrap();
    all[state].clone()
}

/// A table of the fixture as [`rows`] writes one.
fn lines(table: &Value) -> Vec<String> {
    let columns = |row: &Value| {
        let cells: Vec<&str> = row
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c.as_str().unwrap())
            .collect();
        cells.join(" ").trim().to_owned()
    };
    table.as_array().unwrap().iter().map(columns).collect()
}

/// Every table of a state, as the APIs answer it; says how many rows were compared.
async fn assert_state(lab: &Lab, state: &str) -> usize {
    let want = printed(state);
    let mut compared = 0;
    let mut same = |what: &str, have: Vec<String>| {
        let want = lines(&want[what]);
        assert_eq!(have, want, "{state}: {what}");
        compared += want.len();
    };
    same("circuitPrimary", lab.circuit("primary").await);
    same("circuitSecondary", lab.circuit("secondary").await);
    same("gatewayLearned", lab.learned().await);
    same("networkInterface", lab.effective().await);
    if want["gatewayPeers"].is_array() {
        let peers = lab
            .azure
            .table("virtualNetworkGateways/ergw/getBgpPeerStatus")
            .await;
        same(
            "gatewayPeers",
            rows(&peers, &["neighbor", "asn", "state", "routesReceived"]),
        );
    }
    let propagated: Vec<Value> = lab.propagated().await.into_iter().map(Into::into).collect();
    assert_eq!(Value::Array(propagated), want["propagated"], "{state}");
    let vif = want["virtualInterface"].as_str().unwrap();
    assert_eq!(lab.vif_bgp().await, format!("{vif} available"));
    let router = lab.looking_glass().await;
    for row in want["routerHas"].as_array().unwrap() {
        let cell = |n: usize| row[n].as_str().unwrap();
        // The path may go on behind what the lab's picture shows.
        let begins = format!("{} {}", cell(0), cell(1));
        assert!(
            router
                .iter()
                .any(|r| r.starts_with(&begins) && r.ends_with(cell(2))),
            "{state}: {row} in {router:?}"
        );
        compared += 1;
    }
    for prefix in want["routerLacks"].as_array().unwrap() {
        let prefix = prefix.as_str().unwrap();
        assert!(router.iter().all(|r| !r.starts_with(prefix)), "{router:?}");
    }
    let telemetry = lab.telemetry().await;
    let mut wanted: Vec<&str> = want["tunnels"]
        .as_object()
        .unwrap()
        .values()
        .map(|v| v.as_str().unwrap())
        .collect();
    // Per connection, the one that is down first.
    for both in wanted.chunks_mut(2) {
        both.sort_unstable();
    }
    assert_eq!(telemetry.len(), wanted.len());
    for (have, want) in telemetry.iter().zip(wanted) {
        // The lab's picture of a tunnel that is up shows a number of routes, which is a counter.
        assert!(have.starts_with(want), "{state}: {telemetry:?}");
        compared += 1;
    }
    compared
}

#[tokio::test(start_paused = true)]
async fn the_labs_tables_come_out_of_the_apis_in_both_states() {
    let lab = Lab::build().await;
    let mut compared = assert_state(&lab, "normal").await;
    for i in 0..2 {
        for t in 0..2 {
            let read = lab.azure.get(&format!("connections/i{i}t{t}")).await.body;
            assert_eq!(
                read["properties"]["connectionStatus"], "Connected",
                "i{i}t{t}"
            );
        }
    }

    lab.shut(true).await;
    compared += assert_state(&lab, "failedOver").await;
    println!("the APIs against lab.md: {compared} rows of two states are the same");

    // The bonus exercise: a route table on GatewaySubnet that sends the gateways' traffic to an appliance.
    let subnet = "virtualNetworks/vnet/subnets/GatewaySubnet";
    let route = json!({"properties": {"addressPrefix": "172.29.0.0/16", "nextHopType": "VirtualAppliance",
                                       "nextHopIpAddress": "172.29.10.4"}});
    let table = json!({"location": "eastus2", "properties": {}});
    lab.azure.make("routeTables/gw", &table).await;
    lab.azure
        .make("routeTables/gw/routes/vnet-to-nva", &route)
        .await;
    let mut body = lab.azure.get(subnet).await.body;
    body["properties"]["routeTable"] = json!({"id": format!("{NETWORK}/routeTables/gw")});
    lab.azure.make(subnet, &body).await;
    lab.azure.sleep(300.0).await;
    assert!(lab.effective().await.is_empty());
    let accepted = lab.azure.post(&format!("{VPN}/getBgpPeerStatus")).await;
    let end = if accepted.status == 202 {
        lab.azure.wait(&accepted).await
    } else {
        accepted
    };
    assert_eq!((end.status, end.code()), (500, "InternalServerError"));
    let mend =
        json!({"properties": {"addressPrefix": "172.29.255.0/24", "nextHopType": "VnetLocal"}});
    lab.azure
        .make("routeTables/gw/routes/gw-local", &mend)
        .await;
    lab.azure.sleep(120.0).await;
    assert_eq!(lab.effective().await.len(), 2);

    lab.shut(false).await;
    assert_state(&lab, "normal").await;
}
