//! Reads: bodies as the service shows them, lists with paging and lag (azure.md §1.2, §1.6).

use super::address;
use super::errors::{ArmError, ArmResult};
use super::ids::{Child, Kind, Name, same};
use super::put::Ctx;
use super::store::{self, list, named, text};
use super::vnet;
use crate::net;
use crate::state::State;
use crate::wire::Res;
use serde_json::{Value, json};

/// The body of a resource as it is now.
pub fn body(state: &State, key: &str, api_version: &str) -> Value {
    state.azure.resources.get(key).map_or(Value::Null, |r| {
        shown(state, &r.doc, r.name.kind, api_version)
    })
}

/// Completes a stored body with what is computed at reading.
fn shown(state: &State, doc: &Value, kind: Kind, api_version: &str) -> Value {
    let mut doc = doc.clone();
    let id = text(&doc["id"]).to_owned();
    let etag = doc["etag"].clone();
    match kind {
        Kind::VirtualNetwork => each(&mut doc, "subnets", |s| {
            s["etag"] = etag.clone();
            subnet_users(state, s);
        }),
        Kind::RouteTable => {
            each(&mut doc, "routes", |r| r["etag"] = etag.clone());
            attached(state, &mut doc, &id, "routeTable");
        }
        Kind::SecurityGroup => {
            each(&mut doc, "securityRules", |r| r["etag"] = etag.clone());
            attached(state, &mut doc, &id, "networkSecurityGroup");
            doc["properties"]["defaultSecurityRules"] = json!([]);
        }
        Kind::PublicIp => {
            if let Some(user) = address::public_ip_user(state, &id) {
                doc["properties"]["ipConfiguration"] = json!({"id": user});
            }
        }
        Kind::VirtualNetworkGateway | Kind::NetworkInterface => {
            each(&mut doc, "ipConfigurations", |c| c["etag"] = etag.clone());
        }
        Kind::Circuit => {
            each(&mut doc, "peerings", |p| {
                p["etag"] = etag.clone();
            });
            let circuit = id.to_lowercase();
            each(&mut doc, "authorizations", |a| {
                a["etag"] = etag.clone();
                authorization(state, &circuit, a, api_version);
            });
        }
        Kind::Connection => connection_status(state, &mut doc, &id.to_lowercase()),
        Kind::LocalNetworkGateway => {}
    }
    doc
}

fn each(doc: &mut Value, member: &str, mut f: impl FnMut(&mut Value)) {
    if let Some(children) = doc["properties"][member].as_array_mut() {
        for c in children {
            f(c);
        }
    }
}

fn subnet_users(state: &State, subnet: &mut Value) {
    let users: Vec<Value> = vnet::subnet_users(state, text(&subnet["id"]))
        .into_iter()
        .map(|id| json!({"id": id}))
        .collect();
    if !users.is_empty() {
        subnet["properties"]["ipConfigurations"] = users.into();
    }
}

fn attached(state: &State, doc: &mut Value, id: &str, member: &str) {
    let subnets: Vec<Value> = vnet::attached_subnets(state, id, member)
        .into_iter()
        .map(|id| json!({"id": id}))
        .collect();
    if !subnets.is_empty() {
        doc["properties"]["subnets"] = subnets.into();
    }
}

/// Keys are in reads until 2026-01-01; from then `listKeys` has them (azure.md §2.7).
fn authorization(state: &State, circuit: &str, entry: &mut Value, api_version: &str) {
    let slot = format!("authorization/{}", text(&entry["name"]).to_lowercase());
    let Some(key) = state
        .azure
        .resources
        .get(circuit)
        .and_then(|c| c.hidden.get(&slot))
    else {
        return;
    };
    if api_version < "2026-01-01" {
        entry["properties"]["authorizationKey"] = key.clone().into();
    }
    let user = state
        .azure
        .of_kind(Kind::Connection)
        .find(|(_, c)| c.hidden.get("authorizationKey") == Some(key));
    if let Some((_, connection)) = user {
        entry["properties"]["authorizationUseStatus"] = "InUse".into();
        entry["properties"]["connectionResourceUri"] = connection.id().into();
    }
}

