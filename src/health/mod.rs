//! Health: gathers the vantages of an object, lets `causeway-model` judge them, and writes the RouteReport. What is
//! judged, and how, is decided there (`causeway_model::health`); here is only where the readings come from, and what of
//! the judgement goes where. Nothing here waits for a table.

mod gather;
mod report;
mod spec;

pub use spec::{HealthSpec, direct_connect_spec, express_route_spec, interconnect_spec, vpn_spec};

use crate::controllers::context::Context;
use crate::controllers::{Health, Managed, Prepared};
use causeway_api::children::KindPrefix;
use causeway_api::interconnect::{ActivePath, Failover, PathKind, PathStatus};
use causeway_api::report::RouteReportStatus;
use causeway_api::status::{RouteCount, SessionCount, State};
use causeway_api::vpn::{TunnelName, TunnelStatus, VpnPairStatus};
use causeway_api::{
    DirectConnectLink, ExpressRouteLink, HybridInterconnect, HybridInterconnectStatus, VpnPair,
};
use causeway_model::health::{self as model, Active, Carrier, Clock, Judgement, Memory, PathState};
use causeway_model::observe::Observed;
use causeway_model::plan::{Phase, Plan};
use gather::{Gather, Networks};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::{debug, info};

/// What a kind's status shows beside the conditions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthDetail {
    /// There is something to show: the object was judged.
    pub judged: bool,
    pub active_path: Option<ActivePath>,
    pub paths: Vec<PathStatus>,
    /// Newest first, at most ten.
    pub failovers: Vec<Failover>,
    pub routes_seen: usize,
    pub routes_expected: usize,
    /// Of a VPN pair.
    pub tunnels: Vec<TunnelStatus>,
}

/// What is remembered of one object between judgements.
#[derive(Debug, Default)]
struct Remembered {
    memory: Memory,
    /// Its objects existed once: from then on it is judged.
    begun: bool,
    trouble: bool,
    signals: String,
    changed_at: Option<Timestamp>,
    written: Option<RouteReportStatus>,
}

/// What this process remembers of everybody's health. Lost on restart: verdicts then start anew.
#[derive(Debug, Default)]
pub struct Memories {
    objects: Mutex<HashMap<String, Remembered>>,
    /// Both ends' networks by interconnect: its links have only one account each.
    networks: Mutex<HashMap<String, Networks>>,
}

impl Memories {
    fn take(&self, key: &str) -> Option<Remembered> {
        self.objects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key)
    }
    fn put(&self, key: &str, r: Remembered) {
        self.objects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned(), r);
    }
    /// An object is gone.
    pub fn forget(&self, key: &str) {
        self.take(key);
        self.networks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
    /// Both networks, from the interconnect where there is one.
    fn networks(&self, key: &str, parent: Option<&str>, own: Networks) -> Networks {
        let mut all = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(parent) = parent else {
            all.insert(key.to_owned(), own.clone());
            return own;
        };
        let of_parent = all.get(parent).cloned().unwrap_or_default();
        Networks {
            azure: if own.azure.is_empty() {
                of_parent.azure
            } else {
                own.azure
            },
            aws: if own.aws.is_empty() {
                of_parent.aws
            } else {
                own.aws
            },
            gateway_subnet: own.gateway_subnet.or(of_parent.gateway_subnet),
        }
    }
}

fn active(a: Active) -> ActivePath {
    match a {
        Active::ExpressRoute => ActivePath::ExpressRoute,
        Active::Vpn => ActivePath::VPN,
        Active::Split => ActivePath::Split,
        Active::None => ActivePath::None,
    }
}

fn from_active(a: ActivePath) -> Active {
    match a {
        ActivePath::ExpressRoute => Active::ExpressRoute,
        ActivePath::VPN => Active::Vpn,
        ActivePath::Split => Active::Split,
        ActivePath::None => Active::None,
    }
}

fn state(s: PathState) -> State {
    match s {
        PathState::Up => State::Up,
        PathState::Down => State::Down,
        PathState::Unknown => State::Unknown,
    }
}

fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

