import { html, useEffect } from "../lib.js";
import { signIn, bootstrapNeeded } from "../api.js";
import { Field, useForm, useLoad } from "../parts.js";
import { Link } from "../router.js";
import { Mark } from "../icons.js";

export function SignIn() {
  const needed = useLoad(bootstrapNeeded, []);
  const { field, busy, onSubmit, problem } = useForm({ email: "", password: "" },
    ({ email, password }) => signIn(email, password));
  useEffect(() => { document.title = "Sign in – Deskstream"; }, []);
  return html`
    <main class="outside"><form class="outside-card" onSubmit=${onSubmit}>
      <h1><${Mark} />Sign in to Deskstream</h1>
      ${needed.data && html`<p class="note">There is no operator yet. <${Link} to="/first-operator">Make the first one<//></p>`}
      <${Field} title="Email" ...${field("email")} type="email" required autocomplete="username" autofocus />
      <${Field} title="Password" ...${field("password")} type="password" required autocomplete="current-password" />
      ${problem}
      <button class="button primary wide" disabled=${busy}>${busy ? "Signing in…" : "Sign in"}</button>
    </form></main>`;
}
