//! `make demo`'s program: it holds from beginning to end, and a Ctrl-C in the middle leaves no process behind.
#![allow(clippy::unwrap_used)] // a failed assumption is a failed test

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A folder of its own, removed at the end.
struct Yard(PathBuf);

impl Yard {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("causeway-demo-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn demo(&self, output: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        let file = fs::File::create(self.0.join(output)).unwrap();
        command
            .arg("--dir")
            .arg(self.0.join("yard"))
            // Slow enough that a look every half second sees the wait for the provider, which lasts a few simulated minutes.
            .args(["--speed", "150"])
            .stderr(file.try_clone().unwrap())
            .stdout(file)
            .stdin(Stdio::null());
        command
    }

    fn read(&self, output: &str) -> String {
        fs::read_to_string(self.0.join(output)).unwrap()
    }

    /// Command lines of all processes that have this folder in theirs.
    fn processes(&self) -> Vec<String> {
        let folder = self.0.to_string_lossy();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            // Processes come and go while we read; a zombie has an empty command line.
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(&*folder) {
                found.push(line);
            }
        }
        found
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_holds_and_ends_with_the_ledger() {
    let yard = Yard::new("whole");
    let status = yard.demo("out").status().unwrap();
    let text = yard.read("out");
    assert!(status.success(), "{text}");
    assert_eq!(yard.processes(), Vec::<String>::new());
    for line in [
        "Deleting=True WaitingForProviderDeprovision",
        "ok      everything was bought once",
        "ok      nothing is paid for any more",
        "ok      no cloud object is left",
        "== The lab's life held",
    ] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    // Over and back. The two directions fail over at different times, so a look in between may show Split: then the way
    // goes over that.
    let moves: Vec<&str> = text
        .lines()
        .filter(|l| l.contains("hi/lab         active path"))
        .collect();
    let over = moves.iter().position(|l| l.ends_with("→ VPN"));
    let back = moves.iter().rposition(|l| l.ends_with("→ ExpressRoute"));
    assert!(
        over.zip(back).is_some_and(|(over, back)| over < back),
        "{moves:#?}"
    );
    // For a log: no control characters but line ends.
    assert!(
        text.chars().all(|c| c == '\n' || !c.is_control()),
        "control characters in the output"
    );
}

#[test]
fn an_interrupt_in_the_middle_leaves_no_process() {
    let yard = Yard::new("interrupt");
    let mut demo = yard.demo("out").spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(3);
    while !yard.read("out").contains("Accepted=True") {
        assert!(Instant::now() < deadline, "{}", yard.read("out"));
        assert!(demo.try_wait().unwrap().is_none(), "{}", yard.read("out"));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(yard.processes().len() > 4, "{:?}", yard.processes());
    let pid = Pid::from_raw(i32::try_from(demo.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let status = demo.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{}", yard.read("out"));
    assert_eq!(yard.processes(), Vec::<String>::new());
    assert!(!Path::new(&yard.0.join("yard/playground.json")).exists());
}
