//! Ports of cloud providers: which UID leads where, who has taken what, and rotation.

use super::types::{Cloud, Vxc};
use super::world::{AwsPort, AzurePorts};
use crate::net::view::Port;
use crate::state::State;

/// The AWS port with this UID, also under a UID that it had before a rotation.
pub fn aws<'a>(state: &'a State, uid: &str) -> Option<&'a AwsPort> {
    let mut uid = uid;
    while let Some(next) = state.megaport.rotated.get(uid) {
        uid = next;
    }
    state
        .megaport
        .aws_ports
        .iter()
        .find(|p| p.product_uid == uid)
}

/// The Azure ports that this UID belongs to, and which of the two it is.
pub fn azure<'a>(state: &'a State, uid: &str) -> Option<(&'a AzurePorts, Port)> {
    state.world.megaport.azure_ports.iter().find_map(|p| {
        if p.primary_uid == uid {
            Some((p, Port::Primary))
        } else if p.secondary_uid == uid {
            Some((p, Port::Secondary))
        } else {
            None
        }
    })
}

/// VLANs are unique over a partner's whole capacity group, not one port (megaport.md §13.11).
pub fn capacity_group(state: &State, uid: &str) -> String {
    if let Some(p) = aws(state, uid) {
        format!("{}/{}", p.connect_type, p.direct_connect_location)
    } else if let Some((p, which)) = azure(state, uid) {
        format!("AZURE/{}/{which:?}", p.peering_location)
    } else {
        uid.to_owned()
    }
}

/// The VXC that has a circuit's port.
pub fn vxc_on<'a>(state: &'a State, service_key: &str, port: Port) -> Option<&'a Vxc> {
    state.megaport.vxcs.values().find(|v| {
        v.service.status.attached()
            && matches!(&v.cloud, Cloud::Azure(a)
                if a.port == port && a.service_key.expose().eq_ignore_ascii_case(service_key))
    })
}

/// All AWS ports get new UIDs, as Megaport's rotation of capacity does (megaport.md §2.2): the old UIDs vanish from
/// the list and can still be ordered, but a VXC then ends up on the new one. Called by the control API.
pub fn rotate(state: &mut State) {
    let State { megaport, rng, .. } = state;
    for port in &mut megaport.aws_ports {
        let new = rng.uuid();
        let old = std::mem::replace(&mut port.product_uid, new.clone());
        megaport.rotated.insert(old, new);
        port.rank += 1;
    }
}

/// The name of the port that a VXC ends on.
pub fn title(state: &State, uid: &str) -> (String, u32) {
    if let Some(p) = aws(state, uid) {
        return (p.title.clone(), p.location_id);
    }
    if let Some((p, which)) = azure(state, uid) {
        return (format!("{} {which:?}", p.peering_location), p.location_id);
    }
    state
        .megaport
        .mcrs
        .get(uid)
        .map_or_else(Default::default, |m| (m.service.name.clone(), m.location))
}
