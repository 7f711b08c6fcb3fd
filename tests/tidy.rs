//! The promises of ARCHITECTURE.md and CONTRIBUTING.md, kept by a test.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const CRATES: [&str; 6] = ["models", "detectors", "ingest", "query", "dashboards", "fixtures"];
/// Longest source file; most should be far shorter.
const MAX_LINES: usize = 700;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under a folder with one of these extensions.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && !["target", "node_modules", "dist", ".git"].contains(&name.as_str()) {
            found.extend(files(&entry, extensions));
        } else if entry.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted)) {
            found.push(entry);
        }
    }
    found
}

fn rust_files() -> Vec<PathBuf> {
    let folders = CRATES.iter().map(|folder| root().join(folder)).chain([root().join("src"), root().join("tests")]);
    folders.flat_map(|folder| files(&folder, &["rs"])).collect()
}

fn show(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The crates of ours that a crate depends on, in tests too; only in tests may that be `fixtures`.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let (normal, tests) = manifest.split_once("[dev-dependencies]").unwrap_or((&manifest, ""));
    let named = |name: &&str, part: &str| part.contains(&format!("andon-{name}")) && *name != folder;
    let of_tests = |name: &&str| named(name, tests) && *name != "fixtures";
    CRATES.into_iter().filter(|name| named(name, normal) || of_tests(name)).map(str::to_owned).collect()
}

#[test]
fn crates_import_only_what_the_map_allows() {
    let allowed: [(&str, &[&str]); 6] = [
        ("models", &[]),
        ("detectors", &["models"]),
        ("ingest", &["models"]),
        ("query", &["models"]),
        ("dashboards", &["models", "query"]),
        ("fixtures", &["models"]),
    ];
    for (folder, allowed) in allowed {
        let allowed: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let extra: Vec<_> = dependencies(folder).difference(&allowed).cloned().collect();
        assert!(extra.is_empty(), "{folder} must not import {extra:?}");
    }
}

#[test]
fn the_thinking_crates_stay_pure() {
    let banned = [
        "tokio",
        "async fn",
        "std::fs",
        "std::net",
        "std::thread",
        "SystemTime",
        "Instant::now",
        "tracing::",
        "datafusion",
        "println!",
    ];
    for path in ["models/src", "detectors/src"].iter().flat_map(|folder| files(&root().join(folder), &["rs"])) {
        let text = fs::read_to_string(&path).unwrap();
        for word in banned {
            assert!(!text.contains(word), "{}: `{word}` does not belong in a crate that only thinks", show(&path));
        }
    }
    for folder in ["models", "detectors"] {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        for word in ["tokio", "datafusion", "arrow", "axum"] {
            assert!(!manifest.contains(word), "{folder}/Cargo.toml must not depend on {word}");
        }
    }
}

#[test]
fn only_the_clock_reads_the_wall_clock() {
    for path in rust_files().into_iter().filter(|path| !path.starts_with(root().join("tests"))) {
        let text = fs::read_to_string(&path).unwrap();
        let clock = path.ends_with("src/service/clock.rs");
        assert!(clock || !text.contains("SystemTime::now"), "{}: ask src/service/clock.rs for the time", show(&path));
    }
}

#[test]
fn source_files_are_small_and_say_what_they_are() {
    for path in rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{}: opens with what it is (`//! …`)", show(&path));
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines; split it (at most {MAX_LINES})", show(&path));
        assert!(path.file_name().unwrap() != "mod.rs", "{}: `foo.rs` beside `foo/`, no `mod.rs`", show(&path));
    }
}

#[test]
fn paths_named_in_the_architecture_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let named: BTreeSet<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('/') && (word.ends_with(".rs") || word.ends_with('/') || word.ends_with(".yaml")))
        .filter(|word| !word.starts_with("data/") && !word.starts_with('/') && !word.contains([' ', '<', '*']))
        .collect();
    assert!(named.len() > 20, "the map names its places");
    for path in named {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names {path}, which does not exist");
    }
}

#[test]
fn every_action_and_input_of_detectors_occurs_in_a_scenario() {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let vocabulary = read(&root().join("detectors/src/action.rs"));
    let stage = read(&root().join("detectors/src/testing.rs"));
    let scenarios: String = files(&root().join("detectors/src/scenarios"), &["rs"]).iter().map(|path| read(path)).collect();
    for (kind, start) in [("Action", "pub enum Action {"), ("Input", "pub enum Input<'a> {")] {
        let body = vocabulary.split(start).nth(1).unwrap_or_else(|| panic!("detectors define {kind}"));
        let body = body.split("\n}").next().unwrap();
        let variants =
            body.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with(char::is_uppercase));
        for variant in variants.filter_map(|line| line.split(|c: char| !c.is_alphanumeric()).next()) {
            assert!(stage.contains(&format!("{kind}::{variant}")), "the stage of scenarios does not know {kind}::{variant}");
            let word = format!("> {}", variant.to_lowercase());
            let shown = kind == "Input" || ["Record", "Keep"].contains(&variant) || scenarios.contains(&word);
            assert!(shown, "no scenario expects {kind}::{variant} (`{word}`)");
        }
    }
}

#[test]
fn the_repository_holds_what_a_newcomer_looks_for() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE",
        "deny.toml",
        "clippy.toml",
        "rustfmt.toml",
        "Cargo.lock",
    ] {
        assert!(root().join(name).exists(), "{name} is missing");
    }
}
