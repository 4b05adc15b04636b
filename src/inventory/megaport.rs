//! The inventory of one Megaport company: one read brings every product (megaport.md §1.5).

use super::{Pace, Part, Parts, Poller, when};
use crate::clients::megaport::{Location, Mcr, MegaportClient, PartnerPort, Products, Vxc};
use crate::clock::Clock;
use causeway_model::intent::CloudError;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Default)]
pub struct MegaportSnapshot {
    /// Always one item once it was read: the whole company.
    pub products: Part<Products>,
}

impl MegaportSnapshot {
    fn all(&self) -> Option<&Products> {
        self.products.items.first()
    }
    /// A router that is not a tombstone.
    pub fn mcr(&self, uid: &str) -> Option<&Mcr> {
        self.all()?.mcr(uid).filter(|m| !m.status.is_gone())
    }
    pub fn mcrs(&self) -> &[Mcr] {
        self.all().map_or(&[], |p| p.mcrs.as_slice())
    }
    pub fn vxcs(&self) -> &[Vxc] {
        self.all().map_or(&[], |p| p.vxcs.as_slice())
    }
}

/// Why no partner port was chosen.
#[derive(Debug)]
pub enum PortError {
    Provider(CloudError),
    /// The catalogue has none that fits; says what was looked for.
    None(String),
}

type Cached<T> = Mutex<Option<(Timestamp, Arc<Vec<T>>)>>;

/// One API key.
#[derive(Debug)]
pub struct MegaportAccount {
    pub client: MegaportClient,
    pub poller: Poller<MegaportSnapshot>,
    clock: Clock,
    locations: Cached<Location>,
}

impl MegaportAccount {
    pub fn start(client: MegaportClient, pace: Pace, clock: Clock) -> Self {
        let poller = Poller::start(pace, clock.clone(), {
            let (client, clock) = (client.clone(), clock.clone());
            move |last: Arc<MegaportSnapshot>, parts: Parts| {
                let (client, clock) = (client.clone(), clock.clone());
                async move {
                    let began = clock.now();
                    let mut next = (*last).clone();
                    let read = when(parts != Parts::NONE, client.products()).await;
                    let changed = next.products.take(began, read.map(|r| r.map(|p| vec![p])));
                    (next, changed)
                }
            }
        });
        Self {
            client,
            poller,
            clock,
            locations: Mutex::default(),
        }
    }

    /// The catalogue of locations; kept for an hour, it hardly changes.
    ///
    /// # Errors
    /// The provider's.
    pub async fn locations(&self) -> Result<Arc<Vec<Location>>, CloudError> {
        let now = self.clock.now();
        if let Some((at, kept)) = self
            .locations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            && now.duration_since(at).as_secs() < 3600
        {
            return Ok(kept);
        }
        let read = Arc::new(self.client.locations().await?);
        *self
            .locations
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((now, read.clone()));
        Ok(read)
    }

    /// Chooses AWS's port: right product (hosted VIF and hosted connection are different ports), location, zone and
    /// region; the best rank among those that take VXCs (megaport.md §2.2).
    ///
    /// # Errors
    /// The provider's, or that there is none.
    pub async fn partner_port(
        &self,
        hosted_connection: bool,
        location: Option<i64>,
        zone: Option<&str>,
        region: &str,
    ) -> Result<String, PortError> {
        let kind = if hosted_connection { "AWSHC" } else { "AWS" };
        let ports = self
            .client
            .partner_ports(kind)
            .await
            .map_err(PortError::Provider)?;
        choose(&ports, kind, location, zone, region).map(|p| p.product_uid.clone()).ok_or_else(|| {
            let place = location.map_or_else(|| "any location".to_owned(), |l| format!("location {l}"));
            let zone = zone.map_or_else(String::new, |z| format!(" in zone {z}"));
            PortError::None(format!("Megaport has no {kind} port at {place}{zone} for region {region}: choose another locationID or diversityZone, or name a productUID"))
        })
    }
}

fn choose<'a>(
    ports: &'a [PartnerPort],
    kind: &str,
    location: Option<i64>,
    zone: Option<&str>,
    region: &str,
) -> Option<&'a PartnerPort> {
    ports
        .iter()
        .filter(|p| p.connect_type == kind && p.vxc_permitted)
        .filter(|p| location.is_none_or(|l| p.location_id == l))
        .filter(|p| {
            zone.is_none_or(|z| {
                p.diversity_zone
                    .as_deref()
                    .is_none_or(|pz| pz.eq_ignore_ascii_case(z))
            })
        })
        // The title carries the region: `US East (N. Virginia) (us-east-1)`.
        .filter(|p| p.title.contains(&format!("({region})")))
        .min_by_key(|p| (p.rank.unwrap_or(i64::MAX), p.product_uid.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(
        uid: &str,
        kind: &str,
        location: i64,
        zone: &str,
        rank: i64,
        permitted: bool,
    ) -> PartnerPort {
        PartnerPort {
            product_uid: uid.to_owned(),
            connect_type: kind.to_owned(),
            title: "US East (N. Virginia) (us-east-1)".to_owned(),
            diversity_zone: Some(zone.to_owned()),
            location_id: location,
            rank: Some(rank),
            vxc_permitted: permitted,
            ..PartnerPort::default()
        }
    }

    #[test]
    fn the_port_fits_product_place_and_zone() {
        let ports = [
            port("hc", "AWSHC", 67, "red", 1, true),
            port("closed", "AWS", 67, "red", 1, false),
            port("second", "AWS", 67, "red", 3, true),
            port("first", "AWS", 67, "red", 2, true),
            port("blue", "AWS", 67, "blue", 1, true),
            port("far", "AWS", 68, "red", 1, true),
        ];
        let pick = |l, z, r: &str| choose(&ports, "AWS", l, z, r).map(|p| p.product_uid.clone());
        assert_eq!(
            pick(Some(67), Some("Red"), "us-east-1").as_deref(),
            Some("first")
        );
        assert_eq!(pick(Some(67), None, "us-east-1").as_deref(), Some("blue"));
        assert_eq!(pick(Some(67), Some("red"), "eu-west-1"), None);
    }
}
