//! ARM resource IDs: built here, compared without case (the service answers in mixed casing, azure.md §0).

use std::fmt;
use std::hash::{Hash, Hasher};

/// An ARM resource ID, such as `/subscriptions/…/providers/Microsoft.Network/expressRouteCircuits/to-megaport`.
#[derive(Clone)]
pub struct ResourceId(String);

impl ResourceId {
    /// An ID as somebody else spells it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into().trim_end_matches('/').to_owned())
    }

    /// A Microsoft.Network resource.
    pub fn network(subscription: &str, resource_group: &str, kind: &str, name: &str) -> Self {
        Self(format!(
            "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.Network/{kind}/{name}"
        ))
    }
    pub fn circuit(subscription: &str, resource_group: &str, name: &str) -> Self {
        Self::network(subscription, resource_group, "expressRouteCircuits", name)
    }
    pub fn gateway(subscription: &str, resource_group: &str, name: &str) -> Self {
        Self::network(subscription, resource_group, "virtualNetworkGateways", name)
    }
    pub fn connection(subscription: &str, resource_group: &str, name: &str) -> Self {
        Self::network(subscription, resource_group, "connections", name)
    }
    pub fn local_gateway(subscription: &str, resource_group: &str, name: &str) -> Self {
        Self::network(subscription, resource_group, "localNetworkGateways", name)
    }
    pub fn public_ip(subscription: &str, resource_group: &str, name: &str) -> Self {
        Self::network(subscription, resource_group, "publicIPAddresses", name)
    }
    pub fn virtual_network(subscription: &str, resource_group: &str, name: &str) -> Self {
        Self::network(subscription, resource_group, "virtualNetworks", name)
    }
    pub fn network_interface(subscription: &str, resource_group: &str, name: &str) -> Self {
        Self::network(subscription, resource_group, "networkInterfaces", name)
    }

    pub fn child(&self, kind: &str, name: &str) -> Self {
        Self(format!("{}/{kind}/{name}", self.0))
    }
    /// The private peering of a circuit.
    pub fn private_peering(&self) -> Self {
        self.child("peerings", "AzurePrivatePeering")
    }
    /// The subnet that gateways live in.
    pub fn gateway_subnet(&self) -> Self {
        self.child("subnets", "GatewaySubnet")
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
    /// The segment after `key` (`subscriptions`, `resourceGroups`), compared without case.
    fn after(&self, key: &str) -> Option<&str> {
        let mut parts = self.0.split('/');
        parts.find(|p| p.eq_ignore_ascii_case(key))?;
        parts.next().filter(|p| !p.is_empty())
    }
    pub fn subscription(&self) -> Option<&str> {
        self.after("subscriptions")
    }
    pub fn resource_group(&self) -> Option<&str> {
        self.after("resourceGroups")
    }
    /// What the resource is, without the provider: `expressRouteCircuits`, `expressRouteCircuits/peerings`.
    pub fn kind(&self) -> String {
        let tail = self.tail();
        let kinds: Vec<&str> = tail.split('/').step_by(2).collect();
        kinds.join("/")
    }
    /// Type and name without subscription and group, as people look for it: `expressRouteCircuits/to-megaport`.
    pub fn tail(&self) -> &str {
        let lower = self.0.to_ascii_lowercase();
        match lower.find("/providers/") {
            Some(at) => {
                let rest = &self.0[at + "/providers/".len()..];
                rest.split_once('/').map_or(rest, |(_, tail)| tail)
            }
            None => self.0.trim_start_matches('/'),
        }
    }

    /// Why this text cannot be part of a URL, if so: an ID may come from a custom resource, and must not reach another
    /// path, add a query or climb out of its scope.
    pub fn defect(&self) -> Option<&'static str> {
        if !self.0.starts_with("/subscriptions/") && !self.0.starts_with("/Subscriptions/") {
            return Some("it does not start with /subscriptions/");
        }
        if self
            .0
            .chars()
            .any(|c| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '(' | ')')))
        {
            return Some("it has characters that no resource ID of Microsoft.Network has");
        }
        if self
            .0
            .split('/')
            .skip(1)
            .any(|p| p.is_empty() || p == "." || p == "..")
        {
            return Some("it has an empty or relative segment");
        }
        None
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for ResourceId {}
impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, h: &mut H) {
        self.0.to_ascii_lowercase().hash(h);
    }
}
impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_compare_without_case_and_take_apart() {
        let id = ResourceId::circuit("s-1", "vpn-rg", "to-megaport").private_peering();
        assert_eq!(id, ResourceId::new(id.as_str().to_uppercase()));
        assert_eq!(
            id.tail(),
            "expressRouteCircuits/to-megaport/peerings/AzurePrivatePeering"
        );
        assert_eq!(id.kind(), "expressRouteCircuits/peerings");
        assert_eq!(
            (id.subscription(), id.resource_group()),
            (Some("s-1"), Some("vpn-rg"))
        );
        assert_eq!(id.defect(), None);
    }

    #[test]
    fn ids_that_would_leave_their_path_are_refused() {
        for bad in [
            "/subscriptions/s/../../x",
            "/subscriptions/s?x=y",
            "/subscriptions/s//x",
            "https://evil.example/subscriptions/s",
            "/subscriptions/s/resourceGroups/a b",
        ] {
            assert!(ResourceId::new(bad).defect().is_some(), "{bad}");
        }
    }
}
