//! The chart with the real Helm, and the operator with exactly the rights that it grants. config/ is held against it.
#![allow(clippy::unwrap_used, clippy::panic)] // a failed assumption is a failed test

#[path = "common/cloud_roles.rs"]
mod cloud_roles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use causeway::cli::{Cli, Command};
use causeway_api::HybridInterconnect;
use causeway_e2e::controlplane::audit::{self, AuditEvent};
use causeway_e2e::controlplane::{Binaries, SharedControlPlane, Tool};
use causeway_e2e::playground::{Rig, RigOptions};
use clap::Parser;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

fn repository(path: &str) -> PathBuf {
    cloud_roles::repository().join(path)
}

/// Runs a program of the control plane; its settings and caches stay out of the user's home.
async fn run(tool: Tool, arguments: &[&str]) -> Output {
    let binaries = Binaries::obtain().await.unwrap();
    let home = std::env::temp_dir().join(format!("causeway-helm-{}", std::process::id()));
    let mut command = tokio::process::Command::new(binaries.path(tool));
    command.args(arguments).kill_on_drop(true);
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(name, &home);
    }
    command.output().await.unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn ok(tool: Tool, arguments: &[&str]) -> String {
    let output = run(tool, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn chart() -> String {
    repository("charts/causeway").to_string_lossy().into_owned()
}

/// `helm template` of a release `causeway` in `causeway-system`.
async fn template(settings: &[&str]) -> Output {
    let chart = chart();
    let mut arguments = vec!["template", "causeway", &chart, "-n", "causeway-system"];
    for setting in settings {
        arguments.extend(["--set-json", setting]);
    }
    run(Tool::Helm, &arguments).await
}

fn documents(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(|d| !d.is_null()).collect()
}

fn find<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|d| d["kind"] == kind).unwrap()
}

/// As if everything were set, each to something else than its default.
const EVERYTHING: [&str; 23] = [
    r#"image={"repository":"example.test/causeway","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}"#,
    r#"imagePullSecrets=[{"name":"pull"}]"#,
    r#"commonLabels={"team":"network"}"#,
    "replicas=3",
    r#"watchNamespaces=["network","lab"]"#,
    r#"endpoints.azure="https://management.example.test""#,
    r#"endpoints.azureAuthority="https://login.example.test""#,
    r#"endpoints.aws="https://aws.example.test""#,
    r#"endpoints.megaport="https://api.example.test""#,
    r#"endpoints.megaportAuth="https://auth.example.test/oauth2/token""#,
    r#"extraCA={"configMap":"company-ca","key":"root.pem"}"#,
    "timeScale=2.5",
    r#"log={"filter":"debug","format":"text"}"#,
    "adminPort=9090",
    r#"serviceAccount={"name":"operator","annotations":{"eks.amazonaws.com/role-arn":"arn:aws:iam::111122223333:role/causeway"}}"#,
    r#"rbac.objectRefs=[{"apiGroup":"ec2.services.k8s.aws","resources":["vpcs"]}]"#,
    "rbac.aggregateToDefaultRoles=true",
    r#"podLabels={"azure.workload.identity/use":"true"}"#,
    r#"podAnnotations={"example.test/note":"1"}"#,
    r#"env=[{"name":"HTTPS_PROXY","value":"http://proxy.example.test:3128"}]"#,
    r#"nodeSelector={"kubernetes.io/os":"linux"}"#,
    r#"tolerations=[{"operator":"Exists"}]"#,
    r#"crds={"keep":false,"annotations":{"example.test/crd":"1"}}"#,
];

fn arguments(deployment: &Value) -> Vec<String> {
    serde_json::from_value(deployment["spec"]["template"]["spec"]["containers"][0]["args"].clone())
        .unwrap()
}

#[tokio::test]
async fn the_chart_lints_strictly() {
    let output = ok(Tool::Helm, &["lint", "--strict", &chart()]).await;
    assert!(output.contains("0 chart(s) failed"), "{output}");
}

