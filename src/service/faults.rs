//! Tests of the use cases together: a request's whole life, once for each call of each port, with that call going wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::end_grant::{Which, done, revoke};
use super::ports::{Output, Running};
use super::rehearsal::{Diary, FakeClient, FakeRecorders, FakeTargets, Mood, Rehearsal, Saboteur, Way, ask};
use super::request_access::{file_request, withdraw};
use super::review_request::{approve, deny, pending};
use super::run_command::{CommandAsk, run_command};
use super::*;
use crate::audit::event::What;
use crate::domain::RequestId;
use crate::grant::approval::Narrowing;
use crate::grant::{AccessRequest, State};
use crate::policy::Choice;

/// A stage on which commands say something and end, and one call goes wrong.
fn stage(saboteur: &Arc<Saboteur>) -> Rehearsal {
    let mut stage = Rehearsal::new();
    let diary = stage.log.diary.clone();
    let start = |_: &ports::Cleared| {
        let (output, received) = mpsc::channel(4);
        output.try_send(Output::Stdout("done\n".into())).unwrap();
        output.try_send(Output::Exit(7)).unwrap();
        Ok(Running { input: Box::new(tokio::io::sink()), output: received })
    };
    let recorders = FakeRecorders { diary: diary.clone(), open: Mood::Works, write: Mood::Works };
    stage.services.recorders = Arc::new(recorders);
    stage.services.targets = Arc::new(FakeTargets { diary, start: Box::new(start) });
    saboteur.enter(&mut stage);
    stage
}

/// bob's yes to what `pending` shows him.
async fn yes(stage: &Rehearsal, id: &RequestId) -> bool {
    let bob = stage.session("bob");
    let Ok(waiting) = pending(&stage.services, &bob).await else { return false };
    let Some(seen) = waiting.iter().find(|one| one.request.id == *id) else { return false };
    let digest = seen.request.digest().to_string();
    approve(&stage.services, &bob, id, &digest, &Narrowing::default()).await.is_ok()
}

/// alice's command; its exit code.
async fn command(stage: &Rehearsal) -> u8 {
    let line = b"systemctl restart nginx".to_vec();
    let ask = CommandAsk { target: "web-1".parse().unwrap(), choice: Choice::Any, line };
    let (mut client, typist) = FakeClient::new(&Diary::default());
    drop(typist);
    let code = run_command(&stage.services, &stage.session("alice"), ask, &mut client).await;
    let (said, out) = (client.said(), String::from_utf8_lossy(&client.output).into_owned());
    assert!(code == 7 || said.starts_with("doorward: "), "exit code {code} without a word: {said:?}");
    assert!(out.is_empty() || out == "done\n", "{out:?}");
    code
}

