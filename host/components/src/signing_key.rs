//! The secret half of a key: made, read from its file, and used to sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign::{KeyPair, SecretKey, SecretKeyBox};

use crate::signature::PublicKey;

/// Length of a secret key in bytes, by the format.
const SECRET_KEY_BYTES: usize = 158;

/// A key that can sign. Has no `Debug`: nothing may show it.
pub struct SigningKey {
    secret: SecretKey,
    public: PublicKey,
}

/// Why a key cannot be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// Not a minisign secret key.
    #[error("it is no minisign secret key: make one with `host plugin keys generate`")]
    Malformed,
    /// A password was given that does not fit, or none where one is needed.
    #[error("the password does not fit this key")]
    Password,
    /// The halves of the key do not belong together.
    #[error("the secret key is damaged: its two halves do not belong together; take a copy of it")]
    Damaged,
    /// The system gave no randomness, or no memory for the password.
    #[error("no key could be made or used ({0}); try again")]
    System(String),
}

impl SigningKey {
    /// A new key from the system's randomness.
    pub fn generate() -> Result<Self, SigningKeyError> {
        let pair = KeyPair::generate_unencrypted_keypair().map_err(system)?;
        Ok(Self { secret: pair.sk, public: PublicKey::known(pair.pk) })
    }

    /// A new key and the text of its file, which only the password opens.
    pub fn generate_locked(password: &str) -> Result<(Self, String), SigningKeyError> {
        let pair = KeyPair::generate_encrypted_keypair(Some(password.to_owned())).map_err(system)?;
        let text = file_text(&pair.sk)?;
        Ok((Self::read(&text, Some(password))?, text))
    }

    /// Whether the text of a key file can be used only with its password.
    pub fn is_locked(text: &str) -> Result<bool, SigningKeyError> {
        match decode(text)?.get(..4) {
            Some(b"Ed\0\0") => Ok(false),
            Some(b"EdSc") => Ok(true),
            _ => Err(SigningKeyError::Malformed),
        }
    }

    /// Reads the text of a key file.
    pub fn read(text: &str, password: Option<&str>) -> Result<Self, SigningKeyError> {
        let secret = if Self::is_locked(text)? {
            let password = password.ok_or(SigningKeyError::Password)?.to_owned();
            let boxed = SecretKeyBox::from_string(text).map_err(|_| SigningKeyError::Malformed)?;
            boxed.into_secret_key(Some(password)).map_err(|_| SigningKeyError::Password)?
        } else {
            // `minisign -W` writes no checksum, so the library's own reader refuses its
            // keys; that the halves fit is checked whenever something is signed.
            SecretKey::from_bytes(&decode(text)?).map_err(|_| SigningKeyError::Malformed)?
        };
        let public = minisign::PublicKey::from_secret_key(&secret).map_err(|_| SigningKeyError::Malformed)?;
        Ok(Self { secret, public: PublicKey::known(public) })
    }

    /// The text of its file, without a password.
    pub fn to_text(&self) -> Result<String, SigningKeyError> {
        file_text(&self.secret)
    }

    /// Its public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The text of the signature file for these bytes. The comment is one line and is
    /// signed with them.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, SigningKeyError> {
        let untrusted = format!("signature from key {}", self.public.id());
        let signed =
            minisign::sign(Some(self.public.inner()), &self.secret, bytes, Some(comment), Some(&untrusted));
        signed.map(minisign::SignatureBox::into_string).map_err(|_| SigningKeyError::Damaged)
    }
}

fn file_text(secret: &SecretKey) -> Result<String, SigningKeyError> {
    let text = secret.to_box(Some("minisign secret key")).map_err(system)?;
    Ok(text.into_string())
}

fn decode(text: &str) -> Result<Vec<u8>, SigningKeyError> {
    let line = text.lines().nth(1).unwrap_or_default().trim();
    let bytes = STANDARD.decode(line).map_err(|_| SigningKeyError::Malformed)?;
    if bytes.len() == SECRET_KEY_BYTES { Ok(bytes) } else { Err(SigningKeyError::Malformed) }
}

#[allow(clippy::needless_pass_by_value)] // is handed to `map_err`
fn system(error: minisign::PError) -> SigningKeyError {
    SigningKeyError::System(error.to_string())
}
