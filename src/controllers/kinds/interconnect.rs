//! `HybridInterconnect`: what is unique per virtual network or VPC, and the links that its spec lists.

use super::common::{self, no, not_yet, small};
use crate::clients::azure::ResourceId;
use crate::controllers::context::Context;
use crate::controllers::engine::{ReconcileError, bounded};
use crate::controllers::status::Written;
use crate::controllers::{Managed, Prepared, Wakes};
use crate::health::{self, LastPath};
use causeway_api::Managed as _;
use causeway_api::azure::virtual_network_id;
use causeway_api::status::SlotPhase;
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::graph;
use causeway_model::observe::Seen;
use causeway_model::report::{self, LinkState, Rejection};
use causeway_model::slot::SlotId;
use causeway_model::spec::{
    Dependent, Interconnect, ManagedDxgw, ManagedGateway, ManagedRouter, ManagedVgw, Router, Source,
};
use jiff::Timestamp;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// Field manager of the links that an interconnect makes.
const MANAGER: &str = "causeway/hybridinterconnect";

impl Managed for HybridInterconnect {
    const KIND: &'static str = "HybridInterconnect";
    const REPORT: report::Kind = report::Kind::HybridInterconnect;

    fn show(&mut self, w: &Written<'_>) {
        let status = self.status.get_or_insert_default();
        if let Some(h) = w.health {
            health::show(status, h);
        }
    }
    fn last_path(&self) -> LastPath {
        health::last_path(self)
    }
    fn secrets(&self) -> Vec<String> {
        let s = &self.spec;
        let mut all: Vec<String> = s
            .azure
            .account
            .credentials_secret_ref
            .iter()
            .map(|r| r.name.clone())
            .collect();
        all.extend(
            s.aws
                .account
                .credentials_secret_ref
                .iter()
                .map(|r| r.name.clone()),
        );
        all.extend(
            s.megaport
                .iter()
                .map(|m| m.account.credentials_secret_ref.name.clone()),
        );
        all
    }
    fn wake(wakes: &Wakes) -> &UnboundedSender<ObjectRef<Self>> {
        &wakes.interconnects
    }

    async fn prepare(
        object: &Arc<Self>,
        ctx: &Arc<Context>,
        key: &str,
        now: Timestamp,
        deleting: bool,
    ) -> Result<Result<Prepared, Rejection>, ReconcileError> {
        Ok(prepare(object, ctx, key, now, deleting).await)
    }

    async fn links(
        object: &Arc<Self>,
        ctx: &Arc<Context>,
        deleting: bool,
    ) -> Result<Vec<LinkState>, ReconcileError> {
        if deleting {
            delete_all(object, ctx).await?;
        } else {
            converge(object, ctx).await?;
        }
        Ok(Self::links_now(object, ctx))
    }

    fn links_now(object: &Self, ctx: &Context) -> Vec<LinkState> {
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
                    message: "is about to be made".to_owned(),
                });
            }
        }
        all
    }
}

fn wanted_names(object: &HybridInterconnect) -> Vec<(&'static str, String)> {
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
fn is_child<K: ResourceExt>(object: &K, parent: &HybridInterconnect) -> bool {
    let uid = parent.uid();
    object.namespace() == parent.namespace()
        && object
            .owner_references()
            .iter()
            .any(|o| o.controller == Some(true) && Some(&o.uid) == uid.as_ref())
}

/// Whether a link names this interconnect anywhere in its references.
pub fn uses<K: Managed>(object: &K, parent: &HybridInterconnect) -> bool {
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
        && serde_json::to_value(object)
            .is_ok_and(|v| v.get("spec").is_some_and(|s| names(s, &parent.name_any())))
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
            message,
        });
    }
    out.sort_by(|a, b| a.describe.cmp(&b.describe));
}

