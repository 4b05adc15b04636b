//! The links of a `HybridInterconnect`: made, changed and removed as its spec lists them, and how they stand.
//!
//! May read the caches of the links, and apply and delete links at the API server. Touches no cloud.

use super::takeover;
use crate::controllers::Managed;
use crate::controllers::context::Context;
use crate::controllers::engine::{ReconcileError, bounded};
use crate::health;
use causeway_api::status::SlotPhase;
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::observe::Seen;
use causeway_model::report::LinkState;
use causeway_model::spec::Dependent;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tracing::info;

/// Field manager of the links that an interconnect makes.
pub(super) const MANAGER: &str = "causeway/hybridinterconnect";
/// The label by which people find an interconnect's links.
pub(super) const LABEL: &str = "causeway.dev/interconnect";

/// How the links stand, as their status says, without touching them.
pub(super) fn now(object: &HybridInterconnect, ctx: &Context) -> Vec<LinkState> {
    let mut all = Vec::new();
    states(&ctx.stores.express_routes, object, &mut all);
    states(&ctx.stores.direct_connects, object, &mut all);
    states(&ctx.stores.vpns, object, &mut all);
    for (kind, name) in wanted_names(object) {
        let describe = format!("{kind} {name}");
        if object.metadata.deletion_timestamp.is_none()
            && !all.iter().any(|l| l.describe == describe)
        {
            all.push(LinkState {
                describe,
                provisioned: false,
                unreadable: false,
                in_sync: true,
                accepted: true,
                held: false,
                message: "is about to be made or taken over".to_owned(),
            });
        }
    }
    if object.metadata.deletion_timestamp.is_none() && !may_remove(object, ctx) {
        let wanted = wanted_names(object);
        let named = |l: &LinkState| wanted.iter().any(|(k, n)| format!("{k} {n}") == l.describe);
        let kept = going_on(object, ctx);
        for link in &mut all {
            if !named(link) && kept.contains(&link.describe) {
                link.provisioned = false;
                link.held = true;
                "is no longer in the spec and waits: removing it would take down the only path that holds, so another one must hold first; delete the whole interconnect if that is wanted".clone_into(&mut link.message);
            }
        }
    }
    all
}

/// Kind and name of every link of it that nobody has asked to delete yet.
fn going_on(object: &HybridInterconnect, ctx: &Context) -> Vec<String> {
    fn of<K: Managed>(store: &Store<K>, parent: &HybridInterconnect, out: &mut Vec<String>) {
        let links = store.state().into_iter();
        out.extend(
            links
                .filter(|l| is_child(&**l, parent) && l.meta().deletion_timestamp.is_none())
                .map(|l| format!("{} {}", K::KIND, l.name_any())),
        );
    }
    let mut all = Vec::new();
    of(&ctx.stores.express_routes, object, &mut all);
    of(&ctx.stores.direct_connects, object, &mut all);
    of(&ctx.stores.vpns, object, &mut all);
    all
}

