// How a ticket was judged, and the form that corrects it.
import { html, useEffect } from "../lib.js";
import { call, get } from "../api.js";
import { Field, Badge, Confidence, Skeleton, Time, Urgency, Sentiment, useForm, useLoad, toast } from "../parts.js";
import { label, language } from "../format.js";

const TIERS = { local: "Local model", encoder: "Local encoder", llm: "Language model", human: "A reviewer" };

export function Analysis({ event, review }) {
  const rows = [
    ["root_cause", "Root cause", label, event.root_cause_confidence, event.root_cause_abstained],
    ["urgency", "Urgency", (value) => html`<${Urgency} value=${value} />`, event.urgency_confidence, event.urgency_abstained],
    ["sentiment", "Sentiment", (value) => html`<${Sentiment} value=${value} />`, event.sentiment_confidence, false],
    ["industry", "Industry", label, event.industry_confidence, false],
    ["language", "Language", language, event.language_confidence, false],
  ];
  return html`
    <dl class="analysis">
      ${rows.map(([name, title, show, confidence, guess]) => {
        const corrected = review?.[name];
        return html`
          <div key=${name}><dt>${title}</dt>
            <dd><span class="judged">${corrected
              ? html`<strong>${show(corrected)}</strong><${Badge} tone="green">Corrected<//><span class="was">was ${label(event[name])}</span>`
              : html`<strong>${show(event[name])}</strong>${guess && html`<${Badge} title="The model is not sure enough to stand by it">Guess<//>`}`}</span>
              ${!corrected && html`<${Confidence} value=${confidence} guess=${guess} />`}</dd></div>`;
      })}
    </dl>
    <p class="provenance muted">${TIERS[event.tier] || event.tier} <code>${event.model}</code> in ${event.analysis_us} µs${review && html`. Corrected <${Time} value=${review.reviewed_at} />`}</p>`;
}

export function Correct({ ticket, onDone }) {
  const newest = ticket.events[0];
  const { review } = ticket;
  const now = Object.fromEntries(["root_cause", "urgency", "sentiment"].map((name) => [name, review?.[name] || newest[name]]));
  const known = useLoad((signal) => get("/tickets/filters", signal), []);
  const { values, set, field, busy, onSubmit, problem } = useForm(now, async (chosen) => {
    // What was right is left out, but what an earlier correction said still holds.
    const body = Object.fromEntries(Object.entries(chosen).filter(([name, value]) => value !== newest[name] || review?.[name]));
    await call("POST", `/tickets/${encodeURIComponent(ticket.platform)}/${encodeURIComponent(ticket.ticket_id)}/reviews`,
      { body, headers: { "idempotency-key": crypto.randomUUID() } });
    toast("Correction recorded");
    onDone();
  });
  useEffect(() => set(now), [review?.reviewed_at, newest.event_id]);
  const labels = known.data?.labels;
  const changed = Object.keys(now).some((name) => values[name] !== now[name]);
  const choice = (name, title) => html`
    <${Field} title=${title} ...${field(name)}>${[...new Set([...labels[name], values[name]])].filter(Boolean)
      .map((one) => html`<option key=${one} value=${one}>${label(one)}</option>`)}<//>`;
  if (!labels && !known.error) return html`<${Skeleton} lines=${3} />`;
  return html`
    <form class="stack" onSubmit=${onSubmit}>
      ${labels ? html`${choice("root_cause", "Root cause")}${choice("urgency", "Urgency")}${choice("sentiment", "Sentiment")}`
        : html`<p class="muted">${known.error.message}</p>`}
      ${problem}
      <button class="button primary" disabled=${busy || !changed}>${busy ? "Recording…" : "Record correction"}</button>
    </form>`;
}
