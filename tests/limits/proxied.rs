//! The PROXY protocol: believed from listed networks, required of them, and nothing from anybody else.

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::time::Duration;

use crate::client::{failed_because, is_closed, knock};
use crate::support::bastion::{Bastion, Came, Setup, eventually};

/// Where the listed proxy connects from.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 50);
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2: `PROXY` for a client, `LOCAL` for nobody.
fn header(client: Option<IpAddr>) -> Vec<u8> {
    let (kind, block) = match client {
        None => ([0x20, 0x00], Vec::new()),
        Some(IpAddr::V4(ip)) => ([0x21, 0x11], [&ip.octets()[..], &[127, 0, 0, 1], &[0x30, 0x39, 0, 22]].concat()),
        Some(IpAddr::V6(ip)) => ([0x21, 0x21], [&ip.octets()[..], &[0; 16], &[0x30, 0x39, 0, 22]].concat()),
    };
    // A TLV that nobody needs (PP2_TYPE_AUTHORITY).
    let rest = [&block[..], &[2, 0, 3, b'a', b'.', b'b']].concat();
    [SIGNATURE, &kind, &u16::try_from(rest.len()).expect("short").to_be_bytes(), &rest].concat()
}

/// alice may come from 10.1.0.0/16 alone; the others from anywhere.
fn bastion() -> Bastion {
    let prepare = |dir: &std::path::Path| {
        let users = dir.join("users.toml");
        let text = fs::read_to_string(&users).expect("users");
        if !text.contains("networks") {
            fs::write(&users, text.replace("[alice]", "[alice]\nnetworks = [\"10.1.0.0/16\"]")).expect("users");
        }
    };
    let top = format!("proxy_protocol_from = [\"{PROXY}/32\"]");
    let tables = "[limits]\nhandshake_deadline = \"5s\"\nmax_unproven_per_source = 4\n".to_owned();
    Bastion::with(Setup { top, tables, prepare: Box::new(prepare), ..Setup::default() })
}

