//! Wiring: watches, caches, wakes and the four controllers. They run only while this process leads.

use super::context::{Context, Stores};
use super::engine::{self, ReconcileError};
use super::locks::LockTable;
use super::memo::Memos;
use super::secrets::SecretStore;
use super::{Managed, Wakes};
use crate::clock::Clock;
use crate::inventory::Accounts;
use crate::inventory::accounts::Wiring;
use crate::leader::{self, Leadership};
use crate::vantages::Vantages;
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::provider::Timing;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, WatchStreamExt, reflector, watcher};
use kube::{Api, Client, ResourceExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::{Instrument, debug, info_span, warn};

/// What the operator runs with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub namespaces: Vec<String>,
    pub time_scale: f64,
    pub instance: String,
}

/// What all namespaces of this process share.
#[derive(Clone)]
struct Shared {
    client: Client,
    cluster: String,
    clock: Clock,
    settings: Settings,
    leadership: Leadership,
    accounts: Arc<Accounts>,
    secrets: SecretStore,
    locks: LockTable,
    recorder: Recorder,
    vantages: Arc<Vantages>,
}

/// How soon a rotated Secret is picked up, unscaled.
const SECRET_TTL: Duration = Duration::from_secs(10);

/// How often, and how far apart, the API server is asked who the cluster is.
const TRIES: u32 = 30;
const AGAIN: Duration = Duration::from_secs(2);

/// How often the objects are listed again although their watch goes on, not scaled (the API server's time is real). A watch
/// tells each change once: an event that got lost on the way would be missed until the object changes again, and an object
/// that was just made has nobody who would change it.
const LISTED_ANEW: Duration = Duration::from_mins(10);

/// Runs the controllers until `stop` turns true.
///
/// # Errors
/// When the API server can not tell which cluster this is.
pub async fn run(
    client: Client,
    wiring: Wiring,
    settings: Settings,
    leadership: Leadership,
    ready: impl Fn() + Send + Sync + 'static,
    stop: watch::Receiver<bool>,
) -> Result<(), kube::Error> {
    // From here on nothing that changes anything leaves this process unless it leads at that very moment.
    let client = leader::guarded(client, leadership.clone());
    let wiring = wiring.guarded(Arc::new(leadership.clone()));
    // Who we are towards the clouds: it stays when the operator is installed anew (design §2.1).
    let system = cluster(&client).await?;
    let secrets = SecretStore::new(client.clone(), SECRET_TTL);
    let reporter = Reporter {
        controller: "causeway".to_owned(),
        instance: Some(settings.instance.clone()),
    };
    let shared = Shared {
        cluster: system.uid().unwrap_or_default(),
        clock: wiring.clock.clone(),
        vantages: Vantages::new(wiring.clock.clone(), settings.time_scale),
        accounts: Arc::new(Accounts::new(wiring, secrets.clone())),
        secrets,
        locks: LockTable::default(),
        recorder: Recorder::new(client.clone(), reporter),
        leadership,
        settings: settings.clone(),
        client,
    };
    let ready = Arc::new(ready);
    let namespaces: Vec<Option<String>> = if settings.namespaces.is_empty() {
        vec![None]
    } else {
        settings.namespaces.iter().cloned().map(Some).collect()
    };
    let runs = namespaces
        .into_iter()
        .map(|ns| run_namespace(shared.clone(), ns, ready.clone(), stop.clone()));
    futures::future::join_all(runs).await;
    Ok(())
}

/// The namespace whose UID stands for the cluster. An API server that fails once must not end the process, which leads
/// already: its successor would have to wait for the Lease.
async fn cluster(client: &Client) -> Result<Namespace, kube::Error> {
    let api: Api<Namespace> = Api::all(client.clone());
    for _ in 1..TRIES {
        match api.get("kube-system").await {
            Err(error) if !matches!(&error, kube::Error::Api(s) if s.code < 429) => {
                warn!(%error, "the namespace kube-system could not be read, and is asked for again");
                tokio::time::sleep(AGAIN).await;
            }
            done => return done,
        }
    }
    api.get("kube-system").await
}

