//! Leads that become contacts.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;
#[expect(dead_code, reason = "each test file uses a part of it")]
mod world;

use std::{collections::HashSet, time::Duration};

use salesforce_client::{ApiUsage, Cause, OrgConfig};
use salesforce_types::{Conversion, Duplicates, Manner, RecordId, Step, StepOutcome};
use script::{
    Gate, PATIENCE, QUERY, Reply, SOAP, Seen, Server, TOKEN, a_ticket, answer, config, error, org, ticket_of,
    token,
};
use serde_json::json;
use world::{World, all_done, create, done, fault, gists};

fn convert(lead: &RecordId) -> Step {
    into(lead, Conversion::default())
}

fn into(lead: &RecordId, conversion: Conversion) -> Step {
    Step::Convert { lead: lead.clone(), conversion }
}

/// A contact that reports to the one that the first step brings.
fn report(name: &str) -> Step {
    match create("Contact", &[("LastName", name)], Manner::default()) {
        Step::Create { object, fields, manner, .. } => Step::Create {
            object,
            fields,
            refers: [("ReportsToId".to_owned(), 0)].into_iter().collect(),
            manner,
        },
        other => other,
    }
}

impl World {
    async fn lead(&self, name: &str) -> RecordId {
        let company = format!("{name} Ltd");
        self.make("Lead", &[("LastName", name), ("Company", &company)]).await
    }

    async fn leads(&self, number: usize) -> Vec<RecordId> {
        let manner = Manner::default();
        let steps = (0..number).map(|n| {
            let (name, company) = (format!("Lead{n}"), format!("Company{n}"));
            vec![create("Lead", &[("LastName", &name), ("Company", &company)], manner)]
        });
        self.crowd(&steps.collect::<Vec<_>>()).await.iter().map(|outcomes| done(&outcomes[0])).collect()
    }
}

#[tokio::test]
async fn a_lead_becomes_a_contact_of_a_new_account_in_one_call() {
    let world = World::start().await;
    let lead = world.lead("Lovelace").await;
    let writes = world.org.calls().of(Cause::Write);
    let outcomes = world.org.act(&[convert(&lead)], &a_ticket(false)).await;
    let contact = world.record("Contact", &done(&outcomes[0]));
    assert_eq!(contact["LastName"], "Lovelace");
    let lead = world.record("Lead", &lead);
    assert_eq!((&lead["IsConverted"], &lead["Status"]), (&json!(true), &json!("Closed - Converted")));
    assert_eq!(lead["ConvertedContactId"], contact["Id"]);
    assert_eq!(lead["ConvertedAccountId"], contact["AccountId"]);
    assert_eq!(lead["ConvertedOpportunityId"], json!(null));
    assert_eq!(world.org.calls().of(Cause::Write) - writes, 1);
    assert_eq!(world.org.calls().of(Cause::Catalogue), 1, "which status means converted");

    let second = world.lead("Babbage").await;
    assert!(all_done(&world.org.act(&[convert(&second)], &a_ticket(false)).await));
    assert_eq!(world.org.calls().of(Cause::Catalogue), 1, "is remembered");
    let calls = world.sim.handle().api_calls();
    assert_eq!(world.org.usage().map(|usage| usage.used), Some(calls), "SOAP says what is left, too");
}

