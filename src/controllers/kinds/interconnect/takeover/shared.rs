//! What a stand-alone link and the interconnect that asks for it both use, as each of them has it.
//!
//! May read specs and statuses. Whether it is the same is for `causeway_model::takeover`.

use crate::controllers::Managed;
use crate::controllers::kinds::common;
use causeway_api::common::{InterconnectRef, RouterRef};
use causeway_api::interconnect::ExpressRouteEntry;
use causeway_api::status::{SlotPhase, SlotStatus};
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::spec::{Interconnect, Source};
use causeway_model::takeover::{Shared, Side};
use kube::ResourceExt;

pub(super) fn slot_of<'l, K: Managed>(link: &'l K, name: &str) -> Option<&'l SlotStatus> {
    link.common()?.slots.iter().find(|s| s.name == name)
}

fn is_me(object: &HybridInterconnect, reference: Option<&InterconnectRef>) -> bool {
    reference.is_some_and(|r| r.name == object.name_any())
}

fn is_my_router(object: &HybridInterconnect, reference: &RouterRef) -> bool {
    let to = reference.hybrid_interconnect.as_ref();
    to.is_some_and(|r| r.name == object.name_any())
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

/// A gateway that an interconnect has once.
struct Gateway {
    slot: &'static str,
    noun: &'static str,
    made_by: &'static str,
    referred_by: &'static str,
}

const ER_GATEWAY: Gateway = Gateway {
    slot: "er-gateway",
    noun: "ExpressRoute gateway",
    made_by: "spec.azure.expressRouteGateway",
    referred_by: "spec.azure.expressRouteGatewayRef",
};
const VGW: Gateway = Gateway {
    slot: "vgw",
    noun: "virtual private gateway",
    made_by: "spec.aws.virtualPrivateGateway",
    referred_by: "spec.aws.virtualPrivateGatewayRef",
};
const DXGW: Gateway = Gateway {
    slot: "dxgw",
    noun: "Direct Connect gateway",
    made_by: "spec.aws.directConnectGateway",
    referred_by: "spec.aws.directConnectGatewayRef",
};

impl Gateway {
    fn shared<M, K: Managed>(
        &self,
        object: &HybridInterconnect,
        source: Option<&Source<M>>,
        adopt: Option<&String>,
        link: &K,
    ) -> Shared {
        Shared {
            slot: self.slot.to_owned(),
            noun: self.noun,
            made_by: self.made_by.to_owned(),
            referred_by: self.referred_by.to_owned(),
            link: theirs(slot_of(link, self.slot)),
            parent: ours(object, self.slot, source, adopt),
        }
    }
}

fn vgw<K: Managed>(object: &HybridInterconnect, model: &Interconnect, link: &K) -> Shared {
    let made = object.spec.aws.virtual_private_gateway.as_ref();
    let adopt = made.and_then(|g| g.adopt_id.as_ref());
    VGW.shared(object, model.vgw.as_ref(), adopt, link)
}

fn router(
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

/// # Errors
/// Says what the entry lacks.
pub(super) fn express_route(
    object: &HybridInterconnect,
    model: &Interconnect,
    link: &ExpressRouteLink,
    entry: &ExpressRouteEntry,
) -> Result<Vec<Shared>, String> {
    let mut all = Vec::new();
    let r = link.spec.gateway_ref.as_ref();
    if !is_me(object, r.and_then(|r| r.hybrid_interconnect.as_ref())) {
        let made = object.spec.azure.express_route_gateway.as_ref();
        let adopt = made.and_then(|g| g.adopt_id.as_ref());
        all.push(ER_GATEWAY.shared(object, model.er_gateway.as_ref(), adopt, link));
    }
    for p in &link.spec.ports {
        let Some(listed) = entry.ports.iter().find(|x| x.name == p.name) else {
            return Err(format!(
                "has the port {}, and this entry does not: list it",
                p.name.as_str()
            ));
        };
        if !is_my_router(object, &p.router_ref) {
            let theirs = format!("router-{}", p.name.as_str().to_lowercase());
            all.push(router(
                object,
                model,
                slot_of(link, &theirs),
                &listed.router,
            ));
        }
    }
    Ok(all)
}

pub(super) fn vpn(
    object: &HybridInterconnect,
    model: &Interconnect,
    link: &VpnPair,
) -> Vec<Shared> {
    let r = &link.spec.virtual_private_gateway_ref;
    let other = !is_me(object, r.hybrid_interconnect.as_ref());
    other
        .then(|| vgw(object, model, link))
        .into_iter()
        .collect()
}

pub(super) fn direct_connect(
    object: &HybridInterconnect,
    model: &Interconnect,
    link: &DirectConnectLink,
    entry_router: &str,
) -> Vec<Shared> {
    let spec = &link.spec;
    let mut all = Vec::new();
    if !is_my_router(object, &spec.router_ref) {
        all.push(router(object, model, slot_of(link, "router"), entry_router));
    }
    let r = spec.gateway_ref.as_ref();
    if !is_me(object, r.and_then(|r| r.hybrid_interconnect.as_ref())) {
        let made = object.spec.aws.direct_connect_gateway.as_ref();
        let adopt = made.and_then(|g| g.gateway.adopt_id.as_ref());
        all.push(DXGW.shared(object, model.dxgw.as_ref(), adopt, link));
    }
    let associated = spec
        .association
        .as_ref()
        .map(|a| &a.virtual_private_gateway_ref);
    if associated.is_some_and(|r| !is_me(object, r.hybrid_interconnect.as_ref())) {
        all.push(vgw(object, model, link));
    }
    all
}
