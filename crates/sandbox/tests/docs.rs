//! `docs/sandbox.md` must name what there is: every key of a world file, every duration and bucket with its default,
//! every control call and effect.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use causeway_sandbox::throttle::LIMITS;
use causeway_sandbox::{World, arm, aws, control, megaport};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sandbox.md");
    std::fs::read_to_string(path).unwrap()
}

fn keys(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (k, v) in map {
                out.insert(k.clone());
                keys(v, out);
            }
        }
        Value::Array(list) => list.iter().for_each(|v| keys(v, out)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_default_world_is_documented() {
    let page = page();
    let mut all = BTreeSet::new();
    keys(&serde_json::to_value(World::default()).unwrap(), &mut all);
    assert!(all.len() > 60, "{}", all.len());
    let missing: Vec<&String> = all
        .iter()
        .filter(|k| !page.contains(&format!("`{k}`")))
        .collect();
    assert!(missing.is_empty(), "not in docs/sandbox.md: {missing:?}");
}

#[test]
fn durations_and_buckets_stand_with_their_defaults() {
    let page = page();
    let row = |name: &str, rest: String| format!("| `{name}` | {rest} |");
    let mut rows: Vec<String> = LIMITS
        .iter()
        .map(|(n, l)| {
            row(
                n,
                format!("{} | {}", l.burst, (l.per_second * 100.0).round() / 100.0),
            )
        })
        .collect();
    rows.extend(
        arm::durations::TABLE
            .iter()
            .map(|(n, s)| row(n, s.to_string())),
    );
    rows.extend(
        megaport::durations::TABLE
            .iter()
            .map(|(n, s)| row(n, s.to_string())),
    );
    rows.extend(
        aws::durations::TABLE
            .iter()
            .map(|(n, s)| row(n, s.to_string())),
    );
    let missing: Vec<&String> = rows.iter().filter(|r| !page.contains(*r)).collect();
    assert!(missing.is_empty(), "not in docs/sandbox.md: {missing:#?}");
}

#[test]
fn every_control_call_is_documented() {
    let page = page();
    for call in control::CALLS {
        let (method, path) = call.split_once(' ').unwrap();
        let plain = path.split('?').next().unwrap();
        assert!(page.contains(&format!("{method} {plain}")), "{call}");
    }
}

#[test]
fn a_world_file_may_give_a_part_and_the_default_survives_a_round_trip() {
    let default = serde_json::to_value(World::default()).unwrap();
    let again: World = serde_json::from_value(default.clone()).unwrap();
    assert_eq!(serde_json::to_value(again).unwrap(), default);
    let part = json!({"jitter": 0, "lags": {"ec2": 1.5}, "megaport": {"tokenSeconds": 60}, "throttles": {"directconnect": {"burst": 0, "perSecond": 0}}});
    let world: World = serde_json::from_value(part).unwrap();
    let world = serde_json::to_value(world).unwrap();
    assert_eq!(world["megaport"]["tokenSeconds"], 60);
    assert_eq!(
        world["megaport"]["locations"],
        default["megaport"]["locations"]
    );
    assert_eq!(world["aws"], default["aws"]);
}

/// Leaves of a JSON document as paths; positions in lists count.
fn leaves(value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(k, v)| leaves(v, &format!("{path}/{k}"), out)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(i, v)| leaves(v, &format!("{path}/{i}"), out)),
        leaf => {
            out.insert(format!("{path} = {leaf}"));
        }
    }
}

#[test]
fn the_tested_worlds_are_documented_and_say_nothing_that_is_ignored() {
    let page = page();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../e2e/worlds");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(world) = name.strip_suffix(".world.json") else {
            continue;
        };
        files += 1;
        assert!(
            page.contains(&format!("| `{world}` |")),
            "{world} is not in docs/sandbox.md"
        );
        let text = std::fs::read_to_string(&path).unwrap();
        let said: Value = serde_json::from_str(&text).unwrap();
        let world: World =
            serde_json::from_value(said.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut all = BTreeSet::new();
        keys(&said, &mut all);
        let missing: Vec<&String> = all
            .iter()
            .filter(|k| !page.contains(&format!("`{k}`")))
            .collect();
        assert!(
            missing.is_empty(),
            "{name}: not in docs/sandbox.md: {missing:?}"
        );
        // What a world file says must arrive: a key that nobody reads would make another world than it promises.
        let (mut wanted, mut arrived) = (BTreeSet::new(), BTreeSet::new());
        leaves(&said, "", &mut wanted);
        leaves(&serde_json::to_value(world).unwrap(), "", &mut arrived);
        let lost: Vec<&String> = wanted.difference(&arrived).collect();
        assert!(lost.is_empty(), "{name}: not read: {lost:?}");
    }
    assert!(files >= 13, "{files}");
    println!("{files} world files");
}
