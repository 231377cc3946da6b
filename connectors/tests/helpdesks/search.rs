//! The helpdesks' own search, beyond one page and up to their limits.

use super::support::{FRESH, TENANT, World};
use deskstream_connectors::helpdesk::{self, Admin};
use std::collections::BTreeSet;
use std::sync::Arc;

fn admin(world: &World, name: &str) -> Arc<dyn Admin> {
    let accounts = helpdesk::accounts(&world.process.config);
    accounts.iter().find(|account| account.name() == name).unwrap().admin().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_are_found_page_by_page() {
    let world = World::new().await;
    for number in 0..350 {
        let tags: &[&str] = if number % 50 == 0 { &["vip", "rare"] } else { &["vip"] };
        world.ticket(tags);
        world.fresh_ticket(tags);
    }
    let zendesk = admin(&world, &format!("{TENANT}/zendesk"));
    let search = zendesk.search().unwrap();
    let found = search.tickets("tags:rare", 100).await.unwrap();
    assert_eq!((found.hits.len(), found.more), (7, false));
    assert!(found.hits[0].tags.contains(&"rare".to_owned()));
    for (most, len, more) in [(1000, 350, false), (350, 350, false), (150, 150, true), (1, 1, true)] {
        let found = search.tickets("tags:vip", most).await.unwrap();
        let distinct: BTreeSet<_> = found.hits.iter().map(|hit| &hit.ticket_id).collect();
        assert_eq!((found.hits.len(), distinct.len(), found.more), (len, len, more), "{most}");
    }

    let freshdesk = admin(&world, &format!("{FRESH}/freshdesk"));
    let search = freshdesk.search().unwrap();
    let found = search.tickets("tag:'rare' AND status:2", 100).await.unwrap();
    assert_eq!((found.hits.len(), found.more), (7, false));
    assert_eq!(found.hits[0].status, "open");
    // Freshdesk gives ten pages of thirty, and says how many there are.
    for (most, len, more) in [(1000, 300, true), (45, 45, true), (300, 300, true)] {
        let found = search.tickets("tag:'vip'", most).await.unwrap();
        let distinct: BTreeSet<_> = found.hits.iter().map(|hit| &hit.ticket_id).collect();
        assert_eq!((found.hits.len(), distinct.len(), found.more), (len, len, more), "{most}");
    }
    // What the helpdesk does not understand it refuses, and we say so.
    assert!(search.tickets("nonsense", 1).await.is_err());
    world.stop().await;
}
