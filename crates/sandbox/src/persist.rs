//! The sandbox's folder: what it needs to continue after a restart, also one by SIGKILL.
//!
//! - `state.json` — the clouds, the running operations, the faults, speed, seed and ports; replaced as a whole, before
//!   a changing call is answered, and once a second while nothing asks for it.
//! - `calls.jsonl` — the call log, one call a line, only ever appended to (it would make the state large).
//! - `clock` — simulated time, overwritten in place with every answer: what fell due after `state.json` was written
//!   happens again, by itself, when the state is brought to that moment.
//!
//! Renaming makes a write whole for whoever reads after a crash of the process; a crash of the machine is not provided
//! for (no fsync).

use crate::calls::LoggedCall;
use crate::sandbox::Sandbox;
use crate::state::State;
use crate::time::{Clock, SimTime};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Layout of `state.json`; another number can not be continued.
const FORMAT: u32 = 1;

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    #[error("can not {action} {path}: {source}")]
    Io {
        action: &'static str,
        path: String,
        source: std::io::Error,
    },
    #[error(
        "{path} can not be understood ({source}); it was written by another version: use another --dir or remove it"
    )]
    Format {
        path: String,
        source: serde_json::Error,
    },
    #[error(
        "{path} has format {found}, this version continues format {FORMAT}: use another --dir or remove it"
    )]
    Version { path: String, found: u32 },
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> PersistError {
    let path = path.display().to_string();
    move |source| PersistError::Io {
        action,
        path,
        source,
    }
}

/// Reads a file; `None` when there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, PersistError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io("read", path)(e)),
    }
}

/// Replaces a file as a whole. It may hold credentials, so only its owner can read it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), PersistError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(io("create", &new))?;
    file.write_all(bytes).map_err(io("write", &new))?;
    drop(file);
    std::fs::rename(&new, path).map_err(io("replace", path))
}

/// What stays the same over restarts, next to the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ports {
    pub listen: IpAddr,
    pub azure: u16,
    pub azure_authority: u16,
    pub aws: u16,
    pub megaport: u16,
    pub megaport_auth: u16,
    pub control: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedRef<'a> {
    format: u32,
    ports: &'a Ports,
    seed: u64,
    speed: f64,
    paused: bool,
    state: &'a State,
}

/// What a folder continues from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    pub ports: Ports,
    pub seed: u64,
    pub speed: f64,
    pub paused: bool,
    pub state: State,
}

impl Saved {
    /// A sandbox that goes on where this ends.
    pub fn resume(self, speed: Option<f64>) -> Sandbox {
        let mut clock = Clock::new(self.state.now, speed.unwrap_or(self.speed));
        clock.set_paused(self.paused);
        Sandbox::from_parts(self.state, clock)
    }
}

fn state_path(dir: &Path) -> PathBuf {
    dir.join("state.json")
}
fn calls_path(dir: &Path) -> PathBuf {
    dir.join("calls.jsonl")
}
fn clock_path(dir: &Path) -> PathBuf {
    dir.join("clock")
}

/// Loads what `dir` holds, with everything due by its clock processed; `None` when nothing was saved there.
pub fn load(dir: &Path) -> Result<Option<Saved>, PersistError> {
    let path = state_path(dir);
    let Some(bytes) = read(&path)? else {
        return Ok(None);
    };
    let format = |source| PersistError::Format {
        path: path.display().to_string(),
        source,
    };
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let version: Version = serde_json::from_slice(&bytes).map_err(format)?;
    if version.format != FORMAT {
        return Err(PersistError::Version {
            path: path.display().to_string(),
            found: version.format,
        });
    }
    let mut saved: Saved = serde_json::from_slice(&bytes).map_err(format)?;
    saved.state.calls.entries = load_calls(dir)?;
    if let Some(bytes) = read(&clock_path(dir))? {
        let clock = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|t| t.trim().parse().ok())
            .unwrap_or(saved.state.now.0);
        saved.state.advance_to(SimTime(clock));
    }
    Ok(Some(saved))
}

