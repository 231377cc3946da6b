//! What happens to one request, from its record to its opinion.

use super::budget::month_of;
use super::cache::{Cache, Known, content_hash};
use super::chain::{Asked, Chain, Verdict};
use super::encoder::{self, Local, Thought};
use super::endpoint::Usage;
use super::{metrics, prompt};
use crate::kafka::{Handled, Received, SendError, Sink, Unhandled};
use deskstream_runtime::config::Config;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Analysis, Opinion, OpinionRequest, OpinionResult, Text, Tier};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const RECORD_RETRY: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    pub(super) config: Arc<Config>,
    pub(super) chain: Chain,
    pub(super) local: Option<Arc<Local>>,
    pub(super) cache: Arc<Cache>,
    pub(super) opinions: Sink<Opinion>,
    pub(super) shutdown: CancellationToken,
}

/// How a request ended.
struct Ending {
    result: OpinionResult,
    reason: &'static str,
    provider: String,
    price_as_of: String,
    content_hash: String,
    cached: bool,
    used: Usage,
    analysis: Option<Analysis>,
}

impl Ending {
    fn skipped(reason: &'static str) -> Self {
        Self {
            result: OpinionResult::Skipped,
            reason,
            provider: String::new(),
            price_as_of: String::new(),
            content_hash: String::new(),
            cached: false,
            used: Usage::default(),
            analysis: None,
        }
    }

    fn of_encoder(content_hash: String, analysis: Analysis) -> Self {
        Self {
            result: OpinionResult::Answered,
            provider: encoder::NAME.to_owned(),
            content_hash,
            analysis: Some(analysis),
            ..Self::skipped("")
        }
    }
}

impl Worker {
    /// Handles a record of `opinions.requests`.
    pub(super) async fn handle(&self, received: &Received<OpinionRequest>) -> Handled {
        let request = &received.record;
        let started = Instant::now();
        let ending = tokio::select! {
            ending = self.end_of(received, started) => ending,
            // Money that was held back for it counts as spent, if the grant is not given back in time.
            () = self.shutdown.cancelled() => return Err(Unhandled::Abandoned),
        };
        let Some(ending) = ending else { return Ok(()) };
        let opinion = opinion(request, ending, started);
        self.write(&opinion).await?;
        self.count(&opinion, started);
        Ok(())
    }

    /// None if the request has its opinion already.
    async fn end_of(&self, received: &Received<OpinionRequest>, started: Instant) -> Option<Ending> {
        let request = &received.record;
        let limit = i64::try_from(self.config.opinions.max_age.as_millis()).unwrap_or(i64::MAX);
        if now_ms().saturating_sub(request.asked_at) > limit {
            return Some(Ending::skipped("too-old"));
        }
        if request.subject.trim().is_empty() && request.body.trim().is_empty() {
            return Some(Ending::skipped("empty-text"));
        }
        // The pipeline cuts what it asks about: this was written by something else, or with another configuration.
        if request.subject.len() + request.body.len() > self.config.opinions.max_text_bytes {
            return Some(Ending::skipped("too-long"));
        }
        let hash = content_hash(
            &request.tenant,
            prompt::VERSION,
            &request.language,
            &request.subject,
            &request.body,
        );
        if let Some(known) = self.cache.get(&hash) {
            if received.maybe_repeated && known.request_id == request.request_id {
                return None;
            }
            let analysis = Analysis { tokens_in: 0, tokens_out: 0, cost_microusd: 0, ..known.analysis };
            return Some(Ending {
                result: OpinionResult::Answered,
                provider: known.provider,
                content_hash: hash,
                cached: true,
                analysis: Some(analysis),
                ..Ending::skipped("")
            });
        }
        let policy = self.config.opinion_policy(&request.tenant);
        let deadline = started + self.config.opinions.deadline;
        let spare = match &self.local {
            None => None,
            Some(local) => match local.think(request, &policy).await {
                Thought::Settled(analysis) => return Some(Ending::of_encoder(hash, analysis)),
                Thought::Unsure(analysis) => Some(analysis),
                Thought::None => None,
            },
        };
        let Asked { verdict, provider, price_as_of, used } = self.chain.ask(request, &policy, deadline).await;
        let (result, reason, analysis) = match verdict {
            Verdict::Judged { judgement, model } => {
                let mut analysis = judgement.analysis(&request.local, model);
                analysis.latency_us = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
                (analysis.tokens_in, analysis.tokens_out) = (signed(used.tokens_in), signed(used.tokens_out));
                analysis.cost_microusd = used.cost_microusd;
                (OpinionResult::Answered, "", Some(analysis))
            }
            // Better than the fast model's, which it took into account. What was paid for it stays on record.
            Verdict::Failed(_) | Verdict::Skipped(_) if spare.is_some() => {
                let ending = spare.map(|analysis| Ending::of_encoder(hash, analysis));
                return ending.map(|ending| Ending { used, price_as_of, ..ending });
            }
            Verdict::Failed(reason) => (OpinionResult::Failed, reason, None),
            Verdict::Skipped(reason) => return Some(Ending::skipped(reason)),
        };
        Some(Ending {
            result,
            reason,
            provider,
            price_as_of,
            content_hash: hash,
            cached: false,
            used,
            analysis,
        })
    }

