//! `[policy]`: whose signatures a set needs before it is used, what exactly they sign, and whether they have.
//!
//! What is signed is a text that names every file of the set with its digest ([`to_sign`]). The signers *in force* decide, not
//! those that a changed set names; they are kept in `state/` ([`in_force`]). Refuses to know what the files say.

use std::ops::Range;
use std::sync::Arc;

use russh::keys::ssh_key::SshSig;
use russh::keys::{HashAlg, PublicKey};

use crate::domain::text::excerpt;
use crate::domain::{Diagnostic, Digest};

use super::keys::{on_security_key, public_key};
use super::paths::Paths;
use super::roles::files_of;
use super::source::{self, Source, Trust};
use super::table::Table;

mod in_force;

pub use in_force::InForce;

/// What the signatures are for, as `ssh-keygen -Y sign -n` takes it: a signature made for something else is none of ours.
pub const NAMESPACE: &str = "doorward-policy";
/// Most keys that may sign.
const MOST_SIGNERS: usize = 32;
/// Most signature files that are read.
const MOST_SIGNATURES: usize = 64;
/// Longest signature file that is read, in bytes.
const LONGEST_SIGNATURE: usize = 16 * 1024;

/// What `[policy]` says.
#[derive(Clone, Debug)]
pub struct Signers {
    /// Whose signatures count; none gives signing up.
    pub keys: Vec<PublicKey>,
    /// How many different ones a set needs.
    pub needed: usize,
    /// Grows with every change, so that an older set does not come back.
    pub serial: u64,
    /// Where the serial stands.
    serial_span: Option<Range<usize>>,
}

/// Reads `[policy]`.
pub(super) fn read(mut table: Table<'_, '_>, source: &Source, out: &mut Vec<Diagnostic>) -> Option<Signers> {
    let before = out.len();
    let mut keys: Vec<PublicKey> = Vec::new();
    for text in table.strings("signers", out) {
        match public_key(text.value) {
            Err(problem) => out.push(source.error_at(text.span, problem.message).help(problem.help)),
            Ok(key) if keys.iter().any(|known| known.key_data() == key.key_data()) => {
                out.push(source.error_at(text.span, "this key is listed twice, and counts once").help("take it out"));
            }
            Ok(key) => keys.push(key),
        }
    }
    let place = table.get("signers").map(toml::Spanned::span);
    let serial_span = table.get("serial").map(toml::Spanned::span);
    let (needed, serial) =
        (table.number("needed", 0..=MOST_SIGNERS, out), table.number("serial", 1..=1_000_000_000, out));
    table.finish(out);
    if out.iter().skip(before).any(|finding| finding.severity == crate::domain::Severity::Error) {
        return None;
    }
    let example = "write signers = [\"ssh-ed25519 AAAA… alice\", …], needed = 2 and serial = 1 below [policy]";
    let (Some(place), Some(needed), Some(serial)) = (place, needed, serial) else {
        out.push(source.error("[policy] says `signers`, `needed` and `serial`, and one is missing").help(example));
        return None;
    };
    if keys.len() > MOST_SIGNERS || needed > keys.len() || (needed == 0 && !keys.is_empty()) {
        let message = format!("{needed} of {} signers can never be met, or protects nothing", keys.len());
        let help = format!("`needed` is from 1 to the number of signers, which is at most {MOST_SIGNERS}");
        out.push(source.error_at(place, message).help(help));
        return None;
    }
    if needed == 1 {
        let message = "one signature is enough, so one person alone changes the policy";
        out.push(source.warning_at(Some(place), message).help("write needed = 2"));
    }
    Some(Signers { keys, needed, serial: u64::try_from(serial).unwrap_or(u64::MAX), serial_span })
}

