//! Expressions: minijinja's expression mode over `user`, checked against the SCIM schema when the mapping is loaded.
//!
//! Most expressions only name an attribute (`user.title`), the first of several (`user.preferredLanguage or user.locale`)
//! or give one to a normaliser (`locale(user.locale)`). Those are evaluated without minijinja, with the same result.

mod environment;
mod scan;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Serde, ValueKind};
use salesforce_types::FieldDescription;
use scim_types::{AttrPath, Registry, Resource};
use serde_json::Value as Json;

use crate::normalise::{Input, Normalised, Normaliser, Picklist, Surroundings};

/// An expression may have this many bytes: each attribute it names may be as large as a request body, so the length
/// bounds what `~` can put together.
pub(crate) const LONGEST_EXPRESSION: usize = 4_096;
/// A result may have this many bytes. No field of Salesforce's is longer than 128 KiB, none of User than 4 KiB.
pub(crate) const LONGEST_RESULT: usize = 64 * 1024;
/// What an evaluation may cost, in minijinja's instructions.
const FUEL: u64 = 10_000;

/// A checked expression.
#[derive(Clone)]
pub(crate) struct Expression {
    program: Program,
    /// The attribute to name in notes and refusals.
    attribute: Option<&'static str>,
    looks_at_groups: bool,
}

#[derive(Clone)]
enum Program {
    /// The first attribute with a value, through a normaliser.
    First { paths: Vec<AttrPath>, normaliser: Option<Normaliser> },
    /// The whole user, through a normaliser.
    User(Normaliser),
    /// Anything else.
    Compiled { expression: Arc<minijinja::Expression<'static, 'static>>, normalises: bool },
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression").field("attribute", &self.attribute).finish_non_exhaustive()
    }
}

/// Why a text is no expression that Gangway evaluates, and where.
#[derive(Debug)]
pub(crate) struct ExpressionError {
    pub place: Range<usize>,
    pub message: String,
    pub suggestion: Option<String>,
}

/// The user in the form that minijinja sees, made once for all rules that need it.
#[derive(Debug, Default)]
pub(crate) struct UserValue(std::cell::OnceCell<minijinja::Value>);

/// What an expression gave.
#[derive(Debug, PartialEq)]
pub(crate) enum Evaluated {
    /// A value with no normaliser in the way, or one whose adaptations stand beside it. `Null` is unassigned.
    Value(Json, Vec<Normalised>),
    /// What the outermost normaliser made.
    Normalised(Normalised),
    /// The expression could not be evaluated for this user; why.
    Failed(String),
}

