//! Watches: the initial objects where they are asked for, then each change after a version, bookmarks, and an end.
//!
//! May read the state and wait on tokio's clock and on the server's signal; changes nothing. Bookmarks come every minute if
//! something was written meanwhile, and before the end; a real API server sends them without that condition.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::kinds::Kind;
use super::log::{ApiEvent, Delivery};
use super::meta;
use super::refuse::Refusal;
use super::select::Selector;
use super::state::{ApiState, Change};

const BOOKMARK_EVERY: Duration = Duration::from_mins(1);

/// How long a watch lives that does not say so. A real server draws from 30 to 60 minutes.
const LIFE: Duration = Duration::from_mins(30);

/// What wakes watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signal {
    pub revision: u64,
    /// A watch that began under another number ends.
    pub epoch: u64,
}

/// What a list or watch is about, and in which form.
#[derive(Clone)]
pub(super) struct Scope {
    pub kind: Arc<Kind>,
    /// `None`: all.
    pub namespace: Option<String>,
    pub selector: Selector,
    /// Who asks.
    pub client: String,
    /// `PartialObjectMetadata` only.
    pub metadata_only: bool,
}

impl Scope {
    fn covers(&self, change: &Change) -> bool {
        change.key.resource == self.kind.resource()
            && self
                .namespace
                .as_ref()
                .is_none_or(|n| *n == change.key.namespace)
    }

    /// The objects as they are, in the order of their names.
    pub(super) fn objects<'s>(
        &'s self,
        state: &'s ApiState,
    ) -> impl Iterator<Item = &'s Arc<Value>> {
        let resource = self.kind.resource();
        state
            .objects
            .iter()
            .filter(move |(key, _)| key.resource == resource)
            .filter(move |(key, _)| self.namespace.as_ref().is_none_or(|n| *n == key.namespace))
            .map(|(_, object)| object)
            .filter(move |object| self.selector.matches(object))
    }

    /// An object as it is sent.
    pub(super) fn form(&self, object: &Value) -> Value {
        if self.metadata_only {
            json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
            })
        } else {
            object.clone()
        }
    }

    /// What a change is to somebody who sees only what is selected.
    fn event(&self, change: &Change) -> Option<(&'static str, Value)> {
        let seen =
            |side: &Option<Arc<Value>>| side.clone().filter(|object| self.selector.matches(object));
        let (name, object) = match (seen(&change.before), seen(&change.after)) {
            (None, None) => return None,
            (None, Some(now)) => ("ADDED", (*now).clone()),
            (Some(_), Some(now)) => ("MODIFIED", (*now).clone()),
            (Some(before), None) => {
                // What left the selection is shown as it is now; what is gone, as it was last.
                let last = change.after.as_ref().unwrap_or(&before);
                let mut last = (**last).clone();
                meta::set(&mut last, "resourceVersion", change.revision.to_string());
                ("DELETED", last)
            }
        };
        Some((name, self.form(&object)))
    }

    fn bookmark(&self, revision: u64, end_of_initial: bool) -> Value {
        let mut metadata =
            json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if end_of_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({
            "kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata,
        });
        json!({"type": "BOOKMARK", "object": object})
    }
}

/// How a watch begins and how long it lasts.
#[derive(Debug, Clone, Default)]
pub(super) struct WatchOptions {
    pub resource_version: String,
    pub bookmarks: bool,
    pub send_initial: bool,
    pub timeout_seconds: Option<u64>,
}

struct Watch {
    shared: Arc<Shared>,
    scope: Scope,
    bookmarks: bool,
    wake: Receiver<Signal>,
    epoch: u64,
    cursor: u64,
    /// The newest version that the client was told.
    told: u64,
    /// What is to be sent, and when.
    queue: VecDeque<(Instant, Value)>,
    bookmark_at: Instant,
    end_at: Instant,
    ended: bool,
}

/// Opens a watch and answers its body.
pub(super) fn open(shared: &Arc<Shared>, scope: Scope, options: &WatchOptions) -> Body {
    let wake = shared.signal.subscribe();
    let epoch = wake.borrow().epoch;
    let now = Instant::now();
    let life = options.timeout_seconds.filter(|s| *s > 0);
    let mut watch = Watch {
        shared: shared.clone(),
        bookmarks: options.bookmarks,
        epoch,
        wake,
        cursor: 0,
        told: 0,
        queue: VecDeque::new(),
        bookmark_at: now + BOOKMARK_EVERY,
        end_at: now + life.map_or(LIFE, Duration::from_secs),
        ended: false,
        scope,
    };
    watch.begin(options);
    Body::from_stream(stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        Some((Ok::<_, std::io::Error>(bytes), watch))
    }))
}

