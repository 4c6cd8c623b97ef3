use std::process::{Command, Stdio};

use super::*;

fn execution<'a>(vector: &'a Vector<'a>, environment: &'a [(String, String)]) -> Execution<'a> {
    Execution { vector, sudo: false, environment, stdin: false, longest: Duration::from_millis(59_001) }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn made(words: &[&str]) -> Vector<'static> {
    Vector::Made(owned(words))
}

fn words_of(vector: &Vector<'_>) -> Vec<String> {
    vector.iter().map(str::to_owned).collect()
}

#[test]
fn the_line_is_the_vector_with_every_word_quoted() {
    let vector = owned(&["/bin/echo", "it's", "a b", "$(id)", ""]);
    let rendered = render(&execution(&Vector::Made(vector.clone()), &[("TZ".to_owned(), "UTC".to_owned())])).unwrap();
    assert_eq!(rendered.command(), vector);
    assert_eq!(rendered.argv()[..5], owned(&["/usr/bin/env", "-i", ENVIRONMENT[0], "LANG=C.UTF-8", "TZ=UTC"]));
    assert!(rendered.argv().ends_with(&vector));
    assert!(rendered.argv().contains(&"60s".to_owned()));
    assert!(rendered.line.starts_with("exec '/usr/bin/env' '-i' 'PATH="), "{}", rendered.line);
    assert!(rendered.line.ends_with(r#" '60s' '/bin/echo' 'it'\''s' 'a b' '$(id)' ''"#), "{}", rendered.line);
    assert_eq!(shlex::split(&rendered.line).unwrap()[1..], rendered.argv());
}

#[test]
fn what_is_quoted_and_digested_once_makes_the_line_that_quoting_every_word_makes() {
    let environments = [vec![], vec![("TZ".to_owned(), "it's".to_owned())], vec![("LANG".to_owned(), "C".to_owned())]];
    let vectors = [&["/bin/a"][..], &["/bin/a", "it's", "", "é", "'", "a b"]];
    for (vector, environment) in vectors.iter().flat_map(|vector| environments.iter().map(|one| (made(vector), one))) {
        for (sudo, stdin) in [(false, false), (false, true), (true, false), (true, true)] {
            let rendered = render(&Execution { sudo, stdin, ..execution(&vector, environment) }).unwrap();
            assert_eq!(rendered.line, shell_line(&rendered.argv()).unwrap());
            assert!(rendered.argv().ends_with(&rendered.command()) && rendered.command().ends_with(&words_of(&vector)));
            assert_eq!(rendered.digest, Digest::of(rendered.line.as_bytes()));
        }
        for word in ["a\0b", "a\nb"] {
            let broken = made(&["/bin/a", word]);
            assert_eq!(render(&execution(&broken, environment)).err(), Some(RenderError::Control));
            let broken = [("A".to_owned(), word.to_owned())];
            assert_eq!(render(&execution(&vector, &broken)).err(), Some(RenderError::Control));
        }
        let long = made(&[&"x".repeat(LONGEST_LINE)]);
        assert_eq!(render(&execution(&long, environment)).err(), Some(RenderError::TooLong));
    }
}

#[test]
fn what_every_command_begins_with_holds_no_control_character() {
    for (sudo, stdin) in [(false, false), (false, true), (true, false), (true, true)] {
        let line = &Beginning::of_every_command(sudo, stdin).line;
        assert!(line.starts_with("exec '/usr/bin/env'") && !holds_control(line), "{line:?}");
    }
}

#[test]
fn sudo_stands_right_before_the_program_so_that_sudoers_can_name_the_rest() {
    let vector = made(&["/usr/bin/systemctl", "restart", "nginx"]);
    for stdin in [false, true] {
        let rendered = render(&Execution { sudo: true, stdin, ..execution(&vector, &[]) }).unwrap();
        assert_eq!(rendered.command(), owned(&["/usr/bin/sudo", "-n", "/usr/bin/systemctl", "restart", "nginx"]));
        assert!(rendered.argv().ends_with(&rendered.command()));
    }
}

#[test]
fn a_role_may_fix_another_language_and_it_stands_once() {
    let (vector, environment) = (made(&["/bin/date"]), [("LANG".to_owned(), "de_DE.UTF-8".to_owned())]);
    let rendered = render(&execution(&vector, &environment)).unwrap();
    assert_eq!(rendered.argv().iter().filter(|word| word.starts_with("LANG=")).count(), 1);
}

#[test]
fn what_a_vector_of_ours_executes_is_read_back_and_nothing_is_read_into_another() {
    let environment = [("TZ".to_owned(), "UTC".to_owned())];
    let vectors = [&["/bin/echo", "a=b", ""][..], &["/usr/bin/env", "-i"], &["/usr/bin/sudo", "-n", "id"], &["id"]];
    for (vector, stdin, sudo) in vectors.iter().flat_map(|vector| {
        [(false, false), (true, false), (false, true), (true, true)].map(|(stdin, sudo)| (made(vector), stdin, sudo))
    }) {
        let environment = if sudo { &environment[..0] } else { &environment };
        let rendered = render(&Execution { sudo, stdin, ..execution(&vector, environment) }).unwrap();
        let read = executed(&rendered.argv()).unwrap();
        let said: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let words = words_of(&vector);
        assert_eq!(read, Executed { environment: said, sudo, vector: words.clone() });
        assert_eq!(read.command(), rendered.command());
        for cut in 0..rendered.argv().len() - words.len() {
            assert_eq!(executed(&rendered.argv()[..cut]), None, "{cut}");
            assert_eq!(executed(&rendered.argv()[cut + 1..]), None, "{cut}");
        }
    }
}

#[test]
fn seconds_round_up_and_are_never_none() {
    for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
        assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
    }
}

#[test]
fn what_no_shell_could_hand_on_is_refused() {
    for word in ["a\0b", "a\nb", "a\x1bb", "\u{9b}"] {
        assert_eq!(shell_line(&["/bin/echo".to_owned(), word.to_owned()]), Err(RenderError::Control), "{word:?}");
    }
    assert_eq!(shell_line(&["x".repeat(LONGEST_LINE)]), Err(RenderError::TooLong));
}

/// Runs the end of a command as `execve` would, and as a shell would.
fn run(argv: &[String], script: Option<&str>) -> Command {
    let mut command = match script {
        Some(line) => {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", line]);
            shell
        }
        None => {
            let mut program = Command::new(&argv[0]);
            program.args(&argv[1..]);
            program
        }
    };
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn exit_code_output_and_error_are_the_programs_own() {
    let vector = made(&["/bin/sh", "-c", "echo out; echo err >&2; read x; echo \"[$x]\"; exit 7"]);
    for stdin in [false, true] {
        let rendered = render(&Execution { stdin, ..execution(&vector, &[]) }).unwrap();
        for script in [None, Some(rendered.line.as_str())] {
            let mut child = run(&rendered.argv(), script).spawn().unwrap();
            std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"typed\n").unwrap();
            // Input stays open: without `stdin` that is what lets the command run.
            let input = child.stdin.take();
            let output = child.wait_with_output().unwrap();
            drop(input);
            let expected = if stdin { "out\n[typed]\n" } else { "out\n[]\n" };
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
            assert_eq!((output.stderr.as_slice(), output.status.code()), (&b"err\n"[..], Some(7)));
        }
    }
}

#[test]
fn the_environment_is_ours_alone() {
    let vector = made(&["/usr/bin/env"]);
    let rendered = render(&execution(&vector, &[])).unwrap();
    let mut child = run(&rendered.argv(), None).env("LD_PRELOAD", "/nonexistent").env("SECRET", "x").spawn().unwrap();
    let input = child.stdin.take();
    let shown = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    drop(input);
    let names: Vec<&str> = shown.lines().filter_map(|line| line.split('=').next()).collect();
    assert!(names.iter().all(|name| ["PATH", "LANG", "PWD"].contains(name)), "{shown}");
}

#[test]
fn the_deadline_ends_the_program_by_itself() {
    let vector = made(&["/bin/sleep", "300"]);
    for stdin in [false, true] {
        let rendered = render(&Execution { longest: Duration::ZERO, stdin, ..execution(&vector, &[]) }).unwrap();
        let mut child = run(&rendered.argv(), None).spawn().unwrap();
        let input = child.stdin.take();
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(124));
        drop(input);
    }
}

