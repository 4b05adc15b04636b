//! One reconcile for every kind: gather → validate → plan → act → report. Only gather and act touch the network, and
//! what is decided is decided in `causeway-model`.

mod act;
mod polls;

use super::Managed;
use super::context::Context;
use super::facts;
use super::locks::Holder;
use super::memo::ObjectMemo;
use super::observe::observe;
use super::status::{self, Written};
use crate::health;
use causeway_api::{FINALIZER, HybridInterconnect, OWNER_ID_ANNOTATION};
use causeway_model::observe::Record;
use causeway_model::plan::{self, Action, Input, Mode, Why};
use causeway_model::provider::Provider;
use causeway_model::report::{self, Rejection, Scope};
use causeway_model::slot::SlotId;
use causeway_model::spec::Policy;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action as Requeue;
use kube::runtime::events::{Event, EventType};
use kube::{Api, ResourceExt};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, info, warn};

/// What goes wrong outside the clouds. Provider errors are not here: they become memos and conditions.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("the API server: {0}")]
    Kube(#[from] Box<kube::Error>),
    #[error("the API server did not answer in time")]
    Timeout,
}

impl From<kube::Error> for ReconcileError {
    fn from(e: kube::Error) -> Self {
        Self::Kube(Box::new(e))
    }
}

/// Calls to the API server have an end, also when the client retries inside (kube.md §3).
const KUBE_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) async fn bounded<T>(
    f: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ReconcileError> {
    tokio::time::timeout(KUBE_TIMEOUT, f)
        .await
        .map_err(|_| ReconcileError::Timeout)?
        .map_err(ReconcileError::from)
}

/// Reconciles one object.
///
/// # Errors
/// Those of the API server; the caller retries.
pub async fn reconcile<K: Managed>(
    object: Arc<K>,
    ctx: Arc<Context>,
) -> Result<Requeue, ReconcileError> {
    let namespace = object.namespace().unwrap_or_default();
    let name = object.name_any();
    let key = format!("{} {namespace}/{name}", K::KIND);
    // A stand-by only looks; the watch brings everything again once it leads.
    if !ctx.leadership.holds() {
        return Ok(Requeue::requeue(Duration::from_secs(5)));
    }
    // Right after a start the caches fill one by one: an interconnect would take its links for missing.
    if ctx.listed.clone().wait_for(|listed| *listed).await.is_err() {
        return Ok(Requeue::await_change());
    }
    let object = ctx.memos.freshest(&key, object);
    let deleting = object.meta().deletion_timestamp.is_some();
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &namespace);
    if deleting && !object.finalizers().iter().any(|f| f == FINALIZER) {
        forget(&ctx, &key);
        return Ok(Requeue::await_change());
    }
    if !deleting {
        match claim(&api, &*object, &ctx, &key).await? {
            Claim::Held => {}
            Claim::Made { first } => {
                let mut memo = ctx.memos.take(&key);
                memo.born_here |= first;
                ctx.memos.put(&key, memo);
                return Ok(Requeue::await_change());
            }
            // What this was about to claim may have been another operator's, and full of records.
            Claim::Outdated => return Ok(Requeue::await_change()),
        }
    }
    let now = ctx.clock.now();
    let mut memo = ctx.memos.take(&key);
    let outcome = step(&api, &object, &ctx, &key, deleting, now, &mut memo).await;
    ctx.memos.put(&key, memo);
    outcome
}

fn forget(ctx: &Context, key: &str) {
    ctx.memos.forget(key);
    ctx.locks.release_owner(key);
    ctx.accounts.leave(key);
    ctx.vantages.leave(key);
    ctx.health.forget(key);
}

/// What became of a claim on an object.
enum Claim {
    /// Finalizer and owner ID are on it.
    Held,
    /// They were put on it; the watch brings it back. `first`: nothing of ours was on it, so that nobody ordered anything for it
    /// (a finalizer alone may have been taken off by a person).
    Made { first: bool },
    /// It is another version by now, or gone; the watch brings that.
    Outdated,
}