impl Expression {
    /// Compiles an expression and checks every name in it. All errors are found, not only the first.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<ExpressionError>> {
        if text.len() > LONGEST_EXPRESSION {
            let message =
                format!("an expression may have {LONGEST_EXPRESSION} bytes; this one has {}", text.len());
            return Err(vec![ExpressionError { place: 0..text.len(), message, suggestion: None }]);
        }
        let compiled = environment::ENVIRONMENT.compile_expression_owned(text.to_owned());
        let expression = match compiled {
            Ok(expression) => expression,
            Err(why) => return Err(vec![syntax_error(text, &why)]),
        };
        let scan = scan::scan(text);
        if !scan.errors.is_empty() {
            return Err(scan.errors);
        }
        let looks_at_groups = scan.looks_at_groups;
        let attribute = scan
            .paths
            .first()
            .map(AttrPath::as_str)
            .or_else(|| scan.normalisers.iter().find_map(|normaliser| normaliser.attribute_of_user()));
        // The scan reads tokens; what minijinja itself takes for a variable is checked too, in case the two disagree.
        let is_known = |name: &String| name == "user" || environment::is_function(name);
        if let Some(other) = expression.undeclared_variables(false).into_iter().find(|name| !is_known(name)) {
            let message = format!("`{other}` is not known here; attributes are written `user.{other}`");
            return Err(vec![ExpressionError { place: 0..text.len(), message, suggestion: None }]);
        }
        let program = match scan.simple {
            Some(scan::Simple::User(normaliser)) => Program::User(normaliser),
            Some(scan::Simple::First(normaliser)) => Program::First { paths: scan.paths, normaliser },
            None => Program::Compiled {
                expression: Arc::new(expression),
                normalises: !scan.normalisers.is_empty(),
            },
        };
        Ok(Self { program, attribute, looks_at_groups })
    }

    /// The SCIM attribute that stands for the expression.
    pub(crate) fn attribute(&self) -> Option<&'static str> {
        self.attribute
    }

    /// Whether it asks for the person's groups, which are no attribute that identity tools write.
    pub(crate) fn looks_at_groups(&self) -> bool {
        self.looks_at_groups
    }

    /// Evaluates for one user.
    pub(crate) fn evaluate(
        &self,
        user: &Resource,
        value: &UserValue,
        around: &Surroundings<'_>,
    ) -> Evaluated {
        match &self.program {
            Program::User(normaliser) => Evaluated::Normalised(normaliser.apply(Input::User(user), around)),
            Program::First { paths, normaliser } => {
                // As `or` does it: the last operand if none is true.
                let last = paths.len().saturating_sub(1);
                let found = paths.iter().enumerate().find_map(|(place, path)| {
                    user.values(path).into_iter().next().filter(|value| place == last || is_true(value))
                });
                match (found, normaliser) {
                    (Some(found), Some(normaliser)) => {
                        Evaluated::Normalised(apply_to_value(*normaliser, found, around))
                    }
                    (None, Some(_)) => Evaluated::Normalised(Normalised::Absent),
                    (found, None) => Evaluated::Value(found.cloned().unwrap_or_default(), Vec::new()),
                }
            }
            Program::Compiled { expression, normalises } => {
                let scope = normalises.then(|| Scope::new(user, around));
                evaluate_compiled(expression, value.get(user), scope)
            }
        }
    }

    /// Evaluates where no field waits for the value.
    pub(crate) fn evaluate_alone(&self, user: &Resource, value: &UserValue) -> Evaluated {
        let around = Surroundings {
            picklist: Picklist::Standard(&[]),
            username_domain: None,
            takes_code: false,
            written: None,
        };
        self.evaluate(user, value, &around)
    }

    /// Text for a user, without blanks around it; nothing if there is none.
    ///
    /// # Errors
    ///
    /// Why it gives no text: it cannot be evaluated, or gives several values, or a function refused its argument.
    pub(crate) fn text(&self, user: &Resource) -> Result<Option<String>, String> {
        self.text_among(user, &UserValue::default())
    }

    /// The same, as one of several expressions for the user.
    ///
    /// # Errors
    ///
    /// As [`Expression::text`].
    pub(crate) fn text_among(&self, user: &Resource, value: &UserValue) -> Result<Option<String>, String> {
        let text = match self.evaluate_alone(user, value) {
            Evaluated::Value(Json::Null, _) | Evaluated::Normalised(Normalised::Absent) => return Ok(None),
            Evaluated::Value(Json::String(text), _)
            | Evaluated::Normalised(Normalised::Value(text) | Normalised::Adapted(text, ..)) => text,
            Evaluated::Value(value @ (Json::Number(_) | Json::Bool(_)), _) => value.to_string(),
            Evaluated::Value(Json::Array(_) | Json::Object(_), _) => {
                return Err("it gives several values".to_owned());
            }
            Evaluated::Normalised(Normalised::Unknown(_, why) | Normalised::Refused(why))
            | Evaluated::Failed(why) => return Err(why),
        };
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// Whether the expression holds for a user; one that cannot be evaluated does not.
    pub(crate) fn holds(&self, user: &Resource) -> bool {
        self.holds_among(user, &UserValue::default())
    }

    /// The same, as one of several expressions for the user.
    pub(crate) fn holds_among(&self, user: &Resource, value: &UserValue) -> bool {
        match self.evaluate_alone(user, value) {
            Evaluated::Value(value, _) => is_true(&value),
            Evaluated::Normalised(Normalised::Value(_) | Normalised::Adapted(..)) => true,
            Evaluated::Normalised(_) | Evaluated::Failed(_) => false,
        }
    }
}

fn evaluate_compiled(
    expression: &minijinja::Expression<'static, 'static>,
    user: minijinja::Value,
    scope: Option<Scope>,
) -> Evaluated {
    let scope = scope.map(Arc::new);
    let mut names = vec![("user", user)];
    if let Some(scope) = &scope {
        names.push((environment::SCOPE, minijinja::Value::from_dyn_object(Arc::clone(scope))));
    }
    let result = match expression.eval(minijinja::Value::from_pairs(names)) {
        Ok(result) => result,
        Err(why) if why.kind() == minijinja::ErrorKind::OutOfFuel => {
            return Evaluated::Failed(format!("it takes more than {FUEL} steps"));
        }
        Err(why) => {
            return Evaluated::Failed(why.detail().map_or_else(|| why.to_string(), ToOwned::to_owned));
        }
    };
    let outcomes = scope.map_or_else(Vec::new, |scope| scope.take());
    match to_json(&result) {
        Ok(value) => Evaluated::Value(value, outcomes),
        Err(why) => Evaluated::Failed(why),
    }
}

/// What the normalisers need while minijinja runs, and where they leave what they have to say.
#[derive(Debug)]
struct Scope {
    user: Resource,
    field: Option<FieldDescription>,
    standard: Option<Picklist<'static>>,
    username_domain: Option<String>,
    takes_code: bool,
    written: Option<String>,
    outcomes: Mutex<Vec<Normalised>>,
}

impl Scope {
    fn new(user: &Resource, around: &Surroundings<'_>) -> Self {
        let (field, standard) = match around.picklist {
            Picklist::Org(field) => (Some(field.clone()), None),
            Picklist::Standard(values) => (None, Some(Picklist::Standard(values))),
        };
        Self {
            user: user.clone(),
            field,
            standard,
            username_domain: around.username_domain.map(ToOwned::to_owned),
            takes_code: around.takes_code,
            written: around.written.map(ToOwned::to_owned),
            outcomes: Mutex::default(),
        }
    }

