//! Pages by index (RFC 7644 §3.4.2.4) and by cursor (RFC 9865).

use super::*;

suite![
    c21_beyond_the_end_is_an_empty_page_and_zero_only_counts,
    c22_pages_neither_skip_nor_repeat,
    cursors_neither_skip_nor_repeat,
    a_cursor_is_exact_while_resources_come_and_go,
    the_last_page_has_no_cursor,
    a_cursor_pages_through_the_matches_of_a_filter,
    totals_are_exact_after_coming_and_going,
    ids_alone_come_in_pages_too,
];

async fn users(world: &World<'_>, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let more = json!({ "active": number % 3 != 0, "title": format!("title {}", number % 2) });
        let id = format!("id-{number}");
        world.create(USER, &id, user_with(&format!("user-{number}"), more)).await.expect_version(1);
        ids.push(id);
    }
    ids
}

fn by_index(offset: u64, count: u32) -> Query {
    Query { window: Window::Index { offset, count }, ..all(USER) }
}

fn by_cursor(after: Option<Cursor>, count: u32) -> Query {
    Query { window: Window::Cursor { after, count }, ..all(USER) }
}

/// All pages by cursor.
async fn follow(world: &World<'_>, query: &Query, count: u32) -> Vec<String> {
    let (mut after, mut found, mut total) = (None, Vec::new(), None);
    loop {
        let page = world.page(&Query { window: Window::Cursor { after, count }, ..query.clone() }).await;
        assert_eq!(*total.get_or_insert(page.total), page.total);
        found.extend(ids(&page));
        after = page.next;
        if after.is_none() {
            assert_eq!(total, Some(found.len() as u64));
            return found;
        }
        assert_eq!(page.resources.len(), count as usize, "only the last page may be short");
    }
}

