//! Changes of products (megaport.md §4.5): they answer with the old values and apply a little later.

use super::deploy::{self, Work, begin};
use super::envelope::{Refusal, Reply, ok};
use super::order::{self, Vlan};
use super::types::{Cloud, Interface, Mcr, Vxc};
use super::{Event, durations, read, vrouter};
use crate::arm::provider_side;
use crate::faults::Effect;
use crate::ops::OpKind;
use crate::state::{self, State};
use crate::wire::Call;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A field of a change: as it was, or set to a value or to none. (An option of an option would not survive JSON.)
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
enum Set<T> {
    #[default]
    Keep,
    To(Option<T>),
}

impl<T> Set<T> {
    fn apply(self, field: &mut Option<T>) {
        if let Self::To(new) = self {
            *field = new;
        }
    }
}

/// What a change of a VXC will apply.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct VxcChange {
    name: Option<String>,
    rate: Option<u32>,
    cost_centre: Set<String>,
    term: Option<u32>,
    shutdown: Option<bool>,
    a_vlan: Set<u16>,
    a_inner: Set<u16>,
    b_vlan: Set<u16>,
    b_inner: Set<u16>,
    /// Replaces everything there was (§4.5): a session without `password` has none afterwards.
    interfaces: Option<Vec<Interface>>,
    b_interfaces: Option<Vec<Interface>>,
}

