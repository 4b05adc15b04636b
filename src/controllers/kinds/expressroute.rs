//! `ExpressRouteLink`.

use super::common::{self, no, not_yet, small};
use super::interconnect::takeover;
use crate::clients::azure::ResourceId;
use crate::controllers::context::Context;
use crate::controllers::engine::ReconcileError;
use crate::controllers::env::AzureEnv;
use crate::controllers::status::Written;
use crate::controllers::{Managed, Prepared, Wakes};
use crate::health;
use causeway_api::Managed as _;
use causeway_api::azure::{ExportFilter, PortName, virtual_network_id};
use causeway_api::{ExpressRouteLink, HybridInterconnect};
use causeway_model::graph;
use causeway_model::observe::Observed;
use causeway_model::report::{self, Rejection};
use causeway_model::slot::Graph;
use causeway_model::spec::{
    ErConnection, ExpressRoute, ManagedCircuit, ManagedGateway, Peering, PeeringPort, Port, Source,
    second_host,
};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

impl Managed for ExpressRouteLink {
    const KIND: &'static str = "ExpressRouteLink";
    const REPORT: report::Kind = report::Kind::ExpressRouteLink;

    fn show(&mut self, w: &Written<'_>) {
        let status = self.status.get_or_insert_default();
        if let Some(h) = w.health {
            health::show_sessions(&mut status.bgp, h);
        }
        if let Some((circuit, provider)) = w.prepared.and_then(|p| states(p, w.observed)) {
            status.circuit_state = Some(circuit);
            status.provider_state = Some(provider);
        }
    }
    fn secrets(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .spec
            .azure
            .account
            .credentials_secret_ref
            .iter()
            .map(|s| s.name.clone())
            .collect();
        all.push(self.spec.megaport.credentials_secret_ref.name.clone());
        all.extend(
            self.spec
                .peering
                .auth_key_secret_ref
                .iter()
                .map(|s| s.name.clone()),
        );
        all.extend(
            self.spec
                .circuit_ref
                .iter()
                .filter_map(|c| c.authorization_key_secret_ref.as_ref())
                .map(|s| s.name.clone()),
        );
        all
    }
    fn wake(wakes: &Wakes) -> &UnboundedSender<ObjectRef<Self>> {
        &wakes.express_routes
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
}

/// The circuit's state at Microsoft and at the provider, as last read.
fn states(prepared: &Prepared, observed: Option<&Observed>) -> Option<(String, String)> {
    let azure = prepared.env.azure.as_ref()?;
    let id = ResourceId::new(observed?.seen.get("circuit")?.present()?.id.clone());
    let group = azure.snapshot.group(id.resource_group()?)?;
    let circuit = group
        .circuits
        .items
        .iter()
        .find(|c| c.resource_id().is_some_and(|x| x == id))?;
    let p = &circuit.properties;
    Some((
        p.circuit_provisioning_state.clone().unwrap_or_default(),
        p.service_provider_provisioning_state.as_str().to_owned(),
    ))
}

async fn prepare(
    object: &Arc<ExpressRouteLink>,
    ctx: &Arc<Context>,
    key: &str,
    now: Timestamp,
    deleting: bool,
) -> Result<Prepared, Rejection> {
    let spec = &object.spec;
    let mut env = common::env(&**object, ctx, key, now);
    takeover::hand_over_marks(ctx, &**object, &mut env.marks, deleting);
    let namespace = env.namespace.clone();
    let waker = || ctx.waker(&**object);
    let mut azure = common::azure(ctx, &namespace, &spec.azure.account, key, waker()).await?;
    let megaport = common::megaport(ctx, &namespace, &spec.megaport, key, waker()).await?;
    let name = object.name_any();
    let account = &spec.azure.account;

    let lookup = common::Lookup {
        ctx,
        namespace: &namespace,
        own: object.common(),
        deleting,
    };
    // The gateway: ours, or somebody's. Its virtual network decides the lock.
    let mut network = spec
        .azure
        .virtual_network_ref
        .as_ref()
        .and_then(|r| virtual_network_id(account, r))
        .map(ResourceId::new);
    let (gateway, gateway_id) = match (&spec.gateway, &spec.gateway_ref) {
        (Some(g), _) => {
            let kind = "virtualNetworkGateways";
            let field = "spec.gateway.adoptID";
            let adopted =
                common::adopted_arm(&azure, field, g.adopt_id.as_ref(), kind, g.name.as_ref())?;
            let id = common::own_id(object.common(), "er-gateway")
                .or(adopted)
                .unwrap_or_else(|| {
                    let given = g.name.clone();
                    azure.id(kind, &given.unwrap_or_else(|| format!("{name}-ergw")))
                });
            let gateway_name = id.name().to_owned();
            (
                Source::Managed(ManagedGateway {
                    name: gateway_name,
                    sku: g.sku.as_str().to_owned(),
                }),
                Some(id),
            )
        }
        (None, Some(r)) => {
            let (id, describe) = if let Some(hi) = &r.hybrid_interconnect {
                let parent = lookup.parent(&hi.name, "spec.gatewayRef")?;
                network = network.or_else(|| {
                    let azure = &parent.as_ref()?.spec.azure;
                    virtual_network_id(&azure.account, &azure.virtual_network_ref)
                        .map(ResourceId::new)
                });
                (
                    lookup.slot(parent.as_deref(), "er-gateway", "er-gateway"),
                    format!("ExpressRoute gateway of HybridInterconnect {}", hi.name),
                )
            } else if let Some(id) = &r.id {
                (Some(id.clone()), id.clone())
            } else if let Some(n) = &r.name {
                (
                    Some(azure.id("virtualNetworkGateways", n).as_str().to_owned()),
                    n.clone(),
                )
            } else {
                (
                    ctx.object_ref_id(
                        &namespace,
                        r.object_ref.as_ref(),
                        "spec.gatewayRef.objectRef",
                    )
                    .await?,
                    "gateway of the objectRef".to_owned(),
                )
            };
            (
                Source::Referenced {
                    id: id.clone(),
                    describe,
                },
                id.map(ResourceId::new),
            )
        }
        (None, None) => {
            return Err(no(
                "InvalidTopology",
                "spec.gateway or spec.gatewayRef is needed: one of them must say which ExpressRoute gateway the circuit is connected to",
            ));
        }
    };
    if let Some(group) = gateway_id.as_ref().and_then(|g| g.resource_group()) {
        azure.account.want_group(group);
    }
    azure.virtual_network.clone_from(&network);

    let (circuit, circuit_id) = match (&spec.circuit, &spec.circuit_ref) {
        (Some(c), _) => {
            let kind = "expressRouteCircuits";
            let field = "spec.circuit.adoptID";
            let adopted =
                common::adopted_arm(&azure, field, c.adopt_id.as_ref(), kind, c.name.as_ref())?;
            let id = common::own_id(object.common(), "circuit")
                .or(adopted)
                .unwrap_or_else(|| azure.id(kind, c.name.as_ref().unwrap_or(&name)));
            let circuit_name = id.name().to_owned();
            let managed = ManagedCircuit {
                name: circuit_name,
                service_provider: c.service_provider_name.clone(),
                peering_location: c.peering_location.clone(),
                bandwidth_mbps: small(c.bandwidth_mbps),
                tier: c.sku.tier.as_str().to_owned(),
                family: c.sku.family.as_str().to_owned(),
            };
            (Source::Managed(managed), id)
        }
        (None, Some(r)) => (
            Source::Referenced {
                id: Some(r.id.clone()),
                describe: r.id.clone(),
            },
            ResourceId::new(r.id.clone()),
        ),
        (None, None) => {
            return Err(no(
                "InvalidTopology",
                "spec.circuit or spec.circuitRef is needed",
            ));
        }
    };
    if let Some(group) = circuit_id.resource_group() {
        azure.account.want_group(group);
    }

    let default_rate = match &circuit {
        Source::Managed(c) => c.bandwidth_mbps,
        Source::Referenced { .. } => 0,
    };
    let mut ports = Vec::new();
    for p in &spec.ports {
        let field = format!("spec.ports[{}].routerRef", p.name.as_str());
        let port = match p.name {
            PortName::Primary => PeeringPort::Primary,
            PortName::Secondary => PeeringPort::Secondary,
        };
        let own = format!("router-{}", port.lower());
        let router = common::router(lookup, &megaport, &p.router_ref, &field, &own)?;
        let other_edges = match &p.router_ref.hybrid_interconnect {
            Some(r) => lookup
                .parent(&r.name, &field)?
                .map(|hi| other_edges(&hi, &name, &r.router))
                .unwrap_or_default(),
            None => Vec::new(),
        };
        let s = &p.settings;
        ports.push(Port {
            port,
            router_uid: router.uid,
            router_describe: router.describe,
            router_asn: router.asn,
            name: s
                .product_name
                .clone()
                .unwrap_or_else(|| format!("{name} {}", port.lower())),
            rate_limit_mbps: s.rate_limit_mbps.map_or(default_rate, small),
            term_months: small(s.term_months),
            bgp: common::bgp(s.bgp.bfd, s.bgp.shutdown, s.bgp.as_path_prepend, 0),
            export_filter: s.bgp.export_filter == ExportFilter::Auto,
            other_edges,
        });
    }
    let auth_key = spec
        .peering
        .auth_key_secret_ref
        .as_ref()
        .map(common::handle);
    let authorization_key = spec
        .circuit_ref
        .as_ref()
        .and_then(|c| c.authorization_key_secret_ref.as_ref())
        .map(common::handle);
    let network_id = network
        .as_ref()
        .map(|n| n.as_str().to_owned())
        .unwrap_or_default();
    let model = ExpressRoute {
        gateway_subnet_id: network
            .as_ref()
            .map(|n| n.gateway_subnet().as_str().to_owned())
            .unwrap_or_default(),
        vnet_id: network_id,
        circuit_id: circuit_id.as_str().to_owned(),
        circuit,
        peering: Peering {
            primary: common::prefix(&spec.peering.primary_prefix, "spec.peering.primaryPrefix")?,
            secondary: common::prefix(
                &spec.peering.secondary_prefix,
                "spec.peering.secondaryPrefix",
            )?,
            vlan: u16::try_from(spec.peering.vlan_id).unwrap_or_default(),
            auth_key: auth_key.clone(),
        },
        ports,
        gateway,
        gateway_id: gateway_id.map(|g| g.as_str().to_owned()),
        connection: ErConnection {
            name: spec
                .connection
                .name
                .clone()
                .unwrap_or_else(|| format!("{name}-connection")),
            routing_weight: small(spec.connection.routing_weight),
            authorization_key: authorization_key.clone(),
        },
    };
    let parent = spec.gateway_ref.as_ref();
    let parent = parent.and_then(|r| r.hybrid_interconnect.as_ref());
    let recorded = takeover::own_records(lookup, &**object, parent)?;
    let mut graph = graph::expressroute::graph(&model, &recorded);
    common::tag(&mut graph, Some(&azure), None);
    adoptions(object, &azure, &mut graph, &model.connection.name);
    takeover::take_back(&**object, &env.marks, &mut graph, "er-gateway");
    env.azure = Some(azure);
    env.megaport = Some(megaport);
    if !deleting {
        if let Some(finding) =
            crate::controllers::facts::express_route(object, ctx, &env, &model).await?
        {
            return Err(finding);
        }
        if env.azure.as_ref().is_some_and(|a| {
            a.snapshot
                .group(&account.resource_group)
                .is_none_or(|g| g.circuits.read_at.is_none())
        }) {
            return Err(not_yet(
                "Validating",
                format!("resource group {} was not read yet", account.resource_group),
            ));
        }
    }
    let secrets = auth_key.into_iter().chain(authorization_key).collect();
    let health = health::express_route_spec(object, ctx, &model);
    Ok(Prepared {
        env,
        graph,
        secrets,
        references: Vec::new(),
        other_path_proven: None,
        health,
    })
}

/// Marks the slots that take an existing object over. A connection that joins an adopted circuit or gateway under our name
/// is taken along: it costs nothing and has no field of its own.
fn adoptions(object: &ExpressRouteLink, azure: &AzureEnv, graph: &mut Graph, connection: &str) {
    let spec = &object.spec;
    let circuit = spec.circuit.as_ref().and_then(|c| c.adopt_id.as_deref());
    let gateway = spec.gateway.as_ref().and_then(|g| g.adopt_id.as_deref());
    common::take_over(graph, "circuit", "spec.circuit.adoptID", circuit);
    common::take_over(graph, "er-gateway", "spec.gateway.adoptID", gateway);
    for p in &spec.ports {
        let slot = match p.name {
            PortName::Primary => "vxc-primary",
            PortName::Secondary => "vxc-secondary",
        };
        let field = format!("spec.ports[{}].adoptID", p.name.as_str());
        common::take_over(graph, slot, &field, p.settings.adopt_id.as_deref());
    }
    let Some((field, _)) = [
        ("spec.circuit.adoptID", circuit),
        ("spec.gateway.adoptID", gateway),
    ]
    .into_iter()
    .find(|(_, id)| id.is_some()) else {
        return;
    };
    let id = azure.id("connections", connection);
    let exists = azure
        .snapshot
        .group(&azure.resource_group)
        .is_some_and(|g| {
            let mut all = g.connections.items.iter();
            all.any(|c| c.resource_id().is_some_and(|x| x == id))
        });
    if exists {
        common::take_over(graph, "er-connection", field, Some(id.as_str()));
    }
}

/// Microsoft's addresses on the ports that other circuits of the same interconnect have on this router, as its spec has
/// them: also those that are not made yet, so that no order has to be changed afterwards.
fn other_edges(hi: &HybridInterconnect, own: &str, router: &str) -> Vec<Ipv4Addr> {
    let parent = hi.name_any();
    let mut out: Vec<Ipv4Addr> = hi
        .spec
        .express_routes
        .iter()
        .filter(|e| e.link_name(&parent) != own)
        .flat_map(|e| e.ports.iter().map(move |p| (e, p)))
        .filter(|(_, p)| p.router == router)
        .filter_map(|(e, p)| {
            let net = match p.name {
                PortName::Primary => &e.peering.primary_prefix,
                PortName::Secondary => &e.peering.secondary_prefix,
            };
            net.parse().ok().map(second_host)
        })
        .collect();
    out.sort_unstable();
    out
}
