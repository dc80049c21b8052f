//! Targets for Contact and Lead: what a mapping can say of them, and what an org says to that.

use salesforce_types::ObjectDescription;
use serde_json::{Value, json};
use translation::{
    AccountMissing, ConversionWish, Conversions, DuplicatePolicy, Mapping, MappingError, OnLeave, Severity,
    Target, WhenDeleted,
};

use crate::org::user;

/// One person as a lead, a customer and a partner's user.
const EVERYTHING: &str = include_str!("../data/everything.toml");

fn parsed(text: &str) -> Mapping {
    Mapping::parse(text, "acme.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn target<'m>(mapping: &'m Mapping, name: &str) -> &'m Target {
    mapping.targets.iter().find(|target| target.name.as_str() == name).expect("a target")
}

#[test]
fn every_key_of_a_target_is_read() {
    let mapping = parsed(EVERYTHING);
    let leads = target(&mapping, "leads");
    assert_eq!((leads.object.as_str(), leads.external_id.as_deref()), ("Lead", Some("PersonKey__c")));
    assert_eq!(leads.matching, ["Email", "Phone"]);
    assert!(leads.allow.create && leads.allow.update && leads.allow.delete && !leads.allow.disable);
    assert_eq!(leads.on_leave, OnLeave::Delete);
    assert!(!leads.required && leads.assignment_rules);
    assert_eq!(leads.record_type.as_deref(), Some("Partner"));
    assert_eq!(leads.duplicates, DuplicatePolicy::Adopt);
    assert_eq!(leads.when_deleted, WhenDeleted::Hold);
    assert_eq!(leads.mapped_fields().filter(|field| *field == "Campaign__r").count(), 0);
    assert_eq!(leads.relationships().collect::<Vec<_>>(), ["Campaign__r"]);

    let customers = target(&mapping, "customers");
    assert_eq!(customers.on_leave, OnLeave::Flag);
    assert_eq!(
        serde_json::to_value(&customers.flag).unwrap(),
        json!({"Left_Company__c": true, "Status__c": "gone"})
    );
    assert_eq!(customers.conversion.how, Conversions::Convert);
    assert_eq!(customers.conversion.account_missing, AccountMissing::Refuse);

    let partners = target(&mapping, "partners");
    assert_eq!((partners.object.as_str(), partners.external_id.as_deref()), ("User", None));
    let own: Vec<&str> = partners.own_links().map(model::TargetName::as_str).collect();
    assert_eq!(own, ["customers"], "the manager's record is not the person's own");

    let newsletter = target(&mapping, "newsletter");
    assert_eq!(newsletter.external_id, None);
    assert_eq!(newsletter.on_leave, OnLeave::Anonymise);
    assert_eq!(newsletter.conversion.how, Conversions::Beside);
    assert!(!newsletter.allow.create && newsletter.allow.update);
}

#[test]
fn a_contact_or_lead_that_says_little_is_upserted_by_the_scim_id_and_stays() {
    for object in ["Contact", "Lead"] {
        let text = format!(
            "[targets.t]\nobject = \"{object}\"\n[targets.t.fields]\nLastName = 'user.name.familyName'\nEmail = 'email(user)'\n"
        );
        let mapping = parsed(&text);
        let target = &mapping.targets[0];
        assert_eq!(target.external_id.as_deref(), Some("GangwayId__c"));
        assert_eq!(target.matching, ["Email"], "the external id is matched first by itself");
        assert!(target.allow.create && target.allow.update);
        assert!(!target.allow.delete && !target.allow.disable && !target.allow.deprovision);
        assert_eq!((target.on_leave, target.required), (OnLeave::None, true));
        assert_eq!(target.duplicates, DuplicatePolicy::Respect);
        assert_eq!(target.when_deleted, WhenDeleted::Create);
        assert!(!target.assignment_rules && target.record_type.is_none() && target.flag.is_empty());
        let wish = target.conversion(&user(json!({"userName": "u", "organization": "ACME"})));
        assert_eq!(wish, Ok(ConversionWish::default()));
    }
}

#[test]
fn a_conversion_takes_its_account_from_the_table_first() {
    let mapping = parsed(EVERYTHING);
    let wish = |body: Value| target(&mapping, "customers").conversion(&user(body)).expect("a conversion");
    let acme = wish(json!({"userName": "u", "organization": " ACME BV ", "title": "Buyer"}));
    assert_eq!(
        acme,
        ConversionWish {
            account: Some("001D000000IqhSLIAZ".to_owned()),
            opportunity: Some("ACME BV  - new".to_owned()),
            owner: Some("005D0000001rrT1IAI".to_owned()),
            status: Some("Closed - Converted".to_owned()),
        }
    );
    let other = wish(json!({"userName": "u", "organization": "Initech"}));
    assert_eq!(other.account.as_deref(), Some("Initech"));
    let nobody = wish(json!({"userName": "u"}));
    assert_eq!((nobody.account, nobody.owner.is_some()), (None, true));
}

/// A lead must not end in the account of its company because an expression does not work for somebody.
#[test]
fn an_account_that_cannot_be_told_is_refused() {
    let text = EVERYTHING.replace("account = 'user.organization'", "account = 'email(user.organization)'");
    let wish = |body: Value| target(&parsed(&text), "customers").conversion(&user(body));
    assert_eq!(wish(json!({"userName": "u"})).expect("a conversion").account, None);
    let refusal = wish(json!({"userName": "u", "organization": "ACME"})).expect_err("no address");
    assert_eq!(refusal.field, "AccountId");
    assert!(refusal.attribute.as_deref().is_some_and(|name| name.ends_with(":organization")), "{refusal:?}");
    assert!(refusal.detail.starts_with("`account` of the mapping's conversion"), "{}", refusal.detail);
}

#[test]
fn the_fingerprint_stands_for_the_text() {
    let mapping = parsed(EVERYTHING);
    assert_eq!(mapping.fingerprint(), parsed(EVERYTHING).fingerprint());
    assert_ne!(mapping.fingerprint(), parsed(&format!("{EVERYTHING}\n")).fingerprint());
    // The first digits that `sha256sum` shows.
    let text = "[targets.t]\nobject = \"Contact\"\n[targets.t.fields]\nLastName = 'user.name.familyName'\n";
    assert_eq!(parsed(text).fingerprint(), "7dc70594e8a1e601");
}

#[test]
fn targets_without_an_org_cannot_refer_to_another_org() {
    let text = r#"
        [targets.customers]
        org = "acme-prod"
        object = "Contact"
        [targets.customers.fields]
        LastName = 'user.name.familyName'
        [targets.partners]
        object = "User"
        [targets.partners.fields]
        ContactId = { link = "customers" }
    "#;
    let org = |name: &str| model::OrgName::new(name).unwrap();
    let mapping = parsed(text);
    assert_eq!(mapping.check_orgs(&org("acme-prod")), []);
    let errors = mapping.check_orgs(&org("acme-uat"));
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].line, 10);
    assert!(
        errors[0].message.contains("in the org `acme-prod`, and this target in `acme-uat`"),
        "{}",
        errors[0]
    );
}

