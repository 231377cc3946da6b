// What pages are made of.
import { html, useState, useEffect, useRef, useId, useCallback } from "./lib.js";
import { Icon } from "./icons.js";
import { label, time, ago, percent } from "./format.js";

/** Loads, and loads again when `deps` change; `{ data, error, loading, reload }`. What was shown stays until the new is there. */
export function useLoad(load, deps) {
  const [state, set] = useState({ loading: true });
  const [turn, again] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    set((old) => ({ ...old, loading: true }));
    load(stop.signal).then(
      (data) => stop.signal.aborted || set({ data, loading: false }),
      (error) => stop.signal.aborted || set((old) => ({ data: old.data, error, loading: false })),
    );
    return () => stop.abort();
  }, [...deps, turn]);
  const reload = useCallback(() => again((n) => n + 1), []);
  return { ...state, reload };
}

const sentence = (text) => text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** What went wrong, in words, with a way on. */
export function Failure({ error, retry }) {
  return html`
    <div class="failure" role="alert">
      <${Icon} name="alert" />
      <div>
        <strong>${error.title || "Something went wrong"}</strong>
        <p>${sentence(error.message)}</p>
        ${error.requestId && html`<p class="hint">Request <code>${error.requestId}</code>, as the log and the audit trail name it</p>`}
      </div>
      ${retry && html`<button class="button" onClick=${retry}>Try again</button>`}
    </div>`;
}

export const Empty = ({ title, children }) => html`
  <div class="empty"><strong>${title}</strong>${children && html`<p>${children}</p>`}</div>`;

export const Skeleton = ({ lines = 4 }) => html`
  <div class="skeleton" role="status" aria-label="Loading">
    ${Array.from({ length: lines }, (_, n) => html`<span key=${n} />`)}
  </div>`;

/** Data, or the state on the way to it. */
export function Loaded({ of, lines, children }) {
  if (of.error && !of.data) return html`<${Failure} error=${of.error} retry=${of.reload} />`;
  if (!of.data) return html`<${Skeleton} lines=${lines} />`;
  return html`${of.error && html`<${Failure} error=${of.error} retry=${of.reload} />`}${children(of.data)}`;
}

export function Page({ title, aside, lead, children }) {
  return html`
    <header class="page-head">
      <div><h1 tabindex="-1">${title}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>
      ${aside && html`<div class="page-aside">${aside}</div>`}
    </header>
    ${children}`;
}

export function Card({ title, aside, children, class: more = "" }) {
  const id = useId();
  return html`
    <section class=${`card ${more}`} aria-labelledby=${title ? id : undefined}>
      ${title && html`<header class="card-head"><h2 id=${id}>${title}</h2>${aside}</header>`}
      ${children}
    </section>`;
}

export const Badge = ({ tone = "plain", children, title }) =>
  html`<span class=${`badge tone-${tone}`} title=${title}>${children}</span>`;

export const URGENCY = { critical: "red", high: "orange", normal: "blue", low: "plain" };
export const SENTIMENT = { negative: "red", neutral: "plain", positive: "green" };
export const STATUS = { new: "blue", open: "orange", pending: "plain", hold: "plain", solved: "green", closed: "plain" };

/** Bars beside the word: its meaning is not in the colour alone. */
export function Urgency({ value }) {
  const level = ["low", "normal", "high", "critical"].indexOf(value);
  return html`
    <span class=${`urgency tone-${URGENCY[value] || "plain"}`}>
      <svg viewBox="0 0 14 12" width="14" height="12" aria-hidden="true">
        ${[0, 1, 2, 3].map((n) => html`<rect key=${n} x=${n * 3.6} y=${9 - n * 3} width="2.4" height=${3 + n * 3} rx=".6" class=${n <= level ? "on" : "off"} />`)}
      </svg>${label(value)}
    </span>`;
}

export const Sentiment = ({ value }) =>
  html`<span class=${`sentiment tone-${SENTIMENT[value] || "plain"}`}><span class="dot" aria-hidden="true" />${label(value)}</span>`;

export const Status = ({ value }) => html`<${Badge} tone=${STATUS[value]}>${label(value)}<//>`;

