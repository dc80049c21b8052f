//! Filters and sorting.

use super::*;

suite![
    c15_an_empty_search_has_no_resources_and_a_total_of_zero,
    c16_names_and_addresses_are_found_in_any_case_ids_are_not,
    c18_each_frequent_filter_finds_what_it_should,
    c26_inactive_users_are_found,
    a_time_between_milliseconds_is_compared_exactly,
    groups_are_found_by_member_and_name,
    filters_without_an_index_find_as_much,
    keys_follow_what_is_written,
    a_list_is_in_the_creation_sequence,
    sorting_puts_those_without_a_value_last_and_first_when_descending,
    sorting_goes_by_type,
    sorting_takes_the_primary_value,
    equal_values_stay_in_the_creation_sequence,
    filter_sort_and_window_go_together,
];

/// Ada, Grace, Edsger (inactive) and Barbara (who has next to nothing).
async fn people(world: &World<'_>) {
    let enterprise = |number: &str, department: &str| {
        json!({
        "employeeNumber": number, "department": department, "manager": { "value": "ada" } })
    };
    let people = [
        (
            "ada",
            json!({
                "externalId": "Ext-1", "displayName": "Ada Lovelace", "title": "Countess", "active": true,
                "name": { "familyName": "Lovelace", "givenName": "Ada" },
                "emails": [
                    { "value": "ada@work.example", "type": "work", "primary": true },
                    { "value": "ada@home.example", "type": "home" },
                ],
                schema::ENTERPRISE_USER_URN: enterprise("007", "Engines"),
            }),
        ),
        (
            "grace",
            json!({
                "externalId": "ext-1", "displayName": "grace hopper", "active": true,
                "name": { "familyName": "Hopper" },
                "emails": [{ "value": "Grace@Navy.example", "type": "work" }],
                schema::ENTERPRISE_USER_URN: enterprise("a7", "Compilers"),
            }),
        ),
        (
            "edsger",
            json!({
                "externalId": "Ext-3", "active": false, "name": { "familyName": "Dijkstra" },
                "emails": [{ "value": "ada@work.example", "type": "home" }],
            }),
        ),
        ("barbara", json!({})),
    ];
    for (second, (name, more)) in (0..).zip(people) {
        let write = ResourceWrite::Create(resource(user_with(name, more)));
        let record = Record { at: at(second), ..record(&world.tenant, USER, name, write) };
        ok(world.store.record(record).await).expect_version(1);
    }
}

async fn c15_an_empty_search_has_no_resources_and_a_total_of_zero(world: &World<'_>) {
    for kind in [USER, GROUP] {
        let page = world.page(&all(kind)).await;
        assert_eq!((page.total, page.resources.len(), page.next), (0, 0, None));
    }
    world.user("ada").await;
    for filter in [r#"userName eq "x""#, r#"externalId eq "x""#, r#"title eq "x""#, r#"userName eq """#] {
        assert!(world.found(USER, filter).await.is_empty(), "{filter}");
    }
}

