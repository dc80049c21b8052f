//! SOQL text to tokens, each with its place.

use super::error::malformed;
use crate::errors::Refusal;

/// A token and the byte at which it starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) at: usize,
    pub(crate) kind: TokenKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A name, keyword, number, date or date literal: whatever stands without quotes.
    Word(String),
    /// A string literal, unescaped; `pattern` keeps `\%` and `\_` for `LIKE`.
    Text {
        plain: String,
        pattern: String,
    },
    /// `( ) , = != < <= > >=`
    Sign(&'static str),
    End,
}

impl Token {
    /// How an error text names the token.
    pub(crate) fn shown(&self) -> String {
        match &self.kind {
            TokenKind::Word(word) => word.clone(),
            TokenKind::Text { plain, .. } => plain.clone(),
            TokenKind::Sign(sign) => (*sign).to_owned(),
            TokenKind::End => "<EOF>".to_owned(),
        }
    }

    pub(crate) fn is_word(&self, keyword: &str) -> bool {
        matches!(&self.kind, TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

const SIGNS: [&str; 10] = ["!=", "<>", "<=", ">=", "(", ")", ",", "=", "<", ">"];

/// Splits a query into tokens, from a place on; the last one is always [`TokenKind::End`].
pub(crate) fn lex(text: &str, from: usize) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut at = from;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if first == '\'' {
            let (kind, length) = string(text, at)?;
            tokens.push(Token { at, kind });
            at += length;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            let kind = TokenKind::Sign(if *sign == "<>" { "!=" } else { sign });
            tokens.push(Token { at, kind });
            at += sign.len();
        } else {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            if length == 0 {
                return Err(malformed(text, at, &format!("unexpected token: '{first}'")));
            }
            tokens.push(Token { at, kind: TokenKind::Word(rest[..length].to_owned()) });
            at += length;
        }
    }
    tokens.push(Token { at: text.len(), kind: TokenKind::End });
    Ok(tokens)
}

/// Names, numbers, `2026-03-27T16:33:56+00:00`, `LAST_N_DAYS:3`.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.:+-".contains(c)
}

/// A literal from its opening quote on, with the number of bytes that it takes.
fn string(text: &str, at: usize) -> Result<(TokenKind, usize), Refusal> {
    let (mut plain, mut pattern) = (String::new(), String::new());
    let mut chars = text[at..].char_indices().skip(1);
    while let Some((offset, c)) = chars.next() {
        match c {
            '\'' => return Ok((TokenKind::Text { plain, pattern }, offset + 1)),
            '\\' => {
                let escaped = chars.next().map(|(_, c)| c);
                let c = match escaped {
                    Some('n' | 'N') => '\n',
                    Some('r' | 'R') => '\r',
                    Some('t' | 'T') => '\t',
                    Some('b' | 'B') => '\u{8}',
                    Some('f' | 'F') => '\u{c}',
                    Some(c @ ('"' | '\'' | '\\')) => c,
                    Some(c @ ('%' | '_')) => {
                        plain.push(c);
                        pattern.extend(['\\', c]);
                        continue;
                    }
                    Some('u') => unicode(&mut chars).ok_or_else(|| illegal(text, at))?,
                    _ => return Err(illegal(text, at)),
                };
                plain.push(c);
                if c == '\\' {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
            c => {
                plain.push(c);
                pattern.push(c);
            }
        }
    }
    Err(malformed(text, at, "unexpected token: '<EOF>'"))
}

fn unicode(chars: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + chars.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}

fn illegal(text: &str, at: usize) -> Refusal {
    malformed(text, at, "Invalid string literal: illegal character sequence after backslash")
}
