//! Orders, updates, cancellations and tags (megaport.md §3, §4.5, §5, §6).

use super::client::{Ask, MegaportClient};
use super::vrouter::{RouterInterface, config, secrets};
use crate::clients::wire::{as_i64, loose_text};
use causeway_model::intent::{CloudError, Sent};
use causeway_model::secret::Secret;
use ipnet::Ipv4Net;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub type Tags = BTreeMap<String, String>;

/// An MCR to be ordered. Speed and location are fixed for life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McrOrder {
    /// With the ownership token: names are not unique, and lists do not show tags.
    pub name: String,
    pub location_id: i64,
    /// 1000, 2500, 5000, 10000, 25000, 50000, 100000 or 400000.
    pub port_speed_mbps: u32,
    /// 1, 12, 24, 36, 48 or 60.
    pub term_months: u32,
    pub asn: u32,
    /// `Red` or `Blue`, in any case.
    pub diversity_zone: Option<String>,
    pub cost_centre: Option<String>,
    pub tags: Tags,
}

/// A VXC from an MCR (A-end) to a cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VxcOrder {
    pub name: String,
    pub router_uid: String,
    pub rate_limit_mbps: u32,
    pub term_months: u32,
    pub cost_centre: Option<String>,
    pub tags: Tags,
    pub interfaces: Vec<RouterInterface>,
    pub far_end: FarEnd,
}

/// Where a VXC goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FarEnd {
    /// An ExpressRoute port that the service key names; the peering is made through ARM, so that `peers` stays empty
    /// (megaport.md §3.4: Megaport could create but not delete it).
    Azure {
        port_uid: String,
        service_key: Secret,
    },
    /// A hosted private virtual interface.
    AwsVif {
        port_uid: String,
        owner_account: String,
        vif_name: String,
        /// The MCR's ASN.
        asn: u32,
        /// The gateway's ASN.
        amazon_asn: Option<u32>,
        /// Must equal the session's password on the MCR's side (megaport.md §3.3).
        auth_key: Secret,
        customer_address: Ipv4Net,
        amazon_address: Ipv4Net,
    },
    /// A hosted connection; its virtual interface is made at AWS.
    AwsConnection {
        port_uid: String,
        owner_account: String,
        name: String,
    },
}

/// A change of an MCR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McrUpdate {
    pub name: Option<String>,
    /// Always sent: left out or empty it would be cleared (megaport.md §4.5). Give the value that shall stand.
    pub cost_centre: String,
    pub term_months: Option<u32>,
}

/// A change of a VXC; only what is given is sent. VLANs never: an unchanged one is a change to the API (§4.5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VxcUpdate {
    pub name: Option<String>,
    pub rate_limit_mbps: Option<u32>,
    pub cost_centre: Option<String>,
    pub term_months: Option<u32>,
    pub shutdown: Option<bool>,
    /// The whole list, from the spec and with every key: it replaces what is there.
    pub interfaces: Option<Vec<RouterInterface>>,
}

fn tag_list(tags: &Tags) -> Value {
    tags.iter()
        .map(|(k, v)| json!({ "key": k, "value": v }))
        .collect()
}

impl McrOrder {
    fn json(&self) -> Value {
        let mut config = Map::new();
        config.insert("mcrAsn".to_owned(), json!(self.asn));
        if let Some(zone) = &self.diversity_zone {
            config.insert("diversityZone".to_owned(), json!(zone.to_ascii_lowercase()));
        }
        json!({
            "productType": "MCR2",
            "productName": self.name,
            "locationId": self.location_id,
            "portSpeed": self.port_speed_mbps,
            "term": self.term_months,
            "costCentre": self.cost_centre.as_deref().unwrap_or_default(),
            "marketplaceVisibility": false,
            "config": config,
            "resourceTags": tag_list(&self.tags),
        })
    }
}

