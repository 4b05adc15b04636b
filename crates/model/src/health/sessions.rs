//! Which sessions must be up, and what both ends say about each.

use super::picture::{
    DirectConnectView, ErPort, ExpressRouteView, Picture, Reading, RouterView, SubjectKind,
    VpnTunnelView, VpnView,
};
use super::{Doubt, PathState, Raw, TunnelStanding, listed, mesh, partly};
use crate::report::Truth;
use crate::routes::aws::TunnelHealth;
use crate::routes::{NextHop, Session, SessionState};
use crate::spec::{first_host, second_host};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};

/// How a session stands after both ends were heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Standing {
    Up,
    Down,
    /// Somebody shut it.
    Shut,
    /// One end says up, the other down.
    Disputed,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionVerdict {
    /// For people: `port Primary of circuit to-megaport`.
    pub name: String,
    /// Name of the link that it belongs to; empty for sessions of the platform itself.
    pub link: String,
    /// The far address as the router, or AWS, sees it: tells sessions of one link apart.
    pub peer: IpAddr,
    pub standing: Standing,
    /// What is wrong, or why nobody knows. Empty when it is up.
    pub message: String,
    /// It is one of the sessions that the spec asks for; others only matter when they are down.
    pub counted: bool,
    /// Unknown or disputed only until a newer reading comes.
    pub waiting: bool,
}

/// What one end says.
struct Witness {
    who: String,
    says: Says,
    /// Megaport's word: nobody knows how old it is (megaport.md §4.4).
    hint: bool,
    /// Routes that it has over the session prove that it is up, whatever a hint says.
    proof: Proof,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Given,
    Absent,
    /// The table that could give it is being read again.
    Pending,
}

/// Proof by a table that has, or lacks, routes over the session.
fn proof(
    table: &Reading<crate::routes::Table>,
    has: impl Fn(&crate::routes::Route) -> bool,
) -> Proof {
    match table {
        Reading::Read(t) if t.routes.iter().any(has) => Proof::Given,
        Reading::Outdated(_) => Proof::Pending,
        Reading::Read(_) | Reading::Unknown(_) | Reading::NotOffered(_) => Proof::Absent,
    }
}

enum Says {
    Is(SessionState),
    /// Up, but nobody knows how fresh that is. `true`: what could confirm it is being read again.
    UpPerhaps(bool),
    Nothing(Doubt),
}

fn join(name: String, link: &str, peer: Ipv4Addr, witnesses: &[Witness]) -> SessionVerdict {
    let proven = witnesses
        .iter()
        .any(|w| w.proof == Proof::Given && matches!(w.says, Says::Is(SessionState::Up)));
    let said = |wanted: SessionState| {
        let of = |w: &&Witness| {
            matches!(w.says, Says::Is(s) if s == wanted)
                && !(proven && w.hint && wanted == SessionState::Down)
        };
        witnesses
            .iter()
            .filter(of)
            .map(|w| w.who.as_str())
            .collect::<Vec<_>>()
            .join(" and ")
    };
    let (up, down, shut) = (
        said(SessionState::Up),
        said(SessionState::Down),
        said(SessionState::AdministrativelyDown),
    );
    let perhaps: Vec<(&str, bool)> = witnesses
        .iter()
        .filter_map(|w| {
            if let Says::UpPerhaps(waiting) = w.says {
                Some((w.who.as_str(), waiting))
            } else {
                None
            }
        })
        .collect();
    let mut waiting = false;
    let (standing, message) = if !shut.is_empty() {
        (Standing::Shut, format!("{name} is shut: {shut} says so"))
    } else if !down.is_empty() && !up.is_empty() {
        waiting = witnesses.iter().any(|w| w.proof == Proof::Pending);
        (
            Standing::Disputed,
            format!("{name}: {up} says up, {down} says down"),
        )
    } else if !down.is_empty() {
        (Standing::Down, format!("{name} is down: {down} says so"))
    } else if !up.is_empty() {
        (Standing::Up, String::new())
    } else {
        let doubts: Vec<&Doubt> = witnesses
            .iter()
            .filter_map(|w| {
                if let Says::Nothing(d) = &w.says {
                    Some(d)
                } else {
                    None
                }
            })
            .collect();
        waiting = doubts.iter().any(|d| d.waiting) || perhaps.iter().any(|(_, w)| *w);
        let mut whys: Vec<String> = doubts.iter().map(|d| d.why.clone()).collect();
        if let Some((who, _)) = perhaps.first() {
            whys.push(format!("{who} says up, unconfirmed"));
        }
        let why = if whys.is_empty() {
            "nobody says how it stands".to_owned()
        } else {
            listed(&whys)
        };
        (Standing::Unknown, format!("{name}: {why}"))
    };
    SessionVerdict {
        name,
        link: link.to_owned(),
        peer: peer.into(),
        standing,
        message,
        counted: true,
        waiting,
    }
}

