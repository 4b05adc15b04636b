//! The RouteReport: the tables as they were gathered, sorted and bounded, written only when their content changed. What
//! counts up by itself (durations, message counters) never gets in.

use crate::controllers::Managed;
use crate::controllers::context::Context;
use causeway_api::RouteReport;
use causeway_api::report::{
    Readability, ReportSummary, RouteEntry, RouteReportStatus, SessionEntry, Subject, Vantage,
    VantageKind,
};
use causeway_api::status::Provider;
use causeway_model::health::{Judgement, Reading};
use causeway_model::routes::aws::{TunnelHealth, TunnelRow};
use causeway_model::routes::{Learned, NextHop, Route, Session, Sessions, Table};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, ResourceExt};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// Calls to the API server have an end.
const KUBE_TIMEOUT: Duration = Duration::from_secs(20);

/// One vantage on its way into a report.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub name: String,
    vantage: Vantage,
}

impl Seed {
    pub(super) fn new(
        name: String,
        provider: Provider,
        kind: VantageKind,
        object: Option<&str>,
    ) -> Self {
        let vantage = Vantage {
            name: cut(&name, 128),
            provider,
            kind,
            object: object.map(|o| cut(o, 512)),
            ..Vantage::default()
        };
        Self { name, vantage }
    }

    fn note<T>(&mut self, reading: &Reading<T>) {
        let (state, why) = match reading {
            Reading::Read(_) | Reading::Outdated(_) => return,
            Reading::Unknown(why) => (Readability::Unreadable, why.clone()),
            // Nobody misses it: what else the vantage has is readable.
            Reading::NotOffered(why) => (self.vantage.state, why.clone()),
        };
        self.vantage.state = state;
        self.vantage.message = Some(cut(&why, 2000));
    }

    /// Rows that nobody understood stay as the provider wrote them.
    fn keep(&mut self, rows: &[String]) {
        if rows.is_empty() {
            return;
        }
        let before = self.vantage.raw.take().into_iter();
        let all: Vec<String> = before.chain(rows.iter().cloned()).collect();
        self.vantage.raw = Some(cut(&all.join("\n"), 4000));
    }

    fn add(&mut self, table: Option<&Table>, direction: Option<&str>) {
        let kind = self.vantage.kind;
        self.keep(table.map_or(&[], |t| &t.not_understood));
        self.vantage.routes.extend(
            table
                .iter()
                .flat_map(|t| &t.routes)
                .map(|r| entry(r, kind, direction)),
        );
    }

    pub(super) fn routes(mut self, table: &Reading<Table>) -> Self {
        self.note(table);
        self.add(table.shown(), None);
        self
    }

    pub(super) fn directed(
        mut self,
        accepted: &Reading<Table>,
        advertised: &Reading<Table>,
    ) -> Self {
        self.note(accepted);
        self.add(accepted.shown(), Some("accepted"));
        self.add(advertised.shown(), Some("advertised"));
        self
    }

    pub(super) fn sessions(mut self, sessions: &Reading<Sessions>) -> Self {
        if !matches!(sessions, Reading::NotOffered(_)) {
            self.note(sessions);
        }
        if let Some(s) = sessions.shown() {
            self.keep(&s.not_understood);
            self.vantage.sessions.extend(s.rows.iter().map(session));
        }
        self
    }

    /// A VPN tunnel by its telemetry. AWS's message says how many routes there are, and whether only BGP is missing.
    pub(super) fn tunnel(name: &str, connection: Option<&str>, row: &Reading<TunnelRow>) -> Self {
        let mut seed = Self::new(
            name.to_owned(),
            Provider::AWS,
            VantageKind::VpnTunnel,
            connection,
        );
        seed.note(row);
        if let Some(row) = row.shown() {
            if !row.message.is_empty() {
                seed.vantage.message = Some(cut(&row.message, 2000));
            }
            let inside = row.session();
            if inside.is_none() {
                seed.keep(&[format!("{row:?}")]);
            }
            seed.vantage
                .sessions
                .extend(inside.as_ref().map(session).map(|s| SessionEntry {
                    state: match row.health() {
                        TunnelHealth::Healthy | TunnelHealth::NoRoutes => "UP".to_owned(),
                        TunnelHealth::IpsecOnly | TunnelHealth::Down => "DOWN".to_owned(),
                        TunnelHealth::Unknown => "unknown".to_owned(),
                    },
                    ..s
                }));
        }
        seed
    }
}

fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

fn origin(r: &Route, kind: VantageKind) -> Option<&'static str> {
    let word = match (kind, r.learned) {
        (VantageKind::ExpressRouteGateway | VantageKind::VpnGateway, Learned::Local) => "Network",
        (VantageKind::ExpressRouteGateway | VantageKind::VpnGateway, Learned::Ebgp) => "EBgp",
        (VantageKind::ExpressRouteGateway | VantageKind::VpnGateway, Learned::Ibgp) => "IBgp",
        (VantageKind::NetworkInterface, Learned::Propagated) => "VirtualNetworkGateway",
        (VantageKind::NetworkInterface, Learned::Local) => "Default",
        (VantageKind::NetworkInterface, Learned::Static) => "User",
        (VantageKind::DirectConnectGateway, _) => "allowed",
        (VantageKind::RouteTable, Learned::Propagated) => "propagated",
        (VantageKind::RouteTable, Learned::Static) => "static",
        (VantageKind::RouteTable, Learned::Local) => "local",
        (VantageKind::MegaportRouter, Learned::Local) => "local",
        (VantageKind::MegaportRouter, Learned::Static) => "STATIC",
        (VantageKind::MegaportRouter, _) => "BGP",
        _ => return None,
    };
    Some(word)
}

fn entry(r: &Route, kind: VantageKind, direction: Option<&str>) -> RouteEntry {
    let path = r
        .as_path
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(" ");
    RouteEntry {
        prefix: r.prefix.to_string(),
        next_hop: match &r.next_hop {
            NextHop::Unknown => None,
            hop => Some(cut(&hop.to_string(), 128)),
        },
        as_path: (!path.is_empty()).then(|| cut(&path, 512)),
        origin: origin(r, kind).map(str::to_owned),
        weight: r.weight.or(r.local_pref).map(i64::from),
        source: r.peer.map(|p| p.to_string()),
        direction: direction.map(str::to_owned),
        best: if r.usable { r.best } else { Some(false) },
    }
}

fn session(s: &Session) -> SessionEntry {
    SessionEntry {
        local: s.local.map(|a| a.to_string()),
        peer: Some(s.peer.to_string()),
        asn: s.peer_asn.map(i64::from),
        // Megaport says 1 and 0 (megaport.md §4.4).
        state: match s.word.as_str() {
            "1" => "up".to_owned(),
            "0" => "down".to_owned(),
            word => cut(word, 64),
        },
        prefixes_received: s.routes_received.map(i64::from),
        expected: false,
    }
}

/// Each instance of a VPN gateway shows each neighbour, and a tunnel ends on one instance only: beside the row that is
/// connected, its twin stays `Connecting` for ever (azure.md §3.6), and nobody expects otherwise.
fn without_twins(sessions: &mut [SessionEntry]) {
    let connected: BTreeSet<String> = sessions
        .iter()
        .filter(|s| s.expected && s.state.eq_ignore_ascii_case("connected"))
        .filter_map(|s| s.peer.clone())
        .collect();
    for s in sessions.iter_mut().filter(|s| s.expected) {
        let up_elsewhere = s.peer.as_ref().is_some_and(|p| connected.contains(p));
        s.expected = !up_elsewhere || s.state.eq_ignore_ascii_case("connected");
    }
}

