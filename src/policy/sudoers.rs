//! What a target's sudoers must say for a rule with `sudo = true`, as narrowly as sudoers can say it.
//!
//! sudo 1.9.10 and later read arguments between `^` and `$` as a POSIX extended regular expression over all arguments joined by
//! blanks. So no value may hold a blank there, and what cannot be said without one, or not in that language, becomes a
//! comment for the operator instead of a wider line. An `int` keeps its number of digits and not its bounds; the bastion keeps both.

use crate::domain::AccountName;

use super::parameter::{Kind, Parameter};
use super::pattern::{Element, Step};
use super::role::Rule;

/// Longest regular expression that sudo reads.
const LONGEST: usize = 1024;

/// The sudoers lines for `rule` as `account`, or a comment that says why there are none; empty if the rule does not use sudo.
#[must_use]
pub fn sudoers_lines(rule: &Rule, account: &AccountName) -> Vec<String> {
    if !rule.sudo {
        return Vec::new();
    }
    let program = rule.run.program().unwrap_or_default();
    match arguments(rule) {
        Some(every) => every
            .into_iter()
            .map(|arguments| match arguments.as_str() {
                "" => format!("{account} ALL=(root) NOPASSWD: {program} \"\""),
                _ => format!("{account} ALL=(root) NOPASSWD: {program} ^{arguments}$"),
            })
            .collect(),
        None => vec![format!(
            "# `{}` cannot be said in sudoers without allowing more than the rule does; write a line of your own",
            rule.run.as_written()
        )],
    }
}

/// The expressions, one a line.
fn arguments(rule: &Rule) -> Option<Vec<String>> {
    let steps = rule.run.steps().get(1..)?;
    let mut words = Vec::new();
    for step in steps {
        words.push((step, word(step, &rule.parameters)?));
    }
    let lines = match words.iter().position(|(step, _)| step.group.is_none()) {
        Some(fixed) => vec![joined(&words, fixed)],
        None => without_fixed_word(&words)?,
    };
    lines.iter().all(|line| line.len() <= LONGEST).then_some(lines)
}

/// One expression: what is optional brings its own blank, before the first fixed word at its end, after it at its beginning.
fn joined(words: &[(&Step, String)], fixed: usize) -> String {
    let mut line = String::new();
    for (at, chunk) in words.chunk_by(|(a, _), (b, _)| a.group.is_some() && a.group == b.group).scan(0, |at, chunk| {
        let start = *at;
        *at += chunk.len();
        Some((start, chunk))
    }) {
        let text = chunk.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(" ");
        let optional = chunk.first().is_some_and(|(step, _)| step.group.is_some());
        line.push_str(&match (optional, at.cmp(&fixed)) {
            (true, std::cmp::Ordering::Less) => format!("({text} )?"),
            (true, _) => format!("( {text})?"),
            (false, std::cmp::Ordering::Equal) => text,
            (false, _) => format!(" {text}"),
        });
    }
    line
}

/// With nothing but groups there is no place for the blanks: one line for each choice of them, while these are few.
fn without_fixed_word(words: &[(&Step, String)]) -> Option<Vec<String>> {
    let groups: Vec<String> = words
        .chunk_by(|(a, _), (b, _)| a.group == b.group)
        .map(|chunk| chunk.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(" "))
        .collect();
    if groups.len() > 4 {
        return None;
    }
    let chosen = |set: usize| {
        let inside = groups.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
        inside.map(|(_, group)| group.as_str()).collect::<Vec<_>>().join(" ")
    };
    Some((0..1 << groups.len()).map(chosen).collect())
}

fn word(step: &Step, parameters: &[Parameter]) -> Option<String> {
    match &step.element {
        Element::Literal(word) => literal(word),
        Element::Parameter(index) => match parameters.get(*index)?.kind() {
            Kind::OneOf(words) => {
                let words: Option<Vec<String>> = words.iter().map(|word| literal(word)).collect();
                Some(format!("({})", words?.join("|")))
            }
            Kind::Int { max, .. } => match max.to_string().len() {
                1 => Some("[0-9]".to_owned()),
                digits => Some(format!("(0|[1-9][0-9]{{0,{}}})", digits - 1)),
            },
            Kind::Path(pattern) => path(&pattern.to_string()),
            // Their languages are not sudo's, and free text holds blanks.
            Kind::Pattern(_) | Kind::Text { .. } => None,
        },
    }
}

