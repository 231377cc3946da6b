// Live numbers. They come by server-sent events; range and tenant are in the address.
import { html, useState, useEffect } from "../lib.js";
import { follow, get } from "../api.js";
import { adjust, Link } from "../router.js";
import { Page, Card, Empty, Failure, Skeleton, Segments, Badge, Meter, Time, SENTIMENT, URGENCY } from "../parts.js";
import { TimeChart, Bars } from "../charts.js";
import { count, percent, milliseconds, dollars, label, language } from "../format.js";

const RANGES = [["15", "15 min"], ["60", "1 h"], ["360", "6 h"], ["1440", "24 h"], ["10080", "7 d"]];
const LATE_MS = 3000;
const STATES = { live: "Live", waiting: "Reconnecting…", refused: "Not allowed" };

/** A page in the background holds no stream: of HTTP/1.1 a browser opens six connections to one server, all tabs together. */
function useVisible() {
  const [visible, set] = useState(!document.hidden);
  useEffect(() => {
    const change = () => set(!document.hidden);
    document.addEventListener("visibilitychange", change);
    return () => document.removeEventListener("visibilitychange", change);
  }, []);
  return visible;
}

/** The overview of the last `minutes`, kept up to date; `{ data, state }`. */
export function useOverview(minutes) {
  const [shown, set] = useState({ state: "waiting" });
  const visible = useVisible();
  useEffect(() => {
    if (!visible) return undefined;
    const stop = new AbortController();
    set((old) => ({ ...old, state: "waiting" }));
    follow(`/overview/stream?minutes=${minutes}`,
      (kind, data) => kind === "overview" && !stop.signal.aborted && set({ data, state: "live", minutes }),
      (state) => !stop.signal.aborted && set((old) => ({ ...old, state })), stop.signal);
    // A stream waits for ClickHouse as long as it takes; why there is nothing yet, an answer tells.
    const late = setTimeout(() => get(`/overview?minutes=${minutes}`, stop.signal).then(
      (data) => !stop.signal.aborted && set((old) => (old.minutes === minutes ? old : { ...old, data, minutes, error: null })),
      (error) => !stop.signal.aborted && set((old) => (old.minutes === minutes ? old : { ...old, error }))), LATE_MS);
    return () => {
      clearTimeout(late);
      stop.abort();
    };
  }, [minutes, visible]);
  return shown;
}

/** ClickHouse has windows in which something happened; a chart has all of them. */
function filled({ series, at, window_s: size }, minutes) {
  const step = size * 1000;
  const known = new Map(series.map((point) => [Date.parse(point.at), point]));
  const last = Math.floor(Date.parse(at) / step) * step;
  const times = Array.from({ length: Math.ceil((minutes * 60_000) / step) + 1 }, (_, n) => last - (Math.ceil((minutes * 60_000) / step) - n) * step);
  return { times, of: (name, nothing = 0) => times.map((time) => known.get(time)?.[name] ?? nothing) };
}

const Stat = ({ name, value, hint, tone }) => html`
  <div class=${`stat ${tone ? `tone-${tone}` : ""}`}><dt>${name}</dt><dd>${value}${hint && html`<small>${hint}</small>`}</dd></div>`;

function Stats({ data, minutes }) {
  const sum = (name) => data.series.reduce((total, point) => total + point[name], 0);
  const events = sum("events");
  const tickets = sum("tickets");
  const recent = [...data.series].reverse().find((point) => point.events);
  const share = (n) => (tickets ? n / tickets : null);
  return html`
    <dl class="stats">
      <${Stat} name="Events" value=${count(events)} hint=${`${count(events / minutes)}/min`} />
      <${Stat} name="New tickets" value=${count(tickets)} />
      <${Stat} name="Urgent" value=${percent(share(sum("high_urgency")))} hint="high or critical" />
      <${Stat} name="Negative" value=${percent(share(sum("negative")))} hint="of new tickets" />
      <${Stat} name="p95 to enriched" value=${milliseconds(recent?.latency_p95_ms)} hint="latest window" />
      ${data.lag === null ? html`<${Stat} name="Refused" value=${count(sum("errors"))} hint="dead letters" />`
        : html`<${Stat} name="Lag" value=${count(data.lag)} hint="events waiting" tone=${data.lag > 1000 ? "orange" : ""} />`}
      <${Stat} name="Second opinions" value=${dollars(sum("cost_microusd"))} hint="spent" />
      <${Stat} name="Alerts firing" value=${data.alerts.length} tone=${data.alerts.length ? "red" : ""} />
    </dl>`;
}

