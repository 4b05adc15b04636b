//! Act: carries out a plan, and remembers how each call ended. Decides nothing beyond when a refused call is tried again.

use super::{ReconcileError, bounded, event, polls};
use crate::controllers::context::Context;
use crate::controllers::execute::{Done, Executor};
use crate::controllers::locks::Holder;
use crate::controllers::memo::{ObjectMemo, SlotMemo};
use crate::controllers::{Managed, Prepared, status};
use causeway_model::desired::Desired;
use causeway_model::intent::{CloudError, Sent};
use causeway_model::observe::{Failure, Observed, Record};
use causeway_model::plan::{Action, Plan};
use causeway_model::provider::Provider;
use causeway_model::slot::{Class, Slot, SlotId};
use jiff::Timestamp;
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// Carries out the plan. Intents are stored before the first create, and before the first mark on what is taken over: a successor
/// must know of both. `true` when anything was sent.
#[expect(
    clippy::too_many_arguments,
    reason = "the one place where everything meets"
)]
pub(super) async fn act<K: Managed>(
    api: &Api<K>,
    object: &mut Arc<K>,
    ctx: &Arc<Context>,
    key: &str,
    prepared: &Prepared,
    observed: &Observed,
    plan: &Plan,
    records: &mut BTreeMap<SlotId, Record>,
    memo: &mut ObjectMemo,
) -> Result<bool, ReconcileError> {
    let now = ctx.clock.now();
    let mut actions = Vec::new();
    for action in &plan.actions {
        let Some(slot) = prepared.graph.slots.get(action.slot()) else {
            continue;
        };
        let holder = Holder {
            owner: key.to_owned(),
            slot: slot.id.clone(),
        };
        // Another object may have been quicker since the plan was made.
        if ctx.locks.acquire(&holder, &slot.locks).is_ok() {
            actions.push((action, slot, holder));
        }
    }
    if actions.is_empty() {
        return Ok(false);
    }
    let mut intended = false;
    for (action, slot, _) in &actions {
        if matches!(
            action,
            Action::Create { .. } | Action::Confirm { .. } | Action::Adopt { .. }
        ) {
            let record = records.entry(slot.id.clone()).or_insert(Record {
                id: None,
                intent: None,
                seen: false,
                applied: BTreeMap::new(),
            });
            record.intent = Some(now);
            record.seen = matches!(action, Action::Confirm { .. });
            intended = true;
        }
    }
    if intended {
        match status::write_records(api, object, ctx, key, records, plan, &prepared.graph).await {
            Ok(updated) => *object = updated,
            Err(e) => {
                for (_, _, holder) in &actions {
                    ctx.locks.release(holder);
                }
                return Err(e);
            }
        }
    }
    let namespace = object.namespace().unwrap_or_default();
    let secrets = bounded(ctx.secrets.values(&namespace, &prepared.secrets)).await?;
    let executor = Executor {
        env: &prepared.env,
        graph: &prepared.graph,
        observed,
        secrets: &secrets,
        client: &ctx.client,
        owner: object.controller_owner_ref(&()).unwrap_or_default(),
    };
    let runs = actions.iter().map(|(action, _, _)| {
        // Whether this process still leads is asked where each request is sent: an action may be several.
        executor.run(action)
    });
    let results = futures::future::join_all(runs).await;
    let mut touched: Vec<Class> = Vec::new();
    for ((action, slot, holder), result) in actions.into_iter().zip(results) {
        touched.push(slot.class);
        // What was read of the Secret before this call is no longer so.
        if let Desired::KeysSecret { name, .. } = &slot.desired {
            ctx.secrets.forget(&namespace, name);
        }
        let m = memo.slots.entry(slot.id.clone()).or_default();
        match result {
            Ok(done) => {
                info!(object = key, slot = %slot.id, action = action.verb(), id = done.id.as_deref(), "accepted");
                accepted(m, records, action, slot, done, ctx.clock.now());
                if slot.provider == Provider::Kubernetes && matches!(action, Action::Delete { .. })
                {
                    // The API server's answer is the truth already: there is nothing to look for.
                    records.remove(&slot.id);
                }
                if matches!(action, Action::Release { .. } | Action::Adopt { .. }) {
                    ctx.locks.release(&holder);
                }
                let note = format!(
                    "{} of {} {} was accepted by {}",
                    action.verb(),
                    slot.noun,
                    slot.desired.name().unwrap_or(slot.id.as_str()),
                    slot.provider
                );
                if slot.provider != Provider::Kubernetes {
                    event(
                        ctx,
                        &**object,
                        EventType::Normal,
                        past(action),
                        &deed(action),
                        &note,
                    );
                }
            }
            Err(error) if error.is_not_found() && matches!(action, Action::CancelTwin { .. }) => {
                m.memo.acted = Some(ctx.clock.now());
            }
            Err(error) if error.is_not_found() && matches!(action, Action::Delete { .. }) => {
                m.memo.acted = Some(ctx.clock.now());
                m.deleting = true;
            }
            Err(error) => {
                warn!(object = key, slot = %slot.id, action = action.verb(), %error, request_id = error.request_id.as_deref(), "refused");
                ctx.locks.release(&holder);
                let first =
                    m.memo.failure.as_ref().map(|f| f.message.clone()) != Some(error.to_string());
                failed(ctx, m, &error);
                let begins = matches!(action, Action::Create { .. })
                    || matches!(action, Action::Adopt { .. })
                        && records.get(&slot.id).is_some_and(|r| r.id.is_none());
                if begins {
                    if error.sent == Sent::No {
                        // Surely not sent: nothing is ambiguous.
                        records.remove(&slot.id);
                    } else {
                        // It may have been carried out until now.
                        m.memo.acted = Some(ctx.clock.now());
                    }
                }
                if first && !error.is_blocked() && !error.is_conflict() {
                    event(
                        ctx,
                        &**object,
                        EventType::Warning,
                        "CloudCallFailed",
                        &deed(action),
                        &error.to_string(),
                    );
                }
            }
        }
    }
    polls::kick(&prepared.env, &touched);
    Ok(true)
}

