//! Orders carried out, and what follows from them: DEPLOYABLE → CONFIGURED → LIVE (megaport.md §4.1).

use super::envelope::{Refusal, Reply, ok};
use super::order::{self, Draft, McrDraft, Vlan, VxcDraft};
use super::types::{AddOn, Cloud, End, Mcr, Service, Status, Vxc};
use super::{Event, durations, ports, secret::Secret, vrouter};
use crate::arm::provider_side::{self, ProviderPeering};
use crate::aws::partner;
use crate::faults::Effect;
use crate::ledger::ProductKind;
use crate::ops::{NewOp, OpKind};
use crate::state::{self, State};
use crate::time::SimTime;
use crate::wire::{Call, Provider};
use serde_json::{Value, json};

/// The lock that an order or change of a router holds while it deploys.
pub fn lock(mcr: &str) -> String {
    format!("mcr:{mcr}")
}

pub fn locked(state: &State, mcrs: &[String]) -> bool {
    mcrs.iter().any(|m| state.ops.holder(&lock(m)).is_some())
}

/// An operation of Megaport with its own end in the queue.
pub struct Work<'a> {
    pub operation: &'a str,
    pub resource: &'a str,
    pub kind: OpKind,
    pub seconds: f64,
    pub names: &'a [String],
    pub mcrs: &'a [String],
}

pub fn begin(state: &mut State, work: &Work<'_>) -> u64 {
    let locks: Vec<String> = work.mcrs.iter().map(|m| lock(m)).collect();
    state.ops.begin(
        state.now,
        &NewOp {
            provider: Provider::Megaport,
            operation: work.operation,
            resource: work.resource,
            kind: work.kind,
            seconds: work.seconds,
            names: work.names,
            locks: &locks,
        },
    )
}

fn after(state: &mut State, seconds: f64, event: Event) {
    let at = state.now.plus_secs(seconds);
    state.schedule(at, state::Event::Megaport(event));
}

/// `POST /v3/networkdesign/validate`: the price of each item.
pub fn validate(state: &State, design: &Value) -> Reply {
    let drafts = order::check(state, design)?;
    let items: Vec<Value> = drafts
        .iter()
        .map(|d| super::prices::quote(state, d))
        .collect();
    ok("Validation passed", Value::Array(items))
}

/// Both forms of buying. Nothing is bought when any order of the design is refused.
pub fn buy(state: &mut State, call: &Call, design: &Value) -> Reply {
    let drafts = order::check(state, design)?;
    for d in &drafts {
        if let Draft::Vxc(v) = d {
            let mut mcrs = vec![v.mcr.clone()];
            if matches!(v.cloud, Cloud::Mcr) {
                mcrs.push(v.port.clone());
            }
            if locked(state, &mcrs) {
                return Err(Refusal::busy_order());
            }
            let ready = |uid: &String| {
                state
                    .megaport
                    .mcrs
                    .get(uid)
                    .is_some_and(|m| m.service.status.ready())
            };
            if !mcrs.iter().all(ready) {
                return Err(Refusal::bad(format!(
                    "Product {} - Service must be correctly provisioned to order a VXC",
                    v.mcr
                )));
            }
        }
    }
    let State { faults, rng, .. } = state;
    let fails = faults.take(rng, call, &[Effect::LroFails]).is_some();
    let mut data = Vec::new();
    let mut message = String::new();
    // VXCs of one design on one router deploy one after the other.
    let mut waited = 0.0;
    for d in drafts {
        let (text, item) = match d {
            Draft::Mcr(m) => buy_mcr(state, call, m, fails),
            Draft::Vxc(v) => buy_vxc(state, call, *v, fails, &mut waited),
        };
        message = text;
        data.push(item);
    }
    ok(message, Value::Array(data))
}

struct Ordered<'a> {
    name: &'a str,
    term: u32,
    cost_centre: Option<String>,
    tags: Vec<super::types::Tag>,
    fails: bool,
}

