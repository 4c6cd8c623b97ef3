//! What may change when a policy does, said exactly; and that nothing runs that no rule means.

use doorward::policy::{Decision, Denial, Permit, Role};
use proptest::prelude::*;

use crate::{decide_for, picks, role_of, words_of_rules};

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
    let environment = permit.argv().iter().skip(2).take_while(|word| word.contains('='));
    permit.command().iter().chain(environment).map(ToString::to_string).collect()
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
        base in picks(), more in 0..crate::RULES.len(), line in words_of_rules(),
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
            let command: Vec<&str> = permit.command().iter().map(AsRef::as_ref).collect();
            prop_assert!(means(base[permit.rule() - 1], &command), "{line}: {command:?} by rule {}", permit.rule());
            prop_assert!(permit.argv().ends_with(permit.command()));
            prop_assert_eq!(&shlex::split(permit.line()).unwrap()[1..], permit.argv());
        }
    }
}
