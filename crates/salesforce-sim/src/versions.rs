//! API versions.

use serde_json::{Value, json};

use crate::errors::Refusal;

/// The versions that this org names: Summer '21 to Spring '26.
const OLDEST: u16 = 52;
pub(crate) const NEWEST: u16 = 66;
/// Those from here to `OLDEST` are served, though not named: programs have old versions written into them
/// (`@salesforce/core` asks v51.0 who it is, whatever version it then uses). Earlier ones answer an upsert differently.
const SERVED_FROM: u16 = 46;
/// Versions below are gone for good.
const RETIRED_BELOW: u16 = 31;

/// `GET /services/data/`, which needs no token: oldest first.
pub(crate) fn list() -> Value {
    (OLDEST..=NEWEST)
        .map(|version| {
            let (season, year) = release(version);
            json!({
                "label": format!("{season} '{year:02}"),
                "url": format!("/services/data/v{version}.0"),
                "version": format!("{version}.0"),
            })
        })
        .collect()
}

/// Three releases a year: v52.0 is Summer '21, v53.0 Winter '22.
fn release(version: u16) -> (&'static str, u16) {
    let season = ["Summer", "Winter", "Spring"][usize::from(version - OLDEST) % 3];
    (season, 21 + (version - OLDEST).div_ceil(3))
}

/// The number in `v66.0`, if this org serves it.
pub(crate) fn supported(segment: &str) -> Option<u16> {
    number(segment).filter(|version| (SERVED_FROM..=NEWEST).contains(version))
}

fn number(segment: &str) -> Option<u16> {
    segment.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()
}

/// Why a version is not served: 410 for a retired one, 404 for any other.
pub(crate) fn refusal(segment: &str) -> Refusal {
    match number(segment) {
        Some(version) if version < RETIRED_BELOW => {
            let message = format!("The requested API version v{version}.0 is retired. Use a later version.");
            Refusal::call(410, "UNSUPPORTED_API_VERSION", message)
        }
        _ => Refusal::not_found(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_their_names() {
        assert_eq!(release(52), ("Summer", 21));
        assert_eq!(release(64), ("Summer", 25));
        assert_eq!(release(65), ("Winter", 26));
        assert_eq!(release(66), ("Spring", 26));
    }

    #[test]
    fn versions_that_are_not_served() {
        assert_eq!(supported("v66.0"), Some(66));
        assert_eq!(supported("v51.0"), Some(51));
        assert_eq!(supported("v45.0"), None);
        assert_eq!(supported("v67.0"), None);
        assert_eq!(supported("66.0"), None);
        assert_eq!(refusal("v30.0").status, 410);
        assert_eq!(refusal("v99.0").status, 404);
        assert_eq!(refusal("vx").status, 404);
    }
}
