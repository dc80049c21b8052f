//! Numbers, in the range and with the decimals of their field.

use salesforce_types::{FieldDescription, FieldType};
use serde_json::{Number, Value};

use super::{Fitted, Misfit, malformed, one};
use crate::note::{NoteCode, RefusalKind};

/// Whole numbers up to here are exact as JSON numbers (RFC 8259 §6).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number; `12.0` is one.
pub(super) fn whole(field: &FieldDescription, value: &Value) -> Result<Fitted, Misfit> {
    let text = one(value)?;
    let text = text.trim();
    let number = text.parse::<i64>().ok().or_else(|| exact(text.parse().ok()?));
    let Some(number) = number else {
        return Err(malformed(format!("`{text}` is no whole number")));
    };
    // An int has 32 bits (SOAP API Developer Guide, "Primitive Data Types").
    let fits = field.field_type == FieldType::Long || i32::try_from(number).is_ok();
    let digits = if field.digits == 0 { i32::MAX as u32 } else { field.digits };
    if !fits || digits_of(number) > digits {
        return Err(too_large(text));
    }
    Ok(Fitted::same(number))
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and exact")]
fn exact(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

fn digits_of(number: i64) -> u32 {
    number.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1)
}

/// Any number, rounded to the decimals of the field as Salesforce would do it, but with a note.
pub(super) fn decimal(field: &FieldDescription, value: &Value) -> Result<Fitted, Misfit> {
    let text = one(value)?;
    let text = text.trim();
    let whole_digits = (field.precision > 0).then(|| field.precision.saturating_sub(field.scale));
    if let Ok(number) = text.parse::<i64>() {
        let fits = whole_digits.is_none_or(|most| digits_of(number) <= most);
        return if fits { Ok(Fitted::same(number)) } else { Err(too_large(text)) };
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    let Some(number) = number else {
        return Err(malformed(format!("`{text}` is no number")));
    };
    let Some(whole_digits) = whole_digits else { return fitted(number, None, text) };
    let scale = field.scale as usize;
    let rounded: f64 = format!("{number:.scale$}").parse().unwrap_or(number);
    let limit = 10_f64.powi(i32::try_from(whole_digits).unwrap_or(i32::MAX));
    if rounded.abs() >= limit {
        return Err(too_large(text));
    }
    #[expect(clippy::float_cmp, reason = "rounding changed the number or did not")]
    let is_rounded = rounded != number;
    let note = is_rounded.then(|| {
        let decimals = if scale == 0 { "whole numbers".to_owned() } else { format!("{scale} decimals") };
        (NoteCode::ValueRounded, format!("the field takes {decimals}; `{text}` is rounded to {rounded}"))
    });
    fitted(rounded, note, text)
}

fn fitted(number: f64, note: Option<(NoteCode, String)>, text: &str) -> Result<Fitted, Misfit> {
    // `12.0` and `12` are one number, and Salesforce's own form is found again when it is compared.
    let value = match exact(number) {
        Some(whole) => Value::from(whole),
        None => Value::Number(Number::from_f64(number).ok_or_else(|| too_large(text))?),
    };
    Ok(Fitted { value, note })
}

fn too_large(text: &str) -> Misfit {
    (RefusalKind::OutOfRange, format!("`{text}` is larger than the field takes"))
}
