//! The rules of two versions of a role: which belong together, and what became of each.

use std::time::Duration;

use crate::domain::text::excerpt;
use crate::domain::time::for_people;
use crate::policy::explain::bytes;
use crate::policy::parameter::Parameter;
use crate::policy::pattern::Lines;
use crate::policy::rule::{Alias, Rule};
use crate::policy::selector::TargetSelector;

use super::{Changes, Direction, SHOWN, names};

/// So many words of a list are shown.
const WORDS: usize = 20;

/// Everything that became of the rules.
pub(super) fn compare(old: &[Rule], new: &[Rule], out: &mut Changes) {
    let mut left: Vec<(usize, &Rule)> = (1..).zip(old).collect();
    let mut open: Vec<(usize, &Rule)> = Vec::new();
    // Pairs of which a widening is said already.
    let mut said: Vec<(usize, usize)> = Vec::new();
    let mut both = |out: &mut Changes, (before, was): (usize, &Rule), (number, rule): (usize, &Rule)| {
        if aspects(was, number, rule, out) {
            said.push((before, number));
        }
    };
    for (number, rule) in (1..).zip(new) {
        // The same rule, wherever it stands now.
        match take(&mut left, |was| same_text(was, rule) && gives_the_same(was, rule)) {
            Some(was) => both(out, was, (number, rule)),
            None => open.push((number, rule)),
        }
    }
    let kin: [fn(&Rule, &Rule) -> bool; 4] = [gives_the_same, same_text, same_shape, related];
    for kin in kin {
        open.retain(|&(number, rule)| match take(&mut left, |was| kin(was, rule)) {
            Some(was) => {
                both(out, was, (number, rule));
                false
            }
            None => true,
        });
    }
    for (number, rule) in open {
        let what = titled(number, rule);
        match (1..).zip(old).find(|(_, was)| gives_no_more(rule, was)) {
            Some((known, _)) => {
                out.other(format!("{what} is new, and gives nothing that rule {known} of before did not"));
            }
            None => out.widened(format!("{what} is new{}", in_short(rule))),
        }
    }
    for (number, was) in left {
        let what = format!("rule {number} of before, `{}`,", excerpt(was.usage(), SHOWN));
        match (1..).zip(new).find(|(_, rule)| gives_no_more(was, rule)) {
            Some((known, _)) => out.other(format!("{what} is gone, and rule {known} gives all of it")),
            None => out.narrowed(format!("{what} is gone")),
        }
    }
    unshadowed(old, new, &said, out);
}

fn take<'r>(left: &mut Vec<(usize, &'r Rule)>, fits: impl Fn(&Rule) -> bool) -> Option<(usize, &'r Rule)> {
    let at = left.iter().position(|(_, rule)| fits(rule))?;
    Some(left.remove(at))
}

fn titled(number: usize, rule: &Rule) -> String {
    format!("rule {number} `{}`", excerpt(rule.usage(), SHOWN))
}

/// ` (as root, reads input)`: what a reader of a new rule should not overlook.
fn in_short(rule: &Rule) -> String {
    let said = [(rule.sudo, "as root"), (rule.stdin, "reads input"), (!rule.env.is_empty(), "with an environment")];
    let said: Vec<&str> = said.into_iter().filter(|(yes, _)| *yes).map(|(_, what)| what).collect();
    if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
}

fn alias_lines(alias: &Alias) -> Lines<'_> {
    Lines { pattern: &alias.pattern, parameters: &alias.parameters }
}

fn same_text(old: &Rule, new: &Rule) -> bool {
    old.run.as_written() == new.run.as_written()
}

fn same_shape(old: &Rule, new: &Rule) -> bool {
    Lines::of(old).same_shape(&Lines::of(new))
}

fn related(old: &Rule, new: &Rule) -> bool {
    Lines::of(old).within(&Lines::of(new)) || Lines::of(new).within(&Lines::of(old))
}

/// Whether both aliases stand for the same lines, as far as parameters do not say otherwise.
fn same_alias(old: &Rule, new: &Rule) -> bool {
    let written = |rule: &Rule| rule.alias.as_ref().map(|alias| alias.pattern.as_written().to_owned());
    written(old) == written(new) && (new.alias.is_none() || same_text(old, new))
}

