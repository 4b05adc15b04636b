//! Health: gathers the vantages of an object, lets `causeway-model` judge them, and writes the RouteReport. What is
//! judged, and how, is decided there (`causeway_model::health`); here is only where the readings come from, and what of
//! the judgement goes where. Nothing here waits for a table.

mod gather;
mod report;
mod spec;

pub use spec::{HealthSpec, direct_connect_spec, express_route_spec, interconnect_spec, vpn_spec};

use crate::controllers::context::Context;
use crate::controllers::engine::event;
use crate::controllers::{Health, Managed, Prepared};
use causeway_api::interconnect::{ActivePath, Failover, PathKind, PathStatus};
use causeway_api::report::RouteReportStatus;
use causeway_api::status::{RouteCount, SessionCount, State};
use causeway_api::vpn::{TunnelName, TunnelStatus, VpnPairStatus};
use causeway_api::{HybridInterconnect, HybridInterconnectStatus};
use causeway_model::health::{self as model, Active, Carrier, Clock, Judgement, Memory, PathState};
use causeway_model::observe::Observed;
use causeway_model::plan::{Phase, Plan};
use causeway_model::report::HealthVerdicts;
use gather::{Gather, Networks};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::runtime::events::EventType;
use std::collections::{BTreeMap, BTreeSet, HashMap};
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

/// What status remembers of the active path.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LastPath {
    pub active: Option<Active>,
    /// Newest first.
    pub failovers: Vec<model::Failover>,
}

/// What is remembered of one object between judgements.
#[derive(Debug, Default)]
struct Remembered {
    memory: Memory,
    /// What an earlier process had said.
    resumed: HealthVerdicts,
    /// Its objects existed once: from then on it is judged.
    begun: bool,
    trouble: bool,
    /// The cheap signals as last known.
    signals: BTreeMap<String, String>,
    changed_at: Option<Timestamp>,
    /// The trap on GatewaySubnet that was last warned of.
    trap: Option<String>,
    written: Option<RouteReportStatus>,
}

/// The links that a path is made of, whether it surely holds, and whether it may.
type JudgedPath = (BTreeSet<String>, bool, bool);

/// What this process remembers of everybody's health. Lost on restart: verdicts then start anew.
#[derive(Debug, Default)]
pub struct Memories {
    objects: Mutex<HashMap<String, Remembered>>,
    /// Both ends' networks by interconnect: its links have only one account each.
    networks: Mutex<HashMap<String, Networks>>,
    /// Paths of each interconnect as last judged: what they are made of, and whether they hold.
    paths: Mutex<HashMap<String, Vec<JudgedPath>>>,
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
        self.paths
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
        self.networks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
    /// What it would cost to interrupt these links at once: `Some(false)` while no path of their interconnect holds
    /// without them and one does with them, `Some(true)` while another one holds too, `None` while they carry none.
    /// `interconnect` is that object's key (`HybridInterconnect namespace/name`); `carried` says whether an earlier process
    /// found it to carry traffic: until this one has judged it too, nothing is proven.
    pub fn other_path(
        &self,
        interconnect: &str,
        links: &BTreeSet<String>,
        carried: bool,
    ) -> Option<bool> {
        let all = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(paths) = all.get(interconnect) else {
            return carried.then_some(false);
        };
        // What nobody can tell of the links' own paths counts as carried, of the others as lost.
        let carries = paths
            .iter()
            .any(|(uses, _, may)| *may && !uses.is_disjoint(links));
        let another = || {
            paths
                .iter()
                .any(|(uses, holds, _)| *holds && uses.is_disjoint(links))
        };
        carries.then(another)
    }

