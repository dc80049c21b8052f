//! §3.3, §4: picklists of states and countries, where an org has them.

use serde_json::{Value, json};

use crate::world::{V, World, with};

const LEADS: &str = "/services/data/v66.0/sobjects/Lead";
const CONTACTS: &str = "/services/data/v66.0/sobjects/Contact";
const USERS: &str = "/services/data/v66.0/sobjects/User";

async fn start() -> World {
    World::from_file("[org]\nfeatures = [\"state-country-picklists\"]\n").await
}

fn lead(address: Value) -> Value {
    with(json!({"LastName": "Lovelace", "Company": "Engines"}), address)
}

async fn made(world: &World, path: &str, body: Value) -> Value {
    let id = world.post(path, body).await.expect(201)["id"].as_str().unwrap().to_owned();
    world.get(&format!("{path}/{id}")).await.expect(200)
}

#[tokio::test]
async fn without_the_feature_there_are_no_codes_and_any_text_is_a_country() {
    let world = World::start().await;
    world.post(LEADS, lead(json!({"CountryCode": "NL"}))).await.expect_error(400, "INVALID_FIELD");
    let lead = made(&world, LEADS, lead(json!({"Country": "Atlantis", "State": "Deep"}))).await;
    assert_eq!((&lead["Country"], &lead["Address"]["state"]), (&json!("Atlantis"), &json!("Deep")));
    assert_eq!(lead["Address"].get("countryCode"), None);
}

#[tokio::test]
async fn a_code_brings_its_name_and_a_name_its_code() {
    let world = start().await;
    let by_code = made(&world, LEADS, lead(json!({"CountryCode": "BR", "StateCode": "AL"}))).await;
    assert_eq!((&by_code["Country"], &by_code["State"]), (&json!("Brazil"), &json!("Alagoas")));
    assert_eq!(by_code["Address"]["countryCode"], "BR");
    assert_eq!(by_code["Address"]["stateCode"], "AL");
    let by_name = made(&world, LEADS, lead(json!({"Country": "United States", "State": "Alabama"}))).await;
    assert_eq!((&by_name["CountryCode"], &by_name["StateCode"]), (&json!("US"), &json!("AL")));
    let address = json!({"LastName": "L", "OtherCountryCode": "CA", "OtherStateCode": "QC", "MailingCountryCode": "NL"});
    let contact = made(&world, CONTACTS, address).await;
    assert_eq!(
        (&contact["OtherState"], &contact["MailingCountry"]),
        (&json!("Quebec"), &json!("Netherlands"))
    );
    let body = with(world.person("ada@example.com").await, json!({"CountryCode": "AU", "StateCode": "NSW"}));
    assert_eq!(made(&world, USERS, body).await["State"], "New South Wales");
}

