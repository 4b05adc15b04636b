//! Lookups: locations, partner ports, Azure service keys, prices (megaport.md §2, §6).

use super::client::{Ask, MegaportClient};
use crate::clients::wire::{
    loose_bool, loose_i64, loose_text, loose_u32, null_default, one_or_many,
};
use causeway_model::intent::{CloudError, Intent};
use causeway_model::secret::Secret;
use causeway_model::spec::PeeringPort;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// A data centre. Only `Active` ones take orders; the ID is what specs name, names change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Location {
    #[serde(deserialize_with = "id")]
    pub id: i64,
    #[serde(deserialize_with = "loose_text")]
    pub name: String,
    #[serde(deserialize_with = "loose_text")]
    pub metro: String,
    #[serde(deserialize_with = "loose_text")]
    pub market: String,
    #[serde(deserialize_with = "loose_text")]
    pub status: String,
    /// By zone: `red`, `blue`. Zones may be null, and the whole object too.
    #[serde(deserialize_with = "zones")]
    pub diversity_zones: BTreeMap<String, DiversityZone>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiversityZone {
    #[serde(deserialize_with = "null_default")]
    pub mcr_speed_mbps: Vec<u32>,
}

fn id<'de, D: serde::Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
    Ok(loose_i64(d)?.unwrap_or_default())
}

fn zones<'de, D: serde::Deserializer<'de>>(
    d: D,
) -> Result<BTreeMap<String, DiversityZone>, D::Error> {
    let map: BTreeMap<String, Option<DiversityZone>> = null_default(d)?;
    Ok(map
        .into_iter()
        .filter_map(|(k, v)| Some((k.to_ascii_lowercase(), v?)))
        .collect())
}

impl Location {
    pub fn is_orderable(&self) -> bool {
        self.status == "Active"
    }
    /// Speeds of an MCR here, in the given zone (any case) or in any.
    pub fn mcr_speeds(&self, zone: Option<&str>) -> Vec<u32> {
        let mut speeds: Vec<u32> = self
            .diversity_zones
            .iter()
            .filter(|(name, _)| zone.is_none_or(|z| name.eq_ignore_ascii_case(z)))
            .flat_map(|(_, z)| z.mcr_speed_mbps.iter().copied())
            .collect();
        speeds.sort_unstable();
        speeds.dedup();
        speeds
    }
}

/// A port of a cloud provider at Megaport. They rotate: resolve once, keep the UID (megaport.md §2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PartnerPort {
    #[serde(deserialize_with = "loose_text")]
    pub product_uid: String,
    /// `AWS` (hosted VIF), `AWSHC` (hosted connection), `AZURE`, …: AWS and AWSHC are different ports.
    #[serde(deserialize_with = "loose_text")]
    pub connect_type: String,
    #[serde(deserialize_with = "loose_text")]
    pub title: String,
    #[serde(deserialize_with = "loose_text")]
    pub company_name: String,
    pub diversity_zone: Option<String>,
    #[serde(deserialize_with = "id")]
    pub location_id: i64,
    #[serde(deserialize_with = "loose_u32")]
    pub speed: Option<u32>,
    #[serde(deserialize_with = "loose_i64")]
    pub rank: Option<i64>,
    #[serde(deserialize_with = "loose_bool")]
    pub vxc_permitted: bool,
}

/// What Megaport knows of an ExpressRoute service key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AzureKey {
    /// The circuit's bandwidth in Mbps; the VXC's rate should equal it.
    #[serde(deserialize_with = "loose_u32")]
    pub bandwidth: Option<u32>,
    /// The outer tag.
    #[serde(deserialize_with = "loose_u32")]
    pub vlan: Option<u32>,
    #[serde(deserialize_with = "one_or_many")]
    pub megaports: Vec<AzureKeyPort>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AzureKeyPort {
    /// `primary` or `secondary`.
    #[serde(rename = "type", deserialize_with = "loose_text")]
    pub kind: String,
    #[serde(deserialize_with = "loose_text")]
    pub product_uid: String,
    #[serde(deserialize_with = "loose_u32")]
    pub port_speed: Option<u32>,
    #[serde(deserialize_with = "id")]
    pub location_id: i64,
    /// The VXC that has it; absent, null and 0 mean free.
    #[serde(deserialize_with = "loose_i64")]
    pub vxc: Option<i64>,
}

