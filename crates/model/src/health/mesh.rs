//! The mesh of the gateways in GatewaySubnet, and the route table that can break it (lab.md, bonus exercise; azure.md §3.4,
//! §5.1): the ExpressRoute gateway programs the virtual network for all of them, so what does not reach it over the mesh
//! reaches no virtual machine.

use super::partly;
use super::picture::{Picture, Reading};
use super::sessions::{SessionVerdict, Standing};
use crate::graph::expressroute::MSEE_ASN;
use crate::guard::Trap;
use crate::routes::{Session, SessionState};
use std::net::{IpAddr, Ipv4Addr};

/// The trap, when it has bitten as far as the API tells: a gateway answers `InternalServerError` for its peers while Azure
/// answers for other tables, so that it is not the platform that fails.
pub(super) fn bitten(picture: &Picture) -> Option<Trap> {
    let silent = picture.er_gateway.as_ref().is_some_and(|g| g.silent)
        || picture.vpns.iter().any(|v| v.silent);
    // What is being read again was answered a moment ago.
    let answers = picture.nics.iter().any(|n| n.routes.shown().is_some())
        || picture
            .express_routes
            .iter()
            .flat_map(|e| &e.ports)
            .any(|p| p.routes.shown().is_some());
    if silent && answers {
        picture.trap()
    } else {
        None
    }
}

/// What to do when the gateways do not reach each other, as an ending of a sentence.
pub(super) fn remedy(picture: &Picture) -> String {
    match (&picture.gateway_routes, picture.trap()) {
        (_, Some(trap)) => format!("; {}", trap.sentence()),
        // It was looked at, and it is not the cause.
        (Reading::Read(_), None) => String::new(),
        (_, None) => picture.gateway_subnet.map_or_else(String::new, |n| {
            format!("; if a route table is on GatewaySubnet, add a route for {n} with next hop type VnetLocal (\"Virtual network\" in the portal) to it")
        }),
    }
}

/// What silence of a gateway may mean, as an ending of the reason why its peers are unknown.
pub(super) fn silence(picture: &Picture, silent: bool) -> String {
    if silent {
        format!(
            ": the instances of the gateways may not reach each other{}",
            remedy(picture)
        )
    } else {
        String::new()
    }
}

/// A session of the platform's own, which no spec asks for.
fn platform_session(
    name: String,
    peer: IpAddr,
    standing: Standing,
    message: String,
) -> SessionVerdict {
    SessionVerdict {
        name,
        link: String::new(),
        peer,
        standing,
        message,
        counted: false,
        waiting: false,
    }
}

/// Sessions that the platform makes by itself. They are not counted; when one is down, traffic suffers and the cause is here.
pub(super) fn platform(picture: &Picture) -> Vec<SessionVerdict> {
    let mut out = Vec::new();
    let down = |name: String, message: String, peer: IpAddr| {
        platform_session(name, peer, Standing::Down, message)
    };
    if let Some(trap) = bitten(picture) {
        let name = "the sessions between the gateways in GatewaySubnet".to_owned();
        let message = format!(
            "{name} are down, as the gateways' silence about their peers says: {}",
            trap.sentence()
        );
        let at = picture
            .gateway_subnet
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |n| n.network());
        out.push(down(name, message, at));
        return out;
    }
    let Some(gateway) = &picture.er_gateway else {
        return out;
    };
    let Some(peers) = gateway.peers.known() else {
        return out;
    };
    let rows = &peers.rows;
    // A row that nobody understood may be the one that is up.
    let mut wrong = |name: String, message: String, peer: IpAddr| {
        out.push(if peers.is_whole() {
            down(name, message, peer)
        } else {
            let why = partly(&format!(
                "BGP peers of ExpressRoute gateway {}",
                gateway.name
            ));
            platform_session(name, peer, Standing::Unknown, why)
        });
    };
    let edges: Vec<&Session> = rows
        .iter()
        .filter(|s| s.peer_asn == Some(MSEE_ASN))
        .collect();
    if !picture.express_routes.is_empty()
        && !edges.is_empty()
        && !edges.iter().any(|s| s.state == SessionState::Up)
    {
        let name = format!("ExpressRoute gateway {} to Microsoft's edge", gateway.name);
        wrong(
            name.clone(),
            format!("{name} is down: the gateway shows no neighbour in AS 12076 as Connected"),
            edges[0].peer,
        );
    }
    if picture.vpns.is_empty() {
        return out;
    }
    let mut members: Vec<IpAddr> = rows
        .iter()
        .filter(|s| s.peer_asn == Some(65515))
        .map(|s| s.peer)
        .collect();
    members.dedup();
    let broken: Vec<IpAddr> = members
        .iter()
        .copied()
        .filter(|p| {
            !rows
                .iter()
                .any(|s| s.peer == *p && s.state == SessionState::Up)
        })
        .collect();
    if let Some(first) = broken.first() {
        let list = broken
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        let name = format!(
            "ExpressRoute gateway {} to VPN gateway ({list})",
            gateway.name
        );
        let message = format!(
            "{name} is down, so that the routes of the VPN gateway do not reach the virtual machines{}",
            remedy(picture)
        );
        wrong(name, message, *first);
    }
    out
}
