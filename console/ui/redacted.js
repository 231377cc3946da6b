// Redacted text, with what was removed marked by its kind: `[EMAIL]`, `[IBAN ****3000]`, `[PERSON lusab-babad-gutih]`.
import { html } from "./lib.js";

const MARK = /\[([A-Z][A-Z0-9_]{1,30})((?: [^\]\n]{1,80})?)\]/g;

/** Kinds by what they are about, each with a colour; the word itself stays. */
const GROUPS = [
  [/^(PERSON|TITLE|NATIONALITY|AGE|DATE)/, "person"],
  [/^(EMAIL|PHONE|HANDLE|URL|IP|MAC)/, "contact"],
  [/^(ADDRESS|LOCATION|POSTAL|COORD|STREET)/, "place"],
  [/^(PAYMENT|IBAN|BIC|CRYPTO|BANK|CVV)/, "money"],
  [/^(SECRET|PASSWORD|API|URL_CRED)/, "secret"],
];
export const group = (kind) => GROUPS.find(([pattern]) => pattern.test(kind))?.[1] || "other";

export const Kind = ({ kind, more = "" }) => html`<mark class=${`pii pii-${group(kind)}`}>${kind}${more}</mark>`;

/** `kinds` are those that were found in the ticket: what its writer put in brackets stays text. */
export function Redacted({ text, kinds }) {
  const known = new Set(kinds);
  const pieces = [];
  let from = 0;
  for (const found of text.matchAll(MARK)) {
    if (!known.has(found[1])) continue;
    pieces.push(text.slice(from, found.index), html`<${Kind} key=${found.index} kind=${found[1]} more=${found[2]} />`);
    from = found.index + found[0].length;
  }
  pieces.push(text.slice(from));
  return pieces;
}
