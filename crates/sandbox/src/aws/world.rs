//! AWS's part of the world file: who may call, the regions, what exists at the start, quotas. Plain data; the default
//! is the lab's account (lab.md, contract.md §3).

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A user's long-lived access key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessKey {
    #[serde(rename = "accessKeyID")]
    pub access_key_id: String,
    pub secret_access_key: String,
    /// The name under which its calls are logged: `causeway`, `human`, or another.
    pub principal: String,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey")
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &"***")
            .field("principal", &self.principal)
            .finish()
    }
}

/// A role that may be assumed, with keys or with a web identity token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// The name after `role/`.
    pub name: String,
    pub principal: String,
    #[serde(default, rename = "externalID")]
    pub external_id: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subnet {
    pub id: String,
    pub cidr: Ipv4Net,
    pub availability_zone: String,
}

/// A static route; `target` is a gateway's ID such as `igw-…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StaticRoute {
    pub destination: Ipv4Net,
    pub target: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteTable {
    pub id: String,
    /// The VPC's main table: used by subnets without a table of their own.
    #[serde(default)]
    pub main: bool,
    /// IDs of the subnets that are associated explicitly.
    #[serde(default)]
    pub subnets: Vec<String>,
    #[serde(default)]
    pub routes: Vec<StaticRoute>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Instance {
    pub id: String,
    pub subnet: String,
    pub address: Ipv4Addr,
    #[serde(default)]
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vpc {
    pub id: String,
    pub region: String,
    /// The first one is the primary CIDR block.
    pub cidrs: Vec<Ipv4Net>,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub subnets: Vec<Subnet>,
    #[serde(default)]
    pub route_tables: Vec<RouteTable>,
    #[serde(default)]
    pub instances: Vec<Instance>,
}

/// Service quotas (aws.md §1.9, §2.8), per region unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Quotas {
    pub vpn_gateways: usize,
    pub customer_gateways: usize,
    pub vpn_connections: usize,
    pub vpn_connections_per_gateway: usize,
    /// Per account.
    pub direct_connect_gateways: usize,
    pub virtual_gateways_per_direct_connect_gateway: usize,
    pub virtual_interfaces_per_direct_connect_gateway: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            vpn_gateways: 5,
            customer_gateways: 50,
            vpn_connections: 50,
            vpn_connections_per_gateway: 10,
            direct_connect_gateways: 200,
            virtual_gateways_per_direct_connect_gateway: 20,
            virtual_interfaces_per_direct_connect_gateway: 30,
        }
    }
}

/// A place where Direct Connect is available.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Location {
    pub code: String,
    pub name: String,
    pub region: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AwsWorld {
    /// Twelve digits.
    #[serde(rename = "accountID")]
    pub account_id: String,
    /// The region of the world's main VPC.
    pub region: String,
    /// Regions that exist; requests signed for another are refused.
    pub regions: Vec<String>,
    pub access_keys: Vec<AccessKey>,
    pub roles: Vec<Role>,
    pub vpcs: Vec<Vpc>,
    pub locations: Vec<Location>,
    pub quotas: Quotas,
    /// Whether a VPN connection that is being modified shows AWS's state `modifying`, which the published model lacks
    /// (aws.md §2.4). Off, it shows `pending`, so that every answer conforms to the model.
    pub unmodelled_states: bool,
}

impl AwsWorld {
    /// The first access key of a principal.
    pub fn key_of(&self, principal: &str) -> Option<&AccessKey> {
        self.access_keys.iter().find(|k| k.principal == principal)
    }
    /// The world's main VPC: the first one.
    pub fn main_vpc(&self) -> Option<&Vpc> {
        self.vpcs.first()
    }
    /// The first subnet of the main VPC.
    pub fn main_subnet(&self) -> Option<&Subnet> {
        self.main_vpc()?.subnets.first()
    }
    /// The route table that the main subnet uses.
    pub fn main_route_table(&self) -> Option<&RouteTable> {
        let (vpc, subnet) = (self.main_vpc()?, self.main_subnet()?);
        vpc.route_tables
            .iter()
            .find(|t| t.subnets.contains(&subnet.id))
            .or_else(|| vpc.route_tables.iter().find(|t| t.main))
    }
}

impl Default for AwsWorld {
    fn default() -> Self {
        let net = |a: u8, b: u8, c: u8, d: u8, len: u8| {
            Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), len)
        };
        let location = |code: &str, name: &str| Location {
            code: code.into(),
            name: name.into(),
            region: "us-east-1".into(),
        };
        Self {
            account_id: "111122223333".into(),
            region: "us-east-1".into(),
            regions: ["us-east-1", "us-east-2", "us-west-2", "eu-central-1"]
                .map(String::from)
                .to_vec(),
            access_keys: vec![
                AccessKey {
                    access_key_id: "AKIACAUSEWAYLAB00001".into(),
                    secret_access_key: "lab/causeway+secret0access0key0000000001".into(),
                    principal: "causeway".into(),
                },
                AccessKey {
                    access_key_id: "AKIACAUSEWAYLAB00002".into(),
                    secret_access_key: "lab/human+secret0access0key0000000000002".into(),
                    principal: "human".into(),
                },
            ],
            roles: vec![Role {
                name: "causeway".into(),
                principal: "causeway".into(),
                external_id: None,
            }],
            vpcs: vec![Vpc {
                id: "vpc-0a1b2c3d4e5f60718".into(),
                region: "us-east-1".into(),
                cidrs: vec![net(172, 16, 0, 0, 16)],
                name: "vpc".into(),
                subnets: vec![Subnet {
                    id: "subnet-0a1b2c3d4e5f60718".into(),
                    cidr: net(172, 16, 0, 0, 24),
                    availability_zone: "us-east-1a".into(),
                }],
                route_tables: vec![
                    RouteTable {
                        id: "rtb-0f0e0d0c0b0a09080".into(),
                        main: true,
                        subnets: vec![],
                        routes: vec![],
                    },
                    RouteTable {
                        id: "rtb-0a1b2c3d4e5f60718".into(),
                        main: false,
                        subnets: vec!["subnet-0a1b2c3d4e5f60718".into()],
                        routes: vec![StaticRoute {
                            destination: net(0, 0, 0, 0, 0),
                            target: "igw-0a1b2c3d4e5f60718".into(),
                        }],
                    },
                ],
                instances: vec![Instance {
                    id: "i-0a1b2c3d4e5f60718".into(),
                    subnet: "subnet-0a1b2c3d4e5f60718".into(),
                    address: Ipv4Addr::new(172, 16, 0, 10),
                    name: "ec2".into(),
                }],
            }],
            locations: vec![
                location("EqDC2", "Equinix DC2/DC11, Ashburn, VA, USA"),
                location("EqDA2", "Equinix DA1-DA3, DA6, Dallas, TX, USA"),
                location("CSVA1", "CoreSite VA1, Reston, VA, USA"),
            ],
            quotas: Quotas::default(),
            unmodelled_states: false,
        }
    }
}
