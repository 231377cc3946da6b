// The audit trail: filtered, paged, exported.
import { html, useState, useEffect } from "../lib.js";
import { get, query, download } from "../api.js";
import { adjust, Link } from "../router.js";
import { Page, Loaded, Empty, Badge, Time, useLoad, useForm, toast } from "../parts.js";
import { Icon } from "../icons.js";
import { time, agent } from "../format.js";

const NAMES = ["actor_kind", "actor", "action", "resource", "outcome", "request_id", "from", "to"];
const TEXTS = [["action", "Action", "review.ticket"], ["resource", "Resource", "ticket/zendesk/35"], ["actor", "Actor", "id or process"], ["request_id", "Request", "id"]];
const KINDS = { user: "People", api_key: "API keys", system: "Deskstream itself" };
const OUTCOMES = { ok: "green", denied: "orange", error: "red" };

/** A local date and time, as the input gives it, in the form that the API reads. */
const instant = (value) => (value ? new Date(value).toISOString() : "");
const local = (value) => {
  if (!value) return "";
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? "" : new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};

function Filters({ params }) {
  const start = { ...Object.fromEntries(NAMES.map((name) => [name, params[name] || ""])), from: local(params.from), to: local(params.to) };
  const { values, set, onSubmit } = useForm(start, async (asked) => adjust({ ...asked, from: instant(asked.from), to: instant(asked.to), cursor: "" }));
  useEffect(() => set(start), [JSON.stringify(params)]);
  const change = (name) => (event) => set({ ...values, [name]: event.currentTarget.value });
  return html`
    <form class="filters labelled" onSubmit=${onSubmit} role="search" aria-label="Audit trail">
      ${TEXTS.map(([name, title, example]) => html`
        <label key=${name}>${title}<input name=${name} value=${values[name]} placeholder=${example} maxlength="200" spellcheck=${false} onInput=${change(name)} /></label>`)}
      <label>By<select name="actor_kind" value=${values.actor_kind} onChange=${change("actor_kind")}><option value="">Anybody</option>
        ${Object.entries(KINDS).map(([one, title]) => html`<option key=${one} value=${one}>${title}</option>`)}</select></label>
      <label>Outcome<select name="outcome" value=${values.outcome} onChange=${change("outcome")}><option value="">Any</option>
        ${Object.keys(OUTCOMES).map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
      <label>From<input type="datetime-local" value=${values.from} onInput=${change("from")} /></label>
      <label>To<input type="datetime-local" value=${values.to} onInput=${change("to")} /></label>
      <div class="filter-actions"><button class="button">Apply</button>
        ${NAMES.some((name) => params[name]) && html`<button type="button" class="button quiet" onClick=${() => adjust(Object.fromEntries([...NAMES, "cursor"].map((name) => [name, ""])))}>Clear</button>`}</div>
    </form>`;
}

function Row({ entry, names, open, toggle }) {
  const id = `detail-${entry.audit_id}`;
  const who = entry.actor_kind === "user" ? names.get(entry.actor) || entry.actor : entry.actor;
  return html`
    <tr class=${open ? "selected" : ""}>
      <td class="muted"><span class="when"><button class="icon-button" aria-expanded=${String(open)} aria-controls=${id} aria-label=${`Details of ${entry.action}`} onClick=${toggle}><${Icon} name=${open ? "down" : "right"} /></button>
        <${Time} value=${entry.at} /></span></td>
      <td><code>${entry.action}</code></td>
      <td class="cut"><span class="one-line" title=${entry.resource}>${entry.resource}</span></td>
      <td><${Badge} tone=${OUTCOMES[entry.outcome]}>${entry.outcome}<//></td>
      <td class="cut"><span class="one-line" title=${entry.actor}>${who}</span></td>
      <td class="wide-only muted">${entry.tenant}</td>
    </tr>
    ${open && html`<tr class="detail" id=${id}><td colspan="6"><dl class="facts">
      <div><dt>At</dt><dd>${time(entry.at)}</dd></div>
      ${entry.detail.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
      <div><dt>Actor</dt><dd>${entry.actor_kind} <${Link} to="/audit" params=${{ actor: entry.actor }}><code>${entry.actor}</code><//></dd></div>
      <div><dt>Resource</dt><dd><${Link} to="/audit" params=${{ resource: entry.resource }}><code>${entry.resource}</code><//></dd></div>
      ${entry.source_ip && html`<div><dt>From</dt><dd>${entry.source_ip} <span class="muted" title=${entry.user_agent}>${agent(entry.user_agent)}</span></dd></div>`}
      ${entry.request_id && html`<div><dt>Request</dt><dd><${Link} to="/audit" params=${{ request_id: entry.request_id }}><code>${entry.request_id}</code><//></dd></div>`}
      <div><dt>Record</dt><dd><code>${entry.audit_id}</code></dd></div></dl></td></tr>`}`;
}

export function Audit({ session, route }) {
  const { params } = route;
  const filter = Object.fromEntries(NAMES.map((name) => [name, params[name]]));
  const asked = query({ ...filter, cursor: params.cursor, limit: 50 });
  const page = useLoad((signal) => get(`/audit${asked}`, signal), [asked]);
  const users = useLoad((signal) => (session.permissions.includes("read-users") ? get("/users", signal) : Promise.resolve([])), []);
  const names = new Map((users.data || []).map((user) => [user.id, user.name]));
  names.set(session.id, session.name);
  const [open, show] = useState(null);
  const [busy, work] = useState(false);
  const take = async (format) => {
    work(true);
    try {
      await download(`/audit/export${query({ ...filter, format })}`, `audit.${format}`);
    } catch (error) {
      toast(error.message);
    }
    work(false);
  };
  const aside = html`
    <button class="button quiet" onClick=${page.reload}>Load again</button>
    ${["csv", "jsonl"].map((format) => html`<button key=${format} class="button" disabled=${busy} onClick=${() => take(format)}><${Icon} name="download" />${format.toUpperCase()}</button>`)}`;
  return html`
    <${Page} title="Audit trail" lead="Who did what, and what was decided. Nothing here can be changed." aside=${aside}>
      <${Filters} params=${params} />
      <${Loaded} of=${page} lines=${12}>${({ items, next }) => (items.length === 0 ? html`<${Empty} title="Nothing recorded">No record matches. New ones take a second or two to show.<//>` : html`
        <div class=${`card table-card ${page.loading ? "stale" : ""}`}>
          <table class="table" aria-label="Records, the newest first">
            <thead><tr><th scope="col">When</th><th scope="col">Action</th><th scope="col">Resource</th><th scope="col">Outcome</th><th scope="col">Actor</th><th scope="col" class="wide-only">Tenant</th></tr></thead>
            <tbody>${items.map((entry) => html`<${Row} key=${entry.audit_id} entry=${entry} names=${names} open=${open === entry.audit_id}
              toggle=${() => show(open === entry.audit_id ? null : entry.audit_id)} />`)}</tbody>
          </table>
        </div>
        <nav class="pager" aria-label="Pages">
          ${params.cursor ? html`<button class="button" onClick=${() => adjust({ cursor: "" })}>Newest</button>` : html`<span />`}
          ${next && html`<button class="button" onClick=${() => adjust({ cursor: next })}>Older<${Icon} name="right" /></button>`}
        </nav>`)}<//>
    <//>`;
}