/// The exact bytes that are signed: the bastion's name, the serial, and every file of the set with its SHA-256.
pub(super) fn to_sign(name: &str, signers: Option<&Signers>, set: Digest, files: &[&Source]) -> String {
    let serial = signers.map_or_else(|| "none".to_owned(), |signers| signers.serial.to_string());
    let mut lines: Vec<String> =
        files.iter().map(|file| format!("{}  {}\n", Digest::of(file.text.as_bytes()), file.name)).collect();
    lines.sort_by(|left, right| left.get(64..).cmp(&right.get(64..)));
    format!("doorward-policy 1\nname {name}\nserial {serial}\nset {set}\n{}", lines.concat())
}

/// A set that is to be judged.
pub(super) struct Candidate<'a> {
    /// Its doorward.toml.
    pub(super) settings: &'a Source,
    /// What that says of signers.
    pub(super) signers: Option<&'a Signers>,
    /// What must be signed.
    pub(super) text: &'a str,
    /// Digest of the set.
    pub(super) set: Digest,
}

/// Whether the set is signed as those in force want it, and as it wants itself. Every problem goes to `out`.
pub(super) fn check(paths: &Paths, candidate: &Candidate<'_>, in_force: &InForce, out: &mut Vec<Diagnostic>) {
    let (settings, signers) = (candidate.settings, candidate.signers);
    if signers.is_none() && in_force.signers.is_empty() {
        return;
    }
    let Some(own) = signers else {
        let message = format!("[policy] is gone, and {} still have to sign every change", listed(&in_force.signers));
        let serial = in_force.serial.map_or(1, |serial| serial.saturating_add(1));
        let help = format!(
            "to give signing up, write [policy] with signers = [], needed = 0, serial = {serial}, and sign that"
        );
        return out.push(settings.error(message).help(help));
    };
    if let Some(problem) = stale(own, in_force, candidate.set) {
        let finding = settings.error(problem.0).help(problem.1);
        out.push(match own.serial_span.clone() {
            Some(span) => finding.at(span),
            None => finding,
        });
    }
    let mut known: Vec<&PublicKey> = own.keys.iter().collect();
    known.extend(in_force.signers.iter().filter(|key| !has(&own.keys, key)));
    let signed = signatures(paths, candidate.text, &known, out);
    let unchanged = in_force.needed == own.needed
        && in_force.signers.len() == own.keys.len()
        && own.keys.iter().all(|key| has(&in_force.signers, key));
    if !unchanged {
        let whose = "the signers in force until now";
        enough(&in_force.signers, in_force.needed, &signed, whose, out);
    }
    enough(&own.keys, own.needed, &signed, "its [policy] signers", out);
}

/// Why the serial does not do: what is wrong, and what to write.
fn stale(own: &Signers, in_force: &InForce, set: Digest) -> Option<(String, String)> {
    let last = in_force.serial?;
    let help = format!("write serial = {}, and have it signed", last.saturating_add(1));
    if own.serial < last {
        let message =
            format!("serial {} is older than {last}, which was in force: an old set does not come back", own.serial);
        return Some((message, help));
    }
    (own.serial == last && in_force.set.is_some_and(|known| known != set))
        .then(|| (format!("another set with serial {last} was in force: each change has a serial of its own"), help))
}

fn has(keys: &[PublicKey], key: &PublicKey) -> bool {
    keys.iter().any(|known| known.key_data() == key.key_data())
}

fn enough(keys: &[PublicKey], needed: usize, signed: &[PublicKey], whose: &str, out: &mut Vec<Diagnostic>) {
    let (have, missing): (Vec<&PublicKey>, Vec<&PublicKey>) = keys.iter().partition(|key| has(signed, key));
    if have.len() >= needed {
        return;
    }
    let message = format!("this set needs the signatures of {needed} of {whose}, and has {}", have.len());
    let who = if have.is_empty() { "nobody has signed".to_owned() } else { format!("{} signed", listed(have)) };
    let how = "`doorward to-sign DIR` prints what to sign, and how";
    out.push(Source::unread("signatures/").error(message).help(format!("{who}; {} could; {how}", listed(missing))));
}

