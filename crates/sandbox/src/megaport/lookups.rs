//! Catalogues and lookups (megaport.md §2): locations, regions, partner ports, service keys.

use super::envelope::{Refusal, Reply, ok};
use super::ports;
use super::world::{Location, Zone};
use crate::arm::provider_side;
use crate::net::view::Port;
use crate::state::State;
use crate::wire::Req;
use serde_json::{Value, json};

fn zone(z: Option<&Zone>) -> Value {
    z.map_or(Value::Null, |z| {
        json!({
            "mcrSpeedMbps": z.mcr_speed_mbps,
            "megaportSpeedMbps": z.megaport_speed_mbps,
            "mveMaxCpuCoreCount": null,
            "mveAvailable": false,
            "natGatewaySpeedMbps": [],
        })
    })
}

fn location(l: &Location) -> Value {
    // The whole object may be null (§2.1).
    let zones = if l.red.is_none() && l.blue.is_none() {
        Value::Null
    } else {
        json!({"red": zone(l.red.as_ref()), "blue": zone(l.blue.as_ref())})
    };
    json!({
        "id": l.id,
        "name": l.name,
        "metro": l.metro,
        "market": l.market,
        "status": l.status,
        "address": {
            "street": "1 Example Street",
            "suburb": l.city,
            "city": l.city,
            "state": l.state,
            "postcode": "",
            "country": l.country,
        },
        "latitude": 0.0,
        "longitude": 0.0,
        "dataCentre": {"id": l.id, "name": l.data_centre},
        "diversityZones": zones,
        "productAddOns": {"crossConnect": {"available": true, "type": "STANDARD"}},
        "orderingMessage": null,
    })
}

/// `GET /v3/locations[?locationStatuses=…]` (repeated).
pub fn locations(state: &State, req: &Req) -> Reply {
    let wanted: Vec<&str> = req
        .query
        .iter()
        .filter(|(k, _)| k == "locationStatuses")
        .map(|(_, v)| v.as_str())
        .collect();
    let list: Vec<Value> = state
        .world
        .megaport
        .locations
        .iter()
        .filter(|l| wanted.is_empty() || wanted.contains(&l.status.as_str()))
        .map(location)
        .collect();
    ok("List all public locations", Value::Array(list))
}

/// `GET /v2/networkRegions`, region MP1 first (§13.13).
pub fn regions(state: &State) -> Reply {
    let mut countries: Vec<Value> = Vec::new();
    for l in &state.world.megaport.locations {
        if countries
            .iter()
            .any(|c| c.get("code") == Some(&json!(l.market)))
        {
            continue;
        }
        let sites = state
            .world
            .megaport
            .locations
            .iter()
            .filter(|x| x.market == l.market)
            .count();
        countries.push(json!({
            "code": l.market,
            "name": l.country,
            "prefix": l.market,
            "siteCount": sites,
        }));
    }
    ok(
        "Network regions",
        json!([
            {"networkRegion": "MP1", "countries": countries},
            {"networkRegion": "ANZ", "countries": []},
        ]),
    )
}

