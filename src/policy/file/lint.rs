//! Rules that give more than they seem to: a warning, because the author may have meant it.
//!
//! A list of names is never complete. It is a reminder for the author, and nothing is decided by it.

use crate::policy::pattern::matching::base_name;
use crate::policy::role::Rule;

use super::reader::{Place, Reader};

/// Programs, and what each can be made to do by its arguments, its input or its keys.
const STRONG: [(&[&str], &str); 6] = [
    (
        &["sh", "bash", "dash", "zsh", "ksh", "fish", "busybox", "csh", "tcsh"],
        "is a shell and runs whatever it is told",
    ),
    (
        &["python", "python3", "perl", "ruby", "node", "lua", "php", "awk", "gawk", "mawk", "gdb", "expect"],
        "interprets programs",
    ),
    (
        &[
            "env",
            "xargs",
            "find",
            "nice",
            "nohup",
            "setsid",
            "timeout",
            "watch",
            "time",
            "strace",
            "ltrace",
            "ssh",
            "script",
            "su",
            "doas",
            "chroot",
            "nsenter",
            "unshare",
            "systemd-run",
            "docker",
            "podman",
            "kubectl",
            "make",
            "parallel",
            "flock",
            "ionice",
        ],
        "can start other programs",
    ),
    (
        &["vi", "vim", "nano", "emacs", "ed", "less", "more", "man", "view", "most"],
        "has keys that start a shell or open files",
    ),
    (
        &[
            "tee", "dd", "cp", "mv", "install", "rsync", "scp", "sftp", "tar", "zip", "unzip", "cpio", "sed", "ln",
            "wget", "curl",
        ],
        "can write files",
    ),
    (
        &[
            "git", "mysql", "psql", "sqlite3", "ftp", "tcpdump", "apt", "apt-get", "dpkg", "rpm", "yum", "dnf", "pip",
            "npm", "crontab", "at",
        ],
        "has options or commands that start other programs",
    ),
];

/// Warns of what `rule`, whose `run` stands at `place`, may give away.
pub(super) fn check(reader: &mut Reader, place: Place, rule: &Rule) {
    let program = base_name(rule.run.program().unwrap_or_default());
    // `python3.11` is python3 to us.
    let plain = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let known = STRONG.iter().find(|(names, _)| names.contains(&program) || names.contains(&plain));
    if let Some((_, what)) = known {
        let input = if rule.stdin { ", and it reads the user's input" } else { "" };
        let help = "fix every argument that matters, and give it no more than this role needs";
        reader.warning(place, format!("{program} {what}{input}"), help);
    }
}
