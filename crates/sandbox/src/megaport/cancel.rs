//! Cancelling, locking and unlocking of products (megaport.md §5, §13.3).

use super::deploy::{self, Work, begin};
use super::envelope::{Refusal, Reply, ok};
use super::types::{Cloud, Status, Vxc};
use super::{Event, durations};
use crate::arm::provider_side;
use crate::aws::partner;
use crate::faults::Effect;
use crate::ops::OpKind;
use crate::state::{self, State};
use crate::wire::{Call, Req};
use serde_json::Value;

/// `POST /v3/product/{uid}/action/{action}`.
pub fn action(state: &mut State, call: &Call, req: &Req, uid: &str, action: &str) -> Reply {
    match action {
        "CANCEL_NOW" => {}
        // Cancel-later and restore are gone (§5).
        "CANCEL" | "UN_CANCEL" => {
            return Err(Refusal::forbidden(format!(
                "Action [{action}] is not permitted"
            )));
        }
        _ => return Err(Refusal::bad(format!("Action [{action}] is not known"))),
    }
    let service = state
        .megaport
        .service(uid)
        .ok_or_else(|| Refusal::no_service(uid))?;
    if service.status == Status::Failed {
        // Nothing was deployed and nothing is billed: only the record goes.
        forget_later(state, uid);
        if let Some(s) = state.megaport.service_mut(uid) {
            s.status = Status::Decommissioned;
        }
        return done(uid);
    }
    if !service.status.attached() {
        return Err(Refusal::bad(format!(
            "Service {uid} is {} and cannot be cancelled",
            service.status.text()
        )));
    }
    if state.megaport.mcrs.contains_key(uid) {
        let safe = req
            .query("safeDelete")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"));
        cancel_mcr(state, call, uid, safe)?;
    } else {
        cancel_vxc(state, call, uid)?;
    }
    done(uid)
}

fn done(uid: &str) -> Reply {
    ok(
        format!("Action [CANCEL_NOW Service {uid}] has been done."),
        Value::Null,
    )
}

/// A dead product stays readable for a while (§4.1).
fn forget_later(state: &mut State, uid: &str) {
    let seconds = state.duration(durations::TOMBSTONE.0, durations::TOMBSTONE.1);
    let at = state.now.plus_secs(seconds);
    let event = Event::Forgotten {
        uid: uid.to_owned(),
    };
    state.schedule(at, state::Event::Megaport(event));
}

fn not_locked(state: &State, uid: &str) -> Result<(), Refusal> {
    if state.megaport.service(uid).is_some_and(|s| s.locked) {
        return Err(Refusal::bad(format!(
            "Service {uid} is locked and cannot be cancelled"
        )));
    }
    Ok(())
}

/// What a customer made on the cloud's side blocks the removal of the VXC under it (§5): Megaport can not delete a
/// peering, nor the VIF on a hosted connection. (A hosted VIF is Megaport's own: it goes with its VXC.)
fn cloud_side_gone(state: &State, vxc: &Vxc) -> Result<(), Refusal> {
    let uid = &vxc.service.uid;
    match &vxc.cloud {
        Cloud::Azure(a)
            if provider_side::lookup(state, a.service_key.expose())
                .is_some_and(|c| c.has_private_peering) =>
        {
            Err(Refusal::bad(format!(
                "Service {uid} has an attached peering connection that must be removed in Azure first"
            )))
        }
        Cloud::AwsHc(c)
            if c.connection
                .as_ref()
                .is_some_and(|c| !partner::vifs_on(state, c).is_empty()) =>
        {
            Err(Refusal::bad(format!(
                "Service {uid} has an attached virtual interface that must be removed in AWS first"
            )))
        }
        _ => Ok(()),
    }
}

fn terminates(state: &mut State, call: &Call) -> bool {
    let State { faults, rng, .. } = state;
    faults.take(rng, call, &[Effect::LroFails]).is_none()
}

fn cancel_vxc(state: &mut State, call: &Call, uid: &str) -> Result<(), Refusal> {
    not_locked(state, uid)?;
    let vxc = state
        .megaport
        .vxcs
        .get(uid)
        .cloned()
        .ok_or_else(|| Refusal::no_service(uid))?;
    let mcrs = vxc.mcrs();
    if deploy::locked(state, &mcrs) {
        return Err(Refusal::busy_cancel());
    }
    cloud_side_gone(state, &vxc)?;
    let mut names = mcrs.clone();
    names.extend(far_names(state, &vxc));
    let op = begin(
        state,
        &Work {
            operation: "vxc.delete",
            resource: uid,
            kind: OpKind::Delete,
            seconds: 0.0,
            names: &names,
            mcrs: &mcrs,
        },
    );
    let now = state.now;
    state.ops.finish(op, now);
    if terminates(state, call) {
        remove_vxc(state, &vxc, Status::Decommissioned);
    } else if let Some(v) = state.megaport.vxcs.get_mut(uid) {
        // The network termination failed: still live, still billed (§13.3).
        v.service.status = Status::Cancelled;
    }
    Ok(())
}

