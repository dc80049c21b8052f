//! What an expression names, found in its tokens, so that errors can point at the place.
//!
//! minijinja tells which variables an expression uses, but not where, and looks functions and filters up only when they
//! are called. The scan runs on text that minijinja has compiled already, so it need not check the syntax.

use std::ops::Range;

use scim_types::{AttrPath, PathError, Registry};

use super::ExpressionError;
use super::environment::{FILTERS, MEMBER_OF, TESTS, functions, is_function};
use crate::normalise::Normaliser;
use crate::source::unavailable;
use crate::suggest::nearest;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The attributes, in order.
    pub paths: Vec<AttrPath>,
    /// The normalisers that are called, in order.
    pub normalisers: Vec<Normaliser>,
    /// Whether it asks for the person's groups.
    pub looks_at_groups: bool,
    /// The shape, if it is one that needs no minijinja.
    pub simple: Option<Simple>,
    /// Everything that is wrong.
    pub errors: Vec<ExpressionError>,
}

/// The shapes that are evaluated without minijinja.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Simple {
    /// `user.a or user.b`, alone or in a normaliser.
    First(Option<Normaliser>),
    /// `alias(user)`.
    User(Normaliser),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Name,
    Text,
    Number,
    Sign,
}

#[derive(Clone, Debug)]
struct Token<'t> {
    kind: Kind,
    text: &'t str,
    place: Range<usize>,
}

const KEYWORDS: [&str; 13] =
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"];

pub(super) fn scan(text: &str) -> Scan {
    let tokens = tokens(text);
    let mut scanner = Scanner { tokens: &tokens, scan: Scan::default(), plain: true };
    scanner.run();
    let simple = scanner.simple();
    Scan { simple, ..scanner.scan }
}

struct Scanner<'t> {
    tokens: &'t [Token<'t>],
    scan: Scan,
    /// Whether every attribute so far was named with dots alone and has one value.
    plain: bool,
}

