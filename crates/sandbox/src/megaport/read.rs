//! Products as reads print them (megaport.md §4.2–4.4, §13.5–13.8).

use super::types::{Cloud, End, Interface, Mcr, Service, Status, Vxc};
use super::{ports, vrouter};
use crate::net;
use crate::net::view::Port;
use crate::state::State;
use crate::time::SimTime;
use serde_json::{Map, Value, json};

/// The user UID that `createdBy` shows for a principal: stable, and none of the names that clients use.
pub fn user_uid(principal: &str) -> String {
    let n = principal
        .bytes()
        .fold(0u64, |h, b| h.wrapping_mul(131).wrapping_add(u64::from(b)));
    format!("00000000-0000-4000-8000-{:012x}", n & 0xffff_ffff_ffff)
}

fn ms(t: Option<SimTime>) -> Value {
    t.map_or(Value::Null, |t| Value::from(t.0))
}

fn contract_end(s: &Service) -> SimTime {
    s.created.plus_secs(f64::from(s.term) * 30.0 * 86_400.0)
}

fn location_detail(state: &State, id: u32) -> Value {
    state.world.megaport.location(id).map_or(
        Value::Null,
        |l| json!({"name": l.name, "city": l.city, "metro": l.metro, "country": l.country}),
    )
}

fn location_name(state: &State, id: u32) -> Value {
    state
        .world
        .megaport
        .location(id)
        .map_or(Value::Null, |l| json!(l.name))
}

/// Fields that all products share.
fn common(state: &State, s: &Service) -> Map<String, Value> {
    let world = &state.world.megaport;
    let gone = !s.status.attached();
    let value = json!({
        "productId": s.number,
        "productUid": s.uid,
        "productName": s.name,
        "nServiceId": s.service_id,
        "provisioningStatus": s.status.text(),
        "createDate": s.created.0,
        "createdBy": s.created_by,
        "liveDate": ms(s.live),
        "terminateDate": ms(s.terminated),
        "contractStartDate": s.created.0,
        "contractEndDate": contract_end(s).0,
        "contractTermMonths": s.term,
        "costCentre": s.cost_centre,
        "secondaryName": null,
        "companyUid": world.company_uid,
        "companyName": world.company_name,
        "locked": s.locked,
        "adminLocked": false,
        "cancelable": !s.locked && !gone,
        "attributeTags": {},
    });
    match value {
        Value::Object(m) => m,
        _ => Map::new(),
    }
}

/// `GET /v2/product/{uid}` of an MCR, and its entry in lists (there with the VXCs that lists show by now).
pub fn mcr(state: &State, m: &Mcr) -> Value {
    mcr_with(state, m, false)
}

fn mcr_with(state: &State, m: &Mcr, list: bool) -> Value {
    let s = &m.service;
    let mut out = common(state, s);
    let vxcs: Vec<Value> = state
        .megaport
        .vxcs
        .values()
        .filter(|v| v.touches(&s.uid) && (!list || v.service.listed_at <= state.now))
        .map(|v| vxc(state, v))
        .collect();
    let extra = json!({
        "productType": "MCR2",
        "connectType": "VROUTER",
        "portSpeed": m.speed,
        "maxVxcSpeed": m.speed,
        "locationId": m.location,
        "locationDetail": location_detail(state, m.location),
        "market": state.world.megaport.location(m.location).map(|l| l.market.clone()),
        "diversityZone": m.zone,
        "usageAlgorithm": "POST_PAID_HOURLY_SPEED_MCR2",
        "marketplaceVisibility": m.marketplace_visibility,
        "vxcPermitted": true,
        "vxcAutoApproval": false,
        "virtual": true,
        "buyoutPort": false,
        "lagPrimary": false,
        "lagId": null,
        "aggregationId": null,
        "associatedVxcs": vxcs,
        "associatedIxs": [],
    });
    merge(&mut out, extra);
    if s.status.ready() || s.status == Status::Cancelled {
        merge(
            &mut out,
            json!({
                "up": true,
                "addOns": m.add_ons.iter().map(|a| json!({
                    "addOnUid": a.uid,
                    "productUid": s.uid,
                    "addOnType": "IP_SEC",
                    "tunnelCount": a.tunnels,
                    "packCount": a.packs,
                })).collect::<Vec<_>>(),
                "resources": {
                    "interface": {
                        "id": s.service_id,
                        "name": s.name,
                        "description": null,
                        "demarcation": "",
                        "media": "VIRTUAL",
                        "port_speed": m.speed,
                        "resource_name": "interface",
                        "resource_type": "interface",
                        "up": 1,
                        "shutdown": false,
                    },
                    "virtual_router": {
                        "id": s.service_id,
                        "name": s.name,
                        "mcrAsn": m.asn,
                        "speed": m.speed,
                        "bgpShutdownDefault": false,
                        "resource_name": "virtual_router",
                        "resource_type": "virtual_router",
                    },
                },
            }),
        );
    } else {
        merge(&mut out, json!({"resources": null}));
    }
    Value::Object(out)
}