#[tokio::test]
async fn what_the_org_does_not_list_is_refused_in_salesforces_words() {
    let world = start().await;
    for (address, field, words) in [
        (
            json!({"Country": "US"}),
            "Country",
            "There's a problem with this country, even though it may appear correct. Please select a country/territory from the list of valid countries.: Country",
        ),
        (
            json!({"CountryCode": "XX"}),
            "CountryCode",
            "The CountryCode field contains XX, which isn't an available country/territory. Your administrator can add it for you.",
        ),
        (
            json!({"Country": "Netherlands", "State": "Utrecht"}),
            "State",
            "There's a problem with this state, even though it may appear correct. Please select a state from the list of valid states.: State/Province",
        ),
        (
            json!({"CountryCode": "NL", "StateCode": "UT"}),
            "StateCode",
            "The existing country/territory doesn't recognize the state value for field: State/Province Code",
        ),
        (
            json!({"CountryCode": "NL", "StateCode": "QQ"}),
            "StateCode",
            "The StateCode field contains QQ, which isn't an available state. Your administrator can add it for you.",
        ),
        (
            json!({"State": "Texas"}),
            "State",
            "A country/territory must be specified before specifying a state value for field: State/Province",
        ),
        (
            json!({"StateCode": "TX"}),
            "StateCode",
            "A country/territory must be specified before specifying a state value for field: State/Province Code",
        ),
        (
            json!({"Country": "Canada", "CountryCode": "US"}),
            "Country",
            "Mismatched integration value and ISO code for field: Country",
        ),
    ] {
        let error =
            world.post(LEADS, lead(address.clone())).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
        assert_eq!(
            (error["message"].as_str().unwrap(), &error["fields"]),
            (words, &json!([field])),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_state_is_one_of_its_country_also_when_the_country_changes() {
    let world = start().await;
    let texas = made(&world, LEADS, lead(json!({"CountryCode": "US", "StateCode": "TX"}))).await;
    let path = format!("{LEADS}/{}", texas["Id"].as_str().unwrap());
    for change in [json!({"CountryCode": "CA"}), json!({"CountryCode": null}), json!({"Country": null})] {
        world.patch(&path, change).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    }
    // What stays as it is may be said again, and another field may change.
    world.patch(&path, json!({"CountryCode": "US", "City": "Austin"})).await.expect(204);
    world.patch(&path, json!({"CountryCode": "CA", "StateCode": "BC"})).await.expect(204);
    let moved = world.get(&path).await.expect(200);
    assert_eq!((&moved["Country"], &moved["State"]), (&json!("Canada"), &json!("British Columbia")));
    world.patch(&path, json!({"StateCode": null, "CountryCode": null})).await.expect(204);
    let cleared = world.get(&path).await.expect(200);
    for field in ["Country", "State", "CountryCode", "StateCode"] {
        assert_eq!(cleared[field], Value::Null, "{field}");
    }
}

/// §2.6: `validFor` is a bitmap over the controlling picklist, the highest bit first.
#[tokio::test]
async fn describe_says_which_states_go_with_which_country() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let world = start().await;
    let describe = world.get(&format!("{V}/sobjects/Contact/describe")).await.expect(200);
    let field = |name: &str| {
        let fields = describe["fields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).unwrap().clone()
    };
    let (states, countries) = (field("MailingStateCode"), field("MailingCountryCode"));
    assert_eq!(states["controllerName"], "MailingCountryCode");
    assert_eq!(
        (&states["dependentPicklist"], &countries["dependentPicklist"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(states["restrictedPicklist"], false, "as recorded");
    let countries = countries["picklistValues"].as_array().unwrap();
    assert_eq!(countries.len(), 249);
    let of = |state: &Value| {
        let bits = BASE64_STANDARD.decode(state["validFor"].as_str().unwrap()).unwrap();
        let on = (0..countries.len()).filter(|at| bits[at / 8] & (0x80 >> (at % 8)) != 0);
        on.map(|at| countries[at]["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let named: Vec<_> = states["picklistValues"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|state| state["value"] == "AL")
        .map(|state| (state["label"].as_str().unwrap(), of(state)))
        .collect();
    assert_eq!(named, [("Alabama", vec!["US".to_owned()]), ("Alagoas", vec!["BR".to_owned()])]);
}

/// An org lists what its administrator lists.
#[tokio::test]
async fn an_org_file_can_shorten_the_list() {
    let world = World::from_file(
        "[org]\nfeatures = [\"state-country-picklists\"]\n[picklists]\n\"Lead.CountryCode\" = [\"BR\", \"NL\"]\n\
         \"Lead.StateCode\" = [\"AL\"]\n",
    )
    .await;
    assert_eq!(
        made(&world, LEADS, lead(json!({"CountryCode": "BR", "StateCode": "AL"}))).await["State"],
        "Alagoas"
    );
    for address in [json!({"CountryCode": "US"}), json!({"CountryCode": "BR", "StateCode": "SP"})] {
        world.post(LEADS, lead(address)).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    }
}

#[tokio::test]
async fn a_conversion_carries_the_address_over() {
    let world = start().await;
    let texas = made(&world, LEADS, lead(json!({"CountryCode": "US", "StateCode": "TX"}))).await;
    let done = world
        .control("/convert-lead", json!({"leadId": texas["Id"], "convertedStatus": "Closed - Converted"}))
        .await;
    let contact = format!("{CONTACTS}/{}", done["contactId"].as_str().unwrap());
    let contact = world.get(&contact).await.expect(200);
    assert_eq!((&contact["MailingStateCode"], &contact["MailingCountryCode"]), (&json!("TX"), &json!("US")));
}
