//! What is created, changed and deleted: each kind of link alone, and the lab's interconnect with its links.
//!
//! May name objects and fields, and act as the people do whose router and gateway a link alone uses.

use super::super::case::Case;
use super::super::human::Human;
use super::super::rig::Rig;
use super::super::sweep;
use crate::trial::document;
use causeway_sandbox::world::World;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// What lives and dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    ExpressRouteLink,
    DirectConnectLink,
    VpnPair,
    /// The lab's `HybridInterconnect`, with one link of each kind.
    Lab,
}

impl Kind {
    pub const ALL: [Self; 4] = [
        Self::ExpressRouteLink,
        Self::DirectConnectLink,
        Self::VpnPair,
        Self::Lab,
    ];

    fn file(self) -> &'static str {
        match self {
            Self::ExpressRouteLink => "expressroutelink.yaml",
            Self::DirectConnectLink => "directconnectlink.yaml",
            Self::VpnPair => "vpnpair.yaml",
            Self::Lab => "lab.yaml",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExpressRouteLink => "er",
            Self::DirectConnectLink => "dx",
            Self::VpnPair => "vpn",
            Self::Lab => "lab",
        })
    }
}

/// What the operator is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Create,
    Update,
    Delete,
}

impl Phase {
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

/// A rig with the kind's world, in which its objects were just applied.
pub(super) async fn set(kind: Kind) -> Rig {
    let mut case = Case {
        world: World::default(),
        manifests: Vec::new(),
        seed: 1,
    };
    sweep::hurry(&mut case);
    let mut rig = Rig::new(&case);
    let mut manifest = document(kind.file(), rig.namespace());
    let spec = &mut manifest["spec"];
    if kind != Kind::Lab {
        let human = Human::of(&rig).await;
        if kind != Kind::VpnPair {
            let router = json!(human.router().await);
            match kind {
                Kind::ExpressRouteLink => spec["ports"][0]["routerRef"]["productUID"] = router,
                _ => spec["routerRef"]["productUID"] = router,
            }
        }
        match kind {
            Kind::DirectConnectLink => {
                let gateway = human.gateway(&rig).await;
                spec["association"]["virtualPrivateGatewayRef"]["id"] = json!(gateway);
            }
            Kind::VpnPair => {
                spec["virtualPrivateGatewayRef"]["id"] = json!(human.gateway(&rig).await);
            }
            _ => {}
        }
        rig.pass(Duration::from_mins(5)).await;
    }
    rig.set_manifests(vec![manifest]);
    rig.apply_all().await;
    rig
}

/// Begins what the phase is about.
pub(super) async fn begin(kind: Kind, phase: Phase, rig: &Rig) {
    match phase {
        Phase::Create => {}
        Phase::Update => change(kind, rig).await,
        Phase::Delete => rig.delete_all().await,
    }
}

/// Changes what can be changed in place, and adds what can be added.
async fn change(kind: Kind, rig: &Rig) {
    let (of, name) = match kind {
        Kind::ExpressRouteLink => ("ExpressRouteLink", "to-azure"),
        Kind::DirectConnectLink => ("DirectConnectLink", "to-aws"),
        Kind::VpnPair => ("VpnPair", "backup"),
        Kind::Lab => ("HybridInterconnect", "lab"),
    };
    let mut object = rig
        .get(of, name)
        .await
        .unwrap_or_else(|| panic!("{of} {name} is not there"));
    let spec = &mut object["spec"];
    // The VPC's own prefix and one beside it.
    let prefixes = json!(["172.16.0.0/16", "172.17.0.0/16"]);
    match kind {
        Kind::ExpressRouteLink => {
            spec["circuit"]["bandwidthMbps"] = json!(100);
            spec["connection"]["routingWeight"] = json!(10);
            let mut second = spec["ports"][0].clone();
            second["name"] = json!("Secondary");
            push(&mut spec["ports"], second);
        }
        Kind::DirectConnectLink => {
            spec["bandwidthMbps"] = json!(100);
            spec["association"]["allowedPrefixes"] = prefixes;
        }
        Kind::VpnPair => {
            spec["gateway"]["sku"] = json!("VpnGw3AZ");
            spec["dpdTimeoutSeconds"] = json!(60);
        }
        Kind::Lab => {
            spec["expressRoutes"][0]["circuit"]["bandwidthMbps"] = json!(100);
            let mut second = spec["expressRoutes"][0]["ports"][0].clone();
            second["name"] = json!("Secondary");
            push(&mut spec["expressRoutes"][0]["ports"], second);
            spec["directConnects"][0]["bandwidthMbps"] = json!(100);
            spec["aws"]["directConnectGateway"]["allowedPrefixes"] = prefixes;
        }
    }
    let patch = Patch::Merge(json!({ "spec": spec }));
    let patched = rig
        .kind(of)
        .patch(name, &PatchParams::default(), &patch)
        .await;
    patched.unwrap_or_else(|e| panic!("{of} {name} can not be changed: {e}"));
}

fn push(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}
