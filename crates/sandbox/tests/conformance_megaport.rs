//! Megaport's own Go SDK, unchanged, drives Megaport's half of the lab's life on the sandbox (e2e/conformance/megaport).
//! Needs Go and its module proxy, as the control plane of the e2e tests does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::{client, folder, json_file, url, wait_until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A process that ends with the test, by its own ID.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../e2e/conformance")
        .join(name)
}

/// Builds a Go program of e2e/conformance.
fn build(name: &str, flags: &[String]) -> PathBuf {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("conformance-{name}"));
    let built = Command::new("go")
        .arg("build")
        .args(flags)
        .arg("-o")
        .arg(&out)
        .arg(".")
        .current_dir(source(name))
        .env("GOFLAGS", "-mod=readonly")
        .output()
        .expect("Go is needed to build the programs of e2e/conformance: put `go` on PATH");
    assert!(
        built.status.success(),
        "go build of {name}: {}",
        String::from_utf8_lossy(&built.stderr)
    );
    out
}

/// Starts the sandbox's binary in a folder of its own.
async fn sandbox(name: &str) -> (Process, PathBuf) {
    let dir = folder(name);
    let child = Command::new(env!("CARGO_BIN_EXE_causeway-sandbox"))
        .arg("--dir")
        .arg(&dir)
        .args(["--speed", "300"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = Process(child);
    wait_until("the sandbox serves", || {
        dir.join("endpoints.json").exists() && dir.join("world.json").exists()
    })
    .await;
    (process, dir)
}

/// Runs a program against the sandbox in `dir`; answers what it said.
async fn run(program: PathBuf, dir: &Path, key: String) -> String {
    let dir = dir.to_owned();
    let out = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .arg("-dir")
            .arg(dir)
            .args(["-key", &key])
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    said
}

/// Everything was bought once and nothing is left.
async fn one_router_and_three_vxcs(dir: &Path) {
    let ledger: Value = client(dir)
        .get(format!("{}/ledger", url(dir, "control")))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let ours: Vec<&Value> = ledger
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["provider"] == "megaport")
        .collect();
    assert_eq!(ours.len(), 4, "one MCR and three VXCs: {ledger}");
    assert!(ours.iter().all(|e| !e["endedAt"].is_null()), "{ledger}");
}

/// Orders a circuit as the person in the portal would, and answers its service key.
async fn circuit(dir: &Path) -> String {
    let http = client(dir);
    let azure = json_file(&dir.join("world.json"))["azure"].clone();
    let text = |key: &str| azure[key].as_str().unwrap().to_owned();
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "https://management.azure.com/.default"),
        ("client_id", &text("clientID")),
        ("client_secret", &text("clientSecret")),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()));
    let token: Value = http
        .post(format!(
            "{}/{}/oauth2/v2.0/token",
            url(dir, "azureAuthority"),
            text("tenantID")
        ))
        .form(&form)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = token["access_token"].as_str().expect("a token").to_owned();
    let target = format!(
        "{}/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/expressRouteCircuits/conformance?api-version=2024-05-01",
        url(dir, "azure"),
        text("subscriptionID"),
        text("resourceGroup"),
    );
    let place = json_file(&dir.join("world.json"))["megaport"]["azurePeeringLocation"].clone();
    let body = json!({
        "location": text("location"),
        "sku": {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
        "properties": {"serviceProviderProperties": {
            "serviceProviderName": "Megaport", "peeringLocation": place, "bandwidthInMbps": 50,
        }},
    });
    let made = http
        .put(&target)
        .bearer_auth(&token)
        .json(&body)
        .send()
        .await
        .unwrap();
    let status = made.status();
    assert!(
        status.is_success(),
        "{status}: {}",
        made.text().await.unwrap()
    );
    for _ in 0..200 {
        let read: Value = http
            .get(&target)
            .bearer_auth(&token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        if read["properties"]["provisioningState"] == "Succeeded"
            && let Some(key) = read["properties"]["serviceKey"].as_str()
        {
            return key.to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the circuit has no service key");
}

#[tokio::test(flavor = "multi_thread")]
async fn megaports_own_go_sdk_runs_unchanged() {
    let go = tokio::task::spawn_blocking(|| build("megaport", &[]));
    let (_process, dir) = sandbox("conformance-megaport-sandbox").await;
    let key = circuit(&dir).await;
    let said = run(go.await.unwrap(), &dir, key).await;
    // Every step was taken, the circuit's among them.
    assert!(said.contains("held: both ports are taken"), "{said}");
    assert!(said.trim_end().ends_with("ok: 19 steps"), "{said}");
    one_router_and_three_vxcs(&dir).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a checkout of Megaport's Terraform provider in MEGAPORT_TERRAFORM_PROVIDER, and three minutes"]
async fn megaports_terraform_provider_runs_unchanged() {
    let checkout = std::env::var("MEGAPORT_TERRAFORM_PROVIDER")
        .expect("MEGAPORT_TERRAFORM_PROVIDER names a checkout of the provider");
    // The committed go.mod points at ./provider; a copy points at the checkout.
    let mods = folder("conformance-terraform-mod");
    let text = std::fs::read_to_string(source("megaport-terraform").join("go.mod")).unwrap();
    std::fs::write(
        mods.join("go.mod"),
        text.replace("=> ./provider", &format!("=> {checkout}")),
    )
    .unwrap();
    std::fs::copy(
        source("megaport-terraform").join("go.sum"),
        mods.join("go.sum"),
    )
    .unwrap();
    let flag = format!("-modfile={}", mods.join("go.mod").display());
    let go = tokio::task::spawn_blocking(move || build("megaport-terraform", &[flag]));
    let (_process, dir) = sandbox("conformance-terraform-sandbox").await;
    let key = circuit(&dir).await;
    let said = run(go.await.unwrap(), &dir, key).await;
    assert!(
        said.contains("held: VXC to Azure's secondary port"),
        "{said}"
    );
    assert!(said.trim_end().ends_with("ok"), "{said}");
    one_router_and_three_vxcs(&dir).await;
}