fn field(name: &str, more: Value) -> Value {
    let mut field = json!({
        "name": name, "type": "string", "length": 80, "nillable": true, "createable": true, "updateable": true,
    });
    if let (Value::Object(field), Value::Object(more)) = (&mut field, more) {
        field.extend(more);
    }
    field
}

/// An org's Lead with all that the example asks for.
fn lead(key: Value) -> ObjectDescription {
    let mut fields = vec![
        field("LastName", json!({"nillable": false})),
        field("Company", json!({"nillable": false})),
        field("Email", json!({"type": "email"})),
        field("Phone", json!({"type": "phone"})),
        field("HasOptedOutOfEmail", json!({"type": "boolean", "nillable": false})),
        field(
            "OwnerId",
            json!({"type": "reference", "referenceTo": ["Group", "User"], "relationshipName": "Owner",
            "nillable": false, "defaultedOnCreate": true}),
        ),
        field(
            "RecordTypeId",
            json!({"type": "reference", "referenceTo": ["RecordType"], "defaultedOnCreate": true}),
        ),
        field(
            "Campaign__c",
            json!({"type": "reference", "referenceTo": ["Campaign"], "relationshipName": "Campaign__r"}),
        ),
    ];
    if !key.is_null() {
        fields.push(field("PersonKey__c", key));
    }
    let record_type = |id: &str, name: &str, available: bool| json!({"recordTypeId": id, "name": name, "developerName": name, "available": available});
    serde_json::from_value(json!({
        "name": "Lead", "fields": fields,
        "recordTypeInfos": [record_type("0125f000000LpQbAAK", "Partner", true), record_type("0125f000000LpQcAAK", "Retail", false)],
    }))
    .expect("a describe")
}

fn campaign(key: Value) -> ObjectDescription {
    serde_json::from_value(json!({"name": "Campaign", "fields": [field("Code__c", key)]}))
        .expect("a describe")
}

