//! The world that a sandbox starts with. `Default` is the lab's (lab.md), with the IDs of `config/samples/lab.yaml`.

use crate::throttle::Limit;
use crate::{arm, aws, megaport};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An end point for traces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    pub name: String,
    pub provider: crate::wire::Provider,
    pub address: std::net::Ipv4Addr,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct World {
    pub azure: arm::world::AzureWorld,
    pub aws: aws::world::AwsWorld,
    pub megaport: megaport::world::MegaportWorld,
    pub hosts: Vec<Host>,
    /// Delays, limits and underlay addresses of the network between the clouds.
    pub network: crate::net::world::NetWorld,
    /// Overrides of operation durations in simulated seconds, by name (the names are listed in docs/sandbox.md).
    pub durations: BTreeMap<String, f64>,
    /// Fraction by which durations vary, 0 to 1.
    pub jitter: f64,
    /// Upper bounds of read lag in simulated seconds: `megaport`, `ec2`, `directconnect`, `arm`. At most half of what
    /// the operator allows for (design §2.1): 150, 60, 60, 30.
    pub lags: BTreeMap<String, f64>,
    /// Overrides of the providers' token buckets, by name ([`crate::throttle::LIMITS`]); `burst` 0 switches one off.
    pub throttles: BTreeMap<String, Limit>,
}

impl Default for World {
    fn default() -> Self {
        use crate::wire::Provider::{Aws, Azure};
        let host = |name: &str, provider, address: [u8; 4]| Host {
            name: name.into(),
            provider,
            address: address.into(),
        };
        Self {
            azure: arm::world::AzureWorld::default(),
            aws: aws::world::AwsWorld::default(),
            megaport: megaport::world::MegaportWorld::default(),
            hosts: vec![
                host("vm", Azure, [172, 29, 0, 10]),
                host("ec2", Aws, [172, 16, 0, 10]),
            ],
            network: crate::net::world::NetWorld::default(),
            durations: BTreeMap::new(),
            jitter: 0.1,
            lags: [
                ("megaport", 12.0),
                ("ec2", 4.0),
                ("directconnect", 6.0),
                ("arm", 3.0),
            ]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect(),
            throttles: BTreeMap::new(),
        }
    }
}
