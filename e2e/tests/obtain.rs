//! Where the control plane's programs come from: each source, the order, and what goes wrong with it.
//! Programs are small scripts here, `go` too; the servers are local. The real build is what every other test runs on.
#![allow(clippy::unwrap_used)] // a failed assumption is a failed test

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use causeway_e2e::controlplane::{Binaries, ObtainError, Sources, Tool, Versions};
use sha2::{Digest as _, Sha512};

/// A world of its own for one test, removed at its end.
struct World {
    root: PathBuf,
    lines: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("causeway-obtain-{name}-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        Self {
            root,
            lines: Arc::default(),
        }
    }

    /// Nothing but the cache, and a `go` that does not exist.
    fn sources(&self) -> Sources {
        let lines = self.lines.clone();
        Sources {
            assets: None,
            cache: self.root.join("cache"),
            envtest_index: None,
            go: self.root.join("no-such-go"),
            progress: Arc::new(move |line| lines.lock().unwrap().push(line.to_owned())),
        }
    }

    fn said(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    fn cached(&self) -> PathBuf {
        self.root.join("cache").join(Versions::pinned().folder())
    }

    /// A stand-in for `go build … -o FILE PACKAGE`: writes its arguments to the log, runs `body`, makes FILE.
    fn go(&self, body: &str) -> PathBuf {
        let text = format!(
            "echo \"$CGO_ENABLED $*\" >> {root}/go.log\n{body}\n\
             while [ $# -gt 1 ]; do [ \"$1\" = -o ] && out=$2; shift; done\n\
             grep -q \"$1\" tools.go && grep -q k8s.io/kubernetes go.mod && printf 'built\\n' > \"$out\"",
            root = self.root.display()
        );
        script(&self.root.join("go"), &text)
    }

    fn go_log(&self) -> String {
        fs::read_to_string(self.root.join("go.log")).unwrap_or_default()
    }

    /// An envtest archive of scripts that say `word`.
    fn archive(&self, word: &str) -> Vec<u8> {
        let folder = self.root.join("controller-tools/envtest");
        fs::create_dir_all(&folder).unwrap();
        for tool in Tool::ENVTEST {
            script(&folder.join(tool.name()), &format!("echo {word}"));
        }
        let output = Command::new("tar")
            .arg("-czf")
            .arg("-")
            .arg("-C")
            .arg(&self.root)
            .arg("controller-tools")
            .output();
        output.unwrap().stdout
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn script(path: &Path, text: &str) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}

/// Serves an index that names one archive of the pinned minor version, and the archive.
async fn file_server(archive: Vec<u8>, hash: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let pinned = Versions::pinned();
    let (major, minor) = pinned.kubernetes_minor();
    let mut index = String::from("releases:\n");
    for (os, arch) in [("linux", "amd64"), ("linux", "arm64"), ("darwin", "arm64")] {
        let version = format!("v{major}.{minor}.2");
        if !index.contains(&version) {
            index.push_str(&format!("  {version}:\n"));
        }
        index.push_str(&format!(
            "    envtest-{version}-{os}-{arch}.tar.gz:\n      hash: {hash}\n      selfLink: {base}/envtest.tar.gz\n"
        ));
    }
    let router = Router::new()
        .route("/index.yaml", get(move || async move { index }))
        .route("/envtest.tar.gz", get(move || async move { archive }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("{base}/index.yaml")
}

fn sha512(bytes: &[u8]) -> String {
    hex::encode(Sha512::digest(bytes))
}

fn says(program: &Path) -> String {
    String::from_utf8(Command::new(program).output().unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}

#[tokio::test]
async fn a_full_cache_needs_nothing_else() {
    let world = World::new("cache");
    for tool in Tool::ALL {
        script(&world.cached().join(tool.name()), "echo cached");
    }
    let binaries = Binaries::obtain_from(&world.sources()).await.unwrap();
    assert_eq!(binaries.folder(), world.cached());
    assert_eq!(world.said(), "");
}

#[tokio::test]
async fn the_archive_is_downloaded_and_the_rest_built() {
    let world = World::new("download");
    let archive = world.archive("downloaded");
    let index = file_server(archive.clone(), sha512(&archive)).await;
    let sources = Sources {
        envtest_index: Some(index),
        go: world.go(""),
        ..world.sources()
    };
    let binaries = Binaries::obtain_from(&sources).await.unwrap();
    for tool in Tool::ENVTEST {
        assert_eq!(says(&binaries.path(tool)), "downloaded");
    }
    let log = world.go_log();
    let built: Vec<_> = log.lines().collect();
    assert_eq!(built.len(), 2, "{log}");
    assert!(
        built[0].starts_with("0 build ") && built[0].ends_with("/cmd/kube-controller-manager"),
        "{log}"
    );
    assert!(
        built[1].contains("chartutil.k8sVersionMinor=") && built[1].ends_with("/cmd/helm"),
        "{log}"
    );
    let said = world.said();
    assert!(
        said.contains("downloading") && said.contains("building helm (usually"),
        "{said}"
    );

    // Once is enough.
    Binaries::obtain_from(&world.sources()).await.unwrap();
}

#[tokio::test]
async fn a_changed_archive_is_refused() {
    let world = World::new("checksum");
    let index = file_server(world.archive("evil"), sha512(b"the archive as published")).await;
    let sources = Sources {
        envtest_index: Some(index),
        go: world.go(""),
        ..world.sources()
    };
    let error = Binaries::obtain_from(&sources).await.unwrap_err();
    assert!(matches!(error, ObtainError::Checksum { .. }), "{error}");
    assert!(
        error.to_string().contains("CAUSEWAY_ENVTEST_INDEX=off"),
        "{error}"
    );
    assert!(!world.cached().join("etcd").exists());
    assert_eq!(
        world.go_log(),
        "",
        "a refusal is not an absence: nothing else may be tried"
    );
}

#[tokio::test]
async fn what_cannot_be_reached_is_built() {
    let world = World::new("unreachable");
    // A port that was free a moment ago: the connection is refused.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let index = Some(format!("http://127.0.0.1:{port}/index.yaml"));
    let sources = Sources {
        envtest_index: index,
        go: world.go(""),
        ..world.sources()
    };
    Binaries::obtain_from(&sources).await.unwrap();
    assert_eq!(world.go_log().lines().count(), 5);
    assert!(
        world.said().contains("building from source"),
        "{}",
        world.said()
    );
}

#[tokio::test]
async fn kubebuilder_assets_come_first() {
    let world = World::new("assets");
    let assets = world.root.join("assets");
    let sources = Sources {
        assets: Some(assets.clone()),
        ..world.sources()
    };
    for tool in [Tool::Etcd, Tool::Kubectl] {
        script(&assets.join(tool.name()), "echo given");
    }
    let error = Binaries::obtain_from(&sources)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("no executable kube-apiserver"), "{error}");

    script(&assets.join("kube-apiserver"), "echo given");
    for tool in Tool::ALL {
        script(&world.cached().join(tool.name()), "echo cached");
    }
    let binaries = Binaries::obtain_from(&sources).await.unwrap();
    assert_eq!(says(&binaries.path(Tool::KubeApiserver)), "given");
    assert_eq!(says(&binaries.path(Tool::KubeControllerManager)), "cached");
    assert_eq!(says(&binaries.path(Tool::Helm)), "cached");
}

#[tokio::test]
async fn without_go_the_message_says_what_to_install() {
    let world = World::new("no-go");
    let error = Binaries::obtain_from(&world.sources())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("install Go 1.26") && error.contains("KUBEBUILDER_ASSETS"),
        "{error}"
    );
}

#[tokio::test]
async fn a_failed_build_shows_its_last_words_and_keeps_what_was_done() {
    let world = World::new("failed");
    let go = world.go("case $* in *apiserver) echo 'no space left on device' >&2; exit 1;; esac");
    let error = Binaries::obtain_from(&Sources {
        go,
        ..world.sources()
    })
    .await
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("kube-apiserver failed (exit status: 1)"),
        "{error}"
    );
    assert!(error.contains("no space left on device"), "{error}");
    assert!(world.cached().join("etcd").exists());
    assert!(!world.cached().join("kube-apiserver").exists());
}

#[tokio::test]
async fn two_at_once_build_once() {
    let world = World::new("twice");
    let sources = Sources {
        go: world.go("sleep 0.1"),
        ..world.sources()
    };
    let (one, two) = tokio::join!(
        Binaries::obtain_from(&sources),
        Binaries::obtain_from(&sources)
    );
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(world.go_log().lines().count(), 5, "{}", world.go_log());
}

#[tokio::test]
async fn an_abandoned_build_is_ended() {
    let world = World::new("abandoned");
    let go = world.go(&format!(
        "echo $$ > {}/pid; exec sleep 300",
        world.root.display()
    ));
    let sources = Sources {
        go,
        ..world.sources()
    };
    let pid_file = world.root.join("pid");
    let started = async {
        while fs::read_to_string(&pid_file)
            .unwrap_or_default()
            .trim()
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        result = Binaries::obtain_from(&sources) => panic_free(result),
        () = started => {}
    }
    let pid = fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    let deadline = Instant::now() + Duration::from_secs(20);
    while running(&pid) {
        assert!(Instant::now() < deadline, "the build {pid} still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn panic_free(result: Result<Binaries, ObtainError>) {
    assert!(result.is_err(), "a build that sleeps cannot be done");
}

fn running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| {
        rest.split_whitespace()
            .next()
            .is_some_and(|state| state != "Z")
    })
}
