//! Each kind of link alone, without a HybridInterconnect: it works with a router and a virtual private gateway that people
//! bought, uses them and never deletes them. The circuit's deletion waits for the provider, an hour if it must.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use causeway::clients::http::{Endpoints, ReqwestTransport, Transport};
use causeway::clients::megaport::{MegaportClient, MegaportCredential, Tags};
use causeway_aws::{AwsCredentials, AwsHttp, AwsSettings, Ec2Api, SdkAws, Select, State};
use causeway_e2e::harness::router_order;
use causeway_e2e::objects::condition;
use causeway_e2e::trial::{Trial, interconnect_of, seconds, time};
use causeway_model::secret::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const SPEED: f64 = 600.0;
/// How late the provider's state is in Azure, in simulated seconds.
const LAG: f64 = 3600.0;

/// A person with the second set of credentials (contract.md §3).
struct Human {
    megaport: MegaportClient,
    aws: SdkAws,
    vpc: String,
}

impl Human {
    async fn of(trial: &Trial) -> Self {
        let endpoints = trial.sandbox().endpoints;
        let world: Value = serde_json::from_str(
            &std::fs::read_to_string(trial.rig.folder().join("sandbox/world.json")).unwrap(),
        )
        .unwrap();
        let text = |pointer: &str| world.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let ca = std::fs::read(&endpoints.ca).unwrap();
        let overridden = Endpoints::overridden(
            Some(&endpoints.azure),
            Some(&endpoints.azure_authority),
            Some(&endpoints.aws),
            Some(&endpoints.megaport),
            Some(&endpoints.megaport_auth),
            Some(ca),
        );
        let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new(&overridden).unwrap());
        let key = MegaportCredential {
            access_key: text("/human/megaport/accessKey"),
            secret_key: Secret::new(text("/human/megaport/secretKey")),
        };
        let aws = SdkAws::new(AwsSettings {
            region: text("/aws/region"),
            credentials: AwsCredentials::Static {
                access_key_id: text("/human/aws/accessKeyID"),
                secret_access_key: Secret::new(text("/human/aws/secretAccessKey")),
                session_token: None,
            },
            http: AwsHttp::Sdk {
                extra_ca_pem: overridden.extra_ca_pem.clone(),
            },
            endpoint: overridden.aws.clone(),
        });
        Self {
            megaport: MegaportClient::new(&key, transport, &overridden),
            aws: aws.await.unwrap(),
            vpc: text("/aws/vpcID"),
        }
    }

    async fn router(&self) -> String {
        self.megaport.buy_mcr(&router_order()).await.unwrap()
    }

    /// A virtual private gateway, attached to the VPC.
    async fn gateway(&self) -> String {
        let tags = Tags::from([("Name".to_owned(), "a person's gateway".to_owned())]);
        let id = self.aws.create_vpn_gateway(64900, &tags).await.unwrap().id;
        for _ in 0..100 {
            let list = self.aws.vpn_gateways(&Select::id(&id)).await.unwrap();
            if list.iter().any(|g| g.state == State::Available) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.aws.attach_vpn_gateway(&id, &self.vpc).await.unwrap();
        id
    }
}

/// What exists, without what the operator made meanwhile.
async fn live(trial: &Trial) -> BTreeSet<String> {
    let live = trial.ask("/live").await;
    live.as_array()
        .unwrap()
        .iter()
        .map(|o| format!("{} {}", o["kind"], o["id"]))
        .collect()
}

/// Creates a link, waits until it says Ready, and answers its status.
async fn ready(trial: &mut Trial, document: &Value) -> Value {
    let kind = document["kind"].as_str().unwrap().to_owned();
    let name = document["metadata"]["name"].as_str().unwrap().to_owned();
    trial.create(document).await;
    trial.until_all("Ready", 1).await;
    let object = trial.get(&kind, &name).await.unwrap();
    assert!(trial.list("HybridInterconnect").await.is_empty());
    object["status"].clone()
}

/// Deletes it and checks that only what people bought is left.
async fn gone(trial: &mut Trial, document: &Value, before: &BTreeSet<String>) {
    let kind = document["kind"].as_str().unwrap();
    trial
        .delete(kind, document["metadata"]["name"].as_str().unwrap())
        .await;
    trial.until_gone().await;
    only_theirs(trial, before).await;
}

