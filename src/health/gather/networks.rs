//! The networks at both ends, from the inventories.

use super::id_of;
use crate::controllers::env::Env;
use crate::health::spec::HealthSpec;
use causeway_model::observe::Observed;
use ipnet::{IpNet, Ipv4Net};

/// The networks at both ends, as an interconnect knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::health) struct Networks {
    pub azure: Vec<IpNet>,
    pub gateway_subnet: Option<IpNet>,
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