#[tokio::test]
async fn account_contact_owner_and_opportunity_are_those_that_were_named() {
    let world = World::start().await;
    let account = world.make("Account", &[("Name", "Engines plc")]).await;
    let known = world.make("Contact", &[("LastName", "King"), ("AccountId", account.as_str())]).await;
    let owner =
        world.sim.handle().user("admin@harbour-lights.example").unwrap()["Id"].as_str().unwrap().parse();
    let owner: RecordId = owner.unwrap();
    let name = " Tea & <scones> \"for\" 'two' – 茶\t]]> ";
    let conversion = Conversion {
        status: Some("Closed - Converted".into()),
        account: Some(account.clone()),
        opportunity: Some(name.into()),
        owner: Some(owner.clone()),
        ..Conversion::default()
    };
    let lead = world.lead("Lovelace").await;
    let outcomes = world.org.act(&[into(&lead, conversion.clone())], &a_ticket(false)).await;
    let contact = world.record("Contact", &done(&outcomes[0]));
    assert_eq!((&contact["AccountId"], &contact["OwnerId"]), (&json!(account), &json!(owner)));
    let opportunity = world.sim.handle().records("Opportunity").remove(0);
    assert_eq!(opportunity["Name"], name.trim(), "texts arrive as they were");
    assert_eq!(opportunity["AccountId"], json!(account));

    let lead = world.lead("Byron").await;
    let merged = Conversion { contact: Some(known.clone()), opportunity: Some(" ".into()), ..conversion };
    let outcomes = world.org.act(&[into(&lead, merged)], &a_ticket(false)).await;
    assert_eq!(done(&outcomes[0]), known);
    assert_eq!(world.sim.handle().count("Opportunity"), 1, "one without a name is none");
    assert_eq!(world.org.calls().of(Cause::Catalogue), 0, "the status was named");
}

#[tokio::test]
async fn two_hundred_and_fifty_at_once_share_calls_and_each_gets_its_own_contact() {
    let world = World::start().await;
    let leads = world.leads(250).await;
    let before = world.org.calls().of(Cause::Write);
    let changes: Vec<_> = leads
        .iter()
        .enumerate()
        .map(|(n, lead)| vec![convert(lead), report(&format!("Report{n}"))])
        .collect();
    let outcomes = world.crowd(&changes).await;
    let (kept, people) = (world.records("Lead"), world.records("Contact"));
    let mut contacts = HashSet::new();
    for (lead, outcomes) in leads.iter().zip(&outcomes) {
        let contact = done(&outcomes[0]);
        assert_eq!(kept[lead]["ConvertedContactId"], contact.as_str());
        assert_eq!(people[&done(&outcomes[1])]["ReportsToId"], contact.as_str());
        contacts.insert(contact);
    }
    assert_eq!(contacts.len(), 250);
    let calls = world.org.calls().of(Cause::Write) - before;
    assert!(calls <= 40, "{calls} calls");
    assert_eq!(world.org.calls().of(Cause::Catalogue), 1, "one asks for the status for all");
}

/// Conversions with every kind of fault among them.
async fn mixed(world: &World) -> Vec<Vec<Step>> {
    let gone = world.lead("Gone").await;
    let delete = Step::Delete { object: "Lead".into(), id: gone.clone() };
    assert!(all_done(&world.org.act(&[delete], &a_ticket(false)).await));
    let past = world.lead("Past").await;
    assert!(all_done(&world.org.act(&[convert(&past)], &a_ticket(false)).await));
    let nowhere: RecordId = "001000000000001AAA".parse().unwrap();
    let mut all = Vec::new();
    for (n, lead) in world.leads(60).await.into_iter().enumerate() {
        let usual = Conversion::default();
        let step = match n % 10 {
            0 => convert(&gone),
            1 => convert(&past),
            2 => into(&lead, Conversion { status: Some("Working - Contacted".into()), ..usual }),
            3 => into(&lead, Conversion { account: Some(nowhere.clone()), ..usual }),
            4 => into(&lead, Conversion { account: Some(lead.clone()), ..usual }),
            5 => into(&lead, Conversion { opportunity: Some("bell \u{7}".into()), ..usual }),
            _ => convert(&lead),
        };
        let mut steps = vec![step, report(&format!("Report{n}"))];
        if n % 10 == 6 {
            let title = [("Title".to_owned(), json!("x".repeat(500)))].into_iter().collect();
            let update =
                Step::Update { object: "Lead".into(), id: lead, fields: title, manner: Manner::default() };
            steps = vec![update, steps[0].clone()];
        }
        all.push(steps);
    }
    all
}

