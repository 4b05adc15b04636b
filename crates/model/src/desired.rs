//! What each slot's object should be, in domain types: what the executor builds requests from, and which fields are
//! compared with what was read. Handles to secrets, never values.

use crate::spec::{IpsecProfile, PeeringPort};
use ipnet::Ipv4Net;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Where a secret value is kept: a key of a Secret in the object's namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SecretHandle {
    pub secret: String,
    pub key: String,
}

/// BGP over a VXC, as the MCR speaks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct McrSession {
    pub local: Ipv4Addr,
    pub peer: Ipv4Addr,
    pub prefix_len: u8,
    pub peer_asn: u32,
    pub password: Option<SecretHandle>,
    pub bfd: bool,
    pub shutdown: bool,
    pub prepend: u8,
    pub med_out: Option<u32>,
    /// Peers on the same MCR that must not get what this one sent (12076 between ports of a circuit).
    pub deny_export_to: Vec<Ipv4Addr>,
}

/// The content of a slot.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind")]
pub enum Desired {
    /// Observed only; its ID as far as the reference gives it.
    Imported {
        id: Option<String>,
    },
    /// Recorded or found, no longer in the spec: all that is known is its ID.
    Unwanted,
    KeysSecret {
        name: String,
        keys: Vec<String>,
    },
    Router {
        name: String,
        location_id: i64,
        port_speed_mbps: u32,
        asn: u32,
        term_months: u32,
        diversity_zone: Option<String>,
        cost_centre: Option<String>,
    },
    ErGateway {
        name: String,
        sku: String,
        subnet_id: String,
    },
    VirtualPrivateGateway {
        name: String,
        amazon_asn: u32,
        /// The only VPC that it may be attached to.
        vpc_id: String,
    },
    VgwAttachment {
        vpc_id: String,
    },
    RoutePropagation {
        route_table_id: String,
    },
    DirectConnectGateway {
        name: String,
        amazon_asn: u32,
    },
    DxgwAssociation {
        allowed_prefixes: Vec<Ipv4Net>,
    },
    Circuit {
        name: String,
        service_provider: String,
        peering_location: String,
        bandwidth_mbps: u32,
        tier: String,
        family: String,
    },
    VxcAzure {
        name: String,
        /// Product UID of the router that it ends on, once known.
        router: Option<String>,
        port: PeeringPort,
        rate_limit_mbps: u32,
        term_months: u32,
        vlan: u16,
        session: McrSession,
    },
    Peering {
        peer_asn: u32,
        primary: Ipv4Net,
        secondary: Ipv4Net,
        vlan: u16,
        shared_key: Option<SecretHandle>,
    },
    ErConnection {
        name: String,
        routing_weight: u32,
        authorization_key: Option<SecretHandle>,
    },
    VxcAws {
        name: String,
        /// Product UID of the router that it ends on, once known.
        router: Option<String>,
        /// `HostedVirtualInterface` orders an AWS VIF, `HostedConnection` an AWSHC connection (megaport.md §3.5).
        hosted_connection: bool,
        rate_limit_mbps: u32,
        term_months: u32,
        vif_name: String,
        amazon_asn: Option<u32>,
        amazon_address: Ipv4Net,
        customer_address: Ipv4Net,
        auth_key: SecretHandle,
        session: McrSession,
    },
    /// Megaport makes it with its VXC, at the VXC's rate.
    HostedConnection {
        name: String,
    },
    Vif {
        name: String,
        mtu: u32,
        amazon_address: Ipv4Net,
        customer_address: Ipv4Net,
        /// For a virtual interface that we make ourselves, on a hosted connection.
        auth_key: SecretHandle,
    },
    PublicIp {
        name: String,
        zones: Vec<String>,
    },
    VpnGateway {
        name: String,
        sku: String,
        generation: String,
        asn: u32,
        subnet_id: String,
        apipa: Vec<Vec<Ipv4Addr>>,
    },
    CustomerGateway {
        name: String,
        asn: u32,
        /// Azure's end of the tunnels, once known.
        address: Option<Ipv4Addr>,
    },
    VpnConnection {
        name: String,
        tunnels: Vec<TunnelSpec>,
        ipsec: IpsecProfile,
        dpd_seconds: u32,
    },
    LocalNetworkGateway {
        name: String,
        asn: u32,
        bgp_address: Ipv4Addr,
        inside: Ipv4Net,
        /// AWS's end of the tunnel, once known.
        gateway: Option<Ipv4Addr>,
    },
    IpsecConnection {
        name: String,
        shared_key: SecretHandle,
        custom_bgp: Vec<Ipv4Addr>,
        ipsec: IpsecProfile,
        dpd_seconds: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TunnelSpec {
    pub inside: Ipv4Net,
    pub pre_shared_key: SecretHandle,
}

/// Whether a compared field can be changed on the living object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Change {
    /// By an update call, without harm to traffic.
    InPlace,
    /// By an update call that interrupts the path: only while another path is proven (design §2.3).
    Interrupting,
    /// Only by making it anew, which is refused with this remedy.
    Refused(&'static str),
}

/// One compared field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    pub name: &'static str,
    pub want: String,
    pub change: Change,
}

/// A difference between spec and cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    pub field: &'static str,
    pub want: String,
    pub have: String,
    pub change: Change,
}

