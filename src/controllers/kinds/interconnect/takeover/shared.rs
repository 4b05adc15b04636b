//! What a stand-alone link and the interconnect that asks for it both use, as each of them has it.
//!
//! May read specs and statuses. Whether it is the same is for `causeway_model::takeover`.

use crate::controllers::Managed;
use crate::controllers::kinds::common;
use causeway_api::common::InterconnectRef;
use causeway_api::status::{SlotPhase, SlotStatus};
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect};
use causeway_model::spec::{Interconnect, Source};
use causeway_model::takeover::{Shared, Side};
use kube::ResourceExt;

pub(super) fn slot_of<'l, K: Managed>(link: &'l K, name: &str) -> Option<&'l SlotStatus> {
    link.common()?.slots.iter().find(|s| s.name == name)
}

pub(super) fn is_me(object: &HybridInterconnect, reference: Option<&InterconnectRef>) -> bool {
    reference.is_some_and(|r| r.name == object.name_any())
}

/// The link's side: what it refers to, or what it made and has seen.
fn theirs(slot: Option<&SlotStatus>) -> Side {
    slot.map_or_else(Side::default, |s| Side {
        makes: s.phase != SlotPhase::Imported,
        id: s.id.clone().filter(|_| s.intent.is_none()),
    })
}

/// This side: what the spec refers to, or what was made or is to be taken over.
fn ours<M>(
    object: &HybridInterconnect,
    slot: &str,
    source: Option<&Source<M>>,
    adopt: Option<&String>,
) -> Option<Side> {
    Some(match source? {
        Source::Managed(_) => Side {
            makes: true,
            id: common::parent_slot(object, slot).or_else(|| adopt.cloned()),
        },
        Source::Referenced { id, .. } => Side {
            makes: false,
            id: id.clone(),
        },
    })
}

pub(super) fn er_gateway(
    object: &HybridInterconnect,
    model: &Interconnect,
    link: &ExpressRouteLink,
) -> Option<Shared> {
    let r = link.spec.gateway_ref.as_ref();
    if is_me(object, r.and_then(|r| r.hybrid_interconnect.as_ref())) {
        return None;
    }
    let adopt = object.spec.azure.express_route_gateway.as_ref();
    Some(Shared {
        slot: "er-gateway".to_owned(),
        noun: "ExpressRoute gateway",
        made_by: "spec.azure.expressRouteGateway".to_owned(),
        referred_by: "spec.azure.expressRouteGatewayRef".to_owned(),
        link: theirs(slot_of(link, "er-gateway")),
        parent: ours(
            object,
            "er-gateway",
            model.er_gateway.as_ref(),
            adopt.and_then(|g| g.adopt_id.as_ref()),
        ),
    })
}

pub(super) fn router(
    object: &HybridInterconnect,
    model: &Interconnect,
    link: Option<&SlotStatus>,
    name: &str,
) -> Shared {
    let slot = format!("router-{name}");
    let source = model.routers.iter().find(|r| r.name == name);
    let entries = object.spec.megaport.iter().flat_map(|m| &m.routers);
    let adopt = entries
        .filter(|r| r.name == name)
        .find_map(|r| r.adopt_id.as_ref());
    Shared {
        noun: "Megaport Cloud Router",
        made_by: format!("spec.megaport.routers[{name}]"),
        referred_by: format!("spec.megaport.routers[{name}].ref"),
        link: theirs(link),
        parent: ours(object, &slot, source.map(|r| &r.source), adopt),
        slot,
    }
}

pub(super) fn vgw(
    object: &HybridInterconnect,
    model: &Interconnect,
    link: Option<&SlotStatus>,
) -> Shared {
    let adopt = object.spec.aws.virtual_private_gateway.as_ref();
    Shared {
        slot: "vgw".to_owned(),
        noun: "virtual private gateway",
        made_by: "spec.aws.virtualPrivateGateway".to_owned(),
        referred_by: "spec.aws.virtualPrivateGatewayRef".to_owned(),
        link: theirs(link),
        parent: ours(
            object,
            "vgw",
            model.vgw.as_ref(),
            adopt.and_then(|g| g.adopt_id.as_ref()),
        ),
    }
}

pub(super) fn direct_connect(
    object: &HybridInterconnect,
    model: &Interconnect,
    link: &DirectConnectLink,
    entry_router: &str,
) -> Vec<Shared> {
    let spec = &link.spec;
    let mut all = Vec::new();
    let to = spec.router_ref.hybrid_interconnect.as_ref();
    if to.is_none_or(|r| r.name != object.name_any()) {
        all.push(router(object, model, slot_of(link, "router"), entry_router));
    }
    let r = spec.gateway_ref.as_ref();
    if !is_me(object, r.and_then(|r| r.hybrid_interconnect.as_ref())) {
        let adopt = object.spec.aws.direct_connect_gateway.as_ref();
        all.push(Shared {
            slot: "dxgw".to_owned(),
            noun: "Direct Connect gateway",
            made_by: "spec.aws.directConnectGateway".to_owned(),
            referred_by: "spec.aws.directConnectGatewayRef".to_owned(),
            link: theirs(slot_of(link, "dxgw")),
            parent: ours(
                object,
                "dxgw",
                model.dxgw.as_ref(),
                adopt.and_then(|g| g.gateway.adopt_id.as_ref()),
            ),
        });
    }
    let associated = spec
        .association
        .as_ref()
        .map(|a| &a.virtual_private_gateway_ref);
    if associated.is_some_and(|r| !is_me(object, r.hybrid_interconnect.as_ref())) {
        all.push(vgw(object, model, slot_of(link, "vgw")));
    }
    all
}
