//! Validate, second half: gathers the facts that the topology rules need (virtual network, VPC, catalogues) and lets
//! `causeway-model` judge them. Only for a generation that was not accepted yet: what is built is not unbuilt because a
//! catalogue changed.

use super::Managed;
use super::context::Context;
use super::env::{AwsEnv, AzureEnv, Env, MegaportEnv};
use crate::clients::azure::{ResourceId, RouteTable};
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::guard::SubnetRoutes;
use causeway_model::intent::CloudError;
use causeway_model::report::Rejection;
use causeway_model::rules::{
    self, Circuit, Facts, GatewaySubnet, Location, Provider, Router, Severity, Topology,
    VirtualNetwork,
};
use causeway_model::spec::{DirectConnect, ExpressRoute, Interconnect, Source, Vpn};
use ipnet::Ipv4Net;
use kube::runtime::events::EventType;
use std::sync::Arc;

type Judged = Result<Option<Rejection>, Rejection>;

fn not_yet(message: String) -> Rejection {
    Rejection {
        reason: "Validating",
        message,
        undecided: true,
    }
}

/// Whether this generation was accepted before.
pub(super) fn accepted_before<K: Managed>(object: &K) -> bool {
    let generation = object.meta().generation;
    object.common().is_some_and(|c| {
        c.conditions.iter().any(|x| {
            x.type_ == "Accepted" && x.status == "True" && x.observed_generation == generation
        })
    })
}

fn judge<K: Managed>(
    object: &K,
    ctx: &Arc<Context>,
    topology: &Topology,
    facts: &Facts,
) -> Option<Rejection> {
    let mut rejection = None;
    for f in rules::check(topology, facts) {
        match f.severity {
            Severity::Warning => super::engine::event(
                ctx,
                object,
                EventType::Warning,
                f.reason,
                // Events with the same reason and action are counted, not shown: each rule is one of its own.
                &format!("ValidateRule{}", f.rule),
                &f.message,
            ),
            Severity::Error if rejection.is_none() => {
                rejection = Some(Rejection {
                    reason: f.reason,
                    message: f.message,
                    undecided: false,
                });
            }
            Severity::Error => {}
        }
    }
    rejection
}

fn prefixes<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Ipv4Net> {
    texts.into_iter().filter_map(|t| t.parse().ok()).collect()
}

fn network(azure: &AzureEnv, id: &ResourceId) -> Result<Option<VirtualNetwork>, Rejection> {
    let group = id.resource_group().unwrap_or(&azure.resource_group);
    let part = azure
        .snapshot
        .group(group)
        .map(|g| &g.virtual_networks)
        .filter(|p| p.read_at.is_some());
    let Some(part) = part else {
        let why = azure
            .snapshot
            .group(group)
            .and_then(|g| g.virtual_networks.error.as_ref())
            .map_or_else(|| "not read yet".to_owned(), ToString::to_string);
        return Err(not_yet(format!(
            "virtual networks of resource group {group}: {why}"
        )));
    };
    let found = part
        .items
        .iter()
        .find(|n| n.resource_id().is_some_and(|x| x == *id));
    let Some(n) = found else { return Ok(None) };
    let routes = match n.gateway_table() {
        Some(table) => gateway_routes(azure, group, &table)?,
        None => None,
    };
    let subnet = n
        .properties
        .subnets
        .iter()
        .find(|s| s.name() == "GatewaySubnet");
    Ok(Some(VirtualNetwork {
        name: n.name().to_owned(),
        prefixes: prefixes(
            n.properties
                .address_space
                .address_prefixes
                .iter()
                .map(String::as_str),
        ),
        gateway_subnet: subnet.map(|s| GatewaySubnet {
            prefixes: prefixes(s.properties.prefixes()),
            network_security_group: s
                .properties
                .network_security_group
                .as_ref()
                .map(|g| g.id.clone()),
            routes,
        }),
        route_server_subnet: n
            .subnet("RouteServerSubnet")
            .map(|s| prefixes(s.properties.prefixes()))
            .unwrap_or_default(),
    }))
}

