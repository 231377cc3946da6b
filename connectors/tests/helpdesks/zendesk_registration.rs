//! Webhooks made, given another secret and deleted through Zendesk's API.

use super::support::{TENANT, World};
use deskstream_connectors::helpdesk::{WebhookError, Webhooks};
use deskstream_connectors::zendesk::client::Api;
use deskstream_samples::faults::{Fault, Rule};
use secrecy::ExposeSecret;

const ENDPOINT: &str = "https://hooks.example/webhooks/zendesk/acme";

fn api(world: &World) -> Api {
    Api::new(TENANT, world.process.config.tenants[TENANT].zendesk.as_ref().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_registered_once_whatever_becomes_of_answers() {
    let world = World::new().await;
    let api = api(&world);
    // Made, and nobody was told: the next try finds it.
    world.zendesk.faults().add(Rule::once("POST", "/api/v2/webhooks", Fault::DropAfter));
    assert!(matches!(api.register(ENDPOINT).await, Err(WebhookError::Call(_))));
    let registered = api.register(ENDPOINT).await.unwrap();
    assert!(registered.existed && registered.webhook.active);
    assert_eq!(registered.webhook.endpoint, ENDPOINT);
    assert_eq!(registered.secret.expose_secret().len(), 44);
    // Another one of someone else's, beyond the first page.
    for number in 0..101 {
        world.zendesk.create_webhook(&format!("https://other.example/{number}"), &[]);
    }
    let listed = api.list().await.unwrap();
    let ours: Vec<_> = listed.iter().filter(|webhook| webhook.endpoint == ENDPOINT).collect();
    assert_eq!((listed.len(), ours.len(), ours[0].subscriptions), (102, 1, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rotated_and_a_webhook_deleted() {
    let world = World::new().await;
    let api = api(&world);
    let registered = api.register(ENDPOINT).await.unwrap();
    assert!(!registered.existed);
    let id = registered.webhook.id.as_str();
    let rotated = api.rotate_secret(id).await.unwrap();
    assert_ne!(rotated.expose_secret(), registered.secret.expose_secret());
    let now = api.register(ENDPOINT).await.unwrap();
    assert_eq!(now.secret.expose_secret(), rotated.expose_secret());
    api.delete(id).await.unwrap();
    assert!(api.list().await.unwrap().is_empty());
    for gone in [id, "../users/me"] {
        assert!(matches!(api.delete(gone).await, Err(WebhookError::Unknown(_))));
        assert!(matches!(api.rotate_secret(gone).await, Err(WebhookError::Unknown(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oauth_token_is_as_good_as_an_api_token() {
    let world = World::new().await;
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), &world.zendesk.options().bearer_token).unwrap();
    let mut config = world.process.config.tenants[TENANT].zendesk.clone().unwrap();
    (config.email, config.api_token) = (None, None);
    config.oauth_token = Some(format!("file:{}", token.path().display()).as_str().into());
    let by_oauth = Api::new(TENANT, &config).unwrap().me().await.unwrap();
    assert_eq!(by_oauth, api(&world).me().await.unwrap());
}
