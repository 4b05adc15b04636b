//! What the control API asks of AWS: what exists now, what of the world has changed, which values are secret.

use super::Lagged;
use super::objects::{AssociationState, AttachState, ConnectionState, Life, VifState};
use crate::sandbox::LiveObject;
use crate::state::State;
use crate::wire::Provider;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn entry(kind: &str, id: &str, name: Option<&String>, state: &str) -> LiveObject {
    LiveObject {
        provider: Provider::Aws,
        kind: kind.to_owned(),
        id: id.to_owned(),
        name: name.cloned().unwrap_or_default(),
        state: state.to_owned(),
    }
}

/// Objects and relations that are there; deleted ones that reads still show are not.
pub fn live(state: &State) -> Vec<LiveObject> {
    let aws = &state.aws;
    let mut out = Vec::new();
    for v in aws.vgws.values().map(Lagged::get) {
        if v.state != Life::Deleted {
            out.push(entry(
                "vpn-gateway",
                &v.id,
                v.tags.get("Name"),
                v.state.name(),
            ));
        }
        for a in v
            .attachments
            .iter()
            .filter(|a| a.state != AttachState::Detached)
        {
            let id = format!("{}/{}", v.id, a.vpc);
            out.push(entry("vpn-gateway-attachment", &id, None, a.state.name()));
        }
    }
    for v in aws.vpcs.values().map(Lagged::get) {
        for (table, gateways) in &v.propagating {
            for g in gateways {
                let id = format!("{table}/{g}");
                out.push(entry("vgw-route-propagation", &id, None, "enabled"));
            }
        }
    }
    for c in aws.cgws.values().map(Lagged::get) {
        if c.state != Life::Deleted {
            out.push(entry(
                "customer-gateway",
                &c.id,
                c.tags.get("Name"),
                c.state.name(),
            ));
        }
    }
    for v in aws.vpns.values().map(Lagged::get) {
        if v.state != Life::Deleted {
            out.push(entry(
                "vpn-connection",
                &v.id,
                v.tags.get("Name"),
                v.state.name(),
            ));
        }
    }
    for g in aws.dxgws.values().map(Lagged::get) {
        out.push(entry("dx-gateway", &g.id, Some(&g.name), g.state.name()));
    }
    for a in aws.associations.values().map(Lagged::get) {
        if a.state != AssociationState::Disassociated {
            out.push(entry("dx-gateway-association", &a.id, None, a.state.name()));
        }
    }
    for v in aws.vifs.values().map(Lagged::get) {
        if !matches!(v.state, VifState::Deleted | VifState::Rejected) {
            let shown = super::dx::shown_state(state, v);
            out.push(entry("dxvif", &v.id, Some(&v.name), shown));
        }
    }
    for c in aws.connections.values().map(Lagged::get) {
        if c.state != ConnectionState::Deleted {
            out.push(entry("dxcon", &c.id, Some(&c.name), c.state.name()));
        }
    }
    out
}

/// The world's own objects by ID.
pub fn world_objects(state: &State) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    for v in state.aws.vpcs.values().map(Lagged::get) {
        let w = &v.world;
        out.insert(
            w.id.clone(),
            json!({"kind": "vpc", "cidrs": w.cidrs, "region": w.region, "tags": v.tags}),
        );
        let tags = |id: &str| v.part_tags.get(id).cloned().unwrap_or_default();
        for s in &w.subnets {
            out.insert(
                s.id.clone(),
                json!({"kind": "subnet", "vpc": w.id, "cidr": s.cidr, "tags": tags(&s.id)}),
            );
        }
        for t in &w.route_tables {
            let propagating = v.propagating.get(&t.id).cloned().unwrap_or_default();
            out.insert(
                t.id.clone(),
                json!({
                    "kind": "route-table", "vpc": w.id, "main": t.main, "subnets": t.subnets,
                    "routes": t.routes, "propagating": propagating, "tags": tags(&t.id),
                }),
            );
        }
        for i in &w.instances {
            out.insert(
                i.id.clone(),
                json!({"kind": "instance", "subnet": i.subnet, "address": i.address, "tags": tags(&i.id)}),
            );
        }
    }
    out
}

/// Pre-shared keys, BGP keys, secret access keys and session credentials.
pub fn secrets(state: &State) -> Vec<String> {
    let aws = &state.aws;
    let mut out: Vec<String> = state
        .world
        .aws
        .access_keys
        .iter()
        .map(|k| k.secret_access_key.clone())
        .collect();
    for s in aws.sessions.values() {
        out.extend([s.secret.clone(), s.token.clone()]);
    }
    for v in aws.vpns.values() {
        let keys = v
            .get()
            .tunnels
            .iter()
            .map(|t| t.options.pre_shared_key.clone());
        out.extend(keys);
    }
    out.extend(aws.vifs.values().map(|v| v.get().auth_key.clone()));
    out.extend(aws.seen_secrets.iter().cloned());
    out.retain(|s| !s.is_empty());
    out.sort();
    out.dedup();
    out
}
