// The first operator. The token may come in the fragment of the address, which no browser sends to any server; it is
// taken out of the address at once.
import { html, useEffect } from "../lib.js";
import { bootstrap, bootstrapNeeded } from "../api.js";
import { Field, useForm, useLoad, Failure } from "../parts.js";
import { Link } from "../router.js";
import { Mark } from "../icons.js";

function tokenOfAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
  if (location.hash) history.replaceState(null, "", location.pathname);
  return token;
}
// Once, when the page is read: nothing else shall find it there.
const given = location.pathname === "/first-operator" ? tokenOfAddress() : "";

export function FirstOperator() {
  const needed = useLoad(bootstrapNeeded, []);
  const { field, busy, onSubmit, problem } = useForm({ token: given, name: "", email: "", password: "" }, bootstrap);
  useEffect(() => { document.title = "First operator – Deskstream"; }, []);
  if (needed.data === false) {
    return html`<main class="outside"><div class="outside-card">
      <h1><${Mark} />There is an operator</h1>
      <p>The first operator has been made already. <${Link} to="/sign-in">Sign in<//></p></div></main>`;
  }
  return html`
    <main class="outside"><form class="outside-card" onSubmit=${onSubmit}>
      <h1><${Mark} />Make the first operator</h1>
      <p class="muted">Operators run the installation: every tenant, every user. More people are invited once you are in.</p>
      ${needed.error && html`<${Failure} error=${needed.error} retry=${needed.reload} />`}
      <${Field} title="One-time token" ...${field("token")} type="password" required autocomplete="off" spellcheck=${false}
        hint=${given ? "Taken from the link that you opened." : "The console printed it when it started."} />
      <${Field} title="Name" ...${field("name")} required autocomplete="name" autofocus />
      <${Field} title="Email" ...${field("email")} type="email" required autocomplete="username" />
      <${Field} title="Password" ...${field("password")} type="password" required minlength="12" autocomplete="new-password"
        hint="12 characters at least. A few words are easier to remember than signs." />
      ${problem}
      <button class="button primary wide" disabled=${busy}>${busy ? "Making…" : "Make operator and sign in"}</button>
    </form></main>`;
}
