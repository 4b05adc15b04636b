//! The status subresource: records in, conditions and slots out. Written only when its meaning changed, and always as a
//! replacement of the version that was read, so that a stale view loses instead of overwriting (design §2.1).

use super::context::Context;
use super::engine::{ReconcileError, bounded};
use super::{Health, Managed, Prepared};
use causeway_api::OWNER_ID_ANNOTATION;
use causeway_api::common::{DeletionPolicy, DriftPolicy, ManagementPolicy, Policy as ApiPolicy};
use causeway_api::status::{CommonStatus, Intent, Provider as ApiProvider, SlotPhase, SlotStatus};
use causeway_model::observe::{Observed, Record, Seen};
use causeway_model::plan::{Phase, Plan};
use causeway_model::provider::Provider;
use causeway_model::report::Condition;
use causeway_model::slot::{Graph, Slot, SlotId};
use causeway_model::spec::Policy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as ApiCondition, Time};
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::debug;

pub fn policy(p: &ApiPolicy) -> Policy {
    Policy {
        observe_only: p.management_policy == ManagementPolicy::ObserveOnly,
        report_drift_only: p.drift_policy == DriftPolicy::Report,
        retain: p.deletion_policy == DeletionPolicy::Retain,
        paused: p.paused,
    }
}

/// The records that status keeps.
pub fn records(common: Option<&CommonStatus>) -> BTreeMap<SlotId, Record> {
    common
        .map(|c| {
            c.slots
                .iter()
                .filter(|s| {
                    s.phase != SlotPhase::Imported && (s.id.is_some() || s.intent.is_some())
                })
                .map(|s| {
                    let intent = s
                        .intent
                        .as_ref()
                        .and_then(|i| i.started_at.as_ref())
                        .map(|t| t.0);
                    (
                        SlotId::new(s.name.clone()),
                        Record {
                            id: s.id.clone(),
                            intent,
                            // The intent goes when the object was seen.
                            seen: s.intent.is_none(),
                            applied: s.applied.clone(),
                        },
                    )
                })
                .collect()
        })
        .unwrap_or_default()
}

fn provider(p: Provider) -> ApiProvider {
    match p {
        Provider::Azure => ApiProvider::Azure,
        Provider::Aws => ApiProvider::AWS,
        Provider::Megaport => ApiProvider::Megaport,
        Provider::Kubernetes => ApiProvider::Kubernetes,
    }
}

/// What one report is made of.
pub struct Written<'a> {
    pub conditions: &'a [Condition],
    pub records: &'a BTreeMap<SlotId, Record>,
    pub plan: Option<&'a Plan>,
    pub graph: Option<&'a Graph>,
    pub observed: Option<&'a Observed>,
    pub prepared: Option<&'a Prepared>,
    pub health: Option<&'a Health>,
}

fn phase(slot: &Slot, plan: Option<&Plan>, record: Option<&Record>) -> SlotPhase {
    if slot.imported {
        return SlotPhase::Imported;
    }
    match plan.and_then(|p| p.phases.get(&slot.id)) {
        Some(Phase::Creating) => SlotPhase::Creating,
        Some(Phase::Ready) => SlotPhase::Ready,
        Some(Phase::Updating) => SlotPhase::Updating,
        Some(Phase::Failed) => SlotPhase::Failed,
        Some(Phase::Deleting) => SlotPhase::Deleting,
        Some(Phase::Gone) => SlotPhase::Gone,
        Some(Phase::Unknown) => SlotPhase::Unknown,
        Some(Phase::Pending) | None => {
            if record.is_some_and(|r| r.intent.is_some()) {
                SlotPhase::Intended
            } else {
                SlotPhase::Pending
            }
        }
    }
}

