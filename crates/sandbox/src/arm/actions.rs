//! POST actions: the tables that the network simulation computes, printed in ARM's dialects (azure.md §2.5, §3.6, §5.3;
//! lab.md shows them all).

use super::circuit::PRIVATE;
use super::durations;
use super::errors::{ArmError, ArmResult};
use super::ids::{Child, Kind, Name};
use super::lro::{self, Start, Work};
use super::plan::Lock;
use super::put::{self, Ctx, check_idle, check_locks};
use super::store::{named, text};
use crate::net;
use crate::net::table::{Learned, Origin, PeerRow, Row, SessionState};
use crate::net::view::Port;
use crate::ops::OpKind;
use crate::state::State;
use crate::time::SimTime;
use crate::wire::Res;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// A table that a POST asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "table", rename_all = "camelCase")]
pub enum Query {
    Peers {
        gateway: String,
        peer: Option<Ipv4Addr>,
    },
    Learned {
        gateway: String,
    },
    Advertised {
        gateway: String,
        peer: Ipv4Addr,
    },
    Effective {
        nic: String,
    },
    CircuitRoutes {
        circuit: String,
        port: Port,
    },
    CircuitSummary {
        circuit: String,
        port: Port,
    },
    Arp {
        circuit: String,
        port: Port,
    },
}

/// The gateways can not talk to each other (azure.md §3.6).
fn broken() -> ArmError {
    ArmError::new(500, "InternalServerError", "An error occurred.")
}

/// Computes a table; called when the operation is due.
pub fn answer(state: &State, query: &Query) -> ArmResult<Value> {
    let rows: Vec<Value> = match query {
        Query::Peers { gateway, peer } => net::gateway_peers(state, gateway)
            .ok_or_else(broken)?
            .iter()
            .filter(|r| peer.is_none_or(|p| p == r.neighbor))
            .map(|r| peer_row(r, state.now))
            .collect(),
        Query::Learned { gateway } => net::gateway_learned(state, gateway)
            .ok_or_else(broken)?
            .iter()
            .map(|(local, r)| learned_row(*local, r))
            .collect(),
        Query::Advertised { gateway, peer } => net::gateway_advertised(state, gateway, *peer)
            .ok_or_else(broken)?
            .iter()
            .map(|(local, r)| advertised_row(*local, r))
            .collect(),
        Query::Effective { nic } => net::effective_routes(state, nic)
            .iter()
            .map(|r| {
                json!({
                    "source": r.source,
                    "state": if r.active { "Active" } else { "Invalid" },
                    "addressPrefix": [r.prefix.to_string()],
                    "nextHopType": r.next_hop_type,
                    "nextHopIpAddress": r.next_hop.map(|h| h.to_string()).into_iter().collect::<Vec<_>>(),
                    "disableBgpRoutePropagation": false,
                })
            })
            .collect(),
        Query::CircuitRoutes { circuit, port } => net::circuit_routes(state, circuit, *port)
            .iter()
            .map(circuit_row)
            .collect(),
        Query::CircuitSummary { circuit, port } => net::circuit_peers(state, circuit, *port)
            .iter()
            .map(|r| summary_row(r, state.now))
            .collect(),
        Query::Arp { circuit, port } => arp(state, circuit, *port),
    };
    Ok(json!({"value": rows}))
}

/// .NET's TimeSpan: `[d.]hh:mm:ss.fffffff`.
fn time_span(since: SimTime, now: SimTime) -> String {
    let ms = (now.0 - since.0).max(0);
    let (secs, fraction) = (ms / 1000, ms % 1000);
    let (days, secs) = (secs / 86400, secs % 86400);
    let clock = format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60);
    let days = if days > 0 {
        format!("{days}.")
    } else {
        String::new()
    };
    if fraction == 0 {
        format!("{days}{clock}")
    } else {
        format!("{days}{clock}.{fraction:03}0000")
    }
}

fn peer_row(r: &PeerRow, now: SimTime) -> Value {
    let state = match r.state {
        SessionState::Established => "Connected",
        SessionState::Connect => "Connecting",
        SessionState::Idle => "Idle",
        SessionState::Shutdown => "Stopped",
    };
    let up = r.state == SessionState::Established;
    json!({
        "localAddress": r.local.to_string(),
        "neighbor": r.neighbor.to_string(),
        "asn": r.asn,
        "state": state,
        "connectedDuration": if up { time_span(r.since, now) } else { "00:00:00".to_owned() },
        "routesReceived": if up { r.routes_received } else { 0 },
        "messagesSent": r.messages_sent,
        "messagesReceived": r.messages_received,
    })
}

