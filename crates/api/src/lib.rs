//! The custom resources of Causeway: types, schemas, CEL rules, conditions and reasons.
//!
//! May name: kube's derives and core types, k8s-openapi, serde. May not: a client, tokio, or any other crate of the
//! workspace. Nothing here talks to a cluster or a cloud; conversions into the model's types live in the operator.

pub mod aws;
pub mod azure;
pub mod children;
pub mod common;
pub mod conditions;
pub mod directconnect;
pub mod expressroute;
pub mod generate;
pub mod interconnect;
pub mod megaport;
pub mod report;
pub mod rules;
pub mod schema;
pub mod status;
pub mod vpn;

pub use conditions::{ConditionType, Reason};
pub use directconnect::{DirectConnectLink, DirectConnectLinkSpec, DirectConnectLinkStatus};
pub use expressroute::{ExpressRouteLink, ExpressRouteLinkSpec, ExpressRouteLinkStatus};
pub use generate::{all_crds, all_crds_yaml};
pub use interconnect::{HybridInterconnect, HybridInterconnectSpec, HybridInterconnectStatus};
pub use report::{RouteReport, RouteReportSpec, RouteReportStatus};
pub use vpn::{VpnPair, VpnPairSpec, VpnPairStatus};

/// API group of all kinds.
pub const GROUP: &str = "causeway.dev";
/// The only version of the group so far.
pub const VERSION: &str = "v1alpha1";
/// Annotation, set once with the finalizer, whose value marks the cloud objects of a resource. It survives a restore from
/// backup, unlike the UID.
pub const OWNER_ID_ANNOTATION: &str = "causeway.dev/owner-id";
/// Finalizer of every kind and of the Secrets in use.
pub const FINALIZER: &str = "causeway.dev/finalizer";