function Slis({ slis }) {
  return html`
    <ul class="slis">
      ${slis.map(({ name, means, value, target, of }) => {
        const missed = value !== null && value < target;
        return html`
          <li key=${name}>
            <div class="sli-head"><span>${means}</span>
              ${value === null ? html`<${Badge}>No data<//>` : html`<${Badge} tone=${missed ? "red" : "green"}>${missed ? "Missed" : "Met"}<//>`}</div>
            <${Meter} value=${value ?? 0} tone=${missed ? "red" : "green"} />
            <div class="sli-foot"><strong>${percent(value, 2)}</strong><span class="muted">target ${percent(target, 1)} · of ${count(of)}</span></div>
          </li>`;
      })}
    </ul>`;
}

function Alerts({ alerts, all }) {
  if (!alerts.length) return html`<${Empty} title="Nothing fires">Alerts show here while they last.<//>`;
  return html`
    <ul class="alerts">
      ${alerts.map((alert) => html`
        <li key=${alert.tenant + alert.rule + alert.group}>
          <${Badge} tone=${alert.severity === "critical" ? "red" : "orange"}>${label(alert.severity)}<//>
          <div><strong>${alert.rule.replaceAll("_", " ")}</strong>${alert.group && html` · ${label(alert.group)}`}
            <p class="muted">${alert.summary}</p></div>
          <span class="muted nowrap">${all && html`${alert.tenant} · `}<${Time} value=${alert.fired_at} /></span>
        </li>`)}
    </ul>`;
}

function Rising({ rising, link }) {
  if (!rising.length) return html`<${Empty} title="Nothing rises">Compared with as much time before.<//>`;
  return html`
    <ol class="rising">
      ${rising.map((one) => html`
        <li key=${one.label}><span class="bar-name">${link(one.label, label(one.label))}</span>
          <span class="muted nowrap">${count(one.before)} → <strong>${count(one.count)}</strong></span>
          <${Badge} tone="orange">${one.before ? `+${Math.round(((one.count - one.before) / one.before) * 100)} %` : "new"}<//></li>`)}
    </ol>`;
}

function Charts({ data, minutes }) {
  const { times, of } = filled(data, minutes);
  const chart = (title, series, more = {}) => html`
    <${Card} title=${title} key=${title}><${TimeChart} title=${title} at=${times} series=${series} ...${more} /><//>`;
  return html`
    <div class="grid two">
      ${chart("Throughput", [{ title: "Events", tone: "chart-1", values: of("events") }, { title: "Refused", tone: "red", values: of("errors") }])}
      ${chart("Receipt to enriched", [{ title: "p95", tone: "chart-2", values: of("latency_p95_ms", null) }, { title: "p50", tone: "chart-1", values: of("latency_p50_ms", null) }], { unit: milliseconds })}
      ${chart("Urgency of new tickets", ["low", "normal", "high", "critical"].map((name) => ({ title: label(name), tone: URGENCY[name], values: of(name) })), { stacked: true })}
      ${chart("Sentiment of new tickets", ["positive", "neutral", "negative"].map((name) => ({ title: label(name), tone: SENTIMENT[name], values: of(name) })), { stacked: true })}
    </div>`;
}

export function Overview({ session, route }) {
  const minutes = RANGES.some(([key]) => key === route.params.minutes) ? Number(route.params.minutes) : 60;
  const { data, state, error, minutes: of } = useOverview(minutes);
  const reads = session.permissions.includes("read-tickets");
  const cause = (value, name) => (reads ? html`<${Link} to="/inbox" params=${{ root_cause: value }}>${name}<//>` : name);
  const aside = html`
    <span class=${`live ${state}`} role="status"><span class="dot" aria-hidden="true" />${STATES[state]}</span>
    <${Segments} title="Time range" value=${String(minutes)} options=${RANGES} onChange=${(key) => adjust({ minutes: key })} />`;
  const lead = session.tenant === "*" ? "All tenants" : session.tenant;
  if (!data) return html`<${Page} title="Overview" lead=${lead} aside=${aside} />${error ? html`<${Failure} error=${error} />` : html`<${Skeleton} lines=${8} />`}`;
  return html`
    <${Page} title="Overview" lead=${lead} aside=${aside}>
      <div class=${of === minutes ? "" : "stale"}>
        <${Stats} data=${data} minutes=${of} />
        <div class="grid two">
          <${Card} title="Alerts now"><${Alerts} alerts=${data.alerts} all=${session.tenant === "*"} /><//>
          <${Card} title="Service levels"><${Slis} slis=${data.slis} /><//>
        </div>
        <${Charts} data=${data} minutes=${of} />
        <div class="grid four">
          <${Card} title="Top root causes"><${Bars} counts=${data.root_causes} link=${cause} empty="No tickets" /><//>
          <${Card} title="What is rising"><${Rising} rising=${data.rising} link=${cause} /><//>
          <${Card} title="Redactions by type"><${Bars} counts=${data.redactions} names=${(name) => html`<code>${name}</code>`} tone="plain" empty="Nothing was redacted" /><//>
          <${Card} title="Languages"><${Bars} counts=${data.languages} names=${language} tone="plain" empty="No tickets" /><//>
        </div>
      </div>
    <//>`;
}