/// Gateway tables join AS paths with `-`.
fn dashed(path: &[u32]) -> String {
    path.iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join("-")
}

fn learned_row(local: Ipv4Addr, r: &Row) -> Value {
    let origin = match r.learned {
        Learned::Local => "Network",
        Learned::Ebgp => "EBgp",
        Learned::Ibgp => "IBgp",
    };
    let mut row = json!({
        "localAddress": local.to_string(),
        "network": r.prefix.to_string(),
        "sourcePeer": r.source.to_string(),
        "origin": origin,
        "asPath": dashed(&r.as_path),
        "weight": r.weight,
    });
    // Local routes have no next hop (lab.md).
    if r.learned != Learned::Local {
        row["nextHop"] = r.next_hop.to_string().into();
    }
    row
}

fn advertised_row(local: Ipv4Addr, r: &Row) -> Value {
    let origin = match r.origin {
        Origin::Igp => "Igp",
        Origin::Egp => "Egp",
        Origin::Incomplete => "Incomplete",
    };
    json!({
        "localAddress": local.to_string(),
        "network": r.prefix.to_string(),
        "nextHop": r.next_hop.to_string(),
        "origin": origin,
        "asPath": dashed(&r.as_path),
        "weight": 0,
    })
}

/// A prefix in the circuit's dialect: the mask is left out where it is the classful one.
fn classful(prefix: Ipv4Net) -> String {
    let first = prefix.network().octets()[0];
    let natural = match first {
        0..=127 => 8,
        128..=191 => 16,
        192..=223 => 24,
        _ => 33,
    };
    if prefix.prefix_len() == natural {
        prefix.network().to_string()
    } else {
        prefix.to_string()
    }
}

fn circuit_row(r: &Row) -> Value {
    let mut path: Vec<String> = r.as_path.iter().map(u32::to_string).collect();
    if r.origin == Origin::Incomplete {
        path.push("?".into());
    }
    let mark = if r.marked { "*" } else { "" };
    json!({
        "network": classful(r.prefix),
        "nextHop": format!("{}{mark}", r.next_hop),
        "locPrf": r.local_pref.map(|p| p.to_string()).unwrap_or_default(),
        "weight": 0,
        "path": path.join(" "),
    })
}

/// The peering and its /30 on a port: customer first, Microsoft second (azure.md §2.4).
fn ends(state: &State, circuit: &str, port: Port) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let r = state.azure.resources.get(circuit)?;
    let p = &named(&r.applied.as_ref()?["properties"]["peerings"], PRIVATE)?["properties"];
    let member = match port {
        Port::Primary => "primaryPeerAddressPrefix",
        Port::Secondary => "secondaryPeerAddressPrefix",
    };
    let net: Ipv4Net = text(&p[member]).parse().ok()?;
    let base = u32::from(net.network());
    Some((Ipv4Addr::from(base + 1), Ipv4Addr::from(base + 2)))
}

/// Cisco's summary: prefixes received when the session is up, its state otherwise (azure.md §2.5).
fn summary_row(r: &PeerRow, now: SimTime) -> Value {
    let (up_down, prefixes) = match r.state {
        SessionState::Established => (time_span(r.since, now), r.routes_received.to_string()),
        SessionState::Connect => ("never".to_owned(), "Active".to_owned()),
        SessionState::Idle => ("never".to_owned(), "Idle".to_owned()),
        SessionState::Shutdown => ("never".to_owned(), "Idle (Admin)".to_owned()),
    };
    json!({
        "neighbor": r.neighbor.to_string(),
        "v": 4,
        "as": r.asn,
        "upDown": up_down,
        "statePfxRcd": prefixes,
    })
}

fn has_port(state: &State, circuit: &str, port: Port) -> bool {
    let name = match port {
        Port::Primary => "primary",
        Port::Secondary => "secondary",
    };
    state
        .azure
        .circuits
        .get(circuit)
        .is_some_and(|c| c.ports.contains_key(name))
}

fn arp(state: &State, circuit: &str, port: Port) -> Vec<Value> {
    let Some((customer, microsoft)) = ends(state, circuit, port) else {
        return Vec::new();
    };
    let mut rows = vec![json!({
        "age": 0, "interface": "Microsoft", "ipAddress": microsoft.to_string(), "macAddress": "00d0.f6aa.0001",
    })];
    if has_port(state, circuit, port) {
        rows.insert(
            0,
            json!({"age": 6, "interface": "On-Prem", "ipAddress": customer.to_string(), "macAddress": "0a58.a9fe.0001"}),
        );
    }
    rows
}