/// Names of its links that are on their way out: no longer in the spec, or being deleted.
pub fn going(object: &HybridInterconnect, ctx: &Context) -> BTreeSet<String> {
    fn of<K: Managed>(
        store: &Store<K>,
        parent: &HybridInterconnect,
        wanted: &[(&'static str, String)],
        out: &mut BTreeSet<String>,
    ) {
        for link in store.state().iter().filter(|l| is_child(&***l, parent)) {
            let name = link.name_any();
            let named = wanted.iter().any(|(k, n)| *k == K::KIND && *n == name);
            if !named || link.meta().deletion_timestamp.is_some() {
                out.insert(name);
            }
        }
    }
    let wanted = wanted_names(object);
    let mut all = BTreeSet::new();
    of(&ctx.stores.express_routes, object, &wanted, &mut all);
    of(&ctx.stores.direct_connects, object, &wanted, &mut all);
    of(&ctx.stores.vpns, object, &wanted, &mut all);
    all
}

/// Whether the links that its spec no longer names may go: only while a path holds that needs none of them, unless they
/// carry none. (A living interconnect never loses its last healthy path by our doing; design §2.3.)
fn may_remove(object: &HybridInterconnect, ctx: &Context) -> bool {
    let key = format!(
        "HybridInterconnect {}/{}",
        object.namespace().unwrap_or_default(),
        object.name_any()
    );
    let going = going(object, ctx);
    let proven = ctx.health.other_path(&key, &going, health::carried(object));
    proven != Some(false)
}

pub(super) fn wanted_names(object: &HybridInterconnect) -> Vec<(&'static str, String)> {
    let name = object.name_any();
    let mut all: Vec<(&'static str, String)> = object
        .spec
        .express_routes
        .iter()
        .map(|e| ("ExpressRouteLink", e.link_name(&name)))
        .collect();
    all.extend(
        object
            .spec
            .direct_connects
            .iter()
            .map(|e| ("DirectConnectLink", e.link_name(&name))),
    );
    all.extend(
        object
            .spec
            .vpn
            .iter()
            .map(|e| ("VpnPair", e.link_name(&name))),
    );
    all
}

/// Whether an object is controlled by this interconnect.
pub(crate) fn is_child<K: ResourceExt>(object: &K, parent: &HybridInterconnect) -> bool {
    let uid = parent.uid();
    object.namespace() == parent.namespace()
        && object
            .owner_references()
            .iter()
            .any(|o| o.controller == Some(true) && Some(&o.uid) == uid.as_ref())
}

/// Whether a link names this interconnect anywhere in its references.
pub(super) fn uses<K: Managed>(object: &K, parent: &HybridInterconnect) -> bool {
    fn names(v: &Value, parent: &str) -> bool {
        match v {
            Value::Object(m) => m.iter().any(|(k, v)| {
                (k == "hybridInterconnect" && v.get("name").and_then(Value::as_str) == Some(parent))
                    || names(v, parent)
            }),
            Value::Array(a) => a.iter().any(|v| names(v, parent)),
            _ => false,
        }
    }
    object.namespace() == parent.namespace()
        && spec_of(object).is_some_and(|s| names(&s, &parent.name_any()))
}

/// Whether what one of them does concerns the other.
pub fn related<K: Managed>(link: &K, parent: &HybridInterconnect) -> bool {
    uses(link, parent) || takeover::names(parent, link)
}

fn states<K: Managed>(store: &Store<K>, parent: &HybridInterconnect, out: &mut Vec<LinkState>) {
    for link in store.state().iter().filter(|l| is_child(&***l, parent)) {
        let generation = link.meta().generation.unwrap_or(0);
        let status = link
            .common()
            .filter(|c| c.observed_generation == generation);
        let condition =
            |kind: &str| status.and_then(|c| c.conditions.iter().find(|x| x.type_ == kind));
        let holds = |kind: &str| condition(kind).is_some_and(|c| c.status == "True");
        let not_false = |kind: &str| condition(kind).is_none_or(|c| c.status != "False");
        let deleting = link.meta().deletion_timestamp.is_some();
        let decisive = if deleting {
            "Deleting"
        } else if !not_false("Accepted") {
            "Accepted"
        } else if !holds("Provisioned") {
            "Provisioned"
        } else {
            "InSync"
        };
        let message = condition(decisive)
            .map_or_else(|| "was not looked at yet".to_owned(), |c| c.message.clone());
        out.push(LinkState {
            describe: format!("{} {}", K::KIND, link.name_any()),
            provisioned: holds("Provisioned") && !deleting,
            unreadable: !deleting
                && condition("Provisioned").is_some_and(|c| c.status == "Unknown"),
            in_sync: not_false("InSync"),
            accepted: not_false("Accepted"),
            held: false,
            message,
        });
    }
    out.sort_by(|a, b| a.describe.cmp(&b.describe));
}

pub(super) fn dependents<K: Managed>(
    store: &Store<K>,
    parent: &HybridInterconnect,
    out: &mut Vec<(Dependent, BTreeMap<String, Seen>)>,
) {
    for link in store
        .state()
        .iter()
        .filter(|l| is_child(&***l, parent) || related(&***l, parent))
    {
        let name = link.name_any();
        let mut slots = Vec::new();
        let mut seen = BTreeMap::new();
        for s in link
            .common()
            .map(|c| c.slots.as_slice())
            .unwrap_or_default()
        {
            let gone = matches!(
                s.phase,
                SlotPhase::Imported | SlotPhase::Gone | SlotPhase::Retained
            ) || (s.phase == SlotPhase::Pending && s.id.is_none() && s.intent.is_none());
            if gone {
                continue;
            }
            slots.push(s.name.clone());
            seen.insert(
                s.name.clone(),
                Seen::Unreadable(format!("{} of {} {name} still exists", s.name, K::KIND)),
            );
        }
        let routers = serde_json::to_value(&**link)
            .ok()
            .map(|v| router_names(&v, &parent.name_any()))
            .unwrap_or_default();
        out.push((
            Dependent {
                describe: format!("{} {name}", K::KIND),
                name,
                slots,
                routers,
            },
            seen,
        ));
    }
}

fn router_names(v: &Value, parent: &str) -> Vec<String> {
    match v {
        Value::Object(m) => {
            let own = (m.get("name").and_then(Value::as_str) == Some(parent))
                .then(|| m.get("router").and_then(Value::as_str).map(str::to_owned))
                .flatten();
            own.into_iter()
                .chain(m.values().flat_map(|v| router_names(v, parent)))
                .collect()
        }
        Value::Array(a) => a.iter().flat_map(|v| router_names(v, parent)).collect(),
        _ => Vec::new(),
    }
}

fn spec_of<K: Managed>(link: &K) -> Option<Value> {
    serde_json::to_value(link.spec()).ok()
}

/// A link as it should be: server-side apply, so that what users add to it beside the spec stays.
async fn apply<K: Managed>(
    ctx: &Context,
    parent: &HybridInterconnect,
    name: &str,
    spec: Value,
    store: &Store<K>,
) -> Result<(), ReconcileError> {
    let namespace = parent.namespace().unwrap_or_default();
    let owner = parent.controller_owner_ref(&());
    let existing = store.get(&ObjectRef::new(name).within(&namespace));
    if let Some(e) = &existing {
        // Compared as the API server has it, defaults included: applied only when it differs.
        if is_child(&**e, parent) && spec_of(&**e).as_ref() == Some(&spec) {
            return Ok(());
        }
        if e.meta().deletion_timestamp.is_some() {
            return Ok(());
        }
        if takeover::is_coming(parent, &**e) {
            if !takeover::records_have_moved(parent, ctx) {
                return Ok(());
            }
            info!(
                kind = K::KIND,
                name,
                interconnect = parent.name_any(),
                "taken over"
            );
            return takeover::change(parent, ctx, &**e, &spec, false).await;
        }
    }
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.clone()),
            owner_references: owner.map(|o| vec![o]),
            labels: Some(BTreeMap::from([(LABEL.to_owned(), parent.name_any())])),
            ..ObjectMeta::default()
        },
        "spec": spec,
    });
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &namespace);
    let applied = bounded(api.patch(
        name,
        &PatchParams::apply(MANAGER).force(),
        &Patch::Apply(&body),
    ))
    .await?;
    // What somebody else wrote into the spec, a link taken over among them, is not taken out by an apply.
    if spec_of(&applied).as_ref() == Some(&spec) {
        return Ok(());
    }
    takeover::change(parent, ctx, &applied, &spec, false).await
}