/// `GET /v2/dropdowns/partner/megaports[?connectType=&vxcPermitted=]`; Azure ports are in it too (§13.10).
pub fn partner_ports(state: &State, req: &Req) -> Reply {
    let company =
        |name: &str, n: u8| (name.to_owned(), format!("0c1a0000-0000-4000-8000-{n:012x}"));
    let (aws, aws_uid) = company("AWS", 1);
    let (azure, azure_uid) = company("Azure ExpressRoute", 2);
    let mut list: Vec<Value> = state
        .megaport
        .aws_ports
        .iter()
        .map(|p| {
            json!({
                "connectType": p.connect_type,
                "productUid": p.product_uid,
                "title": p.title,
                "companyUid": aws_uid,
                "companyName": aws,
                "diversityZone": p.diversity_zone,
                "locationId": p.location_id,
                "speed": p.speed,
                "maxVxcSpeed": p.speed,
                "rank": p.rank,
                "vxcPermitted": p.vxc_permitted,
            })
        })
        .collect();
    for pair in &state.world.megaport.azure_ports {
        for (uid, which, zone) in [
            (&pair.primary_uid, "Primary", "red"),
            (&pair.secondary_uid, "Secondary", "blue"),
        ] {
            list.push(json!({
                "connectType": "AZURE",
                "productUid": uid,
                "title": format!("{} {which}", pair.peering_location),
                "companyUid": azure_uid,
                "companyName": azure,
                "diversityZone": zone,
                "locationId": pair.location_id,
                "speed": pair.speed,
                "maxVxcSpeed": pair.speed,
                "rank": 10,
                "vxcPermitted": true,
            }));
        }
    }
    let kind = req.query("connectType");
    let permitted = req
        .query("vxcPermitted")
        .map(|v| v.eq_ignore_ascii_case("true"));
    list.retain(|p| {
        kind.is_none_or(|k| p.get("connectType").and_then(Value::as_str) == Some(k))
            && permitted.is_none_or(|w| p.get("vxcPermitted").and_then(Value::as_bool) == Some(w))
    });
    ok("Partner megaports", Value::Array(list))
}

/// `GET /v2/secure/azure/{key}` (§2.3).
pub fn secure_key(state: &State, partner: &str, key: &str) -> Reply {
    if partner != "azure" {
        return Err(Refusal::bad(format!(
            "Lookup of {partner} keys is not available"
        )));
    }
    let circuit = provider_side::lookup(state, key).ok_or_else(|| {
        Refusal::bad(format!(
            "No ExpressRoute circuit was found for service key {key}"
        ))
    })?;
    let pair = state.world.megaport.azure_ports.iter().find(|p| {
        p.peering_location
            .eq_ignore_ascii_case(&circuit.peering_location)
    });
    let country = |id| {
        state
            .world
            .megaport
            .location(id)
            .map(|l| (l.country.clone(), l.state.clone()))
            .unwrap_or_default()
    };
    let mut megaports = Vec::new();
    if let Some(p) = pair {
        let (country, region) = country(p.location_id);
        for (uid, kind, which, n) in [
            (&p.primary_uid, "primary", Port::Primary, 1),
            (&p.secondary_uid, "secondary", Port::Secondary, 2),
        ] {
            megaports.push(json!({
                "type": kind,
                "productUid": uid,
                "name": format!("{} {which:?}", p.peering_location),
                "port": n,
                "productId": 9000 + n,
                "nServiceId": 500 + n,
                "portSpeed": p.speed,
                "locationId": p.location_id,
                "country": country,
                "state": region,
                "description": null,
                "companyName": "Azure ExpressRoute",
                "companyId": 9,
                // Absent, null or 0 is free; a number is the service ID of the VXC that has it.
                "vxc": ports::vxc_on(state, key, which).map(|v| v.service.service_id),
            }));
        }
    }
    let ordered = [Port::Primary, Port::Secondary]
        .into_iter()
        .find_map(|p| ports::vxc_on(state, key, p))
        .and_then(|v| match &v.cloud {
            super::types::Cloud::Azure(a) => Some(a.peers.clone()),
            _ => None,
        })
        .unwrap_or_default();
    ok(
        "Successful lookup",
        json!({
            "connectType": "AZURE",
            "resource_type": "csp_connection",
            "managed": !ordered.is_empty(),
            "service_key": key,
            "bandwidth": circuit.bandwidth_mbps,
            "bandwidths": [circuit.bandwidth_mbps],
            "vlan": circuit.s_tag,
            "megaports": megaports,
            "peers": ordered,
        }),
    )
}

/// `GET /v1/availability/companies/{uid}/products`.
pub fn availability(state: &State) -> Reply {
    let mut markets: Vec<&str> = state
        .world
        .megaport
        .locations
        .iter()
        .map(|l| l.market.as_str())
        .collect();
    markets.sort_unstable();
    markets.dedup();
    ok(
        "Product availability",
        json!([
            {"productType": "MCR2", "markets": markets},
            {"productType": "VXC", "markets": markets},
        ]),
    )
}
