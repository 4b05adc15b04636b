//! Puts the world file's objects in place.

use super::ids::{Child, Kind, Name};
use super::store::AzureState;
use super::world::{AzureWorld, Place};
use crate::rng::Rng;
use crate::time::SimTime;
use crate::world::World;
use serde_json::{Value, json};

fn name(world: &AzureWorld, place: &Place, kind: Kind, name: &str) -> Name {
    let subscription = if place.subscription_id.is_empty() {
        world.subscription_id()
    } else {
        &place.subscription_id
    };
    let group = if place.resource_group.is_empty() {
        world
            .subscriptions
            .iter()
            .find(|s| s.subscription_id.eq_ignore_ascii_case(subscription))
            .and_then(|s| s.resource_groups.first())
            .map_or("", |g| g.name.as_str())
    } else {
        &place.resource_group
    };
    Name {
        subscription: subscription.to_owned(),
        group: group.to_owned(),
        kind,
        name: name.to_owned(),
    }
}

fn location(world: &AzureWorld, name: &Name) -> String {
    world
        .subscriptions
        .iter()
        .filter(|s| s.subscription_id.eq_ignore_ascii_case(&name.subscription))
        .flat_map(|s| &s.resource_groups)
        .find(|g| g.name.eq_ignore_ascii_case(&name.group))
        .map_or_else(String::new, |g| g.location.clone())
}

/// The entry of a child in its parent's body.
pub fn child(parent: &Name, child: Child, name: &str, mut properties: Value) -> Value {
    properties["provisioningState"] = "Succeeded".into();
    json!({
        "name": name,
        "id": format!("{}/{}/{name}", parent.id(), child.path()),
        "type": format!("Microsoft.Network/{}/{}", parent.kind.path(), child.path()),
        "properties": properties,
    })
}

/// What a subnet's body has whoever made it.
pub fn subnet_defaults(properties: &mut Value) {
    for (member, value) in [
        ("delegations", json!([])),
        ("privateEndpointNetworkPolicies", json!("Disabled")),
        ("privateLinkServiceNetworkPolicies", json!("Enabled")),
    ] {
        if properties[member].is_null() {
            properties[member] = value;
        }
    }
}

pub fn fill(azure: &mut AzureState, world: &World, rng: &mut Rng, now: SimTime) {
    let w = &world.azure;
    for table in &w.route_tables {
        let n = name(w, &table.place, Kind::RouteTable, &table.name);
        let routes: Vec<Value> = table
            .routes
            .iter()
            .map(|r| {
                let mut p = json!({
                    "addressPrefix": r.address_prefix.to_string(),
                    "nextHopType": r.next_hop_type,
                    "hasBgpOverride": false,
                });
                if let Some(hop) = r.next_hop_ip_address {
                    p["nextHopIpAddress"] = hop.to_string().into();
                }
                child(&n, Child::Route, &r.name, p)
            })
            .collect();
        let at = location(w, &n);
        let p = json!({"disableBgpRoutePropagation": table.disable_bgp_route_propagation, "routes": routes});
        azure.seed(n, &at, p, rng, now);
    }
    for group in &w.network_security_groups {
        let n = name(w, &group.place, Kind::SecurityGroup, &group.name);
        let at = location(w, &n);
        azure.seed(n, &at, json!({"securityRules": []}), rng, now);
    }
    for vnet in &w.virtual_networks {
        let n = name(w, &vnet.place, Kind::VirtualNetwork, &vnet.name);
        let subnets: Vec<Value> = vnet
            .subnets
            .iter()
            .map(|s| {
                let mut p = json!({"addressPrefix": s.address_prefix.to_string()});
                let sibling = |kind, name: &String| {
                    Name {
                        kind,
                        name: name.clone(),
                        ..n.clone()
                    }
                    .id()
                };
                if let Some(t) = &s.route_table {
                    p["routeTable"] = json!({"id": sibling(Kind::RouteTable, t)});
                }
                if let Some(g) = &s.network_security_group {
                    p["networkSecurityGroup"] = json!({"id": sibling(Kind::SecurityGroup, g)});
                }
                subnet_defaults(&mut p);
                child(&n, Child::Subnet, &s.name, p)
            })
            .collect();
        let prefixes: Vec<String> = vnet
            .address_prefixes
            .iter()
            .map(ToString::to_string)
            .collect();
        let at = location(w, &n);
        let p = json!({
            "addressSpace": {"addressPrefixes": prefixes},
            "subnets": subnets,
            "virtualNetworkPeerings": [],
            "enableDdosProtection": false,
        });
        azure.seed(n, &at, p, rng, now);
    }
    for nic in &w.network_interfaces {
        let n = name(w, &nic.place, Kind::NetworkInterface, &nic.name);
        let vnet = name(w, &nic.place, Kind::VirtualNetwork, &nic.virtual_network);
        let id = n.id();
        let mac = rng.hex(6).to_uppercase();
        let mut p = json!({
            "ipConfigurations": [{
                "name": "ipconfig1",
                "id": format!("{id}/ipConfigurations/ipconfig1"),
                "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
                "properties": {
                    "provisioningState": "Succeeded",
                    "privateIPAddress": nic.address.to_string(),
                    "privateIPAllocationMethod": "Dynamic",
                    "privateIPAddressVersion": "IPv4",
                    "primary": true,
                    "subnet": {"id": format!("{}/subnets/{}", vnet.id(), nic.subnet)},
                },
            }],
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "macAddress": format!("00-0D-3A-{}-{}-{}", &mac[0..2], &mac[2..4], &mac[4..6]),
            "primary": true,
            "enableAcceleratedNetworking": false,
            "enableIPForwarding": false,
            "hostedWorkloads": [],
            "nicType": "Standard",
        });
        if let Some(vm) = &nic.virtual_machine {
            p["virtualMachine"] = json!({"id": format!(
                "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines/{vm}",
                n.subscription, n.group
            )});
        }
        let key = n.key();
        let at = location(w, &n);
        azure.seed(n, &at, p, rng, now);
        if nic.running
            && nic.virtual_machine.is_some()
            && let Some(r) = azure.resources.get_mut(&key)
        {
            r.hidden.insert("running".into(), "true".into());
        }
    }
}
