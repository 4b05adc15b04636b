//! Gather, second half: turns inventory snapshots into what the planner understands, one slot at a time. Reads
//! snapshots only; says what is there, never what should happen.

mod aws;
mod azure;
mod megaport;

pub use aws::{other_key, other_policy};
pub use azure::arm_kind;

use super::env::Env;
use causeway_model::observe::{Observed, Ownership, Record, Seen};
use causeway_model::provider::Provider;
use causeway_model::slot::{Class, Graph, Slot, SlotId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// One slot as seen, and when the read that says so began.
type Sight = (Seen, Option<Timestamp>);

/// Looks at every slot of the graph. Slots are observed in creation order, because some are recognised by what others
/// yield (the VIF by its VXC).
pub fn observe(env: &Env, graph: &Graph, records: &BTreeMap<SlotId, Record>) -> Observed {
    let mut out = Observed {
        records: records.clone(),
        ..Observed::default()
    };
    for slot in creation_order(graph) {
        let record = records.get(&slot.id);
        let (seen, read_at) = if let Some(seen) = env.foreign.get(&slot.id) {
            // A slot of a dependent, or one that the keeper of Secrets looked at.
            (seen.clone(), Some(env.now))
        } else {
            match slot.provider {
                Provider::Azure => azure::observe(env, slot, record, &out.seen),
                Provider::Aws => aws::observe(env, slot, record, &out.seen),
                Provider::Megaport => megaport::observe(env, slot, record),
                Provider::Kubernetes => (Seen::Unreadable("not looked at".to_owned()), None),
            }
        };
        if let Seen::Present(p) = &seen
            && !slot.imported
            && p.ownership == Ownership::Ours
        {
            let twins = match slot.provider {
                Provider::Megaport => megaport::twins(env, slot, &p.id),
                Provider::Aws => aws::twins(env, slot, &p.id),
                // Names are unique there, or objects are recorded pairs.
                Provider::Azure | Provider::Kubernetes => Vec::new(),
            };
            if !twins.is_empty() {
                out.twins.insert(slot.id.clone(), twins);
            }
        }
        if let Some(at) = read_at {
            out.read_at.insert(slot.id.clone(), at);
        }
        out.seen.insert(slot.id.clone(), seen);
    }
    out
}

fn creation_order(graph: &Graph) -> Vec<&Slot> {
    let mut done: Vec<&SlotId> = Vec::new();
    let mut order = Vec::new();
    // Needs first; a VIF is looked for after its VXC. The graph has no cycles, so this ends.
    for _ in 0..=graph.slots.len() {
        for slot in graph.slots.values() {
            let ready = !done.contains(&&slot.id)
                && slot
                    .needs
                    .iter()
                    .all(|n| done.contains(&&n.slot) || !graph.slots.contains_key(&n.slot))
                && (slot.class != Class::Vif
                    || graph.get("vxc-aws").is_none_or(|v| done.contains(&&v.id)));
            if ready {
                done.push(&slot.id);
                order.push(slot);
            }
        }
    }
    order
}

/// The ID of another slot's object, as just seen.
fn id_of(seen: &BTreeMap<SlotId, Seen>, slot: &str) -> Option<String> {
    seen.get(slot).and_then(Seen::present).map(|p| p.id.clone())
}

fn unreadable(what: &str) -> Sight {
    (Seen::Unreadable(what.to_owned()), None)
}
