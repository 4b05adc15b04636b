//! Builders of the slot graphs, one per kind, and the table of api.md §3 that they share: provider, recognition, price
//! and, complete for each slot, what must be gone before its deletion. The table also describes a slot that the spec no
//! longer names, so that it is taken down in the right order.

pub mod directconnect;
pub mod expressroute;
pub mod interconnect;
mod learn;
#[cfg(test)]
mod tests;
pub mod vpn;

pub use learn::outside_addresses;

use crate::desired::Desired;
use crate::provider::Provider;
use crate::slot::{Birth, Class, Graph, Level, LockKey, Need, Recognition, Slot, SlotId};

/// A row of the table.
struct Row {
    /// The slot's name, or its beginning when it ends with `-`.
    name: &'static str,
    class: Class,
    provider: Provider,
    noun: &'static str,
    recognition: Recognition,
    paid: bool,
    /// Names (or beginnings) of slots that must be gone first. `*/x` is slot x of a dependent; `#` is this slot's own
    /// number(s).
    gone_first: &'static [&'static str],
}

const fn row(
    name: &'static str,
    class: Class,
    provider: Provider,
    noun: &'static str,
    recognition: Recognition,
    paid: bool,
    gone_first: &'static [&'static str],
) -> Row {
    Row {
        name,
        class,
        provider,
        noun,
        recognition,
        paid,
        gone_first,
    }
}

use Provider::{Aws, Azure, Kubernetes, Megaport};
use Recognition::{Emergent, NameAndTag, Record, Tag, Token};

/// api.md §3. Order matters only for prefixes: the first match counts.
const TABLE: &[Row] = &[
    row(
        "router-",
        Class::Router,
        Megaport,
        "Megaport Cloud Router",
        Token,
        true,
        &["*/vxc-"],
    ),
    row(
        "er-gateway",
        Class::ErGateway,
        Azure,
        "ExpressRoute gateway",
        NameAndTag,
        true,
        &["er-connection", "*/er-connection", "*/er-gateway"],
    ),
    row(
        "vgw-attachment",
        Class::VgwAttachment,
        Aws,
        "attachment of the virtual private gateway",
        Record,
        false,
        &[
            "dxgw-association",
            "propagation-",
            "vpn-connection-",
            "*/vpn-connection-",
        ],
    ),
    row(
        "vgw",
        Class::VirtualPrivateGateway,
        Aws,
        "virtual private gateway",
        Tag,
        false,
        &["vpn-connection-", "*/vpn-connection-", "vgw-attachment"],
    ),
    row(
        "propagation-",
        Class::RoutePropagation,
        Aws,
        "route propagation",
        Record,
        false,
        &[],
    ),
    row(
        "dxgw-association",
        Class::DxgwAssociation,
        Aws,
        "Direct Connect gateway association",
        Record,
        false,
        // Of a link that is only about to be taken over: it is the same one.
        &["*/dxgw-association"],
    ),
    row(
        "dxgw",
        Class::DirectConnectGateway,
        Aws,
        "Direct Connect gateway",
        Tag,
        false,
        &["dxgw-association", "vif", "*/vif", "*/dxgw"],
    ),
    row(
        "circuit",
        Class::Circuit,
        Azure,
        "ExpressRoute circuit",
        NameAndTag,
        true,
        &["er-connection", "peering", "vxc-"],
    ),
    row(
        "vxc-aws",
        Class::VxcAws,
        Megaport,
        "VXC to AWS",
        Token,
        true,
        &["vif"],
    ),
    row(
        "vxc-",
        Class::VxcAzure,
        Megaport,
        "VXC to Azure",
        Token,
        true,
        &["peering"],
    ),
    row(
        "peering",
        Class::Peering,
        Azure,
        "private peering",
        Record,
        false,
        &["er-connection"],
    ),
    row(
        "er-connection",
        Class::ErConnection,
        Azure,
        "ExpressRoute connection",
        NameAndTag,
        false,
        &[],
    ),
    row(
        "connection",
        Class::HostedConnection,
        Aws,
        "hosted connection",
        Emergent,
        false,
        &["vif", "vxc-aws"],
    ),
    row(
        "vif",
        Class::Vif,
        Aws,
        "private virtual interface",
        Emergent,
        false,
        &[],
    ),
    row(
        "pip-",
        Class::PublicIp,
        Azure,
        "public IP address",
        NameAndTag,
        true,
        &["vpn-gateway"],
    ),
    row(
        "vpn-gateway",
        Class::VpnGateway,
        Azure,
        "VPN gateway",
        NameAndTag,
        true,
        &["ipsec-"],
    ),
    row(
        "cgw-",
        Class::CustomerGateway,
        Aws,
        "customer gateway",
        Tag,
        false,
        &["vpn-connection-#"],
    ),
    row(
        "vpn-connection-",
        Class::VpnConnection,
        Aws,
        "VPN connection",
        Tag,
        true,
        &[],
    ),
    row(
        "lng-",
        Class::LocalNetworkGateway,
        Azure,
        "local network gateway",
        NameAndTag,
        false,
        &["ipsec-#"],
    ),
    row(
        "ipsec-",
        Class::IpsecConnection,
        Azure,
        "IPsec connection",
        NameAndTag,
        false,
        &[],
    ),
    row(
        "keys",
        Class::KeysSecret,
        Kubernetes,
        "Secret with generated keys",
        NameAndTag,
        false,
        &[""],
    ),
    // Imported ones, which have no deletion of ours.
    row(
        "gateway-subnet",
        Class::GatewaySubnet,
        Azure,
        "subnet GatewaySubnet",
        Record,
        false,
        &[],
    ),
    row("vpc", Class::Vpc, Aws, "VPC", Record, false, &[]),
    row(
        "router",
        Class::Router,
        Megaport,
        "Megaport Cloud Router",
        Record,
        false,
        &[],
    ),
];