fn service(state: &mut State, call: &Call, o: Ordered<'_>, kind: ProductKind) -> Service {
    let uid = state.rng.uuid();
    state.megaport.next_number += 1;
    let number = state.megaport.next_number;
    let lag = state.read_lag("megaport");
    let now = state.now;
    state
        .ledger
        .order(Provider::Megaport, kind, &uid, o.name, now, &call.principal);
    Service {
        uid,
        number,
        service_id: 200_000 + number,
        name: o.name.to_owned(),
        status: Status::Deployable,
        cost_centre: o.cost_centre,
        term: o.term,
        created: now,
        live: None,
        terminated: None,
        locked: false,
        tags: o.tags,
        created_by: super::read::user_uid(&call.principal),
        listed_at: now.plus_secs(lag),
        fails: o.fails,
    }
}

fn buy_mcr(state: &mut State, call: &Call, m: McrDraft, fails: bool) -> (String, Value) {
    let ordered = Ordered {
        name: &m.name,
        term: m.term,
        cost_centre: m.cost_centre,
        tags: m.tags,
        fails,
    };
    let service = service(state, call, ordered, ProductKind::Mcr);
    let uid = service.uid.clone();
    let add_ons = m
        .add_ons
        .into_iter()
        .map(|(tunnels, packs)| AddOn {
            uid: state.rng.uuid(),
            tunnels,
            packs,
        })
        .collect();
    let mcr = Mcr {
        service,
        location: m.location,
        speed: m.speed,
        asn: m.asn,
        zone: m.zone,
        marketplace_visibility: m.visible,
        add_ons,
        prefix_lists: Vec::new(),
    };
    state.megaport.mcrs.insert(uid.clone(), mcr);
    let seconds = state.duration(durations::MCR_CONFIGURE.0, durations::MCR_CONFIGURE.1);
    let op = begin(
        state,
        &Work {
            operation: "mcr.create",
            resource: &uid,
            kind: OpKind::Create,
            seconds,
            names: &[],
            mcrs: std::slice::from_ref(&uid),
        },
    );
    after(
        state,
        seconds,
        Event::McrConfigured {
            uid: uid.clone(),
            op,
        },
    );
    let item = json!({
        "technicalServiceUid": uid,
        "serviceName": m.name,
        "productType": "MCR2",
        "provisioningStatus": "DEPLOYABLE",
        "createDate": state.now.0,
    });
    (format!("MCR [{uid}] created."), item)
}

fn pick_vlan(state: &mut State, port: &str) -> Option<u16> {
    // Bounded: a partner's group has 4092 tags and we never hold more than a few.
    for _ in 0..10_000 {
        let v = 2 + state.rng.below(4092) as u16;
        if order::taken(state, port, v).is_none() {
            return Some(v);
        }
    }
    None
}

