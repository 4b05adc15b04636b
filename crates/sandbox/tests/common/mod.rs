//! What the socket tests share: a folder of their own and an HTTPS client that trusts the sandbox's CA and nothing else.
#![allow(dead_code, reason = "not every test file uses all of it")]

pub mod python;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A new empty folder under the target directory.
pub fn folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{n}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

pub fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// An HTTPS client for the sandbox in `dir`.
pub fn client(dir: &Path) -> reqwest::Client {
    causeway_sandbox::tls::install_provider();
    let pem = std::fs::read(dir.join("ca.pem")).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

/// The URL of a listener, as `endpoints.json` names it.
pub fn url(dir: &Path, listener: &str) -> String {
    json_file(&dir.join("endpoints.json"))[listener]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Waits, at most ten seconds, until `ready`.
pub async fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "timed out: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
