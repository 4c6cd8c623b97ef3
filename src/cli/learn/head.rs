//! What a proposed role begins with: where it is for, as whom, who may ask.

use crate::domain::RoleName;
use crate::domain::toml_text::list;
use crate::policy::{RequestTerms, Role};
use crate::service::Snapshot;

use super::gather::Gathered;

/// The name for what was learnt from `observer`: `web-observe` gives `web-learned`.
pub(super) fn name_after(observer: &RoleName) -> RoleName {
    let stem = observer.as_str().strip_suffix("-observe").unwrap_or(observer.as_str());
    format!("{stem}-learned").parse().unwrap_or_else(|_| observer.clone())
}

/// Everything before the first rule.
pub(super) fn of(snapshot: &Snapshot, gathered: &Gathered) -> String {
    let targets = list(gathered.targets.iter().map(crate::domain::TargetName::as_str));
    let run_as = gathered.run_as.as_ref().map_or("ops", |account| account.as_str());
    let names: Vec<&str> = gathered.observers.iter().map(RoleName::as_str).collect();
    let mut head = format!(
        "description = \"What was observed under {}\"\ntargets     = {targets}\nrun_as      = \"{run_as}\"\n\n",
        names.join(", ")
    );
    let observer = gathered.observers.first().filter(|_| gathered.observers.len() == 1);
    let terms =
        observer.and_then(|name| snapshot.roles.get(name)).and_then(|role: &std::sync::Arc<Role>| role.request());
    head.push_str(&match terms {
        Some(terms) => request(terms),
        None => "# nobody may ask for it before it has [request]\n".to_owned(),
    });
    head
}

/// As the observe role has it: it is for the author to ask for less.
fn request(terms: &RequestTerms) -> String {
    let subjects = |subjects: &[crate::domain::Subject]| {
        let texts: Vec<String> = subjects.iter().map(ToString::to_string).collect();
        list(texts.iter().map(String::as_str))
    };
    format!(
        "[request]\neligible     = {}\napprovers    = {}\napprovals    = {}\nmax_duration = \"1h\"\n",
        subjects(&terms.eligible),
        subjects(&terms.approvers),
        terms.approvals
    )
}
