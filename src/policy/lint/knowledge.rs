//! What is known about programs: the form of `programs.toml`, and finding a program in it by the name it is called by.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// What a program gives besides what it is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Gives {
    Shell,
    Command,
    Interpreter,
    Editor,
    Pager,
    Library,
    Privileged,
    Network,
    FileRead,
    FileWrite,
}

impl Gives {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Shell => "escape/shell",
            Self::Command => "escape/command",
            Self::Interpreter => "escape/interpreter",
            Self::Editor => "escape/editor",
            Self::Pager => "escape/pager",
            Self::Library => "escape/library",
            Self::Privileged => "escape/privileged",
            Self::Network => "escape/network",
            Self::FileRead => "escape/file-read",
            Self::FileWrite => "escape/file-write",
        }
    }

    /// Whether another program runs then, of the user's choice.
    pub(super) fn starts_others(self) -> bool {
        matches!(self, Self::Shell | Self::Command | Self::Interpreter | Self::Editor | Self::Pager)
    }
}

/// One way to it; see the head of `programs.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Way {
    pub(super) gives: Gives,
    #[serde(default)]
    pub(super) always: bool,
    #[serde(default)]
    pub(super) options: Vec<String>,
    #[serde(default)]
    pub(super) values: Vec<String>,
    pub(super) operands: Option<usize>,
    pub(super) upto: Option<usize>,
    #[serde(default)]
    pub(super) input: bool,
    #[serde(default)]
    pub(super) keys: bool,
    #[serde(default)]
    pub(super) env: Vec<String>,
    #[serde(default)]
    pub(super) verbs: Vec<String>,
    #[serde(default)]
    pub(super) unless: Vec<String>,
    pub(super) why: String,
    pub(super) safe: String,
}

/// How the program reads its options.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Dashes {
    /// One dash, then letters put together.
    #[default]
    Letters,
    /// One dash, then a whole word.
    Word,
}

/// What a number is to the program.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Numbers {
    /// A process.
    Pid,
    /// An account or group.
    Uid,
}

/// What is known about one program, or several that are alike.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Program {
    pub(super) names: Vec<String>,
    #[serde(default)]
    pub(super) valued: Vec<String>,
    #[serde(default)]
    pub(super) text: Vec<String>,
    #[serde(default)]
    pub(super) dashes: Dashes,
    #[serde(default)]
    pub(super) globs: bool,
    pub(super) numbers: Option<Numbers>,
    pub(super) starts: Option<usize>,
    pub(super) bare: Option<Gives>,
    #[serde(default)]
    pub(super) assignments: bool,
    #[serde(default)]
    pub(super) shell_words: bool,
    pub(super) ways: Vec<Way>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    program: Vec<Program>,
}

/// What stands behind the name of a packaged variant.
const VARIANTS: [&str; 12] = [
    ".basic",
    ".tiny",
    ".nox",
    ".gtk3",
    ".openbsd",
    ".traditional",
    ".distrib",
    ".real",
    ".static",
    ".gnu",
    "-static",
    ".bin",
];

/// A program of which nothing is known.
pub(super) static UNKNOWN: LazyLock<Program> = LazyLock::new(Program::default);
static PROGRAMS: LazyLock<Vec<Program>> = LazyLock::new(|| read().unwrap_or_default());
static BY_NAME: LazyLock<HashMap<&'static str, &'static Program>> = LazyLock::new(|| {
    let names = |program: &'static Program| program.names.iter().map(move |name| (name.as_str(), program));
    PROGRAMS.iter().flat_map(names).collect()
});

/// The file that is built in. A test reads it, so that an error here is one of the build and not of the day.
fn read() -> Result<Vec<Program>, toml::de::Error> {
    toml::from_str::<File>(include_str!("programs.toml")).map(|file| file.program)
}

/// What is known about the program of this base name; `python3.11` and `vim.basic` are known by their plain names.
pub(super) fn find(name: &str) -> Option<&'static Program> {
    let exact = |name: &str| BY_NAME.get(name).copied();
    let plain = VARIANTS.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let digits = plain.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    exact(name).or_else(|| exact(plain)).or_else(|| exact(digits)).or_else(|| exact(digits.trim_end_matches('-')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_knowledge_can_be_read_and_says_each_thing_once() {
        let programs = read().unwrap();
        let names: Vec<&str> = programs.iter().flat_map(|program| program.names.iter().map(String::as_str)).collect();
        assert!(names.len() >= 350, "{} programs", names.len());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a program is there twice");
        for program in &programs {
            for way in &program.ways {
                let says = |text: &str| text.len() > 8 && !text.ends_with('.');
                assert!(says(&way.why) && says(&way.safe), "{:?}: {way:?}", program.names);
                let leads = way.always || way.input || !way.options.is_empty() || !way.values.is_empty();
                let leads = leads || way.operands.is_some() || !way.env.is_empty() || !way.verbs.is_empty();
                assert!(leads, "{:?}: nothing leads to {way:?}", program.names);
                assert!(way.upto.is_none() || way.operands.is_some(), "{:?}", program.names);
            }
            assert!(!program.ways.is_empty() || program.starts.is_some() || program.names.contains(&"ls".to_owned()));
        }
    }

    #[test]
    fn a_version_or_variant_is_the_same_program() {
        for (name, known) in [
            ("python3.11", "python3"),
            ("vim.basic", "vim"),
            ("gcc-12", "gcc"),
            ("nc.openbsd", "nc"),
            ("php8.2", "php"),
            ("7z", "7z"),
            ("ld-linux-x86-64.so.2", "ld-linux-x86-64.so"),
        ] {
            assert!(find(name).is_some_and(|program| program.names.iter().any(|one| one == known)), "{name}");
        }
        for name in ["less.sh", "frobnicate", "mylsof", ""] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