impl Watch {
    fn begin(&mut self, options: &WatchOptions) {
        let shared = self.shared.clone();
        let state = shared.state();
        let from_now = matches!(options.resource_version.as_str(), "" | "0");
        if from_now || options.send_initial {
            let initial: Vec<_> = self
                .scope
                .objects(&state)
                .map(|object| json!({"type": "ADDED", "object": self.scope.form(object)}))
                .collect();
            for event in initial {
                self.push(event, Duration::ZERO);
            }
            self.cursor = state.revision();
            if options.send_initial {
                self.push(self.scope.bookmark(self.cursor, true), Duration::ZERO);
            }
        } else {
            // What is no version is as unknown as one that was compacted.
            self.cursor = options.resource_version.parse().unwrap_or(0);
        }
        self.told = self.cursor;
        self.read(&state);
    }

    /// Puts a line at the end, to be sent after `delay` and not before what stands before it.
    fn push(&mut self, line: Value, delay: Duration) {
        let last = self.queue.back().map(|(due, _)| *due);
        let due = Instant::now() + delay;
        self.queue
            .push_back((last.map_or(due, |last| last.max(due)), line));
    }

    /// Takes over what was written since the cursor.
    fn read(&mut self, state: &ApiState) {
        let news: Vec<_> = match state.since(self.cursor) {
            Ok(changes) => changes
                .filter(|change| self.scope.covers(change))
                .filter_map(|change| Some((change.clone(), self.scope.event(change)?)))
                .collect(),
            Err(refusal) => return self.fail(&refusal),
        };
        let hook = super::lock(&self.shared.event_hook).clone();
        for (change, (event, object)) in news {
            let delivery = hook.as_ref().map_or(Delivery::Send, |hook| {
                hook(&ApiEvent {
                    client: self.scope.client.clone(),
                    resource: change.key.resource.clone(),
                    namespace: change.key.namespace.clone(),
                    name: change.key.name.clone(),
                    event,
                    revision: change.revision,
                })
            });
            let line = json!({"type": event, "object": object});
            match delivery {
                Delivery::Send => self.push(line, Duration::ZERO),
                Delivery::Drop => {}
                Delivery::Twice => {
                    self.push(line.clone(), Duration::ZERO);
                    self.push(line, Duration::ZERO);
                }
                Delivery::Late(delay) => self.push(line, delay),
                Delivery::Cut => {
                    self.ended = true;
                    return;
                }
            }
            self.told = change.revision;
        }
        self.cursor = self.cursor.max(state.revision());
    }

    fn fail(&mut self, refusal: &Refusal) {
        let line = json!({"type": "ERROR", "object": refusal.body()});
        self.push(line, Duration::ZERO);
        self.ended = true;
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            if self.wake.borrow().epoch != self.epoch {
                return None;
            }
            if !self.ended {
                let shared = self.shared.clone();
                self.read(&shared.state());
            }
            let due = self.queue.front().map(|(due, _)| *due);
            if due.is_some_and(|due| due <= Instant::now()) {
                return self.queue.pop_front().map(|(_, line)| line);
            }
            // What is still late at the end is found again by the next watch.
            if self.ended && (due.is_none() || Instant::now() >= self.end_at) {
                return None;
            }
            let mut until = due.unwrap_or(self.end_at).min(self.end_at);
            if self.bookmarks && due.is_none() {
                until = until.min(self.bookmark_at);
            }
            tokio::select! {
                biased;
                changed = self.wake.changed() => {
                    // The server is gone: nothing more can come.
                    if changed.is_err() {
                        return None;
                    }
                }
                () = sleep_until(until) => self.tick(),
            }
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if self.bookmarks && self.told < self.cursor && self.queue.is_empty() {
            self.told = self.cursor;
            self.push(self.scope.bookmark(self.cursor, false), Duration::ZERO);
        }
        if now >= self.bookmark_at {
            self.bookmark_at = now + BOOKMARK_EVERY;
        }
        self.ended |= now >= self.end_at;
    }
}