/// The route table on GatewaySubnet, for the rules. `None`: its list was read, and it is not there (any more).
fn gateway_routes(
    azure: &AzureEnv,
    group: &str,
    table: &ResourceId,
) -> Result<Option<SubnetRoutes>, Rejection> {
    let part = azure.snapshot.group(group).map(|g| &g.gateway_tables);
    match part {
        Some(p) if p.read_at.is_some() => Ok(p
            .items
            .iter()
            .find(|t| t.resource_id().is_some_and(|x| x == *table))
            .map(RouteTable::for_guard)),
        _ => {
            let why = part
                .and_then(|p| p.error.as_ref())
                .map_or_else(|| "not read yet".to_owned(), ToString::to_string);
            Err(not_yet(format!(
                "route table {} on GatewaySubnet: {why}",
                table.name()
            )))
        }
    }
}

fn vpc(aws: &AwsEnv, id: &str) -> Result<Option<Vec<Ipv4Net>>, Rejection> {
    if aws.snapshot.vpcs.read_at.is_none() {
        let why = aws
            .snapshot
            .vpcs
            .error
            .as_ref()
            .map_or_else(|| "not read yet".to_owned(), ToString::to_string);
        return Err(not_yet(format!("VPCs of region {}: {why}", aws.region)));
    }
    Ok(aws
        .snapshot
        .vpcs
        .items
        .iter()
        .find(|v| v.id == id)
        .map(|v| v.cidrs.clone()))
}

/// `credentials`: the field and the Secret to correct.
fn unread(what: &str, credentials: &str) -> impl Fn(CloudError) -> Rejection {
    move |e| {
        if e.is_auth() {
            Rejection {
                reason: "CredentialsInvalid",
                message: format!("{credentials}: {e}"),
                undecided: false,
            }
        } else {
            not_yet(format!("{what}: {e}"))
        }
    }
}

async fn providers(azure: &AzureEnv) -> Result<Vec<Provider>, Rejection> {
    let read = azure.account.catalogue().await.map_err(unread(
        "Azure's catalogue of connectivity providers",
        &azure.credentials,
    ))?;
    Ok(read
        .iter()
        .map(|p| Provider {
            name: p.name.clone(),
            peering_locations: p.properties.peering_locations.clone(),
            bandwidths_mbps: p
                .properties
                .bandwidths_offered
                .iter()
                .filter_map(|b| b.value_in_mbps)
                .collect(),
        })
        .collect())
}

async fn locations(megaport: &MegaportEnv) -> Result<Vec<Location>, Rejection> {
    let read = megaport
        .account
        .locations()
        .await
        .map_err(unread("Megaport's locations", &megaport.credentials))?;
    Ok(read
        .iter()
        .map(|l| Location {
            id: l.id,
            name: l.name.clone(),
            orderable: l.is_orderable(),
            zones: l
                .diversity_zones
                .iter()
                .map(|(zone, z)| (zone.clone(), z.mcr_speed_mbps.clone()))
                .collect(),
        })
        .collect())
}

/// Megaport's products must be readable before anything is ordered: or an order of ours could be overlooked.
fn products_read(megaport: &MegaportEnv) -> Result<(), Rejection> {
    let part = &megaport.snapshot.products;
    match (&part.read_at, &part.error) {
        (Some(_), _) => Ok(()),
        (None, Some(e)) => Err(unread("Megaport's products", &megaport.credentials)(
            e.clone(),
        )),
        (None, None) => Err(not_yet("Megaport's products were not read yet".to_owned())),
    }
}

