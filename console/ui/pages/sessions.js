// One's own account: password, and where one is signed in.
import { html } from "../lib.js";
import { call, get } from "../api.js";
import { Page, Card, Loaded, Badge, Time, Field, useForm, useLoad, toast } from "../parts.js";
import { agent, label } from "../format.js";

function Password({ onDone }) {
  const empty = { current: "", password: "" };
  const { set, field, busy, onSubmit, problem } = useForm(empty, async (values) => {
    await call("POST", "/me/password", { body: values });
    set(empty);
    toast("Password changed; your other sessions have ended");
    onDone();
  });
  return html`
    <form class="stack narrow" onSubmit=${onSubmit}>
      <${Field} title="Present password" ...${field("current")} type="password" required autocomplete="current-password" />
      <${Field} title="New password" ...${field("password")} type="password" required minlength="12" autocomplete="new-password" hint="12 characters at least. Your other sessions end." />
      ${problem}
      <div><button class="button" disabled=${busy}>Change password</button></div>
    </form>`;
}

export function Sessions({ session }) {
  const sessions = useLoad((signal) => get("/me/sessions", signal), []);
  const end = async (id) => {
    try {
      await call("DELETE", `/me/sessions/${id}`);
      toast("Session ended");
    } catch (error) {
      toast(error.message);
    }
    sessions.reload();
  };
  return html`
    <${Page} title="Your account" lead=${`${session.name}, ${label(session.role).toLowerCase()}`}>
      <div class="stack">
        <${Card} title="Where you are signed in"><${Loaded} of=${sessions} lines=${3}>${(rows) => html`
          <ul class="lines">${[...rows].sort((a, b) => b.current - a.current || (a.used_at < b.used_at ? 1 : -1)).map((one) => html`
            <li key=${one.id}><div class="grow"><strong>${agent(one.user_agent)}</strong>${one.current && html` <${Badge} tone="green">This one<//>`}
              <p class="muted">${one.address} · since <${Time} value=${one.created_at} /> · last refreshed <${Time} value=${one.used_at} /></p></div>
              ${!one.current && html`<button class="button quiet" aria-label=${`End the session on ${agent(one.user_agent)}`} onClick=${() => end(one.id)}>End</button>`}</li>`)}</ul>`}<//><//>
        <${Card} title="Password"><${Password} onDone=${sessions.reload} /><//>
      </div>
    <//>`;
}
