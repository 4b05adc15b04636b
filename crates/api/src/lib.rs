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

/// What the kinds with cloud objects have in common.
pub trait Managed {
    /// The short word of the kind in names of reports and key Secrets.
    const PREFIX: children::KindPrefix;
    /// How the cloud objects are treated.
    fn policy(&self) -> &common::Policy;
    /// The shared part of the status, as soon as there is one.
    fn common(&self) -> Option<&status::CommonStatus>;
    /// The shared part of the status, made if there is none yet.
    fn common_mut(&mut self) -> &mut status::CommonStatus;
}

macro_rules! managed {
    ($($kind:ident => $prefix:ident;)*) => {$(
        impl Managed for $kind {
            const PREFIX: children::KindPrefix = children::KindPrefix::$prefix;
            fn policy(&self) -> &common::Policy {
                &self.spec.policy
            }
            fn common(&self) -> Option<&status::CommonStatus> {
                self.status.as_ref().map(|s| &s.common)
            }
            fn common_mut(&mut self) -> &mut status::CommonStatus {
                &mut self.status.get_or_insert_default().common
            }
        }
    )*};
}

managed! {
    HybridInterconnect => Hi;
    ExpressRouteLink => Er;
    DirectConnectLink => Dx;
    VpnPair => Vpn;
}
