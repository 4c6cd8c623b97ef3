use super::*;

const HEAD: &str = "targets = [\"web-*\"]\nrun_as = \"ops\"\n";

fn findings(text: &str) -> Vec<Diagnostic> {
    match Role::parse("web".parse().unwrap(), "roles/web.toml", text) {
        Ok(_) => Vec::new(),
        Err(found) => found,
    }
}

/// The finding for one command, as `LINE:COLUMN MESSAGE`.
fn of_command(command: &str) -> Vec<String> {
    let shown = |one: &Diagnostic| {
        let (line, column) = one.line_column().unwrap_or_default();
        format!("{line}:{column} {} / {}", one.message, one.help.clone().unwrap_or_default())
    };
    findings(&format!("{HEAD}[[command]]\n{command}\n")).iter().map(shown).collect()
}

#[test]
fn a_whole_role_is_read() {
    let text = "description = \"Web\"\ntargets = [\"web-*\"]\nrun_as = \"ops\"\n[request]\neligible = [\"group:a\"]\n\
        approvers = [\"user:b\"]\nmax_duration = \"30m\"\nreason = \"required\"\nticket = 'INC-\\d+'\n[[command]]\n\
        run = \"/bin/x {n}\"\nwhere.n = { int = [1, 9] }\nenv = { TZ = \"UTC\" }\nhelp = \"X\"\n";
    let (role, warnings) = Role::parse("web".parse().unwrap(), "roles/web.toml", text).unwrap();
    assert!(warnings.is_empty());
    assert_eq!((role.description(), role.run_as().as_str(), role.text()), ("Web", "ops", text));
    assert_eq!(role.digest(), Digest::of(text.as_bytes()));
    let request = role.request().unwrap();
    assert_eq!((request.approvals, request.default_duration.as_secs(), request.reason_required), (1, 1800, true));
    let ticket = request.ticket.as_ref().unwrap();
    assert_eq!(["INC-1", "INC-1x", "xINC-1"].map(|text| ticket.is_match(text)), [true, false, false]);
    let rule = &role.rules()[0];
    assert_eq!((rule.usage(), rule.help()), ("x {n}", "X"));
    assert_eq!(rule.parameters(), [("n".to_owned(), "a whole number from 1 to 9".to_owned())]);
}

#[test]
fn a_name_that_no_file_has_is_no_program_and_no_alias() {
    let (fits, long) = ("x".repeat(255), "x".repeat(256));
    for (command, expected) in [
        (
            format!("run = \"/bin/{fits}\"\nalias = \"{fits}y\""),
            Some("the first word of `alias` is longer than 255 bytes"),
        ),
        (format!("run = \"/bin/{long}\""), Some("the program's name is longer than 255 bytes")),
        (format!("run = \"/bin/{fits}\"\nalias = \"{}\"", "y".repeat(255)), None),
    ] {
        let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n[[command]]\n{command}\n");
        let said = Role::parse("web".parse().unwrap(), "roles/web.toml", &text).err().map(|found| found[0].to_string());
        match expected {
            Some(expected) => assert!(said.as_ref().is_some_and(|said| said.contains(expected)), "{said:?}"),
            None => assert_eq!(said, None),
        }
    }
}