/// The keys among `known` that have signed `text`, each once; whatever is no such signature is a warning.
fn signatures(paths: &Paths, text: &str, known: &[&PublicKey], out: &mut Vec<Diagnostic>) -> Vec<PublicKey> {
    let mut signed: Vec<PublicKey> = Vec::new();
    if !paths.signatures().exists() {
        return signed;
    }
    let names = files_of(&paths.signatures(), "signatures", Trust::Host, out);
    for (at, name) in names.iter().enumerate() {
        let shown = format!("signatures/{}", excerpt(name, 80));
        let mut warn = |message: String| out.push(Source::unread(&shown).error(message).warning());
        if at >= MOST_SIGNATURES {
            warn(format!("only the first {MOST_SIGNATURES} files here are read; take old ones away"));
            break;
        }
        if !name.ends_with(".sig") {
            warn("this is not read: a signature is a file whose name ends in `.sig`".to_owned());
            continue;
        }
        match source::read(&paths.signatures().join(name), &shown, Trust::Host) {
            Err(finding) => out.push(finding.warning()),
            Ok(file) => match signer(&file.text, text, known) {
                Ok(key) if has(&signed, key) => {
                    warn(format!("{} signed in another file already, and counts once", shown_key(key)));
                }
                Ok(key) => signed.push(key.clone()),
                Err(why) => warn(why),
            },
        }
    }
    signed
}

/// Which of `known` signed `text` with the armoured signature `file`.
fn signer<'k>(file: &Arc<str>, text: &str, known: &[&'k PublicKey]) -> Result<&'k PublicKey, String> {
    if file.len() > LONGEST_SIGNATURE {
        return Err(format!("this is longer than {LONGEST_SIGNATURE} bytes, which no signature is"));
    }
    let no_signature = "this is not a signature; `ssh-keygen -Y sign` makes one, as `doorward to-sign DIR` shows";
    let signature = SshSig::from_pem(file.as_bytes()).map_err(|_| no_signature.to_owned())?;
    if signature.version() != SshSig::VERSION {
        return Err(format!(
            "this signature has version {}, and this build knows {}",
            signature.version(),
            SshSig::VERSION
        ));
    }
    let by = known.iter().find(|key| key.key_data() == signature.public_key()).ok_or_else(|| {
        let by = PublicKey::from(signature.public_key().clone());
        format!("this was signed by {}, which is no signer here", by.fingerprint(HashAlg::Sha256))
    })?;
    if signature.namespace() != NAMESPACE {
        let found = excerpt(signature.namespace(), 40);
        return Err(format!("this signature is for `{found}` and not for `{NAMESPACE}`: sign with -n {NAMESPACE}"));
    }
    match by.verify(NAMESPACE, text.as_bytes(), &signature) {
        Ok(()) if on_security_key(by) && !touched(&signature) => {
            Err(format!("{} signed without a touch of its device: sign again, and touch it", shown_key(by)))
        }
        Ok(()) => Ok(by),
        Err(_) => {
            Err(format!("{} signed something else: this set was changed since, or the signature was", shown_key(by)))
        }
    }
}

/// Whether the device says that somebody was there (OpenSSH's PROTOCOL.u2f: the signature ends with a byte of flags and a counter of
/// four, both signed). Asked of a signature that was verified.
fn touched(signature: &SshSig) -> bool {
    const USER_PRESENT: u8 = 0x01;
    signature.signature_bytes().iter().nth_back(4).is_some_and(|flags| flags & USER_PRESENT != 0)
}

/// `alice@laptop (SHA256:…)`.
fn shown_key(key: &PublicKey) -> String {
    let comment = key.comment().to_string();
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    if comment.is_empty() { fingerprint.to_string() } else { format!("{} ({fingerprint})", excerpt(&comment, 60)) }
}

/// Keys for people.
pub(crate) fn listed<'k>(keys: impl IntoIterator<Item = &'k PublicKey>) -> String {
    crate::policy::compare::names(keys.into_iter().map(shown_key))
}

#[cfg(test)]
mod tests;
