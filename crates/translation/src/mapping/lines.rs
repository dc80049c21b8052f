//! The mapping as its author sees it: which line fills a field.

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
        let place = self.text.error(rule.place.clone(), String::new(), None);
        Some(RuleInFile {
            file: place.file,
            line: place.line,
            text: self.text.line(rule.place.start).to_owned(),
            attribute: rule.attribute().map(ToOwned::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_leads_to_its_line() {
        let text = "[targets.staff]\nobject = \"User\"\n\n[targets.staff.fields]\nUsername = 'user.userName'\n  Title = { value = 'user.title', clear = false }  # kept\n";
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
    }
}
