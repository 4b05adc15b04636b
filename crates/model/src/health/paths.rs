//! Path inference: which path carries each prefix in each direction now, and which would carry it.
//!
//! Azure to AWS is read where packets are forwarded: a next hop inside GatewaySubnet is a VPN gateway instance, one
//! outside is Microsoft's edge (azure.md §5.3). AWS to Azure is said by no API (aws.md §3): a prefix that AWS accepts on a
//! virtual interface whose BGP is up goes over Direct Connect, any other that the gateway has goes over VPN (aws.md §5).

mod can;
mod could;
mod now;
mod verdicts;

pub(crate) use verdicts::Found;
pub(super) use verdicts::{active, available, ports_redundant, redundant};

use super::Doubt;
use super::picture::Picture;
use super::sessions::SessionVerdict;
use crate::graph::expressroute::MSEE_ASN;
use crate::routes::{Learned, Route, Table};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The path that carries the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Active {
    ExpressRoute,
    Vpn,
    /// The directions, or the prefixes, take different paths.
    Split,
    /// A direction of a prefix is carried by nothing.
    None,
}

/// What carries a packet between the clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Carrier {
    ExpressRoute,
    Vpn,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathState {
    Up,
    Down,
    #[default]
    Unknown,
}

/// One path and whether it could carry each direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathView {
    /// The links it is made of.
    pub name: String,
    pub carrier: Carrier,
    pub azure_to_aws: PathState,
    pub aws_to_azure: PathState,
    pub message: Option<String>,
    /// Links and routers that it depends on: two paths without a common one are independent.
    #[serde(skip)]
    pub uses: BTreeSet<String>,
}

impl PathView {
    /// It could carry both directions now.
    pub fn holds(&self) -> bool {
        self.azure_to_aws == PathState::Up && self.aws_to_azure == PathState::Up
    }
    /// It is not known to be down.
    pub fn may_hold(&self) -> bool {
        !self.is_down()
    }
    fn is_down(&self) -> bool {
        self.azure_to_aws == PathState::Down || self.aws_to_azure == PathState::Down
    }
}

/// How a prefix is carried in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// By these; by nothing when empty.
    By(BTreeSet<Carrier>),
    Unknown(Doubt),
}

impl Way {
    fn one(c: Carrier) -> Self {
        Self::By(BTreeSet::from([c]))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrefixWay {
    pub prefix: IpNet,
    pub way: Way,
    /// What was seen, for messages: `nic vm-nic sends it to 172.29.255.14`.
    pub seen: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inferred {
    pub to_aws: Vec<PrefixWay>,
    pub to_azure: Vec<PrefixWay>,
    pub paths: Vec<PathView>,
}

fn v4(a: std::net::Ipv4Addr) -> IpAddr {
    a.into()
}

/// The usable routes that a packet to `prefix` as a whole would match: those of the longest prefix that covers it.
pub(super) fn best_covering(table: &Table, prefix: IpNet) -> Vec<&Route> {
    let covering: Vec<&Route> = table
        .routes
        .iter()
        .filter(|r| r.usable && r.prefix.contains(&prefix))
        .collect();
    let longest = covering.iter().map(|r| r.prefix.prefix_len()).max();
    covering
        .into_iter()
        .filter(|r| Some(r.prefix.prefix_len()) == longest)
        .collect()
}

struct Infer<'a> {
    picture: &'a Picture,
    sessions: &'a [SessionVerdict],
}

/// Which path a route of an Azure gateway belongs to.
pub(super) fn carrier_of(r: &Route) -> Option<Carrier> {
    match r.learned {
        Learned::Ebgp if r.as_path.first() == Some(&MSEE_ASN) => Some(Carrier::ExpressRoute),
        Learned::Ebgp | Learned::Ibgp if !r.as_path.is_empty() => Some(Carrier::Vpn),
        _ => None,
    }
}

pub(super) fn infer(picture: &Picture, sessions: &[SessionVerdict]) -> Inferred {
    let i = Infer { picture, sessions };
    if picture.kind != super::SubjectKind::HybridInterconnect {
        return Inferred::default();
    }
    Inferred {
        to_aws: picture.azure_sees.iter().map(|p| i.to_aws(*p)).collect(),
        to_azure: picture.aws_sees.iter().map(|p| i.to_azure(*p)).collect(),
        paths: i.paths(),
    }
}