    /// Writes the opinion however long that takes; then its answer is known.
    async fn write(&self, opinion: &Opinion) -> Result<(), Unhandled> {
        let key = opinion.key();
        while let Err(error) = self.opinions.send(&key, opinion).await {
            if !SendError::retry(&error) {
                tracing::error!(%error, request = opinion.request_id, "an opinion can't be written");
                return Ok(());
            }
            tracing::warn!(%error, "opinion not acknowledged, trying again");
            tokio::select! {
                () = tokio::time::sleep(RECORD_RETRY) => {}
                () = self.shutdown.cancelled() => return Err(Unhandled::Abandoned),
            }
        }
        learn(&self.cache, opinion);
        Ok(())
    }

    fn count(&self, opinion: &Opinion, started: Instant) {
        let ending = opinion.ending();
        metrics::OPINIONS.with_label_values(&[opinion.tenant.as_str(), ending, &opinion.reason]).inc();
        metrics::SECONDS.with_label_values(&[ending]).observe(started.elapsed().as_secs_f64());
        metrics::CACHED.set(i64::try_from(self.cache.len()).unwrap_or(i64::MAX));
        tracing::debug!(
            tenant = opinion.tenant,
            request = opinion.request_id,
            month = month_of(opinion.answered_at),
            ending,
            reason = %opinion.reason,
            "second opinion"
        );
    }
}

/// Keeps an answer that was paid for. The encoder's are not: it answers again at no cost, and a provider may know better.
pub(super) fn learn(cache: &Cache, opinion: &Opinion) {
    if opinion.result != OpinionResult::Answered || opinion.cached || opinion.prompt != prompt::VERSION {
        return;
    }
    if let Some(analysis) = opinion.analysis.as_ref().filter(|analysis| analysis.tier != Tier::Encoder) {
        let known = Known {
            provider: opinion.provider.clone(),
            request_id: opinion.request_id.clone(),
            analysis: analysis.clone(),
        };
        cache.put(opinion.content_hash.clone(), known);
    }
}

fn opinion(request: &OpinionRequest, ending: Ending, started: Instant) -> Opinion {
    Opinion {
        opinion_id: Uuid::now_v7().to_string(),
        request_id: request.request_id.clone(),
        tenant: request.tenant.clone(),
        platform: request.platform,
        ticket_id: request.ticket_id.clone(),
        event_id: request.event_id.clone(),
        version: request.version,
        text_hash: request.text_hash,
        asked_at: request.asked_at,
        answered_at: now_ms(),
        result: ending.result,
        reason: Text::Borrowed(ending.reason),
        provider: ending.provider,
        prompt: Text::Borrowed(prompt::VERSION),
        content_hash: ending.content_hash,
        cached: ending.cached,
        attempts: i32::try_from(ending.used.attempts).unwrap_or(i32::MAX),
        latency_ms: i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
        tokens_in: signed(ending.used.tokens_in),
        tokens_out: signed(ending.used.tokens_out),
        cost_microusd: ending.used.cost_microusd,
        price_as_of: ending.price_as_of,
        analysis: ending.analysis,
    }
}

fn signed(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
