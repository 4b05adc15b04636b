//! What happens over time: tunnels and sessions come up and go down, updates travel hop by hop, forwarding follows.
//! Everything here is computed from the topology and from what is silently broken; nothing knows about the lab.

use super::fib::{FabricRoute, VgwRoute};
use super::look::{Cond, Look};
use super::rib::{Route, Table};
use super::topology::{End, Session, SessionKind, Topology};
use super::view::View;
use super::world::NetWorld;
use super::{Event, NetState};
use crate::state::State;
use crate::time::SimTime;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// A message that waits for its link to carry packets again, as TCP would repeat it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Held {
    pub to: End,
    pub announce: Vec<Route>,
    pub withdraw: Vec<Ipv4Net>,
}

/// A session as it is now; index 0 is end A.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionNow {
    pub up: [bool; 2],
    pub since: [SimTime; 2],
    pub established_at: SimTime,
    /// Unique to this establishment: messages of an earlier life are dropped.
    pub epoch: u64,
    pub(super) pending_up: Option<SimTime>,
    pub(super) pending_down: [Option<SimTime>; 2],
    pub blocked_until: Option<SimTime>,
    pub rib_in: [Table; 2],
    pub rib_out: [Table; 2],
    pub held: Vec<Held>,
    /// UPDATE messages sent by each end.
    pub updates: [u64; 2],
}

impl SessionNow {
    fn new(now: SimTime) -> Self {
        Self {
            up: [false; 2],
            since: [now; 2],
            established_at: now,
            epoch: 0,
            pending_up: None,
            pending_down: [None; 2],
            blocked_until: None,
            rib_in: Default::default(),
            rib_out: Default::default(),
            held: Vec::new(),
            updates: [0; 2],
        }
    }
    pub fn established(&self) -> bool {
        self.up == [true, true]
    }
}

/// A tunnel as it is now; index 0 is AWS's side, 1 Azure's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TunnelNow {
    pub up: [bool; 2],
    pub since: [SimTime; 2],
    pub fingerprint: u64,
    /// A rekey failed: it stays down until its configuration changes (lab.md).
    pub dead: bool,
    pub(super) pending_up: Option<SimTime>,
    pub(super) pending_down: [Option<SimTime>; 2],
    rekey_at: Option<SimTime>,
}

/// The simulation at a moment, with the events that it asks for.
pub struct Sim<'a> {
    pub net: &'a mut NetState,
    pub world: &'a NetWorld,
    pub now: SimTime,
    out: Vec<(SimTime, Event)>,
}

