//! What the connectivity provider (Megaport) sees and does of ExpressRoute circuits: the counterpart of ARM's
//! `expressRouteCrossConnections`. Called by the Megaport module only.
//!
//! A circuit shows a new provider state late (azure.md §2.6): `Provisioned` follows a live VXC after a minute or so;
//! `NotProvisioned` only with a refresh (a PUT of the circuit that ends after the provider let go), or after hours.

use super::circuit::PRIVATE;
use super::durations;
use super::ids::{Child, Kind};
use super::store::{object, text, touch};
use super::{Event, children, circuit, store};
use crate::faults::Effect;
use crate::net::view::Port;
use crate::ops::{NewOp, OpKind};
use crate::state::{self, State};
use crate::wire::{Call, Provider};
use serde_json::{Value, json};

/// What a service key tells the provider.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceKey {
    pub circuit_id: String,
    pub bandwidth_mbps: u32,
    pub peering_location: String,
    /// The outer tag that Microsoft gave the circuit.
    pub s_tag: u16,
    pub has_private_peering: bool,
}

/// A private peering as Megaport writes it when a VXC is ordered with `peers`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderPeering {
    pub peer_asn: u32,
    pub primary_subnet: Option<String>,
    pub secondary_subnet: Option<String>,
    pub vlan: u16,
    pub shared_key: Option<String>,
}

fn port_name(port: Port) -> &'static str {
    match port {
        Port::Primary => "primary",
        Port::Secondary => "secondary",
    }
}

fn key_of(state: &State, service_key: &str) -> Option<String> {
    state
        .azure
        .circuits
        .iter()
        .find(|(_, c)| c.service_key.eq_ignore_ascii_case(service_key))
        .map(|(key, _)| key.clone())
}

/// The circuit of a service key; `None` when no circuit has it (any more).
pub fn lookup(state: &State, service_key: &str) -> Option<ServiceKey> {
    let key = key_of(state, service_key)?;
    let r = state.azure.resources.get(&key)?;
    // Before its creation is done nobody can order on it.
    let p = &r.applied.as_ref()?["properties"];
    let provider = &p["serviceProviderProperties"];
    Some(ServiceKey {
        circuit_id: r.id(),
        bandwidth_mbps: provider["bandwidthInMbps"].as_u64().unwrap_or(0) as u32,
        peering_location: text(&provider["peeringLocation"]).to_owned(),
        s_tag: state.azure.circuits.get(&key)?.s_tag,
        has_private_peering: store::named(&r.props()["peerings"], PRIVATE).is_some(),
    })
}

/// The call that faults of effect `providerStateLag` match: nobody's request, but named like one.
fn follow_call(key: &str) -> Call {
    Call {
        provider: Provider::Azure,
        operation: "expressRouteCircuits.providerState".into(),
        mutating: false,
        resource: Some(key.to_owned()),
        principal: String::new(),
    }
}

fn follow(state: &mut State, key: &str, vxc: &str, to: &str, duration: &str, at_once: bool) {
    let mut seconds = durations::of(state, duration);
    let State { faults, rng, .. } = state;
    if let Some(lag) = faults.take(rng, &follow_call(key), &[Effect::ProviderStateLag]) {
        seconds += lag.fault.seconds.unwrap_or(3600.0);
    }
    let now = state.now;
    let op = state.ops.begin(
        now,
        &NewOp {
            provider: Provider::Azure,
            operation: "expressRouteCircuits.providerState",
            resource: key,
            kind: OpKind::Follow,
            seconds,
            names: &[vxc.to_lowercase()],
            locks: &[],
        },
    );
    let Some(side) = state.azure.circuits.get_mut(key) else {
        return;
    };
    side.generation += 1;
    let generation = side.generation;
    let event = Event::ProviderState {
        key: key.to_owned(),
        generation,
        to: to.to_owned(),
        op,
        show: at_once,
    };
    state.schedule(now.plus_secs(seconds), state::Event::Arm(event));
}

/// A VXC to this port went live: the provider starts to report the circuit as provisioned.
pub fn vxc_live(state: &mut State, service_key: &str, port: Port, vxc: &str) {
    let Some(key) = key_of(state, service_key) else {
        return;
    };
    let Some(side) = state.azure.circuits.get_mut(&key) else {
        return;
    };
    let first = side.ports.is_empty();
    side.ports
        .insert(port_name(port).to_owned(), vxc.to_owned());
    if first {
        follow(
            state,
            &key,
            vxc,
            "Provisioned",
            "arm.providerState.provisioned",
            true,
        );
    }
}

