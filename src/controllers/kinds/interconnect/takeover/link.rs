//! The link's side of being taken over: whose marks count, and whose the records are that its status still has.
//!
//! May read caches and statuses; changes nothing but what is handed in.

use super::shared::slot_of;
use super::{is_coming, names};
use crate::controllers::Managed;
use crate::controllers::context::Context;
use crate::controllers::kinds::common::{self, no, not_yet};
use crate::controllers::marks::Marks;
use crate::controllers::status::records;
use causeway_api::common::InterconnectRef;
use causeway_api::{HybridInterconnect, OWNER_ID_ANNOTATION};
use causeway_model::report::Rejection;
use causeway_model::slot::{Graph, SlotId};
use kube::ResourceExt;
use std::sync::Arc;

/// The interconnect that is about to take a link over.
fn taker<K: Managed>(ctx: &Context, link: &K) -> Option<Arc<HybridInterconnect>> {
    ctx.stores
        .interconnects
        .state()
        .into_iter()
        .find(|hi| is_coming(hi, link))
}

/// What a link makes of the marks of the interconnect that is about to take it over: until the link is told, what is marked
/// already stays in its care. An interconnect that is deleted before that gives everything back.
pub(in crate::controllers::kinds) fn hand_over_marks<K: Managed>(
    ctx: &Context,
    link: &K,
    marks: &mut Marks,
    deleting: bool,
) {
    let Some(hi) = taker(ctx, link) else { return };
    let owner = hi.annotations().get(OWNER_ID_ANNOTATION).cloned();
    let ends = hi.metadata.deletion_timestamp.is_some();
    match (deleting, ends) {
        // A link that goes leaves to the interconnect what that has marked.
        (true, false) => {}
        (false, true) => marks.predecessors.extend(owner),
        (false, false) | (true, true) => marks.heir = owner,
    }
}

/// Has a link take back what an interconnect marked that is being deleted before it had taken the link over.
pub(in crate::controllers::kinds) fn take_back<K: Managed>(
    link: &K,
    marks: &Marks,
    graph: &mut Graph,
    slot: &str,
) {
    if marks.predecessors.is_empty() {
        return;
    }
    let field = "the HybridInterconnect that began to take this link over is being deleted";
    let id = slot_of(link, slot).and_then(|s| s.id.as_deref());
    common::take_over(graph, slot, field, id);
}

/// A link's recorded slots without those that its interconnect has taken over: they are in that one's records. While the link
/// is being deleted, what the interconnect does not have is the link's still.
///
/// # Errors
/// When the spec names an interconnect that has not taken over what the link made.
pub(in crate::controllers::kinds) fn own_records<K: Managed>(
    lookup: common::Lookup<'_>,
    link: &K,
    parent: Option<&InterconnectRef>,
) -> Result<Vec<SlotId>, Rejection> {
    let mut recorded: Vec<SlotId> = records(link.common()).into_keys().collect();
    let Some(reference) = parent else {
        return Ok(recorded);
    };
    let found = lookup.parent(&reference.name, "spec.gatewayRef")?;
    let moves = |s: &SlotId| matches!(s.as_str(), "er-gateway" | "dxgw" | "dxgw-association");
    let moved = |s: &SlotId| {
        let own = slot_of(link, s.as_str()).and_then(|s| s.id.as_ref());
        let theirs = found
            .as_deref()
            .and_then(|p| common::parent_slot(p, s.as_str()));
        own.is_some_and(|own| theirs.is_some_and(|t| t.eq_ignore_ascii_case(own)))
    };
    recorded.retain(|s| !(moves(s) && moved(s)));
    let Some(stray) = recorded
        .iter()
        .find(|s| moves(s))
        .filter(|_| !lookup.deleting)
    else {
        return Ok(recorded);
    };
    let id = slot_of(link, stray.as_str())
        .and_then(|s| s.id.clone())
        .unwrap_or_else(|| stray.to_string());
    let name = &reference.name;
    // The caches of two kinds do not fill in order: its status may be about to show it.
    if found.is_some_and(|hi| names(&hi, link)) {
        return Err(not_yet(
            "Validating",
            format!(
                "spec.gatewayRef: HybridInterconnect {name} does not show {id} yet, which it takes over from this link"
            ),
        ));
    }
    Err(no(
        "AdoptionRefused",
        format!(
            "spec.gatewayRef: this link made {id}, and HybridInterconnect {name} does not have it: list the link there with adoptLink, which takes it over"
        ),
    ))
}