pub(super) async fn converge(
    object: &Arc<HybridInterconnect>,
    ctx: &Arc<Context>,
) -> Result<(), ReconcileError> {
    let name = object.name_any();
    let value = |v: Result<Value, serde_json::Error>| v.unwrap_or(Value::Null);
    for e in &object.spec.express_routes {
        if let Some(spec) = object.child_express_route(e) {
            apply::<ExpressRouteLink>(
                ctx,
                object,
                &e.link_name(&name),
                value(serde_json::to_value(&spec)),
                &ctx.stores.express_routes,
            )
            .await?;
        }
    }
    for e in &object.spec.direct_connects {
        if let Some(spec) = object.child_direct_connect(e) {
            apply::<DirectConnectLink>(
                ctx,
                object,
                &e.link_name(&name),
                value(serde_json::to_value(&spec)),
                &ctx.stores.direct_connects,
            )
            .await?;
        }
    }
    if let Some(e) = &object.spec.vpn {
        apply::<VpnPair>(
            ctx,
            object,
            &e.link_name(&name),
            value(serde_json::to_value(object.child_vpn(e))),
            &ctx.stores.vpns,
        )
        .await?;
    }
    if !may_remove(object, ctx) {
        return Ok(());
    }
    let wanted = wanted_names(object);
    let unwanted = |kind: &str, n: &str| !wanted.iter().any(|(k, w)| *k == kind && w == n);
    delete_where(&ctx.stores.express_routes, object, ctx, |n| {
        unwanted("ExpressRouteLink", n)
    })
    .await?;
    delete_where(&ctx.stores.direct_connects, object, ctx, |n| {
        unwanted("DirectConnectLink", n)
    })
    .await?;
    delete_where(&ctx.stores.vpns, object, ctx, |n| unwanted("VpnPair", n)).await
}

pub(super) async fn delete_all(
    object: &Arc<HybridInterconnect>,
    ctx: &Arc<Context>,
) -> Result<(), ReconcileError> {
    delete_where(&ctx.stores.express_routes, object, ctx, |_| true).await?;
    delete_where(&ctx.stores.direct_connects, object, ctx, |_| true).await?;
    delete_where(&ctx.stores.vpns, object, ctx, |_| true).await
}

async fn delete_where<K: Managed>(
    store: &Store<K>,
    parent: &HybridInterconnect,
    ctx: &Context,
    which: impl Fn(&str) -> bool,
) -> Result<(), ReconcileError> {
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &parent.namespace().unwrap_or_default());
    for link in store.state() {
        let name = link.name_any();
        if !is_child(&*link, parent) || link.meta().deletion_timestamp.is_some() || !which(&name) {
            continue;
        }
        match bounded(api.delete(&name, &DeleteParams::background())).await {
            Ok(_) => {}
            Err(ReconcileError::Kube(e)) if matches!(&*e, kube::Error::Api(s) if s.is_not_found()) =>
                {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
