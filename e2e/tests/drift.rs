//! A person changes every compared field of the living lab in the clouds: it is named in `InSync` and left alone while
//! `driftPolicy` says Report, and set back when it says Repair. `ObserveOnly` and `paused` write nothing at all.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test

use causeway::clients::azure::ResourceId;
use causeway::clients::megaport::{RouterBgp, RouterInterface, VxcUpdate};
use causeway_aws::{DirectConnectApi, Ec2Api, Select, TunnelChange, TunnelPolicy};
use causeway_e2e::harness::{Case, Human, Rig, Snapshot, built, simulate};
use causeway_e2e::objects::condition;
use causeway_model::secret::Secret;
use causeway_model::spec::IpsecProfile;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(3);
/// Every compared field, kept current by a test of the model.
const FIELDS: &str = include_str!("golden/fields.txt");

/// What nobody can change on a living object: the providers refuse, or the field has no operation.
const FIXED: &[(&str, &str)] = &[
    ("circuit", "peeringLocation"),
    ("circuit", "serviceProviderName"),
    // Azure takes a circuit from MeteredData to UnlimitedData and never back: nothing can repair it.
    ("circuit", "sku.family"),
    ("cgw", "bgpASN"),
    ("cgw", "ipAddress"),
    ("dxgw", "amazonASN"),
    ("er-gateway", "gatewayType"),
    ("er-gateway", "subnet"),
    ("router-a", "asn"),
    ("router-a", "locationID"),
    ("router-a", "portSpeedMbps"),
    ("vgw", "amazonASN"),
    // It would have to be detached, which the association and the tunnels forbid.
    ("vgw", "vpcID"),
    ("vif", "amazonAddress"),
    ("vif", "authKey"),
    ("vif", "customerAddress"),
    ("vpn-connection", "insideCIDRs"),
    ("vpn-gateway", "activeActive"),
    ("vpn-gateway", "asn"),
    ("vpn-gateway", "gatewayType"),
    ("vpn-gateway", "generation"),
    ("vpn-gateway", "subnet"),
    ("vxc-aws", "router"),
    ("vxc-primary", "router"),
];

async fn settled(rig: &Rig) {
    let mut quiet = 0;
    rig.until_each(Duration::from_secs(15), "in sync", PATIENCE, async |r| {
        let ready = r.all_say("Ready").await && r.all_say("InSync").await;
        quiet = if ready { quiet + 1 } else { 0 };
        quiet > 4
    })
    .await;
}

fn lab() -> &'static Snapshot {
    static LAB: OnceLock<Snapshot> = OnceLock::new();
    LAB.get_or_init(|| {
        built(&Case::lab(), async |rig: &Rig| {
            rig.until("four objects", PATIENCE, async |r| {
                r.seen().await.objects.len() == 4 && r.all_say("Ready").await
            })
            .await;
            settled(rig).await;
            rig.pass(Duration::from_mins(10)).await;
        })
    })
}

/// Who has a slot of this sort.
fn owner(sort: &str) -> (&'static str, &'static str) {
    match sort {
        "circuit" | "er-connection" | "peering" | "vxc-primary" => {
            ("ExpressRouteLink", "lab-er-main")
        }
        "vif" | "vxc-aws" => ("DirectConnectLink", "lab-dx-main"),
        "cgw" | "ipsec" | "lng" | "vpn-connection" | "vpn-gateway" => ("VpnPair", "lab-vpn"),
        _ => ("HybridInterconnect", "lab"),
    }
}

/// The slot that stands for its sort.
fn slot(sort: &str) -> String {
    match sort {
        "ipsec" | "lng" => format!("{sort}-0-1"),
        "vpn-connection" => format!("{sort}-0"),
        _ => sort.to_owned(),
    }
}

async fn ids(rig: &Rig) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (kind, name) in ["er-connection", "vif", "ipsec", "vgw"].map(owner) {
        let o = rig.get(kind, name).await.unwrap();
        for s in o["status"]["slots"].as_array().into_iter().flatten() {
            if s["phase"] != "Imported"
                && let (Some(name), Some(id)) = (s["name"].as_str(), s["id"].as_str())
            {
                all.insert(name.to_owned(), id.to_owned());
            }
        }
    }
    all
}

