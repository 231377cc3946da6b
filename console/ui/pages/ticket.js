// One ticket: what was written, redacted; how it was judged, by whom; what became of it.
import { html } from "../lib.js";
import { get } from "../api.js";
import { Link } from "../router.js";
import { Page, Card, Empty, Loaded, Badge, Status, Urgency, Time, useLoad } from "../parts.js";
import { Redacted, Kind } from "../redacted.js";
import { label, time, platform, milliseconds, percent, dollars } from "../format.js";
import { Analysis, Correct } from "./analysis.js";

/** The thread, oldest first: an event that only changed the state is a line, not the same text again. */
function thread(events) {
  let before = null;
  return [...events].reverse().map((event) => {
    const told = !before || event.body !== before.body || event.subject !== before.subject;
    const changes = before ? ["status", "priority"].filter((name) => event[name] !== before[name])
      .map((name) => ({ name, from: before[name], to: event[name] })) : [];
    before = event;
    return { event, told, changes };
  });
}

function Entry({ event, told, changes, kinds }) {
  return html`
    <li class=${told ? "entry" : "entry small"}>
      <header><strong>${event.kind === "created" ? "Ticket created" : told ? "Message" : "Changed"}</strong>
        ${changes.map(({ name, from, to }) => html`<span key=${name} class="change">${label(name)}: ${label(from)} → <strong>${label(to)}</strong></span>`)}
        <span class="muted"><${Time} value=${event.occurred_at} /> · by ${event.origin}</span></header>
      ${told && html`<div class="body" lang=${event.language || undefined}><${Redacted} text=${event.body || event.subject} kinds=${kinds} /></div>`}
      ${told && event.tags.length > 0 && html`<p class="tags">${event.tags.map((tag) => html`<${Badge} key=${tag}><${Redacted} text=${tag} kinds=${kinds} /><//>`)}</p>`}
    </li>`;
}

function WriteBacks({ rows }) {
  if (!rows.length) return html`<${Empty} title="None yet">Tags, priority and note are written once the ticket is judged.<//>`;
  const tone = { applied: "green", already_applied: "green", skipped: "plain", rejected: "red", failed: "red" };
  return html`<ul class="lines">${rows.map((one) => html`
    <li key=${one.command + one.finished_at}><${Badge} tone=${tone[one.result]}>${label(one.result)}<//>
      <span class="grow">${one.detail}</span><span class="muted nowrap">${one.status ? `HTTP ${one.status} · ` : ""}<${Time} value=${one.finished_at} /></span></li>`)}</ul>`;
}

function Opinions({ rows }) {
  if (!rows.length) return html`<${Empty} title="None">No language model was asked about this ticket.<//>`;
  return html`<ul class="lines">${rows.map((one) => html`
    <li key=${one.event_id + one.answered_at} class="opinion"><${Badge} tone=${one.result === "answered" ? "green" : "plain"}>${label(one.result)}<//>
      <div class="grow">${one.result === "answered"
        ? html`${label(one.root_cause)} <span class="muted">${percent(one.root_cause_confidence)}</span> · ${label(one.urgency)} <span class="muted">${percent(one.urgency_confidence)}</span> · ${label(one.sentiment)} <span class="muted">${percent(one.sentiment_confidence)}</span>`
        : label(one.reason)}
        <p class="muted">${[one.provider, one.model].filter(Boolean).join("/")}${one.cached && " · cached"} · ${milliseconds(one.latency_ms)} · ${dollars(one.cost_microusd)}</p></div>
      <span class="muted nowrap"><${Time} value=${one.answered_at} /></span></li>`)}</ul>`;
}

/** Who corrected and looked, from the audit trail, for whoever may read that. */
function History({ ticket, resource, reviewed }) {
  const trail = useLoad((signal) => get(`/audit?limit=20&action=review.ticket&resource=${encodeURIComponent(resource)}`, signal), [resource, reviewed]);
  return html`
    <${Loaded} of=${trail} lines=${2}>${({ items }) => (items.length === 0 ? html`<p class="muted">No corrections in the audit trail.</p>`
      : html`<ul class="lines">${items.map((one) => html`
        <li key=${one.audit_id}><${Badge} tone=${one.outcome === "ok" ? "green" : "red"}>${label(one.outcome)}<//>
          <span class="grow">${one.detail.filter(([name]) => name !== "status").map(([name, value]) => `${label(name)}: ${label(value)}`).join(" · ")}</span>
          <span class="muted nowrap"><${Time} value=${one.at} /></span></li>`)}</ul>`)}<//>
    <p class="links"><${Link} to="/audit" params=${{ resource }}>Who looked and corrected<//>
      <${Link} to="/audit" params=${{ resource: `${ticket.tenant}/${ticket.platform}/${ticket.ticket_id}` }}>What was written back<//></p>`;
}