fn matches(pattern: &str, name: &str) -> bool {
    if pattern.is_empty() || pattern.ends_with('-') {
        name.starts_with(pattern)
    } else {
        name == pattern
    }
}

fn table_row(id: &SlotId) -> Option<&'static Row> {
    TABLE.iter().find(|r| matches(r.name, id.as_str()))
}

/// A slot by the table, wanted, created by our own call, with no needs or locks yet.
fn slot(id: impl Into<String>, desired: Desired) -> Slot {
    let id = SlotId(id.into());
    let r = table_row(&id);
    Slot {
        class: r.map_or(Class::Dependent, |r| r.class),
        provider: r.map_or(Azure, |r| r.provider),
        noun: r.map_or("object", |r| r.noun),
        recognition: r.map_or(Record, |r| r.recognition),
        paid: r.is_some_and(|r| r.paid),
        id,
        desired,
        wanted: true,
        imported: false,
        needs: Vec::new(),
        gone_first: Vec::new(),
        birth: Birth::Created,
        leaves_with: None,
        locks: Vec::new(),
        refresh: None,
        adopt: None,
        tags: std::collections::BTreeMap::new(),
    }
}

/// A slot of somebody else: observed, never acted on.
fn imported(id: impl Into<String>, object: Option<String>) -> Slot {
    let mut s = slot(id, Desired::Imported { id: object });
    s.imported = true;
    s.paid = false;
    s
}

impl Slot {
    fn needs(mut self, slot: &str, level: Level) -> Self {
        self.needs.push(Need {
            slot: slot.into(),
            level,
        });
        self
    }
    fn lock(mut self, key: LockKey) -> Self {
        self.locks.push(key);
        self
    }
}

/// Adds what is recorded but no longer named, and gives every slot its deletion order by the table.
fn finish(graph: &mut Graph, recorded: &[SlotId]) {
    for id in recorded {
        if !graph.slots.contains_key(id) && table_row(id).is_some() {
            let mut s = slot(id.as_str(), Desired::Unwanted);
            s.wanted = false;
            graph.add(s);
        }
    }
    let ids: Vec<SlotId> = graph.slots.keys().cloned().collect();
    for (id, s) in &mut graph.slots {
        let Some(r) = table_row(id) else { continue };
        if s.imported {
            continue;
        }
        let number = id.as_str().strip_prefix(r.name).unwrap_or_default();
        s.gone_first = ids
            .iter()
            .filter(|other| *other != id)
            .filter(|other| {
                r.gone_first.iter().any(|pattern| {
                    let (dependent, pattern) = pattern
                        .strip_prefix("*/")
                        .map_or((false, *pattern), |p| (true, p));
                    let pattern = pattern.replace('#', number);
                    match other.as_str().split_once('/') {
                        Some((_, inner)) => dependent && matches(&pattern, inner),
                        None => !dependent && matches(&pattern, other.as_str()),
                    }
                })
            })
            .cloned()
            .collect();
    }
    // A Secret of ours is only held by our own slots.
    if let Some(keys) = graph.slots.get("keys").cloned() {
        let own: Vec<SlotId> = keys
            .gone_first
            .into_iter()
            .filter(|id| graph.slots.get(id).is_some_and(|s| !s.imported))
            .collect();
        if let Some(k) = graph.slots.get_mut("keys") {
            k.gone_first = own;
        }
    }
}