/// A reading as testimony, given what it says when it was read.
fn testimony<T>(who: &str, reading: &Reading<T>, says: impl FnOnce(&T) -> Says) -> Says {
    match reading {
        Reading::Read(t) => says(t),
        Reading::Outdated(_) => Says::Nothing(Doubt {
            why: format!("{who} is being read again"),
            waiting: true,
        }),
        Reading::Unknown(why) | Reading::NotOffered(why) => {
            Says::Nothing(Doubt::new(format!("{who}: {why}")))
        }
    }
}

fn of_state(who: &str, state: SessionState) -> Says {
    if state == SessionState::Unknown {
        Says::Nothing(Doubt::new(format!("{who} does not say")))
    } else {
        Says::Is(state)
    }
}

/// The router's end: `bgp_status` is a hint of unknown age, routes from the peer in the BGP table are proof
/// (megaport.md §4.4, §7.3).
fn router_witness(
    router: Option<&RouterView>,
    said: &Reading<Option<Session>>,
    peer: Ipv4Addr,
) -> Witness {
    let who = router.map_or_else(|| "Megaport".to_owned(), |r| format!("router {}", r.name));
    let from_peer = router.and_then(|r| r.routes.known()).map(|t| {
        t.routes.iter().any(|r| {
            r.usable && (r.peer == Some(peer.into()) || r.next_hop == NextHop::Address(peer.into()))
        })
    });
    let says = testimony(&who, said, |session| {
        match session.as_ref().map(|s| s.state) {
            None => Says::Nothing(Doubt::new(format!("{who} shows no such session"))),
            Some(SessionState::Up) if from_peer == Some(true) => Says::Is(SessionState::Up),
            Some(SessionState::Up) => {
                Says::UpPerhaps(router.is_some_and(|r| matches!(r.routes, Reading::Outdated(_))))
            }
            Some(SessionState::Down) if from_peer == Some(true) => Says::Nothing(Doubt::new(
                format!("{who} says down and shows routes from it"),
            )),
            Some(state) if state != SessionState::Unknown => Says::Is(state),
            Some(_) if from_peer == Some(true) => Says::Is(SessionState::Up),
            Some(_) => Says::Nothing(Doubt::new(format!("{who} does not say"))),
        }
    });
    Witness {
        who,
        says,
        hint: true,
        proof: Proof::Absent,
    }
}

fn er_session(picture: &Picture, link: &ExpressRouteView, port: &ErPort) -> SessionVerdict {
    let port_name = match port.port {
        crate::spec::PeeringPort::Primary => "Primary",
        crate::spec::PeeringPort::Secondary => "Secondary",
    };
    let name = format!(
        "port {port_name} of circuit {} (peer {})",
        link.circuit, port.microsoft
    );
    let who = "Microsoft's edge";
    let customer = IpAddr::from(port.customer);
    let routes_from_router = |t: &crate::routes::Table| {
        t.routes
            .iter()
            .any(|r| r.next_hop == NextHop::Address(customer))
    };
    let mut edge = testimony(who, &port.edge_says, |rows| {
        match rows.rows.iter().find(|s| s.peer == customer) {
            Some(s) => of_state(who, s.state),
            None if !rows.is_whole() => Says::Nothing(Doubt::new(partly(who))),
            None => Says::Nothing(Doubt::new(format!("{who} shows no such neighbour"))),
        }
    });
    if matches!(edge, Says::Nothing(_)) && port.routes.known().is_some_and(routes_from_router) {
        edge = Says::Is(SessionState::Up);
    }
    let proof = proof(&port.routes, |r| r.next_hop == NextHop::Address(customer));
    let edge = Witness {
        who: who.to_owned(),
        says: edge,
        hint: false,
        proof,
    };
    let witnesses = [
        router_witness(
            picture.router(&port.router),
            &port.router_says,
            port.microsoft,
        ),
        edge,
    ];
    join(name, &link.name, port.microsoft, &witnesses)
}

