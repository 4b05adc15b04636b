//! Megaport's part of the world file: the company's API keys, the locations, and the ports of cloud providers.
//! `Default` is the lab's.

use super::secret::Secret;
use serde::{Deserialize, Serialize};

/// An API key (megaport.md §1.2).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKey {
    pub access_key: String,
    pub secret_key: Secret,
    /// Who calls with it, as the call log names them.
    pub principal: String,
    /// The role is Read Only and not Company Admin: changes are refused.
    #[serde(default)]
    pub read_only: bool,
}

/// What can be ordered in one diversity zone of a location.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Zone {
    pub mcr_speed_mbps: Vec<u32>,
    pub megaport_speed_mbps: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Location {
    pub id: u32,
    pub name: String,
    pub metro: String,
    /// `US`, `AU`, …
    pub market: String,
    /// `Active`, `Deployment`, `Restricted`, `Extended`, `New`, `Expired`; only `Active` is orderable (§2.1).
    pub status: String,
    pub city: String,
    pub state: String,
    pub country: String,
    pub data_centre: String,
    #[serde(default)]
    pub red: Option<Zone>,
    #[serde(default)]
    pub blue: Option<Zone>,
}

/// A partner port of AWS (§2.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsPort {
    /// `AWS` or `AWSHC`.
    pub connect_type: String,
    pub product_uid: String,
    pub title: String,
    pub location_id: u32,
    /// `red` or `blue`.
    pub diversity_zone: String,
    /// Mbps.
    pub speed: u32,
    pub rank: u32,
    pub vxc_permitted: bool,
    /// AWS region and Direct Connect location that the port leads to.
    pub region: String,
    pub direct_connect_location: String,
}

/// The pair of Microsoft edge ports of one peering location (§2.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzurePorts {
    /// As ARM names it: `Washington DC2`.
    pub peering_location: String,
    pub location_id: u32,
    pub primary_uid: String,
    pub secondary_uid: String,
    /// Mbps.
    pub speed: u32,
}

/// Monthly prices of a simple price book, in the company's currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Prices {
    pub currency: String,
    /// Per MCR, by its speed in Mbps.
    pub mcr: Vec<(u32, f64)>,
    /// Per VXC, and per Mbps of its rate limit.
    pub vxc: f64,
    pub vxc_per_mbps: f64,
    /// Per IPsec add-on.
    pub ip_sec: f64,
    /// Discounts by term in months, as fractions.
    pub term_discounts: Vec<(u32, f64)>,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            currency: "USD".into(),
            mcr: vec![
                (1000, 400.0),
                (2500, 600.0),
                (5000, 900.0),
                (10_000, 1400.0),
            ],
            vxc: 20.0,
            vxc_per_mbps: 0.4,
            ip_sec: 200.0,
            term_discounts: vec![
                (1, 0.0),
                (12, 0.1),
                (24, 0.15),
                (36, 0.2),
                (48, 0.22),
                (60, 0.25),
            ],
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MegaportWorld {
    pub causeway: ApiKey,
    pub human: ApiKey,
    /// Lifetime of access tokens in real seconds (§13.4).
    pub token_seconds: u64,
    pub company_uid: String,
    pub company_name: String,
    /// The location that the sample uses.
    pub location_id: u32,
    pub locations: Vec<Location>,
    pub aws_ports: Vec<AwsPort>,
    pub azure_ports: Vec<AzurePorts>,
    /// The peering location that the sample uses.
    pub azure_peering_location: String,
    pub prices: Prices,
}

impl MegaportWorld {
    /// UIDs of the AWS ports, the sample's location first: `awsPortUIDs` of `world.json` (contract §3).
    pub fn aws_port_uids(&self) -> Vec<String> {
        let mut ports: Vec<&AwsPort> = self.aws_ports.iter().filter(|p| p.vxc_permitted).collect();
        ports.sort_by_key(|p| (p.location_id != self.location_id, p.connect_type.clone()));
        ports.into_iter().map(|p| p.product_uid.clone()).collect()
    }

    pub fn location(&self, id: u32) -> Option<&Location> {
        self.locations.iter().find(|l| l.id == id)
    }
}

impl Default for MegaportWorld {
    fn default() -> Self {
        let key = |access: &str, secret: &str, principal: &str| ApiKey {
            access_key: access.into(),
            secret_key: Secret::new(secret),
            principal: principal.into(),
            read_only: false,
        };
        Self {
            causeway: key("mp-key-causeway", "mp-secret-causeway-0c1d2e3f", "causeway"),
            human: key("mp-key-human", "mp-secret-human-4a5b6c7d", "human"),
            token_seconds: 3600,
            company_uid: "c0ffee00-0000-4000-8000-000000000067".into(),
            company_name: "Example Networks".into(),
            location_id: 67,
            locations: locations(),
            aws_ports: aws_ports(),
            azure_ports: azure_ports(),
            azure_peering_location: "Washington DC2".into(),
            prices: Prices::default(),
        }
    }
}