export const Time = ({ value }) => html`<time datetime=${value} title=${time(value)}>${ago(value)}</time>`;

/** A share as a bar; the number is beside it. */
export function Meter({ value, tone = "accent", of = 1 }) {
  const share = of ? Math.min(Math.max(value / of, 0), 1) : 0;
  return html`
    <svg class=${`meter tone-${tone}`} viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="6" /><rect class="fill" width=${share * 100} height="6" />
    </svg>`;
}

export const Confidence = ({ value, guess }) => html`
  <span class="confidence"><${Meter} value=${value} tone=${guess ? "plain" : "accent"} /><span>${percent(value)}</span></span>`;

/** A labelled input; `error` stands beside it. Other properties go to the input. */
export function Field({ name, title, hint, error, value, onValue, children, type = "text", as = "input", ...rest }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const props = {
    id, name, value, "aria-describedby": described, "aria-invalid": error ? "true" : undefined,
    [children ? "onChange" : "onInput"]: (event) => onValue(event.currentTarget.value), ...rest,
  };
  return html`
    <div class="field">
      <label for=${id}>${title}</label>
      ${children ? html`<select ...${props}>${children}</select>`
        : as === "textarea" ? html`<textarea ...${props} /> ` : html`<input type=${type} ...${props} />`}
      ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
      ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
    </div>`;
}

/** What a form does: state of its fields, one submission at a time, errors beside the fields. */
export function useForm(initial, submit) {
  const [values, set] = useState(initial);
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    work(true);
    fail(null);
    try {
      await submit(values);
    } catch (problem) {
      fail(problem);
    }
    work(false);
  };
  const field = (name) => ({
    name, value: values[name], error: error?.of?.(name), onValue: (value) => set((old) => ({ ...old, [name]: value })),
  });
  // What no field can show stands above the button.
  const shown = error && !(error.errors?.length && error.errors.every((one) => one.field in values)) ? error : null;
  return { values, set, field, busy, error, onSubmit, problem: shown && html`<${Failure} error=${shown} />` };
}

export function Dialog({ title, onClose, children }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`
    <dialog ref=${ref} aria-labelledby=${id} onClose=${onClose} onCancel=${onClose}>
      <header class="card-head"><h2 id=${id}>${title}</h2>
        <button class="icon-button" onClick=${onClose} aria-label="Close"><${Icon} name="close" /></button></header>
      ${children}
    </dialog>`;
}

/** Asks before what can't be undone. */
export function Confirm({ title, action, onConfirm, onClose, children }) {
  const { busy, onSubmit, problem } = useForm({}, async () => { await onConfirm(); onClose(); });
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <form class="stack" onSubmit=${onSubmit}>
        <p>${children}</p>${problem}
        <div class="actions"><button type="button" class="button" onClick=${onClose}>Cancel</button>
          <button class="button danger" disabled=${busy}>${action}</button></div>
      </form>
    <//>`;
}

let tell = () => {};
/** Says in a corner what was done. */
export const toast = (text) => tell(text);

export function Toasts() {
  const [shown, set] = useState([]);
  useEffect(() => {
    tell = (text) => {
      const one = { text, key: crypto.randomUUID?.() || String(Math.random()) };
      set((old) => [...old.slice(-2), one]);
      setTimeout(() => set((old) => old.filter((other) => other !== one)), 6000);
    };
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map(({ text, key }) => html`<div class="toast" key=${key}><${Icon} name="check" />${text}</div>`)}</div>`;
}

export function Copy({ text, title }) {
  const copy = async () => { await navigator.clipboard.writeText(text); toast("Copied"); };
  return html`<button type="button" class="icon-button" onClick=${copy} aria-label=${title}><${Icon} name="copy" /></button>`;
}

/** A few choices side by side. */
export function Segments({ title, value, options, onChange }) {
  return html`
    <div class="segments" role="group" aria-label=${title}>
      ${options.map(([key, text]) => html`
        <button key=${key} type="button" aria-pressed=${String(key === value)} onClick=${() => onChange(key)}>${text}</button>`)}
    </div>`;
}