fn dx_session(picture: &Picture, link: &DirectConnectView) -> SessionVerdict {
    let name = format!("virtual interface of {} (peer {})", link.name, link.amazon);
    let who = "AWS";
    let amazon = if link.testing {
        Says::Is(SessionState::AdministrativelyDown)
    } else {
        testimony(who, &link.amazon_says, |s| match s {
            Some(s) => of_state(who, s.state),
            None => Says::Nothing(Doubt::new("AWS shows no BGP peer on the virtual interface")),
        })
    };
    let who = if link.testing {
        "AWS (a failover test runs)"
    } else {
        who
    };
    let amazon = Witness {
        who: who.to_owned(),
        says: amazon,
        hint: false,
        proof: proof(&link.accepted, |_| true),
    };
    let witnesses = [
        router_witness(picture.router(&link.router), &link.router_says, link.amazon),
        amazon,
    ];
    join(name, &link.name, link.amazon, &witnesses)
}

fn tunnel_session(vpn: &VpnView, tunnel: &VpnTunnelView) -> SessionVerdict {
    let amazon = first_host(tunnel.inside);
    let name = format!("tunnel {} of {} (peer {amazon})", tunnel.name, vpn.name);
    let aws = testimony("AWS", &tunnel.telemetry, |row| match row.health() {
        TunnelHealth::Healthy | TunnelHealth::NoRoutes => Says::Is(SessionState::Up),
        TunnelHealth::IpsecOnly | TunnelHealth::Down => Says::Is(SessionState::Down),
        TunnelHealth::Unknown => Says::Nothing(Doubt::new("AWS has no telemetry of it")),
    });
    let who = format!("VPN gateway {}", vpn.gateway);
    let azure = testimony(&who, &vpn.peers, |rows| {
        // Either instance may hold it; the twin row stays Connecting.
        let states: Vec<SessionState> = rows
            .rows
            .iter()
            .filter(|s| s.peer == IpAddr::from(amazon))
            .map(|s| s.state)
            .collect();
        if states.contains(&SessionState::Up) {
            Says::Is(SessionState::Up)
        } else if !rows.is_whole() {
            // The row that is up may be one that nobody understood.
            Says::Nothing(Doubt::new(partly(&who)))
        } else if states
            .iter()
            .any(|s| matches!(s, SessionState::Down | SessionState::AdministrativelyDown))
        {
            // `Stopped` on the instance that does not hold the tunnel is nobody's doing.
            Says::Is(SessionState::Down)
        } else {
            Says::Nothing(Doubt::new(format!("{who} shows no such neighbour")))
        }
    });
    join(
        name,
        &vpn.name,
        amazon,
        &[
            Witness {
                who: "AWS".to_owned(),
                says: aws,
                hint: false,
                proof: Proof::Absent,
            },
            Witness {
                who,
                says: azure,
                hint: false,
                proof: Proof::Absent,
            },
        ],
    )
}

/// Every session of the picture: the expected ones, then what is wrong with the platform's own.
pub(super) fn all(picture: &Picture) -> Vec<SessionVerdict> {
    let mut out = Vec::new();
    for link in &picture.express_routes {
        out.extend(link.ports.iter().map(|p| er_session(picture, link, p)));
    }
    out.extend(
        picture
            .direct_connects
            .iter()
            .map(|d| dx_session(picture, d)),
    );
    for vpn in &picture.vpns {
        out.extend(
            vpn.tunnels
                .iter()
                .filter(|t| t.bgp_expected)
                .map(|t| tunnel_session(vpn, t)),
        );
    }
    if picture.kind != SubjectKind::DirectConnectLink {
        out.extend(mesh::platform(picture));
    }
    out
}

