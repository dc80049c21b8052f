//! A query as it was written: names are not looked up yet. Printing it gives a query that reads the
//! same.

use std::fmt;

use super::function::Function;

#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) select: Vec<Select>,
    /// The object, or in a sub-query the child relationship.
    pub(crate) from: Name,
    /// `FROM Contact c, c.Account a`: what stands for which path; the first stands for the record.
    pub(crate) aliases: Vec<Alias>,
    pub(crate) scope: Option<Name>,
    pub(crate) condition: Option<Condition>,
    pub(crate) grouping: Option<Grouping>,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: Option<u64>,
}

/// A name or dotted path and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) at: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) path: Name,
    pub(crate) alias: Option<String>,
}

/// A field inside functions, the outermost first: `CALENDAR_YEAR(convertTimezone(CreatedDate))`.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) functions: Vec<Function>,
    pub(crate) name: Name,
    pub(crate) at: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Select {
    Value(Expr, Option<Name>),
    /// `COUNT()`
    Total,
    /// `FIELDS(STANDARD)`
    Fields(Name),
    /// `(SELECT Id FROM Contacts)`
    Children(Box<Query>),
    TypeOf(TypeOf),
}

/// `TYPEOF Owner WHEN User THEN Username ELSE Name END`
#[derive(Clone, Debug)]
pub(crate) struct TypeOf {
    pub(crate) relation: Name,
    pub(crate) arms: Vec<(Name, Vec<Name>)>,
    pub(crate) otherwise: Vec<Name>,
}

#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    pub(crate) totals: Totals,
    pub(crate) keys: Vec<Expr>,
    pub(crate) having: Option<Condition>,
}

/// Which subtotals come beside the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Totals {
    None,
    Rollup,
    Cube,
}

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Expr, Operator, Literal),
    In(Expr, bool, Vec<Literal>),
    SemiJoin(Expr, bool, Box<Query>),
    /// `INCLUDES ('a;b', 'c')`, or `EXCLUDES`.
    Includes(Expr, bool, Vec<Literal>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

impl Operator {
    pub(crate) const SIGNS: [(&'static str, Self); 6] = [
        ("=", Self::Equal),
        ("!=", Self::NotEqual),
        ("<", Self::Less),
        ("<=", Self::LessOrEqual),
        (">", Self::Greater),
        (">=", Self::GreaterOrEqual),
    ];

    fn sign(self) -> &'static str {
        Self::SIGNS.iter().find(|(_, operator)| *operator == self).map_or("LIKE", |(sign, _)| sign)
    }

    /// Asks for an order, which not every field has.
    pub(crate) fn is_ordering(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Literal {
    pub(crate) value: LiteralValue,
}

#[derive(Clone, Debug)]
pub(crate) enum LiteralValue {
    Null,
    /// A string; `pattern` keeps `\%` and `\_` for `LIKE`.
    Text {
        plain: String,
        pattern: String,
    },
    /// A boolean, number, date or date literal.
    Bare(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) value: Expr,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SELECT {} FROM ", join(&self.select))?;
        for (n, source) in self.aliases.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{}", source.path.text)?;
            if let Some(alias) = &source.alias {
                write!(f, " {alias}")?;
            }
        }
        if let Some(scope) = &self.scope {
            write!(f, " USING SCOPE {}", scope.text)?;
        }
        if let Some(condition) = &self.condition {
            write!(f, " WHERE {condition}")?;
        }
        if let Some(grouping) = &self.grouping {
            match grouping.totals {
                Totals::None => write!(f, " GROUP BY {}", join(&grouping.keys))?,
                Totals::Rollup => write!(f, " GROUP BY ROLLUP({})", join(&grouping.keys))?,
                Totals::Cube => write!(f, " GROUP BY CUBE({})", join(&grouping.keys))?,
            }
            if let Some(having) = &grouping.having {
                write!(f, " HAVING {having}")?;
            }
        }
        if !self.order.is_empty() {
            write!(f, " ORDER BY {}", join(&self.order))?;
        }
        if let Some(limit) = self.limit {
            write!(f, " LIMIT {limit}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " OFFSET {offset}")?;
        }
        Ok(())
    }
}

fn join<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn names(names: &[Name]) -> String {
    names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for function in &self.functions {
            write!(f, "{}(", function.name())?;
        }
        write!(f, "{}{}", self.name.text, ")".repeat(self.functions.len()))
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value, None) => write!(f, "{value}"),
            Self::Value(value, Some(alias)) => write!(f, "{value} {}", alias.text),
            Self::Total => write!(f, "COUNT()"),
            Self::Fields(which) => write!(f, "FIELDS({})", which.text),
            Self::Children(query) => write!(f, "({query})"),
            Self::TypeOf(typeof_) => {
                write!(f, "TYPEOF {}", typeof_.relation.text)?;
                for (object, fields) in &typeof_.arms {
                    write!(f, " WHEN {} THEN {}", object.text, names(fields))?;
                }
                if !typeof_.otherwise.is_empty() {
                    write!(f, " ELSE {}", names(&typeof_.otherwise))?;
                }
                write!(f, " END")
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = |part: &Condition| match part {
            Self::And(_) | Self::Or(_) | Self::Not(_) => format!("({part})"),
            _ => part.to_string(),
        };
        let all = |parts: &[Condition], word: &str| parts.iter().map(inner).collect::<Vec<_>>().join(word);
        let not = |negated: bool| if negated { "NOT " } else { "" };
        match self {
            Self::And(parts) => f.write_str(&all(parts, " AND ")),
            Self::Or(parts) => f.write_str(&all(parts, " OR ")),
            Self::Not(part) => write!(f, "NOT {}", inner(part)),
            Self::Compare(value, operator, literal) => write!(f, "{value} {} {literal}", operator.sign()),
            Self::In(value, negated, literals) => {
                write!(f, "{value} {}IN ({})", not(*negated), join(literals))
            }
            Self::SemiJoin(value, negated, query) => write!(f, "{value} {}IN ({query})", not(*negated)),
            Self::Includes(value, negated, literals) => {
                let word = if *negated { "EXCLUDES" } else { "INCLUDES" };
                write!(f, "{value} {word} ({})", join(literals))
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = match &self.value {
            LiteralValue::Null => return f.write_str("null"),
            LiteralValue::Bare(text) => return f.write_str(text),
            LiteralValue::Text { pattern, .. } => pattern,
        };
        f.write_str("'")?;
        for c in pattern.chars() {
            match c {
                // A pattern has its backslashes escaped already.
                '\'' => f.write_str("\\'")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("'")
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { "DESC" } else { "ASC" };
        let nulls = if self.nulls_first { "FIRST" } else { "LAST" };
        write!(f, "{} {direction} NULLS {nulls}", self.value)
    }
}
