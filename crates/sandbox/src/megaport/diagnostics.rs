//! Diagnostics of an MCR (megaport.md §7.3): submit, then poll one operation for all five queries. What they show is
//! computed by the network simulation when the query is done.

use super::durations;
use super::envelope::{Refusal, Reply, ok, pending};
use crate::net::{
    self,
    table::{Origin, Row},
};
use crate::state::State;
use crate::time::SimTime;
use crate::wire::{Req, Res};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// A query that was submitted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Query {
    mcr: String,
    /// `routes/ip`, `routes/bgp`, `routes/bgp/neighbor`, `ping`, `traceroute`.
    kind: String,
    /// `ip_address`: an address or a prefix.
    filter: Option<Ipv4Net>,
    peer: Option<Ipv4Addr>,
    received: bool,
    destination: Option<Ipv4Addr>,
    packets: u32,
    done_at: SimTime,
    result: Option<Value>,
}

/// How many finished or running queries are remembered.
const KEPT: usize = 200;

fn address(req: &Req, name: &str) -> Result<Option<Ipv4Addr>, Refusal> {
    match req.query(name).filter(|t| !t.is_empty()) {
        None => Ok(None),
        Some(t) => t
            .parse()
            .map(Some)
            .map_err(|_| Refusal::invalid(format!("{name} '{t}' is not an address"))),
    }
}

/// `GET …/diagnostics/{query}`.
pub fn submit(state: &mut State, req: &Req, mcr: &str, kind: &str) -> Reply {
    let live = state
        .megaport
        .mcrs
        .get(mcr)
        .filter(|m| m.service.status.attached())
        .ok_or_else(|| Refusal::no_service(mcr))?
        .service
        .status
        .ready();
    if !live {
        return Err(Refusal::bad(format!(
            "Service {mcr} must be live for diagnostics"
        )));
    }
    let filter = match req.query("ip_address").filter(|t| !t.is_empty()) {
        None => None,
        Some(t) => Some(
            t.parse::<Ipv4Net>()
                .or_else(|_| t.parse::<Ipv4Addr>().map(Ipv4Net::from))
                .map_err(|_| {
                    Refusal::invalid(format!("ip_address '{t}' is not an address or a prefix"))
                })?,
        ),
    };
    let (peer, destination) = (
        address(req, "peer_ip_address")?,
        address(req, "destination_address")?,
    );
    let direction = req.query("direction").unwrap_or_default();
    if kind == "routes/bgp/neighbor"
        && (peer.is_none() || !matches!(direction, "RECEIVED" | "ADVERTISED"))
    {
        return Err(Refusal::invalid(
            "direction (RECEIVED or ADVERTISED) and peer_ip_address are required",
        ));
    }
    if matches!(kind, "ping" | "traceroute") && destination.is_none() {
        return Err(Refusal::invalid("destination_address is required"));
    }
    let number = |name: &str, default: u32, most: u32| match req.query(name) {
        None => Ok(default),
        Some(t) => t
            .parse::<u32>()
            .ok()
            .filter(|n| (1..=most).contains(n))
            .ok_or_else(|| Refusal::invalid(format!("{name} is between 1 and {most}"))),
    };
    let packets = number("packet_count", 5, 60)?;
    number("packet_size", 64, 9186)?;
    let seconds = state.duration(durations::DIAGNOSTICS.0, durations::DIAGNOSTICS.1);
    let query = Query {
        mcr: mcr.to_owned(),
        kind: kind.to_owned(),
        filter,
        peer,
        received: direction == "RECEIVED",
        destination,
        packets,
        done_at: state.now.plus_secs(seconds),
        result: None,
    };
    let routes = kind.starts_with("routes/");
    if routes
        && !req
            .query("async")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
    {
        // The deprecated synchronous mode.
        let data = run(state, &query);
        return ok("Diagnostics", data);
    }
    let id = state.rng.uuid();
    state.megaport.queries.push((id.clone(), query));
    let excess = state.megaport.queries.len().saturating_sub(KEPT);
    state.megaport.queries.drain(..excess);
    ok("Operation submitted", Value::String(id))
}

/// `GET …/diagnostics/routes/operation?operationId=`: 202 while it runs, then 200 with what may be an empty list.
pub fn poll(state: &mut State, req: &Req, mcr: &str) -> Result<Res, Refusal> {
    let id = req.query("operationId").unwrap_or_default();
    let Some((_, query)) = state
        .megaport
        .queries
        .iter()
        .find(|(i, q)| i == id && q.mcr == mcr)
        .cloned()
    else {
        return Err(Refusal::missing(format!("Operation {id} was not found")));
    };
    if query.done_at > state.now {
        return pending();
    }
    let data = match query.result.clone() {
        Some(done) => done,
        None => {
            let data = run(state, &query);
            if let Some((_, q)) = state.megaport.queries.iter_mut().find(|(i, _)| i == id) {
                q.result = Some(data.clone());
            }
            data
        }
    };
    ok("Operation completed", data)
}

