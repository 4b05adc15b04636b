//! Whether an event that waits in the queue will still change something: many are overtaken by what happened since they
//! were scheduled (a link that was mended before the hold timer ran out). Reads only.

use super::Event;
use crate::state::State;
use crate::time::SimTime;

/// Whether `event`, due at `at`, would change a session, a tunnel or a table if nothing else happened before.
pub fn is_due(state: &State, at: SimTime, event: &Event) -> bool {
    let net = &state.net;
    let runs_out = |timers: [Option<SimTime>; 2]| timers.iter().any(|t| t.is_some_and(|t| t <= at));
    match event {
        Event::Establish { session } => net
            .sessions
            .get(session)
            .is_some_and(|n| n.pending_up == Some(at)),
        Event::SessionDown { session } => net
            .sessions
            .get(session)
            .is_some_and(|n| runs_out(n.pending_down)),
        Event::Update {
            session, to, epoch, ..
        } => net
            .sessions
            .get(session)
            .is_some_and(|n| n.epoch == *epoch && n.up[to.i()]),
        Event::TunnelUp { tunnel } => net
            .tunnels
            .get(tunnel)
            .is_some_and(|n| n.pending_up == Some(at)),
        Event::TunnelDown { tunnel } => net
            .tunnels
            .get(tunnel)
            .is_some_and(|n| runs_out(n.pending_down)),
        // Hours away, and nothing but the death of a tunnel that can not be rekeyed.
        Event::Rekey { .. } => false,
        Event::Retry => net.sessions.values().any(|n| n.blocked_until.is_some()),
        Event::Fabric { vnet, routes } => {
            net.fabric_target.contains_key(vnet) && net.fabric.get(vnet) != Some(routes)
        }
        Event::Vgw { vgw, routes } => {
            net.vgw_target.contains_key(vgw) && net.vgw_fib.get(vgw) != Some(routes)
        }
    }
}
