//! What the four kinds say of themselves, and what changed since the last look, in sentences.
//!
//! May read custom resources. Prints on change, and at least every ten seconds what is waited for and since when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use causeway_api::status::{CommonStatus, SlotPhase};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};

use super::say::{Say, cut, roughly};

/// How long nothing may be printed.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The kinds with slots, and how they are called here.
const KINDS: [(&str, &str); 4] = [
    ("HybridInterconnect", "hi"),
    ("ExpressRouteLink", "er"),
    ("DirectConnectLink", "dx"),
    ("VpnPair", "vpn"),
];

/// Conditions whose change is worth a line on every object …
const OF_ALL: [&str; 4] = ["Accepted", "Deleting", "Stalled", "Paused"];
/// … and on the interconnect.
const OF_PARENT: [&str; 6] = [
    "Provisioned",
    "BGPEstablished",
    "RoutesAsExpected",
    "Available",
    "Redundant",
    "Ready",
];

/// All objects at one moment, by `hi/lab`.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub objects: BTreeMap<String, Object>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Object {
    pub status: CommonStatus,
    pub active_path: Option<String>,
}

impl Object {
    /// Status and reason of a condition.
    pub fn condition(&self, kind: &str) -> Option<(&str, &str)> {
        let mut all = self.status.conditions.iter();
        all.find(|c| c.type_ == kind)
            .map(|c| (c.status.as_str(), c.reason.as_str()))
    }

    /// Whether it holds.
    pub fn is(&self, kind: &str) -> bool {
        self.condition(kind)
            .is_some_and(|(status, _)| status == "True")
    }

    fn message(&self, kind: &str) -> &str {
        let mut all = self.status.conditions.iter();
        all.find(|c| c.type_ == kind)
            .map_or("", |c| c.message.as_str())
    }
}

/// Reads the four kinds of one namespace.
#[derive(Clone)]
pub struct Reader {
    apis: Vec<(&'static str, Api<DynamicObject>)>,
}

impl Reader {
    pub fn new(client: &Client, namespace: &str) -> Self {
        let api = |kind| {
            let resource =
                ApiResource::from_gvk(&GroupVersionKind::gvk("causeway.dev", "v1alpha1", kind));
            Api::namespaced_with(client.clone(), namespace, &resource)
        };
        Self {
            apis: KINDS.map(|(kind, short)| (short, api(kind))).to_vec(),
        }
    }

    pub async fn read(&self) -> Result<Seen, kube::Error> {
        let mut seen = Seen::default();
        for (short, api) in &self.apis {
            for object in api.list(&ListParams::default()).await? {
                let status = &object.data["status"];
                let name = object.metadata.name.clone().unwrap_or_default();
                let seen_object = Object {
                    status: serde_json::from_value(status.clone()).unwrap_or_default(),
                    active_path: status["activePath"].as_str().map(str::to_owned),
                };
                seen.objects.insert(format!("{short}/{name}"), seen_object);
            }
        }
        Ok(seen)
    }
}

/// Tells what changes.
pub struct Watch {
    say: Say,
    speed: f64,
    last: Seen,
    printed: Instant,
    stalled: Option<Instant>,
    reasons: BTreeSet<String>,
}

impl Watch {
    pub fn new(say: Say, speed: f64) -> Self {
        Self {
            say,
            speed,
            last: Seen::default(),
            printed: Instant::now(),
            stalled: None,
            reasons: BTreeSet::new(),
        }
    }

    /// Every reason of a Deleting condition so far.
    pub fn reasons(&self) -> &BTreeSet<String> {
        &self.reasons
    }

    /// Since when an object says that only a person can help, with what it says.
    pub fn stalled(&self) -> Option<(Duration, String)> {
        let since = self.stalled?;
        let mut all = self.last.objects.iter();
        let (name, object) = all.find(|(_, o)| o.is("Stalled"))?;
        Some((
            since.elapsed(),
            format!("{name}: {}", object.message("Stalled")),
        ))
    }

    /// Prints what is new in `now`.
    pub fn tell(&mut self, now: &Seen, simulated: Duration) {
        let mut lines = Vec::new();
        for (name, object) in &now.objects {
            let before = self.last.objects.get(name);
            conditions(name, object, before, &mut lines);
            slots(name, object, before, &mut lines);
            if let Some((_, reason)) = object.condition("Deleting") {
                self.reasons.insert(reason.to_owned());
            }
            let path = before.and_then(|b| b.active_path.as_ref());
            if object.active_path.as_ref() != path
                && let Some(new) = &object.active_path
            {
                let old = path.map(|p| format!("{p} → ")).unwrap_or_default();
                lines.push(format!("{name:<14} active path          {old}{new}"));
            }
        }
        for name in self.last.objects.keys() {
            if !now.objects.contains_key(name) {
                lines.push(format!("{name:<14} gone"));
            }
        }
        if lines.is_empty() && self.printed.elapsed() >= HEARTBEAT {
            lines.push(self.heartbeat(now));
        }
        for line in lines {
            self.say.at(Some(simulated), &line);
            self.printed = Instant::now();
        }
        let stalled = now.objects.values().any(|o| o.is("Stalled"));
        self.stalled = stalled.then(|| self.stalled.unwrap_or_else(Instant::now));
        self.last = now.clone();
    }

