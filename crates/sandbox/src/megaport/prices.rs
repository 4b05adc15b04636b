//! A simple price book (megaport.md §6), computed from the world's table.

use super::envelope::{Refusal, Reply, ok};
use super::order::{self, AddOnOrder, Draft};
use super::{ports, world::Prices};
use crate::state::State;
use serde::Deserialize;
use serde_json::{Value, json};

fn mcr(p: &Prices, speed: u32) -> f64 {
    // Speeds that the table does not have cost in proportion to the largest that it has.
    p.mcr
        .iter()
        .find(|(s, _)| *s == speed)
        .map(|(_, price)| *price)
        .or_else(|| {
            p.mcr
                .iter()
                .max_by_key(|(s, _)| *s)
                .map(|(s, price)| price * f64::from(speed) / f64::from(*s))
        })
        .unwrap_or(0.0)
}

fn vxc(p: &Prices, rate: u32) -> f64 {
    p.vxc + p.vxc_per_mbps * f64::from(rate)
}

fn discount(p: &Prices, term: u32) -> f64 {
    p.term_discounts
        .iter()
        .find(|(t, _)| *t == term)
        .map_or(0.0, |(_, d)| *d)
}

fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

/// An item of `validate`'s answer (§3).
pub fn quote(state: &State, d: &Draft) -> Value {
    let p = &state.world.megaport.prices;
    let (uid, kind, location, rack, term, mbps) = match d {
        Draft::Mcr(m) => {
            let add_ons = p.ip_sec * m.add_ons.len() as f64;
            (
                Value::Null,
                "MCR2",
                m.location,
                mcr(p, m.speed) + add_ons,
                m.term,
                0.0,
            )
        }
        Draft::Vxc(v) => {
            let (_, location) = ports::title(state, &v.mcr);
            (
                json!(v.mcr),
                "VXC",
                location,
                vxc(p, v.rate),
                v.term,
                p.vxc_per_mbps,
            )
        }
    };
    let monthly = cents(rack * (1.0 - discount(p, term)));
    json!({
        "productUid": uid,
        "productType": kind,
        "string": state.world.megaport.location(location).map(|l| l.metro.clone()),
        "price": {
            "hourlySetup": 0.0, "dailySetup": 0.0, "monthlySetup": 0.0,
            "hourlyRate": cents(monthly / 730.0), "dailyRate": cents(monthly / 30.4), "monthlyRate": monthly,
            "fixedRecurringCharge": 0.0, "longHaulMbpsRate": 0.0, "mbpsRate": mbps,
            "currency": p.currency, "productType": kind, "monthlyRackRate": cents(rack),
        },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ask {
    product_type: String,
    location_id: Option<u32>,
    a_location_id: Option<u32>,
    b_location_id: Option<u32>,
    speed: u32,
    term: Option<u32>,
    add_ons: Option<Vec<AddOnOrder>>,
}

/// `POST /v4/pricebook/product`.
pub fn pricebook(state: &State, body: Value) -> Reply {
    let ask: Ask = serde_json::from_value(body)
        .map_err(|e| Refusal::invalid(format!("price request: {e}")))?;
    let p = &state.world.megaport.prices;
    let term = order::check_term(Some(ask.term.unwrap_or(1)))?;
    for id in [ask.location_id, ask.a_location_id, ask.b_location_id]
        .into_iter()
        .flatten()
    {
        if state.world.megaport.location(id).is_none() {
            return Err(Refusal::invalid(format!("location {id} does not exist")));
        }
    }
    let (core, add_ons) = match ask.product_type.to_uppercase().as_str() {
        "MCR2" => {
            let n = ask.add_ons.unwrap_or_default().len();
            (mcr(p, ask.speed), p.ip_sec * n as f64)
        }
        "VXC" => (vxc(p, ask.speed), 0.0),
        other => {
            return Err(Refusal::invalid(format!(
                "no price for product type {other}"
            )));
        }
    };
    let rack = core + add_ons;
    let off = cents(rack * discount(p, term));
    let mut prices =
        vec![json!({"chargeReason": "CORE", "frequency": "MONTHLY", "amount": cents(core)})];
    if add_ons > 0.0 {
        prices.push(json!({
            "chargeReason": "ADD_ON_CHARGE", "frequency": "MONTHLY", "amount": cents(add_ons), "addOnType": "IP_SEC",
        }));
    }
    let discounts = if off > 0.0 {
        json!([{"discountReason": "TERM", "amount": off}])
    } else {
        json!([])
    };
    ok(
        "Price book",
        json!({
            "productType": ask.product_type.to_uppercase(),
            "currency": p.currency,
            "monthlyRate": cents(rack - off),
            "monthlyRackRate": cents(rack),
            "prices": prices,
            "discounts": discounts,
        }),
    )
}