async fn only_theirs(trial: &Trial, before: &BTreeSet<String>) {
    assert_eq!(&live(trial).await, before);
    assert_eq!(trial.duplicates().await, Vec::<String>::new());
    for product in trial.products().await {
        assert!(product["endedAt"].is_string(), "still paid for: {product}");
    }
    let ledger = trial.ask("/ledger").await;
    for product in ledger.as_array().unwrap() {
        if product["principal"] == "human" {
            assert!(product["endedAt"].is_null(), "not ours to end: {product}");
        }
    }
}

fn phase(status: &Value, slot: &str) -> String {
    let slots = status["slots"].as_array().unwrap();
    let slot = slots.iter().find(|s| s["name"] == slot);
    slot.map(|s| s["phase"].as_str().unwrap().to_owned())
        .unwrap_or_default()
}

/// ExpressRoute alone; then its deletion while Azure hears of the provider's end an hour late.
#[tokio::test(flavor = "multi_thread")]
async fn an_express_route_link_works_alone_and_waits_for_a_late_provider() {
    let mut trial = Trial::start("er", SPEED).await;
    let human = Human::of(&trial).await;
    let router = human.router().await;
    let before = live(&trial).await;
    let mut document = trial.document("expressroutelink.yaml");
    document["spec"]["ports"][0]["routerRef"]["productUID"] = json!(router);
    let status = ready(&mut trial, &document).await;
    assert_eq!(phase(&status, "circuit"), "Ready", "{status:#}");
    let used: Vec<&Value> = status["slots"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["id"] == json!(router))
        .collect();
    assert!(
        used.iter().all(|s| s["phase"] == "Imported") && !used.is_empty(),
        "{used:#?}"
    );

    let fault = json!({"effect": "providerStateLag", "seconds": LAG});
    trial
        .sandbox()
        .post::<Value>("/faults", &fault)
        .await
        .unwrap();
    let since = trial.calls().await.len();
    trial.delete("ExpressRouteLink", "to-azure").await;
    trial
        .until("the link says what it waits for", async |t| {
            let seen = t.seen().await;
            let link = seen.objects.get("er/to-azure");
            link.and_then(|o| o.condition("Deleting"))
                .is_some_and(|(status, reason)| {
                    status == "True" && reason == "WaitingForProviderDeprovision"
                })
        })
        .await;
    let waits_from = trial.now().await;
    trial.until_gone().await;
    let calls = trial.calls().await.split_off(since);
    let of_circuit = |operation: &str| -> Vec<&Value> {
        calls
            .iter()
            .filter(|c| c["operation"] == operation && time(&c["at"]) >= waits_from)
            .collect()
    };
    let refreshes = of_circuit("expressRouteCircuits.put");
    let reads = calls
        .iter()
        .filter(|c| c["provider"] == "azure" && c["method"] == "GET")
        .count();
    let deleted = of_circuit("expressRouteCircuits.delete");
    let accepted: Vec<_> = deleted
        .iter()
        .filter(|c| c["status"].as_u64().is_some_and(|s| s < 300))
        .collect();
    assert_eq!(accepted.len(), 1, "{deleted:#?}");
    let waited = seconds(waits_from, time(&accepted[0]["at"]));
    eprintln!(
        "waited {waited:.0} simulated seconds for the provider: {} refreshes, {reads} reads of Azure",
        refreshes.len()
    );
    assert!(waited > LAG / 2.0, "did not wait: {waited}");
    assert!(!refreshes.is_empty(), "no refresh in the call log");
    only_theirs(&trial, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_connect_link_works_alone() {
    let mut trial = Trial::start("dx", SPEED).await;
    let human = Human::of(&trial).await;
    let router = human.router().await;
    let gateway = human.gateway().await;
    let before = live(&trial).await;
    let mut document = trial.document("directconnectlink.yaml");
    let spec = &mut document["spec"];
    spec["routerRef"]["productUID"] = json!(router);
    spec["association"]["virtualPrivateGatewayRef"]["id"] = json!(gateway);
    let status = ready(&mut trial, &document).await;
    for slot in ["vxc-aws", "vif", "dxgw", "dxgw-association"] {
        assert_eq!(phase(&status, slot), "Ready", "{slot}: {status:#}");
    }
    gone(&mut trial, &document, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vpn_pair_works_alone() {
    let mut trial = Trial::start("vpn", SPEED).await;
    let human = Human::of(&trial).await;
    let gateway = human.gateway().await;
    let before = live(&trial).await;
    let mut document = trial.document("vpnpair.yaml");
    document["spec"]["virtualPrivateGatewayRef"]["id"] = json!(gateway);
    let status = ready(&mut trial, &document).await;
    for slot in [
        "pip-0",
        "pip-1",
        "vpn-gateway",
        "vpn-connection-0",
        "vpn-connection-1",
    ] {
        assert_eq!(phase(&status, slot), "Ready", "{slot}: {status:#}");
    }
    gone(&mut trial, &document, &before).await;
}

/// The schema's rules are the API server's: what can not be changed must be said as it is, before anything moves.
#[tokio::test(flavor = "multi_thread")]
async fn links_alone_are_taken_over_by_an_interconnect() {
    let mut trial = Trial::start("takeover", SPEED).await;
    let human = Human::of(&trial).await;
    let router = human.router().await;
    let gateway = human.gateway().await;
    let before = live(&trial).await;
    let mut links = ["expressroutelink", "directconnectlink", "vpnpair"]
        .map(|kind| trial.document(&format!("{kind}.yaml")));
    links[0]["spec"]["ports"][0]["routerRef"]["productUID"] = json!(router);
    links[1]["spec"]["routerRef"]["productUID"] = json!(router);
    links[1]["spec"]["association"]["virtualPrivateGatewayRef"]["id"] = json!(gateway);
    links[2]["spec"]["virtualPrivateGatewayRef"]["id"] = json!(gateway);
    for link in &links {
        trial.create(link).await;
    }
    trial.until_all("Ready", 3).await;
    let bought = trial.products().await.len();
    let since = trial.calls().await.len();
    let mut whole = interconnect_of(&links, &router, &gateway);
    whole["metadata"]["namespace"] = json!(trial.namespace());

    let mut other = whole.clone();
    other["spec"]["expressRoutes"][0]["peering"]["vlanID"] = json!(101);
    trial.create(&other).await;
    trial
        .until("it is refused", async |t| {
            let whole = t.get("HybridInterconnect", "whole").await.unwrap();
            condition(&whole, "Accepted").1 == "AdoptionRefused"
        })
        .await;
    let refused = trial.get("HybridInterconnect", "whole").await.unwrap();
    let message = condition(&refused, "Accepted").2;
    eprintln!("{message}");
    for words in [
        "spec.expressRoutes[main].adoptLink: ExpressRouteLink to-azure",
        "peering cannot be changed",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
    trial.delete("HybridInterconnect", "whole").await;
    trial
        .until("it is gone", async |t| {
            t.get("HybridInterconnect", "whole").await.is_none()
        })
        .await;

    trial.create(&whole).await;
    trial.until_all("Ready", 4).await;
    let uid = trial.get("HybridInterconnect", "whole").await.unwrap()["metadata"]["uid"].clone();
    for link in &links {
        let (kind, name) = (&link["kind"], &link["metadata"]["name"]);
        let now = trial
            .get(kind.as_str().unwrap(), name.as_str().unwrap())
            .await
            .unwrap();
        assert_eq!(now["metadata"]["ownerReferences"][0]["uid"], uid, "{name}");
    }
    let calls = trial.calls().await.split_off(since);
    let changes = calls.iter().filter(|c| c["mutating"] == true);
    let changes: Vec<&str> = changes.map(|c| c["operation"].as_str().unwrap()).collect();
    eprintln!("taken over by {changes:?}");
    let marks = ["virtualNetworkGateways.patch", "TagResource"];
    assert!(changes.iter().all(|c| marks.contains(c)), "{changes:?}");
    assert_eq!(trial.products().await.len(), bought);
    // Its links now: one that its spec no longer names goes.
    let change = json!({"spec": {"directConnects": null}});
    let api = trial.kind("HybridInterconnect");
    api.patch("whole", &PatchParams::default(), &Patch::Merge(&change))
        .await
        .unwrap();
    trial
        .until("the Direct Connect link is gone", async |t| {
            t.get("DirectConnectLink", "to-aws").await.is_none()
        })
        .await;
    trial.delete("HybridInterconnect", "whole").await;
    trial.until_gone().await;
    only_theirs(&trial, &before).await;
}