/// Finalizer and owner ID, set once and together, before anything else.
async fn claim<K: Managed>(
    api: &Api<K>,
    object: &K,
    ctx: &Context,
    key: &str,
) -> Result<Claim, ReconcileError> {
    let has_owner = object
        .annotations()
        .get(OWNER_ID_ANNOTATION)
        .is_some_and(|v| !v.is_empty());
    let has_finalizer = object.finalizers().iter().any(|f| f == FINALIZER);
    if has_owner && has_finalizer {
        return Ok(Claim::Held);
    }
    let mut finalizers = object.finalizers().to_vec();
    if !has_finalizer {
        finalizers.push(FINALIZER.to_owned());
    }
    let mut metadata =
        json!({ "finalizers": finalizers, "resourceVersion": object.resource_version() });
    if !has_owner {
        // Not the UID: this must survive a restore from backup (design §2.1).
        let id = object
            .uid()
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        metadata["annotations"] = json!({ OWNER_ID_ANNOTATION: id });
    }
    let patch = json!({ "metadata": metadata });
    match bounded(api.patch(
        &object.name_any(),
        &PatchParams::default(),
        &Patch::Merge(&patch),
    ))
    .await
    {
        Ok(_) => Ok(Claim::Made {
            first: !has_owner && !has_finalizer,
        }),
        Err(ReconcileError::Kube(e)) if matches!(&*e, kube::Error::Api(s) if s.is_conflict() || s.is_not_found()) =>
        {
            debug!(object = key, "changed meanwhile");
            ctx.memos.forget_latest(key);
            Ok(Claim::Outdated)
        }
        Err(e) => Err(e),
    }
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

async fn step<K: Managed>(
    api: &Api<K>,
    object: &Arc<K>,
    ctx: &Arc<Context>,
    key: &str,
    deleting: bool,
    now: Timestamp,
    memo: &mut ObjectMemo,
) -> Result<Requeue, ReconcileError> {
    let policy = status::policy(object.policy());
    let records = status::records(object.common());
    let prepared = K::prepare(object, ctx, key, now, deleting).await?;
    let mut prepared = match prepared {
        Ok(p) => p,
        // Right after a start nothing was read yet: until the first polls have ended, or had their time, what the last
        // process said of this generation stands.
        Err(rejection)
            if rejection.undecided
                && !memo.decided
                && facts::accepted_before(&**object)
                && ctx.accounts.pace().stale_after()
                    > elapsed(*memo.undecided_since.get_or_insert(now), now) =>
        {
            return Ok(Requeue::requeue(
                ctx.accounts.pace().busy.max(Duration::from_millis(20)),
            ));
        }
        Err(rejection) => {
            return reject(
                api, object, ctx, key, deleting, memo, &policy, &records, &rejection,
            )
            .await;
        }
    };
    memo.decided = true;
    if !prepared.env.looked_at() {
        // A plan of what was never looked at would only say so; the first poll ends in a moment and wakes us.
        return Ok(Requeue::requeue(
            ctx.accounts.pace().busy.max(Duration::from_millis(20)),
        ));
    }
    hold_secrets(ctx, object).await;
    polls::look_at_operations(ctx, &prepared, memo).await;
    memo.learn(&records, now);
    // Keys that reads are compared with. What can not be read now is not compared now.
    let secrets = &ctx.secrets;
    let values = secrets.values(&prepared.env.namespace, &prepared.secrets);
    prepared.env.secrets = values.await.unwrap_or_default();
    let mut observed = observe(&prepared.env, &prepared.graph, &records);
    prepared.graph.learn(&observed.seen);
    observed.memos = memo
        .slots
        .iter()
        .map(|(k, m)| (k.clone(), m.memo.clone()))
        .collect();
    // Our finalizer is on it and nothing is recorded: a new object, or one whose status was lost (api.md §3).
    let wiped = object.common().is_none_or(|c| c.slots.is_empty()) && memo.wiped_possible();
    if wiped {
        memo.first_seen.get_or_insert(now);
    }
    // It lasts: the first new record does not bring the lost ones back.
    observed.amnesia_since = memo.first_seen;
    polls::settle_locks(ctx, key, &prepared, &observed, memo, now);
    observed.held = ctx.locks.held();
    observed.predecessor_until = ctx.leadership.predecessor_until();
    let mode = if deleting {
        Mode::TearDown
    } else {
        Mode::Converge
    };
    let input = Input {
        graph: &prepared.graph,
        observed: &observed,
        policy: &policy,
        mode,
        timing: &ctx.timing,
        now,
        other_path_proven: prepared.other_path_proven.or_else(|| {
            let namespace = object.namespace().unwrap_or_default();
            prepared.health.other_path(ctx, key, &namespace)
        }),
        consent: consent(ctx, &**object),
    };
    let plan = plan::plan(input);
    let duplicates = plan.blockers.iter().filter(|b| b.why == Why::Duplicate);
    let duplicates: Vec<String> = duplicates.map(|b| b.message.clone()).collect();
    for note in duplicates.iter().filter(|d| !memo.duplicates.contains(d)) {
        warn!(object = key, "{note}");
        event(
            ctx,
            &**object,
            EventType::Warning,
            "DuplicateFound",
            "Observe",
            note,
        );
    }
    memo.duplicates = duplicates;
    let mut records = records;
    for (slot, id) in &plan.adopt {
        let before = records.insert(
            slot.clone(),
            Record {
                id: Some(id.clone()),
                intent: None,
                seen: true,
                applied: records
                    .get(slot)
                    .map(|r| r.applied.clone())
                    .unwrap_or_default(),
            },
        );
        // A failed order has turned out to be none. What failed since it was first seen waits its time: a confirmation
        // that is refused would be sent again at once, and without end.
        let first = before.is_none_or(|r| r.id.is_none());
        if let Some(m) = memo.slots.get_mut(slot).filter(|_| first) {
            m.memo.failures = 0;
            m.memo.failure = None;
            m.memo.not_before = None;
        }
    }
    for slot in &plan.forget {
        records.remove(slot);
        memo.slots.remove(slot);
        ctx.locks.release(&Holder {
            owner: key.to_owned(),
            slot: slot.clone(),
        });
    }
    let mut object = object.clone();
    let acted = if plan.actions.is_empty() {
        false
    } else {
        act::act(
            api,
            &mut object,
            ctx,
            key,
            &prepared,
            &observed,
            &plan,
            &mut records,
            memo,
        )
        .await?
    };
    // Nothing is half-built: no link is made beside an object that can not be taken over.
    let adopting = plan.blockers.iter().any(|b| b.why == Why::AdoptionRefused)
        || plan
            .actions
            .iter()
            .any(|a| matches!(a, Action::Adopt { .. }));
    let links = if adopting && !deleting {
        K::links_now(&object, ctx)
    } else {
        K::links(&object, ctx, deleting).await?
    };
    let health = health::judge(&object, ctx, key, &prepared, &observed, &plan).await;
    // Also when only the keys were left, and they are gone now. A cloud's object is gone when it is read to be gone.
    let keys = |a: &Action| {
        let slot = prepared.graph.slots.get(a.slot());
        slot.is_some_and(|s| s.provider == Provider::Kubernetes)
    };
    let done = plan.done || (acted && plan.blockers.is_empty() && plan.actions.iter().all(keys));
    if deleting && done && links.is_empty() && records.is_empty() && !policy.paused {
        return finish(api, &object, ctx, key).await;
    }
    let conditions = report::report(&Scope {
        kind: K::REPORT,
        rejection: None,
        plan: Some(&plan),
        deleting,
        paused: policy.paused,
        retain: policy.retain,
        observe_only: policy.observe_only,
        health: &health.verdicts,
        links: &links,
    });
    let written = Written {
        conditions: &conditions,
        records: &records,
        plan: Some(&plan),
        graph: Some(&prepared.graph),
        observed: Some(&observed),
        prepared: Some(&prepared),
        health: Some(&health),
    };
    status::write(api, &object, ctx, key, &written).await?;
    if !plan.done || acted {
        polls::keep_busy(ctx, &prepared, &plan);
    }
    let wait = if acted {
        ctx.accounts.pace().busy
    } else {
        plan.look_again
            .min(health.look_again.unwrap_or(plan.look_again))
    };
    Ok(Requeue::requeue(wait.max(Duration::from_millis(10))))
}

/// Whether deleting this object is consent to lose its paths: it is not while the interconnect that made it lives on.
fn consent<K: Managed>(ctx: &Context, object: &K) -> bool {
    let namespace = object.namespace().unwrap_or_default();
    let parent = object
        .owner_references()
        .iter()
        .find(|o| o.controller == Some(true) && o.kind == HybridInterconnect::KIND)
        .and_then(|o| Some((o, ctx.interconnect(&namespace, &o.name)?)));
    !parent.is_some_and(|(o, p)| {
        p.metadata.uid.as_ref() == Some(&o.uid) && p.metadata.deletion_timestamp.is_none()
    })
}

/// Nothing can be planned: says why, and looks again.
#[expect(
    clippy::too_many_arguments,
    reason = "the early end of one step, with all that it knows"
)]
async fn reject<K: Managed>(
    api: &Api<K>,
    object: &Arc<K>,
    ctx: &Arc<Context>,
    key: &str,
    deleting: bool,
    memo: &mut ObjectMemo,
    policy: &Policy,
    records: &BTreeMap<SlotId, Record>,
    rejection: &Rejection,
) -> Result<Requeue, ReconcileError> {
    debug!(
        object = key,
        reason = rejection.reason,
        message = rejection.message,
        "not accepted"
    );
    if deleting && records.is_empty() && K::links(object, ctx, true).await?.is_empty() {
        // Nothing was ever made: there is nothing to wait for.
        return finish(api, object, ctx, key).await;
    }
    let links = K::links_now(object, ctx);
    let conditions = report::report(&Scope {
        kind: K::REPORT,
        rejection: Some(rejection),
        plan: None,
        deleting,
        paused: policy.paused,
        retain: policy.retain,
        observe_only: policy.observe_only,
        health: &report::HealthVerdicts::default(),
        links: &links,
    });
    if memo.last_rejection.as_ref() != Some(rejection) && !rejection.undecided {
        event(
            ctx,
            &**object,
            EventType::Warning,
            rejection.reason,
            "Validate",
            &rejection.message,
        );
        memo.last_rejection = Some(rejection.clone());
    }
    let written = Written {
        conditions: &conditions,
        records,
        plan: None,
        graph: None,
        observed: None,
        prepared: None,
        health: None,
    };
    status::write(api, object, ctx, key, &written).await?;
    let wait = if rejection.undecided {
        ctx.accounts.pace().busy
    } else {
        ctx.timing.retry
    };
    Ok(Requeue::requeue(wait.max(Duration::from_millis(20))))
}

