//! What judging needs to know of a spec: which links there are, where their ends are, and the route contract. Built while
//! references are resolved; IDs of cloud objects are looked up later, because they may not exist yet.

use crate::clients::azure::ResourceId;
use crate::controllers::Managed;
use crate::controllers::context::Context;
use crate::controllers::kinds::is_child;
use causeway_api::aws::VirtualInterface;
use causeway_api::azure::{
    AzureAccount, ObservedNetworkInterface, Peering, PortName, virtual_network_id,
};
use causeway_api::common::{AdditionalPrefixes, LinkRouteContract, RouterRef};
use causeway_api::interconnect::PreferredPath;
use causeway_api::status::{CommonStatus, SlotPhase};
use causeway_api::vpn::{TunnelName, VpnSettings};
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::health::SubjectKind;
use causeway_model::spec::{
    DirectConnect, ExpressRoute, Interconnect, PeeringPort, Source, Vpn, first_host, second_host,
};
use ipnet::{IpNet, Ipv4Net};
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What judging needs to know of a spec.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthSpec {
    pub(super) subject: Option<Subject>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    pub kind: SubjectKind,
    pub express_routes: Vec<ErSpec>,
    pub direct_connects: Vec<DxSpec>,
    pub vpns: Vec<VpnSpec>,
    pub network_interfaces: Vec<(String, ResourceId)>,
    pub contract: Option<Contract>,
    pub virtual_network: Option<ResourceId>,
    pub vpc_id: Option<String>,
    /// Route tables that must take the gateway's routes, beside those that do.
    pub route_tables: Vec<String>,
    /// Key of the interconnect that made this link: it knows both networks.
    pub parent: Option<String>,
    /// Of an interconnect: its links' slots, by link and slot.
    pub slots: BTreeMap<String, BTreeMap<String, String>>,
    /// Of an interconnect: a link does not exist, or is not that far.
    pub links_missing: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Contract {
    pub azure_sees: Option<Vec<IpNet>>,
    pub aws_sees: Option<Vec<IpNet>>,
    pub deny_additional: bool,
    pub prefer_express_route: bool,
}

/// A Megaport router as a link names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouterSpec {
    pub name: String,
    pub asn: u32,
    pub uid: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ErSpec {
    pub name: String,
    pub circuit: String,
    pub ports: Vec<(PeeringPort, RouterSpec)>,
    pub primary: Ipv4Net,
    pub secondary: Ipv4Net,
}

impl ErSpec {
    pub(super) fn link_net(&self, port: PeeringPort) -> Ipv4Net {
        match port {
            PeeringPort::Primary => self.primary,
            PeeringPort::Secondary => self.secondary,
        }
    }
    pub(super) fn customer(&self, port: PeeringPort) -> Ipv4Addr {
        first_host(self.link_net(port))
    }
    pub(super) fn microsoft(&self, port: PeeringPort) -> Ipv4Addr {
        second_host(self.link_net(port))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct DxSpec {
    pub name: String,
    pub router: RouterSpec,
    pub amazon: Ipv4Net,
    pub customer: Ipv4Net,
    pub gateway_asn: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct VpnSpec {
    pub name: String,
    pub gateway: String,
    pub tunnels: Vec<TunnelSpec>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct TunnelSpec {
    pub name: TunnelName,
    pub inside: Ipv4Net,
    pub bgp_expected: bool,
}

impl HealthSpec {
    /// How many sessions the spec asks for.
    pub(super) fn sessions(&self) -> usize {
        let Some(s) = &self.subject else { return 0 };
        let tunnels = s
            .vpns
            .iter()
            .flat_map(|v| &v.tunnels)
            .filter(|t| t.bgp_expected)
            .count();
        s.express_routes
            .iter()
            .map(|e| e.ports.len())
            .sum::<usize>()
            + s.direct_connects.len()
            + tunnels
    }
}

fn port(name: PortName) -> PeeringPort {
    match name {
        PortName::Primary => PeeringPort::Primary,
        PortName::Secondary => PeeringPort::Secondary,
    }
}

fn prefixes(list: Option<&Vec<String>>) -> Option<Vec<IpNet>> {
    // The schema let only prefixes in.
    Some(list?.iter().filter_map(|p| p.parse().ok()).collect())
}

fn contract(c: &LinkRouteContract, prefer_express_route: bool) -> Contract {
    Contract {
        azure_sees: prefixes(c.azure_sees.as_ref()),
        aws_sees: prefixes(c.aws_sees.as_ref()),
        deny_additional: c.additional_prefixes == AdditionalPrefixes::Deny,
        prefer_express_route,
    }
}

fn nics(account: &AzureAccount, list: &[ObservedNetworkInterface]) -> Vec<(String, ResourceId)> {
    list.iter()
        .map(|n| {
            let group = n
                .resource_group
                .as_deref()
                .unwrap_or(&account.resource_group);
            (
                n.name.clone(),
                ResourceId::network_interface(&account.subscription_id, group, &n.name),
            )
        })
        .collect()
}

fn router_name(r: &RouterRef) -> String {
    let named = r.hybrid_interconnect.as_ref().map(|h| h.router.clone());
    named.or_else(|| r.product_uid.clone()).unwrap_or_default()
}

/// The interconnect that controls a link.
fn parent<K: ResourceExt>(link: &K) -> Option<String> {
    let owner = link
        .owner_references()
        .iter()
        .find(|o| o.controller == Some(true) && o.kind == "HybridInterconnect")?;
    Some(format!(
        "HybridInterconnect {}/{}",
        link.namespace().unwrap_or_default(),
        owner.name
    ))
}

fn subject(kind: SubjectKind) -> Subject {
    Subject {
        kind,
        express_routes: Vec::new(),
        direct_connects: Vec::new(),
        vpns: Vec::new(),
        network_interfaces: Vec::new(),
        contract: None,
        virtual_network: None,
        vpc_id: None,
        route_tables: Vec::new(),
        parent: None,
        slots: BTreeMap::new(),
        links_missing: false,
    }
}

pub fn express_route_spec(
    object: &ExpressRouteLink,
    _ctx: &Context,
    model: &ExpressRoute,
) -> HealthSpec {
    let spec = &object.spec;
    let mut s = subject(SubjectKind::ExpressRouteLink);
    s.parent = parent(object);
    s.contract = spec.routes.as_ref().map(|c| contract(c, false));
    // Beside an interconnect, that one looks at the network interfaces.
    if s.parent.is_none() {
        s.network_interfaces = nics(&spec.azure.account, &spec.azure.observed_network_interfaces);
    }
    s.virtual_network = (!model.vnet_id.is_empty()).then(|| ResourceId::new(model.vnet_id.clone()));
    let ports = model
        .ports
        .iter()
        .map(|p| {
            let named = spec
                .ports
                .iter()
                .find(|x| port(x.name) == p.port)
                .map(|x| router_name(&x.router_ref));
            (
                p.port,
                RouterSpec {
                    name: named.unwrap_or_else(|| p.router_describe.clone()),
                    asn: p.router_asn,
                    uid: p.router_uid.clone(),
                },
            )
        })
        .collect();
    s.express_routes.push(ErSpec {
        name: object.name_any(),
        circuit: ResourceId::new(model.circuit_id.clone()).name().to_owned(),
        ports,
        primary: model.peering.primary,
        secondary: model.peering.secondary,
    });
    HealthSpec { subject: Some(s) }
}

pub fn direct_connect_spec(
    object: &DirectConnectLink,
    _ctx: &Context,
    model: &DirectConnect,
) -> HealthSpec {
    let mut s = subject(SubjectKind::DirectConnectLink);
    s.parent = parent(object);
    s.contract = object.spec.routes.as_ref().map(|c| contract(c, false));
    let managed = if let Source::Managed(g) = &model.gateway {
        Some(g.amazon_asn)
    } else {
        None
    };
    s.direct_connects.push(DxSpec {
        name: object.name_any(),
        router: RouterSpec {
            name: router_name(&object.spec.router_ref),
            asn: model.router_asn,
            uid: model.router_uid.clone(),
        },
        amazon: model.amazon_address,
        customer: model.customer_address,
        gateway_asn: model.gateway_asn.or(managed),
    });
    HealthSpec { subject: Some(s) }
}

pub fn vpn_spec(object: &VpnPair, _ctx: &Context, model: &Vpn) -> HealthSpec {
    let spec = &object.spec;
    let mut s = subject(SubjectKind::VpnPair);
    s.parent = parent(object);
    s.contract = spec.routes.as_ref().map(|c| contract(c, false));
    if s.parent.is_none() {
        s.network_interfaces = nics(&spec.azure.account, &spec.azure.observed_network_interfaces);
    }
    s.virtual_network = Some(ResourceId::new(model.vnet_id.clone()));
    let tunnels = TunnelName::ALL
        .into_iter()
        .filter_map(|name| {
            let t = model
                .tunnels
                .iter()
                .find(|t| t.instance == name.instance() && t.tunnel == name.tunnel())?;
            Some(TunnelSpec {
                name,
                inside: t.inside,
                bgp_expected: t.tunnel <= model.bgp_tunnels_per_instance,
            })
        })
        .collect();
    s.vpns.push(VpnSpec {
        name: object.name_any(),
        gateway: ResourceId::new(model.gateway_id.clone()).name().to_owned(),
        tunnels,
    });
    HealthSpec { subject: Some(s) }
}

/// IDs of a link's slots, and whether all of them were made.
fn link_slots(common: Option<&CommonStatus>) -> (BTreeMap<String, String>, bool) {
    let slots = common.map(|c| c.slots.as_slice()).unwrap_or_default();
    let making = |p: SlotPhase| {
        matches!(
            p,
            SlotPhase::Pending | SlotPhase::Intended | SlotPhase::Creating
        )
    };
    let made = !slots.is_empty() && !slots.iter().any(|s| making(s.phase));
    let ids = slots
        .iter()
        .filter(|s| !matches!(s.phase, SlotPhase::Gone | SlotPhase::Retained))
        .filter_map(|s| Some((s.name.clone(), s.id.clone()?)))
        .collect();
    (ids, made)
}

/// Links that the spec no longer names but that stand as they were made: what they carry counts until they are taken down.
fn standing<K: Managed>(
    store: &Store<K>,
    parent: &HybridInterconnect,
    named: &BTreeSet<String>,
) -> Vec<Arc<K>> {
    let falls = |l: &K| {
        let slots = l.common().map(|c| c.slots.as_slice()).unwrap_or_default();
        let down = |p: SlotPhase| {
            matches!(
                p,
                SlotPhase::Deleting | SlotPhase::Gone | SlotPhase::Retained
            )
        };
        slots.is_empty() || slots.iter().any(|s| down(s.phase))
    };
    let mut all: Vec<Arc<K>> = store
        .state()
        .into_iter()
        .filter(|l| is_child(&**l, parent) && !named.contains(&l.name_any()) && !falls(l))
        .collect();
    all.sort_by_key(|l| l.name_any());
    all
}

struct ErEntry {
    name: String,
    peering: Peering,
    ports: Vec<(PeeringPort, String)>,
}

fn express_routes(object: &HybridInterconnect, ctx: &Context) -> Vec<ErEntry> {
    let own = object.name_any();
    let mut all: Vec<ErEntry> = object
        .spec
        .express_routes
        .iter()
        .map(|e| ErEntry {
            name: e.link_name(&own),
            peering: e.peering.clone(),
            ports: e
                .ports
                .iter()
                .map(|p| (port(p.name), p.router.clone()))
                .collect(),
        })
        .collect();
    let named = all.iter().map(|e| e.name.clone()).collect();
    for l in standing(&ctx.stores.express_routes, object, &named) {
        all.push(ErEntry {
            name: l.name_any(),
            peering: l.spec.peering.clone(),
            ports: l
                .spec
                .ports
                .iter()
                .map(|p| (port(p.name), router_name(&p.router_ref)))
                .collect(),
        });
    }
    all
}

fn direct_connects(
    object: &HybridInterconnect,
    ctx: &Context,
) -> Vec<(String, String, VirtualInterface)> {
    let own = object.name_any();
    let mut all: Vec<_> = object
        .spec
        .direct_connects
        .iter()
        .map(|e| {
            let vif = e.settings.virtual_interface.clone();
            (e.link_name(&own), e.router.clone(), vif)
        })
        .collect();
    let named = all.iter().map(|e| e.0.clone()).collect();
    for l in standing(&ctx.stores.direct_connects, object, &named) {
        let vif = l.spec.settings.virtual_interface.clone();
        all.push((l.name_any(), router_name(&l.spec.router_ref), vif));
    }
    all
}

fn vpns(object: &HybridInterconnect, ctx: &Context) -> Vec<(String, VpnSettings)> {
    let own = object.name_any();
    let mut all: Vec<_> = object
        .spec
        .vpn
        .iter()
        .map(|e| (e.link_name(&own), e.settings.clone()))
        .collect();
    let named = all.iter().map(|e| e.0.clone()).collect();
    for l in standing(&ctx.stores.vpns, object, &named) {
        all.push((l.name_any(), l.spec.settings.clone()));
    }
    all
}

pub fn interconnect_spec(
    object: &HybridInterconnect,
    ctx: &Context,
    model: &Interconnect,
) -> HealthSpec {
    let spec = &object.spec;
    let namespace = object.namespace().unwrap_or_default();
    let mut s = subject(SubjectKind::HybridInterconnect);
    s.contract = Some(contract(
        &spec.routes.prefixes,
        spec.routes.preferred_path == PreferredPath::ExpressRoute,
    ));
    s.network_interfaces = nics(&spec.azure.account, &spec.azure.observed_network_interfaces);
    s.virtual_network = virtual_network_id(&spec.azure.account, &spec.azure.virtual_network_ref)
        .map(ResourceId::new)
        .or_else(|| (!model.vnet_id.is_empty()).then(|| ResourceId::new(model.vnet_id.clone())));
    s.vpc_id = (!model.vpc_id.is_empty()).then(|| model.vpc_id.clone());
    if let Some(Source::Managed(g)) = &model.vgw {
        s.route_tables.clone_from(&g.route_tables);
    }
    let recorded: BTreeMap<String, String> =
        link_slots(object.status.as_ref().map(|x| &x.common)).0;
    let router = |name: &str| {
        let entry = spec
            .megaport
            .iter()
            .flat_map(|m| &m.routers)
            .find(|r| r.name == name);
        let referenced = entry
            .and_then(|r| r.reference.as_ref())
            .map(|p| p.product_uid.clone());
        RouterSpec {
            name: name.to_owned(),
            asn: entry.map_or(0, |r| u32::try_from(r.asn_or_default()).unwrap_or_default()),
            uid: referenced.or_else(|| recorded.get(&format!("router-{name}")).cloned()),
        }
    };
    let dxgw_asn = if let Some(Source::Managed(g)) = &model.dxgw {
        Some(g.amazon_asn)
    } else {
        None
    };
    for ErEntry {
        name,
        peering,
        ports,
    } in express_routes(object, ctx)
    {
        let link = ctx
            .stores
            .express_routes
            .get(&ObjectRef::new(&name).within(&namespace));
        let (slots, made) = link_slots(
            link.as_ref()
                .and_then(|l| l.status.as_ref())
                .map(|x| &x.common),
        );
        let nets = peering
            .primary_prefix
            .parse()
            .ok()
            .zip(peering.secondary_prefix.parse().ok());
        let (Some((primary, secondary)), true) = (nets, made) else {
            s.links_missing = true;
            continue;
        };
        let circuit = slots
            .get("circuit")
            .map(|id| ResourceId::new(id.clone()).name().to_owned());
        let ports = ports
            .into_iter()
            .map(|(p, name)| (p, router(&name)))
            .collect();
        s.express_routes.push(ErSpec {
            name: name.clone(),
            circuit: circuit.unwrap_or_else(|| name.clone()),
            ports,
            primary,
            secondary,
        });
        s.slots.insert(name, slots);
    }
    for (name, router_name, vif) in direct_connects(object, ctx) {
        let link = ctx
            .stores
            .direct_connects
            .get(&ObjectRef::new(&name).within(&namespace));
        let (slots, made) = link_slots(
            link.as_ref()
                .and_then(|l| l.status.as_ref())
                .map(|x| &x.common),
        );
        let ends = vif
            .amazon_address
            .parse()
            .ok()
            .zip(vif.customer_address.parse().ok());
        let (Some((amazon, customer)), true) = (ends, made) else {
            s.links_missing = true;
            continue;
        };
        s.direct_connects.push(DxSpec {
            name: name.clone(),
            router: router(&router_name),
            amazon,
            customer,
            gateway_asn: dxgw_asn,
        });
        s.slots.insert(name, slots);
    }
    for (name, settings) in vpns(object, ctx) {
        let link = ctx
            .stores
            .vpns
            .get(&ObjectRef::new(&name).within(&namespace));
        let common = link
            .as_ref()
            .and_then(|l| l.status.as_ref())
            .map(|x| &x.common);
        let (slots, made) = link_slots(common);
        let inside = |t: TunnelName| {
            let given = settings
                .tunnels
                .iter()
                .find(|x| x.name == t)
                .and_then(|x| x.inside_cidr.clone());
            let field = format!("spec.tunnels[{}].insideCIDR", t.as_str());
            let kept = common
                .and_then(|c| c.references.iter().find(|r| r.field == field))
                .map(|r| r.id.clone());
            given.or(kept).and_then(|text| text.parse::<Ipv4Net>().ok())
        };
        let per_instance = settings.bgp_tunnels_per_instance;
        let tunnels: Vec<TunnelSpec> = TunnelName::ALL
            .into_iter()
            .filter_map(|t| {
                Some(TunnelSpec {
                    name: t,
                    inside: inside(t)?,
                    bgp_expected: i64::from(t.tunnel()) <= per_instance,
                })
            })
            .collect();
        if made && tunnels.len() == TunnelName::ALL.len() {
            let gateway = slots
                .get("vpn-gateway")
                .map(|id| ResourceId::new(id.clone()).name().to_owned());
            s.vpns.push(VpnSpec {
                name: name.clone(),
                gateway: gateway.unwrap_or_else(|| name.clone()),
                tunnels,
            });
            s.slots.insert(name, slots);
        } else {
            s.links_missing = true;
        }
    }
    HealthSpec { subject: Some(s) }
}
