//! What a token says.

use std::time::Duration;

use serde_json::{Value, json};

use super::source::*;
use crate::set::{Claims, Code, Expect, Reason, issue, verify};

async fn reason(claims: Value) -> Reason {
    check(&token(&claims)).await.unwrap_err().reason
}

#[tokio::test]
async fn the_claims_are_what_was_signed() {
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: vec!["https://elsewhere.example".to_owned(), AUDIENCE.to_owned()],
        iat: now(),
        toe: Some(now() - Duration::from_secs(2)),
        jti: "7a1f6a50".to_owned(),
        txn: Some("9a71".to_owned()),
        sub: Some("somebody".to_owned()),
        sub_id: Some(json!({ "format": "opaque", "id": "1" })),
        exp: Some(now() + Duration::from_mins(1)),
        events: json!({ "b": {}, "a": { "deep": [1, null] } }).as_object().unwrap().clone(),
    };
    let token = issue(&ONE.ours, &claims).unwrap();
    assert_eq!(check(&token).await.unwrap(), claims);
}

#[tokio::test]
async fn what_a_source_may_leave_out_is_absent() {
    let claims = check(&token(&claims_with(json!({ "toe": null, "txn": null })))).await.unwrap();
    assert_eq!(
        (claims.toe, claims.txn, claims.sub, claims.sub_id, claims.exp),
        (None, None, None, None, None)
    );
}

#[tokio::test]
async fn a_required_claim_that_is_missing_is_named() {
    for name in ["iss", "iat", "jti", "events"] {
        let rejected = check(&token(&claims_with(json!({ name: null })))).await.unwrap_err();
        assert_eq!(rejected.code(), Code::InvalidRequest, "{name}");
        assert!(rejected.description.contains(&format!("`{name}`")), "{rejected}");
    }
}

#[tokio::test]
async fn a_claim_of_another_type_is_refused() {
    for wrong in [
        json!({ "iss": 1 }),
        json!({ "iss": [ISSUER] }),
        json!({ "aud": 1 }),
        json!({ "aud": [AUDIENCE, 1] }),
        json!({ "iat": "1785916800" }),
        json!({ "iat": 1e300 }),
        json!({ "iat": i64::MAX }),
        json!({ "toe": u64::MAX }),
        json!({ "toe": true }),
        json!({ "exp": {} }),
        json!({ "jti": 7 }),
        json!({ "jti": "" }),
        json!({ "jti": "j".repeat(2000) }),
        json!({ "txn": [] }),
        json!({ "sub": {} }),
        json!({ "sub_id": "text" }),
        json!({ "events": [] }),
        json!({ "events": {} }),
        json!({ "events": { "entityUpdated": "text" } }),
    ] {
        assert_eq!(reason(claims_with(wrong.clone())).await, Reason::Claims, "{wrong}");
    }
}

#[tokio::test]
async fn the_payload_is_a_json_object() {
    for wrong in ["", "[]", "null", "1", "\"text\"", "{", "{}}", "{\"iss\":\"a\u{0}\"}", "{\"iat\":1e999}"] {
        assert_eq!(check(&signed(&header(), wrong)).await.unwrap_err().reason, Reason::Malformed, "{wrong}");
    }
}

