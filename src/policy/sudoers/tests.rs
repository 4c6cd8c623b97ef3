use super::*;
use crate::policy::Role;

/// What follows the program in each line; comments whole.
fn lines(run: &str, parameters: &str) -> Vec<String> {
    let text = format!(
        "targets = [\"a\"]\nrun_as = \"ops\"\n[[command]]\nrun = \"/bin/x {run}\"\nsudo = true\n{parameters}\n"
    );
    let (role, _) = Role::parse("r".parse().unwrap(), "roles/r.toml", &text).unwrap();
    let lines = sudoers_lines(&role.rules()[0], &"ops".parse().unwrap());
    lines.iter().map(|line| line.replace("ops ALL=(root) NOPASSWD: /bin/x ", "")).collect()
}

#[test]
fn listed_values_are_spelled_out_line_by_line() {
    let values = "where.unit = { one_of = [\"nginx\", \"php:fpm\"] }";
    for (run, parameters, expected) in [
        ("", "", &["\"\""][..]),
        ("-h", "", &["-h"]),
        ("restart {unit}", values, &["restart nginx", r"restart php\:fpm"]),
        ("[-q] stop", "", &["-q stop", "stop"]),
        ("[-n {unit}]", values, &["-n nginx", r"-n php\:fpm", "\"\""]),
        ("[-q] [-v]", "", &["-v -q", "-q -v", "-v", "-q", "\"\""]),
        ("'a*b' '^c' --d=e,f", "", &[r"a\*b \^c --d\=e\,f"]),
    ] {
        let (found, expected) = (lines(run, parameters), expected.to_vec());
        assert_eq!(found, expected, "{run}");
    }
}

#[test]
fn ranges_and_paths_are_expressions() {
    let number = "where.n = { int = [1, 5000] }";
    for (run, parameters, expected) in [
        ("-n {n}", number, &["^-n ([1-9]|[1-9][0-9]|[1-9][0-9]{2}|[1-4][0-9]{3}|5000)$"][..]),
        ("[-q] a [-v {n}]", "where.n = { int = [1, 9] }", &["^(-q )?a( -v ([1-9]))?$"]),
        ("[-q] [-v {n}]", "where.n = { int = [3, 3] }", &["^-v (3) -q$", "^-q -v (3)$", "^-v (3)$", "^-q$", "\"\""]),
        ("{f}", "where.f = { path = \"/v/a*.log\" }", &[r"^/v/a[A-Za-z0-9_.,:=@%+~-]*\.log$"]),
        ("{f}", "where.f = { path = \"/srv/**\" }", &["^/srv(/[A-Za-z0-9_,:=@%+~-][A-Za-z0-9_.,:=@%+~-]*)+$"]),
    ] {
        let (found, expected) = (lines(run, parameters), expected.to_vec());
        assert_eq!(found, expected, "{run}");
    }
}

#[test]
fn what_cannot_be_said_narrowly_is_a_comment_that_says_what_to_do() {
    for (run, parameters, why) in [
        ("{t}", "where.t = { text = 9 }", "{t} is free text"),
        ("{p}", "where.p = { pattern = 'a' }", "{p} is a pattern"),
        ("{f}", "where.f = { path = \"/home/.*\" }", "{f} is a path"),
        ("'a b'", "", "one of its fixed words"),
        ("{o}", "where.o = { one_of = [\"a b\", \"c\"] }", "{o} has a value"),
        ("[a] [b] [c] [d] [e {n}]", "where.n = { int = [1, 2] }", "optional groups"),
    ] {
        let found = lines(run, parameters);
        assert!(found.iter().all(|line| line.starts_with("# ")), "{found:?}");
        assert!(found[0].contains(why) && found[1].contains("one_of"), "{found:?}");
    }
    let many: Vec<String> = (0..300).map(|at| format!("\"value{at}\"")).collect();
    let found = lines("{o}", &format!("where.o = {{ one_of = [{}] }}", many.join(",")));
    assert!(found[0].contains("longer than"), "{found:?}");
}

#[test]
fn an_expression_for_numbers_matches_these_and_no_others() {
    for (min, max) in [(0, 0), (0, 9), (1, 10), (5, 27), (17, 4321), (99, 1001), (1000, 1000), (998, 2005)] {
        let expression = regex::Regex::new(&format!("^{}$", expression::int(min, max))).unwrap();
        for number in 0..12_000 {
            assert_eq!(expression.is_match(&number.to_string()), (min..=max).contains(&number), "{min} {number} {max}");
        }
        assert!(!expression.is_match("007") && !expression.is_match("00") && !expression.is_match(""));
    }
    let whole = regex::Regex::new(&format!("^{}$", expression::int(0, u64::MAX))).unwrap();
    assert!(whole.is_match(&u64::MAX.to_string()) && !whole.is_match("18446744073709551616"));
}