/// Bytes of a circuit or peering (`stats`).
pub fn stats(state: &State, circuit: &Name) -> ArmResult<Res> {
    let key = circuit.key();
    let Some(r) = state.azure.resources.get(&key) else {
        return Err(ArmError::not_found(
            circuit.kind.path(),
            &circuit.name,
            &circuit.group,
        ));
    };
    let seconds = state.now.secs_since(r.created_at).max(0.0);
    let bytes = |port| {
        if has_port(state, &key, port) {
            (seconds * 128.0) as i64
        } else {
            0
        }
    };
    let (p, s) = (bytes(Port::Primary), bytes(Port::Secondary));
    Ok(Res::json(
        200,
        &json!({"primarybytesIn": p, "primarybytesOut": p, "secondarybytesIn": s, "secondarybytesOut": s}),
    ))
}

fn address(ctx: Ctx<'_>, required: bool) -> ArmResult<Option<Ipv4Addr>> {
    match ctx.req.query("peer").filter(|p| !p.is_empty()) {
        None if required => Err(ArmError::bad(
            "MissingQueryParameter",
            "The query parameter 'peer' is required.",
        )),
        None => Ok(None),
        Some(p) => p.parse().map(Some).map_err(|_| {
            ArmError::bad(
                "InvalidQueryParameterValue",
                format!("The query parameter 'peer' is not an IP address: {p}."),
            )
        }),
    }
}

pub fn item(state: &mut State, ctx: Ctx<'_>, name: &Name, action: &str) -> ArmResult<Res> {
    let key = name.key();
    let Some(r) = state.azure.resources.get(&key).cloned() else {
        return Err(ArmError::not_found(
            name.kind.path(),
            &name.name,
            &name.group,
        ));
    };
    let query = match action {
        "getBgpPeerStatus" => Query::Peers {
            gateway: key,
            peer: address(ctx, false)?,
        },
        "getLearnedRoutes" => Query::Learned { gateway: key },
        "getAdvertisedRoutes" => Query::Advertised {
            gateway: key,
            peer: address(ctx, true)?.unwrap_or(Ipv4Addr::UNSPECIFIED),
        },
        "effectiveRouteTable" => {
            if !r.hidden.contains_key("running") {
                // azure.md §5.3; the code is not in public sources.
                return Err(ArmError::bad(
                    "NetworkInterfaceNotAttachedToRunningVirtualMachine",
                    format!(
                        "Effective routes of network interface {} can be read only while it is attached to a running virtual machine.",
                        r.id()
                    ),
                ));
            }
            Query::Effective { nic: key }
        }
        "sharedkey/reset" => {
            let length = ctx.req.json().unwrap_or_default()["keyLength"]
                .as_u64()
                .filter(|n| (1..=128).contains(n))
                .ok_or_else(|| {
                    ArmError::bad("InvalidKeyLength", "keyLength must be between 1 and 128.")
                })?;
            let value = state.rng.hex(length as usize);
            return put::change_key(state, ctx, name, value);
        }
        _ => {
            let gateway = if name.kind == Kind::Connection {
                text(&r.props()["virtualNetworkGateway1"]["id"]).to_owned()
            } else {
                r.id()
            };
            check_idle(state, ctx.req, Some(&r))?;
            let locks = vec![Lock::on("gateway", &gateway)];
            check_locks(state, ctx.req, &r.id(), &[], &locks)?;
            let lro = put::settle(state, ctx, &r, locks, "arm.gateway.reset");
            return Ok(lro::headers(
                state,
                ctx.req,
                Res::empty(202),
                &lro,
                true,
                true,
            ));
        }
    };
    if r.applied.is_none() {
        check_idle(state, ctx.req, Some(&r))?;
    }
    Ok(start(state, ctx, name, r.location(), query))
}

