//! Azure's part of what the network simulation sees: only what is provisioned carries packets.

use super::circuit::PRIVATE;
use super::gateway;
use super::ids::{Kind, reference};
use super::store::{Resource, list, named, text};
use super::vnet;
use crate::net::view::{
    AzureView, Circuit, ErConnection, ErGateway, IpsecConnection, IpsecPolicy, Nic, PrivatePeering,
    Udr, Vnet, VpnGateway, VpnInstance,
};
use crate::state::State;
use ipnet::Ipv4Net;
use serde_json::Value;
use std::net::Ipv4Addr;

/// Provisioned bodies of a kind, with their lower-case IDs.
fn applied(state: &State, kind: Kind) -> impl Iterator<Item = (&String, &Resource, &Value)> {
    state
        .azure
        .of_kind(kind)
        .filter_map(|(key, r)| r.applied.as_ref().map(|a| (key, r, &a["properties"])))
}

fn address(value: &Value) -> Option<Ipv4Addr> {
    text(value).parse().ok()
}

pub fn build(state: &State) -> AzureView {
    AzureView {
        vnets: vnets(state),
        er_gateways: applied(state, Kind::VirtualNetworkGateway)
            .filter(|(_, _, p)| p["gatewayType"] == "ExpressRoute")
            .map(|(key, _, p)| ErGateway {
                id: key.clone(),
                vnet: gateway::vnet_of(p).to_lowercase(),
                asn: 65515,
                instances: gateway::instances(state, p),
            })
            .collect(),
        vpn_gateways: applied(state, Kind::VirtualNetworkGateway)
            .filter(|(_, _, p)| p["gatewayType"] == "Vpn")
            .map(|(key, _, p)| vpn_gateway(state, key, p))
            .collect(),
        circuits: applied(state, Kind::Circuit)
            .filter_map(|(key, r, p)| circuit(state, key, r, p))
            .collect(),
        er_connections: applied(state, Kind::Connection)
            .filter(|(_, _, p)| p["connectionType"] == "ExpressRoute")
            .map(|(key, _, p)| ErConnection {
                id: key.clone(),
                gateway: text(&p["virtualNetworkGateway1"]["id"]).to_lowercase(),
                circuit: text(&p["peer"]["id"]).to_lowercase(),
                routing_weight: p["routingWeight"].as_u64().unwrap_or(0) as u32,
            })
            .collect(),
        ipsec_connections: applied(state, Kind::Connection)
            .filter(|(_, _, p)| p["connectionType"] == "IPsec")
            .filter_map(|(key, r, p)| ipsec(state, key, r, p))
            .collect(),
    }
}

/// Routes of the table that a subnet carries, and whether gateways' routes reach it.
fn subnet_routes(state: &State, subnet: &Value) -> (Vec<Udr>, bool) {
    let table = subnet["properties"]["routeTable"]["id"]
        .as_str()
        .and_then(|id| state.azure.get(id))
        .and_then(|r| r.applied.as_ref());
    let Some(table) = table else {
        return (Vec::new(), true);
    };
    let routes = list(&table["properties"]["routes"])
        .iter()
        .filter(|r| r["properties"]["provisioningState"] != "Deleting")
        .filter_map(|r| {
            let p = &r["properties"];
            Some(Udr {
                name: text(&r["name"]).to_owned(),
                prefix: text(&p["addressPrefix"]).parse().ok()?,
                next_hop_type: text(&p["nextHopType"]).to_owned(),
                next_hop: address(&p["nextHopIpAddress"]),
            })
        })
        .collect();
    let off = table["properties"]["disableBgpRoutePropagation"] == true;
    (routes, !off)
}

fn vnets(state: &State) -> Vec<Vnet> {
    applied(state, Kind::VirtualNetwork)
        .map(|(key, _, p)| {
            let gateway_subnet = named(&p["subnets"], "GatewaySubnet");
            Vnet {
                id: key.clone(),
                prefixes: vnet::vnet_prefixes(p),
                gateway_subnet: gateway_subnet
                    .and_then(|s| vnet::subnet_prefixes(&s["properties"]).first().copied()),
                gateway_subnet_routes: gateway_subnet
                    .map(|s| subnet_routes(state, s).0)
                    .unwrap_or_default(),
                nics: nics(state, key, p),
            }
        })
        .collect()
}

fn nics(state: &State, vnet_key: &str, vnet_properties: &Value) -> Vec<Nic> {
    applied(state, Kind::NetworkInterface)
        .filter_map(|(key, _, p)| {
            let config = &list(&p["ipConfigurations"]).first()?["properties"];
            let subnet = reference(text(&config["subnet"]["id"]))?;
            if subnet.name.key() != vnet_key {
                return None;
            }
            let entry = named(&vnet_properties["subnets"], &subnet.child?.1)?;
            let (routes, bgp_propagation) = subnet_routes(state, entry);
            Some(Nic {
                id: key.clone(),
                address: address(&config["privateIPAddress"])?,
                subnet: vnet::subnet_prefixes(&entry["properties"])
                    .first()
                    .copied()?,
                routes,
                bgp_propagation,
            })
        })
        .collect()
}

