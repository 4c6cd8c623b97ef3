//! The sudoers lines for an account of a target: what its roles run with `sudo = true`, as narrow as sudoers can say it.
//!
//! This is the second fence: which arguments are right is decided by the bastion and held by the certificate's forced command.
//! Where every parameter of a rule is a `one_of`, each line it allows is listed. Elsewhere sudoers would need wildcards that
//! are not worth much, so the fixed beginning is listed, and a comment says so.

use toml::{Table, Value};

use crate::policy::Role;

/// The most lines that one rule is spelled out to.
const MOST: usize = 200;

/// The lines for `account`, from the roles that use it on one target; empty if none of them needs sudo.
#[must_use]
pub fn sudoers<'r>(account: &str, roles: impl IntoIterator<Item = &'r Role>) -> String {
    let mut text = String::new();
    for role in roles.into_iter().filter(|role| role.rules().iter().any(crate::policy::Rule::sudo)) {
        text.push_str(&format!("# {}\n", role.name()));
        for command in commands_of(role) {
            let Some(run) = command.get("run").and_then(Value::as_str) else { continue };
            if let Some(lines) = spelled_out(run, command.get("where").and_then(Value::as_table)) {
                lines.iter().for_each(|line| text.push_str(&format!("{account} ALL=(root) NOPASSWD: {line}\n")));
                continue;
            }
            text.push_str("# The certificate holds the rest of this line; sudo holds its beginning alone:\n");
            text.push_str(&format!("{account} ALL=(root) NOPASSWD: {} *\n", beginning(run)));
        }
    }
    text
}

/// The commands with `sudo = true` as the file has them: the compiled role no longer knows a rule's text.
fn commands_of(role: &Role) -> Vec<Table> {
    let Ok(file) = role.text().parse::<Table>() else { return Vec::new() };
    let commands = file.get("command").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
    commands.filter(|command| command.get("sudo") == Some(&Value::Boolean(true))).cloned().collect()
}

/// Every line of the pattern, if there are few and each parameter is a `one_of`.
fn spelled_out(run: &str, parameters: Option<&Table>) -> Option<Vec<String>> {
    if run.contains('\'') {
        return None;
    }
    // Each line so far, and the same without the group that is open.
    let mut lines = vec![String::new()];
    let mut without: Option<Vec<String>> = None;
    for word in run.split_ascii_whitespace() {
        let opens = word.starts_with('[');
        let closes = word.ends_with(']');
        if opens {
            without = Some(lines.clone());
        }
        let choices = choices(word.trim_start_matches('[').trim_end_matches(']'), parameters)?;
        let longer = |line: &String| choices.iter().map(|choice| format!("{line} {choice}")).collect::<Vec<_>>();
        lines = lines.iter().flat_map(longer).collect();
        if closes {
            lines.extend(without.take().unwrap_or_default());
        }
        if lines.len() > MOST {
            return None;
        }
    }
    // Without arguments, sudoers would allow any; `""` means none.
    let exact = |line: &String| match line.trim() {
        program if !program.contains(' ') => format!("{program} \"\""),
        line => line.to_owned(),
    };
    Some(lines.iter().map(exact).collect())
}

fn choices(word: &str, parameters: Option<&Table>) -> Option<Vec<String>> {
    let Some((before, rest)) = word.split_once('{') else { return Some(vec![escaped(word)]) };
    let (name, after) = rest.split_once('}').filter(|(_, after)| after.is_empty())?;
    let values = parameters?.get(name)?.as_table()?.get("one_of")?.as_array()?;
    let values: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
    // A blank within a word cannot be told from one between words by sudoers.
    let values = values.filter(|values| values.iter().all(|value| !value.contains(char::is_whitespace)))?;
    Some(values.iter().map(|value| escaped(&format!("{before}{value}{after}"))).collect())
}

/// The program and the literal words after it.
fn beginning(run: &str) -> String {
    let literal = |word: &&str| !word.contains(['{', '[', '\'']);
    run.split_ascii_whitespace().take_while(literal).map(escaped).collect::<Vec<_>>().join(" ")
}

/// A word as sudoers(5) wants it: its own separators and wildcards with a backslash.
fn escaped(word: &str) -> String {
    let mut safe = String::new();
    for c in word.chars() {
        if matches!(c, ',' | ':' | '=' | '\\' | '*' | '?' | '[' | ']' | '!' | '#' | '"' | '(' | ')') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_spelled_out_as_far_as_its_parameters_can_be() {
        let parameters: Table =
            "unit.one_of = ['nginx', 'php:fpm']\nlines.int = [1, 5]\nmode.one_of = ['a b']".parse().unwrap();
        let rows: &[(&str, Option<&[&str]>)] = &[
            ("/usr/bin/id", Some(&["/usr/bin/id \"\""])),
            ("/usr/bin/df -h", Some(&["/usr/bin/df -h"])),
            ("/bin/s restart {unit}", Some(&["/bin/s restart nginx", "/bin/s restart php\\:fpm"])),
            ("/bin/s --unit={unit}", Some(&["/bin/s --unit\\=nginx", "/bin/s --unit\\=php\\:fpm"])),
            ("/bin/s [-q] stop", Some(&["/bin/s -q stop", "/bin/s stop"])),
            ("/bin/s [-n {unit}]", Some(&["/bin/s -n nginx", "/bin/s -n php\\:fpm", "/bin/s \"\""])),
            ("/bin/s {lines}", None),
            ("/bin/s {mode}", None),
            ("/bin/s {unit...}", None),
            ("/bin/s 'a b'", None),
        ];
        for (run, lines) in rows {
            let found = spelled_out(run, Some(&parameters));
            let wanted = lines.map(|lines| lines.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(found, wanted, "{run}");
        }
        assert_eq!(beginning("/bin/s restart {unit} now"), "/bin/s restart");
    }
}
