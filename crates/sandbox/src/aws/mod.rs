//! AWS simulated: EC2 (Query protocol), Direct Connect (awsJson1.1) and STS on one listener, told apart by the
//! credential scope of the signature. May read the network only through `net` and other providers not at all, except
//! that `ec2::vpn_status` asks ARM's view which policy the far end of a tunnel has.
//!
//! Left out: transit gateways and everything on them, static VPN routes, association proposals of other accounts,
//! public and transit VIFs beyond their listing, BGP peers added to a VIF, dedicated connections and LAGs, rights of IAM,
//! CloudWatch. A bandwidth of a hosted VIF is Megaport's limit and not seen here.
//!
//! The facts are in aws.md; comments name its sections.

use crate::net::view::AwsView;
use crate::ops::{NewOp, OpKind};
use crate::rng::Rng;
use crate::sandbox::LiveObject;
use crate::state::State;
use crate::time::SimTime;
use crate::wire::{Call, Listener, Provider, Req, Res};
use crate::world::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

mod audit;
mod derive;
pub mod durations;
pub mod dx;
pub mod ec2;
mod identify;
mod lagged;
mod objects;
pub mod partner;
pub mod sigv4;
mod sts;
pub mod world;
mod xml;

pub use identify::identify;
use lagged::Lagged;
use objects::{
    Association, Cgw, Connection, Dxgw, FailoverTest, Session, Tags, Vgw, Vif, Vpc, Vpn,
};

/// What will happen on AWS's side.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Event {
    /// Work on an EC2 object is due.
    Ec2 {
        id: String,
        step: ec2::Step,
        op: Option<u64>,
    },
    /// Work on a Direct Connect object is due.
    Dx {
        id: String,
        step: dx::Step,
        op: Option<u64>,
    },
}

/// AWS's objects, by ID.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AwsState {
    vpcs: BTreeMap<String, Lagged<Vpc>>,
    vgws: BTreeMap<String, Lagged<Vgw>>,
    cgws: BTreeMap<String, Lagged<Cgw>>,
    vpns: BTreeMap<String, Lagged<Vpn>>,
    dxgws: BTreeMap<String, Lagged<Dxgw>>,
    associations: BTreeMap<String, Lagged<Association>>,
    vifs: BTreeMap<String, Lagged<Vif>>,
    connections: BTreeMap<String, Lagged<Connection>>,
    tests: Vec<FailoverTest>,
    sessions: BTreeMap<String, Session>,
    /// Secrets that ever came in a request, also in one that was refused: masked in the call log.
    seen_secrets: BTreeSet<String>,
}

impl AwsState {
    pub fn new(world: &World, _rng: &mut Rng, _now: SimTime) -> Self {
        let vpcs = world
            .aws
            .vpcs
            .iter()
            .map(|v| {
                let named = |name: &str| -> Tags {
                    if name.is_empty() {
                        Tags::new()
                    } else {
                        Tags::from([("Name".to_owned(), name.to_owned())])
                    }
                };
                let vpc = Vpc {
                    world: v.clone(),
                    tags: named(&v.name),
                    part_tags: v
                        .instances
                        .iter()
                        .map(|i| (i.id.clone(), named(&i.name)))
                        .collect(),
                    propagating: BTreeMap::new(),
                };
                (v.id.clone(), Lagged::new(vpc, SimTime(i64::MIN)))
            })
            .collect();
        Self {
            vpcs,
            ..Self::default()
        }
    }
}

pub fn on_event(state: &mut State, event: Event) {
    match event {
        Event::Ec2 { id, step, op } => ec2::on_step(state, &id, step, op),
        Event::Dx { id, step, op } => dx::on_step(state, &id, step, op),
    }
}

/// Carries out a request that was identified.
pub fn handle(state: &mut State, _listener: Listener, call: &Call, req: &Req) -> Res {
    remember_secrets(state, req);
    let request_id = request_id(state);
    let (service, region) = identify::scope(req);
    let res = match service {
        identify::Service::Ec2 => ec2::handle(state, call, req, &region, &request_id),
        identify::Service::DirectConnect => dx::handle(state, call, req, &region),
        identify::Service::Sts => sts::handle(state, call, req, &request_id),
    };
    res.with("x-amzn-requestid", &request_id)
}

