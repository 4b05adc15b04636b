//! The pages that people read: what they link to exists, and so do the files and the make targets that they name.
#![allow(clippy::unwrap_used)] // a failed assumption is a failed test

use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

fn pages() -> Vec<PathBuf> {
    let mut all = vec![repository().join("README.md")];
    for entry in fs::read_dir(repository().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            all.push(path);
        }
    }
    assert!(all.len() > 8, "{all:?}");
    all
}

/// What stands between two marks, for each occurrence, within one line.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.lines()
        .flat_map(|line| line.split(open).skip(1))
        .filter_map(|rest| rest.split_once(close).map(|(inside, _)| inside))
        .collect()
}

/// The anchor that a heading gets: lower case, spaces as hyphens, punctuation left out.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in between(&text, "](", ")") {
            if link.starts_with("http") {
                continue;
            }
            checked += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(file)
            };
            let found = target.exists()
                && (heading.is_empty()
                    || fs::read_to_string(&target).is_ok_and(|t| {
                        t.lines()
                            .any(|l| l.starts_with('#') && anchor(l) == heading)
                    }));
            if !found {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(checked > 30, "only {checked} links");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_and_targets_that_are_named_exist() {
    let makefile = fs::read_to_string(repository().join("Makefile")).unwrap();
    let roots = [
        "src/", "crates/", "e2e/", "config/", "charts/", "docs/", "tests/",
    ];
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for word in between(&text, "`", "`") {
            let path = roots.iter().any(|root| word.starts_with(root))
                && !word.contains(['…', ' ', '*', '<', '{']);
            if path && !repository().join(word).exists() {
                wrong.push(format!("{}: {word}", page.display()));
            }
            if let Some(target) = word.strip_prefix("make ") {
                let target = target.split(' ').next().unwrap();
                if !makefile.contains(&format!("\n{target}:")) {
                    wrong.push(format!("{}: make {target}", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Pages speak of the project alone: nobody else's machine is in them.
#[test]
fn no_page_shows_a_machine() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for top in ["home", "root", "work", "Users"] {
            let path = format!("/{top}/");
            assert!(!text.contains(&path), "{}: {path}", page.display());
        }
    }
}
