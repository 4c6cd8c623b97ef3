use super::*;
use proptest::prelude::*;

/// A header with this command, family and rest.
fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
}

/// The address block of 192.0.2.7:4711 to 10.0.0.1:22.
const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 22];

fn v6(source: &str, port: u16) -> Vec<u8> {
    let source: Ipv6Addr = source.parse().unwrap();
    [&source.octets()[..], &[0; 16], &port.to_be_bytes(), &[0, 22]].concat()
}

/// `rest` with a checksum TLV at its end, right or off by `error`.
fn with_checksum(family: u8, rest: &[u8], error: u32) -> Vec<u8> {
    let mut whole = header(1, family, &[rest, &[CHECKSUM, 0, 4, 0, 0, 0, 0]].concat());
    let sum = crc32c(whole.iter().copied()) ^ error;
    let at = whole.len() - 4;
    whole[at..].copy_from_slice(&sum.to_be_bytes());
    whole
}

#[test]
fn the_source_is_read_and_a_mapped_address_is_the_ipv4_one() {
    let client = |text: &str| Ok(Origin::Client(text.parse().unwrap()));
    assert_eq!(parse(&header(1, 0x11, &V4)), client("192.0.2.7:4711"));
    assert_eq!(parse(&header(1, 0x21, &v6("2001:db8::1", 9))), client("[2001:db8::1]:9"));
    assert_eq!(parse(&header(1, 0x21, &v6("::ffff:10.1.2.3", 9))), client("10.1.2.3:9"));
    assert_eq!(parse(&header(1, 0x11, &[&V4[..], &[4, 0, 2, 0, 0]].concat())), client("192.0.2.7:4711"));
    assert_eq!(parse(&header(0, 0x00, &[])), Ok(Origin::Proxy));
    assert_eq!(parse(&header(0, 0x11, &V4)), Ok(Origin::Proxy), "a health check may carry addresses");
}

#[test]
fn what_is_not_a_header_that_counts_is_named() {
    let version = |number: u8| {
        let mut whole = header(1, 0x11, &V4);
        whole[12] = number << 4 | 1;
        whole
    };
    let rows = [
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), ProxyError::Missing),
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 22\r\n".to_vec(), ProxyError::Version1),
        (b"".to_vec(), ProxyError::Short),
        (SIGNATURE.to_vec(), ProxyError::Short),
        (version(1), ProxyError::Version(1)),
        (version(3), ProxyError::Version(3)),
        (header(2, 0x11, &V4), ProxyError::Command(2)),
        (header(1, 0x00, &V4), ProxyError::Family(0x00)),
        (header(1, 0x12, &V4), ProxyError::Family(0x12)),
        (header(1, 0x31, &[0; 216]), ProxyError::Family(0x31)),
        (header(1, 0x11, &V4[..11]), ProxyError::Short),
        (header(1, 0x21, &V4), ProxyError::Short),
        (header(1, 0x11, &V4)[..20].to_vec(), ProxyError::Short),
        ([header(1, 0x11, &V4), b"S".to_vec()].concat(), ProxyError::Short),
        (header(1, 0x11, &[&V4[..], &[4, 0]].concat()), ProxyError::Tlv),
        (header(1, 0x11, &[&V4[..], &[4, 0, 9, 0]].concat()), ProxyError::Tlv),
        (header(1, 0x11, &[&V4[..], &[CHECKSUM, 0, 1, 0]].concat()), ProxyError::Tlv),
        (header(1, 0x11, &[0; 521]), ProxyError::TooLong(521)),
        (header(0, 0x11, &[0; 521]), ProxyError::TooLong(521)),
    ];
    for (bytes, error) in rows {
        assert_eq!(parse(&bytes), Err(error), "{bytes:?}");
    }
    assert_eq!(begins(b"PR"), Err(ProxyError::Version1));
    assert_eq!(begins(b"S"), Err(ProxyError::Missing));
    assert_eq!(begins(b"\r\n\r\n"), Ok(()));
}

#[test]
fn a_checksum_that_is_there_must_be_right() {
    // RFC 3720, B.4: 32 bytes of zeroes, and of ones.
    assert_eq!(crc32c([0; 32].into_iter()), 0x8a91_36aa);
    assert_eq!(crc32c([0xff; 32].into_iter()), 0x62a8_ab43);
    let after_another = [&V4[..], &[4, 0, 1, 7]].concat();
    for rest in [&V4[..], &after_another] {
        assert!(parse(&with_checksum(0x11, rest, 0)).is_ok());
        assert_eq!(parse(&with_checksum(0x11, rest, 1)), Err(ProxyError::Checksum));
    }
}

proptest! {
    /// Any bytes: an answer, and a header of exactly the length that its beginning announces.
    #[test]
    fn any_bytes_get_an_answer(command in any::<u8>(), family in prop::sample::select(vec![0, 0x11, 0x21, 0x31, 0xff]),
                               length in 0..600_u16, rest in prop::collection::vec(any::<u8>(), 0..600)) {
        let whole = [&SIGNATURE[..], &[command, family], &length.to_be_bytes(), &rest].concat();
        if parse(&whole).is_ok() {
            prop_assert!(command == 0x20 || (command == 0x21 && (family == 0x11 || family == 0x21)));
            prop_assert!(usize::from(length) == rest.len() && rest.len() <= LONGEST_REST);
        }
        let _ = parse(&rest);
        let _ = begins(&rest);
    }

    /// What a proxy writes is read back, whatever TLVs follow; cut anywhere it is refused, and one changed byte under a
    /// checksum never gives another address.
    #[test]
    fn what_was_written_is_read_and_nothing_less(ip in any::<[u8; 16]>(), port in any::<u16>(), four in any::<bool>(),
                                                 tlv in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(),
                                                 change in 1..=255_u8) {
        let (family, source, mut rest) = if four {
            let ip = [ip[0], ip[1], ip[2], ip[3]];
            (0x11, IpAddr::from(ip), [&ip[..], &[0; 4], &port.to_be_bytes(), &[0, 22]].concat())
        } else {
            let ip = Ipv6Addr::from(ip);
            (0x21, IpAddr::from(ip).to_canonical(), v6(&ip.to_string(), port))
        };
        rest.extend([0xe0, 0, u8::try_from(tlv.len()).unwrap()]);
        rest.extend(&tlv);
        let whole = with_checksum(family, &rest, 0);
        prop_assert_eq!(parse(&whole), Ok(Origin::Client(SocketAddr::new(source, port))));
        let at = at.index(whole.len());
        prop_assert!(parse(&whole[..at]).is_err());
        let mut changed = whole.clone();
        changed[at] ^= change;
        // Never another address; but the byte of the family may turn the checksum itself into a part of an address.
        let told = parse(&changed);
        let same = told == parse(&whole) || told == Ok(Origin::Proxy) || at == 13;
        prop_assert!(told.is_err() || same, "{told:?} at {at}");
    }
}
