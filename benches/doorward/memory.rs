//! The memory of sessions that do nothing (d): PSS of the bastion's process beside that of `sshd` with all its children.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::commands::Master;
use crate::plan::Plan;
use crate::processes::memory_mib;
use crate::report::{Aim, Report, Row};
use crate::stats::Samples;
use crate::world::{Cipher, Route, World};

/// How many connections are made at once, less than either side refuses.
const WAVE: usize = 8;

/// (d) Connections that are authenticated and have no channel, and commands that wait.
///
/// # Errors
/// When a connection fails or the kernel does not tell.
pub fn idle(world: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    // A bastion that has just been started has touched little of its own code.
    world.ssh(Route::Door, Cipher::ChaCha20, &[], "/usr/bin/true").status().map_err(|error| error.to_string())?;
    let (bastion, jump_host) = (world.bastion_pid(), world.jump_host_pid());
    let ours = grown(plan, bastion, || connections(world, Route::Door, plan.idle))?;
    // Held open at the jump host itself, as at the bastion itself.
    let theirs = grown(plan, jump_host, || connections(world, Route::JumpHostItself, plan.idle))?;
    let aim = Some(Aim::RatioAtMost(1.0 / 8.0));
    add(report, &format!("{} idle connections, authenticated, no channel", plan.idle), ours, theirs, aim);

    let ours = grown(plan, bastion, || commands(world, Route::Jump, plan.waiting))?;
    let theirs = grown(plan, jump_host, || commands(world, Route::OpensshJump, plan.waiting))?;
    add(report, &format!("{} waiting commands through -J", plan.waiting), ours, theirs, aim);
    Ok(())
}

/// Memory before, and how much more while `open` holds what it opened, in MiB.
fn grown<T>(plan: &Plan, pid: u32, open: impl FnOnce() -> Result<T, String>) -> Result<[f64; 2], String> {
    let before = memory_mib(pid)?;
    let held = open()?;
    std::thread::sleep(plan.settle);
    let during = memory_mib(pid)?;
    drop(held);
    std::thread::sleep(plan.settle);
    Ok([before, during - before])
}

fn add(report: &mut Report, what: &str, ours: [f64; 2], theirs: [f64; 2], aim: Option<Aim>) {
    let one = |value: f64| Samples(vec![value]);
    let mut row = |what: String, ours: f64, theirs: f64, aim| {
        let theirs = Some(("jump host", one(theirs)));
        report.add(Row { letter: "d", what, unit: "MiB", ours: one(ours), theirs, aim });
    };
    row(format!("memory before {what}"), ours[0], theirs[0], None);
    row(format!("memory of {what}"), ours[1], theirs[1], aim);
}

fn connections(world: &World, route: Route, count: usize) -> Result<Vec<Master<'_>>, String> {
    let mut open = Vec::with_capacity(count);
    while open.len() < count {
        let first = open.len();
        for number in first..count.min(first + WAVE) {
            open.push(Master::begin(world, route, &number.to_string())?);
        }
        for master in &mut open[first..] {
            master.wait()?;
        }
    }
    Ok(open)
}

/// Commands that have begun and wait for a file to grow, which it does not.
struct Waiting(Vec<Child>);

fn commands(world: &World, route: Route, count: usize) -> Result<Waiting, String> {
    let mut open = Waiting(Vec::with_capacity(count));
    while open.0.len() < count {
        let first = open.0.len();
        for _ in first..count.min(first + WAVE) {
            let mut ssh = world.ssh(route, Cipher::ChaCha20, &[], "/usr/bin/tail -n 1 -f /etc/passwd");
            open.0.push(ssh.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?);
        }
        for child in &mut open.0[first..] {
            let stdout = child.stdout.as_mut().ok_or("no stdout")?;
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
            if read == 0 {
                return Err(format!("a command that should wait has ended: {}", world.said()));
            }
        }
    }
    Ok(open)
}

impl Drop for Waiting {
    fn drop(&mut self) {
        for child in &mut self.0 {
            crate::commands::end(child);
        }
    }
}