fn vpn_gateway(state: &State, key: &str, p: &Value) -> VpnGateway {
    let bgp = &p["bgpSettings"];
    let instances = list(&p["ipConfigurations"])
        .iter()
        .zip(gateway::instances(state, p))
        .filter_map(|(c, own)| {
            let id = text(&c["id"]);
            let pip = state
                .azure
                .get(text(&c["properties"]["publicIPAddress"]["id"]))?;
            let custom = list(&bgp["bgpPeeringAddresses"])
                .iter()
                .find(|e| text(&e["ipconfigurationId"]).eq_ignore_ascii_case(id));
            Some(VpnInstance {
                ip_configuration: id.to_lowercase(),
                address: own,
                public_ip: address(&pip.props()["ipAddress"])?,
                apipa: custom
                    .map(|e| list(&e["customBgpIpAddresses"]))
                    .unwrap_or_default()
                    .iter()
                    .filter_map(address)
                    .collect(),
            })
        })
        .collect();
    VpnGateway {
        id: key.to_owned(),
        vnet: gateway::vnet_of(p).to_lowercase(),
        asn: bgp["asn"].as_u64().unwrap_or(65515) as u32,
        bgp: p["enableBgp"] == true,
        instances,
    }
}

fn circuit(state: &State, key: &str, r: &Resource, p: &Value) -> Option<Circuit> {
    let side = state.azure.circuits.get(key)?;
    let peering = named(&p["peerings"], PRIVATE)
        .map(|e| &e["properties"])
        .filter(|e| e["provisioningState"] == "Succeeded")
        .and_then(|e| {
            let net = |member: &str| text(&e[member]).parse::<Ipv4Net>().ok();
            Some(PrivatePeering {
                enabled: e["state"] == "Enabled",
                peer_asn: e["peerASN"].as_u64()? as u32,
                primary: net("primaryPeerAddressPrefix")?,
                secondary: net("secondaryPeerAddressPrefix")?,
                vlan: e["vlanId"].as_u64()? as u16,
                shared_key: r
                    .hidden
                    .get(&format!("peering/{}", PRIVATE.to_lowercase()))
                    .cloned(),
            })
        });
    Some(Circuit {
        id: key.to_owned(),
        service_key: side.service_key.clone(),
        bandwidth_mbps: p["serviceProviderProperties"]["bandwidthInMbps"]
            .as_u64()
            .unwrap_or(0) as u32,
        premium: r
            .applied
            .as_ref()
            .is_some_and(|a| a["sku"]["tier"] == "Premium"),
        peering,
    })
}

fn ipsec(state: &State, key: &str, r: &Resource, p: &Value) -> Option<IpsecConnection> {
    let local = state.azure.get(text(&p["localNetworkGateway2"]["id"]))?;
    let far = &local.applied.as_ref()?["properties"];
    let bgp = &far["bgpSettings"];
    let policy = list(&p["ipsecPolicies"]).first().map(|q| IpsecPolicy {
        sa_life_time_seconds: q["saLifeTimeSeconds"].as_u64().unwrap_or(0) as u32,
        sa_data_size_kilobytes: q["saDataSizeKilobytes"].as_u64().unwrap_or(0),
        ipsec_encryption: text(&q["ipsecEncryption"]).to_owned(),
        ipsec_integrity: text(&q["ipsecIntegrity"]).to_owned(),
        ike_encryption: text(&q["ikeEncryption"]).to_owned(),
        ike_integrity: text(&q["ikeIntegrity"]).to_owned(),
        dh_group: text(&q["dhGroup"]).to_owned(),
        pfs_group: text(&q["pfsGroup"]).to_owned(),
    });
    Some(IpsecConnection {
        id: key.to_owned(),
        gateway: text(&p["virtualNetworkGateway1"]["id"]).to_lowercase(),
        remote: address(&far["gatewayIpAddress"])?,
        remote_asn: bgp["asn"].as_u64().map(|a| a as u32),
        remote_bgp_address: address(&bgp["bgpPeeringAddress"]),
        remote_prefixes: list(&far["localNetworkAddressSpace"]["addressPrefixes"])
            .iter()
            .filter_map(|x| text(x).parse().ok())
            .collect(),
        bgp: p["enableBgp"] == true,
        custom_bgp: list(&p["gatewayCustomBgpIpAddresses"])
            .iter()
            .filter_map(|e| {
                Some((
                    text(&e["ipConfigurationId"]).to_lowercase(),
                    address(&e["customBgpIpAddress"])?,
                ))
            })
            .collect(),
        shared_key: r.hidden.get("sharedKey").cloned().unwrap_or_default(),
        mode: text(&p["connectionMode"]).to_owned(),
        dpd_seconds: p["dpdTimeoutSeconds"].as_u64().unwrap_or(45) as u32,
        policy,
    })
}