#[test]
fn each_mistake_in_a_command_is_named_with_its_place() {
    for (command, expected) in [
        ("run = \"bin/x\"", "4:8 `run` begins with the program by its absolute path / write the absolute path"),
        ("run = \"/bin/../x\"", "4:8 the program is a plain absolute path"),
        ("run = \"'/bin/a;b'\"", "4:9 the program is a plain absolute path"),
        ("run = \"/bin/a//b\"", "blanks or shell syntax / write where it lies on the target"),
        ("run = \"/bin/-x\"", "4:8 the program's name cannot begin with `-` / give the program another name"),
        (
            "run = \"/bin/x\"\nalias = \"{p}\"",
            "5:9 `alias` begins with a literal word / begin it with a word of your own",
        ),
        ("run = \"/usr/bin/sudo id\"", "4:8 sudo itself"),
        (
            "run = \"{p}\"\nwhere.p = { text = 9 }",
            "4:7 `run` begins with the program by its absolute path / write the program as a fixed word first",
        ),
        ("run = \"/bin/x {u\"", "4:15 `run`: this parameter is never closed"),
        ("run = \"/bin/x {u}\"", "4:15 nothing says what `{u}` may be (column 8 of the pattern)"),
        ("run = \"/bin/x\"\nwhere.u = { text = 9 }", "5:7 `run` has no parameter `{u}`"),
        ("run = \"/bin/x {u}\"\nwhere.u = { text = 9 }\nwhere.uu = { text = 9 }", "`{uu}` / write `where.u`"),
        ("run = \"sudo /bin/x\"", "4:8 sudo itself cannot be a role's program / write the program that sudo starts"),
        (
            "run = \"/bin/x /tmp/*\"",
            "to mean the character itself write the word as '…'; for any file there write `{file}`",
        ),
        (
            "run = \"/bin/x [-n {u}] [-n {v}]\"\nwhere.u = { text = 9 }\nwhere.v = { text = 9 }",
            "two of its words could be this `-n`",
        ),
        (
            "run = \"/bin/x {u}\"\nalias = \"x {v}\"\nwhere.u = { text = 9 }\nwhere.v = { text = 9 }",
            "only `alias` has `{v}`, only `run` has `{u}`",
        ),
        ("run = \"/bin/x {u}\"\nwhere.u = { one_of = [\"-a\"] }", "as an option / `dash = true` beside it"),
        ("run = \"/bin/x {u}\"\nwhere.u = { one_of = [\"ä\"] }", "not ASCII / `unicode = true` beside it"),
        ("run = \"/bin/x {u}\"\nwhere.u = { one_of = [\"\"] }", "no value / take it out"),
        (
            "run = \"/bin/x {u}\"\nwhere.u = { int = [9, 1] }",
            "no number is at least 9 and at most 1 / write `int = [1, 9]`",
        ),
        ("run = \"/bin/x {u}\"\nwhere.u = { text = true }", "and this is true or false / write `text = 200`"),
        ("run = \"/bin/x {u}\"\nwhere.u = { pattern = \"((a{1000}){1000}){1000}\" }", "write smaller numbers between"),
        (
            "run = \"/bin/x\"\ntimeout = 30",
            "5:11 `timeout` is a span of time in quotes, and this is a whole number / write `timeout = \"30m\"`",
        ),
        ("run = \"/bin/x\"\nhelp = 3", "5:8 `help` is a text in quotes, and this is a whole number / write \"3\""),
        ("run = \"/bin/x\"\nmax_output = \"1 GiB\"", "and this is a text / write digits alone"),
        ("run = \"/bin/x\"\ntargets = \"web-*\"", "is a list of texts, and this is a text / write [\"web-*\"]"),
        ("run = \"/bin/x\"\nsudoo = true", "5:1 `[[command]]` has no key `sudoo` / write `sudo`"),
        ("run = \"/bin/x\"\nsudo = \"yes\"", "5:8 `sudo` is true or false, and this is a text"),
        ("run = \"/bin/x\"\ntty = true", "5:1 this build does not enforce `tty` yet"),
        ("run = \"/bin/x\"\napprove = \"each\"", "5:1 this build does not enforce `approve` yet"),
        ("run = \"/bin/x\"\ntargets = []", "5:11 a command is for at least one target"),
        ("run = \"/bin/x\"\ntargets = [\"label:a=b\"]", "5:12 `targets` of a command has no labels"),
        ("run = \"/bin/x\"\ntargets = [\"A b\"]", "is no target name"),
        ("run = \"/bin/x\"\nmax_stdin = 1", "5:1 `max_stdin` bounds input"),
        ("run = \"/bin/x {u}\"\nwhere.u = { unit = false }", "5:20 write `unit = true`"),
        ("run = \"/bin/x {u}\"\nwhere.u = { unit = [\"job\"] }", "`job` is no type of unit"),
        ("run = \"/bin/x {u}\"\nwhere.u = { unit = true, dash = true }", "`dash` means nothing for `unit`"),
        ("run = \"/bin/x {u}\"\nwhere.u = { host = [] }", "write `host = true`"),
        ("run = \"/bin/x {u}\"\nwhere.u = { host = [\"10.0.0.1\"] }", "write `within = [\"10.0.0.1\"]`"),
        ("run = \"/bin/x {u}\"\nwhere.u = { host = [\"a b\"] }", "is no name of a host"),
        ("run = \"/bin/x {u}\"\nwhere.u = { ip = \"10.0.0.1\" }", "write `ip = true`"),
        ("run = \"/bin/x {u}\"\nwhere.u = { ip = true, within = [\"10.0.0.1/8\"] }", "begins at its first address"),
        ("run = \"/bin/x {u}\"\nwhere.u = { ip = true, within = [] }", "at least one range"),
        ("run = \"/bin/x {u}\"\nwhere.u = { int = [1, 2], within = [\"10.0.0.0/8\"] }", "`within` bounds host"),
        ("run = \"/bin/x {u}\"\nwhere.u = { port = [0, 80] }", "from 1 to 65535"),
        ("run = \"/bin/x {u}\"\nwhere.u = { port = [80, 65536] }", "from 1 to 65535"),
        ("run = \"/bin/x {u}\"\nwhere.u = { duration = \"forever\" }", "`duration` is the longest"),
        ("run = \"/bin/x {u...}\"\nwhere.u = { text = 9, max = 0 }", "`max` is how many"),
        ("run = \"/bin/x {u...}\"\nwhere.u = { text = 9, max = 257 }", "`max` is how many"),
        ("run = \"/bin/x {u}\"\nwhere.u = { use = \"web\" }", "5:19 there is no shared parameter `web`"),
        ("run = \"/bin/x {u}\"\nwhere.u = { use = \"web\", text = 9 }", "`text` cannot stand beside `use`"),
        ("run = \"/bin/x\"\naccept_escape = \"x\"", "5:17 `accept_escape` says why"),
        ("run = \"/bin/bash\"\nstdin = true", "5:9 `bash` is a shell"),
        (
            "run = \"/bin/x {u}\"\nwhere.u = { one_of = [\"a\"], secret = true }",
            "5:29 `secret` means nothing for `one_of`",
        ),
        ("run = \"/bin/x {u}\"\nwhere.u = { text = 9, int = [1, 2] }", "exactly one kind"),
        ("run = \"/bin/x {u}\"\nwhere.u = { dash = true }", "exactly one kind"),
        ("run = \"/bin/x {u}\"\nwhere.u = \"a\"", "5:11 a parameter is a table with one kind"),
        ("run = \"/bin/x {u}\"\nwhere.u = { one_of = [] }", "at least one value"),
        ("run = \"/bin/x {u}\"\nwhere.u = { one_of = [\"-x\"] }", "5:23 this value would be refused"),
        ("run = \"/bin/x {u}\"\nwhere.u = { one_of = [\"a\", \"a\"] }", "here twice"),
        ("run = \"/bin/x {u}\"\nwhere.u = { pattern = \"(\" }", "not a regular expression"),
        ("run = \"/bin/x {u}\"\nwhere.u = { pattern = \"(?i)a\" }", "inline flags"),
        ("run = \"/bin/x {u}\"\nwhere.u = { int = [9, 1] }", "no number is at least 9"),
        ("run = \"/bin/x {u}\"\nwhere.u = { int = [-1, 1] }", "not negative"),
        ("run = \"/bin/x {u}\"\nwhere.u = { int = 5 }", "two bounds"),
        ("run = \"/bin/x {u}\"\nwhere.u = { path = \"a/*\" }", "a path begins with `/`"),
        ("run = \"/bin/x {u}\"\nwhere.u = { text = 0 }", "1 to 4096"),
        ("run = \"/bin/x [a] {p} [b]\"\nwhere.p = { text = 9 }", "could be read in two ways"),
        (
            "run = \"/bin/x {p...} {q}\"\nwhere.p = { text = 9, max = 2 }\nwhere.q = { text = 9 }\nalias = \"x {p} {q}\"",
            "with or without `...`",
        ),
        ("run = \"/bin/x --n={p}k\"\nwhere.p = { text = 9 }", "nothing is glued behind a parameter"),
        ("run = \"/bin/x [-a] [-a {p}]\"\nwhere.p = { text = 9 }", "could be read in two ways"),
        ("run = \"/bin/x {p...} [a]\"\nwhere.p = { text = 9 }", "could be read in two ways"),
        ("run = \"/bin/x\"\ntimeout = \"0s\"", "at least one second"),
        ("run = \"/bin/x\"\ntimeout = \"soon\"", "no span of time"),
        ("run = \"/bin/x\"\nmax_output = \"1\"", "`max_output` is a whole number"),
        ("run = \"/bin/x\"\nenv.LD_PRELOAD = \"x\"", "5:5 `LD_PRELOAD` cannot be set by a role"),
        ("run = \"/bin/x\"\nenv.PATH = \"x\"", "`PATH` cannot be set"),
        ("run = \"/bin/x\"\nenv.lower = \"x\"", "no variable name"),
        ("run = \"/bin/x\"\nenv.A = \"a\\nb\"", "U+000A"),
        ("run = \"/bin/x\"\nsudo = true\nenv.A = \"a\"", "no effect together with `sudo`"),
        ("run = \"/bin/x\"\nalias = \"sudo x\"", "cannot begin with `sudo`"),
        ("run = \"/bin/x {p}\"\nalias = \"x\"\nwhere.p = { text = 9 }", "the same parameters"),
        ("run = \"/bin/x [a]\"\nalias = \"x\"", "does not read `alias` together with `[groups]` yet"),
        ("help = \"x\"", "needs `run`"),
    ] {
        let found = of_command(command);
        assert!(found.iter().any(|one| one.contains(expected)), "{command}\nwanted {expected}\nfound {found:#?}");
    }
}

