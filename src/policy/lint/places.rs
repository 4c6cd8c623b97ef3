//! Folders: whose a program or a path is.

use std::borrow::Cow;

use crate::policy::parameter::Kind;
use crate::policy::rule::Rule;

use super::line::{Line, Slot};
use super::{At, Found, code};

/// Folders in which others than root may write.
const SHARED: [&str; 11] = [
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/home",
    "/run/user",
    "/run/lock",
    "/var/lock",
    "/dev/mqueue",
    "/var/crash",
    "/var/spool/cron",
    "/mnt",
];
/// Folders that belong to root on every usual system, with all below them.
const ROOTS: [&str; 14] = [
    "/bin",
    "/sbin",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libexec",
    "/opt",
    "/snap",
    "/nix/store",
    "/gnu/store",
    "/run/current-system",
    "/etc/init.d",
    "/etc/alternatives",
];
/// Folders of which the whole tree is more than a role needs.
const TREES: [&str; 17] = [
    "",
    "/etc",
    "/var",
    "/usr",
    "/root",
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/run",
    "/srv",
    "/opt",
    "/lib",
    "/var/lib",
    "/var/spool",
    "/etc/ssh",
    "/etc/ssl/private",
];
/// Folders whose files alone are more than a role needs.
const SECRETS: [&str; 9] = ["", "/etc", "/root", "/proc", "/sys", "/dev", "/boot", "/etc/ssh", "/etc/ssl/private"];
/// Variables that change what programs do, besides those that a role cannot set.
const VARIABLES: [&str; 46] = [
    "TAR_OPTIONS",
    "RSYNC_RSH",
    "RSYNC_CONNECT_PROG",
    "GREP_OPTIONS",
    "ZIPOPT",
    "UNZIP",
    "MAKEFLAGS",
    "CC",
    "CXX",
    "CVS_RSH",
    "PSQL_EDITOR",
    "PSQL_PAGER",
    "MYSQL_PS1",
    "MYSQL_HOME",
    "AWKPATH",
    "AWKLIBPATH",
    "LUA_INIT",
    "VIMINIT",
    "EXINIT",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "CLASSPATH",
    "MANPATH",
    "MANOPT",
    "MANROFFOPT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "KRB5_CONFIG",
    "SSLKEYLOGFILE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "BORG_RSH",
    "BORG_PASSCOMMAND",
    "RESTIC_PASSWORD_COMMAND",
    "VAULT_ADDR",
    "RUSTC_WRAPPER",
    "GOFLAGS",
    "INPUTRC",
    "TERMCAP",
    "SCREENRC",
    "WGETRC",
];
/// Beginnings of such names.
const BEGINNINGS: [&str; 9] = ["XDG_", "DBUS_", "AWS_", "ANSIBLE_", "DOCKER_", "KUBE", "NPM_", "PIP_", "CARGO_"];

pub(super) fn check(rule: &Rule, line: &Line<'_>, found: &mut Vec<Found>) {
    program(rule, found);
    variables(rule, found);
    for slot in &line.slots {
        shared(slot, found);
    }
}

/// Whether `path` is below one of `folders`.
fn below(path: &str, folders: &[&str]) -> Option<String> {
    let inside =
        |folder: &&&str| path.strip_prefix(**folder).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'));
    folders.iter().find(inside).map(|folder| (*folder).to_owned())
}

/// Whether the part of a path pattern before its first `*` names a tree of the system.
pub(super) fn is_wide(pattern: &str) -> bool {
    let Some((before, _)) = pattern.split_once('*') else { return false };
    let folder = before.rsplit_once('/').map_or("", |(folder, _)| folder);
    let rest = pattern.strip_prefix(folder).unwrap_or_default();
    match rest {
        // The files of one folder are what the rule says, unless it is one that holds secrets or devices.
        "/*" => SECRETS.contains(&folder),
        _ => (rest == "/**" || rest.starts_with("/**/") || rest.starts_with("/*/")) && TREES.contains(&folder),
    }
}

/// What is to be said of the path of a `[[file]]`: code, message and what to write.
pub(in crate::policy) fn of_file(path: &str) -> Option<(&'static str, String, String)> {
    let help =
        "name the folder that is meant, one that belongs to root or to the service alone: `/var/log/nginx/*.log`";
    let (code, message) = match below(path, &SHARED) {
        Some(folder) => {
            (code::PATH_SHARED, format!("others may write below `{folder}`, and so decide what `{path}` is"))
        }
        None if is_wide(path) => {
            (code::PATH_WIDE, format!("`{path}` takes in a whole tree of the system, with secrets and devices in it"))
        }
        None => return None,
    };
    Some((code, message, help.to_owned()))
}

fn program(rule: &Rule, found: &mut Vec<Found>) {
    let path = rule.run.program().unwrap_or_default();
    if let Some(folder) = below(path, &SHARED) {
        let message =
            format!("others than root may write below `{folder}`, and so decide what `{path}` is when it runs");
        let help = "put the program into `/usr/local/bin`, owned by root, and name it there";
        found.push(Found::new(At::Program, code::PROGRAM_SHARED, message, help));
    } else if path.starts_with('/') && below(path, &ROOTS).is_none() {
        let message = format!(
            "`{path}` is not in a folder that usually belongs to root; whoever owns its folder decides what runs"
        );
        let help = "put the program into `/usr/local/bin`, owned by root, and name it there";
        found.push(Found::new(At::Program, code::PROGRAM_PLACE, message, help));
    }
}

fn variables(rule: &Rule, found: &mut Vec<Found>) {
    for (name, value) in &rule.env {
        let known = VARIABLES.contains(&name.as_str()) || BEGINNINGS.iter().any(|begin| name.starts_with(begin));
        if known {
            let message =
                format!("the variable `{name}` changes what programs do, where they connect or what they load");
            let help =
                "set the value in the program's own configuration on the target, or write it as an option of the rule";
            found.push(Found::new(At::Key("env"), code::ENV, message, help));
        } else if let Some(folder) = below(value, &SHARED) {
            let message = format!("the variable `{name}` names a path below `{folder}`, where others may write");
            found.push(Found::new(
                At::Key("env"),
                code::PATH_SHARED,
                message,
                "name a folder that belongs to root or to the account",
            ));
        }
    }
}

/// A path below a folder in which others may write: they can put a link there that leads anywhere.
fn shared(slot: &Slot<'_>, found: &mut Vec<Found>) {
    let path_of = |word: &str| word.find('/').and_then(|at| word.get(at..)).map(str::to_owned);
    let words = match slot.open.as_ref().map(|open| open.parameter.kind()) {
        Some(Kind::Path(path)) => &[Cow::Owned(path.to_string())][..],
        _ => slot.words().unwrap_or_default(),
    };
    for path in words.iter().filter_map(|word| path_of(word)) {
        if let Some(folder) = below(&path, &SHARED) {
            let place = slot.open.as_ref().map_or(At::Step(slot.step), |open| At::Value(open.index, None));
            let message =
                format!("others may write below `{folder}`, and with a link there make `{path}` mean any file");
            let help =
                "name a folder that belongs to root or to the service alone, such as one below `/var/lib` or `/srv`";
            found.push(Found::new(place, code::PATH_SHARED, message, help));
            return;
        }
    }
}
