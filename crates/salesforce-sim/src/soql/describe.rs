//! What a query will do, told instead of done: `?columns=true` and `?explain=`.

use serde_json::{Map, Value, json};

use super::{
    eval,
    plan::{Column, Content, Groups, Output, Path, Plan, Test},
};
use crate::{org::Org, schema::Kind};

/// `query?q=...&columns=true`, which the Salesforce CLI asks for before it prints a table.
pub(super) fn columns(plan: &Plan) -> Value {
    let metadata = match &plan.output {
        Output::Total => Vec::new(),
        Output::Rows(columns) => of_rows(plan, columns),
        Output::Groups(groups) => of_groups(groups),
    };
    let selects_id = |column: &Column| matches!(&column.content, Content::Value(scalar) if scalar.path.relation.is_none() && scalar.path.field == 0);
    let id = matches!(&plan.output, Output::Rows(columns) if columns.iter().any(selects_id));
    json!({
        "columnMetadata": metadata,
        "entityName": plan.object.name,
        "groupBy": matches!(&plan.output, Output::Groups(groups) if !groups.keys.is_empty()),
        "idSelected": id,
        "keyPrefix": plan.object.key_prefix,
    })
}

fn of_groups(groups: &Groups) -> Vec<Value> {
    let column = |column: &super::plan::GroupColumn| {
        let mut entry = entry(None, &column.name, &column.shown);
        if column.is_key {
            entry = self::entry(Some(&groups.keys[column.cell].path), &column.name, &column.name);
        } else {
            let aggregate = &groups.aggregates[column.cell - groups.keys.len()];
            let kind = aggregate.function.result(aggregate.of.kind());
            entry.insert("aggregate".into(), json!(true));
            types(&mut entry, kind);
        }
        Value::Object(entry)
    };
    groups.columns.iter().map(column).collect()
}

/// Columns of a parent stand together below the relationship, where its first one is selected.
fn of_rows(plan: &Plan, columns: &[Column]) -> Vec<Value> {
    let mut metadata: Vec<Value> = Vec::new();
    for column in columns {
        match &column.content {
            Content::Children { plan, .. } => {
                let mut entry = entry(None, &column.key, &column.key);
                entry.insert("aggregate".into(), json!(true));
                if let Output::Rows(columns) = &plan.output {
                    entry.insert("joinColumns".into(), Value::Array(of_rows(plan, columns)));
                }
                metadata.push(Value::Object(entry));
            }
            Content::Value(scalar) => {
                let target = below(plan, &mut metadata, scalar.path.relation);
                let leaf = entry(Some(&scalar.path), &column.key, &column.key);
                target.push(Value::Object(leaf));
            }
        }
    }
    metadata
}

fn below<'a>(plan: &Plan, metadata: &'a mut Vec<Value>, relation: Option<usize>) -> &'a mut Vec<Value> {
    let Some(relation) = relation else { return metadata };
    let step = &plan.relations[relation];
    let outer = below(plan, metadata, step.parent);
    let at = outer.iter().position(|column| column["columnName"] == step.name.as_str());
    let at = at.unwrap_or_else(|| {
        let mut entry = entry(None, &step.name, &step.name);
        let from = step.parent.map_or(&plan.object, |parent| &plan.relations[parent].object);
        entry.insert("foreignKeyName".into(), json!(from.fields[step.field].name));
        outer.push(Value::Object(entry));
        outer.len() - 1
    });
    match outer[at].get_mut("joinColumns") {
        Some(Value::Array(columns)) => columns,
        _ => unreachable!("every column has been given its list of columns"),
    }
}

fn entry(path: Option<&Path>, name: &str, shown: &str) -> Map<String, Value> {
    let field = path.map(Path::field);
    let mut entry = Map::new();
    entry.insert("aggregate".into(), json!(false));
    entry.insert("apexType".into(), Value::Null);
    entry.insert("booleanType".into(), json!(false));
    entry.insert("columnName".into(), json!(name));
    entry.insert("custom".into(), json!(field.is_some_and(|field| field.custom)));
    entry.insert("displayName".into(), json!(shown));
    entry.insert("foreignKeyName".into(), Value::Null);
    entry.insert("insertable".into(), json!(field.is_some_and(|field| field.createable)));
    entry.insert("joinColumns".into(), json!([]));
    entry.insert("numberType".into(), json!(false));
    entry.insert("textType".into(), json!(false));
    entry.insert("updatable".into(), json!(field.is_some_and(|field| field.updateable)));
    if let Some(field) = field {
        types(&mut entry, field.kind);
    }
    entry
}

fn types(entry: &mut Map<String, Value>, kind: Kind) {
    let apex = match kind {
        Kind::Id | Kind::Reference => "Id",
        Kind::Boolean => "Boolean",
        Kind::Int => "Integer",
        Kind::Double => "Double",
        Kind::Date => "Date",
        Kind::DateTime => "Datetime",
        Kind::Address => "Address",
        _ => "String",
    };
    let number = matches!(kind, Kind::Int | Kind::Double);
    entry.insert("apexType".into(), json!(apex));
    entry.insert("booleanType".into(), json!(kind == Kind::Boolean));
    entry.insert("numberType".into(), json!(number));
    entry.insert("textType".into(), json!(kind.is_text() || kind.is_id()));
}

/// `query?explain=...`: one plan, by what this org would do.
pub(super) fn explain(org: &Org, plan: &Plan, text: &str) -> Value {
    let rows = org.table(&plan.object).len();
    let indexed = eval::uses_index(org, plan);
    let cardinality = if indexed { eval::matches(org, plan).len() } else { rows };
    let mut fields = Vec::new();
    if let Some(condition) = &plan.condition {
        named(condition, &mut fields);
    }
    let (operation, cost) = if indexed { ("Index", 0.1) } else { ("TableScan", 1.5) };
    json!({
        "plans": [{
            "cardinality": cardinality,
            "fields": if indexed { json!(fields) } else { json!([]) },
            "leadingOperationType": operation,
            "notes": if indexed { json!([]) } else { notes(plan, &fields) },
            "relativeCost": cost,
            "sobjectCardinality": rows,
            "sobjectType": plan.object.name,
        }],
        "sourceQuery": text,
    })
}

fn notes(plan: &Plan, fields: &[String]) -> Value {
    if fields.is_empty() {
        return json!([]);
    }
    json!([{
        "description": "Not considering filter for optimization because unindexed",
        "fields": fields,
        "tableEnumOrId": plan.object.name,
    }])
}

fn named(test: &Test, fields: &mut Vec<String>) {
    match test {
        Test::And(parts) | Test::Or(parts) => parts.iter().for_each(|part| named(part, fields)),
        Test::Not(part) => named(part, fields),
        Test::Compare(operand, ..)
        | Test::In(operand, ..)
        | Test::Member(operand, ..)
        | Test::Includes(operand, ..) => {
            if let Some(path) = operand.plain() {
                fields.push(path.field().name.clone());
            }
        }
    }
}
