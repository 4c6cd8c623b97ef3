//! Words for people: why a line was denied, what was allowed.

use crate::domain::limits::EXCERPT;
use crate::domain::text::excerpt;
use crate::domain::time::for_people;
use crate::domain::{RoleName, TargetName};

use super::decide::Choice;
use super::denial::Denial;
use super::pattern::{Miss, Wanted};
use super::permit::{Permit, Terms};
use super::rule::Rule;

/// So much is shown of an allowed command, in characters: a person decides by it.
const LINE_SHOWN: usize = 1000;

/// Why a line was denied, in lines for the user; `target` as they know it, `bastion` what they type after `ssh`.
///
/// All foreign text in it is escaped and cut.
#[must_use]
pub fn denial(denial: &Denial, target: &TargetName, bastion: &str) -> Vec<String> {
    match denial {
        Denial::NoGrant => vec![format!("you hold nothing for {target}")],
        Denial::Narrowed { role } => vec![
            format!("your grant of {role} allowed this when it was approved, and the configuration no longer does"),
            format!("to have {role} as it is now, ask for it again"),
        ],
        Denial::Ineligible { role } => vec![
            format!("your grant of {role} gives nothing any more: you may no longer ask for {role}"),
            format!("`ssh {} roles` lists what you can ask for now", excerpt(bastion, EXCERPT)),
        ],
        Denial::Widened { role } => vec![
            format!("{role} allows this now, but did not when your grant was approved"),
            format!("to have {role} as it is now, ask for it again"),
        ],
        Denial::Unmet { role, what } => vec![format!("{role} {what}")],
        Denial::Ambiguous { roles } => ambiguous(roles, target, bastion),
        Denial::NotInRole { nearest: None } => vec![format!("no role that you hold on {target} allows this")],
        Denial::NotInRole { nearest: Some(nearest) } => vec![
            format!("no role that you hold on {target} allows this"),
            format!("  nearest: {} (rule {} of {})", excerpt(&nearest.usage, EXCERPT), nearest.rule, nearest.role),
            format!("  {}", place(&nearest.miss)),
            format!("  allowed there: {}", wanted_there(&nearest.miss)),
        ],
        Denial::NotObserved { role, why } => {
            vec![format!("no role that you hold on {target} allows this, and {role} cannot observe it"), why.clone()]
        }
        Denial::OtherTargets { role, rule, targets } => vec![
            format!("no role that you hold on {target} allows this there"),
            format!("  rule {rule} of {role} allows it on {} alone", excerpt(targets, EXCERPT)),
        ],
        Denial::TooLong => vec!["the line would be too long for the target; shorten it".to_owned()],
    }
}

/// What the login name left out of the decision, if it left out anything: somebody whose own name is that of a role here has
/// chosen without knowing.
#[must_use]
pub fn choice(choice: &Choice, target: &TargetName) -> Option<String> {
    let chosen = match choice {
        Choice::Any => return None,
        Choice::Role(role) => format!("the role {role}"),
        Choice::Account(account) => format!("what you hold as {account}"),
    };
    Some(format!("only {chosen} counted, because your login name chose it; without that all you hold on {target} does"))
}

fn ambiguous(roles: &[RoleName], target: &TargetName, bastion: &str) -> Vec<String> {
    let bastion = excerpt(bastion, EXCERPT);
    match roles {
        [role] => vec![
            format!("several rules of {role} allow this and would run different things"),
            "type the program by its absolute path, or `sudo` before it, so that one of them is meant".to_owned(),
        ],
        roles => {
            std::iter::once("several of your roles allow this and would run different things; choose one:".to_owned())
                .chain(roles.iter().map(|role| format!("  ssh {role}+{target}@{bastion} …")))
                .collect()
        }
    }
}