/// The programs of process group `group` that still run.
fn group(group: u32) -> String {
    let listed = Command::new("ps").args(["-eo", "pgid=,stat=,args="]).output().unwrap();
    let shown = String::from_utf8_lossy(&listed.stdout).into_owned();
    let of_group = |line: &&str| {
        let mut words = line.split_whitespace();
        words.next() == Some(group.to_string().as_str()) && words.next().is_some_and(|stat| !stat.starts_with('Z'))
    };
    shown.lines().filter(of_group).collect::<Vec<_>>().join("\n")
}

#[test]
fn closing_the_input_ends_the_program_its_children_and_the_watcher() {
    let vector = made(&["/bin/sh", "-c", "sleep 300 & echo up; sleep 300"]);
    let rendered = render(&execution(&vector, &[])).unwrap();
    let mut child = run(&rendered.argv(), Some(&rendered.line)).spawn().unwrap();
    let mut first = [0; 3];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    assert!(group(child.id()).contains("sleep 300"), "{}", group(child.id()));
    drop(child.stdin.take());
    let id = child.id();
    // Also waits until nobody holds the output any more.
    assert!(!child.wait_with_output().unwrap().status.success());
    let mut left = group(id);
    for _ in 0..20 {
        if left.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        left = group(id);
    }
    assert_eq!(left, "");
}

#[test]
fn the_line_of_a_test_is_the_line_of_a_rule() {
    let vector = ["/usr/bin/env".to_owned()];
    let longest = Duration::from_secs(9);
    for stdin in [true, false] {
        let words = made(&["/usr/bin/env"]);
        let execution = Execution { vector: &words, sudo: false, environment: &[], stdin, longest };
        let test = test_line(&vector, stdin, longest).unwrap();
        assert_eq!(test.line, render(&execution).unwrap().line);
        let [path, lang] = test.environment.as_slice() else { panic!("{:?}", test.environment) };
        assert!(path.starts_with("PATH=/") && lang == "LANG=C.UTF-8", "{path} {lang}");
    }
}
