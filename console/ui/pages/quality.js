// How well models judge, by what people corrected; and whether tickets are still like those of the days before.
import { html } from "../lib.js";
import { get, query } from "../api.js";
import { adjust, Link } from "../router.js";
import { Page, Card, Loaded, Empty, Badge, Meter, Segments, useLoad } from "../parts.js";
import { TimeChart } from "../charts.js";
import { count, percent, label, language } from "../format.js";

const HEADS = [["root_cause", "Root cause"], ["urgency", "Urgency"], ["sentiment", "Sentiment"]];
const DAYS = [["7", "7 d"], ["30", "30 d"], ["90", "90 d"]];
/** Where a population stability index is said to have shifted, and where it starts to be worth a look. */
const SHIFTED = 0.25;
const MOVED = 0.1;
/** So many confusions are worth reading. */
const MOST = 10;

const spread = (low, high) => html`<small class="muted nowrap">${percent(low)} to ${percent(high)}</small>`;

const Share = ({ value, low, high }) => html`
  <td><span class="share"><${Meter} value=${value} /><span class="nowrap">${percent(value)}</span>${spread(low, high)}</span></td>`;

function Models({ models }) {
  return html`
    <div class="card table-card">
      <table class="table" aria-label="Models, over all of time">
        <thead><tr><th scope="col">Model</th><th scope="col" class="right">Reviewed</th><th scope="col">Right</th><th scope="col">Right when sure</th><th scope="col">Macro-F1</th></tr></thead>
        <tbody>${models.map((one) => html`
          <tr key=${one.model}><td><code>${one.model}</code></td><td class="right">${count(one.samples)}</td>
            <${Share} value=${one.accuracy} low=${one.accuracy_low} high=${one.accuracy_high} />
            <td>${one.answered ? html`${percent(one.answered_correct / one.answered)} <span class="muted">of ${count(one.answered)}</span>` : "–"}</td>
            <${Share} value=${one.macro_f1} low=${one.macro_f1_low} high=${one.macro_f1_high} /></tr>`)}</tbody>
      </table>
    </div>`;
}

function Labels({ labels }) {
  return html`
    <div class="card table-card">
      <table class="table" aria-label="Labels, over all of time">
        <thead><tr><th scope="col">Label</th><th scope="col" class="right">Reviewers said it</th><th scope="col" class="right">Model said it</th><th scope="col">Precision</th><th scope="col">Recall</th><th scope="col">F1</th></tr></thead>
        <tbody>${labels.map((one) => html`
          <tr key=${one.model + one.label}><td>${label(one.label)}</td><td class="right">${count(one.support)}</td><td class="right">${count(one.predicted)}</td>
            <${Share} value=${one.precision} low=${one.precision_low} high=${one.precision_high} />
            <${Share} value=${one.recall} low=${one.recall_low} high=${one.recall_high} />
            <${Share} value=${one.f1} low=${one.f1_low} high=${one.f1_high} /></tr>`)}</tbody>
      </table>
    </div>`;
}

function Confusions({ cells, head, reads }) {
  const wrong = cells.filter((cell) => cell.human !== cell.predicted).sort((a, b) => b.count - a.count);
  if (!wrong.length) return html`<${Empty} title="No corrections">Reviewers agreed with all of it.<//>`;
  const said = (cell) => (reads ? html`<${Link} to="/inbox" params=${{ [head]: cell.predicted }}>${label(cell.predicted)}<//>` : label(cell.predicted));
  return html`
    <ol class="rising">${wrong.slice(0, MOST).map((cell) => html`
      <li key=${cell.model + cell.human + cell.predicted}><span class="bar-name">${said(cell)} → <strong>${label(cell.human)}</strong></span>
        <span /><span class="number">${count(cell.count)}</span></li>`)}</ol>`;
}

