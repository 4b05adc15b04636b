//! Megaport: OAuth, catalogues, network designs, products, prefix lists, diagnostics, prices (megaport.md).
//!
//! May read Azure's and AWS's sides only through `arm::provider_side` and `aws::partner`, and the network only through
//! the functions of `net`. What is modelled and what is not stands in `types.rs`.

use crate::aws::partner;
use crate::rng::Rng;
use crate::sandbox::LiveObject;
use crate::state::State;
use crate::time::SimTime;
use crate::wire::{Call, Listener, Provider, Req, Res};
use crate::world::World;
use envelope::{Refusal, Reply};
use route::Route;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use types::{AddOn, Cloud, Mcr, Service, Status, Vxc};

pub mod auth;
mod cancel;
mod change;
mod csp;
mod deploy;
mod diagnostics;
pub mod durations;
mod envelope;
mod extras;
mod lookups;
mod order;
mod ports;
mod prefix;
mod prices;
mod read;
mod route;
pub mod secret;
pub mod types;
mod vrouter;
pub mod world;

pub use ports::rotate as rotate_ports;

/// What will happen on this provider's side.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Event {
    McrConfigured {
        uid: String,
        op: u64,
    },
    McrLive {
        uid: String,
        op: u64,
    },
    McrChanged {
        uid: String,
        op: u64,
        change: change::McrChange,
    },
    AddOnDone {
        uid: String,
        op: u64,
        add_on: AddOn,
    },
    VxcConfigured {
        uid: String,
        op: u64,
    },
    VxcLive {
        uid: String,
        op: u64,
    },
    VxcChanged {
        uid: String,
        op: u64,
        change: Box<change::VxcChange>,
    },
    /// A VXC that went with its MCR is decommissioned.
    CascadeDone {
        uid: String,
    },
    /// A tombstone's time is over.
    Forgotten {
        uid: String,
    },
}

/// This provider's objects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MegaportState {
    pub tokens: BTreeMap<String, auth::Token>,
    pub mcrs: BTreeMap<String, Mcr>,
    pub vxcs: BTreeMap<String, Vxc>,
    /// AWS ports with the UIDs that they have now.
    pub aws_ports: Vec<world::AwsPort>,
    /// UIDs before and after a rotation.
    pub rotated: BTreeMap<String, String>,
    queries: Vec<(String, diagnostics::Query)>,
    next_number: u64,
    next_prefix_list: u64,
}

impl MegaportState {
    pub fn new(world: &World, _rng: &mut Rng, _now: SimTime) -> Self {
        Self {
            tokens: BTreeMap::new(),
            mcrs: BTreeMap::new(),
            vxcs: BTreeMap::new(),
            aws_ports: world.megaport.aws_ports.clone(),
            rotated: BTreeMap::new(),
            queries: Vec::new(),
            next_number: 100_000,
            next_prefix_list: 2800,
        }
    }

    /// What an MCR or a VXC have in common.
    pub fn service(&self, uid: &str) -> Option<&Service> {
        self.mcrs
            .get(uid)
            .map(|m| &m.service)
            .or_else(|| self.vxcs.get(uid).map(|v| &v.service))
    }

    fn service_mut(&mut self, uid: &str) -> Option<&mut Service> {
        if let Some(m) = self.mcrs.get_mut(uid) {
            return Some(&mut m.service);
        }
        self.vxcs.get_mut(uid).map(|v| &mut v.service)
    }
}

pub fn on_event(state: &mut State, event: Event) {
    match event {
        Event::McrConfigured { uid, op } => deploy::mcr_configured(state, &uid, op),
        Event::McrLive { uid, op } => deploy::mcr_live(state, &uid, op),
        Event::McrChanged { uid, op, change } => change::mcr_changed(state, &uid, op, change),
        Event::AddOnDone { uid, op, add_on } => extras::add_on_done(state, &uid, op, add_on),
        Event::VxcConfigured { uid, op } => deploy::vxc_configured(state, &uid, op),
        Event::VxcLive { uid, op } => deploy::vxc_live(state, &uid, op),
        Event::VxcChanged { uid, op, change } => change::vxc_changed(state, &uid, op, *change),
        Event::CascadeDone { uid } => {
            if let Some(v) = state.megaport.vxcs.get_mut(&uid) {
                v.service.status = Status::Decommissioned;
            }
        }
        Event::Forgotten { uid } => {
            state.megaport.mcrs.remove(&uid);
            state.megaport.vxcs.remove(&uid);
        }
    }
}