fn slots(
    old: &[SlotStatus],
    graph: &Graph,
    w: &Written<'_>,
    token: impl Fn(&SlotId) -> String,
    now: &Time,
) -> Vec<SlotStatus> {
    let mut out: Vec<SlotStatus> = graph
        .slots
        .values()
        // Dependents' slots are shown by the dependents.
        .filter(|s| !s.id.as_str().contains('/'))
        // What was unwanted and is gone has nothing to say.
        .filter(|s| s.wanted || s.imported || w.records.contains_key(&s.id))
        .map(|slot| {
            let before = old.iter().find(|o| o.name == slot.id.as_str());
            let record = w.records.get(&slot.id);
            let phase = phase(slot, w.plan, record);
            let seen = w
                .observed
                .and_then(|o| o.seen.get(&slot.id))
                .and_then(Seen::present);
            let id = record.and_then(|r| r.id.clone()).or_else(|| {
                // What is there and not recorded is not ours: with its ID here it would be, after the next read.
                seen.filter(|_| slot.imported).map(|p| p.id.clone())
            });
            let message = w
                .plan
                .and_then(|p| p.blockers.iter().find(|b| b.slot == slot.id))
                .map(|b| b.message.clone())
                .filter(|_| !matches!(phase, SlotPhase::Ready | SlotPhase::Imported));
            let intent = record.and_then(|r| r.intent).map(|at| {
                let kept = before
                    .and_then(|b| b.intent.clone())
                    .filter(|i| i.started_at.as_ref().is_some_and(|t| t.0 == at));
                kept.unwrap_or_else(|| Intent {
                    token: token(&slot.id),
                    action: Some(
                        if slot.adopt.is_some() {
                            "Adopt"
                        } else {
                            "Create"
                        }
                        .to_owned(),
                    ),
                    started_at: Some(Time(at)),
                })
            });
            let same_phase = before.filter(|b| b.phase == phase);
            SlotStatus {
                name: slot.id.as_str().to_owned(),
                provider: provider(slot.provider),
                kind: Some(slot.noun.to_owned()),
                id: id.map(|i| i.chars().take(512).collect()),
                display_name: slot.desired.name().map(|n| n.chars().take(255).collect()),
                phase,
                since: same_phase
                    .and_then(|b| b.since.clone())
                    .or_else(|| Some(now.clone())),
                message: message.map(|m| m.chars().take(1000).collect()),
                intent,
                adopted: before.is_some_and(|b| b.adopted)
                    || slot.adopt.as_ref().is_some_and(|a| {
                        record
                            .and_then(|r| r.id.as_deref())
                            .is_some_and(|id| a.means(id))
                    }),
                found: before.is_some_and(|b| b.found),
                owner: before.and_then(|b| b.owner.clone()),
                outputs: BTreeMap::new(),
                applied: record.map(|r| r.applied.clone()).unwrap_or_default(),
            }
        })
        .collect();
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

fn conditions(
    old: &[ApiCondition],
    new: &[Condition],
    generation: i64,
    now: &Time,
) -> Vec<ApiCondition> {
    new.iter()
        .map(|c| {
            let before = old.iter().find(|o| o.type_ == c.kind);
            let same = before.filter(|b| b.status == c.truth.as_str());
            ApiCondition {
                type_: c.kind.to_owned(),
                status: c.truth.as_str().to_owned(),
                reason: c.reason.to_owned(),
                message: c.message.chars().take(4000).collect(),
                observed_generation: Some(generation),
                last_transition_time: same
                    .map_or_else(|| now.clone(), |b| b.last_transition_time.clone()),
            }
        })
        .collect()
}

/// Writes the report, unless status says it already.
pub async fn write<K: Managed>(
    api: &Api<K>,
    object: &Arc<K>,
    ctx: &Context,
    key: &str,
    w: &Written<'_>,
) -> Result<(), ReconcileError> {
    let now = Time(ctx.clock.now());
    let old = object.common().cloned().unwrap_or_default();
    let owner = object.annotations().get(OWNER_ID_ANNOTATION).cloned();
    let generation = object.meta().generation.unwrap_or(0);
    let mut common = CommonStatus {
        observed_generation: generation,
        conditions: conditions(&old.conditions, w.conditions, generation, &now),
        owner_id: owner,
        ..old.clone()
    };
    if let (Some(graph), Some(prepared)) = (w.graph, w.prepared) {
        common.slots = slots(&old.slots, graph, w, |s| prepared.env.marks.token(s), &now);
        common.account_ids = Some(prepared.account_ids());
        common.references.clone_from(&prepared.references);
    }
    let mut next = (**object).clone();
    *next.common_mut() = common;
    next.show(w);
    if next == **object {
        return Ok(());
    }
    replace(api, next, ctx, key).await.map(|_| ())
}

/// Stores the intents and outcomes of this step before its first paid call.
pub async fn write_records<K: Managed>(
    api: &Api<K>,
    object: &Arc<K>,
    ctx: &Context,
    key: &str,
    records: &BTreeMap<SlotId, Record>,
    plan: &Plan,
    graph: &Graph,
) -> Result<Arc<K>, ReconcileError> {
    let now = Time(ctx.clock.now());
    let owner = object
        .annotations()
        .get(OWNER_ID_ANNOTATION)
        .cloned()
        .unwrap_or_default();
    let mut common = object.common().cloned().unwrap_or_default();
    let marks = ctx.marks(key, &owner);
    let w = Written {
        conditions: &[],
        records,
        plan: Some(plan),
        graph: Some(graph),
        observed: None,
        prepared: None,
        health: None,
    };
    let old = common.slots.clone();
    common.slots = slots(&old, graph, &w, |s| marks.token(s), &now);
    common.owner_id = Some(owner);
    let mut next = (**object).clone();
    *next.common_mut() = common;
    replace(api, next, ctx, key).await
}

async fn replace<K: Managed>(
    api: &Api<K>,
    next: K,
    ctx: &Context,
    key: &str,
) -> Result<Arc<K>, ReconcileError> {
    match bounded(api.replace_status(&next.name_any(), &PostParams::default(), &next)).await {
        Ok(updated) => {
            let updated = Arc::new(updated);
            ctx.memos.wrote(key, updated.clone());
            Ok(updated)
        }
        Err(e) => {
            // A conflict means that the view was stale: forget it and let the watch catch up.
            debug!(object = key, error = %e, "the status could not be written");
            ctx.memos.forget_latest(key);
            Err(e)
        }
    }
}
