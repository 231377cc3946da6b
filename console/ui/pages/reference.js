// The API's reference, from its own description: what the console serves is what stands here.
import { html } from "../lib.js";
import { get } from "../api.js";
import { Page, Card, Loaded, Badge, Copy, useLoad } from "../parts.js";
import { label } from "../format.js";

const TONES = { get: "blue", post: "green", put: "orange", patch: "orange", delete: "red" };
const METHODS = Object.keys(TONES);

/** Paragraphs; `code` in backquotes. */
const Prose = ({ text = "" }) => text.split(/\n{2,}/).filter(Boolean).map((part) => html`
  <p key=${part}>${part.split(/`([^`]+)`/).map((piece, n) => (n % 2 ? html`<code>${piece}</code>` : piece))}</p>`);

function resolve(document, schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? { name, ...document.components.schemas[name] } : schema || {};
}

/** A schema in a few words. */
function kind(document, schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const options = schema.oneOf || schema.anyOf;
  if (options) return options.map((one) => kind(document, one)).filter((one) => one !== "null").join(" or ");
  const types = [schema.type].flat().filter((one) => one && one !== "null");
  if (types[0] === "array") return `list of ${kind(document, schema.items) || "values"}`;
  return schema.enum ? schema.enum.join(", ") : [types.join(" or "), schema.format && `(${schema.format})`].filter(Boolean).join(" ");
}

function Fields({ document, schema, title }) {
  const whole = resolve(document, schema);
  const inner = whole.type === "array" ? resolve(document, whole.items) : whole;
  const fields = Object.entries(inner.properties || {});
  const required = new Set(inner.required || []);
  if (!fields.length) return schema ? html`<p class="muted">${title}: <code>${kind(document, schema) || "a value"}</code></p>` : null;
  return html`
    <h3>${title}${whole.type === "array" ? ": a list of" : ""} ${inner.name && html`<code>${inner.name}</code>`}</h3>
    <dl class="facts">${fields.map(([name, field]) => html`
      <div key=${name}><dt><code>${name}</code></dt><dd><span class="muted">${kind(document, field)}${required.has(name) ? "" : ", may be left out or null"}</span> ${field.description}</dd></div>`)}</dl>`;
}

function curl(method, path, operation) {
  const body = operation.requestBody ? " --json '{…}'" : "";
  const name = method === "get" ? "" : ` -X ${method.toUpperCase()}`;
  const token = operation.security?.length === 0 || operation.security?.some((one) => !Object.keys(one).length) ? "" : " -H \"Authorization: Bearer $TOKEN\"";
  return `curl -s${name}${token} ${location.origin}${path}${body}`;
}

function Operation({ document, method, path, operation }) {
  const example = curl(method, path, operation);
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  const answers = Object.entries(operation.responses || {});
  const good = answers.find(([status]) => status.startsWith("2"))?.[1];
  const shape = Object.values(good?.content || {})[0]?.schema;
  return html`
    <details class="operation">
      <summary><${Badge} tone=${TONES[method]}>${method.toUpperCase()}<//><code>${path}</code><span class="muted">${operation.summary}</span></summary>
      <div class="stack">
        <${Prose} text=${operation.description} />
        <p class="secret"><code class="grow">${example}</code><${Copy} text=${example} title=${`Copy the call of ${method} ${path}`} /></p>
        ${operation.parameters?.length > 0 && html`<div><h3>Parameters</h3><dl class="facts">${operation.parameters.map((one) => html`
          <div key=${one.in + one.name}><dt><code>${one.name}</code></dt><dd><span class="muted">${one.in}, ${kind(document, one.schema)}${one.required ? "" : ", may be left out"}</span> ${one.description}</dd></div>`)}</dl></div>`}
        ${body && html`<div><${Fields} document=${document} schema=${body} title="Body" /></div>`}
        ${shape && html`<div><${Fields} document=${document} schema=${shape} title="Answer" /></div>`}
        <p class="wrap">${answers.map(([status, answer]) => html`<${Badge} key=${status} tone=${status.startsWith("2") ? "green" : "plain"} title=${answer.description}>${status}<//>`)}</p>
      </div>
    </details>`;
}

export function Reference() {
  const loaded = useLoad((signal) => get("/openapi.json", signal), []);
  return html`
    <${Page} title="API reference" lead=${html`OpenAPI 3.1, as <a href="/api/v1/openapi.json">openapi.json</a>`}>
      <${Loaded} of=${loaded} lines=${12}>${(document) => {
        const all = Object.entries(document.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method])
          .map((method) => ({ method, path, operation: item[method], tag: item[method].tags?.[0] || "other" })));
        const tags = [...new Set(all.map((one) => one.tag))];
        return html`<div class="stack"><${Prose} text=${document.info.description} />
          ${tags.map((tag) => html`<${Card} key=${tag} title=${label(tag.replaceAll("-", " "))}>
            ${all.filter((one) => one.tag === tag).map((one) => html`<${Operation} key=${one.method + one.path} document=${document} ...${one} />`)}<//>`)}</div>`;
      }}<//>
    <//>`;
}
