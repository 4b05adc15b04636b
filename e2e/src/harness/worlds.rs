//! The worlds of `e2e/worlds/`: a world file as `causeway-sandbox --world` takes it, and the resources to build in it.
//! docs/sandbox.md says what is special about each.
//!
//! Compiled in, so that a test binary runs anywhere. For tests, hence the panics.
#![allow(clippy::panic)]

use super::case::Case;
use causeway_sandbox::World;
use serde_json::Value;

/// Name, world file, manifests.
type Files = (&'static str, &'static str, &'static str);

macro_rules! worlds {
    ($($name:literal),* $(,)?) => {
        const FILES: &[Files] = &[$((
            $name,
            include_str!(concat!("../../worlds/", $name, ".world.json")),
            include_str!(concat!("../../worlds/", $name, ".yaml")),
        )),*];
    };
}

worlds![
    "lab",
    "both-ports",
    "both-ports-unfiltered",
    "two-routers",
    "two-circuits",
    "two-interconnects",
    "vpn-only",
    "private-only",
    "direct-connect-only",
    "more-specific",
    "gateway-subnet-appliance",
    "gateway-subnet-local",
    "overlap",
];

/// The world that needs somebody to break it first, and whose leak need not come to rest.
pub const UNFILTERED: &str = "both-ports-unfiltered";

fn case((name, world, manifests): &Files) -> Case {
    let world: World =
        serde_json::from_str(world).unwrap_or_else(|e| panic!("e2e/worlds/{name}.world.json: {e}"));
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifests)
        .unwrap_or_else(|e| panic!("e2e/worlds/{name}.yaml: {e}"));
    Case {
        world,
        manifests: documents.into_iter().filter(|d| !d.is_null()).collect(),
        seed: 1,
    }
}

/// All of them, by name.
///
/// # Panics
/// When a file of one can not be read as what it is.
pub fn all() -> Vec<(&'static str, Case)> {
    FILES.iter().map(|f| (f.0, case(f))).collect()
}

/// One of them.
///
/// # Panics
/// When there is none with this name.
pub fn named(name: &str) -> Case {
    let found = FILES.iter().find(|f| f.0 == name);
    let known: Vec<&str> = FILES.iter().map(|f| f.0).collect();
    case(found.unwrap_or_else(|| panic!("no world {name}; there are: {}", known.join(", "))))
}
