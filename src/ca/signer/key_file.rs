//! A signing key in a file: OpenSSH private key format, ed25519, mode 0600, no passphrase.
//!
//! The secret lives in one [`SigningKey`], which wipes itself; what is read and written on the way is wiped too.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer as _, SigningKey};
use nix::fcntl::OFlag;
use nix::unistd::Uid;
use rand::TryRng as _;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{LineEnding, Signature};
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::service::ports::AuthorityError;

use super::Signer;

/// Longest key file that is read, in bytes.
const LONGEST: u64 = 16 * 1024;

/// Why a key file is not used or not made. Says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Not a plain file of a sensible size.
    #[error("{}: not a private key file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others can read it.
    #[error("{path}: its mode is {mode:04o}, and only its owner may read it; `chmod 600 {path}`", path = path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else, who could change it.
    #[error("{path}: it belongs to user ID {owner}, and doorward runs as {we}; `chown {we} {path}`", path = path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Our effective user ID.
        we: u32,
    },
    /// Its content is not an OpenSSH private key.
    #[error("{}: not an OpenSSH private key; `doorward init` makes one", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// It has a passphrase, and nobody is there to type it.
    #[error("{path}: the key has a passphrase; take it off with `ssh-keygen -p -N '' -f {path}`", path = path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// Another key type.
    #[error("{}: the key is {shown}, and doorward signs with ssh-ed25519; `doorward init` makes one", path.display())]
    KeyType {
        /// The file.
        path: PathBuf,
        /// Its type.
        shown: String,
    },
    /// The system gave no random bits.
    #[error("no random bits from the system: {0}")]
    Random(String),
}

/// A key from a file. Has no `Debug`, so that it cannot get into a log.
pub struct KeyFileSigner {
    secret: SigningKey,
    public: PublicKey,
}

impl KeyFileSigner {
    /// Reads the key in `path`. Blocks; for the start of the program.
    ///
    /// # Errors
    /// [`KeyFileError`] when it is not a file that only we can read, or not a key we sign with.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let key = open_private_key(path)?;
        Ok(Self { secret: signing_key(&key, path)?, public: key.public_key().clone() })
    }
}

/// Reads an unencrypted private key of any type: the bastion's host key. Blocks; for the start of the program.
///
/// # Errors
/// [`KeyFileError`] when it is not a file that only we can read, or not a private key.
pub fn open_private_key(path: &Path) -> Result<PrivateKey, KeyFileError> {
    let text = read_private(path)?;
    let at = || path.to_owned();
    let key = PrivateKey::from_openssh(text.as_slice()).map_err(|_| KeyFileError::Unreadable { path: at() })?;
    if key.is_encrypted() { Err(KeyFileError::Encrypted { path: at() }) } else { Ok(key) }
}

/// Reads the ed25519 key that signs the audit log's checkpoints. Blocks; for the start of the program.
///
/// # Errors
/// As [`KeyFileSigner::open`].
pub fn open_signing_key(path: &Path) -> Result<SigningKey, KeyFileError> {
    signing_key(&open_private_key(path)?, path)
}

fn signing_key(key: &PrivateKey, path: &Path) -> Result<SigningKey, KeyFileError> {
    let at = || path.to_owned();
    let KeypairData::Ed25519(pair) = key.key_data() else {
        return Err(KeyFileError::KeyType { path: at(), shown: key.algorithm().to_string() });
    };
    SigningKey::try_from(pair).map_err(|_| KeyFileError::Unreadable { path: at() })
}

impl Signer for KeyFileSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, AuthorityError> {
        let bytes = self.secret.sign(message).to_bytes().to_vec();
        Signature::new(Algorithm::Ed25519, bytes).map_err(|error| AuthorityError { reason: error.to_string() })
    }
}

/// The file's content, if only we can read and change it. All is asked of the opened file, so that it cannot be another one.
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let io = |error| KeyFileError::Io { path: path.to_owned(), error };
    // Opening a named pipe would wait for a writer for ever.
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map_err(io)?;
    let about = file.metadata().map_err(io)?;
    if !about.is_file() || about.len() > LONGEST {
        return Err(KeyFileError::NotAFile { path: path.to_owned() });
    }
    let mode = about.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Permissions { path: path.to_owned(), mode });
    }
    let we = Uid::effective().as_raw();
    if about.uid() != we {
        return Err(KeyFileError::Owner { path: path.to_owned(), owner: about.uid(), we });
    }
    // Room for all of it at once: a vector that grows would leave copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST).unwrap_or(0)));
    file.take(LONGEST).read_to_end(&mut content).map_err(io)?;
    Ok(content)
}

