//! A real control plane without containers: etcd, kube-apiserver and kube-controller-manager of one pinned version.
//!
//! May: fetch and build binaries into the user's cache, start processes on free loopback ports, write into the folder it
//! was given. May not: need root, listen beyond loopback, leave a process behind — also when the starting process panics
//! or is killed ([`Processes`]).
//!
//! ```text
//! Binaries::obtain()                where the five programs come from, in which order   (binaries, download, gobuild)
//! ControlPlane::start(binaries, d)  etcd → apiserver → controller manager, each ready   (start, pki)
//! SharedControlPlane                one per test binary, a namespace per test           (shared)
//! audit::read                       who asked what of the API server, and its answer    (audit)
//! ```

pub mod audit;
mod binaries;
mod download;
mod gobuild;
mod pki;
mod process;
mod shared;
mod start;
mod versions;

pub use binaries::{Binaries, ObtainError, Progress, Sources, Tool};
pub(crate) use pki::write_private;
pub use process::{ProcessError, ProcessId, Processes};
pub use shared::{SharedControlPlane, TestNamespace};
pub use start::{ControlPlane, ControlPlaneError, client_for};
pub use versions::Versions;