/// Waits until nothing is on its way to store and log.
async fn settled(stage: &Rehearsal) {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(Duration::from_secs(5), async {
        while !stage.services.owing.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("something hangs");
}

/// What must hold whatever went wrong.
fn consistent(stage: &Rehearsal, what: &str, lost_answer: bool) {
    // Nothing reached a target without its entry and its recording, each of its own.
    let (mut written, mut opened) = (0_usize, 0_usize);
    for line in stage.log.diary.lines() {
        match line.as_str() {
            "log: command-allowed written" | "log: observed written" => written += 1,
            line if line.starts_with("recorder: open") => opened += 1,
            line if line.starts_with("target: start") => {
                assert!(written > 0 && opened > 0, "{what}: a command without entry or recording");
                (written, opened) = (0, 0);
            }
            _ => {}
        }
    }
    // Each command that was allowed is closed, but for one whose entry was refused and written all the same.
    let (mut allowed, mut closed) = (BTreeSet::new(), BTreeSet::new());
    let mut contradicted = 0;
    for entry in stage.log.entries() {
        match entry.what {
            What::CommandAllowed(allowed_one) | What::Observed(allowed_one) => {
                drop(allowed.insert(allowed_one.command))
            }
            What::CommandFinished(finished) => drop(closed.insert(finished.command)),
            What::CommandFailed { command, .. } => drop(closed.insert(command)),
            What::Error { .. } => contradicted += 1,
            _ => {}
        }
    }
    assert!(closed.is_subset(&allowed), "{what}: closed and never allowed");
    assert!(allowed.len() - closed.len() <= usize::from(lost_answer), "{what}: a command was left open in the log");
    // What the store gives is in the log; what the log says and the store does not is contradicted.
    let kinds = stage.log.kinds();
    let said = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    for (_, request) in stage.store.requests.lock().unwrap().values() {
        let given = match &request.state {
            State::Pending { .. } => ["requested", "requested"],
            State::Approved { .. } => ["requested", "approved"],
            State::Active { .. } => ["approved", "activated"],
            _ => continue,
        };
        assert!(
            given.iter().all(|kind| said(kind) > 0),
            "{what}: {} is {} and the log does not say so",
            request.id,
            request.state
        );
    }
    for kind in ["requested", "approved", "activated"] {
        assert!(said(kind) <= 1 + contradicted + usize::from(lost_answer), "{what}: {kind} twice: {kinds:?}");
    }
}

fn only(stage: &Rehearsal) -> Option<AccessRequest> {
    let requests = stage.store.requests.lock().unwrap();
    requests.values().map(|(_, request)| request.clone()).find(|request| !request.state.is_over())
}

/// The whole life: asked for, approved, used, given back; each step once more if it failed. Gives whether something was hit.
async fn life(at: usize, way: Way) -> bool {
    let saboteur = Saboteur::new(at, way);
    let stage = stage(&saboteur);
    let alice = stage.session("alice");
    let what = || format!("call {at} ({}) {way:?}", saboteur.hit().unwrap_or("none"));

    let filed = file_request(&stage.services, &alice, ask("web-restart")).await;
    consistent(&stage, &what(), way == Way::After);
    let request = match (filed, only(&stage)) {
        (Ok(request), _) => request,
        // It was filed although she was told that it was not: `status` shows it.
        (Err(_), Some(request)) => request,
        (Err(_), None) => file_request(&stage.services, &alice, ask("web-restart")).await.unwrap(),
    };
    if !yes(&stage, &request.id).await {
        consistent(&stage, &what(), way == Way::After);
        let approved = matches!(stage.stored(&request.id).state, State::Approved { .. });
        assert!(approved || yes(&stage, &request.id).await, "{}: no second yes", what());
    }
    let first = command(&stage).await;
    settled(&stage).await;
    consistent(&stage, &what(), way == Way::After);
    if first != 7 {
        assert_eq!(first, 125, "{}: an outage is no denial", what());
        assert_eq!(command(&stage).await, 7, "{}: one fault and never again", what());
    }

    let hit_before = saboteur.hit();
    let given_back = done(&stage.services, &alice, &Which::All).await;
    settled(&stage).await;
    if given_back.is_err() {
        assert_eq!(hit_before, None);
        assert_ne!(saboteur.hit(), Some("append"), "{}: the log stands in the way of `done`", what());
        done(&stage.services, &alice, &Which::All).await.unwrap();
        settled(&stage).await;
    }
    assert!(only(&stage).is_none(), "{}: it still lives", what());
    let last = command(&stage).await;
    assert!(last == 126 || (last == 125 && command(&stage).await == 126), "{}: {last}", what());
    consistent(&stage, &what(), way == Way::After);
    let ended = stage.log.kinds().iter().filter(|kind| *kind == "ended").count();
    let owed = stage.store.owed.lock().unwrap().len();
    assert!(ended == 1 || ended + owed >= 1, "{}: {ended} entries about the end, {owed} owed", what());
    saboteur.hit().is_some()
}

#[tokio::test]
async fn whichever_call_of_whichever_port_fails_nothing_runs_unlogged_and_the_next_try_works() {
    for way in [Way::Before, Way::After] {
        let mut calls = 0;
        while life(calls, way).await {
            calls += 1;
        }
        assert!(calls > 30, "only {calls} calls were sabotaged");
    }
}

/// Each way to take power away.
#[derive(Clone, Copy, Debug)]
enum Taking {
    Deny,
    Withdraw,
    Revoke,
    Done,
}

/// Takes power away with that call going wrong. Gives which was hit.
async fn taken(taking: Taking, at: usize, way: Way) -> Option<&'static str> {
    let saboteur = Saboteur::new(at, way);
    let mut stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    let id = request.id.clone();
    if matches!(taking, Taking::Revoke | Taking::Done) {
        assert!(yes(&stage, &id).await);
    }
    saboteur.enter(&mut stage);
    let (alice, bob) = (stage.session("alice"), stage.session("bob"));
    let grant = request.grant_id();
    let answer = match taking {
        Taking::Deny => deny(&stage.services, &bob, &id, "no").await.map(drop).map_err(|error| error.to_string()),
        Taking::Withdraw => withdraw(&stage.services, &alice, &id).await.map(drop).map_err(|error| error.to_string()),
        Taking::Revoke => revoke(&stage.services, &bob, &grant, "").await.map(drop).map_err(|error| error.to_string()),
        Taking::Done => {
            done(&stage.services, &alice, &Which::One(grant)).await.map(drop).map_err(|error| error.to_string())
        }
    };
    settled(&stage).await;
    let (over, owed) = (stage.stored(&id).state.is_over(), stage.store.owed.lock().unwrap().len());
    let kinds = stage.log.kinds();
    let written = kinds.iter().filter(|kind| ["denied", "withdrawn", "ended"].contains(&kind.as_str())).count();
    let what = format!("{taking:?}, call {at} ({:?}) {way:?}: {answer:?}", saboteur.hit());
    assert!(answer.is_ok() || saboteur.hit() != Some("append"), "{what}: the log stands in the way");
    assert!(answer.is_err() || over, "{what}: it says that it acted");
    // What is over is in the log, or owed to it until the next start; what is not over is in neither.
    assert!(if over { written + owed > 0 } else { written + owed == 0 }, "{what}: {written} written, {owed} owed");
    saboteur.hit()
}

#[tokio::test]
async fn taking_power_away_acts_or_changes_nothing_whichever_call_fails_and_never_waits_for_the_log() {
    for taking in [Taking::Deny, Taking::Withdraw, Taking::Revoke, Taking::Done] {
        for way in [Way::Before, Way::After] {
            let mut calls = 0;
            while taken(taking, calls, way).await.is_some() {
                calls += 1;
            }
            assert!(calls >= 3, "{taking:?}: only {calls} calls");
        }
    }
}
