//! `HybridInterconnect`: what is unique per virtual network or VPC, and the links that its spec lists.

mod links;
pub(super) mod takeover;

pub(crate) use links::is_child;
pub use links::{going, related};

use super::common::{self, no, not_yet, small};
use crate::clients::azure::ResourceId;
use crate::controllers::context::Context;
use crate::controllers::engine::ReconcileError;
use crate::controllers::status::Written;
use crate::controllers::{Managed, Prepared, Wakes};
use crate::health::{self, LastPath};
use causeway_api::HybridInterconnect;
use causeway_api::Managed as _;
use causeway_api::azure::virtual_network_id;
use causeway_model::graph;
use causeway_model::report::{self, LinkState, Rejection};
use causeway_model::slot::SlotId;
use causeway_model::spec::{
    Interconnect, ManagedDxgw, ManagedGateway, ManagedRouter, ManagedVgw, Router, Source,
};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

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
            links::delete_all(object, ctx).await?;
        } else {
            links::converge(object, ctx).await?;
        }
        Ok(Self::links_now(object, ctx))
    }

    fn links_now(object: &Self, ctx: &Context) -> Vec<LinkState> {
        links::now(object, ctx)
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
        (Some(g), _) => {
            let field = "spec.azure.expressRouteGateway.adoptID";
            let kind = "virtualNetworkGateways";
            let adopted =
                common::adopted_arm(&azure, field, g.adopt_id.as_ref(), kind, g.name.as_ref())?;
            let own = common::own_id(object.common(), "er-gateway");
            if let Some(group) = own.as_ref().and_then(|id| id.resource_group()) {
                azure.account.want_group(group);
            }
            Some(Source::Managed(ManagedGateway {
                name: g
                    .name
                    .clone()
                    .or_else(|| own.or(adopted).map(|a| a.name().to_owned()))
                    .unwrap_or_else(|| format!("{name}-ergw")),
                sku: g.sku.as_str().to_owned(),
            }))
        }
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
            if let Some(id) = &g.gateway.adopt_id {
                aws.account.want_gateway(id);
            }
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
    links::dependents(&ctx.stores.express_routes, object, &mut found);
    links::dependents(&ctx.stores.direct_connects, object, &mut found);
    links::dependents(&ctx.stores.vpns, object, &mut found);
    for (d, seen) in &found {
        for (slot, s) in seen {
            env.foreign
                .insert(SlotId::new(format!("{}/{slot}", d.name)), s.clone());
        }
    }
    let mut model = Interconnect {
        vnet_id: network.as_str().to_owned(),
        vpc_id,
        routers,
        er_gateway,
        vgw,
        dxgw,
        dependents: found.into_iter().map(|(d, _)| d).collect(),
    };
    let takeover = if deleting {
        takeover::Takeover::default()
    } else {
        takeover::prepare(object, ctx, &model).await?
    };
    for (slot, field, id) in &takeover.moves {
        if slot == "dxgw" {
            aws.account.want_gateway(id);
        } else if let Some(Source::Managed(g)) = &mut model.er_gateway {
            let id = ResourceId::new(id.clone());
            if let Some(group) = id.resource_group() {
                azure.account.want_group(group);
            }
            let given = spec.azure.express_route_gateway.as_ref();
            let given = given.and_then(|g| g.name.as_ref());
            if let Some(given) = given.filter(|n| !n.eq_ignore_ascii_case(id.name())) {
                return Err(no(
                    "AdoptionRefused",
                    format!(
                        "{field}: the link's ExpressRoute gateway is called {} and spec.azure.expressRouteGateway.name says {given}: leave the name out, or correct it",
                        id.name()
                    ),
                ));
            }
            id.name().clone_into(&mut g.name);
        }
    }
    env.marks.predecessors = takeover.predecessors;
    let recorded: Vec<SlotId> = crate::controllers::status::records(object.common())
        .into_keys()
        .collect();
    let mut graph = graph::interconnect::graph(&model, &recorded);
    common::tag(&mut graph, Some(&azure), Some(&aws));
    for (slot, field, id) in adoptions(object) {
        common::take_over(&mut graph, &slot, &field, id.map(String::as_str));
    }
    for (slot, field, id) in &takeover.moves {
        common::take_over(&mut graph, slot, field, Some(id));
    }
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

/// Slots that the spec asks to take an object over for, with the field that asks.
fn adoptions(object: &HybridInterconnect) -> Vec<(String, String, Option<&String>)> {
    let s = &object.spec;
    let er = s.azure.express_route_gateway.as_ref();
    let vgw = s.aws.virtual_private_gateway.as_ref();
    let dxgw = s.aws.direct_connect_gateway.as_ref();
    let own = |slot: &str, field: &str, id| (slot.to_owned(), field.to_owned(), id);
    let mut all = vec![
        own(
            "er-gateway",
            "spec.azure.expressRouteGateway.adoptID",
            er.and_then(|g| g.adopt_id.as_ref()),
        ),
        own(
            "vgw",
            "spec.aws.virtualPrivateGateway.adoptID",
            vgw.and_then(|g| g.adopt_id.as_ref()),
        ),
        own(
            "dxgw",
            "spec.aws.directConnectGateway.adoptID",
            dxgw.and_then(|g| g.gateway.adopt_id.as_ref()),
        ),
    ];
    all.extend(s.megaport.iter().flat_map(|m| &m.routers).map(|r| {
        own(
            &format!("router-{}", r.name),
            &format!("spec.megaport.routers[{}].adoptID", r.name),
            r.adopt_id.as_ref(),
        )
    }));
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
