//! `deskstream trace`: the way of one ticket through the stages, as the console's page of it shows.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use anyhow::{Context, bail};
use deskstream_console::history::History;
use deskstream_console::history::millis::Millis;
use deskstream_console::history::tickets::{Event, Opinion, WriteBack};
use deskstream_console::identity::caller::Scope;
use deskstream_console::reviews::{self, Review};
use std::fmt::Write as _;
use tokio_util::sync::CancellationToken;

/// Show a ticket's way through the stages: taken in, redacted, judged, written back, corrected.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ticket, as HELPDESK/ID: zendesk/35.
    #[arg(value_name = "TICKET")]
    ticket: String,

    /// Its tenant.
    #[arg(long, short)]
    tenant: String,

    /// Show its redacted text, too.
    #[arg(long)]
    text: bool,

    /// Print everything as JSON.
    #[arg(long, conflicts_with = "text")]
    json: bool,

    #[command(flatten)]
    config: ConfigOptions,
}

/// Reads the ticket, records that it was read, and prints it.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let Some((platform, ticket)) =
        args.ticket.split_once('/').filter(|(a, b)| !a.is_empty() && !b.is_empty())
    else {
        bail!("`{}` is no ticket: write HELPDESK/ID, e.g. zendesk/35", args.ticket);
    };
    let process = options::start_quietly(args.config.load()?, CancellationToken::new()).await?;
    let history = History::new(&process.config.clickhouse);
    let scope = Scope::of_command(&args.tenant);
    let (events, write_backs, opinions) = tokio::try_join!(
        history.events(&scope, platform, ticket),
        history.write_backs(&scope, platform, ticket),
        history.opinions(&scope, platform, ticket),
    )
    .context("ask ClickHouse")?;
    let resource = format!("ticket/{platform}/{ticket}");
    audit_record::done(&process, &args.tenant, "read.ticket", resource, []).await?;
    if events.is_empty() {
        bail!("{} has no ticket {}", args.tenant, args.ticket);
    }
    let review = reviews::get(&process, &args.tenant, platform, ticket);
    process.shutdown.cancel();
    if args.json {
        let all = serde_json::json!({
            "tenant": args.tenant, "platform": platform, "ticket_id": ticket,
            "events": events, "write_backs": write_backs, "opinions": opinions, "review": review,
        });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        let found = Found { events, write_backs, opinions, review };
        print!("{}", harmless(&found.tell(&format!("{}/{platform}/{ticket}", args.tenant), args.text)));
    }
    Ok(())
}

struct Found {
    events: Vec<Event>,
    write_backs: Vec<WriteBack>,
    opinions: Vec<Opinion>,
    review: Option<Review>,
}

impl Found {
    /// What happened, in its order.
    fn tell(&self, name: &str, text: bool) -> String {
        let newest = &self.events[0];
        let mut told = format!(
            "{name}  {}\n{}, priority {}; {} ({}), urgency {} ({}), sentiment {} ({}), {}\n\n",
            newest.subject,
            newest.status,
            newest.priority,
            newest.root_cause,
            share(newest.root_cause_confidence),
            newest.urgency,
            share(newest.urgency_confidence),
            newest.sentiment,
            share(newest.sentiment_confidence),
            newest.language,
        );
        let mut steps: Vec<(i64, &str, String)> = self.events.iter().flat_map(of_event).collect();
        steps.extend(self.opinions.iter().map(of_opinion));
        steps.extend(self.write_backs.iter().map(|one| {
            let http = if one.status == 0 { String::new() } else { format!(", HTTP {}", one.status) };
            let what = format!("{}{http}, tried {}; {}", one.result, one.attempts, one.detail);
            (one.finished_at.0, "written back", what)
        }));
        steps.extend(self.review.iter().map(|review| {
            let said = [
                ("root cause", &review.root_cause),
                ("urgency", &review.urgency),
                ("sentiment", &review.sentiment),
            ];
            let said = said.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
            let what = format!("{} by {}", said.collect::<Vec<_>>().join(", "), review.reviewed_by);
            (review.reviewed_at.0, "corrected", what)
        }));
        // Steps of one moment stay in the order in which they follow each other.
        steps.sort_by_key(|(at, _, _)| *at);
        for (at, step, what) in steps {
            // Writing to a string does not fail.
            let _ = writeln!(told, "{}  {step:<14}{what}", Millis(at));
        }
        if text {
            for event in self.events.iter().rev() {
                let _ = write!(told, "\n{}  {}\n{}\n", event.occurred_at, event.kind, event.body);
            }
        }
        told
    }
}

fn of_event(event: &Event) -> [(i64, &'static str, String); 4] {
    let found: Vec<_> = event.redactions.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let found = if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") };
    let guess = |abstained: bool| if abstained { ", a guess" } else { "" };
    let judged = format!(
        "{} ({}{}), urgency {} ({}{}), sentiment {} ({}), by {} in {} µs",
        event.root_cause,
        share(event.root_cause_confidence),
        guess(event.root_cause_abstained),
        event.urgency,
        share(event.urgency_confidence),
        guess(event.urgency_abstained),
        event.sentiment,
        share(event.sentiment_confidence),
        event.model,
        event.analysis_us,
    );
    let took = event.enriched_at.0 - event.received_at.0;
    [
        (event.occurred_at.0, "happened", format!("{}, now {}", event.kind, event.status)),
        (event.received_at.0, "taken in", format!("by {}, event {}", event.origin, event.event_id)),
        (event.enriched_at.0, "redacted", format!("{found}; {}, {took} ms after receipt", event.redactor)),
        (event.enriched_at.0, "judged", judged),
    ]
}

fn of_opinion(opinion: &Opinion) -> (i64, &'static str, String) {
    let what = if opinion.result == "answered" {
        format!(
            "{} ({}), urgency {} ({}), sentiment {} ({}), by {}/{} in {} ms",
            opinion.root_cause,
            share(opinion.root_cause_confidence),
            opinion.urgency,
            share(opinion.urgency_confidence),
            opinion.sentiment,
            share(opinion.sentiment_confidence),
            opinion.provider,
            opinion.model,
            opinion.latency_ms,
        )
    } else {
        format!("{}: {}", opinion.result, opinion.reason)
    };
    (opinion.answered_at.0, "opinion", what)
}

fn share(value: f32) -> String {
    format!("{:.0} %", value * 100.0)
}

/// The text is a stranger's: it shall not steer the terminal, nor turn what is read around.
fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if (c.is_control() && c != '\n') || turns(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_does_not_steer_the_terminal() {
        assert_eq!(
            harmless("a\u{1b}]0;x\u{7}b\r\u{202e}c\nd\u{9b}2J"),
            "a\u{fffd}]0;x\u{fffd}b\u{fffd}\u{fffd}c\nd\u{fffd}2J"
        );
        assert_eq!(harmless("Größe, 価格 €5\n"), "Größe, 価格 €5\n");
    }
}
