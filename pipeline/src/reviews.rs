//! Reviews as the console leaves them in the `control` topic: a person's word on how a ticket is to be judged.

use deskstream_schemas::{ControlEntity, Platform};
use serde::{Deserialize, Serialize};

/// Kind of the control entities that hold reviews; their id is `tenant/platform/ticket`.
pub const REVIEW_KIND: &str = "review";

/// The body of such an entity. The latest of a ticket holds, as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewBody {
    /// The event whose analysis was reviewed.
    pub event_id: String,
    /// The ticket's version at that event.
    pub version: u64,
    /// What it is about, if judged.
    pub root_cause: Option<String>,
    /// How urgent it is, if judged.
    pub urgency: Option<String>,
    /// How its writer feels, if judged.
    pub sentiment: Option<String>,
    /// Id of the user or key.
    pub reviewed_by: String,
    /// When, in milliseconds since the Unix epoch.
    pub reviewed_at: i64,
}

/// A review and the ticket that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketReview {
    /// The tenant.
    pub tenant: String,
    /// The helpdesk.
    pub platform: Platform,
    /// The ticket's id there.
    pub ticket_id: String,
    /// What was said.
    pub body: ReviewBody,
}

/// What is called a review and is none.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Its id names no ticket of its tenant.
    #[error("its id names no ticket of its tenant")]
    Id,
    /// Its body can't be read.
    #[error("its body is no review")]
    Body(#[source] serde_json::Error),
}

/// The id of the entity that holds a ticket's review.
pub fn entity_id(tenant: &str, platform: &str, ticket: &str) -> String {
    format!("{tenant}/{platform}/{ticket}")
}

/// The review in an entity; none if the entity is something else.
///
/// # Errors
/// If it is called a review and can't be read as one.
pub fn read(entity: &ControlEntity) -> Result<Option<TicketReview>, ReviewError> {
    if entity.kind != REVIEW_KIND {
        return Ok(None);
    }
    let mut parts = entity.id.splitn(3, '/');
    let (Some(tenant), Some(platform), Some(ticket)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ReviewError::Id);
    };
    let platform = Platform::named(platform).ok_or(ReviewError::Id)?;
    if tenant != entity.tenant || ticket.is_empty() {
        return Err(ReviewError::Id);
    }
    let body = serde_json::from_str(&entity.body).map_err(ReviewError::Body)?;
    Ok(Some(TicketReview { tenant: tenant.to_owned(), platform, ticket_id: ticket.to_owned(), body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(kind: &str, id: &str, body: &str) -> ControlEntity {
        ControlEntity {
            kind: kind.into(),
            id: id.into(),
            tenant: "acme".into(),
            version: 1,
            updated_at: 1,
            updated_by: "u".into(),
            body: body.into(),
            secret: None,
        }
    }

    #[test]
    fn only_reviews_of_the_tenants_own_tickets_are_read() {
        let body = r#"{"event_id":"e","version":3,"root_cause":"refund","urgency":null,"sentiment":null,
                       "reviewed_by":"u1","reviewed_at":5}"#;
        let review = read(&entity(REVIEW_KIND, "acme/zendesk/7/8", body)).unwrap().unwrap();
        assert_eq!((&*review.ticket_id, review.platform), ("7/8", Platform::Zendesk));
        assert_eq!(review.body.root_cause.as_deref(), Some("refund"));
        assert_eq!(read(&entity("user", "u1", "{}")).unwrap(), None);
        for id in ["acme/zendesk", "acme/zendesk/", "acme/jira/7", "other/zendesk/7"] {
            assert!(matches!(read(&entity(REVIEW_KIND, id, body)), Err(ReviewError::Id)), "{id}");
        }
        assert!(matches!(read(&entity(REVIEW_KIND, "acme/zendesk/7", "{}")), Err(ReviewError::Body(_))));
    }
}