async fn c16_names_and_addresses_are_found_in_any_case_ids_are_not(world: &World<'_>) {
    people(world).await;
    for (filter, expected) in [
        (r#"userName eq "ADA""#, &["ada"][..]),
        (r#"emails.value eq "GRACE@navy.EXAMPLE""#, &["grace"]),
        (r#"id eq "ada""#, &["ada"]),
        (r#"id eq "ADA""#, &[]),
        (r#"externalId eq "Ext-1""#, &["ada"]),
        (r#"externalId eq "ext-1""#, &["grace"]),
        (r#"externalId eq "EXT-1""#, &[]),
    ] {
        assert_eq!(world.found(USER, filter).await, expected, "{filter}");
    }
}

async fn c18_each_frequent_filter_finds_what_it_should(world: &World<'_>) {
    people(world).await;
    let urn = schema::ENTERPRISE_USER_URN;
    let (first, second) = (at(1).to_string(), at(2).to_string());
    for (filter, expected) in [
        (r#"displayName eq "ADA lovelace""#.to_owned(), &["ada"][..]),
        (r#"employeeNumber eq "007""#.to_owned(), &["ada"]),
        (format!(r#"{urn}:employeeNumber eq "A7""#), &["grace"]),
        (r#"department eq "engines""#.to_owned(), &["ada"]),
        (r#"manager eq "ada""#.to_owned(), &["ada", "grace"]),
        (r#"emails eq "ada@work.example""#.to_owned(), &["ada", "edsger"]),
        (r#"emails[type eq "work"].value eq "ada@work.example""#.to_owned(), &["ada"]),
        (r#"emails[type eq "work" and value eq "ada@home.example"]"#.to_owned(), &[]),
        (r#"emails[value ew ".example" and type eq "home"]"#.to_owned(), &["ada", "edsger"]),
        ("active eq true".to_owned(), &["ada", "grace", "barbara"]),
        ("active eq false".to_owned(), &["edsger"]),
        ("active ne true".to_owned(), &["edsger"]),
        (format!(r#"meta.lastModified gt "{first}""#), &["edsger", "barbara"]),
        (format!(r#"meta.lastModified ge "{first}""#), &["grace", "edsger", "barbara"]),
        (format!(r#"meta.lastModified lt "{second}""#), &["ada", "grace"]),
        (format!(r#"meta.lastModified le "{second}""#), &["ada", "grace", "edsger"]),
        (format!(r#"meta.lastModified eq "{second}""#), &["edsger"]),
        (format!(r#"meta.created eq "{second}""#), &["edsger"]),
        (r#"userName eq "ada" or externalId eq "Ext-3""#.to_owned(), &["ada", "edsger"]),
        (r#"userName eq "ada" or emails.value eq "ada@work.example""#.to_owned(), &["ada", "edsger"]),
        (r#"active eq true and emails.value eq "ada@work.example""#.to_owned(), &["ada"]),
        (r#"userName eq "ada" and title eq "Duke""#.to_owned(), &[]),
        ("active eq true and not (title pr)".to_owned(), &["grace", "barbara"]),
    ] {
        assert_eq!(world.found(USER, &filter).await, expected, "{filter}");
    }
}

async fn c26_inactive_users_are_found(world: &World<'_>) {
    people(world).await;
    assert!(ids(&world.page(&all(USER)).await).contains(&"edsger".to_owned()));
    assert_eq!(world.found(USER, r#"userName eq "edsger""#).await, ["edsger"]);
}

async fn a_time_between_milliseconds_is_compared_exactly(world: &World<'_>) {
    let write = ResourceWrite::Create(resource(user("ada")));
    let moment: Timestamp = "2026-01-01T00:00:00.500Z".parse().expect("a time");
    ok(world.store.record(Record { at: moment, ..record(&world.tenant, USER, "ada", write) }).await)
        .expect_version(1);
    for (filter, found) in [
        (r#"meta.lastModified gt "2026-01-01T00:00:00.4999Z""#, true),
        (r#"meta.lastModified gt "2026-01-01T00:00:00.500Z""#, false),
        (r#"meta.lastModified gt "2026-01-01T00:00:00.5001Z""#, false),
        (r#"meta.lastModified ge "2026-01-01T00:00:00.5001Z""#, false),
        (r#"meta.lastModified ge "2026-01-01T00:00:00.4999Z""#, true),
        (r#"meta.lastModified lt "2026-01-01T00:00:00.5001Z""#, true),
        (r#"meta.lastModified lt "2026-01-01T00:00:00.5Z""#, false),
        (r#"meta.lastModified le "2026-01-01T00:00:00.4999Z""#, false),
        (r#"meta.lastModified eq "2026-01-01T01:00:00.5+01:00""#, true),
        (r#"meta.lastModified eq "2026-01-01T00:00:00.5001Z""#, false),
    ] {
        assert_eq!(world.found(USER, filter).await.len(), usize::from(found), "{filter}");
    }
}

async fn groups_are_found_by_member_and_name(world: &World<'_>) {
    world.user("ada").await;
    world.user("grace").await;
    world.group("staff", &["id-ada", "id-grace"]).await;
    world.group("board", &["id-ada"]).await;
    world.group("all", &["id-staff"]).await;
    for (filter, expected) in [
        (r#"displayName eq "STAFF""#, &["id-staff"][..]),
        (r#"members eq "id-ada""#, &["id-staff", "id-board"]),
        (r#"members.value eq "id-grace""#, &["id-staff"]),
        (r#"members[value eq "id-staff"]"#, &["id-all"]),
        (r#"members.value eq "id-ada" and displayName sw "b""#, &["id-board"]),
        (r#"members.display eq "GRACE""#, &["id-staff"]),
        (r#"members[type eq "Group"]"#, &["id-all"]),
        (r#"not (members.value eq "id-ada")"#, &["id-all"]),
        (r#"members.value eq "nobody""#, &[]),
    ] {
        assert_eq!(world.found(GROUP, filter).await, expected, "{filter}");
    }
    for (filter, expected) in [
        (r#"groups.value eq "id-staff""#, &["id-ada", "id-grace"][..]),
        (r#"groups eq "id-board""#, &["id-ada"]),
        (r#"groups.display eq "board""#, &["id-ada"]),
        (r#"groups.value eq "id-all""#, &[]),
    ] {
        assert_eq!(world.found(USER, filter).await, expected, "{filter}");
    }
}

async fn filters_without_an_index_find_as_much(world: &World<'_>) {
    people(world).await;
    for (filter, expected) in [
        (r#"userName sw "E""#, &["edsger"][..]),
        (r#"userName co "A""#, &["ada", "grace", "barbara"]),
        (r#"not (userName eq "ada")"#, &["grace", "edsger", "barbara"]),
        ("title pr", &["ada"]),
        (r#"name.familyName gt "I""#, &["ada"]),
        ("externalId eq null", &["barbara"]),
        ("emails pr", &["ada", "grace", "edsger"]),
        (r#"meta.version eq "W/\"1\"""#, &["ada", "grace", "edsger", "barbara"]),
        (r#"meta.resourceType eq "User""#, &["ada", "grace", "edsger", "barbara"]),
        (
            r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#,
            &["ada", "grace", "edsger", "barbara"],
        ),
    ] {
        assert_eq!(world.found(USER, filter).await, expected, "{filter}");
    }
}

async fn keys_follow_what_is_written(world: &World<'_>) {
    people(world).await;
    let new = json!({
        "externalId": "new", "displayName": "New", "active": false, "emails": [{ "value": "new@example.com" }],
        schema::ENTERPRISE_USER_URN: { "employeeNumber": "new" },
    });
    world.replace(USER, "ada", 1, user_with("new", new)).await.expect_version(2);
    for attribute in ["userName", "externalId", "displayName", "employeeNumber"] {
        assert_eq!(world.found(USER, &format!(r#"{attribute} eq "new""#)).await, ["ada"], "{attribute}");
    }
    assert_eq!(world.found(USER, r#"emails eq "new@example.com""#).await, ["ada"]);
    assert_eq!(world.found(USER, "active eq false").await, ["ada", "edsger"]);
    for filter in [
        r#"userName eq "ada""#,
        r#"externalId eq "Ext-1""#,
        r#"displayName eq "Ada Lovelace""#,
        r#"employeeNumber eq "007""#,
        r#"emails eq "ada@home.example""#,
    ] {
        assert!(world.found(USER, filter).await.is_empty(), "{filter}");
    }
    world.replace(USER, "ada", 2, user("new")).await.expect_version(3);
    for attribute in ["externalId", "displayName", "employeeNumber"] {
        assert!(world.found(USER, &format!(r#"{attribute} eq "new""#)).await.is_empty(), "{attribute}");
    }
    assert!(world.found(USER, r#"emails eq "new@example.com""#).await.is_empty());
}

async fn a_list_is_in_the_creation_sequence(world: &World<'_>) {
    for name in ["c", "a", "b"] {
        world.user(name).await;
    }
    world.replace(USER, "id-c", 1, user("z")).await.expect_version(2);
    world.delete(USER, "id-a", 1).await.expect_version(1);
    world.user("a").await;
    assert_eq!(ids(&world.page(&all(USER)).await), ["id-c", "id-b", "id-a"]);
}

async fn sorting_puts_those_without_a_value_last_and_first_when_descending(world: &World<'_>) {
    people(world).await;
    for (attribute, ascending, descending) in [
        ("userName", ["ada", "barbara", "edsger", "grace"], ["grace", "edsger", "barbara", "ada"]),
        ("displayName", ["ada", "grace", "edsger", "barbara"], ["edsger", "barbara", "grace", "ada"]),
        ("name.familyName", ["edsger", "grace", "ada", "barbara"], ["barbara", "ada", "grace", "edsger"]),
        ("title", ["ada", "grace", "edsger", "barbara"], ["grace", "edsger", "barbara", "ada"]),
        ("id", ["ada", "barbara", "edsger", "grace"], ["grace", "edsger", "barbara", "ada"]),
        ("meta.created", ["ada", "grace", "edsger", "barbara"], ["barbara", "edsger", "grace", "ada"]),
        ("employeeNumber", ["ada", "grace", "edsger", "barbara"], ["edsger", "barbara", "grace", "ada"]),
    ] {
        assert_eq!(ids(&world.page(&sorted_by(USER, attribute, false)).await), ascending, "{attribute}");
        assert_eq!(ids(&world.page(&sorted_by(USER, attribute, true)).await), descending, "{attribute}");
    }
}

async fn sorting_goes_by_type(world: &World<'_>) {
    people(world).await;
    // false before true; upper and lower case matter in an externalId alone.
    assert_eq!(
        ids(&world.page(&sorted_by(USER, "active", false)).await),
        ["edsger", "ada", "grace", "barbara"]
    );
    assert_eq!(
        ids(&world.page(&sorted_by(USER, "externalId", false)).await),
        ["ada", "edsger", "grace", "barbara"]
    );
    world.replace(USER, "ada", 1, user("ada")).await.expect_version(2);
    let page = world.page(&sorted_by(USER, "meta.lastModified", true)).await;
    assert_eq!(ids(&page), ["barbara", "edsger", "grace", "ada"], "it was replaced at second 0");
}

async fn sorting_takes_the_primary_value(world: &World<'_>) {
    for (name, emails) in [
        ("1", json!([{ "value": "c@x" }, { "value": "z@x" }])),
        ("2", json!([{ "value": "a@x" }, { "value": "d@x", "primary": true }])),
        ("3", json!([{ "value": "B@x" }])),
    ] {
        world.create(USER, name, user_with(name, json!({ "emails": emails }))).await.expect_version(1);
    }
    for attribute in ["emails", "emails.value"] {
        assert_eq!(
            ids(&world.page(&sorted_by(USER, attribute, false)).await),
            ["3", "1", "2"],
            "{attribute}"
        );
    }
}

async fn equal_values_stay_in_the_creation_sequence(world: &World<'_>) {
    for name in ["c", "a", "b"] {
        let more = json!({ "displayName": "Same", "title": "same" });
        world.create(USER, name, user_with(name, more)).await.expect_version(1);
    }
    for attribute in ["displayName", "title", "meta.created"] {
        for descending in [false, true] {
            let page = world.page(&sorted_by(USER, attribute, descending)).await;
            assert_eq!(ids(&page), ["c", "a", "b"], "{attribute} {descending}");
        }
    }
}

async fn filter_sort_and_window_go_together(world: &World<'_>) {
    people(world).await;
    for (filter, sort) in
        [("active eq true", "userName"), ("userName pr", "userName"), ("userName pr", "name.familyName")]
    {
        let whole = Query { filter: Some(parse(USER, filter)), ..sorted_by(USER, sort, true) };
        let expected = ids(&world.page(&whole).await);
        let mut found = Vec::new();
        for offset in 0..5 {
            let page =
                world.page(&Query { window: Window::Index { offset, count: 1 }, ..whole.clone() }).await;
            assert_eq!(page.total, expected.len() as u64);
            found.extend(ids(&page));
        }
        assert_eq!(found, expected, "{filter} by {sort}");
    }
}