/// Says what a request is and who sent it, or refuses it (no or wrong credentials, no such route) as the provider does.
pub fn identify(state: &State, listener: Listener, req: &Req) -> Result<Call, Box<Res>> {
    let call = |operation: String, mutating, resource, principal| Call {
        provider: Provider::Megaport,
        operation,
        mutating,
        resource,
        principal,
    };
    if listener == Listener::MegaportAuth {
        let known =
            req.method == http::Method::POST && req.path.trim_end_matches('/') == "/oauth2/token";
        return if known {
            let who = auth::principal(state, req);
            Ok(call("POST /oauth2/token".into(), false, None, who))
        } else {
            Err(Box::new(error(404, "Not Found")))
        };
    }
    let Some(principal) = auth::bearer(state, req) else {
        return Err(Box::new(error(
            401,
            "Access token is missing, unknown or expired",
        )));
    };
    let Some((route, operation)) = route::route(req) else {
        return Err(Box::new(error(404, "No such resource")));
    };
    let world = &state.world.megaport;
    let read_only = [&world.causeway, &world.human]
        .into_iter()
        .any(|k| k.principal == principal && k.read_only);
    if read_only && route.mutates() {
        return Err(Box::new(error(
            403,
            "The API key's role does not permit this action",
        )));
    }
    let resource = route
        .resource()
        .map(str::to_owned)
        .or_else(|| ordered(&req.json().unwrap_or(Value::Null)));
    Ok(call(operation, route.mutates(), resource, principal))
}

