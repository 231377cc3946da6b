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
  const colors = new Proxy({}, { get: (known, name) => (known[name] ??= color(name)) });
  // Read while the probe is there.
  const all = Object.fromEntries(
    ["text-2", "line", "chart-1", "chart-2", "red", "orange", "blue", "plain", "green"].map((name) => [name, colors[name]]));
  probe.remove();
  return all;
}

const faded = (color, alpha) => color.replace(/^rgba?\(([^)]+?)(,\s*[\d.]+)?\)$/, (_, rgb) => `rgba(${rgb.split(",").slice(0, 3)}, ${alpha})`);

/** Redraws when the system's or the user's theme changes. */
export const themeChanged = new EventTarget();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themeChanged.dispatchEvent(new Event("change")));

function options(colors, width, series, unit, stacked) {
  const show = unit || ((value) => (value === null || value === undefined ? "–" : count(value)));
  const grid = { stroke: faded(colors.line, 1), width: 1 };
  const font = "11px system-ui, sans-serif";
  const bars = window.uPlot.paths.bars({ size: [0.9, 24] });
  return {
    width,
    height: HEIGHT,
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
    axes: [
      { stroke: colors["text-2"], grid: { show: false }, ticks: { show: false }, font, size: 24 },
      { stroke: colors["text-2"], grid, ticks: { show: false }, font, size: 52, values: (_, ticks) => ticks.map(show) },
    ],
    series: [
      { label: "Time", value: (_, at) => (at ? time(at * 1000) : "–") },
      ...series.map(({ title, tone, own }) => ({
        label: title,
        stroke: colors[tone],
        fill: stacked ? colors[tone] : faded(colors[tone], 0.12),
        width: stacked ? 0 : 1.75,
        points: { show: false },
        paths: stacked ? bars : undefined,
        value: (_, value, __, at) => (at === null || at === undefined ? "–" : show(own ? own[at] : value)),
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
