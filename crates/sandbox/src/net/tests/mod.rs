//! Tests of the network alone, on views made by hand: the lab's printed tables, failures, other topologies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can not go on shall fail"
)]

use super::lab::*;
use super::table::*;
use super::view::*;
use super::*;
use crate::state::State;
use crate::time::SimTime;
use crate::world::World;
use std::net::Ipv4Addr;

mod failures;
mod lab_tables;
mod worlds;

pub fn start(view: View) -> State {
    start_in(World::default(), view)
}

pub fn start_in(world: World, view: View) -> State {
    let mut state = State::new(world, 1, SimTime(1_790_000_000_000));
    pin(&mut state, view);
    state
}

pub fn advance(state: &mut State, seconds: f64) {
    let to = state.now.plus_secs(seconds);
    state.advance_to(to);
}

/// The lab, converged.
pub fn converged() -> State {
    let mut s = start(lab());
    advance(&mut s, 120.0);
    s
}

pub fn change(state: &mut State, f: impl FnOnce(&mut View)) {
    let mut view = state.net.pinned.clone().unwrap();
    f(&mut view);
    pin(state, view);
}

pub fn mcr_session(state: &State, vxc_peer: &str) -> String {
    control::sessions(state)
        .into_iter()
        .find(|s| s.address_a == ip(vxc_peer) && s.b == "mcr-a")
        .unwrap()
        .id
}

/// `prefix next-hop path` as an ExpressRoute circuit's table has it.
pub fn circuit(state: &State, port: Port) -> Vec<String> {
    circuit_routes(state, CIRCUIT, port)
        .iter()
        .map(|r| {
            format!(
                "{} {}{} {} {}{}",
                r.prefix,
                r.next_hop,
                if r.marked { "*" } else { "" },
                r.weight,
                path(&r.as_path, " "),
                if r.origin == Origin::Incomplete {
                    " ?"
                } else {
                    ""
                }
            )
        })
        .collect()
}

pub fn path(p: &[u32], sep: &str) -> String {
    p.iter().map(u32::to_string).collect::<Vec<_>>().join(sep)
}

/// `network origin source path weight` as a gateway's learned routes have it.
pub fn learned(state: &State, gateway: &str) -> Vec<String> {
    gateway_learned(state, gateway)
        .unwrap()
        .iter()
        .map(|(_, r)| {
            let origin = match r.learned {
                Learned::Local => "Network",
                Learned::Ebgp => "EBgp",
                Learned::Ibgp => "IBgp",
            };
            format!(
                "{} {origin} {} {} {} {}",
                r.prefix,
                r.source,
                path(&r.as_path, "-"),
                r.weight,
                r.next_hop
            )
        })
        .collect()
}

pub fn from_gateway(state: &State) -> Vec<String> {
    effective_routes(state, NIC)
        .into_iter()
        .filter(|r| r.source == "VirtualNetworkGateway" && r.active)
        .map(|r| format!("{} {}", r.prefix, r.next_hop.unwrap()))
        .collect()
}

pub fn vgw_prefixes(state: &State) -> Vec<String> {
    propagated(state, RTB)
        .iter()
        .map(|r| r.prefix.to_string())
        .collect()
}

/// Every branch as `path: hop hop …`, with `!reason` when dropped.
pub fn traced(state: &State, from: &str, to: &str) -> Vec<String> {
    control::trace(state, from, to)
        .unwrap()
        .into_iter()
        .map(|b| {
            let hops: Vec<String> = b
                .hops
                .iter()
                .map(|h| h.address.map_or_else(|| "*".into(), |a| a.to_string()))
                .collect();
            let end = match (&b.drop_at, &b.reason) {
                (Some(at), Some(why)) => format!(" !{at}: {why}"),
                _ => String::new(),
            };
            format!("{}: {}{end}", b.path, hops.join(" "))
        })
        .collect()
}