#[test]
fn each_mistake_in_the_rest_is_named() {
    let command = "[[command]]\nrun = \"/bin/x\"\n";
    let request = |inner: &str| format!("{HEAD}[request]\n{inner}\n{command}");
    for (text, expected) in [
        (HEAD.to_owned(), "at least one `[[command]]`"),
        (format!("{HEAD}command = 1"), "`command` is a list of tables"),
        (format!("run_as = \"ops\"\n{command}"), "needs `targets`"),
        (format!("targets = [\"a\"]\n{command}"), "needs `run_as`"),
        (format!("targets = []\nrun_as = \"ops\"\n{command}"), "at least one target"),
        (format!("targets = [\"A b\"]\nrun_as = \"ops\"\n{command}"), "is no target name"),
        (format!("targets = [\"a\"]\nrun_as = \"a b\"\n{command}"), "account name has"),
        (format!("{HEAD}rnu_as = 1\n{command}"), "no key `rnu_as`"),
        (format!("{HEAD}{command}[parameters]\nx = {{ text = 0 }}\n"), "1 to 4096"),
        (format!("{HEAD}{command}[file]\nget = \"/x\"\n"), "`file` is a list of tables"),
        (request("approvals = 0"), "nobody may ask"),
        (request("eligible = []\napprovals = 0"), "nobody may ask"),
        (request("eligible = [\"alice\"]\napprovals = 0"), "`user:NAME` or `group:NAME`"),
        (request("eligible = [\"user:a\"]"), "nobody is named who could approve"),
        (request("eligible = [\"user:a\"]\napprovers = [\"user:b\"]\napprovals = 2"), "2 approvals are asked for"),
        (request("eligible = [\"user:a\"]\napprovals = 0\nmfa = \"totp\""), "does not enforce `mfa` yet"),
        (request("eligible = [\"user:a\"]\napprovals = 0\napproval = \"1 of x\""), "does not enforce `approval` yet"),
        (request("eligible = [\"user:a\"]\napprovals = 0\nmax_duration = \"0s\""), "at least one second"),
        (request("eligible = [\"user:a\"]\napprovals = 0\nreason = \"maybe\""), "\"required\" or \"optional\""),
        (request("eligible = [\"user:a\"]\napprovals = 0\nticket = 'a)|(b'"), "`ticket`"),
        (format!("{HEAD}{command}[examples]\nallow = [\"y\"]\n"), "should be allowed, and is not"),
        (format!("{HEAD}{command}[examples]\ndeny = [\"x\"]\n"), "should be denied, and is allowed by `x`"),
        (format!("{HEAD}{command}[[command]]\nrun = \"/opt/x\"\n[examples]\nallow = [\"x\"]\n"), "different things"),
        ("x".repeat(2 << 20), "at most 1048576 bytes"),
    ] {
        let found: Vec<String> = findings(&text).into_iter().map(|one| one.message).collect();
        assert!(found.iter().any(|one| one.contains(expected)), "wanted {expected}\nfound {found:#?}");
    }
}