/// Whether `rule` certainly allows nothing that `wider` does not allow, as the same thing to run and on terms as wide.
pub(super) fn gives_no_more(rule: &Rule, wider: &Rule) -> bool {
    let alias = rule.alias.is_none() || same_alias(wider, rule);
    alias && Lines::of(rule).within(&Lines::of(wider)) && runs_alike(wider, rule) && terms_within(rule, wider)
}

fn gives_the_same(old: &Rule, new: &Rule) -> bool {
    gives_no_more(new, old) && gives_no_more(old, new)
}

fn runs_alike(old: &Rule, new: &Rule) -> bool {
    old.run.program() == new.run.program() && old.sudo == new.sudo && old.env == new.env
}

fn terms_within(rule: &Rule, wider: &Rule) -> bool {
    (wider.stdin || !rule.stdin)
        && rule.timeout <= wider.timeout
        && rule.max_output <= wider.max_output
        && rule.max_stdin <= wider.max_stdin
        && targets_within(rule.targets.as_ref(), wider.targets.as_ref())
}

/// Whether a rule for `targets` certainly holds nowhere that one for `wider` does not.
fn targets_within(targets: Option<&TargetSelector>, wider: Option<&TargetSelector>) -> bool {
    let Some(wider) = wider.map(TargetSelector::entries) else { return true };
    targets.is_some_and(|targets| targets.entries().iter().all(|one| wider.contains(one)))
}

/// What became of the targets that a rule is for.
fn other_targets(old: Option<&TargetSelector>, new: Option<&TargetSelector>, out: &mut Changes) {
    let shown = |targets: Option<&TargetSelector>| {
        targets.map_or_else(|| "every target of the role".to_owned(), |targets| excerpt(&targets.to_string(), SHOWN))
    };
    let text = || format!("it is for {} now, was for {}", shown(new), shown(old));
    match (targets_within(new, old), targets_within(old, new)) {
        (true, true) => {}
        (true, false) => out.narrowed(text()),
        (false, _) => out.widened(text()),
    }
}

/// What is different between two versions of one rule; whether it gives more.
fn aspects(old: &Rule, number: usize, new: &Rule, out: &mut Changes) -> bool {
    // `usage` follows from `run` and `alias`; `lines` looks at `run` and `parameters`.
    let Rule {
        run: _,
        parameters: _,
        alias,
        sudo,
        stdin,
        timeout,
        max_output,
        max_stdin,
        targets,
        env,
        help,
        usage: _,
        accept_escape: _,
    } = new;
    let title = titled(number, new);
    let mut found = Changes::of("");
    lines(old, new, &mut found);
    if !same_alias(old, new) {
        match alias {
            None => found.narrowed("it has no alias any more"),
            Some(alias) => found.widened(format!(
                "it may be typed as `{}` now: not compared",
                excerpt(alias.pattern.as_written(), SHOWN)
            )),
        }
    }
    match (old.sudo, sudo) {
        (false, true) => found.widened("runs as root now"),
        (true, false) => {
            found.widened("runs as the role's account now, was as root: another thing to run, not compared");
        }
        _ => {}
    }
    if stdin != &old.stdin {
        found.push(
            if *stdin { Direction::Widened } else { Direction::Narrowed },
            if *stdin { "its program reads what the user sends now" } else { "its program reads no input any more" },
        );
    }
    found.most("its timeout", &old.timeout, timeout, |span: &Duration| for_people(*span));
    found.most("its max_output", &old.max_output, max_output, |count| bytes(*count));
    let input = |count: &u64| if *count == u64::MAX { "no bound".to_owned() } else { bytes(*count) };
    found.most("its max_stdin", &old.max_stdin, max_stdin, input);
    other_targets(old.targets.as_ref(), targets.as_ref(), &mut found);
    if env != &old.env {
        found.widened("its environment is another: not compared, read both");
    }
    if help != &old.help {
        found.other("its help is another");
    }
    let found = found.into_found();
    let widened = found.iter().any(|change| change.direction == Direction::Widened);
    for change in found {
        out.push(change.direction, format!("{title}: {}", change.text));
    }
    widened
}

