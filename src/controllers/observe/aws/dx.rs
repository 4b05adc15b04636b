//! How Direct Connect's objects are seen: the gateway, its association, and what a partner makes for us (aws.md §1.2, §1.3).

use super::{Others, blank, tagged};
use crate::controllers::env::AwsEnv;
use crate::controllers::keys;
use crate::controllers::observe::{Env, Sight, id_of};
use causeway_aws::{AssociationState, AttachmentState, ConnectionState, DxGateway, Vif, VifState};
use causeway_model::desired::prefix_list;
use causeway_model::observe::{Ownership, Present, Record, Seen, State};
use causeway_model::slot::{Birth, Output, Slot};

pub(super) fn dxgw(env: &Env, aws: &AwsEnv, slot: &Slot, record: Option<&Record>) -> Sight {
    let s = &aws.snapshot;
    let fill = |g: &DxGateway, mut p: Present| {
        if let Some(asn) = g.amazon_asn {
            p.fields.insert("amazonASN".to_owned(), asn.to_string());
        }
        if let Some(error) = &g.state_change_error {
            p.provider_state = format!("{} ({error})", p.provider_state);
        }
        // Its deletion would be accepted and reverted minutes later (aws.md §1.4), so it waits for everybody's.
        let mut users: Vec<String> = s
            .attachments
            .items
            .iter()
            .filter(|a| a.dx_gateway_id == g.id && a.state != AttachmentState::Detached)
            .map(|a| format!("virtual interface {}", a.vif_id))
            .collect();
        users.extend(
            s.associations
                .items
                .iter()
                .filter(|a| a.dx_gateway_id == g.id && a.state != AssociationState::Disassociated)
                .map(|a| format!("association with {}", a.gateway_id)),
        );
        if !users.is_empty() {
            users.sort();
            p.holds_deletion = Some(format!("still in use by {}", users.join(", ")));
        }
        p
    };
    let (seen, at) = tagged(env, slot, record, &s.dx_gateways, fill);
    // What holds it must be known, and as fresh.
    let oldest = [at, s.attachments.read_at, s.associations.read_at]
        .into_iter()
        .min()
        .flatten();
    (seen, oldest)
}

/// What has no tags belongs to whom the object that it is part of belongs to.
pub(super) fn inherited(others: Others<'_>, from: &str) -> Ownership {
    others
        .get(from)
        .and_then(Seen::present)
        .map_or(Ownership::Unmarked, |p| p.ownership.clone())
}

/// What keeps a virtual private gateway `detaching` (aws.md §1.6), with what to do.
pub(super) fn keeps_attached(aws: &AwsEnv, vgw_id: &str) -> Option<String> {
    let associations = &aws.snapshot.associations.items;
    let found = associations
        .iter()
        .find(|a| a.gateway_id == vgw_id && a.state != AssociationState::Disassociated)?;
    Some(format!(
        "the association with Direct Connect gateway {} keeps it from going, disassociate that too",
        found.dx_gateway_id
    ))
}

pub(super) fn association(
    env: &Env,
    aws: &AwsEnv,
    record: Option<&Record>,
    others: Others<'_>,
) -> Sight {
    let part = &aws.snapshot.associations;
    let items = match part.current(env.now, env.stale_after) {
        Ok(items) => items,
        Err(why) => return (Seen::Unreadable(why), part.read_at),
    };
    let recorded = record.and_then(|r| r.id.as_deref());
    let pair = id_of(others, "dxgw").zip(id_of(others, "vgw"));
    let found = items
        .iter()
        .find(|a| recorded == Some(a.id.as_str()))
        .or_else(|| {
            items.iter().find(|a| {
                pair.as_ref()
                    .is_some_and(|(d, v)| a.dx_gateway_id == *d && a.gateway_id == *v)
            })
        });
    let Some(found) = found else {
        return (Seen::Absent, part.read_at);
    };
    let state = match found.state {
        AssociationState::Associated => State::Ready,
        AssociationState::Disassociated => {
            return (
                Seen::Gone {
                    id: found.id.clone(),
                },
                part.read_at,
            );
        }
        AssociationState::Disassociating => State::Deleting,
        AssociationState::Associating | AssociationState::Updating | AssociationState::Other(_) => {
            State::Settling {
                forbids_deletion: true,
            }
        }
    };
    let words = found.state_change_error.as_ref().map_or_else(
        || found.state.as_str().to_owned(),
        |e| format!("{} ({e})", found.state),
    );
    let mut p = blank(&found.id, state, &words);
    p.ownership = inherited(others, "dxgw");
    p.fields.insert(
        "allowedPrefixes".to_owned(),
        prefix_list(&found.allowed_prefixes),
    );
    (Seen::Present(Box::new(p)), part.read_at)
}

