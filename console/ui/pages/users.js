import { html, useState } from "../lib.js";
import { call, get } from "../api.js";
import { Page, Loaded, Empty, Badge, Time, Field, Dialog, Confirm, useForm, useLoad, toast } from "../parts.js";
import { Icon } from "../icons.js";
import { label } from "../format.js";

const WITHIN = ["admin", "agent", "reviewer", "auditor", "viewer"];
const ROLES = {
  operator: "Every tenant, everything", admin: "Everything within the tenant", agent: "Reads tickets",
  reviewer: "Reads and corrects tickets", auditor: "Reads the audit trail, no ticket", viewer: "Reads numbers, no ticket",
};

const role = (field, roles, title = "Role") => html`
  <${Field} title=${title} ...${field}>${roles.map((one) => html`<option key=${one} value=${one}>${label(one)}: ${ROLES[one]}</option>`)}<//>`;

function New({ roles, onClose, onDone }) {
  const { field, busy, onSubmit, problem } = useForm({ email: "", name: "", role: roles.at(-1), password: "" }, async (values) => {
    await call("POST", "/users", { body: values, headers: { "idempotency-key": crypto.randomUUID() } });
    toast(`${values.name} can sign in now`);
    onDone();
  });
  return html`
    <${Dialog} title="New user" onClose=${onClose}><form class="stack" onSubmit=${onSubmit}>
      <${Field} title="Name" ...${field("name")} required autocomplete="off" />
      <${Field} title="Email" ...${field("email")} type="email" required autocomplete="off" />
      ${role(field("role"), roles)}
      <${Field} title="First password" ...${field("password")} type="password" required minlength="12" autocomplete="new-password" hint="12 characters at least. Hand it over another way than by mail." />
      ${problem}
      <div class="actions"><button type="button" class="button" onClick=${onClose}>Cancel</button><button class="button primary" disabled=${busy}>Create user</button></div>
    </form><//>`;
}

function Edit({ user, roles, own, onClose, onDone }) {
  const loaded = useLoad((signal) => call("GET", `/users/${user.id}`, { signal }), [user.id]);
  const [removing, remove] = useState(false);
  const { values, set, field, busy, onSubmit, problem } = useForm({ name: user.name, role: user.role, active: user.active, password: "" }, async (asked) => {
    const body = { name: asked.name };
    if (!own) Object.assign(body, { role: asked.role, active: asked.active });
    if (asked.password) body.password = asked.password;
    await call("PATCH", `/users/${user.id}`, { body, headers: { "if-match": loaded.data.etag } });
    toast("User changed");
    onDone();
  });
  const end = async () => {
    await call("DELETE", `/users/${user.id}/sessions`).then(() => toast("Sessions ended"), (error) => toast(error.message));
  };
  if (removing) {
    return html`<${Confirm} title=${`Remove ${user.name}`} action="Remove user" onClose=${onClose}
      onConfirm=${async () => { await call("DELETE", `/users/${user.id}`); toast("User removed"); onDone(); }}>Their sessions end. API keys that they made stay.<//>`;
  }
  return html`
    <${Dialog} title=${user.name} onClose=${onClose}><form class="stack" onSubmit=${onSubmit}>
      <p class="muted">${user.email}</p>
      <${Field} title="Name" ...${field("name")} required />
      ${!own && role(field("role"), roles)}
      ${!own && html`<label class="check"><input type="checkbox" checked=${values.active} onChange=${(event) => set({ ...values, active: event.currentTarget.checked })} />May sign in</label>`}
      ${!own && html`<${Field} title="New password" ...${field("password")} type="password" minlength="12" autocomplete="new-password" hint="Leave it empty to keep the present one. A new one ends all sessions." />`}
      ${problem}
      <div class="actions spread">
        ${own ? html`<span />` : html`<span><button type="button" class="button danger" onClick=${() => remove(true)}>Remove</button>
          <button type="button" class="button quiet" onClick=${end}>End sessions</button></span>`}
        <span><button type="button" class="button" onClick=${onClose}>Cancel</button><button class="button primary" disabled=${busy || !loaded.data}>Save</button></span>
      </div>
    </form><//>`;
}

export function Users({ session }) {
  const users = useLoad((signal) => get("/users", signal), []);
  const [dialog, show] = useState(null);
  const may = session.permissions.includes("manage-users");
  const roles = session.tenant === "*" ? ["operator"] : WITHIN;
  const close = () => show(null);
  const done = () => { close(); users.reload(); };
  const aside = may && html`<button class="button primary" onClick=${() => show("new")}><${Icon} name="plus" />New user</button>`;
  return html`
    <${Page} title="Users" lead=${session.tenant === "*" ? "Operators. Choose a tenant to see its people." : `People of ${session.tenant}.`} aside=${aside}>
      <${Loaded} of=${users} lines=${6}>${(rows) => (rows.length === 0 ? html`<${Empty} title="Nobody yet">Create the first user of this tenant.<//>` : html`
        <div class="card table-card"><table class="table" aria-label="Users">
          <thead><tr><th scope="col">Name</th><th scope="col">Email</th><th scope="col">Role</th><th scope="col">State</th><th scope="col" class="wide-only">Since</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>${rows.map((user) => html`<tr key=${user.id}>
            <td><strong>${user.name}</strong>${user.id === session.id && html` <${Badge}>You<//>`}</td><td class="muted">${user.email}</td>
            <td><span title=${ROLES[user.role]}>${label(user.role)}</span></td>
            <td><${Badge} tone=${user.active ? "green" : "plain"}>${user.active ? "Active" : "Locked out"}<//></td>
            <td class="wide-only muted"><${Time} value=${user.created_at} /></td>
            <td class="right">${may && html`<button class="button quiet" aria-label=${`Change ${user.name}`} onClick=${() => show(user)}>Change</button>`}</td></tr>`)}</tbody>
        </table></div>`)}<//>
      ${dialog === "new" && html`<${New} roles=${roles} onClose=${close} onDone=${done} />`}
      ${dialog && dialog !== "new" && html`<${Edit} key=${dialog.id} user=${dialog} roles=${roles} own=${dialog.id === session.id} onClose=${close} onDone=${done} />`}
    <//>`;
}
