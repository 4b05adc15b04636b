//! Fills a picture for the model: cheap signals from the inventories of this reconcile, tables from the vantages. Reads
//! nothing itself and judges nothing.

use super::report::Seed;
use super::spec::{DxSpec, ErSpec, HealthSpec, RouterSpec, Subject, VpnSpec};
use crate::clients::azure::ResourceId;
use crate::controllers::env::Env;
use crate::inventory::{Part, Waker};
use crate::vantages::{Ask, Content, Glimpse, Source, Vantages, What};
use causeway_api::report::VantageKind;
use causeway_api::status::Provider;
use causeway_aws::{AssociationState, State as AwsState, VifState};
use causeway_model::health::{
    DirectConnectView, ErGatewayView, ErPort, ExpressRouteView, NicView, Picture, Reading,
    RouteTableView, RouterView, SubjectKind, VpnTunnelView, VpnView,
};
use causeway_model::intent::CloudError;
use causeway_model::observe::{Observed, Seen};
use causeway_model::routes::{Learned, NextHop, Route, Session, Table, aws};
use causeway_model::spec::PeeringPort;
use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The networks at both ends, as an interconnect knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Networks {
    pub azure: Vec<IpNet>,
    pub gateway_subnet: Option<IpNet>,
    pub aws: Vec<IpNet>,
}

/// One gathering.
pub(super) struct Gather<'a> {
    pub spec: &'a Subject,
    pub env: &'a Env,
    pub observed: &'a Observed,
    pub vantages: &'a Arc<Vantages>,
    pub who: &'a str,
    pub waker: Waker,
    pub busy: bool,
    /// When a cheap signal last changed.
    pub since: Option<Timestamp>,
    pub networks: Networks,
}

/// What gathering yields.
pub(super) struct Gathered {
    pub picture: Picture,
    pub seeds: Vec<Seed>,
    /// Every table was read once, or is known not to be readable.
    pub complete: bool,
}

fn nets(list: &[Ipv4Net]) -> Vec<IpNet> {
    list.iter().map(|n| IpNet::V4(n.trunc())).collect()
}

/// What is known of both networks from this object's own accounts.
pub(super) fn networks(spec: &HealthSpec, env: &Env, observed: &Observed) -> Networks {
    let mut out = Networks::default();
    let Some(s) = &spec.subject else { return out };
    if let Some((azure, id)) = env.azure.as_ref().zip(s.virtual_network.as_ref()) {
        let group = id.resource_group().unwrap_or(&azure.resource_group);
        let found = azure.snapshot.group(group).and_then(|g| {
            g.virtual_networks
                .items
                .iter()
                .find(|v| v.resource_id().is_some_and(|x| x == *id))
                .cloned()
        });
        if let Some(v) = found {
            let parsed = |t: &str| t.parse::<IpNet>().ok().map(|n| n.trunc());
            out.azure = v
                .properties
                .address_space
                .address_prefixes
                .iter()
                .filter_map(|p| parsed(p))
                .collect();
            let subnet = v
                .properties
                .subnets
                .iter()
                .find(|s| s.name().eq_ignore_ascii_case("GatewaySubnet"));
            out.gateway_subnet =
                subnet.and_then(|s| s.properties.prefixes().first().and_then(|p| parsed(p)));
        }
    }
    if let Some(aws) = &env.aws {
        let of_vgw = || {
            let vgw = id_of(observed, "vgw")?;
            let gateway = aws
                .snapshot
                .vpn_gateways
                .items
                .iter()
                .find(|g| g.id == vgw)?;
            gateway
                .attachments
                .iter()
                .find(|a| a.state == causeway_aws::AttachmentState::Attached)
                .map(|a| a.vpc_id.clone())
        };
        let vpc = s.vpc_id.clone().or_else(of_vgw);
        if let Some(v) = vpc.and_then(|id| aws.snapshot.vpcs.items.iter().find(|v| v.id == id)) {
            out.aws = nets(&v.cidrs);
        }
    }
    out
}

/// The ID of an own slot's object: as seen, else as recorded (right after a start nothing was seen yet).
fn id_of(observed: &Observed, slot: &str) -> Option<String> {
    match observed.seen.get(slot) {
        Some(Seen::Present(p)) => Some(p.id.clone()),
        Some(Seen::Absent | Seen::Gone { .. }) => None,
        Some(Seen::Unreadable(_)) | None => observed.records.get(slot).and_then(|r| r.id.clone()),
    }
}