/// A fixed word; `None` if it holds what the joined arguments or the file's own syntax would misread.
fn literal(word: &str) -> Option<String> {
    let mut text = String::new();
    for c in word.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '/' | ':' | ',' | '=' | '@' | '%' => text.push(c),
            '.' | '+' | '^' | '$' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' => {
                text.push('\\');
                text.push(c);
            }
            _ => return None,
        }
    }
    Some(text)
}

fn path(written: &str) -> Option<String> {
    let mut text = String::new();
    let parts: Vec<&str> = written.split('/').skip(1).collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        match *part {
            "**" if last => text.push_str("(/[^/. ][^/ ]*)+"),
            "**" => text.push_str("(/[^/. ][^/ ]*)*"),
            // `.*` would be `..` too.
            part if part.starts_with('.') && part.contains('*') => return None,
            part => {
                text.push('/');
                for (nth, piece) in part.split('*').enumerate() {
                    if nth > 0 {
                        text.push_str(if nth == 1 && part.starts_with('*') { "([^/. ][^/ ]*)?" } else { "[^/ ]*" });
                    }
                    text.push_str(&literal(piece)?);
                }
            }
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Role;

    fn lines(run: &str, parameters: &str) -> Vec<String> {
        let text = format!(
            "targets = [\"a\"]\nrun_as = \"ops\"\n[[command]]\nrun = \"{run}\"\nsudo = true\n{parameters}\n"
        );
        let (role, _) = Role::parse("r".parse().unwrap(), "roles/r.toml", &text).unwrap();
        sudoers_lines(&role.rules()[0], &"ops".parse().unwrap())
    }

    #[test]
    fn a_line_allows_what_the_rule_does_or_is_a_comment() {
        let unit = "where.unit = { one_of = [\"nginx\", \"php8.2-fpm\"] }";
        for (run, parameters, expected) in [
            ("/bin/x", "", &["\"\""][..]),
            ("/bin/x restart {unit}", unit, &[r"^restart (nginx|php8\.2-fpm)$"]),
            ("/bin/x -n {n}", "where.n = { int = [1, 5000] }", &["^-n (0|[1-9][0-9]{0,3})$"]),
            ("/bin/x [-q] a [-v {n}]", "where.n = { int = [1, 9] }", &["^(-q )?a( -v [0-9])?$"]),
            ("/bin/x [-q] [-v]", "", &["\"\"", "^-q$", "^-v$", "^-q -v$"]),
            ("/bin/x {f}", "where.f = { path = \"/var/log/*.log\" }", &[r"^/var/log/([^/. ][^/ ]*)?\.log$"]),
            ("/bin/x {f}", "where.f = { path = \"/srv/**\" }", &[r"^/srv(/[^/. ][^/ ]*)+$"]),
        ] {
            let expected: Vec<String> =
                expected.iter().map(|one| format!("ops ALL=(root) NOPASSWD: /bin/x {one}")).collect();
            assert_eq!(lines(run, parameters), expected, "{run}");
        }
        for (run, parameters) in
            [("/bin/x {t}", "where.t = { text = 9 }"), ("/bin/x {p}", "where.p = { pattern = 'a' }"), ("/bin/x 'a b'", "")]
        {
            assert!(lines(run, parameters).iter().all(|line| line.starts_with("# ")), "{run}");
        }
    }

    #[test]
    fn sudo_itself_reads_the_lines() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let all = ["[-q] a.b:c,d=e@f [-v {n}]", "{n}", "[-q]"].map(|run| {
            let n = if run.contains("{n}") { "where.n = { int = [1, 10] }" } else { "" };
            lines(&format!("/bin/x {run}"), n).join("\n")
        });
        std::io::Write::write_all(&mut file, format!("{}\n", all.join("\n")).as_bytes()).unwrap();
        let checked = std::process::Command::new("/usr/sbin/visudo").arg("-cf").arg(file.path()).output().unwrap();
        assert!(checked.status.success(), "{checked:?}\n{all:?}");
    }
}
