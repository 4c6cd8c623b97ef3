//! The rules themselves: each gives the lines that break it, as `file:line: what is wrong`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::scan::{Mention, Scanned, scan};
use crate::table::{self, LAYERS, Table, path};

/// Words and core may name none of these: they reach for time, chance, files, processes, networks or databases.
const IMPURE: &[&str] = &[
    "chrono::Local",
    "chrono::Utc::now",
    "nix",
    "rand",
    "russh",
    "sqlx",
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tempfile",
    "tokio",
    "tokio_util",
];

/// Outside crates that `domain` may name.
const WORDS_USE: &[&str] = &["annotate_snippets", "chrono", "serde", "sha2", "thiserror"];

/// Names with one home each.
const HOMES: &[(&str, &str)] = &[("russh::server", "ssh"), ("russh::client", "target"), ("sqlx", "store")];

/// Constructors of authority (by their last two words) and who may name them.
const AUTHORITY: &[([&str; 2], &str)] =
    &[(["Committed", "at"], "audit::log"), (["Cleared", "new"], "service"), (["AccessRequest", "supposed"], "service")];

/// The longest file that needs no excuse, in lines.
const LONGEST: usize = 600;

const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

struct File {
    name: String,
    module: Vec<String>,
    text: String,
    scanned: Scanned,
    is_test: bool,
}

/// Everything that is wrong with the repository at `root`.
pub(crate) fn check(root: &Path) -> Vec<String> {
    let document = fs::read_to_string(root.join("docs/architecture.md")).unwrap_or_default();
    let table = match table::read(&document) {
        Ok(table) => table,
        Err(problem) => return vec![format!("docs/architecture.md: {problem}")],
    };
    let files = sources(root);
    let dependencies = dependencies(root);
    let house = House {
        table: &table,
        modules: files.iter().map(|file| file.module.clone()).collect(),
        exports: files.iter().map(|file| (file.module.clone(), &file.scanned.exports)).collect(),
    };
    let mut found = Vec::new();
    for file in &files {
        form(file, &mut found);
        habits(&file.name, &file.scanned, &mut found);
        if !file.is_test {
            house.uses(file, &dependencies, &mut found);
        }
    }
    for path in walk(&root.join("tests")).iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let scanned = scan(&fs::read_to_string(path).unwrap(), &[]);
        habits(&relative(root, path), &scanned, &mut found);
    }
    secrets(root, &mut found);
    found
}

/// All files below `folder`, in a fixed order; nothing of git's or cargo's.
pub(crate) fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default();
        if path.is_symlink() {
            continue;
        } else if path.is_dir() {
            // `src/target` is a room; only cargo's folder has one of these.
            let cargos = ["CACHEDIR.TAG", ".rustc_info.json"].iter().any(|mark| path.join(mark).exists());
            if name != ".git" && !cargos {
                found.extend(walk(&path));
            }
        } else {
            found.push(path);
        }
    }
    found
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().display().to_string()
}

fn sources(root: &Path) -> Vec<File> {
    let mut files: Vec<File> = walk(&root.join("src"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| {
            let name = relative(root, &path);
            let inside = name.trim_start_matches("src/").trim_end_matches(".rs");
            let inside = inside.trim_end_matches("/mod");
            let module: Vec<String> =
                if inside == "lib" { Vec::new() } else { inside.split('/').map(str::to_owned).collect() };
            let text = fs::read_to_string(&path).unwrap();
            let scanned = scan(&text, &module);
            File { name, module, text, scanned, is_test: false }
        })
        .collect();
    let tests: BTreeSet<Vec<String>> = files
        .iter()
        .flat_map(|file| {
            file.scanned.test_modules.iter().map(|name| [file.module.as_slice(), std::slice::from_ref(name)].concat())
        })
        .collect();
    for file in &mut files {
        file.is_test = (1..=file.module.len()).any(|length| tests.contains(&file.module[..length]));
    }
    files
}

fn dependencies(root: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let manifest: toml::Table = text.parse().unwrap();
    let names = manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
    names.map(|name| name.replace('-', "_")).collect()
}

/// How a file looks: it says what it is for, and is not endless.
fn form(file: &File, found: &mut Vec<String>) {
    let head: Vec<&str> = file.text.lines().take_while(|line| line.starts_with("//!")).collect();
    if head.is_empty() && !file.is_test {
        found.push(format!("{}:1: a module opens with `//!`: what it owns and what it refuses to know", file.name));
    }
    let lines = file.text.lines().count();
    let excused = head.iter().any(|line| line.to_lowercase().contains("long because"));
    if lines > LONGEST && !excused {
        found.push(format!(
            "{}:1: {lines} lines: what is the second subject? (else \"long because …\" in the head)",
            file.name
        ));
    }
}

/// What nobody does, in tests neither.
fn habits(name: &str, scanned: &Scanned, found: &mut Vec<String>) {
    for window in scanned.tokens.windows(3) {
        let [first, second, third] = window else { continue };
        if PRINTING.contains(&first.text.as_str()) && second.text == "!" {
            found.push(format!("{name}:{}: `{}!`: write to a handle that was handed in", first.line, first.text));
        }
        if (first.text.as_str(), second.text.as_str(), third.text.as_str()) == ("#", "[", "ignore") {
            found.push(format!("{name}:{}: a test that is ignored proves nothing", first.line));
        }
    }
}

fn begins(path: &[String], prefix: &str) -> bool {
    path.starts_with(&table::path(prefix))
}

struct House<'a> {
    table: &'a Table,
    modules: BTreeSet<Vec<String>>,
    exports: BTreeMap<Vec<String>, &'a BTreeMap<String, Vec<String>>>,
}

