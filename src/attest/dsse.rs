//! DSSE v1: an envelope around bytes, signed over their pre-authentication encoding
//! (<https://github.com/secure-systems-lab/dsse>, protocol.md and envelope.md).

use crate::error::{Error, Result};
use crate::keys::{Key, PublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A signed payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// Base64 of the payload's bytes.
    pub payload: String,
    /// How to read it.
    pub payload_type: String,
    /// One or more signatures over [`pae`].
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Which key; a hint, never trusted.
    pub keyid: String,
    /// Base64 of the signature.
    pub sig: String,
}

/// The bytes that are signed: `DSSEv1 <length> <type> <length> <payload>`.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl Envelope {
    /// An envelope with no signature yet.
    pub fn new(payload_type: &str, payload: &[u8]) -> Self {
        Self {
            payload: STANDARD.encode(payload),
            payload_type: payload_type.to_owned(),
            signatures: vec![],
        }
    }

    /// The payload's bytes, unverified.
    ///
    /// # Errors
    /// Refused input when they are no base64.
    pub fn payload(&self) -> Result<Vec<u8>> {
        STANDARD
            .decode(&self.payload)
            .map_err(|_| Error::refused("an envelope is damaged: its payload is no base64"))
    }

    /// Adds a signature; one that this key made before is replaced.
    ///
    /// # Errors
    /// As [`Self::payload`].
    pub fn sign(&mut self, key: &Key) -> Result<()> {
        let bytes = pae(&self.payload_type, &self.payload()?);
        let keyid = key.id();
        self.signatures.retain(|one| one.keyid != keyid);
        self.signatures.push(Signature {
            sig: STANDARD.encode(key.sign(&bytes)),
            keyid,
        });
        Ok(())
    }

    /// Whether one of the signatures is `key`'s and holds. Key ids are not looked at.
    ///
    /// # Errors
    /// As [`Self::payload`].
    pub fn is_signed_by(&self, key: &PublicKey) -> Result<bool> {
        let bytes = pae(&self.payload_type, &self.payload()?);
        Ok(self.signatures.iter().any(|one| {
            STANDARD
                .decode(&one.sig)
                .is_ok_and(|signature| key.verifies(&bytes, &signature))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of protocol.md, and the borders that the encoding exists for.
    #[test]
    fn the_encoding_is_that_of_the_published_example() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
        assert_eq!(pae("ää", b"\xff"), b"DSSEv1 4 \xc3\xa4\xc3\xa4 1 \xff");
        assert_ne!(pae("a", b"b 1 c"), pae("a 5 b", b"c"));
    }

    #[test]
    fn an_envelope_holds_for_its_signers_only_and_for_no_other_bytes() {
        let (program, person, other) = (
            Key::generate().unwrap(),
            Key::generate().unwrap(),
            Key::generate().unwrap(),
        );
        let mut envelope = Envelope::new("application/vnd.in-toto+json", b"{}");
        envelope.sign(&program).unwrap();
        envelope.sign(&person).unwrap();
        envelope.sign(&person).unwrap();
        assert_eq!(envelope.signatures.len(), 2);
        assert!(envelope.is_signed_by(&program.public()).unwrap());
        assert!(envelope.is_signed_by(&person.public()).unwrap());
        assert!(!envelope.is_signed_by(&other.public()).unwrap());
        let mut altered = envelope.clone();
        altered.payload = STANDARD.encode(b"[]");
        assert!(!altered.is_signed_by(&program.public()).unwrap());
        altered = envelope.clone();
        altered.payload_type.push('x');
        assert!(!altered.is_signed_by(&program.public()).unwrap());
        // A key id that lies changes nothing.
        envelope.signatures[0].keyid = other.id();
        assert!(envelope.is_signed_by(&program.public()).unwrap());
        assert!(!envelope.is_signed_by(&other.public()).unwrap());
    }
}
