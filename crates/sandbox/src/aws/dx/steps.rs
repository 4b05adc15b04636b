//! What becomes of Direct Connect objects over time.

use super::{failover, gateway, vif};
use crate::aws::objects::{Association, AssociationState, ConnectionState, Life, VifState};
use crate::aws::{Event, durations, finish, later};
use crate::state::State;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    DxgwAvailable,
    DxgwDeleted,
    /// An injected fault: the deletion comes to nothing.
    DxgwDeleteFailed,
    Associated,
    AssociationUpdated,
    Disassociated,
    AssociationFailed {
        why: String,
    },
    DisassociationFailed {
        why: String,
    },
    AssociationForgotten,
    /// A hosted VIF or connection has come up in the account.
    Appeared,
    VifProvisioned,
    VifDeleted,
    VifForgotten,
    ConnectionAvailable,
    ConnectionDeleted,
    ConnectionForgotten,
    TestEnds,
}

fn association(state: &mut State, id: &str, f: impl FnOnce(&mut Association)) {
    let now = state.now;
    if let Some(a) = state.aws.associations.get_mut(id) {
        a.settle(now, f);
    }
}

/// A disassociated association lingers, then vanishes (aws.md §1.9).
fn forget_association(state: &mut State, id: &str) {
    later(
        state,
        durations::ASSOCIATION_LINGER,
        Event::Dx {
            id: id.to_owned(),
            step: Step::AssociationForgotten,
            op: None,
        },
    );
}

fn dxgw_life(state: &mut State, id: &str, from: Life, error: Option<&str>) {
    let now = state.now;
    if let Some(g) = state.aws.dxgws.get_mut(id)
        && g.get().state == from
    {
        g.settle(now, |g| {
            g.state = Life::Available;
            if let Some(e) = error {
                g.error = Some(e.to_owned());
            }
        });
    }
}

pub fn on_step(state: &mut State, id: &str, step: Step, op: Option<u64>) {
    let now = state.now;
    match step {
        Step::DxgwAvailable => dxgw_life(state, id, Life::Pending, None),
        Step::DxgwDeleted => {
            if gateway::in_use(state, id) {
                dxgw_life(
                    state,
                    id,
                    Life::Deleting,
                    Some("The Direct Connect gateway still has associations or attachments"),
                );
            } else {
                // Deleted gateways are not returned (aws.md §1.4).
                state.aws.dxgws.remove(id);
            }
        }
        Step::DxgwDeleteFailed => dxgw_life(state, id, Life::Deleting, None),
        Step::Associated | Step::AssociationUpdated => association(state, id, |a| {
            if matches!(
                a.state,
                AssociationState::Associating | AssociationState::Updating
            ) {
                a.state = AssociationState::Associated;
            }
        }),
        Step::AssociationFailed { why } => {
            association(state, id, |a| {
                a.state = AssociationState::Disassociated;
                a.error = Some(why);
            });
            forget_association(state, id);
        }
        Step::Disassociated => {
            association(state, id, |a| a.state = AssociationState::Disassociated);
            forget_association(state, id);
        }
        Step::DisassociationFailed { why } => association(state, id, |a| {
            a.state = AssociationState::Associated;
            a.error = Some(why);
        }),
        Step::AssociationForgotten => {
            state.aws.associations.remove(id);
        }
        Step::Appeared => {}
        Step::VifProvisioned => {
            if let Some(v) = state.aws.vifs.get_mut(id)
                && v.get().state == VifState::Pending
            {
                v.settle(now, |v| v.state = VifState::Provisioned);
            }
        }
        Step::VifDeleted => vif::deleted(state, id),
        Step::VifForgotten => {
            state.aws.vifs.remove(id);
        }
        Step::ConnectionAvailable => {
            if let Some(c) = state.aws.connections.get_mut(id)
                && c.get().state == ConnectionState::Pending
            {
                c.settle(now, |c| c.state = ConnectionState::Available);
            }
        }
        Step::ConnectionDeleted => {
            if let Some(c) = state.aws.connections.get_mut(id) {
                c.settle(now, |c| c.state = ConnectionState::Deleted);
            }
            later(
                state,
                durations::VIF_LINGER,
                Event::Dx {
                    id: id.to_owned(),
                    step: Step::ConnectionForgotten,
                    op: None,
                },
            );
        }
        Step::ConnectionForgotten => {
            state.aws.connections.remove(id);
        }
        Step::TestEnds => failover::time_over(state, id),
    }
    finish(state, op);
}
