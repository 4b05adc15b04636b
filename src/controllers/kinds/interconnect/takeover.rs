//! Stand-alone links that an interconnect takes over (`adoptLink`): what is shared gets the interconnect's marks and records
//! first, and only then the link is told that it belongs to the interconnect.
//!
//! May read the caches, and change links at the API server (spec, owner and label of a link whose turn it is; nothing in a dry
//! run). Touches no cloud: marks are the planner's and the executor's. Whether both sides mean the same objects is for
//! `causeway_model::takeover`.

mod link;
mod shared;

pub(in crate::controllers::kinds) use link::{hand_over_marks, own_records, take_back};

use super::links;
use crate::controllers::Managed;
use crate::controllers::context::Context;
use crate::controllers::engine::{ReconcileError, bounded};
use crate::controllers::facts::accepted_before;
use crate::controllers::kinds::common::{self, no, not_yet};
use causeway_api::status::{SlotPhase, SlotStatus};
use causeway_api::{
    DirectConnectLink, ExpressRouteLink, HybridInterconnect, OWNER_ID_ANNOTATION, VpnPair,
};
use causeway_model::report::Rejection;
use causeway_model::spec::Interconnect;
use causeway_model::takeover::{Refusal, Shared, judge};
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

/// A list entry that asks for a link.
struct Asked<'a> {
    kind: &'static str,
    field: String,
    name: &'a str,
}

fn asked(object: &HybridInterconnect) -> Vec<Asked<'_>> {
    let s = &object.spec;
    let er = s.express_routes.iter().map(|e| {
        (
            ExpressRouteLink::KIND,
            format!("spec.expressRoutes[{}].adoptLink", e.name),
            e.adopt_link.as_deref(),
        )
    });
    let dx = s.direct_connects.iter().map(|e| {
        (
            DirectConnectLink::KIND,
            format!("spec.directConnects[{}].adoptLink", e.name),
            e.adopt_link.as_deref(),
        )
    });
    let vpn = s.vpn.iter().map(|e| {
        (
            VpnPair::KIND,
            "spec.vpn.adoptLink".to_owned(),
            e.adopt_link.as_deref(),
        )
    });
    er.chain(dx)
        .chain(vpn)
        .filter_map(|(kind, field, name)| {
            Some(Asked {
                kind,
                field,
                name: name?,
            })
        })
        .collect()
}

/// Whether the interconnect's spec asks for this link.
pub(crate) fn names<K: Managed>(object: &HybridInterconnect, link: &K) -> bool {
    object.namespace() == link.namespace()
        && asked(object)
            .iter()
            .any(|a| a.kind == K::KIND && a.name == link.name_any())
}

/// Whether it does, and the link is not its own yet.
pub(super) fn is_coming<K: Managed>(object: &HybridInterconnect, link: &K) -> bool {
    names(object, link) && !links::is_child(link, object)
}

/// What is taken over.
#[derive(Default)]
pub(super) struct Takeover {
    /// The interconnect's slots that get a link's object, with the field that asks and the object's ID.
    pub moves: Vec<(String, String, String)>,
    /// Owner IDs of the links.
    pub predecessors: Vec<String>,
}

/// What the spec asks to take over and is not taken over yet, after a look at whether it fits.
pub(super) async fn prepare(
    object: &HybridInterconnect,
    ctx: &Context,
    model: &Interconnect,
) -> Result<Takeover, Rejection> {
    one_link_each(object)?;
    let mut out = Takeover::default();
    let s = &object.spec;
    let stores = &ctx.stores;
    let own = object.name_any();
    for e in &s.express_routes {
        let entry = Entry {
            name: e.link_name(&own),
            adopts: e.adopt_link.is_some(),
            spec: object.child_express_route(e).map(value),
        };
        let uses = |l: &ExpressRouteLink| shared::express_route(object, model, l, e);
        out.look(object, ctx, &stores.express_routes, entry, uses)
            .await?;
    }
    for e in &s.direct_connects {
        let entry = Entry {
            name: e.link_name(&own),
            adopts: e.adopt_link.is_some(),
            spec: object.child_direct_connect(e).map(value),
        };
        let uses = |l: &DirectConnectLink| Ok(shared::direct_connect(object, model, l, &e.router));
        out.look(object, ctx, &stores.direct_connects, entry, uses)
            .await?;
    }
    if let Some(e) = &s.vpn {
        let entry = Entry {
            name: e.link_name(&own),
            adopts: e.adopt_link.is_some(),
            spec: Some(value(object.child_vpn(e))),
        };
        let uses = |l: &VpnPair| Ok(shared::vpn(object, model, l));
        out.look(object, ctx, &stores.vpns, entry, uses).await?;
    }
    Ok(out)
}

