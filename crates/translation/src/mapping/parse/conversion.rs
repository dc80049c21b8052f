//! Reading `[targets.x.conversion]`.

use indexmap::IndexMap;
use salesforce_types::RecordId;
use toml::de::DeTable;

use super::{Item, Reader, in_order};
use crate::mapping::{AccountMissing, ConversionRules, Conversions};

const KEYS: [&str; 7] =
    ["how", "status", "account", "account-map", "account-missing", "opportunity", "owner"];
const HOW: [(&str, Conversions); 2] = [("convert", Conversions::Convert), ("beside", Conversions::Beside)];
const ACCOUNT_MISSING: [(&str, AccountMissing); 2] =
    [("create", AccountMissing::Create), ("refuse", AccountMissing::Refuse)];

impl Reader {
    pub(super) fn conversion(&mut self, item: &Item<'_>) -> ConversionRules {
        let Some(table) = self.table(item, "`conversion`") else { return ConversionRules::default() };
        self.refuse_unknown(table, &KEYS, "a conversion");
        let how = self.one_of(table, "how", &HOW);
        if how == Conversions::Beside {
            for (key, _) in in_order(table).into_iter().filter(|(key, _)| key.get_ref() != "how") {
                let message =
                    "with `how = \"beside\"` no lead is converted, so this does nothing; leave it out";
                self.refuse(key.span(), message, None);
            }
        }
        if !table.contains_key("account") {
            for key in ["account-map", "account-missing"] {
                if let Some((name, _)) = table.get_key_value(key) {
                    let message =
                        format!("`{key}` is about the account that `account` names, and there is none");
                    self.refuse(name.span(), message, None);
                }
            }
        }
        ConversionRules {
            how,
            status: table.get("status").and_then(|item| self.some_text(item, "`status`")),
            account: table.get("account").and_then(|item| self.expression(item)),
            account_map: self.account_map(table),
            account_missing: self.one_of(table, "account-missing", &ACCOUNT_MISSING),
            opportunity: table.get("opportunity").and_then(|item| self.expression(item)),
            owner: table.get("owner").and_then(|item| self.user_id(item)),
        }
    }

    /// What a word that is there means, and its default otherwise.
    fn one_of<T: Copy + Default>(&mut self, table: &DeTable<'_>, key: &str, known: &[(&str, T)]) -> T {
        let chosen = table.get(key).and_then(|item| self.word(item, &format!("`{key}`"), known));
        chosen.unwrap_or_default()
    }

    fn account_map(&mut self, table: &DeTable<'_>) -> IndexMap<String, String> {
        let Some(item) = table.get("account-map") else { return IndexMap::new() };
        let Some(entries) = self.table(item, "`account-map`") else { return IndexMap::new() };
        let entries = in_order(entries).into_iter();
        entries
            .filter_map(|(name, item)| {
                let account = self.some_text(item, "an account of `account-map`")?;
                Some((name.get_ref().to_string(), account))
            })
            .collect()
    }

    fn user_id(&mut self, item: &Item<'_>) -> Option<String> {
        let text = self.some_text(item, "`owner`")?;
        match RecordId::parse(&text) {
            Ok(id) if id.as_str().starts_with("005") => Some(String::from(id)),
            _ => {
                let message = "`owner` is the id of the User who owns what is made; it begins with 005";
                self.refuse(item.span(), message, None);
                None
            }
        }
    }
}
