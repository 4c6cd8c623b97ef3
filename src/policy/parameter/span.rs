//! Spans of time that systemd and the programs of GNU read alike, or not at all: `30s`, `5min`, `1h30min`.

/// The units, the largest first, each with its seconds. Not `M`, which systemd reads as months, nor a number alone, which is
/// seconds to one program and minutes to another.
const UNITS: [(&str, u64); 5] = [("d", 86_400), ("h", 3_600), ("min", 60), ("m", 60), ("s", 1)];

/// How many seconds `value` stands for; `None` if it is no span. Each unit once, the larger before the smaller; never zero,
/// which means "for ever" to some programs.
pub(in crate::policy) fn seconds(value: &str) -> Option<u64> {
    let (mut rest, mut total, mut before) = (value, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let (_, each) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if number.starts_with('0') || *each >= before {
            return None;
        }
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*each)?)?;
        before = *each;
        rest = after;
    }
    (total > 0).then_some(total)
}