fn buy_vxc(
    state: &mut State,
    call: &Call,
    v: VxcDraft,
    fails: bool,
    waited: &mut f64,
) -> (String, Value) {
    let ordered = Ordered {
        name: &v.name,
        term: v.term,
        cost_centre: v.cost_centre.clone(),
        tags: v.tags.clone(),
        fails,
    };
    let service = service(state, call, ordered, ProductKind::Vxc);
    let uid = service.uid.clone();
    let mut names = vec![v.mcr.clone()];
    let a_vlan = match v.a_vlan {
        Vlan::Tag(t) => Some(t),
        Vlan::Untagged => None,
        Vlan::Auto => pick_vlan(state, &v.mcr),
    };
    let b_vlan = match (&v.cloud, v.b_vlan) {
        // The outer tag is Microsoft's choice (§2.3).
        (Cloud::Azure(a), _) => {
            let key = a.service_key.expose().to_owned();
            let circuit = provider_side::lookup(state, &key);
            names.extend(circuit.as_ref().map(|c| c.circuit_id.clone()));
            circuit.map(|c| c.s_tag)
        }
        (_, Vlan::Tag(t)) => Some(t),
        (_, Vlan::Untagged) => None,
        (_, Vlan::Auto) => pick_vlan(state, &v.port),
    };
    if matches!(v.cloud, Cloud::Mcr) {
        names.push(v.port.clone());
    }
    let vxc = Vxc {
        service,
        rate: v.rate,
        shutdown: v.shutdown,
        a: End {
            product: v.mcr.clone(),
            vlan: a_vlan,
            inner: v.a_inner,
            interfaces: v.interfaces,
        },
        b: End {
            product: v.port,
            vlan: b_vlan,
            inner: v.b_inner,
            interfaces: v.b_interfaces,
        },
        cloud: v.cloud,
    };
    let confirmation = super::read::order_confirmation(state, &vxc);
    let mcrs = vxc.mcrs();
    state.megaport.vxcs.insert(uid.clone(), vxc);
    *waited += state.duration(durations::VXC_CONFIGURE.0, durations::VXC_CONFIGURE.1);
    let seconds = *waited;
    let op = begin(
        state,
        &Work {
            operation: "vxc.create",
            resource: &uid,
            kind: OpKind::Create,
            seconds,
            names: &names,
            mcrs: &mcrs,
        },
    );
    after(
        state,
        seconds,
        Event::VxcConfigured {
            uid: uid.clone(),
            op,
        },
    );
    (format!("VXC [{uid}] created."), confirmation)
}

// ---- Events ------------------------------------------------------------------------------------------------------

pub fn mcr_configured(state: &mut State, uid: &str, op: u64) {
    let now = state.now;
    state.ops.finish(op, now);
    let Some(mcr) = state.megaport.mcrs.get_mut(uid) else {
        return;
    };
    if mcr.service.fails {
        fail(&mut mcr.service, now);
        state.ledger.end(uid, now);
        return;
    }
    mcr.service.status = Status::Configured;
    let seconds = state.duration(durations::MCR_LIVE.0, durations::MCR_LIVE.1);
    let names = [uid.to_owned()];
    let op = begin(
        state,
        &Work {
            operation: "mcr.live",
            resource: uid,
            kind: OpKind::Create,
            seconds,
            names: &names,
            mcrs: &names,
        },
    );
    after(
        state,
        seconds,
        Event::McrLive {
            uid: uid.to_owned(),
            op,
        },
    );
}

pub fn mcr_live(state: &mut State, uid: &str, op: u64) {
    let now = state.now;
    state.ops.finish(op, now);
    if let Some(mcr) = state.megaport.mcrs.get_mut(uid)
        && mcr.service.status == Status::Configured
    {
        go_live(&mut mcr.service, now);
    }
}

fn go_live(service: &mut Service, now: SimTime) {
    service.status = Status::Live;
    service.live = Some(now);
}

fn fail(service: &mut Service, now: SimTime) {
    service.status = Status::Failed;
    service.terminated = Some(now);
}

/// The cloud's side is made by the time a VXC is `CONFIGURED` (§4.3).
pub fn vxc_configured(state: &mut State, uid: &str, op: u64) {
    let now = state.now;
    state.ops.finish(op, now);
    let Some(vxc) = state.megaport.vxcs.get_mut(uid) else {
        return;
    };
    if vxc.service.fails {
        fail(&mut vxc.service, now);
        state.ledger.end(uid, now);
        return;
    }
    vxc.service.status = Status::Configured;
    let mut vxc = vxc.clone();
    // A port that was rotated between order and deployment (§8.3).
    if let Some(p) = ports::aws(state, &vxc.b.product) {
        vxc.b.product.clone_from(&p.product_uid);
    }
    let emerged = cloud_side(state, &mut vxc);
    let mcrs = vxc.mcrs();
    state.megaport.vxcs.insert(uid.to_owned(), vxc);
    if let Some(id) = emerged {
        // So that whoever names the VIF or connection waits for this VXC on the critical path.
        let names = [uid.to_owned()];
        let work = Work {
            operation: "vxc.emerge",
            resource: &id,
            kind: OpKind::Follow,
            seconds: 0.0,
            names: &names,
            mcrs: &[],
        };
        let follow = begin(state, &work);
        state.ops.finish(follow, now);
    }
    let seconds = state.duration(durations::VXC_LIVE.0, durations::VXC_LIVE.1);
    let names = [uid.to_owned()];
    let op = begin(
        state,
        &Work {
            operation: "vxc.live",
            resource: uid,
            kind: OpKind::Create,
            seconds,
            names: &names,
            mcrs: &mcrs,
        },
    );
    after(
        state,
        seconds,
        Event::VxcLive {
            uid: uid.to_owned(),
            op,
        },
    );
}

