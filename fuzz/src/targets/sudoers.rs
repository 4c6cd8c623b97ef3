//! `policy::sudoers`: what a target's sudo is told must never be more than the rule.

use doorward::policy::{Role, Words, sudoers_lines};
use regex::Regex;

use super::{role_and_lines, shown_safely};

const START: &str = "ops ALL=(root) NOPASSWD: ";

/// Each line is one command of sudoers(5) or a comment. A probe (a line after the role) that sudo would take for one of them
/// is a line that a rule with sudo allows.
pub(super) fn sudoers(data: &[u8]) -> bool {
    let Some((text, lines)) = role_and_lines(data) else { return false };
    let Ok((role, _)) = Role::parse("fuzzed".parse().expect("a name"), "roles/fuzzed.toml", text) else { return false };
    let account = "ops".parse().expect("a name");
    let mut commands = Vec::new();
    for rule in role.rules() {
        let found = sudoers_lines(rule, &account);
        assert_eq!(found.is_empty(), !rule.sudo(), "{}", rule.usage());
        assert!(found.len() <= 200, "{} lines", found.len());
        for line in found {
            shown_safely(&line, 128 * 1024);
            assert!(!line.contains('\n'), "{line:?}");
            match line.strip_prefix(START) {
                Some(command) => commands.push(command.to_owned()),
                None => assert!(line.starts_with("# "), "{line:?}"),
            }
        }
    }
    let commands: Vec<Command> = commands.iter().map(|command| Command::read(command)).collect();
    let mut taken = false;
    for probe in lines {
        // To sudo a line is a program and arguments joined by blanks, so that is how it is probed.
        let words: Vec<&str> = probe.split(' ').collect();
        let Some((program, arguments)) = words.split_first() else { continue };
        let joined = arguments.join(" ");
        let plain = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic() && b != b'\'');
        if !words.iter().all(plain) || !commands.iter().any(|command| command.takes(program, &joined)) {
            continue;
        }
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let line = format!("sudo -n {}", quoted.join(" "));
        let words = Words::split(line.as_bytes()).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert!(role.allows(&words), "sudo would run what no rule allows: {line}");
        taken = true;
    }
    taken
}

/// One command as sudo reads it.
struct Command {
    program: String,
    arguments: Arguments,
}

enum Arguments {
    Exactly(String),
    Matching(Regex),
}

impl Command {
    fn read(text: &str) -> Self {
        let at = text
            .char_indices()
            .find(|&(at, c)| c == ' ' && !text[..at].ends_with('\\'))
            .map_or(text.len(), |(at, _)| at);
        let (program, arguments) = (text[..at].replace('\\', ""), text[at..].trim_start());
        assert!(program.starts_with('/'), "{text:?}");
        assert!(!arguments.is_empty(), "no arguments means any arguments: {text:?}");
        let arguments = if arguments == "\"\"" {
            Arguments::Exactly(String::new())
        } else if arguments.starts_with('^') {
            assert!(arguments.ends_with('$') && arguments.len() <= 1024, "{text:?}");
            Arguments::Matching(Regex::new(arguments).unwrap_or_else(|error| panic!("{text:?}: {error}")))
        } else {
            let unescaped = unescaped(arguments);
            assert!(!unescaped.1, "a wildcard of sudoers: {text:?}");
            Arguments::Exactly(unescaped.0)
        };
        Self { program, arguments }
    }

    fn takes(&self, program: &str, joined: &str) -> bool {
        self.program == program
            && match &self.arguments {
                Arguments::Exactly(text) => text == joined,
                Arguments::Matching(expression) => expression.is_match(joined),
            }
    }
}

/// The text without its backslashes, and whether a wildcard stood there without one.
fn unescaped(text: &str) -> (String, bool) {
    let (mut plain, mut wild, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        wild |= !escaped && "*?[],:=!".contains(c);
        plain.push(c);
        escaped = false;
    }
    (plain, wild)
}
