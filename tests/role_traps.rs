//! What proves: rules that give more than they seem to are warned of with the right reason, harmless ones are not, and
//! `docs/role-warnings.md` says of every reason what it means, with an example and a safer rule that come out as written.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails this way fails well"
)]

use std::fs;
use std::path::Path;

use doorward::domain::{Diagnostic, Severity};
use doorward::policy::Role;
use doorward::policy::lint::code;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All findings about a role with this one command.
fn findings(command: &str) -> Vec<Diagnostic> {
    findings_of(&format!("[[command]]\n{command}\n"))
}

/// All findings about a role with these tables.
fn findings_of(tables: &str) -> Vec<Diagnostic> {
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n\n{tables}");
    match Role::parse("trap".parse().unwrap(), "roles/trap.toml", &text) {
        Ok((_, found)) => found,
        Err(found) => found,
    }
}

fn shown(found: &[Diagnostic]) -> String {
    let one = |one: &Diagnostic| format!("{:?} {:?}\n{one}", one.severity, one.code);
    found.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// `RUN :: KEY ; KEY` as the lines of a command.
fn command(run: &str, keys: Option<&str>) -> String {
    let quoted = if run.contains('\'') { format!("run = \"{run}\"") } else { format!("run = '{run}'") };
    let keys = keys.map(|keys| keys.replace(" ; ", "\n")).unwrap_or_default();
    format!("{quoted}\n{keys}")
}

/// The rows of a file of ours, each split at ` :: `.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|line| line.split(" :: ").map(str::trim).collect()).collect()
}

#[test]
fn every_trap_is_warned_of_with_the_right_reason_place_and_safer_rule() {
    let text = read("tests/role_traps/traps.txt");
    let rows = rows(&text);
    let mut wrong = Vec::new();
    for row in &rows {
        let (reason, run, keys) = (row[0], row[1], row.get(2).copied());
        let found = findings(&command(run, keys));
        assert!(code::ALL.contains(&reason), "{reason} is no reason");
        let meant: Vec<&Diagnostic> = found.iter().filter(|one| one.code == Some(reason)).collect();
        let severity = if reason == code::INPUT { Severity::Error } else { Severity::Warning };
        let whole = |one: &&Diagnostic| {
            let placed = one.line_column().is_some_and(|(line, _)| line >= 5);
            one.severity == severity && placed && one.help.as_ref().is_some_and(|help| help.len() > 10)
        };
        if meant.is_empty() || !meant.iter().all(whole) || found.iter().any(|one| one.code.is_none()) {
            wrong.push(format!("{run} {keys:?}\nwanted {reason}, found\n{}", shown(&found)));
        }
    }
    assert!(wrong.is_empty(), "{} of {} traps:\n\n{}", wrong.len(), rows.len(), wrong.join("\n\n"));
    assert!(rows.len() >= 200, "only {} traps", rows.len());
    let untried: Vec<_> = code::ALL.iter().filter(|code| !rows.iter().any(|row| row[0] == **code)).collect();
    assert!(untried.is_empty(), "no trap for {untried:?}");
}

