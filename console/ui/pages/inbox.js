// All helpdesks in one list. Filters are in the address; j, k and Enter walk through it.
import { html, useState, useEffect, useRef } from "../lib.js";
import { get, query } from "../api.js";
import { adjust, go, Link } from "../router.js";
import { Page, Loaded, Empty, useLoad, Urgency, Sentiment, Status, Badge, Time, Dialog } from "../parts.js";
import { Icon } from "../icons.js";
import { label, language, platform, percent } from "../format.js";
import { useOverview } from "./overview.js";

const KEYS = ["q", "platform", "status", "urgency", "sentiment", "root_cause", "language", "open"];
const FIXED = {
  status: ["new", "open", "pending", "hold", "solved", "closed"],
  urgency: ["critical", "high", "normal", "low"],
  sentiment: ["negative", "neutral", "positive"],
};
const SHORTCUTS = [["j / k", "Next or previous ticket"], ["Enter", "Open the ticket"], ["/", "Search"], ["r", "Load again"], ["?", "This list"]];

const ticketPath = (ticket) => `/tickets/${encodeURIComponent(ticket.platform)}/${encodeURIComponent(ticket.ticket_id)}`;

function Filters({ params, known }) {
  const [text, type] = useState(params.q || "");
  useEffect(() => type(params.q || ""), [params.q]);
  const choose = (name) => (event) => adjust({ [name]: event.currentTarget.value, cursor: "" });
  const pick = (name, title, values, names = label) => html`
    <label class="filter"><span class="visually-hidden">${title}</span>
      <select value=${params[name] || ""} onChange=${choose(name)} data-set=${params[name] ? "" : undefined}>
        <option value="">${title}</option>
        ${values.map((value) => html`<option key=${value} value=${value}>${names(value)}</option>`)}
      </select></label>`;
  const search = (event) => { event.preventDefault(); adjust({ q: text.trim(), cursor: "" }); };
  const active = KEYS.some((name) => params[name]);
  return html`
    <div class="filters" role="search" aria-label="Tickets">
      <form class="search" onSubmit=${search}>
        <${Icon} name="search" />
        <input type="search" id="search" aria-label="Search subjects and summaries" placeholder="Search" maxlength="200"
          value=${text} onInput=${(event) => { type(event.currentTarget.value); if (!event.currentTarget.value && params.q) adjust({ q: "", cursor: "" }); }} />
        <kbd aria-hidden="true">/</kbd>
      </form>
      ${pick("status", "Status", FIXED.status)}
      ${pick("urgency", "Urgency", FIXED.urgency)}
      ${pick("sentiment", "Sentiment", FIXED.sentiment)}
      ${pick("root_cause", "Root cause", known?.root_causes || [params.root_cause].filter(Boolean))}
      ${pick("platform", "Platform", known?.platforms || [params.platform].filter(Boolean), platform)}
      ${pick("language", "Language", known?.languages || [params.language].filter(Boolean), language)}
      <label class="check"><input type="checkbox" checked=${params.open === "true"}
        onChange=${(event) => adjust({ open: event.currentTarget.checked ? "true" : "", cursor: "" })} />Unsolved</label>
      ${active && html`<button class="button quiet" onClick=${() => adjust(Object.fromEntries([...KEYS, "cursor"].map((name) => [name, ""])))}>Clear</button>`}
    </div>`;
}

function Row({ ticket, selected, all, onFocus }) {
  const ref = useRef(null);
  useEffect(() => { if (selected) ref.current.scrollIntoView({ block: "nearest" }); }, [selected]);
  const params = all ? { tenant: ticket.tenant } : {};
  return html`
    <tr ref=${ref} class=${selected ? "selected" : ""} onFocusCapture=${onFocus}>
      <td class="main-cell">
        <${Link} to=${ticketPath(ticket)} params=${params} class="row-link">${ticket.subject || "No subject"}<//>
        <p class="muted one-line">${ticket.summary}</p>
      </td>
      <td><${Urgency} value=${ticket.urgency} /></td>
      <td class="wide-only"><${Sentiment} value=${ticket.sentiment} /></td>
      <td class="wide-only"><span title=${`${percent(ticket.root_cause_confidence)} sure, by ${ticket.tier}`}><${Badge}>${label(ticket.root_cause)}<//></span></td>
      <td><${Status} value=${ticket.status} /></td>
      <td class="wide-only muted nowrap">${all && html`${ticket.tenant} · `}${platform(ticket.platform)} #${ticket.ticket_id}</td>
      <td class="muted nowrap"><${Time} value=${ticket.occurred_at} /></td>
    </tr>`;
}

