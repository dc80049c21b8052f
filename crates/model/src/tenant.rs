use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::name;

/// One customer's one environment: the unit of isolation.
///
/// Spelt `customer/environment`, as in the URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId {
    text: String,
    slash: usize,
}

/// Why a text is not a tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTenant {
    /// There are not two parts.
    #[error("`{0}` is not a tenant: write it as customer/environment")]
    Parts(String),
    /// One of the parts is no name.
    #[error(transparent)]
    Name(#[from] crate::InvalidName),
}

impl TenantId {
    /// Puts a tenant together from its two names.
    pub fn new(customer: &str, environment: &str) -> Result<Self, InvalidTenant> {
        name::check(customer)?;
        name::check(environment)?;
        Ok(Self { text: format!("{customer}/{environment}"), slash: customer.len() })
    }

    /// The customer's name.
    #[must_use]
    pub fn customer(&self) -> &str {
        &self.text[..self.slash]
    }

    /// The environment's name.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// `customer/environment`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenant;
    fn from_str(text: &str) -> Result<Self, InvalidTenant> {
        let (customer, environment) =
            text.split_once('/').ok_or_else(|| InvalidTenant::Parts(text.to_owned()))?;
        Self::new(customer, environment)
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidTenant;
    fn try_from(text: String) -> Result<Self, InvalidTenant> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(tenant: TenantId) -> String {
        tenant.text
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_spelt_as_in_the_url() {
        let tenant: TenantId = "acme/prod".parse().unwrap();
        assert_eq!((tenant.customer(), tenant.environment()), ("acme", "prod"));
        assert_eq!(tenant.to_string(), "acme/prod");
        assert!("acme".parse::<TenantId>().is_err());
        assert!("acme/prod/x".parse::<TenantId>().is_err());
    }
}
