//! Mutates inputs blindly, the same way each time, until a property breaks or the rounds are over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::targets::Target;

/// The longest input that is made, in bytes.
const LONGEST: usize = 4096;

/// What turns one case into another in the languages that we read.
const TOKENS: &[&[u8]] = &[
    b"'",
    b"\"",
    b"\\",
    b"$(",
    b"`",
    b"\n",
    b"\r\n",
    b"\0",
    b"\x03",
    b"\xff",
    b"\xc3",
    "\u{202e}".as_bytes(),
    "\u{a0}".as_bytes(),
    b"=",
    b"--",
    b" --",
    b" ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[command]]\n",
    b"*",
    b"**",
    b"/",
    b"..",
    b"^",
    b"$",
    b"+",
    b",",
    b":",
    b"\n%%\n",
    b"sudo ",
    b"true",
    b"0",
    b"-1",
    b"18446744073709551615",
    b"9223372036854775808",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
    b"\xe2\x80\x94 ",
    b"cut 0 0 1\n",
    b"swap 1 0 1\n",
    b"set 2 0 0\n",
    b"put 1 0 x\\n\n",
    b"0.0.0.0/0",
    b"::ffff:192.0.2.7",
];

/// An input that broke a property.
#[derive(Debug)]
pub(crate) struct Broken {
    round: u64,
    pub(crate) input: Vec<u8>,
    pub(crate) why: String,
}

impl Broken {
    /// Keeps the input in a file, and says where and what to do.
    pub(crate) fn kept(&self, target: &str) -> String {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{target}"));
        let kept = match std::fs::write(&file, &self.input) {
            Ok(()) => format!("the input is in {}", file.display()),
            Err(error) => format!("the input could not be kept ({error})"),
        };
        let shown = self.input.escape_ascii();
        format!(
            "round {}: {}\n  {kept}; put it into fuzz/corpus/{target}/ when it is mended: {shown}",
            self.round, self.why
        )
    }
}

/// Runs one input; the message of the assertion if one failed.
pub(crate) fn attempt(target: Target, data: &[u8]) -> Result<bool, String> {
    catch_unwind(AssertUnwindSafe(|| target(data))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// Tries `rounds` mutations of `seeds`. Accepted ones that are new become seeds, for a while.
pub(crate) fn hunt(target: Target, seeds: &[Vec<u8>], rounds: u64) -> Option<Broken> {
    let mut chance = Chance(0x5EED);
    let mut pool = seeds.to_vec();
    for round in 0..rounds {
        let mut input = pool[chance.below(pool.len())].clone();
        for _ in 0..=chance.below(4) {
            mutate(&mut input, &pool, &mut chance);
        }
        input.truncate(LONGEST);
        match attempt(target, &input) {
            Err(why) => return Some(Broken { round, input, why }),
            Ok(true) if chance.below(8) == 0 => match pool.len() {
                // The seeds themselves stay.
                full if full > seeds.len() + 64 => pool[seeds.len() + chance.below(64)] = input,
                _ => pool.push(input),
            },
            Ok(_) => {}
        }
    }
    None
}

fn mutate(input: &mut Vec<u8>, pool: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    let length = chance.below(16);
    let end = (at + length).min(input.len());
    match chance.below(8) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 if at < input.len() => input[at] = u8::try_from(chance.below(256)).unwrap(),
        2 => drop(input.drain(at..end)),
        3 => {
            let again = input[at..end].to_vec();
            drop(input.splice(at..at, again));
        }
        // Cross two inputs at places of their own.
        4 => {
            let other = &pool[chance.below(pool.len())];
            let from = chance.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        5 => {
            let other = &pool[chance.below(pool.len())];
            let from = chance.below(other.len() + 1);
            let piece = other[from..(from + length).min(other.len())].to_vec();
            drop(input.splice(at..end, piece));
        }
        6 => drop(input.splice(at..end, TOKENS[chance.below(TOKENS.len())].iter().copied())),
        _ => drop(input.splice(at..at, TOKENS[chance.below(TOKENS.len())].iter().copied())),
    }
}

/// SplitMix64: small, good enough, and the same on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end.max(1) as u64).unwrap()
    }
}
