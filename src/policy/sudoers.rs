//! What a target's sudoers must say for a rule with `sudo = true`: never more than the rule.
//!
//! Where every parameter is a `one_of`, each line is spelled out, which every sudo reads. Elsewhere the arguments become an
//! expression, which sudo 1.9.10 and later read: POSIX, over all arguments joined by blanks, so no value may hold a blank. What
//! cannot be said so becomes a comment that says what to do, and not a wider line: it may come out narrower than the rule.

use crate::domain::AccountName;

use super::parameter::{Kind, Parameter};
use super::pattern::{Element, Step};
use super::role::Rule;

mod expression;

/// The most lines that one rule is spelled out to.
const MOST_LINES: usize = 200;
/// The most optional groups that are spelled out where nothing else stands in the pattern.
const MOST_GROUPS: usize = 4;
/// Longest expression that sudo reads.
const LONGEST: usize = 1024;

/// The sudoers lines for `rule` as `account`, or comments that say why there are none and what to do; empty if the rule does
/// not use sudo.
///
/// What sudoers(5) cannot say at all: where one word ends and the next begins (`x 'a b'` is `x a b` to it).
#[must_use]
pub fn sudoers_lines(rule: &Rule, account: &AccountName) -> Vec<String> {
    if !rule.sudo {
        return Vec::new();
    }
    let program = rule.run.program().unwrap_or_default().replace(':', r"\:");
    let steps = rule.run.steps().get(1..).unwrap_or_default();
    let arguments = match spelled_out(steps, &rule.parameters) {
        Some(lines) => Ok(lines),
        None => expressions(steps, rule),
    };
    match arguments {
        Ok(lines) => lines.iter().map(|line| format!("{account} ALL=(root) NOPASSWD: {program} {line}")).collect(),
        Err(why) => vec![
            format!("# MISSING, so that sudo refuses it: `{}`: {why}.", rule.run.as_written()),
            "# List the values with one_of in the role, or write a line here that you can answer for.".to_owned(),
        ],
    }
}

/// Every line of a pattern whose parameters are all `one_of`, if they are few; `""` is sudo's word for no arguments at all.
fn spelled_out(steps: &[Step], parameters: &[Parameter]) -> Option<Vec<String>> {
    let mut lines = vec![String::new()];
    for chunk in steps.chunk_by(|a, b| a.group.is_some() && a.group == b.group) {
        let mut longer = lines.clone();
        for step in chunk {
            let words = words_at(step, parameters)?;
            if longer.len().saturating_mul(words.len()) > MOST_LINES {
                return None;
            }
            let with = |line: &String| words.iter().map(|word| format!("{line} {word}")).collect::<Vec<_>>();
            longer = longer.iter().flat_map(with).collect();
        }
        if chunk.first().is_some_and(|step| step.group.is_some()) {
            longer.append(&mut lines);
        }
        lines = longer;
    }
    let exact = |line: &String| if line.is_empty() { "\"\"".to_owned() } else { line.trim_start().to_owned() };
    (lines.len() <= MOST_LINES).then(|| lines.iter().map(exact).collect())
}

/// The words that may stand at `step`, escaped, if they are listed.
fn words_at(step: &Step, parameters: &[Parameter]) -> Option<Vec<String>> {
    match &step.element {
        Element::Literal(word) => Some(vec![plain(word)?]),
        Element::Parameter(index) => match parameters.get(*index)?.kind() {
            Kind::OneOf(words) => words.iter().map(|word| plain(word)).collect(),
            Kind::Pattern(_) | Kind::Int { .. } | Kind::Path(_) | Kind::Text { .. } => None,
        },
    }
}

/// A word as sudoers(5) wants it: its separators and wildcards with a backslash. `None` if it holds something else that is
/// not plainly a word there.
fn plain(word: &str) -> Option<String> {
    let mut text = String::new();
    for c in word.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '/' | '.' | '+' | '@' | '%' | '~' => text.push(c),
            ',' | ':' | '=' | '*' | '?' | '[' | ']' | '!' | '^' => {
                text.push('\\');
                text.push(c);
            }
            _ => return None,
        }
    }
    Some(text)
}

/// The expressions, one a line; else why there are none.
fn expressions(steps: &[Step], rule: &Rule) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for step in steps {
        words.push((step, word(step, rule)?));
    }
    let lines = match words.iter().position(|(step, _)| step.group.is_none()) {
        Some(fixed) => vec![joined(&words, fixed)],
        None => without_fixed_word(&words)?,
    };
    if lines.iter().any(|line| line.len() > LONGEST - 2) {
        return Err(format!("the expression for it would be longer than the {LONGEST} bytes that sudo reads"));
    }
    Ok(lines.into_iter().map(|line| if line.is_empty() { "\"\"".to_owned() } else { format!("^{line}$") }).collect())
}

/// One expression: what is optional brings its own blank, before the first fixed word at its end, after it at its beginning.
fn joined(words: &[(&Step, String)], fixed: usize) -> String {
    let mut line = String::new();
    let mut at = 0;
    for chunk in words.chunk_by(|(a, _), (b, _)| a.group.is_some() && a.group == b.group) {
        let text = chunk.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(" ");
        let optional = chunk.first().is_some_and(|(step, _)| step.group.is_some());
        line.push_str(&match (optional, at.cmp(&fixed)) {
            (true, std::cmp::Ordering::Less) => format!("({text} )?"),
            (true, _) => format!("( {text})?"),
            (false, std::cmp::Ordering::Equal) => text,
            (false, _) => format!(" {text}"),
        });
        at += chunk.len();
    }
    line
}

/// With nothing but groups there is no place for the blanks: one line for each choice of them, while these are few.
fn without_fixed_word(words: &[(&Step, String)]) -> Result<Vec<String>, String> {
    let groups: Vec<String> = words
        .chunk_by(|(a, _), (b, _)| a.group == b.group)
        .map(|chunk| chunk.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(" "))
        .collect();
    if groups.len() > MOST_GROUPS {
        return Err(format!("more than {MOST_GROUPS} optional groups stand in it and no fixed word"));
    }
    let chosen = |set: usize| {
        let inside = groups.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
        inside.map(|(_, group)| group.as_str()).collect::<Vec<_>>().join(" ")
    };
    Ok((0..1 << groups.len()).map(chosen).collect())
}

/// The expression for what may stand at `step`.
fn word(step: &Step, rule: &Rule) -> Result<String, String> {
    let index = match &step.element {
        Element::Literal(word) => {
            return expression::literal(word).ok_or_else(|| "sudoers cannot name one of its fixed words".to_owned());
        }
        Element::Parameter(index) => *index,
    };
    let name = rule.run.names().get(index).map_or("", |(name, _)| name.as_str());
    let cannot = |what: &str| format!("{{{name}}} {what}");
    match rule.parameters.get(index).map(Parameter::kind) {
        Some(Kind::OneOf(words)) => {
            expression::one_of(words).ok_or_else(|| cannot("has a value that sudoers cannot name"))
        }
        Some(Kind::Int { min, max }) => Ok(expression::int(*min, *max)),
        Some(Kind::Path(pattern)) => expression::path(&pattern.to_string())
            .ok_or_else(|| cannot("is a path with a name that sudoers cannot say narrowly enough")),
        Some(Kind::Pattern(_)) => Err(cannot("is a pattern, whose language is not that of sudoers")),
        Some(Kind::Text { .. }) | None => Err(cannot("is free text")),
    }
}

#[cfg(test)]
mod tests;