/// What a read says of keys that are those of the Secrets; values never get here.
pub const KEYS_AS_GIVEN: &str = "as in the Secrets";

/// What a read says of a session's key that is the one of its virtual interface.
pub const OTHER_END_S_KEY: &str = "the virtual interface's";

/// megaport.md §8.21.
const VIF_KEY: &str = "AWS never changes the key of a virtual interface, so that sessions keep it: put it back into the Secret, or have the interface made anew with the new key (a hosted one comes with its VXC: cancel that at Megaport)";

/// Azure shows nobody the key of a peering.
const PEERING_KEY: &str = "which key Azure's peering has can not be read, so that neither end is changed: put the key that both have into the Secret, or the Secret's key into both";

/// Changes of a circuit that Azure makes in one direction only (azure.md §2.2).
fn one_way(field: &str, want: &str, have: &str) -> Option<Change> {
    let lower = |a: &str, b: &str| a.parse::<u32>().ok() < b.parse::<u32>().ok();
    match field {
        "bandwidthMbps" if lower(want, have) => Some(Change::Refused(
            "Azure raises the bandwidth of a circuit and never lowers it: set bandwidthMbps to what it is, or make a new circuit",
        )),
        "sku.family" if have == "UnlimitedData" => Some(Change::Refused(
            "Azure changes a circuit to UnlimitedData and never back: set sku.family to UnlimitedData, or make a new circuit",
        )),
        _ => None,
    }
}

const RECREATE: &str = "it can not be changed on the living object: restore it in the cloud, or delete and recreate the resource";

/// A customer gateway's address is fixed, and its connections hold it (aws.md §10).
const NEW_ADDRESS: &str = "Azure's end of the tunnel has another address than it was made for: set paused, delete its VPN connection and then it in AWS, and take paused off, and both are made anew";

/// Fields whose value is another object's. What nobody knows yet (a router that is not ordered) can not differ.
const FROM_OTHERS: [&str; 3] = ["router", "gatewayIpAddress", "ipAddress"];

fn known(address: Option<Ipv4Addr>) -> String {
    address.map(|a| a.to_string()).unwrap_or_default()
}

/// Prefixes as one sorted text, so that order never counts as drift.
pub fn prefix_list(prefixes: &[Ipv4Net]) -> String {
    let mut sorted: Vec<String> = prefixes.iter().map(|p| p.trunc().to_string()).collect();
    sorted.sort();
    sorted.dedup();
    sorted.join(",")
}

