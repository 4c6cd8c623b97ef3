//! What the program of a rule can be made to do besides, by the words that the rule leaves open; through programs that start
//! another one too.

use crate::policy::parameter::Kind;
use crate::policy::pattern::matching::base_name;
use crate::policy::rule::Rule;

use super::knowledge::{self, Gives, Numbers, Program, Way};
use super::line::{self, Line, Role, Slot};
use super::{At, Found, code};

/// So many programs are looked through.
const DEEPEST: usize = 4;

/// What of a rule was spoken about already, and what its words are to the program that reads them.
#[derive(Default)]
pub(super) struct Told {
    /// Steps of which the gravest was said.
    pub(super) steps: Vec<usize>,
    /// Steps that are mere text.
    pub(super) text: Vec<usize>,
    /// Steps after `--`, which are no options whatever they look like.
    pub(super) no_options: Vec<usize>,
    /// Steps of a program that expands `*`.
    pub(super) globs: Vec<usize>,
}

/// One program of the line with the words that are its own.
struct Call<'a, 'r> {
    rule: &'a Rule,
    name: &'a str,
    program: &'static Program,
    slots: &'a [Slot<'r>],
    roles: Vec<(Role, bool)>,
    at: At,
}

pub(super) fn check(rule: &Rule, line: &Line<'_>, found: &mut Vec<Found>) -> Told {
    let mut told = Told::default();
    let name = base_name(rule.run.program().unwrap_or_default());
    judge(rule, name, &At::Program, &line.slots, 0, &mut told, found);
    told
}

