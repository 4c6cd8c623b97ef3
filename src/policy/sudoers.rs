//! What a target's sudoers must say for a rule with `sudo = true`: never more than the rule.
//!
//! Where every parameter is a `one_of`, each line is spelled out, which every sudo reads. Elsewhere the arguments become an
//! expression, which sudo 1.9.10 and later read: POSIX, over all arguments joined by blanks, so no value may hold a blank. What
//! cannot be said so becomes a comment that says what to do, and not a wider line: it may come out narrower than the rule.

use crate::domain::AccountName;

use super::parameter::{Kind, Parameter};
use super::pattern::{Element, Slot, Step};
use super::rule::Rule;

mod expression;
mod orders;

use orders::{Orders, runs};

/// The most lines that one rule is spelled out to.
const MOST_LINES: usize = 200;
/// The most values of a repeated parameter: an expression grows with them when it is compiled.
const MOST_REPEATED: usize = 16;
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

/// Every line of a pattern whose parameters are all `one_of` and stand once, if they are few; `""` is sudo's word for no
/// arguments at all.
fn spelled_out(steps: &[Step], parameters: &[Parameter]) -> Option<Vec<String>> {
    let mut lines = vec![String::new()];
    for run in runs(steps) {
        let mut longer = Vec::new();
        for order in Orders::of(run).spelled_out()? {
            let mut these = lines.clone();
            for step in order {
                let words = words_at(step, parameters)?;
                if these.len().saturating_mul(words.len()) > MOST_LINES {
                    return None;
                }
                let with = |line: &String| words.iter().map(|word| format!("{line} {word}")).collect::<Vec<_>>();
                these = these.iter().flat_map(with).collect();
            }
            longer.append(&mut these);
            if longer.len() > MOST_LINES {
                return None;
            }
        }
        lines = longer;
    }
    let exact = |line: &String| if line.is_empty() { "\"\"".to_owned() } else { line.trim_start().to_owned() };
    Some(lines.iter().map(exact).collect())
}

/// The words that may stand at `step`, escaped, if they are listed.
fn words_at(step: &Step, parameters: &[Parameter]) -> Option<Vec<String>> {
    match &step.element {
        Element::Literal(word) => Some(vec![plain(word)?]),
        Element::Parameter(Slot { repeated: true, .. }) => None,
        Element::Parameter(slot) => match parameters.get(slot.index)?.kind() {
            Kind::OneOf(words) => words.iter().map(|word| plain(&format!("{}{word}", slot.prefix))).collect(),
            _ => None,
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
        words.push(word(step, rule)?);
    }
    let runs = runs(steps);
    let lines = match runs.iter().position(|run| run.first().is_some_and(|step| step.group.is_none())) {
        Some(fixed) => vec![joined(&runs, &words, fixed)?],
        None => without_fixed_word(&runs, &words)?,
    };
    if lines.iter().any(|line| line.len() > LONGEST - 2) {
        return Err(format!("the expression for it would be longer than the {LONGEST} bytes that sudo reads"));
    }
    Ok(lines.into_iter().map(|line| if line.is_empty() { "\"\"".to_owned() } else { format!("^{line}$") }).collect())
}

/// One expression: what is optional brings its own blank, before the first fixed word at its end, after it at its beginning.
fn joined(runs: &[&[Step]], words: &[String], fixed: usize) -> Result<String, String> {
    let mut line = String::new();
    let mut rest = words;
    for (at, run) in runs.iter().enumerate() {
        let (these, after) = rest.split_at_checked(run.len()).unwrap_or((rest, &[]));
        rest = after;
        if run.first().is_some_and(|step| step.group.is_none()) {
            line.push_str(if at == fixed { "" } else { " " });
            line.push_str(&these.join(" "));
            continue;
        }
        let orders = Orders::of(run).texts(these)?;
        let orders = orders.iter().filter(|order| !order.is_empty());
        let with_blank = |order: &String| if at < fixed { format!("{order} ") } else { format!(" {order}") };
        line.push_str(&format!("({})?", orders.map(with_blank).collect::<Vec<_>>().join("|")));
    }
    Ok(line)
}

/// With nothing but groups there is no place for the blanks: one line for each choice and order of them, while these are few.
fn without_fixed_word(runs: &[&[Step]], words: &[String]) -> Result<Vec<String>, String> {
    runs.first().map_or_else(|| Ok(vec![String::new()]), |run| Orders::of(run).texts(words))
}

/// The expression for what may stand at `step`.
fn word(step: &Step, rule: &Rule) -> Result<String, String> {
    let slot = match &step.element {
        Element::Literal(word) => {
            return expression::literal(word).ok_or_else(|| "sudoers cannot name one of its fixed words".to_owned());
        }
        Element::Parameter(slot) => slot,
    };
    let name = rule.run.names().get(slot.index).map_or("", |(name, _)| name.as_str());
    let cannot = |what: &str| format!("{{{name}}} {what}");
    let parameter = rule.parameters.get(slot.index);
    let value = match parameter.map(Parameter::kind) {
        Some(Kind::OneOf(words)) => {
            expression::one_of(words).ok_or_else(|| cannot("has a value that sudoers cannot name"))
        }
        Some(Kind::Int { min, max }) => Ok(expression::int(*min, *max)),
        Some(Kind::Port { min, max }) => Ok(expression::int(u64::from(*min), u64::from(*max))),
        Some(Kind::Path(pattern)) => expression::path(&pattern.to_string())
            .ok_or_else(|| cannot("is a path with a name that sudoers cannot say narrowly enough")),
        Some(Kind::Unit(units)) => Ok(expression::unit(units.types())),
        Some(Kind::Pattern(_)) => Err(cannot("is a pattern, whose language is not that of sudoers")),
        Some(Kind::Host(_) | Kind::Ip(_) | Kind::Cidr(_)) => Err(cannot("is an address, which sudoers cannot bound")),
        Some(Kind::Duration { .. }) => Err(cannot("is a span of time, which sudoers cannot bound")),
        Some(Kind::Text { .. }) | None => Err(cannot("is free text")),
    }?;
    let prefix = expression::literal(&slot.prefix).ok_or_else(|| cannot("stands behind what sudoers cannot name"))?;
    match parameter.map_or(1, Parameter::most).saturating_sub(1) {
        more if slot.repeated && more >= MOST_REPEATED => {
            Err(cannot(&format!("stands for more than {MOST_REPEATED} values, too many for an expression")))
        }
        more if slot.repeated && more > 0 => Ok(format!("{value}( {value}){{0,{more}}}")),
        _ => Ok(format!("{prefix}{value}")),
    }
}

#[cfg(test)]
mod tests;