fn detail(j: &Judgement, spec: &HealthSpec) -> HealthDetail {
    let inside = |name: &str| {
        let tunnels = spec
            .subject
            .iter()
            .flat_map(|s| &s.vpns)
            .flat_map(|v| &v.tunnels);
        tunnels
            .into_iter()
            .find(|t| t.name.as_str() == name)
            .map(|t| t.inside.to_string())
    };
    HealthDetail {
        judged: true,
        active_path: j.active.map(active),
        paths: j
            .paths
            .iter()
            .map(|p| PathStatus {
                name: cut(&p.name, 128),
                kind: match p.carrier {
                    Carrier::ExpressRoute => PathKind::ExpressRoute,
                    Carrier::Vpn => PathKind::VPN,
                },
                azure_to_aws: state(p.azure_to_aws),
                aws_to_azure: state(p.aws_to_azure),
                message: p.message.as_ref().map(|m| cut(m, 2000)),
            })
            .collect(),
        failovers: j
            .failovers
            .iter()
            .map(|f| Failover {
                from: active(f.from),
                to: active(f.to),
                at: Some(Time(f.at)),
                duration_seconds: f.outage_seconds,
            })
            .collect(),
        routes_seen: j.routes_seen,
        routes_expected: j.routes_expected,
        tunnels: j
            .tunnels
            .iter()
            .filter_map(|t| {
                Some(TunnelStatus {
                    name: TunnelName::ALL.into_iter().find(|n| n.as_str() == t.name)?,
                    inside_cidr: inside(&t.name),
                    outside_address: None,
                    ipsec: state(t.ipsec),
                    bgp: state(t.bgp),
                    bgp_expected: t.bgp_expected,
                    message: t.message.as_ref().map(|m| cut(m, 2000)),
                })
            })
            .collect(),
    }
}

/// Whether every object of the plan was made.
fn is_made(plan: &Plan) -> bool {
    plan.phases
        .values()
        .all(|p| !matches!(p, Phase::Pending | Phase::Creating | Phase::Deleting))
}

/// One judgement of any kind.
#[expect(
    clippy::too_many_arguments,
    reason = "what a reconcile knows, and what differs between the kinds"
)]
async fn judge<K: Managed>(
    object: &Arc<K>,
    ctx: &Arc<Context>,
    key: &str,
    prepared: &Prepared,
    observed: &Observed,
    plan: &Plan,
    prefix: KindPrefix,
    restored: impl FnOnce() -> Memory,
) -> Health {
    let spec = &prepared.health;
    let nothing = || Health {
        sessions_expected: spec.sessions(),
        ..Health::default()
    };
    let Some(subject) = &spec.subject else {
        return nothing();
    };
    if object.meta().deletion_timestamp.is_some() {
        return nothing();
    }
    let own = gather::networks(spec, &prepared.env, observed);
    let networks = ctx.health.networks(key, subject.parent.as_deref(), own);
    let mut m = ctx.health.take(key).unwrap_or_else(|| Remembered {
        memory: restored(),
        trouble: true,
        ..Remembered::default()
    });
    let made = is_made(plan) && !subject.links_missing;
    if !m.begun && !made {
        ctx.health.put(key, m);
        return nothing();
    }
    let mut gather = Gather {
        spec: subject,
        env: &prepared.env,
        observed,
        vantages: &ctx.vantages,
        who: key,
        waker: ctx.waker(&**object),
        busy: m.trouble || !made,
        since: m.changed_at,
        networks,
    };
    let signals = gather.signals();
    if m.signals != signals {
        // What was read before says nothing about what is now.
        if !m.signals.is_empty() {
            m.changed_at = Some(prepared.env.now);
            debug!(object = key, "a cheap signal changed");
        }
        m.signals = signals;
        gather.since = m.changed_at;
    }
    let gathered = gather.all();
    if !m.begun && !gathered.complete {
        ctx.health.put(key, m);
        // Each reading that comes wakes us.
        return Health {
            look_again: Some(ctx.vantages.period(true)),
            ..nothing()
        };
    }
    m.begun = true;
    let poll = ctx.accounts.pace().calm;
    let clock = Clock {
        now: prepared.env.now,
        poll,
        scale: ctx.scale,
    };
    let before = m.memory.failovers.first().cloned();
    let j = model::judge(&gathered.picture, &mut m.memory, &clock);
    if let Some(f) = j.failovers.first().filter(|f| before.as_ref() != Some(*f)) {
        info!(object = key, from = ?f.from, to = ?f.to, "the active path changed");
    }
    m.trouble = j.trouble || !made;
    let status = report::status(&**object, gathered.seeds, &gather.expected_peers(), &j);
    if m.written.as_ref().is_none_or(|w| !w.same_content(&status)) {
        match report::write(
            &**object,
            ctx,
            &prefix.report_name(&object.name_any()),
            status.clone(),
        )
        .await
        {
            Ok(()) => m.written = Some(status),
            Err(error) => debug!(object = key, error, "the RouteReport could not be written"),
        }
    }
    let period = ctx.vantages.period(m.trouble);
    let look_again = if j.pending {
        poll.max(Duration::from_millis(50)).min(period)
    } else {
        period
    };
    ctx.health.put(key, m);
    Health {
        sessions_up: j.sessions_up,
        sessions_expected: j.sessions_expected,
        detail: detail(&j, spec),
        verdicts: j.verdicts,
        look_again: Some(look_again),
    }
}