#[tokio::test]
async fn wrong_values_are_refused() {
    for (settings, complaint) in [
        (&["replica=1"][..], "replica"),
        (&["leaderElection=false"], "replicas"),
        (&["timeScale=0.5"], "timeScale"),
        (&["endpoints.azure=\"http://plain.test\""], "endpoints"),
        (&["watchNamespaces=[\"Network\"]"], "watchNamespaces"),
        (
            &["extraCA={\"configMap\":\"a\",\"secret\":\"b\"}"],
            "extraCA",
        ),
        (
            &["rbac.objectRefs=[{\"apiGroup\":\"apps\",\"resources\":[\"deployments\"]}]"],
            "objectRefs",
        ),
    ] {
        let output = template(settings).await;
        assert!(!output.status.success(), "{settings:?} is accepted");
        assert!(text(&output).contains(complaint), "{}", text(&output));
    }
    for settings in [
        &["leaderElection=false", "replicas=1"][..],
        &["extraCA.secret=\"a\""],
    ] {
        let output = template(settings).await;
        assert!(output.status.success(), "{}", text(&output));
    }
}

/// The flags of the chart are those of the program.
#[tokio::test]
async fn every_value_reaches_the_operator() {
    let output = template(&EVERYTHING).await;
    assert!(output.status.success(), "{}", text(&output));
    let documents = documents(&String::from_utf8(output.stdout).unwrap());
    let deployment = find(&documents, "Deployment");
    let all = std::iter::once("causeway".to_owned()).chain(arguments(deployment));
    let Command::Run(run) = Cli::try_parse_from(all).unwrap().command else {
        panic!("not `run`: {deployment:#}");
    };
    assert_eq!(run.watch_namespace, ["network", "lab"]);
    assert!(run.leader_elect);
    assert_eq!(run.leader_elect_namespace.unwrap(), "causeway-system");
    assert_eq!(
        (run.time_scale.to_string(), run.log, run.log_format),
        ("2.5".into(), "debug".into(), "text".into())
    );
    assert_eq!(run.admin_address.port(), 9090);
    let e = run.endpoints;
    assert_eq!(
        [
            e.azure_endpoint,
            e.azure_authority,
            e.aws_endpoint,
            e.megaport_endpoint,
            e.megaport_auth_endpoint
        ],
        [
            "https://management.example.test",
            "https://login.example.test",
            "https://aws.example.test",
            "https://api.example.test",
            "https://auth.example.test/oauth2/token"
        ]
    );
    let pod = &deployment["spec"]["template"]["spec"];
    let mount = pod["containers"][0]["volumeMounts"][0]["mountPath"]
        .as_str()
        .unwrap();
    let item = &pod["volumes"][0]["configMap"]["items"][0];
    assert_eq!(item["key"], "root.pem");
    assert_eq!(
        e.extra_ca_file.unwrap(),
        PathBuf::from(mount).join(item["path"].as_str().unwrap())
    );
    // Cluster-wide there is only the identity of the cluster, and what people are given; the rest is in two namespaces.
    let roles = |kind: &str| documents.iter().filter(|d| d["kind"] == kind).count();
    assert_eq!(
        (roles("ClusterRole"), roles("Role"), roles("RoleBinding")),
        (3, 3, 3)
    );
    for crd in documents
        .iter()
        .filter(|d| d["kind"] == "CustomResourceDefinition")
    {
        assert_eq!(
            crd["metadata"]["annotations"],
            json!({"example.test/crd": "1"})
        );
    }
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let text = std::fs::read_to_string(repository("charts/causeway/Chart.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let text = std::fs::read_to_string(repository("config/manager/kustomization.yaml")).unwrap();
    let manager: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(manager["images"][0]["newTag"], env!("CARGO_PKG_VERSION"));
}

/// What the two ways to install have in common: everything but labels and the namespace itself.
fn comparable(documents: Vec<Value>) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for mut document in documents {
        if document["kind"] == "Namespace" {
            continue;
        }
        let metadata = document["metadata"].as_object_mut().unwrap();
        metadata.remove("labels");
        metadata.remove("annotations");
        if let Some(pod) = document.pointer_mut("/spec/template/metadata") {
            pod.as_object_mut().unwrap().remove("labels");
        }
        let name = format!(
            "{} {}",
            document["kind"].as_str().unwrap(),
            document["metadata"]["name"].as_str().unwrap()
        );
        assert!(all.insert(name.clone(), document).is_none(), "{name} twice");
    }
    all
}

#[tokio::test]
async fn kustomize_installs_what_the_chart_installs() {
    let output = template(&[]).await;
    let chart = comparable(documents(&String::from_utf8(output.stdout).unwrap()));
    let folder = repository("config/default").to_string_lossy().into_owned();
    let kustomize = comparable(documents(&ok(Tool::Kubectl, &["kustomize", &folder]).await));
    assert!(chart.len() > 12, "{:?}", chart.keys());
    assert_eq!(
        chart.keys().collect::<Vec<_>>(),
        kustomize.keys().collect::<Vec<_>>()
    );
    for (name, expected) in chart {
        assert_eq!(kustomize[&name], expected, "{name}");
    }
    for folder in ["config/crds", "config/samples"] {
        let folder = repository(folder).to_string_lossy().into_owned();
        ok(Tool::Kubectl, &["kustomize", &folder]).await;
    }
}

/// `group/resource verb` for everything that rules allow.
fn allowed(rules: &[PolicyRule]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for rule in rules {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                all.extend(
                    rule.verbs
                        .iter()
                        .map(|verb| format!("{group}/{resource} {verb}")),
                );
            }
        }
    }
    all
}

