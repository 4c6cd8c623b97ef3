//! The verbs that the operator types on the bastion's own host, one file each.
//!
//! A verb takes its words, calls the library and says what came of it. Exit codes: 0 done, 1 failed, 2 usage.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod audit;
mod can;
mod check;
mod demo;
mod diff;
mod enroll;
mod error;
mod init;
mod input;
mod learn;
mod reload;
mod screen;
mod serve;
mod target;
mod test;
mod to_sign;
mod user;
mod what_if;
mod why;

pub use error::CliError;
pub use screen::{Collected, Screen};

/// Just Enough Administration for SSH: roles of allowed commands, approved just in time.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, max_term_width = 100, disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a new DIR in which something works at once
    Init(init::Init),
    /// Read all of DIR and report everything that is wrong
    Check(check::Check),
    /// Be the bastion of DIR, in the foreground
    Serve(serve::Serve),
    /// Show the main job on this machine, in a directory of its own
    Demo(demo::Demo),
    /// Add users and keys
    #[command(subcommand)]
    User(user::User),
    /// Add, enrol and test targets
    #[command(subcommand)]
    Target(target::Target),
    /// Work with the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Say whether a user could run a command line, and under which role
    Why(why::Why),
    /// List everything that a user may do, or everybody who may run a command line
    Can(can::Can),
    /// Run the examples of all roles and files of scenarios
    Test(test::Test),
    /// Say in words what a change of the files widens and what it narrows
    Diff(diff::Diff),
    /// Say which answers of the past a changed set would give otherwise
    #[command(name = "what-if")]
    WhatIf(what_if::WhatIf),
    /// Print what the signers of the policy sign, and how
    #[command(name = "to-sign")]
    ToSign(to_sign::ToSign),
    /// Propose the least role that covers what was run, and name what of a role nobody used
    Learn(learn::Learn),
    /// Check DIR, and have the running bastion read it anew
    Reload(reload::Reload),
}

/// The directory that every verb works on.
#[derive(Debug, Args)]
struct Dir {
    /// The directory with doorward.toml
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs one command line, the program's name first, and answers with the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    run_on(words, Screen::standard())
}

/// As [`run`], with the output on `screen`.
pub fn run_on(words: impl IntoIterator<Item = OsString>, mut screen: Screen) -> u8 {
    let verb = match Line::try_parse_from(words) {
        Ok(line) => line.verb,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let text = error.render().to_string();
            // What was typed is in the text.
            let text: String = text.chars().filter(|&c| c == '\n' || crate::domain::text::is_printable(c)).collect();
            match error.use_stderr() {
                true => screen.note(text.trim_end()),
                false => screen.say(text.trim_end()),
            }
            return screen.close(code);
        }
    };
    let result = match verb {
        Verb::Init(init) => init.run(&mut screen),
        Verb::Check(check) => check.run(&mut screen),
        Verb::Serve(serve) => serve.run(&mut screen),
        Verb::Demo(demo) => demo.run(&mut screen),
        Verb::User(user) => user.run(&mut screen),
        Verb::Target(target) => target.run(&mut screen),
        Verb::Audit(audit) => audit.run(&mut screen),
        Verb::Why(why) => why.run(&mut screen),
        Verb::ToSign(to_sign) => to_sign.run(&mut screen),
        Verb::Reload(reload) => reload.run(&mut screen),
        Verb::Can(can) => can.run(&mut screen),
        Verb::Test(test) => test.run(&mut screen),
        Verb::Diff(diff) => diff.run(&mut screen),
        Verb::WhatIf(what_if) => what_if.run(&mut screen),
        Verb::Learn(learn) => learn.run(&mut screen),
    };
    let code = match result {
        Ok(()) => 0,
        Err(error) => error.show(&mut screen),
    };
    screen.close(code)
}

#[cfg(test)]
mod tests;
