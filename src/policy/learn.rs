//! From lines that were run to the rules that allow them, and no others but what is said below. Pure.
//!
//! **What a proposal allows.** Lines of the same program, with the same options at the same places and the same first word
//! after the program, are one rule. At each other place it has the values that stood there, so the rule allows every
//! *product* of values seen, and nothing else: no range, no directory, no wildcard. With [`Frame::exact`] a rule is only made
//! of lines whose product was seen whole, so it allows exactly the lines that were run. Rules that differ at one place alone
//! are put together, which never allows more.
//!
//! What is proposed is parsed like any role, and each line is held against it: [`Proposal::covered`] is what that role
//! allows as one thing to run, whatever the steps before meant to do. Owns the way there ([`shape`], [`rules`], [`mod@write`])
//! and what nobody used ([`unused`]). Refuses to know the log, and to write a file.

use std::collections::BTreeSet;

use crate::domain::{Diagnostic, RoleName};

use super::file::path_of;
use super::pattern::matching::base_name;
use super::role::Role;
use super::rule::Reading;
use super::words::Words;

pub mod rules;
pub mod shape;
pub mod unused;
pub mod write;

pub use shape::Left;

use rules::Product;
use shape::Shaped;

/// Most different lines that are looked at; who has more asks for a shorter time, one user or one target.
pub const MOST_LINES: usize = 5000;
/// How often rules are made anew after lines were left out that clash.
const ROUNDS: usize = 5;

/// A line that was run, so often.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Sample {
    /// Whether as root, through sudo.
    pub sudo: bool,
    /// The program, by its absolute path or its name alone, and its arguments.
    pub vector: Vec<String>,
    /// How often.
    pub runs: u64,
}

/// What the proposal is for.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The role's name.
    pub name: RoleName,
    /// Everything before the first rule: the text of the role as it is, or what a new one begins with.
    pub head: &'a str,
    /// The role as it is; `None` for a new one.
    pub existing: Option<&'a Role>,
    /// Whether no line may be allowed that was not run.
    pub exact: bool,
}

/// Rules for the lines that were run.
#[derive(Debug)]
pub struct Proposal {
    /// The rules as text, `[[command]]` by `[[command]]`; empty if there is nothing to add.
    pub rules: String,
    /// How many rules these are.
    pub count: usize,
    /// The whole role: head, rules, and for a new role its `[examples]`.
    pub whole: String,
    /// The lines that the whole role allows, each as one thing to run.
    pub covered: Vec<Sample>,
    /// How many of these the role as it is allows already.
    pub already: usize,
    /// The others, and why.
    pub left: Vec<(Sample, Left)>,
    /// What the loader warns of in the whole role.
    pub warnings: Vec<Diagnostic>,
}

/// Proposes the rules for `samples`.
///
/// # Errors
/// The findings, when the head itself does not load with any rule at all.
pub fn propose(samples: Vec<Sample>, frame: &Frame<'_>) -> Result<Proposal, Vec<Diagnostic>> {
    let paths = shape::Paths::of(&samples, frame.existing);
    let mut left: Vec<(Sample, Left)> = Vec::new();
    let (mut already, mut open): (Vec<Shaped>, Vec<Shaped>) = (Vec::new(), Vec::new());
    for (index, sample) in samples.into_iter().enumerate() {
        match Shaped::of(sample, &paths) {
            Err((sample, why)) => left.push((sample, why)),
            Ok(shaped) if index >= MOST_LINES => left.push((shaped.sample, Left::NoRoom)),
            Ok(shaped) if frame.existing.is_some_and(|role| shaped.is_allowed_by(role)) => already.push(shaped),
            Ok(shaped) if frame.existing.is_some_and(|role| shaped.is_near(role)) => {
                left.push((shaped.sample, Left::Clash));
            }
            Ok(shaped) => open.push(shaped),
        }
    }
    let exact = frame.exact || frame.existing.is_some_and(|role| open.iter().any(|shaped| shaped.shares_program(role)));
    let room = super::file::MOST_RULES.saturating_sub(frame.existing.map_or(0, |role| role.rules().len()));
    for round in 1.. {
        let products = rules::products(&open, exact);
        let Some(made) = Made::of(&products, room, frame, &open)? else { break };
        let clashing = made.clashes(&already, &open);
        if clashing.is_empty() || round == ROUNDS {
            return Ok(made.finish(already, open, left));
        }
        for index in clashing.into_iter().rev() {
            left.push((open.remove(index).sample, Left::Clash));
        }
    }
    left.extend(open.into_iter().map(|shaped| (shaped.sample, Left::NoRoom)));
    left.sort_by(|a, b| a.0.cmp(&b.0));
    let (rules, whole) = (String::new(), String::new());
    Ok(Proposal { rules, count: 0, whole, covered: Vec::new(), already: 0, left, warnings: Vec::new() })
}

/// A role made of products, parsed.
struct Made {
    rules: String,
    count: usize,
    whole: String,
    role: Role,
    warnings: Vec<Diagnostic>,
}