/// At least ten locations, some in Australia, one NextDC-like, some that can not take an order (§13.13).
fn locations() -> Vec<Location> {
    const ALL: &[u32] = &[1000, 2500, 5000, 10_000];
    const SMALL: &[u32] = &[1000, 2500];
    let zone = |speeds: &[u32]| {
        (!speeds.is_empty()).then(|| Zone {
            mcr_speed_mbps: speeds.to_vec(),
            megaport_speed_mbps: vec![1000, 10_000, 100_000],
        })
    };
    let at = |id, name: &str, place: [&str; 5], status: &str, red: &[u32], blue: &[u32]| Location {
        id,
        name: name.into(),
        metro: place[0].into(),
        market: place[1].into(),
        status: status.into(),
        city: place[2].into(),
        state: place[3].into(),
        country: place[4].into(),
        data_centre: name.split(' ').next().unwrap_or(name).into(),
        red: zone(red),
        blue: zone(blue),
    };
    let ashburn = ["Ashburn", "US", "Ashburn", "VA", "USA"];
    let sydney = ["Sydney", "AU", "Sydney", "NSW", "Australia"];
    let brisbane = ["Brisbane", "AU", "Brisbane", "QLD", "Australia"];
    vec![
        at(3, "Global Switch Sydney West", sydney, "Active", ALL, SMALL),
        at(5, "NextDC B1", brisbane, "Active", SMALL, SMALL),
        at(6, "NextDC B2", brisbane, "Active", SMALL, &[]),
        at(
            65,
            "CoreSite VA1",
            ["Reston", "US", "Reston", "VA", "USA"],
            "Active",
            ALL,
            ALL,
        ),
        at(67, "Equinix DC2", ashburn, "Active", ALL, ALL),
        at(68, "Equinix DC6", ashburn, "Restricted", ALL, &[]),
        at(75, "Equinix SY3", sydney, "Active", ALL, ALL),
        at(
            88,
            "Equinix FR5",
            ["Frankfurt", "DE", "Frankfurt", "HE", "Germany"],
            "Active",
            ALL,
            ALL,
        ),
        at(
            90,
            "Digital Realty LHR19",
            ["London", "GB", "London", "", "United Kingdom"],
            "Active",
            ALL,
            ALL,
        ),
        at(
            117,
            "Equinix SV1",
            ["San Jose", "US", "San Jose", "CA", "USA"],
            "Active",
            ALL,
            ALL,
        ),
        at(
            226,
            "Digital Realty ATL1",
            ["Atlanta", "US", "Atlanta", "GA", "USA"],
            "Active",
            ALL,
            &[],
        ),
        at(
            311,
            "NextDC M3",
            ["Melbourne", "AU", "Melbourne", "VIC", "Australia"],
            "Deployment",
            &[],
            &[],
        ),
        at(
            402,
            "Cologix MTL3",
            ["Montreal", "CA", "Montreal", "QC", "Canada"],
            "Active",
            &[],
            &[],
        ),
    ]
}

fn aws_ports() -> Vec<AwsPort> {
    let port =
        |uid: &str, kind: &str, site: (u32, &str, &str, &str), zone: &str, rank, ok| AwsPort {
            connect_type: kind.into(),
            product_uid: uid.into(),
            title: site.1.into(),
            location_id: site.0,
            diversity_zone: zone.into(),
            speed: if kind == "AWS" { 10_000 } else { 100_000 },
            rank,
            vxc_permitted: ok,
            region: site.2.into(),
            direct_connect_location: site.3.into(),
        };
    let virginia = (
        67,
        "US East (N. Virginia) (us-east-1)",
        "us-east-1",
        "EqDC2",
    );
    let reston = (
        65,
        "US East (N. Virginia) (us-east-1)",
        "us-east-1",
        "CSVA1",
    );
    let sydney = (
        75,
        "Asia Pacific (Sydney) (ap-southeast-2)",
        "ap-southeast-2",
        "EqSY3",
    );
    vec![
        port(
            "a0a00000-0000-4000-8000-000000000001",
            "AWS",
            virginia,
            "red",
            10,
            true,
        ),
        port(
            "a0a00000-0000-4000-8000-000000000002",
            "AWS",
            virginia,
            "blue",
            20,
            true,
        ),
        port(
            "a0a00000-0000-4000-8000-000000000003",
            "AWSHC",
            virginia,
            "red",
            10,
            true,
        ),
        port(
            "a0a00000-0000-4000-8000-000000000004",
            "AWSHC",
            virginia,
            "blue",
            20,
            true,
        ),
        port(
            "a0a00000-0000-4000-8000-000000000005",
            "AWS",
            reston,
            "red",
            30,
            true,
        ),
        port(
            "a0a00000-0000-4000-8000-000000000006",
            "AWSHC",
            reston,
            "red",
            30,
            true,
        ),
        port(
            "a0a00000-0000-4000-8000-000000000007",
            "AWS",
            virginia,
            "red",
            5,
            false,
        ),
        port(
            "a0a00000-0000-4000-8000-000000000008",
            "AWS",
            sydney,
            "red",
            10,
            true,
        ),
        port(
            "a0a00000-0000-4000-8000-000000000009",
            "AWSHC",
            sydney,
            "red",
            10,
            true,
        ),
        port(
            "a0a00000-0000-4000-8000-00000000000a",
            "AWS",
            sydney,
            "blue",
            20,
            true,
        ),
        port(
            "a0a00000-0000-4000-8000-00000000000b",
            "AWSHC",
            sydney,
            "blue",
            20,
            true,
        ),
    ]
}

fn azure_ports() -> Vec<AzurePorts> {
    let pair = |place: &str, location_id, n: u32| AzurePorts {
        peering_location: place.into(),
        location_id,
        primary_uid: format!("a2b00000-0000-4000-8000-{:012x}", 2 * n - 1),
        secondary_uid: format!("a2b00000-0000-4000-8000-{:012x}", 2 * n),
        speed: 10_000,
    };
    vec![
        pair("Washington DC2", 67, 1),
        pair("Washington DC", 65, 2),
        pair("Silicon Valley", 117, 3),
        pair("Sydney", 75, 4),
        pair("Frankfurt", 88, 5),
        pair("London", 90, 6),
    ]
}
