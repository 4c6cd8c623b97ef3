//! `[request]`: who may ask for a role, who decides, for how long.

use std::time::Duration;

use crate::domain::Subject;
use crate::policy::role::RequestTerms;

use super::reader::{Fields, Reader, Text, Value};

/// `max_duration` where it is unsaid, and the most that `default_duration` is where that is unsaid.
const HOUR: Duration = Duration::from_secs(3600);
/// The longest any grant may live.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// The most approvals that can be asked for.
const MOST_APPROVALS: u64 = 10;

pub(super) fn read(reader: &mut Reader, value: &Value<'_>) -> Option<RequestTerms> {
    let table = reader.table(value, "`[request]`")?;
    let known = ["eligible", "approvers", "approvals", "max_duration", "default_duration", "reason", "ticket"];
    let fields = reader.fields(table, Some(value.span()), "`[request]`", &known, &["mfa", "approval", "when"]);
    let eligible = subjects(reader, &fields, "eligible");
    // A list that could not be read has its finding already.
    let meant = fields.value("eligible").map_or(Some(0), |value| value.get_ref().as_array().map(|list| list.len()));
    if meant == Some(0) {
        let place = fields.key_span("eligible");
        reader.error_with_help(
            place,
            "nobody may ask for this role",
            "write `eligible = [\"group:NAME\"]`, or take `[request]` out",
        );
    }
    let approvers = subjects(reader, &fields, "approvers");
    let approvals = approvals(reader, &fields, &approvers);
    let max_duration = reader.span_of_time(&fields, "max_duration", LONGEST).unwrap_or(HOUR);
    let default_duration = reader.span_of_time(&fields, "default_duration", LONGEST);
    if default_duration.is_some_and(|span| span > max_duration) {
        let message = "`default_duration` is longer than `max_duration`";
        reader.error_with_help(fields.span_of("default_duration"), message, "make it shorter, or take it out");
    }
    let default_duration = default_duration.unwrap_or(max_duration.min(HOUR));
    let reason_required = reason_required(reader, &fields);
    let ticket = ticket(reader, &fields);
    Some(RequestTerms { eligible, approvers, approvals, max_duration, default_duration, reason_required, ticket })
}

fn subjects(reader: &mut Reader, fields: &Fields<'_>, key: &'static str) -> Vec<Subject> {
    let entries = fields.value(key).and_then(|value| reader.texts(value, key)).unwrap_or_default();
    let read = |Text { value, span }: Text| {
        value.parse().map_err(|error| reader.error(span, format!("`{key}`: {error}"))).ok()
    };
    entries.into_iter().filter_map(read).collect()
}

/// One if unsaid. As many people as are named must be able to say yes, else nobody ever gets the role.
fn approvals(reader: &mut Reader, fields: &Fields<'_>, approvers: &[Subject]) -> u8 {
    let wanted = fields.value("approvals").map_or(Some(1), |value| reader.number(value, "approvals"));
    let Some(wanted) = wanted else { return 1 };
    let place = fields.key_span("approvals");
    if wanted > MOST_APPROVALS {
        let message = format!("`approvals` is at most {MOST_APPROVALS}");
        reader.error_with_help(place, message, "write how many different people must say yes, for example 2");
        return 1;
    }
    let only_people = approvers.iter().all(|one| matches!(one, Subject::User(_)));
    let people = u64::try_from(approvers.len()).unwrap_or(u64::MAX);
    if wanted > 0 && approvers.is_empty() {
        let help = "write `approvers = [\"group:NAME\"]`, or `approvals = 0` for a role that needs no approval";
        reader.error_with_help(place, "nobody is named who could approve", help);
    } else if only_people && wanted > people {
        let message = format!("{wanted} approvals are asked for, and `approvers` names {people}");
        reader.error_with_help(place, message, "name more people or a group in `approvers`, or ask for fewer");
    }
    u8::try_from(wanted).unwrap_or(1)
}

fn reason_required(reader: &mut Reader, fields: &Fields<'_>) -> bool {
    match reader.text(fields, "reason", 40) {
        None => false,
        Some(text) if text.value == "required" => true,
        Some(text) if text.value == "optional" => false,
        Some(text) => {
            reader.error(text.span, "`reason` is \"required\" or \"optional\"");
            true
        }
    }
}

fn ticket(reader: &mut Reader, fields: &Fields<'_>) -> Option<regex::Regex> {
    let text = reader.text(fields, "ticket", 400)?;
    let compiled = reader.expressions().and_then(|patterns| patterns.ticket(&text.value));
    compiled.map_err(|error| reader.error(text.span, format!("`ticket`: {error}"))).ok()
}
