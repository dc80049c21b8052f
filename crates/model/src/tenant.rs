use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::name;

/// One customer's one environment: the unit of isolation. Or one population of it, which is as apart from the others as a
/// tenant from its neighbours.
///
/// Spelt `customer/environment`, as in the URL, and `customer/environment/population`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId {
    text: String,
    /// Where the customer's name ends.
    customer: usize,
    /// Where the environment's name ends.
    home: usize,
}

/// Why a text is not a tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTenant {
    /// There are not two parts, or three.
    #[error("`{0}` is not a tenant: write it as customer/environment, or customer/environment/population")]
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
        let text = format!("{customer}/{environment}");
        Ok(Self { customer: customer.len(), home: text.len(), text })
    }

    /// A population of this customer's environment.
    pub fn with_population(&self, population: &str) -> Result<Self, InvalidTenant> {
        name::check(population)?;
        let home = self.home_str();
        Ok(Self { text: format!("{home}/{population}"), customer: self.customer, home: self.home })
    }

    /// The customer's environment, whatever the population.
    #[must_use]
    pub fn home(&self) -> Self {
        Self { text: self.home_str().to_owned(), customer: self.customer, home: self.home }
    }

    /// The customer's name.
    #[must_use]
    pub fn customer(&self) -> &str {
        &self.text[..self.customer]
    }

    /// The environment's name.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.text[self.customer + 1..self.home]
    }

    /// The population's name; none: the one that SCIM clients see where nothing else is said.
    #[must_use]
    pub fn population(&self) -> Option<&str> {
        self.text.get(self.home + 1..)
    }

    /// `customer/environment`, or `customer/environment/population`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn home_str(&self) -> &str {
        &self.text[..self.home]
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenant;
    fn from_str(text: &str) -> Result<Self, InvalidTenant> {
        let mut parts = text.split('/');
        let (Some(customer), Some(environment), population, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidTenant::Parts(text.to_owned()));
        };
        let home = Self::new(customer, environment)?;
        population.map_or(Ok(home.clone()), |population| home.with_population(population))
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
        assert!("acme/prod/".parse::<TenantId>().is_err());
        assert!("acme/prod/x/y".parse::<TenantId>().is_err());
    }

    #[test]
    fn a_population_has_its_tenant_as_its_home() {
        let home: TenantId = "acme/prod".parse().unwrap();
        let customers = home.with_population("customers").unwrap();
        assert_eq!(customers.as_str(), "acme/prod/customers");
        assert_eq!("acme/prod/customers".parse(), Ok(customers.clone()));
        assert_eq!((customers.customer(), customers.environment()), ("acme", "prod"));
        assert_eq!((customers.population(), home.population()), (Some("customers"), None));
        assert_eq!((customers.home(), home.home()), (home.clone(), home));
        assert_eq!(customers.with_population("staff").unwrap().as_str(), "acme/prod/staff");
    }
}
