//! One command after the other: how long each takes for who types it (a, b, e), and what it costs the bastion's processor (f).

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::processes::cpu_seconds;
use crate::report::{Aim, Report, Row};
use crate::stats::{Samples, alternate};
use crate::world::{Cipher, Route, World};

/// Does nothing, so that everything else is seen.
const NOTHING: &str = "/usr/bin/true";
/// Pinned where the cipher hardly matters.
const CIPHER: Cipher = Cipher::ChaCha20;

/// (a) `-J` doorward beside `-J` an OpenSSH jump host.
///
/// # Errors
/// When a command fails.
pub fn through_the_jump(world: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let (ours, theirs) = alternate(
        plan.commands,
        || timed_with_cpu(world, Route::Jump, world.bastion_pid()),
        || timed_with_cpu(world, Route::OpensshJump, world.jump_host_pid()),
    )?;
    report.add(Row {
        letter: "a",
        what: "a command through -J".to_owned(),
        unit: "ms",
        ours: column(&ours, 0),
        theirs: Some(("jump host", column(&theirs, 0))),
        aim: Some(Aim::RatioAtMost(0.5)),
    });
    report.add(Row {
        letter: "f",
        what: "processor time of a command through -J".to_owned(),
        unit: "ms",
        ours: column(&ours, 1).means_of(plan.commands_a_sample),
        theirs: Some(("jump host", column(&theirs, 1).means_of(plan.commands_a_sample))),
        aim: Some(Aim::AtMost(10.0)),
    });
    Ok(())
}

/// (b) `ssh TARGET@bastion` beside `ssh TARGET`.
///
/// # Errors
/// When a command fails.
pub fn at_the_login_door(world: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let (ours, theirs) = alternate(
        plan.commands,
        || timed_with_cpu(world, Route::Door, world.bastion_pid()),
        || Ok([timed(world, Route::Direct, &[])?, 0.0]),
    )?;
    report.add(Row {
        letter: "b",
        what: "a command at the target-login door".to_owned(),
        unit: "ms",
        ours: column(&ours, 0),
        theirs: Some(("direct ssh", column(&theirs, 0))),
        aim: Some(Aim::RatioAtMost(1.0)),
    });
    report.add(Row {
        letter: "f",
        what: "processor time of a command at the target-login door".to_owned(),
        unit: "ms",
        ours: column(&ours, 1).means_of(plan.commands_a_sample),
        theirs: None,
        aim: Some(Aim::AtMost(10.0)),
    });
    Ok(())
}

/// (e) A further command over a connection that is there already.
///
/// # Errors
/// When a command or a connection fails.
pub fn second_of_a_connection(world: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let direct = Master::open(world, Route::Direct)?;
    for (route, what) in [
        (Route::Door, "second command of a shared connection, target-login door"),
        (Route::Jump, "second command of a shared connection, -J"),
    ] {
        let ours = Master::open(world, route)?;
        let over = |master: &Master<'_>| timed(world, master.route, &["-S", &master.socket.display().to_string()]);
        let (our, their) = alternate(plan.shared, || over(&ours), || over(&direct))?;
        report.add(Row {
            letter: "e",
            what: what.to_owned(),
            unit: "ms",
            ours: Samples(our),
            theirs: Some(("direct ssh", Samples(their))),
            aim: Some(Aim::RatioAtMost(4.0)),
        });
    }
    Ok(())
}

/// Milliseconds of one command on that way.
fn timed(world: &World, route: Route, options: &[&str]) -> Result<f64, String> {
    let mut ssh = world.ssh(route, CIPHER, options, NOTHING);
    let begun = Instant::now();
    let status = ssh.status().map_err(|error| format!("ssh: {error}"))?;
    let took = begun.elapsed();
    if status.success() {
        Ok(took.as_secs_f64() * 1000.0)
    } else {
        Err(format!("ssh {} {NOTHING}: {status}: {}", route.host(CIPHER), world.said()))
    }
}

/// The same, and the milliseconds of processor time that it took the server `pid`.
fn timed_with_cpu(world: &World, route: Route, pid: u32) -> Result<[f64; 2], String> {
    let before = cpu_seconds(pid);
    let took = timed(world, route, &[])?;
    Ok([took, (cpu_seconds(pid) - before) * 1000.0])
}

fn column(pairs: &[[f64; 2]], which: usize) -> Samples {
    Samples(pairs.iter().map(|pair| pair[which]).collect())
}

/// A `ControlMaster` that holds a connection open; ended when dropped.
pub struct Master<'a> {
    route: Route,
    socket: PathBuf,
    child: Child,
    world: &'a World,
}

impl<'a> Master<'a> {
    /// Opens a connection, and waits until it is authenticated.
    ///
    /// # Errors
    /// When it is not within thirty seconds.
    pub fn open(world: &'a World, route: Route) -> Result<Self, String> {
        let mut master = Self::begin(world, route, "0")?;
        master.wait()?;
        Ok(master)
    }

    /// Begins to open a connection; `name` tells it from others on the same way.
    ///
    /// # Errors
    /// When `ssh` cannot be started.
    pub fn begin(world: &'a World, route: Route, name: &str) -> Result<Self, String> {
        let socket = world.home().join(format!("m-{route:?}-{name}"));
        let options = ["-M", "-N", "-S", &socket.display().to_string()];
        let child = world.ssh(route, CIPHER, &options, "").spawn().map_err(|error| format!("ssh: {error}"))?;
        Ok(Self { route, socket, child, world })
    }

    /// Waits until it is authenticated: `ssh` makes its socket then.
    ///
    /// # Errors
    /// When it is not within thirty seconds.
    pub fn wait(&mut self) -> Result<(), String> {
        let patience = Instant::now();
        while !self.socket.exists() {
            let gone = self.child.try_wait().ok().flatten();
            if gone.is_some() || patience.elapsed() > Duration::from_secs(30) {
                return Err(format!("no connection to {}: {gone:?} {}", self.route.host(CIPHER), self.world.said()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Master<'_> {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends an `ssh` the orderly way, so that the process of its ProxyJump ends with it.
pub fn end(ssh: &mut Child) {
    let pid = nix::unistd::Pid::from_raw(ssh.id().cast_signed());
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    let _ = ssh.wait();
}