/** New events since the list was loaded; the list itself is not read by itself, since each reading is recorded. */
function useNews(loaded) {
  const { data } = useOverview(60);
  const total = data?.series.reduce((sum, point) => sum + point.events, 0);
  const base = useRef(undefined);
  useEffect(() => { base.current = total; }, [loaded]);
  if (base.current === undefined) base.current = total;
  return total !== undefined && total > base.current ? total - base.current : 0;
}

export function Inbox({ session, route }) {
  const { params } = route;
  const asked = query({ ...Object.fromEntries(KEYS.map((name) => [name, params[name]])), cursor: params.cursor, limit: 50 });
  const page = useLoad((signal) => get(`/tickets${asked}`, signal), [asked]);
  const known = useLoad((signal) => get("/tickets/filters", signal), []);
  const [at, select] = useState(-1);
  const [help, showHelp] = useState(false);
  const news = useNews(page.data);
  const items = page.data?.items || [];
  const all = session.tenant === "*";
  useEffect(() => select(-1), [asked]);
  useEffect(() => {
    const press = (event) => {
      if (event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      const move = { j: 1, k: -1 }[event.key];
      if (move && items.length) {
        const next = Math.min(Math.max(at + move, 0), items.length - 1);
        select(next);
        document.querySelectorAll(".row-link")[next]?.focus({ preventScroll: true });
      } else if (event.key === "Enter" && event.target === document.body && items[at]) {
        go(ticketPath(items[at]), all ? { tenant: items[at].tenant } : {});
      } else if (event.key === "/") {
        event.preventDefault();
        document.getElementById("search").focus();
      } else if (event.key === "r") page.reload();
      else if (event.key === "?") showHelp(true);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  const aside = html`
    ${news > 0 && html`<button class="button news" onClick=${() => (params.cursor ? adjust({ cursor: "" }) : page.reload())}><${Icon} name="up" />New activity</button>`}
    <button class="button quiet" onClick=${() => showHelp(true)}>Shortcuts <kbd>?</kbd></button>`;
  return html`
    <${Page} title="Inbox" lead=${all ? "All tenants, all helpdesks" : "All helpdesks"} aside=${aside}>
      <${Filters} params=${params} known=${known.data} />
      <${Loaded} of=${page} lines=${12}>${() => items.length === 0
        ? html`<${Empty} title="No tickets here">${KEYS.some((name) => params[name]) ? "None matches these filters." : "They show up as helpdesks send them."}<//>`
        : html`
          <div class=${`card table-card ${page.loading ? "stale" : ""}`}>
            <table class="table inbox" aria-label="Tickets, the last changed first">
              <thead><tr><th scope="col">Ticket</th><th scope="col">Urgency</th><th scope="col" class="wide-only">Sentiment</th>
                <th scope="col" class="wide-only">Root cause</th><th scope="col">Status</th><th scope="col" class="wide-only">Source</th><th scope="col">Changed</th></tr></thead>
              <tbody>${items.map((ticket, n) => html`<${Row} key=${ticket.tenant + ticket.platform + ticket.ticket_id} ticket=${ticket}
                selected=${n === at} all=${all} onFocus=${() => select(n)} />`)}</tbody>
            </table>
          </div>
          <nav class="pager" aria-label="Pages">
            ${params.cursor ? html`<button class="button" onClick=${() => adjust({ cursor: "" })}>Newest</button>` : html`<span />`}
            ${page.data.next && html`<button class="button" onClick=${() => adjust({ cursor: page.data.next })}>Older<${Icon} name="right" /></button>`}
          </nav>`}<//>
      ${help && html`<${Dialog} title="Keyboard shortcuts" onClose=${() => showHelp(false)}>
        <dl class="facts">${SHORTCUTS.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl><//>`}
    <//>`;
}