/// `BGPEstablished`.
pub(super) fn verdict(sessions: &[SessionVerdict]) -> Raw {
    let of = |wanted: Standing| {
        sessions
            .iter()
            .filter(|s| s.standing == wanted)
            .map(|s| s.message.clone())
            .collect::<Vec<_>>()
    };
    let wrong: Vec<String> = [Standing::Down, Standing::Shut, Standing::Disputed]
        .into_iter()
        .flat_map(of)
        .collect();
    let has = |wanted: Standing| sessions.iter().any(|s| s.standing == wanted);
    if has(Standing::Down) {
        return Raw::firm(Truth::False, "SessionDown", listed(&wrong));
    }
    if has(Standing::Shut) {
        return Raw::firm(Truth::False, "AdministrativelyDown", listed(&wrong));
    }
    if has(Standing::Disputed) {
        return Raw::firm(Truth::False, "SourcesDisagree", listed(&wrong));
    }
    let doubts: Vec<Doubt> = sessions
        .iter()
        .filter(|s| s.standing == Standing::Unknown)
        .map(|s| Doubt {
            why: s.message.clone(),
            waiting: s.waiting,
        })
        .collect();
    if !doubts.is_empty() {
        return Raw::unknown(&doubts);
    }
    if sessions.iter().any(|s| s.counted) {
        Raw::firm(
            Truth::True,
            "Established",
            "every expected BGP session is up",
        )
    } else {
        Raw::firm(
            Truth::True,
            "NoSessionExpected",
            "no BGP session is expected",
        )
    }
}

/// Tunnels for the status of a VPN pair.
pub(super) fn tunnels(picture: &Picture, sessions: &[SessionVerdict]) -> Vec<TunnelStanding> {
    let of = |vpn: &VpnView, t: &VpnTunnelView| {
        let health = t
            .telemetry
            .shown()
            .map(crate::routes::aws::TunnelRow::health);
        let ipsec = match health {
            Some(TunnelHealth::Healthy | TunnelHealth::NoRoutes | TunnelHealth::IpsecOnly) => {
                PathState::Up
            }
            Some(TunnelHealth::Down) => PathState::Down,
            Some(TunnelHealth::Unknown) | None => PathState::Unknown,
        };
        let telemetry = match health {
            Some(TunnelHealth::Healthy | TunnelHealth::NoRoutes) => PathState::Up,
            Some(TunnelHealth::IpsecOnly | TunnelHealth::Down) => PathState::Down,
            Some(TunnelHealth::Unknown) | None => PathState::Unknown,
        };
        let session = sessions
            .iter()
            .find(|s| s.link == vpn.name && s.peer == IpAddr::from(first_host(t.inside)));
        let bgp = session.map_or(telemetry, |s| match s.standing {
            Standing::Up => PathState::Up,
            Standing::Down | Standing::Shut | Standing::Disputed => PathState::Down,
            Standing::Unknown => PathState::Unknown,
        });
        let message = match session {
            Some(s) if !s.message.is_empty() => Some(s.message.clone()),
            None if ipsec == PathState::Down => Some(format!(
                "IPsec is down; BGP is not expected on it (Azure's side is {})",
                second_host(t.inside)
            )),
            None if ipsec == PathState::Up && bgp == PathState::Down => {
                Some("IPsec is up; BGP is not expected on it".to_owned())
            }
            _ => None,
        };
        TunnelStanding {
            name: t.name.clone(),
            ipsec,
            bgp,
            bgp_expected: t.bgp_expected,
            message,
        }
    };
    picture
        .vpns
        .iter()
        .flat_map(|v| v.tunnels.iter().map(move |t| of(v, t)))
        .collect()
}
