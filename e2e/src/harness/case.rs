//! What a rig starts from: a case, or a snapshot of a rig; and the runtime in which it lives, with its clock paused.
//!
//! Builds rigs and takes copies; judges nothing. For tests only, hence the panics.
#![allow(clippy::panic)]

use super::apiserver::{ApiServer, ApiState};
use super::rig::{BUILT, Rig};
use causeway_sandbox::world::World;
use causeway_sandbox::{Sandbox, State};
use serde_json::Value;
use std::sync::OnceLock;

/// Runs `f` on this thread with tokio's clock paused: time passes when nobody has anything to do. Several may run side by
/// side on threads of their own.
///
/// # Panics
/// When no runtime can be had.
pub fn simulate<T>(f: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap_or_else(|error| panic!("no runtime: {error}"));
    runtime.block_on(f())
}

/// What a rig starts from.
#[derive(Clone, Debug)]
pub struct Case {
    pub world: World,
    /// Objects to apply, in order; all in one namespace, which is made with them.
    pub manifests: Vec<Value>,
    pub seed: u64,
}

impl Case {
    /// The lab: the default world and `config/samples/lab.yaml`.
    ///
    /// # Panics
    /// When the sample can not be read.
    pub fn lab() -> Self {
        Self {
            world: World::default(),
            manifests: vec![crate::trial::document("lab.yaml", "network")],
            seed: 1,
        }
    }

    /// In clouds whose reads lag as long as the sandbox takes: half of what the operator allows for.
    #[must_use]
    pub fn lagging(mut self) -> Self {
        let most = [
            ("arm", 30.0),
            ("ec2", 60.0),
            ("directconnect", 60.0),
            ("megaport", 150.0),
        ];
        for (provider, seconds) in most {
            self.world.lags.insert(provider.to_owned(), seconds);
        }
        self
    }

    pub(super) fn namespace(&self) -> String {
        self.manifests
            .iter()
            .find_map(|m| m["metadata"]["namespace"].as_str())
            .unwrap_or("network")
            .to_owned()
    }
}

/// Everything but the operator's memory, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) state: State,
    pub(super) api: ApiState,
    pub(super) manifests: Vec<Value>,
    pub(super) namespace: String,
}

/// Takes snapshots of a rig without being it. They are lean: of the call log they keep the last entry only.
#[derive(Clone)]
pub(super) struct Camera {
    pub(super) sandbox: Sandbox,
    pub(super) api: ApiServer,
    pub(super) manifests: Vec<Value>,
    pub(super) namespace: String,
}

impl Camera {
    pub(super) fn take(&self) -> Snapshot {
        let state = self.sandbox.raw(|state, clock| {
            state.advance_to(clock.now());
            let calls = std::mem::take(&mut state.calls);
            let mut copy = state.clone();
            copy.calls.entries.extend(calls.entries.last().cloned());
            state.calls = calls;
            copy
        });
        Snapshot {
            state,
            api: self.api.snapshot(),
            manifests: self.manifests.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

/// The lab with all its links Ready, built once in a process. To be asked for outside of [`simulate`]: it has a runtime of
/// its own.
///
/// # Panics
/// When the lab does not become Ready.
pub fn ready_lab() -> &'static Snapshot {
    static LAB: OnceLock<Snapshot> = OnceLock::new();
    LAB.get_or_init(|| {
        built(&Case::lab(), async |rig| {
            rig.until("Ready", BUILT, Rig::lab_is_ready).await;
        })
    })
}

/// A case built by an operator that has ended, once `steady` has returned: what many tests start from.
pub fn built(case: &Case, steady: impl AsyncFnOnce(&Rig)) -> Snapshot {
    simulate(async || {
        let mut rig = Rig::new(case);
        rig.start_operator();
        rig.apply_all().await;
        steady(&rig).await;
        rig.stop_operator().await;
        rig.snapshot()
    })
}
