//! The end of long-running operations: what they change, and how they fail.

use super::actions;
use super::durations;
use super::errors::ArmError;
use super::gateway;
use super::ids::{Child, Kind};
use super::lro::{Lro, Work};
use super::store::{Resource, bury, list, text, touch};
use crate::state::State;
use serde_json::Value;
use std::net::Ipv4Addr;

/// Carries out what an operation was for; answers the result of a POST, or the error that the operation ends in.
pub fn run(state: &mut State, id: &str, lro: &Lro) -> Result<Option<Value>, ArmError> {
    if let Some(fail) = &lro.fail {
        failed(state, id, &lro.work);
        return Err(fail.clone());
    }
    match &lro.work {
        Work::Put { key, created } => {
            put(state, key, *created);
            Ok(None)
        }
        Work::PutChild { key, child, name } => {
            settle_child(state, key, *child, name, "Succeeded");
            settled(state, key);
            Ok(None)
        }
        Work::Delete { key } => delete(state, key).map(|()| None),
        Work::DeleteChild { key, child, name } => {
            remove_child(state, key, *child, name);
            settled(state, key);
            Ok(None)
        }
        Work::SharedKey { key, value } => {
            if let Some(r) = state.azure.resources.get_mut(key) {
                r.hidden.insert("sharedKey".into(), value.clone());
            }
            settled(state, key);
            Ok(None)
        }
        Work::Settle { key } => {
            settled(state, key);
            Ok(None)
        }
        Work::Query(query) => actions::answer(state, query).map(Some),
    }
}

/// The operation is over and its resource in order.
fn settled(state: &mut State, key: &str) {
    let Some(r) = state.azure.resources.get_mut(key) else {
        return;
    };
    r.lro = None;
    r.set_provisioning("Succeeded");
    r.applied = Some(r.doc.clone());
    touch(state, key);
}

/// The operation is over and has left its resource in `Failed`, where the same PUT helps (azure.md §1.2).
fn failed(state: &mut State, id: &str, work: &Work) {
    let key = match work {
        Work::Put { key, .. }
        | Work::Delete { key }
        | Work::SharedKey { key, .. }
        | Work::Settle { key } => key,
        Work::PutChild { key, child, name } | Work::DeleteChild { key, child, name } => {
            settle_child(state, key, *child, name, "Failed");
            key
        }
        Work::Query(_) => return,
    };
    let Some(r) = state.azure.resources.get_mut(key) else {
        return;
    };
    if r.lro.as_deref() == Some(id) {
        r.lro = None;
        r.set_provisioning("Failed");
        touch(state, key);
    }
}

fn children_mut(r: &mut Resource, child: Child) -> Option<&mut Vec<Value>> {
    r.props_mut().get_mut(child.path())?.as_array_mut()
}

fn settle_child(state: &mut State, key: &str, child: Child, name: &str, to: &str) {
    let Some(r) = state.azure.resources.get_mut(key) else {
        return;
    };
    for c in children_mut(r, child).into_iter().flatten() {
        if text(&c["name"]).eq_ignore_ascii_case(name) {
            c["properties"]["provisioningState"] = to.into();
        }
    }
}

fn remove_child(state: &mut State, key: &str, child: Child, name: &str) {
    let Some(r) = state.azure.resources.get_mut(key) else {
        return;
    };
    if let Some(children) = children_mut(r, child) {
        children.retain(|c| !text(&c["name"]).eq_ignore_ascii_case(name));
    }
    let slot = match child {
        Child::Peering => format!("peering/{}", name.to_lowercase()),
        Child::Authorization => format!("authorization/{}", name.to_lowercase()),
        Child::Subnet | Child::Route => return,
    };
    r.hidden.remove(&slot);
}

