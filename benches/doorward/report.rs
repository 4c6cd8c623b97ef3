//! What was measured: as a table for people and as JSON for programs. `docs/benchmarks.md` has the schema.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::machine;
use crate::stats::Samples;
use crate::world::{Cipher, KEX};

/// What is wished for. It is printed, and decides nothing.
#[derive(Clone, Copy)]
pub enum Aim {
    /// Ours over theirs is at most this.
    RatioAtMost(f64),
    /// Ours over theirs is at least this.
    RatioAtLeast(f64),
    /// Ours is at most this.
    AtMost(f64),
}

impl Aim {
    fn text(self) -> String {
        match self {
            Self::RatioAtMost(most) => format!("ratio <= {most}"),
            Self::RatioAtLeast(least) => format!("ratio >= {least}"),
            Self::AtMost(most) => format!("<= {most}"),
        }
    }

    fn is_met(self, ours: f64, ratio: Option<f64>) -> bool {
        match self {
            Self::RatioAtMost(most) => ratio.is_some_and(|ratio| ratio <= most),
            Self::RatioAtLeast(least) => ratio.is_some_and(|ratio| ratio >= least),
            Self::AtMost(most) => ours <= most,
        }
    }
}

/// One line of the table.
pub struct Row {
    /// The letter of docs/benchmarks.md.
    pub letter: &'static str,
    /// What, for people.
    pub what: String,
    /// Of the samples.
    pub unit: &'static str,
    /// doorward's.
    pub ours: Samples,
    /// What they are compared with, and its samples.
    pub theirs: Option<(&'static str, Samples)>,
    /// What is wished for.
    pub aim: Option<Aim>,
}

impl Row {
    /// Ours over theirs, of the medians.
    fn ratio(&self) -> Option<f64> {
        self.theirs.as_ref().map(|(_, theirs)| self.ours.median() / theirs.median())
    }

    /// How far the ratio of neighbours in time goes; nothing where the legs have other numbers of samples.
    fn ratio_spread(&self) -> Option<(f64, f64)> {
        let (_, theirs) = self.theirs.as_ref()?;
        (theirs.0.len() == self.ours.0.len()).then(|| self.ours.over(theirs).spread())
    }

    fn is_met(&self) -> Option<bool> {
        self.aim.map(|aim| aim.is_met(self.ours.median(), self.ratio()))
    }

    fn json(&self) -> Value {
        let leg = |samples: &Samples| {
            let (low, high) = samples.spread();
            json!({ "median": samples.median(), "low": low, "high": high, "samples": samples.0 })
        };
        json!({
            "letter": self.letter,
            "what": self.what,
            "unit": self.unit,
            "doorward": leg(&self.ours),
            "other": self.theirs.as_ref().map(|(name, samples)| {
                let mut leg = leg(samples);
                leg["name"] = json!(name);
                leg
            }),
            "ratio": self.ratio().filter(|ratio| ratio.is_finite()),
            "ratio_low": self.ratio_spread().map(|(low, _)| low),
            "ratio_high": self.ratio_spread().map(|(_, high)| high),
            "aim": self.aim.map(Aim::text),
            "met": self.is_met(),
        })
    }
}

/// All that a run found out.
pub struct Report {
    quick: bool,
    facts: Value,
    began: String,
    rows: Vec<Row>,
    failures: Vec<(&'static str, String)>,
}

impl Report {
    /// An empty report of a run whose files are in `place`.
    pub fn new(quick: bool, place: &Path) -> Self {
        let began = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Self { quick, facts: machine::facts(place), began, rows: Vec::new(), failures: Vec::new() }
    }

    /// Adds a line.
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Notes what could not be measured.
    pub fn failed(&mut self, letter: &'static str, why: String) {
        self.failures.push((letter, why));
    }

    /// Whether everything could be measured.
    pub fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let fact =
            |path: &str| self.facts.pointer(path).map_or_else(String::new, |value| value.to_string().replace('"', ""));
        let _ = writeln!(
            text,
            "\ndoorward {} ({}) and {}\n{}, {} cores, {}, Linux {}, {}, load {}; {}; {KEX}\n",
            fact("/versions/doorward"),
            fact("/versions/commit"),
            fact("/versions/openssh"),
            fact("/machine/processor"),
            fact("/machine/cores"),
            fact("/machine/memory"),
            fact("/machine/kernel"),
            fact("/machine/file_system"),
            fact("/machine/load_at_the_start"),
            self.began,
        );
        if self.quick {
            text.push_str("QUICK RUN: this shows that everything works; the figures mean nothing.\n\n");
        }
        let head = ["", "what", "unit", "doorward", "compared with", "", "ratio", "aim", ""];
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(self.rows.iter().map(cells));
        let mut widths = [0; 9];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        for line in &lines {
            let padded = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            let _ = writeln!(text, "{}", padded.collect::<Vec<_>>().join("  ").trim_end());
        }
        for (letter, why) in &self.failures {
            let _ = writeln!(text, "{letter}  NOT MEASURED: {why}");
        }
        text.push_str(
            "\nMedians; in brackets the middle half of the samples, or all of them when there are fewer than eight.\n",
        );
        text
    }

    /// For programs.
    pub fn json(&self) -> String {
        let failures = self.failures.iter().map(|(letter, why)| json!({ "letter": letter, "why": why }));
        let whole = json!({
            "schema": 1,
            "began": self.began,
            "quick": self.quick,
            "machine": self.facts["machine"],
            "versions": self.facts["versions"],
            "algorithms": { "kex": KEX, "ciphers": Cipher::ALL.map(Cipher::name), "keys": "ssh-ed25519" },
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "failures": failures.collect::<Vec<_>>(),
        });
        format!("{whole:#}\n")
    }
}

fn cells(row: &Row) -> [String; 9] {
    let leg = |samples: &Samples| {
        let (low, high) = samples.spread();
        if samples.0.len() == 1 {
            number(low)
        } else {
            format!("{} ({}..{})", number(samples.median()), number(low), number(high))
        }
    };
    let ratio = row.ratio().map(|ratio| match row.ratio_spread() {
        Some((low, high)) if row.ours.0.len() > 1 => format!("{} ({}..{})", number(ratio), number(low), number(high)),
        _ => number(ratio),
    });
    [
        row.letter.to_owned(),
        row.what.clone(),
        row.unit.to_owned(),
        leg(&row.ours),
        row.theirs.as_ref().map_or("", |(name, _)| name).to_owned(),
        row.theirs.as_ref().map_or_else(String::new, |(_, samples)| leg(samples)),
        ratio.unwrap_or_default(),
        row.aim.map_or_else(String::new, Aim::text),
        row.is_met().map_or("", |met| if met { "met" } else { "MISSED" }).to_owned(),
    ]
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        nothing if nothing < 0.005 => "0.00".to_owned(),
        large if large >= 99.95 => format!("{value:.0}"),
        middle if middle >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