/** The days of a series, each once, with a value of each model or head. */
function byDay(rows, name, value) {
  const at = [...new Set(rows.map((row) => new Date(row.day).getTime()))].sort((a, b) => a - b);
  const names = [...new Set(rows.map((row) => row[name]))];
  const tones = ["chart-1", "chart-2", "green", "orange", "red", "blue"];
  const series = names.map((one, n) => {
    const known = new Map(rows.filter((row) => row[name] === one).map((row) => [new Date(row.day).getTime(), row[value]]));
    return { title: name === "model" ? one : label(one), tone: tones[n % tones.length], values: at.map((ms) => known.get(ms) ?? null) };
  });
  return { at, series };
}

function Drift({ drift }) {
  const latest = Object.values(Object.fromEntries(drift.map((day) => [day.head, day])));
  if (!latest.length) return html`<${Empty} title="Nothing to compare yet">A day is compared with the seven before it.<//>`;
  const verdict = ({ label_psi: psi, label_noise: noise }) => {
    if (psi === null) return html`<${Badge}>Too few tickets<//>`;
    if (psi > SHIFTED && psi > noise) return html`<${Badge} tone="red">Shifted<//>`;
    return psi > MOVED && psi > noise ? html`<${Badge} tone="orange">Moved<//>` : html`<${Badge} tone="green">Stable<//>`;
  };
  const psi = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
  const { at, series } = byDay(drift, "head", "label_psi");
  return html`
    <dl class="facts">${latest.map((day) => html`
      <div key=${day.head}><dt>${label(day.head)}</dt><dd>${verdict(day)} <span class="muted">labels ${psi(day.label_psi)}, confidences ${psi(day.confidence_psi)}; ${count(day.tickets)} tickets against ${count(day.reference_tickets)}</span></dd></div>`)}</dl>
    ${at.length > 1 && html`<${TimeChart} title="Drift of labels" at=${at} series=${series} unit=${psi} />`}`;
}

export function Quality({ session, route }) {
  const head = HEADS.some(([key]) => key === route.params.head) ? route.params.head : "root_cause";
  const days = DAYS.some(([key]) => key === route.params.days) ? route.params.days : "30";
  const asked = query({ days, language: route.params.language });
  const report = useLoad((signal) => get(`/quality${asked}`, signal), [asked]);
  const reads = session.permissions.includes("read-tickets");
  const aside = html`
    <${Segments} title="What is judged" value=${head} options=${HEADS} onChange=${(key) => adjust({ head: key })} />
    <${Segments} title="Time range" value=${days} options=${DAYS} onChange=${(key) => adjust({ days: key })} />`;
  const of = (rows) => rows.filter((row) => row.head === head);
  const lead = route.params.language ? `Tickets in ${language(route.params.language)}` : "Models against what reviewers say. Ranges hold the true share 95 times in 100.";
  return html`
    <${Page} title="Quality" lead=${lead} aside=${aside}>
      <${Loaded} of=${report} lines=${10}>${(data) => {
        const models = of(data.models);
        const series = byDay(of(data.days), "model", "accuracy");
        return html`
          <div class=${`stack ${report.loading ? "stale" : ""}`}>
            ${models.length === 0 ? html`<${Card} title="Models"><${Empty} title="No reviews yet">
                Correct a ticket${reads && html` in the <${Link} to="/inbox">inbox<//>`}, or confirm what the model said: each review counts within a second or two.<//><//>`
              : html`
                <${Models} models=${models} />
                <div class="grid two">
                  <${Card} title="Right by day"><${TimeChart} title="Share that was right" at=${series.at} series=${series.series} unit=${percent} /><//>
                  <${Card} title="What is taken for what"><${Confusions} cells=${of(data.confusion)} head=${head} reads=${reads} /><//>
                </div>
                <${Labels} labels=${of(data.labels)} />`}
            <${Card} title="Drift"><${Drift} drift=${data.drift} /><//>
          </div>`;
      }}<//>
    <//>`;
}
