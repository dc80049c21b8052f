//! `Opportunity`: a deal. What a stage means is in `data/opportunity_stages.tsv`.

use crate::{
    cell::{Cell, Row},
    crm::{owners, record_types},
    errors::Refusals,
    org::Org,
    rules::{Rules, Write},
};

/// Stage, probability, forecast category, its name, closed, won: the stages of a fresh org.
const STAGES: &str = include_str!("../../data/opportunity_stages.tsv");

/// The rules of `Opportunity`.
pub(crate) struct Opportunities;

impl Rules for Opportunities {
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        record_types::complete(org, row, write)?;
        owners::complete(row, write);
        let at = |name: &str| write.object.at(name);
        let stage = at("StageName");
        if write.before.is_none_or(|before| before.get(stage) != row.get(stage)) {
            let name = row.get(stage).as_text().unwrap_or_default().to_owned();
            let known = STAGES.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix('\t'));
            let columns: Vec<&str> = known.unwrap_or("0\tPipeline\tPipeline\tN\tN").split('\t').collect();
            let [probability, category, category_name, closed, won] = columns[..] else { return Ok(()) };
            let named = |name: &str| write.named.contains(&at(name));
            if !named("Probability") {
                row.set(at("Probability"), probability.parse().map_or(Cell::Null, Cell::Double));
            }
            if !named("ForecastCategoryName") {
                row.set(at("ForecastCategoryName"), Cell::text(category_name));
            }
            row.set(at("ForecastCategory"), Cell::text(category));
            row.set(at("IsClosed"), Cell::Bool(closed == "Y"));
            row.set(at("IsWon"), Cell::Bool(won == "Y"));
        }
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        owners::check(org, row, write)
    }
}
