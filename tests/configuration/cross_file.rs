//! What the files say together: each kind of warning at its place, and no problem told twice.

use doorward::config::load;
use doorward::domain::{Diagnostic, Severity};

use super::{DAVE, HOST_KEY, Set};

/// code, file and place of each warning, sorted.
fn warnings(set: &Set) -> Vec<(String, String)> {
    let loaded = load(set.dir()).unwrap_or_else(|findings| panic!("{}", shown(&findings)));
    let mut found: Vec<_> = loaded.warnings.iter().map(coded).collect();
    found.sort();
    found
}

fn coded(finding: &Diagnostic) -> (String, String) {
    let place = finding.line_column().map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
    (finding.code.unwrap_or_default().to_owned(), format!("{}{place}", finding.file))
}

fn shown(findings: &[Diagnostic]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

/// A set with one role, `ops` on web-1 for alice (admins), approved by bob (approvers).
fn small() -> Set {
    let set = Set::new();
    for entry in std::fs::read_dir(set.path("roles")).expect("roles").flatten() {
        std::fs::remove_file(entry.path()).expect("a role of init");
    }
    set.write("roles/ops.toml", ROLE);
    set
}

const ROLE: &str = "\
targets = [\"web-*\"]
run_as  = \"ops\"
[request]
eligible  = [\"group:admins\"]
approvers = [\"group:approvers\"]
[[command]]
run = \"/usr/bin/uptime\"
";

type Row =
    (&'static str, &'static [(&'static str, &'static str, &'static str)], &'static [(&'static str, &'static str)]);

#[test]
fn each_kind_of_warning_stands_at_its_place_and_alone() {
    let rows: &[Row] = &[
        ("nothing", &[], &[]),
        (
            "a group that is misspelt",
            &[("roles/ops.toml", "group:approvers", "group:aprovers\", \"user:bob")],
            &[("people/empty-group", "roles/ops.toml:5:14")],
        ),
        (
            "a user who left",
            &[("roles/ops.toml", "[\"group:approvers\"]", "[\"group:approvers\", \"user:zoe\"]")],
            &[("people/unknown-user", "roles/ops.toml:5:33")],
        ),
        (
            "the requester alone",
            &[("roles/ops.toml", "group:approvers", "user:alice"), ("users.toml", "\"approvers\"", "\"security\"")],
            &[("request/requester-alone", "roles/ops.toml:5:1")],
        ),
        (
            "more approvals than people",
            &[("roles/ops.toml", "[[command]]", "approvals = 2\n[[command]]")],
            &[("request/out-of-reach", "roles/ops.toml:5:1")],
        ),
        (
            "enough for some, not for an approver who asks",
            &[("roles/ops.toml", "group:admins\"", "group:admins\", \"user:bob\"")],
            &[("request/requester-alone", "roles/ops.toml:5:1")],
        ),
        (
            "enough for most, not for two approvers who ask",
            &[
                ("roles/ops.toml", "group:admins\"", "group:admins\", \"user:bob\", \"user:carol\""),
                ("roles/ops.toml", "group:approvers\"]", "group:approvers\", \"user:carol\"]\napprovals = 2"),
            ],
            &[("request/out-of-reach", "roles/ops.toml:5:1")],
        ),
        (
            "self-service",
            &[("roles/ops.toml", "[[command]]", "approvals = 0\n[[command]]"), ("roles/ops.toml", "approvers =", "# ")],
            &[("people/holds-nothing", "users.toml:7:2")],
        ),
        (
            "nobody may ask",
            &[("roles/ops.toml", "group:admins", "group:nobody"), ("users.toml", "\"admins\"", "\"security\"")],
            &[("people/empty-group", "roles/ops.toml:4:14"), ("request/nobody-may-ask", "roles/ops.toml:4:1")],
        ),
        (
            "no [request]",
            &[
                (
                    "roles/ops.toml",
                    "[request]\neligible  = [\"group:admins\"]\napprovers = [\"group:approvers\"]\n",
                    "",
                ),
                ("users.toml", "\"admins\"", "\"security\""),
                ("users.toml", "\"approvers\"", "\"security\""),
            ],
            &[("request/none", "roles/ops.toml:2:1")],
        ),
        (
            "no reviewer",
            &[("doorward.toml", "[\"group:security\"]", "[]"), ("users.toml", "\"security\"", "\"admins\"")],
            &[("people/no-reviewer", "doorward.toml")],
        ),
        (
            "a target that no role reaches",
            &[(
                "targets.toml",
                "[web-1]",
                "[db-1]\naddress = \"10.0.0.12\"\nhost_key = \"KEY\"\nrun_as = { ops = \"ops\" }\n[web-1]",
            )],
            &[("reach/target-unreached", "targets.toml:1:2")],
        ),
        (
            "a target without accounts",
            &[(
                "targets.toml",
                "[web-1]",
                concat!("[web-2]\naddress = \"10.0.0.12\"\nhost_key = \"KEY\"\n", "[web-1]"),
            )],
            &[("reach/no-account", "targets.toml:1:2")],
        ),
        (
            "a role that reaches no target",
            &[("roles/ops.toml", "web-*", "wb-*")],
            &[("reach/no-target", "roles/ops.toml:1:1"), ("reach/target-unreached", "targets.toml:1:2")],
        ),
        (
            "an account that no target knows",
            &[("roles/ops.toml", "\"ops\"", "\"osp\"")],
            &[("reach/account-unknown", "roles/ops.toml:2:1"), ("reach/target-unreached", "targets.toml:1:2")],
        ),
        (
            "an account that one target lacks",
            &[(
                "targets.toml",
                "[web-1]",
                "[web-2]\naddress = \"10.0.0.12\"\nhost_key = \"KEY\"\nrun_as = { dba = \"dba\" }\n[web-1]",
            )],
            &[("reach/account-missing", "roles/ops.toml:2:1"), ("reach/target-unreached", "targets.toml:1:2")],
        ),
        ("root", &[("targets.toml", "\"ops\" }", "\"root\" }")], &[("account/root", "targets.toml:5:18")]),
        (
            "nobody's key",
            &[("users.toml", "[carol]", "[dave]\ngroups = [\"admins\"]\n[carol]")],
            &[("people/no-key", "users.toml:11:2")],
        ),
        (
            "who holds nothing",
            &[("users.toml", "[carol]", "[dave]\nkeys = [\"DAVE\"]\ngroups = [\"staff\"]\n[carol]")],
            &[("people/holds-nothing", "users.toml:11:2")],
        ),
    ];
    for (what, changes, wanted) in rows {
        let set = small();
        for (file, from, to) in *changes {
            let text = set.read(file);
            assert!(text.contains(from), "{what}: {file} has no {from}:\n{text}");
            set.write(file, &text.replacen(from, &to.replace("KEY", HOST_KEY).replace("DAVE", DAVE), 1));
        }
        let wanted: Vec<_> = wanted.iter().map(|(code, place)| ((*code).to_owned(), (*place).to_owned())).collect();
        assert_eq!(warnings(&set), wanted, "{what}");
    }
}

#[test]
fn an_account_that_roles_for_different_people_share_is_named_once() {
    let set = small();
    let second = |eligible: &str, targets: &str| {
        ROLE.replace("group:admins", eligible).replace("web-*", targets).replace("uptime", "id")
    };
    for (eligible, targets, shared) in [
        ("group:admins", "web-*", false),
        // The same person, written in another way.
        ("user:alice", "*", false),
        ("group:security", "web-1", true),
        ("group:admins\", \"user:carol", "*", true),
        // Nowhere at once, or for nobody: other findings say so.
        ("group:security", "db-*", false),
        ("group:nobody", "*", false),
    ] {
        set.write("roles/zzz.toml", &second(eligible, targets));
        let found = warnings(&set);
        let named = found.contains(&("account/shared".to_owned(), "roles/zzz.toml:2:1".to_owned()));
        assert_eq!(named, shared, "{eligible} on {targets}: {found:?}");
        assert!(found.iter().filter(|(code, _)| code == "account/shared").count() <= 1, "{found:?}");
    }
    // Two words for one account are one account.
    set.write("roles/zzz.toml", &second("group:security", "*").replace("\"ops\"", "\"web\""));
    set.write("targets.toml", &set.read("targets.toml").replace("ops = \"ops\"", "ops = \"ops\", web = \"ops\""));
    let loaded = load(set.dir()).expect("a set");
    let finding = loaded.warnings.iter().find(|finding| finding.code == Some("account/shared")).expect("it is named");
    for part in ["`ops` on web-1", "those of ops", "other people may ask", "give one of the roles another `run_as`"] {
        assert!(finding.to_string().contains(part), "{part} in {finding}");
    }
    // An account of its own is the cure.
    set.write("targets.toml", &set.read("targets.toml").replace("web = \"ops\"", "web = \"web\""));
    assert!(warnings(&set).is_empty(), "{:?}", warnings(&set));
}

/// A file that cannot be read says nothing of what the others need of it.
#[test]
fn a_problem_is_told_once_and_what_only_follows_from_it_is_not() {
    let rows: &[(&str, &str, &str, &str)] = &[
        ("users.toml", "[alice]", "[alice", "users.toml"),
        ("users.toml", "groups = [\"approvers\"]", "group = [\"approvers\"]", "users.toml"),
        ("users.toml", "\"approvers\"", "\"appro vers\"", "users.toml"),
        ("users.toml", "[bob]", "[\"b o b\"]", "users.toml"),
        ("targets.toml", "[web-1]", "[web-1", "targets.toml"),
        ("targets.toml", "[web-1]", "[Web-1]", "targets.toml"),
        ("targets.toml", "run_as", "run_az", "targets.toml"),
        ("targets.toml", "labels", "lables", "targets.toml"),
        ("targets.toml", "host_key", "# host_key", "targets.toml"),
        ("targets.toml", "10.0.0.11", "a b", "targets.toml"),
        ("doorward.toml", "[rights]", "[rights", "doorward.toml"),
        ("doorward.toml", "reviewers", "reviewer", "doorward.toml"),
        ("roles/ops.toml", "run_as", "run_az", "roles/ops.toml"),
        ("roles/ops.toml", "[request]", "[request", "roles/ops.toml"),
    ];
    for (file, from, to, named) in rows {
        let set = small();
        set.write(file, &set.read(file).replacen(from, to, 1));
        let findings = load(set.dir()).expect_err("an error");
        assert!(
            findings.iter().all(|finding| &*finding.file == *named),
            "{file}: {from} -> {to}:\n{}",
            shown(&findings)
        );
    }
    // A target with an error of its own is still one that roles are for; the other checks go on beside it.
    let set = small();
    set.write("targets.toml", &set.read("targets.toml").replace("host_key", "# host_key"));
    set.write("roles/ops.toml", &set.read("roles/ops.toml").replace("group:approvers", "group:aprovers"));
    let findings = load(set.dir()).expect_err("an error");
    let found: Vec<_> = findings.iter().map(|finding| (finding.severity, coded(finding).0)).collect();
    assert!(found.contains(&(Severity::Warning, "people/empty-group".to_owned())), "{}", shown(&findings));
    assert!(!found.iter().any(|(_, code)| code.starts_with("reach/")), "{}", shown(&findings));
}

#[test]
fn errors_come_first_and_then_the_order_is_that_of_the_files() {
    let set = small();
    set.append("doorward.toml", "\nx = 1\n");
    set.append("users.toml", "\n[dave]\nkey = []\n[erin]\ny = 1\n");
    set.append("targets.toml", "z = 1\n");
    set.append("roles/ops.toml", "a = 1\nb = 1\n");
    set.write("roles/also.toml", "c = 1\n");
    set.write("certs/session.toml", "d = 1\n");
    set.write("roles/not-read", "x");
    let findings = load(set.dir()).expect_err("errors");
    let order: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.file.to_string())).collect();
    let files: Vec<_> = order.iter().map(|(_, file)| file.as_str()).collect();
    let at = |name: &str| files.iter().position(|file| *file == name).unwrap_or_else(|| panic!("{name} in {files:?}"));
    let names =
        ["doorward.toml", "users.toml", "targets.toml", "roles/also.toml", "roles/ops.toml", "certs/session.toml"];
    assert!(names.is_sorted_by_key(|name| at(name)), "{files:?}");
    assert!(order.is_sorted_by_key(|(severity, _)| *severity), "{order:?}");
    let lines: Vec<_> = findings
        .iter()
        .filter(|finding| &*finding.file == "roles/ops.toml")
        .map(|finding| finding.line_column().map(|(line, _)| line))
        .collect();
    assert!(lines.is_sorted(), "{lines:?}");
}