fn dependents<K: Managed>(
    store: &Store<K>,
    parent: &HybridInterconnect,
    out: &mut Vec<(Dependent, BTreeMap<String, Seen>)>,
) {
    for link in store
        .state()
        .iter()
        .filter(|l| is_child(&***l, parent) || uses(&***l, parent))
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

async fn prepare(
    object: &Arc<HybridInterconnect>,
    ctx: &Arc<Context>,
    key: &str,
    now: Timestamp,
    deleting: bool,
) -> Result<Prepared, Rejection> {
    let spec = &object.spec;
    if !deleting {
        common::no_adoption(adoptions(object))?;
    }
    let mut env = common::env(&**object, ctx, key, now);
    let namespace = env.namespace.clone();
    let waker = || ctx.waker(&**object);
    let name = object.name_any();
    let account = &spec.azure.account;
    let mut azure = common::azure(ctx, &namespace, account, key, waker()).await?;
    let aws = common::aws(ctx, &namespace, &spec.aws.account, key, waker()).await?;
    let megaport = match &spec.megaport {
        Some(m) => Some(common::megaport(ctx, &namespace, &m.account, key, waker()).await?),
        None => None,
    };
    let network = match virtual_network_id(account, &spec.azure.virtual_network_ref) {
        Some(id) => ResourceId::new(id),
        None => match ctx
            .object_ref_id(
                &namespace,
                spec.azure.virtual_network_ref.object_ref.as_ref(),
                "spec.azure.virtualNetworkRef.objectRef",
            )
            .await?
        {
            Some(id) => ResourceId::new(id),
            None => {
                return Err(not_yet(
                    "ReferenceNotReady",
                    "spec.azure.virtualNetworkRef.objectRef: the object has no ID in its status yet",
                ));
            }
        },
    };
    if let Some(group) = network.resource_group() {
        azure.account.want_group(group);
    }
    azure.virtual_network = Some(network.clone());
    let vpc_id = vpc(object, ctx, &namespace, &aws, deleting).await?;

    let routers = spec
        .megaport
        .iter()
        .flat_map(|m| &m.routers)
        .map(|r| {
            let source = match &r.reference {
                Some(p) => Source::Referenced {
                    id: Some(p.product_uid.clone()),
                    describe: p.product_uid.clone(),
                },
                None => Source::Managed(ManagedRouter {
                    display_name: r
                        .product_name
                        .clone()
                        .unwrap_or_else(|| format!("{name} {}", r.name)),
                    location_id: r.location_id.unwrap_or_default(),
                    port_speed_mbps: small(r.port_speed_mbps.unwrap_or_default()),
                    asn: small(r.asn_or_default()),
                    term_months: small(r.term_or_default()),
                    diversity_zone: r.diversity_zone.map(|z| z.as_api().to_owned()),
                    cost_centre: spec
                        .megaport
                        .as_ref()
                        .and_then(|m| m.account.cost_centre.clone()),
                }),
            };
            Router {
                name: r.name.clone(),
                source,
            }
        })
        .collect();

    let er_gateway = match (
        &spec.azure.express_route_gateway,
        &spec.azure.express_route_gateway_ref,
    ) {
        (Some(g), _) => Some(Source::Managed(ManagedGateway {
            name: g.name.clone().unwrap_or_else(|| format!("{name}-ergw")),
            sku: g.sku.as_str().to_owned(),
        })),
        (None, Some(r)) => {
            let id = match (&r.id, &r.name) {
                (Some(id), _) => Some(id.clone()),
                (None, Some(n)) => Some(azure.id("virtualNetworkGateways", n).as_str().to_owned()),
                (None, None) => {
                    ctx.object_ref_id(
                        &namespace,
                        r.object_ref.as_ref(),
                        "spec.azure.expressRouteGatewayRef.objectRef",
                    )
                    .await?
                }
            };
            if let Some(group) = id
                .clone()
                .map(ResourceId::new)
                .as_ref()
                .and_then(|g| g.resource_group())
            {
                azure.account.want_group(group);
            }
            Some(Source::Referenced {
                id,
                describe: "referenced ExpressRoute gateway".to_owned(),
            })
        }
        (None, None) => None,
    };
    let vgw = match (
        &spec.aws.virtual_private_gateway,
        &spec.aws.virtual_private_gateway_ref,
    ) {
        (Some(g), _) => Some(Source::Managed(ManagedVgw {
            name: g.name.clone().unwrap_or_else(|| name.clone()),
            amazon_asn: small(g.amazon_asn),
            route_tables: route_tables(g.propagation.as_ref(), &aws, &vpc_id),
        })),
        (None, Some(r)) => {
            let id = match (&r.id, &r.name) {
                (Some(id), _) => Some(id.clone()),
                (None, Some(n)) => aws
                    .snapshot
                    .vpn_gateways
                    .items
                    .iter()
                    .find(|g| {
                        g.tags.get("Name") == Some(n) && g.state != causeway_aws::State::Deleted
                    })
                    .map(|g| g.id.clone()),
                (None, None) => {
                    ctx.object_ref_id(
                        &namespace,
                        r.object_ref.as_ref(),
                        "spec.aws.virtualPrivateGatewayRef.objectRef",
                    )
                    .await?
                }
            };
            Some(Source::Referenced {
                id,
                describe: "referenced virtual private gateway".to_owned(),
            })
        }
        (None, None) => None,
    };
    let dxgw = match (
        &spec.aws.direct_connect_gateway,
        &spec.aws.direct_connect_gateway_ref,
    ) {
        (Some(g), _) => {
            let mut allowed = Vec::new();
            for p in g.allowed_prefixes.iter().flatten() {
                allowed.push(common::prefix(
                    p,
                    "spec.aws.directConnectGateway.allowedPrefixes",
                )?);
            }
            if allowed.is_empty() {
                allowed = aws
                    .snapshot
                    .vpcs
                    .items
                    .iter()
                    .find(|v| v.id == vpc_id)
                    .map(|v| v.cidrs.clone())
                    .unwrap_or_default();
            }
            Some(Source::Managed(ManagedDxgw {
                name: g.gateway.name.clone().unwrap_or_else(|| name.clone()),
                amazon_asn: small(g.gateway.amazon_asn),
                allowed_prefixes: allowed,
            }))
        }
        (None, Some(r)) => {
            let id = match (&r.id, &r.name) {
                (Some(id), _) => Some(id.clone()),
                (None, Some(n)) => aws
                    .snapshot
                    .dx_gateways
                    .items
                    .iter()
                    .find(|g| g.name == *n)
                    .map(|g| g.id.clone()),
                (None, None) => {
                    ctx.object_ref_id(
                        &namespace,
                        r.object_ref.as_ref(),
                        "spec.aws.directConnectGatewayRef.objectRef",
                    )
                    .await?
                }
            };
            if let Some(id) = &id {
                aws.account.want_gateway(id);
            }
            Some(Source::Referenced {
                id,
                describe: "referenced Direct Connect gateway".to_owned(),
            })
        }
        (None, None) => None,
    };

    let mut found = Vec::new();
    dependents(&ctx.stores.express_routes, object, &mut found);
    dependents(&ctx.stores.direct_connects, object, &mut found);
    dependents(&ctx.stores.vpns, object, &mut found);
    for (d, seen) in &found {
        for (slot, s) in seen {
            env.foreign
                .insert(SlotId::new(format!("{}/{slot}", d.name)), s.clone());
        }
    }
    let model = Interconnect {
        vnet_id: network.as_str().to_owned(),
        vpc_id,
        routers,
        er_gateway,
        vgw,
        dxgw,
        dependents: found.into_iter().map(|(d, _)| d).collect(),
    };
    let recorded: Vec<SlotId> = crate::controllers::status::records(object.common())
        .into_keys()
        .collect();
    let graph = graph::interconnect::graph(&model, &recorded);
    env.azure = Some(azure);
    env.aws = Some(aws);
    env.megaport = megaport;
    if !deleting
        && let Some(finding) =
            crate::controllers::facts::interconnect(object, ctx, &env, &model).await?
    {
        return Err(finding);
    }
    let health = health::interconnect_spec(object, ctx, &model);
    Ok(Prepared {
        env,
        graph,
        secrets: Vec::new(),
        references: Vec::new(),
        other_path_proven: None,
        health,
    })
}

/// Fields that ask to take something over.
fn adoptions(object: &HybridInterconnect) -> Vec<(String, Option<&String>)> {
    let s = &object.spec;
    let er = s.azure.express_route_gateway.as_ref();
    let vgw = s.aws.virtual_private_gateway.as_ref();
    let dxgw = s.aws.direct_connect_gateway.as_ref();
    let mut all = vec![
        (
            "spec.azure.expressRouteGateway.adoptID".to_owned(),
            er.and_then(|g| g.adopt_id.as_ref()),
        ),
        (
            "spec.aws.virtualPrivateGateway.adoptID".to_owned(),
            vgw.and_then(|g| g.adopt_id.as_ref()),
        ),
        (
            "spec.aws.directConnectGateway.adoptID".to_owned(),
            dxgw.and_then(|g| g.gateway.adopt_id.as_ref()),
        ),
    ];
    for r in s.megaport.iter().flat_map(|m| &m.routers) {
        all.push((
            format!("spec.megaport.routers[{}].adoptID", r.name),
            r.adopt_id.as_ref(),
        ));
    }
    for e in &s.express_routes {
        all.push((
            format!("spec.expressRoutes[{}].adoptLink", e.name),
            e.adopt_link.as_ref(),
        ));
    }
    for e in &s.direct_connects {
        all.push((
            format!("spec.directConnects[{}].adoptLink", e.name),
            e.adopt_link.as_ref(),
        ));
    }
    all.push((
        "spec.vpn.adoptLink".to_owned(),
        s.vpn.as_ref().and_then(|v| v.adopt_link.as_ref()),
    ));
    all
}

async fn vpc(
    object: &HybridInterconnect,
    ctx: &Context,
    namespace: &str,
    aws: &crate::controllers::env::AwsEnv,
    deleting: bool,
) -> Result<String, Rejection> {
    let r = &object.spec.aws.vpc_ref;
    if let Some(id) = &r.id {
        return Ok(id.clone());
    }
    let found = if let Some(n) = &r.name {
        let all: Vec<_> = aws
            .snapshot
            .vpcs
            .items
            .iter()
            .filter(|v| v.tags.get("Name") == Some(n))
            .collect();
        match all.as_slice() {
            [one] => Some(one.id.clone()),
            [] if aws.snapshot.vpcs.read_at.is_none() => {
                return Err(not_yet("Validating", "VPCs were not read yet"));
            }
            [] if deleting => None,
            [] => {
                return Err(no(
                    "ReferenceNotFound",
                    format!(
                        "spec.aws.vpcRef.name: no VPC of region {} is tagged Name={n}",
                        aws.region
                    ),
                ));
            }
            more => {
                return Err(no(
                    "ReferenceNotFound",
                    format!(
                        "spec.aws.vpcRef.name: {} VPCs are tagged Name={n}: use the id",
                        more.len()
                    ),
                ));
            }
        }
    } else {
        ctx.object_ref_id(
            namespace,
            r.object_ref.as_ref(),
            "spec.aws.vpcRef.objectRef",
        )
        .await?
    };
    match found {
        Some(id) => Ok(id),
        None if deleting => Ok(String::new()),
        None => Err(not_yet(
            "ReferenceNotReady",
            "spec.aws.vpcRef.objectRef: the object has no ID in its status yet",
        )),
    }
}

fn route_tables(
    p: Option<&causeway_api::aws::Propagation>,
    aws: &crate::controllers::env::AwsEnv,
    vpc_id: &str,
) -> Vec<String> {
    let Some(p) = p else { return Vec::new() };
    if let Some(ids) = &p.route_table_ids {
        return ids.clone();
    }
    let mut all: Vec<String> = aws
        .snapshot
        .route_tables
        .items
        .iter()
        .filter(|t| t.vpc_id == vpc_id)
        .map(|t| t.id.clone())
        .collect();
    all.sort();
    all
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
        let have = serde_json::to_value(&**e)
            .ok()
            .and_then(|v| v.get("spec").cloned());
        if is_child(&**e, parent) && have.as_ref() == Some(&spec) {
            return Ok(());
        }
        if e.meta().deletion_timestamp.is_some() {
            return Ok(());
        }
    }
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.clone()),
            owner_references: owner.map(|o| vec![o]),
            labels: Some(BTreeMap::from([("causeway.dev/interconnect".to_owned(), parent.name_any())])),
            ..ObjectMeta::default()
        },
        "spec": spec,
    });
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &namespace);
    bounded(api.patch(
        name,
        &PatchParams::apply(MANAGER).force(),
        &Patch::Apply(&body),
    ))
    .await
    .map(|_| ())
}

async fn converge(
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

async fn delete_all(
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
