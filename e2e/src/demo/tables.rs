//! The lab's verification tables, out of RouteReports and traces.
//!
//! Pure: turns values into text. Headings are those of the tools that the lab uses, so that both can be laid side by side.

use std::collections::BTreeSet;

use causeway_api::RouteReport;
use causeway_api::report::{Readability, RouteEntry, SessionEntry, Vantage, VantageKind};
use serde::Deserialize;

/// One way of a packet, as the sandbox's control API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    pub hops: Vec<Hop>,
    pub arrives: bool,
    pub drop_at: Option<String>,
    pub reason: Option<String>,
    pub path: String,
}

/// One hop of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hop {
    pub node: String,
    /// None: silent.
    pub address: Option<String>,
}

/// A table: columns in which every cell is empty are left out.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let used: Vec<usize> = (0..head.len())
        .filter(|column| {
            rows.iter()
                .any(|row| row.get(*column).is_some_and(|c| !c.is_empty()))
        })
        .collect();
    if used.is_empty() {
        return "(empty)\n".to_owned();
    }
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| cell(row, column).chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let line = |cells: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for column in &used {
            text.push_str(&format!("{:<w$}  ", cells(*column), w = width(*column)));
        }
        text.trim_end().to_owned() + "\n"
    };
    let mut text = line(&|column| head[column].to_owned());
    text.push_str(&line(&|column| "-".repeat(width(column))));
    for row in rows {
        text.push_str(&line(&|column| cell(row, column)));
    }
    text
}

fn routes(rows: &[RouteEntry]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|r| {
            vec![
                r.prefix.clone(),
                r.direction.clone().unwrap_or_default(),
                r.next_hop.clone().unwrap_or_default(),
                r.origin.clone().unwrap_or_default(),
                r.source.clone().unwrap_or_default(),
                r.as_path.clone().unwrap_or_default(),
                r.weight.map(|w| w.to_string()).unwrap_or_default(),
            ]
        })
        .collect();
    let head = [
        "Network",
        "Direction",
        "NextHop",
        "Origin",
        "SourcePeer",
        "AsPath",
        "Weight",
    ];
    table(&head, &rows)
}

/// The MCR's looking glass tells up and down as 1 and 0.
fn state(word: &str) -> &str {
    match word {
        "1" => "up",
        "0" => "down",
        word => word,
    }
}

fn sessions(rows: &[SessionEntry]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|s| {
            vec![
                s.peer.clone().unwrap_or_default(),
                s.local.clone().unwrap_or_default(),
                s.asn.map(|a| a.to_string()).unwrap_or_default(),
                state(&s.state).to_owned(),
                s.prefixes_received
                    .map(|n| n.to_string())
                    .unwrap_or_default(),
                if s.expected { "yes" } else { "" }.to_owned(),
            ]
        })
        .collect();
    table(
        &[
            "Neighbor",
            "Local",
            "ASN",
            "State",
            "RoutesReceived",
            "MustBeUp",
        ],
        &rows,
    )
}

/// In the order of the lab's text.
fn place(kind: VantageKind) -> u8 {
    match kind {
        VantageKind::MegaportRouter => 0,
        VantageKind::VirtualInterface => 1,
        VantageKind::DirectConnectGateway => 2,
        VantageKind::RouteTable => 3,
        VantageKind::CircuitPort => 4,
        VantageKind::ExpressRouteGateway => 5,
        VantageKind::VpnGateway => 6,
        VantageKind::VpnTunnel => 7,
        VantageKind::NetworkInterface => 8,
    }
}

fn title(vantage: &Vantage) -> String {
    let what = match vantage.kind {
        VantageKind::MegaportRouter => "MCR looking glass",
        VantageKind::VirtualInterface => "Direct Connect virtual interface",
        VantageKind::DirectConnectGateway => {
            "Direct Connect gateway: what it may announce from the VPC"
        }
        VantageKind::RouteTable => "VPC route table",
        VantageKind::CircuitPort => "ExpressRoute circuit (Microsoft's edge)",
        VantageKind::ExpressRouteGateway => "ExpressRoute gateway",
        VantageKind::VpnGateway => "VPN gateway",
        VantageKind::VpnTunnel => "AWS VPN tunnel",
        VantageKind::NetworkInterface => "effective routes of the VM's NIC",
    };
    format!("{what} [{}]", vantage.name)
}