/// References stay within a namespace, so each watched one has caches and controllers of its own.
async fn run_namespace(
    shared: Shared,
    namespace: Option<String>,
    ready: Arc<impl Fn() + Send + Sync + 'static>,
    stop: watch::Receiver<bool>,
) {
    let (interconnects, interconnects_w) = reflector::store();
    let (express_routes, express_routes_w) = reflector::store();
    let (direct_connects, direct_connects_w) = reflector::store();
    let (vpns, vpns_w) = reflector::store();
    let (wake_hi, woken_hi) = mpsc::unbounded_channel();
    let (wake_er, woken_er) = mpsc::unbounded_channel();
    let (wake_dx, woken_dx) = mpsc::unbounded_channel();
    let (wake_vpn, woken_vpn) = mpsc::unbounded_channel();
    let stores = Stores {
        interconnects,
        express_routes,
        direct_connects,
        vpns,
    };
    let (all_listed, listed) = watch::channel(false);
    let ctx = Arc::new(Context {
        client: shared.client.clone(),
        cluster: shared.cluster.clone(),
        clock: shared.clock.clone(),
        timing: Timing::scaled(shared.settings.time_scale),
        scale: shared.settings.time_scale,
        leadership: shared.leadership.clone(),
        accounts: shared.accounts.clone(),
        secrets: shared.secrets.clone(),
        locks: shared.locks.clone(),
        memos: Memos::default(),
        vantages: shared.vantages.clone(),
        health: crate::health::Memories::default(),
        recorder: shared.recorder.clone(),
        stores: stores.clone(),
        listed,
        wakes: Wakes {
            interconnects: wake_hi,
            express_routes: wake_er,
            direct_connects: wake_dx,
            vpns: wake_vpn,
        },
    });
    let caches = async {
        // The only waiter: a store wakes the one that looked last, so everybody else waits for `listed`.
        let filled = futures::future::join4(
            stores.interconnects.wait_until_ready(),
            stores.express_routes.wait_until_ready(),
            stores.direct_connects.wait_until_ready(),
            stores.vpns.wait_until_ready(),
        )
        .await;
        if filled.0.is_ok() && filled.1.is_ok() && filled.2.is_ok() && filled.3.is_ok() {
            all_listed.send_replace(true);
            ready();
        }
    };
    let ns = namespace.as_deref();
    tokio::join!(
        control::<HybridInterconnect>(
            &ctx,
            ns,
            stores.interconnects.clone(),
            interconnects_w,
            woken_hi,
            stop.clone()
        ),
        control::<ExpressRouteLink>(
            &ctx,
            ns,
            stores.express_routes.clone(),
            express_routes_w,
            woken_er,
            stop.clone()
        ),
        control::<DirectConnectLink>(
            &ctx,
            ns,
            stores.direct_connects.clone(),
            direct_connects_w,
            woken_dx,
            stop.clone()
        ),
        control::<VpnPair>(
            &ctx,
            ns,
            stores.vpns.clone(),
            vpns_w,
            woken_vpn,
            stop.clone()
        ),
        caches,
    );
}

/// An object that can not be decoded is reported and left out; the others go on.
fn decoded<K: Managed>(event: watcher::Event<DeserializeGuard<K>>) -> Option<watcher::Event<K>> {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    let one = |guard: DeserializeGuard<K>| match guard.0 {
        Ok(object) => Some(object),
        Err(invalid) => {
            let name = invalid.metadata.name.as_deref().unwrap_or_default();
            let namespace = invalid.metadata.namespace.as_deref().unwrap_or_default();
            warn!(kind = K::KIND, namespace, name, error = %invalid.error, "an object can not be decoded and is left alone: correct it or delete it");
            None
        }
    };
    Some(match event {
        Apply(g) => Apply(one(g)?),
        Delete(g) => Delete(one(g)?),
        InitApply(g) => InitApply(one(g)?),
        Init => Init,
        InitDone => InitDone,
    })
}