    fn keep_paths(&self, key: &str, j: &Judgement) {
        let paths = j
            .paths
            .iter()
            .map(|p| (p.uses.clone(), p.holds(), p.may_hold()))
            .collect();
        self.paths
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned(), paths);
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
            mesh_subnets: if own.mesh_subnets.is_empty() {
                of_parent.mesh_subnets
            } else {
                own.mesh_subnets
            },
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

fn name(a: Active) -> &'static str {
    match a {
        Active::ExpressRoute => "ExpressRoute",
        Active::Vpn => "VPN",
        Active::Split => "Split",
        Active::None => "None",
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

/// What status already says of health.
fn shown<K: Managed>(object: &K) -> HealthVerdicts {
    let of = |kind: &str| {
        let c = object
            .common()?
            .conditions
            .iter()
            .find(|c| c.type_ == kind)?;
        model::shown_verdict(&c.status, &c.reason, &c.message)
    };
    HealthVerdicts {
        bgp_established: of("BGPEstablished"),
        routes_as_expected: of("RoutesAsExpected"),
        available: of("Available"),
        redundant: of("Redundant"),
    }
}

/// Judges one object of any kind: its sessions, routes and paths; and writes its RouteReport.
pub async fn judge<K: Managed>(
    object: &Arc<K>,
    ctx: &Arc<Context>,
    key: &str,
    prepared: &Prepared,
    observed: &Observed,
    plan: &Plan,
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
    let mut m = ctx.health.take(key).unwrap_or_else(|| {
        let verdicts = shown(&**object);
        let last = object.last_path();
        Remembered {
            memory: Memory::resumed(&verdicts, last.active, last.failovers),
            resumed: verdicts,
            trouble: true,
            ..Remembered::default()
        }
    });
    let made = is_made(plan) && !subject.links_missing;
    // What an earlier process judged was made once, whatever could be read of it since this one began.
    if !m.begun && !made && m.resumed.bgp_established.is_none() {
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
    // What can not be read now has not changed; what is seen for the first time has nothing to differ from.
    let mut changed = false;
    for (what, value) in gather.signals() {
        let before = m.signals.insert(what.clone(), value);
        if before.is_some_and(|b| m.signals.get(&what) != Some(&b)) {
            debug!(object = key, what, "a cheap signal changed");
            changed = true;
        }
    }
    if changed {
        // What was read before says nothing about what is now.
        m.changed_at = Some(prepared.env.now);
        gather.since = m.changed_at;
    }
    let gathered = gather.all();
    if !m.begun && !gathered.complete {
        let verdicts = m.resumed.clone();
        ctx.health.put(key, m);
        // Each reading that comes wakes us. Until then, what an earlier process said stands.
        return Health {
            look_again: Some(ctx.vantages.period(true)),
            verdicts,
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
        let kind = if f.to == Active::None {
            EventType::Warning
        } else {
            EventType::Normal
        };
        event(
            ctx,
            &**object,
            kind,
            "PathChanged",
            // Events with the same action are counted, not shown: each direction is one of its own.
            &format!("ChangeTo{}", name(f.to)),
            &format!(
                "the active path changed from {} to {}",
                name(f.from),
                name(f.to)
            ),
        );
    }
    if subject.kind == model::SubjectKind::HybridInterconnect {
        ctx.health.keep_paths(key, &j);
    }
    // Not for links of an interconnect: that one says it.
    let trap = gathered
        .picture
        .trap()
        .filter(|_| subject.parent.is_none())
        .map(|t| t.sentence());
    if let Some(sentence) = trap.as_ref().filter(|s| m.trap.as_ref() != Some(*s)) {
        event(
            ctx,
            &**object,
            EventType::Warning,
            "RouteTableTrap",
            "Look",
            sentence,
        );
    }
    m.trap = trap;
    m.trouble = j.trouble || !made;
    let status = report::status(&**object, gathered.seeds, &gather.expected_peers(), &j);
    if m.written.as_ref().is_none_or(|w| !w.same_content(&status)) {
        match report::write(
            &**object,
            ctx,
            &K::PREFIX.report_name(&object.name_any()),
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

/// What an interconnect's status remembers of its active path: the record of failovers outlives the process there.
pub fn last_path(object: &HybridInterconnect) -> LastPath {
    let status = object.status.as_ref();
    LastPath {
        active: status.and_then(|s| s.active_path).map(from_active),
        failovers: status
            .iter()
            .flat_map(|s| &s.failovers)
            .filter_map(|f| {
                Some(model::Failover {
                    from: from_active(f.from),
                    to: from_active(f.to),
                    at: f.at.as_ref()?.0,
                    outage_seconds: f.duration_seconds,
                })
            })
            .collect(),
    }
}

/// Session counts for the status; what was not judged yet leaves an earlier process's count alone.
pub fn show_sessions(bgp: &mut Option<SessionCount>, health: &Health) {
    let unjudged = !health.detail.judged && health.look_again.is_some();
    if !(unjudged && bgp.is_some()) {
        *bgp = Some(SessionCount::new(
            health.sessions_up,
            health.sessions_expected,
        ));
    }
}

/// Puts what was judged of an interconnect into its status.
pub fn show(status: &mut HybridInterconnectStatus, health: &Health) {
    show_sessions(&mut status.bgp, health);
    let d = &health.detail;
    if d.judged {
        status.active_path = d.active_path;
        status.paths.clone_from(&d.paths);
        status.failovers.clone_from(&d.failovers);
        status.routes = Some(RouteCount::new(d.routes_seen, d.routes_expected));
    } else if health.look_again.is_none() {
        // Nothing to judge: being built, or being deleted. The record of failovers stays.
        status.active_path = None;
        status.paths = Vec::new();
        status.routes = None;
    }
}

/// Puts what was judged of a VPN pair into its status.
pub fn show_vpn(status: &mut VpnPairStatus, health: &Health) {
    show_sessions(&mut status.bgp, health);
    if health.detail.judged {
        status.tunnels.clone_from(&health.detail.tunnels);
    }
}

/// Whether an interconnect was found to carry traffic, as its status says.
pub fn carried(object: &HybridInterconnect) -> bool {
    let conditions = object.status.as_ref().map(|s| &s.common.conditions);
    conditions
        .into_iter()
        .flatten()
        .any(|c| c.type_ == "Available" && c.status == "True")
}

impl HealthSpec {
    /// Whether another path holds beside those over this link, or over an interconnect's own gateways; links of it that are
    /// on their way out count for nothing. `key` is the object's own.
    pub fn other_path(&self, ctx: &Context, key: &str, namespace: &str) -> Option<bool> {
        let subject = self.subject.as_ref()?;
        let mut links: BTreeSet<String> = BTreeSet::new();
        links.extend(subject.express_routes.iter().map(|l| l.name.clone()));
        let interconnect = match subject.kind {
            // Its gateway and its routers are those of the private paths.
            model::SubjectKind::HybridInterconnect => key,
            _ => {
                links.extend(subject.direct_connects.iter().map(|l| l.name.clone()));
                links.extend(subject.vpns.iter().map(|l| l.name.clone()));
                subject.parent.as_deref()?
            }
        };
        let name = interconnect.rsplit('/').next().unwrap_or_default();
        let object = ctx.interconnect(namespace, name)?;
        links.extend(crate::controllers::kinds::going(&object, ctx));
        ctx.health
            .other_path(interconnect, &links, carried(&object))
    }
}
