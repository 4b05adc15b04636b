//! How Azure's objects are seen (azure.md §2.3, §3, §4). The inventory lists them; names and IDs are compared without
//! case.

use super::{Env, Sight, id_of, unreadable};
use crate::clients::azure::{
    Circuit, Connection, Gateway, LocalGateway, Peering, ProviderState, ProvisioningState,
    PublicIp, Resource, ResourceId,
};
use crate::controllers::env::AzureEnv;
use crate::inventory::Part;
use crate::inventory::azure::GroupSnapshot;
use causeway_model::desired::{Desired, address_list};
use causeway_model::observe::{Ownership, Present, Record, Seen, State};
use causeway_model::slot::{Class, Output, Slot, SlotId};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub(super) fn observe(
    env: &Env,
    slot: &Slot,
    record: Option<&Record>,
    others: &BTreeMap<SlotId, Seen>,
) -> Sight {
    let Some(azure) = &env.azure else {
        return unreadable("no Azure account");
    };
    match slot.class {
        Class::Circuit => find(env, azure, slot, record, |g| &g.circuits, circuit),
        Class::Peering => peering(env, azure, slot, record, others),
        Class::ErGateway | Class::VpnGateway => {
            find(env, azure, slot, record, |g| &g.gateways, gateway)
        }
        Class::ErConnection | Class::IpsecConnection => {
            find(env, azure, slot, record, |g| &g.connections, connection)
        }
        Class::LocalNetworkGateway => find(
            env,
            azure,
            slot,
            record,
            |g| &g.local_gateways,
            local_gateway,
        ),
        Class::PublicIp => public_ip(env, azure, slot, record, others),
        Class::GatewaySubnet => gateway_subnet(env, azure, slot),
        _ => unreadable("not an object of Azure"),
    }
}

/// The kind segment of an ARM ID for a class.
pub fn arm_kind(class: Class) -> &'static str {
    match class {
        Class::Circuit => "expressRouteCircuits",
        Class::ErGateway | Class::VpnGateway => "virtualNetworkGateways",
        Class::ErConnection | Class::IpsecConnection => "connections",
        Class::LocalNetworkGateway => "localNetworkGateways",
        Class::PublicIp => "publicIPAddresses",
        _ => "virtualNetworks",
    }
}

/// Where a slot's object is or will be: by reference, by record, by what is to be taken over, or by the name that the spec
/// gives.
pub fn slot_id(azure: &AzureEnv, slot: &Slot, record: Option<&Record>) -> Option<ResourceId> {
    if let Desired::Imported { id } = &slot.desired {
        return id.clone().map(ResourceId::new);
    }
    let known = record.and_then(|r| r.id.clone());
    known
        .or_else(|| slot.adopt.as_ref().map(|a| a.id.clone()))
        .map(ResourceId::new)
        .or_else(|| {
            let name = slot.desired.name()?;
            Some(azure.id(arm_kind(slot.class), name))
        })
}

fn state(s: &ProvisioningState) -> State {
    match s {
        ProvisioningState::Succeeded => State::Ready,
        ProvisioningState::Failed | ProvisioningState::Canceled => State::Failed {
            message: format!("its last operation ended as {}", s.as_str()),
        },
        ProvisioningState::Deleting => State::Deleting,
        // ARM answers a deletion in these states with 409 or 429 (azure.md §1.4).
        ProvisioningState::Creating | ProvisioningState::Updating | ProvisioningState::Other(_) => {
            State::Settling {
                forbids_deletion: true,
            }
        }
    }
}

/// A present object with nothing compared yet.
fn present(id: &ResourceId, s: &ProvisioningState, ownership: Ownership) -> Present {
    Present {
        id: id.as_str().to_owned(),
        state: state(s),
        provider_state: s.as_str().to_owned(),
        ownership,
        outputs: BTreeMap::new(),
        fields: BTreeMap::new(),
        tags: None,
        holds_deletion: None,
    }
}

