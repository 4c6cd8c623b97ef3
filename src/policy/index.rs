//! Which rules of a role a line may be for, by its first word: so that a decision costs what the rules for that program cost,
//! and not what the role does. Knows nothing of what else a rule asks for, and never says that one allows a line.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use super::rule::{Rule, after_sudo};
use super::words::Word;

/// Made once, when a role is read.
#[derive(Clone, Default)]
pub(super) struct Index {
    /// For what a line may begin with, after a `sudo`, which of `numbers` are the rules it may be for.
    first: HashMap<Box<str>, Range<usize>>,
    /// Rules, from 1 in file order; those that begin alike stand together, in that order.
    numbers: Box<[usize]>,
    /// Whether a line for one of the rules may begin with any word. No rule of a role that loads is like that.
    any: bool,
}

/// Without what is in it: that follows from the rules, and stands in an order of chance.
impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

impl Index {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        let mut words: Vec<(&str, usize)> = Vec::new();
        for (rule, number) in rules.iter().zip(1..) {
            match rule.first_words() {
                Some(first) => words.extend(first.into_iter().map(|word| (word, number))),
                None => index.any = true,
            }
        }
        words.sort_unstable();
        words.dedup();
        for (at, (word, _)) in words.iter().enumerate() {
            index.first.entry(Box::from(*word)).or_insert(at..at).end = at + 1;
        }
        index.numbers = words.into_iter().map(|(_, number)| number).collect();
        index
    }

    /// What a line for one of the rules may begin with.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.first.keys().map(AsRef::as_ref)
    }

    /// The rules, of `count`, that may allow `words`, from 1 in file order. Allocates nothing.
    pub(super) fn numbers(&self, words: &[Word], count: usize) -> impl Iterator<Item = usize> {
        let (_, rest) = after_sudo(words);
        // Without a word there is nothing to look up.
        let (named, all) = match rest.first() {
            Some(word) if !self.any => (self.named(word.text()), 0),
            _ => (&[][..], count),
        };
        named.iter().copied().chain(1..=all)
    }

    fn named(&self, word: &str) -> &[usize] {
        self.first.get(word).and_then(|range| self.numbers.get(range.clone())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::role::Role;
    use super::super::rule::{Reading, Vector};
    use super::super::words::Words;
    use crate::domain::TargetName;

    /// Rules that begin alike, by program, base name and alias.
    const RULES: [&str; 10] = [
        "run = \"/bin/a {x}\"\nwhere.x = { one_of = [\"a\", \"b\"] }\n",
        "run = \"/bin/a [-b] {x}\"\nwhere.x = { pattern = '[a-c]' }\ntargets = [\"web-1\"]\n",
        "run = \"/bin/a {x...}\"\nwhere.x = { int = [1, 9] }\nsudo = true\n",
        "run = \"/opt/a {x}\"\nwhere.x = { one_of = [\"b\"] }\n",
        "run = \"/bin/a a\"\nstdin = true\ntargets = [\"db-1\"]\n",
        "run = \"/bin/b\"\nalias = \"a b\"\n",
        "run = \"/bin/b {x}\"\nalias = \"/bin/a {x} b\"\nwhere.x = { one_of = [\"c\"] }\nsudo = true\n",
        "run = \"/bin/a\"\nenv.X = \"1\"\n",
        "run = \"/bin/b [a] [-b]\"\n",
        "run = \"/opt/sudo-a a\"\nsudo = true\nalias = \"/opt/x/b\"\n",
    ];

    fn role(picks: &[usize]) -> Role {
        let rules: String = picks.iter().map(|pick| format!("[[command]]\n{}", RULES[*pick])).collect();
        let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{rules}");
        Role::parse("x".parse().unwrap(), "roles/x.toml", &text).unwrap_or_else(|found| panic!("{}", found[0])).0
    }

    fn line() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "a",
            "b",
            "c",
            "-b",
            "/bin/a",
            "/opt/a",
            "/bin/b",
            "/usr/bin/sudo",
            "/opt/x/b",
            "1",
            "",
        ]);
        let sudo = prop::sample::select(vec!["", "", "sudo ", "sudo -n "]);
        (sudo, prop::collection::vec(word, 0..5)).prop_map(|(sudo, words)| {
            let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            format!("{sudo}{}", words.join(" "))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_found_by_the_index_is_what_reading_every_rule_finds(
            picks in prop::collection::vec(0..RULES.len(), 1..6), line in line(),
        ) {
            let Ok(words) = Words::split(line.as_bytes()) else { return Ok(()) };
            let role = role(&picks);
            let owned = |vector: Vector<'_>| vector.iter().map(str::to_owned).collect::<Vec<String>>();
            let rule = |number: usize| &role.rules[number - 1];
            let vector = |number: usize| rule(number).vector(words.as_slice()).map(owned);
            let every: Vec<(usize, Vec<String>)> =
                (1..=role.rules.len()).filter_map(|number| Some((number, vector(number)?))).collect();
            let found = |reading: Reading<'_>| (reading.number, owned(reading.vector));
            prop_assert_eq!(&role.readings(&words).into_iter().map(found).collect::<Vec<_>>(), &every, "{}", line);
            prop_assert_eq!(role.allows(&words), !every.is_empty());
            for (number, _) in &every {
                prop_assert_eq!(rule(*number).reaches(words.as_slice()), None);
            }
            for target in ["web-1", "db-1"] {
                let target: TargetName = target.parse().unwrap();
                let here = |number: &usize| role.rules[number - 1].is_for(&target);
                let first = every.iter().map(|(number, _)| *number).find(here);
                prop_assert_eq!(role.first_allowing(&target, &words), first);
                prop_assert_eq!(role.allows_on(&target, &words), first.is_some());
                let mut nearest = None;
                for number in (1..=role.rules.len()).filter(here).filter(|_| first.is_none()) {
                    let miss = *rule(number).miss(words.as_slice());
                    prop_assert_eq!(rule(number).reaches(words.as_slice()), Some(miss.reach()));
                    let further = |(_, known): &(usize, super::super::pattern::Miss)| miss.reach() > known.reach();
                    if nearest.as_ref().is_none_or(further) {
                        nearest = Some((number, miss));
                    }
                }
                let by_index = role.nearest(Some(&target), &words).map(|(number, _, miss)| (number, miss));
                prop_assert_eq!(by_index, nearest, "{} of {:?}", line, picks);
            }
        }
    }

    #[test]
    fn a_line_is_held_against_the_rules_for_its_program_alone() {
        let others: String = (0..199)
            .map(|at| format!("[[command]]\nrun = \"/opt/bin/other-{at} {{x}}\"\nwhere.x = {{ int = [1, 9] }}\n"))
            .collect();
        let text =
            format!("targets = [\"*\"]\nrun_as = \"ops\"\n{others}[[command]]\nrun = \"/bin/a\"\nalias = \"b c\"\n");
        let (role, _) = Role::parse("x".parse().unwrap(), "roles/x.toml", &text).unwrap();
        let asked = |line: &str| {
            let words = Words::split(line.as_bytes()).unwrap();
            role.rules_for(&words).map(|(number, _)| number).collect::<Vec<_>>()
        };
        for (line, numbers) in [
            ("a", &[200][..]),
            ("/bin/a x", &[200]),
            ("sudo -n b c", &[200]),
            ("other-7 1", &[8]),
            ("/bin/other-7 1", &[]),
            ("c", &[]),
        ] {
            assert_eq!(asked(line), numbers, "{line}");
        }
        assert_eq!(asked("sudo").len(), 200, "nothing to look up");
    }
}
