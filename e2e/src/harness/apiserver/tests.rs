//! The stand-in with kube's own client, watcher and recorder, under the paused clock. What the API server would answer is not
//! decided here but in `e2e/tests/standin.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed assumption is a failed test

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use causeway_api::VpnPair;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::api::events::v1::Event as StoredEvent;
use kube::api::{
    Api, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::*;

const NS: &str = "network";

fn server() -> ApiServer {
    let server = ApiServer::new();
    server.add_namespace(NS);
    server
}

fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": value},
    }))
    .unwrap()
}

fn maps(server: &ApiServer) -> Api<ConfigMap> {
    Api::namespaced(server.client(NS), NS)
}

async fn put(api: &Api<ConfigMap>, name: &str, value: &str) {
    let patch = Patch::Apply(map(name, value));
    let params = PatchParams::apply("test").force();
    api.patch(name, &params, &patch).await.unwrap();
}

/// The watcher's events as text, taken from the stream until `count` are there.
async fn take(
    stream: &mut (impl futures::Stream<Item = watcher::Result<watcher::Event<ConfigMap>>> + Unpin),
    count: usize,
) -> Vec<String> {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    let mut seen = Vec::new();
    while seen.len() < count {
        let next = tokio::time::timeout(Duration::from_hours(1), stream.next()).await;
        let shown = |m: &ConfigMap| {
            let data = m.data.clone().unwrap_or_default();
            format!(
                "{}={}",
                m.name_any(),
                data.get("k").cloned().unwrap_or_default()
            )
        };
        seen.push(match next.expect("an event in time").unwrap() {
            Ok(Init) => "init".to_owned(),
            Ok(InitApply(m)) => format!("init {}", shown(&m)),
            Ok(InitDone) => "done".to_owned(),
            Ok(Apply(m)) => format!("apply {}", shown(&m)),
            Ok(Delete(m)) => format!("delete {}", shown(&m)),
            Err(error) => format!("error {error}"),
        });
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_pages_changes_and_deletions() {
    let server = server();
    let api = maps(&server);
    for name in ["a", "b", "c"] {
        put(&api, name, "1").await;
    }
    let config = watcher::Config::default().page_size(2);
    let mut stream = Box::pin(watcher(api.clone(), config));
    let seen = take(&mut stream, 5).await;
    assert_eq!(seen, ["init", "init a=1", "init b=1", "init c=1", "done"]);
    // An hour without news: the watch ends and is taken up again some ten times.
    let quiet = tokio::time::timeout(Duration::from_hours(1), stream.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    put(&api, "b", "2").await;
    api.delete("c", &DeleteParams::default()).await.unwrap();
    assert_eq!(take(&mut stream, 2).await, ["apply b=2", "delete c=1"]);
    let lists = server
        .requests()
        .iter()
        .filter(|r| r.verb == "list")
        .count();
    assert_eq!(lists, 2, "two pages, and no list after that");
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_ends_with_its_bookmark() {
    let server = server();
    let api = maps(&server);
    put(&api, "a", "1").await;
    let config = watcher::Config::default().streaming_lists();
    let mut stream = Box::pin(watcher(api.clone(), config));
    assert_eq!(take(&mut stream, 3).await, ["init", "init a=1", "done"]);
    put(&api, "a", "2").await;
    assert_eq!(take(&mut stream, 1).await, ["apply a=2"]);
}

#[tokio::test(start_paused = true)]
async fn a_compacted_watcher_lists_again_and_a_cut_one_resumes() {
    let server = server();
    let api = maps(&server);
    put(&api, "a", "1").await;
    let stream = watcher(api.clone(), watcher::Config::default()).default_backoff();
    let mut stream = Box::pin(stream);
    take(&mut stream, 3).await;
    // Cut while it looks: what was written meanwhile comes after the reconnection.
    server.cut_watches();
    put(&api, "a", "2").await;
    assert_eq!(take(&mut stream, 1).await, ["apply a=2"]);
    server.cut_watches();
    put(&api, "a", "3").await;
    server.compact();
    let seen = take(&mut stream, 4).await;
    assert!(seen[0].contains("too old resource version"), "{seen:?}");
    assert_eq!(seen[1..], ["init", "init a=3", "done"]);
}

#[tokio::test(start_paused = true)]
async fn a_restored_server_goes_on_where_it_was() {
    let server = server();
    let api = maps(&server);
    put(&api, "a", "1").await;
    let before = server.revision();
    put(&api, "a", "2").await;
    let state = server.snapshot();
    put(&api, "a", "lost").await;
    // In another runtime on another thread, as sweeps do it.
    let seen = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let api = maps(&ApiServer::from_state(state));
            let params = kube::api::WatchParams::default();
            let watch = api.watch(&params, &before.to_string()).await.unwrap();
            let mut watch = Box::pin(watch);
            let first = watch.try_next().await.unwrap().unwrap();
            put(&api, "a", "3").await;
            let second = watch.try_next().await.unwrap().unwrap();
            [first, second].map(|event| match event {
                kube::api::WatchEvent::Modified(m) => m.data.unwrap()["k"].clone(),
                other => format!("{other:?}"),
            })
        })
    })
    .join()
    .unwrap();
    assert_eq!(seen, ["2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn the_recorder_counts_an_event_twice() {
    let server = server();
    let client = server.client(NS);
    let owner = maps(&server)
        .create(&PostParams::default(), &map("a", "1"))
        .await
        .unwrap();
    let reporter = Reporter {
        controller: "causeway".to_owned(),
        instance: Some("test".to_owned()),
    };
    let recorder = Recorder::new(client.clone(), reporter);
    let event = Event {
        type_: EventType::Normal,
        reason: "Ordered".to_owned(),
        note: Some("a note".to_owned()),
        action: "Order".to_owned(),
        secondary: None,
    };
    for _ in 0..2 {
        recorder
            .publish(&event, &owner.object_ref(&()))
            .await
            .unwrap();
    }
    let events = Api::<StoredEvent>::namespaced(client, NS);
    let events = events.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].series.as_ref().map(|s| s.count), Some(2));
}