fn find<P: PartialEq>(
    env: &Env,
    azure: &AzureEnv,
    slot: &Slot,
    record: Option<&Record>,
    part: impl Fn(&GroupSnapshot) -> &Part<Resource<P>>,
    fill: impl Fn(&Resource<P>, Present) -> Present,
) -> Sight {
    let Some(id) = slot_id(azure, slot, record) else {
        // An imported object whose owner has not made it yet, or a record without an ID: nothing to find.
        return (Seen::Absent, Some(env.now));
    };
    let group = id
        .resource_group()
        .unwrap_or(&azure.resource_group)
        .to_owned();
    let Some(snapshot) = azure.snapshot.group(&group) else {
        return unreadable("its resource group was not read yet");
    };
    let part = part(snapshot);
    let items = match part.current(env.now, env.stale_after) {
        Ok(items) => items,
        Err(why) => return (Seen::Unreadable(why), part.read_at),
    };
    // By our tag too: one that was taken over, whose record was lost and whose adoptID was dropped, has another name.
    let found = items
        .iter()
        .find(|i| i.resource_id().is_some_and(|x| x == id))
        .or_else(|| {
            let marked = |i: &&Resource<P>| env.marks.is_slot(&i.tags, &slot.id);
            items.iter().filter(|_| !slot.imported).find(marked)
        });
    let Some(found) = found else {
        return (Seen::Absent, part.read_at);
    };
    let id = found.resource_id().unwrap_or(id);
    let ownership = if slot.imported {
        Ownership::Unmarked
    } else {
        env.marks.judge(&found.tags)
    };
    let mut p = fill(
        found,
        present(&id, &ProvisioningState::Succeeded, ownership),
    );
    p.tags = Some(found.tags.clone());
    (Seen::Present(Box::new(p)), part.read_at)
}

fn with_state(mut p: Present, s: &ProvisioningState) -> Present {
    p.state = state(s);
    s.as_str().clone_into(&mut p.provider_state);
    p
}

fn circuit(c: &Circuit, p: Present) -> Present {
    let props = &c.properties;
    let mut p = with_state(p, &props.provisioning_state);
    if p.state == State::Ready
        && props
            .circuit_provisioning_state
            .as_deref()
            .is_some_and(|s| s != "Enabled")
    {
        p.state = State::Settling {
            forbids_deletion: true,
        };
    }
    let provider = &props.service_provider_provisioning_state;
    p.provider_state = format!(
        "{}, provider state {}",
        props.provisioning_state.as_str(),
        provider.as_str()
    );
    if props.service_key.as_ref().is_some_and(|k| !k.0.is_empty()) {
        p.outputs.insert(Output::ServiceKey, String::new());
    }
    if *provider == ProviderState::Provisioned {
        p.outputs.insert(Output::ProviderProvisioned, String::new());
    }
    if !provider.is_deletable() {
        p.holds_deletion = Some(format!("the provider side reads {}", provider.as_str()));
    }
    if let Some(s) = &props.service_provider_properties {
        p.fields.insert(
            "serviceProviderName".to_owned(),
            s.service_provider_name.clone(),
        );
        p.fields
            .insert("peeringLocation".to_owned(), s.peering_location.clone());
        if let Some(b) = s.bandwidth_in_mbps {
            p.fields.insert("bandwidthMbps".to_owned(), b.to_string());
        }
    }
    if let Some(sku) = &c.sku {
        for (name, value) in [("sku.tier", &sku.tier), ("sku.family", &sku.family)] {
            if let Some(v) = value {
                p.fields.insert(name.to_owned(), v.clone());
            }
        }
    }
    p
}