async fn control<K>(
    ctx: &Arc<Context>,
    namespace: Option<&str>,
    reader: Store<K>,
    writer: reflector::store::Writer<K>,
    mut woken: mpsc::UnboundedReceiver<ObjectRef<K>>,
    mut stop: watch::Receiver<bool>,
) where
    K: Managed + Relations,
{
    let api: Api<DeserializeGuard<K>> = match namespace {
        Some(ns) => Api::namespaced(ctx.client.clone(), ns),
        None => Api::all(ctx.client.clone()),
    };
    let neighbours = ctx.clone();
    let anew = move || {
        watcher(api.clone(), watcher::Config::default())
            .default_backoff()
            .take_until(tokio::time::sleep(LISTED_ANEW))
    };
    let objects = futures::stream::repeat_with(anew)
        .flatten()
        .filter_map(|event| async move {
            match event {
                Ok(e) => decoded(e).map(Ok),
                Err(e) => Some(Err(e)),
            }
        })
        .reflect(writer)
        // Deletions too: an interconnect that goes waits for its links to be gone.
        .inspect(move |event| {
            use watcher::Event::{Apply, Delete, InitApply};
            if let Ok(Apply(object) | InitApply(object) | Delete(object)) = event {
                object.wake_relations(&neighbours);
            }
        })
        .applied_objects();
    let wakes = futures::stream::poll_fn(move |cx| woken.poll_recv(cx));
    let ended = async move {
        // Also when the sender is gone: then the process is ending.
        let _ = stop.wait_for(|s| *s).await;
    };
    drain::<K>(objects, reader, wakes, ended, ctx.clone()).await;
}

async fn drain<K: Managed>(
    objects: impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
    reader: Store<K>,
    wakes: impl Stream<Item = ObjectRef<K>> + Send + 'static,
    ended: impl Future<Output = ()> + Send + Sync + 'static,
    ctx: Arc<Context>,
) {
    Controller::for_stream(objects, reader)
        .reconcile_on(wakes)
        .graceful_shutdown_on(ended)
        .with_config(Config::default().concurrency(64))
        .run(reconcile::<K>, error_policy::<K>, ctx)
        .for_each(|result| async move {
            match result {
                Ok((object, _)) => debug!(%object, "reconciled"),
                // Normal after a deletion.
                Err(kube::runtime::controller::Error::ObjectNotFound(_)) => {}
                Err(error) => debug!(kind = K::KIND, %error, "a reconcile failed"),
            }
        })
        .await;
}

async fn reconcile<K: Managed>(
    object: Arc<K>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let span = info_span!(
        "reconcile",
        kind = K::KIND,
        namespace = object.namespace().unwrap_or_default(),
        name = object.name_any(),
        generation = object.meta().generation
    );
    engine::reconcile(object, ctx).instrument(span).await
}

fn error_policy<K: Managed>(object: Arc<K>, error: &ReconcileError, _ctx: Arc<Context>) -> Action {
    let conflict = matches!(error, ReconcileError::Kube(e) if matches!(&**e, kube::Error::Api(s) if s.is_conflict()));
    if !conflict {
        warn!(kind = K::KIND, name = object.name_any(), %error, "will be tried again");
    }
    Action::requeue(if conflict {
        Duration::from_millis(100)
    } else {
        Duration::from_secs(2)
    })
}

/// Who is woken when an object changed: its interconnect, or the links that use an interconnect.
pub trait Relations {
    fn wake_relations(&self, ctx: &Context);
}

impl Relations for HybridInterconnect {
    fn wake_relations(&self, ctx: &Context) {
        fn wake<K: Managed>(store: &Store<K>, parent: &HybridInterconnect, wakes: &Wakes) {
            for link in store.state() {
                if super::kinds::related(&*link, parent) {
                    let _ = K::wake(wakes).send(ObjectRef::from_obj(&*link));
                }
            }
        }
        wake(&ctx.stores.express_routes, self, &ctx.wakes);
        wake(&ctx.stores.direct_connects, self, &ctx.wakes);
        wake(&ctx.stores.vpns, self, &ctx.wakes);
    }
}

fn wake_parents<K: Managed>(link: &K, ctx: &Context) {
    for parent in ctx.stores.interconnects.state() {
        if super::kinds::related(link, &parent) {
            let _ = ctx.wakes.interconnects.send(ObjectRef::from_obj(&*parent));
        }
    }
}

impl Relations for ExpressRouteLink {
    fn wake_relations(&self, ctx: &Context) {
        wake_parents(self, ctx);
    }
}
impl Relations for DirectConnectLink {
    fn wake_relations(&self, ctx: &Context) {
        wake_parents(self, ctx);
    }
}
impl Relations for VpnPair {
    fn wake_relations(&self, ctx: &Context) {
        wake_parents(self, ctx);
    }
}