/// `connectionStatus` speaks of IKE or of the circuit's links, never of BGP (azure.md §4.5).
fn connection_status(state: &State, doc: &mut Value, key: &str) {
    let Some(r) = state.azure.resources.get(key) else {
        return;
    };
    let running = r.applied.is_none();
    let seconds = state.now.secs_since(r.created_at).max(0.0);
    let bytes = |up: bool| if up { (seconds * 96.0) as i64 } else { 0 };
    if doc["properties"]["connectionType"] == "ExpressRoute" {
        let linked = net::er_connected(state, key);
        let status = if running {
            "Unknown"
        } else if linked {
            "Connected"
        } else {
            "NotConnected"
        };
        let p = &mut doc["properties"];
        p["connectionStatus"] = status.into();
        p["ingressBytesTransferred"] = bytes(linked && !running).into();
        p["egressBytesTransferred"] = bytes(linked && !running).into();
        return;
    }
    let tunnels = net::ipsec_status(state, key);
    let up = tunnels.iter().any(|(_, up)| *up);
    let status = if running {
        "Unknown"
    } else if up {
        "Connected"
    } else if tunnels.is_empty() {
        "NotConnected"
    } else {
        "Connecting"
    };
    let name = text(&doc["name"]).to_owned();
    let rows: Vec<Value> = tunnels
        .iter()
        .map(|(address, up)| {
            let mut row = json!({
                "tunnel": format!("{name}_{address}"),
                "connectionStatus": if *up { "Connected" } else { "NotConnected" },
                "ingressBytesTransferred": bytes(*up),
                "egressBytesTransferred": bytes(*up),
            });
            if *up {
                let since = net::ipsec_since(state, key).unwrap_or(r.created_at);
                row["lastConnectionEstablishedUtcTime"] = clock(since).into();
            }
            row
        })
        .collect();
    let p = &mut doc["properties"];
    p["connectionStatus"] = status.into();
    p["tunnelConnectionStatus"] = rows.into();
    p["ingressBytesTransferred"] = bytes(up).into();
    p["egressBytesTransferred"] = bytes(up).into();
}

fn clock(at: crate::time::SimTime) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .strftime("%m/%d/%Y %H:%M:%S")
        .to_string()
}

/// A child's body.
pub fn child_body(
    state: &State,
    key: &str,
    kind: Child,
    child: &str,
    api_version: &str,
) -> Option<Value> {
    let parent = body(state, key, api_version);
    named(&parent["properties"][kind.path()], child).cloned()
}

fn found(state: &State, ctx: Ctx<'_>, name: &Name) -> Option<Value> {
    let key = name.key();
    let unseen = state
        .azure
        .unseen_until
        .get(&key)
        .is_some_and(|t| *t > state.now)
        && state
            .azure
            .resources
            .get(&key)
            .is_some_and(|r| r.lro.is_none());
    if unseen || !state.azure.resources.contains_key(&key) {
        return None;
    }
    Some(body(state, &key, ctx.api_version))
}

pub fn item(state: &State, ctx: Ctx<'_>, name: &Name) -> ArmResult<Res> {
    match found(state, ctx, name) {
        Some(doc) => {
            let etag = text(&doc["etag"]).to_owned();
            Ok(Res::json(200, &doc).with("etag", &etag))
        }
        None => Err(ArmError::not_found(
            name.kind.path(),
            &name.name,
            &name.group,
        )),
    }
}

pub fn child(
    state: &State,
    ctx: Ctx<'_>,
    parent: &Name,
    kind: Child,
    name: &str,
) -> ArmResult<Res> {
    let Some(doc) = found(state, ctx, parent) else {
        return Err(ArmError::not_found(
            parent.kind.path(),
            &parent.name,
            &parent.group,
        ));
    };
    match named(&doc["properties"][kind.path()], name) {
        Some(entry) => {
            let etag = text(&entry["etag"]).to_owned();
            Ok(Res::json(200, entry).with("etag", &etag))
        }
        None => Err(ArmError::child_not_found(&format!(
            "{}/{}/{name}",
            parent.id(),
            kind.path()
        ))),
    }
}

pub fn children(state: &State, ctx: Ctx<'_>, parent: &Name, kind: Child) -> ArmResult<Res> {
    let Some(doc) = found(state, ctx, parent) else {
        return Err(ArmError::not_found(
            parent.kind.path(),
            &parent.name,
            &parent.group,
        ));
    };
    let entries = list(&doc["properties"][kind.path()]).to_vec();
    Ok(page(state, ctx, entries))
}