/// Makes the far side of a VXC; answers the ID of what appears in AWS.
fn cloud_side(state: &mut State, vxc: &mut Vxc) -> Option<String> {
    let auto = vxc.a.interfaces.is_empty();
    let (region, location) = ports::aws(state, &vxc.b.product)
        .map(|p| (p.region.clone(), p.direct_connect_location.clone()))
        .unwrap_or_default();
    let vlan = vxc.b.vlan.unwrap_or(0);
    match &mut vxc.cloud {
        Cloud::Aws(vif) => {
            if vif.customer_address.is_empty() {
                let base = 4 * state.rng.below(63 * 256) as u16;
                let [high, low] = base.to_be_bytes();
                vif.amazon_address = format!("169.254.{high}.{}/30", low + 1);
                vif.customer_address = format!("169.254.{high}.{}/30", low + 2);
            }
            if vif.auth_key.is_none() {
                // Given to AWS only: sessions of the order keep no key and stay down (§8.21).
                vif.auth_key = Some(Secret::new(format!("0x{}", state.rng.hex(24))));
            }
            let hosted = partner::HostedVif {
                owner_account: vif.owner.clone(),
                name: vif.name.clone(),
                kind: vif.kind.clone(),
                region,
                location,
                vlan,
                asn: vif.asn,
                amazon_asn: vif.amazon_asn,
                auth_key: vif
                    .auth_key
                    .as_ref()
                    .map(|k| k.expose().to_owned())
                    .unwrap_or_default(),
                amazon_address: vif.amazon_address.clone(),
                customer_address: vif.customer_address.clone(),
            };
            let id =
                partner::allocate_vif_for(state, &hosted, std::slice::from_ref(&vxc.service.uid));
            vif.vif = Some(id.clone());
            if auto {
                vxc.a.interfaces = vrouter::auto_aws(vif);
            }
            Some(id)
        }
        Cloud::AwsHc(c) => {
            let id = partner::allocate_connection(
                state, &c.owner, &c.name, &region, &location, vlan, vxc.rate,
            );
            c.connection = Some(id.clone());
            Some(id)
        }
        Cloud::Azure(a) => {
            if auto {
                vxc.a.interfaces = vrouter::auto_azure(a);
            }
            None
        }
        Cloud::Mcr => None,
    }
}

pub fn vxc_live(state: &mut State, uid: &str, op: u64) {
    let now = state.now;
    state.ops.finish(op, now);
    let Some(vxc) = state.megaport.vxcs.get_mut(uid) else {
        return;
    };
    if vxc.service.status != Status::Configured {
        return;
    }
    go_live(&mut vxc.service, now);
    let Cloud::Azure(a) = vxc.cloud.clone() else {
        return;
    };
    let key = a.service_key.expose();
    provider_side::vxc_live(state, key, a.port, uid);
    let has = provider_side::lookup(state, key).is_some_and(|c| c.has_private_peering);
    if let Some(p) = a.peers.iter().find(|p| p.kind == "private" && !has) {
        // Megaport creates the peering and can not delete it (§3.4).
        let peering = ProviderPeering {
            peer_asn: p.peer_asn,
            primary_subnet: p.primary_subnet.clone(),
            secondary_subnet: p.secondary_subnet.clone(),
            vlan: p.vlan,
            shared_key: p.shared_key.as_ref().map(|k| k.expose().to_owned()),
        };
        provider_side::create_peering(state, key, &peering);
    }
}