fn run(state: &State, q: &Query) -> Value {
    match q.kind.as_str() {
        "routes/ip" => ip_routes(state, q),
        "routes/bgp" => Value::Array(
            net::mcr_bgp_routes(state, &q.mcr)
                .iter()
                .filter(|(r, _)| shown(q, r.prefix))
                .map(|(r, vxc)| bgp_route(state, r, vxc.as_deref()))
                .collect(),
        ),
        "routes/bgp/neighbor" => {
            let peer = q.peer.unwrap_or(Ipv4Addr::UNSPECIFIED);
            let vxc = vxc_of_peer(state, &q.mcr, peer);
            Value::Array(
                net::mcr_neighbor_routes(state, &q.mcr, peer, q.received)
                    .iter()
                    .filter(|r| shown(q, r.prefix))
                    .map(|r| bgp_route(state, r, vxc.as_deref()))
                    .collect(),
            )
        }
        "ping" => ping(state, q),
        _ => traceroute(state, q),
    }
}

/// With an address or prefix, only the routes that cover it or lie in it.
fn shown(q: &Query, prefix: Ipv4Net) -> bool {
    q.filter
        .is_none_or(|f| prefix.contains(&f) || f.contains(&prefix))
}

fn vxc_of_peer(state: &State, mcr: &str, peer: Ipv4Addr) -> Option<String> {
    state
        .megaport
        .vxcs
        .values()
        .filter(|v| v.service.status.attached() && v.a.product == mcr)
        .find(|v| {
            v.sessions()
                .any(|b| b.peer_ip_address == std::net::IpAddr::V4(peer))
        })
        .map(|v| v.service.uid.clone())
}

fn hop(state: &State, ip: Option<Ipv4Addr>, vxc: Option<&str>) -> Value {
    let vxc = vxc
        .and_then(|u| state.megaport.vxcs.get(u))
        .map(|v| json!({"id": v.service.number, "name": v.service.name}));
    json!({"ip": ip, "vxc": vxc})
}

fn ip_routes(state: &State, q: &Query) -> Value {
    Value::Array(
        net::mcr_ip_routes(state, &q.mcr)
            .into_iter()
            .filter(|(p, ..)| shown(q, *p))
            .map(|(prefix, protocol, next, vxc)| {
                let distance = match protocol.as_str() {
                    "CONNECTED" => 0,
                    "STATIC" => 1,
                    _ => 20,
                };
                json!({
                    "prefix": prefix.to_string(),
                    "protocol": protocol,
                    "distance": distance,
                    "metric": 0,
                    "nextHop": hop(state, next, vxc.as_deref()),
                })
            })
            .collect(),
    )
}

fn bgp_route(state: &State, r: &Row, vxc: Option<&str>) -> Value {
    let path: Vec<String> = r.as_path.iter().map(u32::to_string).collect();
    let origin = match r.origin {
        Origin::Igp => "IGP",
        Origin::Egp => "EGP",
        Origin::Incomplete => "INCOMPLETE",
    };
    json!({
        "prefix": r.prefix.to_string(),
        "asPath": path.join(" "),
        "origin": origin,
        "source": r.source,
        "localPref": r.local_pref.unwrap_or(100),
        "med": r.med.unwrap_or(0),
        "weight": r.weight,
        "best": r.best,
        "external": matches!(r.learned, net::table::Learned::Ebgp),
        "valid": true,
        "since": state.started_at.rfc3339(),
        "communities": [],
        "advertisedTo": [],
        "nextHop": hop(state, Some(r.next_hop), vxc),
    })
}

fn reaches(state: &State, q: &Query) -> bool {
    q.destination.is_some_and(|d| {
        net::mcr_ip_routes(state, &q.mcr)
            .iter()
            .any(|(p, ..)| p.contains(&d))
    })
}

fn ping(state: &State, q: &Query) -> Value {
    let up = reaches(state, q);
    let got = if up { q.packets } else { 0 };
    let loss = if up { 0.0 } else { 100.0 };
    let to = q.destination.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let rtt = if up { json!(2.0) } else { Value::Null };
    json!({
        "rawOutput": format!("PING {to}: {} packets transmitted, {got} received, {loss}% packet loss", q.packets),
        "statistics": {
            "packetsTransmitted": q.packets,
            "packetsReceived": got,
            "packetLossPct": loss,
            "rttMinMs": rtt, "rttAvgMs": rtt, "rttMaxMs": rtt, "rttMdevMs": rtt,
            "duplicates": 0,
            "errors": 0,
            "totalTimeMs": q.packets * 1000,
        },
    })
}

fn traceroute(state: &State, q: &Query) -> Value {
    let to = q.destination.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let best = net::mcr_ip_routes(state, &q.mcr)
        .into_iter()
        .filter(|(p, ..)| p.contains(&to))
        .max_by_key(|(p, ..)| p.prefix_len());
    let mut hops = Vec::new();
    if let Some((_, _, next, _)) = best {
        let path = next.into_iter().chain([to]);
        for (n, host) in path.enumerate() {
            hops.push(json!({"hop": n + 1, "probes": [{"host": host, "rttMs": 2.0}]}));
        }
    }
    json!({"rawOutput": format!("traceroute to {to}, {} hops", hops.len()), "hops": hops})
}
