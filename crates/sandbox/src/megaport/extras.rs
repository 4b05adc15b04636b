//! Tags, IPsec add-on, telemetry, approvals and events.

use super::deploy::{self, Work, begin};
use super::envelope::{Refusal, Reply, ok};
use super::order::{self, AddOnOrder};
use super::types::{AddOn, Status, Tag};
use super::{Event, durations};
use crate::ops::OpKind;
use crate::state::{self, State};
use crate::wire::{Req, Res};
use serde_json::{Value, json};

/// `GET /v2/product/{uid}/tags`: `data` is never null (megaport.md §13.6).
pub fn tags(state: &State, uid: &str) -> Reply {
    let s = state
        .megaport
        .service(uid)
        .ok_or_else(|| Refusal::no_service(uid))?;
    ok(
        "Resource tags of the product",
        json!({"resourceTags": s.tags}),
    )
}

/// `PUT /v2/product/{uid}/tags` replaces all of them.
pub fn put_tags(state: &mut State, uid: &str, body: &Value) -> Reply {
    let list = body.get("resourceTags").cloned().filter(|l| !l.is_null());
    let tags: Vec<Tag> = match list {
        None => Vec::new(),
        Some(l) => {
            serde_json::from_value(l).map_err(|e| Refusal::invalid(format!("resourceTags: {e}")))?
        }
    };
    let tags = order::check_tags(tags)?;
    let s = state
        .megaport
        .service_mut(uid)
        .ok_or_else(|| Refusal::no_service(uid))?;
    s.tags = tags;
    ok("Resource tags have been updated", Value::Null)
}

/// `POST /v3/product/{uid}/addon` and `PUT …/addon/{addOnUid}` (§7.2). The router is not ready meanwhile.
pub fn add_on(state: &mut State, mcr: &str, existing: Option<&str>, body: Value) -> Reply {
    let o: AddOnOrder =
        serde_json::from_value(body).map_err(|e| Refusal::invalid(format!("add-on: {e}")))?;
    let Some(m) = state.megaport.mcrs.get(mcr) else {
        return Err(Refusal::no_service(mcr));
    };
    if !m.service.status.ready() {
        return Err(Refusal::bad(format!(
            "Product {mcr} - Service must be correctly provisioned to update"
        )));
    }
    let tunnels = o.tunnels(existing.is_some())?;
    let has = m.add_ons.first().map(|a| a.uid.clone());
    match (existing, &has) {
        (None, Some(_)) => return Err(Refusal::bad("The MCR has an IPsec add-on already")),
        (Some(uid), have) if have.as_deref() != Some(uid) => {
            return Err(Refusal::missing(format!("Add-on {uid} was not found")));
        }
        _ => {}
    }
    let configured = tunnels_of(state, mcr).len() as u32;
    if configured > tunnels {
        return Err(Refusal::bad(format!(
            "The MCR has {configured} configured tunnels, more than {tunnels}"
        )));
    }
    let names = [mcr.to_owned()];
    if deploy::locked(state, &names) {
        return Err(Refusal::busy_order());
    }
    let uid = existing.map_or_else(|| state.rng.uuid(), str::to_owned);
    let seconds = state.duration(durations::MCR_ADDON.0, durations::MCR_ADDON.1);
    let op = begin(
        state,
        &Work {
            operation: "mcr.addon",
            resource: mcr,
            kind: OpKind::Update,
            seconds,
            names: &names,
            mcrs: &names,
        },
    );
    if let Some(m) = state.megaport.mcrs.get_mut(mcr) {
        m.service.status = Status::Deployable;
    }
    let at = state.now.plus_secs(seconds);
    let add_on = AddOn {
        uid: uid.clone(),
        tunnels,
        packs: 1,
    };
    let event = Event::AddOnDone {
        uid: mcr.to_owned(),
        op,
        add_on,
    };
    state.schedule(at, state::Event::Megaport(event));
    ok(
        "Add-on has been accepted",
        json!({"addOnUid": uid, "addOnType": "IP_SEC", "tunnelCount": tunnels}),
    )
}

pub fn add_on_done(state: &mut State, mcr: &str, op: u64, add_on: AddOn) {
    let now = state.now;
    state.ops.finish(op, now);
    if let Some(m) = state.megaport.mcrs.get_mut(mcr) {
        m.service.status = Status::Live;
        m.add_ons.retain(|a| a.uid != add_on.uid);
        if add_on.tunnels > 0 {
            m.add_ons.push(add_on);
        }
    }
}