fn sentences(errors: Vec<MappingError>) -> Vec<String> {
    let sentence = |error: MappingError| {
        let advice = error.suggestion.map(|name| format!(" ({name}?)")).unwrap_or_default();
        format!("{:?} {}:{} {}{advice}", error.severity, error.line, error.column, error.message)
    };
    errors.into_iter().map(sentence).collect()
}

#[test]
fn an_org_that_has_everything_has_nothing_to_say() {
    let mapping = parsed(EVERYTHING);
    let key = json!({"externalId": true, "unique": true});
    let campaign = campaign(json!({"externalId": true}));
    assert_eq!(sentences(mapping.check_in(&[&lead(key.clone()), &campaign], |_| true)), Vec::<String>::new());
    assert_eq!(sentences(mapping.check(&lead(key))), Vec::<String>::new(), "without the Campaign at hand");
}

/// Creates are possible without the external id, though not as safe.
#[test]
fn a_missing_external_id_is_a_warning_and_one_that_is_none_an_error() {
    let mapping = parsed(EVERYTHING);
    let of = |key: Value| {
        let errors = mapping.check_in(&[&lead(key)], |target| target.name.as_str() == "leads");
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        (error.severity, error.message.clone())
    };
    let (severity, message) = of(Value::Null);
    assert_eq!(severity, Severity::Warning);
    assert!(
        message.contains("Lead has no field `PersonKey__c`") && message.contains("external-id = false"),
        "{message}"
    );
    for (key, why) in [
        (json!({"externalId": true}), "not marked as both unique and an external id"),
        (json!({"unique": true}), "not marked as both unique and an external id"),
        (json!({"externalId": true, "unique": true, "createable": false}), "cannot be written"),
        (json!({"externalId": true, "unique": true, "length": 18}), "less than the 40 characters"),
    ] {
        let (severity, message) = of(key);
        assert_eq!(severity, Severity::Error);
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn what_an_org_lacks_is_said_with_its_place() {
    let text = EVERYTHING
        .replace("record-type = \"Partner\"", "record-type = \"Partnr\"")
        .replace("Campaign__r         =", "Campain__r         =");
    let key = json!({"externalId": true, "unique": true});
    insta::assert_snapshot!(sentences(parsed(&text).check(&lead(key.clone()))).join("\n"));
    let retail = EVERYTHING.replace("record-type = \"Partner\"", "record-type = \"Retail\"");
    let errors = sentences(parsed(&retail).check(&lead(key.clone())));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("may not choose the record type `Retail`"), "{errors:?}");
    let campaign = campaign(json!({"externalId": false}));
    let errors = sentences(parsed(EVERYTHING).check_in(&[&lead(key), &campaign], |_| true));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("`Code__c` is not marked as an external id of Campaign"), "{errors:?}");
}

#[test]
fn links_lead_to_the_object_that_the_field_refers_to() {
    let reference = |name: &str, to: &str, updateable: bool| {
        field(name, json!({"type": "reference", "referenceTo": [to], "updateable": updateable}))
    };
    let describe: ObjectDescription = serde_json::from_value(json!({
        "name": "User",
        "fields": [reference("ContactId", "Contact", false), reference("ManagerId", "User", true), field("Title", json!({}))],
    }))
    .expect("a describe");
    let check = |rule: &str| {
        let text = format!(
            "[targets.customers]\nobject = \"Contact\"\n[targets.customers.fields]\nLastName = 'user.name.familyName'\n\
             [targets.staff]\nobject = \"User\"\n[targets.staff.fields]\n{rule}\n"
        );
        sentences(parsed(&text).check(&describe))
    };
    assert_eq!(check("ContactId = { link = \"customers\" }"), Vec::<String>::new(), "it never changes");
    assert_eq!(check("ManagerId = { from = 'manager.value', link = \"staff\" }"), Vec::<String>::new());
    let wrong = check("ManagerId = { link = \"customers\" }");
    assert!(
        wrong[0].contains("`ManagerId` refers to User, and the target `customers` makes a Contact"),
        "{wrong:?}"
    );
    let no_reference = check("Title = { link = \"customers\" }");
    assert!(no_reference[0].contains("`Title` refers to no record"), "{no_reference:?}");
}

fn contact(more: &[Value]) -> ObjectDescription {
    let mut fields = vec![
        field("LastName", json!({"nillable": false})),
        field("Email", json!({"type": "email"})),
        field("GangwayId__c", json!({"externalId": true, "unique": true})),
        field("Left_Company__c", json!({"type": "boolean", "nillable": false})),
        field(
            "AccountId",
            json!({"type": "reference", "referenceTo": ["Account"], "relationshipName": "Account"}),
        ),
        field("ReportsToId", json!({"type": "reference", "referenceTo": ["Contact"]})),
    ];
    fields.extend_from_slice(more);
    serde_json::from_value(json!({"name": "Contact", "fields": fields})).expect("a describe")
}