#[tokio::test]
async fn lone_and_crowd_end_alike() {
    let (one, other) = (World::start().await, World::start().await);
    let lone = gists(&one.each(&mixed(&one).await).await);
    let crowd = gists(&other.crowd(&mixed(&other).await).await);
    for (n, (lone, crowd)) in lone.iter().zip(&crowd).enumerate() {
        assert_eq!(lone, crowd, "change {n}");
    }
    let codes: Vec<&str> =
        lone[..8].iter().map(|outcomes| outcomes[0].split(' ').next().unwrap_or_default()).collect();
    assert_eq!(
        codes,
        [
            "INVALID_CROSS_REFERENCE_KEY",
            "CANNOT_UPDATE_CONVERTED_LEAD",
            "INVALID_STATUS",
            "INVALID_CROSS_REFERENCE_KEY",
            "MALFORMED_ID",
            "XML_PARSER_ERROR",
            "STRING_TOO_LONG",
            "done"
        ]
    );
    assert_eq!(lone[0][1], "not sent: the record that it refers to was not made");
    assert_eq!(lone[6][1], "done", "a refused step stops only what refers to it");
}

#[tokio::test]
async fn a_cut_call_leaves_the_end_unknown_and_nothing_is_sent_twice() {
    let world = World::start().await;
    let lead = world.lead("Lovelace").await;
    world.sim.handle().add_fault(fault("cut-after-commit", "/Soap"));
    let ticket = a_ticket(false);
    let outcomes = world.org.act(&[convert(&lead), report("Report")], &ticket).await;
    assert!(
        matches!(outcomes.as_slice(), [StepOutcome::Unknown { .. }, StepOutcome::NotSent { .. }]),
        "{outcomes:?}"
    );
    assert!(!ticket.withdraw());
    assert_eq!(world.record("Lead", &lead)["IsConverted"], true);
    assert_eq!(world.sim.handle().count("Contact"), 1);
    // Whoever does not read back first hears that it is done.
    let outcomes = world.org.act(&[convert(&lead)], &ticket).await;
    let StepOutcome::Refused(refusal) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(refusal.code, "CANNOT_UPDATE_CONVERTED_LEAD");
}

#[tokio::test]
async fn a_contact_that_is_there_already_is_named_and_none_is_made_beside_it_unless_allowed() {
    let world = World::start().await;
    let who = [("FirstName", "Ada"), ("LastName", "Lovelace"), ("Email", "ada@example.com")];
    let account = world.make("Account", &[("Name", "Engines")]).await;
    let known = world.make("Contact", &[&who[..], &[("AccountId", account.as_str())]].concat()).await;
    let lead = world.make("Lead", &[&who[..], &[("Company", "Engines")]].concat()).await;
    let outcomes = world.org.act(&[convert(&lead)], &a_ticket(false)).await;
    let StepOutcome::Refused(refusal) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(
        (refusal.code.as_str(), refusal.records.as_slice()),
        ("DUPLICATES_DETECTED", &[known.clone()][..])
    );

    let other = world.make("Lead", &[&who[..], &[("Company", "Engines")]].concat()).await;
    let allowed = Conversion { duplicates: Duplicates::Allow, ..Conversion::default() };
    let made = world.org.act(&[into(&other, allowed)], &a_ticket(false)).await;
    assert_ne!(done(&made[0]), known);
    let adopted =
        Conversion { account: Some(account), contact: Some(known.clone()), ..Conversion::default() };
    assert_eq!(done(&world.org.act(&[into(&lead, adopted)], &a_ticket(false)).await[0]), known);
}

#[tokio::test]
async fn locked_leads_are_tried_again() {
    let world = World::start().await;
    let leads = world.leads(40).await;
    for _ in 0..3 {
        world.sim.handle().add_fault(fault("lock", "/Soap"));
    }
    let changes: Vec<_> = leads.iter().map(|lead| vec![convert(lead)]).collect();
    assert!(world.crowd(&changes).await.iter().all(|outcomes| all_done(outcomes)));
    assert_eq!(world.sim.handle().count("Contact"), 40);
}

