//! The texts that an administrator reads. Every mistake of a file is reported, each with its place.

use translation::Mapping;

fn errors(text: &str) -> String {
    match Mapping::parse(text, "acme.toml") {
        Ok(mapping) => panic!("expected mistakes in {mapping:?}"),
        Err(errors) => errors.to_string(),
    }
}

/// The errors of lines below `[targets.staff.fields]`.
fn field_errors(lines: &str) -> String {
    errors(&format!("[targets.staff]\nobject = \"User\"\nmatch = []\n[targets.staff.fields]\n{lines}\n"))
}

#[test]
fn an_unknown_attribute_has_line_column_and_suggestion() {
    insta::assert_snapshot!(field_errors("Title = 'user.title'\nLocaleSidKey = 'locale(user.lcale)'"));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    insta::assert_snapshot!(errors(
        r#"
[target.staff]
object = "User"

[targets.Staff]
object = "User"
org = "Acme Prod"
alow = ["create"]
allow = ["create", "delete", "updte"]
on-leave = "freze"
match = ["Usrname"]
when = 'user.userTyp != "Customer"'

[targets.Staff.fields]
Username = 'usernme(user.userName)'
Email = { from = 'email[primary eq true].value' }
IsActive = 'user.active'
Title = { vale = 'user.title' }
title = 'user.title'
Department = 42

[targets.other]
"#
    ));
}

#[test]
fn mistakes_in_expressions() {
    insta::assert_snapshot!(field_errors(
        r#"A = 'user.title|lowr'
B = 'user.title * 1000000'
C = 'user.emails.value'
D = 'user.username'
E = 'userName'
F = 'user'
G = 'user.title is startswith("x")'
H = 'user.id ~ user.groups ~ user.password'
I = 'left(user.title, '
J = 'user.title.upper()'
K = 'user.name.FamilyName'
L = 'range(10)'
M = "user.nick\u004Eame ~ user.nope"
N = 'user.emails[0].valeu'
O = ''
P = 'alias(user) ~ user.locale ~ usr.title'
Q = 'locale(user)'"#
    ));
}

#[test]
fn mistakes_in_paths() {
    insta::assert_snapshot!(field_errors(
        r"A = { from = 'emails[primary eq true' }
B = { from = 'emails[primry eq true].value' }
C = { from = 'emails[primary eq true].valeu' }
D = { from = 'emails' }
E = { from = 'name' }
F = { from = 'name.famlyName' }
G = { from = 'userName[x eq 1]' }
H = { from = 'meta.created' }
I = { from = '' }
J = { from = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:departmnt' }"
    ));
}

#[test]
fn mistakes_in_rules() {
    insta::assert_snapshot!(field_errors(
        r#"A = { value = 'user.title', from = 'title' }
B = { on = "create" }
C = { default = "x", map = { a = "b" } }
D = { value = 'user.title', map = {}, clear = "no" }
E = { value = 42, on = "creat" }
F = { default = [1] }
G = [1]
"H I" = 'user.title'
J = { value = 'user.title', map = { a = [] } }
Id = 'user.externalId'"#
    ));
}

#[test]
fn mistakes_in_toml() {
    insta::assert_snapshot!(errors("[targets.staff\nobject = \"User\"\nx = = 1\n"));
}

#[test]
fn a_mapping_without_targets() {
    insta::assert_snapshot!(errors(""));
}

/// Expressions in escaped and multi-line strings are marked where that is possible, else as a whole.
#[test]
fn places_in_every_kind_of_string() {
    insta::assert_snapshot!(field_errors(
        "A = \"\"\"\nuser.title ~\n  user.tilte\"\"\"\nB = \"user.tit\\u006Ce ~ user.tilte\"\n\tC\t= 'user.tïtle'"
    ));
}

/// Nothing that can be nested makes the parsers run out of stack.
#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("not ", ""),
        ("-", ""),
        ("user.title if ", ""),
        ("{1:", "}"),
        ("alias(", ")"),
    ] {
        let times = 4_000 / (open.len() + close.len());
        let expression = format!("{}user.title{}", open.repeat(times), close.repeat(times));
        let text = format!("[targets.t]\nobject = \"User\"\n[targets.t.fields]\nTitle = '{expression}'\n");
        if let Err(errors) = Mapping::parse(&text, "acme.toml") {
            assert!(errors.to_string().len() < 2_000, "{errors}");
        }
    }
    errors(&format!("targets = {}", "[".repeat(500_000)));
    errors(&format!("targets = {}", "{a=".repeat(200_000)));
    errors(&"a.".repeat(500_000));
}

/// A file of mistakes alone is answered at once: the first two hundred are enough.
#[test]
fn a_file_of_mistakes_is_answered() {
    let text = (0..20_000).map(|line| format!("key{line} = 1")).collect::<Vec<_>>().join("\n");
    let Err(errors) = Mapping::parse(&text, "acme.toml") else { panic!("expected mistakes") };
    assert_eq!(errors.as_slice().len(), 200);
}

#[test]
fn a_mapping_of_a_million_bytes_is_refused() {
    let error = errors(&"#".repeat(1024 * 1024 + 1));
    assert!(error.contains("1048576"), "{error}");
}
