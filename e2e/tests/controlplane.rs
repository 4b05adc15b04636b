//! The control plane is a real one: it authorises, collects garbage, keeps an audit log, and ends when it should.
#![allow(clippy::unwrap_used, clippy::panic)] // a failed assumption is a failed test

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use causeway_e2e::controlplane::{
    Binaries, ControlPlane, SharedControlPlane, Tool, Versions, audit, client_for,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Client, ResourceExt as _};

async fn eventually<F: Future<Output = bool>>(what: &str, within: Duration, look: impl Fn() -> F) {
    let deadline = Instant::now() + within;
    while !look().await {
        assert!(Instant::now() < deadline, "not after {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn config_map(name: &str, owner: Option<&ConfigMap>) -> ConfigMap {
    let owner_references = owner.map(|owner| {
        vec![OwnerReference {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            name: owner.name_any(),
            uid: owner.uid().unwrap(),
            ..OwnerReference::default()
        }]
    });
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.into()),
            owner_references,
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("key".into(), "value".into())])),
        ..ConfigMap::default()
    }
}

#[tokio::test]
async fn it_is_the_pinned_version_and_every_program_says_so() {
    let shared = SharedControlPlane::get().await;
    let client = shared.plane().client().await.unwrap();
    let server = client.apiserver_version().await.unwrap();
    let minor = format!("v{}.{}.", server.major, server.minor);
    assert!(server.git_version.starts_with(&minor), "{server:?}");
    assert!(
        Versions::pinned().kubernetes.starts_with(&minor),
        "{server:?}"
    );

    // A helm that takes the cluster for v1.20 would render another chart.
    let helm = shared.plane().binaries().path(Tool::Helm);
    let chart = shared.plane().folder().join("version-chart");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(
        chart.join("Chart.yaml"),
        "apiVersion: v2\nname: version\nversion: 0.1.0\n",
    )
    .unwrap();
    fs::write(
        chart.join("templates/v.yaml"),
        "sees: {{ .Capabilities.KubeVersion.Version }}\n",
    )
    .unwrap();
    let output = std::process::Command::new(helm)
        .arg("template")
        .arg(&chart)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains(&format!("sees: {minor}")),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn what_an_owner_leaves_is_collected() {
    let shared = SharedControlPlane::get().await;
    let space = shared.namespace("garbage").await;
    let maps = Api::<ConfigMap>::namespaced(space.client, &space.name);
    let owner = maps
        .create(&PostParams::default(), &config_map("owner", None))
        .await
        .unwrap();
    maps.create(&PostParams::default(), &config_map("owned", Some(&owner)))
        .await
        .unwrap();
    maps.create(&PostParams::default(), &config_map("free", None))
        .await
        .unwrap();
    maps.delete("owner", &DeleteParams::default())
        .await
        .unwrap();
    eventually("the dependent is gone", Duration::from_mins(1), || async {
        maps.get_opt("owned").await.unwrap().is_none()
    })
    .await;
    assert!(maps.get_opt("free").await.unwrap().is_some());
}

#[tokio::test]
async fn a_deleted_namespace_goes_with_its_content() {
    let shared = SharedControlPlane::get().await;
    let space = shared.namespace("doomed").await;
    let maps = Api::<ConfigMap>::namespaced(space.client.clone(), &space.name);
    maps.create(&PostParams::default(), &config_map("content", None))
        .await
        .unwrap();
    let namespaces = Api::<Namespace>::all(space.client);
    namespaces
        .delete(&space.name, &DeleteParams::default())
        .await
        .unwrap();
    eventually("the namespace is gone", Duration::from_mins(1), || async {
        namespaces.get_opt(&space.name).await.unwrap().is_none()
    })
    .await;
}

#[tokio::test]
async fn a_service_account_has_no_rights_and_the_audit_log_shows_its_refusal() {
    let shared = SharedControlPlane::get().await;
    let space = shared.namespace("audit").await;
    let accounts = Api::<ServiceAccount>::namespaced(space.client.clone(), &space.name);
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some("operator".into()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    accounts
        .create(&PostParams::default(), &account)
        .await
        .unwrap();
    let kubeconfig = shared
        .plane()
        .service_account_kubeconfig(&space.name, "operator")
        .await
        .unwrap();
    let client: Client = client_for(&kubeconfig).await.unwrap();
    let secrets = Api::<Secret>::namespaced(client, &space.name);
    let refusal = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(
        matches!(&refusal, kube::Error::Api(status) if status.code == 403),
        "{refusal}"
    );

    let user = format!("system:serviceaccount:{}:operator", space.name);
    let events = audit::read(&shared.audit_log()).unwrap();
    let ours: Vec<_> = events
        .into_iter()
        .filter(|event| event.user == user)
        .collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert_eq!(
        (
            ours[0].verb.as_str(),
            ours[0].resource.as_str(),
            ours[0].code
        ),
        ("list", "secrets", 403)
    );
    assert_eq!(ours[0].namespace, space.name);
}

#[tokio::test]
async fn kubectl_reports_what_the_server_says() {
    let shared = SharedControlPlane::get().await;
    let names = shared
        .plane()
        .kubectl(&["get", "namespaces", "--output=name"])
        .await
        .unwrap();
    assert!(names.contains("namespace/kube-system"), "{names}");
    let error = shared
        .plane()
        .kubectl(&["get", "nonsense"])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("kubectl get nonsense failed") && error.contains("nonsense"),
        "{error}"
    );
}

/// One control plane of its own: a panic while it runs, then a second life on the same data.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_it_and_its_data_can_be_used_again() {
    let binaries = Binaries::obtain().await.unwrap();
    let folder = std::env::temp_dir().join(format!("causeway-panic-{}", std::process::id()));
    let (send, receive) = tokio::sync::oneshot::channel();
    let first = tokio::spawn({
        let (binaries, folder) = (binaries.clone(), folder.clone());
        async move {
            let mut plane = ControlPlane::start(&binaries, &folder).await.unwrap();
            let maps = Api::<ConfigMap>::namespaced(plane.client().await.unwrap(), "default");
            maps.create(&PostParams::default(), &config_map("survivor", None))
                .await
                .unwrap();
            send.send(plane.processes().ids()).unwrap();
            panic!("a test failed while the control plane ran");
        }
    });
    let ids = receive.await.unwrap();
    assert!(first.await.unwrap_err().is_panic());
    assert_eq!(
        ids.iter().map(|id| id.name.as_str()).collect::<Vec<_>>(),
        ["etcd", "apiserver", "controllerManager"]
    );
    for id in &ids {
        assert!(!id.is_alive(), "{id:?} outlived the panic");
        assert!(folder.join(format!("logs/{}.log", id.name)).is_file());
    }

    let mut second = ControlPlane::start(&binaries, &folder).await.unwrap();
    let maps = Api::<ConfigMap>::namespaced(second.client().await.unwrap(), "default");
    assert!(maps.get_opt("survivor").await.unwrap().is_some());
    drop(maps);
    // Detached, it lives on until it is ended by ID.
    let ids = second.detach();
    assert!(
        ids.iter()
            .all(causeway_e2e::controlplane::ProcessId::is_alive)
    );
    for id in ids.iter().rev() {
        assert!(id.stop(), "{id:?} cannot be ended");
    }
    fs::remove_dir_all(folder).unwrap();
}
