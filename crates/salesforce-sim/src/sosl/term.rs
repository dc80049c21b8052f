//! What stands between the braces: words, phrases, `*` and `?`, `AND`, `OR`, `AND NOT`, parentheses.

use crate::soql::like;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// Words that stand side by side, as `LIKE` patterns: a single word, a phrase, an e-mail address.
    Words(Vec<String>),
    And(Vec<Term>),
    Or(Vec<Term>),
    Not(Box<Term>),
}

/// Why a term cannot be read, and at which character.
pub(super) enum Wrong {
    /// A character that only stands here behind a backslash.
    Character(usize, char),
    TooShort(String),
    /// An operator without what it operates on.
    Incomplete,
}

/// Characters that mean something to the search engine and stand for themselves only behind a backslash.
const RESERVED: &str = "|{[]^~!";
const MAX_DEPTH: usize = 64;

impl Term {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
        let term = parser.or()?;
        if parser.next < parser.tokens.len() { Err(Wrong::Incomplete) } else { Ok(term) }
    }

    pub(super) fn holds(&self, texts: &[Vec<String>]) -> bool {
        match self {
            Self::Words(words) => texts.iter().any(|text| {
                text.windows(words.len().max(1))
                    .any(|window| window.iter().zip(words).all(|(text, word)| like(text, word)))
            }),
            Self::And(parts) => parts.iter().all(|part| part.holds(texts)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(texts)),
            Self::Not(part) => !part.holds(texts),
        }
    }
}

/// The words of a text as the index has them: letters and digits, folded.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(crate::cell::fold).collect()
}

enum Token {
    Words(Vec<String>),
    And,
    Or,
    Not,
    Open,
    Close,
}

fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut chars = text.chars().enumerate();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => word.extend(chars.next().map(|(_, c)| c).map(escaped)),
            '"' => {
                push(&mut tokens, &mut word, quoted)?;
                quoted = !quoted;
            }
            c if RESERVED.contains(c) => return Err(Wrong::Character(at, c)),
            '(' | ')' if !quoted => {
                push(&mut tokens, &mut word, false)?;
                tokens.push(if c == '(' { Token::Open } else { Token::Close });
            }
            c if c.is_whitespace() && !quoted => push(&mut tokens, &mut word, false)?,
            c => word.push(c),
        }
    }
    push(&mut tokens, &mut word, quoted)?;
    Ok(tokens)
}

/// An escaped wildcard is no wildcard: it only parts words, like any other sign.
fn escaped(c: char) -> char {
    if matches!(c, '*' | '?') { ' ' } else { c }
}

fn push(tokens: &mut Vec<Token>, word: &mut String, quoted: bool) -> Result<(), Wrong> {
    let text = std::mem::take(word);
    if text.is_empty() {
        return Ok(());
    }
    let operator = match text.as_str() {
        _ if quoted => None,
        "AND" => Some(Token::And),
        "OR" => Some(Token::Or),
        "NOT" => Some(Token::Not),
        _ => None,
    };
    if let Some(operator) = operator {
        tokens.push(operator);
        return Ok(());
    }
    if text.chars().filter(|c| c.is_alphanumeric()).count() < 2 {
        return Err(Wrong::TooShort(text));
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '*' || c == '?';
    let parts = text.split(|c: char| !is_part(c)).filter(|part| part.contains(char::is_alphanumeric));
    tokens.push(Token::Words(
        parts.map(|part| crate::cell::fold(part).replace('*', "%").replace('?', "_")).collect(),
    ));
    Ok(())
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn take(&mut self, wanted: impl Fn(&Token) -> bool) -> bool {
        let found = self.tokens.get(self.next).is_some_and(wanted);
        self.next += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<Term, Wrong> {
        let mut parts = vec![self.and()?];
        while self.take(|token| matches!(token, Token::Or)) {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Term::Or(parts) })
    }

    /// Words side by side must all be there.
    fn and(&mut self) -> Result<Term, Wrong> {
        let mut parts = vec![self.one()?];
        loop {
            let explicit = self.take(|token| matches!(token, Token::And));
            if self.take(|token| matches!(token, Token::Not)) {
                parts.push(Term::Not(Box::new(self.one()?)));
            } else if explicit || matches!(self.tokens.get(self.next), Some(Token::Words(_) | Token::Open)) {
                parts.push(self.one()?);
            } else {
                break;
            }
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Term::And(parts) })
    }

    fn one(&mut self) -> Result<Term, Wrong> {
        if self.take(|token| matches!(token, Token::Open)) {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(Wrong::Incomplete);
            }
            let term = self.or()?;
            self.depth -= 1;
            return if self.take(|token| matches!(token, Token::Close)) {
                Ok(term)
            } else {
                Err(Wrong::Incomplete)
            };
        }
        let words = match self.tokens.get_mut(self.next) {
            Some(Token::Words(words)) => std::mem::take(words),
            _ => return Err(Wrong::Incomplete),
        };
        self.next += 1;
        Ok(Term::Words(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_in_texts() {
        let texts = [words("Ada Lovelace"), words("ada.lovelace@example.com"), words("+31 20 123-4567")];
        for (term, expected) in [
            ("ada", true),
            ("ADA", true),
            ("ad", false),
            ("ad*", true),
            ("a?a", true),
            ("lovelace ada", true),
            ("\"ada lovelace\"", true),
            ("\"lovelace ada\"", false),
            ("ada@example.com", false),
            ("lovelace@example.com", true),
            ("lovelace\\@example.com", true),
            ("ada AND NOT grace", true),
            ("ada AND NOT love*", false),
            ("grace OR ada", true),
            ("(grace OR ada) AND 4567", true),
            ("123\\-4567", true),
            ("ada grace", false),
        ] {
            let parsed = Term::parse(term).unwrap_or_else(|_| panic!("{term}"));
            assert_eq!(parsed.holds(&texts), expected, "{term}");
        }
        for term in ["", "a", "ada AND", "(ada", "ada)", "OR ada", "a|b", "NOT ada"] {
            assert!(Term::parse(term).is_err(), "{term}");
        }
    }
}
