//! Bad input on a real API server: refused at apply, or `Accepted=False` with a reason and a sentence; nothing is made in
//! any cloud. What is said is docs/bad-input.md, which this writes when `CAUSEWAY_REGENERATE` is set.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test

use std::fmt::Write as _;
use std::path::Path;

use causeway_e2e::trial::Trial;
use causeway_sandbox::World;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ObjectMeta, PostParams};
use serde_json::{Value, json};
use tokio::sync::Mutex;

const SPEED: f64 = 600.0;

/// One test loosens a schema for a moment.
static SCHEMA: Mutex<()> = Mutex::const_new(());

/// What a case does to the lab's manifest: JSON pointers below spec and values; null removes.
type Edits = Vec<(&'static str, Value)>;

struct Case {
    what: &'static str,
    edits: Edits,
    /// A change after this creation, where the case is a change.
    before: Option<Edits>,
    verdict: Verdict,
}

enum Verdict {
    /// The API server refuses, with this in its message.
    Refused(&'static str),
    /// `Accepted=False` with this reason and all of this in its message.
    NotAccepted(&'static str, &'static [&'static str]),
}
use Verdict::{NotAccepted, Refused};

fn case(what: &'static str, edits: Edits, verdict: Verdict) -> Case {
    Case {
        what,
        edits,
        before: None,
        verdict,
    }
}

fn change(what: &'static str, before: Edits, edits: Edits, text: &'static str) -> Case {
    Case {
        what,
        edits,
        before: Some(before),
        verdict: Refused(text),
    }
}

/// Every item of the list of bad input that the lab's own world can show.
fn cases() -> Vec<Case> {
    let tunnels = |first: &str| {
        json!([
            {"name": "instance0-tunnel1", "insideCIDR": first},
            {"name": "instance0-tunnel2", "insideCIDR": "169.254.22.0/30"},
            {"name": "instance1-tunnel1", "insideCIDR": "169.254.21.4/30"},
            {"name": "instance1-tunnel2", "insideCIDR": "169.254.22.4/30"},
        ])
    };
    let gcm = json!({"profile": "Custom", "custom": {"esp": {"encryption": "GCMAES256", "integrity": "GCMAES256", "pfsGroup": "None"}}});
    vec![
        case(
            "a reserved ASN for a router",
            vec![("/megaport/routers/0/asn", json!(65515))],
            Refused("this ASN is reserved"),
        ),
        case(
            "a reserved ASN for the virtual private gateway",
            vec![("/aws/virtualPrivateGateway/amazonASN", json!(65517))],
            Refused("ASNs 65515-65520 are Azure's own"),
        ),
        case(
            "an APIPA prefix outside Azure's range",
            vec![("/vpn/tunnels", tunnels("169.254.30.0/30"))],
            Refused("Azure speaks BGP over APIPA only in"),
        ),
        case(
            "a custom GCM profile without PFS",
            vec![("/vpn/ipsec", gcm)],
            Refused("GCM without PFS dies at the first rekey"),
        ),
        case(
            "a VPN gateway SKU that can no longer be created",
            vec![("/vpn/gateway/sku", json!("VpnGw2"))],
            Refused("Azure makes VPN gateways only with the SKUs VpnGw1AZ"),
        ),
        case(
            "a missing Secret (Azure)",
            vec![("/azure/credentialsSecretRef/name", json!("nowhere"))],
            NotAccepted("ReferenceNotFound", &["credentialsSecretRef", "nowhere"]),
        ),
        case(
            "a missing Secret (AWS)",
            vec![("/aws/credentialsSecretRef/name", json!("nowhere"))],
            NotAccepted("ReferenceNotFound", &["credentialsSecretRef", "nowhere"]),
        ),
        case(
            "a missing Secret (Megaport)",
            vec![("/megaport/credentialsSecretRef/name", json!("nowhere"))],
            NotAccepted("ReferenceNotFound", &["credentialsSecretRef", "nowhere"]),
        ),
        case(
            "a malformed Secret (Azure)",
            vec![("/azure/credentialsSecretRef/name", json!("azure-half"))],
            NotAccepted("CredentialsInvalid", &["azure-half", "clientSecret"]),
        ),
        case(
            "a malformed Secret (AWS)",
            vec![("/aws/credentialsSecretRef/name", json!("aws-half"))],
            NotAccepted("CredentialsInvalid", &["aws-half", "secretAccessKey"]),
        ),
        case(
            "a malformed Secret (Megaport)",
            vec![(
                "/megaport/credentialsSecretRef/name",
                json!("megaport-half"),
            )],
            NotAccepted("CredentialsInvalid", &["megaport-half", "secretKey"]),
        ),
        case(
            "wrong credentials (Azure)",
            vec![("/azure/credentialsSecretRef/name", json!("azure-wrong"))],
            NotAccepted("CredentialsInvalid", &["azure-wrong"]),
        ),
        case(
            "wrong credentials (AWS)",
            vec![("/aws/credentialsSecretRef/name", json!("aws-wrong"))],
            NotAccepted("CredentialsInvalid", &["aws-wrong"]),
        ),
        case(
            "wrong credentials (Megaport)",
            vec![(
                "/megaport/credentialsSecretRef/name",
                json!("megaport-wrong"),
            )],
            NotAccepted("CredentialsInvalid", &["megaport-wrong"]),
        ),
        case(
            "an unknown Megaport location",
            vec![("/megaport/routers/0/locationID", json!(99999))],
            NotAccepted("InvalidTopology", &["locationID", "99999"]),
        ),
        case(
            "a peering location that the catalogue lacks",
            vec![(
                "/expressRoutes/0/circuit/peeringLocation",
                json!("Washington DC9"),
            )],
            NotAccepted(
                "InvalidTopology",
                &["peeringLocation", "Washington DC9", "Washington DC2"],
            ),
        ),
        case(
            "a bandwidth that the catalogue lacks",
            vec![("/expressRoutes/0/circuit/bandwidthMbps", json!(60))],
            NotAccepted("InvalidTopology", &["bandwidthMbps", "60", "50"]),
        ),
        change(
            "another subscription",
            vec![],
            vec![(
                "/azure/subscriptionID",
                json!("00000000-0000-4000-8000-000000000002"),
            )],
            "subscriptionID cannot be changed from",
        ),
        change(
            "another VPC",
            vec![],
            vec![("/aws/vpcRef/id", json!("vpc-0a1b2c3d4e5f60719"))],
            "vpcRef cannot be changed",
        ),
        change(
            "an immutable field vanishes",
            vec![],
            vec![("/megaport/routers/0/asn", Value::Null)],
            "asn cannot be changed, added or removed",
        ),
        change(
            "an immutable field appears",
            vec![("/megaport/routers/0/asn", Value::Null)],
            vec![("/megaport/routers/0/asn", json!(64600))],
            "asn cannot be changed, added or removed",
        ),
        change(
            "the account vanishes",
            vec![("/aws/accountID", json!("111122223333"))],
            vec![("/aws/accountID", Value::Null)],
            "accountID cannot be changed or removed",
        ),
    ]
}

/// Items that need another world.
fn worlds() -> Vec<(Case, Value)> {
    let world = || serde_json::to_value(World::default()).unwrap();
    let subnets = |world: &mut Value, edit: &dyn Fn(&mut Vec<Value>)| {
        let subnets = &mut world["azure"]["virtualNetworks"][0]["subnets"];
        edit(subnets.as_array_mut().unwrap());
    };
    let gateway = |list: &mut Vec<Value>| -> usize {
        list.iter()
            .position(|s| s["name"] == "GatewaySubnet")
            .unwrap()
    };

    let mut overlapping = world();
    // The virtual network grows over the VPC's 172.16.0.0/16.
    overlapping["azure"]["virtualNetworks"][0]["addressPrefixes"] = json!(["172.16.0.0/12"]);
    let mut without = world();
    subnets(&mut without, &|list| {
        let at = gateway(list);
        list.remove(at);
    });
    let mut small = world();
    subnets(&mut small, &|list| {
        let at = gateway(list);
        list[at]["addressPrefix"] = json!("172.29.255.0/28");
    });
    let mut guarded = world();
    guarded["azure"]["networkSecurityGroups"] = json!([{"name": "guard"}]);
    subnets(&mut guarded, &|list| {
        let at = gateway(list);
        list[at]["networkSecurityGroup"] = json!("guard");
    });
    vec![
        (
            case(
                "overlapping prefixes of virtual network and VPC",
                vec![],
                NotAccepted(
                    "InvalidTopology",
                    &["172.16.0.0/12", "172.16.0.0/16", "overlaps"],
                ),
            ),
            overlapping,
        ),
        (
            case(
                "no GatewaySubnet",
                vec![],
                NotAccepted("InvalidTopology", &["vnet", "GatewaySubnet"]),
            ),
            without,
        ),
        (
            case(
                "a GatewaySubnet that is too small",
                vec![],
                NotAccepted("InvalidTopology", &["172.29.255.0/28", "/27"]),
            ),
            small,
        ),
        (
            case(
                "a GatewaySubnet with a network security group",
                vec![],
                NotAccepted("InvalidTopology", &["GatewaySubnet", "guard"]),
            ),
            guarded,
        ),
    ]
}

fn edited(trial: &Trial, edits: &Edits) -> Value {
    let mut document = trial.document("lab.yaml");
    document["metadata"]["name"] = "bad".into();
    for (pointer, value) in edits {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = document["spec"].pointer_mut(parent).unwrap();
        if value.is_null() {
            parent.as_object_mut().unwrap().remove(key);
        } else {
            parent[key] = value.clone();
        }
    }
    document
}

/// What the case says of itself: where, and the message.
async fn judge(trial: &mut Trial, case: &Case) -> (String, String) {
    let what = case.what;
    let document = edited(trial, &case.edits);
    if let Some(before) = &case.before {
        let made = trial.create(&edited(trial, before)).await;
        let mut next: kube::api::DynamicObject = serde_json::from_value(document).unwrap();
        next.metadata.resource_version = made.metadata.resource_version;
        let api = trial.kind("HybridInterconnect");
        // The operator adds its finalizer meanwhile: only the spec counts here.
        let mut verdict = api.replace("bad", &PostParams::default(), &next).await;
        for _ in 0..20 {
            if !matches!(&verdict, Err(kube::Error::Api(s)) if s.code == 409) {
                break;
            }
            next.metadata = api.get("bad").await.unwrap().metadata;
            next.metadata.managed_fields = None;
            verdict = api.replace("bad", &PostParams::default(), &next).await;
        }
        trial.delete("HybridInterconnect", "bad").await;
        trial.until_gone().await;
        return refused(case, verdict.map(drop));
    }
    if let Refused(_) = case.verdict {
        let verdict = trial.try_create(&document).await.map(drop);
        return refused(case, verdict);
    }
    trial.create(&document).await;
    trial
        .until(&format!("Accepted=False for {what}"), async |t| {
            accepted(t).await.is_some_and(|c| c["status"] == "False")
        })
        .await;
    let condition = accepted(trial).await.unwrap();
    let NotAccepted(reason, parts) = &case.verdict else {
        panic!("{what}: no verdict");
    };
    let message = condition["message"].as_str().unwrap();
    assert_eq!(condition["reason"], *reason, "{what}: {message}");
    for part in *parts {
        assert!(
            message.contains(part),
            "{what}: {part:?} is missing: {message}"
        );
    }
    let children = trial.seen().await.objects.len();
    assert_eq!(children, 1, "{what}: links were made");
    trial.delete("HybridInterconnect", "bad").await;
    trial.until_gone().await;
    let message = message.replace(trial.rig.namespace(), "network");
    (format!("`Accepted=False`, `{reason}`"), message)
}

async fn accepted(trial: &Trial) -> Option<Value> {
    let object = trial.get("HybridInterconnect", "bad").await?;
    let conditions = object["status"]["conditions"].as_array()?.clone();
    conditions.into_iter().find(|c| c["type"] == "Accepted")
}

fn refused(case: &Case, verdict: Result<(), kube::Error>) -> (String, String) {
    let what = case.what;
    let Refused(text) = case.verdict else {
        panic!("{what}: no verdict");
    };
    match verdict {
        Err(kube::Error::Api(status)) if status.code == 422 => {
            assert!(status.message.contains(text), "{what}: {}", status.message);
            ("refused at apply".to_owned(), status.message.clone())
        }
        Err(error) => panic!("{what}: refused in another way: {error}"),
        Ok(()) => panic!("{what}: the API server took it"),
    }
}

/// Secrets with a key missing, and with values that no cloud knows.
async fn bad_secrets(trial: &Trial) {
    let api = Api::<Secret>::namespaced(trial.client.clone(), trial.rig.namespace());
    for (name, secret_key) in [
        ("azure", "clientSecret"),
        ("aws", "secretAccessKey"),
        ("megaport", "secretKey"),
    ] {
        let good = api.get(name).await.unwrap().data.unwrap();
        let mut half = good.clone();
        half.remove(secret_key);
        let mut wrong = good;
        let value = k8s_openapi::ByteString(b"not-the-right-one-but-long-enough-for-it".to_vec());
        wrong.insert(secret_key.to_owned(), value);
        for (suffix, data) in [("half", half), ("wrong", wrong)] {
            let secret = Secret {
                metadata: ObjectMeta {
                    name: Some(format!("{name}-{suffix}")),
                    ..ObjectMeta::default()
                },
                data: Some(data),
                ..Secret::default()
            };
            api.create(&PostParams::default(), &secret).await.unwrap();
        }
    }
}

/// Nothing was ordered or made, and nothing was even tried.
async fn nothing_was_made(trial: &Trial, what: &str) {
    assert_eq!(trial.leftovers().await, Vec::<String>::new(), "{what}");
    let products = trial.products().await;
    assert!(products.is_empty(), "{what}: {products:#?}");
    let calls = trial.calls().await;
    let mutating: Vec<&Value> = calls.iter().filter(|c| c["mutating"] == true).collect();
    assert!(mutating.is_empty(), "{what}: {mutating:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_gets_a_sentence_and_nothing_is_made() {
    let _schema = SCHEMA.lock().await;
    let mut rows = Vec::new();
    let mut trial = Trial::start("bad", SPEED).await;
    bad_secrets(&trial).await;
    // Cases of changes begin with a good object, which would be built.
    let (changes, cases): (Vec<Case>, Vec<Case>) =
        cases().into_iter().partition(|c| c.before.is_some());
    for case in cases {
        let (place, message) = judge(&mut trial, &case).await;
        rows.push((case.what, place, message));
    }
    nothing_was_made(&trial, "the lab's world").await;
    // No operator: what was good before the change must not be built here.
    trial.rig.stop_operator().unwrap();
    for case in changes {
        let (place, message) = judge(&mut trial, &case).await;
        rows.push((case.what, place, message));
    }
    nothing_was_made(&trial, "changes").await;
    drop(trial);
    for (case, world) in worlds() {
        let mut trial = Trial::in_world("bad", SPEED, Some(&world)).await;
        let (place, message) = judge(&mut trial, &case).await;
        nothing_was_made(&trial, case.what).await;
        rows.push((case.what, place, message));
    }
    eprintln!("{} kinds of bad input", rows.len());
    page_is_current(&rows);
}

fn page_is_current(rows: &[(&str, String, String)]) {
    let mut text = String::from(
        "# Bad input\n\nWhat each mistake in the lab's manifest gets, as the API server and the operator say it. Nothing is made in any cloud.\n\
         Written by `make generate`; every row is a test.\n\n\
         | mistake | where it shows | message |\n|---|---|---|\n",
    );
    for (what, place, message) in rows {
        let message = message.replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(text, "| {what} | {place} | {message} |");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bad-input.md");
    if std::env::var_os("CAUSEWAY_REGENERATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept, text, "docs/bad-input.md is stale");
}

/// A CR that an older or a looser schema let in, and that the operator cannot decode, stops nobody.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_decoded_does_not_stop_the_others() {
    let _schema = SCHEMA.lock().await;
    let mut trial = Trial::start("odd", SPEED).await;
    let definitions = Api::<CustomResourceDefinition>::all(trial.client.clone());
    let name = "hybridinterconnects.causeway.dev";
    let strict = definitions.get(name).await.unwrap();
    let mut loose = serde_json::to_value(&strict).unwrap();
    let policy = loose
        .pointer_mut(
            "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/driftPolicy",
        )
        .unwrap();
    *policy = json!({"type": "string", "maxLength": 32});
    // The whole definition is replaced: applied, what others once set would stay.
    let put = async |definition: Value| {
        let mut definition: CustomResourceDefinition = serde_json::from_value(definition).unwrap();
        let now = definitions
            .get(name)
            .await
            .unwrap()
            .metadata
            .resource_version;
        definition.metadata.resource_version = now;
        definition.status = None;
        let put = PostParams::default();
        definitions.replace(name, &put, &definition).await.unwrap();
    };
    put(loose).await;
    let mut odd = trial.document("lab.yaml");
    odd["metadata"]["name"] = "odd".into();
    odd["spec"]["driftPolicy"] = "Someday".into();
    // The API server takes a moment to serve the new schema.
    let mut made = Err(());
    for _ in 0..50 {
        if trial.try_create(&odd).await.is_ok() {
            made = Ok(());
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    put(serde_json::to_value(&strict).unwrap()).await;
    assert!(made.is_ok(), "the loosened schema does not take the object");
    let kept = trial.get("HybridInterconnect", "odd").await.unwrap();
    assert_eq!(kept["spec"]["driftPolicy"], "Someday");

    // Seen by a watch that runs, and by one that begins with it in its first list.
    for round in ["while it watches", "after a restart"] {
        if round == "after a restart" {
            trial.rig.kill_operator().unwrap();
            trial.rig.start_operator().await.unwrap();
        }
        let mut good = trial.document("lab.yaml");
        good["metadata"]["name"] = "good".into();
        trial.create(&good).await;
        trial
            .until(
                &format!("a good object is accepted and built {round}"),
                async |t| {
                    let seen = t.seen().await;
                    let good = seen.objects.get("hi/good");
                    good.is_some_and(|o| o.is("Accepted")) && t.mutating().await > 0
                },
            )
            .await;
        trial.delete("HybridInterconnect", "good").await;
        trial
            .until("the good object is gone", async |t| {
                t.get("HybridInterconnect", "good").await.is_none()
                    && t.seen().await.objects.len() == 1
            })
            .await;
    }
    let log = trial.operator_log();
    assert!(
        log.contains("odd") && log.contains("can not be decoded"),
        "the log does not name it"
    );
    trial.delete("HybridInterconnect", "odd").await;
    trial.until_gone().await;
    assert_eq!(
        trial
            .leftovers()
            .await
            .iter()
            .filter(|l| !l.starts_with("ordered"))
            .count(),
        0
    );
}