#[tokio::test(start_paused = true)]
async fn kinds_are_discovered() {
    let server = server();
    let client = server.client(NS);
    let gvk = GroupVersionKind::gvk("causeway.dev", "v1alpha1", "VpnPair");
    let (resource, capabilities) = kube::discovery::pinned_kind(&client, &gvk).await.unwrap();
    assert_eq!(resource.plural, "vpnpairs");
    assert_eq!(capabilities.subresources[0].0.plural, "status");
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), NS, &resource);
    assert!(api.get_opt("none").await.unwrap().is_none());
    let unknown = GroupVersionKind::gvk("example.org", "v1", "Thing");
    assert!(
        kube::discovery::pinned_kind(&client, &unknown)
            .await
            .is_err()
    );
    let cluster = Api::<Namespace>::all(client)
        .get("kube-system")
        .await
        .unwrap();
    assert_eq!(cluster.uid().as_deref(), Some(CLUSTER_UID));
}

/// Each verdict, as a client meets it.
#[tokio::test(start_paused = true)]
async fn the_hook_decides_about_each_request() {
    let server = server();
    let api = maps(&server);
    put(&api, "a", "1").await;
    put(&api, "a", "2").await;
    let nth = AtomicU64::new(0);
    server.on_request(move |request| {
        assert_eq!(
            (request.resource.as_str(), request.status),
            ("configmaps", 0)
        );
        match nth.fetch_add(1, Ordering::Relaxed) {
            0 => Verdict::LoseRequest,
            1 => Verdict::LoseResponse,
            2 => Verdict::Fail(503),
            3 => Verdict::Stale(2),
            _ => Verdict::Continue,
        }
    });
    let mine = Patch::Merge(json!({"data": {"k": "3"}}));
    let lost = api.patch("a", &PatchParams::default(), &mine).await;
    assert!(matches!(lost, Err(kube::Error::Service(_))), "{lost:?}");
    assert_eq!(
        server.object("configmaps", NS, "a").unwrap()["data"]["k"],
        "2"
    );
    let lost = api.patch("a", &PatchParams::default(), &mine).await;
    assert!(matches!(lost, Err(kube::Error::Service(_))), "{lost:?}");
    assert_eq!(
        server.object("configmaps", NS, "a").unwrap()["data"]["k"],
        "3"
    );
    let failed = api.get("a").await;
    assert!(
        matches!(&failed, Err(kube::Error::Api(s)) if s.code == 503),
        "{failed:?}"
    );
    let old = api.get("a").await.unwrap();
    assert_eq!(old.data.unwrap()["k"], "1");
    let new = api.get("a").await.unwrap();
    assert_eq!(new.data.unwrap()["k"], "3");
    let log = server.requests();
    let last: Vec<_> = log
        .iter()
        .rev()
        .take(5)
        .map(|r| (r.line(), r.status))
        .collect();
    let line = |verb: &str| format!("{verb} configmaps {NS}/a");
    assert_eq!(
        last,
        [
            (line("get"), 200),
            (line("get"), 200),
            (line("get"), 503),
            (line("patch"), 200),
            (line("patch"), 0),
        ]
    );
}

