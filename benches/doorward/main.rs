//! doorward and the installed OpenSSH side by side, in alternation, in one run: `just bench`, or
//! `cargo bench --locked --bench doorward`. `docs/benchmarks.md` says what each figure means.
//!
//! This file owns the order of the measurements and the command line. Each measurement is a module that fills a [`Report`];
//! [`world`] owns the servers and the way to them. No figure is ever asserted: the program fails when a measurement could not
//! be made, never when one is bad.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "what cannot be set up ends the run")]
#![allow(
    unreachable_pub,
    missing_docs,
    reason = "the items of a program are for itself; the modules say what they own"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

mod bulk;
mod commands;
mod decisions;
mod entries;
mod machine;
mod memory;
mod parallel;
mod plan;
mod policy;
mod processes;
mod report;
mod signing;
mod stats;
#[path = "../../tests/support/mod.rs"]
mod support;
mod world;

use plan::Plan;
use report::Report;
use world::World;

/// What may follow `cargo bench --bench doorward --`.
#[derive(Parser)]
#[command(name = "doorward-bench", about = "Measures doorward against the installed OpenSSH, in alternation.")]
struct Options {
    /// Shows in seconds that every measurement works. Its figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Only these measurements: letters of docs/benchmarks.md, with commas between them.
    #[arg(long, value_delimiter = ',', value_name = "LETTERS", value_parser = letters())]
    only: Vec<String>,
    /// MiB of one transfer instead of 1 GiB, for a first look.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1024))]
    mib: Option<u64>,
    /// Where the figures go as JSON.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/benchmarks.json"))]
    json: PathBuf,
    /// What `cargo bench` itself adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One measurement: the letters it fills, and what makes it.
type Measurement = (&'static [&'static str], fn(&World, &Plan, &mut Report) -> Result<(), String>);

const MEASUREMENTS: &[Measurement] = &[
    (&["a", "f"], commands::through_the_jump),
    (&["b", "f"], commands::at_the_login_door),
    (&["e"], commands::second_of_a_connection),
    (&["c", "f"], bulk::both_ways),
    (&["d"], memory::idle),
    (&["g"], parallel::in_flight),
    (&["h"], signing::certificates),
    (&["i"], entries::committed),
    (&["l"], policy::loaded),
    (&["m"], decisions::decided),
];

fn letters() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(["a", "b", "c", "d", "e", "f", "g", "h", "i", "l", "m"])
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut plan = if options.quick { Plan::quick() } else { Plan::full() };
    plan.bytes = options.mib.map_or(plan.bytes, |mib| mib << 20);
    let begun = Instant::now();
    if let Err(missing) = machine::tools() {
        eprintln!("{missing}");
        return ExitCode::FAILURE;
    }
    eprintln!("starting a bastion, a jump host and targets");
    let world = World::start(&plan);
    let mut report = Report::new(options.quick, world.home());
    for (letters, measure) in MEASUREMENTS {
        let wanted = options.only.is_empty() || letters.iter().any(|letter| options.only.iter().any(|o| o == letter));
        if !wanted {
            continue;
        }
        let started = Instant::now();
        if let Err(why) = measure(&world, &plan, &mut report) {
            eprintln!("{}: failed: {why}", letters[0]);
            report.failed(letters[0], why);
        }
        eprintln!("{}: {:.0} s", letters.join(", "), started.elapsed().as_secs_f64());
    }
    world.verify();
    print!("{}", report.table());
    eprintln!("{:.0} s in all", begun.elapsed().as_secs_f64());
    if let Err(error) = std::fs::write(&options.json, report.json()) {
        eprintln!("{}: {error}", options.json.display());
        return ExitCode::FAILURE;
    }
    println!("as JSON: {}", options.json.display());
    if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
