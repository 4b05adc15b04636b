//! Every vantage's parser against what its provider really sends, spoiled in thousands of ways (seeded): nothing panics, no
//! row vanishes (it is understood, or it is kept as text), and what is concluded stands in the row.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Spoiled answers per parser.
const CASES: usize = 4000;

/// A small generator of its own (splitmix64): the same cases in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap()
    }
    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// What one row yields.
struct Understood {
    routes: Vec<Route>,
    sessions: Vec<Session>,
    kept: Vec<String>,
    /// Left out on purpose: a peer that is being deleted, the other direction, a prefix list.
    skipped: bool,
}

fn of_table(t: Table) -> Understood {
    Understood {
        routes: t.routes,
        sessions: Vec::new(),
        kept: t.not_understood,
        skipped: false,
    }
}

fn of_sessions(s: Sessions) -> Understood {
    Understood {
        routes: Vec::new(),
        sessions: s.rows,
        kept: s.not_understood,
        skipped: false,
    }
}

/// A parser with samples of its vantage.
struct Vantage {
    name: &'static str,
    samples: Value,
    parse: fn(Vec<Value>) -> Understood,
    /// Whether a session's state is what its row says.
    honest: fn(&Value, &Session) -> bool,
    /// The fields with the prefix and with the AS path, to hold routes against.
    fields: (&'static str, &'static str),
}

fn any_session(_: &Value, _: &Session) -> bool {
    true
}