/// Everything is gone: Secrets are let go of, then the object.
async fn finish<K: Managed>(
    api: &Api<K>,
    object: &K,
    ctx: &Arc<Context>,
    key: &str,
) -> Result<Requeue, ReconcileError> {
    let namespace = object.namespace().unwrap_or_default();
    let secrets = object.secrets();
    let unused = secrets
        .iter()
        .filter(|s| !ctx.secret_in_use(&namespace, s, key));
    let released = unused.map(async |secret| {
        let released = ctx.secrets.release(&namespace, secret).await;
        released.inspect_err(|error| {
            warn!(object = key, secret, %error, "our finalizer could not be taken off a Secret yet");
        })
    });
    if futures::future::try_join_all(released).await.is_err() {
        return Ok(Requeue::requeue(Duration::from_secs(2)));
    }
    let left: Vec<&String> = object
        .finalizers()
        .iter()
        .filter(|f| *f != FINALIZER)
        .collect();
    let patch =
        json!({ "metadata": { "finalizers": left, "resourceVersion": object.resource_version() } });
    match bounded(api.patch(
        &object.name_any(),
        &PatchParams::default(),
        &Patch::Merge(&patch),
    ))
    .await
    {
        Ok(_) => info!(object = key, "everything is gone"),
        Err(ReconcileError::Kube(e)) if matches!(&*e, kube::Error::Api(s) if s.is_not_found()) => {}
        Err(ReconcileError::Kube(e)) if matches!(&*e, kube::Error::Api(s) if s.is_conflict()) => {
            ctx.memos.forget_latest(key);
            return Ok(Requeue::requeue(Duration::from_millis(200)));
        }
        Err(e) => return Err(e),
    }
    forget(ctx, key);
    Ok(Requeue::await_change())
}

/// Secrets that cloud objects will need carry our finalizer before the first of them is made (design §2.2).
async fn hold_secrets<K: Managed>(ctx: &Context, object: &Arc<K>) {
    if object.meta().deletion_timestamp.is_some() {
        return;
    }
    let namespace = object.namespace().unwrap_or_default();
    for secret in object.secrets() {
        if let Err(error) = ctx.secrets.hold(&namespace, &secret).await {
            warn!(secret, %error, "our finalizer could not be put on a Secret yet");
        }
    }
}

/// Publishes an Event beside the reconcile; one that can not be published is only logged.
pub(crate) fn event<K: Managed>(
    ctx: &Arc<Context>,
    object: &K,
    type_: EventType,
    reason: &str,
    action: &str,
    note: &str,
) {
    let note: String = note.chars().take(1000).collect();
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: action.to_owned(),
        secondary: None,
    };
    let (ctx, reference) = (ctx.clone(), object.object_ref(&()));
    tokio::spawn(async move {
        if let Err(error) = bounded(ctx.recorder.publish(&event, &reference)).await {
            debug!(%error, "an Event could not be published");
        }
    });
}
