//! `playground up` and `down` as people and scripts use them: what it writes, and that it leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failed assumption is a failed test

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use causeway_e2e::playground::SandboxClient;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A folder of its own, and the promise that nothing runs in it at the end.
struct Yard(PathBuf);

impl Yard {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("causeway-playground-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_playground"));
        command.arg(verb).arg("--dir").arg(&self.0);
        command
    }

    fn up(&self) -> Command {
        let mut command = self.command("up");
        command
            .arg("--without-sandbox")
            .arg("--crds")
            .arg(self.crds());
        command
    }

    fn down(&self) -> Output {
        self.command("down").output().unwrap()
    }

    fn crds(&self) -> PathBuf {
        let folder = self.0.join("crds");
        fs::create_dir_all(&folder).unwrap();
        let crd = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: bridges.example.dev}
spec:
  group: example.dev
  names: {kind: Bridge, plural: bridges}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
";
        fs::write(folder.join("bridges.yaml"), crd).unwrap();
        folder
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.0.join(file)).unwrap()).unwrap()
    }

    /// Command lines of all processes that have this folder in theirs.
    fn processes(&self) -> Vec<String> {
        processes_of(&self.0)
    }
}

fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        if name
            .to_string_lossy()
            .parse::<u32>()
            .is_ok_and(|pid| pid != std::process::id())
        {
            // Processes come and go while we read; a zombie has an empty command line.
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(&*folder) {
                found.push(line);
            }
        }
    }
    found
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.down();
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn sh(script: &str) -> Output {
    Command::new("sh").args(["-euc", script]).output().unwrap()
}

