//! What may change when a policy does, said exactly; and that nothing runs that no rule means.

use doorward::policy::{Decision, Denial, Permit, Role};
use proptest::prelude::*;

use crate::{decide_for, generous, permit, role};

/// Rules to draw from: each allows something that others allow too, or nearly.
const RULES: [&str; 8] = [
    "[[command]]\nrun = \"/bin/a {x}\"\nwhere.x = { one_of = [\"a\", \"b\"] }\n",
    "[[command]]\nrun = \"/bin/a [-b] {x}\"\nwhere.x = { pattern = '[a-c]' }\ntimeout = \"9s\"\n",
    "[[command]]\nrun = \"/bin/a {x}\"\nwhere.x = { int = [1, 9] }\nsudo = true\n",
    "[[command]]\nrun = \"/opt/a {x}\"\nwhere.x = { one_of = [\"b\"] }\n",
    "[[command]]\nrun = \"/bin/a a\"\nstdin = true\n",
    "[[command]]\nrun = \"/bin/b\"\nalias = \"a b\"\n",
    "[[command]]\nrun = \"/bin/a\"\nenv.X = \"1\"\n",
    "[[command]]\nrun = \"/bin/b [a] [-b]\"\n",
];

fn words_of_rules() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["a", "b", "c", "-b", "/bin/a", "/opt/a", "/bin/b", "sudo", "1", "5", "-n"]);
    prop::collection::vec(word, 1..5).prop_map(|words| words.join(" "))
}

fn role_of(name: &str, picks: &[usize]) -> Role {
    role(name, &picks.iter().map(|pick| RULES[*pick]).collect::<String>())
}

fn picks() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..RULES.len(), 1..4)
}

/// The decision in three: what runs, which roles disagree, or nothing.
#[derive(Debug, Eq, PartialEq)]
enum Answer {
    Runs(Vec<String>),
    Disagree(Vec<String>),
    No,
}

fn answer(line: &str, roles: &[Role]) -> Answer {
    match decide_for(line.as_bytes(), roles) {
        // The environment is a part of what runs; the time that it may take is not.
        Some(Decision::Allow(permit)) => Answer::Runs(what_runs(&permit)),
        Some(Decision::Deny(Denial::Ambiguous { roles })) => {
            Answer::Disagree(roles.iter().map(ToString::to_string).collect())
        }
        _ => Answer::No,
    }
}

fn what_runs(permit: &Permit) -> Vec<String> {
    let environment = permit.argv().into_iter().skip(2).take_while(|word| word.contains('='));
    permit.command().into_iter().chain(environment).collect()
}