/// The report's content.
pub(super) fn status<K: Managed>(
    object: &K,
    seeds: Vec<Seed>,
    expected: &BTreeSet<IpAddr>,
    judged: &Judgement,
) -> RouteReportStatus {
    let mut vantages: Vec<Vantage> = seeds.into_iter().map(|s| s.vantage).collect();
    for s in vantages.iter_mut().flat_map(|v| &mut v.sessions) {
        s.expected = s
            .peer
            .as_ref()
            .and_then(|p| p.parse().ok())
            .is_some_and(|p: IpAddr| expected.contains(&p));
    }
    for v in &mut vantages {
        if v.kind == VantageKind::VpnGateway {
            without_twins(&mut v.sessions);
        }
    }
    let mut status = RouteReportStatus {
        observed_generation: object.meta().generation.unwrap_or(0),
        subject: Some(Subject {
            kind: K::KIND.to_owned(),
            name: object.name_any(),
        }),
        updated_at: None,
        summary: None,
        vantages,
        truncated: false,
    }
    .bounded();
    let readable = status
        .vantages
        .iter()
        .filter(|v| v.state == Readability::Readable)
        .count();
    let routes: usize = status.vantages.iter().map(|v| v.routes.len()).sum();
    let unreadable: Vec<&str> = status
        .vantages
        .iter()
        .filter(|v| v.state != Readability::Readable)
        .map(|v| v.name.as_str())
        .collect();
    status.summary = Some(ReportSummary {
        unreadable: (!unreadable.is_empty()).then(|| cut(&unreadable.join(", "), 512)),
        vantages: format!("{readable}/{}", status.vantages.len()),
        routes: i64::try_from(routes).unwrap_or(i64::MAX),
        sessions: format!("{}/{}", judged.sessions_up, judged.sessions_expected),
    });
    status
}

/// Writes the report of an object unless the cluster has it already; answers whether the cluster has it now.
pub(super) async fn write<K: Managed>(
    object: &K,
    ctx: &Context,
    name: &str,
    mut status: RouteReportStatus,
) -> Result<(), String> {
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<RouteReport> = Api::namespaced(ctx.client.clone(), &namespace);
    let work = async {
        let current = match api.get_opt(name).await? {
            Some(r) => r,
            None => {
                let owner = object.owner_ref(&());
                let fresh = RouteReport {
                    metadata: ObjectMeta {
                        name: Some(name.to_owned()),
                        namespace: Some(namespace.clone()),
                        owner_references: owner.map(|o| vec![o]),
                        ..ObjectMeta::default()
                    },
                    ..RouteReport::default()
                };
                api.create(&PostParams::default(), &fresh).await?
            }
        };
        if current
            .status
            .as_ref()
            .is_some_and(|s| s.same_content(&status))
        {
            return Ok(());
        }
        status.updated_at = Some(Time(ctx.clock.now()));
        let next = RouteReport {
            status: Some(status),
            ..current
        };
        api.replace_status(name, &PostParams::default(), &next)
            .await
            .map(|_| ())
    };
    match tokio::time::timeout(KUBE_TIMEOUT, work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err("the API server did not answer in time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(local: &str, peer: &str, state: &str) -> SessionEntry {
        SessionEntry {
            local: Some(local.to_owned()),
            peer: Some(peer.to_owned()),
            state: state.to_owned(),
            expected: true,
            ..SessionEntry::default()
        }
    }

    #[test]
    fn the_twin_of_a_connected_row_is_not_expected() {
        let mut rows = vec![
            entry("172.29.255.14", "169.254.21.1", "Connected"),
            entry("172.29.255.15", "169.254.21.1", "Connecting"),
            entry("172.29.255.14", "169.254.21.5", "Connecting"),
            entry("172.29.255.15", "169.254.21.5", "Connecting"),
        ];
        without_twins(&mut rows);
        let expected: Vec<bool> = rows.iter().map(|r| r.expected).collect();
        // Of a session that is up nowhere, either row may be the one that is missing.
        assert_eq!(expected, [true, false, true, true]);
    }

    #[test]
    fn rows_that_nobody_understood_stay_as_text() {
        let table = Table {
            not_understood: vec!["a row".to_owned(), "another".to_owned()],
            ..Table::default()
        };
        let sessions = Sessions {
            not_understood: vec!["a peer".to_owned()],
            ..Sessions::default()
        };
        let seed = Seed::new(
            "er-gateway".to_owned(),
            Provider::Azure,
            VantageKind::ExpressRouteGateway,
            None,
        )
        .routes(&Reading::Read(table))
        .sessions(&Reading::Read(sessions));
        assert_eq!(seed.vantage.raw.as_deref(), Some("a row\nanother\na peer"));
    }
}
