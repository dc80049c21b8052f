//! "Did you mean": the name that was probably meant.

/// The candidate that differs least from `name`, if at most a third of its letters differ.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // A name much longer than any candidate is nobody's slip of the finger.
    const LONGEST: usize = 100;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&name, &candidate.to_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| distance * 3 <= candidate.chars().count())
        .map(|(_, candidate)| candidate.to_owned())
}

/// How many letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.iter().enumerate() {
        let mut row = vec![line + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut best = replaced.min(last[column + 1] + 1).min(row[column] + 1);
            if line > 0 && column > 0 && *letter == to[column - 1] && from[line - 1] == *other {
                best = best.min(before_last[column - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_of_the_finger_are_recognised() {
        let names = ["value", "primary", "type", "user.locale"];
        for (slip, meant) in [("valeu", "value"), ("VALUE", "value"), ("primry", "primary"), ("tpye", "type")]
        {
            assert_eq!(nearest(slip, names).as_deref(), Some(meant), "{slip}");
        }
        for other in ["", "x", "department", "värde", &"value".repeat(100)] {
            assert_eq!(nearest(other, names), None, "{other}");
        }
        assert_eq!(nearest("value", []), None);
    }
}
