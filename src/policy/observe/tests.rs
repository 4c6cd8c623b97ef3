use std::time::Duration;

use crate::domain::Diagnostic;
use crate::policy::Role;

const TOP: &str = "observe = true\ntargets = [\"*\"]\nrun_as = \"ops\"\n";
const ELIGIBLE: &str = "eligible = [\"group:admins\"]\n";
const APPROVERS: &str = "approvers = [\"group:leads\"]\n";

fn parse(text: &str) -> Result<(Role, Vec<Diagnostic>), Vec<Diagnostic>> {
    Role::parse("look".parse().unwrap(), "roles/look.toml", text)
}

#[test]
fn two_approve_unless_it_says_more_and_it_is_over_within_a_day() {
    let (role, _) = parse(&format!("{TOP}[request]\n{ELIGIBLE}{APPROVERS}")).unwrap();
    assert!(role.observes() && role.rules().is_empty());
    let terms = role.request().unwrap();
    assert_eq!((terms.approvals, terms.max_duration), (2, Duration::from_secs(3600)));
    let more = format!("{TOP}[request]\n{ELIGIBLE}{APPROVERS}approvals = 3\nmax_duration = \"24h\"\n");
    let terms = parse(&more).unwrap().0.request().unwrap().clone();
    assert_eq!((terms.approvals, terms.max_duration), (3, Duration::from_secs(24 * 3600)));
    let two = format!("{TOP}[request]\n{ELIGIBLE}approvers = [\"user:bob\", \"user:dan\"]\n");
    assert!(parse(&two).is_ok());
    let not = "observe = false\ntargets = [\"*\"]\nrun_as = \"ops\"\n[[command]]\nrun = \"/usr/bin/id\"\n";
    assert!(!parse(not).unwrap().0.observes());
}

#[test]
fn whatever_would_weaken_it_or_would_not_be_enforced_is_refused_with_what_to_write() {
    let request = format!("[request]\n{ELIGIBLE}{APPROVERS}");
    let cases = [
        (TOP.to_owned(), "needs `[request]`"),
        (format!("{TOP}{request}[[command]]\nrun = \"/usr/bin/id\"\n"), "has no `command`"),
        (format!("{TOP}{request}[examples]\nallow = [\"id\"]\n"), "has no `examples`"),
        (format!("{TOP}{request}approvals = 1\n"), "approved by at least 2"),
        (format!("{TOP}{request}approvals = 0\n"), "approved by at least 2"),
        (format!("{TOP}{request}max_duration = \"25h\"\n"), "active for at most 24h"),
        (format!("{TOP}[request]\neligible = [\"user:alice\"]\n{APPROVERS}"), "exactly one group"),
        (format!("{TOP}[request]\neligible = [\"group:a\", \"group:b\"]\n{APPROVERS}"), "exactly one group"),
        (format!("{TOP}[request]\neligible = [\"group:a\", \"user:b\"]\n{APPROVERS}"), "exactly one group"),
        (format!("{TOP}[request]\n{ELIGIBLE}approvers = [\"user:bob\"]\n"), "fewer people are named"),
        (format!("{TOP}[request]\n{ELIGIBLE}"), "approve"),
        (TOP.replace("true", "\"true\"") + &request, "`observe` is true or false"),
    ];
    for (text, part) in cases {
        let found = parse(&text).unwrap_err();
        assert!(found.iter().any(|one| one.message.contains(part)), "{text}\n{found:#?}");
        assert!(
            found.iter().all(|one| one.span.is_some() || one.message.contains("at least one")),
            "{text}\n{found:#?}"
        );
    }
}