/// Every IPsec tunnel on the router's VXCs, by VXC.
fn tunnels_of(state: &State, mcr: &str) -> Vec<(String, Value)> {
    state
        .megaport
        .vxcs
        .values()
        .filter(|v| v.service.status.attached() && v.a.product == mcr)
        .flat_map(|v| {
            v.a.interfaces.iter().filter_map(|i| {
                let t = i.ip_sec_tunnel_options.as_ref()?;
                let tunnel = json!({
                    "description": i.description,
                    "sourceIpAddress": t.source_ip_address,
                    "destinationIpAddress": t.destination_ip_address,
                    "localId": t.local_id,
                    "remoteId": t.remote_id,
                });
                Some((v.service.uid.clone(), tunnel))
            })
        })
        .collect()
}

/// `GET /v3/products/mcrs/{uid}/ipsec`.
pub fn ipsec(state: &State, mcr: &str) -> Reply {
    let m = state
        .megaport
        .mcrs
        .get(mcr)
        .ok_or_else(|| Refusal::no_service(mcr))?;
    let tunnels = tunnels_of(state, mcr);
    let mut vxcs: Vec<&String> = tunnels.iter().map(|(v, _)| v).collect();
    vxcs.dedup();
    let configured: Vec<Value> = vxcs
        .into_iter()
        .map(|uid| {
            let of: Vec<&Value> = tunnels
                .iter()
                .filter(|(v, _)| v == uid)
                .map(|(_, t)| t)
                .collect();
            json!({"productUid": uid, "tunnels": of})
        })
        .collect();
    let total: u32 = m.add_ons.iter().map(|a| a.tunnels).sum();
    ok(
        "IPsec tunnels of the MCR",
        json!({"totalTunnelCount": total, "ipSecConfiguredVxcs": configured}),
    )
}

/// `GET /v2/product/{mcr2|vxc}/{uid}/telemetry` (§7.4): not in the envelope; samples of five minutes. No traffic is
/// simulated, so bits and packets are zero; speed is what was ordered.
pub fn telemetry(state: &State, req: &Req, uid: &str) -> Reply {
    let s = state
        .megaport
        .service(uid)
        .ok_or_else(|| Refusal::no_service(uid))?;
    let number = |name: &str| req.query(name).and_then(|t| t.parse::<i64>().ok());
    let to = number("to").unwrap_or(state.now.0).min(state.now.0);
    let from = number("from").unwrap_or(to - 3_600_000).max(s.created.0);
    const STEP: i64 = 300_000;
    let speed = state
        .megaport
        .mcrs
        .get(uid)
        .map(|m| m.speed)
        .or_else(|| state.megaport.vxcs.get(uid).map(|v| v.rate))
        .unwrap_or(0);
    let mut data = Vec::new();
    for (_, kind) in req.query.iter().filter(|(k, _)| k == "type") {
        let (value, unit, full) = match kind.as_str() {
            "BITS" => (0, "Mbps", "Megabits per second"),
            "PACKETS" => (0, "pps", "Packets per second"),
            "SPEED" => (speed, "Mbps", "Megabits per second"),
            other => {
                return Err(Refusal::invalid(format!(
                    "telemetry type {other} is not known"
                )));
            }
        };
        // Bounded: at most a month of samples.
        let samples: Vec<Value> = (from / STEP + 1..=to / STEP)
            .take(8928)
            .map(|n| json!([n * STEP, value]))
            .collect();
        for subtype in ["IN", "OUT"] {
            data.push(json!({
                "type": kind,
                "subtype": subtype,
                "samples": samples,
                "unit": {"name": unit, "fullName": full},
            }));
        }
    }
    let kind = if state.megaport.mcrs.contains_key(uid) {
        "MCR2"
    } else {
        "VXC"
    };
    Ok(Res::json(
        200,
        &json!({"serviceUid": uid, "type": kind, "timeFrame": {"from": from, "to": to}, "data": data}),
    ))
}

/// `GET /v3/order_approvals`: no policy holds orders back here, so the pages are empty.
pub fn approvals(req: &Req) -> Reply {
    let page = req.query("pageNumber").unwrap_or("0").to_owned();
    let size = req.query("pageSize").unwrap_or("25").to_owned();
    Ok(ok("Order approvals", json!([]))?
        .with("pagination-total-count", "0")
        .with("pagination-page", &page)
        .with("pagination-limit", &size)
        .with("pagination-total-page", "0"))
}

/// `GET /ens/v1/status/{maintenance|outage}`: exact case, one state per call (§7.5).
pub fn events(req: &Req, states: &[&str]) -> Reply {
    let asked = req.query("state").unwrap_or_default();
    if !states.contains(&asked) {
        return Err(Refusal::invalid(format!(
            "state must be one of {}",
            states.join(", ")
        )));
    }
    ok("Events", json!([]))
}