#[tokio::test]
async fn json_without_end_is_refused_and_takes_no_stack() {
    let deep = format!("{{\"events\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(check(&signed(&header(), &deep)).await.unwrap_err().reason, Reason::Malformed);
}

#[tokio::test]
async fn an_audience_is_a_text_or_a_list_and_a_slash_makes_no_difference() {
    for good in [
        json!(AUDIENCE),
        json!([AUDIENCE]),
        json!(format!("{AUDIENCE}/")),
        json!(["https://elsewhere.example", format!("{AUDIENCE}/")]),
    ] {
        check(&token(&claims_with(json!({ "aud": good })))).await.unwrap();
    }
    let with_slash = Expect { audiences: vec![format!("{AUDIENCE}/")], ..expect() };
    verify(&fixed(&jwks(&[&ONE])), &token(&claims()), &with_slash, now()).await.unwrap();
    for bad in [
        json!(null),
        json!([]),
        json!(""),
        json!("https://gw.example.com/events/akamai/acme/test"),
        json!(format!("{AUDIENCE}//")),
        json!(format!("{AUDIENCE}/x")),
        json!(AUDIENCE.to_uppercase()),
    ] {
        let rejected = check(&token(&claims_with(json!({ "aud": bad })))).await.unwrap_err();
        assert_eq!(rejected.code(), Code::InvalidAudience, "{bad}");
    }
}

#[tokio::test]
async fn an_issuer_is_accepted_letter_for_letter() {
    for bad in ["", "https://source.example/webhooks/", "https://source.example", "Akamai Identity Cloud"] {
        let rejected = check(&token(&claims_with(json!({ "iss": bad })))).await.unwrap_err();
        assert_eq!(rejected.code(), Code::InvalidIssuer, "{bad}");
    }
    let both = Expect { issuers: vec!["Akamai Identity Cloud".to_owned(), ISSUER.to_owned()], ..expect() };
    verify(&fixed(&jwks(&[&ONE])), &token(&claims()), &both, now()).await.unwrap();
}

#[tokio::test]
async fn nobody_and_no_address_is_expected_unless_it_is_said() {
    for nothing in [Expect { issuers: vec![], ..expect() }, Expect { audiences: vec![], ..expect() }] {
        verify(&fixed(&jwks(&[&ONE])), &token(&claims()), &nothing, now()).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_token_is_neither_from_the_future_nor_older_than_a_redelivery() {
    const DAY: i64 = 24 * 3600;
    for (ahead, good) in [
        (240, true),
        (300, true),
        (301, false),
        (600, false),
        (-9 * DAY, true),
        (-10 * DAY, true),
        (-10 * DAY - 1, false),
        (-30 * DAY, false),
    ] {
        let outcome = check(&token(&claims_with(json!({ "iat": IAT + ahead })))).await;
        assert_eq!(
            outcome.map_err(|rejected| rejected.reason).err(),
            (!good).then_some(Reason::Time),
            "{ahead} s"
        );
    }
    // Milliseconds, as some would have it, are no time at all.
    assert_eq!(reason(claims_with(json!({ "iat": IAT * 1000 }))).await, Reason::Claims);
}

#[tokio::test]
async fn the_time_of_an_event_may_have_a_fraction_and_be_any_time() {
    let claims = check(&token(&claims_with(json!({ "iat": 1_785_916_799.5, "toe": -1 })))).await.unwrap();
    assert_eq!(claims.iat.to_string(), "2026-08-05T07:59:59.5Z");
    assert_eq!(claims.toe.unwrap().to_string(), "1969-12-31T23:59:59Z");
}

#[tokio::test]
async fn an_expiry_is_held_where_it_is_allowed() {
    check(&token(&claims_with(json!({ "exp": IAT + 1 })))).await.unwrap();
    for past in [IAT, IAT - 1] {
        assert_eq!(reason(claims_with(json!({ "exp": past }))).await, Reason::Time);
    }
}

#[tokio::test]
async fn shared_signals_have_neither_a_subject_beside_the_events_nor_an_expiry() {
    let strict = Expect { allow_sub: false, allow_exp: false, ..expect() };
    let keys = fixed(&jwks(&[&ONE]));
    verify(&keys, &token(&claims()), &strict, now()).await.unwrap();
    for forbidden in [json!({ "sub": "somebody" }), json!({ "exp": IAT + 60 })] {
        let token = token(&claims_with(forbidden.clone()));
        let rejected = verify(&keys, &token, &strict, now()).await.unwrap_err();
        assert_eq!(rejected.code(), Code::InvalidRequest, "{forbidden}");
        check(&token).await.unwrap();
    }
}

#[tokio::test]
async fn only_a_security_event_is_one() {
    let of_type = |kind: Value| {
        let mut header = header();
        header["typ"] = kind;
        signed(&header, &claims().to_string())
    };
    for good in ["secevent+jwt", "SecEvent+JWT", "application/secevent+jwt", "Application/SECEVENT+jwt"] {
        check(&of_type(json!(good))).await.unwrap();
    }
    // `JWT` is what an ID token has, which the same keys sign.
    for bad in [
        json!("JWT"),
        json!(null),
        json!(""),
        json!("jwt+secevent"),
        json!("application/application/secevent+jwt"),
    ] {
        assert_eq!(check(&of_type(bad.clone())).await.unwrap_err().reason, Reason::Kind, "{bad}");
    }
    assert_eq!(check(&of_type(json!(1))).await.unwrap_err().reason, Reason::Malformed);
}

#[tokio::test]
async fn a_line_break_at_the_end_is_no_part_of_a_token() {
    for end in ["", "\n", "\r\n", "\n\n"] {
        check(&format!("{}{end}", token(&claims()))).await.unwrap();
    }
    for (start, end) in [(" ", ""), ("\n", ""), ("", " "), ("", "."), (".", ""), ("", "\n.")] {
        check(&format!("{start}{}{end}", token(&claims()))).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_token_has_three_parts() {
    let whole = token(&claims());
    let parts: Vec<_> = whole.split('.').collect();
    for bad in ["", ".", "..", "...", parts[0], &parts[..2].join("."), &format!("{whole}.{}", parts[2])] {
        assert_eq!(check(bad).await.unwrap_err().reason, Reason::Malformed, "{bad}");
    }
}

#[tokio::test]
async fn an_extension_that_must_be_understood_is_not() {
    let mut header = header();
    header["crit"] = json!(["b64"]);
    header["b64"] = json!(false);
    assert_eq!(check(&signed(&header, &claims().to_string())).await.unwrap_err().reason, Reason::Malformed);
}

#[tokio::test]
async fn what_is_said_about_a_token_holds_nothing_of_it() {
    const CANARY: &str = "noor.haddad@example.net";
    let mut kinds = Vec::new();
    for name in ["alg", "typ", "kid"] {
        for value in [json!(CANARY), json!({ CANARY: CANARY })] {
            let mut header = header();
            header[name] = value;
            kinds.push(signed(&header, &claims().to_string()));
        }
    }
    for name in ["iss", "aud", "iat", "toe", "jti", "sub_id", "exp", "events"] {
        for value in [json!(CANARY), json!({ CANARY: CANARY }), json!([[CANARY]])] {
            kinds.push(token(&claims_with(json!({ name: value }))));
        }
    }
    let mut rejected = 0;
    for token in kinds {
        if let Err(why) = check(&token).await {
            assert!(!format!("{why:?} {why}").contains("noor"), "{why:?}");
            rejected += 1;
        }
    }
    assert!(rejected > 20, "{rejected}");
}
