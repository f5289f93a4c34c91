//! Ed25519 keys that sign the audit log, the attestations and a person's decisions.
//!
//! Owns: making, keeping and reading keys. Touches: `$XDG_DATA_HOME/narrowroom/keys` or a file that
//! the person names, through [`crate::files::private`]. Zone: 0; no sealed worker ever sees a key.
//!
//! Format: private keys are PKCS#8 PEM files (RFC 5958, RFC 8410), the form that
//! `openssl genpkey -algorithm ed25519` writes; mode 0600, owned by the person who runs the program.
//! Public keys are SPKI PEM (RFC 8410) or 64 hex digits of the raw key.
//!
//! The private half is never printed: [`Key`] shows its id only, and its memory is wiped when it is
//! dropped. There is no way to get the bytes out of it.

use crate::error::{Error, ExitCode, Result};
use crate::files::{self, private};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// File name of the key that the program makes for itself.
pub const PROGRAM: &str = "program";
/// File name of the key that a person on this machine signs with when no other is given.
pub const PERSON: &str = "person";

/// Where the program keeps the key `name`: `$XDG_DATA_HOME/narrowroom/keys/<name>.pem`.
pub fn kept_at(name: &str) -> PathBuf {
    files::data_dir().join("keys").join(format!("{name}.pem"))
}

/// A private key. Its memory is wiped when it is dropped; it can sign and show its public half.
pub struct Key(SigningKey);

impl Key {
    /// The key in `path`, or the program's own when `path` is `None`; made where it is not there yet.
    /// Two processes that make it at once end up with the same one.
    ///
    /// # Errors
    /// A usage error when the file can be read by others, belongs to somebody else, or is not a key.
    pub fn load_or_create(path: Option<&Path>) -> Result<Self> {
        let path = path.map_or_else(|| kept_at(PROGRAM), Path::to_owned);
        if !files::exists(&path) {
            let made = Self::generate()?;
            private::create(&path, made.pem()?.as_bytes())?;
            // Somebody else may have been faster: the file decides.
        }
        Self::load(&path)
    }

    /// The key in `path`, which must be there.
    ///
    /// # Errors
    /// As [`Self::load_or_create`].
    pub fn load(path: &Path) -> Result<Self> {
        let text = private::read(path)?;
        SigningKey::from_pkcs8_pem(&text).map(Self).map_err(|_| {
            Error::usage(format!(
                "failed to read the key {}: it is not an Ed25519 private key in PKCS#8 PEM",
                files::shown(path)
            ))
            .hint("make one with: narrowroom audit key --new FILE, or openssl genpkey -algorithm ed25519")
        })
    }

    /// A new key from the kernel's randomness.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub fn generate() -> Result<Self> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        let mut filled = 0;
        while filled < seed.len() {
            match rustix::rand::getrandom(
                &mut seed[filled..],
                rustix::rand::GetRandomFlags::empty(),
            ) {
                Ok(read) => filled += read,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    return Err(Error::new(
                        ExitCode::Usage,
                        "failed to make a key: the kernel gives no randomness",
                    )
                    .source(error));
                }
            }
        }
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    fn pem(&self) -> Result<Zeroizing<String>> {
        self.0
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| Error::bug("failed to write a key as PEM"))
    }

    /// SHA-256 of the public key's 32 bytes, lower-case hex.
    pub fn id(&self) -> String {
        self.public().id()
    }
    /// The public key, 64 lower-case hex digits.
    pub fn public_hex(&self) -> String {
        self.public().hex()
    }
    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
    /// Signs (RFC 8032, pure Ed25519).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

/// A public key that is safe to verify with: a point of small order is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From the raw 32 bytes.
    ///
    /// # Errors
    /// A usage error when they are no point of the curve, or one of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        VerifyingKey::from_bytes(bytes)
            .ok()
            .filter(|key| !key.is_weak())
            .map(Self)
            .ok_or_else(|| Error::usage("it is not a usable Ed25519 public key"))
    }

    /// From 64 hex digits or SPKI PEM.
    ///
    /// # Errors
    /// A usage error when it is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let mut bytes = [0; 32];
        if hex::decode_to_slice(text, &mut bytes).is_ok() {
            return Self::from_bytes(&bytes);
        }
        VerifyingKey::from_public_key_pem(text)
            .ok()
            .filter(|key| !key.is_weak())
            .map(Self)
            .ok_or_else(|| {
                Error::usage("it is not an Ed25519 public key: neither 64 hex digits nor PEM")
                    .hint("narrowroom audit key prints the public key of this machine")
            })
    }

    /// SHA-256 of the 32 bytes, lower-case hex.
    pub fn id(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }
    /// 64 lower-case hex digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0.as_bytes())
    }
    /// The raw 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
    /// SPKI PEM.
    ///
    /// # Errors
    /// Only a bug.
    pub fn pem(&self) -> Result<String> {
        self.0
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| Error::bug("failed to write a public key as PEM"))
    }
    /// Whether `signature` over `message` is this key's (RFC 8032, with the strict checks against
    /// keys and signatures of small order).
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.hex())
    }
}

/// Whether `signature` over `message` is by `public`, 64 hex digits or PEM. Anything damaged is no.
pub fn verify(public: &str, message: &[u8], signature: &[u8]) -> bool {
    PublicKey::parse(public).is_ok_and(|key| key.verifies(message, signature))
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn the_published_vector_verifies_and_an_altered_one_does_not() {
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        let mut signature = hex::decode("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00").unwrap();
        assert!(verify(public, &[0x72], &signature));
        assert!(!verify(public, &[0x73], &signature));
        signature[0] ^= 1;
        assert!(!verify(public, &[0x72], &signature));
        assert!(!verify(public, &[0x72], &signature[..63]));
        // The neutral element signs everything under lax rules.
        let weak = format!("01{}", "00".repeat(31));
        assert!(PublicKey::parse(&weak).is_err());
    }

    #[test]
    fn a_key_is_made_once_kept_private_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/down/k.pem");
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| Key::load_or_create(Some(&path)).unwrap().public_hex()))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
        let key = Key::load(&path).unwrap();
        assert!(key.public().verifies(b"m", &key.sign(b"m")));
        assert_eq!(
            PublicKey::parse(&key.public().pem().unwrap()).unwrap(),
            key.public()
        );
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_a_hint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.pem");
        Key::load_or_create(Some(&path)).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = Key::load(&path).unwrap_err();
            assert_eq!(error.exit, ExitCode::Usage);
            assert!(error.hint.unwrap().contains("chmod 600"));
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        Key::load(&path).unwrap();
    }

    #[test]
    fn nothing_shows_the_private_half() {
        let key = Key::generate().unwrap();
        let pem = key.pem().unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let shown = format!("{key:?} {:?} {}", key.public(), key.public_hex());
        assert!(!shown.contains(&body[24..]));
        assert!(!shown.contains(&hex::encode(key.0.to_bytes())));
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.pem");
        private::create(
            &path,
            b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
        )
        .unwrap();
        let error = Key::load(&path).unwrap_err();
        assert!(!error.chain().contains("c2VjcmV0"), "{}", error.chain());
    }
}
