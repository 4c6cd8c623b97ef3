//! The policy of `deny.toml` about licences, banned crates, sources and duplicates, held against `Cargo.lock` in every test run.
//! `cargo deny` says the same with more detail, but takes long to build and is not on every machine.

// The allowances for tests in clippy.toml do not reach functions beside the tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

struct Policy {
    licences: BTreeSet<String>,
    banned: BTreeMap<String, String>,
    skipped: BTreeMap<String, String>,
}

fn policy(text: &str) -> Policy {
    let deny: toml::Table = text.parse().unwrap();
    let listed = |key: &str| {
        let entries = deny["bans"][key].as_array().unwrap().iter();
        entries.map(|entry| {
            let reason = entry.get("reason").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
            (entry["crate"].as_str().unwrap().to_owned(), reason)
        })
    };
    Policy {
        licences: deny["licenses"]["allow"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l.as_str().unwrap().to_owned())
            .collect(),
        banned: listed("deny").collect(),
        skipped: listed("skip").collect(),
    }
}

/// Whether an SPDX expression (the old `/` means OR) can be met by the licences in `allowed`.
fn met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (answer, end) = any_of(&words, 0, allowed);
    answer && end == words.len()
}

fn any_of(words: &[&str], at: usize, allowed: &BTreeSet<String>) -> (bool, usize) {
    let (mut answer, mut at) = all_of(words, at, allowed);
    while words.get(at) == Some(&"OR") {
        let (next, end) = all_of(words, at + 1, allowed);
        (answer, at) = (answer || next, end);
    }
    (answer, at)
}

fn all_of(words: &[&str], at: usize, allowed: &BTreeSet<String>) -> (bool, usize) {
    let (mut answer, mut at) = one(words, at, allowed);
    while words.get(at) == Some(&"AND") {
        let (next, end) = one(words, at + 1, allowed);
        (answer, at) = (answer && next, end);
    }
    (answer, at)
}

