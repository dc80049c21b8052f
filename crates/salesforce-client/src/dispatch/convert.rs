//! `convertLead`: a call of its own kind, for up to a hundred leads, each of them converted or refused for itself. Pure.
//! (SOAP API Developer Guide, `convertLead()`)

use salesforce_types::{Conversion, Duplicates, RecordId, Step, StepOutcome};

use super::{
    batch::Place,
    call::{ended, unknown},
    change::{Change, Landing},
};
use crate::soap::{self, Element};

/// The operation that converts the leads of these steps.
pub(super) fn operation(changes: &[Change], places: &[Place]) -> Element {
    places.iter().fold(Element::new("convertLead"), |operation, (change, step)| {
        match changes[*change].step(*step) {
            Step::Convert { lead, conversion } => operation.with_child(lead_convert(lead, conversion)),
            _ => operation,
        }
    })
}

/// `LeadConvert`, its members in the order of the WSDL: Salesforce minds it.
fn lead_convert(lead: &RecordId, conversion: &Conversion) -> Element {
    let id = |id: &Option<RecordId>| id.as_ref().map(RecordId::to_string);
    // Without a name Salesforce would make an opportunity with the company's.
    let opportunity = conversion.opportunity.as_deref().filter(|name| !name.trim().is_empty());
    let mut element = Element::new("leadConverts").with_some("accountId", id(&conversion.account).as_deref());
    if conversion.duplicates == Duplicates::Allow {
        element = element.with("bypassAccountDedupeCheck", "true").with("bypassContactDedupeCheck", "true");
    }
    element
        .with_some("contactId", id(&conversion.contact).as_deref())
        .with("convertedStatus", conversion.status.as_deref().unwrap_or_default())
        .with("doNotCreateOpportunity", if opportunity.is_none() { "true" } else { "false" })
        .with("leadId", lead.as_str())
        .with_some("opportunityName", opportunity)
        .with("overwriteLeadSource", "false")
        .with_some("ownerId", id(&conversion.owner).as_deref())
        .with("sendNotificationEmail", "false")
}

/// What the results say of every lead.
pub(super) fn read(results: &[Element], changes: &[Change], places: &[Place]) -> Vec<(Place, Landing)> {
    let lacking = "the answer to convertLead has not one result for each lead";
    let is_whole = results.len() == places.len();
    let landing = |(n, place): (usize, &Place)| {
        let result = results.get(n).filter(|_| is_whole);
        let landing = result.map_or_else(
            || Landing::Ended(unknown(lacking.to_owned())),
            |result| landing(changes[place.0].step(place.1), result),
        );
        (*place, landing)
    };
    places.iter().enumerate().map(landing).collect()
}

fn landing(step: &Step, result: &Element) -> Landing {
    let id = |name: &str| result.value(name).map(RecordId::parse);
    let is_another = matches!((step, id("leadId")), (Step::Convert { lead, .. }, Some(named)) if named.as_ref() != Ok(lead));
    match (result.value("success"), soap::refusal(result), id("contactId")) {
        _ if is_another => Landing::Ended(unknown("a result of convertLead names another lead".to_owned())),
        (Some("true"), _, Some(Ok(contact))) => Landing::Ended(StepOutcome::Done { id: contact }),
        (Some("false"), Some(refusal), _) => ended(refusal),
        _ => Landing::Ended(unknown("a result of convertLead says neither contact nor error".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use model::{ClientName, ResourceId, TenantId};

    use super::*;
    use crate::{Asker, Ticket};

    const LEAD: &str = "00Q5f000005bwLFEAY";
    const CONTACT: &str = "0035500001H9cakAAB";

    fn step() -> Step {
        Step::Convert { lead: LEAD.parse().unwrap(), conversion: Conversion::default() }
    }

    fn outcome(result: &Element) -> Landing {
        landing(&step(), result)
    }

    fn result(success: &str) -> Element {
        Element::new("result").with("leadId", LEAD).with("success", success)
    }

    #[test]
    fn only_a_named_contact_is_a_success() {
        let done = StepOutcome::Done { id: CONTACT.parse().unwrap() };
        assert!(
            matches!(outcome(&result("true").with("contactId", CONTACT)), Landing::Ended(o) if o == done)
        );
        let other = Element::new("result").with("success", "true").with("leadId", "00Q5f000005bwLGEAY");
        for odd in [
            result("true"),
            result("true").with_some("contactId", None),
            result("true").with("contactId", "003"),
            result("false"),
            result("perhaps").with("contactId", CONTACT),
            other.with("contactId", CONTACT),
            Element::new("result"),
        ] {
            assert!(matches!(outcome(&odd), Landing::Ended(StepOutcome::Unknown { .. })), "{odd:?}");
        }
    }

    #[test]
    fn a_refusal_is_final_and_a_lock_is_not() {
        let refused = |code: &str| {
            let error = Element::new("errors").with("message", "no").with("statusCode", code);
            outcome(&result("false").with_some("contactId", None).with_child(error))
        };
        let converted = refused("CANNOT_UPDATE_CONVERTED_LEAD");
        assert!(matches!(converted, Landing::Ended(StepOutcome::Refused(refusal)) if refusal.status == 400));
        assert!(matches!(refused("UNABLE_TO_LOCK_ROW"), Landing::Locked(_)));
        assert!(matches!(refused("UNKNOWN_EXCEPTION"), Landing::Ended(StepOutcome::Unknown { .. })));
    }

    #[test]
    fn an_answer_with_too_few_results_proves_nothing() {
        let asker = Asker {
            tenant: TenantId::new("acme", "prod").unwrap(),
            client: ClientName::new("hr").unwrap(),
            identity: ResourceId::from_text("1"),
        };
        let (change, _receiver) = Change::new(vec![step(), step()], &Ticket::new(asker, false));
        let landings = read(&[result("true").with("contactId", CONTACT)], &[change], &[(0, 0), (0, 1)]);
        let is_unknown = |landing: &Landing| matches!(landing, Landing::Ended(StepOutcome::Unknown { .. }));
        assert!(landings.iter().all(|(_, landing)| is_unknown(landing)) && landings.len() == 2);
    }
}