impl House<'_> {
    /// The room that `path` (from the crate's root) lies in: the longest row that it begins with.
    fn room(&self, path: &[String]) -> Option<Vec<String>> {
        (1..=path.len()).rev().map(|length| path[..length].to_vec()).find(|prefix| self.table.contains_key(prefix))
    }

    /// Whether the rooms of `path` have rows of their own, so that it is only the door to them.
    fn is_door(&self, path: &[String]) -> bool {
        self.table.keys().any(|room| room.len() > path.len() && room.starts_with(path))
    }

    /// Follows `pub use` from the door of a room to where the thing is.
    fn resolve(&self, mut path: Vec<String>) -> Vec<String> {
        for _ in 0..8 {
            let step = (0..path.len()).rev().find_map(|length| {
                let (module, rest) = path.split_at(length);
                let target = self.exports.get(module)?.get(rest.first()?)?;
                let mut full = match target.first().map(String::as_str) {
                    Some("crate") => target[1..].to_vec(),
                    Some(child) if self.modules.contains(&[module, &[child.to_owned()]].concat()) => {
                        [module, target.as_slice()].concat()
                    }
                    _ => return None,
                };
                full.extend(rest[1..].iter().cloned());
                Some(full)
            });
            match step {
                Some(full) if full != path => path = full,
                _ => break,
            }
        }
        path
    }

    fn uses(&self, file: &File, dependencies: &BTreeSet<String>, found: &mut Vec<String>) {
        let module = &file.module;
        let Some(room) = self.room(module) else {
            if !module.is_empty() && !self.is_door(module) {
                found.push(format!(
                    "{}:1: `{}` has no row in docs/architecture.md, \"Who may use whom\"",
                    file.name,
                    module.join("::")
                ));
            }
            return;
        };
        let mut seen = BTreeSet::new();
        for mention in &file.scanned.mentions {
            let problem = match mention.path.split_first() {
                Some((first, inside)) if first == "crate" => self.inward(&room, inside),
                Some(_) => self.outward(&room, &mention.path, dependencies),
                None => None,
            };
            let problem = problem.or_else(|| authority(module, mention));
            if let Some(problem) = problem
                && seen.insert((mention.line, problem.clone()))
            {
                found.push(format!("{}:{}: {problem}", file.name, mention.line));
            }
        }
    }

    /// A room of ours names something in another one.
    fn inward(&self, room: &[String], named: &[String]) -> Option<String> {
        let resolved = self.resolve(named.to_vec());
        let used = match self.room(&resolved) {
            Some(used) => used,
            // The door alone is nothing; what is taken through it counts.
            None if self.is_door(&resolved) || !self.modules.contains(&resolved[..1.min(resolved.len())]) => {
                return None;
            }
            None => return Some(format!("`{}` has no row in docs/architecture.md", resolved.join("::"))),
        };
        let from = &self.table[room];
        let layer = self.table[&used].layer;
        let same_house = room[0] == used[0] && layer <= from.layer;
        let named_in_row = |allowed: &Vec<String>| resolved.starts_with(allowed) || named.starts_with(allowed);
        if room == used
            || same_house
            || from.everything
            || from.layers.contains(&layer)
            || from.paths.iter().any(named_in_row)
        {
            return None;
        }
        Some(format!(
            "`{}` ({}) may not use `{}` ({})",
            room.join("::"),
            LAYERS[from.layer],
            resolved.join("::"),
            LAYERS[layer]
        ))
    }

    /// A room of ours names something of an outside crate.
    fn outward(&self, room: &[String], named: &[String], dependencies: &BTreeSet<String>) -> Option<String> {
        let layer = LAYERS[self.table[room].layer];
        let name = named.join("::");
        if let Some((what, home)) = HOMES.iter().find(|(what, home)| begins(named, what) && room != path(home)) {
            return Some(format!("`{what}` belongs to `{home}` alone"));
        }
        if !matches!(layer, "words" | "core") {
            return None;
        }
        if IMPURE.iter().any(|impure| begins(named, impure)) && !(layer == "core" && begins(named, "russh::keys")) {
            return Some(format!("`{name}` in `{}`: {layer} is pure, hand it in as an argument", room.join("::")));
        }
        if layer == "words" && dependencies.contains(&named[0]) && !WORDS_USE.contains(&named[0].as_str()) {
            return Some(format!("`{name}` in `{}`: the words know std and a few small crates only", room.join("::")));
        }
        None
    }
}

fn authority(module: &[String], mention: &Mention) -> Option<String> {
    let (_, home) = AUTHORITY
        .iter()
        .find(|(constructor, home)| mention.path.ends_with(&constructor.map(str::to_owned)) && !begins(module, home))?;
    Some(format!("`{}` is for `{home}` alone", mention.path.join("::")))
}

/// No private key is in the repository, under whatever name.
fn secrets(root: &Path, found: &mut Vec<String>) {
    for path in walk(root) {
        let name = relative(root, &path);
        let in_keys = path.parent().is_some_and(|folder| folder.components().any(|part| part.as_os_str() == "keys"));
        let inside_src = name.starts_with("src/") || name.starts_with("tests/");
        if in_keys && !(inside_src && name.ends_with(".rs")) {
            found.push(format!("{name}:1: nothing under `keys/` belongs into the repository"));
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for (at, marker) in text.match_indices("PRIVATE KEY-----") {
            // The words alone may stand in code that refuses keys. A key goes on in base64, on the next line or after `\n` in a
            // string.
            let body: String = text[at + marker.len()..].chars().take(100).collect::<String>().replace("\\n", "\n");
            let base64 =
                body.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c)).count();
            if base64 >= 16 {
                let line = text[..at].lines().count().max(1);
                found.push(format!("{name}:{line}: a private key"));
            }
        }
    }
}