impl Scanner<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            at = self.step(at);
        }
    }

    /// Looks at one token, or at a whole chain of names, and says where to go on.
    fn step(&mut self, at: usize) -> usize {
        let token = &self.tokens[at];
        if token.kind == Kind::Sign && token.text.starts_with('*') {
            let message = "`*` is not allowed: on a text it repeats it".to_owned();
            self.refuse(token.place.clone(), message, None);
        }
        if token.kind != Kind::Name {
            return at + 1;
        }
        let before = at.checked_sub(1).map_or("", |before| self.tokens[before].text);
        let after = self.text(at + 1);
        match before {
            // A name after a dot that belongs to no chain: `(user.emails|first).value`, which has no schema here.
            "." => {}
            "|" => self.check_name(at, &FILTERS, "filter"),
            "is" if token.text == "not" => {}
            "is" => self.check_name(at, &TESTS, "test"),
            "not" if at >= 2 && self.text(at - 2) == "is" => self.check_name(at, &TESTS, "test"),
            _ if KEYWORDS.contains(&token.text) => {}
            _ if after == "(" => self.check_function(at),
            // A named argument: `join(",", attribute="value")`.
            _ if after == "=" => {}
            _ if token.text == "user" => return self.chain(at),
            _ => self.unknown(at),
        }
        at + 1
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn refuse(&mut self, place: Range<usize>, message: String, suggestion: Option<String>) {
        self.scan.errors.push(ExpressionError { place, message, suggestion });
    }

    fn check_name(&mut self, at: usize, known: &[&'static str], what: &str) {
        let token = &self.tokens[at];
        if !known.contains(&token.text) {
            let list = known.join(", ");
            let suggestion = nearest(token.text, known.iter().copied());
            self.refuse(
                token.place.clone(),
                format!("no {what} `{}`; there are {list}", token.text),
                suggestion,
            );
        }
    }

    fn check_function(&mut self, at: usize) {
        let token = &self.tokens[at];
        match Normaliser::named(token.text) {
            Some(normaliser) => self.scan.normalisers.push(normaliser),
            None if token.text == MEMBER_OF => self.check_member_of(at),
            None if is_function(token.text) => {}
            None => {
                let mut names: Vec<_> = functions().collect();
                names.sort_unstable();
                let suggestion = nearest(token.text, names.iter().copied());
                let message = format!("no function `{}`; there are {}", token.text, names.join(", "));
                self.refuse(token.place.clone(), message, suggestion);
            }
        }
    }

    /// The person, and one more argument. minijinja would find out only when it is called, and a `when` would never hold.
    fn check_member_of(&mut self, at: usize) {
        self.scan.looks_at_groups = true;
        let (mut depth, mut arguments, mut end) = (0, 1, at + 1);
        while let Some(token) = self.tokens.get(end) {
            match token.text {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                "," if depth == 1 => arguments += 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            end += 1;
        }
        if self.text(at + 2) != "user"
            || self.text(at + 3) != ","
            || arguments != 2
            || self.text(end - 1) == ","
        {
            let place = self.tokens[at].place.start..self.tokens[end.min(self.tokens.len() - 1)].place.end;
            let message = format!("`{MEMBER_OF}` takes the person and the name of a group");
            self.refuse(place, message, Some(format!("{MEMBER_OF}(user, \"Sales EMEA\")")));
        }
    }

    fn unknown(&mut self, at: usize) {
        let token = &self.tokens[at];
        let attribute = Registry::standard().user().find(token.text);
        let suggestion = match attribute {
            Some(attribute) if !attribute.is_extension() => Some(format!("user.{}", attribute.name())),
            _ => nearest(token.text, ["user"].into_iter().chain(KEYWORDS)),
        };
        self.refuse(
            token.place.clone(),
            format!("`{}` is not known here; `user` is", token.text),
            suggestion,
        );
    }

    /// Follows `user.name.familyName` or `user["name"]` through the schema.
    fn chain(&mut self, user: usize) -> usize {
        let mut at = user + 1;
        let mut path: Option<AttrPath> = None;
        let mut indexed = false;
        loop {
            match self.text(at) {
                "." if self.tokens.get(at + 1).is_some_and(|token| token.kind == Kind::Name) => {
                    let name = &self.tokens[at + 1];
                    match self.follow(path.as_ref(), indexed, name.text, user, name.place.clone()) {
                        Some(next) => path = Some(next),
                        None => return self.skip_chain(at),
                    }
                    (at, indexed) = (at + 2, false);
                }
                "[" if self.text(at + 2) == "]" && self.tokens[at + 1].kind == Kind::Text => {
                    let token = &self.tokens[at + 1];
                    let name = &token.text[1..token.text.len() - 1];
                    match self.follow(path.as_ref(), indexed, name, user, token.place.clone()) {
                        Some(next) => path = Some(next),
                        None => return self.skip_chain(at),
                    }
                    (at, indexed, self.plain) = (at + 3, false, false);
                }
                "[" if self.text(at + 2) == "]" && self.tokens[at + 1].kind == Kind::Number => {
                    (at, indexed, self.plain) = (at + 3, true, false);
                }
                "[" => {
                    // A slice such as `[:8]`; what it names is looked at by the steps that follow.
                    self.plain = false;
                    break;
                }
                _ => break,
            }
        }
        match path {
            Some(path) => {
                self.plain &= !path.attribute().multi_valued && !path.attribute().is_complex();
                self.scan.paths.push(path);
            }
            None => self.check_whole_user(user),
        }
        at
    }

    /// After an error in a chain the rest of it would only give more of the same.
    fn skip_chain(&self, mut at: usize) -> usize {
        while self.text(at) == "." && self.tokens.get(at + 1).is_some_and(|token| token.kind == Kind::Name) {
            at += 2;
        }
        at
    }

    /// One name further. `None` if there is no such attribute; the error is recorded.
    fn follow(
        &mut self,
        parent: Option<&AttrPath>,
        indexed: bool,
        name: &str,
        user: usize,
        name_place: Range<usize>,
    ) -> Option<AttrPath> {
        let place = self.tokens[user].place.start..name_place.end;
        let users = Registry::standard().user();
        let Some(parent) = parent else {
            return match users.resolve(name) {
                Ok(found) if found.name() != name => {
                    let message = format!("names in expressions mind case: `user.{name}` is not there");
                    self.refuse(place, message, Some(format!("user.{}", found.name())));
                    None
                }
                Ok(found) => match unavailable(&found) {
                    // The whole extension that Gangway writes and the parts of it are alike.
                    Some(message) => {
                        self.refuse(place, message, None);
                        None
                    }
                    None => Some(found),
                },
                Err(why) => {
                    let suggestion = match &why {
                        PathError::UnknownAttribute { suggestion: Some(name), .. } => {
                            Some(format!("user.{name}"))
                        }
                        _ => None,
                    };
                    self.refuse(place, format!("SCIM users have no attribute `{name}`"), suggestion);
                    None
                }
            };
        };
        if parent.attribute().multi_valued && !indexed {
            let message = format!(
                "`{parent}` is a list; take one with `from = '{parent}.{name}'` or `(user.{parent}|first).{name}`"
            );
            self.refuse(place, message, None);
            return None;
        }
        match parent.sub(name) {
            Some(found) if found.name() == name => Some(found),
            Some(found) => {
                let message = format!("names in expressions mind case: `{parent}` has no `{name}`");
                self.refuse(place, message, Some(found.name().to_owned()));
                None
            }
            None => {
                let suggestion = if FILTERS.contains(&name) {
                    Some(format!("|{name}"))
                } else {
                    nearest(name, parent.subs().iter().map(AttrPath::name))
                };
                self.refuse(place, format!("`{parent}` has no sub-attribute `{name}`"), suggestion);
                None
            }
        }
    }

    /// The whole user is only good as the argument of a function that takes it.
    fn check_whole_user(&mut self, user: usize) {
        if user >= 2 && self.text(user - 2) == MEMBER_OF && self.text(user - 1) == "(" {
            return;
        }
        let function = user.checked_sub(2).and_then(|at| Normaliser::named(self.text(at)));
        let is_argument = user >= 2 && self.text(user - 1) == "(" && self.text(user + 1) == ")";
        let taken = function.is_some_and(|normaliser| normaliser.attribute_of_user().is_some());
        if !(is_argument && taken) {
            let message = "`user` is the whole person; name an attribute".to_owned();
            self.refuse(self.tokens[user].place.clone(), message, Some("user.userName".to_owned()));
        }
    }

    /// The shape of the whole expression, if it is a simple one.
    fn simple(&self) -> Option<Simple> {
        let tokens = self.tokens;
        let normaliser = tokens.first().and_then(|token| Normaliser::named(token.text));
        let in_brackets = normaliser.is_some() && self.text(1) == "(" && tokens.last()?.text == ")";
        let (normaliser, inner) =
            if in_brackets { (normaliser, &tokens[2..tokens.len() - 1]) } else { (None, tokens) };
        if let ([token], Some(normaliser)) = (inner, normaliser) {
            return (token.text == "user").then_some(Simple::User(normaliser));
        }
        let only_paths = inner.iter().all(|token| token.kind == Kind::Name || token.text == ".");
        let only_or = inner.iter().enumerate().all(|(at, token)| {
            let is_part = at > 0 && inner[at - 1].text == ".";
            token.kind != Kind::Name || is_part || matches!(token.text, "user" | "or")
        });
        (self.plain && only_paths && only_or && !self.scan.paths.is_empty())
            .then_some(Simple::First(normaliser))
    }
}

/// Cuts an expression into tokens as minijinja's lexer does. What neither knows becomes a sign of one character.
fn tokens(text: &str) -> Vec<Token<'_>> {
    const LONG_SIGNS: [&str; 7] = ["**", "//", "==", "!=", "<=", ">=", "||"];
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first == '\'' || first == '"' {
            (Kind::Text, quoted_length(rest, first))
        } else if first.is_ascii_digit() {
            // A dot belongs to a number only if a digit follows: `user.emails[0].value`.
            (Kind::Number, number_length(rest))
        } else if first.is_alphabetic() || first == '_' {
            (Kind::Name, run_length(rest, |c| c.is_alphanumeric() || c == '_'))
        } else {
            let long = LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign));
            (Kind::Sign, long.map_or(first.len_utf8(), |sign| sign.len()))
        };
        tokens.push(Token { kind, text: &rest[..length], place: at..at + length });
        at += length;
    }
    tokens
}

fn run_length(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn number_length(text: &str) -> usize {
    let whole = run_length(text, |c| c.is_ascii_alphanumeric() || c == '_');
    match text[whole..].strip_prefix('.') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => {
            whole + 1 + run_length(rest, |c| c.is_ascii_alphanumeric() || c == '_')
        }
        _ => whole,
    }
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
