//! Words for people: why a line was denied, what was allowed.

use crate::domain::limits::EXCERPT;
use crate::domain::text::excerpt;

use super::pattern::{Miss, Wanted};
use super::role::Rule;

/// One sentence on how a line missed a rule.
#[must_use]
pub fn miss(rule: &Rule, miss: &Miss) -> String {
    let wanted: Vec<String> = miss.wanted.iter().map(wanted).collect();
    let wanted = wanted.join(", or ");
    let place = match &miss.found {
        Some(found) => format!("word {} (`{}`, column {})", miss.word + 1, excerpt(found, EXCERPT), miss.column),
        None => format!("the line ends after word {}", miss.word),
    };
    format!("the nearest rule is `{}`; {place}, and there may stand: {wanted}", excerpt(rule.usage(), EXCERPT))
}

fn wanted(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Literal(word) => format!("`{}`", excerpt(word, EXCERPT)),
        Wanted::Parameter { name, allowed, refused } => {
            let why = refused.as_ref().map(|refusal| format!(" ({refusal})")).unwrap_or_default();
            format!("{{{name}}}: {}{why}", excerpt(allowed, 300))
        }
        Wanted::End => "nothing more".to_owned(),
        Wanted::NoSudo => "the program itself, because this rule runs without sudo".to_owned(),
    }
}
