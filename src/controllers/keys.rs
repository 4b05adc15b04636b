//! Keys that both ends of something living share: which one an update must send, whether it is the Secret's, and where a Secret
//! that was lost gets its keys back from. Gathers and compares; what becomes known is a word, never a value.

use super::env::Env;
use crate::clients::megaport::Vxc;
use causeway_aws::Vif;
use causeway_model::desired::{Desired, KEYS_AS_GIVEN, McrSession, OTHER_END_S_KEY};
use causeway_model::observe::Seen;
use causeway_model::secret::Secret;
use causeway_model::slot::{Graph, SlotId};
use std::collections::BTreeMap;

/// What a read says of a key that is not the one that it should be.
const ANOTHER: &str = "another one";

/// The key that AWS has for what a VXC made. It never changes there (megaport.md §8.21).
fn at_aws(env: &Env, vxc: &Vxc) -> Option<Secret> {
    let side = vxc.aws.as_ref()?;
    let is = |v: &&Vif| {
        side.vif_id.as_ref() == Some(&v.id)
            || side.connection_id.is_some() && v.connection_id == side.connection_id
    };
    let vifs = &env.aws.as_ref()?.snapshot.vifs.items;
    vifs.iter().find(is)?.auth_key.clone()
}

/// The key that an update of a living session must carry, whatever the Secret says by now: an update replaces the session, and
/// one with a key that the other end does not have would end it (megaport.md §4.5). AWS shows its end's; Azure does not, so that
/// there the live one stays.
pub fn to_send(env: &Env, vxc: &Vxc, session: &McrSession) -> Option<Secret> {
    at_aws(env, vxc).or_else(|| vxc.session(session.peer)?.1.password.clone())
}

/// How the live session's key compares, in the words of [`Desired::fields`]; nothing when either is not known.
pub fn of_session(env: &Env, vxc: &Vxc, session: &McrSession) -> Option<&'static str> {
    let shown = vxc.session(session.peer)?.1.password.as_ref()?;
    let (right, word) = if vxc.aws.is_some() {
        (at_aws(env, vxc)?, OTHER_END_S_KEY)
    } else {
        let handle = session.password.as_ref()?;
        (env.secrets.get(handle)?, KEYS_AS_GIVEN)
    };
    Some(if *shown == right { word } else { ANOTHER })
}

/// How a virtual interface's key compares with the Secret's.
pub fn of_vif(env: &Env, desired: &Desired, vif: &Vif) -> Option<&'static str> {
    let Desired::Vif { auth_key, .. } = desired else {
        return None;
    };
    let (has, given) = vif.auth_key.as_ref().zip(env.secrets.get(auth_key))?;
    Some(if *has == given {
        KEYS_AS_GIVEN
    } else {
        ANOTHER
    })
}

/// What living objects have for keys of the Secret of that name, by key: right whatever became of the Secret before.
///
/// # Errors
/// Says what could not be read: keys made meanwhile would be others.
pub fn held(
    env: &Env,
    graph: &Graph,
    seen: &BTreeMap<SlotId, Seen>,
    secret: &str,
) -> Result<BTreeMap<String, Secret>, String> {
    let mut held = BTreeMap::new();
    let Some(aws) = &env.aws else {
        return Ok(held);
    };
    let (vifs, connections) = (&aws.snapshot.vifs, &aws.snapshot.vpn_connections);
    for slot in graph.slots.values() {
        if !matches!(
            slot.desired,
            Desired::Vif { .. } | Desired::VpnConnection { .. }
        ) {
            continue;
        }
        let p = match seen.get(&slot.id) {
            Some(Seen::Present(p)) => p,
            Some(Seen::Unreadable(why)) => return Err(why.clone()),
            _ => continue,
        };
        match &slot.desired {
            Desired::Vif { auth_key, .. } if auth_key.secret == secret => {
                let key = vifs.items.iter().find(|v| v.id == p.id);
                let key = key.and_then(|v| v.auth_key.clone());
                held.extend(key.map(|k| (auth_key.key.clone(), k)));
            }
            Desired::VpnConnection { tunnels, .. } => {
                let connection = connections.items.iter().find(|c| c.id == p.id);
                for t in tunnels.iter().filter(|t| t.pre_shared_key.secret == secret) {
                    let tunnel = connection.and_then(|c| c.tunnel(t.inside));
                    let key = tunnel.and_then(|t| t.pre_shared_key.clone());
                    held.extend(key.map(|k| (t.pre_shared_key.key.clone(), k)));
                }
            }
            _ => {}
        }
    }
    Ok(held)
}
