//! AWS's own SDK for Python, unchanged, drives AWS's half of the lab's life on the sandbox, and every raw answer is held
//! against the models that it ships (e2e/conformance/aws). Without Python this fails; it is never skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::python;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[test]
fn boto3_lives_the_lab() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/conformance/aws");
    let interpreter = python::interpreter("aws", &folder.join("requirements.txt"));
    let dir = common::folder("conformance-aws");
    let _sandbox = python::sandbox(&dir, 1200);
    let printed = python::run(
        Command::new(interpreter)
            .arg(folder.join("drive.py"))
            .arg("--dir")
            .arg(&dir)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true"),
        &dir.join("printed"),
        Duration::from_mins(5),
    );
    let last = printed.lines().last().unwrap_or_default();
    println!("{last}");
    let answers: u32 = last.split(' ').next().unwrap().parse().unwrap();
    assert!(answers > 200 && last.contains(" 0 defects"), "{last}");
}
