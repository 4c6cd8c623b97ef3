//! A proposal as text that loads, with what an author may want instead as comments.

use std::collections::BTreeSet;

use crate::domain::toml_text::{list, quoted};
use crate::domain::wording::plural;
use crate::policy::parameter::{Kind, Parameter, PathPattern};
use crate::policy::pattern::matching::base_name;

use super::rules::Product;
use super::shape::Shaped;

/// A proposal stays this much below the longest file, so that examples and comments have room.
pub(super) const MOST_BYTES: usize = 700 * 1024;
/// Most lines that become examples.
const MOST_EXAMPLES: usize = 100;
/// Most bytes of these.
const EXAMPLE_BYTES: usize = 100 * 1024;

/// Two pieces of a file with a blank line between them.
pub(super) fn join(first: &str, second: &str) -> String {
    match (first.trim_end(), second) {
        (first, "") => format!("{first}\n"),
        (first, second) => format!("{first}\n\n{second}"),
    }
}

/// One `[[command]]`.
pub(super) fn rule(product: &Product) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut run = product.program.clone();
    let mut wheres = String::new();
    let mut before = "";
    for (index, values) in product.places.iter().enumerate() {
        let (Some(first), rest) = (values.first(), values.len() - 1) else { continue };
        if rest == 0 {
            run.push_str(&format!(" {}", literal(first)));
        } else {
            let name = name_of(before, index, values, &names);
            run.push_str(&format!(" {{{name}}}"));
            wheres.push_str(&parameter(&name, values));
            names.push(name);
        }
        before = first;
    }
    let mut text = format!("[[command]]\n# {} of {}\n", plural(product.runs, "run"), plural(product.lines, "line"));
    if product.guessed {
        let name = base_name(&product.program);
        text.push_str(&format!("# typed as `{name}`: check that this is its path there (`command -v {name}`)\n"));
    }
    text.push_str(&format!("run = {}\n", quoted(&run)));
    if product.sudo {
        text.push_str("sudo = true\n");
    }
    text + &wheres
}

/// A word as a pattern has it.
fn literal(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+=@%^".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

/// The values, and below as comments what would allow more.
fn parameter(name: &str, values: &BTreeSet<String>) -> String {
    let dash = if values.iter().any(|value| value.starts_with('-')) { ", dash = true" } else { "" };
    let mut text = format!("where.{name} = {{ one_of = {}{dash} }}\n", list(values.iter().map(String::as_str)));
    for wider in [range(values), directory(values)].into_iter().flatten() {
        text.push_str(&format!("# wider, instead of the line before:\n# where.{name} = {{ {wider} }}\n"));
    }
    text
}

/// `int = [1, 500]`, if all are numbers.
fn range(values: &BTreeSet<String>) -> Option<String> {
    let numbers: Option<Vec<u64>> = values.iter().map(|value| value.parse().ok()).collect();
    let numbers = numbers?;
    let (min, max) = (numbers.iter().min().copied()?, numbers.iter().max().copied()?);
    // TOML's numbers end there.
    i64::try_from(max).ok()?;
    all(values, Kind::Int { min, max }).then(|| format!("int = [{min}, {max}]"))
}

/// `path = "/var/log/nginx/*.log"`, if all are files of one folder.
fn directory(values: &BTreeSet<String>) -> Option<String> {
    let split: Option<Vec<(&str, &str)>> = values.iter().map(|value| value.rsplit_once('/')).collect();
    let split = split?;
    let (folder, first) = *split.first()?;
    if folder.is_empty() || split.iter().any(|(other, _)| *other != folder) {
        return None;
    }
    let ending = |name: &'_ str| name.rfind('.').filter(|at| *at > 0).map(|at| name.get(at..).unwrap_or("").to_owned());
    let same = ending(first).filter(|wanted| split.iter().all(|(_, name)| ending(name).as_ref() == Some(wanted)));
    let pattern = format!("{folder}/*{}", same.unwrap_or_default());
    let kind = PathPattern::new(&pattern).map(Kind::Path).ok()?;
    all(values, kind).then(|| format!("path = {}", quoted(&pattern)))
}

fn all(values: &BTreeSet<String>, kind: Kind) -> bool {
    let parameter = Parameter::new(kind, false, false);
    values.iter().all(|value| parameter.accepts(value).is_ok())
}

/// A name that says what the values are: the option before them, or what they look like.
fn name_of(before: &str, index: usize, values: &BTreeSet<String>, taken: &[String]) -> String {
    let option = |word: &str| {
        let word = word.split_once('=').map_or(word, |(name, _)| name).trim_start_matches('-');
        let name: String =
            word.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
        name.get(..name.len().min(24)).unwrap_or_default().to_owned()
    };
    let glued = values.first().filter(|value| value.starts_with('-'));
    let named = match glued {
        Some(value) => option(value),
        None if values.iter().all(|value| value.starts_with('/')) => "file".to_owned(),
        None if before.starts_with('-') && !before.contains('=') => option(before),
        None if index == 0 => "what".to_owned(),
        None => "value".to_owned(),
    };
    let named = if named.starts_with(|c: char| c.is_ascii_lowercase()) { named } else { format!("value{named}") };
    let numbered = std::iter::once(named.clone()).chain((2..).map(|number| format!("{named}_{number}")));
    numbered.into_iter().find(|name| !taken.contains(name)).unwrap_or_default()
}

/// `[examples]` of the lines, as many as are good to read.
pub(super) fn examples<'s>(lines: impl Iterator<Item = &'s Shaped>) -> String {
    let mut bytes = 0;
    let typed = lines.map(|shaped| super::line_of(shaped.sample.sudo, &shaped.sample.vector));
    let chosen: Vec<String> = typed
        .take(MOST_EXAMPLES)
        .take_while(|line| {
            bytes += line.len();
            bytes < EXAMPLE_BYTES
        })
        .collect();
    if chosen.is_empty() {
        return String::new();
    }
    let lines: String = chosen.iter().map(|line| format!("    {},\n", quoted(line))).collect();
    format!("[examples]\nallow = [\n{lines}]\n")
}
