//! How routes travel: what a speaker announces, what its peer makes of it, and how forwarding follows.

use super::Event;
use super::engine::{Held, Sim};
use super::rib::{self, Route};
use super::topology::{End, SessionKind};
use ipnet::Ipv4Net;

impl Sim<'_> {
    /// Sends to every peer of a speaker what has changed for it.
    pub fn announce(&mut self, node: &str) {
        if self.look().node_dead(node) {
            return;
        }
        let Some(speaker) = self.net.topo.nodes.get(node) else {
            return;
        };
        let all = self.look().candidates(speaker);
        let mut changes = Vec::new();
        for (key, n) in &self.net.sessions {
            let Some(s) = self.net.topo.sessions.get(key) else {
                continue;
            };
            let Some(end) = s.end_of(node).filter(|e| n.up[e.i()]) else {
                continue;
            };
            let wanted = rib::export(self.look(), speaker, &all, s, end);
            let sent = &n.rib_out[end.i()];
            if wanted == *sent {
                continue;
            }
            let announce: Vec<Route> = wanted
                .values()
                .filter(|r| sent.get(&r.prefix) != Some(r))
                .cloned()
                .collect();
            let withdraw: Vec<Ipv4Net> = sent
                .keys()
                .filter(|p| !wanted.contains_key(p))
                .copied()
                .collect();
            let event = Event::Update {
                session: key.clone(),
                to: end.other(),
                epoch: n.epoch,
                announce,
                withdraw,
            };
            changes.push((key.clone(), end, wanted, self.after(self.delay(s)), event));
        }
        for (key, end, wanted, at, event) in changes {
            if let Some(n) = self.net.sessions.get_mut(&key) {
                n.rib_out[end.i()] = wanted;
                n.updates[end.i()] += 1;
            }
            self.schedule(at, event);
        }
    }

    pub fn update(
        &mut self,
        key: &str,
        to: End,
        epoch: u64,
        announce: Vec<Route>,
        withdraw: Vec<Ipv4Net>,
    ) {
        let Some(s) = self.net.topo.sessions.get(key).cloned() else {
            return;
        };
        let carries = s.kind == SessionKind::Association || self.look().carries(&s).is_ok();
        let Some(node) = self.net.topo.nodes.get(&s.side(to).node).cloned() else {
            return;
        };
        let retry = self.after(self.world.limit_retry_seconds);
        let Some(n) = self.net.sessions.get_mut(key) else {
            return;
        };
        if n.epoch != epoch || !n.up[to.i()] {
            return;
        }
        if !carries {
            n.held.push(Held {
                to,
                announce,
                withdraw,
            });
            return;
        }
        let table = &mut n.rib_in[to.i()];
        for p in withdraw {
            table.remove(&p);
        }
        // Kept as heard; what the speaker makes of it is decided when it is read, so that a change of policy counts at
        // once (route refresh, RFC 2918).
        for r in announce {
            table.insert(r.prefix, r);
        }
        // Limits are for what customers send: not between an MSEE and its gateways, nor within AWS.
        let customer = match s.kind {
            SessionKind::Peering | SessionKind::Vif => to == End::A,
            SessionKind::Tunnel => true,
            _ => false,
        };
        let limit = node.prefix_limit.filter(|_| customer);
        if limit.is_some_and(|l| table.len() > l as usize) {
            n.blocked_until = Some(retry);
            self.schedule(retry, Event::Retry);
            self.evaluate_session(key);
            return;
        }
        self.announce(&node.key);
    }

    pub fn deliver_held(&mut self, key: &str) {
        let Some(n) = self.net.sessions.get_mut(key) else {
            return;
        };
        let epoch = n.epoch;
        for h in std::mem::take(&mut n.held) {
            self.update(key, h.to, epoch, h.announce, h.withdraw);
        }
    }

    // ---- forwarding ----------------------------------------------------------------------------------------------

    /// Lets the fabric of each virtual network and each VGW follow its best routes, after their own delay.
    pub fn program(&mut self) {
        let vnets: Vec<String> = self
            .net
            .view
            .azure
            .vnets
            .iter()
            .map(|v| v.id.clone())
            .collect();
        self.net.fabric.retain(|k, _| vnets.contains(k));
        self.net.fabric_target.retain(|k, _| vnets.contains(k));
        for vnet in vnets {
            let wanted = super::fib::fabric(self.look(), &vnet);
            if self.net.fabric_target.get(&vnet) != Some(&wanted) {
                let at = self.after(self.world.fabric_programming_seconds);
                self.net.fabric_target.insert(vnet.clone(), wanted.clone());
                self.schedule(
                    at,
                    Event::Fabric {
                        vnet,
                        routes: wanted,
                    },
                );
            }
        }
        let vgws: Vec<String> = self
            .net
            .view
            .aws
            .vgws
            .iter()
            .map(|v| v.id.clone())
            .collect();
        self.net.vgw_fib.retain(|k, _| vgws.contains(k));
        self.net.vgw_target.retain(|k, _| vgws.contains(k));
        for vgw in vgws {
            let wanted = super::fib::vgw(self.look(), &vgw);
            if self.net.vgw_target.get(&vgw) != Some(&wanted) {
                let at = self.after(self.world.vgw_programming_seconds);
                self.net.vgw_target.insert(vgw.clone(), wanted.clone());
                self.schedule(
                    at,
                    Event::Vgw {
                        vgw,
                        routes: wanted,
                    },
                );
            }
        }
    }
}
