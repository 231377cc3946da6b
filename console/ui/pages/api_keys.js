import { html, useState } from "../lib.js";
import { call, get } from "../api.js";
import { Page, Loaded, Empty, Badge, Time, Field, Dialog, Confirm, Copy, useForm, useLoad, toast } from "../parts.js";
import { Link } from "../router.js";
import { Icon } from "../icons.js";
import { label, time } from "../format.js";

function New({ session, onClose, onDone }) {
  const [made, show] = useState(null);
  const choices = session.permissions.filter((one) => one !== "manage-tenants");
  const { values, set, field, busy, error, onSubmit, problem } = useForm({ name: "", expires_in_days: "90", permissions: [] }, async (asked) => {
    const body = { ...asked, expires_in_days: Number(asked.expires_in_days) };
    show((await call("POST", "/api-keys", { body, headers: { "idempotency-key": crypto.randomUUID() } })).data);
  });
  if (made) {
    return html`
      <${Dialog} title="Your new key" onClose=${onDone}><div class="stack">
        <p>Copy it now: it is shown once, and never again.</p>
        <p class="secret"><code>${made.key}</code><${Copy} text=${made.key} title="Copy the key" /></p>
        <p class="muted">Ends ${time(made.expires_at)}.</p>
        <div class="actions"><button class="button primary" onClick=${onDone}>I have copied it</button></div></div><//>`;
  }
  const toggle = (one) => (event) => set({ ...values, permissions: event.currentTarget.checked ? [...values.permissions, one] : values.permissions.filter((other) => other !== one) });
  return html`
    <${Dialog} title="New API key" onClose=${onClose}><form class="stack" onSubmit=${onSubmit}>
      <${Field} title="What it is for" ...${field("name")} required maxlength="100" autocomplete="off" />
      <fieldset><legend>It may</legend>
        ${choices.map((one) => html`<label key=${one} class="check"><input type="checkbox" checked=${values.permissions.includes(one)} onChange=${toggle(one)} />${label(one.replaceAll("-", " "))}</label>`)}
        ${error?.of?.("permissions") && html`<p class="error">${error.of("permissions")}</p>`}</fieldset>
      <${Field} title="Days until it ends" ...${field("expires_in_days")} type="number" min="1" max="366" required />
      ${problem}
      <div class="actions"><button type="button" class="button" onClick=${onClose}>Cancel</button><button class="button primary" disabled=${busy}>Create key</button></div>
    </form><//>`;
}

export function ApiKeys({ session }) {
  const keys = useLoad((signal) => get("/api-keys", signal), []);
  const [dialog, show] = useState(null);
  const may = session.permissions.includes("manage-users") && session.tenant !== "*";
  const done = () => { show(null); keys.reload(); };
  const aside = may && html`<button class="button primary" onClick=${() => show("new")}><${Icon} name="plus" />New key</button>`;
  const empty = session.tenant === "*" ? "A key is of one tenant: choose one first." : "Scripts and other systems use keys; people sign in.";
  return html`
    <${Page} title="API keys" lead=${html`For scripts and other systems, as <code>Authorization: Bearer dsk_…</code>. <${Link} to="/reference">API reference<//>`} aside=${aside}>
      <${Loaded} of=${keys} lines=${5}>${(rows) => (rows.length === 0 ? html`<${Empty} title="No keys">${empty}<//>` : html`
        <div class="card table-card"><table class="table" aria-label="API keys">
          <thead><tr><th scope="col">Name</th><th scope="col">May</th><th scope="col" class="wide-only">Made</th><th scope="col">Ends</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>${rows.map((key) => html`<tr key=${key.id}><td><strong>${key.name}</strong></td>
            <td><span class="wrap">${key.permissions.map((one) => html`<${Badge} key=${one}>${one}<//>`)}</span></td>
            <td class="wide-only muted"><${Time} value=${key.created_at} /></td><td class="muted"><${Time} value=${key.expires_at} /></td>
            <td class="right">${may && html`<button class="button quiet" aria-label=${`Revoke ${key.name}`} onClick=${() => show(key)}>Revoke</button>`}</td></tr>`)}</tbody>
        </table></div>`)}<//>
      ${dialog === "new" && html`<${New} session=${session} onClose=${() => show(null)} onDone=${done} />`}
      ${dialog && dialog !== "new" && html`<${Confirm} title=${`Revoke ${dialog.name}`} action="Revoke key" onClose=${() => show(null)}
        onConfirm=${async () => { await call("DELETE", `/api-keys/${dialog.id}`); toast("Key revoked"); done(); }}>Whatever uses it is refused from now on.<//>`}
    <//>`;
}
