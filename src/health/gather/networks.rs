//! The networks at both ends, from the inventories.

use super::{Gather, id_of};
use crate::clients::azure::VirtualNetwork;
use crate::controllers::env::Env;
use crate::health::report::Seed;
use crate::health::spec::HealthSpec;
use causeway_api::report::VantageKind;
use causeway_api::status::Provider;
use causeway_model::guard::SubnetRoutes;
use causeway_model::health::Reading;
use causeway_model::observe::Observed;
use causeway_model::routes::{Learned, NextHop, Route, Table};
use ipnet::{IpNet, Ipv4Net};

/// The networks at both ends, as an interconnect knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::health) struct Networks {
    pub azure: Vec<IpNet>,
    pub gateway_subnet: Option<IpNet>,
    /// GatewaySubnet's prefixes, and RouteServerSubnet's where there is one.
    pub mesh_subnets: Vec<IpNet>,
    pub aws: Vec<IpNet>,
}

fn nets(list: &[Ipv4Net]) -> Vec<IpNet> {
    list.iter().map(|n| IpNet::V4(n.trunc())).collect()
}

/// What is known of both networks from this object's own accounts.
pub(in crate::health) fn networks(spec: &HealthSpec, env: &Env, observed: &Observed) -> Networks {
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
            let of = |name: &str| -> Vec<IpNet> {
                v.subnet(name)
                    .map(|s| {
                        s.properties
                            .prefixes()
                            .into_iter()
                            .filter_map(parsed)
                            .collect()
                    })
                    .unwrap_or_default()
            };
            out.azure = v
                .properties
                .address_space
                .address_prefixes
                .iter()
                .filter_map(|p| parsed(p))
                .collect();
            out.mesh_subnets = of("GatewaySubnet");
            out.gateway_subnet = out.mesh_subnets.first().copied();
            out.mesh_subnets.extend(of("RouteServerSubnet"));
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

impl Gather<'_> {
    /// The route table on GatewaySubnet, for the guard and for the report.
    pub(super) fn gateway_routes(&self) -> (Reading<Option<SubnetRoutes>>, Option<Seed>) {
        let none = |reading| (reading, None);
        let Some((azure, id)) = self
            .env
            .azure
            .as_ref()
            .zip(self.spec.virtual_network.as_ref())
        else {
            return none(Reading::NotOffered("no virtual network".to_owned()));
        };
        let group = id.resource_group().unwrap_or(&azure.resource_group);
        let Some(group) = azure.snapshot.group(group) else {
            return none(Reading::Unknown("not read yet".to_owned()));
        };
        let network = self.cheap(&group.virtual_networks, |all| {
            let found = all
                .iter()
                .find(|v| v.resource_id().is_some_and(|x| x == *id));
            Reading::Read(found.and_then(VirtualNetwork::gateway_table))
        });
        let table = match network {
            Reading::Read(Some(table)) => table,
            Reading::Read(None) => return none(Reading::Read(None)),
            other => return none(other.map(|_| None)),
        };
        let read = self.cheap(&group.gateway_tables, |all| {
            all.iter()
                .find(|t| t.resource_id().is_some_and(|x| x == table))
                .map_or_else(
                    || Reading::Unknown(format!("route table {} is not found", table.name())),
                    |t| Reading::Read(t.for_guard()),
                )
        });
        let shown = read.clone().map(|r| Table {
            routes: r
                .routes
                .iter()
                .map(|u| {
                    let hop = u
                        .next_hop
                        .map_or_else(|| NextHop::Other(u.next_hop_type.clone()), NextHop::Address);
                    Route::new(u.prefix, hop, Learned::Static)
                })
                .collect(),
            not_understood: r.other,
        });
        let seed = Seed::new(
            "gateway-subnet".to_owned(),
            Provider::Azure,
            VantageKind::RouteTable,
            Some(table.as_str()),
        );
        (read.map(Some), Some(seed.routes(&shown)))
    }
}
