//! One reconcile for every kind: gather → validate → plan → act → report. Only gather and act touch the network, and
//! what is decided is decided in `causeway-model`.

use super::context::Context;
use super::env::Env;
use super::execute::{Done, Executor};
use super::locks::Holder;
use super::memo::{ObjectMemo, SlotMemo};
use super::observe::observe;
use super::status::{self, Written};
use super::{Managed, Prepared};
use crate::clients::azure::{OperationStatus, ResourceId};
use crate::inventory::{Parts, aws, azure};
use causeway_api::{FINALIZER, OWNER_ID_ANNOTATION};
use causeway_model::desired::Desired;
use causeway_model::intent::{CloudError, Intent, Sent};
use causeway_model::observe::{Failure, Observed, Record, Seen, State};
use causeway_model::plan::{self, Action, Input, Mode, Plan, Why};
use causeway_model::provider::Provider;
use causeway_model::report::{self, Rejection, Scope};
use causeway_model::slot::{Class, SlotId};
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
    let object = ctx.memos.freshest(&key, object);
    let deleting = object.meta().deletion_timestamp.is_some();
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &namespace);
    if deleting && !object.finalizers().iter().any(|f| f == FINALIZER) {
        forget(&ctx, &key);
        return Ok(Requeue::await_change());
    }
    if !deleting && adopt_object(&api, &*object, &ctx, &key).await? {
        let mut memo = ctx.memos.take(&key);
        memo.born_here |= !object.finalizers().iter().any(|f| f == FINALIZER);
        ctx.memos.put(&key, memo);
        return Ok(Requeue::await_change());
    }
    let now = Timestamp::now();
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