/// Runs `whoami` through a proxy that connects from `from` and sends `header` first.
fn through(bastion: &Bastion, who: &str, from: Ipv4Addr, header: &[u8]) -> Came {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let here = listener.local_addr().expect("a port").port();
    let (header, there) = (header.to_vec(), bastion.port);
    let proxy = std::thread::spawn(move || {
        let (near, _) = listener.accept().expect("ssh");
        let mut far = knock(from, there);
        far.set_nodelay(true).expect("a socket");
        let _ = far.write_all(&header);
        let (mut from, mut to) = (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
        let (mut far, mut near) = (far, near);
        let _ = std::io::copy(&mut far, &mut near);
        let _ = near.shutdown(std::net::Shutdown::Both);
    });
    let port = format!("Port={here}");
    let came = bastion.run(who, &["-o", &port, "-o", "ConnectTimeout=20", "bastion", "whoami"]);
    proxy.join().expect("the proxy");
    came
}

/// The peers in the log's entries of a kind, without their ports.
fn peers(bastion: &Bastion, kind: &str) -> Vec<String> {
    let peer = |entry: &serde_json::Value| {
        let text = entry["data"]["peer"].as_str().expect("a peer");
        text.rsplit_once(':').expect("a port").0.to_owned()
    };
    bastion.entries(kind).iter().map(peer).collect()
}

#[test]
fn a_listed_proxy_says_where_the_client_comes_from_and_conditions_follow() {
    let bastion = bastion();
    let inside: IpAddr = "10.1.2.3".parse().expect("an address");
    let mapped: Ipv6Addr = "::ffff:10.1.2.4".parse().expect("an address");
    for client in [inside, mapped.into()] {
        let came = through(&bastion, "alice", PROXY, &header(Some(client)));
        assert!(came.code == 0 && came.out.contains("alice"), "{client}: {came:?}");
    }
    let outside = through(&bastion, "alice", PROXY, &header(Some("10.2.0.1".parse().expect("an address"))));
    assert_eq!(outside.code, 255, "{outside:?}");
    eventually("its entry", || failed_because(&bastion, "may not come from this address"));
    // A health check is the proxy's own connection, from where it is.
    assert_eq!(through(&bastion, "alice", PROXY, &header(None)).code, 255);
    assert_eq!(through(&bastion, "bob", PROXY, &header(None)).code, 0);
    let six = through(&bastion, "bob", PROXY, &header(Some("2001:db8::7".parse().expect("an address"))));
    assert_eq!(six.code, 0, "{six:?}");
    bastion.eventual_entries("connection", 4);
    assert_eq!(peers(&bastion, "connection"), ["10.1.2.3", "10.1.2.4", "127.0.0.50", "[2001:db8::7]"]);
    // One that failed before these: the harness's own look at the port.
    bastion.eventual_entries("authentication-failed", 3);
    let refused = peers(&bastion, "authentication-failed");
    // Whose word that is stands beside it; of its own connections there is nothing to say.
    let via = |entry: &serde_json::Value| entry["data"]["via"].as_str().map(|via| via.starts_with("127.0.0.50:"));
    let told = |kind: &str| bastion.entries(kind).iter().map(via).collect::<Vec<_>>();
    assert_eq!(told("connection"), [Some(true), Some(true), None, Some(true)]);
    assert!(told("authentication-failed").ends_with(&[Some(true), None]), "{:?}", told("authentication-failed"));
    let shown = bastion.run("carol", &["bastion", "audit search --kind connection"]);
    assert!(shown.out.contains("from 10.1.2.3:12345 through 127.0.0.50:"), "{shown:?}");
    assert!(refused.ends_with(&["10.2.0.1".to_owned(), "127.0.0.50".to_owned()]), "{refused:?}");
    bastion.verify();
}

#[test]
fn a_header_from_anybody_else_changes_nothing() {
    let bastion = bastion();
    let forged = header(Some("10.1.2.3".parse().expect("an address")));
    for (who, from) in [("alice", 1), ("alice", 51), ("bob", 49)] {
        let came = through(&bastion, who, Ipv4Addr::new(127, 0, 0, from), &forged);
        assert_eq!(came.code, 255, "{who} from {from}: {came:?}");
    }
    eventually("their entries", || peers(&bastion, "authentication-failed").len() >= 4);
    bastion.caught_up();
    let all = [peers(&bastion, "authentication-failed"), peers(&bastion, "connection")].concat();
    assert!(all.iter().all(|peer| peer.starts_with("127.")), "{all:?}");
    assert_eq!(bastion.run("alice", &["bastion", "whoami"]).code, 255, "her network is another one");
    assert_eq!(bastion.run("bob", &["bastion", "whoami"]).code, 0, "no header is asked of him");
    bastion.verify();
}

#[test]
fn a_listed_proxy_without_a_header_that_counts_is_closed() {
    let bastion = bastion();
    let direct = bastion.run("bob", &["-o", &format!("BindAddress={PROXY}"), "bastion", "whoami"]);
    assert_eq!(direct.code, 255, "{direct:?}");
    eventually("its entry", || failed_because(&bastion, "no PROXY header at the beginning"));
    let wrong: [(&[u8], &str); 4] = [
        (b"PROXY TCP4 10.1.2.3 127.0.0.1 4711 22\r\n", "version 1"),
        (&[SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat(), "65535 bytes"),
        (&[SIGNATURE, &[0x21, 0x31, 0, 216], &[0; 216]].concat(), "0x31"),
        (&[SIGNATURE, &[0x31, 0x11, 0, 12], &[0; 12]].concat(), "version 3"),
    ];
    for (bytes, reason) in wrong {
        let came = through(&bastion, "bob", PROXY, bytes);
        assert_eq!(came.code, 255, "{reason}: {came:?}");
        eventually(reason, || failed_because(&bastion, reason));
    }
    bastion.caught_up();
    assert!(bastion.entries("connection").is_empty());
    let said = bastion.server_log();
    assert!(said.contains("a connection from proxy_protocol_from is closed"), "{said}");
    bastion.verify();
}

#[test]
fn half_a_header_has_no_longer_than_everybody_and_its_own_caps_follow_the_client() {
    let bastion = bastion();
    let whole = header(Some("10.9.9.9".parse().expect("an address")));
    let mut cut_short = knock(PROXY, bastion.port);
    cut_short.write_all(&whole[..20]).expect("sent");
    let mut dripping = knock(PROXY, bastion.port);
    // Connections of one proxy are no source: more than four wait here for what they have to say.
    let mut waiting: Vec<TcpStream> = (0..12).map(|_| knock(PROXY, bastion.port)).collect();
    assert!(!waiting.iter_mut().any(is_closed), "before they said anything");
    // Those of one client are one, wherever they came through.
    for stream in &mut waiting {
        stream.write_all(&whole).expect("sent");
    }
    let mut closed = 0;
    for _ in 0..20 {
        closed = waiting.iter_mut().filter_map(|stream| is_closed(stream).then_some(())).count();
        if closed == 8 {
            break;
        }
    }
    assert_eq!(closed, 8, "twelve of one client, and four may be");
    for attempt in 0..400 {
        let _ = whole.get(attempt / 10).map(|byte| dripping.write_all(&[*byte]));
        if is_closed(&mut cut_short) && is_closed(&mut dripping) {
            break;
        }
        assert!(attempt < 399, "half a header is enough to stay");
        std::thread::sleep(Duration::from_millis(30));
    }
    eventually("its entry", || failed_because(&bastion, "no whole PROXY header"));
    assert_eq!(through(&bastion, "alice", PROXY, &header(Some("10.1.2.3".parse().expect("an address")))).code, 0);
    bastion.verify();
}
