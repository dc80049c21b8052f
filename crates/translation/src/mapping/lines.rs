//! The mapping as its author sees it: which line fills a field.

use std::ops::Range;

use model::TargetName;
use serde::{Deserialize, Serialize};

use super::Mapping;

/// A rule as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleInFile {
    /// The file, as it was named to [`Mapping::parse`].
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The line's text.
    pub text: String,
    /// The SCIM attribute that the value comes from, where there is one.
    pub attribute: Option<String>,
}

impl Mapping {
    /// The rule that fills a field, in any case of the field's name.
    #[must_use]
    pub fn rule_in_file(&self, target: &TargetName, field: &str) -> Option<RuleInFile> {
        let target = self.targets.iter().find(|known| known.name == *target)?;
        let rule = target.rules.iter().find(|rule| rule.field.eq_ignore_ascii_case(field))?;
        Some(self.line(&rule.place, rule.attribute()))
    }

    /// The `when` of a target, if it has one.
    #[must_use]
    pub fn when_in_file(&self, target: &TargetName) -> Option<RuleInFile> {
        let target = self.targets.iter().find(|known| known.name == *target)?;
        target.place.when.as_ref().map(|place| self.line(place, None))
    }

    /// The rule for grants of this name.
    #[must_use]
    pub fn grant_in_file(&self, rule: &str) -> Option<RuleInFile> {
        let rule = self.grants.iter().find(|known| known.name == rule)?;
        Some(self.line(&rule.place.header, None))
    }

    fn line(&self, place: &Range<usize>, attribute: Option<&str>) -> RuleInFile {
        let at = self.text.error(place.clone(), String::new(), None);
        RuleInFile {
            file: at.file,
            line: at.line,
            text: self.text.line(place.start).to_owned(),
            attribute: attribute.map(ToOwned::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_leads_to_its_line() {
        let text = "[targets.staff]\nobject = \"User\"\nwhen = 'user.active'\n[targets.staff.fields]\nUsername = 'user.userName'\n  Title = { value = 'user.title', clear = false }  # kept\n";
        let mapping = Mapping::parse(text, "acme.toml").unwrap();
        let staff = &mapping.targets[0].name;
        let rule = mapping.rule_in_file(staff, "title").unwrap();
        assert_eq!(
            rule,
            RuleInFile {
                file: "acme.toml".to_owned(),
                line: 6,
                text: "Title = { value = 'user.title', clear = false }  # kept".to_owned(),
                attribute: Some("title".to_owned()),
            }
        );
        assert_eq!(mapping.rule_in_file(staff, "Phone"), None);
        let when = mapping.when_in_file(staff).unwrap();
        assert_eq!((when.line, when.text.as_str()), (3, "when = 'user.active'"));
    }
}