async fn c21_beyond_the_end_is_an_empty_page_and_zero_only_counts(world: &World<'_>) {
    users(world, 5).await;
    for (offset, count) in [(5, 10), (1_000_000, 10), (u64::MAX, 1), (0, 0), (3, 0)] {
        for filter in [None, Some("userName pr"), Some("active ne null"), Some(r#"userName ne "x""#)] {
            let filter = filter.map(|filter| parse(USER, filter));
            let page = world.page(&Query { filter: filter.clone(), ..by_index(offset, count) }).await;
            assert_eq!((page.total, page.resources.len()), (5, 0), "{offset} {count} {filter:?}");
        }
    }
    let named = Query { filter: Some(parse(USER, r#"userName eq "user-1""#)), ..by_index(1, 10) };
    let page = world.page(&named).await;
    assert_eq!((page.total, page.resources.len()), (1, 0));
    let page = world.page(&Query { window: Window::Index { offset: 0, count: 0 }, ..named }).await;
    assert_eq!((page.total, page.resources.len()), (1, 0));
    let page = world.page(&by_cursor(None, 0)).await;
    assert_eq!((page.total, page.resources.len()), (5, 0));
}

async fn c22_pages_neither_skip_nor_repeat(world: &World<'_>) {
    let expected = users(world, 23).await;
    for count in [1, 2, 7, 22, 23, 24] {
        for filter in [None, Some("userName pr"), Some("userName pr or active eq true")] {
            let mut found = Vec::new();
            loop {
                let page = Query {
                    filter: filter.map(|filter| parse(USER, filter)),
                    ..by_index(found.len() as u64, count)
                };
                let page = world.page(&page).await;
                assert_eq!((page.total, page.next), (23, None));
                if page.resources.is_empty() {
                    break;
                }
                let rest = 23 - found.len();
                assert_eq!(
                    page.resources.len(),
                    rest.min(count as usize),
                    "the count is honoured to the end"
                );
                found.extend(ids(&page));
            }
            assert_eq!(found, expected, "{count} {filter:?}");
        }
    }
}

async fn cursors_neither_skip_nor_repeat(world: &World<'_>) {
    let expected = users(world, 23).await;
    for count in [1, 2, 7, 22, 23, 24] {
        assert_eq!(follow(world, &all(USER), count).await, expected, "{count}");
    }
}

async fn a_cursor_is_exact_while_resources_come_and_go(world: &World<'_>) {
    users(world, 9).await;
    // A resource that was asked for before the first page and becomes real after it is new, and comes last.
    world.open(joiner("c1", &world.tenant, "late", "late")).await;
    let first = world.page(&by_cursor(None, 3)).await;
    assert_eq!(ids(&first), ["id-0", "id-1", "id-2"]);
    // Seen, the very last seen, and one to come are deleted; one is changed; two are new.
    for id in ["id-0", "id-2", "id-4"] {
        world.delete(USER, id, 1).await.expect_version(1);
    }
    world.replace(USER, "id-5", 1, user("renamed")).await.expect_version(2);
    world.user("new").await;
    let made = Record {
        change: Some(ChangeId::from_text("c1")),
        ..record(&world.tenant, USER, "late", ResourceWrite::Create(resource(user("late"))))
    };
    ok(world.store.record(made).await).expect_version(1);
    let second = world.page(&by_cursor(first.next, 4)).await;
    assert_eq!(ids(&second), ["id-3", "id-5", "id-6", "id-7"]);
    let third = world.page(&by_cursor(second.next, 4)).await;
    assert_eq!(
        (ids(&third), third.next),
        (vec!["id-8".to_owned(), "id-new".to_owned(), "late".to_owned()], None)
    );
    assert_eq!(third.total, 8);
}

async fn the_last_page_has_no_cursor(world: &World<'_>) {
    users(world, 4).await;
    let page = world.page(&by_cursor(None, 4)).await;
    assert_eq!((page.resources.len(), page.next), (4, None));
    let page = world.page(&by_cursor(None, 3)).await;
    let after = page.next;
    assert!(after.is_some());
    world.delete(USER, "id-3", 1).await.expect_version(1);
    let page = world.page(&by_cursor(after, 3)).await;
    assert_eq!((page.total, page.resources.len(), page.next), (3, 0, None));
    // A number of a resource that is gone is not given to another, or a cursor would pass over it.
    world.user("again").await;
    let page = world.page(&by_cursor(after, 3)).await;
    assert_eq!(ids(&page), ["id-again"]);
    let page = world.page(&by_cursor(Some(Cursor(u64::MAX)), 3)).await;
    assert_eq!((page.resources.len(), page.next), (0, None));
}

async fn a_cursor_pages_through_the_matches_of_a_filter(world: &World<'_>) {
    users(world, 23).await;
    for filter in
        ["active eq true", r#"title eq "title 1""#, r#"active eq true and title eq "title 0""#, "userName pr"]
    {
        let whole = Query { filter: Some(parse(USER, filter)), ..all(USER) };
        let expected = ids(&world.page(&whole).await);
        for count in [1, 2, 5, 100] {
            assert_eq!(follow(world, &whole, count).await, expected, "{filter} by {count}");
        }
    }
}

async fn totals_are_exact_after_coming_and_going(world: &World<'_>) {
    users(world, 10).await;
    for number in 0..5 {
        world.delete(USER, &format!("id-{number}"), 1).await.expect_version(1);
    }
    world.open(joiner("c1", &world.tenant, "a", "a")).await;
    world.open(joiner("c2", &world.tenant, "b", "b")).await;
    ok(world.store.withdraw(&ChangeId::from_text("c1"), outcome("withdrawn"), true, at(1)).await);
    assert_eq!(world.delete(USER, "id-9", 7).await, Recorded::Stale);
    assert_eq!(world.count(USER).await, 5);
    assert_eq!(world.page(&by_index(0, 1)).await.total, 5);
    assert_eq!(
        world.page(&Query { filter: Some(parse(USER, "userName pr")), ..by_index(0, 1) }).await.total,
        5
    );
}

async fn ids_alone_come_in_pages_too(world: &World<'_>) {
    let everybody = users(world, 5).await;
    world.group("staff", &[]).await;
    world.open(joiner("c1", &world.tenant, "pending", "pending")).await;
    let page = async |kind, after, limit| {
        let page = ok(world.store.ids(&world.tenant, kind, after, limit).await);
        (page.ids.iter().map(ToString::to_string).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(page(USER, None, 5).await, (everybody.clone(), None), "a full page need not have a next one");
    assert_eq!(page(GROUP, None, 5).await, (vec!["id-staff".to_owned()], None));
    let (first, next) = page(USER, None, 2).await;
    assert_eq!(first, everybody[..2]);
    // What comes and goes meanwhile moves nobody over the edge of a page.
    world.delete(USER, "id-1", 1).await.expect_version(1);
    world.user("late").await;
    let (second, next) = page(USER, next, 2).await;
    assert_eq!(second, everybody[2..4]);
    assert_eq!(page(USER, next, 2).await, (vec!["id-4".to_owned(), "id-late".to_owned()], None));
    let nobody = ok(world.store.ids(&tenant("no/body"), USER, None, 2).await);
    assert_eq!((nobody.ids, nobody.next), (Vec::new(), None));
}