/// What the VXC to AWS yielded, or was recorded to have yielded.
fn yielded(others: Others<'_>, output: Output, record: Option<&Record>) -> Option<String> {
    others
        .get("vxc-aws")
        .and_then(Seen::present)
        .and_then(|p| p.outputs.get(&output))
        .cloned()
        .or_else(|| record.and_then(|r| r.id.clone()))
}

/// The hosted connection: recognised by the ID that its VXC yields (aws.md §1.3).
pub(super) fn connection(
    env: &Env,
    aws: &AwsEnv,
    record: Option<&Record>,
    others: Others<'_>,
) -> Sight {
    let part = &aws.snapshot.connections;
    let items = match part.current(env.now, env.stale_after) {
        Ok(items) => items,
        Err(why) => return (Seen::Unreadable(why), part.read_at),
    };
    let id = yielded(others, Output::ConnectionId, record);
    let Some(found) = items.iter().find(|c| Some(&c.id) == id.as_ref()) else {
        return (Seen::Absent, part.read_at);
    };
    let state = match &found.state {
        ConnectionState::Ordering => State::AwaitsConfirmation,
        // `down` is the line's matter: the connection is built. `unknown` holds what was there.
        ConnectionState::Available | ConnectionState::Down | ConnectionState::Unknown => {
            State::Ready
        }
        ConnectionState::Deleting => State::Deleting,
        ConnectionState::Deleted => {
            return (
                Seen::Gone {
                    id: found.id.clone(),
                },
                part.read_at,
            );
        }
        ConnectionState::Rejected => State::Failed {
            message: "it was rejected while it waited for confirmation; the VXC must be made anew"
                .to_owned(),
        },
        ConnectionState::Requested | ConnectionState::Pending | ConnectionState::Other(_) => {
            State::Settling {
                forbids_deletion: false,
            }
        }
    };
    let mut p = blank(&found.id, state, found.state.as_str());
    p.tags = Some(found.tags.clone());
    p.ownership = inherited(others, "vxc-aws");
    (Seen::Present(Box::new(p)), part.read_at)
}

/// The hosted VIF is recognised by the ID that its VXC yields, never as "the only one that waits" (aws.md §1.2); one that
/// we made on a hosted connection by our tag.
pub(super) fn vif(
    env: &Env,
    aws: &AwsEnv,
    slot: &Slot,
    record: Option<&Record>,
    others: Others<'_>,
) -> Sight {
    let part = &aws.snapshot.vifs;
    let items = match part.current(env.now, env.stale_after) {
        Ok(items) => items,
        Err(why) => return (Seen::Unreadable(why), part.read_at),
    };
    let own = slot.birth == Birth::Created && slot.wanted;
    let id = if own {
        let live = |v: &&Vif| !matches!(v.state, VifState::Deleted | VifState::Rejected);
        // The lowest ID, so that two reads choose the same one should there ever be two.
        let marked = items
            .iter()
            .filter(live)
            .filter(|v| env.marks.is_slot(&v.tags, &slot.id))
            .map(|v| v.id.clone())
            .min();
        marked.or_else(|| record.and_then(|r| r.id.clone()))
    } else {
        yielded(others, Output::VifId, record)
    };
    let Some(id) = id else {
        return (Seen::Absent, part.read_at);
    };
    let Some(found) = items.iter().find(|v| v.id == id) else {
        return (Seen::Absent, part.read_at);
    };
    let state = match &found.state {
        VifState::Confirming => State::AwaitsConfirmation,
        // `down` is BGP's matter: the VIF is built (aws.md §1.2). `unknown` holds what was there.
        VifState::Available | VifState::Down | VifState::Testing | VifState::Unknown => {
            State::Ready
        }
        VifState::Deleting => State::Deleting,
        VifState::Deleted => return (Seen::Gone { id }, part.read_at),
        VifState::Rejected => State::Failed {
            message:
                "its owner deleted it while it waited for confirmation; the VXC must be made anew"
                    .to_owned(),
        },
        VifState::Pending | VifState::Verifying | VifState::Other(_) => State::Settling {
            forbids_deletion: false,
        },
    };
    let mut p = vif_present(found, state);
    if let Some(word) = keys::of_vif(env, &slot.desired, found) {
        p.fields.insert("authKey".to_owned(), word.to_owned());
    }
    // Whose the VXC is, his is what came of it; what we made ourselves was found by our mark or our record.
    p.ownership = if own {
        Ownership::Ours
    } else {
        inherited(others, "vxc-aws")
    };
    (Seen::Present(Box::new(p)), part.read_at)
}

fn vif_present(v: &Vif, state: State) -> Present {
    let mut p = blank(&v.id, state, v.state.as_str());
    p.tags = Some(v.tags.clone());
    for (name, value) in [
        ("mtu", v.mtu.map(|m| m.to_string())),
        ("amazonAddress", v.amazon_address.clone()),
        ("customerAddress", v.customer_address.clone()),
    ] {
        if let Some(value) = value {
            p.fields.insert(name.to_owned(), value);
        }
    }
    p
}