/// What rule `pick` of `RULES` means, written down once more.
fn means(pick: usize, command: &[&str]) -> bool {
    match (pick, command) {
        (0, ["/bin/a", x]) => ["a", "b"].contains(x),
        (1, ["/bin/a", "-b", x] | ["/bin/a", x]) => ["a", "b", "c"].contains(x),
        (2, ["/usr/bin/sudo", "-n", "/bin/a", x]) => x.len() == 1 && ("1"..="9").contains(x),
        (3, ["/opt/a", "b"]) | (4, ["/bin/a", "a"]) | (5, ["/bin/b"]) | (6, ["/bin/a"]) => true,
        (7, ["/bin/b", rest @ ..]) => matches!(rest, [] | ["a" | "-b"] | ["a", "-b"] | ["-b", "a"]),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// An allowed line stays what it is, unless the new rule allows it too and would run something else: then it is ambiguous.
    #[test]
    fn a_rule_more_changes_nothing_that_was_allowed_but_by_disagreeing(
        base in picks(), more in 0..RULES.len(), line in words_of_rules(),
    ) {
        let wider = [base.as_slice(), &[more]].concat();
        if let Answer::Runs(before) = answer(&line, &[role_of("r", &base)]) {
            match answer(&line, &[role_of("r", &wider)]) {
                Answer::Runs(after) => prop_assert_eq!(before, after, "{}", line),
                Answer::Disagree(_) => {
                    let alone = answer(&line, &[role_of("r", &[more])]);
                    prop_assert!(alone != Answer::No && alone != Answer::Runs(before), "{}: {:?}", line, alone);
                }
                Answer::No => prop_assert!(false, "{line} is denied by a rule more"),
            }
        }
    }

    /// With a grant less a line is allowed only if it was allowed before, and runs the same; or if the grant that went was a side
    /// of a disagreement about it.
    #[test]
    fn a_grant_less_allows_nothing_new_but_ends_a_disagreement_it_was_in(
        held in prop::collection::vec(picks(), 1..4), without in 0_usize..4, line in words_of_rules(),
    ) {
        let mut roles: Vec<Role> = held.iter().enumerate().map(|(at, picks)| role_of(&format!("r{at}"), picks)).collect();
        let before = answer(&line, &roles);
        let gone = roles.remove(without % held.len());
        if let Answer::Runs(after) = answer(&line, &roles) {
            match before {
                Answer::Runs(before) => prop_assert_eq!(before, after, "{}", line),
                Answer::Disagree(sides) => {
                    prop_assert!(sides.contains(&gone.name().to_string()), "{}: {:?}", line, sides);
                    let alone = answer(&line, std::slice::from_ref(&gone));
                    prop_assert!(alone != Answer::No && alone != Answer::Runs(after), "{}: {:?}", line, alone);
                }
                Answer::No => prop_assert!(false, "{line} is allowed by a grant less"),
            }
        }
    }

    #[test]
    fn what_runs_is_what_the_named_rule_means_word_for_word(base in picks(), line in words_of_rules()) {
        if let Some(Decision::Allow(permit)) = decide_for(line.as_bytes(), &[role_of("r", &base)]) {
            let runs = permit.command();
            let command: Vec<&str> = runs.iter().map(String::as_str).collect();
            prop_assert!(means(base[permit.rule() - 1], &command), "{line}: {command:?} by rule {}", permit.rule());
            prop_assert!(permit.argv().ends_with(&runs));
            prop_assert_eq!(&shlex::split(permit.line()).unwrap()[1..], permit.argv());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_rule_never_denies_what_was_allowed_unless_it_is_ambiguous_now(
        base in picks(), more in 0..RULES.len(), line in words_of_rules(),
    ) {
        let mut wider = base.clone();
        wider.push(more);
        if permit(&line, &[role_of("r", &base)]).is_some() {
            let after = decide_for(line.as_bytes(), &[role_of("r", &wider)]);
            let kept = matches!(after, Some(Decision::Allow(_) | Decision::Deny(Denial::Ambiguous { .. })));
            prop_assert!(kept, "{line}: {after:?}");
        }
    }

    #[test]
    fn removing_a_grant_never_allows_what_nothing_left_allows_alone(
        one in picks(), two in picks(), line in words_of_rules(),
    ) {
        let (one, two) = (role_of("one", &one), role_of("two", &two));
        let both = decide_for(line.as_bytes(), &[one.clone(), two.clone()]);
        let alone = permit(&line, &[one]).is_some() || permit(&line, &[two]).is_some();
        let refused_as_ambiguous = matches!(both, Some(Decision::Deny(Denial::Ambiguous { .. })));
        let allowed = matches!(both, Some(Decision::Allow(_)));
        // Roles never merge: together they allow no more than one of them does, and no less except when they disagree.
        prop_assert!(!allowed || alone, "{line}: {both:?}");
        prop_assert!(!alone || allowed || refused_as_ambiguous, "{line}: {both:?}");
    }

    #[test]
    fn every_word_that_runs_is_the_rules_program_or_a_word_that_was_typed(base in picks(), line in words_of_rules()) {
        if let Some(permit) = permit(&line, &[role_of("r", &base)]) {
            let typed: Vec<&str> = line.split(' ').collect();
            let runs = permit.command();
            let own = runs.iter().skip_while(|word| matches!(word.as_str(), "/usr/bin/sudo" | "-n"));
            for (at, word) in own.enumerate() {
                let program = at == 0 && ["/bin/a", "/bin/b", "/opt/a"].contains(&word.as_str());
                prop_assert!(program || typed.contains(&word.as_str()), "{word} in {permit:?}");
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        let roles = [generous()];
        let _ = decide_for(&line, &roles);
        let _ = decide_for(text.as_bytes(), &roles);
        let _ = Role::parse("r".parse().unwrap(), "roles/r.toml", &text);
        let quoted = format!("targets = [\"*\"]\nrun_as = \"ops\"\n[[command]]\nrun = {text:?}\nwhere.a = {{ pattern = {text:?} }}\n");
        let _ = Role::parse("r".parse().unwrap(), "roles/r.toml", &quoted);
    }

    #[test]
    fn mutated_role_files_never_panic_and_never_load_silently(at in 0_usize..2000, byte in any::<char>()) {
        let text = include_str!("../../roles/web-restart.toml");
        let at = (at % text.len()..).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let mutated = format!("{}{byte}{}", &text[..at], &text[at..]);
        if let Err(found) = Role::parse("r".parse().unwrap(), "roles/r.toml", &mutated) {
            prop_assert!(!found.is_empty());
            found.iter().for_each(|one| drop(one.to_string()));
        }
    }
}