impl FarEnd {
    fn json(&self) -> Value {
        match self {
            Self::Azure {
                port_uid,
                service_key,
            } => json!({
                "productUid": port_uid,
                "vlan": 0,
                "partnerConfig": {
                    "connectType": "AZURE",
                    "serviceKey": service_key.expose(),
                    "peers": [],
                },
            }),
            Self::AwsVif {
                port_uid,
                owner_account,
                vif_name,
                asn,
                amazon_asn,
                auth_key,
                customer_address,
                amazon_address,
            } => {
                let mut partner = json!({
                    "connectType": "AWS",
                    "type": "private",
                    "ownerAccount": owner_account,
                    "name": vif_name,
                    "asn": asn,
                    "authKey": auth_key.expose(),
                    "customerIpAddress": customer_address.to_string(),
                    "amazonIpAddress": amazon_address.to_string(),
                });
                if let (Some(asn), Some(p)) = (amazon_asn, partner.as_object_mut()) {
                    p.insert("amazonAsn".to_owned(), json!(asn));
                }
                json!({ "productUid": port_uid, "vlan": 0, "partnerConfig": partner })
            }
            Self::AwsConnection {
                port_uid,
                owner_account,
                name,
            } => json!({
                "productUid": port_uid,
                "vlan": 0,
                "partnerConfig": {
                    "connectType": "AWSHC",
                    "type": "private",
                    "ownerAccount": owner_account,
                    "name": name,
                },
            }),
        }
    }

    fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Azure { service_key, .. } => Some(service_key),
            Self::AwsVif { auth_key, .. } => Some(auth_key),
            Self::AwsConnection { .. } => None,
        }
    }
}

impl VxcOrder {
    fn json(&self) -> Value {
        let mut vxc = json!({
            "productName": self.name,
            "rateLimit": self.rate_limit_mbps,
            "term": self.term_months,
            "shutdown": false,
            "resourceTags": tag_list(&self.tags),
            "aEnd": { "vlan": 0, "partnerConfig": config(&self.interfaces) },
            "bEnd": self.far_end.json(),
        });
        if let (Some(cost), Some(v)) = (&self.cost_centre, vxc.as_object_mut()) {
            v.insert("costCentre".to_owned(), json!(cost));
        }
        json!({ "productUid": self.router_uid, "associatedVxcs": [vxc] })
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        secrets(&self.interfaces).chain(self.far_end.secret())
    }
}

#[derive(Deserialize)]
struct TagsReply {
    #[serde(
        default,
        rename = "resourceTags",
        deserialize_with = "crate::clients::wire::one_or_many"
    )]
    resource_tags: Vec<TagRow>,
}

#[derive(Deserialize)]
struct TagRow {
    #[serde(deserialize_with = "loose_text")]
    key: String,
    #[serde(default, deserialize_with = "loose_text")]
    value: String,
}

impl MegaportClient {
    /// Checks an MCR order with Megaport: the real answer to "is it available". Orders nothing.
    pub async fn validate_mcr(&self, order: &McrOrder) -> Result<(), CloudError> {
        self.validate(&order.name, order.json(), Vec::new()).await
    }

    /// Checks a VXC order with Megaport. Orders nothing.
    pub async fn validate_vxc(&self, order: &VxcOrder) -> Result<(), CloudError> {
        self.validate(&order.name, order.json(), order.secrets().collect())
            .await
    }

    async fn validate(
        &self,
        name: &str,
        order: Value,
        secrets: Vec<&Secret>,
    ) -> Result<(), CloudError> {
        let ask = Ask::new("POST /v3/networkdesign/validate", name)
            .body(json!([order]))
            .secrets(secrets);
        self.ask(&ask).await.map(|_| ())
    }

    /// Orders an MCR and answers its UID. Sent once. An error with
    /// [`may_have_happened`](CloudError::may_have_happened) may have bought it: look for the token before ordering again.
    pub async fn buy_mcr(&self, order: &McrOrder) -> Result<String, CloudError> {
        self.buy(
            &order.name,
            order.json(),
            &["technicalServiceUid"],
            Vec::new(),
        )
        .await
    }

    /// Orders a VXC and answers its UID; see [`MegaportClient::buy_mcr`].
    pub async fn buy_vxc(&self, order: &VxcOrder) -> Result<String, CloudError> {
        // Another key than an MCR's (megaport.md §3.2).
        let keys = ["vxcJTechnicalServiceUid", "technicalServiceUid"];
        self.buy(&order.name, order.json(), &keys, order.secrets().collect())
            .await
    }