#[tokio::test]
async fn an_expired_token_is_renewed() {
    let world = World::start().await;
    let leads = world.leads(20).await;
    assert!(all_done(&world.org.act(&[convert(&world.lead("First").await)], &a_ticket(false)).await));
    assert!(world.sim.handle().expire_tokens() > 0);
    let changes: Vec<_> = leads.iter().map(|lead| vec![convert(lead)]).collect();
    assert!(world.crowd(&changes).await.iter().all(|outcomes| all_done(outcomes)));
    assert_eq!(world.org.calls().of(Cause::Token), 2, "one login for all");
}

#[tokio::test]
async fn an_org_without_a_status_for_it_refuses_and_does_the_rest() {
    let world = World::from_file("no-status", "[[lead-statuses]]\nname = \"New\"\n").await;
    let lead = world.lead("Lovelace").await;
    let steps =
        [convert(&lead), report("Report"), create("Contact", &[("LastName", "King")], Manner::default())];
    let outcomes = world.org.act(&steps, &a_ticket(false)).await;
    let StepOutcome::Refused(refusal) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(
        (refusal.code.as_str(), refusal.fields.as_slice()),
        ("INVALID_STATUS", &["Status".to_owned()][..])
    );
    assert!(matches!(&outcomes[1], StepOutcome::NotSent { .. }));
    done(&outcomes[2]);
}

const CONTACT: &str = "0035500001H9cakAAB";

fn xml(status: u16, body: &str) -> Reply {
    Reply::Answer {
        status,
        headers: vec![("content-type", "text/xml;charset=UTF-8".to_owned())],
        body: format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>{body}</soapenv:Body>\
             </soapenv:Envelope>"
        ),
    }
}

fn soap_fault(code: &str) -> Reply {
    xml(
        500,
        &format!(
            "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}</faultstring></soapenv:Fault>"
        ),
    )
}

fn converted(leads: usize) -> Reply {
    let result = format!("<result><contactId>{CONTACT}</contactId><success>true</success></result>");
    xml(200, &format!("<convertLeadResponse>{}</convertLeadResponse>", result.repeat(leads)))
}

/// An org that converts everything, but for what the script says.
async fn scripted(script: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |seen, url| match (seen.line.as_str(), script(seen)) {
        (_, Some(reply)) => reply,
        (TOKEN, None) => token(url, "tok<en>"),
        (QUERY, None) => answer(200, &json!({"done": true, "records": [{"ApiName": "Won"}]})),
        (SOAP, None) => converted(seen.body.matches("<leadConverts>").count()),
        (other, None) => panic!("{other}"),
    })
    .await
}

fn lead(n: usize) -> RecordId {
    format!("00Q5f0000{n:06}").parse().unwrap()
}

#[tokio::test]
async fn a_call_is_an_envelope_with_the_session_in_it() {
    let server = scripted(|_| None).await;
    let outcomes = org(config(&server.url)).act(&[convert(&lead(1))], &a_ticket(false)).await;
    assert_eq!(outcomes, [StepOutcome::Done { id: CONTACT.parse().unwrap() }]);
    let request = &server.seen(SOAP)[0];
    assert_eq!(request.header("content-type"), Some("text/xml; charset=UTF-8"));
    assert_eq!(request.header("soapaction"), Some("\"\""));
    assert_eq!(request.header("authorization"), None);
    assert!(request.body.contains("<SessionHeader><sessionId>tok&lt;en&gt;</sessionId></SessionHeader>"));
    // The order of the WSDL.
    let expected = format!(
        "<convertLead><leadConverts><accountId xsi:nil=\"true\"/><contactId xsi:nil=\"true\"/>\
         <convertedStatus>Won</convertedStatus><doNotCreateOpportunity>true</doNotCreateOpportunity>\
         <leadId>{}</leadId><opportunityName xsi:nil=\"true\"/><overwriteLeadSource>false</overwriteLeadSource>\
         <ownerId xsi:nil=\"true\"/><sendNotificationEmail>false</sendNotificationEmail></leadConverts></convertLead>",
        lead(1)
    );
    assert!(request.body.contains(&expected), "{}", request.body);
    assert_eq!(server.seen(QUERY)[0].query.matches("LeadStatus").count(), 1);
}

