//! Signatures of security keys (`sk-…`), made as PROTOCOL.u2f and PROTOCOL.sshsig of OpenSSH say by a device that is one only in
//! this test; `ssh-keygen -Y verify` says whether they are what a real one would have made.

use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256, Sha512};

use super::*;

const APPLICATION: &str = "ssh:";
const TOUCHED: u8 = 0x01;

/// What the device holds.
enum Device {
    Ed25519(SigningKey),
    /// The file of its key, for `openssl`.
    Ecdsa(PathBuf),
}

/// `string` of RFC 4251.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn openssl(words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{words:?}");
    output.stdout
}

impl Device {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "sk-ssh-ed25519@openssh.com",
            Self::Ecdsa(_) => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    fn public(&self) -> Vec<u8> {
        let key = match self {
            Self::Ed25519(key) => string(key.verifying_key().as_bytes()),
            Self::Ecdsa(file) => {
                let der = openssl(&["pkey", "-in", &file.display().to_string(), "-pubout", "-outform", "DER"], b"");
                // The uncompressed point is what a SubjectPublicKeyInfo ends with.
                [string(b"nistp256"), string(&der[der.len() - 65..])].concat()
            }
        };
        [string(self.algorithm().as_bytes()), key, string(APPLICATION.as_bytes())].concat()
    }

    fn line(&self) -> String {
        format!("{} {} dora", self.algorithm(), STANDARD.encode(self.public()))
    }

    fn raw(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::Ecdsa(file) => {
                let der = openssl(&["dgst", "-sha256", "-sign", &file.display().to_string()], message);
                // SEQUENCE { INTEGER r, INTEGER s }, all lengths in one byte; an INTEGER's content is an mpint's.
                let r = &der[4..4 + usize::from(der[3])];
                [string(r), string(&der[4 + r.len() + 2..])].concat()
            }
        }
    }

    /// The armoured signature of `text`.
    fn sign(&self, namespace: &str, text: &str, flags: u8) -> String {
        let digest = Sha512::digest(text);
        let ends = [string(namespace.as_bytes()), string(b""), string(b"sha512")].concat();
        let signed = [b"SSHSIG", &ends[..], &string(&digest)].concat();
        let trailer = [&[flags][..], &7_u32.to_be_bytes()].concat();
        let message = [&Sha256::digest(APPLICATION)[..], &trailer, &Sha256::digest(&signed)].concat();
        let signature = [string(self.algorithm().as_bytes()), string(&self.raw(&message)), trailer].concat();
        let whole = [b"SSHSIG\0\0\0\x01", &string(&self.public())[..], &ends, &string(&signature)].concat();
        let base64 = STANDARD.encode(whole);
        let lines: Vec<&str> = base64.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
    }
}

/// Whether the real `ssh-keygen` takes the signature.
fn stock_takes(within: &Path, device: &Device, file: &Path, text: &str) -> bool {
    let allowed = within.join("allowed");
    fs::write(&allowed, format!("dora {}\n", device.line())).unwrap();
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-I", "dora", "-n", NAMESPACE, "-f"])
        .arg(&allowed)
        .arg("-s")
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

#[test]
fn what_a_security_key_signed_counts_if_somebody_touched_it() {
    let set = Set::new();
    let pem = set.root.path().join("device.pem");
    openssl(
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &pem.display().to_string()],
        b"",
    );
    for device in [Device::Ed25519(SigningKey::from_bytes(&[7; 32])), Device::Ecdsa(pem)] {
        let kind = device.algorithm();
        fs::write(set.root.path().join("dora.pub"), device.line()).unwrap();
        set.policy(&["alice", "dora"], 2, 1);
        let _ = fs::remove_file(set.signature("dora.sig"));
        set.sign(&["alice"]);
        says(set.load(), "and has 1 alice (SHA256:");
        let text = load_policy(set.dir()).unwrap().to_sign;
        let file = set.signature("dora.sig");
        // What `ssh-keygen` says of it, and what is said here: it does not ask whether somebody was there.
        for (what, signature, stock, warned) in [
            ("touched", device.sign(NAMESPACE, &text, TOUCHED), true, None),
            ("touched, with a PIN", device.sign(NAMESPACE, &text, TOUCHED | 0x04), true, None),
            ("not touched", device.sign(NAMESPACE, &text, 0), true, Some("signed without a touch of its device")),
            ("a PIN alone", device.sign(NAMESPACE, &text, 0x04), true, Some("signed without a touch of its device")),
            ("another text", device.sign(NAMESPACE, &format!("{text} "), TOUCHED), false, Some("something else")),
            ("another purpose", device.sign("file", &text, TOUCHED), false, Some("is for `file` and not for")),
        ] {
            fs::write(&file, &signature).unwrap();
            assert_eq!(stock_takes(set.root.path(), &device, &file, &text), stock, "{kind}, {what}: ssh-keygen");
            let loaded = set.load();
            assert_eq!(loaded.is_ok(), warned.is_none(), "{kind}, {what}: {:?}", loaded.err());
            let warnings = set.warnings();
            assert_eq!(warnings.contains("signatures/dora.sig"), warned.is_some(), "{kind}, {what}: {warnings}");
            assert!(warned.is_none_or(|part| warnings.contains(part)), "{kind}, {what}: {warnings}");
        }
        // The flags are signed too: a touch that was not there cannot be written in afterwards.
        let untouched = device.sign(NAMESPACE, &text, 0);
        let body: String = untouched.lines().filter(|line| !line.starts_with('-')).collect();
        let mut bytes = STANDARD.decode(body).unwrap();
        let flags = bytes.len() - 5;
        bytes[flags] = TOUCHED;
        let forged = STANDARD.encode(bytes);
        fs::write(&file, format!("-----BEGIN SSH SIGNATURE-----\n{forged}\n-----END SSH SIGNATURE-----\n")).unwrap();
        says(set.load(), "and has 1 alice (SHA256:");
        assert!(set.warnings().contains("signed something else"), "{kind}: {}", set.warnings());
    }
}