/// Makes a new ed25519 key and writes it to `path`, mode 0600, which must not exist. Gives its public half, which is not
/// written anywhere. Blocks.
///
/// # Errors
/// [`KeyFileError::Io`], also when the file exists; [`KeyFileError::Random`].
pub fn generate_key_file(path: &Path, comment: &str) -> Result<PublicKey, KeyFileError> {
    let io = |error| KeyFileError::Io { path: path.to_owned(), error };
    let mut seed = Zeroizing::new([0_u8; 32]);
    // From the kernel itself: these keys live for years.
    rand::rngs::SysRng.try_fill_bytes(seed.as_mut()).map_err(|error| KeyFileError::Random(error.to_string()))?;
    let secret = SigningKey::from_bytes(&seed);
    let encode = |_| KeyFileError::Unreadable { path: path.to_owned() };
    let key = PrivateKey::new(Ed25519Keypair::from(&secret).into(), comment).map_err(encode)?;
    let text = key.to_openssh(LineEnding::LF).map_err(encode)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    Ok(key.public_key().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn refusal(path: &Path) -> String {
        KeyFileSigner::open(path).err().map_or_else(|| "accepted".to_owned(), |error| error.to_string())
    }

    fn keygen(path: &Path, more: &[&str]) {
        let run = std::process::Command::new("ssh-keygen").args(["-q", "-f"]).arg(path).args(more).status();
        assert!(run.expect("ssh-keygen").success());
    }

    #[test]
    fn a_key_of_ours_is_readable_by_ssh_keygen_and_by_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session_ca");
        let public = generate_key_file(&path, "doorward session CA").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let said = std::process::Command::new("ssh-keygen").arg("-yf").arg(&path).output().expect("ssh-keygen");
        assert_eq!(String::from_utf8(said.stdout).unwrap().trim_end(), public.to_openssh().unwrap());
        let signer = KeyFileSigner::open(&path).unwrap();
        assert_eq!(signer.public_key().key_data(), public.key_data());
        let again = generate_key_file(&path, "x").unwrap_err().to_string();
        assert!(again.contains("exists"), "{again}");
    }

    #[test]
    fn a_key_file_that_others_could_read_or_that_cannot_sign_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        keygen(&at("ed25519"), &["-t", "ed25519", "-N", ""]);
        keygen(&at("locked"), &["-t", "ed25519", "-N", "secret"]);
        keygen(&at("ecdsa"), &["-t", "ecdsa", "-N", ""]);
        std::fs::write(at("noise"), "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n").unwrap();
        std::fs::set_permissions(at("noise"), PermissionsExt::from_mode(0o600)).unwrap();
        symlink(at("ed25519"), at("link")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, wanted) in [
            ("ed25519", "accepted"),
            ("link", "accepted"),
            ("locked", "ssh-keygen -p"),
            ("ecdsa", "signs with ssh-ed25519"),
            ("noise", "not an OpenSSH private key"),
            ("pipe", "not a private key file"),
            (".", "not a private key file"),
            ("ed25519.pub", "chmod 600"),
            ("missing", "No such file"),
        ] {
            assert!(refusal(&at(name)).contains(wanted), "{name}: {}", refusal(&at(name)));
        }
        for mode in [0o640, 0o604, 0o610, 0o601, 0o620, 0o602] {
            std::fs::set_permissions(at("ed25519"), PermissionsExt::from_mode(mode)).unwrap();
            assert!(refusal(&at("ed25519")).contains("chmod 600"), "{mode:o}");
        }
        if Uid::effective().is_root() {
            std::fs::set_permissions(at("ed25519"), PermissionsExt::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(at("ed25519"), Some(65534), None).unwrap();
            assert!(refusal(&at("ed25519")).contains("belongs to user ID 65534"), "{}", refusal(&at("ed25519")));
        }
    }
}
