//! The login name inside narrows what is held, and never adds to it.

use crate::support::bastion::{Bastion, ROLE, Setup};
use crate::support::sshd::own_account;

/// A second role of alice's on the same target.
const PRINT: &str = r#"
description = "Says things"
targets     = ["web-1"]
run_as      = "ops"
[request]
eligible     = ["user:alice"]
approvers    = ["user:bob"]
max_duration = "1h"
[[command]]
run = "/usr/bin/printf {what}"
where.what = { text = 100 }
"#;

#[test]
fn a_role_or_an_account_narrows_and_any_other_name_does_nothing() {
    let ops = ROLE.replace("[[command]]\nrun = \"/usr/bin/printf {what}\"\nwhere.what = { text = 100 }\n", "");
    let others = PRINT.replace("user:alice", "user:dave");
    let roles = vec![("ops".to_owned(), ops), ("print".to_owned(), PRINT.to_owned()), ("others".to_owned(), others)];
    let bastion = Bastion::with(Setup { roles, ..Setup::default() });
    let jump = |login: &str, line: &str| bastion.run("alice", &["-l", login, "web-1.jea", line]);

    // A role that they may ask for and do not hold gives nothing, whatever else they hold.
    bastion.grant("ops", "web-1", "30m");
    let denied = jump("print", "id -un");
    assert_eq!(denied.code, 126, "{denied:?}");
    assert!(denied.err.contains("you hold nothing for web-1"), "{denied:?}");
    assert!(denied.err.contains("only the role print counted, because your login name chose it"), "{denied:?}");
    assert!(denied.err.contains("request ops --on web-1"), "it says what would allow it: {denied:?}");

    bastion.grant("print", "web-1", "30m");
    let account = own_account();
    for (login, line, code) in [
        ("ops", "id -un", 0),
        ("ops", "printf x", 126),
        ("print", "printf x", 0),
        ("print", "id -un", 126),
        (&account, "id -un", 0),
        (&account, "printf x", 0),
        // A role of others is no name here, nor is one that does not exist, nor another account.
        ("others", "printf x", 0),
        ("no-such-role", "printf x", 0),
        ("web-1", "id -un", 0),
        ("ops+web-1", "printf x", 0),
        ("Ünïcode", "printf x", 0),
    ] {
        let ran = jump(login, line);
        assert_eq!(ran.code, code, "{login} {line}: {ran:?}");
    }
    let logins: Vec<_> =
        bastion.eventual_entries("forward", 11).iter().map(|entry| entry["data"]["login"].clone()).collect();
    assert!(logins.contains(&"ops".into()) && logins.contains(&"others".into()), "{logins:?}");
    bastion.verify();
}
