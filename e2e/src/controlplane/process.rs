//! Starting processes and making sure that they end.
//!
//! May: spawn, signal and reap processes that it started. May not: look for processes by name, or signal an ID that has
//! been given to another process since (an ID is kept with the process's start time).
//!
//! Three ways lead to the end of a process: [`Processes::stop_all`] (also on drop, so on a panic), the guard — a shell
//! that waits for our end of a pipe to close, which the kernel does for every way of dying — and, for processes that were
//! detached on purpose, [`ProcessId::stop`] from a later process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};

/// How often a process that was asked to end is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How long a process may take to end after SIGTERM before it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(10);

/// Failures of starting and watching a process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started at all.
    #[error("cannot start {name} ({program}): {source}")]
    Spawn {
        name: String,
        program: PathBuf,
        source: io::Error,
    },
    /// Its log file could not be opened.
    #[error("cannot write the log of {name} to {path}: {source}")]
    Log {
        name: String,
        path: PathBuf,
        source: io::Error,
    },
    /// The shell that ends our processes after our own death could not be started or spoken to.
    #[error("cannot start /bin/sh as the guard that ends our processes when we die: {0}")]
    Guard(io::Error),
    /// The process ended although it should run.
    #[error("{name} ended ({status}); the end of its log {log}:\n{tail}")]
    Exited {
        name: String,
        status: String,
        log: PathBuf,
        tail: String,
    },
    /// Nothing of that name was started here.
    #[error("no process named {0} was started here")]
    Unknown(String),
}

/// A process, told from a later one with the same ID by its start time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The name it was started under, such as `apiserver`.
    pub name: String,
    /// The process ID.
    pub pid: u32,
    /// Its start in clock ticks since boot; absent where there is no /proc.
    started: Option<u64>,
}

impl ProcessId {
    fn of(name: &str, pid: u32) -> Self {
        Self {
            name: name.to_owned(),
            pid,
            started: stat(pid).map(|stat| stat.started),
        }
    }

    /// Whether it still runs. A zombie does not: it holds nothing but its entry in the process table.
    pub fn is_alive(&self) -> bool {
        match (stat(self.pid), self.started) {
            (Some(now), Some(started)) => now.started == started && !now.zombie,
            (None, Some(_)) => false,
            (_, None) => self.raw().is_some_and(|pid| test_kill_process(pid).is_ok()),
        }
    }

    fn raw(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid).ok()?)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.raw().filter(|_| self.is_alive()) {
            // It may end between the look and the signal: that is what we want anyway.
            let _ = kill_process(pid, signal);
        }
    }

    /// SIGTERM, up to ten seconds of patience, SIGKILL. Returns whether it is gone (true as well if it never ran).
    pub fn stop(&self) -> bool {
        self.end(Signal::TERM, GRACE) || self.kill()
    }

    /// SIGKILL at once.
    pub fn kill(&self) -> bool {
        self.end(Signal::KILL, GRACE)
    }

    /// SIGSTOP: it stands still and notices nothing, until [`ProcessId::resume`].
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn end(&self, signal: Signal, patience: Duration) -> bool {
        self.signal(signal);
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }
}

struct Stat {
    zombie: bool,
    started: u64,
}

/// State and start time from `/proc/PID/stat` (proc(5): fields 3 and 22; the name in field 2 may hold spaces and brackets).
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?;
    Some(Stat {
        zombie: matches!(state, "Z" | "X"),
        started: fields.nth(18)?.parse().ok()?,
    })
}

/// Ends our processes, newest first, when the pipe to it closes. It sits in its own process group: the Ctrl-C that ends us
/// must not end it.
const GUARD: &str = r#"
trap '' HUP INT TERM
pids= dir=
while read -r verb what; do
  case $verb in
    pid) pids="$what $pids" ;;
    gone) left=; for p in $pids; do [ "$p" = "$what" ] || left="$left $p"; done; pids=$left ;;
    dir) dir=$what ;;
    release) exit 0 ;;
  esac
done
for p in $pids; do
  kill -TERM "$p" 2>/dev/null || continue
  n=0
  while [ $n -lt 50 ] && kill -0 "$p" 2>/dev/null; do sleep 0.1; n=$((n + 1)); done
  kill -KILL "$p" 2>/dev/null
done
[ -z "$dir" ] || rm -rf -- "$dir"
"#;

pub(super) struct Guard {
    shell: Child,
    pipe: ChildStdin,
}

impl Guard {
    pub(super) fn start() -> Result<Self, ProcessError> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", GUARD])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(ProcessError::Guard)?;
        let pipe = shell
            .stdin
            .take()
            .ok_or_else(|| ProcessError::Guard(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Self { shell, pipe })
    }

    fn say(&mut self, verb: &str, what: &str) -> Result<(), ProcessError> {
        writeln!(self.pipe, "{verb} {what}").map_err(ProcessError::Guard)
    }