/// The private peering, as its circuit shows it. It carries no tags: on a circuit of ours it is ours, whoever made it
/// (api.md §3: one that Megaport made is deleted by us).
fn peering(
    env: &Env,
    azure: &AzureEnv,
    slot: &Slot,
    record: Option<&Record>,
    others: &BTreeMap<SlotId, Seen>,
) -> Sight {
    let recorded_circuit = record
        .and_then(|r| r.id.as_deref())
        .and_then(|id| id.rsplit_once("/peerings/").map(|(c, _)| c.to_owned()));
    let Some(circuit_id) = id_of(others, "circuit")
        .or(recorded_circuit)
        .map(ResourceId::new)
    else {
        return match others.get("circuit") {
            Some(Seen::Unreadable(why)) => (Seen::Unreadable(why.clone()), None),
            _ => (Seen::Absent, Some(env.now)),
        };
    };
    let group = circuit_id
        .resource_group()
        .unwrap_or(&azure.resource_group)
        .to_owned();
    let Some(snapshot) = azure.snapshot.group(&group) else {
        return unreadable("its resource group was not read yet");
    };
    let circuits = match snapshot.circuits.current(env.now, env.stale_after) {
        Ok(c) => c,
        Err(why) => return (Seen::Unreadable(why), snapshot.circuits.read_at),
    };
    let found = circuits
        .iter()
        .find(|c| c.resource_id().is_some_and(|x| x == circuit_id))
        .and_then(|c| c.properties.peerings.iter().find(|p| is_private(p)));
    let Some(found) = found else {
        return (Seen::Absent, snapshot.circuits.read_at);
    };
    let ours = others
        .get("circuit")
        .and_then(Seen::present)
        .is_some_and(|p| p.ownership == Ownership::Ours)
        && !slot.imported;
    let ownership = if ours {
        Ownership::Ours
    } else {
        Ownership::Unmarked
    };
    let props = &found.properties;
    let mut p = present(
        &circuit_id.private_peering(),
        &props.provisioning_state,
        ownership,
    );
    let mut field = |name: &str, value: Option<String>| {
        if let Some(v) = value {
            p.fields.insert(name.to_owned(), v);
        }
    };
    field("peerASN", props.peer_asn.map(|a| a.to_string()));
    field("primaryPrefix", props.primary_peer_address_prefix.clone());
    field(
        "secondaryPrefix",
        props.secondary_peer_address_prefix.clone(),
    );
    field("vlanID", props.vlan_id.map(|v| v.to_string()));
    field("state", props.state.clone());
    (Seen::Present(Box::new(p)), snapshot.circuits.read_at)
}

fn is_private(p: &Peering) -> bool {
    p.properties.peering_type == "AzurePrivatePeering" || p.name() == "AzurePrivatePeering"
}

/// `VpnGw2AZ` satisfies `VpnGw2`: Azure migrates old SKUs by itself (azure.md §3.3). The spec only says AZ names, so the
/// found name is compared as it is.
fn gateway(g: &Gateway, p: Present) -> Present {
    let props = &g.properties;
    let mut p = with_state(p, &props.provisioning_state);
    if let Some(sku) = &props.sku {
        p.fields.insert("sku".to_owned(), sku.name.clone());
    }
    p.fields
        .insert("gatewayType".to_owned(), props.gateway_type.clone());
    if let Some(generation) = props
        .vpn_gateway_generation
        .as_ref()
        .filter(|g| *g != "None")
    {
        p.fields.insert("generation".to_owned(), generation.clone());
    }
    if let Some(both) = props.active_active {
        p.fields.insert("activeActive".to_owned(), both.to_string());
    }
    let subnet = props
        .ip_configurations
        .first()
        .and_then(|c| c.properties.subnet.as_ref());
    if let Some(subnet) = subnet {
        p.fields
            .insert("subnet".to_owned(), subnet.id.to_lowercase());
    }
    if let Some(bgp) = &props.bgp_settings {
        if let Some(asn) = bgp.asn {
            p.fields.insert("asn".to_owned(), asn.to_string());
        }
        for (i, entry) in ordered_addresses(g).into_iter().enumerate() {
            p.fields.insert(format!("apipa{i}"), entry);
        }
    }
    p
}

/// APIPA addresses per instance, instances in the order of their IP configurations.
fn ordered_addresses(g: &Gateway) -> Vec<String> {
    let Some(bgp) = &g.properties.bgp_settings else {
        return Vec::new();
    };
    g.properties
        .ip_configurations
        .iter()
        .filter_map(|c| {
            let suffix = format!("/ipconfigurations/{}", c.name.to_lowercase());
            let entry = bgp
                .bgp_peering_addresses
                .iter()
                .find(|a| a.ip_configuration_id.to_lowercase().ends_with(&suffix))?;
            let addresses: Vec<Ipv4Addr> = entry
                .custom_bgp_ip_addresses
                .iter()
                .filter_map(|a| a.parse().ok())
                .collect();
            Some(address_list(&addresses))
        })
        .collect()
}