/// Two entries with one link would change it to and fro for ever.
fn one_link_each(object: &HybridInterconnect) -> Result<(), Rejection> {
    let wanted = links::wanted_names(object);
    let twice = wanted
        .iter()
        .enumerate()
        .find(|(i, link)| wanted[..*i].contains(link));
    let Some((_, (kind, name))) = twice else {
        return Ok(());
    };
    let which = asked(object)
        .into_iter()
        .filter(|a| a.kind == *kind && a.name == name);
    let fields: Vec<String> = which.map(|a| a.field).collect();
    Err(no(
        "InvalidTopology",
        format!(
            "{kind} {name} is the link of two entries, since {} names it: each entry needs a link of its own",
            fields.join(" as well as ")
        ),
    ))
}

/// A list entry with the link that it names or makes.
struct Entry {
    name: String,
    adopts: bool,
    /// What the link is to become.
    spec: Option<Value>,
}

impl Takeover {
    /// Looks at one entry's link; `uses` tells what it shares, or what the entry lacks.
    async fn look<K: Managed>(
        &mut self,
        object: &HybridInterconnect,
        ctx: &Context,
        store: &Store<K>,
        entry: Entry,
        uses: impl Fn(&K) -> Result<Vec<Shared>, String>,
    ) -> Result<(), Rejection> {
        let name = &entry.name;
        let namespace = object.namespace().unwrap_or_default();
        let field = asked(object)
            .into_iter()
            .find(|a| entry.adopts && a.kind == K::KIND && a.name == name)
            .map(|a| a.field);
        let link = store.get(&ObjectRef::new(name).within(&namespace));
        let Some(link) = link else {
            // One that was taken over and deleted by somebody is made again.
            return match field.filter(|_| !accepted_before(object)) {
                None => Ok(()),
                Some(field) => Err(no(
                    "ReferenceNotFound",
                    format!(
                        "{field}: {} {name} does not exist in namespace {namespace}: correct the name, or leave the field out to have a new link made",
                        K::KIND
                    ),
                )),
            };
        };
        if links::is_child(&*link, object) {
            return Ok(());
        }
        let Some(field) = field else {
            // Its own, orphaned: it comes back.
            if links::uses(&*link, object) {
                return Ok(());
            }
            return Err(no(
                "NameConflict",
                format!(
                    "{} {name} exists and is not of this interconnect: name it in adoptLink of its entry to take it over, or name the entry differently",
                    K::KIND
                ),
            ));
        };
        let what = format!("{field}: {} {name}", K::KIND);
        let owner = link
            .owner_references()
            .iter()
            .find(|o| o.controller == Some(true));
        if let Some(owner) = owner {
            return Err(no(
                "NameConflict",
                format!(
                    "{what} belongs to {} {}: remove it there first",
                    owner.kind, owner.name
                ),
            ));
        }
        if link.meta().deletion_timestamp.is_some() {
            return Err(no(
                "AdoptionRefused",
                format!("{what} is being deleted: leave the field out to have a new link made"),
            ));
        }
        let misfit = |why: String| no("AdoptionRefused", format!("{what} {why}"));
        for shared in uses(&link).map_err(misfit)? {
            match judge(&what, &shared) {
                Ok(None) => {}
                Ok(Some(id)) => self.moves.push((shared.slot, field.clone(), id)),
                Err(Refusal::NotYet(m)) => return Err(not_yet("ReferenceNotReady", m)),
                Err(Refusal::Misfit(m)) => return Err(no("AdoptionRefused", m)),
            }
        }
        self.predecessors
            .extend(link.annotations().get(OWNER_ID_ANNOTATION).cloned());
        if let Some(spec) = &entry.spec {
            fits(object, ctx, &*link, &what, spec).await?;
        }
        Ok(())
    }
}