fn until(what: &str, within: Duration, mut look: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !look() {
        assert!(Instant::now() < deadline, "not after {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn up_then_down_then_up_again() {
    let yard = Yard::new("life");
    let up = yard.up().output().unwrap();
    assert!(up.status.success(), "{}", text(&up));

    let description = yard.json("playground.json");
    let pids: Vec<u64> = ["etcd", "apiserver", "controllerManager"]
        .iter()
        .map(|name| description["pids"][name].as_u64().unwrap())
        .collect();
    for pid in &pids {
        assert!(Path::new(&format!("/proc/{pid}")).exists(), "{description}");
    }
    assert!(description["pids"]["operator"].is_null(), "{description}");
    for log in ["etcd", "apiserver", "controllerManager"] {
        assert!(yard.0.join(format!("logs/{log}.log")).is_file());
    }
    for program in ["kubectl", "helm"] {
        assert!(
            Path::new(description["bin"].as_str().unwrap())
                .join(program)
                .is_file()
        );
    }

    // `env` is enough for a shell; the CRD and the namespace are there.
    let source = format!(". {}/env; ", yard.0.display());
    let seen = sh(&format!(
        "{source} kubectl get bridges.example.dev -A 2>&1; kubectl get ns network -o name; command -v kubectl"
    ));
    assert!(
        text(&seen).contains("No resources found"),
        "{}",
        text(&seen)
    );
    assert!(text(&seen).contains("namespace/network"), "{}", text(&seen));
    assert!(
        text(&seen).contains(description["bin"].as_str().unwrap()),
        "{}",
        text(&seen)
    );
    let made = sh(&format!(
        "{source} kubectl create configmap kept --from-literal=a=b"
    ));
    assert!(made.status.success(), "{}", text(&made));

    let again = yard.up().output().unwrap();
    assert!(
        !again.status.success() && text(&again).contains("playground down --dir"),
        "{}",
        text(&again)
    );

    let down = yard.down();
    assert!(
        down.status.success() && text(&down).contains("ended etcd"),
        "{}",
        text(&down)
    );
    assert_eq!(yard.processes(), Vec::<String>::new());
    assert!(!yard.0.join("playground.json").exists() && !yard.0.join("env").exists());
    let down = yard.down();
    assert!(
        down.status.success() && text(&down).contains("nothing runs"),
        "{}",
        text(&down)
    );

    let up = yard.up().output().unwrap();
    assert!(up.status.success(), "{}", text(&up));
    let kept = sh(&format!("{source} kubectl get configmap kept -o name"));
    assert!(text(&kept).contains("configmap/kept"), "{}", text(&kept));
}

#[test]
fn a_signal_in_the_middle_leaves_nothing() {
    for (signal, code) in [
        (Signal::INT, Some(130)),
        (Signal::TERM, Some(130)),
        (Signal::KILL, None),
    ] {
        // On a busy machine the signal may come when all is up: then there was no middle, and it is tried again.
        let caught = (0..5).find_map(|_| {
            let yard = Yard::new("signal");
            let mut up = yard.up().stderr(Stdio::piped()).spawn().unwrap();
            until("the API server starts", Duration::from_mins(1), || {
                yard.0.join("logs/apiserver.log").exists()
            });
            assert!(!yard.processes().is_empty());
            kill(&up, signal);
            let ended = up.wait().unwrap();
            (!ended.success()).then_some((yard, ended.code()))
        });
        let (yard, ended) = caught.expect("five starts were all quicker than a signal");
        assert_eq!(ended, code, "after {signal:?}");
        // After SIGKILL the guards need a moment; after the others everything is done.
        let patience = if code.is_some() {
            Duration::ZERO
        } else {
            Duration::from_secs(30)
        };
        until("nothing runs", patience, || yard.processes().is_empty());
        assert!(!yard.0.join("playground.json").exists(), "after {signal:?}");
    }
}

/// Clouds and Secrets, but no operator: what it needs is all there, and a second life continues the first.
#[test]
fn the_clouds_come_with_their_secrets_and_are_continued() {
    let yard = Yard::new("clouds");
    let up = || {
        let up = yard
            .command("up")
            .args(["--without-operator", "--speed", "60"])
            .output()
            .unwrap();
        assert!(up.status.success(), "{}", text(&up));
        yard.json("playground.json")
    };
    let description = up();
    assert!(description["pids"]["sandbox"].is_u64(), "{description}");
    assert!(description["pids"]["operator"].is_null(), "{description}");
    assert_eq!(description["sandbox"], yard.json("sandbox/endpoints.json"));
    assert!(yard.0.join("logs/sandbox.log").is_file());

    let source = format!(". {}/env; ", yard.0.display());
    let world = yard.json("sandbox/world.json");
    for (secret, key) in [
        ("azure", "clientSecret"),
        ("aws", "secretAccessKey"),
        ("megaport", "secretKey"),
    ] {
        let read = format!(
            "{source} kubectl -n network get secret {secret} -o jsonpath='{{.data.{key}}}' | base64 -d"
        );
        assert_eq!(text(&sh(&read)), world[secret][key].as_str().unwrap());
    }
    let applied = sh(&format!("{source} kubectl apply -f {}", sample()));
    assert!(applied.status.success(), "{}", text(&applied));
    let variables = sh(&format!(
        "{source} echo $CAUSEWAY_TIME_SCALE $CAUSEWAY_AWS_ENDPOINT"
    ));
    assert_eq!(
        text(&variables).trim(),
        format!("60 {}", description["sandbox"]["aws"].as_str().unwrap())
    );

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ask = |description: &Value| {
        let endpoints = serde_json::from_value(description["sandbox"].clone()).unwrap();
        let sandbox = SandboxClient::new(endpoints).unwrap();
        let ledger: Value = runtime.block_on(sandbox.get("/ledger")).unwrap();
        assert_eq!(ledger, serde_json::json!([]));
        let clock: Value = runtime.block_on(sandbox.get("/clock")).unwrap();
        assert_eq!(clock["speed"].as_f64(), Some(60.0), "{clock}");
        clock["now"].as_str().unwrap().to_owned()
    };
    let before = ask(&description);
    assert!(yard.down().status.success());
    assert_eq!(yard.processes(), Vec::<String>::new());
    assert!(ask(&up()) > before, "simulated time went back");
}

fn sample() -> String {
    format!("{}/../config/samples/lab.yaml", env!("CARGO_MANIFEST_DIR"))
}

fn kill(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn a_folder_that_never_was_can_be_ended() {
    let folder = std::env::temp_dir().join("causeway-playground-that-never-was");
    let down = Command::new(env!("CARGO_BIN_EXE_playground"))
        .args(["down", "--dir"])
        .arg(&folder)
        .output()
        .unwrap();
    assert!(down.status.success(), "{}", text(&down));
    assert!(!folder.exists());
}

#[test]
fn a_speed_of_zero_is_refused_before_anything_starts() {
    let yard = Yard::new("speed");
    let up = yard.up().args(["--speed", "0"]).output().unwrap();
    assert!(
        !up.status.success() && text(&up).contains("must be above zero"),
        "{}",
        text(&up)
    );
    assert!(!yard.0.join("logs").exists());
}
