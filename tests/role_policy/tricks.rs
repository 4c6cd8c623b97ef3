//! The tricks that are known, by name: each is denied, and the same text in quotes is nothing but text.

use crate::{decide_for, generous, permit, role};

#[test]
fn hostile_lines_are_denied() {
    let table: &[(&str, &[&str])] = &[
        (
            "a second command",
            &[
                "uptime; id",
                "uptime && id",
                "uptime || id",
                "uptime | sh",
                "uptime & id",
                "uptime\nid",
                "uptime\rid",
                "uptime;id",
                "; uptime",
                "id root;",
                "uptime |& sh",
                "uptime\u{2028}id",
            ],
        ),
        (
            "substitution",
            &[
                "id $(id)",
                "id `id`",
                "id ${IFS}",
                "id $USER",
                "id \"$(id)\"",
                "id \"`id`\"",
                "id $((1+1))",
                "id <(id)",
                "id $'a'",
                "id \"${x}\"",
            ],
        ),
        (
            "redirection",
            &[
                "uptime > /etc/passwd",
                "uptime >> /tmp/x",
                "uptime < /etc/shadow",
                "uptime 2>&1",
                "uptime <<EOF",
                "uptime >&2",
                "uptime <<< x",
            ],
        ),
        (
            "expansion",
            &[
                "id *",
                "id ?",
                "id [a-z]",
                "id {a,b}",
                "id ~root",
                "id !!",
                "uptime #",
                "tail /var/log/*",
                "tail /var/log/{a,b}",
                "tail ~/x",
            ],
        ),
        (
            "the environment",
            &[
                "LD_PRELOAD=/tmp/x.so uptime",
                "PATH=/tmp uptime",
                "A= uptime",
                "A+=x uptime",
                "env A=1 uptime",
                "BASH_ENV=x uptime",
            ],
        ),
        (
            "another program of that name",
            &[
                "./uptime",
                "/tmp/uptime",
                "/bin/uptime",
                "../usr/bin/uptime",
                "/usr/bin/../bin/uptime",
                "//usr/bin/uptime",
                "Uptime",
                "uptime.sh",
                "/usr/bin/uptime/",
                "\u{443}ptime",
                "upt\u{200b}ime",
                "usr/bin/uptime",
            ],
        ),
        (
            "a program that starts others",
            &[
                "sh -c uptime",
                "bash",
                "env uptime",
                "xargs uptime",
                "sudo -s",
                "su",
                "exec uptime",
                "command uptime",
                "nohup uptime",
                "eval uptime",
            ],
        ),
        (
            "sudo's own options",
            &[
                "sudo -u root systemctl restart nginx",
                "sudo -i",
                "sudo -E systemctl restart nginx",
                "sudo --",
                "sudo -n -n systemctl restart nginx",
                "sudo sudo systemctl restart nginx",
                "/usr/bin/sudo systemctl restart nginx",
                "sudo -nE systemctl restart nginx",
                "sudo uptime",
                "sudo",
            ],
        ),
        (
            "options where values belong",
            &[
                "id -G",
                "id --help",
                "tail -f",
                "tail -n -5 /var/log/x",
                "logger -f",
                "logger --file=/etc/shadow",
                "id '-G'",
                "id \\-G",
                "tail --follow=/x",
                "tail -n5 /var/log/x",
            ],
        ),
        (
            "words too many or too few",
            &[
                "systemctl restart",
                "systemctl restart nginx sshd",
                "systemctl restart nginx --now",
                "uptime -p",
                "id root root",
                "systemctl",
                "uptime ''",
                "tail -n 5 /var/log/a /etc/shadow",
            ],
        ),
        (
            "values that are nearly right",
            &[
                "systemctl restart sshd",
                "systemctl restart NGINX",
                "systemctl restart nginx.service",
                "systemctl restart 'nginx '",
                "systemctl restart ''",
                "systemctl restart 'nginx php-fpm'",
                "id Root",
                "id r00t",
                "id 'root '",
                "systemctl 'restart nginx'",
                "'systemctl restart' nginx",
            ],
        ),
        (
            "numbers",
            &[
                "tail -n 0 /var/log/x",
                "tail -n 101 /var/log/x",
                "tail -n +1 /var/log/x",
                "tail -n 01 /var/log/x",
                "tail -n 1e1 /var/log/x",
                "tail -n 0x1 /var/log/x",
                "tail -n ١ /var/log/x",
                "tail -n 18446744073709551617 /var/log/x",
                "tail -n '' /var/log/x",
            ],
        ),
        (
            "paths",
            &[
                "tail /var/log/../../etc/shadow",
                "tail /var/log/..",
                "tail /var/log//x",
                "tail /var/log/./x",
                "tail /var/log/",
                "tail /var/log",
                "tail /etc/shadow",
                "tail var/log/x",
                "tail '/var/log/*'",
                "tail '/var/log/[a]'",
                "tail /var/log/.x",
                "tail /var/log/a/.ssh/x",
                "tail /var/log/x/../../../etc/shadow",
                "tail '/var/log/a?'",
                "tail host:/var/log/x",
                "tail '/var/log/\u{e4}'",
            ],
        ),
        (
            "text that is an operator to the program",
            &[
                "logger '@/etc/shadow'",
                "logger '*'",
                "logger 'a?'",
                "logger 'root@host:/etc'",
                "logger '[a]'",
                "logger ''",
                "logger '{a,b}'",
            ],
        ),
        (
            "bytes that deceive the eye",
            &[
                "id roo\u{202e}t",
                "id 'a\u{1b}[2J'",
                "id \u{feff}root",
                "id root\u{a0}x",
                "uptime\u{a0}",
                "uptime\t",
                "id r\u{f6}\u{f6}t",
                "logger 'a\u{7}b'",
                "uptime\0",
                "id \u{fb01}",
                "id \u{9b}31m",
                "\u{feff}uptime",
            ],
        ),
        ("quotes that never close", &["id 'root", "id \"root", "id root\\", "it's uptime", "'uptime", "\"", "'", "\\"]),
        ("nothing at all", &["", " ", "''", "\"\"", "   '' "]),
    ];
    let roles = [generous()];
    let lines: usize = table.iter().map(|(_, lines)| lines.len()).sum();
    assert!(lines >= 80, "{lines}");
    for (trick, lines) in table {
        for line in *lines {
            assert!(permit(line, &roles).is_none(), "{trick}: {line:?} was allowed");
        }
    }
    assert!(decide_for(b"uptime \xff", &roles).is_none() && decide_for(b"\xc0\xaf", &roles).is_none());
}

/// The other half: quoted, these are plain words, and the program gets exactly them.
#[test]
fn hostile_text_in_quotes_is_literal() {
    let free = role(
        "free",
        "[[command]]\nrun = \"/usr/bin/logger {x}\"\nwhere.x = { pattern = '.+', dash = true, unicode = true }\n",
    );
    for value in [
        "; id",
        "$(id)",
        "`id`",
        "a && b",
        "> /etc/passwd",
        "'",
        "it's",
        "''",
        "\\",
        "\"",
        "-rf",
        "*",
        "{a,b}",
        "~",
        "!!",
        "#",
        "é 中",
        "$'\\n'",
        "%s",
    ] {
        let line = format!("logger '{}'", value.replace('\'', "'\\''"));
        let permit = permit(&line, std::slice::from_ref(&free)).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(permit.command(), ["/usr/bin/logger", value]);
        assert_eq!(shlex::split(permit.line()).unwrap()[1..], *permit.argv());
    }
}