    /// What is in work and since when, and what waits.
    fn heartbeat(&self, now: &Seen) -> String {
        let mut work = Vec::new();
        let mut waiting = Vec::new();
        for (object, slot) in now
            .objects
            .iter()
            .flat_map(|(name, o)| o.status.slots.iter().map(move |s| (name, s)))
        {
            let what = format!("{object} {}", slot.name);
            match slot.phase {
                SlotPhase::Creating
                | SlotPhase::Updating
                | SlotPhase::Deleting
                | SlotPhase::Intended => {
                    let since = slot.since.as_ref().map(|t| self.since(t.0));
                    let since = since.map(|s| format!(" for {s}")).unwrap_or_default();
                    work.push(format!("{what} {:?}{since}", slot.phase));
                }
                SlotPhase::Pending => {
                    let why = slot.message.as_deref().unwrap_or_default();
                    waiting.push(format!("{what} ({why})"));
                }
                _ => {}
            }
        }
        let mut text = match work.len() {
            0 => "nothing is in work".to_owned(),
            n => format!(
                "in work: {}{}",
                work[..n.min(4)].join(", "),
                more(n.saturating_sub(4))
            ),
        };
        if let Some(first) = waiting.first() {
            text.push_str(&format!(
                "; {} wait, such as {}",
                waiting.len(),
                cut(first, 90)
            ));
        }
        text
    }

    /// How long ago, in simulated time: the operator writes real times.
    fn since(&self, then: Timestamp) -> String {
        let real = Duration::try_from(Timestamp::now().duration_since(then)).unwrap_or_default();
        roughly(real.mul_f64(self.speed))
    }
}

fn more(n: usize) -> String {
    if n == 0 {
        String::new()
    } else {
        format!(" and {n} more")
    }
}

fn conditions(name: &str, object: &Object, before: Option<&Object>, lines: &mut Vec<String>) {
    let parent = name.starts_with("hi/");
    let wanted = OF_ALL.iter().chain(OF_PARENT.iter().filter(|_| parent));
    for kind in wanted {
        let new = object.condition(kind);
        if new == before.and_then(|b| b.condition(kind)) {
            continue;
        }
        if let Some((status, reason)) = new {
            let message = cut(object.message(kind), 110);
            lines.push(format!("{name:<14} {kind}={status} {reason}: {message}"));
        }
    }
}

fn slots(name: &str, object: &Object, before: Option<&Object>, lines: &mut Vec<String>) {
    for slot in &object.status.slots {
        let old = before.and_then(|b| b.status.slots.iter().find(|s| s.name == slot.name));
        let same = old.is_some_and(|o| o.phase == slot.phase);
        // What is only wanted, or only used, is no event.
        if same || matches!(slot.phase, SlotPhase::Pending | SlotPhase::Imported) {
            continue;
        }
        let word = format!("{:?}", slot.phase);
        let what = slot.kind.as_deref().unwrap_or_default();
        let called = slot.display_name.as_deref().unwrap_or_default();
        let why = match &slot.message {
            Some(message) => format!(": {}", cut(message, 80)),
            None => String::new(),
        };
        let what = format!("{what} {called}");
        let line = format!(
            "{name:<14} {:<20} {word:<9} {}{why}",
            slot.name,
            what.trim_end()
        );
        lines.push(line.trim_end().to_owned());
    }
    // Slots that leave the list have been read back as absent.
    for old in before.iter().flat_map(|b| &b.status.slots) {
        let left = object.status.slots.iter().any(|s| s.name == old.name);
        if !left && !matches!(old.phase, SlotPhase::Gone | SlotPhase::Imported) {
            lines.push(format!("{name:<14} {:<20} Gone", old.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use causeway_api::status::SlotStatus;

    fn object(phase: SlotPhase) -> Object {
        let slot = SlotStatus {
            name: "circuit".into(),
            phase,
            ..SlotStatus::default()
        };
        Object {
            status: CommonStatus {
                slots: vec![slot],
                ..CommonStatus::default()
            },
            active_path: None,
        }
    }

    #[test]
    fn only_changes_are_told() {
        let mut lines = Vec::new();
        let pending = object(SlotPhase::Pending);
        let creating = object(SlotPhase::Creating);
        slots("er/x", &pending, None, &mut lines);
        assert!(lines.is_empty(), "{lines:?}");
        slots("er/x", &creating, Some(&pending), &mut lines);
        slots("er/x", &creating, Some(&creating), &mut lines);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("circuit") && lines[0].contains("Creating"));
    }
}