/// Each way in which a change can fail to arrive, as a watcher meets it.
#[tokio::test(start_paused = true)]
async fn the_event_hook_decides_about_each_change() {
    let server = server();
    let api = maps(&server);
    put(&api, "a", "0").await;
    let asked = Arc::new(AtomicU64::new(0));
    let nth = asked.clone();
    server.on_event(move |event| {
        assert_eq!(
            (event.resource.as_str(), event.event),
            ("configmaps", "MODIFIED")
        );
        match nth.fetch_add(1, Ordering::Relaxed) {
            0 => Delivery::Drop,
            1 => Delivery::Twice,
            2 => Delivery::Late(Duration::from_secs(30)),
            4 => Delivery::Cut,
            _ => Delivery::Send,
        }
    });
    let mut stream = Box::pin(watcher(api.clone(), watcher::Config::default()));
    assert_eq!(take(&mut stream, 3).await, ["init", "init a=0", "done"]);
    put(&api, "a", "dropped").await;
    put(&api, "a", "twice").await;
    assert_eq!(
        take(&mut stream, 2).await,
        ["apply a=twice", "apply a=twice"]
    );
    let before = Instant::now();
    put(&api, "a", "late").await;
    put(&api, "a", "after").await;
    assert_eq!(
        take(&mut stream, 2).await,
        ["apply a=late", "apply a=after"]
    );
    let waited = before.elapsed();
    assert!(
        waited >= Duration::from_secs(30) && waited < Duration::from_secs(31),
        "{waited:?}"
    );
    put(&api, "a", "cut").await;
    assert_eq!(take(&mut stream, 1).await, ["apply a=cut"]);
    // The cut one was asked about again by the next watch.
    assert_eq!(asked.load(Ordering::Relaxed), 6);
    let watches = server
        .requests()
        .iter()
        .filter(|r| r.verb == "watch")
        .count();
    assert_eq!(watches, 2);
}

/// Two runs are the same to the last letter; another seed gives other UIDs.
#[tokio::test(start_paused = true)]
async fn nothing_is_random() {
    async fn run(seed: u64) -> Vec<Value> {
        let server = ApiServer::seeded(seed);
        server.add_namespace(NS);
        let api = maps(&server);
        let mut named = map("", "1");
        named.metadata.name = None;
        named.metadata.generate_name = Some("made-".to_owned());
        api.create(&PostParams::default(), &named).await.unwrap();
        tokio::time::advance(Duration::from_secs(5)).await;
        api.create(&PostParams::default(), &named).await.unwrap();
        server.objects("configmaps")
    }
    let (one, two, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(one, two);
    assert_ne!(one, other);
    let uids: std::collections::BTreeSet<_> = one
        .iter()
        .map(|o| o["metadata"]["uid"].to_string())
        .collect();
    assert_eq!(uids.len(), 2);
    let mut times: Vec<_> = one
        .iter()
        .map(|o| o["metadata"]["creationTimestamp"].to_string())
        .collect();
    times.sort();
    assert_eq!(
        times,
        ["\"2026-01-01T00:00:00Z\"", "\"2026-01-01T00:00:05Z\""]
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_collector_leaves_dependents_until_it_goes_on() {
    let server = server();
    let api = maps(&server);
    let owner = api
        .create(&PostParams::default(), &map("owner", "1"))
        .await
        .unwrap();
    let mut child = map("child", "1");
    child.metadata.owner_references = Some(vec![owner.owner_ref(&()).unwrap()]);
    api.create(&PostParams::default(), &child).await.unwrap();
    server.pause_collection(true);
    api.delete("owner", &DeleteParams::default()).await.unwrap();
    assert!(server.object("configmaps", NS, "child").is_some());
    server.pause_collection(false);
    assert!(server.object("configmaps", NS, "child").is_none());
}

#[tokio::test(start_paused = true)]
async fn debug_shows_no_secret() {
    let server = server();
    let api = Api::<Secret>::namespaced(server.client(NS), NS);
    let secret: Secret = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": "hunter2"},
    }))
    .unwrap();
    let made = api.create(&PostParams::default(), &secret).await.unwrap();
    assert_eq!(made.data.unwrap()["key"].0, b"hunter2");
    let shown = format!("{server:?} {:?}", server.requests());
    assert!(
        shown.contains("secrets network/s") || shown.contains("secrets network"),
        "{shown}"
    );
    assert!(
        !shown.contains("hunter2") && !shown.contains("aHVudGVyMg"),
        "{shown}"
    );
}

/// Thousands of objects and a page of each kind: a sweep starts many servers.
#[tokio::test(start_paused = true)]
async fn snapshots_are_cheap() {
    let server = server();
    let api = maps(&server);
    for i in 0..300 {
        put(&api, &format!("m{i}"), "1").await;
    }
    let start = std::time::Instant::now();
    let copies: Vec<_> = (0..1000)
        .map(|_| ApiServer::from_state(server.snapshot()))
        .collect();
    let took = start.elapsed();
    assert_eq!(copies.last().unwrap().objects("configmaps").len(), 300);
    println!("1000 snapshots of 300 objects: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let _: Api<VpnPair> = Api::namespaced(copies[0].client(NS), NS);
}