fn far_names(state: &State, vxc: &Vxc) -> Vec<String> {
    match &vxc.cloud {
        Cloud::Aws(v) => v.vif.clone().into_iter().collect(),
        Cloud::AwsHc(c) => c.connection.clone().into_iter().collect(),
        // The peering is named too: it must be gone before.
        Cloud::Azure(a) => provider_side::lookup(state, a.service_key.expose())
            .map(|c| c.circuit_id)
            .into_iter()
            .flat_map(|id| [format!("{id}/peerings/AzurePrivatePeering"), id])
            .collect(),
        Cloud::Mcr => Vec::new(),
    }
}

/// Takes a VXC off the network and tells the far side.
fn remove_vxc(state: &mut State, vxc: &Vxc, status: Status) {
    let now = state.now;
    let uid = vxc.service.uid.clone();
    let release = state.duration(
        durations::PREFIX_LIST_RELEASE.0,
        durations::PREFIX_LIST_RELEASE.1,
    );
    if let Some(v) = state.megaport.vxcs.get_mut(&uid) {
        v.service.status = status;
        v.service.terminated = Some(now);
    }
    state.ledger.end(&uid, now);
    let held: Vec<u64> = vxc.sessions().flat_map(|b| b.prefix_lists()).collect();
    for mcr in vxc.mcrs() {
        if let Some(m) = state.megaport.mcrs.get_mut(&mcr) {
            for list in m.prefix_lists.iter_mut().filter(|l| held.contains(&l.id)) {
                list.held_until = now.plus_secs(release);
            }
        }
    }
    match &vxc.cloud {
        Cloud::Aws(v) => {
            if let Some(id) = &v.vif {
                partner::release_vif(state, id);
            }
        }
        Cloud::AwsHc(c) => {
            if let Some(id) = &c.connection {
                partner::release_connection(state, id);
            }
        }
        Cloud::Azure(a) => provider_side::vxc_gone(state, a.service_key.expose(), a.port, &uid),
        Cloud::Mcr => {}
    }
    forget_later(state, &uid);
    if status == Status::CancelledParent {
        let seconds = state.duration(durations::VXC_CASCADE.0, durations::VXC_CASCADE.1);
        state.schedule(
            now.plus_secs(seconds),
            state::Event::Megaport(Event::CascadeDone { uid }),
        );
    }
}

fn cancel_mcr(state: &mut State, call: &Call, uid: &str, safe: bool) -> Result<(), Refusal> {
    not_locked(state, uid)?;
    let mcrs = [uid.to_owned()];
    if deploy::locked(state, &mcrs) {
        return Err(Refusal::busy_cancel());
    }
    let attached: Vec<Vxc> = state
        .megaport
        .vxcs
        .values()
        .filter(|v| v.touches(uid) && v.service.status.attached())
        .cloned()
        .collect();
    if safe && !attached.is_empty() {
        return Err(Refusal::bad(format!(
            "Service {uid} cannot be safely deleted: it has {} attached service(s)",
            attached.len()
        )));
    }
    for v in &attached {
        // A lock on a VXC also blocks the deletion of its router (§5).
        not_locked(state, &v.service.uid)?;
        cloud_side_gone(state, v)?;
    }
    let names: Vec<String> = state
        .megaport
        .vxcs
        .values()
        .filter(|v| v.touches(uid))
        .map(|v| v.service.uid.clone())
        .collect();
    let op = begin(
        state,
        &Work {
            operation: "mcr.delete",
            resource: uid,
            kind: OpKind::Delete,
            seconds: 0.0,
            names: &names,
            mcrs: &mcrs,
        },
    );
    let now = state.now;
    state.ops.finish(op, now);
    if !terminates(state, call) {
        if let Some(m) = state.megaport.mcrs.get_mut(uid) {
            m.service.status = Status::Cancelled;
        }
        return Ok(());
    }
    for v in &attached {
        remove_vxc(state, v, Status::CancelledParent);
    }
    if let Some(m) = state.megaport.mcrs.get_mut(uid) {
        m.service.status = Status::Decommissioned;
        m.service.terminated = Some(now);
        m.prefix_lists.clear();
        m.add_ons.clear();
    }
    state.ledger.end(uid, now);
    forget_later(state, uid);
    Ok(())
}

/// `POST` and `DELETE /v2/product/{uid}/lock`.
pub fn set_lock(state: &mut State, uid: &str, on: bool) -> Reply {
    let service = state
        .megaport
        .service_mut(uid)
        .ok_or_else(|| Refusal::no_service(uid))?;
    if on && service.status != Status::Live {
        return Err(Refusal::bad(format!(
            "Service {uid} must be live to be locked"
        )));
    }
    if service.locked == on {
        let word = if on { "already" } else { "not" };
        return Err(Refusal::bad(format!("Service {uid} is {word} locked")));
    }
    service.locked = on;
    ok(
        if on {
            "Service locked"
        } else {
            "Service unlocked"
        },
        Value::Null,
    )
}
