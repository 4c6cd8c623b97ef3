//! Sizes that hold everywhere, in one place. What an operator may change is in `doorward.toml` instead.

/// Longest command line or control line that is parsed, in bytes.
pub const LINE: usize = 64 * 1024;
/// Longest file of our configuration that is read, in bytes.
pub const CONFIG_FILE: u64 = 1024 * 1024;
/// Longest free text (reason, refusal) that is kept, in bytes.
pub const FREE_TEXT: usize = 2000;
/// Longest excerpt of foreign text in a message, in characters.
pub const EXCERPT: usize = 120;
/// Longest list of grants in a session certificate, in bytes: about 220 grants.
pub const GRANTS_OPTION: usize = 2000;