/// What was allowed, in lines for the user.
#[must_use]
pub fn allowed(permit: &Permit) -> Vec<String> {
    let terms = permit.terms();
    let grants: Vec<String> = permit.grants().iter().map(ToString::to_string).collect();
    let by = if permit.observed() {
        format!("no rule allows it; {} observes, and every command of the account runs", permit.role())
    } else {
        format!("allowed by rule {} of {}", permit.rule(), permit.role())
    };
    vec![
        format!("{by} ({})", grants.join(", ")),
        format!("runs on {} as {}: {}", permit.target(), permit.account(), command(&permit.command())),
        format!("until {} at the latest, {}", permit.deadline().time_of_day(), input_and_output(terms)),
    ]
}

/// Under which terms a rule's commands run, however long the grant lives.
#[must_use]
pub fn terms(terms: &Terms) -> String {
    format!("for {} at the longest, {}", for_people(terms.timeout), input_and_output(terms))
}

fn input_and_output(terms: &Terms) -> String {
    format!("{} of output, standard input {}", bytes(terms.max_output), if terms.stdin { "open" } else { "closed" })
}

/// A command for people: each word as it would be typed, cut if it is long.
#[must_use]
pub fn command(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    excerpt(&words.join(" "), LINE_SHOWN)
}

/// For people: quotes where a word would not stand alone.
pub(super) fn quoted(word: &str) -> String {
    let plain =
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte));
    // A quote within would end the word for who reads it.
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// `1 GiB`, `64 KiB`, `1000 bytes`.
pub(super) fn bytes(number: u64) -> String {
    let unit = [("GiB", 30), ("MiB", 20), ("KiB", 10)]
        .into_iter()
        .find(|(_, bits)| number >= 1 << bits && number.trailing_zeros() >= *bits);
    unit.map_or_else(|| format!("{number} bytes"), |(name, bits)| format!("{} {name}", number >> bits))
}

/// One sentence on how a line missed a rule.
#[must_use]
pub fn miss(rule: &Rule, miss: &Miss) -> String {
    let usage = excerpt(rule.usage(), EXCERPT);
    format!("the nearest rule is `{usage}`; {}; allowed there: {}", place(miss), wanted_there(miss))
}

/// Where it stopped fitting, and what was wrong with the word, if one parameter could say.
#[must_use]
pub fn place(miss: &Miss) -> String {
    let Some(found) = &miss.found else { return format!("the line ends after word {}", miss.word) };
    let refusals: Vec<String> = miss.wanted.iter().filter_map(refusal).collect();
    let why = if refusals.is_empty() { String::new() } else { format!(": {}", refusals.join(", ")) };
    format!("word {} (`{}`, column {}) does not fit{why}", miss.word + 1, excerpt(found, EXCERPT), miss.column)
}

fn refusal(wanted: &Wanted) -> Option<String> {
    match wanted {
        Wanted::Parameter { refused, .. } => refused.as_ref().map(ToString::to_string),
        Wanted::Literal(_) | Wanted::End | Wanted::NoSudo => None,
    }
}

/// What may stand there, in words.
#[must_use]
pub fn wanted_there(miss: &Miss) -> String {
    let wanted: Vec<String> = miss.wanted.iter().map(wanted).collect();
    wanted.join(", or ")
}

/// One thing that may stand in a place, in words.
#[must_use]
pub fn wanted(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Literal(word) => format!("`{}`", excerpt(word, EXCERPT)),
        Wanted::Parameter { name, allowed, .. } => format!("{{{name}}}, {}", excerpt(allowed, 300)),
        Wanted::End => "nothing more".to_owned(),
        Wanted::NoSudo => "the program itself, because this rule runs without sudo".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_word_to_who_reads_it_whatever_it_holds() {
        let words = ["a", "b c", "", "x' 'y", "'; id; '"].map(str::to_owned);
        let shown = command(&words);
        let read = crate::policy::Words::split(shown.as_bytes());
        assert!(read.is_ok_and(|read| read.iter().eq(words.iter().map(String::as_str))), "{shown}");
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!([1 << 30, 64 << 10, 1000, 0].map(bytes), ["1 GiB", "64 KiB", "1000 bytes", "0 bytes"]);
    }
}
