//! What is judged: the spec's expectations with the readings of every vantage beside them. Plain data.

use crate::guard::{self, SubnetRoutes, Trap};
use crate::routes::aws::TunnelRow;
use crate::routes::{Session, Sessions, Table};
use crate::spec::PeeringPort;
use ipnet::{IpNet, Ipv4Net};
use serde::Serialize;
use std::net::Ipv4Addr;

/// What a vantage said, if it said anything that still holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Reading<T> {
    Read(T),
    /// Read before something changed that it depends on; a newer reading is on its way. Shown, but not judged.
    Outdated(T),
    /// It failed, could not be understood, is too old, or was not read yet; says why.
    Unknown(String),
    /// The account or the region does not offer this table: nobody waits for it.
    NotOffered(String),
}

impl<T> Reading<T> {
    /// What may be judged by.
    pub fn known(&self) -> Option<&T> {
        if let Self::Read(t) = self {
            Some(t)
        } else {
            None
        }
    }

    /// What may be shown.
    pub fn shown(&self) -> Option<&T> {
        match self {
            Self::Read(t) | Self::Outdated(t) => Some(t),
            Self::Unknown(_) | Self::NotOffered(_) => None,
        }
    }

    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Read(t) => Reading::Read(f(t)),
            Self::Outdated(t) => Reading::Outdated(f(t)),
            Self::Unknown(w) => Reading::Unknown(w),
            Self::NotOffered(w) => Reading::NotOffered(w),
        }
    }
}

/// Which kind of object is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SubjectKind {
    HybridInterconnect,
    ExpressRouteLink,
    DirectConnectLink,
    VpnPair,
}

/// One object and everything that can be seen around it. An interconnect has all its links here; a link has itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Picture {
    pub kind: SubjectKind,
    /// There is a route contract to hold the tables against.
    pub contract: bool,
    /// Prefixes of AWS that Azure must see, exactly.
    pub azure_sees: Vec<IpNet>,
    /// Prefixes of Azure that AWS must see, exactly.
    pub aws_sees: Vec<IpNet>,
    /// Nothing but these (and the links' own networks) may be seen.
    pub deny_additional: bool,
    pub prefer_express_route: bool,
    /// The virtual network's own prefixes: in Azure's tables they are no news.
    pub own_azure: Vec<IpNet>,
    pub own_aws: Vec<IpNet>,
    /// Next hops inside it are VPN gateway instances; next hops outside are Microsoft's edge (azure.md §5.3).
    pub gateway_subnet: Option<IpNet>,
    /// Where the gateways that form a mesh live: GatewaySubnet, and RouteServerSubnet where there is one.
    pub mesh_subnets: Vec<IpNet>,
    /// The route table on GatewaySubnet. `Read(None)`: there is none.
    pub gateway_routes: Reading<Option<SubnetRoutes>>,
    pub express_routes: Vec<ExpressRouteView>,
    pub direct_connects: Vec<DirectConnectView>,
    pub vpns: Vec<VpnView>,
    pub routers: Vec<RouterView>,
    pub er_gateway: Option<ErGatewayView>,
    pub nics: Vec<NicView>,
    /// The route tables that take the virtual private gateway's routes.
    pub route_tables: Vec<RouteTableView>,
    /// Networks of other links at the same routers: a router announces them like its own.
    pub other_link_nets: Vec<Ipv4Net>,
}

/// Link-local addresses lead nowhere; a router announces those between itself and its neighbours (lab.md).
const LINK_LOCAL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16);

impl Picture {
    /// An object of this kind with nothing around it and no contract.
    pub fn empty(kind: SubjectKind) -> Self {
        Self {
            kind,
            contract: false,
            azure_sees: Vec::new(),
            aws_sees: Vec::new(),
            deny_additional: false,
            prefer_express_route: false,
            own_azure: Vec::new(),
            own_aws: Vec::new(),
            gateway_subnet: None,
            mesh_subnets: Vec::new(),
            gateway_routes: Reading::NotOffered("no virtual network".to_owned()),
            express_routes: Vec::new(),
            direct_connects: Vec::new(),
            vpns: Vec::new(),
            routers: Vec::new(),
            er_gateway: None,
            nics: Vec::new(),
            route_tables: Vec::new(),
            other_link_nets: Vec::new(),
        }
    }

