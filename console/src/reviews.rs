//! Reviews: a person's correction of how a ticket was judged, an event on the `control` topic. The latest of each ticket
//! is kept there, and the pipeline reads it; its versions and the audit trail tell the earlier ones.

use crate::history::millis::Millis;
use crate::http::error::ApiError;
use crate::identity::seal;
use deskstream_analyze::{Analyzer, Head};
use deskstream_pipeline::reviews::{REVIEW_KIND, ReviewBody, entity_id};
use deskstream_runtime::Process;
use deskstream_runtime::config::PipelineConfig;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a reviewer may say: the labels of the model.
pub struct Labels {
    /// Of root causes.
    pub root_cause: Vec<String>,
    /// Of urgency, the least first.
    pub urgency: Vec<String>,
    /// Of sentiment.
    pub sentiment: Vec<String>,
}

impl Labels {
    /// Of the model that the pipeline uses.
    pub fn load(config: &PipelineConfig) -> Result<Self, deskstream_analyze::ModelError> {
        let analyzer = match &config.model {
            Some(path) => Analyzer::open(path)?,
            None => Analyzer::shipped()?,
        };
        let of = |head| analyzer.labels(head).iter().map(ToString::to_string).collect();
        Ok(Self {
            root_cause: of(Head::RootCause),
            urgency: of(Head::Urgency),
            sentiment: of(Head::Sentiment),
        })
    }
}

/// A correction.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Review {
    /// The event whose analysis is corrected.
    pub event_id: String,
    /// Its state of the ticket.
    pub version: u64,
    /// What it is about, if corrected.
    pub root_cause: Option<String>,
    /// How urgent it is, if corrected.
    pub urgency: Option<String>,
    /// How its writer feels, if corrected.
    pub sentiment: Option<String>,
    /// Id of the user or key.
    pub reviewed_by: String,
    /// When.
    pub reviewed_at: Millis,
}

/// The latest review of a ticket.
pub fn get(process: &Process, tenant: &str, platform: &str, ticket: &str) -> Option<Review> {
    let entity = process.control.get(REVIEW_KIND, &entity_id(tenant, platform, ticket))?;
    let body: ReviewBody = seal::body(&entity).filter(|_| entity.tenant == tenant)?;
    Some(Review {
        event_id: body.event_id,
        version: body.version,
        root_cause: body.root_cause,
        urgency: body.urgency,
        sentiment: body.sentiment,
        reviewed_by: body.reviewed_by,
        reviewed_at: Millis(body.reviewed_at),
    })
}

/// Writes a review.
pub async fn store(
    process: &Process,
    tenant: &str,
    platform: &str,
    ticket: &str,
    review: &Review,
) -> Result<(), ApiError> {
    let review = review.clone();
    let body = ReviewBody {
        event_id: review.event_id,
        version: review.version,
        root_cause: review.root_cause,
        urgency: review.urgency,
        sentiment: review.sentiment,
        reviewed_at: review.reviewed_at.0,
        reviewed_by: review.reviewed_by,
    };
    let id = entity_id(tenant, platform, ticket);
    let entity = seal::entity(process, (REVIEW_KIND, &id, tenant), &body.reviewed_by, &body, None)?;
    Ok(process.control.put(&entity).await?)
}
