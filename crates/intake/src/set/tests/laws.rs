//! What holds for every token and every key set.

use std::sync::LazyLock;

use futures::executor::block_on;
use proptest::{collection, prelude::*};
use serde_json::{Map, Value, json};

use super::source::*;
use crate::set::{Claims, Code, KeySet, Reason, issue, keys::Keys, verify};

static KEYS: LazyLock<KeySet> = LazyLock::new(|| fixed(&jwks(&[&ONE])));
static TOKEN: LazyLock<String> = LazyLock::new(|| token(&claims()));

fn judged(token: &str) -> Result<Claims, Reason> {
    block_on(verify(&KEYS, token, &expect(), now())).map_err(|rejected| rejected.reason)
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::hash_map(".{0,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Whole numbers only: what is written and read as a float may differ in its last bit.
fn payload() -> impl Strategy<Value = Map<String, Value>> {
    collection::hash_map(
        "[a-zA-Z:/-]{1,20}",
        prop_oneof![any::<i64>().prop_map(Value::from), ".{0,20}".prop_map(Value::from)],
        0..4,
    )
    .prop_map(|map| map.into_iter().collect())
}

prop_compose! {
    fn good_claims()(
        others in collection::vec(".{0,20}", 0..3),
        place in 0..3_usize,
        ahead in -10 * 86_400..=300_i64,
        toe in proptest::option::of(-2_000_000_000..4_000_000_000_i64),
        jti in ".{1,40}",
        txn in proptest::option::of(".{0,20}"),
        sub in proptest::option::of(".{0,20}"),
        sub_id in proptest::option::of(payload()),
        left in proptest::option::of(1..1_000_000_i64),
        events in collection::hash_map("[a-z:/]{1,30}", payload(), 1..3),
    ) -> Claims {
        let at = |seconds| model::Timestamp::from_second(seconds).unwrap();
        let mut aud = others;
        aud.insert(place.min(aud.len()), AUDIENCE.to_owned());
        Claims {
            iss: ISSUER.to_owned(), aud, iat: at(IAT + ahead), toe: toe.map(at), jti, txn, sub,
            sub_id: sub_id.map(Value::Object), exp: left.map(|left| at(IAT + left)),
            events: events.into_iter().map(|(name, payload)| (name, Value::Object(payload))).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_was_signed_right_and_is_in_time_verifies_and_is_what_was_signed(claims in good_claims()) {
        let token = issue(&ONE.ours, &claims).unwrap();
        prop_assert_eq!(judged(&token), Ok(claims));
    }

    #[test]
    fn claims_of_any_kind_are_judged_and_no_reason_to_fall_over(
        name in prop_oneof![Just("iss"), Just("aud"), Just("iat"), Just("toe"), Just("jti"), Just("txn"), Just("sub_id"), Just("exp"), Just("events")],
        value in any_json(),
    ) {
        if let Err(reason) = judged(&token(&claims_with(json!({ name: value })))) {
            prop_assert!(matches!(reason, Reason::Claims | Reason::Issuer | Reason::Audience | Reason::Time), "{:?}", reason);
        }
    }

    #[test]
    fn a_header_of_any_kind_is_judged_and_no_reason_to_fall_over(
        name in prop_oneof![Just("alg"), Just("typ"), Just("kid"), Just("crit")],
        value in any_json(),
    ) {
        let mut header = header();
        header[name] = value;
        prop_assert!(judged(&signed(&header, &claims().to_string())).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_token_with_any_byte_changed_is_refused(at in any::<proptest::sample::Index>(), byte in 0..128_u8) {
        let mut bytes = TOKEN.clone().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        prop_assert!(judged(&String::from_utf8(bytes).unwrap()).is_err());
    }

    #[test]
    fn a_token_with_any_part_cut_out_or_put_in_is_refused(from in any::<proptest::sample::Index>(), to in any::<proptest::sample::Index>(), put in "[A-Za-z0-9_.-]{0,3}") {
        let (from, to) = (from.index(TOKEN.len()), to.index(TOKEN.len()));
        let (from, to) = (from.min(to), from.max(to));
        prop_assume!(TOKEN[from..to] != put);
        let token = format!("{}{put}{}", &TOKEN[..from], &TOKEN[to..]);
        prop_assert!(judged(&token).is_err());
    }

    #[test]
    fn any_text_is_refused(text in ".{0,200}") {
        prop_assert!(judged(&text).is_err());
    }

    #[test]
    fn any_three_parts_are_refused(header in ".{0,60}", payload in any::<Vec<u8>>(), signature in any::<Vec<u8>>()) {
        let token = format!("{}.{}.{}", base64(header), base64(payload), base64(signature));
        prop_assert_eq!(judged(&token), Err(Reason::Malformed));
    }

    #[test]
    fn any_signature_is_refused(signature in any::<[u8; 32]>(), times in 0..10_usize) {
        let (signed, _) = TOKEN.rsplit_once('.').unwrap();
        prop_assert_eq!(judged(&format!("{signed}.{}", base64(signature.repeat(times)))), Err(Reason::Signature));
    }

    #[test]
    fn any_key_set_is_read_or_refused(set in any_json(), bytes in any::<Vec<u8>>(), n in any::<Vec<u8>>(), e in any::<Vec<u8>>()) {
        let _ = Keys::parse(&bytes);
        let _ = Keys::parse(set.to_string().as_bytes());
        let key = json!([{ "kty": "RSA", "kid": "one", "n": base64(&n), "e": base64(&e) }, set]);
        // Whatever is in there: it is no key of ours.
        if let Ok(keys) = KeySet::fixed(key.to_string().as_bytes()) {
            let judged = block_on(verify(&keys, &TOKEN, &expect(), now()));
            prop_assert_eq!(judged.unwrap_err().code(), Code::InvalidKey);
        }
    }
}
