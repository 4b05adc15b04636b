//! The Megaport side: account and routers (MCRs).
//!
//! What is sold and what can change comes from megaport.md §3.1, §4.3.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{ProductRef, SecretRef};
use crate::rules;

/// ASN that Megaport gives to a router when the order names none.
pub const DEFAULT_ROUTER_ASN: i64 = 133_937;

/// Default contract term.
pub(crate) const fn one_month() -> i64 {
    1
}

/// As whom products are ordered at Megaport.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MegaportAccount {
    /// Secret with the keys accessKey and secretKey of a Megaport API key. Can be changed to another key of the same
    /// company at any time.
    pub credentials_secret_ref: SecretRef,
    /// Cost centre (service level reference) that Megaport prints on the invoice, up to 255 characters. Default none. Can
    /// be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub cost_centre: Option<String>,
}

/// One of the two independent halves of a Megaport location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DiversityZone {
    /// The red zone.
    #[default]
    Red,
    /// The blue zone.
    Blue,
}

impl DiversityZone {
    /// The word that Megaport's API uses.
    pub const fn as_api(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Blue => "blue",
        }
    }
}

/// A Megaport Cloud Router (MCR): one that Causeway orders, changes and cancels, or, with ref, one that exists already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::rule(
        "has(self.ref) ? !has(self.locationID) && !has(self.portSpeedMbps) && !has(self.asn) && !has(self.termMonths) && \
         !has(self.diversityZone) && !has(self.productName) && !has(self.adoptID) : has(self.locationID) && has(self.portSpeedMbps)",
        "a router needs either locationID and portSpeedMbps (Causeway orders it) or only ref (it exists already, is used and \
         never changed)"
    ),
    validation = rules::immutable_optional("ref", "an existing router cannot become an ordered one or the reverse; add a router under another name and move the links to it"),
    validation = rules::router_immutable("locationID", "a router cannot move; add a router under another name and move the links to it"),
    validation = rules::router_immutable("portSpeedMbps", "the speed of a router is fixed for its life; add a router under another name and move the links to it"),
    validation = rules::router_immutable("diversityZone", "a router cannot move; add a router under another name and move the links to it"),
    validation = rules::router_immutable("asn", "Megaport refuses to change the ASN of a router with links; add a router under another name and move the links to it"),
    validation = rules::transition(
        "!has(oldSelf.termMonths) || !has(self.termMonths) || self.termMonths >= oldSelf.termMonths",
        "a running contract cannot be shortened: keep termMonths or raise it"
    ),
    validation = rules::adopt_id()
)]
pub struct Router {
    /// Name by which links refer to this router, up to 24 characters, unique in the list. Cannot be changed.
    #[schemars(
        length(min = 1, max = 24),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// A router that exists already, instead of all other fields. It is used and never changed or cancelled. Cannot be
    /// changed, added or removed.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<ProductRef>,
    /// Megaport's ID of the location, as its portal and its list of locations show it. Cannot be changed.
    #[serde(
        default,
        rename = "locationID",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub location_id: Option<i64>,
    /// Speed of the router in Mbps: 1000, 2500, 5000, 10000, 25000, 50000, 100000 or 400000, as far as the location sells
    /// it. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::rule(
        "self in [1000, 2500, 5000, 10000, 25000, 50000, 100000, 400000]",
        "Megaport sells routers of 1000, 2500, 5000, 10000, 25000, 50000, 100000 or 400000 Mbps: use one of these"
    ))]
    pub port_speed_mbps: Option<i64>,
    /// ASN of the router, 1 to 4294967294, none of the reserved ones. Default 133937, Megaport's own. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_294_i64))]
    #[x_kube(validation = rules::asn_not_reserved())]
    pub asn: Option<i64>,
    /// Contract term in months: 1 (default), 12, 24, 36, 48 or 60. Can be raised; ending a longer term early costs a fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::term_months())]
    pub term_months: Option<i64>,
    /// Red or Blue: the half of the location. Two routers in different halves fail independently. Default: Megaport
    /// chooses. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DiversityZone")]
    pub diversity_zone: Option<DiversityZone>,
    /// Name of the router at Megaport, without the ownership token that is added. Default: the interconnect's name and the
    /// entry's. Can be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub product_name: Option<String>,
    /// Product UID of an existing router to take over. From then on it is changed and cancelled like one that Causeway
    /// ordered. Can be removed later, not added or changed.
    #[serde(default, rename = "adoptID", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    )]
    pub adopt_id: Option<String>,
}

impl Router {
    /// The ASN that an order asks for.
    pub fn asn_or_default(&self) -> i64 {
        self.asn.unwrap_or(DEFAULT_ROUTER_ASN)
    }

    /// The term that an order asks for, in months.
    pub fn term_or_default(&self) -> i64 {
        self.term_months.unwrap_or_else(one_month)
    }
}

/// The port of AWS at Megaport on which a VXC ends. Set productUID, or locationID with or without diversityZone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::rule(
    "has(self.productUID) ? !has(self.locationID) && !has(self.diversityZone) : has(self.locationID)",
    "set either productUID, or locationID with or without diversityZone"
))]
pub struct PartnerPort {
    /// Megaport's ID of a location that has a port of AWS. Cannot be changed.
    #[serde(
        default,
        rename = "locationID",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub location_id: Option<i64>,
    /// Red or Blue: the half of the location. Default: any. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DiversityZone")]
    pub diversity_zone: Option<DiversityZone>,
    /// Product UID of the port. Megaport replaces ports over time, so a location is the safer choice. Cannot
    /// be changed.
    #[serde(
        default,
        rename = "productUID",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    )]
    pub product_uid: Option<String>,
}