/// What marks a person who left can be taken back.
#[test]
fn a_flag_is_checked_against_the_org() {
    let mapping = parsed(EVERYTHING);
    let check = |status: Value| {
        let customers = |target: &Target| target.name.as_str() == "customers";
        sentences(mapping.check_in(&[&contact(&[field("Status__c", status)])], customers))
    };
    assert_eq!(check(json!({})), Vec::<String>::new());
    for (status, why) in [
        (json!({"nillable": false, "defaultedOnCreate": true}), "cannot be emptied again"),
        (json!({"updateable": false}), "cannot be changed in this org"),
        (json!({"length": 3}), "the flag does not fit `Status__c`"),
    ] {
        let said = check(status);
        assert!(said.len() == 1 && said[0].contains(why), "{said:?}");
    }
    let said = sentences(mapping.check_in(&[&contact(&[])], |target| target.name.as_str() == "customers"));
    assert!(said.len() == 1 && said[0].contains("Contact has no field `Status__c`"), "{said:?}");
}

#[test]
fn the_status_of_a_converted_lead_is_one_that_leads_have() {
    let status = |value: &str| json!({"value": value, "active": true});
    let picklist =
        json!({"type": "picklist", "picklistValues": [status("Open"), status("Closed - Converted")]});
    let lead: ObjectDescription =
        serde_json::from_value(json!({"name": "Lead", "fields": [field("Status", picklist)]}))
            .expect("a describe");
    let contact = contact(&[field("Status__c", json!({}))]);
    let check = |text: &str| {
        let customers = |target: &Target| target.name.as_str() == "customers";
        sentences(parsed(text).check_in(&[&contact, &lead], customers))
    };
    assert_eq!(check(EVERYTHING), Vec::<String>::new());
    let said = check(&EVERYTHING.replace("Closed - Converted", "Closed - Convertd"));
    assert!(said.len() == 1 && said[0].contains("leads have no status `Closed - Convertd`"), "{said:?}");
    assert!(said[0].ends_with("(Closed - Converted?)"), "{said:?}");
}

#[test]
fn a_record_type_needs_its_field() {
    let mut lead = lead(json!({"externalId": true, "unique": true}));
    lead.fields.retain(|field| field.name != "RecordTypeId");
    let said = sentences(parsed(EVERYTHING).check(&lead));
    assert!(said.len() == 1 && said[0].contains("`RecordTypeId` of Lead cannot be written"), "{said:?}");
}

/// An owner may be a user or a queue; only some keys tell which.
#[test]
fn a_key_tells_which_object_it_finds() {
    let check = |key: &str| {
        let text = format!(
            "[targets.t]\nobject = \"Lead\"\nexternal-id = \"PersonKey__c\"\n[targets.t.fields]\nLastName = 'family_name(user)'\n\
             Company = {{ default = \"-\" }}\nOwner = {{ by = \"{key}\", value = 'user.manager.value' }}\n"
        );
        sentences(parsed(&text).check(&lead(json!({"externalId": true, "unique": true}))))
    };
    assert_eq!(check("FederationIdentifier"), Vec::<String>::new());
    let said = check("ExtId__c");
    assert!(
        said.len() == 1 && said[0].contains("`Owner` is a Group or User, and `ExtId__c` does not tell"),
        "{said:?}"
    );
}

/// One field is not written under two names.
#[test]
fn a_relationship_and_its_field_are_not_both_filled() {
    let text = "[targets.t]\nobject = \"Contact\"\n[targets.t.fields]\nLastName = 'family_name(user)'\n\
                AccountId = 'user.costCenter'\nAccount = { by = \"ExtId__c\", value = 'user.organization' }\n";
    let said = sentences(parsed(text).check(&contact(&[])));
    assert!(
        said.len() == 1 && said[0].contains("`Account` and `AccountId` write the same field"),
        "{said:?}"
    );
}

/// The targets of another org are none of this one's business.
#[test]
fn only_the_targets_of_the_org_are_checked() {
    let mapping = parsed(EVERYTHING);
    let lacking = lead(Value::Null);
    assert_eq!(mapping.check_in(&[&lacking], |target| target.object != "Lead"), []);
    assert_eq!(mapping.check_in(&[&lacking], |_| true).len(), 3, "one for each of the three lead targets");
}