/// Runs `f` on the network of `state` and schedules what comes of it.
pub fn run<T>(state: &mut State, f: impl FnOnce(&mut Sim<'_>) -> T) -> T {
    let mut sim = Sim {
        net: &mut state.net,
        world: &state.world.network,
        now: state.now,
        out: Vec::new(),
    };
    let value = f(&mut sim);
    for (at, event) in sim.out {
        state.schedule(at, super::super::state::Event::Net(event));
    }
    value
}

impl Sim<'_> {
    pub fn look(&self) -> Look<'_> {
        Look {
            net: self.net,
            world: self.world,
            now: self.now,
        }
    }
    pub fn after(&self, seconds: f64) -> SimTime {
        self.now.plus_secs(seconds)
    }
    pub fn schedule(&mut self, at: SimTime, event: Event) {
        self.out.push((at, event));
    }

    /// Takes up a changed view.
    pub fn take_up(&mut self, view: View) {
        super::build::assign(&view, self.world, &mut self.net.assigned);
        let topo = super::build::build(&view, self.world, &self.net.assigned);
        self.net.view = view;
        self.set_topology(topo);
    }

    fn set_topology(&mut self, topo: Topology) {
        let now = self.now;
        self.net
            .sessions
            .retain(|k, _| topo.sessions.contains_key(k));
        self.net.tunnels.retain(|k, _| topo.tunnels.contains_key(k));
        self.net.down_links.retain(|k| topo.links.contains_key(k));
        self.net.down_nodes.retain(|k| topo.nodes.contains_key(k));
        for k in topo.sessions.keys() {
            self.net
                .sessions
                .entry(k.clone())
                .or_insert_with(|| SessionNow::new(now));
        }
        for (k, t) in &topo.tunnels {
            self.net
                .tunnels
                .entry(k.clone())
                .or_insert_with(|| TunnelNow {
                    up: [false; 2],
                    since: [now; 2],
                    fingerprint: t.fingerprint,
                    dead: false,
                    pending_up: None,
                    pending_down: [None; 2],
                    rekey_at: None,
                });
        }
        // A session whose ends became other speakers starts afresh.
        for (k, s) in &topo.sessions {
            let moved = self
                .net
                .topo
                .sessions
                .get(k)
                .is_some_and(|old| old.a != s.a || old.b != s.b);
            if moved {
                self.net.sessions.insert(k.clone(), SessionNow::new(now));
            }
        }
        self.net.topo = topo;
        self.evaluate();
        let nodes: Vec<String> = self.net.topo.nodes.keys().cloned().collect();
        for node in nodes {
            self.announce(&node);
        }
        self.program();
    }

    // ---- state machines ------------------------------------------------------------------------------------------

    /// Compares what is with what should be, for every tunnel and session; idempotent.
    pub fn evaluate(&mut self) {
        let tunnels: Vec<String> = self.net.topo.tunnels.keys().cloned().collect();
        for key in tunnels {
            self.evaluate_tunnel(&key);
        }
        let sessions: Vec<String> = self.net.topo.sessions.keys().cloned().collect();
        for key in sessions {
            self.evaluate_session(&key);
        }
    }

    fn evaluate_tunnel(&mut self, key: &str) {
        let Some(t) = self.net.topo.tunnels.get(key).cloned() else {
            return;
        };
        let dead = [
            self.look().node_dead(&t.vgw),
            t.instance
                .as_ref()
                .is_some_and(|i| self.look().node_dead(i)),
        ];
        let silent = dead != [false, false] || self.look().link_down(Some(&t.key));
        let Some(mut n) = self.net.tunnels.remove(key) else {
            return;
        };
        if n.fingerprint != t.fingerprint {
            n.fingerprint = t.fingerprint;
            n.dead = false;
            n.fall([true, true], self.now);
        }
        if t.refused.is_some() || n.dead {
            n.fall([true, true], self.now);
            n.pending_up = None;
        } else if silent {
            n.pending_up = None;
            n.fall(dead, self.now);
            for i in [0, 1] {
                let due = self.after(t.dpd[i]);
                if n.up[i] && n.pending_down[i].is_none() {
                    n.pending_down[i] = Some(due);
                    self.schedule(
                        due,
                        Event::TunnelDown {
                            tunnel: key.to_owned(),
                        },
                    );
                }
            }
        } else {
            n.pending_down = [None; 2];
            if n.up != [true, true] && n.pending_up.is_none() {
                let due = self.after(self.world.tunnel_connect_seconds);
                n.pending_up = Some(due);
                self.schedule(
                    due,
                    Event::TunnelUp {
                        tunnel: key.to_owned(),
                    },
                );
            }
        }
        self.net.tunnels.insert(key.to_owned(), n);
    }

    pub fn evaluate_session(&mut self, key: &str) {
        let Some(s) = self.net.topo.sessions.get(key).cloned() else {
            return;
        };
        let cond = self.look().condition(&s);
        let carries = self.look().carries(&s).is_ok();
        let now = self.now;
        let Some(n) = self.net.sessions.get(key) else {
            return;
        };
        let detect = self.detection(&s, n);
        // When each end that is up goes down.
        let due: [Option<SimTime>; 2] = match cond {
            Cond::Ok => [None, None],
            Cond::Explicit(_, None) => [Some(now), Some(now)],
            Cond::Explicit(_, Some(end)) => {
                let told = if carries {
                    self.after(self.delay(&s))
                } else {
                    detect
                };
                match end {
                    End::A => [Some(now), Some(told)],
                    End::B => [Some(told), Some(now)],
                }
            }
            Cond::Silent(_, at_once) => at_once.map(|x| if x { Some(now) } else { Some(detect) }),
        };
        let ok = matches!(cond, Cond::Ok);
        let mut fallen = [false; 2];
        let mut asks = Vec::new();
        let connect = self.after(self.world.bgp_connect_seconds);
        if let Some(n) = self.net.sessions.get_mut(key) {
            for i in [0, 1] {
                match due[i] {
                    _ if !n.up[i] => n.pending_down[i] = None,
                    None => n.pending_down[i] = None,
                    Some(t) if t <= now => fallen[i] = true,
                    Some(t) => {
                        if n.pending_down[i].is_none_or(|p| t < p) {
                            n.pending_down[i] = Some(t);
                            asks.push((
                                t,
                                Event::SessionDown {
                                    session: key.to_owned(),
                                },
                            ));
                        }
                    }
                }
            }
            if !ok {
                n.pending_up = None;
            } else if n.up != [true, true] && n.pending_up.is_none() {
                n.pending_up = Some(connect);
                asks.push((
                    connect,
                    Event::Establish {
                        session: key.to_owned(),
                    },
                ));
            }
        }
        self.out.extend(asks);
        for end in End::BOTH {
            if fallen[end.i()] {
                self.fall(key, end);
            }
        }
        if ok || carries {
            self.deliver_held(key);
        }
    }

    /// When a silent failure that began now is noticed: by BFD, or when the hold timer that the last keepalive set
    /// runs out. Keepalives come every third of the hold time, counted from the establishment.
    fn detection(&self, s: &Session, n: &SessionNow) -> SimTime {
        if s.bfd {
            return self.after(self.world.bfd_seconds);
        }
        let hold = (s.hold * 1000.0) as i64;
        let keepalive = (hold / 3).max(1);
        let last = (self.now.0 - n.established_at.0).max(0) / keepalive * keepalive;
        SimTime(n.established_at.0 + last + hold)
    }

    pub fn delay(&self, s: &Session) -> f64 {
        match s.kind {
            SessionKind::Peering | SessionKind::Vif | SessionKind::Tunnel => {
                self.world.update_seconds
            }
            SessionKind::ErGateway => self.world.express_route_update_seconds,
            SessionKind::Mesh => self.world.mesh_update_seconds,
            SessionKind::Association => self.world.association_update_seconds,
        }
    }

    /// One end of a session goes down: it forgets what it heard, and tells its other peers.
    fn fall(&mut self, key: &str, end: End) {
        let Some(n) = self.net.sessions.get_mut(key) else {
            return;
        };
        let i = end.i();
        n.pending_down[i] = None;
        if !n.up[i] {
            return;
        }
        n.up[i] = false;
        n.since[i] = self.now;
        n.rib_in[i].clear();
        n.rib_out[i].clear();
        n.held.retain(|h| h.to != end);
        let node = self
            .net
            .topo
            .sessions
            .get(key)
            .map(|s| s.side(end).node.clone());
        if let Some(node) = node {
            self.announce(&node);
        }
    }

    pub fn handle(&mut self, event: Event) {
        match event {
            Event::Establish { session } => self.establish(&session),
            Event::SessionDown { session } => {
                let due = self
                    .net
                    .sessions
                    .get(&session)
                    .map(|n| n.pending_down.map(|d| d.is_some_and(|t| t <= self.now)));
                for end in End::BOTH {
                    if due.is_some_and(|d| d[end.i()]) {
                        self.fall(&session, end);
                    }
                }
                self.evaluate_session(&session);
            }
            Event::Update {
                session,
                to,
                epoch,
                announce,
                withdraw,
            } => self.update(&session, to, epoch, announce, withdraw),
            Event::TunnelUp { tunnel } => self.tunnel_up(&tunnel),
            Event::TunnelDown { tunnel } => {
                if let Some(n) = self.net.tunnels.get_mut(&tunnel) {
                    let due = n.pending_down.map(|d| d.is_some_and(|t| t <= self.now));
                    n.fall(due, self.now);
                }
                self.evaluate();
            }
            Event::Rekey { tunnel } => {
                let now = self.now;
                if let Some(n) = self.net.tunnels.get_mut(&tunnel)
                    && n.up == [true, true]
                    && n.rekey_at == Some(now)
                {
                    n.dead = true;
                    n.fall([true, true], now);
                }
                self.evaluate();
            }
            Event::Retry => self.evaluate(),
            Event::Fabric { vnet, routes } => {
                if self.net.fabric_target.contains_key(&vnet) {
                    self.net.fabric.insert(vnet, routes);
                }
            }
            Event::Vgw { vgw, routes } => {
                if self.net.vgw_target.contains_key(&vgw) {
                    self.net.vgw_fib.insert(vgw, routes);
                }
            }
        }
        self.program();
    }

    fn establish(&mut self, key: &str) {
        let Some(s) = self.net.topo.sessions.get(key).cloned() else {
            return;
        };
        let ok = matches!(self.look().condition(&s), Cond::Ok);
        let now = self.now;
        let due = self
            .net
            .sessions
            .get(key)
            .is_some_and(|n| n.pending_up == Some(now));
        if !ok || !due {
            return;
        }
        // An end that had not noticed the break gives up its old connection.
        for end in End::BOTH {
            self.fall(key, end);
        }
        self.net.epochs += 1;
        let epoch = self.net.epochs;
        if let Some(n) = self.net.sessions.get_mut(key) {
            n.pending_up = None;
            n.up = [true, true];
            n.since = [now; 2];
            n.established_at = now;
            n.epoch = epoch;
            n.blocked_until = None;
            n.held.clear();
            n.updates = [0; 2];
        }
        self.announce(&s.a.node);
        self.announce(&s.b.node);
    }

    fn tunnel_up(&mut self, key: &str) {
        let now = self.now;
        let rekey = self
            .net
            .topo
            .tunnels
            .get(key)
            .filter(|t| !t.rekeys)
            .map(|t| self.after(t.lifetime));
        let Some(n) = self.net.tunnels.get_mut(key) else {
            return;
        };
        if n.pending_up != Some(now) {
            return;
        }
        n.pending_up = None;
        n.up = [true, true];
        n.since = [now; 2];
        n.rekey_at = rekey;
        if let Some(at) = rekey {
            self.schedule(
                at,
                Event::Rekey {
                    tunnel: key.to_owned(),
                },
            );
        }
        self.evaluate();
    }

    // ---- silent failures -----------------------------------------------------------------------------------------

    pub fn set_link(&mut self, key: &str, up: bool) {
        if up {
            self.net.down_links.remove(key);
        } else {
            self.net.down_links.insert(key.to_owned());
        }
        self.evaluate();
        self.program();
    }

    pub fn set_node(&mut self, key: &str, up: bool) {
        if up {
            self.net.down_nodes.remove(key);
        } else {
            self.net.down_nodes.insert(key.to_owned());
        }
        self.evaluate();
        if up {
            self.announce(key);
        }
        self.program();
    }

    /// Takes a tunnel down on both sides and lets IKE start again after `seconds`.
    pub fn restart_tunnel(&mut self, key: &str, seconds: f64) {
        let (now, due) = (self.now, self.after(seconds));
        if let Some(n) = self.net.tunnels.get_mut(key) {
            n.fall([true, true], now);
            n.dead = false;
            n.pending_up = Some(due);
            self.schedule(
                due,
                Event::TunnelUp {
                    tunnel: key.to_owned(),
                },
            );
        }
        self.evaluate();
        self.program();
    }

    /// Lets a speaker prepend its own AS (planned maintenance), and sends what changes.
    pub fn set_prepend(&mut self, key: &str, count: u8) {
        if count == 0 {
            self.net.prepend.remove(key);
        } else {
            self.net.prepend.insert(key.to_owned(), count);
        }
        self.announce(key);
        self.program();
    }
}

impl TunnelNow {
    fn fall(&mut self, sides: [bool; 2], now: SimTime) {
        for i in [0, 1] {
            if sides[i] {
                self.pending_down[i] = None;
                if self.up[i] {
                    self.up[i] = false;
                    self.since[i] = now;
                    self.rekey_at = None;
                }
            }
        }
    }
}

/// Forwarding entries travel in events; named here so that `Event` needs no further imports.
pub type FabricTable = Vec<FabricRoute>;
pub type VgwTable = Vec<VgwRoute>;