    /// Applies a normaliser, keeps what it has to say, and returns its value.
    fn apply(
        &self,
        normaliser: Normaliser,
        argument: &minijinja::Value,
    ) -> Result<minijinja::Value, minijinja::Error> {
        let picklist = match (&self.field, self.standard) {
            (Some(field), _) => Picklist::Org(field),
            (None, standard) => standard.unwrap_or(Picklist::Standard(&[])),
        };
        let around = Surroundings {
            picklist,
            username_domain: self.username_domain.as_deref(),
            takes_code: self.takes_code,
            written: self.written.as_deref(),
        };
        let outcome = match argument.kind() {
            ValueKind::Undefined | ValueKind::None => Normalised::Absent,
            ValueKind::Map => normaliser.apply(Input::User(&self.user), &around),
            ValueKind::String | ValueKind::Number | ValueKind::Bool => {
                normaliser.apply(Input::Text(&argument.to_string()), &around)
            }
            other => {
                let message = format!("`{}` takes one value, not a {other}", normaliser.name());
                return Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message));
            }
        };
        Ok(match &outcome {
            Normalised::Absent => minijinja::Value::UNDEFINED,
            Normalised::Value(value) => minijinja::Value::from(value.as_str()),
            Normalised::Adapted(value, ..) => {
                let value = minijinja::Value::from(value.as_str());
                self.keep(outcome);
                value
            }
            Normalised::Unknown(..) | Normalised::Refused(_) => {
                self.keep(outcome);
                minijinja::Value::UNDEFINED
            }
        })
    }

    fn keep(&self, outcome: Normalised) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        if !outcomes.contains(&outcome) {
            outcomes.push(outcome);
        }
    }

    fn take(&self) -> Vec<Normalised> {
        std::mem::take(&mut self.outcomes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl minijinja::value::Object for Scope {}

impl UserValue {
    /// The attributes by name; those of the enterprise extension also bare (C-34).
    fn get(&self, user: &Resource) -> minijinja::Value {
        let to_value = |json: &Json| minijinja::Value::from(Serde(json));
        let make = || {
            let map = user.as_map();
            let extensions = Registry::standard().user().extension_roots();
            let bare = extensions
                .iter()
                .filter(|extension| !extension.attribute().is_free_form())
                .filter_map(|extension| map.get(extension.name()).and_then(Json::as_object))
                .flatten()
                .filter(|(name, _)| !map.contains_key(*name));
            minijinja::Value::from_pairs(
                map.iter().chain(bare).map(|(name, json)| (name.as_str(), to_value(json))),
            )
        };
        self.0.get_or_init(make).clone()
    }
}

/// Gives a normaliser one value of the resource.
pub(crate) fn apply_to_value(normaliser: Normaliser, value: &Json, around: &Surroundings<'_>) -> Normalised {
    match value {
        Json::Null => Normalised::Absent,
        Json::String(text) => normaliser.apply(Input::Text(text), around),
        Json::Bool(_) | Json::Number(_) => normaliser.apply(Input::Text(&value.to_string()), around),
        Json::Array(_) | Json::Object(_) => Normalised::Refused(format!(
            "`{}` takes one value; the attribute has several parts",
            normaliser.name()
        )),
    }
}

/// Truth as in Jinja: not nothing, not false, not zero, not empty.
fn is_true(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(values) => !values.is_empty(),
        Json::Object(members) => !members.is_empty(),
    }
}

fn to_json(value: &minijinja::Value) -> Result<Json, String> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => Ok(match value.as_i64() {
            Some(whole) => Json::from(whole),
            None => f64::try_from(value.clone()).map_or(Json::Null, Json::from),
        }),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            if text.len() > LONGEST_RESULT {
                return Err(format!("the result has {} bytes; {LONGEST_RESULT} are allowed", text.len()));
            }
            Ok(Json::from(text))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let values = value.try_iter().map_err(|why| why.to_string())?;
            let mut size = 0;
            let mut list = Vec::new();
            for value in values {
                if !matches!(value.kind(), ValueKind::String | ValueKind::Number | ValueKind::Bool) {
                    return Err(format!("the result is a list with a {} in it", value.kind()));
                }
                size += value.as_str().map_or(8, str::len) + 1;
                if size > LONGEST_RESULT {
                    return Err(format!("the result has more than {LONGEST_RESULT} bytes"));
                }
                list.push(to_json(&value)?);
            }
            Ok(Json::Array(list))
        }
        other => Err(format!("the result is a {other}, which no field holds")),
    }
}

fn syntax_error(text: &str, why: &minijinja::Error) -> ExpressionError {
    let place = why.range().filter(|range| range.start <= range.end && range.end <= text.len());
    let message = why.detail().map_or_else(|| why.to_string(), ToOwned::to_owned);
    ExpressionError {
        place: place.unwrap_or(0..text.len()),
        message: format!("not an expression: {message}"),
        suggestion: None,
    }
}