impl AzureKey {
    /// The port of one side.
    pub fn port(&self, side: PeeringPort) -> Option<&AzureKeyPort> {
        self.megaports
            .iter()
            .find(|p| p.kind.eq_ignore_ascii_case(side.lower()))
    }
}

impl AzureKeyPort {
    pub fn is_free(&self) -> bool {
        self.vxc.unwrap_or_default() == 0
    }
}

/// A monthly price.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PriceQuote {
    #[serde(deserialize_with = "loose_text")]
    pub product_type: String,
    #[serde(deserialize_with = "loose_text")]
    pub currency: String,
    pub monthly_rate: Option<f64>,
    pub monthly_rack_rate: Option<f64>,
}

/// What a VXC's price depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VxcPriceRequest {
    pub a_location_id: i64,
    pub b_location_id: i64,
    pub speed_mbps: u32,
    pub term_months: u32,
    /// The far end's connect type, for partner ports.
    pub connect_type: Option<String>,
}

impl MegaportClient {
    /// Every location; there is no get by ID.
    pub async fn locations(&self) -> Result<Vec<Location>, CloudError> {
        let ask = Ask::new("GET /v3/locations", "locations");
        self.read_list(&ask).await
    }

    /// Partner ports of one connect type (`AWS`, `AWSHC`) that accept VXCs, best rank first.
    pub async fn partner_ports(&self, connect_type: &str) -> Result<Vec<PartnerPort>, CloudError> {
        let ask = Ask::new("GET /v2/dropdowns/partner/megaports", "partner ports");
        let mut ports: Vec<PartnerPort> = self.read_list(&ask).await?;
        // Filtered here: that the server can do it is documented, not observed.
        ports.retain(|p| p.vxc_permitted && p.connect_type == connect_type);
        ports.sort_by(|a, b| {
            (a.rank.unwrap_or(i64::MAX), &a.product_uid)
                .cmp(&(b.rank.unwrap_or(i64::MAX), &b.product_uid))
        });
        Ok(ports)
    }

    /// Looks an ExpressRoute service key up. A key that Megaport does not know yet is waited for: the circuit may be
    /// younger than Megaport's view of Azure.
    pub async fn azure_key(&self, key: &Secret) -> Result<AzureKey, CloudError> {
        let ask = Ask::new("GET /v2/secure/azure/{key}", "the circuit's service key")
            .id(key.expose())
            .secrets([key]);
        self.read(&ask).await.map_err(|e| {
            let unknown = e.is_not_found() || (e.is_terminal() && e.code == "400");
            if unknown {
                e.intent(Intent::Blocked {
                    on: "Megaport to learn of the circuit's service key".to_owned(),
                    retry_after: None,
                })
            } else {
                e
            }
        })
    }

    pub async fn mcr_price(
        &self,
        location_id: i64,
        speed_mbps: u32,
        term_months: u32,
    ) -> Result<PriceQuote, CloudError> {
        let body = json!({
            "productType": "MCR2",
            "locationId": location_id,
            "speed": speed_mbps,
            "term": term_months,
        });
        self.price(body).await
    }

    pub async fn vxc_price(&self, request: &VxcPriceRequest) -> Result<PriceQuote, CloudError> {
        let mut body = json!({
            "productType": "VXC",
            "aLocationId": request.a_location_id,
            "bLocationId": request.b_location_id,
            "speed": request.speed_mbps,
            "term": request.term_months,
            "aEndProductType": "MCR2",
        });
        if let (Some(kind), Some(b)) = (&request.connect_type, body.as_object_mut()) {
            b.insert("connectType".to_owned(), json!(kind));
        }
        self.price(body).await
    }

    async fn price(&self, body: serde_json::Value) -> Result<PriceQuote, CloudError> {
        let ask = Ask::new("POST /v4/pricebook/product", "price").body(body);
        self.read(&ask).await
    }

    /// A list, in whichever of its forms; entries that cannot be read are left out.
    pub(super) async fn read_list<T: serde::de::DeserializeOwned>(
        &self,
        ask: &Ask<'_>,
    ) -> Result<Vec<T>, CloudError> {
        let (_, data) = self.ask(ask).await?;
        one_or_many(data).map_err(|e| {
            ask.unreadable(
                &crate::clients::wire::json_defect(&e),
                causeway_model::intent::Sent::No,
            )
        })
    }
}