#[test]
fn all_mistakes_are_named_at_once_in_file_order() {
    let syntax = findings("a = \nb = [\nc = \"\n");
    assert!(syntax.len() > 1, "{syntax:?}");
    let text =
        "tragets = [\"a\"]\nrun_as = \"o\"\n[[command]]\nrun = \"x\"\n[[command]]\nrun = \"/bin/x {a}\"\nsudo = 1\n";
    let places: Vec<_> = findings(text).iter().filter_map(Diagnostic::line_column).collect();
    assert_eq!(places.len(), 5, "{:#?}", findings(text));
    assert!(places.is_sorted());
}

#[test]
fn a_rule_that_gives_more_than_it_seems_to_is_warned_of_and_loads() {
    for (run, warned) in [("/usr/bin/less /x", true), ("/usr/bin/python3.11 /x", true), ("/usr/bin/uptime", false)] {
        let text = format!("{HEAD}[[command]]\nrun = \"{run}\"\n");
        let (_, warnings) = Role::parse("web".parse().unwrap(), "roles/web.toml", &text).unwrap();
        assert_eq!(warnings.len(), usize::from(warned), "{run}");
        assert!(warnings.iter().all(|one| one.severity == Severity::Warning && one.line_column() == Some((4, 8))));
    }
}

#[test]
fn a_role_sets_no_variable_that_names_a_programs_configuration() {
    for name in ["OPENSSL_CONF", "TERMINFO", "KUBECONFIG", "DOCKER_HOST", "PSQLRC", "CURL_HOME", "XDG_CONFIG_HOME"] {
        let found = of_command(&format!("run = \"/bin/x\"\nenv.{name} = \"/tmp/x\""));
        assert!(found.iter().any(|one| one.contains(&format!("`{name}` cannot be set"))), "{name}: {found:?}");
    }
}

#[test]
fn rubbish_costs_little_and_is_refused() {
    for text in [
        "[".repeat(100_000),
        "a=".repeat(100_000),
        "=\n".repeat(100_000),
        format!("a={}", "{a=".repeat(50_000)),
        "x = 1\n".repeat(9_999),
    ] {
        let found = findings(&text);
        assert!(!found.is_empty() && found.len() <= MOST_FINDINGS, "{}", found.len());
    }
    let keys: String = (0..5_000).map(|at| format!("k{at} = 1\n")).collect();
    assert_eq!(findings(&keys).len(), MOST_FINDINGS);
}
