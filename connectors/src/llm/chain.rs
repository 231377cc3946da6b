//! Providers in their order, each with one repair, until one gives a valid answer or money or time runs out.

use super::answer::{Invalid, Judgement};
use super::budget::{Budget, Hold};
use super::endpoint::{Called, Endpoint, Usage};
use super::metrics;
use super::prompt::{SHIPPED, question};
use deskstream_runtime::config::OpinionPolicy;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::OpinionRequest;
use std::sync::Arc;
use tokio::time::Instant;

/// What came of asking.
pub(super) struct Asked {
    pub(super) verdict: Verdict,
    /// Name of the provider that was asked last; empty if none was.
    pub(super) provider: String,
    pub(super) price_as_of: String,
    pub(super) used: Usage,
}

pub(super) enum Verdict {
    Judged {
        judgement: Judgement,
        model: String,
    },
    /// Nobody was asked.
    Skipped(&'static str),
    Failed(&'static str),
}

/// Why a question is not sent.
enum Stop {
    /// It would cost more than a ticket may.
    Ceiling,
    /// The month's budget does not have it, or can't be asked.
    Budget(&'static str),
}

pub(super) struct Chain {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) budget: Arc<Budget>,
}

impl Chain {
    /// Asks until one answers.
    pub(super) async fn ask(
        &self,
        request: &OpinionRequest,
        policy: &OpinionPolicy,
        deadline: Instant,
    ) -> Asked {
        let mut asked = Asked {
            verdict: Verdict::Skipped("no-provider"),
            provider: String::new(),
            price_as_of: String::new(),
            used: Usage::default(),
        };
        for endpoint in &self.endpoints {
            match self.one(endpoint, request, policy, deadline, &mut asked).await {
                Ok(verdict) => {
                    let done = matches!(verdict, Verdict::Judged { .. });
                    asked.verdict = verdict;
                    if done {
                        break;
                    }
                }
                // Another provider may be cheap enough.
                Err(Stop::Ceiling) => asked.not_sent("ceiling"),
                Err(Stop::Budget(reason)) => asked.not_sent(reason),
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        asked
    }

    /// Asks one provider, and once more if its answer can't be used.
    async fn one(
        &self,
        endpoint: &Endpoint,
        request: &OpinionRequest,
        policy: &OpinionPolicy,
        deadline: Instant,
        asked: &mut Asked,
    ) -> Result<Verdict, Stop> {
        let mut question = question(&request.language, &request.subject, &request.body);
        let count = |verdict: &str| metrics::ANSWERS.with_label_values(&[endpoint.name(), verdict]).inc();
        let mut repairing = false;
        loop {
            let bytes = question.bytes();
            let hold = self.hold(endpoint, request, policy, bytes, asked).await?;
            let called = endpoint.call(&question.messages, SHIPPED.schema(), bytes, deadline).await;
            let (Called::Answered(_, usage) | Called::Failed(_, usage)) = &called;
            self.budget.settle(hold, usage.cost_microusd).await;
            asked.charge(endpoint, usage, &request.tenant);
            let completion = match called {
                Called::Answered(completion, _) => completion,
                Called::Failed(reason, _) => {
                    count(reason);
                    return Ok(Verdict::Failed(reason));
                }
            };
            let judged = if completion.whole {
                Judgement::read(&completion.content, &question.canary, &SHIPPED)
            } else {
                Err(Invalid::CutOff)
            };
            match judged {
                Ok(judgement) => {
                    count(if repairing { "repaired" } else { "valid" });
                    return Ok(Verdict::Judged { judgement, model: endpoint.model() });
                }
                Err(invalid) => {
                    count(invalid.name());
                    if repairing || !invalid.can_be_repaired() {
                        return Ok(Verdict::Failed(invalid.name()));
                    }
                    repairing = true;
                    question.repair(&completion.content, &invalid.to_string());
                }
            }
        }
    }

    /// Holds back what the next call costs at the most.
    async fn hold(
        &self,
        endpoint: &Endpoint,
        request: &OpinionRequest,
        policy: &OpinionPolicy,
        bytes: usize,
        asked: &Asked,
    ) -> Result<Hold, Stop> {
        let worst = endpoint.worst_cost(bytes);
        if asked.used.cost_microusd + worst > policy.ticket_ceiling_microusd() && worst > 0 {
            return Err(Stop::Ceiling);
        }
        let budget = policy.monthly_budget_microusd();
        match self.budget.hold(&request.tenant, budget, worst, now_ms()).await {
            Ok(Some(hold)) => Ok(hold),
            Ok(None) => Err(Stop::Budget("budget")),
            Err(error) => {
                tracing::warn!(tenant = request.tenant, %error, "nothing is spent that can't be written down");
                Err(Stop::Budget("budget-unknown"))
            }
        }
    }
}

impl Asked {
    fn charge(&mut self, endpoint: &Endpoint, usage: &Usage, tenant: &str) {
        endpoint.name().clone_into(&mut self.provider);
        self.used.tokens_in += usage.tokens_in;
        self.used.tokens_out += usage.tokens_out;
        self.used.cost_microusd += usage.cost_microusd;
        self.used.attempts += usage.attempts;
        if usage.cost_microusd > 0 {
            endpoint.price_as_of().clone_into(&mut self.price_as_of);
        }
        let labels = [tenant, endpoint.name()];
        metrics::COST.with_label_values(&labels).inc_by(u64::try_from(usage.cost_microusd).unwrap_or(0));
        for (direction, tokens) in [("in", usage.tokens_in), ("out", usage.tokens_out)] {
            metrics::TOKENS.with_label_values(&[tenant, endpoint.name(), direction]).inc_by(tokens);
        }
    }

    /// A question was not sent: if none was, the whole of it is skipped; else what failed stays the reason.
    fn not_sent(&mut self, reason: &'static str) {
        if self.used.attempts == 0 && !matches!(self.verdict, Verdict::Failed(_)) {
            self.verdict = Verdict::Skipped(reason);
        } else if !matches!(self.verdict, Verdict::Failed(_)) {
            self.verdict = Verdict::Failed(reason);
        }
    }
}