/// Addresses as one sorted text.
pub fn address_list(addresses: &[Ipv4Addr]) -> String {
    let mut sorted = addresses.to_vec();
    sorted.sort();
    sorted
        .iter()
        .map(Ipv4Addr::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

impl Desired {
    /// The compared fields. Only what the spec decides: a value that the provider filled in by itself is no drift.
    pub fn fields(&self) -> Vec<Field> {
        use Change::{InPlace, Interrupting, Refused};
        let f = |name, want: String, change| Field { name, want, change };
        let session = |s: &McrSession| {
            vec![
                // `shutdown` is not here: a session that somebody shut is theirs to start (api.md §2).
                f("peerASN", s.peer_asn.to_string(), Interrupting),
                f("bfdEnabled", s.bfd.to_string(), InPlace),
                f("asPathPrependCount", s.prepend.to_string(), InPlace),
                f("medOut", s.med_out.unwrap_or(0).to_string(), InPlace),
                f("denyExportTo", address_list(&s.deny_export_to), InPlace),
            ]
        };
        match self {
            Self::Imported { .. }
            | Self::Unwanted
            | Self::KeysSecret { .. }
            | Self::HostedConnection { .. }
            | Self::VgwAttachment { .. }
            | Self::RoutePropagation { .. } => Vec::new(),
            Self::Router {
                asn,
                port_speed_mbps,
                cost_centre,
                location_id,
                ..
            } => {
                let mut v = vec![
                    f("locationID", location_id.to_string(), Refused(RECREATE)),
                    f(
                        "asn",
                        asn.to_string(),
                        Refused(
                            "a router's ASN is fixed once a VXC is attached (megaport.md §4.5): make a new router",
                        ),
                    ),
                    f(
                        "portSpeedMbps",
                        port_speed_mbps.to_string(),
                        Refused(
                            "a router's speed is fixed for life (megaport.md §3.1): make a new router",
                        ),
                    ),
                ];
                if let Some(c) = cost_centre {
                    v.push(f("costCentre", c.clone(), InPlace));
                }
                v
            }
            Self::ErGateway { sku, subnet_id, .. } => vec![
                f("gatewayType", "ExpressRoute".to_owned(), Refused(RECREATE)),
                f("subnet", subnet_id.to_lowercase(), Refused(RECREATE)),
                f("sku", sku.clone(), Interrupting),
            ],
            Self::VirtualPrivateGateway {
                amazon_asn, vpc_id, ..
            } => vec![
                f("amazonASN", amazon_asn.to_string(), Refused(RECREATE)),
                f(
                    "vpcID",
                    vpc_id.clone(),
                    Refused(
                        "it can be attached to one VPC only: detach it from the other one, or correct the spec",
                    ),
                ),
            ],
            Self::DirectConnectGateway { amazon_asn, .. } => {
                vec![f("amazonASN", amazon_asn.to_string(), Refused(RECREATE))]
            }
            Self::DxgwAssociation { allowed_prefixes } => {
                vec![f("allowedPrefixes", prefix_list(allowed_prefixes), InPlace)]
            }
            Self::Circuit {
                peering_location,
                bandwidth_mbps,
                tier,
                family,
                service_provider,
                ..
            } => vec![
                f(
                    "serviceProviderName",
                    service_provider.clone(),
                    Refused(RECREATE),
                ),
                f(
                    "peeringLocation",
                    peering_location.clone(),
                    Refused(RECREATE),
                ),
                f("bandwidthMbps", bandwidth_mbps.to_string(), InPlace),
                f("sku.tier", tier.clone(), InPlace),
                f("sku.family", family.clone(), InPlace),
            ],
            Self::VxcAzure {
                rate_limit_mbps,
                router,
                vlan,
                session: s,
                ..
            } => {
                let mut v = vec![
                    f(
                        "router",
                        router.clone().unwrap_or_default(),
                        Refused(RECREATE),
                    ),
                    f("rateLimitMbps", rate_limit_mbps.to_string(), InPlace),
                    f("vlanID", vlan.to_string(), Interrupting),
                ];
                v.extend(session(s));
                if s.password.is_some() {
                    v.push(f("bgpKey", KEYS_AS_GIVEN.to_owned(), Refused(PEERING_KEY)));
                }
                v
            }
            Self::Peering {
                peer_asn,
                primary,
                secondary,
                vlan,
                ..
            } => vec![
                f("peerASN", peer_asn.to_string(), Interrupting),
                f("primaryPrefix", primary.trunc().to_string(), Interrupting),
                f(
                    "secondaryPrefix",
                    secondary.trunc().to_string(),
                    Interrupting,
                ),
                f("vlanID", vlan.to_string(), Interrupting),
                f("state", "Enabled".to_owned(), InPlace),
            ],
            Self::ErConnection { routing_weight, .. } => {
                vec![f("routingWeight", routing_weight.to_string(), InPlace)]
            }
            Self::VxcAws {
                rate_limit_mbps,
                hosted_connection,
                router,
                session: s,
                ..
            } => {
                let change = if *hosted_connection {
                    Refused("the rate of a hosted connection is fixed (megaport.md §3.5)")
                } else {
                    InPlace
                };
                let mut v = vec![
                    f(
                        "router",
                        router.clone().unwrap_or_default(),
                        Refused(RECREATE),
                    ),
                    f("rateLimitMbps", rate_limit_mbps.to_string(), change),
                ];
                v.extend(session(s));
                if s.password.is_some() {
                    // With another key than the virtual interface's the session is down: nothing is interrupted.
                    v.push(f("bgpKey", OTHER_END_S_KEY.to_owned(), InPlace));
                }
                v
            }
            Self::Vif {
                mtu,
                amazon_address,
                customer_address,
                ..
            } => vec![
                f("mtu", mtu.to_string(), Interrupting),
                f(
                    "amazonAddress",
                    amazon_address.to_string(),
                    Refused(RECREATE),
                ),
                f(
                    "customerAddress",
                    customer_address.to_string(),
                    Refused(RECREATE),
                ),
                f("authKey", KEYS_AS_GIVEN.to_owned(), Refused(VIF_KEY)),
            ],
            Self::PublicIp { .. } => Vec::new(),
            Self::VpnGateway {
                sku,
                asn,
                apipa,
                generation,
                subnet_id,
                ..
            } => {
                let mut v = vec![
                    f("gatewayType", "Vpn".to_owned(), Refused(RECREATE)),
                    f("generation", generation.clone(), Refused(RECREATE)),
                    f("subnet", subnet_id.to_lowercase(), Refused(RECREATE)),
                    f("activeActive", "true".to_owned(), Refused(RECREATE)),
                    f("sku", sku.clone(), Interrupting),
                    f("asn", asn.to_string(), Refused(RECREATE)),
                ];
                for (name, list) in ["apipa0", "apipa1"].into_iter().zip(apipa) {
                    v.push(f(name, address_list(list), Interrupting));
                }
                v
            }
            Self::CustomerGateway { asn, address, .. } => vec![
                f("bgpASN", asn.to_string(), Refused(RECREATE)),
                f("ipAddress", known(*address), Refused(NEW_ADDRESS)),
            ],
            Self::VpnConnection {
                tunnels,
                dpd_seconds,
                ipsec,
                ..
            } => vec![
                f("ipsecPolicy", ipsec.azure_text(), Interrupting),
                f(
                    "insideCIDRs",
                    prefix_list(&tunnels.iter().map(|t| t.inside).collect::<Vec<_>>()),
                    Refused(RECREATE),
                ),
                f("preSharedKeys", KEYS_AS_GIVEN.to_owned(), Interrupting),
                f("dpdTimeoutSeconds", dpd_seconds.to_string(), Interrupting),
            ],
            Self::LocalNetworkGateway {
                asn,
                bgp_address,
                gateway,
                ..
            } => vec![
                // A tunnel to another address than AWS's carries nothing, so that there is nothing to interrupt.
                f("gatewayIpAddress", known(*gateway), InPlace),
                f("asn", asn.to_string(), Interrupting),
                f("bgpPeeringAddress", bgp_address.to_string(), Interrupting),
            ],
            Self::IpsecConnection {
                custom_bgp,
                ipsec,
                dpd_seconds,
                ..
            } => vec![
                f("enableBgp", "true".to_owned(), Interrupting),
                f("dpdTimeoutSeconds", dpd_seconds.to_string(), Interrupting),
                f(
                    "gatewayCustomBgpIpAddresses",
                    address_list(custom_bgp),
                    Interrupting,
                ),
                f("ipsecPolicy", ipsec.azure_text(), Interrupting),
            ],
        }
    }

    /// Where `have` differs from what this should be, in the order of [`Desired::fields`].
    pub fn drift(&self, have: &BTreeMap<String, String>) -> Vec<Drift> {
        self.fields()
            .into_iter()
            .filter(|f| !(f.want.is_empty() && FROM_OTHERS.contains(&f.name)))
            .filter_map(|f| {
                let h = have.get(f.name)?;
                (*h != f.want).then(|| Drift {
                    field: f.name,
                    change: one_way(f.name, &f.want, h).unwrap_or(f.change),
                    want: f.want,
                    have: h.clone(),
                })
            })
            .collect()
    }

    /// The MCR's BGP session, of a VXC.
    pub fn session(&self) -> Option<&McrSession> {
        match self {
            Self::VxcAzure { session, .. } | Self::VxcAws { session, .. } => Some(session),
            _ => None,
        }
    }

    /// The object's name in its cloud, where it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::KeysSecret { name, .. }
            | Self::Router { name, .. }
            | Self::ErGateway { name, .. }
            | Self::VirtualPrivateGateway { name, .. }
            | Self::DirectConnectGateway { name, .. }
            | Self::Circuit { name, .. }
            | Self::VxcAzure { name, .. }
            | Self::ErConnection { name, .. }
            | Self::VxcAws { name, .. }
            | Self::HostedConnection { name }
            | Self::Vif { name, .. }
            | Self::PublicIp { name, .. }
            | Self::VpnGateway { name, .. }
            | Self::CustomerGateway { name, .. }
            | Self::VpnConnection { name, .. }
            | Self::LocalNetworkGateway { name, .. }
            | Self::IpsecConnection { name, .. } => Some(name),
            _ => None,
        }
    }
}
