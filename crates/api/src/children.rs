//! What an interconnect's entries become: names and specs of its links. Pure functions; the operator applies the result.

use crate::azure::LinkAzure;
use crate::common::{
    AzureGatewayRef, DirectConnectGatewayRef, InterconnectRef, InterconnectRouterRef,
    LinkRouteContract, RouterRef, VirtualPrivateGatewayRef,
};
use crate::directconnect::DirectConnectLinkSpec;
use crate::expressroute::{ExpressRouteAzure, ExpressRouteLinkSpec, Port};
use crate::interconnect::{DirectConnectEntry, ExpressRouteEntry, HybridInterconnect, VpnEntry};
use crate::vpn::VpnPairSpec;

/// Name of the ExpressRouteLink that an interconnect makes for an entry.
pub fn express_route_name(interconnect: &str, entry: &str) -> String {
    format!("{interconnect}-er-{entry}")
}

/// Name of the DirectConnectLink that an interconnect makes for an entry.
pub fn direct_connect_name(interconnect: &str, entry: &str) -> String {
    format!("{interconnect}-dx-{entry}")
}

/// Name of the VpnPair that an interconnect makes.
pub fn vpn_name(interconnect: &str) -> String {
    format!("{interconnect}-vpn")
}

/// The short words that stand for the kinds in names of reports and key Secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KindPrefix {
    /// HybridInterconnect.
    Hi,
    /// ExpressRouteLink.
    Er,
    /// DirectConnectLink.
    Dx,
    /// VpnPair.
    Vpn,
}

impl KindPrefix {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hi => "hi",
            Self::Er => "er",
            Self::Dx => "dx",
            Self::Vpn => "vpn",
        }
    }

    /// Name of the RouteReport of the object `name`.
    pub fn report_name(self, name: &str) -> String {
        format!("{}-{name}", self.as_str())
    }

    /// Name of the Secret with the generated keys of the link `name`.
    pub fn keys_secret_name(self, name: &str) -> String {
        format!("{}-{name}-keys", self.as_str())
    }
}

impl ExpressRouteEntry {
    /// Name of the link: the one that is taken over, or the one that is made.
    pub fn link_name(&self, interconnect: &str) -> String {
        self.adopt_link
            .clone()
            .unwrap_or_else(|| express_route_name(interconnect, &self.name))
    }
}

impl DirectConnectEntry {
    /// Name of the link: the one that is taken over, or the one that is made.
    pub fn link_name(&self, interconnect: &str) -> String {
        self.adopt_link
            .clone()
            .unwrap_or_else(|| direct_connect_name(interconnect, &self.name))
    }
}

impl VpnEntry {
    /// Name of the pair: the one that is taken over, or the one that is made.
    pub fn link_name(&self, interconnect: &str) -> String {
        self.adopt_link
            .clone()
            .unwrap_or_else(|| vpn_name(interconnect))
    }
}

impl HybridInterconnect {
    fn own_name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    fn reference(&self) -> InterconnectRef {
        InterconnectRef {
            name: self.own_name().to_owned(),
        }
    }

    fn router(&self, router: &str) -> RouterRef {
        RouterRef {
            hybrid_interconnect: Some(InterconnectRouterRef {
                name: self.own_name().to_owned(),
                router: router.to_owned(),
            }),
            product_uid: None,
        }
    }

    /// The contract that a link gets from its parent: the prefixes that the parent names, or their defaults.
    fn link_contract(&self) -> LinkRouteContract {
        self.spec.routes.prefixes.clone()
    }

    /// Spec of the ExpressRouteLink for an entry of `spec.expressRoutes`. `None` where the interconnect lacks `megaport`,
    /// which the schema refuses.
    pub fn child_express_route(&self, entry: &ExpressRouteEntry) -> Option<ExpressRouteLinkSpec> {
        let spec = &self.spec;
        Some(ExpressRouteLinkSpec {
            policy: spec.policy.clone(),
            azure: ExpressRouteAzure {
                account: spec.azure.account.clone(),
                virtual_network_ref: Some(spec.azure.virtual_network_ref.clone()),
                observed_network_interfaces: spec.azure.observed_network_interfaces.clone(),
            },
            megaport: spec.megaport.as_ref()?.account.clone(),
            circuit: Some(entry.circuit.clone()),
            circuit_ref: None,
            peering: entry.peering.clone(),
            ports: entry
                .ports
                .iter()
                .map(|port| Port {
                    name: port.name,
                    router_ref: self.router(&port.router),
                    settings: port.settings.clone(),
                })
                .collect(),
            gateway: None,
            gateway_ref: Some(AzureGatewayRef {
                hybrid_interconnect: Some(self.reference()),
                ..AzureGatewayRef::default()
            }),
            connection: entry.connection.clone(),
            routes: Some(self.link_contract()),
        })
    }

    /// Spec of the DirectConnectLink for an entry of `spec.directConnects`. `None` where the interconnect lacks `megaport`,
    /// which the schema refuses.
    pub fn child_direct_connect(
        &self,
        entry: &DirectConnectEntry,
    ) -> Option<DirectConnectLinkSpec> {
        let spec = &self.spec;
        Some(DirectConnectLinkSpec {
            policy: spec.policy.clone(),
            aws: spec.aws.account.clone(),
            megaport: spec.megaport.as_ref()?.account.clone(),
            router_ref: self.router(&entry.router),
            settings: entry.settings.clone(),
            gateway: None,
            association: None,
            gateway_ref: Some(DirectConnectGatewayRef {
                hybrid_interconnect: Some(self.reference()),
                ..DirectConnectGatewayRef::default()
            }),
            routes: Some(self.link_contract()),
        })
    }

    /// Spec of the VpnPair for `spec.vpn`.
    pub fn child_vpn(&self, entry: &VpnEntry) -> VpnPairSpec {
        let spec = &self.spec;
        VpnPairSpec {
            policy: spec.policy.clone(),
            azure: LinkAzure {
                account: spec.azure.account.clone(),
                observed_network_interfaces: spec.azure.observed_network_interfaces.clone(),
            },
            aws: spec.aws.account.clone(),
            virtual_network_ref: spec.azure.virtual_network_ref.clone(),
            virtual_private_gateway_ref: VirtualPrivateGatewayRef {
                hybrid_interconnect: Some(self.reference()),
                ..VirtualPrivateGatewayRef::default()
            },
            gateway: Some(entry.gateway.clone()),
            gateway_ref: None,
            settings: entry.settings.clone(),
            routes: Some(self.link_contract()),
        }
    }
}