    pub(super) fn watch(&mut self, pid: u32) -> Result<(), ProcessError> {
        self.say("pid", &pid.to_string())
    }

    /// After this the guard ends without ending anything.
    pub(super) fn release(mut self) {
        // If it is gone already, there is nothing to release.
        let _ = self.say("release", "");
        let Self { mut shell, pipe } = self;
        drop(pipe);
        let _ = shell.wait();
    }
}

struct Running {
    id: ProcessId,
    child: Child,
    log: PathBuf,
    /// What it was started with, to start it again.
    again: Command,
}

/// A stack of processes: started in order, ended in the reverse order, at the latest when this value is dropped or the
/// process that holds it dies in any way.
pub struct Processes {
    logs: PathBuf,
    running: Vec<Running>,
    guard: Option<Guard>,
    scratch: Option<PathBuf>,
}

impl Processes {
    /// An empty stack; each process will log to `logs/NAME.log`.
    pub fn new(logs: &Path) -> Result<Self, ProcessError> {
        fs::create_dir_all(logs).map_err(|source| ProcessError::Log {
            name: "the processes".into(),
            path: logs.to_owned(),
            source,
        })?;
        Ok(Self {
            logs: logs.to_owned(),
            running: Vec::new(),
            guard: Some(Guard::start()?),
            scratch: None,
        })
    }

    /// `folder` is removed when the processes have ended (unless they were detached): for tests.
    pub fn remove_at_end(&mut self, folder: &Path) -> Result<(), ProcessError> {
        self.scratch = Some(folder.to_owned());
        self.tell("dir", &folder.to_string_lossy())
    }

    fn tell(&mut self, verb: &str, what: &str) -> Result<(), ProcessError> {
        self.guard
            .as_mut()
            .map_or(Ok(()), |guard| guard.say(verb, what))
    }

    /// Starts `command` under `name`, with its output in `logs/NAME.log` (appended: a restart keeps what was there).
    pub fn spawn(&mut self, name: &str, mut command: Command) -> Result<ProcessId, ProcessError> {
        let log = self.logs.join(format!("{name}.log"));
        let failed = |source| ProcessError::Log {
            name: name.into(),
            path: log.clone(),
            source,
        };
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(failed)?;
        let err = File::try_clone(&out).map_err(failed)?;
        // A group of its own: Ctrl-C on the terminal reaches only us, and we end the others in order.
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0);
        let child = command.spawn().map_err(|source| ProcessError::Spawn {
            name: name.into(),
            program: command.get_program().into(),
            source,
        })?;
        let id = ProcessId::of(name, child.id());
        self.running.push(Running {
            id: id.clone(),
            child,
            log,
            again: command,
        });
        self.tell("pid", &id.pid.to_string())?;
        Ok(id)
    }

    /// The error that tells why `name` ended, if it has.
    pub fn check(&mut self, name: &str) -> Result<(), ProcessError> {
        let one = self
            .running
            .iter_mut()
            .rev()
            .find(|one| one.id.name == name);
        let one = one.ok_or_else(|| ProcessError::Unknown(name.into()))?;
        let status = match one.child.try_wait() {
            Ok(None) => return Ok(()),
            Ok(Some(status)) => status.to_string(),
            Err(error) => error.to_string(),
        };
        Err(ProcessError::Exited {
            name: name.into(),
            status,
            log: one.log.clone(),
            tail: tail(&one.log, 15),
        })
    }

    /// [`Processes::check`] of every one.
    pub fn check_all(&mut self) -> Result<(), ProcessError> {
        for id in self.ids() {
            self.check(&id.name)?;
        }
        Ok(())
    }

    /// What runs, in the order of its start.
    pub fn ids(&self) -> Vec<ProcessId> {
        self.running.iter().map(|one| one.id.clone()).collect()
    }

    /// The process `name`, if it was started and not stopped.
    pub fn id(&self, name: &str) -> Option<ProcessId> {
        self.running
            .iter()
            .rev()
            .find(|one| one.id.name == name)
            .map(|one| one.id.clone())
    }

    /// Ends one process in an orderly way.
    pub fn stop(&mut self, name: &str) -> Result<(), ProcessError> {
        self.remove(name, ProcessId::stop)
    }

    /// Ends one process as a crash would (SIGKILL).
    pub fn kill(&mut self, name: &str) -> Result<(), ProcessError> {
        self.remove(name, ProcessId::kill)
    }

    /// Ends one process, as a crash would or in an orderly way, and starts it again as it was started. It is then the
    /// newest of the stack.
    pub fn restart(&mut self, name: &str, crash: bool) -> Result<(), ProcessError> {
        let at = self.running.iter().rposition(|one| one.id.name == name);
        let mut one = self
            .running
            .remove(at.ok_or_else(|| ProcessError::Unknown(name.into()))?);
        let end = if crash {
            ProcessId::kill
        } else {
            ProcessId::stop
        };
        self.end(&mut one, end);
        self.spawn(name, one.again).map(drop)
    }

    fn remove(&mut self, name: &str, end: fn(&ProcessId) -> bool) -> Result<(), ProcessError> {
        let at = self.running.iter().rposition(|one| one.id.name == name);
        let mut one = self
            .running
            .remove(at.ok_or_else(|| ProcessError::Unknown(name.into()))?);
        self.end(&mut one, end);
        Ok(())
    }

    fn end(&mut self, one: &mut Running, end: fn(&ProcessId) -> bool) {
        if end(&one.id) {
            let _ = one.child.wait();
        }
        // Its ID may be given to another process from here on.
        let _ = self.tell("gone", &one.id.pid.to_string());
    }

    /// Ends all processes, the newest first (so the API server before its etcd).
    pub fn stop_all(&mut self) {
        while let Some(mut one) = self.running.pop() {
            self.end(&mut one, ProcessId::stop);
        }
        if let Some(folder) = self.scratch.take() {
            let _ = fs::remove_dir_all(folder);
        }
        if let Some(guard) = self.guard.take() {
            guard.release();
        }
    }

    /// Lets the processes live on after us; whoever has the IDs can end them. The stack is empty then.
    pub fn detach(&mut self) -> Vec<ProcessId> {
        let ids = self.ids();
        self.running.clear();
        self.scratch = None;
        if let Some(guard) = self.guard.take() {
            guard.release();
        }
        ids
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop_all();
    }
}