/// What an order names: the A-end's UID and the new product's name, for faults that pick one order out of many.
fn ordered(body: &Value) -> Option<String> {
    let design = body.get("networkDesign").unwrap_or(body);
    let first = design.get(0)?;
    let name = |v: &Value| {
        v.get("productName")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    match first.get("associatedVxcs").and_then(|v| v.get(0)) {
        Some(vxc) => {
            let uid = first
                .get("productUid")
                .and_then(Value::as_str)
                .unwrap_or_default();
            Some(format!("{uid}/{}", name(vxc).unwrap_or_default()))
        }
        None => name(first),
    }
}

/// Carries out a request that was identified.
pub fn handle(state: &mut State, listener: Listener, call: &Call, req: &Req) -> Res {
    if listener == Listener::MegaportAuth {
        return auth::token(state, req);
    }
    let trace = trace_id(&format!("{}/{}", state.calls.next_seq(), req.path));
    let reply = match route::route(req) {
        Some((route, _)) => carry_out(state, call, req, route),
        None => Err(Refusal::missing("No such resource")),
    };
    match reply {
        Ok(res) => res.with("trace-id", &trace),
        Err(refusal) => refusal.into_res(&trace),
    }
}

fn carry_out(state: &mut State, call: &Call, req: &Req, route: Route) -> Reply {
    let body = || {
        req.json()
            .ok_or_else(|| Refusal::bad("The request body is not valid JSON"))
    };
    match route {
        Route::Locations => lookups::locations(state, req),
        Route::Rtt => envelope::ok("Round trip times", Value::Array(Vec::new())),
        Route::Regions => lookups::regions(state),
        Route::PartnerPorts => lookups::partner_ports(state, req),
        Route::SecureKey { partner, key } => lookups::secure_key(state, &partner, &key),
        Route::Availability => lookups::availability(state),
        Route::Validate => deploy::validate(state, &body()?),
        Route::BuyV4 => {
            let body = body()?;
            // Both fields must be there (megaport.md §3).
            if !body.get("discountCodes").is_some_and(Value::is_array) {
                return Err(Refusal::invalid("discountCodes is required"));
            }
            let design = body
                .get("networkDesign")
                .ok_or_else(|| Refusal::invalid("networkDesign is required"))?;
            deploy::buy(state, call, design)
        }
        Route::BuyV3 => deploy::buy(state, call, &body()?),
        Route::PriceBook => prices::pricebook(state, body()?),
        Route::Products => envelope::ok("Products", read::products(state)),
        Route::Product(uid) => {
            let data = if let Some(m) = state.megaport.mcrs.get(&uid) {
                read::mcr(state, m)
            } else if let Some(v) = state.megaport.vxcs.get(&uid) {
                read::vxc(state, v)
            } else {
                return Err(Refusal::no_service(&uid));
            };
            envelope::ok(format!("Found Product {uid}"), data)
        }
        Route::UpdateMcr(uid) => change::mcr(state, call, &uid, body()?),
        Route::UpdateVxc(uid) => change::vxc(state, call, &uid, body()?),
        Route::Action { uid, action } => cancel::action(state, call, req, &uid, &action),
        Route::Lock(uid) => cancel::set_lock(state, &uid, true),
        Route::Unlock(uid) => cancel::set_lock(state, &uid, false),
        Route::Tags(uid) => extras::tags(state, &uid),
        Route::PutTags(uid) => extras::put_tags(state, &uid, &body()?),
        Route::PrefixLists(uid) => prefix::list(state, &uid),
        Route::NewPrefixList(uid) => prefix::create(state, &uid, body()?),
        Route::PrefixList { mcr, id } => prefix::get(state, &mcr, &id),
        Route::PutPrefixList { mcr, id } => prefix::put(state, &mcr, &id, body()?),
        Route::DeletePrefixList { mcr, id } => prefix::delete(state, &mcr, &id),
        Route::Diagnose { mcr, query } => diagnostics::submit(state, req, &mcr, &query),
        Route::Diagnosis(mcr) => diagnostics::poll(state, req, &mcr),
        Route::NewAddOn(mcr) => extras::add_on(state, &mcr, None, body()?),
        Route::AddOn { mcr, add_on } => extras::add_on(state, &mcr, Some(&add_on), body()?),
        Route::IpSec(mcr) => extras::ipsec(state, &mcr),
        Route::Telemetry { uid, .. } => extras::telemetry(state, req, &uid),
        Route::Approvals => extras::approvals(req),
        Route::Approve { uid, .. } => Err(Refusal::missing(format!(
            "Order approval {uid} was not found"
        ))),
        Route::Maintenance => {
            extras::events(req, &["Scheduled", "Running", "Completed", "Cancelled"])
        }
        Route::Outage => extras::events(req, &["Ongoing", "Resolved"]),
    }
}

/// A trace ID that does not use up randomness: reads must not change what happens.
fn trace_id(of: &str) -> String {
    let h = of.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{h:016x}{:016x}", h.rotate_left(29) ^ 0x5bd1_e995)
}

/// What exists now, apart from what the world started with (contract §4, `GET /live`).
pub fn live(state: &State) -> Vec<LiveObject> {
    let object = |s: &Service, kind: &str| LiveObject {
        provider: Provider::Megaport,
        kind: kind.to_owned(),
        id: s.uid.clone(),
        name: s.name.clone(),
        state: s.status.text().to_owned(),
    };
    let mcrs = state.megaport.mcrs.values().map(|m| (&m.service, "MCR2"));
    let vxcs = state.megaport.vxcs.values().map(|v| (&v.service, "VXC"));
    mcrs.chain(vxcs)
        .filter(|(s, _)| s.status.attached())
        .map(|(s, kind)| object(s, kind))
        .collect()
}

/// The world's own objects as they are now, by ID, without what changes by itself: compared for `GET /diff`. Megaport's
/// part of the world has nothing that a customer could change.
pub fn world_objects(_state: &State) -> BTreeMap<String, Value> {
    BTreeMap::new()
}

/// Every secret value that this provider knows: masked in the call log.
pub fn secrets(state: &State) -> Vec<String> {
    let world = &state.world.megaport;
    let mut out: Vec<String> = [&world.causeway, &world.human]
        .iter()
        .map(|k| k.secret_key.expose().to_owned())
        .collect();
    for v in state.megaport.vxcs.values() {
        out.extend(
            v.sessions()
                .filter_map(|b| b.password.as_ref())
                .map(|p| p.expose().to_owned()),
        );
        out.extend(
            v.a.interfaces
                .iter()
                .filter_map(|i| i.ip_sec_tunnel_options.as_ref())
                .map(|t| t.pre_shared_key.expose().to_owned()),
        );
        match &v.cloud {
            Cloud::Aws(a) => out.extend(a.auth_key.as_ref().map(|k| k.expose().to_owned())),
            Cloud::Azure(a) => {
                out.push(a.service_key.expose().to_owned());
                out.extend(
                    a.peers
                        .iter()
                        .filter_map(|p| p.shared_key.as_ref())
                        .map(|k| k.expose().to_owned()),
                );
            }
            Cloud::AwsHc(_) | Cloud::Mcr => {}
        }
    }
    out.sort();
    out.dedup();
    out
}

/// An error in this provider's envelope.
pub fn error(status: u16, message: &str) -> Res {
    Refusal {
        status,
        message: message.to_owned(),
        data: Value::Null,
    }
    .into_res(&trace_id(message))
}

/// This provider's part of what the network simulation sees. A product that stays `CANCELLED` still carries packets
/// (megaport.md §13.3). A VXC between two routers is not in it.
pub fn view(state: &State) -> crate::net::view::MegaportView {
    use crate::net::view::{FarEnd, MegaportView, Vxc as Seen};
    let carries = |s: &Service| matches!(s.status, Status::Live | Status::Cancelled);
    let mcrs = state
        .megaport
        .mcrs
        .values()
        .filter(|m| m.service.live.is_some() && m.service.status.attached())
        .map(|m| crate::net::view::Mcr {
            uid: m.service.uid.clone(),
            name: m.service.name.clone(),
            asn: m.asn,
        })
        .collect();
    let vxcs = state
        .megaport
        .vxcs
        .values()
        .filter(|v| carries(&v.service))
        .filter_map(|v| {
            let far = match &v.cloud {
                Cloud::Azure(a) => FarEnd::Azure {
                    service_key: a.service_key.expose().to_owned(),
                    port: a.port,
                },
                Cloud::Aws(a) => FarEnd::Aws {
                    vif: a.vif.clone()?,
                },
                // A hosted connection takes one VIF.
                Cloud::AwsHc(c) => FarEnd::Aws {
                    vif: partner::vifs_on(state, c.connection.as_ref()?)
                        .into_iter()
                        .next()?,
                },
                Cloud::Mcr => return None,
            };
            Some(Seen {
                uid: v.service.uid.clone(),
                name: v.service.name.clone(),
                mcr: v.a.product.clone(),
                far,
                shutdown: v.shutdown,
                interfaces: vrouter::view(v, state.megaport.mcrs.get(&v.a.product)),
            })
        })
        .collect();
    MegaportView { mcrs, vxcs }
}

/// Sets the flag that a person sets in the portal to shut (`true`) or start one BGP session; `false` when the VXC has
/// no such session. For the control API.
pub fn set_session_shutdown(state: &mut State, vxc: &str, peer: Ipv4Addr, shutdown: bool) -> bool {
    let Some(v) = state.megaport.vxcs.get_mut(vxc) else {
        return false;
    };
    let ends = v.a.interfaces.iter_mut().chain(&mut v.b.interfaces);
    let mut found = false;
    for b in ends.flat_map(|i| &mut i.bgp_connections) {
        if b.peer_ip_address == std::net::IpAddr::V4(peer) {
            b.shutdown = shutdown;
            found = true;
        }
    }
    found
}