#[tokio::test]
async fn faults_are_taken_as_rest_takes_its_errors() {
    for (code, calls, is_expected) in [
        (
            "SERVER_UNAVAILABLE",
            3,
            (|outcome| matches!(outcome, StepOutcome::NotSent { .. })) as fn(&StepOutcome) -> bool,
        ),
        ("UNABLE_TO_LOCK_ROW", 6, |outcome| {
            matches!(outcome, StepOutcome::NotSent { retry_after: Some(_), .. })
        }),
        (
            "REQUEST_LIMIT_EXCEEDED",
            1,
            |outcome| matches!(outcome, StepOutcome::NotSent { retry_after: Some(pause), .. } if *pause == Duration::from_mins(15)),
        ),
        ("INVALID_SESSION_ID", 3, |outcome| matches!(outcome, StepOutcome::NotSent { .. })),
        ("UNKNOWN_EXCEPTION", 1, |outcome| matches!(outcome, StepOutcome::Unknown { .. })),
        (
            "API_CURRENTLY_DISABLED",
            1,
            |outcome| matches!(outcome, StepOutcome::Refused(refusal) if refusal.status == 403),
        ),
    ] {
        let server = scripted(move |seen| (seen.line == SOAP).then(|| soap_fault(code))).await;
        let outcomes = org(config(&server.url)).act(&[convert(&lead(1))], &a_ticket(false)).await;
        assert!(is_expected(&outcomes[0]), "{code}: {outcomes:?}");
        assert_eq!(server.count(SOAP), calls, "{code}");
    }
}

#[tokio::test]
async fn while_the_status_cannot_be_read_no_lead_is_converted() {
    let server =
        scripted(|seen| (seen.line == QUERY).then(|| error(503, "SERVER_UNAVAILABLE", "busy"))).await;
    let ticket = a_ticket(false);
    let outcomes = org(config(&server.url)).act(&[convert(&lead(1))], &ticket).await;
    assert!(matches!(outcomes.as_slice(), [StepOutcome::NotSent { .. }]), "{outcomes:?}");
    assert_eq!(server.count(SOAP), 0);
    assert!(ticket.withdraw(), "nothing has left");
}

#[tokio::test]
async fn the_one_who_spoils_a_call_is_found_and_nobody_else_suffers() {
    let gate = Gate::default();
    let held = gate.clone();
    let bad = lead(17).to_string();
    let server = scripted(move |seen| match seen.line.as_str() {
        SOAP if seen.earlier == 0 => Some(converted(1).after(&held)),
        SOAP if seen.body.contains(&bad) => Some(soap_fault("INVALID_FIELD")),
        _ => None,
    })
    .await;
    let org = org(OrgConfig { max_in_flight: 1, ..config(&server.url) });
    let steps: Vec<[Step; 1]> = (0..12).map(|n| [convert(&lead(n + 10))]).collect();
    let first = [convert(&lead(1))];
    let acts = steps.iter().enumerate().map(|(n, step)| {
        let (ticket, org) = (ticket_of("acme/prod", "hr", &n.to_string(), false), &org);
        async move { org.act(step, &ticket).await }
    });
    let others = async {
        server.record.wait_for(SOAP).await;
        let opened = async {
            while org.waiting() < 12 {
                tokio::task::yield_now().await;
            }
            gate.open();
        };
        tokio::join!(futures::future::join_all(acts), opened).0
    };
    let ticket = a_ticket(false);
    let both = async { tokio::join!(org.act(&first, &ticket), others) };
    let (_, outcomes) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    for (n, outcomes) in outcomes.iter().enumerate() {
        match outcomes.as_slice() {
            [StepOutcome::Refused(refusal)] => assert_eq!((n, refusal.code.as_str()), (7, "INVALID_FIELD")),
            outcomes => assert!(all_done(outcomes), "{n}: {outcomes:?}"),
        }
    }
    assert!(server.count(SOAP) < 12, "{}", server.count(SOAP));
    assert_eq!(org.usage(), None::<ApiUsage>, "nobody said how many calls are left");
}
