//! What a connection inside does not serve: the same as one at the port, by name, in the log.

use russh::{ChannelOpenFailure, Disconnect, Error};

use crate::inside::{STDIO, channel, inner};
use crate::support::bastion::{Bastion, Setup, eventually};
use crate::support::client::{proven, said};

#[tokio::test(flavor = "multi_thread")]
async fn every_other_kind_of_request_is_refused_by_name_inside_too() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let alice = proven(&bastion, "alice").await;
    let mut inside = inner(&alice, "web-1", STDIO).await;
    assert!(inside.authenticate_none("alice").await.expect("an answer").success());

    let mut channel = inside.channel_open_session().await.expect("a channel");
    channel.request_subsystem(true, "sftp").await.expect("sent");
    channel.set_env(true, "LD_PRELOAD", "/tmp/x.so").await.expect("sent");
    channel.request_x11(true, false, "MIT-MAGIC-COOKIE-1", "00", 0).await.expect("sent");
    channel.agent_forward(true).await.expect("sent");
    channel.exec(true, "id -un").await.expect("sent");
    channel.exec(true, "sleep 600").await.expect("sent");
    let (replies, exit) = said(&mut channel).await;
    assert_eq!(replies.get(..5), Some(&[false, false, false, false, true][..]), "{replies:?}");
    assert_eq!((replies.get(5).copied().unwrap_or(false), exit), (false, Some(0)));
    assert_eq!(bastion.entries("command-allowed").len(), 1, "id, and nothing else");

    let nested = inside.channel_open_direct_tcpip("web-1", 22, STDIO.0, STDIO.1).await.map(|_| ());
    assert!(
        matches!(nested, Err(Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited))),
        "{nested:?}"
    );
    let streamlocal = inside.channel_open_direct_streamlocal("/run/x").await.map(|_| ());
    assert!(matches!(streamlocal, Err(Error::ChannelOpenFailure(_))), "{streamlocal:?}");
    let x11 = inside.channel_open_x11("127.0.0.1", 6000).await.map(|_| ());
    assert!(matches!(x11, Err(Error::ChannelOpenFailure(_))), "{x11:?}");
    assert!(inside.tcpip_forward("0.0.0.0", 0).await.is_err());
    assert!(inside.streamlocal_forward("/run/y").await.is_err());

    let entries = bastion.eventual_entries("refused", 9);
    for what in [
        "subsystem sftp",
        "x11-req",
        "auth-agent-req@openssh.com",
        "direct-tcpip to web-1:22",
        "direct-streamlocal to /run/x",
        "x11",
        "tcpip-forward of 0.0.0.0:0",
        "streamlocal-forward of /run/y",
    ] {
        let found =
            entries.iter().find(|entry| entry["data"]["what"] == what).unwrap_or_else(|| panic!("{what}: {entries:?}"));
        assert_eq!((&found["user"], &found["target"]), (&"alice".into(), &"web-1".into()), "{found}");
    }
    alice.disconnect(Disconnect::ByApplication, "", "").await.expect("sent");
    eventually("the end", || bastion.entries("disconnected").iter().any(|entry| entry["data"]["dropped_env"] == 1));
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_before_a_connection_inside_has_proved_itself() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let alice = proven(&bastion, "alice").await;
    let inside = inner(&alice, "web-1", ("127.0.0.1", 40000)).await;
    let opened = tokio::time::timeout(std::time::Duration::from_secs(10), inside.channel_open_session()).await;
    assert!(!matches!(opened, Ok(Ok(_))), "a channel before anything was proved");
    drop(inside);
    let told = |entry: &serde_json::Value| entry["target"] == "web-1" && entry["user"] == "alice";
    eventually("its entry", || bastion.entries("authentication-failed").iter().any(told));
    assert!(bastion.entries("command-allowed").is_empty());
    // The connection around it goes on.
    assert!(alice.channel_open_session().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_inside_count_as_channels_of_the_one_around_them() {
    let tables = "[limits]\nmax_channels = 3\n".to_owned();
    let bastion = Bastion::with(Setup { tables, ..Setup::default() });
    bastion.grant("ops", "web-1", "30m");
    let alice = proven(&bastion, "alice").await;
    let session = alice.channel_open_session().await.expect("a channel");
    let mut inside = inner(&alice, "web-1", STDIO).await;
    let second = channel(&alice, "web-1", STDIO).await.expect("a channel");
    let short = |opened: Result<(), Error>| {
        assert!(matches!(opened, Err(Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage))), "{opened:?}");
    };
    short(channel(&alice, "web-1", STDIO).await.map(|_| ()));
    short(channel(&alice, "nowhere", STDIO).await.map(|_| ()));
    short(alice.channel_open_session().await.map(|_| ()));
    // Inside, the conversations are counted together with those outside.
    assert!(inside.authenticate_none("alice").await.expect("an answer").success());
    let (one, two) = (inside.channel_open_session().await, inside.channel_open_session().await);
    assert!(one.is_ok() && two.is_ok());
    short(inside.channel_open_session().await.map(|_| ()));
    drop(session);
    second.close().await.expect("sent");
    for attempt in 0.. {
        if channel(&alice, "web-1", STDIO).await.is_ok() {
            break;
        }
        assert!(attempt < 100, "the room was never given back");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
