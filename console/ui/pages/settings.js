// The redaction policy: of the tenant, or (for operators without one) of the installation. Whoever changes an older
// version than the one that is there is told so, and loses nothing.
import { html, useState } from "../lib.js";
import { call, get } from "../api.js";
import { Page, Card, Loaded, Empty, Badge, Failure, Confirm, Segments, useLoad, toast } from "../parts.js";
import { Kind } from "../redacted.js";

const PATH = "/settings/redaction-policy";
const MEANING = {
  mask: "Mask: [KIND]", partial: "Last four: [KIND ****3000]", pseudonym: "Pseudonym: [KIND lusab-babad]",
  hash: "Keyed hash: [KIND #kbjm…]", keep: "Keep in the text", off: "Don't look for it",
};

/** Each reading begins an editing of its own. */
let readings = 0;

async function read(signal) {
  const [kinds, policy] = await Promise.all([
    get("/settings/redaction-kinds", signal),
    call("GET", PATH, { signal }).catch((error) => {
      if (error.status === 404) return { data: null, etag: null };
      throw error;
    }),
  ]);
  return { kinds, policy: policy.data, etag: policy.etag, reading: (readings += 1) };
}

/** One value a line; what is more than a text is written as JSON. */
const lines = (list = []) => list.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n");
const entries = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean)
  .map((line) => (line.startsWith("{") ? JSON.parse(line) : line));

function Kinds({ kinds, policy, change, fixed }) {
  const [search, find] = useState("");
  const shown = kinds.filter((kind) => kind.name.includes(search.toUpperCase().replaceAll(" ", "_")));
  const set = (name, value) => {
    const { [name]: _, ...rest } = policy.policies || {};
    change({ policies: value ? { ...rest, [name]: value } : rest });
  };
  return html`
    <div class="table-tools"><input type="search" aria-label="Find a kind" placeholder="Find a kind" value=${search} onInput=${(event) => find(event.currentTarget.value)} />
      <span class="muted">${Object.keys(policy.policies || {}).length} of ${kinds.length} differ from the default</span></div>
    <div class="kinds">
      ${shown.map((kind) => {
        const own = policy.policies?.[kind.name];
        return html`
          <div key=${kind.name} class=${own ? "kind own" : "kind"}>
            <${Kind} kind=${kind.name} />
            <select aria-label=${`What to do with ${kind.name}`} value=${own || ""} disabled=${fixed} onChange=${(event) => set(kind.name, event.currentTarget.value)}>
              <option value="">Default: ${kind.optional ? "off" : "mask"}</option>
              ${kind.policies.map((one) => html`<option key=${one} value=${one}>${MEANING[one]}</option>`)}
            </select>
          </div>`;
      })}
    </div>
    ${shown.length === 0 && html`<${Empty} title="No such kind" />`}`;
}

function Lists({ lists, set, policy, change, fixed }) {
  const area = (name, title, hint) => html`
    <label class="field"><span>${title}</span>
      <textarea rows="4" spellcheck=${false} disabled=${fixed} value=${lists[name]} onInput=${(event) => set({ ...lists, [name]: event.currentTarget.value })} />
      <span class="hint">${hint}</span></label>`;
  return html`
    <div class="grid two flush">
      ${area("allow", "Always left in the text", "One a line: *@acme.example for every address of a host.")}
      ${area("deny", "Always removed", "One a line, as words of their own, in any letter case.")}
      <label class="field"><span>Countries of phone numbers</span>
        <input value=${(policy.phone_regions || []).join(", ")} placeholder="US, GB, DE, FR, ES, IT, NL, PT, BR" disabled=${fixed} spellcheck=${false}
          onChange=${(event) => change({ phone_regions: event.currentTarget.value.split(/[\s,]+/).filter(Boolean).map((one) => one.toUpperCase()) })} />
        <span class="hint">Whose numbers are known without a country code.</span></label>
      <div class="field"><label class="check"><input type="checkbox" checked=${policy.entities !== false} disabled=${fixed} onChange=${(event) => change({ entities: event.currentTarget.checked })} />Look for names, organisations, places</label>
        <span class="hint">Without it only what has a form of its own is found, at several times the speed.</span></div>
    </div>`;
}