fn one(words: &[&str], at: usize, allowed: &BTreeSet<String>) -> (bool, usize) {
    match words.get(at..).unwrap_or_default() {
        ["(", ..] => {
            let (answer, end) = any_of(words, at + 1, allowed);
            (answer && words.get(end) == Some(&")"), end + 1)
        }
        [licence, "WITH", exception, ..] => (allowed.contains(&format!("{licence} WITH {exception}")), at + 3),
        [licence, ..] => (allowed.contains(*licence), at + 1),
        [] => (false, at),
    }
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

fn label(package: &Value) -> String {
    format!("{} {}", name(package), package["version"].as_str().unwrap())
}

/// Everything in the tree of `metadata` that `policy` does not want.
fn complaints(metadata: &Value, policy: &Policy) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> = list(&metadata["packages"])
        .into_iter()
        .map(|package| (package["id"].as_str().unwrap().to_owned(), package))
        .collect();
    let nodes: BTreeMap<String, Value> = list(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|node| (node["id"].as_str().unwrap().to_owned(), node))
        .collect();
    let root = metadata["resolve"]["root"].as_str().unwrap();
    let mut found = Vec::new();

    for id in nodes.keys().filter(|id| *id != root) {
        let package = &packages[id];
        match package["license"].as_str() {
            Some(licence) if met(licence, &policy.licences) => {}
            other => found.push(format!("{}: licence {other:?}", label(package))),
        }
        if package["source"] != CRATES_IO {
            found.push(format!("{}: from {}", label(package), package["source"]));
        }
        if let Some(reason) = policy.banned.get(name(package)) {
            found.push(format!("{}: banned: {reason}", label(package)));
        }
    }

    // What is built into the program: over normal and build dependencies, from ours on.
    let edges = |id: &str, development: bool| -> Vec<String> {
        let of_kind = |edge: &Value| {
            list(&edge["dep_kinds"]).iter().any(|kind| development || kind["kind"].is_null() || kind["kind"] == "build")
        };
        list(&nodes[id]["deps"])
            .iter()
            .filter(|edge| of_kind(edge))
            .map(|edge| edge["pkg"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut built: BTreeSet<String> = edges(root, false).into_iter().collect();
    let mut waiting: Vec<String> = built.iter().cloned().collect();
    while let Some(id) = waiting.pop() {
        waiting.extend(edges(&id, false).into_iter().filter(|next| built.insert(next.clone())));
    }
    let direct: BTreeSet<String> = edges(root, false).iter().map(|id| name(&packages[id]).to_owned()).collect();
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for id in &built {
        versions.entry(name(&packages[id])).or_default().push(label(&packages[id]));
    }
    for (name, versions) in versions {
        let twice = versions.len() > 1 && direct.contains(name);
        if twice && !policy.skipped.contains_key(name) {
            found.push(format!("{name}: more than once: {versions:?}"));
        }
        if !twice && policy.skipped.contains_key(name) {
            found.push(format!("{name}: deny.toml skips it, but it is there once"));
        }
    }
    for (name, reason) in policy.banned.iter().chain(&policy.skipped) {
        if reason.is_empty() {
            found.push(format!("{name}: deny.toml gives no reason"));
        }
    }
    found
}

#[test]
fn the_dependency_tree_keeps_to_deny_toml() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Other platforms' crates are not on this machine, and no test may fetch them.
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", &triple])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(metadata["resolve"]["nodes"].as_array().unwrap().len() > 100);
    let found = complaints(&metadata, &policy(&std::fs::read_to_string(root.join("deny.toml")).unwrap()));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for good in
        ["MIT", "MIT/GPL-3.0", "GPL-3.0 OR MIT", "(GPL-3.0 OR MIT) AND Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(met(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "GPL-3.0 OR MIT AND GPL-3.0",
        "(MIT",
        "MIT MIT",
        "GPL-2.0 WITH LLVM-exception",
    ] {
        assert!(!met(bad, &allowed), "{bad}");
    }
}

#[test]
fn each_breach_is_reported() {
    let package = |name: &str, version: &str, licence: Option<&str>, source: &str| serde_json::json!({ "id": format!("{name}@{version}"), "name": name, "version": version, "license": licence, "source": source });
    let node = |id: &str, deps: &[(&str, Option<&str>)]| {
        let deps: Vec<Value> =
            deps.iter().map(|(id, kind)| serde_json::json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] })).collect();
        serde_json::json!({ "id": id, "deps": deps })
    };
    let metadata = serde_json::json!({
        "packages": [
            package("ours", "1", None, "local"),
            package("good", "1", Some("MIT"), CRATES_IO),
            package("good", "2", Some("MIT"), CRATES_IO),
            package("copyleft", "1", Some("GPL-3.0"), CRATES_IO),
            package("unsaid", "1", None, CRATES_IO),
            package("ring", "1", Some("MIT"), CRATES_IO),
            package("forked", "1", Some("MIT"), "git+https://example.com/x"),
            package("serde", "1", Some("MIT"), CRATES_IO),
            package("serde", "2", Some("MIT"), CRATES_IO),
        ],
        "resolve": { "root": "ours@1", "nodes": [
            node("ours@1", &[("good@1", None), ("serde@1", None), ("unsaid@1", Some("dev"))]),
            node("good@1", &[("good@2", None), ("copyleft@1", None), ("ring@1", None), ("forked@1", None)]),
            node("good@2", &[]), node("copyleft@1", &[]), node("unsaid@1", &[("serde@2", None)]), node("ring@1", &[]),
            node("forked@1", &[]), node("serde@1", &[]), node("serde@2", &[]),
        ] },
    });
    let policy = policy(
        "licenses.allow = ['MIT']\n[bans]\ndeny = [{ crate = 'ring', reason = 'one provider' }]\nskip = [{ crate = 'absent' }]",
    );
    let found = complaints(&metadata, &policy);
    let wanted = [
        "copyleft 1: licence Some(\"GPL-3.0\")",
        "forked 1: from \"git+https://example.com/x\"",
        "ring 1: banned: one provider",
        "unsaid 1: licence None",
        "good: more than once: [\"good 1\", \"good 2\"]",
        "absent: deny.toml gives no reason",
    ];
    assert_eq!(found, wanted);
}
