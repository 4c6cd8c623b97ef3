//! The proposal for people, as a file that loads with all else in comments, and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::text::{escape, excerpt};
use crate::domain::wording::{entries, plural};
use crate::domain::{Diagnostic, Severity};
use crate::policy::file::path_of;
use crate::policy::learn::unused::{Unused, UnusedPart};
use crate::policy::learn::{Left, Sample, line_of};

use super::Learned;

/// So many lines of each reason are shown.
const SHOWN: usize = 5;

/// The file, or what is to be added to one.
pub(super) fn text(learned: &Learned<'_>) -> String {
    let mut out = comment(&summary(learned));
    let proposal = &learned.proposal;
    if proposal.count > 0 {
        let body = if learned.existing.is_some() { &proposal.rules } else { &proposal.whole };
        out.push_str(&format!("\n{}\n", body.trim_end()));
    }
    let notes: Vec<String> = proposal.warnings.iter().flat_map(warning).chain(unused_lines(learned)).collect();
    if !notes.is_empty() {
        out.push_str(&format!("\n{}", comment(&notes)));
    }
    out.trim_end().to_owned()
}

fn comment(lines: &[String]) -> String {
    lines.iter().map(|line| format!("# {}", escape(line)).trim_end().to_owned() + "\n").collect()
}

fn runs(samples: &[Sample]) -> u64 {
    samples.iter().map(|sample| sample.runs).sum()
}

fn summary(learned: &Learned<'_>) -> Vec<String> {
    let (proposal, gathered) = (&learned.proposal, &learned.gathered);
    let until = learned.until.map_or_else(|| "now".to_owned(), |until| until.to_the_second());
    let mut lines = vec![
        format!("Proposed by `doorward learn` for {}. Nothing was changed; read it before you use it.", learned.name),
        format!(
            "observed from {} to {until}, in a log of {} that verifies",
            learned.since.to_the_second(),
            entries(learned.entries)
        ),
    ];
    if gathered.lines.is_empty() {
        lines.push("nothing was observed that it could learn from".to_owned());
        lines.push(
            "a role with `observe = true` has to be asked for and used first; --since looks further back".to_owned(),
        );
    } else {
        let all = runs(&gathered.lines);
        lines.push(format!(
            "covers {} of {}, {} of {}",
            proposal.covered.len(),
            plural(gathered.lines.len(), "line"),
            runs(&proposal.covered),
            plural(all, "run")
        ));
        lines.push(match learned.asked.exact {
            true => "allows nothing but these lines".to_owned(),
            false => "allows every product of the values that each rule lists; --exact allows nothing but the lines"
                .to_owned(),
        });
    }
    if proposal.already > 0 {
        lines.push(format!("{} of the lines it allows already", proposal.already));
    }
    lines.extend(left_out(learned));
    let others = [
        (gathered.failed, "line", "never ended with exit code 0; --any-exit takes what ended otherwise too"),
        (gathered.elsewhere, "run", "not counted: as another account, or on a target that the role does not reach"),
        (gathered.uncounted, "run", "not counted: more different lines than are kept, or a vector of another version"),
        (gathered.withheld, "run", "not counted: with a secret, which the log has not"),
    ];
    lines.extend(
        others
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, what, why)| format!("{}: {why}", plural(*count, what))),
    );
    if proposal.count > 0 {
        let file = path_of(&learned.name);
        lines.push(match learned.existing {
            Some(_) => format!("add what follows to {file}; then `doorward check`, `doorward reload`"),
            None => format!("save it as {file}; then `doorward check`, `doorward reload`"),
        });
    } else if learned.existing.is_some() {
        lines.push("there is nothing to add".to_owned());
    }
    lines
}