/// Whether the API server would let the link become what the entry says: what can not be changed must be equal.
async fn fits<K: Managed>(
    object: &HybridInterconnect,
    ctx: &Context,
    link: &K,
    what: &str,
    spec: &Value,
) -> Result<(), Rejection> {
    match change(object, ctx, link, spec, true).await {
        Ok(()) => Ok(()),
        Err(ReconcileError::Kube(e)) => match &*e {
            kube::Error::Api(s) if s.is_invalid() => Err(no(
                "AdoptionRefused",
                format!(
                    "{what} can not become what this entry says; make the entry say what the link is: {}",
                    s.message
                ),
            )),
            e => Err(not_yet(
                "Validating",
                format!("{what} was not compared yet: {e}"),
            )),
        },
        Err(e) => Err(not_yet(
            "Validating",
            format!("{what} was not compared yet: {e}"),
        )),
    }
}

/// Gives a link this interconnect's spec, owner and label, all at once; `dry`: only as a question. The link's version must be
/// the one that was looked at.
pub(super) async fn change<K: Managed>(
    object: &HybridInterconnect,
    ctx: &Context,
    link: &K,
    spec: &Value,
    dry: bool,
) -> Result<(), ReconcileError> {
    let mut owners = link.owner_references().to_vec();
    if !links::is_child(link, object) {
        owners.extend(object.controller_owner_ref(&()));
    }
    let mut labels = link.labels().clone();
    labels.insert(links::LABEL.to_owned(), object.name_any());
    // A JSON patch, since a merge would keep what the new spec does not have.
    let operations = json!([
        {"op": "replace", "path": "/metadata/resourceVersion", "value": link.resource_version()},
        {"op": "add", "path": "/metadata/ownerReferences", "value": owners},
        {"op": "add", "path": "/metadata/labels", "value": labels},
        {"op": "replace", "path": "/spec", "value": spec},
    ]);
    let patch: json_patch::Patch = serde_json::from_value(operations)
        .map_err(|e| ReconcileError::from(kube::Error::SerdeError(e)))?;
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &link.namespace().unwrap_or_default());
    let params = PatchParams {
        dry_run: dry,
        field_manager: Some(links::MANAGER.to_owned()),
        ..PatchParams::default()
    };
    bounded(api.patch(&link.name_any(), &params, &Patch::Json::<()>(patch)))
        .await
        .map(|_| ())
}

/// Whether the links that the spec asks for may be told so: everything that they would look up here is in this status, for all
/// of them, so that they come together.
pub(super) fn records_have_moved(object: &HybridInterconnect, ctx: &Context) -> bool {
    fn of<K: Managed>(object: &HybridInterconnect, store: &Store<K>) -> bool {
        let shared = |s: &&SlotStatus| {
            matches!(
                s.name.as_str(),
                "er-gateway" | "vgw" | "dxgw" | "dxgw-association"
            ) && s.phase != SlotPhase::Gone
        };
        let here = |s: &SlotStatus| {
            let id = common::parent_slot(object, &s.name);
            id.zip(s.id.as_ref())
                .is_some_and(|(id, theirs)| theirs.eq_ignore_ascii_case(&id))
        };
        let links = store.state();
        let mut coming = links.iter().filter(|l| is_coming(object, &***l));
        coming.all(|l| {
            let slots = l.common().map(|c| c.slots.as_slice());
            slots.unwrap_or_default().iter().filter(shared).all(here)
        })
    }
    of(object, &ctx.stores.express_routes)
        && of(object, &ctx.stores.direct_connects)
        && of(object, &ctx.stores.vpns)
}

fn value(spec: impl serde::Serialize) -> Value {
    serde_json::to_value(spec).unwrap_or(Value::Null)
}