/// The VXC on this port is gone.
pub fn vxc_gone(state: &mut State, service_key: &str, port: Port, vxc: &str) {
    let Some(key) = key_of(state, service_key) else {
        return;
    };
    let Some(side) = state.azure.circuits.get_mut(&key) else {
        return;
    };
    side.ports.remove(port_name(port));
    if side.ports.is_empty() {
        follow(
            state,
            &key,
            vxc,
            "NotProvisioned",
            "arm.providerState.released",
            false,
        );
    }
}

/// The provider has told Microsoft; without `show` the circuit's body follows with a refresh or much later.
pub fn arrived(state: &mut State, key: &str, generation: u64, to: &str, op: u64, show: bool) {
    let now = state.now;
    state.ops.finish(op, now);
    let current = |state: &State| {
        state
            .azure
            .circuits
            .get(key)
            .is_some_and(|c| c.generation == generation)
    };
    if !current(state) {
        return;
    }
    if let Some(side) = state.azure.circuits.get_mut(key) {
        to.clone_into(&mut side.actual);
    }
    if show {
        shown(state, key, generation);
    } else {
        let seconds = durations::of(state, "arm.providerState.unrefreshed");
        let event = Event::ProviderStateShown {
            key: key.to_owned(),
            generation,
        };
        state.schedule(now.plus_secs(seconds), state::Event::Arm(event));
    }
}

/// The circuit's body shows what the provider has told.
pub fn shown(state: &mut State, key: &str, generation: u64) {
    let Some(actual) = state
        .azure
        .circuits
        .get(key)
        .filter(|c| c.generation == generation)
        .map(|c| c.actual.clone())
    else {
        return;
    };
    let Some(r) = state.azure.resources.get_mut(key) else {
        return;
    };
    for doc in [Some(&mut r.doc), r.applied.as_mut()].into_iter().flatten() {
        object(&mut doc["properties"]).insert(
            "serviceProviderProvisioningState".into(),
            actual.clone().into(),
        );
    }
    touch(state, key);
}

/// Megaport creates the private peering (it can not delete it).
pub fn create_peering(state: &mut State, service_key: &str, peering: &ProviderPeering) {
    let Some(key) = key_of(state, service_key) else {
        return;
    };
    let seconds = durations::of(state, "arm.peering.create");
    let now = state.now;
    let op = state.ops.begin(
        now,
        &NewOp {
            provider: Provider::Azure,
            operation: "expressRouteCircuits/peerings.byProvider",
            resource: &format!("{key}/peerings/{}", PRIVATE.to_lowercase()),
            kind: OpKind::Follow,
            seconds,
            names: std::slice::from_ref(&key),
            locks: &[],
        },
    );
    let mut given =
        json!({"peerASN": peering.peer_asn, "vlanId": peering.vlan, "peeringType": PRIVATE});
    for (member, value) in [
        ("primaryPeerAddressPrefix", &peering.primary_subnet),
        ("secondaryPeerAddressPrefix", &peering.secondary_subnet),
        ("sharedKey", &peering.shared_key),
    ] {
        if let Some(v) = value {
            given[member] = v.clone().into();
        }
    }
    let event = Event::ProviderPeering { key, given, op };
    state.schedule(now.plus_secs(seconds), state::Event::Arm(event));
}

/// The provider's peering is written into the circuit, once no other operation holds it.
pub fn write_peering(state: &mut State, key: &str, given: Value, op: u64) {
    let Some(existing) = state.azure.resources.get(key).cloned() else {
        let now = state.now;
        state.ops.finish(op, now);
        return;
    };
    if existing.lro.is_some() || state.ops.holder(&format!("circuit:{key}")).is_some() {
        let event = Event::ProviderPeering {
            key: key.to_owned(),
            given,
            op,
        };
        let at = state.now.plus_secs(10.0);
        state.schedule(at, state::Event::Arm(event));
        return;
    }
    let now = state.now;
    state.ops.finish(op, now);
    // The provider writes through its own API, which does not wait for the state that customers are shown.
    let mut as_seen = existing.clone();
    as_seen.props_mut().insert(
        "serviceProviderProvisioningState".into(),
        "Provisioned".into(),
    );
    let given = given.as_object().cloned().unwrap_or_default();
    let made = circuit::peering(&existing.name, Some(&as_seen), PRIVATE, given, "Provider");
    let Ok((entry, md5)) = made else {
        tracing::warn!(circuit = key, "the provider's peering was refused");
        return;
    };
    if let Some(r) = state.azure.resources.get_mut(key) {
        children::place(r, Child::Peering, entry);
        if let Some(md5) = md5 {
            r.hidden
                .insert(format!("peering/{}", PRIVATE.to_lowercase()), md5);
        }
        r.applied = Some(r.doc.clone());
    }
    debug_assert_eq!(existing.name.kind, Kind::Circuit);
    touch(state, key);
}
