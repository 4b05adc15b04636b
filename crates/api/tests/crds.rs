//! The generated definitions are current, bounded, documented and affordable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use causeway_api::generate::{all_crds, crd_file_name, crd_yaml};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a generated file with the committed one, or rewrites it.
fn check(path: &Path, text: &str) {
    if std::env::var_os("CAUSEWAY_REGENERATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(path)
        .unwrap_or_else(|e| panic!("{} cannot be read ({e}): run `make generate`", path.display()));
    assert!(committed == text, "{} is stale: run `make generate`", path.display());
}

#[test]
fn definitions_are_current() {
    for crd in all_crds() {
        check(&repository().join("crds").join(crd_file_name(&crd)), &crd_yaml(&crd).unwrap());
    }
}

#[test]
fn conditions_page_is_current() {
    check(&repository().join("docs/conditions.md"), &causeway_api::conditions::conditions_markdown());
}
