//! What the API answers: schemas, versions, compatibility, deletion.

use super::support::{Client, DELETE, GET, POST, PUT, broken, options, schema_body, v1, v2};
use deskstream_embedded::{Registry, http};
use schema_registry_converter::async_impl::avro::{AvroDecoder, AvroEncoder};
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_all_subjects, get_all_versions, is_compatible_schema, post_schema,
};
use schema_registry_converter::schema_registry_common::{SchemaType, SubjectNameStrategy, SuppliedSchema};
use serde_json::json;

#[tokio::test]
async fn schemas_are_registered_looked_up_and_given_out() {
    let registry = Registry::start(options("api").await).await.unwrap();
    let client = Client::new(&registry);
    assert_eq!(client.get("/").await, json!({}));
    assert_eq!(client.get("/subjects").await, json!([]));
    assert_eq!(client.get("/schemas/types").await, json!(["AVRO"]));

    let first = client.register("events-value", &v1()).await;
    assert_eq!(client.register("events-value", &v1()).await, first, "the same schema again");
    let spaced = json!({ "schema": serde_json::to_string_pretty(&v1()).unwrap() });
    assert_eq!(
        client.ok(POST, "/subjects/events-value/versions", Some(spaced)).await,
        json!({ "id": first })
    );
    let second = client.register("events-value", &v2()).await;
    assert_eq!(second, first + 1);
    assert_eq!(client.register("other%2Fwith%20slash", &v1()).await, first, "ids are global");

    assert_eq!(client.get("/subjects").await, json!(["events-value", "other/with slash"]));
    assert_eq!(client.get("/subjects?subjectPrefix=ev").await, json!(["events-value"]));
    assert_eq!(client.get("/subjects/events-value/versions").await, json!([1, 2]));
    let latest = client.get("/subjects/events-value/versions/latest").await;
    assert_eq!(
        latest,
        json!({ "subject": "events-value", "version": 2, "id": second, "schema": v2().to_string() })
    );
    assert_eq!(client.get("/subjects/events-value/versions/-1").await, latest);
    assert_eq!(client.get("/subjects/events-value/versions/1/schema").await, v1());
    assert_eq!(client.get(&format!("/schemas/ids/{first}")).await, json!({ "schema": v1().to_string() }));
    assert_eq!(client.get(&format!("/schemas/ids/{first}/schema")).await, v1());
    assert_eq!(
        client.get(&format!("/schemas/ids/{first}/subjects")).await,
        json!(["events-value", "other/with slash"])
    );
    assert_eq!(
        client.get(&format!("/schemas/ids/{second}/versions")).await,
        json!([{ "subject": "events-value", "version": 2 }])
    );
    assert_eq!(client.get("/schemas?latestOnly=true").await.as_array().unwrap().len(), 2);
    let found = client.ok(POST, "/subjects/events-value", Some(schema_body(&v1()))).await;
    assert_eq!((&found["version"], &found["id"]), (&json!(1), &json!(first)));

    client.fails(GET, "/subjects/none/versions", None, 40401).await;
    client.fails(GET, "/subjects/none/versions/1", None, 40401).await;
    client.fails(GET, "/subjects/events-value/versions/9", None, 40402).await;
    client.fails(GET, "/subjects/events-value/versions/0", None, 42202).await;
    client.fails(GET, "/schemas/ids/999", None, 40403).await;
    client.fails(GET, "/schemas/ids/abc", None, 40403).await;
    client.fails(POST, "/subjects/none", Some(schema_body(&v1())), 40401).await;
    client.fails(POST, "/subjects/events-value", Some(schema_body(&json!("int"))), 40403).await;
    client.fails(POST, "/subjects/x/versions", Some(json!({ "schema": "{" })), 42201).await;
    client.fails(POST, "/subjects/x/versions", Some(json!({})), 42201).await;
    client
        .fails(POST, "/subjects/x/versions", Some(json!({ "schema": "{}", "schemaType": "JSON" })), 42201)
        .await;
    client.fails(POST, "/subjects/x/versions", Some(json!([1])), 400).await;
    client.fails(GET, "/nothing", None, 404).await;
    client.fails(PUT, "/subjects", Some(json!({})), 405).await;
    let plain =
        client.http.post(format!("{}/subjects/x/versions", client.url)).body("{}").send().await.unwrap();
    assert_eq!(plain.status(), 415, "a browser's form can't register");
    registry.stop().await;
}

