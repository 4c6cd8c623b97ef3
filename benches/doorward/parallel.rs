//! Sessions a second with many clients at once (g).

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::plan::Plan;
use crate::report::{Aim, Report, Row};
use crate::stats::{Samples, alternate};
use crate::world::{Cipher, Route, World};

/// (g) Each client opens a connection, runs a command that does nothing, and goes; then the next.
///
/// # Errors
/// When a session fails.
pub fn in_flight(world: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    for (ours, theirs, name, door, aim) in [
        (Route::Door, Route::Direct, "direct ssh", "target-login door", Some(Aim::RatioAtLeast(1.0))),
        (Route::Jump, Route::OpensshJump, "jump host", "-J", None),
    ] {
        let (our, their) = alternate(plan.rounds, || rate(world, plan, ours), || rate(world, plan, theirs))?;
        report.add(Row {
            letter: "g",
            what: format!("sessions with {} in flight, {door}", plan.in_flight),
            unit: "1/s",
            ours: Samples(our),
            theirs: Some((name, Samples(their))),
            aim,
        });
    }
    Ok(())
}

fn rate(world: &World, plan: &Plan, route: Route) -> Result<f64, String> {
    let command = |_| world.ssh(route, Cipher::ChaCha20, &[], "/usr/bin/true");
    let left: Mutex<Vec<Command>> = Mutex::new((0..plan.sessions).map(command).collect());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let client = || {
        while let Some(mut ssh) = next() {
            let status = ssh.status().map_err(|error| format!("ssh: {error}"))?;
            if !status.success() {
                return Err(format!("{}: {status}", route.host(Cipher::ChaCha20)));
            }
        }
        Ok(())
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..plan.in_flight).map(|_| scope.spawn(client)).collect();
        clients.into_iter().try_for_each(|client| client.join().unwrap_or_else(|_| Err("a client panicked".to_owned())))
    })
    .map_err(|why: String| format!("{why}: {}", world.said()))?;
    Ok(plan.sessions as f64 / begun.elapsed().as_secs_f64())
}