fn circuit(field: &str, model: &ExpressRoute) -> Option<Circuit> {
    let Source::Managed(c) = &model.circuit else {
        return None;
    };
    Some(Circuit {
        field: field.to_owned(),
        provider: c.service_provider.clone(),
        peering_location: c.peering_location.clone(),
        bandwidth_mbps: c.bandwidth_mbps,
        router_asns: model
            .ports
            .iter()
            .filter(|p| p.router_asn != 0)
            .map(|p| (p.router_describe.clone(), p.router_asn))
            .collect(),
    })
}

/// The ASN of an interconnect's router: as it will be ordered, or as Megaport shows it.
fn asn_of(model: &Interconnect, env: &Env, router: &str) -> Option<u32> {
    let entry = model.routers.iter().find(|r| r.name == router)?;
    match &entry.source {
        Source::Managed(m) => Some(m.asn),
        Source::Referenced { id, .. } => env.megaport.as_ref()?.snapshot.mcr(id.as_deref()?)?.asn,
    }
}

/// A circuit's catalogue entries, its network and its prefixes.
///
/// # Errors
/// When a fact can not be read yet.
pub async fn express_route(
    object: &ExpressRouteLink,
    ctx: &Arc<Context>,
    env: &Env,
    model: &ExpressRoute,
) -> Judged {
    if accepted_before(object) {
        return Ok(None);
    }
    let mut topology = Topology {
        circuits: circuit("spec.circuit", model).into_iter().collect(),
        makes_gateways: matches!(model.gateway, Source::Managed(_)),
        link_prefixes: vec![
            (
                "spec.peering.primaryPrefix".to_owned(),
                model.peering.primary,
            ),
            (
                "spec.peering.secondaryPrefix".to_owned(),
                model.peering.secondary,
            ),
        ],
        ..Topology::default()
    };
    let mut facts = Facts::default();
    if let Some(azure) = &env.azure {
        facts.providers = providers(azure).await?;
        if let Some(id) = &azure.virtual_network {
            topology.virtual_network = Some((
                "spec.azure.virtualNetworkRef".to_owned(),
                id.name().to_owned(),
            ));
            facts.virtual_network = network(azure, id)?;
        }
    }
    if let Some(m) = &env.megaport {
        products_read(m)?;
    }
    Ok(judge(object, ctx, &topology, &facts))
}

/// Prefixes of a Direct Connect link.
///
/// # Errors
/// When a fact can not be read yet.
pub async fn direct_connect(
    object: &DirectConnectLink,
    ctx: &Arc<Context>,
    env: &Env,
    model: &DirectConnect,
) -> Judged {
    if accepted_before(object) {
        return Ok(None);
    }
    if let Some(m) = &env.megaport {
        products_read(m)?;
    }
    if let Some(a) = &env.aws {
        vpc(a, "")?;
    }
    let topology = Topology {
        link_prefixes: vec![
            (
                "spec.virtualInterface.amazonAddress".to_owned(),
                model.amazon_address,
            ),
            (
                "spec.virtualInterface.customerAddress".to_owned(),
                model.customer_address,
            ),
        ],
        ..Topology::default()
    };
    Ok(judge(object, ctx, &topology, &Facts::default()))
}

/// Network and GatewaySubnet of a VPN pair.
///
/// # Errors
/// When a fact can not be read yet.
pub async fn vpn(object: &VpnPair, ctx: &Arc<Context>, env: &Env, model: &Vpn) -> Judged {
    if accepted_before(object) {
        return Ok(None);
    }
    let mut topology = Topology {
        makes_gateways: matches!(model.gateway, Source::Managed(_)),
        link_prefixes: model
            .tunnels
            .iter()
            .map(|t| {
                (
                    format!(
                        "spec.tunnels[instance{}-tunnel{}].insideCIDR",
                        t.instance, t.tunnel
                    ),
                    t.inside,
                )
            })
            .collect(),
        ..Topology::default()
    };
    let mut facts = Facts::default();
    if let Some(azure) = &env.azure
        && let Some(id) = &azure.virtual_network
    {
        topology.virtual_network =
            Some(("spec.virtualNetworkRef".to_owned(), id.name().to_owned()));
        facts.virtual_network = network(azure, id)?;
    }
    if let Some(a) = &env.aws {
        vpc(a, "")?;
    }
    Ok(judge(object, ctx, &topology, &facts))
}

