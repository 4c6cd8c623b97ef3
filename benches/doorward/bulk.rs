//! Many bytes in each direction (c), and what each GiB costs the processor of the bastion or the jump host (f).

use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::Instant;

use crate::plan::Plan;
use crate::processes::cpu_seconds;
use crate::report::{Aim, Report, Row};
use crate::stats::{Samples, in_turns};
use crate::world::{Cipher, Route, World};

const MIB: f64 = (1024 * 1024) as f64;
const GIB: f64 = 1024.0 * MIB;

/// Which way the bytes go, seen from the client.
#[derive(Clone, Copy)]
enum Way {
    Down,
    Up,
}

/// (c) and (f): through `-J` with each cipher, and at the target-login door.
///
/// # Errors
/// When a transfer fails or is not whole; what could be measured before is in the report.
pub fn both_ways(world: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let mut failures = Vec::new();
    let jump = (Route::Jump, Route::OpensshJump, "jump host");
    let door = (Route::Door, Route::Direct, "direct ssh");
    for (cipher, routes) in [(Cipher::ChaCha20, jump), (Cipher::Aes256Gcm, jump), (Cipher::ChaCha20, door)] {
        for way in [Way::Down, Way::Up] {
            if let Err(why) = one(world, plan, report, cipher, routes, way) {
                failures.push(why);
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

fn one(
    world: &World,
    plan: &Plan,
    report: &mut Report,
    cipher: Cipher,
    (ours, theirs, name): (Route, Route, &'static str),
    way: Way,
) -> Result<(), String> {
    let jump_host = world.jump_host_pid();
    let (our, their) = in_turns(
        plan.transfers,
        || {
            let sample = transfer(world, plan, ours, cipher, way, world.bastion_pid());
            world.forget_recordings();
            sample
        },
        || transfer(world, plan, theirs, cipher, way, jump_host),
    )?;
    let column = |samples: &[[f64; 2]], which: usize| Samples(samples.iter().map(|sample| sample[which]).collect());
    let direction = match way {
        Way::Down => "down",
        Way::Up => "up",
    };
    let door = if ours == Route::Jump { "-J" } else { "target-login door" };
    let amount = if plan.bytes >= 1 << 30 { "1 GiB".to_owned() } else { format!("{} MiB", plan.bytes >> 20) };
    report.add(Row {
        letter: "c",
        what: format!("{amount} {direction}, {door}, {}", cipher.short()),
        unit: "MiB/s",
        ours: column(&our, 0),
        theirs: Some((name, column(&their, 0))),
        aim: (ours == Route::Jump).then_some(Aim::RatioAtLeast(1.0)),
    });
    report.add(Row {
        letter: "f",
        what: format!("processor time of a GiB {direction}, {door}, {}", cipher.short()),
        unit: "s",
        ours: column(&our, 1),
        theirs: (theirs == Route::OpensshJump).then(|| (name, column(&their, 1))),
        aim: None,
    });
    Ok(())
}

/// One transfer: MiB a second, and the seconds of processor time that a GiB of it takes the server `pid`.
fn transfer(world: &World, plan: &Plan, route: Route, cipher: Cipher, way: Way, pid: u32) -> Result<[f64; 2], String> {
    let before = cpu_seconds(pid);
    let begun = Instant::now();
    let came = match way {
        Way::Down => down(world, route, cipher),
        Way::Up => up(world, route, cipher),
    };
    let took = begun.elapsed().as_secs_f64();
    let came = came.map_err(|why| format!("{}: {why}: {}", route.host(cipher), world.said()))?;
    if came != plan.bytes {
        return Err(format!("{}: {came} bytes of {} arrived: {}", route.host(cipher), plan.bytes, world.said()));
    }
    let bytes = plan.bytes as f64;
    Ok([bytes / MIB / took, (cpu_seconds(pid) - before) / (bytes / GIB)])
}

/// The target reads a file from memory, we count.
fn down(world: &World, route: Route, cipher: Cipher) -> Result<u64, String> {
    let file = world.data().display().to_string();
    let line = format!("/usr/bin/cat{}", format!(" {file}").repeat(Plan::PIECES as usize));
    let mut ssh =
        world.ssh(route, cipher, &[], &line).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut stdout = ssh.stdout.take().ok_or("no stdout")?;
    let (mut buffer, mut came) = (vec![0; 256 * 1024], 0);
    loop {
        match stdout.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => break,
            count => came += count as u64,
        }
    }
    let status = ssh.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(came) } else { Err(format!("{status} after {came} bytes")) }
}

/// We write a file from memory, the target counts.
fn up(world: &World, route: Route, cipher: Cipher) -> Result<u64, String> {
    let data = std::fs::read(world.data()).map_err(|error| error.to_string())?;
    let mut ssh = world.ssh(route, cipher, &[], "/usr/bin/wc -c");
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut stdin = ssh.stdin.take().ok_or("no stdin")?;
    let written: std::io::Result<()> = (0..Plan::PIECES).try_for_each(|_| stdin.write_all(&data));
    drop(stdin);
    let output = ssh.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{} (writing: {written:?})", output.status));
    }
    written.map_err(|error| error.to_string())?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|error| format!("wc: {error}"))
}