    /// Networks of the links themselves: no contract speaks of them.
    pub(crate) fn is_link_net(&self, prefix: IpNet) -> bool {
        let within = |n: Ipv4Net| IpNet::V4(n).contains(&prefix);
        within(LINK_LOCAL)
            || self.other_link_nets.iter().copied().any(within)
            || self
                .express_routes
                .iter()
                .flat_map(|e| &e.link_nets)
                .copied()
                .any(within)
            || self.direct_connects.iter().any(|d| within(d.link_net))
            || self
                .vpns
                .iter()
                .flat_map(|v| &v.tunnels)
                .any(|t| within(t.inside))
    }

    /// The route on GatewaySubnet that catches the gateways' own sessions, if there is one.
    pub fn trap(&self) -> Option<Trap> {
        let table = self.gateway_routes.known()?.as_ref()?;
        guard::trap(table, &self.own_azure, &self.mesh_subnets)
    }

    pub(crate) fn router(&self, key: &str) -> Option<&RouterView> {
        self.routers.iter().find(|r| r.key == key)
    }
}

/// An `ExpressRouteLink`: a circuit and the router ports that lead to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpressRouteView {
    /// Name of the link, for paths and messages.
    pub name: String,
    /// The circuit's name.
    pub circuit: String,
    pub ports: Vec<ErPort>,
    /// Both /30s of the peering, also that of a port which is not connected.
    pub link_nets: Vec<Ipv4Net>,
}

/// A connected port of a circuit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErPort {
    pub port: PeeringPort,
    /// Key of the router in [`Picture::routers`].
    pub router: String,
    pub router_asn: u32,
    /// The router's address.
    pub customer: Ipv4Addr,
    /// Microsoft's address.
    pub microsoft: Ipv4Addr,
    /// What Megaport says of the session: a hint (megaport.md §4.4). `Read(None)`: the VXC shows no such session.
    pub router_says: Reading<Option<Session>>,
    /// The circuit's own neighbours on this port.
    pub edge_says: Reading<Sessions>,
    pub routes: Reading<Table>,
}

/// A `DirectConnectLink`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectConnectView {
    pub name: String,
    pub router: String,
    pub router_asn: u32,
    pub amazon: Ipv4Addr,
    pub customer: Ipv4Addr,
    pub link_net: Ipv4Net,
    /// ASN of the Direct Connect gateway, where it is known.
    pub gateway_asn: Option<u32>,
    pub router_says: Reading<Option<Session>>,
    /// The virtual interface's BGP peer. `Read(None)`: it shows none.
    pub amazon_says: Reading<Option<Session>>,
    /// A failover test runs on the virtual interface: somebody wants it down (aws.md §1.7).
    pub testing: bool,
    /// What AWS takes from the router: offered by newer accounts only (aws.md §1.8).
    pub accepted: Reading<Table>,
    pub advertised: Reading<Table>,
    /// The Direct Connect gateway is associated with the virtual private gateway.
    pub associated: Reading<bool>,
}

/// A `VpnPair`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VpnView {
    pub name: String,
    pub gateway: String,
    pub tunnels: Vec<VpnTunnelView>,
    /// Rows of both instances; a twin that is `Connecting` is normal (azure.md §3.6).
    pub peers: Reading<Sessions>,
    /// As [`ErGatewayView::silent`].
    pub silent: bool,
    pub learned: Reading<Table>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VpnTunnelView {
    /// `instance0-tunnel1`.
    pub name: String,
    pub inside: Ipv4Net,
    /// Its BGP session must be up; else IPsec alone must be (lab.md: tunnel 2 of each connection).
    pub bgp_expected: bool,
    pub telemetry: Reading<TunnelRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouterView {
    /// What links call it: its product UID, or its name while it has none.
    pub key: String,
    /// For people.
    pub name: String,
    pub asn: u32,
    /// Its BGP routes.
    pub routes: Reading<Table>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErGatewayView {
    pub name: String,
    pub peers: Reading<Sessions>,
    /// Asked for its peers, it answers `InternalServerError` again and again: its instances may not reach each other
    /// (azure.md §3.6).
    pub silent: bool,
    pub learned: Reading<Table>,
}

/// A network interface whose effective routes are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NicView {
    pub name: String,
    pub routes: Reading<Table>,
}

/// A route table of the VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteTableView {
    pub id: String,
    pub routes: Reading<Table>,
}