#[tokio::test]
async fn compatibility_is_enforced_by_level() {
    let registry = Registry::start(options("levels").await).await.unwrap();
    let client = Client::new(&registry);
    assert_eq!(client.get("/config").await, json!({ "compatibilityLevel": "BACKWARD" }));
    client.register("s", &v1()).await;
    client.fails(POST, "/subjects/s/versions", Some(schema_body(&broken())), 409).await;
    let check = "/compatibility/subjects/s/versions/latest";
    assert_eq!(client.ok(POST, check, Some(schema_body(&broken()))).await, json!({ "is_compatible": false }));
    let verbose = client.ok(POST, &format!("{check}?verbose=true"), Some(schema_body(&broken()))).await;
    assert!(verbose["messages"][0].as_str().unwrap().contains("'b'"), "{verbose}");
    assert_eq!(client.ok(POST, check, Some(schema_body(&v2()))).await, json!({ "is_compatible": true }));
    client.fails(POST, "/compatibility/subjects/s/versions/7", Some(schema_body(&v1())), 40402).await;
    client.fails(POST, "/compatibility/subjects/none/versions/1", Some(schema_body(&v1())), 40402).await;
    let unknown = "/compatibility/subjects/none/versions";
    assert_eq!(client.ok(POST, unknown, Some(schema_body(&v1()))).await, json!({ "is_compatible": true }));

    client.fails(GET, "/config/s", None, 40408).await;
    assert_eq!(
        client.get("/config/s?defaultToGlobal=true").await,
        json!({ "compatibilityLevel": "BACKWARD" })
    );
    assert_eq!(
        client.put("/config/s", json!({ "compatibility": "none" })).await,
        json!({ "compatibility": "NONE" })
    );
    client.register("s", &broken()).await;
    client.register("s", &json!("string")).await;
    assert_eq!(client.delete("/config/s").await, json!({ "compatibilityLevel": "NONE" }));
    client.fails(DELETE, "/config/s", None, 40401).await;
    client.fails(PUT, "/config/s", Some(json!({ "compatibility": "SOME" })), 42203).await;

    client.put("/config", json!({ "compatibility": "FULL_TRANSITIVE" })).await;
    client.fails(POST, "/subjects/s/versions", Some(schema_body(&json!("bytes"))), 409).await;
    assert_eq!(client.delete("/config").await, json!({ "compatibilityLevel": "FULL_TRANSITIVE" }));
    client.register("s", &json!("bytes")).await;

    assert_eq!(client.get("/mode").await, json!({ "mode": "READWRITE" }));
    client.fails(GET, "/mode/s", None, 40409).await;
    client.put("/mode/s", json!({ "mode": "READONLY" })).await;
    client.fails(POST, "/subjects/s/versions", Some(schema_body(&v2())), 42205).await;
    assert_eq!(client.delete("/mode/s").await, json!({ "mode": "READONLY" }));
    client.fails(PUT, "/mode", Some(json!({ "mode": "IMPORT" })), 42204).await;
}

