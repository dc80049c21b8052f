use std::collections::HashMap;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Reason, Rejected,
    algorithm::{Algorithm, Family},
    token::Token,
};

/// Shorter can be broken, longer is not verified by the library.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Key sets are written by many hands; RFC 7518 wants no padding, and some pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The public keys that a source signs with, by their `kid` (RFC 7517).
#[derive(Default)]
pub(super) struct Keys {
    /// A `kid` is unique in a proper set. Where it is not, each of its keys is the source's own, and may have signed.
    by_id: HashMap<String, Vec<Key>>,
    /// How many keys cannot be used: for encryption, too short, of another kind, without a `kid`.
    pub skipped: usize,
}

struct Key {
    family: Family,
    /// The only algorithm it is for, where the set says so.
    only: Option<Algorithm>,
    public: DecodingKey,
}

/// One entry of a key set, as far as it matters here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads `{"keys": [..]}` or the bare array. A key that cannot be used does not spoil the others.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        const NONE: &str = "what came is no key set: `{\"keys\": [..]}` or an array was expected";
        let entries = match serde_json::from_slice(json).map_err(|_| NONE)? {
            Value::Array(entries) => entries,
            Value::Object(mut set) => match set.remove("keys") {
                Some(Value::Array(entries)) => entries,
                _ => return Err(NONE),
            },
            _ => return Err(NONE),
        };
        let mut keys = Self::default();
        for entry in entries {
            match serde_json::from_value(entry).ok().and_then(|jwk: Jwk| Some((jwk.usable()?, jwk.kid))) {
                Some((key, kid)) => keys.by_id.entry(kid).or_default().push(key),
                None => keys.skipped += 1,
            }
        }
        Ok(keys)
    }

    pub fn len(&self) -> usize {
        self.by_id.values().map(Vec::len).sum()
    }

    pub fn contains(&self, kid: &str) -> bool {
        self.by_id.contains_key(kid)
    }

    /// Whether one of the keys that the token names has signed it.
    pub fn check(&self, token: &Token<'_>, algorithm: Algorithm) -> Result<(), Rejected> {
        let named = self.by_id.get(token.header.key()?).map(Vec::as_slice).unwrap_or_default();
        let mut fitting = named.iter().filter(|key| key.fits(algorithm)).peekable();
        if fitting.peek().is_none() {
            let description = format!("the key that the token names is not one for {algorithm}");
            return Err(Rejected::new(Reason::Algorithm, description));
        }
        if fitting.any(|key| key.signed(token, algorithm)) {
            return Ok(());
        }
        Err(Rejected::new(Reason::Signature, "the signature is not that of the key that the token names"))
    }
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        self.family == algorithm.family() && self.only.is_none_or(|only| only == algorithm)
    }

    fn signed(&self, token: &Token<'_>, algorithm: Algorithm) -> bool {
        // An error is a signature that is not even base64.
        jsonwebtoken::crypto::verify(token.signature, token.signed.as_bytes(), &self.public, algorithm.jws())
            .unwrap_or(false)
    }
}

impl Jwk {
    /// The key, if it is for signatures and of a kind and a strength that may be relied on.
    fn usable(&self) -> Option<Key> {
        let for_signatures = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        if !for_signatures || self.kid.is_empty() {
            return None;
        }
        let only = match &self.alg {
            Some(name) => Some(name.parse::<Algorithm>().ok()?),
            None => None,
        };
        let (family, public) = match self.kty.as_str() {
            "RSA" => (Family::Rsa, self.rsa()?),
            "EC" => (Family::P256, self.p256()?),
            _ => return None,
        };
        only.is_none_or(|only| only.family() == family).then_some(Key { family, only, public })
    }

    fn rsa(&self) -> Option<DecodingKey> {
        let (n, e) = (number(self.n.as_ref()?)?, number(self.e.as_ref()?)?);
        let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
        // One and even exponents leave what was "signed" readable by, or forgeable for, everybody.
        let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        let sound = RSA_BITS.contains(&bits) && odd(&n) && odd(&e) && e != [1];
        sound.then(|| DecodingKey::from_rsa_raw_components(&n, &e))
    }

    fn p256(&self) -> Option<DecodingKey> {
        if self.crv.as_deref() != Some("P-256") {
            return None;
        }
        let (x, y) = (BASE64.decode(self.x.as_ref()?).ok()?, BASE64.decode(self.y.as_ref()?).ok()?);
        if x.len() != 32 || y.len() != 32 {
            return None;
        }
        // The uncompressed form (SEC 1 §2.3.3).
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        let on_the_curve = aws_lc_rs::signature::ParsedPublicKey::new(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED,
            &point,
        );
        on_the_curve.is_ok().then(|| DecodingKey::from_ec_der(&point))
    }
}

/// A big number without the zeros that some put before it.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(text).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec())
}