/// Reads the call log and cuts off a last line that a crash left unfinished.
fn load_calls(dir: &Path) -> Result<Vec<LoggedCall>, PersistError> {
    let path = calls_path(dir);
    let file = match File::open(&path) {
        Ok(f) => f,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io("read", &path)(e)),
    };
    let mut reader = BufReader::new(file);
    let (mut entries, mut line, mut good) = (Vec::new(), Vec::new(), 0);
    loop {
        line.clear();
        let n = reader
            .read_until(b'\n', &mut line)
            .map_err(io("read", &path))?;
        if n == 0 || line.last() != Some(&b'\n') {
            break;
        }
        let Ok(entry) = serde_json::from_slice(&line) else {
            break;
        };
        entries.push(entry);
        good += n as u64;
    }
    OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|f| f.set_len(good))
        .map_err(io("truncate", &path))?;
    Ok(entries)
}

/// Writes a running sandbox into its folder.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    ports: Ports,
    seed: u64,
    sandbox: Sandbox,
    clock: File,
    /// [`Sandbox::changes`] as of the last save; `u64::MAX` before the first.
    saved: AtomicU64,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    /// The last call in `calls.jsonl`.
    seq: u64,
    calls: File,
}

impl Store {
    /// Opens `dir`, whose call log holds the calls up to now when `continued`.
    pub fn open(
        dir: &Path,
        ports: Ports,
        seed: u64,
        sandbox: Sandbox,
        continued: bool,
    ) -> Result<Self, PersistError> {
        let path = calls_path(dir);
        let calls = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(io("open", &path))?;
        if !continued {
            // Without a state a log is a leftover.
            calls.set_len(0).map_err(io("truncate", &path))?;
        }
        let path = clock_path(dir);
        let clock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io("open", &path))?;
        let seq = if continued {
            sandbox.raw(|s, _| s.calls.next_seq() - 1)
        } else {
            0
        };
        let progress = Mutex::new(Progress { seq, calls });
        Ok(Self {
            dir: dir.to_owned(),
            ports,
            seed,
            sandbox,
            clock,
            saved: AtomicU64::new(u64::MAX),
            progress,
        })
    }

    /// Whether something has changed that must be saved before it is answered.
    pub fn behind(&self) -> bool {
        self.saved.load(Ordering::Acquire) != self.sandbox.changes()
    }

    /// Saves unless the change number `wanted` has been saved by somebody else while we waited. Blocks on the disk.
    pub fn save(&self, wanted: u64) -> Result<(), PersistError> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = self.saved.load(Ordering::Acquire);
        if saved != u64::MAX && saved >= wanted {
            return Ok(());
        }
        self.write_all(&mut progress)
    }

    /// Saves in any case. Blocks on the disk.
    pub fn save_now(&self) -> Result<(), PersistError> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_all(&mut progress)
    }

    fn write_all(&self, progress: &mut Progress) -> Result<(), PersistError> {
        // Before the state is read: a change in between is then saved once more, never missed.
        let changes = self.sandbox.changes();
        let path = state_path(&self.dir);
        let (state, lines, seq) = self
            .sandbox
            .raw(|state, clock| {
                state.advance_to(clock.now());
                let calls = std::mem::take(&mut state.calls);
                let out = self.encode(state, clock);
                state.calls = calls;
                let mut lines = Vec::new();
                for call in state.calls.since(progress.seq) {
                    serde_json::to_writer(&mut lines, call)?;
                    lines.push(b'\n');
                }
                Ok((out?, lines, state.calls.next_seq() - 1))
            })
            .map_err(|source| PersistError::Format {
                path: path.display().to_string(),
                source,
            })?;
        let calls = calls_path(&self.dir);
        progress
            .calls
            .write_all(&lines)
            .map_err(io("append to", &calls))?;
        progress.seq = seq;
        write(&path, &state)?;
        self.saved.store(changes, Ordering::Release);
        Ok(())
    }

    fn encode(&self, state: &State, clock: &Clock) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&SavedRef {
            format: FORMAT,
            ports: &self.ports,
            seed: self.seed,
            speed: clock.speed(),
            paused: clock.paused(),
            state,
        })
    }

    /// Notes simulated time; cheap enough for every answer.
    pub fn tick(&self) -> Result<(), PersistError> {
        let now = self.sandbox.now();
        self.clock
            .write_all_at(format!("{:020}\n", now.0).as_bytes(), 0)
            .map_err(io("write", &clock_path(&self.dir)))
    }
}