/// A list of a resource group or subscription: lags behind writes.
pub fn all(
    state: &State,
    ctx: Ctx<'_>,
    subscription: &str,
    group: Option<&str>,
    kind: Kind,
) -> Res {
    let prefix = match group {
        Some(g) => format!("/subscriptions/{subscription}/resourcegroups/{g}/"),
        None => format!("/subscriptions/{subscription}/"),
    }
    .to_lowercase();
    let part = format!("/providers/microsoft.network/{}/", kind.path()).to_lowercase();
    let docs: Vec<Value> = state
        .azure
        .history
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix) && key.contains(&part))
        .filter_map(|(_, versions)| store::listed(versions, state.now))
        .cloned()
        .collect();
    let mut shown_docs: Vec<Value> = docs
        .iter()
        .map(|d| shown(state, d, kind, ctx.api_version))
        .collect();
    if kind == Kind::Connection {
        // A list need not know the status (azure.md §4.5).
        for d in &mut shown_docs {
            d["properties"]["connectionStatus"] = "Unknown".into();
        }
    }
    page(state, ctx, shown_docs)
}

/// One page of a list, with the link to the next.
fn page(state: &State, ctx: Ctx<'_>, entries: Vec<Value>) -> Res {
    let size = state.world.azure.page_size.max(1);
    let from: usize = ctx
        .req
        .query("$skiptoken")
        .and_then(|t| t.parse().ok())
        .unwrap_or(0);
    let more = from + size < entries.len();
    let part: Vec<Value> = entries.into_iter().skip(from).take(size).collect();
    let mut body = json!({"value": part});
    if more {
        body["nextLink"] = format!(
            "{}{}?api-version={}&$skiptoken={}",
            ctx.req.base,
            ctx.req.path,
            ctx.api_version,
            from + size
        )
        .into();
    }
    Res::json(200, &body)
}

/// A gateway's connections: a smaller model than the connection itself (azure.md §11).
pub fn gateway_connections(state: &State, ctx: Ctx<'_>, gateway: &Name) -> ArmResult<Res> {
    if found(state, ctx, gateway).is_none() {
        return Err(ArmError::not_found(
            gateway.kind.path(),
            &gateway.name,
            &gateway.group,
        ));
    }
    let id = gateway.id();
    let keys: Vec<String> = state
        .azure
        .of_kind(Kind::Connection)
        .filter(|(_, c)| same(text(&c.props()["virtualNetworkGateway1"]["id"]), &id))
        .map(|(key, _)| key.clone())
        .collect();
    let entries = keys
        .iter()
        .map(|key| {
            let mut doc = body(state, key, ctx.api_version);
            for end in ["virtualNetworkGateway1", "localNetworkGateway2"] {
                if let Some(far) = doc["properties"][end]["id"].as_str() {
                    doc["properties"][end] = json!({"id": far});
                }
            }
            if let Some(p) = doc["properties"].as_object_mut() {
                for absent in [
                    "dpdTimeoutSeconds",
                    "useLocalAzureIpAddress",
                    "authenticationType",
                ] {
                    p.remove(absent);
                }
            }
            doc
        })
        .collect();
    Ok(page(state, ctx, entries))
}

/// The catalogue of ExpressRoute providers.
pub fn service_providers(state: &State, ctx: Ctx<'_>, subscription: &str) -> Res {
    let entries = state
        .world
        .azure
        .service_providers
        .iter()
        .map(|p| {
            let bandwidths: Vec<Value> = p
                .bandwidths
                .iter()
                .map(|mbps| {
                    let name = if *mbps >= 1000 {
                        format!("{}Gbps", mbps / 1000)
                    } else {
                        format!("{mbps}Mbps")
                    };
                    json!({"offerName": name, "valueInMbps": mbps})
                })
                .collect();
            json!({
                "name": p.name,
                "id": format!("/subscriptions/{subscription}/resourceGroups//providers/Microsoft.Network/expressRouteServiceProviders/"),
                "type": "Microsoft.Network/expressRouteServiceProviders",
                "properties": {
                    "provisioningState": "Succeeded",
                    "peeringLocations": p.peering_locations,
                    "bandwidthsOffered": bandwidths,
                },
            })
        })
        .collect();
    page(state, ctx, entries)
}

pub fn shared_key(state: &State, name: &Name) -> ArmResult<Res> {
    let Some(r) = state.azure.resources.get(&name.key()) else {
        return Err(ArmError::not_found(
            name.kind.path(),
            &name.name,
            &name.group,
        ));
    };
    match r.hidden.get("sharedKey") {
        Some(key) => Ok(Res::json(200, &json!({"value": key}))),
        // On ExpressRoute connections an empty list comes back instead of a string (azure.md §4.3).
        None => Ok(Res::json(200, &json!({"value": []}))),
    }
}
