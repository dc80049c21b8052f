//! `convertLead`: up to 100 leads, each of them converted or refused for itself.

use serde_json::{Map, Value};

use super::{Call, Element, Fault, text_of};
use crate::{
    crm::convert::{self, Converted, LeadConvert, MAX_LEADS},
    errors::{Refusal, Refusals},
    request::Headers,
    schema::Kind,
};

/// How many records a call writes: a lead with its account, contact and opportunity.
pub(super) fn records(operation: &Element) -> usize {
    4 * leads(operation).count()
}

fn leads(operation: &Element) -> impl Iterator<Item = &Element> {
    operation.children.iter().filter(|child| child.name == "leadConverts")
}

pub(super) fn run(call: &mut Call) -> Result<Vec<Element>, Fault> {
    let wanted: Vec<LeadConvert> = leads(call.operation).map(|lead| lead_convert(call, lead)).collect();
    if wanted.len() > MAX_LEADS {
        let message =
            format!("record limit reached. cannot submit more than {MAX_LEADS} leads into this call");
        return Err(Fault::new("EXCEEDED_LEAD_CONVERT_LIMIT", message));
    }
    let headers = headers(call.header);
    let before = call.org.mark();
    let mut done: Vec<Result<Converted, Refusals>> = Vec::with_capacity(wanted.len());
    for wanted in &wanted {
        let mark = call.org.mark();
        let converted = convert::convert(call.org, wanted, &headers, call.actor);
        if converted.is_err() {
            call.org.roll_back(mark);
        }
        done.push(converted);
    }
    if option(call.header, "AllOrNoneHeader", "allOrNone") && done.iter().any(Result::is_err) {
        call.org.roll_back(before);
        for converted in done.iter_mut().filter(|converted| converted.is_ok()) {
            let message = "Record rolled back because not all records were valid and the request was using \
                AllOrNone header";
            *converted = Err(vec![Refusal::record("ALL_OR_NONE_OPERATION_ROLLED_BACK", message, &[])]);
        }
    }
    Ok(done.iter().map(result).collect())
}

/// What SOAP says in header elements and REST in HTTP headers.
fn headers(header: &Element) -> Headers {
    let allow = option(header, "DuplicateRuleHeader", "allowSave");
    Headers { duplicate_rules: allow.then(|| "allowSave=true".to_owned()), ..Headers::default() }
}

fn option(header: &Element, element: &str, name: &str) -> bool {
    header.child(element).is_some_and(|element| is_true(element.value(name)))
}

fn is_true(text: Option<&str>) -> bool {
    matches!(text.map(str::trim), Some("true" | "1"))
}

fn lead_convert(call: &Call, lead: &Element) -> LeadConvert {
    let text =
        |name: &str| lead.value(name).map(str::trim).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    let flag = |name: &str| is_true(lead.value(name));
    let record =
        |name: &str, object: &str| lead.child(name).map(|r| body(call, object, r)).unwrap_or_default();
    LeadConvert {
        lead_id: text("leadId").unwrap_or_default(),
        converted_status: text("convertedStatus"),
        account_id: text("accountId"),
        account_record: record("accountRecord", "Account"),
        contact_id: text("contactId"),
        contact_record: record("contactRecord", "Contact"),
        opportunity_id: text("opportunityId"),
        opportunity_name: text("opportunityName"),
        opportunity_record: record("opportunityRecord", "Opportunity"),
        do_not_create_opportunity: flag("doNotCreateOpportunity"),
        overwrite_lead_source: flag("overwriteLeadSource"),
        owner_id: text("ownerId"),
        send_notification_email: flag("sendNotificationEmail"),
        bypass_account_dedupe_check: flag("bypassAccountDedupeCheck"),
        bypass_contact_dedupe_check: flag("bypassContactDedupeCheck"),
    }
}

/// An `sObject` element as a body. SOAP writes every value as text: the field knows what it is.
fn body(call: &Call, object: &str, record: &Element) -> Map<String, Value> {
    let object = call.org.schema.object(object);
    let fields = record.children.iter().filter(|child| child.name != "type" && !child.nil);
    let value = |child: &Element| {
        let text = child.text.clone();
        match object.and_then(|object| object.field(&child.name)).map(|field| field.kind) {
            Some(Kind::Boolean) => Value::Bool(is_true(Some(&text))),
            Some(Kind::Int | Kind::Double) => text.parse().map_or(Value::String(text), Value::Number),
            _ => Value::String(text),
        }
    };
    fields.map(|child| (child.name.clone(), value(child))).collect()
}

/// `LeadConvertResult`, in the order of the WSDL.
fn result(converted: &Result<Converted, Refusals>) -> Element {
    let result = Element::new("result");
    match converted {
        Ok(converted) => result
            .with("accountId", converted.account.to_string())
            .with("contactId", converted.contact.to_string())
            .with("leadId", converted.lead.to_string())
            .with_some("opportunityId", converted.opportunity.map(|id| id.to_string()))
            .with("success", "true"),
        Err(refusals) => {
            let result = result.with_some("accountId", None).with_some("contactId", None);
            let result = refusals.iter().fold(result, |result, refusal| result.with_child(error(refusal)));
            result.with_some("leadId", None).with_some("opportunityId", None).with("success", "false")
        }
    }
}

/// `Error` of the WSDL, and `DuplicateError` for what duplicate rules say.
pub(super) fn error(refusal: &Refusal) -> Element {
    let fields = refusal.fields.iter().flatten();
    let error = fields
        .fold(Element::new("errors"), |error, field| error.with("fields", field.clone()))
        .with("message", refusal.message.clone())
        .with("statusCode", refusal.code.clone());
    // REST misspells it.
    match refusal.detail.as_ref().and_then(|detail| detail.get("duplicateResut")?.as_object()) {
        Some(found) => {
            let found = members(Element::new("duplicateResult"), found);
            Element { kind: Some("DuplicateError".into()), ..error.with_child(found) }
        }
        None => error,
    }
}

/// Adds the members of an object of the data API: a list is the same element again and again.
fn members(element: Element, object: &Map<String, Value>) -> Element {
    object.iter().fold(element, |element, (name, value)| match value {
        // What REST tells of a record's kind and address is only the kind here.
        Value::Object(attributes) if name == "attributes" => {
            element.with_some("type", attributes.get("type").and_then(text_of))
        }
        Value::Array(values) => values.iter().fold(element, |element, value| member(element, name, value)),
        value => member(element, name, value),
    })
}

fn member(element: Element, name: &str, value: &Value) -> Element {
    match value {
        Value::Object(object) => element.with_child(members(Element::new(name), object)),
        value => element.with_some(name, text_of(value)),
    }
}