/** The way of an event through the stages. */
function Trace({ event }) {
  const at = (value) => Date.parse(value);
  const steps = [
    ["Happened at the helpdesk", event.occurred_at, null],
    [`Taken in by ${event.origin}`, event.received_at, null],
    ["Redacted and judged", event.enriched_at, at(event.enriched_at) - at(event.received_at)],
  ];
  return html`
    <ol class="trace">${steps.map(([what, when, took]) => html`
      <li key=${what}><span>${what}</span><span class="muted">${time(when)}${took !== null && ` · ${milliseconds(Math.max(took, 0))} after receipt`}</span></li>`)}</ol>
    <dl class="facts">
      <div><dt>Event</dt><dd><code>${event.event_id}</code></dd></div>
      <div><dt>Redactor</dt><dd><code>${event.redactor}</code></dd></div>
      ${event.notes.length > 0 && html`<div><dt>Remarks</dt><dd>${event.notes.map(label).join(", ")}</dd></div>`}
    </dl>`;
}

function Redactions({ event }) {
  if (!event.spans.length && !event.redactions.length) return html`<${Empty} title="Nothing was found" />`;
  return html`
    <ul class="lines">${event.redactions.map(([kind, n]) => {
      const found = event.spans.filter((span) => span[1] === kind);
      const by = [...new Set(found.map((span) => span[2]))].join(", ");
      const score = found.length ? Math.min(...found.map((span) => span[3])) : null;
      return html`<li key=${kind}><${Kind} kind=${kind} /><span class="grow muted">${by}${score !== null && `, ${percent(score)} sure at least`}</span><strong>${n}</strong></li>`;
    })}</ul>`;
}

function Shown({ ticket, session, reload }) {
  const newest = ticket.events[0];
  const may = (permission) => session.permissions.includes(permission);
  const resource = `ticket/${ticket.platform}/${ticket.ticket_id}`;
  const kinds = [...new Set(ticket.events.flatMap((event) => [...event.redactions.map(([kind]) => kind), ...event.spans.map((span) => span[1])]))];
  const lead = html`<span class="meta"><${Status} value=${newest.status} /><${Urgency} value=${newest.urgency} />
    <span>${platform(ticket.platform)} #${ticket.ticket_id}</span><span>Priority ${label(newest.priority)}</span><span>${ticket.tenant}</span></span>`;
  return html`
    <${Page} title=${html`<${Redacted} text=${newest.subject || "No subject"} kinds=${kinds} />`} lead=${lead}>
      <div class="ticket">
        <div class="stack">
          <${Card} title="Thread"><ol class="thread">${thread(ticket.events).map((one) => html`<${Entry} key=${one.event.event_id} ...${one} kinds=${kinds} />`)}</ol><//>
          <${Card} title="Write-backs"><${WriteBacks} rows=${ticket.write_backs} /><//>
          <${Card} title="Second opinions"><${Opinions} rows=${ticket.opinions} /><//>
          <${Card} title="Trace"><${Trace} event=${newest} /><//>
        </div>
        <div class="stack">
          <${Card} title="Analysis"><${Analysis} event=${newest} review=${ticket.review} /><//>
          ${may("review-tickets") && html`<${Card} title="Correct"><${Correct} ticket=${ticket} onDone=${reload} /><//>`}
          ${may("read-audit") && html`<${Card} title="Corrections"><${History} ticket=${ticket} resource=${resource} reviewed=${ticket.review?.reviewed_at} /><//>`}
          <${Card} title="Personal data found"><${Redactions} event=${newest} /><//>
        </div>
      </div>
    <//>`;
}

export function Ticket({ session, route }) {
  const [, desk, id] = route.parts;
  const ticket = useLoad((signal) => get(`/tickets/${encodeURIComponent(desk)}/${encodeURIComponent(id)}`, signal), [desk, id]);
  if (session.tenant === "*") {
    return html`<${Page} title="Ticket" /><${Empty} title="Choose a tenant first">A ticket's number means something within one tenant only.<//>`;
  }
  if (ticket.error?.status === 404 && !ticket.data) {
    return html`<${Page} title="Ticket" /><${Empty} title="There is no such ticket">In this tenant. <${Link} to="/inbox">Go to the inbox<//><//>`;
  }
  return html`
    <nav aria-label="Breadcrumb" class="crumb"><${Link} to="/inbox">Inbox<//></nav>
    <${Loaded} of=${ticket} lines=${10}>${(data) => html`<${Shown} ticket=${data} session=${session} reload=${ticket.reload} />`}<//>`;
}
