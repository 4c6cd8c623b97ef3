//! Names, identifiers, addresses: every text that becomes a value of ours and goes into logs, certificates and file names.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use doorward::config::enroll::OpenSsh;
use doorward::config::keys::public_key;
use doorward::config::{Address, host_name};
use doorward::domain::text::{escape, excerpt, excerpt_bytes, is_printable, shell_word};
use doorward::domain::{
    AccountName, CertificateId, CommandId, Digest, GrantId, GroupName, RequestId, RoleName, SessionId, Subject,
    TargetName, UserName,
};

use super::shown_safely;

/// What is read has one way to be written, which is read as the same; names need no quoting anywhere; what is refused is
/// refused in words that can be shown. Escaped text is printable and keeps what was printable.
pub(super) fn identifiers(data: &[u8]) -> bool {
    shown_safely(&excerpt_bytes(data, 100), 2000);
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let read = [
        name::<UserName>(text),
        name::<GroupName>(text),
        name::<RoleName>(text),
        name::<TargetName>(text),
        name::<AccountName>(text),
        name::<RequestId>(text),
        name::<GrantId>(text),
        name::<SessionId>(text),
        name::<CommandId>(text),
        name::<CertificateId>(text),
        round::<Digest>(text).is_some(),
        round::<Subject>(text).is_some(),
        round::<Address>(text).is_some(),
    ];
    if let Err(why) = host_name(text) {
        shown_safely(&why, 300);
    } else {
        assert!(plain(text), "{text:?}");
    }
    if let Err(problem) = public_key(text) {
        shown_safely(&problem.message, 300);
    }
    let _ = OpenSsh::of_banner(text);

    let escaped = escape(text);
    assert!(escaped.chars().all(is_printable));
    assert!(!text.chars().all(is_printable) || escaped == text);
    assert!(excerpt(text, 20).chars().count() <= 20 * 10 + 1);
    let words = shlex::split(&shell_word(text)).expect("a word");
    assert_eq!(words, [escaped], "a shell reads something else");
    read.contains(&true)
}

fn plain(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && text.bytes().all(good) && !text.starts_with(['-', '.'])
}

/// A value that is also a word of any language that we write.
fn name<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) -> bool {
    let written = round::<T>(text);
    assert!(written.as_deref().is_none_or(plain), "{written:?}");
    written.is_some()
}

fn round<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) -> Option<String> {
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            shown_safely(&written, 1000);
            let again = written.parse::<T>().unwrap_or_else(|error| panic!("{written:?}: {error}"));
            assert_eq!(value, again);
            Some(written)
        }
        Err(error) => {
            shown_safely(&error.to_string(), 1000);
            None
        }
    }
}
