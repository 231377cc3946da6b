// Charts: uPlot for time, bars of our own for counts. Every chart says its numbers in words, too.
import { html, useEffect, useRef } from "./lib.js";
import { count, label, time } from "./format.js";
import { Meter, Empty } from "./parts.js";

const HEIGHT = 170;

/** A canvas needs colours as they are now, not as they are named. */
function palette(element) {
  const probe = element.appendChild(document.createElement("span"));
  const color = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["text-2", "line", "chart-1", "chart-2", "red", "orange", "blue", "plain", "green"];
  const all = Object.fromEntries(names.map((name) => [name, color(name)]));
  probe.remove();
  return all;
}

/** `rgb(…)`, as computed styles are written, with another opacity. */
const faded = (color, alpha) => `rgba(${color.match(/[\d.]+/g).slice(0, 3).join(", ")}, ${alpha})`;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const ticks = (_, at) => at.map((s, n) => {
  const date = new Date(s * 1000);
  const apart = at.length > 1 ? at[1] - at[0] : 0;
  return apart >= 86_400 || (n > 0 && date.getHours() + date.getMinutes() === 0) ? day.format(date) : clock.format(date);
});

/** Redraws when the system's or the user's theme changes. */
export const themeChanged = new EventTarget();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themeChanged.dispatchEvent(new Event("change")));

/** A line needs two points: one between gaps is drawn as itself. */
const alone = (plot, n) => {
  const values = plot.data[n];
  return values.flatMap((value, at) => ((value ?? null) !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? [at] : []));
};

function options(colors, width, series, unit, stacked) {
  const show = unit || ((value) => (value === null || value === undefined ? "–" : count(value)));
  const grid = { stroke: colors.line, width: 1 };
  const font = "11px system-ui, sans-serif";
  const bars = window.uPlot.paths.bars({ size: [0.9, 24] });
  return {
    width,
    height: HEIGHT,
    padding: [8, 20, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
    axes: [
      { stroke: colors["text-2"], grid: { show: false }, ticks: { show: false }, font, size: 24, values: ticks },
      { stroke: colors["text-2"], grid, ticks: { show: false }, font, size: 52, values: (_, at) => at.map(show) },
    ],
    series: [
      { label: "Time", value: (_, at) => (at ? time(at * 1000) : "–") },
      ...series.map((line) => ({
        label: line.title,
        stroke: colors[line.tone],
        fill: stacked ? colors[line.tone] : faded(colors[line.tone], 0.12),
        width: stacked ? 0 : 1.75,
        points: stacked ? { show: false } : { show: true, size: 5, fill: colors[line.tone], filter: alone },
        paths: stacked ? bars : undefined,
        // Where nobody points, the latest.
        value: (plot, value, n, at) => {
          const { own } = line;
          const numbers = own || plot.data[n];
          return show(at === null || at === undefined ? [...numbers].reverse().find((one) => one !== null) : own ? own[at] : value);
        },
      })),
    ],
  };
}

/** One on top of the other: drawn from the highest sum down, each with its own number in the legend. */
function stack(series) {
  let sums = null;
  const summed = series.map((one) => {
    sums = one.values.map((value, n) => (value ?? 0) + (sums ? sums[n] : 0));
    return { ...one, own: one.values, values: sums };
  });
  return summed.reverse();
}

/** `at` in milliseconds; `series` are `{ title, tone, values }`. */
export function TimeChart({ title, at, series, unit, stacked }) {
  const ref = useRef(null);
  const chart = useRef(null);
  const drawn = stacked ? stack(series) : series;
  const data = [at.map((ms) => ms / 1000), ...drawn.map((one) => one.values)];
  const latest = useRef({ data, drawn });
  latest.current = { data, drawn };
  useEffect(() => {
    const element = ref.current;
    const draw = () => {
      chart.current?.destroy();
      const { data: rows, drawn: lines } = latest.current;
      // The legend's functions see the numbers of later updates through this.
      const live = lines.map((line, n) => ({ ...line, get own() { return latest.current.drawn[n]?.own; } }));
      const opts = options(palette(element), element.clientWidth || 300, live, unit, stacked);
      chart.current = new window.uPlot(opts, rows, element);
    };
    draw();
    const resized = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width && chart.current && width !== chart.current.width) chart.current.setSize({ width, height: HEIGHT });
    });
    resized.observe(element);
    themeChanged.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      themeChanged.removeEventListener("change", draw);
      chart.current?.destroy();
      chart.current = null;
    };
  }, [series.map((one) => one.title).join()]);
  useEffect(() => chart.current?.setData(data), [JSON.stringify(data)]);
  const say = unit || count;
  const words = series.map(({ title: name, values }) => {
    const known = values.filter((value) => value !== null);
    return known.length ? `${name}: latest ${say(known.at(-1))}, highest ${say(Math.max(...known))}` : `${name}: nothing`;
  });
  return html`
    <figure class="chart">
      <div ref=${ref} role="img" aria-label=${`${title}. ${words.join("; ")}.`} />
    </figure>`;
}

/** Counts by label, the highest first; `onPick` makes each a way to its tickets. */
export function Bars({ counts, tone = "accent", names = label, link, empty, most = 8 }) {
  if (!counts.length) return html`<${Empty} title=${empty} />`;
  const highest = Math.max(...counts.map((one) => one.count));
  const rest = counts.slice(most).reduce((sum, one) => sum + one.count, 0);
  return html`
    <ol class="bars">
      ${counts.slice(0, most).map((one) => html`
        <li key=${one.label}>
          <span class="bar-name">${link ? link(one.label, names(one.label)) : names(one.label)}</span>
          <${Meter} value=${one.count} of=${highest} tone=${typeof tone === "function" ? tone(one.label) : tone} />
          <span class="number">${count(one.count)}</span>
        </li>`)}
      ${rest > 0 && html`<li key="rest" class="muted"><span class="bar-name">${counts.length - most} more</span><span /><span class="number">${count(rest)}</span></li>`}
    </ol>`;
}