/// What each program of our list after GTFOBins can be made to do is known: with its arguments and input open, `check` says it.
#[test]
fn every_program_of_the_list_after_gtfobins_is_warned_of_for_what_it_can_be_made_to_do() {
    const STARTS: &[&str] = &[
        "escape/shell",
        "escape/command",
        "escape/interpreter",
        "escape/editor",
        "escape/pager",
        "escape/library",
        code::INPUT,
    ];
    let text = read("tests/role_traps/gtfobins.txt");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows: Vec<(&str, &str)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .flat_map(|(what, names)| names.split(' ').map(move |name| (what, name)))
        .collect();
    let mut wrong = Vec::new();
    for (what, name) in &rows {
        // What starts others can read, write and send too; so can what writes read.
        let enough: Vec<&str> = match *what {
            "starts" => STARTS.to_vec(),
            "writes" => [STARTS, &["escape/file-write", "escape/privileged"]].concat(),
            "rights" => vec!["escape/privileged"],
            "reads" => [STARTS, &["escape/file-write", "escape/privileged", "escape/file-read"]].concat(),
            "sends" => [STARTS, &["escape/network", "escape/file-write", "escape/file-read"]].concat(),
            _ => panic!("{what}"),
        };
        let open = "where.words = { pattern = '.+', dash = true, max = 8 }\nstdin = true";
        let found = findings(&format!("run = \"/usr/bin/{name} {{words...}}\"\n{open}"));
        let mut meant = found.iter().filter(|one| one.code.is_some_and(|code| enough.contains(&code)));
        let said = |one: &Diagnostic| one.message.len() > 20 && one.help.as_ref().is_some_and(|help| help.len() > 10);
        if !meant.clone().any(|one| one.message.contains(name)) || !meant.all(said) {
            wrong.push(format!("{name} {what}: {:?}", found.iter().map(|one| one.code).collect::<Vec<_>>()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    let names: std::collections::BTreeSet<&str> = rows.iter().map(|(_, name)| *name).collect();
    assert!(names.len() == rows.len() && names.len() >= 350, "{} names, {} rows", names.len(), rows.len());
}

#[test]
fn no_harmless_rule_is_warned_of() {
    let text = read("tests/role_traps/harmless.txt");
    let rows = rows(&text);
    let mut wrong = Vec::new();
    for row in &rows {
        let mut found = findings(&command(row[0], row.get(1).copied()));
        found.retain(|one| one.severity != Severity::Accepted);
        if !found.is_empty() {
            wrong.push(format!("{row:?}\n{}", shown(&found)));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rules:\n\n{}", wrong.len(), rows.len(), wrong.join("\n\n"));
    assert!(rows.len() >= 40, "only {} rules", rows.len());
}

/// A `[[file]]` is judged for its place like a path of a command, and each mistake in one says what to write.
#[test]
fn the_path_of_a_file_is_warned_of_like_one_of_a_command() {
    for (file, reason) in [
        ("get = \"/etc/**\"", Some("path/wide")),
        ("get = \"/root/*\"", Some("path/wide")),
        ("get = \"/tmp/*\"", Some("path/shared")),
        ("put = \"/home/*/x\"", Some("path/shared")),
        ("get = \"/var/log/nginx/*.log\"", None),
        ("put = \"/srv/in/*.csv\"", None),
    ] {
        let found = findings_of(&format!("[[command]]\nrun = \"/usr/bin/uptime\"\n[[file]]\n{file}\n"));
        assert_eq!(
            found.iter().map(|one| one.code).collect::<Vec<_>>(),
            reason.map(Some).into_iter().collect::<Vec<_>>()
        );
        for one in &found {
            assert_eq!((one.severity, one.line_column()), (Severity::Warning, Some((7, 7))), "{file}: {one}");
            assert!(one.help.as_ref().is_some_and(|help| help.len() > 10), "{one}");
        }
    }
    for wrong in [
        "[[file]]\nget = \"/var/../x\"",
        "[[file]]\nget = \"x\"",
        "[[file]]\nmax_size = 1",
        "[[forward]]",
        "[[forward]]\nto = \"db\"",
        "[[forward]]\nto = \"db:0\"",
        &"[[forward]]\nto = \"db:1\"\n".repeat(101),
    ] {
        let found = findings_of(&format!("[[command]]\nrun = \"/usr/bin/uptime\"\n{wrong}\n"));
        assert!(!found.is_empty(), "{wrong}");
        for one in &found {
            assert!(one.severity == Severity::Error && one.line_column().is_some() && one.help.is_some(), "{one}");
        }
    }
}

#[test]
fn a_caret_stands_under_what_is_meant() {
    for (command, reason, place) in [
        ("run = \"/usr/bin/less /x\"", "escape/pager", "/usr/bin/less"),
        ("run = \"/usr/bin/rsync -a -e {s} /a /b\"\nwhere.s = { text = 9 }", "escape/command", "-e"),
        ("run = \"/usr/bin/psql -c {s}\"\nwhere.s = { text = 9 }", "escape/command", "{s}"),
        ("run = \"/usr/bin/kill {p...}\"\nwhere.p = { pattern = '[0-9a-z]+' }", "escape/privileged", "{p...}"),
        ("run = \"/usr/bin/timeout 5 vi /x\"", "escape/editor", "vi"),
        ("run = \"/bin/bash\"\nstdin = true", "input/escape", "true"),
        ("run = \"/bin/x {a}\"\nwhere.a = { pattern = 'x[A-z]' }", "slip/range", "A-z"),
        ("run = \"/bin/x {a}\"\nwhere.a = { pattern = 'a.b' }", "slip/dot", "."),
        ("run = \"/bin/x {a}\"\nwhere.a = { text = 9 }", "pattern/anything", "{ text = 9 }"),
        ("run = \"/bin/x /tmp/a\"", "path/shared", "/tmp/a"),
    ] {
        let found = findings(command);
        let one = found.iter().find(|one| one.code == Some(reason)).unwrap_or_else(|| panic!("{command}"));
        assert_eq!(&one.source[one.span.clone().unwrap()], place, "{command}");
    }
}

/// What the author accepts is listed with their reason and no warning; a slip cannot be accepted.
#[test]
fn accept_escape_answers_what_is_given_and_no_slip() {
    let accepted = "accept_escape = \"reads the dump, INC-1\"";
    let found = findings(&format!("run = \"/bin/bash /opt/x\"\nstdin = true\n{accepted}"));
    assert!(!found.is_empty() && found.iter().all(|one| one.severity == Severity::Accepted), "{}", shown(&found));
    assert!(found.iter().all(|one| one.message.contains("reads the dump, INC-1")), "{}", shown(&found));
    let slip = findings(&format!("run = \"/bin/bash {{x}}\"\nwhere.x = {{ pattern = '[A-z]+' }}\n{accepted}"));
    let kept: Vec<_> = slip.iter().filter(|one| one.severity == Severity::Warning).map(|one| one.code).collect();
    assert_eq!(kept, [Some(code::SLIP_RANGE)], "{}", shown(&slip));
    // It answers for its own rule alone.
    let other = findings(&format!("run = \"/bin/bash\"\n{accepted}\n[[command]]\nrun = \"/bin/sh\"\nstdin = true"));
    assert!(other.iter().any(|one| one.severity == Severity::Error), "{}", shown(&other));
}

#[test]
fn every_reason_is_documented_and_its_examples_come_out_as_written() {
    let page = read("docs/role-warnings.md");
    let sections: Vec<(&str, &str)> =
        page.split("\n### `").skip(1).map(|section| section.split_once('`').unwrap()).collect();
    let named: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, code::ALL, "docs/role-warnings.md and the reasons in the program differ");
    for (name, text) in sections {
        let blocks: Vec<&str> = text.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
        let [trap, safer] = blocks[..] else { panic!("{name}: an example and a safer rule") };
        let found = findings_of(trap);
        assert!(found.iter().any(|one| one.code == Some(name)), "{name}: {trap}\n{}", shown(&found));
        let left = findings_of(safer);
        assert!(left.is_empty(), "{name}, the safer rule: {safer}\n{}", shown(&left));
    }
}

/// A policy of ten thousand small roles is read in a second or so by a release build; here the bound is only against work that
/// grows with the square of something.
#[test]
fn the_largest_role_is_judged_like_any_other() {
    let rules: String = (0..200)
        .map(|at| format!("[[command]]\nrun = \"/usr/local/bin/report {at} {{a}} [-x {{b}}]\"\nwhere.a = {{ pattern = '[a-z./]+' }}\nwhere.b = {{ text = 9 }}\n"))
        .collect();
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{rules}");
    let (role, found) = Role::parse("big".parse().unwrap(), "roles/big.toml", &text).unwrap();
    assert_eq!(role.rules().len(), 200);
    assert_eq!(found.iter().filter(|one| one.code == Some("pattern/dotdot")).count(), 200);
}
