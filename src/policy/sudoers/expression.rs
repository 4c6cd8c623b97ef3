//! POSIX extended regular expressions for the values of parameters. Each matches nothing that its kind refuses.

/// A fixed word; `None` if it holds what the joined arguments or the file's own syntax would misread.
pub(super) fn literal(word: &str) -> Option<String> {
    let mut text = String::new();
    for c in word.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '/' | ':' | ',' | '=' | '@' | '%' | '~' => text.push(c),
            '.' | '+' | '^' | '$' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' => {
                text.push('\\');
                text.push(c);
            }
            _ => return None,
        }
    }
    Some(text)
}

/// One of `words`.
pub(super) fn one_of(words: &[String]) -> Option<String> {
    let words: Option<Vec<String>> = words.iter().map(|word| literal(word)).collect();
    Some(format!("({})", words?.join("|")))
}

/// A number from `min` to `max`, in plain digits without a leading zero.
pub(super) fn int(min: u64, max: u64) -> String {
    let mut ranges = Vec::new();
    let mut from = min;
    // One length of number after the other: within one, digits compare like numbers.
    loop {
        let longest = 10_u64.checked_pow(from.max(1).ilog10() + 1).map_or(u64::MAX, |next| next - 1);
        let to = longest.min(max);
        let digits = |number: u64| number.to_string().into_bytes();
        of_one_length(&digits(from), &digits(to), "", &mut ranges);
        match to.checked_add(1) {
            Some(next) if to < max => from = next,
            _ => break,
        }
    }
    format!("({})", ranges.join("|"))
}

/// The numbers of as many digits as `low` and `high` have, both included, each after `before`.
fn of_one_length(low: &[u8], high: &[u8], before: &str, ranges: &mut Vec<String>) {
    let ([first, low_rest @ ..], [last, high_rest @ ..]) = (low, high) else {
        ranges.push(before.to_owned());
        return;
    };
    let whole_low = low_rest.iter().all(|digit| *digit == b'0');
    let whole_high = high_rest.iter().all(|digit| *digit == b'9');
    if first == last && !(whole_low && whole_high) {
        of_one_length(low_rest, high_rest, &format!("{before}{}", char::from(*first)), ranges);
        return;
    }
    let (mut first, mut last) = (*first, *last);
    if !whole_low {
        let nines = vec![b'9'; low_rest.len()];
        of_one_length(low_rest, &nines, &format!("{before}{}", char::from(first)), ranges);
        first += 1;
    }
    let high_alone = (!whole_high).then(|| {
        let high = last;
        last -= 1;
        high
    });
    if first <= last {
        let free = match low_rest.len() {
            0 => String::new(),
            1 => "[0-9]".to_owned(),
            digits => format!("[0-9]{{{digits}}}"),
        };
        let (first, last) = (char::from(first), char::from(last));
        let digit = if first == last { first.to_string() } else { format!("[{first}-{last}]") };
        ranges.push(format!("{before}{digit}{free}"));
    }
    if let Some(high) = high_alone {
        let zeros = vec![b'0'; high_rest.len()];
        of_one_length(&zeros, high_rest, &format!("{before}{}", char::from(high)), ranges);
    }
}

/// A unit of these types, its name without a dot: fewer than a role allows, because a dot may begin a type.
pub(super) fn unit(types: &[&str]) -> String {
    let name = "[A-Za-z0-9_][A-Za-z0-9_:@-]{0,63}";
    let bare = if types.contains(&"service") { "?" } else { "" };
    format!("{name}(\\.({})){bare}", types.join("|"))
}

/// What a name may hold here, after its first character. Fewer than a role allows, and none that means anything to anybody.
const NAME: &str = "[A-Za-z0-9_.,:=@%+~-]";
/// The same for the first character of a name: no dot, so that no `.`, `..` or hidden name comes of a `*`.
const FIRST: &str = "[A-Za-z0-9_,:=@%+~-]";

/// A path of this pattern (`*` within a name, `**` for whole names).
pub(super) fn path(written: &str) -> Option<String> {
    let mut text = String::new();
    let parts: Vec<&str> = written.split('/').skip(1).collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        match *part {
            "**" if last => text.push_str(&format!("(/{FIRST}{NAME}*)+")),
            "**" => text.push_str(&format!("(/{FIRST}{NAME}*)*")),
            // `.*` would be `..` too.
            part if part.starts_with('.') && part.contains('*') => return None,
            part => {
                text.push('/');
                let mut pieces = part.split('*').enumerate().peekable();
                while let Some((nth, piece)) = pieces.next() {
                    if nth == 1 && part.starts_with('*') {
                        // Something must stand there, and `*` alone or before a dot may not become nothing.
                        let nothing_follows = piece.is_empty() && pieces.peek().is_none();
                        let optional = if nothing_follows || piece.starts_with('.') { "" } else { "?" };
                        text.push_str(&format!("({FIRST}{NAME}*){optional}"));
                    } else if nth > 0 {
                        text.push_str(&format!("{NAME}*"));
                    }
                    text.push_str(&literal(piece)?);
                }
            }
        }
    }
    Some(text)
}