fn accepted(
    m: &mut SlotMemo,
    records: &mut BTreeMap<SlotId, Record>,
    action: &Action,
    slot: &Slot,
    done: Done,
    now: Timestamp,
) {
    m.memo.failures = 0;
    m.memo.failure = None;
    m.memo.not_before = None;
    m.operation_url = done.operation_url;
    m.deleting = matches!(action, Action::Delete { .. });
    if let Some(id) = &done.id {
        m.object_id = Some(id.clone());
    }
    match action {
        Action::Refresh { .. } => m.memo.refreshed = Some(now),
        Action::Release { .. } => {
            m.memo.acted = Some(now);
            records.remove(&slot.id);
        }
        Action::CancelTwin { .. } => m.memo.acted = Some(now),
        Action::Create { .. } => {
            m.memo.acted = Some(now);
            if let Some(record) = records.get_mut(&slot.id) {
                record.id = done.id.or(record.id.take());
                record.applied = slot.applied();
            }
        }
        Action::Update { .. } => {
            m.memo.acted = Some(now);
            if let Some(record) = records.get_mut(&slot.id) {
                record.applied = slot.applied();
            }
        }
        Action::Adopt { .. } | Action::Confirm { .. } | Action::Delete { .. } => {
            m.memo.acted = Some(now);
        }
    }
}

/// The Event's action: `CreateVxcPrimary`. Events with the same reason and action are counted, not shown, so each slot has
/// one of its own.
fn deed(action: &Action) -> String {
    let words = action.slot().as_str().split('-');
    words.fold(action.verb().to_owned(), |mut deed, word| {
        let mut letters = word.chars();
        deed.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        deed.push_str(letters.as_str());
        deed
    })
}

fn past(action: &Action) -> &'static str {
    match action {
        Action::Create { .. } => "Creating",
        Action::Adopt { .. } => "Adopting",
        Action::Update { .. } => "Updating",
        Action::Confirm { .. } => "Confirming",
        Action::Refresh { .. } => "Refreshing",
        Action::Delete { .. } => "Deleting",
        Action::CancelTwin { .. } => "DuplicateCancelled",
        Action::Release { .. } => "Released",
    }
}

/// Remembers a failure and when to try again.
pub(super) fn failed(ctx: &Context, m: &mut SlotMemo, error: &CloudError) {
    let now = ctx.clock.now();
    let timing = &ctx.timing;
    let blocked = error.is_blocked() || error.is_conflict();
    if !blocked {
        m.memo.failures = m.memo.failures.saturating_add(1);
    }
    let doubled = timing.retry * 2u32.saturating_pow(m.memo.failures.saturating_sub(1).min(10));
    let own = if blocked {
        ctx.accounts.pace().busy
    } else {
        doubled.min(timing.retry_max)
    };
    // The provider's wish, in its time.
    let wait = error.retry_after().map_or(own, |r| {
        ctx.scaled(r)
            .max(if blocked { Duration::ZERO } else { own })
    });
    m.memo.not_before = Some(now + jiff::SignedDuration::try_from(wait).unwrap_or_default());
    let quota = error.code.contains("LimitExceeded") || error.code.contains("Quota");
    m.memo.failure = Some(Failure {
        message: error.to_string(),
        terminal: error.is_terminal(),
        auth: error.is_auth(),
        quota,
    });
}