fn merge(out: &mut Map<String, Value>, extra: Value) {
    if let Value::Object(m) = extra {
        out.extend(m);
    }
}

fn end(state: &State, e: &End, ours: bool) -> Value {
    let (name, location) = ports::title(state, &e.product);
    let owner = if ours {
        state.world.megaport.company_uid.clone()
    } else {
        // The cloud provider's company.
        "0c1a0000-0000-4000-8000-000000000001".to_owned()
    };
    json!({
        "ownerUid": owner,
        "productUid": e.product,
        "productName": name,
        "locationId": location,
        "location": location_name(state, location),
        "locationDetail": location_detail(state, location),
        "vlan": e.vlan.map_or(-1, i32::from),
        "innerVlan": e.inner,
        "secondaryName": null,
    })
}

/// A VXC as `GET /v2/product/{uid}` and lists print it.
pub fn vxc(state: &State, v: &Vxc) -> Value {
    let s = &v.service;
    let mut out = common(state, s);
    let ours = matches!(v.cloud, Cloud::Mcr);
    merge(
        &mut out,
        json!({
            "productType": "VXC",
            "rateLimit": v.rate,
            "distanceBand": distance(state, v),
            "usageAlgorithm": "POST_PAID_HOURLY_SPEED_LONG_HAUL_VXC",
            "up": carries(v),
            "shutdown": v.shutdown,
            "vxcApproval": {"status": null, "message": null, "uid": null, "type": null, "newSpeed": null},
            "aEnd": end(state, &v.a, true),
            "bEnd": end(state, &v.b, ours),
            "resources": resources(state, v),
        }),
    );
    Value::Object(out)
}

fn carries(v: &Vxc) -> bool {
    v.service.status == Status::Live && !v.shutdown
}

fn distance(state: &State, v: &Vxc) -> &'static str {
    let at = |uid: &str| {
        let (_, id) = ports::title(state, uid);
        state.world.megaport.location(id)
    };
    match (at(&v.a.product), at(&v.b.product)) {
        (Some(a), Some(b)) if a.metro == b.metro => "METRO",
        (Some(a), Some(b)) if a.country == b.country => "ZONE",
        _ => "INTERZONE",
    }
}

fn resources(state: &State, v: &Vxc) -> Value {
    match v.service.status {
        Status::Configured | Status::Live | Status::Cancelled => {}
        Status::Deployable => return json!({}),
        // What is left of a dead VXC comes in three shapes (§4.2).
        _ => {
            return match v.service.number % 3 {
                0 => Value::Null,
                1 => json!({}),
                _ => json!({"vll": []}),
            };
        }
    }
    let mut entries = vec![vrouter_entry(state, v, true)];
    match &v.cloud {
        Cloud::Mcr => entries.push(vrouter_entry(state, v, false)),
        _ => entries.push(cloud_entry(state, v)),
    }
    let up = i32::from(carries(v));
    let mut vll = json!({
        "a_vlan": v.a.vlan.map_or(0, i32::from),
        "b_vlan": v.b.vlan.map_or(0, i32::from),
        "rate_limit_mbps": v.rate,
        "up": up,
        "shutdown": v.shutdown,
        "id": v.service.service_id,
        "name": v.service.name,
        "description": null,
        "resource_name": "vll",
        "resource_type": "vll",
    });
    for (end, names) in [
        (&v.a, ["a_inner_vlan", "ainnerVlan"]),
        (&v.b, ["b_inner_vlan", "binnerVlan"]),
    ] {
        if let (Some(inner), Some(vll)) = (end.inner, vll.as_object_mut()) {
            for name in names {
                vll.insert(name.to_owned(), json!(inner));
            }
        }
    }
    // One entry is a bare object, two are an array (§4.2). An MCR end without any configuration has no entry.
    let bare = v.a.interfaces.is_empty() && !matches!(v.cloud, Cloud::Mcr);
    let csp = if bare {
        entries.pop().unwrap_or(Value::Null)
    } else {
        Value::Array(entries)
    };
    json!({"csp_connection": csp, "vll": vll, "interface": []})
}

fn vrouter_entry(state: &State, v: &Vxc, a_end: bool) -> Value {
    let e = if a_end { &v.a } else { &v.b };
    let name = state
        .megaport
        .mcrs
        .get(&e.product)
        .map(|m| m.service.name.clone());
    let mut entry = json!({
        "connectType": "VROUTER",
        "resource_name": if a_end { "a_csp_connection" } else { "b_csp_connection" },
        "resource_type": "csp_connection",
        "virtualRouterName": name,
        "vlan": e.vlan.map_or(0, i32::from),
        "ip_addresses": e.interfaces.iter().flat_map(|i| i.ip_addresses.clone()).collect::<Vec<_>>(),
        "interfaces": e.interfaces.iter().map(|i| interface(v, i)).collect::<Vec<_>>(),
    });
    let peers: Vec<String> = e
        .interfaces
        .iter()
        .flat_map(|i| &i.bgp_connections)
        .map(|b| b.peer_ip_address.to_string())
        .collect();
    if let (Some(m), false) = (entry.as_object_mut(), peers.is_empty()) {
        let up = net::mcr_sessions(state, &v.service.uid);
        let status: Map<String, Value> = peers
            .iter()
            .map(|p| {
                let is_up = up.iter().any(|(a, u)| a.to_string() == *p && *u);
                (p.clone(), json!(i32::from(is_up)))
            })
            .collect();
        m.insert("bgp_peers".into(), json!(peers));
        m.insert("bgp_status".into(), Value::Object(status));
    }
    entry
}