/// What a change of an MCR will apply.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct McrChange {
    name: Option<String>,
    cost_centre: Set<String>,
    visible: Option<bool>,
    term: Option<u32>,
    asn: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VxcUpdate {
    name: Option<String>,
    rate_limit: Option<u32>,
    cost_centre: Option<String>,
    term: Option<u32>,
    shutdown: Option<bool>,
    a_end_vlan: Option<i64>,
    b_end_vlan: Option<i64>,
    a_end_inner_vlan: Option<i64>,
    b_end_inner_vlan: Option<i64>,
    a_end_product_uid: Option<String>,
    b_end_product_uid: Option<String>,
    a_end_config: Option<Value>,
    b_end_config: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct McrUpdate {
    name: Option<String>,
    cost_centre: Option<String>,
    marketplace_visibility: Option<bool>,
    term: Option<u32>,
    asn: Option<u32>,
}

fn cost_centre(new: Option<String>) -> Result<Set<String>, Refusal> {
    Ok(match new {
        None => Set::Keep,
        some => Set::To(order::check_cost_centre(some)?),
    })
}

fn longer_term(old: u32, new: Option<u32>) -> Result<Option<u32>, Refusal> {
    let Some(new) = new.filter(|t| *t != 0 && *t != old) else {
        return Ok(None);
    };
    let new = order::check_term(Some(new))?;
    if new < old {
        return Err(Refusal::conflict(
            "Service term cannot be extended.",
            Value::Null,
        ));
    }
    Ok(Some(new))
}

fn unprovisioned(uid: &str) -> Refusal {
    Refusal::bad(format!(
        "Product {uid} - Service must be correctly provisioned to update"
    ))
}

/// `PUT /v3/product/vxc/{uid}`.
pub fn vxc(state: &mut State, call: &Call, uid: &str, body: Value) -> Reply {
    let Some(vxc) = state.megaport.vxcs.get(uid).cloned() else {
        return Err(Refusal::no_service(uid));
    };
    if !vxc.service.status.ready() {
        return Err(unprovisioned(uid));
    }
    let u: VxcUpdate =
        serde_json::from_value(body).map_err(|e| Refusal::invalid(format!("VXC update: {e}")))?;
    let mcr = state
        .megaport
        .mcrs
        .get(&vxc.a.product)
        .ok_or_else(|| Refusal::no_service(&vxc.a.product))?;
    let change = vxc_change(state, &vxc, mcr, u)?;
    let mcrs = vxc.mcrs();
    if deploy::locked(state, &mcrs) {
        return Err(Refusal::busy_order());
    }
    let seconds = state.duration(durations::VXC_UPDATE.0, durations::VXC_UPDATE.1);
    let op = begin(
        state,
        &Work {
            operation: "vxc.update",
            resource: uid,
            kind: OpKind::Update,
            seconds,
            names: &mcrs,
            mcrs: &mcrs,
        },
    );
    let State { faults, rng, .. } = state;
    let change = match faults.take(rng, call, &[Effect::LroFails]) {
        // Accepted is not applied (§11.10).
        Some(_) => VxcChange::default(),
        None => change,
    };
    let at = state.now.plus_secs(seconds);
    state.schedule(
        at,
        state::Event::Megaport(Event::VxcChanged {
            uid: uid.to_owned(),
            op,
            change: Box::new(change),
        }),
    );
    ok(
        format!("Product [{uid}] has been updated"),
        read::vxc(state, &vxc),
    )
}

fn vxc_change(state: &State, vxc: &Vxc, mcr: &Mcr, u: VxcUpdate) -> Result<VxcChange, Refusal> {
    let cloud = !matches!(vxc.cloud, Cloud::Mcr);
    if let Some(rate) = u.rate_limit {
        match &vxc.cloud {
            // Fixed after deployment (§3.5).
            Cloud::AwsHc(_) if rate != vxc.rate => {
                return Err(Refusal::bad(
                    "AWSHC: the rate limit of a hosted connection cannot be changed",
                ));
            }
            Cloud::Aws(_) if rate > 5000 => {
                return Err(Refusal::invalid(
                    "rateLimit is more than a hosted virtual interface has",
                ));
            }
            // The circuit's of now, as the lookup of its key shows it (§2.3): Azure may have raised it since the order.
            Cloud::Azure(a)
                if rate
                    > provider_side::lookup(state, a.service_key.expose())
                        .map_or(a.bandwidth, |c| c.bandwidth_mbps) =>
            {
                return Err(Refusal::invalid(
                    "rateLimit is more than the circuit's bandwidth",
                ));
            }
            _ if rate == 0 || rate > mcr.speed => {
                return Err(Refusal::invalid("rateLimit is out of range"));
            }
            _ => {}
        }
    }
    for (end, wanted) in [
        (&vxc.a, &u.a_end_product_uid),
        (&vxc.b, &u.b_end_product_uid),
    ] {
        if wanted
            .as_ref()
            .is_some_and(|w| !w.is_empty() && *w != end.product)
        {
            return Err(Refusal::invalid(
                "this VXC cannot be moved to another product",
            ));
        }
    }
    if cloud && u.b_end_vlan.is_some() {
        return Err(Refusal::forbidden("Only B end owner can change B VLAN"));
    }
    if matches!(vxc.cloud, Cloud::Aws(_) | Cloud::AwsHc(_))
        && (u.a_end_vlan.is_some() || u.b_end_inner_vlan.is_some())
    {
        return Err(Refusal::bad("AWS: vlan update not supported"));
    }
    let outer = |wish: Option<i64>, old: Option<u16>, port: &str| -> Result<Set<u16>, Refusal> {
        let Some(wish) = wish else {
            return Ok(Set::Keep);
        };
        match Vlan::parse(Some(wish))? {
            Vlan::Auto => Ok(Set::Keep),
            Vlan::Untagged => Ok(Set::To(None)),
            Vlan::Tag(v) if Some(v) == old => Ok(Set::Keep),
            Vlan::Tag(v) => match order::taken(state, port, v) {
                Some(id) => Err(Refusal::bad(format!(
                    "VLAN {v} not available on service ID {id}"
                ))),
                None => Ok(Set::To(Some(v))),
            },
        }
    };
    let inner = |wish: Option<i64>| -> Result<Set<u16>, Refusal> {
        let Some(wish) = wish else {
            return Ok(Set::Keep);
        };
        Ok(Set::To(match Vlan::parse(Some(wish))? {
            Vlan::Tag(v) => Some(v),
            Vlan::Auto | Vlan::Untagged => None,
        }))
    };
    let interfaces = match u
        .a_end_config
        .as_ref()
        .filter(|c| c.get("interfaces").is_some())
    {
        None => None,
        Some(c) => {
            let new = vrouter::interfaces(Some(c), mcr)?;
            vrouter::same_kind(&vxc.a.interfaces, &new, mcr.asn)?;
            Some(new)
        }
    };
    let b_interfaces = match (&vxc.cloud, u.b_end_config.as_ref().filter(|c| !c.is_null())) {
        (_, None) => None,
        (Cloud::Mcr, Some(c)) => {
            let far = state
                .megaport
                .mcrs
                .get(&vxc.b.product)
                .ok_or_else(|| Refusal::no_service(&vxc.b.product))?;
            Some(vrouter::interfaces(Some(c), far)?)
        }
        // A cloud's configuration is immutable; a router's on the B-end of a cloud VXC is ignored (§4.5).
        (_, Some(c)) if c.get("connectType").is_some() => {
            return Err(Refusal::csp("the partner configuration cannot be changed"));
        }
        (_, Some(_)) => None,
    };
    Ok(VxcChange {
        name: u.name.filter(|n| !n.is_empty()),
        rate: u.rate_limit,
        cost_centre: cost_centre(u.cost_centre)?,
        term: longer_term(vxc.service.term, u.term)?,
        shutdown: u.shutdown,
        a_vlan: outer(u.a_end_vlan, vxc.a.vlan, &vxc.a.product)?,
        b_vlan: outer(u.b_end_vlan, vxc.b.vlan, &vxc.b.product)?,
        a_inner: inner(u.a_end_inner_vlan)?,
        b_inner: inner(u.b_end_inner_vlan)?,
        interfaces,
        b_interfaces,
    })
}

pub fn vxc_changed(state: &mut State, uid: &str, op: u64, c: VxcChange) {
    let now = state.now;
    state.ops.finish(op, now);
    let Some(v) = state.megaport.vxcs.get_mut(uid) else {
        return;
    };
    fn put<T>(field: &mut T, new: Option<T>) {
        if let Some(new) = new {
            *field = new;
        }
    }
    put(&mut v.service.name, c.name);
    put(&mut v.rate, c.rate);
    c.cost_centre.apply(&mut v.service.cost_centre);
    put(&mut v.service.term, c.term);
    put(&mut v.shutdown, c.shutdown);
    c.a_vlan.apply(&mut v.a.vlan);
    c.a_inner.apply(&mut v.a.inner);
    c.b_vlan.apply(&mut v.b.vlan);
    c.b_inner.apply(&mut v.b.inner);
    put(&mut v.a.interfaces, c.interfaces);
    put(&mut v.b.interfaces, c.b_interfaces);
}

/// `PUT /v2/product/mcr2/{uid}`.
pub fn mcr(state: &mut State, call: &Call, uid: &str, body: Value) -> Reply {
    let Some(mcr) = state.megaport.mcrs.get(uid).cloned() else {
        return Err(Refusal::no_service(uid));
    };
    if !mcr.service.status.ready() {
        return Err(unprovisioned(uid));
    }
    let u: McrUpdate =
        serde_json::from_value(body).map_err(|e| Refusal::invalid(format!("MCR update: {e}")))?;
    let attached = state
        .megaport
        .vxcs
        .values()
        .any(|v| v.touches(uid) && v.service.status.attached());
    let asn = u
        .asn
        .filter(|a| *a != mcr.asn)
        .map(order::check_asn)
        .transpose()?;
    if asn.is_some() && attached {
        return Err(Refusal::bad(
            "Cannot update ASN while VXCs are attached to this MCR. Remove them first.",
        ));
    }
    let change = McrChange {
        name: u.name.filter(|n| !n.is_empty()),
        // Always sent by clients; an empty text clears it (§4.5).
        cost_centre: cost_centre(u.cost_centre)?,
        visible: u.marketplace_visibility,
        term: longer_term(mcr.service.term, u.term)?,
        asn,
    };
    let names = [uid.to_owned()];
    if deploy::locked(state, &names) {
        return Err(Refusal::busy_order());
    }
    let seconds = state.duration(durations::MCR_UPDATE.0, durations::MCR_UPDATE.1);
    let op = begin(
        state,
        &Work {
            operation: "mcr.update",
            resource: uid,
            kind: OpKind::Update,
            seconds,
            names: &names,
            mcrs: &names,
        },
    );
    let State { faults, rng, .. } = state;
    let change = match faults.take(rng, call, &[Effect::LroFails]) {
        Some(_) => McrChange::default(),
        None => change,
    };
    let at = state.now.plus_secs(seconds);
    state.schedule(
        at,
        state::Event::Megaport(Event::McrChanged {
            uid: uid.to_owned(),
            op,
            change,
        }),
    );
    ok(
        format!("Product [{uid}] has been updated"),
        read::mcr(state, &mcr),
    )
}

pub fn mcr_changed(state: &mut State, uid: &str, op: u64, c: McrChange) {
    let now = state.now;
    state.ops.finish(op, now);
    let Some(m) = state.megaport.mcrs.get_mut(uid) else {
        return;
    };
    if let Some(n) = c.name {
        m.service.name = n;
    }
    c.cost_centre.apply(&mut m.service.cost_centre);
    if let Some(v) = c.visible {
        m.marketplace_visibility = v;
    }
    if let Some(t) = c.term {
        m.service.term = t;
    }
    if let Some(a) = c.asn {
        m.asn = a;
    }
}
