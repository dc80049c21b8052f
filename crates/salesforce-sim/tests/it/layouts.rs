//! What clients ask for to draw a form.

use serde_json::{Value, json};

use crate::world::{V, World};

#[tokio::test]
async fn a_layout_has_every_field_that_can_be_written() {
    let world = World::start().await;
    let path = format!("{V}/sobjects/Contact/describe");
    let describe = world.get(&path).await.expect(200);
    let writable = describe["fields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["createable"] == true || f["updateable"] == true);
    let layouts = world.get(&format!("{path}/layouts")).await.expect(200);
    let rows = layouts["layouts"][0]["detailLayoutSections"][0]["layoutRows"].as_array().unwrap();
    let items: Vec<&Value> = rows.iter().flat_map(|row| row["layoutItems"].as_array().unwrap()).collect();
    assert_eq!(items.len(), writable.count());
    let last_name = items.iter().find(|item| item["layoutComponents"][0]["value"] == "LastName").unwrap();
    assert_eq!(
        (&last_name["required"], &last_name["layoutComponents"][0]["details"]["length"]),
        (&json!(true), &json!(80))
    );
    assert_eq!(layouts["recordTypeMappings"][0]["recordTypeId"], "012000000000000AAA");
    assert_eq!(layouts["recordTypeSelectorRequired"], json!([false]));
    let one = world.get(&format!("{path}/layouts/012000000000000AAA")).await.expect(200);
    assert_eq!(one, layouts["layouts"][0]);
    assert!(world.get(&format!("{path}/compactLayouts")).await.expect(200)["compactLayouts"].is_array());
    assert_eq!(
        world.get(&format!("{path}/approvalLayouts")).await.expect(200),
        json!({"approvalLayouts": []})
    );
    for wrong in [
        format!("{path}/layouts/012000000000001AAA"),
        format!("{path}/nope"),
        format!("{V}/sobjects/UserLogin/describe/layouts"),
    ] {
        world.get(&wrong).await.expect_error(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn recent_shows_what_the_caller_changed_last() {
    let world = World::start().await;
    world.control("/clock", json!({"advance_seconds": 10})).await;
    let contacts = format!("{V}/sobjects/Contact");
    let id = world.post(&contacts, json!({"LastName": "Lovelace"})).await.expect(201)["id"].clone();
    let recent = world.get(&format!("{V}/recent?limit=1")).await.expect(200);
    let url = format!("{contacts}/{}", id.as_str().unwrap());
    assert_eq!(
        recent,
        json!([{"attributes": {"type": "Contact", "url": url}, "Id": id, "Name": "Lovelace"}])
    );
    for path in ["quickActions", "tabs", "theme", "appMenu/AppSwitcher"] {
        world.get(&format!("{V}/{path}")).await.expect(200);
    }
}