/// The provider's words for a table that could not be read, with what they may mean.
fn words(error: &CloudError, what: &What) -> String {
    let text = format!("{} ({})", error.message, error.code);
    let gateway = matches!(what, What::GatewayPeers(_) | What::GatewayRoutes(_));
    if gateway && (error.code == "InternalServerError" || error.code == "500") {
        // azure.md §3.6: the symptom of a route table on GatewaySubnet that takes the gateways' sessions away.
        return format!(
            "{text}: the instances of the gateways may not reach each other; if a route table is on GatewaySubnet, add a route for the prefix of GatewaySubnet with next hop type Virtual network to it"
        );
    }
    text
}

impl Gather<'_> {
    fn own(&self, slot: &str) -> Option<String> {
        id_of(self.observed, slot)
    }

    fn id(&self, link: &str, slot: &str) -> Option<String> {
        if self.spec.kind == SubjectKind::HybridInterconnect {
            self.spec.slots.get(link)?.get(slot).cloned()
        } else {
            self.own(slot)
        }
    }

    fn cheap<T, U>(&self, part: &Part<T>, f: impl FnOnce(&[T]) -> Reading<U>) -> Reading<U> {
        match part.current(self.env.now, self.env.stale_after) {
            Ok(items) => f(items),
            Err(why) => Reading::Unknown(why),
        }
    }

    fn azure(&self) -> Option<Source> {
        self.env
            .azure
            .as_ref()
            .map(|a| Source::Azure(a.account.client.clone()))
    }

    /// A table as a reading: outdated when it was read before a cheap signal changed, unknown when too old.
    fn table<T>(
        &self,
        source: Option<Source>,
        what: What,
        complete: &mut bool,
        pick: impl FnOnce(&Content) -> Option<T>,
    ) -> (Reading<T>, Option<String>) {
        let Some(source) = source else {
            return (Reading::NotOffered("no account".to_owned()), None);
        };
        let ask = Ask {
            who: self.who,
            waker: self.waker.clone(),
            busy: self.busy,
            since: self.since,
        };
        let glimpse = self.vantages.get(&source, what.clone(), &ask);
        *complete &= glimpse.is_known();
        (self.reading(&glimpse, &what, pick), raw(&glimpse))
    }

    fn reading<T>(
        &self,
        g: &Glimpse,
        what: &What,
        pick: impl FnOnce(&Content) -> Option<T>,
    ) -> Reading<T> {
        let stale = self.vantages.stale_after();
        let age =
            |t: Timestamp| Duration::try_from(self.env.now.duration_since(t)).unwrap_or_default();
        let failed = g
            .error
            .as_ref()
            .map(|(e, at)| (words(e, what), *at, e.is_auth() || e.is_terminal()));
        if let (What::VifRoutes(_), Some((why, _, true))) = (what, &failed) {
            return Reading::NotOffered(why.clone());
        }
        let (Some(content), Some(began)) = (&g.content, g.began) else {
            return Reading::Unknown(
                failed.map_or_else(|| "not read yet".to_owned(), |(why, _, _)| why),
            );
        };
        let outdated = self.since.is_some_and(|s| began < s);
        match failed {
            // The newer reading that was hoped for failed.
            Some((why, at, _)) if outdated && self.since.is_some_and(|s| at >= s) => {
                return Reading::Unknown(why);
            }
            Some((why, _, _)) if age(began) > stale => return Reading::Unknown(why),
            _ => {}
        }
        // Without an error nobody asked lately: the read that is under way decides.
        let waiting = outdated || age(began) > stale;
        match pick(content) {
            None => Reading::Unknown("the answer is of another kind than asked for".to_owned()),
            Some(t) if waiting => Reading::Outdated(t),
            Some(t) => Reading::Read(t),
        }
    }

    /// The cheap signals that are known now, by what they are about: when one changes, tables must be read again.
    pub(super) fn signals(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let mut put = |what: String, value: Option<String>| {
            if let Some(value) = value {
                out.insert(what, value);
            }
        };
        for er in &self.spec.express_routes {
            for (port, _) in &er.ports {
                put(
                    format!("{} {port:?}", er.name),
                    self.router_says(er, *port)
                        .known()
                        .map(|s| format!("{s:?}")),
                );
            }
            let id = self.id(&er.name, "er-connection");
            put(
                format!("{} connection", er.name),
                id.and_then(|id| self.connection_status(&id)),
            );
        }
        for dx in &self.spec.direct_connects {
            put(
                format!("{} router", dx.name),
                self.router_says_dx(dx).known().map(|s| format!("{s:?}")),
            );
            let (said, testing) = self.amazon_says(dx);
            put(
                format!("{} VIF", dx.name),
                said.known().map(|s| format!("{s:?} {testing}")),
            );
        }
        for vpn in &self.spec.vpns {
            for t in &vpn.tunnels {
                let row = self.telemetry(vpn, t.name.instance(), t.inside);
                put(
                    format!("{} {}", vpn.name, t.name.as_str()),
                    row.known()
                        .map(|r| format!("{:?} {:?}", r.health(), r.accepted_routes)),
                );
                let id = self.id(
                    &vpn.name,
                    &format!("ipsec-{}-{}", t.name.instance(), t.name.tunnel()),
                );
                put(
                    format!("{} {} connection", vpn.name, t.name.as_str()),
                    id.and_then(|id| self.connection_status(&id)),
                );
            }
        }
        for view in self.route_tables() {
            put(
                view.id.clone(),
                view.routes.known().map(|t| format!("{t:?}")),
            );
        }
        out
    }

    fn connection_status(&self, id: &str) -> Option<String> {
        let azure = self.env.azure.as_ref()?;
        let id = ResourceId::new(id);
        let group = azure.snapshot.group(id.resource_group()?)?;
        let items = group
            .connections
            .current(self.env.now, self.env.stale_after)
            .ok()?;
        let found = items
            .iter()
            .find(|c| c.resource_id().is_some_and(|x| x == id))?;
        Some(format!("{:?}", found.properties.connection_status))
    }

    fn vxc_sessions(&self, uid: Option<String>) -> Reading<Vec<Session>> {
        let Some(megaport) = &self.env.megaport else {
            return Reading::NotOffered("no Megaport account".to_owned());
        };
        let Some(uid) = uid else {
            return Reading::Unknown("the VXC has no ID yet".to_owned());
        };
        self.cheap(&megaport.snapshot.products, |_| {
            let found = megaport.snapshot.vxcs().iter().find(|v| v.uid == uid);
            Reading::Read(
                found
                    .map(crate::clients::megaport::Vxc::sessions)
                    .unwrap_or_default(),
            )
        })
    }

    fn router_says(&self, er: &ErSpec, port: PeeringPort) -> Reading<Option<Session>> {
        let peer = IpAddr::from(er.microsoft(port));
        let uid = self.id(&er.name, &format!("vxc-{}", port.lower()));
        self.vxc_sessions(uid)
            .map(|all| all.into_iter().find(|s| s.peer == peer))
    }

    fn router_says_dx(&self, dx: &DxSpec) -> Reading<Option<Session>> {
        let peer = IpAddr::from(dx.amazon.addr());
        self.vxc_sessions(self.id(&dx.name, "vxc-aws"))
            .map(|all| all.into_iter().find(|s| s.peer == peer))
    }

    fn amazon_says(&self, dx: &DxSpec) -> (Reading<Option<Session>>, bool) {
        let Some(aws) = &self.env.aws else {
            return (Reading::NotOffered("no AWS account".to_owned()), false);
        };
        let Some(id) = self.id(&dx.name, "vif") else {
            return (
                Reading::Unknown("the virtual interface has no ID yet".to_owned()),
                false,
            );
        };
        let customer = IpAddr::from(dx.customer.addr());
        let mut testing = false;
        let said = self.cheap(&aws.snapshot.vifs, |items| {
            let vif = items.iter().find(|v| v.id == id);
            testing = vif.is_some_and(|v| v.state == VifState::Testing);
            Reading::Read(vif.and_then(|v| {
                aws::vif_sessions(&v.peers)
                    .into_iter()
                    .find(|s| s.peer == customer)
            }))
        });
        (said, testing)
    }

    fn associated(&self) -> Reading<bool> {
        let (Some(aws), Some(dxgw)) = (&self.env.aws, self.own("dxgw")) else {
            return Reading::Unknown("the Direct Connect gateway has no ID yet".to_owned());
        };
        let vgw = self.own("vgw");
        self.cheap(&aws.snapshot.associations, |items| {
            let holds = |s: &AssociationState| {
                matches!(s, AssociationState::Associated | AssociationState::Updating)
            };
            Reading::Read(items.iter().any(|a| {
                a.dx_gateway_id == dxgw
                    && vgw.as_ref().is_none_or(|v| a.gateway_id == *v)
                    && holds(&a.state)
            }))
        })
    }

    fn telemetry(&self, vpn: &VpnSpec, instance: u8, inside: Ipv4Net) -> Reading<aws::TunnelRow> {
        let Some(aws) = &self.env.aws else {
            return Reading::NotOffered("no AWS account".to_owned());
        };
        let Some(id) = self.id(&vpn.name, &format!("vpn-connection-{instance}")) else {
            return Reading::Unknown("the VPN connection has no ID yet".to_owned());
        };
        self.cheap(&aws.snapshot.vpn_connections, |items| {
            let found = items
                .iter()
                .filter(|c| c.state != AwsState::Deleted)
                .find(|c| c.id == id)
                .and_then(|c| c.tunnel(inside));
            found.map_or_else(
                || Reading::Unknown("AWS shows no such tunnel".to_owned()),
                |t| Reading::Read(t.health.clone()),
            )
        })
    }

    fn route_tables(&self) -> Vec<RouteTableView> {
        let (Some(aws), Some(vgw)) = (&self.env.aws, self.own("vgw")) else {
            return Vec::new();
        };
        let listed = &self.spec.route_tables;
        match aws
            .snapshot
            .route_tables
            .current(self.env.now, self.env.stale_after)
        {
            Ok(items) => items
                .iter()
                .filter(|t| t.propagating_vgws.contains(&vgw) || listed.contains(&t.id))
                .map(|t| RouteTableView {
                    id: t.id.clone(),
                    routes: Reading::Read(aws::route_table(&t.routes)),
                })
                .collect(),
            Err(why) => listed
                .iter()
                .map(|id| RouteTableView {
                    id: id.clone(),
                    routes: Reading::Unknown(why.clone()),
                })
                .collect(),
        }
    }

    /// Everything.
    pub(super) fn all(&self) -> Gathered {
        let mut complete = self.env.looked_at();
        let mut seeds = Vec::new();
        let mut p = Picture::empty(self.spec.kind);
        self.frame(&mut p);
        for er in &self.spec.express_routes {
            let view = self.express_route(er, &mut seeds, &mut complete);
            p.express_routes.push(view);
        }
        if !self.spec.express_routes.is_empty() || self.spec.kind == SubjectKind::HybridInterconnect
        {
            p.er_gateway = self.er_gateway(&mut seeds, &mut complete);
        }
        for vpn in &self.spec.vpns {
            let view = self.vpn(vpn, &mut seeds, &mut complete);
            p.vpns.push(view);
        }
        self.routers(&mut p, &mut seeds, &mut complete);
        for dx in &self.spec.direct_connects {
            let view = self.direct_connect(dx, &mut seeds, &mut complete);
            p.direct_connects.push(view);
        }
        for (name, id) in &self.spec.network_interfaces {
            let (routes, raw) = self.table(
                self.azure(),
                What::EffectiveRoutes(id.clone()),
                &mut complete,
                a_table,
            );
            let seed = Seed::new(
                format!("nic-{name}"),
                Provider::Azure,
                VantageKind::NetworkInterface,
                Some(id.as_str()),
                raw,
            );
            seeds.push(seed.routes(&routes));
            p.nics.push(NicView {
                name: name.clone(),
                routes,
            });
        }
        p.route_tables = self.route_tables();
        for t in &p.route_tables {
            seeds.push(
                Seed::new(
                    t.id.clone(),
                    Provider::AWS,
                    VantageKind::RouteTable,
                    Some(&t.id),
                    None,
                )
                .routes(&t.routes),
            );
        }
        Gathered {
            picture: p,
            seeds,
            complete,
        }
    }

    /// Contract and networks.
    fn frame(&self, p: &mut Picture) {
        let n = &self.networks;
        p.own_azure.clone_from(&n.azure);
        p.own_aws.clone_from(&n.aws);
        p.gateway_subnet = n.gateway_subnet;
        if let Some(c) = &self.spec.contract {
            p.azure_sees = c.azure_sees.clone().unwrap_or_else(|| n.aws.clone());
            p.aws_sees = c.aws_sees.clone().unwrap_or_else(|| n.azure.clone());
            p.deny_additional = c.deny_additional;
            p.prefer_express_route = c.prefer_express_route;
            p.contract = true;
        }
        // Every network between the routers and their neighbours is one that a router announces.
        if let Some(m) = &self.env.megaport {
            let of = |uid: &str| {
                m.snapshot
                    .vxcs()
                    .iter()
                    .filter(|v| v.a_end.product_uid == uid)
                    .flat_map(|v| v.router.iter().flat_map(|r| &r.interfaces))
                    .flat_map(|i| &i.ip_addresses)
                    .filter_map(|t| t.parse::<Ipv4Net>().ok())
                    .map(|n| n.trunc())
                    .collect::<Vec<_>>()
            };
            p.other_link_nets = self
                .router_specs()
                .iter()
                .filter_map(|r| r.uid.as_deref())
                .flat_map(of)
                .collect();
        }
    }

    fn router_specs(&self) -> Vec<&RouterSpec> {
        let mut out: Vec<&RouterSpec> = Vec::new();
        let of_er = self
            .spec
            .express_routes
            .iter()
            .flat_map(|e| e.ports.iter().map(|(_, r)| r));
        for r in of_er.chain(self.spec.direct_connects.iter().map(|d| &d.router)) {
            if !out.iter().any(|o| o.name == r.name && o.uid == r.uid) {
                out.push(r);
            }
        }
        out
    }

    fn routers(&self, p: &mut Picture, seeds: &mut Vec<Seed>, complete: &mut bool) {
        for r in self.router_specs() {
            let source = self
                .env
                .megaport
                .as_ref()
                .map(|m| Source::Megaport(m.account.client.clone()));
            let (routes, raw) = match &r.uid {
                Some(uid) => self.table(source, What::RouterRoutes(uid.clone()), complete, a_table),
                None => (
                    Reading::Unknown("the router has no ID yet".to_owned()),
                    None,
                ),
            };
            let sessions: Vec<Reading<Option<Session>>> = self
                .spec
                .express_routes
                .iter()
                .flat_map(|e| {
                    e.ports
                        .iter()
                        .filter(|(_, x)| x == r)
                        .map(|(port, _)| self.router_says(e, *port))
                })
                .chain(
                    self.spec
                        .direct_connects
                        .iter()
                        .filter(|d| d.router == *r)
                        .map(|d| self.router_says_dx(d)),
                )
                .collect();
            let all: Vec<Session> = sessions
                .iter()
                .filter_map(|s| s.shown().cloned().flatten())
                .collect();
            let seed = Seed::new(
                format!("router-{}", r.name),
                Provider::Megaport,
                VantageKind::MegaportRouter,
                r.uid.as_deref(),
                raw,
            );
            seeds.push(seed.routes(&routes).sessions(&Reading::Read(all)));
            p.routers.push(RouterView {
                key: key(r),
                name: r.name.clone(),
                asn: r.asn,
                routes,
            });
        }
    }

    fn express_route(
        &self,
        er: &ErSpec,
        seeds: &mut Vec<Seed>,
        complete: &mut bool,
    ) -> ExpressRouteView {
        let circuit = self.id(&er.name, "circuit").map(ResourceId::new);
        let mut ports = Vec::new();
        for port in [PeeringPort::Primary, PeeringPort::Secondary] {
            let missing = || {
                (
                    Reading::Unknown("the circuit has no ID yet".to_owned()),
                    None,
                )
            };
            let router = er.ports.iter().find(|(x, _)| *x == port).map(|(_, r)| r);
            let (routes, mut raw_rows) = circuit.clone().map_or_else(missing, |c| {
                self.table(
                    self.azure(),
                    What::CircuitRoutes(c, port),
                    complete,
                    a_table,
                )
            });
            let name = if self.spec.kind == SubjectKind::HybridInterconnect {
                format!("{}-circuit-{}", er.name, port.lower())
            } else {
                format!("circuit-{}", port.lower())
            };
            let object = circuit.as_ref().map(ResourceId::as_str);
            let mut edge = Reading::NotOffered("the port is not connected".to_owned());
            if let Some(router) = router {
                let (said, more) = circuit.clone().map_or_else(
                    || {
                        (
                            Reading::Unknown("the circuit has no ID yet".to_owned()),
                            None,
                        )
                    },
                    |c| {
                        self.table(
                            self.azure(),
                            What::CircuitSummary(c, port),
                            complete,
                            sessions_of,
                        )
                    },
                );
                edge = said;
                raw_rows = raw_rows
                    .into_iter()
                    .chain(more)
                    .reduce(|a, b| format!("{a}\n{b}"));
                ports.push(ErPort {
                    port,
                    router: key(router),
                    router_asn: router.asn,
                    customer: er.customer(port),
                    microsoft: er.microsoft(port),
                    router_says: self.router_says(er, port),
                    edge_says: edge.clone(),
                    routes: routes.clone(),
                });
            }
            seeds.push(
                Seed::new(
                    name,
                    Provider::Azure,
                    VantageKind::CircuitPort,
                    object,
                    raw_rows,
                )
                .routes(&routes)
                .sessions(&edge),
            );
        }
        ExpressRouteView {
            name: er.name.clone(),
            circuit: er.circuit.clone(),
            ports,
            link_nets: vec![er.primary, er.secondary],
        }
    }

    fn er_gateway(&self, seeds: &mut Vec<Seed>, complete: &mut bool) -> Option<ErGatewayView> {
        let id = ResourceId::new(self.own("er-gateway")?);
        let (peers, bad) = self.table(
            self.azure(),
            What::GatewayPeers(id.clone()),
            complete,
            sessions_of,
        );
        let (learned, more) = self.table(
            self.azure(),
            What::GatewayRoutes(id.clone()),
            complete,
            a_table,
        );
        let raw = bad
            .into_iter()
            .chain(more)
            .reduce(|a, b| format!("{a}\n{b}"));
        let seed = Seed::new(
            "er-gateway".to_owned(),
            Provider::Azure,
            VantageKind::ExpressRouteGateway,
            Some(id.as_str()),
            raw,
        );
        seeds.push(seed.routes(&learned).sessions(&peers));
        Some(ErGatewayView {
            name: id.name().to_owned(),
            peers,
            learned,
        })
    }

    fn vpn(&self, vpn: &VpnSpec, seeds: &mut Vec<Seed>, complete: &mut bool) -> VpnView {
        let id = self.id(&vpn.name, "vpn-gateway").map(ResourceId::new);
        let no_id = "the VPN gateway has no ID yet";
        let (peers, bad) = id.clone().map_or_else(
            || (Reading::Unknown(no_id.to_owned()), None),
            |g| self.table(self.azure(), What::GatewayPeers(g), complete, sessions_of),
        );
        let (learned, more) = id.clone().map_or_else(
            || (Reading::Unknown(no_id.to_owned()), None),
            |g| self.table(self.azure(), What::GatewayRoutes(g), complete, a_table),
        );
        let raw = bad
            .into_iter()
            .chain(more)
            .reduce(|a, b| format!("{a}\n{b}"));
        let seed = Seed::new(
            "vpn-gateway".to_owned(),
            Provider::Azure,
            VantageKind::VpnGateway,
            id.as_ref().map(ResourceId::as_str),
            raw,
        );
        seeds.push(seed.routes(&learned).sessions(&peers));
        let tunnels = vpn
            .tunnels
            .iter()
            .map(|t| {
                let telemetry = self.telemetry(vpn, t.name.instance(), t.inside);
                let connection =
                    self.id(&vpn.name, &format!("vpn-connection-{}", t.name.instance()));
                seeds.push(Seed::tunnel(
                    t.name.as_str(),
                    connection.as_deref(),
                    &telemetry,
                ));
                VpnTunnelView {
                    name: t.name.as_str().to_owned(),
                    inside: t.inside,
                    bgp_expected: t.bgp_expected,
                    telemetry,
                }
            })
            .collect();
        VpnView {
            name: vpn.name.clone(),
            gateway: vpn.gateway.clone(),
            tunnels,
            peers,
            learned,
        }
    }

    fn direct_connect(
        &self,
        dx: &DxSpec,
        seeds: &mut Vec<Seed>,
        complete: &mut bool,
    ) -> DirectConnectView {
        let vif = self.id(&dx.name, "vif");
        let source = self
            .env
            .aws
            .as_ref()
            .map(|a| Source::Aws(a.account.client.clone()));
        let (both, raw) = match &vif {
            Some(id) => self.table(source, What::VifRoutes(id.clone()), complete, |c| {
                if let Content::Vif {
                    accepted,
                    advertised,
                } = c
                {
                    Some((accepted.clone(), advertised.clone()))
                } else {
                    None
                }
            }),
            None => (
                Reading::Unknown("the virtual interface has no ID yet".to_owned()),
                None,
            ),
        };
        let accepted = both.clone().map(|(a, _)| a);
        let advertised = both.map(|(_, a)| a);
        let (amazon_says, testing) = self.amazon_says(dx);
        let name = if self.spec.kind == SubjectKind::HybridInterconnect {
            format!("{}-vif", dx.name)
        } else {
            "vif".to_owned()
        };
        let seed = Seed::new(
            name,
            Provider::AWS,
            VantageKind::VirtualInterface,
            vif.as_deref(),
            raw,
        );
        seeds.push(
            seed.directed(&accepted, &advertised)
                .sessions(&amazon_says.clone().map(|s| s.into_iter().collect())),
        );
        let associated = self.associated();
        if let Some(id) = self.own("dxgw") {
            let name = "dx-gateway".to_owned();
            if !seeds.iter().any(|s| s.name == name) {
                seeds.push(self.dx_gateway(name, &id));
            }
        }
        DirectConnectView {
            name: dx.name.clone(),
            router: key(&dx.router),
            router_asn: dx.router.asn,
            amazon: dx.amazon.addr(),
            customer: dx.customer.addr(),
            link_net: dx.amazon.trunc(),
            gateway_asn: dx.gateway_asn,
            router_says: self.router_says_dx(dx),
            amazon_says,
            testing,
            accepted,
            advertised,
            associated,
        }
    }

    /// The allowed prefixes of the gateway's associations, as routes: what AWS advertises over its interfaces.
    fn dx_gateway(&self, name: String, id: &str) -> Seed {
        let table = match &self.env.aws {
            Some(aws) => self.cheap(&aws.snapshot.associations, |items| {
                let mut t = Table::default();
                let live = items.iter().filter(|a| {
                    a.dx_gateway_id == id && !matches!(a.state, AssociationState::Disassociated)
                });
                for a in live {
                    t.routes.extend(a.allowed_prefixes.iter().map(|p| {
                        Route::new(
                            IpNet::V4(*p),
                            NextHop::Object(a.gateway_id.clone()),
                            Learned::Static,
                        )
                    }));
                }
                Reading::Read(t)
            }),
            None => Reading::NotOffered("no AWS account".to_owned()),
        };
        Seed::new(
            name,
            Provider::AWS,
            VantageKind::DirectConnectGateway,
            Some(id),
            None,
        )
        .routes(&table)
    }

    /// The peers that must be up, for the report.
    pub(super) fn expected_peers(&self) -> BTreeSet<IpAddr> {
        let mut out = BTreeSet::new();
        for er in &self.spec.express_routes {
            for (port, _) in &er.ports {
                out.extend([
                    IpAddr::from(er.microsoft(*port)),
                    IpAddr::from(er.customer(*port)),
                ]);
            }
        }
        for dx in &self.spec.direct_connects {
            out.extend([
                IpAddr::from(dx.amazon.addr()),
                IpAddr::from(dx.customer.addr()),
            ]);
        }
        for t in self
            .spec
            .vpns
            .iter()
            .flat_map(|v| &v.tunnels)
            .filter(|t| t.bgp_expected)
        {
            out.extend([
                IpAddr::from(causeway_model::spec::first_host(t.inside)),
                IpAddr::from(causeway_model::spec::second_host(t.inside)),
            ]);
        }
        out
    }
}

fn key(r: &RouterSpec) -> String {
    r.uid.clone().unwrap_or_else(|| r.name.clone())
}

fn a_table(c: &Content) -> Option<Table> {
    if let Content::Table(t) = c {
        Some(t.clone())
    } else {
        None
    }
}

fn sessions_of(c: &Content) -> Option<Vec<Session>> {
    if let Content::Sessions(s, _) = c {
        Some(s.clone())
    } else {
        None
    }
}

/// Rows that could not be understood, as text.
fn raw(g: &Glimpse) -> Option<String> {
    let rows: Vec<String> = match g.content.as_deref()? {
        Content::Table(t) => t.not_understood.clone(),
        Content::Sessions(_, bad) => bad.clone(),
        Content::Vif {
            accepted,
            advertised,
        } => accepted
            .not_understood
            .iter()
            .chain(&advertised.not_understood)
            .cloned()
            .collect(),
    };
    (!rows.is_empty()).then(|| rows.join("\n"))
}
