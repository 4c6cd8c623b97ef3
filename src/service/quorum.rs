//! Who approves a role for somebody, and whether enough of them exist.

use std::fmt;

use crate::domain::{Person, Subject, UserName};
use crate::grant::approval::{any_of, is_approver};
use crate::policy::RequestTerms;

/// What a request for a role needs, for one requester.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quorum {
    /// How many different people must say yes; 0: nobody has to.
    pub needed: u8,
    /// Who may, as the role names them.
    pub listed: Vec<Subject>,
    /// The enrolled people that are meant, by name; never the requester.
    pub people: Vec<UserName>,
}

impl Quorum {
    /// Of `people`, everybody who is enrolled, those that approve for `requester`.
    #[must_use]
    pub fn of(people: &[Person], requester: &UserName, terms: &RequestTerms) -> Self {
        let others = people.iter().filter(|person| person.name != *requester);
        let approvers = others.filter(|person| is_approver(person, &terms.approvers));
        let people = approvers.map(|person| person.name.clone()).collect();
        Self { needed: terms.approvals, listed: terms.approvers.clone(), people }
    }

    /// Whether there are as many as it takes.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.people.len() >= usize::from(self.needed)
    }
}

/// `nobody needs to approve`, `bob or dan can approve`, `2 of bob, dan or eve must approve`.
impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.needed {
            0 => f.write_str("nobody needs to approve"),
            needed if !self.is_enough() => {
                write!(f, "needs {needed} to approve, and {} can at the moment", self.people.len())
            }
            1 => write!(f, "{} can approve", any_of(&self.people)),
            needed => write!(f, "{needed} of {} must approve", any_of(&self.people)),
        }
    }
}
