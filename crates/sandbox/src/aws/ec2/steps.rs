//! What becomes of EC2 objects over time: work that ends, and deleted objects that are forgotten after an hour.

use super::vgw::associated;
use crate::aws::objects::{AttachState, Life};
use crate::aws::{Event, durations, finish, later};
use crate::state::State;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    VgwAvailable,
    Attached,
    Detached,
    VgwDeleted,
    CgwAvailable,
    VpnAvailable,
    VpnModified,
    VpnDeleted,
    /// The object no longer shows in any read.
    Forgotten,
}

/// A deleted object stays listed for about an hour (aws.md §2.8).
pub fn linger(state: &mut State, id: &str) {
    later(
        state,
        durations::EC2_LINGER,
        Event::Ec2 {
            id: id.to_owned(),
            step: Step::Forgotten,
            op: None,
        },
    );
}

fn attachment(state: &mut State, id: &str, from: AttachState, to: AttachState) {
    let now = state.now;
    if let Some(v) = state.aws.vgws.get_mut(id) {
        v.settle(now, |v| {
            for a in v.attachments.iter_mut().filter(|a| a.state == from) {
                a.state = to;
            }
        });
    }
}

fn vgw_life(state: &mut State, id: &str, from: Life, to: Life) {
    let now = state.now;
    if let Some(v) = state.aws.vgws.get_mut(id)
        && v.get().state == from
    {
        v.settle(now, |v| v.state = to);
    }
}

fn vpn_life(state: &mut State, id: &str, from: Life, to: Life) {
    let now = state.now;
    if let Some(v) = state.aws.vpns.get_mut(id) {
        v.settle(now, |v| {
            if v.state == from {
                v.state = to;
            }
            for t in v.tunnels.iter_mut().filter(|t| t.interrupted) {
                t.interrupted = false;
                t.changed_at = now;
            }
        });
    }
}

pub fn on_step(state: &mut State, id: &str, step: Step, op: Option<u64>) {
    match step {
        Step::VgwAvailable => vgw_life(state, id, Life::Pending, Life::Available),
        Step::Attached => attachment(state, id, AttachState::Attaching, AttachState::Attached),
        Step::Detached => {
            // With an association in place the attachment stays `detaching` (aws.md §1.6).
            if associated(state, id) {
                later(
                    state,
                    durations::VGW_DETACH,
                    Event::Ec2 {
                        id: id.to_owned(),
                        step: Step::Detached,
                        op,
                    },
                );
                return;
            }
            attachment(state, id, AttachState::Detaching, AttachState::Detached);
        }
        Step::VgwDeleted => {
            vgw_life(state, id, Life::Deleting, Life::Deleted);
            // A gateway that is gone propagates nowhere.
            let now = state.now;
            for v in state.aws.vpcs.values_mut() {
                if v.get().propagating.values().any(|s| s.contains(id)) {
                    v.settle(now, |v| {
                        for set in v.propagating.values_mut() {
                            set.remove(id);
                        }
                    });
                }
            }
            linger(state, id);
        }
        Step::CgwAvailable => {
            let now = state.now;
            if let Some(c) = state.aws.cgws.get_mut(id)
                && c.get().state == Life::Pending
            {
                c.settle(now, |c| c.state = Life::Available);
            }
        }
        Step::VpnAvailable => vpn_life(state, id, Life::Pending, Life::Available),
        Step::VpnModified => vpn_life(state, id, Life::Modifying, Life::Available),
        Step::VpnDeleted => {
            vpn_life(state, id, Life::Deleting, Life::Deleted);
            linger(state, id);
        }
        Step::Forgotten => {
            state.aws.vgws.remove(id);
            state.aws.cgws.remove(id);
            state.aws.vpns.remove(id);
        }
    }
    finish(state, op);
}