fn put(state: &mut State, key: &str, created: bool) {
    let Some(kind) = state.azure.resources.get(key).map(|r| r.name.kind) else {
        return;
    };
    match kind {
        Kind::PublicIp => public_ip(state, key),
        Kind::VirtualNetworkGateway => gateway_done(state, key),
        Kind::Circuit => circuit(state, key, created),
        _ => {}
    }
    settled(state, key);
}

fn public_ip(state: &mut State, key: &str) {
    let taken = state
        .azure
        .resources
        .get(key)
        .is_some_and(|r| r.props()["ipAddress"].is_string());
    if taken {
        return;
    }
    let address: Ipv4Addr = super::address::allocate(state);
    if let Some(r) = state.azure.resources.get_mut(key) {
        r.props_mut()
            .insert("ipAddress".into(), address.to_string().into());
    }
}

fn gateway_done(state: &mut State, key: &str) {
    if let Some(r) = state.azure.resources.get_mut(key)
        && let Some(configs) = r
            .props_mut()
            .get_mut("ipConfigurations")
            .and_then(Value::as_array_mut)
    {
        for c in configs {
            c["properties"]["provisioningState"] = "Succeeded".into();
        }
    }
}

/// A circuit's PUT also refreshes what it knows of its provider (azure.md §2.6).
fn circuit(state: &mut State, key: &str, created: bool) {
    let Some(side) = state.azure.circuits.get(key).cloned() else {
        return;
    };
    if created && state.azure.unseen_until.contains_key(key) {
        let unseen = durations::of(state, "arm.exists.afterCreate");
        let until = state.now.plus_secs(unseen);
        state.azure.unseen_until.insert(key.to_owned(), until);
    }
    if let Some(r) = state.azure.resources.get_mut(key) {
        let p = r.props_mut();
        p.insert("serviceKey".into(), side.service_key.into());
        p.insert("stag".into(), side.s_tag.into());
        p.insert("circuitProvisioningState".into(), "Enabled".into());
        p.insert(
            "serviceProviderProvisioningState".into(),
            side.actual.into(),
        );
    }
}

fn delete(state: &mut State, key: &str) -> Result<(), ArmError> {
    let Some(r) = state.azure.resources.get_mut(key) else {
        return Ok(());
    };
    if r.name.kind == Kind::Circuit {
        let shown = text(&r.props()["serviceProviderProvisioningState"]);
        if !matches!(shown, "NotProvisioned" | "DeProvisioned") {
            r.lro = None;
            r.set_provisioning("Failed");
            touch(state, key);
            return Err(ArmError::new(
                409,
                "ConflictError",
                "The specified dedicated circuit is not in Deprovisioned state. Please initiate the deprovisioning \
                 process with your service provider.",
            ));
        }
    }
    let r = r.clone();
    if r.name.kind == Kind::VirtualNetworkGateway {
        linger(state, &r);
    }
    if r.name.kind == Kind::Circuit {
        state.azure.circuits.remove(key);
        state.azure.unseen_until.remove(key);
        state.azure.buried.insert(key.to_owned());
    }
    let now = state.now;
    state.ledger.end(&r.id(), now);
    bury(state, key);
    Ok(())
}

/// Public addresses and the subnet of a gateway stay "in use" for a moment after it has gone (azure.md §1.4).
fn linger(state: &mut State, r: &Resource) {
    let seconds = durations::of(state, "arm.inUse.afterGateway");
    let until = state.now.plus_secs(seconds);
    let mut ids = vec![format!(
        "{}/subnets/GatewaySubnet",
        gateway::vnet_of(r.props())
    )];
    let mut by = r.id();
    for c in list(&r.props()["ipConfigurations"]) {
        text(&c["id"]).clone_into(&mut by);
        if let Some(pip) = c["properties"]["publicIPAddress"]["id"].as_str() {
            ids.push(pip.to_owned());
        }
    }
    let now = state.now;
    state.azure.lingering.retain(|_, (t, _)| *t > now);
    for id in ids {
        state
            .azure
            .lingering
            .insert(id.to_lowercase(), (until, by.clone()));
    }
}