pub async fn judge_express_route(
    object: &Arc<ExpressRouteLink>,
    ctx: &Arc<Context>,
    key: &str,
    prepared: &Prepared,
    observed: &Observed,
    plan: &Plan,
) -> Health {
    judge(
        object,
        ctx,
        key,
        prepared,
        observed,
        plan,
        KindPrefix::Er,
        Memory::default,
    )
    .await
}

pub async fn judge_direct_connect(
    object: &Arc<DirectConnectLink>,
    ctx: &Arc<Context>,
    key: &str,
    prepared: &Prepared,
    observed: &Observed,
    plan: &Plan,
) -> Health {
    judge(
        object,
        ctx,
        key,
        prepared,
        observed,
        plan,
        KindPrefix::Dx,
        Memory::default,
    )
    .await
}

pub async fn judge_vpn(
    object: &Arc<VpnPair>,
    ctx: &Arc<Context>,
    key: &str,
    prepared: &Prepared,
    observed: &Observed,
    plan: &Plan,
) -> Health {
    judge(
        object,
        ctx,
        key,
        prepared,
        observed,
        plan,
        KindPrefix::Vpn,
        Memory::default,
    )
    .await
}

pub async fn judge_interconnect(
    object: &Arc<HybridInterconnect>,
    ctx: &Arc<Context>,
    key: &str,
    prepared: &Prepared,
    observed: &Observed,
    plan: &Plan,
) -> Health {
    // The record of failovers outlives the process in the object's status.
    let restored = || {
        let Some(s) = &object.status else {
            return Memory::default();
        };
        let failovers = s
            .failovers
            .iter()
            .filter_map(|f| {
                Some(model::Failover {
                    from: from_active(f.from),
                    to: from_active(f.to),
                    at: f.at.as_ref()?.0,
                    outage_seconds: f.duration_seconds,
                })
            })
            .collect();
        Memory::restored(s.active_path.map(from_active), failovers)
    };
    judge(
        object,
        ctx,
        key,
        prepared,
        observed,
        plan,
        KindPrefix::Hi,
        restored,
    )
    .await
}

/// Puts what was judged of an interconnect into its status.
pub fn show(status: &mut HybridInterconnectStatus, health: &Health) {
    status.bgp = Some(SessionCount::new(
        health.sessions_up,
        health.sessions_expected,
    ));
    let d = &health.detail;
    if !d.judged {
        // Not judged (again) yet: the record of failovers stays, the rest is not known.
        status.active_path = None;
        status.paths = Vec::new();
        status.routes = None;
        return;
    }
    status.active_path = d.active_path;
    status.paths.clone_from(&d.paths);
    status.failovers.clone_from(&d.failovers);
    status.routes = Some(RouteCount::new(d.routes_seen, d.routes_expected));
}

/// Puts what was judged of a VPN pair into its status.
pub fn show_vpn(status: &mut VpnPairStatus, health: &Health) {
    status.bgp = Some(SessionCount::new(
        health.sessions_up,
        health.sessions_expected,
    ));
    if health.detail.judged {
        status.tunnels.clone_from(&health.detail.tunnels);
    }
}
