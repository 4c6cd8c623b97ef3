use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn person(groups: &[&str]) -> Person {
    let groups = groups.iter().map(|name| name.parse().unwrap()).collect();
    Person { name: "alice".parse().unwrap(), groups }
}

fn reach(count: usize) -> BTreeMap<TargetName, AccountName> {
    (1..=count).map(|n| (format!("web-{n}").parse().unwrap(), "ops".parse().unwrap())).collect()
}

struct Role {
    name: RoleName,
    eligible: Vec<Subject>,
    reason_required: bool,
    ticket: Option<Regex>,
    reach: BTreeMap<TargetName, AccountName>,
}

impl Role {
    fn new() -> Self {
        Self {
            name: "web-restart".parse().unwrap(),
            eligible: vec!["group:web-admins".parse().unwrap(), "user:erin".parse().unwrap()],
            reason_required: false,
            ticket: None,
            reach: reach(2),
        }
    }

    fn ask(&self, person: &Person, wish: &Wish<'_>) -> Result<Admitted, AskError> {
        let terms = AskTerms {
            role: &self.name,
            eligible: &self.eligible,
            max_duration: 120 * MINUTE,
            default_duration: 60 * MINUTE,
            reason_required: self.reason_required,
            ticket: self.ticket.as_ref(),
            reach: &self.reach,
        };
        admit(person, &terms, wish)
    }
}

const NOTHING: Wish<'static> = Wish { targets: &[], duration: None, reason: "", ticket: None };

#[test]
fn only_eligible_people_hear_anything_about_a_role() {
    let role = Role { reason_required: true, reach: reach(0), ..Role::new() };
    let wild = Wish { duration: Some(Duration::ZERO), reason: "\x1b", ..NOTHING };
    for groups in [&[][..], &["web", "erin"]] {
        let error = role.ask(&person(groups), &wild).unwrap_err();
        assert_eq!(error, AskError::NotEligible { role: role.name.clone() });
    }
    assert!(Role::new().ask(&person(&["web-admins"]), &NOTHING).is_ok());
    let erin = Person { name: "erin".parse().unwrap(), groups: Default::default() };
    assert!(Role::new().ask(&erin, &NOTHING).is_ok());
}

#[test]
fn a_duration_is_whole_seconds_within_the_maximum() {
    let of = |duration| {
        let admitted = Role::new().ask(&person(&["web-admins"]), &Wish { duration, ..NOTHING });
        admitted.map(|admitted| admitted.scope.duration)
    };
    assert_eq!(of(None), Ok(60 * MINUTE));
    assert_eq!(of(Some(Duration::from_secs(1))), Ok(Duration::from_secs(1)));
    assert_eq!(of(Some(120 * MINUTE)), Ok(120 * MINUTE));
    assert_eq!(of(Some(Duration::ZERO)), Err(AskError::DurationNotWhole));
    assert_eq!(of(Some(Duration::from_millis(1500))), Err(AskError::DurationNotWhole));
    let error = of(Some(Duration::from_secs(7201))).unwrap_err().to_string();
    assert!(error.ends_with("at most 2h, and you asked for 2h 1s; try `--for 2h`"), "{error}");
    assert!(of(Some(Duration::MAX)).is_err());
}

#[test]
fn targets_are_all_of_a_few_or_the_named_ones_of_the_role() {
    let of = |count: usize, named: &[&str]| {
        let named: Vec<TargetName> = named.iter().map(|name| name.parse().unwrap()).collect();
        let role = Role { reach: reach(count), ..Role::new() };
        let admitted = role.ask(&person(&["web-admins"]), &Wish { targets: &named, ..NOTHING });
        admitted.map(|admitted| admitted.scope.targets.len()).map_err(|error| error.to_string())
    };
    assert_eq!(of(1, &[]), Ok(1));
    assert_eq!(of(5, &[]), Ok(5));
    assert!(of(6, &[]).unwrap_err().contains("is for 6 targets: name the ones"));
    assert_eq!(of(6, &["web-6", "web-1", "web-6"]), Ok(2));
    assert!(of(2, &["web-1", "db-1"]).unwrap_err().contains("not for a target named db-1"));
    assert!(of(0, &[]).unwrap_err().contains("no target at the moment"));
    assert!(of(0, &["web-1"]).is_err());
}

#[test]
fn a_reason_is_given_where_it_must_be_and_can_be_shown() {
    let of = |required, reason: &str| {
        Role { reason_required: required, ..Role::new() }.ask(&person(&["web-admins"]), &Wish { reason, ..NOTHING })
    };
    assert!(of(false, "").is_ok());
    assert!(matches!(of(true, " "), Err(AskError::ReasonMissing { .. })));
    assert!(of(true, "nginx hängt").is_ok());
    assert!(of(true, &"x".repeat(FREE_TEXT)).is_ok());
    assert!(matches!(of(true, &"x".repeat(FREE_TEXT + 1)), Err(AskError::TooLong { .. })));
    for reason in ["a\nb", "a\x1b[2J", "a\u{202e}b"] {
        assert!(matches!(of(true, reason), Err(AskError::Unprintable { .. })), "{reason:?}");
    }
}

#[test]
fn a_ticket_is_named_or_the_first_word_of_the_reason_that_is_one() {
    let role = Role { ticket: Some(Regex::new(r"\A(?:(INC|CHG)-\d+)\z").unwrap()), ..Role::new() };
    let of = |reason, ticket| {
        let admitted = role.ask(&person(&["web-admins"]), &Wish { reason, ticket, ..NOTHING });
        admitted.map(|admitted| admitted.ticket)
    };
    assert_eq!(of("", Some("INC-1")), Ok(Some("INC-1".to_owned())));
    assert_eq!(of("for CHG-22 and INC-3", None), Ok(Some("CHG-22".to_owned())));
    assert_eq!(of("INC-3 stuck", Some("CHG-9")), Ok(Some("CHG-9".to_owned())));
    assert!(matches!(of("INC-3 stuck", Some("no")), Err(AskError::TicketMalformed { .. })));
    for reason in ["", "nginx stuck", "xINC-1", "INC-1x", "inc-1"] {
        let error = of(reason, None).unwrap_err().to_string();
        assert!(error.contains(r"needs a ticket like (INC|CHG)-\d+"), "{error}");
    }
    let free = Role::new().ask(&person(&["web-admins"]), &Wish { ticket: Some("any"), ..NOTHING });
    assert_eq!(free.map(|admitted| admitted.ticket), Ok(Some("any".to_owned())));
    let long = "T".repeat(TICKET + 1);
    let error = Role::new().ask(&person(&["web-admins"]), &Wish { ticket: Some(&long), ..NOTHING });
    assert!(matches!(error, Err(AskError::TooLong { what: "ticket", .. })));
}