#[tokio::test]
async fn deletion_takes_two_steps_and_never_frees_an_id() {
    let registry = Registry::start(options("deletions").await).await.unwrap();
    let client = Client::new(&registry);
    let first = client.register("s", &v1()).await;
    let second = client.register("s", &v2()).await;

    client.fails(DELETE, "/subjects/none", None, 40401).await;
    client.fails(DELETE, "/subjects/s/versions/9", None, 40402).await;
    client.fails(DELETE, "/subjects/s/versions/1?permanent=true", None, 40407).await;
    client.fails(DELETE, "/subjects/s?permanent=true", None, 40405).await;
    assert_eq!(client.delete("/subjects/s/versions/latest").await, json!(2));
    client.fails(DELETE, "/subjects/s/versions/2", None, 40406).await;
    client.fails(GET, "/subjects/s/versions/2", None, 40402).await;
    assert_eq!(client.get("/subjects/s/versions/2?deleted=true").await["deleted"], true);
    assert_eq!(client.get("/subjects/s/versions/latest").await["version"], 1);
    client.fails(POST, "/subjects/s", Some(schema_body(&v2())), 40403).await;
    assert_eq!(client.ok(POST, "/subjects/s?deleted=true", Some(schema_body(&v2()))).await["id"], second);

    // Again: the same id, a new version.
    assert_eq!(client.register("s", &v2()).await, second);
    assert_eq!(client.get("/subjects/s/versions").await, json!([1, 3]));
    client.put("/config/s", json!({ "compatibility": "FULL" })).await;
    assert_eq!(client.delete("/subjects/s").await, json!([1, 3]));
    client.fails(DELETE, "/subjects/s", None, 40404).await;
    client.fails(GET, "/subjects/s/versions", None, 40401).await;
    client.fails(GET, "/config/s", None, 40408).await;
    assert_eq!(client.get("/subjects").await, json!([]));
    assert_eq!(client.get("/subjects?deletedOnly=true").await, json!(["s"]));
    assert_eq!(
        client.get(&format!("/schemas/ids/{first}")).await["schema"],
        v1().to_string(),
        "data stays readable"
    );

    assert_eq!(client.delete("/subjects/s?permanent=true").await, json!([1, 2, 3]));
    client.fails(GET, &format!("/schemas/ids/{first}"), None, 40403).await;
    registry.stop().await;
    let registry = Registry::start(options("deletions").await).await.unwrap();
    let client = Client::new(&registry);
    assert_eq!(client.get("/subjects?deleted=true").await, json!([]));
    assert!(client.register("s", &json!("int")).await > second, "an id of what is gone is not given again");
    assert_eq!(client.get("/subjects/s/versions").await, json!([1]));
}

#[tokio::test]
async fn a_schema_that_others_refer_to_stays() {
    let registry = Registry::start(options("references").await).await.unwrap();
    let client = Client::new(&registry);
    let point = json!({ "type": "record", "name": "P", "fields": [{ "name": "x", "type": "int" }] });
    client.register("p", &point).await;
    let user = json!({ "type": "record", "name": "U", "fields": [{ "name": "p", "type": "P" }] });
    client.fails(POST, "/subjects/u/versions", Some(schema_body(&user)), 42201).await;
    let mut body = schema_body(&user);
    body["references"] = json!([{ "name": "P", "subject": "p", "version": 1 }]);
    let id = client.ok(POST, "/subjects/u/versions", Some(body.clone())).await["id"].clone();
    assert_eq!(client.get(&format!("/schemas/ids/{id}")).await["references"], body["references"]);
    assert_eq!(client.get("/subjects/p/versions/1/referencedby").await, json!([id]));
    client.fails(DELETE, "/subjects/p", None, 42206).await;
    client.fails(DELETE, "/subjects/p/versions/1", None, 42206).await;
    client.delete("/subjects/u").await;
    client.delete("/subjects/p").await;
}

#[tokio::test]
async fn the_rust_client_of_the_product_works_against_it() {
    http::install_tls();
    let registry = Registry::start(options("converter").await).await.unwrap();
    let settings = SrSettings::new(registry.url());
    let schema = SuppliedSchema::new(Some("test.R".into()), SchemaType::Avro, v1().to_string());
    let registered = post_schema(&settings, "events-value".into(), schema.clone()).await.unwrap();
    let strategy = SubjectNameStrategy::RecordNameStrategyWithSchema(schema.clone());
    let encoder = AvroEncoder::new(settings.clone());
    let bytes = encoder.encode(vec![("a", apache_avro::types::Value::Int(7))], strategy).await.unwrap();
    // Confluent's wire format: a zero byte, the id in big endian.
    assert_eq!(bytes[0], 0);
    assert_eq!(u32::from_be_bytes(bytes[1..5].try_into().unwrap()), registered.id);
    let decoded = AvroDecoder::new(settings.clone()).decode(Some(&bytes)).await.unwrap();
    assert_eq!(
        decoded.value,
        apache_avro::types::Value::Record(vec![("a".into(), apache_avro::types::Value::Int(7))])
    );
    assert_eq!(get_all_subjects(&settings).await.unwrap(), ["events-value", "test.R"]);
    assert_eq!(get_all_versions(&settings, "events-value".into()).await.unwrap(), [1]);
    let mut worse = schema.clone();
    worse.schema = broken().to_string();
    assert!(!is_compatible_schema(&settings, "events-value".into(), worse.clone()).await.unwrap());
    let error = post_schema(&settings, "events-value".into(), worse).await.unwrap_err();
    assert!(format!("{error:?}").contains("409"), "{error:?}");
}