/// The last `lines` lines of a log.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)] // a failed assumption is a failed test

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("causeway-process-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn sleeper() -> Command {
        let mut command = Command::new("sleep");
        command.arg("300");
        command
    }

    #[test]
    fn a_panic_ends_what_was_started() {
        let folder = folder("panic");
        let logs = folder.clone();
        let (send, receive) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let mut processes = Processes::new(&logs).unwrap();
            send.send(processes.spawn("sleeper", sleeper()).unwrap())
                .unwrap();
            panic!("the test that held the control plane failed");
        });
        let id = receive.recv().unwrap();
        assert!(thread.join().is_err());
        assert!(!id.is_alive());
        fs::remove_dir_all(folder).unwrap();
    }

    /// A forgotten stack stands for a killed process: no destructor runs, only the pipe closes.
    #[test]
    fn the_guard_ends_what_a_killed_process_leaves() {
        let folder = folder("guard");
        let mut processes = Processes::new(&folder).unwrap();
        processes.remove_at_end(&folder).unwrap();
        let first = processes.spawn("first", sleeper()).unwrap();
        let second = processes.spawn("second", sleeper()).unwrap();
        let guard = processes.guard.take().unwrap();
        let children = std::mem::take(&mut processes.running);
        processes.scratch = None;
        std::mem::forget(processes);
        let Guard { mut shell, pipe } = guard;
        assert!(first.is_alive() && second.is_alive());
        drop(pipe);
        // Zombies answer `kill -0`: reap them, as init would after our death.
        for mut one in children.into_iter().rev() {
            one.child.wait().unwrap();
        }
        shell.wait().unwrap();
        assert!(!first.is_alive() && !second.is_alive());
        assert!(!folder.exists());
    }

    #[test]
    fn detached_processes_live_on_until_stopped_by_id() {
        let folder = folder("detach");
        let mut processes = Processes::new(&folder).unwrap();
        processes.spawn("sleeper", sleeper()).unwrap();
        let ids = processes.detach();
        assert!(ids[0].is_alive());
        assert!(ids[0].stop());
        assert!(!ids[0].is_alive());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn another_process_under_the_same_id_is_left_alone() {
        let folder = folder("reuse");
        let mut processes = Processes::new(&folder).unwrap();
        let id = processes.spawn("sleeper", sleeper()).unwrap();
        let stranger = ProcessId {
            started: id.started.map(|ticks| ticks + 1),
            ..id.clone()
        };
        assert!(stranger.stop(), "to us, it is gone");
        assert!(id.is_alive());
        processes.stop_all();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_early_end_is_told_with_the_log() {
        let folder = folder("exit");
        let mut processes = Processes::new(&folder).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo address already in use >&2; exit 7"]);
        processes.spawn("etcd", command).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let error = loop {
            match processes.check("etcd") {
                Err(error) => break error.to_string(),
                Ok(()) => assert!(Instant::now() < deadline, "it never ended"),
            }
            thread::sleep(POLL);
        };
        assert!(
            error.contains("etcd ended (exit status: 7)")
                && error.contains("address already in use"),
            "{error}"
        );
        drop(processes);
        fs::remove_dir_all(folder).unwrap();
    }
}
