//! The sandbox over sockets: HTTPS with its own CA, the folder's files, restarts of the library's server and of the
//! binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod common;

use causeway_sandbox::serve::{Options, ServeError, Server};
use common::{client, folder, json_file, url, wait_until};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};

async fn get(dir: &Path, path: &str) -> Value {
    let url = format!("{}{path}", url(dir, "control"));
    let answer = client(dir).get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    answer.json().await.unwrap()
}

fn millis(clock: &Value) -> i64 {
    let now = clock["now"].as_str().unwrap();
    now.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_say_where_and_with_which_ca() {
    let dir = folder("files");
    let server = Server::start(Options::new(&dir)).unwrap();
    let endpoints = json_file(&dir.join("endpoints.json"));
    for key in ["azure", "azureAuthority", "aws", "megaport", "control"] {
        let text = endpoints[key].as_str().unwrap();
        assert!(text.starts_with("https://127.0.0.1:"), "{key}: {text}");
    }
    // The keys of contract §3, all with a value.
    let world = json_file(&dir.join("world.json"));
    for (part, keys) in [
        (
            "/azure",
            "tenantID clientID clientSecret subscriptionID resourceGroup location virtualNetwork networkInterface",
        ),
        (
            "/aws",
            "accountID accessKeyID secretAccessKey region vpcID subnetID routeTableID",
        ),
        (
            "/megaport",
            "accessKey secretKey companyUID locationID awsPortUIDs azurePeeringLocation",
        ),
        ("/human/azure", "clientID clientSecret"),
        ("/human/aws", "accessKeyID secretAccessKey"),
        ("/human/megaport", "accessKey secretKey"),
        ("/hosts/0", "name provider address"),
    ] {
        for key in keys.split(' ') {
            let value = &world.pointer(part).unwrap()[key];
            let empty = value.is_null() || value == "" || *value == json!([]);
            assert!(!empty, "{part}/{key} is {value}");
        }
    }
    let token = endpoints["megaportAuth"].as_str().unwrap();
    assert!(token.ends_with("/oauth2/token"), "{token}");
    assert_eq!(
        endpoints["ca"],
        json!(dir.canonicalize().unwrap().join("ca.pem"))
    );
    // Both names of the certificate are good, and both versions of HTTP.
    let by_name = url(&dir, "control").replace("127.0.0.1", "localhost");
    for (base, http2) in [(by_name, false), (url(&dir, "control"), true)] {
        let pem = std::fs::read(dir.join("ca.pem")).unwrap();
        let builder = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()]);
        let http = if http2 { builder } else { builder.http1_only() }
            .build()
            .unwrap();
        let answer = http.get(format!("{base}/ledger")).send().await.unwrap();
        let version = if http2 {
            reqwest::Version::HTTP_2
        } else {
            reqwest::Version::HTTP_11
        };
        assert_eq!(
            (answer.status(), answer.version()),
            (StatusCode::OK, version)
        );
    }
    // Whoever does not trust the CA gets nothing.
    let stranger = reqwest::Client::new()
        .get(url(&dir, "control"))
        .send()
        .await;
    assert!(stranger.is_err());
    server.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_continues_and_time_stood_still() {
    let dir = folder("restart");
    let mut options = Options::new(&dir);
    options.speed = Some(1000.0);
    options.seed = Some(7);
    let server = Server::start(options).unwrap();
    let ca = std::fs::read(dir.join("ca.pem")).unwrap();
    let endpoints = json_file(&dir.join("endpoints.json"));
    let http = client(&dir);
    let control = url(&dir, "control");
    let fault = json!({"match": {"provider": "aws"}, "effect": "hold"});
    let made = http
        .post(format!("{control}/faults"))
        .json(&fault)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let called = http.get(url(&dir, "azure")).send().await.unwrap();
    assert!(called.status().is_client_error() || called.status().is_server_error());
    let calls = get(&dir, "/calls?bodies=true").await;
    assert_eq!(calls[0]["seq"], 1);
    assert_eq!(calls[0]["provider"], "azure");
    let before = millis(&get(&dir, "/clock").await);
    server.shutdown().await.unwrap();
    let ended = json_file(&dir.join("state.json"));

    // A second passes outside, which would be a quarter of an hour inside.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let server = Server::start(Options::new(&dir)).unwrap();
    let clock = get(&dir, "/clock").await;
    assert_eq!(clock["speed"], 1000.0);
    let passed = millis(&clock) - before;
    assert!((0..700_000).contains(&passed), "{passed} ms passed");
    assert!(millis(&clock) >= ended["state"]["now"].as_i64().unwrap());
    assert_eq!(std::fs::read(dir.join("ca.pem")).unwrap(), ca);
    assert_eq!(json_file(&dir.join("endpoints.json")), endpoints);
    assert_eq!(get(&dir, "/calls?bodies=true").await, calls);
    assert_eq!(get(&dir, "/faults").await[0]["id"], "fault-1");
    assert_eq!(json_file(&dir.join("state.json"))["seed"], 7);

    // The folder is in use: a second sandbox on it says so.
    match Server::start(Options::new(&dir)) {
        Err(e @ ServeError::Bind { .. }) => assert!(e.to_string().contains("--azure-port"), "{e}"),
        other => panic!("{other:?}"),
    }
    server.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_another_version_is_refused_and_a_torn_log_is_mended() {
    let dir = folder("formats");
    let server = Server::start(Options::new(&dir)).unwrap();
    let http = client(&dir);
    for _ in 0..3 {
        http.get(url(&dir, "megaport")).send().await.unwrap();
    }
    server.shutdown().await.unwrap();
    let log = std::fs::read_to_string(dir.join("calls.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 3);
    std::fs::write(dir.join("calls.jsonl"), &log[..log.len() - 20]).unwrap();
    let server = Server::start(Options::new(&dir)).unwrap();
    assert_eq!(server.sandbox.calls(0, false).len(), 2);
    client(&dir)
        .get(url(&dir, "megaport"))
        .send()
        .await
        .unwrap();
    let seqs: Vec<u64> = server
        .sandbox
        .calls(0, false)
        .iter()
        .map(|c| c.seq)
        .collect();
    assert_eq!(seqs, [1, 2, 3]);
    assert_eq!(server.sandbox.calls(2, false).len(), 1);
    server.shutdown().await.unwrap();
    let log = std::fs::read_to_string(dir.join("calls.jsonl")).unwrap();
    assert!(
        log.lines()
            .all(|l| serde_json::from_str::<Value>(l).is_ok())
    );

    let state = std::fs::read_to_string(dir.join("state.json")).unwrap();
    std::fs::write(
        dir.join("state.json"),
        state.replacen("\"format\":1", "\"format\":99", 1),
    )
    .unwrap();
    let refused = Server::start(Options::new(&dir)).unwrap_err().to_string();
    assert!(
        refused.contains("format 99") && refused.contains("--dir"),
        "{refused}"
    );
}

struct Process(Child);

impl Process {
    async fn start(dir: &Path, args: &[&str]) -> Self {
        let _ = std::fs::remove_file(dir.join("endpoints.json"));
        let child = Command::new(env!("CARGO_BIN_EXE_causeway-sandbox"))
            .arg("--dir")
            .arg(dir)
            .args(args)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self(child);
        wait_until("endpoints.json", || dir.join("endpoints.json").exists()).await;
        process
    }
    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.0.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_ends_on_sigterm_and_survives_sigkill() {
    let dir = folder("binary");
    let mut first = Process::start(&dir, &["--speed", "5000", "--seed", "3"]).await;
    let control = url(&dir, "control");
    let fault = json!({"effect": "status", "status": 503});
    let made = client(&dir)
        .post(format!("{control}/faults"))
        .json(&fault)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    // The last thing that a client saw of the clock must not be taken back by a crash.
    let seen = millis(&get(&dir, "/clock").await);
    first.signal("-KILL");
    first.0.wait().unwrap();

    let mut second = Process::start(&dir, &[]).await;
    assert_eq!(url(&dir, "control"), control);
    let clock = get(&dir, "/clock").await;
    assert_eq!(clock["speed"], 5000.0);
    assert!(millis(&clock) >= seen, "{} < {seen}", millis(&clock));
    assert_eq!(get(&dir, "/faults").await.as_array().unwrap().len(), 1);
    second.signal("-TERM");
    assert_eq!(second.0.wait().unwrap().code(), Some(0));

    let mut third = Process::start(&dir, &["--speed", "2"]).await;
    assert_eq!(get(&dir, "/clock").await["speed"], 2.0);
    third.signal("-INT");
    assert_eq!(third.0.wait().unwrap().code(), Some(0));
}

#[test]
fn the_binary_explains_what_is_wrong() {
    let dir = folder("wrong");
    let world = dir.join("w.json");
    std::fs::write(&world, r#"{"azur": {}}"#).unwrap();
    let world = world.to_str().unwrap();
    for (args, part) in [
        (vec!["--world", world], "unknown field `azur`"),
        (vec!["--world", "/nowhere.json"], "/nowhere.json"),
        (vec!["--speed", "0"], "--speed 0"),
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_causeway-sandbox"))
            .arg("--dir")
            .arg(dir.join("d"))
            .args(args)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && text.contains(part), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_gives_no_answer_and_a_change_is_on_disk_before_its_answer() {
    let dir = folder("broken");
    let server = Server::start(Options::new(&dir)).unwrap();
    let world = json_file(&dir.join("world.json"));
    let field = |name: &str| world["megaport"][name].as_str().unwrap().to_owned();
    let http = client(&dir);
    let token: Value = http
        .post(url(&dir, "megaportAuth"))
        .basic_auth(field("accessKey"), Some(field("secretKey")))
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = token["access_token"].as_str().unwrap().to_owned();
    let buy = |name: &str| {
        let mcr = json!({
            "productType": "MCR2", "productName": name, "term": 1, "locationId": 67, "portSpeed": 1000,
            "config": {"mcrAsn": 64600, "diversityZone": "red"}, "associatedVxcs": [],
        });
        http.post(format!("{}/v4/networkdesign/buy", url(&dir, "megaport")))
            .bearer_auth(&token)
            .json(&json!({"networkDesign": [mcr], "discountCodes": []}))
            .send()
    };
    let faults = format!("{}/faults", url(&dir, "control"));
    for (effect, bought) in [("loseRequest", 0), ("loseResponse", 1)] {
        let fault = json!({"match": {"mutating": true}, "effect": effect, "times": 1});
        let made: Value = http
            .post(&faults)
            .json(&fault)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let error = buy(effect).await.unwrap_err();
        assert!(error.is_request() && error.status().is_none(), "{error:?}");
        assert_eq!(get(&dir, "/ledger").await.as_array().unwrap().len(), bought);
        let gone = http
            .delete(format!("{faults}/{}", made["id"].as_str().unwrap()))
            .send()
            .await
            .unwrap();
        assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    }
    // Also over HTTP/1.1, where the connection itself ends.
    let fault = json!({"match": {"operation": "GET /v2/products"}, "effect": "loseResponse"});
    http.post(&faults).json(&fault).send().await.unwrap();
    let pem = std::fs::read(dir.join("ca.pem")).unwrap();
    let http1 = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .http1_only()
        .build()
        .unwrap();
    let products = format!("{}/v2/products", url(&dir, "megaport"));
    let broken = http1.get(&products).bearer_auth(&token).send().await;
    assert!(broken.is_err(), "{broken:?}");

    // Many at once: each is in the file as soon as it is answered.
    let answers = ["a", "b", "c", "d", "e", "f"].map(buy);
    let mut orders = Vec::new();
    for answer in answers.map(tokio::spawn) {
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = answer.json().await.unwrap();
        orders.push(
            body["data"][0]["technicalServiceUid"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let saved = json_file(&dir.join("state.json"));
    let ledger: Vec<&str> = saved["state"]["ledger"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["id"].as_str().unwrap())
        .collect();
    for order in &orders {
        assert!(
            ledger.contains(&order.as_str()),
            "{order} is not among {ledger:?}"
        );
    }
    server.shutdown().await.unwrap();
}
