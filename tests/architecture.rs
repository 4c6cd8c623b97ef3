//! Holds the shape of the code: who may use whom (the table in `docs/architecture.md`), what is pure, where the constructors of
//! authority may be named, and a few habits. Then it proves on made-up trees that each of these can fail.

// The allowances for tests in clippy.toml do not reach functions beside the tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/scan.rs"]
mod scan;
#[path = "architecture/table.rs"]
mod table;

use std::fs;
use std::path::Path;

#[test]
fn the_code_keeps_to_its_rooms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = rules::check(root);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    // A walk that finds nothing would be content with anything.
    assert!(rules::walk(&root.join("src")).len() > 50);
}

const TABLE: &str = "## Who may use whom\n\nWords.\n\n| Layer | Rooms | May use |\n|---|---|---|\n\
    | words | `domain` | nothing of ours |\n\
    | core | `grant`, `identity`, `audit::event` | words |\n\
    | core | `policy` | words, `grant::ActiveGrant` |\n\
    | use cases | `service` | words, core |\n\
    | adapters | `store`, `target`, `audit::log` | words, core, use cases |\n\
    | adapters | `ssh` | words, core, use cases, `store` |\n\
    | wiring | `app`, `main` | everything |\n\nMore words.\n";

/// A tree that keeps every rule; each row below breaks one.
const GOOD: &[(&str, &str)] = &[
    ("docs/architecture.md", TABLE),
    ("Cargo.toml", "[dependencies]\nserde = \"1\"\nregex = \"1\"\nsqlx = \"0.9\"\n"),
    ("src/lib.rs", "//! Map.\npub mod domain;\n"),
    ("src/main.rs", "//! Thin.\nfn main() { doorward::app::run(doorward::store::open()); }\n"),
    ("src/domain/mod.rs", "//! Words.\nmod names;\npub use names::Name;\nuse serde::Serialize;\n"),
    ("src/domain/names.rs", "//! Names. `std::fs` in a comment is not a use.\npub struct Name;\n"),
    ("src/grant/mod.rs", "//! Grants.\nmod request;\npub use request::{ActiveGrant, Request};\n"),
    ("src/grant/request.rs", "//! Requests.\nuse crate::domain::Name;\npub struct ActiveGrant;\npub struct Request;\n"),
    ("src/identity/mod.rs", "//! Who.\nuse russh::keys::PublicKey;\n"),
    ("src/policy/mod.rs", "//! May it?\nuse crate::grant::ActiveGrant;\n#[cfg(test)]\nmod tests;\n"),
    (
        "src/policy/tests.rs",
        "use std::fs;\nuse crate::store::open;\nuse crate::service::ports::Cleared;\nfn f() { Cleared::new(); }\n",
    ),
    (
        "src/audit/mod.rs",
        "//! Evidence.\npub mod event;\npub mod log;\npub use event::AuditEvent;\npub use log::Log;\n",
    ),
    ("src/audit/event.rs", "//! Events.\nuse crate::domain::{self, Name};\n"),
    (
        "src/audit/log.rs",
        "//! The log.\nuse super::event::AuditEvent;\nuse crate::service::Committed;\nfn f() { Committed::at(1); }\n",
    ),
    (
        "src/service/mod.rs",
        "//! Use cases.\nuse crate::audit::AuditEvent;\npub struct Committed;\nfn f() { Cleared::new(); }\n",
    ),
    (
        "src/store/mod.rs",
        "//! SQL.\nuse sqlx::Row as _;\nconst S: &str = \"crate::ssh::x println!() // \";\nconst C: char = '\"';\n",
    ),
    ("src/target/mod.rs", "//! Out.\nuse russh::client;\n"),
    ("src/ssh/mod.rs", "//! Door.\nuse russh::{keys, server::{self, Auth}};\nuse crate::store::open;\n"),
    ("src/app.rs", "//! Wiring.\nuse crate::{audit::log::Log, ssh, store, target};\n"),
    ("tests/keys.rs", "//! Refuses \"-----BEGIN OPENSSH PRIVATE KEY-----\".\n#[test]\nfn f() {}\n"),
];

fn complaints(change: Option<(&str, &str)>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let files =
        GOOD.iter().copied().filter(|(name, _)| change.is_none_or(|(changed, _)| changed != *name)).chain(change);
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    rules::check(folder.path())
}

#[test]
fn a_good_tree_has_no_complaint() {
    assert_eq!(complaints(None), Vec::<String>::new());
}