/// What of it a request needs. A server-side apply that makes an object needs `create` as well as `patch`.
fn needed(event: &AuditEvent) -> Vec<String> {
    let mut resource = format!("{}/{}", event.group, event.resource);
    if !event.subresource.is_empty() {
        resource = format!("{resource}/{}", event.subresource);
    }
    let mut verbs = vec![format!("{resource} {}", event.verb)];
    if event.verb == "patch" && event.code == 201 {
        verbs.push(format!("{resource} create"));
    }
    verbs
}

fn lab(namespace: &str) -> HybridInterconnect {
    let text = std::fs::read_to_string(repository("config/samples/lab.yaml")).unwrap();
    let mut lab: HybridInterconnect = serde_saphyr::from_str(&text).unwrap();
    lab.metadata.namespace = Some(namespace.to_owned());
    lab
}

async fn until<F: Future<Output = bool>>(rig: &mut Rig, what: &str, done: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_mins(5);
    while !done().await {
        rig.check().unwrap();
        assert!(
            Instant::now() < deadline,
            "not within five minutes: {what}; logs in {}",
            rig.folder().display()
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Makes the lab, waits for it and its first report, takes it down.
async fn live(rig: &mut Rig, client: &kube::Client) {
    let labs = Api::<HybridInterconnect>::namespaced(client.clone(), rig.namespace());
    let reports = Api::<causeway_api::RouteReport>::namespaced(client.clone(), rig.namespace());
    labs.create(&PostParams::default(), &lab(rig.namespace()))
        .await
        .unwrap();
    until(rig, "the lab is provisioned and has reports", async || {
        let lab = serde_json::to_value(labs.get("lab").await.unwrap()).unwrap();
        let provisioned = lab["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|c| c["type"] == "Provisioned" && c["status"] == "True");
        let reports = reports.list(&ListParams::default()).await.unwrap();
        provisioned && reports.items.len() == 4 && reports.items.iter().all(|r| r.status.is_some())
    })
    .await;
    labs.delete("lab", &DeleteParams::default()).await.unwrap();
    until(rig, "the lab is gone", async || {
        labs.get_opt("lab").await.unwrap().is_none()
    })
    .await;
    let live: Vec<Value> = rig.sandbox().get("/live").await.unwrap();
    assert_eq!(live, Vec::<Value>::new());
    // The clouds' roles as well: all that was asked of them is in config/cloud.
    let calls: Vec<Value> = rig.sandbox().get("/calls").await.unwrap();
    let ours: Vec<Value> = calls
        .into_iter()
        .filter(|call| call["principal"] == "causeway")
        .collect();
    assert!(ours.len() > 200, "only {} calls", ours.len());
    let lacking = cloud_roles::not_granted(&ours);
    assert!(lacking.is_empty(), "no role grants {lacking:#?}");
}

/// An installed release of the chart.
struct Release {
    namespace: String,
    kubeconfig: String,
}

impl Release {
    async fn install(shared: &SharedControlPlane, namespace: &str, settings: &[&str]) -> Self {
        let kubeconfig = shared.kubeconfig().to_string_lossy().into_owned();
        shared.plane().ensure_namespace(namespace).await.unwrap();
        let label = "pod-security.kubernetes.io/enforce=restricted";
        shared
            .plane()
            .kubectl(&["label", "namespace", namespace, label])
            .await
            .unwrap();
        let chart = chart();
        let mut arguments = vec!["install", "causeway", &chart];
        arguments.extend(["--namespace", namespace, "--kubeconfig", &kubeconfig]);
        for setting in settings {
            arguments.extend(["--set-json", setting]);
        }
        let said = ok(Tool::Helm, &arguments).await;
        assert!(said.contains("Causeway"), "no notes: {said}");
        Self {
            namespace: namespace.to_owned(),
            kubeconfig,
        }
    }

    async fn uninstall(&self) {
        ok(
            Tool::Helm,
            &[
                "uninstall",
                "causeway",
                "--namespace",
                &self.namespace,
                "--kubeconfig",
                &self.kubeconfig,
            ],
        )
        .await;
    }

    /// There is no kubelet: a pod that was admitted stays Pending.
    async fn pods_are_admitted(&self, client: &kube::Client, expected: usize) {
        let pods = Api::<Pod>::namespaced(client.clone(), &self.namespace);
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let found = pods.list(&ListParams::default()).await.unwrap().items.len();
            if found == expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{found} of {expected} pods in a namespace with restricted pod security"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The operator as a process, with the chart's flags and ServiceAccount; where it listens, its clouds and its time
    /// are the rig's.
    async fn operator(&self, shared: &SharedControlPlane, namespace: &str) -> Rig {
        let client = shared.plane().client().await.unwrap();
        let deployment = Api::<Deployment>::namespaced(client, &self.namespace)
            .get("causeway")
            .await
            .unwrap();
        let flags = arguments(&serde_json::to_value(&deployment).unwrap());
        let rigs = ["run", "--admin-address", "--time-scale", "--log"];
        let operator_arguments: Vec<String> = flags
            .into_iter()
            .filter(|flag| !rigs.iter().any(|other| flag.starts_with(other)))
            .collect();
        assert!(operator_arguments.len() >= 2, "{operator_arguments:?}");
        let spec = serde_json::to_value(&deployment).unwrap();
        let account = spec.pointer("/spec/template/spec/serviceAccountName");
        let account = account.and_then(Value::as_str).unwrap();
        let kubeconfig = shared
            .plane()
            .service_account_kubeconfig(&self.namespace, account)
            .await
            .unwrap();
        let options = RigOptions {
            folder: shared.plane().folder().join("rigs").join(namespace),
            namespace: namespace.to_owned(),
            speed: 600.0,
            world: None,
            operator_kubeconfig: Some(kubeconfig),
            operator_arguments,
        };
        let mut rig = Rig::start(shared.plane(), options).await.unwrap();
        rig.start_operator().await.unwrap();
        rig
    }

    /// Everything that the ServiceAccount was allowed, from the roles that the release made.
    async fn rights(&self, client: &kube::Client) -> BTreeSet<String> {
        let ours = ListParams::default().labels("app.kubernetes.io/instance=causeway");
        let mut rights = BTreeSet::new();
        let cluster = Api::<ClusterRole>::all(client.clone());
        for role in cluster.list(&ours).await.unwrap() {
            rights.extend(allowed(&role.rules.unwrap_or_default()));
        }
        let roles = Api::<Role>::all(client.clone());
        for role in roles.list(&ours).await.unwrap() {
            rights.extend(allowed(&role.rules.unwrap_or_default()));
        }
        rights
    }

    /// No request was refused, and no right went unused.
    async fn judge(&self, shared: &SharedControlPlane, client: &kube::Client) {
        let user = format!("system:serviceaccount:{}:causeway", self.namespace);
        let events = audit::read(&shared.audit_log()).unwrap();
        let own: Vec<&AuditEvent> = events.iter().filter(|e| e.user == user).collect();
        assert!(own.len() > 100, "only {} requests by {user}", own.len());
        let refused: Vec<_> = own
            .iter()
            .filter(|e| e.code == 403 || e.code == 401)
            .collect();
        assert!(refused.is_empty(), "{refused:#?}");
        let used: BTreeSet<String> = own.iter().flat_map(|e| needed(e)).collect();
        let rights = self.rights(client).await;
        assert!(rights.len() > 20, "{rights:#?}");
        let unused: Vec<_> = rights.difference(&used).collect();
        assert!(unused.is_empty(), "granted and never used: {unused:#?}");
        let secrets = format!("{rights:?}");
        assert!(
            !secrets.contains("/secrets list") && !secrets.contains("/secrets watch"),
            "{secrets}"
        );
        let namespaces: BTreeSet<_> = own.iter().map(|e| e.namespace.as_str()).collect();
        println!(
            "{user}: {} requests in {namespaces:?}, {} rights",
            own.len(),
            rights.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_lives_with_the_rights_of_the_chart_and_needs_each_of_them() {
    let shared = SharedControlPlane::get().await;
    let client = shared.plane().client().await.unwrap();

    let release = Release::install(shared, "causeway-system", &[]).await;
    release.pods_are_admitted(&client, 2).await;
    let mut rig = release.operator(shared, "everywhere").await;
    live(&mut rig, &client).await;
    rig.stop_operator().unwrap();
    release.judge(shared, &client).await;
    release.uninstall().await;
    drop(rig);
    // The definitions, and with them everybody's resources, outlive the release.
    let kept = shared.plane().kubectl(&["get", "crds", "--output=name"]);
    let kept = kept.await.unwrap();
    assert_eq!(kept.matches("causeway.dev").count(), 5, "{kept}");

    // The same with rights in one namespace and nowhere else.
    let settings = [
        r#"watchNamespaces=["only-here"]"#,
        "crds.enabled=false",
        "replicas=1",
    ];
    shared.plane().ensure_namespace("only-here").await.unwrap();
    let release = Release::install(shared, "causeway-narrow", &settings).await;
    release.pods_are_admitted(&client, 1).await;
    let cluster = Api::<ClusterRole>::all(client.clone());
    assert!(cluster.get_opt("causeway").await.unwrap().is_none());
    let mut rig = release.operator(shared, "only-here").await;
    live(&mut rig, &client).await;
    rig.stop_operator().unwrap();
    release.judge(shared, &client).await;
    release.uninstall().await;
}

/// The admission of a real API server, for the chart with everything set.
#[tokio::test(flavor = "multi_thread")]
async fn everything_set_is_valid_too() {
    let shared = SharedControlPlane::get().await;
    let space = shared.namespace("everything").await.name;
    for namespace in ["network", "lab", "causeway-system"] {
        shared.plane().ensure_namespace(namespace).await.unwrap();
    }
    // Under another name, since the release of the test above stands in the same cluster at the same time; the definitions
    // have only one name, so theirs may be contested.
    let settings = [&EVERYTHING[..], &[r#"fullnameOverride="everything""#]].concat();
    let output = template(&settings).await;
    let file = shared.plane().folder().join(format!("{space}.yaml"));
    std::fs::write(&file, &output.stdout).unwrap();
    let applied = shared
        .plane()
        .kubectl(&[
            "apply",
            "--server-side",
            "--dry-run=server",
            "--force-conflicts",
            "--filename",
            &file.to_string_lossy(),
        ])
        .await
        .unwrap();
    assert!(
        applied.contains("deployment.apps/everything serverside-applied"),
        "{applied}"
    );
}