fn word(row: &Value, field: &str) -> String {
    match row.get(field) {
        Some(Value::String(s)) => s.trim().to_ascii_lowercase(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Rows as lab.md prints them and as the references quote them, in each API's own form.
#[expect(clippy::too_many_lines, reason = "one table of samples")]
fn vantages() -> Vec<Vantage> {
    vec![
        Vantage {
            name: "routes of a circuit's port (azure.md §2.5)",
            samples: json!([
                {"network":"169.254.50.216/30","nextHop":"169.254.101.217","locPrf":"","weight":0,"path":"64600 ?"},
                {"network":"172.16.0.0","nextHop":"169.254.101.217","locPrf":null,"weight":0,"path":"64600 64901"},
                {"network":"172.29.0.0","nextHop":"172.29.255.12","locPrf":"100","weight":0,"path":"65515"},
                {"network":"172.29.0.0","nextHop":"172.29.255.13*","weight":"0","path":"65515"},
                {"network":"172.29.0.0/16","nextHop":"169.254.101.217","weight":0,"path":"64600 12076 65515"},
                {"network":"0.0.0.0","nextHop":"0.0.0.0","weight":0,"path":""}
            ]),
            parse: |v| {
                let r: Rows<azure::CircuitRouteRow> = Rows::of(v);
                of_table(azure::circuit_routes(&r.rows).with_odd(&r.odd))
            },
            honest: any_session,
            fields: ("network", "path"),
        },
        Vantage {
            name: "neighbours of a circuit's port (azure.md §2.5)",
            samples: json!([
                {"neighbor":"169.254.101.217","v":4,"as":64600,"upDown":"1d02h","statePfxRcd":"2"},
                {"neighbor":"172.29.255.12","v":4,"as":65515,"upDown":"17:54:06","statePfxRcd":"1"},
                {"neighbor":"169.254.101.221","v":4,"as":64600,"upDown":"never","statePfxRcd":"Idle"},
                {"neighbor":"169.254.101.221","v":4,"as":"64600","upDown":"never","statePfxRcd":"Idle (Admin)"},
                {"neighbor":"169.254.101.217","v":4,"as":64600,"upDown":"00:00:05","statePfxRcd":"Active"}
            ]),
            parse: |v| {
                let r: Rows<azure::CircuitSummaryRow> = Rows::of(v);
                of_sessions(azure::circuit_sessions(&r.rows).with_odd(&r.odd))
            },
            honest: |row, s| {
                let w = word(row, "statePfxRcd");
                match s.state {
                    SessionState::Up => w.parse::<u32>().is_ok(),
                    SessionState::AdministrativelyDown => {
                        w.starts_with("idle") && w.contains("(admin")
                    }
                    SessionState::Down => ["idle", "active", "connect", "open", "closing"]
                        .iter()
                        .any(|k| w.starts_with(k)),
                    SessionState::Unknown => w.parse::<u32>().is_err(),
                }
            },
            fields: ("", ""),
        },
        Vantage {
            name: "BGP peers of a gateway (azure.md §3.6)",
            samples: json!([
                {"localAddress":"172.29.255.12","neighbor":"172.29.255.4","asn":12076,"state":"Connected","connectedDuration":"17:54:06.7422782","routesReceived":3,"messagesSent":1232,"messagesReceived":1194},
                {"localAddress":"172.29.255.12","neighbor":"172.29.255.14","asn":65515,"state":"Connected","connectedDuration":"17:46:41.9584986","routesReceived":1,"messagesSent":1241,"messagesReceived":1223},
                {"localAddress":"172.29.255.14","neighbor":"169.254.21.1","asn":64900,"state":"Connecting","connectedDuration":null,"routesReceived":0},
                {"localAddress":"172.29.255.14","neighbor":"169.254.21.5","asn":64900,"state":"Idle","routesReceived":0},
                {"localAddress":null,"neighbor":"172.29.255.15","asn":"65515","state":"Stopped"}
            ]),
            parse: |v| {
                let r: Rows<azure::GatewayPeerRow> = Rows::of(v);
                of_sessions(azure::gateway_sessions(&r.rows).with_odd(&r.odd))
            },
            honest: |row, s| {
                let w = word(row, "state");
                let said = match w.as_str() {
                    "connected" => SessionState::Up,
                    "connecting" | "idle" => SessionState::Down,
                    "stopped" => SessionState::AdministrativelyDown,
                    _ => SessionState::Unknown,
                };
                s.state == said
            },
            fields: ("", ""),
        },
        Vantage {
            name: "learned and advertised routes of a gateway (azure.md §3.6)",
            samples: json!([
                {"localAddress":"172.29.255.13","network":"172.29.0.0/16","origin":"Network","sourcePeer":"172.29.255.13","asPath":"","weight":32768,"nextHop":null},
                {"localAddress":"172.29.255.13","network":"169.254.101.216/30","origin":"EBgp","sourcePeer":"172.29.255.4","asPath":"12076-64600","weight":32769,"nextHop":"172.29.255.4"},
                {"localAddress":"172.29.255.13","network":"172.16.0.0/16","origin":"EBgp","sourcePeer":"172.29.255.4","asPath":"12076-64600-64901","weight":32769,"nextHop":"172.29.255.4"},
                {"localAddress":"172.29.255.13","network":"172.16.0.0/16","origin":"IBgp","sourcePeer":"172.29.255.14","asPath":"64900","weight":32768,"nextHop":"172.29.255.14"},
                {"network":"172.29.0.0/16","origin":"Incomplete","sourcePeer":null,"asPath":"65515","weight":0,"nextHop":"172.29.255.12"}
            ]),
            parse: |v| {
                let r: Rows<azure::GatewayRouteRow> = Rows::of(v);
                of_table(azure::gateway_routes(&r.rows).with_odd(&r.odd))
            },
            honest: any_session,
            fields: ("network", "asPath"),
        },
        Vantage {
            name: "effective routes of a network interface (azure.md §5.3)",
            samples: json!([
                {"name":null,"source":"VirtualNetworkGateway","state":"Active","addressPrefix":["172.16.0.0/16"],"nextHopType":"VirtualNetworkGateway","nextHopIpAddress":["10.3.129.92"],"disableBgpRoutePropagation":false},
                {"name":null,"source":"VirtualNetworkGateway","state":"Active","addressPrefix":["172.16.0.0/16"],"nextHopType":"VirtualNetworkGateway","nextHopIpAddress":["172.29.255.14","172.29.255.15"]},
                {"source":"Default","state":"Active","addressPrefix":["172.29.0.0/16"],"nextHopType":"VnetLocal","nextHopIpAddress":[]},
                {"source":"Default","state":"Active","addressPrefix":["0.0.0.0/0"],"nextHopType":"Internet"},
                {"source":"User","state":"Active","addressPrefix":"172.16.0.0/16","nextHopType":"VirtualAppliance","nextHopIpAddress":"172.29.10.4"},
                {"source":"Default","state":"Invalid","addressPrefix":["10.0.0.0/8"],"nextHopType":"None","nextHopIpAddress":null}
            ]),
            parse: |v| {
                let r: Rows<azure::EffectiveRouteRow> = Rows::of(v);
                of_table(azure::effective_routes(&r.rows).with_odd(&r.odd))
            },
            honest: any_session,
            fields: ("", ""),
        },
        Vantage {
            name: "BGP routes of a router (megaport.md §7.3)",
            samples: json!([
                {"prefix":"172.29.0.0/16","asPath":"12076 65515","origin":"IGP","source":"169.254.101.218","localPref":100,"med":"0","best":true,"external":true,"valid":true,"since":"2026-01-01 00:00:00","nextHop":{"ip":"169.254.101.218","vxc":{"id":7,"name":"to-azure"}}},
                {"prefix":"172.16.0.0/16","asPath":"64901","origin":"IGP","source":"169.254.50.217","localPref":100,"med":0,"best":"true","external":true,"valid":1,"nextHop":{"ip":"169.254.50.217","vxc":null}},
                {"prefix":"169.254.50.216/30","asPath":"","origin":"?","source":"","best":true,"external":false,"valid":true,"nextHop":{"ip":"0.0.0.0"}},
                {"prefix":"169.254.101.216/30","asPath":null,"best":true,"external":false,"valid":true,"nextHop":null}
            ]),
            parse: |v| {
                let r: Rows<megaport::BgpRouteRow> = Rows::of(v);
                of_table(megaport::bgp_routes(&r.rows).with_odd(&r.odd))
            },
            honest: any_session,
            fields: ("prefix", "asPath"),
        },
        Vantage {
            name: "IP routes of a router (megaport.md §7.3)",
            samples: json!([
                {"prefix":"172.29.0.0/16","protocol":"BGP","distance":20,"metric":0,"nextHop":{"ip":"169.254.101.218","vxc":{"id":"7","name":"to-azure"}}},
                {"prefix":"169.254.50.216/30","protocol":"CONNECTED","metric":"0","nextHop":{"ip":"0.0.0.0"}},
                {"prefix":"10.0.0.0/8","protocol":"STATIC","metric":1.0,"nextHop":{"ip":"169.254.50.217"}}
            ]),
            parse: |v| {
                let r: Rows<megaport::IpRouteRow> = Rows::of(v);
                of_table(megaport::ip_routes(&r.rows).with_odd(&r.odd))
            },
            honest: any_session,
            fields: ("prefix", ""),
        },
        Vantage {
            name: "sessions of a router on a VXC (megaport.md §4.4)",
            samples: json!([
                {"peerAsn":12076,"localIpAddress":"169.254.101.217","peerIpAddress":"169.254.101.218","shutdown":false},
                {"peerAsn":64901,"localIpAddress":"169.254.50.218","peerIpAddress":"169.254.50.217","shutdown":true},
                {"peerAsn":12076,"localIpAddress":"169.254.101.221","peerIpAddress":"169.254.101.222","shutdown":false}
            ]),
            parse: |v| {
                let r: Rows<megaport::BgpConnectionRow> = Rows::of(v);
                let status = BTreeMap::from([
                    ("169.254.101.218".to_owned(), 1),
                    ("169.254.101.222".to_owned(), 0),
                    ("garbage".to_owned(), 7),
                ]);
                of_sessions(megaport::sessions(&r.rows, &status, false).with_odd(&r.odd))
            },
            honest: |row, s| {
                let up: IpAddr = "169.254.101.218".parse().unwrap();
                match s.state {
                    SessionState::Up => s.peer == up,
                    SessionState::AdministrativelyDown => row["shutdown"] == json!(true),
                    SessionState::Down | SessionState::Unknown => s.peer != up,
                }
            },
            fields: ("", ""),
        },
        Vantage {
            name: "accepted routes of a virtual interface (aws.md §1.8)",
            samples: json!([
                {"cidr":"172.29.0.0/16","direction":"Accepted","asPath":[64600,12076,65515],"communities":[]},
                {"cidr":"169.254.101.216/30","direction":"Accepted","asPath":[64600],"communities":["7224:7100"]},
                {"cidr":"172.16.0.0/16","direction":"Advertised","asPath":[64901],"communities":[]}
            ]),
            parse: |v| {
                let r: Rows<aws::VifRouteRow> = Rows::of(v);
                let other = r
                    .rows
                    .iter()
                    .any(|x| x.direction == aws::VifDirection::Advertised);
                let mut out = of_table(
                    aws::vif_routes(&r.rows, aws::VifDirection::Accepted).with_odd(&r.odd),
                );
                out.skipped = other;
                out
            },
            honest: any_session,
            fields: ("cidr", ""),
        },
        Vantage {
            name: "BGP peers of a virtual interface (aws.md §1.2)",
            samples: json!([
                {"id":"dxpeer-1","asn":64600,"amazonAddress":"169.254.50.217/30","customerAddress":"169.254.50.218/30","peerState":"available","status":"up"},
                {"id":"dxpeer-2","asn":64600,"amazonAddress":"169.254.50.217/30","customerAddress":"169.254.50.218/30","peerState":"available","status":"down"},
                {"id":"dxpeer-3","asn":0,"amazonAddress":"","customerAddress":"169.254.50.218/30","peerState":"pending","status":"unknown"},
                {"id":"dxpeer-4","asn":64600,"amazonAddress":"169.254.50.217/30","customerAddress":"169.254.50.218/30","peerState":"deleted","status":"down"}
            ]),
            parse: |v| {
                let r: Rows<aws::VifPeerRow> = Rows::of(v);
                let gone = r
                    .rows
                    .iter()
                    .any(|x| matches!(x.peer_state.as_str(), "deleting" | "deleted"));
                let mut out = of_sessions(aws::vif_sessions(&r.rows).with_odd(&r.odd));
                out.skipped = gone;
                out
            },
            honest: |row, s| match s.state {
                SessionState::Up => row["status"] == json!("up"),
                SessionState::Down => row["status"] == json!("down"),
                SessionState::Unknown => {
                    row["status"] != json!("up") && row["status"] != json!("down")
                }
                SessionState::AdministrativelyDown => false,
            },
            fields: ("", ""),
        },
        Vantage {
            name: "routes of a VPC route table (aws.md §2.7)",
            samples: json!([
                {"destination":"172.16.0.0/16","target":"local","origin":"CreateRouteTable","state":"active"},
                {"destination":"172.29.0.0/16","target":"vgw-0a1b2c3d4e5f60718","origin":"EnableVgwRoutePropagation","state":"active"},
                {"destination":"169.254.50.216/30","target":"vgw-0a1b2c3d4e5f60718","origin":"EnableVgwRoutePropagation","state":"active"},
                {"destination":"0.0.0.0/0","target":"igw-1","origin":"CreateRoute","state":"active"},
                {"destination":"10.0.0.0/8","target":"eni-1","origin":"CreateRoute","state":"blackhole"},
                {"destination":"","prefixList":"pl-1","target":"vpce-1","origin":"CreateRoute","state":"active"}
            ]),
            parse: |v| {
                let r: Rows<aws::RouteTableRow> = Rows::of(v);
                let list = r.rows.iter().any(|x| x.prefix_list.is_some());
                let mut out = of_table(aws::route_table(&r.rows).with_odd(&r.odd));
                out.skipped = list;
                out
            },
            honest: any_session,
            fields: ("destination", ""),
        },
        Vantage {
            name: "telemetry of a tunnel (aws.md §2.5)",
            samples: json!([
                {"outsideAddress":"203.0.113.1","insideCidr":"169.254.21.0/30","up":true,"message":"1 BGP ROUTES","acceptedRoutes":1},
                {"outsideAddress":"203.0.113.2","insideCidr":"169.254.22.0/30","up":false,"message":"IPSEC IS UP","acceptedRoutes":0},
                {"outsideAddress":"203.0.113.3","insideCidr":"169.254.21.4/30","up":false,"message":"IPSEC IS DOWN","acceptedRoutes":0},
                {"outsideAddress":"203.0.113.4","insideCidr":"169.254.22.4/30","up":null,"message":"","acceptedRoutes":null}
            ]),
            parse: |v| {
                let r: Rows<aws::TunnelRow> = Rows::of(v);
                let mut out = Understood {
                    routes: Vec::new(),
                    sessions: Vec::new(),
                    kept: r.odd,
                    skipped: false,
                };
                for row in &r.rows {
                    match row.session() {
                        Some(s) => out.sessions.push(s),
                        None => out.kept.push(format!("{row:?}")),
                    }
                }
                out.sessions.sort();
                out
            },
            honest: |row, s| match s.state {
                SessionState::Up => row["up"] == json!(true),
                SessionState::Down => row["up"] == json!(false),
                SessionState::Unknown => row["up"] != json!(true) && row["up"] != json!(false),
                SessionState::AdministrativelyDown => false,
            },
            fields: ("", ""),
        },
    ]
}

const STRANGE: [&str; 12] = [
    "",
    " ",
    "-",
    "null",
    "0.0.0.0/99",
    "999.1.2.3",
    "::1/64",
    "fe80::1%eth0",
    "4294967296",
    "1.65536",
    "172.29.0.0 /16",
    "\u{202e}172.16.0.0\u{0}",
];

/// Spoils a text as a sloppy printer, a wire or a new release might.
fn spoil_text(text: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(3) {
        let at = dice.below(chars.len().max(1));
        let extra = *dice.of(&[
            '0', '1', '9', '.', '/', '*', '?', '-', '{', '}', '(', ' ', ':', 'i', 'e', 'x', 'é',
            '\u{7f}',
        ]);
        match dice.below(6) {
            0 if !chars.is_empty() => {
                chars.remove(at);
            }
            1 => chars.insert(at.min(chars.len()), extra),
            2 if !chars.is_empty() => chars[at] = extra,
            3 => chars.truncate(at),
            4 => {
                let twice = chars.clone();
                chars.extend(twice);
            }
            _ => chars.push(extra),
        }
        chars.truncate(3000);
    }
    chars.into_iter().collect()
}

/// Spoils a value, whatever it is.
fn spoil(value: &Value, others: &[Value], dice: &mut Dice) -> Value {
    match dice.below(14) {
        0 => Value::Null,
        1 => json!(dice.next()),
        2 => json!(-1),
        3 => json!(1.5e300),
        4 => json!(dice.below(2) == 0),
        5 => json!([value, value]),
        6 => json!({ "value": value }),
        7 => json!(*dice.of(&STRANGE)),
        8 => json!("x".repeat(5000)),
        9 if !others.is_empty() => dice.of(others).clone(),
        10 => json!([]),
        _ => match value {
            Value::String(s) => json!(spoil_text(s, dice)),
            Value::Object(o) if !o.is_empty() => {
                let mut o = o.clone();
                let keys: Vec<String> = o.keys().cloned().collect();
                let key = dice.of(&keys).clone();
                let inner = spoil(&o[&key], others, dice);
                o.insert(key, inner);
                Value::Object(o)
            }
            Value::Array(a) if !a.is_empty() => {
                let mut a = a.clone();
                let at = dice.below(a.len());
                a[at] = spoil(&a[at], others, dice);
                Value::Array(a)
            }
            other => json!(spoil_text(&other.to_string(), dice)),
        },
    }
}

/// A list of rows with something wrong in it.
fn spoil_rows(samples: &[Value], dice: &mut Dice) -> Vec<Value> {
    let mut rows: Vec<Value> = (0..=dice.below(5))
        .map(|_| dice.of(samples).clone())
        .collect();
    let values: Vec<Value> = samples
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|o| o.values().cloned())
        .collect();
    for _ in 0..=dice.below(3) {
        let at = dice.below(rows.len());
        match dice.below(10) {
            0 => rows[at] = json!(*dice.of(&STRANGE)),
            1 => rows[at] = Value::Null,
            2 => rows[at] = json!([rows[at]]),
            3 => {
                let row = rows[at].clone();
                rows.push(row);
            }
            4 => {
                if let Some(o) = rows[at].as_object_mut()
                    && let Some(key) = o.keys().next().cloned()
                {
                    o.remove(&key);
                }
            }
            _ => {
                if let Some(o) = rows[at].as_object_mut()
                    && !o.is_empty()
                {
                    let keys: Vec<String> = o.keys().cloned().collect();
                    let key = dice.of(&keys).clone();
                    let value = spoil(&o[&key], &values, dice);
                    o.insert(key, value);
                }
            }
        }
    }
    rows
}

/// A route says what its row says.
fn honest_route(row: &Value, fields: (&str, &str), r: &Route) -> bool {
    let (prefix, path) = fields;
    if let Some((_, len)) = word(row, prefix).split_once('/')
        && len.trim().parse() != Ok(r.prefix.prefix_len())
    {
        return false;
    }
    if path.is_empty() {
        return true;
    }
    // Every word of the path but the origin letter at its end is an AS number of the route, and there are no others.
    let text = word(row, path);
    let mut words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || "-,{}()".contains(c))
        .filter(|w| !w.is_empty())
        .collect();
    if matches!(words.last(), Some(&("?" | "i" | "e"))) {
        words.pop();
    }
    words.len() == r.as_path.len()
        && (text.contains('.') || r.as_path.iter().all(|a| text.contains(&a.to_string())))
}

#[test]
fn no_answer_panics_and_no_row_vanishes() {
    let mut all = 0;
    for (n, v) in vantages().into_iter().enumerate() {
        let mut dice = Dice(0x00C0_FFEE + n as u64);
        let samples = v.samples.as_array().unwrap();
        // As they are, they are all understood.
        let whole = (v.parse)(samples.clone());
        assert!(whole.kept.is_empty(), "{}: {:?}", v.name, whole.kept);
        let (mut rows_seen, mut understood, mut kept, mut no_json) = (0, 0, 0, 0);
        for case in 0..CASES {
            let mut rows = spoil_rows(samples, &mut dice);
            if case % 8 == 0 {
                // On the wire: bytes are lost or turned.
                let mut bytes = serde_json::to_vec(&rows).unwrap();
                for _ in 0..=dice.below(3) {
                    let at = dice.below(bytes.len());
                    match dice.below(3) {
                        0 => bytes.truncate(at.max(1)),
                        1 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
                        _ => {
                            bytes.remove(at);
                        }
                    }
                    if bytes.is_empty() {
                        bytes.push(b'[');
                    }
                }
                // An answer that is no list of rows is unreadable as a whole, which the clients say.
                match serde_json::from_slice(&bytes) {
                    Ok(Value::Array(list)) => rows = list,
                    _ => {
                        no_json += 1;
                        continue;
                    }
                }
            }
            let together = (v.parse)(rows.clone());
            let mut alone = Understood {
                routes: Vec::new(),
                sessions: Vec::new(),
                kept: Vec::new(),
                skipped: false,
            };
            for row in &rows {
                let one = (v.parse)(vec![row.clone()]);
                let said = !one.routes.is_empty() || !one.sessions.is_empty();
                assert!(
                    said || !one.kept.is_empty() || one.skipped,
                    "{}: a row vanished: {row}",
                    v.name
                );
                assert!(
                    !said || one.kept.is_empty(),
                    "{}: a row is understood and not understood: {row}",
                    v.name
                );
                for s in &one.sessions {
                    assert!((v.honest)(row, s), "{}: {row} is not {s:?}", v.name);
                }
                for r in &one.routes {
                    assert!(
                        v.fields.0.is_empty() || honest_route(row, v.fields, r),
                        "{}: {row} is not {r:?}",
                        v.name
                    );
                }
                rows_seen += 1;
                understood += usize::from(said);
                kept += one.kept.len();
                alone.routes.extend(one.routes);
                alone.sessions.extend(one.sessions);
                alone.kept.extend(one.kept);
            }
            // One odd row does not change what the others say.
            alone.routes.sort();
            alone.routes.dedup();
            alone.sessions.sort();
            assert_eq!(together.routes, alone.routes, "{}", v.name);
            assert_eq!(together.sessions, alone.sessions, "{}", v.name);
            assert_eq!(together.kept.len(), alone.kept.len(), "{}", v.name);
        }
        all += CASES;
        // The cases reach both sides of every parser.
        assert!(understood > CASES && kept > CASES / 20, "{}", v.name);
        println!(
            "parser of {}: {CASES} spoiled answers, {rows_seen} rows: {understood} understood, {kept} kept as text; {no_json} answers were no list at all",
            v.name
        );
    }
    println!("parsers: {all} spoiled answers, no panic, no row vanished");
}