#[test]
fn each_violation_is_reported_with_its_file_and_line() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(600));
    let key = ["-----BEGIN OPENSSH PRIVATE", " KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n"].concat();
    let key_in_string =
        ["//! Key.\nconst K: &str = \"-----BEGIN PRIVATE", " KEY-----\\nMC4CAQAwBQYDK2VwBCIEIDexample\\n\";\n"]
            .concat();
    let rows: &[(&str, &str, &str)] = &[
        // who may use whom
        (
            "src/domain/names.rs",
            "//! X\n\nuse crate::grant::Request;\n",
            "src/domain/names.rs:3: `domain` (words) may not use `grant::request::Request`",
        ),
        (
            "src/grant/request.rs",
            "//! X\nuse crate::identity::User;\n",
            "src/grant/request.rs:2: `grant` (core) may not use `identity::User`",
        ),
        (
            "src/policy/mod.rs",
            "//! X\nuse crate::grant::Request;\n",
            "src/policy/mod.rs:2: `policy` (core) may not use `grant::request::Request`",
        ),
        ("src/policy/mod.rs", "//! X\nuse crate::grant::{ActiveGrant, Request};\n", "src/policy/mod.rs:2: `policy`"),
        ("src/policy/mod.rs", "//! X\nuse crate::\n  grant::\n  request::Request;\n", "src/policy/mod.rs:4: `policy`"),
        ("src/policy/mod.rs", "//! X\nuse super::grant::Request;\n", "src/policy/mod.rs:2: `policy`"),
        (
            "src/grant/request.rs",
            "//! X\nuse super::super::service::Services;\n",
            "src/grant/request.rs:2: `grant` (core) may not use `service::Services`",
        ),
        (
            "src/grant/mod.rs",
            "//! X\nmod inner { fn f() { super::super::service::g(); } }\n",
            "src/grant/mod.rs:2: `grant` (core) may not use `service::g`",
        ),
        (
            "src/grant/mod.rs",
            "//! X\nfn f() -> Vec<crate::store::Row> {}\n",
            "src/grant/mod.rs:2: `grant` (core) may not use `store::Row`",
        ),
        (
            "src/grant/mod.rs",
            "//! X\nfn f() { store::open(); }\nuse crate::store;\n",
            "src/grant/mod.rs:2: `grant` (core) may not use `store::open`",
        ),
        (
            "src/service/mod.rs",
            "//! X\nuse crate::store::Row;\n",
            "src/service/mod.rs:2: `service` (use cases) may not use `store::Row` (adapters)",
        ),
        (
            "src/service/mod.rs",
            "//! X\nuse crate::audit::Log;\n",
            "src/service/mod.rs:2: `service` (use cases) may not use `audit::log::Log`",
        ),
        (
            "src/service/mod.rs",
            "//! X\nuse crate::audit::{event, log::Log};\n",
            "src/service/mod.rs:2: `service` (use cases) may not use `audit::log::Log`",
        ),
        (
            "src/audit/event.rs",
            "//! X\nuse super::log::Log;\n",
            "src/audit/event.rs:2: `audit::event` (core) may not use `audit::log::Log`",
        ),
        (
            "src/store/mod.rs",
            "//! X\nuse crate::ssh::Door;\n",
            "src/store/mod.rs:2: `store` (adapters) may not use `ssh::Door`",
        ),
        (
            "src/target/mod.rs",
            "//! X\nuse crate::store as other;\nfn f() { other::open(); }\n",
            "src/target/mod.rs:2: `target`",
        ),
        ("src/prompt/mod.rs", "//! X\n", "src/prompt/mod.rs:1: `prompt` has no row"),
        ("src/audit/new.rs", "//! X\n", "src/audit/new.rs:1: `audit::new` has no row"),
        // purity
        ("src/policy/mod.rs", "//! X\nuse std::{fmt, fs};\n", "src/policy/mod.rs:2: `std::fs` in `policy`"),
        (
            "src/policy/mod.rs",
            "//! X\nuse std::time::{Duration, Instant};\n",
            "src/policy/mod.rs:2: `std::time::Instant`",
        ),
        (
            "src/policy/mod.rs",
            "//! X\nfn f() { std::time::SystemTime::now(); }\n",
            "src/policy/mod.rs:2: `std::time::SystemTime",
        ),
        (
            "src/policy/mod.rs",
            "//! X\nuse chrono::Utc;\nfn f() { Utc::now(); }\n",
            "src/policy/mod.rs:3: `chrono::Utc::now`",
        ),
        ("src/policy/mod.rs", "//! X\nuse std::env;\n", "src/policy/mod.rs:2: `std::env`"),
        (
            "src/policy/mod.rs",
            "//! X\nuse std::net::{IpAddr, TcpStream};\n",
            "src/policy/mod.rs:2: `std::net::TcpStream`",
        ),
        ("src/policy/mod.rs", "//! X\nuse tokio::sync::mpsc;\n", "src/policy/mod.rs:2: `tokio::sync::mpsc`"),
        ("src/policy/mod.rs", "//! X\nfn f() { rand::random::<u8>(); }\n", "src/policy/mod.rs:2: `rand::random`"),
        ("src/policy/mod.rs", "//! X\nuse russh::Channel;\n", "src/policy/mod.rs:2: `russh::Channel`"),
        ("src/domain/mod.rs", "//! X\nuse russh::keys::PublicKey;\n", "src/domain/mod.rs:2: `russh::keys::PublicKey`"),
        ("src/domain/mod.rs", "//! X\nuse regex::Regex;\n", "src/domain/mod.rs:2: `regex::Regex`"),
        // homes and authority
        (
            "src/target/mod.rs",
            "//! X\nuse russh::server::Handler;\n",
            "src/target/mod.rs:2: `russh::server` belongs to `ssh`",
        ),
        ("src/ssh/mod.rs", "//! X\nuse russh::client;\n", "src/ssh/mod.rs:2: `russh::client` belongs to `target`"),
        ("src/app.rs", "//! X\nfn f() { sqlx::query(); }\n", "src/app.rs:2: `sqlx` belongs to `store`"),
        (
            "src/store/mod.rs",
            "//! X\nuse crate::service::Committed;\nfn f() { Committed::at(0); }\n",
            "src/store/mod.rs:3: `crate::service::Committed::at` is for `audit::log`",
        ),
        (
            "src/app.rs",
            "//! X\nfn f() { crate::service::ports::Cleared::new(); }\n",
            "src/app.rs:2: `crate::service::ports::Cleared::new` is for `service`",
        ),
        (
            "src/app.rs",
            "//! X\nuse crate::grant::AccessRequest;\nfn f() { AccessRequest::supposed(); }\n",
            "src/app.rs:3: `crate::grant::AccessRequest::supposed` is for `service`",
        ),
        (
            "src/app.rs",
            "//! X\nuse crate::service::ports::Cleared as C;\nfn f() { C::new(); }\n",
            "src/app.rs:3: `crate::service::ports::Cleared::new`",
        ),
        // habits
        ("src/app.rs", "//! X\nfn f() { println!(\"x\"); }\n", "src/app.rs:2: `println!`"),
        ("src/app.rs", "//! X\n#[cfg(test)]\nmod tests { fn f() { eprintln!(); } }\n", "src/app.rs:3: `eprintln!`"),
        ("tests/x.rs", "//! X\n#[test]\n#[ignore = \"slow\"]\nfn f() {}\n", "tests/x.rs:3: a test that is ignored"),
        ("src/app.rs", "pub fn f() {}\n", "src/app.rs:1: a module opens with `//!`"),
        ("src/app.rs", &long, "src/app.rs:1: 601 lines"),
        // secrets
        ("tests/data/file", &key, "tests/data/file:1: a private key"),
        ("src/app.rs", &key_in_string, "src/app.rs:2: a private key"),
        ("certs/keys/session-ca", "x", "certs/keys/session-ca:1: nothing under `keys/`"),
        // the table itself
        ("docs/architecture.md", "# None\n", "docs/architecture.md: no section"),
        (
            "docs/architecture.md",
            "## Who may use whom\n| a |\n|-|\n| cellar | `domain` | words |\n",
            "docs/architecture.md: no layer is called \"cellar\"",
        ),
    ];
    for (name, text, wanted) in rows {
        let found = complaints(Some((name, text)));
        assert!(
            found.iter().any(|line| line.starts_with(wanted)),
            "{name}: {text}\nwanted {wanted}\nfound  {found:#?}"
        );
    }
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    let text =
        "a // b\n/* c /* d */ e */ f \"g \\\" h\" 'i' '\\'' '\"' 'j: &'k str r#\"l \" m\"# br\"n\" o\n\"p\nq\" r";
    let stripped = scan::strip(text);
    let words: Vec<&str> = stripped.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    assert_eq!(words, ["a", "f", "j", "k", "str", "b", "o", "r"]);
    assert_eq!(stripped.lines().count(), text.lines().count());
}