/// A person changes a field.
async fn touch(human: &Human, ids: &BTreeMap<String, String>, sort: &str, field: &str) {
    let id = ids[&slot(sort)].as_str();
    let arm = ResourceId::new(id.to_owned());
    match sort {
        "circuit" => {
            let mut c = human.azure.circuit(&arm).await.unwrap().unwrap();
            if field == "bandwidthMbps" {
                let p = c.properties.service_provider_properties.as_mut().unwrap();
                p.bandwidth_in_mbps = Some(100);
            } else {
                let sku = c.sku.as_mut().unwrap();
                sku.tier = Some("Premium".to_owned());
                sku.name = Some("Premium_MeteredData".to_owned());
            }
            human.azure.update_circuit(&arm, &c).await.unwrap();
        }
        "peering" => {
            let circuit = ResourceId::new(ids["circuit"].clone());
            let mut p = human
                .azure
                .private_peering(&circuit)
                .await
                .unwrap()
                .unwrap();
            match field {
                "peerASN" => p.properties.peer_asn = Some(64700),
                "primaryPrefix" => {
                    p.properties.primary_peer_address_prefix =
                        Some("169.254.102.216/30".to_owned());
                }
                "secondaryPrefix" => {
                    p.properties.secondary_peer_address_prefix =
                        Some("169.254.102.220/30".to_owned());
                }
                "vlanID" => p.properties.vlan_id = Some(101),
                _ => p.properties.state = Some("Disabled".to_owned()),
            }
            human
                .azure
                .put("a person", &circuit.private_peering(), &p, None)
                .await
                .unwrap();
        }
        "er-connection" | "ipsec" => {
            let mut c = human.azure.connection(&arm).await.unwrap().unwrap();
            let p = &mut c.properties;
            match field {
                "routingWeight" => p.routing_weight = Some(7),
                "dpdTimeoutSeconds" => p.dpd_timeout_seconds = Some(90),
                "enableBgp" => p.enable_bgp = Some(false),
                "ipsecPolicy" => p.ipsec_policies[0].sa_life_time_seconds = 1800,
                _ => {
                    let gateway = ResourceId::new(ids["vpn-gateway"].clone());
                    p.gateway_custom_bgp_ip_addresses = [(0, "169.254.21.2"), (1, "169.254.21.6")]
                        .map(|(i, a)| causeway::clients::azure::CustomBgpAddress {
                            ip_configuration_id: gateway
                                .child("ipConfigurations", &format!("ipc{i}"))
                                .as_str()
                                .to_owned(),
                            custom_bgp_ip_address: a.to_owned(),
                        })
                        .to_vec();
                }
            }
            human.azure.update_connection(&arm, &c).await.unwrap();
        }
        "lng" => {
            let mut l = human.azure.local_gateway(&arm).await.unwrap().unwrap();
            let p = &mut l.properties;
            let bgp = p.bgp_settings.as_mut().unwrap();
            match field {
                "asn" => bgp.asn = Some(64950),
                "gatewayIpAddress" => p.gateway_ip_address = Some("203.0.113.99".to_owned()),
                _ => bgp.bgp_peering_address = Some("169.254.21.9".to_owned()),
            }
            human.azure.put("a person", &arm, &l, None).await.unwrap();
        }
        "er-gateway" | "vpn-gateway" => {
            let mut g = human.azure.gateway(&arm).await.unwrap().unwrap();
            if field == "sku" {
                let sku = if sort == "er-gateway" {
                    "ErGw2AZ"
                } else {
                    "VpnGw3AZ"
                };
                let is = g.properties.sku.as_mut().unwrap();
                sku.clone_into(&mut is.name);
                sku.clone_into(&mut is.tier);
            } else {
                let i = usize::from(field == "apipa1");
                let bgp = g.properties.bgp_settings.as_mut().unwrap();
                bgp.bgp_peering_addresses[i].custom_bgp_ip_addresses =
                    vec![format!("169.254.21.{}", 102 + 4 * i)];
            }
            human.azure.update_gateway(&arm, &g).await.unwrap();
        }
        "dxgw-association" => {
            human
                .aws
                .update_dx_association(id, &["172.18.0.0/16".parse().unwrap()], &[])
                .await
                .unwrap();
        }
        "vif" => human.aws.update_vif(id, Some(8500), None).await.unwrap(),
        "vpn-connection" => {
            let c = human
                .aws
                .vpn_connections(&Select::id(id))
                .await
                .unwrap()
                .remove(0);
            let change = match field {
                "preSharedKeys" => TunnelChange {
                    pre_shared_key: Some(Secret::new("aPersonsOwnKey1234")),
                    ..TunnelChange::default()
                },
                "ipsecPolicy" => TunnelChange {
                    policy: Some(TunnelPolicy::of(&IpsecProfile::gcm()).unwrap()),
                    ..TunnelChange::default()
                },
                _ => TunnelChange {
                    dpd_timeout_seconds: Some(60),
                    ..TunnelChange::default()
                },
            };
            let outside = c.tunnels[0].health.outside_address.clone();
            human
                .aws
                .modify_tunnel(id, &outside, &change)
                .await
                .unwrap();
        }
        "vxc-primary" | "vxc-aws" => {
            let vxc = human.megaport.vxc(id).await.unwrap().unwrap();
            if field == "rateLimitMbps" {
                let update = VxcUpdate {
                    rate_limit_mbps: Some(30),
                    ..VxcUpdate::default()
                };
                return human.megaport.update_vxc(id, &update).await.unwrap();
            }
            let interface = &vxc.router.as_ref().unwrap().interfaces[0];
            let s = &interface.sessions[0];
            let mut session = RouterBgp {
                peer_asn: s.row.peer_asn.unwrap(),
                local_address: s.row.local_ip_address.parse().unwrap(),
                peer_address: s.row.peer_ip_address.parse().unwrap(),
                password: s.password.clone(),
                shutdown: s.row.shutdown,
                description: String::new(),
                bfd: s.bfd,
                as_path_prepend: s.as_path_prepend as u8,
                med_out: s.med_out,
                deny_export_to: Vec::new(),
            };
            let mut vlan = (sort == "vxc-primary").then_some(100);
            match field {
                "asPathPrependCount" => session.as_path_prepend = 3,
                "bfdEnabled" => session.bfd = !session.bfd,
                "bgpKey" => session.password = Some(Secret::new("aPersonsOwnKey1234")),
                "denyExportTo" => session.deny_export_to = vec!["169.254.99.1".parse().unwrap()],
                "medOut" => session.med_out = Some(77),
                "peerASN" => session.peer_asn = 64999,
                "vlanID" => vlan = Some(101),
                _ => panic!("nobody changes {field} of a VXC"),
            }
            let update = VxcUpdate {
                interfaces: Some(vec![RouterInterface {
                    description: String::new(),
                    vlan,
                    address: interface.ip_addresses[0].parse().unwrap(),
                    sessions: vec![session],
                }]),
                ..VxcUpdate::default()
            };
            human.megaport.update_vxc(id, &update).await.unwrap();
        }
        _ => panic!(
            "no drift case for {sort} {field}: add one, or say in FIXED why nobody can change it"
        ),
    }
}

