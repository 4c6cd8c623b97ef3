//! Names of systemd units, as `systemctl` reads them: without a type that it knows at its end, a name is a service's.

use std::fmt;

use super::{Refusal, found};

/// The types that there are.
const TYPES: [&str; 11] =
    ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];
/// The longest name, in bytes (systemd's `UNIT_NAME_MAX`).
const LONGEST: usize = 255;
/// What a service's name without its type may leave room for.
const LONGEST_BARE: usize = LONGEST - ".service".len();

/// Which units a `unit` parameter may name: those of some types.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Units {
    types: Vec<&'static str>,
}

impl Units {
    /// Services alone: what `unit = true` means.
    #[must_use]
    pub fn services() -> Self {
        Self { types: vec!["service"] }
    }

    /// Units of these types, each as systemd writes it.
    ///
    /// # Errors
    /// What to write instead.
    pub fn of(types: &[String]) -> Result<Self, String> {
        let known = |written: &String| {
            let plain = written.strip_prefix('.').unwrap_or(written);
            let found = TYPES.iter().copied().find(|known| *known == plain);
            found.ok_or_else(|| {
                let shown = crate::domain::text::excerpt(written, 40);
                format!("`{shown}` is no type of unit; the types are {}", TYPES.join(", "))
            })
        };
        let mut types = types.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        types.sort_unstable();
        types.dedup();
        if types.is_empty() { Err("`unit` names at least one type".to_owned()) } else { Ok(Self { types }) }
    }

    /// The types, sorted.
    #[must_use]
    pub fn types(&self) -> &[&'static str] {
        &self.types
    }

    pub(super) fn accepts(&self, value: &str) -> Result<(), Refusal> {
        if value.contains(['*', '?', '[', ']']) {
            return Err(Refusal::Operator("a unit here holds no `*`, `?` or brackets: name one unit"));
        }
        if value.contains('/') {
            return Err(Refusal::Operator(
                "a unit here is a name and no path, which systemd would turn into another unit",
            ));
        }
        let (name, kind) = match value.rsplit_once('.') {
            Some((name, kind)) if TYPES.contains(&kind) => (name, kind),
            _ => (value, "service"),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":_.\\@-".contains(&byte);
        let most = if name.len() == value.len() { LONGEST_BARE } else { LONGEST };
        let named = !name.is_empty() && !name.starts_with(['@', '.']) && name.bytes().all(plain);
        found(named && value.len() <= most && self.types.contains(&kind))
    }
}

/// `a systemd service or timer`.
impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name of a systemd {}", self.types.join(" or "))
    }
}
