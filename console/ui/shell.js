// What stands around every page: navigation, tenant, theme, the way out.
import { html, useState, useEffect } from "./lib.js";
import { get, chooseTenant, signOut } from "./api.js";
import { Link, useRoute, go } from "./router.js";
import { Icon, Mark } from "./icons.js";
import { themeChanged } from "./charts.js";
import { toast, useLoad } from "./parts.js";
import { label } from "./format.js";

const NAVIGATION = [
  ["/overview", "Overview", "overview", "read-metrics"],
  ["/inbox", "Inbox", "inbox", "read-tickets"],
  ["/quality", "Quality", "quality", "read-metrics"],
  ["/audit", "Audit trail", "audit", "read-audit"],
  ["/settings", "Redaction", "settings", "read-settings"],
  ["/users", "Users", "users", "read-users"],
  ["/api-keys", "API keys", "keys", "read-users"],
];

const THEMES = { auto: "System theme", light: "Light theme", dark: "Dark theme" };

function ThemeButton() {
  const [theme, set] = useState(document.documentElement.dataset.theme || "auto");
  const next = { auto: "light", light: "dark", dark: "auto" }[theme];
  const turn = () => {
    if (next === "auto") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("theme");
    } else {
      document.documentElement.dataset.theme = next;
      localStorage.setItem("theme", next);
    }
    set(next);
    themeChanged.dispatchEvent(new Event("change"));
  };
  const icon = { auto: "auto", light: "sun", dark: "moon" }[theme];
  return html`<button class="nav-item" onClick=${turn} title=${`Switch to: ${THEMES[next]}`}>
    <${Icon} name=${icon} /><span>${THEMES[theme]}</span></button>`;
}

function TenantSwitcher({ session }) {
  const tenants = useLoad((signal) => get("/tenants", signal), [session.id]);
  const choose = async (event) => {
    const { value } = event.currentTarget;
    try {
      await chooseTenant(value === "*" ? null : value);
      // What is narrowed to in one tenant says nothing in another.
      go(location.pathname.startsWith("/tickets") ? "/inbox" : location.pathname);
      toast(value === "*" ? "Now looking at all tenants" : `Now working in ${value}`);
    } catch (error) {
      toast(error.message);
    }
  };
  const ids = (tenants.data || []).map((tenant) => tenant.id);
  if (session.tenant !== "*" && !ids.includes(session.tenant)) ids.unshift(session.tenant);
  return html`
    <label class="tenant">
      <span class="muted">Tenant</span>
      <select value=${session.tenant} onChange=${choose}>
        <option value="*">All tenants</option>
        ${ids.map((id) => html`<option key=${id} value=${id}>${id}</option>`)}
      </select>
    </label>`;
}

export function Shell({ session, children }) {
  const { path } = useRoute();
  const [open, show] = useState(false);
  useEffect(() => show(false), [path]);
  const within = (to) => path === to || path.startsWith(`${to}/`) || (to === "/inbox" && path.startsWith("/tickets/"))
    || (to === "/overview" && path === "/");
  const items = NAVIGATION.filter(([, , , permission]) => session.permissions.includes(permission));
  const leave = async () => { await signOut().catch(() => {}); go("/sign-in"); };
  return html`
    <a class="skip" href="#content">Skip to content</a>
    <div class="shell">
      <header class="side">
        <div class="brand"><${Link} to="/overview" class="brand-link"><${Mark} /><span>Deskstream</span><//>
          <button class="icon-button menu" aria-expanded=${String(open)} aria-controls="navigation" aria-label="Menu"
            onClick=${() => show(!open)}><${Icon} name=${open ? "close" : "menu"} /></button></div>
        <div id="navigation" class=${open ? "nav open" : "nav"}>
          ${session.role === "operator" ? html`<${TenantSwitcher} session=${session} />`
            : html`<div class="tenant"><span class="muted">Tenant</span><strong>${session.tenant}</strong></div>`}
          <nav aria-label="Main">
            ${items.map(([to, name, icon]) => html`
              <${Link} key=${to} to=${to} class="nav-item" aria-current=${within(to) ? "page" : undefined}>
                <${Icon} name=${icon} /><span>${name}</span><//>`)}
          </nav>
          <div class="nav-foot">
            <${ThemeButton} />
            <${Link} to="/sessions" class="nav-item" aria-current=${within("/sessions") ? "page" : undefined}>
              <${Icon} name="sessions" /><span class="who"><span>${session.name}</span><span class="muted">${label(session.role)}</span></span><//>
            <button class="nav-item" onClick=${leave}><${Icon} name="out" /><span>Sign out</span></button>
          </div>
        </div>
      </header>
      <main id="content" tabindex="-1">${children}</main>
    </div>`;
}