fn connection(c: &Connection, p: Present) -> Present {
    let props = &c.properties;
    let mut p = with_state(p, &props.provisioning_state);
    let mut field = |name: &str, value: Option<String>| {
        if let Some(v) = value {
            p.fields.insert(name.to_owned(), v);
        }
    };
    field("routingWeight", props.routing_weight.map(|w| w.to_string()));
    if props.connection_type.eq_ignore_ascii_case("IPsec") {
        field("enableBgp", props.enable_bgp.map(|b| b.to_string()));
        field(
            "dpdTimeoutSeconds",
            props.dpd_timeout_seconds.map(|d| d.to_string()),
        );
        let custom: Vec<Ipv4Addr> = props
            .gateway_custom_bgp_ip_addresses
            .iter()
            .filter_map(|a| a.custom_bgp_ip_address.parse().ok())
            .collect();
        field("gatewayCustomBgpIpAddresses", Some(address_list(&custom)));
        let policy = props.ipsec_policies.first().map_or_else(
            || "Azure's default proposals".to_owned(),
            |q| {
                format!(
                    "{}/{}/{} {}/{}/{} {}s",
                    q.ike_encryption,
                    q.ike_integrity,
                    q.dh_group,
                    q.ipsec_encryption,
                    q.ipsec_integrity,
                    q.pfs_group,
                    q.sa_life_time_seconds
                )
            },
        );
        field("ipsecPolicy", Some(policy));
    }
    p
}

fn local_gateway(l: &LocalGateway, p: Present) -> Present {
    let mut p = with_state(p, &l.properties.provisioning_state);
    if let Some(a) = &l.properties.gateway_ip_address {
        p.fields.insert("gatewayIpAddress".to_owned(), a.clone());
    }
    if let Some(bgp) = &l.properties.bgp_settings {
        if let Some(asn) = bgp.asn {
            p.fields.insert("asn".to_owned(), asn.to_string());
        }
        if let Some(a) = &bgp.bgp_peering_address {
            p.fields.insert("bgpPeeringAddress".to_owned(), a.clone());
        }
    }
    p
}

/// A public IP of ours, or of a referenced gateway: then it is read from the gateway's IP configurations, in order.
fn public_ip(
    env: &Env,
    azure: &AzureEnv,
    slot: &Slot,
    record: Option<&Record>,
    others: &BTreeMap<SlotId, Seen>,
) -> Sight {
    let fill = |ip: &PublicIp, p: Present| {
        let mut p = with_state(p, &ip.properties.provisioning_state);
        if let Some(a) = ip.properties.ip_address.as_ref().filter(|a| !a.is_empty()) {
            p.outputs.insert(Output::IpAddress, a.clone());
        }
        p
    };
    if !slot.imported {
        return find(env, azure, slot, record, |g| &g.public_ips, fill);
    }
    let index: usize = slot
        .id
        .as_str()
        .strip_prefix("pip-")
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let of_gateway = id_of(others, "vpn-gateway")
        .map(ResourceId::new)
        .and_then(|id| {
            let group = azure
                .snapshot
                .group(id.resource_group().unwrap_or(&azure.resource_group))?;
            let gateway = group
                .gateways
                .items
                .iter()
                .find(|g| g.resource_id().is_some_and(|x| x == id))?;
            gateway
                .properties
                .ip_configurations
                .get(index)?
                .properties
                .public_ip_address
                .clone()
        });
    let Some(reference) = of_gateway else {
        return (Seen::Absent, Some(env.now));
    };
    let mut known = slot.clone();
    known.desired = Desired::Imported {
        id: Some(reference.id),
    };
    find(env, azure, &known, None, |g| &g.public_ips, fill)
}

fn gateway_subnet(env: &Env, azure: &AzureEnv, slot: &Slot) -> Sight {
    let Desired::Imported { id: Some(id) } = &slot.desired else {
        return (Seen::Absent, Some(env.now));
    };
    let id = ResourceId::new(id.clone());
    let group = id
        .resource_group()
        .unwrap_or(&azure.resource_group)
        .to_owned();
    let Some(snapshot) = azure.snapshot.group(&group) else {
        return unreadable("its resource group was not read yet");
    };
    let networks = match snapshot.virtual_networks.current(env.now, env.stale_after) {
        Ok(n) => n,
        Err(why) => return (Seen::Unreadable(why), snapshot.virtual_networks.read_at),
    };
    let found = networks
        .iter()
        .flat_map(|n| &n.properties.subnets)
        .find(|s| s.resource_id().is_some_and(|x| x == id));
    let seen = found.map_or(Seen::Absent, |s| {
        Seen::Present(Box::new(present(
            &id,
            &s.properties.provisioning_state,
            Ownership::Unmarked,
        )))
    });
    (seen, snapshot.virtual_networks.read_at)
}