/// An interface with what the API adds on reads; secrets in clear text, as it does (§4.2).
fn interface(v: &Vxc, i: &Interface) -> Value {
    let mut out = json!(i);
    if let Some(list) = out.get_mut("bgpConnections").and_then(Value::as_array_mut) {
        for b in list.iter_mut().filter_map(Value::as_object_mut) {
            for (field, default) in [
                ("peerType", json!(vrouter::default_peer_type(v))),
                ("exportPolicy", json!("permit")),
            ] {
                let field = b.entry(field).or_insert(Value::Null);
                if field.is_null() {
                    *field = default;
                }
            }
            for field in [
                "prefixFilterIn",
                "prefixFilterOut",
                "prefixLimit",
                "ebgpMultihop",
            ] {
                b.insert(field.into(), Value::Null);
            }
        }
    }
    out
}

fn cloud_entry(state: &State, v: &Vxc) -> Value {
    let mut out = json!({
        "resource_name": "b_csp_connection",
        "resource_type": "csp_connection",
    });
    let extra = match &v.cloud {
        Cloud::Aws(a) => {
            let key = a.auth_key.as_ref().map(|k| k.expose().to_owned());
            json!({
                "connectType": "AWS",
                "id": v.service.service_id,
                "name": a.name,
                "type": a.kind,
                "account": a.owner,
                "ownerAccount": a.owner,
                "asn": a.asn,
                "amazonAsn": a.amazon_asn.unwrap_or(7224),
                "peerAsn": a.amazon_asn.unwrap_or(7224),
                "authKey": key,
                "auth_key": key,
                "customer_address": a.customer_address,
                "customerIpAddress": a.customer_address,
                "amazon_address": a.amazon_address,
                "amazonIpAddress": a.amazon_address,
                "prefixes": a.prefixes,
                "vlan": v.b.vlan,
                "vif_id": a.vif,
            })
        }
        Cloud::AwsHc(c) => json!({
            "connectType": "AWSHC",
            "name": c.name,
            "ownerAccount": c.owner,
            "bandwidth": v.rate,
            "bandwidths": [v.rate],
            "connectionId": c.connection,
        }),
        Cloud::Azure(a) => {
            let taken = |port| {
                ports::vxc_on(state, a.service_key.expose(), port).map(|x| x.service.service_id)
            };
            let pair = [
                ("primary", Port::Primary, 1),
                ("secondary", Port::Secondary, 2),
            ];
            json!({
                "connectType": "AZURE",
                "service_key": a.service_key.expose(),
                "bandwidth": a.bandwidth,
                "vlan": v.b.vlan,
                "managed": !a.peers.is_empty(),
                "megaports": pair.iter().map(|(kind, port, n)| json!({
                    "port": n, "type": kind, "vxc": taken(*port),
                })).collect::<Vec<_>>(),
                "ports": pair.iter().map(|(kind, port, n)| json!({
                    "service_id": n,
                    "type": kind,
                    "vxc_service_ids": taken(*port).into_iter().collect::<Vec<_>>(),
                })).collect::<Vec<_>>(),
                "peers": a.peers,
            })
        }
        Cloud::Mcr => Value::Null,
    };
    if let Some(m) = out.as_object_mut() {
        merge(m, extra);
    }
    out
}

/// `GET /v2/products`: everything at once, tombstones included; VXCs under each of our ends, so some of them twice.
pub fn products(state: &State) -> Value {
    Value::Array(
        state
            .megaport
            .mcrs
            .values()
            .filter(|m| m.service.listed_at <= state.now)
            .map(|m| mcr_with(state, m, true))
            .collect(),
    )
}

/// What a buy answers for a VXC (§3.2): its UID under another key than an MCR's.
pub fn order_confirmation(state: &State, v: &Vxc) -> Value {
    let s = &v.service;
    json!({
        "createDate": s.created.0,
        "serviceName": s.name,
        "speed": v.rate,
        "duration": s.term,
        "distanceBand": distance(state, v),
        "costCentre": s.cost_centre,
        "payerStatus": "APPROVED",
        "nonPayerStatus": "APPROVED",
        "orderType": "NEW",
        "vxcJTechnicalServiceId": s.number,
        "vxcJTechnicalServiceUid": s.uid,
        "fullyApproved": true,
        "vxc": {
            "name": s.name,
            "serviceName": s.name,
            "technicalServiceId": s.number,
            "technicalServiceUid": s.uid,
            "productType": "VXC",
            "provisioningStatus": s.status.text(),
            "rateLimit": v.rate,
            "contractTermMonths": s.term,
            "createDate": s.created.0,
        },
    })
}
