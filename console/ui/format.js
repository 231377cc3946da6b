// How values are written.
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });

export const count = (value) => (value >= 10_000 ? compact.format(value) : number.format(value));
export const percent = (value, digits = 0) =>
  value === null || value === undefined || Number.isNaN(value) ? "–" : `${(value * 100).toFixed(digits)} %`;
export const time = (value) => full.format(new Date(value));
export const dollars = (microusd) => `$${(microusd / 1e6).toFixed(microusd && microusd < 1e4 ? 4 : 2)}`;

export function ago(value, now = Date.now()) {
  const seconds = Math.round((new Date(value) - now) / 1000);
  for (const [unit, size] of [["day", 86_400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return Math.abs(seconds) < 5 ? "now" : relative.format(seconds, "second");
}

export function milliseconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value >= 10_000) return `${number.format(value / 1000)} s`;
  return `${value < 10 ? number.format(value) : Math.round(value)} ms`;
}

/** `account_access` → `Account access` */
export function label(value) {
  if (!value) return "–";
  const text = String(value).replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
}

const languages = new Intl.DisplayNames("en", { type: "language" });
export function language(code) {
  try {
    return code ? languages.of(code) : "–";
  } catch {
    return code;
  }
}

const PLATFORMS = { zendesk: "Zendesk", freshdesk: "Freshdesk", intercom: "Intercom", import: "Import" };
export const platform = (value) => PLATFORMS[value] || label(value);

/** Browser and system of a user agent, roughly: to know one's own sessions again. */
export function agent(text) {
  const name = ["Edg", "OPR", "Firefox", "Chrome", "Safari", "curl"].find((one) => text.includes(one));
  const system = ["Windows", "Android", "iPhone", "Mac OS", "Linux"].find((one) => text.includes(one));
  return [{ Edg: "Edge", OPR: "Opera" }[name] || name, system].filter(Boolean).join(" on ") || text || "unknown";
}
