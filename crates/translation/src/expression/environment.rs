//! The allow-list: what an expression may call. Nothing of minijinja's own is there unless it is named here.

use std::sync::{Arc, LazyLock};

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value, filters, tests};

use scim_types::fold_eq;

use super::{FUEL, LONGEST_RESULT, Scope};
use crate::normalise::Normaliser;

/// The variable that hands the normalisers what they need. No mapping can name it: `user` is the only name allowed.
pub(super) const SCOPE: &str = "gangway scope";

/// `value|filter`.
pub(super) const FILTERS: [&str; 12] = [
    "ascii", "default", "lower", "upper", "trim", "replace", "split", "first", "last", "join", "length",
    "title",
];
/// `value is test`.
pub(super) const TESTS: [&str; 6] = ["defined", "undefined", "none", "string", "startingwith", "endingwith"];
/// `left(text, n)`; the others are the [`Normaliser`]s.
const LEFT: &str = "left";
/// `member_of(user, name)`.
pub(super) const MEMBER_OF: &str = "member_of";

/// The names of all functions.
pub(super) fn functions() -> impl Iterator<Item = &'static str> {
    Normaliser::ALL.into_iter().map(Normaliser::name).chain([LEFT, MEMBER_OF])
}

/// Whether there is a function of this name.
pub(super) fn is_function(name: &str) -> bool {
    functions().any(|function| function == name)
}

/// The one environment. It never changes, so expressions can live as long as the process.
pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("ascii", ascii);
    environment.add_filter("default", filters::default);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("replace", replace);
    environment.add_filter("split", split);
    environment.add_filter("first", first);
    environment.add_filter("last", last);
    environment.add_filter("join", join);
    environment.add_filter("length", length);
    environment.add_filter("title", filters::title);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("string", tests::is_string);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_function(LEFT, left);
    environment.add_function(MEMBER_OF, member_of);
    for normaliser in Normaliser::ALL {
        environment.add_function(normaliser.name(), move |state: &State, argument: Value| {
            let scope: Option<Arc<Scope>> = state.lookup(SCOPE).and_then(|scope| scope.downcast_object());
            match scope {
                Some(scope) => scope.apply(normaliser, &argument),
                None => Err(Error::new(ErrorKind::InvalidOperation, "normalisers cannot be called here")),
            }
        });
    }
    environment
});

fn is_absent(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Undefined | ValueKind::None)
}

/// `left(text, n)`: the first n characters.
fn left(text: &Value, count: usize) -> Value {
    if is_absent(text) {
        return Value::UNDEFINED;
    }
    Value::from(text.to_string().chars().take(count).collect::<String>())
}

/// `member_of(user, name)`: whether one of the person's groups is called so, in any case.
fn member_of(user: &Value, name: &Value) -> Result<bool, Error> {
    let groups = user.get_attr("groups")?;
    if is_absent(name) || is_absent(&groups) {
        return Ok(false);
    }
    let name = name.to_string();
    for group in groups.try_iter()? {
        if group.get_attr("display")?.as_str().is_some_and(|display| fold_eq(display, &name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The nearest letters of ASCII, for systems that know no others. A sign that has none is left out.
fn ascii(text: &Value) -> Result<Value, Error> {
    if is_absent(text) {
        return Ok(Value::UNDEFINED);
    }
    let text = deunicode::deunicode_with_tofu(&text.to_string(), "");
    check_size(text.len())?;
    Ok(Value::from(text))
}

// As minijinja's, but what is absent has no parts instead of being an error.

fn first(list: &Value) -> Result<Value, Error> {
    if is_absent(list) { Ok(Value::UNDEFINED) } else { filters::first(list) }
}

fn last(list: &Value) -> Result<Value, Error> {
    if is_absent(list) { Ok(Value::UNDEFINED) } else { filters::last(list.clone()) }
}

fn length(list: &Value) -> Result<usize, Error> {
    if is_absent(list) { Ok(0) } else { filters::length(list) }
}

fn split(text: &Value, separator: Option<Arc<str>>, most: Option<i64>) -> Result<Value, Error> {
    if is_absent(text) { Ok(Value::UNDEFINED) } else { filters::split(text, separator, most) }
}

/// As minijinja's `replace`, with a bound: a replacement may be as long as the text and as frequent as its letters.
fn replace(text: &Value, from: &str, to: &str) -> Result<Value, Error> {
    if is_absent(text) {
        return Ok(Value::UNDEFINED);
    }
    let text = text.to_string();
    let hits = text.matches(from).count();
    check_size(text.len().saturating_add(hits.saturating_mul(to.len())))?;
    Ok(Value::from(text.replace(from, to)))
}

/// As minijinja's `join`, with a bound.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands named arguments over by value")]
fn join(list: &Value, separator: Option<&str>, kwargs: Kwargs) -> Result<Value, Error> {
    let attribute: Option<&str> = kwargs.get("attribute")?;
    kwargs.assert_all_used()?;
    if is_absent(list) {
        return Ok(Value::UNDEFINED);
    }
    let separator = separator.unwrap_or_default();
    let mut joined = String::new();
    for (place, item) in list.try_iter()?.enumerate() {
        let item = match attribute {
            Some(attribute) => item.get_attr(attribute)?,
            None => item,
        };
        if place > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&item.to_string());
        check_size(joined.len())?;
    }
    Ok(Value::from(joined))
}

fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes <= LONGEST_RESULT {
        return Ok(());
    }
    let message = format!("the result has {bytes} bytes; {LONGEST_RESULT} are allowed");
    Err(Error::new(ErrorKind::InvalidOperation, message))
}
