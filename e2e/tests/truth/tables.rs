//! The rows that lab.md prints come out in the RouteReport, normal and failed over: the same fixture that the sandbox's own
//! APIs are held against (`crates/sandbox/tests/lab_tables.rs`).

use super::*;

const ROWS: &str = include_str!("../../../crates/sandbox/tests/fixtures/lab-tables.json");

/// A cell of a table as the report writes it: masks that Cisco's printing leaves out are there, its markers are not, and
/// AS paths have one separator.
fn plain(cell: &str) -> String {
    let cell = cell.trim_end_matches('*').trim_end_matches(" ?");
    let octets: Vec<u8> = cell.split('.').filter_map(|o| o.parse().ok()).collect();
    // 172.29.0.0 without a mask is a classful network; next hops end in something else than .0.0.
    if octets.len() == 4 && octets[2..] == [0, 0] {
        return format!("{cell}/16");
    }
    if cell.contains('-') {
        return cell.replace('-', " ");
    }
    cell.to_owned()
}

/// Rows of the fixture as the report should have them, sorted.
fn printed(table: &Value) -> Vec<Vec<String>> {
    let row = |r: &Value| {
        let cells = r.as_array().unwrap();
        cells.iter().map(|c| plain(c.as_str().unwrap())).collect()
    };
    let mut rows: Vec<Vec<String>> = table.as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

/// Entries of a vantage, by these fields, sorted.
fn shown(entries: &Value, fields: &[&str]) -> Vec<Vec<String>> {
    let text = |v: &Value| match v {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let none = Vec::new();
    let entries = entries.as_array().unwrap_or(&none);
    let mut rows: Vec<Vec<String>> = entries
        .iter()
        .map(|e| fields.iter().map(|f| text(&e[*f])).collect())
        .collect();
    rows.sort();
    rows
}

/// Holds the report against one state's rows; says how many were compared.
fn compare(report: &Value, want: &Value, state: &str) -> usize {
    let mut compared = 0;
    let mut same = |what: &str, have: Vec<Vec<String>>, want: Vec<Vec<String>>| {
        assert_eq!(have, want, "{state}: {what}");
        compared += want.len();
    };
    for (port, table) in [
        ("primary", "circuitPrimary"),
        ("secondary", "circuitSecondary"),
    ] {
        let v = vantage(report, &format!("lab-er-main-circuit-{port}"));
        let have = shown(&v["routes"], &["prefix", "nextHop", "weight", "asPath"]);
        same(table, have, printed(&want[table]));
    }
    let gateway = vantage(report, "er-gateway");
    // A route of the gateway's own has no next hop in the lab; the report calls that local.
    let mut learned = shown(
        &gateway["routes"],
        &["prefix", "origin", "source", "asPath", "weight", "nextHop"],
    );
    for row in &mut learned {
        if row[1] == "Network" && row[5] == "local" {
            row[5].clear();
        }
    }
    same("gatewayLearned", learned, printed(&want["gatewayLearned"]));
    if want["gatewayPeers"].is_array() {
        let fields = ["peer", "asn", "state", "prefixesReceived"];
        let have = shown(&gateway["sessions"], &fields);
        same("gatewayPeers", have, printed(&want["gatewayPeers"]));
    }
    let nic = vantage(report, "nic-vm-nic");
    let propagated = |v: &&Vec<String>| v[0] == "VirtualNetworkGateway";
    let have: Vec<Vec<String>> = shown(&nic["routes"], &["origin", "prefix", "nextHop"])
        .iter()
        .filter(propagated)
        .cloned()
        .collect();
    let rows: Vec<Vec<String>> = printed(&want["networkInterface"])
        .into_iter()
        .map(|r| vec![r[0].clone(), r[2].clone(), r[4].clone()])
        .collect();
    same("networkInterface", have, rows);
    let all = report["status"]["vantages"].as_array().unwrap();
    let table = all
        .iter()
        .find(|v| v["name"].as_str().unwrap().starts_with("rtb-"))
        .unwrap();
    let have: Vec<Vec<String>> = shown(&table["routes"], &["origin", "prefix"])
        .into_iter()
        .filter(|r| r[0] == "propagated")
        .map(|r| vec![r[1].clone()])
        .collect();
    let rows: Vec<Vec<String>> = want["propagated"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| vec![p.as_str().unwrap().to_owned()])
        .collect();
    same("propagated", have, rows);
    let vif = vantage(report, "lab-dx-main-vif");
    let rows = vec![vec![want["virtualInterface"].as_str().unwrap().to_owned()]];
    same(
        "virtualInterface",
        shown(&vif["sessions"], &["state"]),
        rows,
    );
    for (tunnel, text) in want["tunnels"].as_object().unwrap() {
        let v = vantage(report, tunnel);
        let mut parts = text.as_str().unwrap().splitn(2, ' ');
        let state_of = vec![vec![parts.next().unwrap().to_owned()]];
        same(tunnel, shown(&v["sessions"], &["state"]), state_of);
        if let Some(message) = parts.next() {
            assert_eq!(v["message"], message, "{state}: {tunnel}");
        }
    }
    let router = vantage(report, "router-a");
    let have = shown(&router["routes"], &["prefix", "asPath", "nextHop"]);
    for row in printed(&want["routerHas"]) {
        // The path may go on behind what the lab's picture shows.
        let there = |r: &Vec<String>| r[0] == row[0] && r[1].starts_with(&row[1]) && r[2] == row[2];
        assert!(have.iter().any(there), "{state}: {row:?} in {have:?}");
        compared += 1;
    }
    for prefix in want["routerLacks"].as_array().unwrap() {
        assert!(have.iter().all(|r| r[0] != prefix.as_str().unwrap()));
    }
    compared
}

#[test]
fn the_labs_printed_tables_come_out_in_the_route_report() {
    let all: Value = serde_json::from_str(ROWS).unwrap();
    let mut compared = 0;
    for (snapshot, state) in [(lab(), "normal"), (failed_over(), "failedOver")] {
        let report = simulate(async || {
            let rig = Rig::from_snapshot(snapshot);
            report(&rig).await
        });
        compared += compare(&report, &all[state], state);
        // Twins of a VPN gateway's rows are Connecting by nature: only what must be up is expected.
        let peers = &vantage(&report, "vpn-gateway")["sessions"];
        let expected: Vec<Vec<String>> = shown(peers, &["expected", "peer", "state"])
            .into_iter()
            .filter(|r| r[0] == "true")
            .collect();
        let wanted = |peer: &str| vec!["true".to_owned(), peer.to_owned(), "Connected".to_owned()];
        assert_eq!(
            expected,
            [wanted("169.254.21.1"), wanted("169.254.21.5")],
            "{state}"
        );
    }
    println!("the RouteReport against lab.md: {compared} rows of two states are the same");
}