impl Made {
    /// `None` when there is nothing to make a new role of.
    fn of(
        products: &[Product],
        room: usize,
        frame: &Frame<'_>,
        open: &[Shaped],
    ) -> Result<Option<Self>, Vec<Diagnostic>> {
        // Of more rules than a role may have the most used stay.
        let mut chosen: Vec<&Product> = products.iter().collect();
        chosen.sort_by(|a, b| b.runs.cmp(&a.runs).then_with(|| a.order().cmp(&b.order())));
        chosen.truncate(room);
        chosen.sort_by_key(|product| product.order());
        let mut length = frame.head.len();
        let texts: Vec<String> = chosen.iter().map(|product| write::rule(product)).collect();
        let fits = texts.iter().take_while(|text| {
            length += text.len();
            length < write::MOST_BYTES
        });
        let texts: Vec<&String> = fits.collect();
        if texts.is_empty() && frame.existing.is_none() {
            return Ok(None);
        }
        let rules = texts.iter().map(|text| text.as_str()).collect::<Vec<_>>().join("\n");
        let bare = write::join(frame.head, &rules);
        let (role, _) = Role::parse(frame.name.clone(), &path_of(&frame.name), &bare)?;
        let lines = open.iter().filter(|shaped| shaped.is_allowed_by(&role));
        let examples = if frame.existing.is_none() { write::examples(lines) } else { String::new() };
        let whole = write::join(&bare, &examples);
        let (role, warnings) = Role::parse(frame.name.clone(), &path_of(&frame.name), &whole)?;
        Ok(Some(Self { count: texts.len(), rules, whole, role, warnings }))
    }

    /// Which of `open` cannot be allowed together with the rest: those that are not allowed though a rule was made for
    /// them, and those whose rule makes one of `already` unclear.
    fn clashes(&self, already: &[Shaped], open: &[Shaped]) -> BTreeSet<usize> {
        let unclear = |shaped: &Shaped| !shaped.is_allowed_by(&self.role) && self.role.allows(&shaped.words);
        let mut found: BTreeSet<usize> =
            open.iter().enumerate().filter(|(_, shaped)| unclear(shaped)).map(|(index, _)| index).collect();
        for spoiled in already.iter().filter(|shaped| !shaped.is_allowed_by(&self.role)) {
            let rules: Vec<usize> = self.role.readings(&spoiled.words).iter().map(|reading| reading.number).collect();
            let makes = |shaped: &Shaped| {
                self.role.readings(&shaped.words).iter().any(|reading| rules.contains(&reading.number))
            };
            found.extend(open.iter().enumerate().filter(|(_, shaped)| makes(shaped)).map(|(index, _)| index));
        }
        found
    }

    fn finish(self, already: Vec<Shaped>, open: Vec<Shaped>, mut left: Vec<(Sample, Left)>) -> Proposal {
        let mut covered = Vec::new();
        let mut known = 0;
        for (shaped, new) in already.into_iter().map(|one| (one, false)).chain(open.into_iter().map(|one| (one, true)))
        {
            if shaped.is_allowed_by(&self.role) {
                known += usize::from(!new);
                covered.push(shaped.sample);
            } else {
                let why = if self.role.allows(&shaped.words) { Left::Clash } else { Left::NoRoom };
                left.push((shaped.sample, why));
            }
        }
        covered.sort();
        left.sort_by(|a, b| a.0.cmp(&b.0));
        let Self { rules, count, whole, warnings, .. } = self;
        Proposal { rules, count, whole, covered, already: known, left, warnings }
    }
}

impl Shaped {
    /// Whether `role` allows it, typed as it was, as this very thing to run and no other.
    fn is_allowed_by(&self, role: &Role) -> bool {
        let same = |reading: &Reading<'_>| {
            reading.vector.iter().eq(&self.vector)
                && reading.rule.sudo == self.sample.sudo
                && reading.rule.env.is_empty()
        };
        let readings = role.readings(&self.words);
        !readings.is_empty() && readings.iter().all(same)
    }

    /// Whether `role` allows something else for this line, or for it without its `sudo`: with a rule for it one of the two would
    /// be ambiguous.
    fn is_near(&self, role: &Role) -> bool {
        let plain = words_of(false, &self.sample.vector);
        role.allows(&self.words) || plain.is_some_and(|words| role.allows(&words))
    }

    /// Whether `role` runs a program of this name otherwise: products might meet its rules.
    fn shares_program(&self, role: &Role) -> bool {
        let program = self.vector.first().map_or("", String::as_str);
        role.rules().iter().any(|rule| {
            let known = rule.run.program().unwrap_or_default();
            base_name(known) == base_name(program) && (known != program || rule.sudo != self.sample.sudo)
        })
    }
}

/// The line that means `vector`, as people type it.
#[must_use]
pub fn line_of(sudo: bool, vector: &[String]) -> String {
    let words = vector.iter().map(|word| crate::domain::text::shell_word(word));
    std::iter::repeat_n("sudo".to_owned(), usize::from(sudo)).chain(words).collect::<Vec<_>>().join(" ")
}

/// The words of [`line_of`], if they come back as they went.
fn words_of(sudo: bool, vector: &[String]) -> Option<Words> {
    let words = Words::split(line_of(sudo, vector).as_bytes()).ok()?;
    let same = words.as_slice().iter().skip(usize::from(sudo)).map(super::words::Word::text).eq(vector);
    same.then_some(words)
}

#[cfg(test)]
mod tests;