function Editor({ loaded, reload, fixed, tenant }) {
  const start = loaded.policy || {};
  const [policy, set] = useState(start);
  const [lists, setLists] = useState({ allow: lines(start.allow), deny: lines(start.deny) });
  const [view, show] = useState("form");
  const [raw, write] = useState("");
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const [removing, remove] = useState(false);
  const change = (more) => set((old) => ({ ...old, ...more }));
  const present = () => ({ ...policy, allow: entries(lists.allow), deny: entries(lists.deny) });
  const turn = (next) => {
    try {
      if (next === "json") write(JSON.stringify(present(), null, 2));
      else {
        const parsed = JSON.parse(raw);
        set(parsed);
        setLists({ allow: lines(parsed.allow), deny: lines(parsed.deny) });
      }
      fail(null);
      show(next);
    } catch (problem) {
      fail({ title: "That is no JSON", message: problem.message });
    }
  };
  const save = async (event) => {
    event.preventDefault();
    work(true);
    fail(null);
    try {
      const body = view === "json" ? JSON.parse(raw) : present();
      const headers = loaded.etag ? { "if-match": loaded.etag } : { "if-none-match": "*" };
      await call("PUT", PATH, { body, headers });
      toast("Policy saved; pipelines take it in now");
      reload();
    } catch (problem) {
      fail(problem instanceof SyntaxError ? { title: "That is no JSON", message: problem.message } : problem);
    }
    work(false);
  };
  const clash = error?.status === 412;
  return html`
    <form class="stack" onSubmit=${save}>
      ${loaded.policy === null && html`<p class="note">${tenant === "*" ? "The installation has no policy of its own: every kind is masked." : "This tenant has no policy of its own: the installation's holds. What you save here takes its place as a whole."}</p>`}
      ${clash && html`<div class="failure" role="alert"><div><strong>Somebody changed it meanwhile</strong><p>Your changes are still here. Load theirs to see them, then make yours again.</p></div>
        <button type="button" class="button" onClick=${reload}>Load theirs</button></div>`}
      ${error && !clash && html`<${Failure} error=${error.errors?.length ? { ...error, title: "The policy can't be used", message: error.errors.map((one) => `${one.field} ${one.problem}. ${one.fix}`).join(" ") } : error} />`}
      <${Segments} title="How to edit" value=${view} options=${[["form", "Form"], ["json", "JSON"]]} onChange=${turn} />
      ${view === "json" ? html`<${Card} title="Policy as JSON"><textarea class="code" rows="24" aria-label="Policy as JSON" spellcheck=${false} disabled=${fixed} value=${raw} onInput=${(event) => write(event.currentTarget.value)} /><//>`
        : html`
          <${Card} title="By kind"><${Kinds} kinds=${loaded.kinds} policy=${policy} change=${change} fixed=${fixed} /><//>
          <${Card} title="Lists and languages"><${Lists} lists=${lists} set=${setLists} policy=${policy} change=${change} fixed=${fixed} /><//>
          ${policy.patterns?.length > 0 && html`<${Card} title="Patterns of your own"><ul class="lines">${policy.patterns.map((one) => html`<li key=${one.name}><strong>${one.name}</strong><code class="grow">${one.pattern}</code><${Badge}>${one.policy || "mask"}<//></li>`)}</ul><p class="muted">Change them as JSON; each is checked against its examples.</p><//>`}`}
      ${!fixed && html`<div class="actions sticky">
        ${loaded.policy !== null && html`<button type="button" class="button danger" onClick=${() => remove(true)}>Remove policy</button>`}
        <button class="button primary" disabled=${busy}>${busy ? "Saving…" : "Save policy"}</button></div>`}
    </form>
    ${removing && html`<${Confirm} title="Remove the policy" action="Remove" onClose=${() => remove(false)}
      onConfirm=${async () => { await call("DELETE", PATH, { headers: { "if-match": loaded.etag } }); toast("Policy removed"); reload(); }}>
      ${tenant === "*" ? "Every kind is masked then." : "The installation's policy holds again."}<//>`}`;
}

export function Settings({ session }) {
  const loaded = useLoad(read, [session.tenant]);
  const fixed = !session.permissions.includes("manage-settings");
  const version = loaded.data?.etag?.replace(/\D/g, "");
  return html`
    <${Page} title="Redaction policy" lead=${session.tenant === "*" ? "Of the installation: holds for tenants that have none." : `Of ${session.tenant}. Running pipelines take a change in within moments.`}
      aside=${version && html`<${Badge}>Version ${version}<//>`}>
      <${Loaded} of=${loaded} lines=${12}>${(data) => html`<${Editor} key=${data.reading} loaded=${data} reload=${loaded.reload} fixed=${fixed} tenant=${session.tenant} />`}<//>
    <//>`;
}
