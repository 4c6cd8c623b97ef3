//! A change and its direction, and the list that changes are collected in.

/// Which way a change goes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// Somebody may do more, or what it is cannot be told.
    Widened,
    /// Somebody may do less, and nobody more.
    Narrowed,
    /// Nobody may do more or less.
    Other,
}

/// One change. Both texts are printable, and shown as they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Which way it goes.
    pub direction: Direction,
    /// What it is about: `role web-restart`, `user alice`, `target web-1`, `doorward.toml`.
    pub about: String,
    /// What changed, in words.
    pub text: String,
}

/// Changes as they are found, all about one thing.
#[derive(Debug)]
pub struct Changes {
    about: String,
    pub(super) found: Vec<Change>,
}

impl Changes {
    /// No changes yet of `about`.
    #[must_use]
    pub fn of(about: impl Into<String>) -> Self {
        Self { about: about.into(), found: Vec::new() }
    }

    /// Adds one.
    pub fn push(&mut self, direction: Direction, text: impl Into<String>) {
        self.found.push(Change { direction, about: self.about.clone(), text: text.into() });
    }

    /// More is given.
    pub fn widened(&mut self, text: impl Into<String>) {
        self.push(Direction::Widened, text);
    }

    /// Less is given.
    pub fn narrowed(&mut self, text: impl Into<String>) {
        self.push(Direction::Narrowed, text);
    }

    /// Something else.
    pub fn other(&mut self, text: impl Into<String>) {
        self.push(Direction::Other, text);
    }

    /// Less if `narrower`, else more.
    pub fn either(&mut self, narrower: bool, text: impl Into<String>) {
        self.push(if narrower { Direction::Narrowed } else { Direction::Widened }, text);
    }

    /// A number of which more gives more. `shown` writes it.
    pub fn most<T: PartialOrd>(&mut self, what: &str, old: &T, new: &T, shown: impl Fn(&T) -> String) {
        let text = || format!("{what} is {} now, was {}", shown(new), shown(old));
        if new > old {
            self.widened(text());
        } else if new < old {
            self.narrowed(text());
        }
    }

    /// A condition that takes something away while it is set.
    pub fn condition(&mut self, what: &str, old: bool, new: bool) {
        match (old, new) {
            (true, false) => self.widened(format!("{what} is false now, was true")),
            (false, true) => self.narrowed(format!("{what} is true now, was false")),
            _ => {}
        }
    }

    /// All of them.
    #[must_use]
    pub fn into_found(self) -> Vec<Change> {
        self.found
    }
}