    async fn buy(
        &self,
        name: &str,
        order: Value,
        keys: &[&str],
        secrets: Vec<&Secret>,
    ) -> Result<String, CloudError> {
        let ask = Ask::new("POST /v4/networkdesign/buy", name)
            .body(json!({ "networkDesign": [order], "discountCodes": [] }))
            .secrets(secrets);
        let (_, data) = self.ask(&ask).await?;
        let first = data.get(0).unwrap_or(&data);
        keys.iter()
            .find_map(|k| {
                first
                    .get(*k)
                    .or_else(|| first.pointer(&format!("/vxc/{k}")))
            })
            .and_then(Value::as_str)
            .filter(|uid| !uid.is_empty())
            .map(str::to_owned)
            // Bought, and we do not know what: found again by its token.
            .ok_or_else(|| ask.unreadable("it has no UID of the ordered product", Sent::Yes))
    }

    pub async fn update_mcr(&self, uid: &str, update: &McrUpdate) -> Result<(), CloudError> {
        let mut body = Map::new();
        body.insert("costCentre".to_owned(), json!(update.cost_centre));
        if let Some(name) = &update.name {
            body.insert("name".to_owned(), json!(name));
        }
        if let Some(term) = update.term_months {
            body.insert("term".to_owned(), json!(term));
        }
        let ask = Ask::on("PUT /v2/product/mcr2/{uid}", uid).body(Value::Object(body));
        self.ask(&ask).await.map(|_| ())
    }

    /// Accepted is not applied: read it back (megaport.md §4.5).
    pub async fn update_vxc(&self, uid: &str, update: &VxcUpdate) -> Result<(), CloudError> {
        let mut body = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(key.to_owned(), value);
            }
        };
        put("name", update.name.as_ref().map(|n| json!(n)));
        put("rateLimit", update.rate_limit_mbps.map(|r| json!(r)));
        put("costCentre", update.cost_centre.as_ref().map(|c| json!(c)));
        put("term", update.term_months.map(|t| json!(t)));
        put("shutdown", update.shutdown.map(|s| json!(s)));
        put("aEndConfig", update.interfaces.as_deref().map(config));
        let ask = Ask::on("PUT /v3/product/vxc/{uid}", uid)
            .body(Value::Object(body))
            .secrets(secrets(update.interfaces.as_deref().unwrap_or_default()));
        self.ask(&ask).await.map(|_| ())
    }

    /// Cancels a VXC now. What is already unknown is cancelled. The answer does not prove it: a product that stays
    /// `CANCELLED` is still live (megaport.md §13.3).
    pub async fn cancel_vxc(&self, uid: &str) -> Result<(), CloudError> {
        self.cancel(uid, "").await
    }

    /// Cancels an MCR now, and has it refused while VXCs are on it: without `safeDelete` they would go too.
    pub async fn cancel_mcr(&self, uid: &str) -> Result<(), CloudError> {
        self.cancel(uid, "?safeDelete=true").await
    }

    async fn cancel(&self, uid: &str, query: &str) -> Result<(), CloudError> {
        let ask = Ask::on("POST /v3/product/{uid}/action/CANCEL_NOW", uid).query(query);
        match self.ask(&ask).await {
            Err(e) if e.is_not_found() => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// The resource tags of a product; `None` when the product is unknown.
    pub async fn tags(&self, uid: &str) -> Result<Option<Tags>, CloudError> {
        let ask = Ask::on("GET /v2/product/{uid}/tags", uid);
        match self.read::<Option<TagsReply>>(&ask).await {
            Ok(reply) => Ok(Some(
                reply
                    .map(|r| r.resource_tags)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|t| (t.key, t.value))
                    .collect(),
            )),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Replaces all tags of a product.
    pub async fn put_tags(&self, uid: &str, tags: &Tags) -> Result<(), CloudError> {
        let ask = Ask::on("PUT /v2/product/{uid}/tags", uid)
            .body(json!({ "resourceTags": tag_list(tags) }));
        self.ask(&ask).await.map(|_| ())
    }
}

/// The number in a JSON value, if it is one in any form.
pub(super) fn number(v: Option<&Value>) -> Option<u32> {
    v.and_then(as_i64).and_then(|n| u32::try_from(n).ok())
}
