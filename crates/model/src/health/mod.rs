//! Health: what the tables of all three clouds say about sessions, routes and paths, joined into verdicts.
//!
//! Pure: a [`Picture`] (what the spec expects, with the readings of every vantage beside it) and a [`Memory`] go in, a
//! [`Judgement`] comes out. It never reads a clock or a cloud, and it does not know what the sandbox knows: only what the
//! providers' APIs say. Unknown is not false: what could not be read makes `Unknown`, and never hides a failure that is
//! known from elsewhere. Messages carry no times and no counters.

mod contract;
mod mesh;
mod paths;
mod picture;
mod sessions;
mod steady;

#[cfg(test)]
mod tests;

pub use paths::{Active, Carrier, PathState, PathView};
pub use picture::{
    DirectConnectView, ErGatewayView, ErPort, ExpressRouteView, NicView, Picture, Reading,
    RouteTableView, RouterView, SubjectKind, VpnTunnelView, VpnView,
};
pub use sessions::{SessionVerdict, Standing};
pub use steady::{Clock, Failover, Memory, Steady, shown_verdict};

use crate::report::{HealthVerdicts, Truth, Verdict};
use serde::Serialize;

/// How a tunnel stands, for the status of a VPN pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TunnelStanding {
    pub name: String,
    /// IPsec, as far as AWS's telemetry tells.
    pub ipsec: PathState,
    pub bgp: PathState,
    pub bgp_expected: bool,
    pub message: Option<String>,
}

/// What judging yields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Judgement {
    pub verdicts: HealthVerdicts,
    pub sessions: Vec<SessionVerdict>,
    pub sessions_up: usize,
    pub sessions_expected: usize,
    /// The path that carries the traffic now; `None` while nobody can tell.
    pub active: Option<Active>,
    pub paths: Vec<PathView>,
    /// Newest first.
    pub failovers: Vec<Failover>,
    pub routes_seen: usize,
    pub routes_expected: usize,
    pub tunnels: Vec<TunnelStanding>,
    /// Something is wrong, unknown or not settled: read the expensive tables more often.
    pub trouble: bool,
    /// A verdict waits for more samples: judge again after one poll.
    pub pending: bool,
}

/// A verdict before hysteresis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raw {
    pub verdict: Verdict,
    /// Nothing is known yet because a newer reading is on its way: the last verdict stands, uncounted.
    pub waiting: bool,
    /// A doubt rather than an explicit down: it must hold for three samples before it counts.
    pub soft: bool,
}

impl Raw {
    pub(crate) fn firm(truth: Truth, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::new(truth, reason, message),
            waiting: false,
            soft: false,
        }
    }

    pub(crate) fn unknown(whys: &[Doubt]) -> Self {
        let words: Vec<String> = whys.iter().map(|d| d.why.clone()).collect();
        Self {
            verdict: Verdict::new(Truth::Unknown, "StaleTelemetry", listed(&words)),
            waiting: !whys.is_empty() && whys.iter().all(|d| d.waiting),
            soft: false,
        }
    }
}

/// Why something is unknown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Doubt {
    pub why: String,
    /// A newer reading is on its way.
    pub waiting: bool,
}

impl Doubt {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            waiting: false,
        }
    }
}

/// What is said of a table with rows that nobody understood.
pub(crate) fn partly(what: &str) -> String {
    format!("{what}: rows could not be understood; the RouteReport shows them as text")
}

/// How many sentences a message has before it says how many more there are.
const LISTED: usize = 4;

/// Sentences as one text: each once, in a fixed order, bounded.
pub(crate) fn listed(sentences: &[String]) -> String {
    let mut unique: Vec<&str> = sentences.iter().map(String::as_str).collect();
    unique.sort_unstable();
    unique.dedup();
    let more = unique.len().saturating_sub(LISTED);
    let mut text = unique
        .iter()
        .take(LISTED)
        .copied()
        .collect::<Vec<_>>()
        .join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// Judges. `memory` is this object's, from the last time (or new), and is changed.
pub fn judge(picture: &Picture, memory: &mut Memory, clock: &Clock) -> Judgement {
    let mut sessions = sessions::all(picture);
    memory.hold(&mut sessions);
    let expected: Vec<&SessionVerdict> = sessions.iter().filter(|s| s.counted).collect();
    let sessions_expected = expected.len();
    let sessions_up = expected
        .iter()
        .filter(|s| s.standing == Standing::Up)
        .count();
    let bgp = sessions::verdict(&sessions);
    let found = paths::infer(picture, &sessions);
    let routes = picture
        .contract
        .then(|| contract::verdict(picture, &sessions, &found));
    let interconnect = picture.kind == SubjectKind::HybridInterconnect;
    let available = interconnect.then(|| paths::available(&found));
    let redundant = match picture.kind {
        SubjectKind::HybridInterconnect => Some(paths::redundant(picture, &found)),
        SubjectKind::ExpressRouteLink => Some(paths::ports_redundant(picture, &sessions)),
        SubjectKind::DirectConnectLink | SubjectKind::VpnPair => None,
    };
    let active = interconnect
        .then(|| memory.move_to(paths::active(&found), clock))
        .flatten();
    let (routes_seen, routes_expected) = contract::count(picture);
    let mut trouble = memory.waits();
    let mut pending = memory.waits();
    let mut settle = |raw: Option<Raw>, steady: &mut Steady| {
        let raw = raw?;
        trouble |= raw.waiting || raw.soft || raw.verdict.truth != Truth::True;
        let (verdict, waits) = steady.settle(raw, clock);
        pending |= waits;
        Some(verdict)
    };
    let verdicts = HealthVerdicts {
        bgp_established: settle(Some(bgp), &mut memory.bgp),
        routes_as_expected: settle(routes, &mut memory.routes),
        available: settle(available, &mut memory.available),
        redundant: settle(redundant, &mut memory.redundant),
    };
    // One port by choice is no reason to look more often.
    let by_choice = verdicts
        .redundant
        .as_ref()
        .is_some_and(|v| v.reason == "SingleExpressRoutePort");
    let others_fine = [&verdicts.bgp_established, &verdicts.routes_as_expected]
        .iter()
        .all(|v| v.as_ref().is_none_or(|v| v.truth == Truth::True));
    Judgement {
        trouble: trouble && !(by_choice && others_fine && !pending),
        pending,
        tunnels: sessions::tunnels(picture, &sessions),
        verdicts,
        sessions,
        sessions_up,
        sessions_expected,
        active,
        paths: found.paths,
        failovers: memory.failovers.clone(),
        routes_seen,
        routes_expected,
    }
}