/// Which lines `run` and its parameters take.
fn lines(old: &Rule, new: &Rule, out: &mut Changes) {
    if same_shape(old, new) {
        return parameters(old, new, out);
    }
    let text = |rule: &Rule| excerpt(rule.run.as_written(), SHOWN);
    let texts = format!("`{}` now, was `{}`", text(new), text(old));
    match (Lines::of(new).within(&Lines::of(old)), Lines::of(old).within(&Lines::of(new))) {
        (true, true) => out.other(format!("{texts}, which means the same")),
        (true, false) => out.narrowed(texts),
        (false, true) => out.widened(texts),
        (false, false) => out.widened(format!("{texts}: not compared, read both")),
    }
}

/// Parameters of two rules of one shape, place by place.
fn parameters(old: &Rule, new: &Rule, out: &mut Changes) {
    let names = new.run.names().iter().map(|(name, _)| name);
    let pairs = names.zip(old.parameters.iter().zip(&new.parameters));
    for (name, (was, now)) in pairs {
        // No matter of power: who sees its values, and not which there are.
        match (was.is_secret(), now.is_secret()) {
            (false, true) => out.other(format!("{{{name}}} is a secret now, and kept out of the log")),
            (true, false) => out.other(format!("{{{name}}} is no secret any more: its values will be in the log")),
            _ => {}
        }
        match (now.within(was), was.within(now)) {
            (true, true) => {}
            (true, false) => out.narrowed(format!("{{{name}}} {}", difference(was, now, "may no longer be"))),
            (false, true) => out.widened(format!("{{{name}}} {}", difference(now, was, "may also be"))),
            (false, false) => match (was.listed(), now.listed()) {
                (Some(_), Some(_)) => {
                    out.widened(format!("{{{name}}} {}", difference(now, was, "may also be")));
                    out.narrowed(format!("{{{name}}} {}", difference(was, now, "may no longer be")));
                }
                _ => out.widened(format!("{{{name}}} may be {now} now, was {was}: not compared, read both")),
            },
        }
    }
}

/// What `more` has and `less` has not, as words of a list; or both as they are.
fn difference(more: &Parameter, less: &Parameter, verb: &str) -> String {
    let Some(words) = more.listed().filter(|_| less.listed().is_some()) else {
        let (now, was) = if verb == "may also be" { (more, less) } else { (less, more) };
        return format!("may be {now} now, was {was}");
    };
    let only: Vec<String> =
        words.iter().filter(|word| less.accepts(word).is_err()).map(|word| excerpt(word, 40)).collect();
    let more = only.len().saturating_sub(WORDS);
    let shown = names(only.into_iter().take(WORDS));
    if more == 0 { format!("{verb} {shown}") } else { format!("{verb} {shown}, with {more} more") }
}

/// A rule that is narrower or gone may have made lines ambiguous, or held them to its stricter terms: those are free now.
fn unshadowed(old: &[Rule], new: &[Rule], said: &[(usize, usize)], out: &mut Changes) {
    for (number, was) in (1..).zip(old) {
        if new.iter().any(|rule| gives_no_more(was, rule) && terms_within(rule, was)) {
            continue;
        }
        let unsaid = |other: &usize| !said.contains(&(number, *other));
        let freed = (1..).zip(new).find(|(other, rule)| unsaid(other) && frees(was, rule));
        if let Some((other, rule)) = freed {
            out.widened(format!(
                "rule {number} of before no longer stands in the way of {}: lines that both allowed were refused as ambiguous, or \
                 held to stricter terms",
                titled(other, rule)
            ));
        }
    }
}

/// Whether a line may exist that both allow, and that `rule` runs as something else or on wider terms than `was`.
fn frees(was: &Rule, rule: &Rule) -> bool {
    let alike = runs_alike(was, rule) && terms_within(rule, was);
    if !alike && Lines::of(was).may_share(&Lines::of(rule)) {
        return true;
    }
    // What an alias stands for is not what was typed, so beside another rule it runs something else.
    if alike && same_alias(was, rule) {
        return false;
    }
    let (mine, theirs) = (was.alias.as_ref().map(alias_lines), rule.alias.as_ref().map(alias_lines));
    mine.is_some_and(|mine| mine.may_share(&Lines::of(rule)) || theirs.is_some_and(|theirs| mine.may_share(&theirs)))
        || theirs.is_some_and(|theirs| Lines::of(was).may_share(&theirs))
}