async fn set(rig: &Rig, policy: Value) {
    let patch = json!({ "spec": policy });
    let api = rig.kind("HybridInterconnect");
    api.patch("lab", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    // Down to the links.
    rig.pass(Duration::from_secs(30)).await;
}

fn written(rig: &Rig, since: u64) -> Vec<String> {
    rig.mutating_since(since)
        .iter()
        .map(|c| format!("{} {}", c.operation, c.path))
        .collect()
}

/// Fields that somebody can change, by sort.
fn cases() -> Vec<(&'static str, &'static str)> {
    let all = FIELDS.lines().filter_map(|l| {
        let mut words = l.split(' ');
        Some((words.next()?, words.next()?))
    });
    all.filter(|c| !FIXED.contains(c)).collect()
}

/// Each in turn: named and left alone, then set back.
fn reported_and_repaired(which: impl Fn(&str) -> bool) {
    // In a runtime of its own.
    lab();
    simulate(async || {
        let mut rig = Rig::from_snapshot(lab());
        rig.start_operator();
        settled(&rig).await;
        let human = Human::of(&rig).await;
        let ids = ids(&rig).await;
        let mut done = 0;
        for (sort, field) in cases().into_iter().filter(|(sort, _)| which(sort)) {
            set(&rig, json!({"driftPolicy": "Report"})).await;
            let before = rig.last_call();
            touch(&human, &ids, sort, field).await;
            let (kind, name) = owner(sort);
            let wanted = format!("{}: {field} is ", slot(sort));
            rig.until(
                &format!("{wanted}… in InSync of {kind}"),
                PATIENCE,
                async |r| {
                    let (status, _, message) =
                        condition(&r.get(kind, name).await.unwrap(), "InSync");
                    status == "False"
                        && message.contains(&wanted)
                        && message.contains(" and should be ")
                },
            )
            .await;
            rig.pass(Duration::from_mins(2)).await;
            assert_eq!(
                written(&rig, before),
                Vec::<String>::new(),
                "{sort} {field}: only reported"
            );
            set(&rig, json!({"driftPolicy": "Repair"})).await;
            if field == "bandwidthMbps" {
                // Azure never lowers it: said, and what to do; the spec follows.
                let provisioned = condition(&rig.get(kind, name).await.unwrap(), "Provisioned");
                assert_eq!(provisioned.1, "ChangeRefused");
                assert!(
                    provisioned.2.contains("never lowers it: set"),
                    "{}",
                    provisioned.2
                );
                let api = rig.kind("HybridInterconnect");
                let mut o = api.get("lab").await.unwrap();
                o.data["spec"]["expressRoutes"][0]["circuit"]["bandwidthMbps"] = 100.into();
                api.replace("lab", &PostParams::default(), &o)
                    .await
                    .unwrap();
                rig.pass(Duration::from_secs(30)).await;
            }
            settled(&rig).await;
            let calls = written(&rig, before);
            assert!(
                !calls.is_empty() && calls.len() <= 2,
                "{sort} {field}: {calls:#?}"
            );
            done += 1;
            eprintln!("{sort} {field}: reported, then repaired by {calls:?}");
        }
        rig.stop_operator().await;
        eprintln!("{done} fields");
    });
}

#[test]
fn a_field_of_the_private_path_that_somebody_changes_is_reported_or_repaired() {
    reported_and_repaired(|sort| owner(sort).0 != "VpnPair");
}

#[test]
fn a_field_of_the_vpn_that_somebody_changes_is_reported_or_repaired() {
    reported_and_repaired(|sort| owner(sort).0 == "VpnPair");
}

#[test]
fn who_only_observes_or_pauses_writes_nothing() {
    // In a runtime of its own.
    lab();
    simulate(async || {
        let mut rig = Rig::from_snapshot(lab());
        rig.start_operator();
        settled(&rig).await;
        let human = Human::of(&rig).await;
        let ids = ids(&rig).await;
        let before = rig.last_call();
        set(&rig, json!({"managementPolicy": "ObserveOnly"})).await;
        let cases = [
            ("circuit", "sku.tier"),
            ("dxgw-association", "allowedPrefixes"),
            ("vxc-aws", "medOut"),
            ("ipsec", "dpdTimeoutSeconds"),
        ];
        for (sort, field) in cases {
            touch(&human, &ids, sort, field).await;
        }
        // And one object is gone altogether, once the others' changes are done.
        rig.pass(Duration::from_mins(10)).await;
        let connection = ResourceId::new(ids["er-connection"].clone());
        human.azure.delete_connection(&connection).await.unwrap();
        rig.pass(Duration::from_hours(2)).await;
        assert_eq!(
            written(&rig, before),
            Vec::<String>::new(),
            "ObserveOnly wrote"
        );
        for (sort, field) in cases {
            let (kind, name) = owner(sort);
            let (status, _, message) = condition(&rig.get(kind, name).await.unwrap(), "InSync");
            assert_eq!(status, "False", "{sort} {field}");
            assert!(message.contains(field), "{message}");
        }
        set(&rig, json!({"managementPolicy": "Full", "paused": true})).await;
        rig.pass(Duration::from_hours(2)).await;
        assert_eq!(written(&rig, before), Vec::<String>::new(), "paused wrote");
        set(&rig, json!({"paused": false})).await;
        settled(&rig).await;
        let calls = written(&rig, before);
        eprintln!("{calls:#?}");
        // Four repairs, and the connection made anew. Nothing bought.
        assert_eq!(calls.len(), 5, "{calls:#?}");
        rig.stop_operator().await;
    });
}
