//! Python programs as tests: a virtual environment with pinned packages, made once in the user's cache, the sandbox as a
//! process of its own, and a program run against it in bounded time.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `${XDG_CACHE_HOME:-~/.cache}/causeway/python`.
fn cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty());
    let base = match (variable("XDG_CACHE_HOME"), variable("HOME")) {
        (Some(dir), _) => PathBuf::from(dir),
        (None, Some(home)) => PathBuf::from(home).join(".cache"),
        (None, None) => panic!("set HOME or XDG_CACHE_HOME: Python packages are kept there"),
    };
    base.join("causeway/python")
}

fn must_run(command: &mut Command, remedy: &str) {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}. {remedy}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}\n{remedy}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The interpreter of an environment that has what the requirements file pins. Made on first use; two processes that
/// ask at once make it once.
pub fn interpreter(name: &str, requirements: &Path) -> PathBuf {
    let pins = std::fs::read(requirements).unwrap();
    let digest = hex::encode(Sha256::digest(&pins));
    let root = cache();
    std::fs::create_dir_all(&root).unwrap();
    let dir = root.join(format!("{name}-{}", &digest[..12]));
    let lock = File::create(root.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let (python, ready) = (dir.join("bin/python"), dir.join("ready"));
    if !ready.exists() {
        let _ = std::fs::remove_dir_all(&dir);
        let base = std::env::var("CAUSEWAY_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        must_run(
            Command::new(base).args(["-m", "venv"]).arg(&dir),
            "The conformance tests need Python 3.9 or newer with its venv module (CAUSEWAY_PYTHON names another one).",
        );
        must_run(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "-r",
                ])
                .arg(requirements),
            "The packages come from the configured Python package index.",
        );
        std::fs::write(&ready, digest).unwrap();
    }
    python
}

/// A process that ends with this value.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the sandbox on free ports and waits until it serves.
pub fn sandbox(dir: &Path, speed: u32) -> Process {
    let log = File::create(dir.join("log")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_causeway-sandbox"))
        .arg("--dir")
        .arg(dir)
        .args(["--speed", &speed.to_string()])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let begun = Instant::now();
    while !dir.join("endpoints.json").exists() {
        let ended = process.0.try_wait().unwrap();
        assert!(
            ended.is_none() && begun.elapsed() < Duration::from_secs(30),
            "the sandbox does not serve ({ended:?}): {}",
            std::fs::read_to_string(dir.join("log")).unwrap_or_default()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    process
}

/// Runs a program to its end, at most `limit`; answers what it printed. It must succeed.
pub fn run(command: &mut Command, output: &Path, limit: Duration) -> String {
    let file = File::create(output).unwrap();
    let child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let begun = Instant::now();
    let printed = || std::fs::read_to_string(output).unwrap_or_default();
    loop {
        if let Some(status) = process.0.try_wait().unwrap() {
            assert!(status.success(), "{command:?}: {status}\n{}", printed());
            return printed();
        }
        assert!(
            begun.elapsed() < limit,
            "{command:?} has not ended after {limit:?}\n{}",
            printed()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