/// Every vantage once, whichever report has it.
pub fn vantages(reports: &[RouteReport]) -> Vec<Vantage> {
    let mut reports: Vec<&RouteReport> = reports.iter().collect();
    // The interconnect's first: it has everything.
    reports.sort_by_key(|r| {
        let kind = r.status.as_ref().and_then(|s| s.subject.as_ref());
        kind.is_none_or(|s| s.kind != "HybridInterconnect")
    });
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for vantage in reports
        .iter()
        .filter_map(|r| r.status.as_ref())
        .flat_map(|s| &s.vantages)
    {
        // A circuit and a VPN connection have several.
        let twin = match vantage.kind {
            VantageKind::CircuitPort | VantageKind::VpnTunnel => vantage
                .name
                .rsplit_once("circuit-")
                .map_or(&*vantage.name, |(_, port)| port),
            _ => "",
        };
        if seen.insert((vantage.kind, vantage.object.clone(), twin.to_owned())) {
            all.push(vantage.clone());
        }
    }
    all.sort_by_key(|v| (place(v.kind), v.name.clone()));
    all
}

/// All tables as text.
pub fn render(vantages: &[Vantage]) -> String {
    let mut text = String::new();
    let (tunnels, others): (Vec<&Vantage>, Vec<&Vantage>) = vantages
        .iter()
        .partition(|v| v.kind == VantageKind::VpnTunnel);
    let mut tunnels = Some(tunnels).filter(|t| !t.is_empty());
    for vantage in others {
        if place(vantage.kind) > place(VantageKind::VpnTunnel) {
            text.push_str(&telemetry(tunnels.take().as_deref()));
        }
        text.push_str(&format!("{}\n", title(vantage)));
        if let Some(message) = &vantage.message {
            text.push_str(&format!("({message})\n"));
        }
        if vantage.state == Readability::Readable {
            if !vantage.sessions.is_empty() {
                text.push_str(&sessions(&vantage.sessions));
                text.push('\n');
            }
            text.push_str(&routes(&vantage.routes));
        }
        text.push('\n');
    }
    text.push_str(&telemetry(tunnels.take().as_deref()));
    text
}

fn telemetry(tunnels: Option<&[&Vantage]>) -> String {
    let Some(tunnels) = tunnels else {
        return String::new();
    };
    let rows: Vec<Vec<String>> = tunnels
        .iter()
        .map(|t| {
            let session = t.sessions.first();
            vec![
                t.name.clone(),
                session.map(|s| s.state.clone()).unwrap_or_default(),
                t.message.clone().unwrap_or_default(),
                match session {
                    Some(s) if s.expected => "yes".to_owned(),
                    _ => "no".to_owned(),
                },
            ]
        })
        .collect();
    format!(
        "AWS VPN telemetry\n{}\n",
        table(&["Tunnel", "Status", "Details", "BGP must be up"], &rows)
    )
}

/// A traceroute, one column per branch would be hard to read: one line per branch.
pub fn trace(from: &str, to: &str, branches: &[Branch]) -> String {
    let mut text = format!("traceroute from {from} to {to}\n");
    for (number, branch) in branches.iter().enumerate() {
        if branches.len() > 1 {
            text.push_str(&format!("branch {} of {}\n", number + 1, branches.len()));
        }
        for (hop, Hop { node, address }) in branch.hops.iter().enumerate() {
            let address = address.as_deref().unwrap_or("* * *");
            text.push_str(&format!("{:>2}  {address:<16} {node}\n", hop + 1));
        }
        if branch.arrives {
            text.push_str(&format!("arrives over {}\n", branch.path));
        } else {
            text.push_str(&format!(
                "dropped at {}: {}\n",
                branch.drop_at.as_deref().unwrap_or("?"),
                branch.reason.as_deref().unwrap_or("no reason is told")
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_leaves_out_what_nobody_filled() {
        let rows = vec![vec!["10.0.0.0/8".to_owned(), String::new(), "a".to_owned()]];
        assert_eq!(
            table(&["Network", "Weight", "Hop"], &rows),
            "Network     Hop\n----------  ---\n10.0.0.0/8  a\n"
        );
        assert_eq!(table(&["Network"], &[]), "(empty)\n");
    }

    #[test]
    fn a_trace_reads_like_one() {
        let branch = Branch {
            hops: vec![
                Hop {
                    node: "edge".into(),
                    address: Some("172.29.255.4".into()),
                },
                Hop {
                    node: "gateway".into(),
                    address: None,
                },
            ],
            arrives: false,
            drop_at: Some("mcr".into()),
            reason: Some("no route".into()),
            path: "None".into(),
        };
        assert_eq!(
            trace("vm", "ec2", &[branch]),
            "traceroute from vm to ec2\n 1  172.29.255.4     edge\n 2  * * *            gateway\ndropped at mcr: no route\n"
        );
    }
}