/// What is in no rule, by its reason. Of what may hold a secret only the program is shown.
fn left_out(learned: &Learned<'_>) -> Vec<String> {
    let mut reasons: BTreeMap<Left, Vec<&Sample>> = BTreeMap::new();
    for (sample, why) in &learned.proposal.left {
        reasons.entry(*why).or_default().push(sample);
    }
    let mut lines = Vec::new();
    for (why, samples) in reasons {
        let count: u64 = samples.iter().map(|sample| sample.runs).sum();
        lines.push(format!("left out: {}, {}: {why}", plural(samples.len(), "line"), plural(count, "run")));
        lines.extend(samples.iter().take(SHOWN).map(|sample| format!("    {}", shown(sample, why))));
        if samples.len() > SHOWN {
            lines.push(format!("    and {} more", samples.len() - SHOWN));
        }
    }
    lines
}

fn shown(sample: &Sample, why: Left) -> String {
    match why {
        Left::Secret => format!("{} …", line_of(sample.sudo, sample.vector.get(..1).unwrap_or_default())),
        _ => excerpt(&line_of(sample.sudo, &sample.vector), 100),
    }
}

fn warning(finding: &Diagnostic) -> Vec<String> {
    let said = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "check would warn",
        Severity::Accepted => "accepted",
    };
    let place = finding
        .span
        .clone()
        .and_then(|span| finding.source.get(span))
        .map_or_else(String::new, |text| excerpt(text, 80));
    let mut lines = vec![format!("{said}: {place}: {}", finding.message)];
    lines.extend(finding.help.iter().map(|help| format!("    {help}")));
    lines
}

fn unused_lines(learned: &Learned<'_>) -> Vec<String> {
    let Some(used) = &learned.used else { return Vec::new() };
    let mut lines: Vec<String> = used.unused.iter().map(|one| format!("nobody used {}", in_words(one))).collect();
    if lines.is_empty() {
        lines.push(format!("every rule, listed value and group of {} was used", learned.name));
    }
    if used.unmatched > 0 {
        let count = plural(used.unmatched, "line");
        lines.push(format!(
            "{count} that it allowed once fit no rule of today; rules of the same programs are taken for used"
        ));
    }
    lines
}

fn in_words(one: &Unused) -> String {
    let rule = format!("rule {} (`{}`)", one.rule, excerpt(&one.usage, 100));
    match &one.what {
        UnusedPart::Rule => rule,
        UnusedPart::Values { name, values } => format!("of {rule} the values of {{{name}}}: {}", values.join(", ")),
        UnusedPart::Group(group) => format!("of {rule} the group {group}"),
    }
}

/// The same for programs.
pub(super) fn json(learned: &Learned<'_>) -> Value {
    let (proposal, gathered) = (&learned.proposal, &learned.gathered);
    let left: Vec<Value> = proposal
        .left
        .iter()
        .map(|(sample, why)| json!({"line": shown(sample, *why), "runs": sample.runs, "why": why.to_string()}))
        .collect();
    let unused: Option<Vec<Value>> = learned.used.as_ref().map(|used| {
        let one = |one: &Unused| {
            let (values, group) = match &one.what {
                UnusedPart::Rule => (None, None),
                UnusedPart::Values { name, values } => (Some(json!({"name": name, "values": values})), None),
                UnusedPart::Group(group) => (None, Some(group)),
            };
            json!({"rule": one.rule, "usage": one.usage, "values": values, "group": group})
        };
        used.unused.iter().map(one).collect()
    });
    json!({
        "role": learned.name.as_str(),
        "existing": learned.existing.is_some(),
        "since": learned.since.to_string(),
        "until": learned.until.map(|until| until.to_string()),
        "entries": learned.entries,
        "lines": gathered.lines.len(),
        "runs": runs(&gathered.lines),
        "covered": {"lines": proposal.covered.len(), "runs": runs(&proposal.covered), "already": proposal.already},
        "left": left,
        "never_succeeded": gathered.failed,
        "elsewhere": gathered.elsewhere,
        "uncounted": gathered.uncounted,
        "withheld": gathered.withheld,
        "rules": proposal.rules,
        "file": proposal.whole,
        "warnings": proposal.warnings.iter().map(|one| one.message.clone()).collect::<Vec<_>>(),
        "unused": unused,
        "unmatched": learned.used.as_ref().map(|used| used.unmatched),
    })
}