pub fn child(
    state: &mut State,
    ctx: Ctx<'_>,
    parent: &Name,
    kind: Child,
    child: &str,
    action: &str,
    argument: &str,
) -> ArmResult<Res> {
    let key = parent.key();
    let Some(r) = state.azure.resources.get(&key).cloned() else {
        return Err(ArmError::not_found(
            parent.kind.path(),
            &parent.name,
            &parent.group,
        ));
    };
    let Some(entry) = named(&r.props()[kind.path()], child) else {
        return Err(ArmError::child_not_found(&format!(
            "{}/{}/{child}",
            r.id(),
            kind.path()
        )));
    };
    if action == "listKeys" {
        if ctx.api_version < "2026-01-01" {
            return Err(ArmError::new(
                404,
                "InvalidResourceType",
                format!(
                    "The resource type could not be found in the namespace 'Microsoft.Network' for api version '{}'.",
                    ctx.api_version
                ),
            ));
        }
        let slot = format!("authorization/{}", child.to_lowercase());
        let value = r.hidden.get(&slot).cloned().unwrap_or_default();
        return Ok(Res::json(200, &json!({"authorizationKey": value})));
    }
    let port = match argument.to_ascii_lowercase().as_str() {
        "primary" => Port::Primary,
        "secondary" => Port::Secondary,
        other => {
            return Err(ArmError::bad(
                "InvalidDevicePath",
                format!("The device path '{other}' is not 'primary' or 'secondary'."),
            ));
        }
    };
    if entry["properties"]["provisioningState"] != "Succeeded" {
        check_idle(state, ctx.req, Some(&r))?;
    }
    let query = match action {
        "routeTables" => Query::CircuitRoutes { circuit: key, port },
        "routeTablesSummary" => Query::CircuitSummary { circuit: key, port },
        _ => Query::Arp { circuit: key, port },
    };
    Ok(start(state, ctx, parent, r.location(), query))
}

fn start(state: &mut State, ctx: Ctx<'_>, name: &Name, location: &str, query: Query) -> Res {
    let seconds = durations::of(state, "arm.diagnostics");
    let lro = lro::begin(
        state,
        Start {
            call: ctx.call,
            subscription: &name.subscription,
            location,
            api_version: ctx.api_version,
            resource: &name.id(),
            kind: OpKind::Follow,
            seconds,
            names: Vec::new(),
            locks: Vec::new(),
            work: Work::Query(query),
        },
    );
    lro::headers(state, ctx.req, Res::empty(202), &lro, false, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(prefix: &str, path: &[u32], learned: Learned) -> Row {
        Row {
            prefix: prefix.parse().unwrap_or_default(),
            next_hop: Ipv4Addr::new(172, 29, 255, 4),
            as_path: path.to_vec(),
            origin: Origin::Igp,
            learned,
            source: Ipv4Addr::new(172, 29, 255, 4),
            weight: 32769,
            local_pref: None,
            med: None,
            best: true,
            marked: false,
        }
    }

    #[test]
    fn circuits_speak_cisco() {
        let r = row("172.16.0.0/16", &[64600, 64901], Learned::Ebgp);
        let printed = circuit_row(&r);
        assert_eq!(printed["network"], "172.16.0.0");
        assert_eq!(printed["path"], "64600 64901");
        assert_eq!(printed["nextHop"], "172.29.255.4");
        assert_eq!(
            (&printed["locPrf"], &printed["weight"]),
            (&json!(""), &json!(0))
        );
        let connected = Row {
            origin: Origin::Incomplete,
            marked: true,
            ..row("169.254.50.216/30", &[64600], Learned::Ebgp)
        };
        let printed = circuit_row(&connected);
        assert_eq!(printed["network"], "169.254.50.216/30");
        assert_eq!(printed["path"], "64600 ?");
        assert_eq!(printed["nextHop"], "172.29.255.4*");
    }

    #[test]
    fn masks_are_left_out_where_they_are_the_class() {
        for (prefix, printed) in [
            ("10.0.0.0/8", "10.0.0.0"),
            ("10.0.0.0/16", "10.0.0.0/16"),
            ("172.29.0.0/16", "172.29.0.0"),
            ("192.168.1.0/24", "192.168.1.0"),
            ("192.168.0.0/16", "192.168.0.0/16"),
        ] {
            assert_eq!(classful(prefix.parse().unwrap_or_default()), printed);
        }
    }

    #[test]
    fn gateways_join_paths_with_dashes_and_local_routes_have_no_next_hop() {
        let local = Ipv4Addr::new(172, 29, 255, 13);
        let r = row("172.16.0.0/16", &[12076, 64600, 64901], Learned::Ebgp);
        let printed = learned_row(local, &r);
        assert_eq!(printed["asPath"], "12076-64600-64901");
        assert_eq!(
            (&printed["origin"], &printed["weight"]),
            (&json!("EBgp"), &json!(32769))
        );
        let printed = learned_row(local, &row("172.29.0.0/16", &[], Learned::Local));
        assert_eq!(
            (&printed["origin"], &printed["asPath"]),
            (&json!("Network"), &json!(""))
        );
        assert!(printed.get("nextHop").is_none());
    }

    #[test]
    fn durations_are_time_spans() {
        let at = |ms| time_span(SimTime(0), SimTime(ms));
        assert_eq!(at(64_446_742), "17:54:06.7420000");
        assert_eq!(at(90_000_000), "1.01:00:00");
        assert_eq!(at(5000), "00:00:05");
    }
}