/// A request's ID: from its place in the call log, so that reads do not use up randomness.
fn request_id(state: &State) -> String {
    Rng::new(state.calls.next_seq() ^ 0x5eed_a35e_0000_0000).uuid()
}

/// Notes secrets of a request before anything can refuse it.
fn remember_secrets(state: &mut State, req: &Req) {
    let is_secret = |name: &str| {
        let last = name.rsplit('.').next().unwrap_or(name);
        matches!(last, "PreSharedKey" | "authKey" | "WebIdentityToken")
    };
    let mut found: Vec<String> = Vec::new();
    if let Ok(body) = serde_json::from_slice::<Value>(&req.body) {
        if let Some(key) = body.pointer("/newPrivateVirtualInterface/authKey") {
            found.extend(key.as_str().map(str::to_owned));
        }
    } else {
        found.extend(
            req.form()
                .into_iter()
                .filter(|(k, _)| is_secret(k))
                .map(|(_, v)| v),
        );
    }
    state.aws.seen_secrets.extend(found);
}

/// What exists now, apart from what the world started with (contract §4, `GET /live`).
pub fn live(state: &State) -> Vec<LiveObject> {
    audit::live(state)
}

/// The world's own objects as they are now, by ID, without what changes by itself: compared for `GET /diff`.
pub fn world_objects(state: &State) -> BTreeMap<String, Value> {
    audit::world_objects(state)
}

/// Every secret value that AWS knows: masked in the call log.
pub fn secrets(state: &State) -> Vec<String> {
    audit::secrets(state)
}

/// An error in the dialect of the service that was called.
pub fn error(call: &Call, status: u16, code: &str, message: &str) -> Res {
    if sts::is_operation(&call.operation) {
        sts::error(status, code, message, "")
    } else if dx::is_operation(call) {
        dx::error(status, code, message)
    } else {
        ec2::error(status, code, message, "")
    }
}

/// This provider's part of what the network simulation sees.
pub fn view(state: &State) -> AwsView {
    derive::view(state)
}

/// A piece of provider's work to be started.
struct Work<'a> {
    operation: &'a str,
    resource: &'a str,
    kind: OpKind,
    duration: durations::Named,
    /// IDs of the resources named in the request.
    names: &'a [String],
}

/// Registers work and schedules the event that ends it.
fn begin(state: &mut State, work: &Work<'_>, event: impl FnOnce(u64) -> Event) {
    let seconds = state.duration(work.duration.0, work.duration.1);
    let op = state.ops.begin(
        state.now,
        &NewOp {
            provider: Provider::Aws,
            operation: work.operation,
            resource: work.resource,
            kind: work.kind,
            seconds,
            names: work.names,
            locks: &[],
        },
    );
    let due = state.now.plus_secs(seconds);
    state.schedule(due, crate::state::Event::Aws(event(op)));
}

/// Schedules something that is nobody's operation, such as the end of a deleted object's lingering.
fn later(state: &mut State, duration: durations::Named, event: Event) {
    let seconds = state.duration(duration.0, duration.1);
    let due = state.now.plus_secs(seconds);
    state.schedule(due, crate::state::Event::Aws(event));
}

fn finish(state: &mut State, op: Option<u64>) {
    if let Some(op) = op {
        state.ops.finish(op, state.now);
    }
}

/// When reads of `service` (`ec2`, `directconnect`) show a write that happens now: drawn afresh for each write.
fn visible_at(state: &mut State, service: &str) -> SimTime {
    let lag = state.read_lag(service);
    state.now.plus_secs(lag)
}

/// Whether the work that this call starts is to end in failure; the code says why.
fn will_fail(state: &mut State, call: &Call) -> Option<String> {
    let State { faults, rng, .. } = state;
    faults
        .take(rng, call, &[crate::faults::Effect::LroFails])
        .map(|a| {
            a.fault
                .code
                .unwrap_or_else(|| "An internal error occurred".to_owned())
        })
}