/// The whole topology of an interconnect, links included, before its first mutating call.
///
/// # Errors
/// When a fact can not be read yet.
pub async fn interconnect(
    object: &HybridInterconnect,
    ctx: &Arc<Context>,
    env: &Env,
    model: &Interconnect,
) -> Judged {
    if accepted_before(object) {
        return Ok(None);
    }
    let spec = &object.spec;
    let mut topology = Topology {
        vpc: Some(("spec.aws.vpcRef".to_owned(), model.vpc_id.clone())),
        makes_gateways: spec.azure.express_route_gateway.is_some() || spec.vpn.is_some(),
        vpn_tunnels: spec.vpn.as_ref().map_or(0, |v| {
            u32::try_from(v.settings.bgp_tunnels_per_instance * 2).unwrap_or(0)
        }),
        ..Topology::default()
    };
    let mut facts = Facts::default();
    for e in &spec.express_routes {
        let field = format!("spec.expressRoutes[{}]", e.name);
        topology.circuits.push(Circuit {
            field: format!("{field}.circuit"),
            provider: e.circuit.service_provider_name.clone(),
            peering_location: e.circuit.peering_location.clone(),
            bandwidth_mbps: u32::try_from(e.circuit.bandwidth_mbps).unwrap_or_default(),
            router_asns: e
                .ports
                .iter()
                .filter_map(|p| {
                    Some((
                        format!("router {}", p.router),
                        asn_of(model, env, &p.router)?,
                    ))
                })
                .collect(),
        });
        for (name, text) in [
            ("primaryPrefix", &e.peering.primary_prefix),
            ("secondaryPrefix", &e.peering.secondary_prefix),
        ] {
            topology.link_prefixes.extend(
                text.parse()
                    .ok()
                    .map(|p| (format!("{field}.peering.{name}"), p)),
            );
        }
    }
    for e in &spec.direct_connects {
        let field = format!("spec.directConnects[{}].virtualInterface", e.name);
        let vif = &e.settings.virtual_interface;
        for (name, text) in [
            ("amazonAddress", &vif.amazon_address),
            ("customerAddress", &vif.customer_address),
        ] {
            topology
                .link_prefixes
                .extend(text.parse().ok().map(|p| (format!("{field}.{name}"), p)));
        }
    }
    for r in &model.routers {
        if let Source::Managed(m) = &r.source {
            topology.routers.push(Router {
                field: format!("spec.megaport.routers[{}]", r.name),
                location_id: m.location_id,
                speed_mbps: m.port_speed_mbps,
                zone: m.diversity_zone.clone(),
            });
        }
    }
    if let Some(azure) = &env.azure {
        if !topology.circuits.is_empty() {
            facts.providers = providers(azure).await?;
        }
        if let Some(id) = &azure.virtual_network {
            topology.virtual_network = Some((
                "spec.azure.virtualNetworkRef".to_owned(),
                id.name().to_owned(),
            ));
            facts.virtual_network = network(azure, id)?;
        }
    }
    if let Some(aws) = &env.aws {
        facts.vpc = vpc(aws, &model.vpc_id)?;
        if let Some(Source::Managed(v)) = &model.vgw {
            topology.route_tables.clone_from(&v.route_tables);
        }
        facts.route_tables = aws
            .snapshot
            .route_tables
            .items
            .iter()
            .filter(|t| t.vpc_id == model.vpc_id)
            .map(|t| t.id.clone())
            .collect();
    }
    if let Some(m) = &env.megaport {
        products_read(m)?;
        if !topology.routers.is_empty() {
            facts.locations = locations(m).await?;
        }
    }
    Ok(judge(object, ctx, &topology, &facts))
}