fn judge(rule: &Rule, name: &str, at: &At, slots: &[Slot<'_>], depth: usize, told: &mut Told, found: &mut Vec<Found>) {
    if let [only] = slots
        && only.open.is_none()
        && matches!(only.fixed, "--version" | "-V" | "--help")
    {
        return;
    }
    let program = knowledge::find(name).unwrap_or(&knowledge::UNKNOWN);
    let roles = line::roles(program, slots);
    let inner = program.starts.map(|skipped| inner(program, &roles, slots, skipped));
    let own = match inner {
        Some(Some(at)) => slots.get(..at).unwrap_or_default(),
        _ => slots,
    };
    let call = Call { rule, name, program, slots: own, roles, at: at.clone() };
    call.note(told);
    for way in &program.ways {
        call.walk(way, told, found);
    }
    call.numbers(found);
    if program.shell_words {
        call.shell_words(slots, told, found);
    }
    match inner {
        Some(Some(at)) => call.look_through(slots, at, depth, told, found),
        Some(None) => call.bare(found),
        None => {}
    }
}

/// Where the program stands that `program` starts.
fn inner(program: &Program, roles: &[(Role, bool)], slots: &[Slot<'_>], skipped: usize) -> Option<usize> {
    let assigns = |slot: &Slot<'_>| program.assignments && slot.fixed.contains('=');
    let mut left = skipped;
    for (at, (role, _)) in roles.iter().enumerate() {
        let slot = slots.get(at)?;
        let end_of_options = slot.open.is_none() && slot.fixed == "--";
        if !matches!(role, Role::Operand(..)) || end_of_options || assigns(slot) {
            continue;
        }
        if left == 0 {
            return Some(at);
        }
        left -= 1;
    }
    None
}

impl Call<'_, '_> {
    fn note(&self, told: &mut Told) {
        for (at, slot) in self.slots.iter().enumerate() {
            if line::is_text(self.program, self.slots, &self.roles, at) {
                told.text.push(slot.step);
            }
            if self.roles.get(at).is_some_and(|(_, options)| !options) {
                told.no_options.push(slot.step);
            }
            if self.program.globs {
                told.globs.push(slot.step);
            }
        }
    }

    /// Says what `way` gives, once, where the rule goes it or could.
    fn walk(&self, way: &Way, told: &mut Told, found: &mut Vec<Found>) {
        if self.shut(way) {
            return;
        }
        let verb = self.verb(way);
        let by_input = verb && self.rule.stdin && (way.input || way.keys);
        if by_input && way.gives.starts_others() {
            let message = format!("`{}` {}, and `stdin = true` gives it the user's input", self.name, way.why);
            let help = format!("take `stdin` out; or {}; or say in `accept_escape = \"…\"` why it must be", way.safe);
            found.push(Found::new(At::Key("stdin"), code::INPUT, message, help));
            return;
        }
        let Some((at, by)) = self.trigger(way, verb, by_input, told) else { return };
        let message = format!("`{}` {}{by}", self.name, way.why);
        found.push(Found::new(at, way.gives.code(), message, way.safe.clone()));
    }

    /// Whether a fixed word of the rule shuts the way.
    fn shut(&self, way: &Way) -> bool {
        let shuts =
            |slot: &Slot<'_>| !slot.optional && slot.open.is_none() && way.unless.iter().any(|one| one == slot.fixed);
        self.slots.iter().any(shuts)
    }

    /// Whether one of the way's verbs is there or possible; a verb is one of the first two operands.
    fn verb(&self, way: &Way) -> bool {
        let none_needed = !self
            .roles
            .iter()
            .zip(self.slots)
            .any(|((role, _), slot)| matches!(role, Role::Operand(..)) && !slot.optional);
        let early = |at: usize| matches!(self.roles.get(at), Some((Role::Operand(least, _), _)) if *least <= 2);
        let is = |(at, slot): (usize, &Slot<'_>), verb: &str| {
            if verb.starts_with('-') {
                return slot.could_be_option(verb, self.program.dashes);
            }
            let known = slot.words().is_some_and(|words| words.iter().any(|word| word == verb));
            // What the user makes up is a verb where no fixed one came before.
            early(at) && (known || (slot.unknown().is_some() && self.is_first(at) && slot.could_be(verb)))
        };
        way.verbs.is_empty()
            || way.verbs.iter().any(|verb| {
                if verb.is_empty() { none_needed } else { self.slots.iter().enumerate().any(|slot| is(slot, verb)) }
            })
    }

    fn is_first(&self, at: usize) -> bool {
        matches!(self.roles.get(at), Some((Role::Operand(1, _), _)))
    }

    /// Where the way begins, and what about that place; `None` if the rule keeps away from it.
    fn trigger(&self, way: &Way, verb: bool, by_input: bool, told: &mut Told) -> Option<(At, String)> {
        let by_verb = !way.verbs.is_empty() && way.operands.is_none() && !way.input;
        if verb && (way.always || by_verb) {
            return Some((self.at.clone(), String::new()));
        }
        if by_input && way.input {
            return Some((At::Key("stdin"), "; here by `stdin = true`".to_owned()));
        }
        if let Some((name, _)) = self.rule.env.iter().find(|(name, _)| way.env.contains(name)) {
            return Some((At::Key("env"), format!("; here by the variable `{name}`")));
        }
        self.option(way).or_else(|| self.value(way, told)).or_else(|| if verb { self.operand(way, told) } else { None })
    }

    fn option(&self, way: &Way) -> Option<(At, String)> {
        for option in &way.options {
            for (at, slot) in self.slots.iter().enumerate() {
                let dashed = option.starts_with('-');
                let may = self
                    .roles
                    .get(at)
                    .is_some_and(|(role, options)| (*options || !dashed) && !matches!(role, Role::Value { .. }));
                if may && slot.could_be_option(option, self.program.dashes) {
                    return Some((At::Step(slot.step), by_option(slot, option)));
                }
            }
        }
        None
    }

    fn value(&self, way: &Way, told: &mut Told) -> Option<(At, String)> {
        for (at, slot) in self.slots.iter().enumerate() {
            let Some((role, options)) = self.roles.get(at) else { continue };
            if !options || matches!(role, Role::Value { .. }) {
                continue;
            }
            let Some(option) = way.values.iter().find(|one| slot.could_be_option(one, self.program.dashes)) else {
                continue;
            };
            if slot.unknown().is_some_and(|_| slot.fixed.is_empty()) {
                return Some((At::Step(slot.step), by_option(slot, option)));
            }
            // The value is glued to the option, or the next word.
            let value = if slot.unknown().is_some() { Some(slot) } else { self.slots.get(at + 1) };
            let glued = slot.unknown().is_none() && slot.fixed.contains('=');
            if let Some((value, open)) = value.filter(|_| !glued).and_then(|value| Some((value, value.unknown()?)))
                && is_open(way.gives, value, self.rule.sudo)
            {
                told.steps.push(value.step);
                return Some((
                    At::Step(value.step),
                    format!("; here the value of `{option}` is whatever `{{{}}}` is", open.name),
                ));
            }
        }
        None
    }

    fn operand(&self, way: &Way, told: &mut Told) -> Option<(At, String)> {
        let from = way.operands?;
        for (at, slot) in self.slots.iter().enumerate() {
            let Some((Role::Operand(least, most), _)) = self.roles.get(at) else { continue };
            let counts = *most >= from && way.upto.is_none_or(|upto| *least <= upto);
            let text = line::is_text(self.program, self.slots, &self.roles, at);
            if let Some(open) = slot.unknown().filter(|_| counts && !text && is_open(way.gives, slot, self.rule.sudo)) {
                told.steps.push(slot.step);
                return Some((At::Step(slot.step), format!("; here it is whatever `{{{}}}` is", open.name)));
            }
        }
        None
    }

    /// Numbers that mean more than others.
    fn numbers(&self, found: &mut Vec<Found>) {
        let Some(numbers) = self.program.numbers else { return };
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(open) = slot.unknown() else { continue };
            let Kind::Int { .. } = open.parameter.kind() else { continue };
            let value = matches!(self.roles.get(at), Some((Role::Value { .. }, _)));
            let place = At::Value(open.index, None);
            let takes = |number: &str| open.parameter.accepts(number).is_ok();
            match numbers {
                Numbers::Pid if !value && (takes("0") || takes("1")) => {
                    let message = format!(
                        "`{}` takes `{{{}}}` as a process, and 0 is the whole group of processes, 1 the one that starts all others",
                        self.name, open.name
                    );
                    let help = format!(
                        "write `where.{} = {{ int = [2, 4194304] }}`, or name units with `systemctl kill`",
                        open.name
                    );
                    found.push(Found::new(place, code::INT_PROCESS, message, help));
                }
                Numbers::Uid if takes("0") => {
                    let message = format!("`{}` takes `{{{}}}` as an account, and 0 is root", self.name, open.name);
                    let help =
                        format!("write `where.{} = {{ int = [1000, 60000] }}`, or list names with `one_of`", open.name);
                    found.push(Found::new(place, code::INT_ROOT, message, help));
                }
                _ => {}
            }
        }
    }

    /// A program that hands its words to a shell: every open one is shell text, wherever it stands.
    fn shell_words(&self, slots: &[Slot<'_>], told: &mut Told, found: &mut Vec<Found>) {
        let Some(way) = self.program.ways.first() else { return };
        if found.iter().any(|one| one.code == way.gives.code()) {
            return;
        }
        let open = |slot: &Slot<'_>| slot.unknown().is_some_and(|open| open.shape.anything || open.shape.blank);
        if let Some(slot) = slots.iter().find(|slot| open(slot)) {
            told.steps.push(slot.step);
            let message = format!("`{}` {}", self.name, way.why);
            found.push(Found::new(At::Step(slot.step), way.gives.code(), message, way.safe.clone()));
        }
    }

    /// Judges the program that this one starts.
    fn look_through(&self, slots: &[Slot<'_>], at: usize, depth: usize, told: &mut Told, found: &mut Vec<Found>) {
        let (Some(slot), Some(rest)) = (slots.get(at), slots.get(at + 1..)) else { return };
        match slot.words() {
            None => {
                told.steps.push(slot.step);
                let name = slot.unknown().map_or("", |open| open.name);
                let message = format!("`{}` starts whatever program `{{{name}}}` names", self.name);
                let help = "write one rule for each program, with its absolute path as a fixed word";
                found.push(Found::new(At::Step(slot.step), Gives::Command.code(), message, help));
            }
            Some(_) if depth >= DEEPEST => {
                let message =
                    format!("`{}` starts a program that starts a program, too deep to look through", self.name);
                let help = "name the program that is to run by its own path";
                found.push(Found::new(At::Step(slot.step), Gives::Command.code(), message, help));
            }
            Some(words) => {
                for word in words {
                    let before = found.len();
                    judge(self.rule, base_name(word), &At::Step(slot.step), rest, depth + 1, told, found);
                    if found.len() > before {
                        break;
                    }
                }
            }
        }
    }

    /// A program that would start another, and is given none.
    fn bare(&self, found: &mut Vec<Found>) {
        let Some(gives) = self.program.bare else { return };
        let message = format!("`{}` without a program behind it starts a shell, or whatever it is set to", self.name);
        let help = "name the program that is to run by its own path";
        found.push(Found::new(self.at.clone(), gives.code(), message, help));
    }
}

fn by_option(slot: &Slot<'_>, option: &str) -> String {
    match &slot.open {
        None => format!("; here by `{}`", slot.fixed),
        Some(open) => format!("; here `{{{}}}` could be `{option}`", open.name),
    }
}

/// Whether what the user makes up for `slot` reaches what the way gives.
fn is_open(gives: Gives, slot: &Slot<'_>, sudo: bool) -> bool {
    let Some(open) = slot.unknown() else { return false };
    let shape = open.shape;
    match (open.parameter.kind(), gives) {
        // A folder that is named is what the rule seems to give; a tree, or a file to start, is more.
        (Kind::Path(path), Gives::FileRead) => super::places::is_wide(&path.to_string()),
        (Kind::Path(path), Gives::FileWrite | Gives::Network) => path.to_string().contains("**") || sudo,
        (Kind::Path(path), _) => path.to_string().contains('*'),
        (_, Gives::FileRead | Gives::FileWrite) => shape.slash || shape.dotdot,
        _ => shape.letters || shape.slash || shape.anything,
    }
}