/// Finalizer and owner ID, set once and together, before anything else. `true`: written, the watch brings it back.
async fn adopt_object<K: Managed>(
    api: &Api<K>,
    object: &K,
    ctx: &Context,
    key: &str,
) -> Result<bool, ReconcileError> {
    let has_owner = object
        .annotations()
        .get(OWNER_ID_ANNOTATION)
        .is_some_and(|v| !v.is_empty());
    let has_finalizer = object.finalizers().iter().any(|f| f == FINALIZER);
    if has_owner && has_finalizer {
        return Ok(false);
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
        Ok(_) => Ok(true),
        Err(ReconcileError::Kube(e)) if matches!(&*e, kube::Error::Api(s) if s.is_conflict() || s.is_not_found()) =>
        {
            debug!(object = key, "changed meanwhile");
            ctx.memos.forget_latest(key);
            Ok(true)
        }
        Err(e) => Err(e),
    }
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
    let prepared = match prepared {
        Ok(p) => p,
        Err(rejection) => {
            return reject(
                api, object, ctx, key, deleting, memo, &policy, &records, &rejection,
            )
            .await;
        }
    };
    hold_secrets(ctx, object, &prepared).await;
    look_at_operations(ctx, &prepared, memo).await;
    let mut observed = observe(&prepared.env, &prepared.graph, &records);
    observed.memos = memo
        .slots
        .iter()
        .map(|(k, m)| (k.clone(), m.memo.clone()))
        .collect();
    // Our finalizer is on it and nothing is recorded: a new object, or one whose status was lost (api.md §3).
    let wiped = object.common().is_none_or(|c| c.slots.is_empty()) && memo.wiped_possible();
    observed.amnesia_since = wiped.then(|| *memo.first_seen.get_or_insert(now));
    settle_locks(ctx, key, &prepared, &observed, memo, now);
    observed.held = ctx.locks.held();
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
        other_path_proven: prepared.other_path_proven,
    };
    let plan = plan::plan(input);
    let mut records = records;
    for (slot, id) in &plan.adopt {
        records.insert(
            slot.clone(),
            Record {
                id: Some(id.clone()),
                intent: None,
                seen: true,
            },
        );
        if let Some(m) = memo.slots.get_mut(slot) {
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
        act(
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
    let links = K::links(&object, ctx, deleting).await?;
    let health = K::judge(&object, ctx, key, &prepared, &observed, &plan).await;
    if deleting && plan.done && links.is_empty() && records.is_empty() && !policy.paused {
        return finish(api, &object, ctx, key, &prepared).await;
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
        keep_busy(ctx, &prepared, &plan);
    }
    let wait = if acted {
        ctx.accounts.pace().busy
    } else {
        plan.look_again
            .min(health.look_again.unwrap_or(plan.look_again))
    };
    Ok(Requeue::requeue(wait.max(Duration::from_millis(10))))
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
        return finish(api, object, ctx, key, &Prepared::empty()).await;
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
    _prepared: &Prepared,
) -> Result<Requeue, ReconcileError> {
    let namespace = object.namespace().unwrap_or_default();
    for secret in object.secrets() {
        if !ctx.secret_in_use(&namespace, &secret, key)
            && let Err(error) = ctx.secrets.release(&namespace, &secret).await
        {
            warn!(object = key, secret, %error, "our finalizer could not be taken off a Secret yet");
            return Ok(Requeue::requeue(Duration::from_secs(2)));
        }
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
async fn hold_secrets<K: Managed>(ctx: &Context, object: &Arc<K>, _prepared: &Prepared) {
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

/// Asks how accepted long-running writes ended: the resource decides whether it is done, this gives the reason when it
/// failed, and frees locks early.
async fn look_at_operations(ctx: &Context, prepared: &Prepared, memo: &mut ObjectMemo) {
    let Some(azure) = &prepared.env.azure else {
        return;
    };
    let client = &azure.account.client;
    let running: Vec<(SlotId, String, ResourceId)> = memo
        .slots
        .iter()
        .filter_map(|(slot, m)| {
            let id = ResourceId::new(m.object_id.clone().unwrap_or_default());
            Some((slot.clone(), m.operation_url.clone()?, id))
        })
        .collect();
    let looks = running
        .iter()
        .map(|(_, url, id)| client.operation_status("operations.get", id, url));
    let answers = futures::future::join_all(looks).await;
    for ((slot, _, _), answer) in running.iter().zip(answers) {
        let Some(m) = memo.slots.get_mut(slot) else {
            continue;
        };
        let parts = prepared
            .graph
            .slots
            .get(slot)
            .map_or(Parts::ALL, |s| parts_of(s.class));
        match answer {
            Ok(OperationStatus::InProgress { .. }) => {}
            Ok(OperationStatus::Succeeded) => {
                m.operation_url = None;
                azure.account.poller.kick(parts);
            }
            Ok(OperationStatus::Failed(error)) => {
                info!(%slot, %error, "a long-running operation failed");
                m.operation_url = None;
                m.memo.acted = None;
                failed(ctx, m, &error);
                azure.account.poller.kick(parts);
            }
            // It vanished, or is not readable: the resource tells.
            Err(error) if error.is_transient() => {
                debug!(%slot, %error, "an operation's status could not be read");
            }
            Err(_) => m.operation_url = None,
        }
    }
}

/// Remembers a failure and when to try again.
fn failed(ctx: &Context, m: &mut SlotMemo, error: &CloudError) {
    let now = Timestamp::now();
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

/// Frees what reads back settled, and takes what is observed to be settling (after a restart, say).
fn settle_locks(
    ctx: &Context,
    key: &str,
    prepared: &Prepared,
    observed: &Observed,
    memo: &ObjectMemo,
    now: Timestamp,
) {
    for slot in prepared
        .graph
        .slots
        .values()
        .filter(|s| !s.imported && !s.locks.is_empty())
    {
        let holder = Holder {
            owner: key.to_owned(),
            slot: slot.id.clone(),
        };
        let m = memo.slots.get(&slot.id);
        if m.is_some_and(|m| m.operation_url.is_some()) {
            continue;
        }
        let acted = m.and_then(|m| m.memo.acted);
        let age = acted.map(|a| Duration::try_from(now.duration_since(a)).unwrap_or_default());
        let in_lag = age.is_some_and(|a| a < ctx.timing.lag(slot.provider));
        let stale = acted.is_some_and(|a| observed.read_at.get(&slot.id).is_none_or(|r| *r <= a));
        match observed.seen.get(&slot.id) {
            Some(Seen::Present(p)) => match p.state {
                State::Settling { .. } | State::Deleting => {
                    ctx.locks.observe_settling(&holder, &slot.locks);
                }
                _ if stale => {}
                _ if m.is_some_and(|m| m.deleting) && in_lag => {}
                _ => {
                    ctx.locks.release(&holder);
                }
            },
            Some(Seen::Absent | Seen::Gone { .. })
                if !stale && (m.is_some_and(|m| m.deleting) || !in_lag) =>
            {
                ctx.locks.release(&holder);
            }
            _ => {}
        }
    }
}

/// Carries out the plan. Intents are stored before the first create; `true` when anything was sent.
#[expect(
    clippy::too_many_arguments,
    reason = "the one place where everything meets"
)]
async fn act<K: Managed>(
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
    let now = Timestamp::now();
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
        if matches!(action, Action::Create { .. } | Action::Confirm { .. }) {
            let record = records.entry(slot.id.clone()).or_insert(Record {
                id: None,
                intent: None,
                seen: false,
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
    let runs = actions.iter().map(|(action, slot, _)| {
        let executor = &executor;
        async move {
            // No await between this look and the sending of the request.
            if !ctx.leadership.holds() {
                let gone = CloudError::new(
                    slot.provider,
                    "leadership",
                    slot.id.as_str(),
                    Intent::Transient { retry_after: None },
                    "NotLeading",
                    "leadership was lost",
                );
                return Err(gone);
            }
            executor.run(action).await
        }
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
                accepted(m, records, action, &slot.id, done);
                if matches!(action, Action::Release { .. }) {
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
                        action.verb(),
                        &note,
                    );
                }
            }
            Err(error) if error.is_not_found() && matches!(action, Action::Delete { .. }) => {
                m.memo.acted = Some(Timestamp::now());
                m.deleting = true;
            }
            Err(error) => {
                warn!(object = key, slot = %slot.id, action = action.verb(), %error, request_id = error.request_id.as_deref(), "refused");
                ctx.locks.release(&holder);
                let first =
                    m.memo.failure.as_ref().map(|f| f.message.clone()) != Some(error.to_string());
                failed(ctx, m, &error);
                if matches!(action, Action::Create { .. }) && error.sent == Sent::No {
                    // Surely not sent: nothing is ambiguous.
                    records.remove(&slot.id);
                }
                if first && !error.is_blocked() && !error.is_conflict() {
                    event(
                        ctx,
                        &**object,
                        EventType::Warning,
                        "CloudCallFailed",
                        action.verb(),
                        &error.to_string(),
                    );
                }
            }
        }
    }
    kick(&prepared.env, &touched);
    Ok(true)
}

fn accepted(
    m: &mut SlotMemo,
    records: &mut BTreeMap<SlotId, Record>,
    action: &Action,
    slot: &SlotId,
    done: Done,
) {
    let now = Timestamp::now();
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
            records.remove(slot);
        }
        Action::Create { .. } => {
            m.memo.acted = Some(now);
            if let (Some(record), Some(id)) = (records.get_mut(slot), done.id) {
                record.id = Some(id);
            }
        }
        Action::Update { .. } | Action::Confirm { .. } | Action::Delete { .. } => {
            m.memo.acted = Some(now);
        }
    }
}

fn past(action: &Action) -> &'static str {
    match action {
        Action::Create { .. } => "Creating",
        Action::Update { .. } => "Updating",
        Action::Confirm { .. } => "Confirming",
        Action::Refresh { .. } => "Refreshing",
        Action::Delete { .. } => "Deleting",
        Action::Release { .. } => "Released",
    }
}

/// The lists that show an object of this class, at its provider.
fn parts_of(class: Class) -> Parts {
    match class {
        Class::Circuit | Class::Peering => azure::CIRCUITS,
        Class::ErGateway | Class::VpnGateway => azure::GATEWAYS,
        Class::ErConnection | Class::IpsecConnection => azure::CONNECTIONS,
        Class::LocalNetworkGateway => azure::LOCAL_GATEWAYS,
        Class::PublicIp => azure::PUBLIC_IPS,
        Class::GatewaySubnet => azure::VIRTUAL_NETWORKS,
        Class::Vpc => aws::VPCS,
        Class::RoutePropagation => aws::ROUTE_TABLES,
        Class::VirtualPrivateGateway | Class::VgwAttachment => aws::VPN_GATEWAYS,
        Class::CustomerGateway => aws::CUSTOMER_GATEWAYS,
        Class::VpnConnection => aws::VPN_CONNECTIONS,
        Class::Vif => aws::VIFS,
        Class::DirectConnectGateway | Class::DxgwAssociation => aws::DIRECT_CONNECT,
        Class::Router | Class::VxcAzure | Class::VxcAws | Class::KeysSecret | Class::Dependent => {
            Parts::ALL
        }
    }
}

fn provider_of(class: Class) -> Provider {
    match class {
        Class::Circuit
        | Class::Peering
        | Class::ErGateway
        | Class::VpnGateway
        | Class::ErConnection
        | Class::IpsecConnection
        | Class::LocalNetworkGateway
        | Class::PublicIp
        | Class::GatewaySubnet => Provider::Azure,
        Class::Router | Class::VxcAzure | Class::VxcAws => Provider::Megaport,
        Class::KeysSecret | Class::Dependent => Provider::Kubernetes,
        _ => Provider::Aws,
    }
}

/// What each provider's poller should look at for these classes.
fn wishes(classes: &[Class]) -> [(Provider, Parts); 3] {
    [Provider::Azure, Provider::Aws, Provider::Megaport].map(|p| {
        (
            p,
            classes
                .iter()
                .filter(|c| provider_of(**c) == p)
                .fold(Parts::NONE, |all, c| all.and(parts_of(*c))),
        )
    })
}

/// Reads at once what calls have just touched.
fn kick(env: &Env, touched: &[Class]) {
    for (provider, parts) in wishes(touched)
        .into_iter()
        .filter(|(_, parts)| *parts != Parts::NONE)
    {
        match provider {
            Provider::Azure => env.azure.iter().for_each(|a| a.account.poller.kick(parts)),
            Provider::Aws => env.aws.iter().for_each(|a| a.account.poller.kick(parts)),
            Provider::Megaport => env
                .megaport
                .iter()
                .for_each(|a| a.account.poller.kick(parts)),
            Provider::Kubernetes => {}
        }
    }
}

/// Polls at the busy pace the lists that show what is under way or waited for.
fn keep_busy(ctx: &Context, prepared: &Prepared, plan: &Plan) {
    let d = ctx
        .scaled(Duration::from_mins(1))
        .max(Duration::from_millis(300));
    let slots = plan.blockers.iter().flat_map(|b| match &b.why {
        Why::WaitingFor { slot, .. } => vec![slot.clone()],
        Why::BlockedByDependents { slots } => slots.clone(),
        _ => vec![b.slot.clone()],
    });
    let classes: Vec<Class> = slots
        .chain(plan.actions.iter().map(|a| a.slot().clone()))
        .filter_map(|s| prepared.graph.slots.get(&s).map(|s| s.class))
        .collect();
    let env = &prepared.env;
    for (provider, parts) in wishes(&classes) {
        match provider {
            Provider::Azure => env
                .azure
                .iter()
                .for_each(|a| a.account.poller.busy_for(d, parts)),
            Provider::Aws => env
                .aws
                .iter()
                .for_each(|a| a.account.poller.busy_for(d, parts)),
            Provider::Megaport => env
                .megaport
                .iter()
                .for_each(|a| a.account.poller.busy_for(d, parts)),
            Provider::Kubernetes => {}
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
