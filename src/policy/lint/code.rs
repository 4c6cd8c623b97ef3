//! The reason codes. They are part of the interface: tools and people refer to them, and none changes its meaning.

/// `stdin` for a program that can start others.
pub const INPUT: &str = "input/escape";
/// An `accept_escape` that answers nothing.
pub const ACCEPT_NOTHING: &str = "accept/nothing";
/// A rule that another one makes pointless.
pub const POINTLESS: &str = "rule/pointless";
/// A shared parameter that no command uses.
pub const PARAMETER_UNUSED: &str = "parameter/unused";
/// A program in a folder in which others may write.
pub const PROGRAM_SHARED: &str = "program/shared";
/// A program outside the folders that belong to root.
pub const PROGRAM_PLACE: &str = "program/place";
/// A path below a folder in which others may write.
pub const PATH_SHARED: &str = "path/shared";
/// A path that takes in a whole tree of the system.
pub const PATH_WIDE: &str = "path/wide";
/// `**` under sudo.
pub const PATH_SYMLINK: &str = "path/symlink";
/// A path of which a part is open, under sudo.
pub const SUDO_PATH: &str = "sudo/path";
/// Free text under sudo.
pub const SUDO_TEXT: &str = "sudo/free-text";
/// Nearly any text.
pub const ANYTHING: &str = "pattern/anything";
/// `..`.
pub const DOTDOT: &str = "pattern/dotdot";
/// `/`.
pub const SLASH: &str = "pattern/slash";
/// A blank.
pub const BLANK: &str = "pattern/blank";
/// A leading `-`.
pub const DASH: &str = "pattern/dash";
/// `*` for a program that expands it.
pub const GLOB: &str = "pattern/glob";
/// `^` or `$` in one alternative only.
pub const SLIP_ANCHOR: &str = "slip/anchor";
/// `.` that stands for any character.
pub const SLIP_DOT: &str = "slip/dot";
/// A range such as `A-z`.
pub const SLIP_RANGE: &str = "slip/range";
/// 0 or 1 as a process.
pub const INT_PROCESS: &str = "int/process";
/// 0 as an account.
pub const INT_ROOT: &str = "int/root";
/// A variable that changes what a program does.
pub const ENV: &str = "env/behaviour";

/// All of them.
pub const ALL: [&str; 33] = [
    "escape/shell",
    "escape/command",
    "escape/interpreter",
    "escape/editor",
    "escape/pager",
    "escape/library",
    "escape/privileged",
    "escape/network",
    "escape/file-read",
    "escape/file-write",
    INPUT,
    ACCEPT_NOTHING,
    POINTLESS,
    PARAMETER_UNUSED,
    PROGRAM_SHARED,
    PROGRAM_PLACE,
    PATH_SHARED,
    PATH_WIDE,
    PATH_SYMLINK,
    SUDO_PATH,
    SUDO_TEXT,
    ANYTHING,
    DOTDOT,
    SLASH,
    BLANK,
    DASH,
    GLOB,
    SLIP_ANCHOR,
    SLIP_DOT,
    SLIP_RANGE,
    INT_PROCESS,
    INT_ROOT,
    ENV,
];

/// Whether `accept_escape` answers a finding of this kind: what a rule gives can be meant, what it does by a slip cannot.
#[must_use]
pub fn is_answered(code: &str) -> bool {
    !["slip/", "accept/", "rule/"].iter().any(|slip| code.starts_with(slip))
}
