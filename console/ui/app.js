// The page's beginning: who is signed in, which page is meant.
import { html, render, useState, useEffect, useErrorBoundary, useRef } from "./lib.js";
import { resume, currentSession, onSession, chooseTenant } from "./api.js";
import { useRoute, go, Link } from "./router.js";
import { Shell } from "./shell.js";
import { Toasts, Failure, Skeleton, Page, Empty, toast } from "./parts.js";
import { FirstOperator } from "./pages/first_operator.js";
import { SignIn } from "./pages/sign_in.js";
import { Overview } from "./pages/overview.js";
import { Inbox } from "./pages/inbox.js";
import { Ticket } from "./pages/ticket.js";
import { Quality } from "./pages/quality.js";
import { Audit } from "./pages/audit.js";
import { Settings } from "./pages/settings.js";
import { Users } from "./pages/users.js";
import { ApiKeys } from "./pages/api_keys.js";
import { Sessions } from "./pages/sessions.js";
import { Reference } from "./pages/reference.js";

/** By first part of the path: page, title, permission. `console/src/ui.rs` has the same list. */
const PAGES = {
  overview: [Overview, "Overview", "read-metrics"],
  inbox: [Inbox, "Inbox", "read-tickets"],
  tickets: [Ticket, "Ticket", "read-tickets"],
  quality: [Quality, "Quality", "read-metrics"],
  audit: [Audit, "Audit trail", "read-audit"],
  settings: [Settings, "Redaction policy", "read-settings"],
  users: [Users, "Users", "read-users"],
  "api-keys": [ApiKeys, "API keys", "read-users"],
  sessions: [Sessions, "Your account", null],
  reference: [Reference, "API reference", null],
};

/** The session is in the tenant that the address names, or the address is made to name it. */
function useTenantOfAddress(session, route) {
  const wanted = route.params.tenant;
  const [settled, settle] = useState(false);
  const before = useRef(null);
  useEffect(() => {
    const moved = before.current !== null && before.current !== session?.tenant;
    before.current = session?.tenant ?? null;
    if (session?.role !== "operator" || wanted === session.tenant) return settle(true);
    const address = () => go(route.path, { ...route.params, tenant: session.tenant }, { replace: true });
    // Chosen by the switcher, or in another tab: the address follows. Opened with an address: the session follows.
    if (!wanted || moved) return address();
    settle(false);
    chooseTenant(wanted === "*" ? null : wanted).catch((error) => {
      toast(error.status === 404 ? `There is no tenant ${wanted}` : error.message);
      address();
    });
  }, [session?.tenant, session?.role, wanted, route.path]);
  return settled && (session?.role !== "operator" || wanted === session.tenant);
}

function Content({ session, route }) {
  const name = route.parts[0] || "overview";
  const [page, title, permission] = PAGES[name] || [];
  const [error, reset] = useErrorBoundary((problem) => console.error(problem));
  const settled = useTenantOfAddress(session, route);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${title || "Not found"} – Deskstream`;
    // Who follows a link by keyboard or screen reader is taken along; who opens the page begins at its top.
    if (!first.current) document.querySelector("h1")?.focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
    reset();
  }, [route.path]);
  if (error) return html`<${Failure} error=${{ title: "This page broke", message: "Reload it; if that does not help, the browser's console says what happened." }} retry=${reset} />`;
  if (!page) {
    return html`<${Page} title="Not found" /><${Empty} title="There is no such page"><${Link} to="/overview">Go to the overview<//><//>`;
  }
  if (permission && !session.permissions.includes(permission)) {
    return html`<${Page} title=${title} /><${Empty} title="Your role can't see this">It needs the permission <code>${permission}</code>.<//>`;
  }
  if (!settled) return html`<${Skeleton} lines=${6} />`;
  return html`<${page} key=${session.tenant} session=${session} route=${route} />`;
}

function App() {
  const [session, set] = useState(currentSession());
  const [state, setState] = useState({ starting: true });
  const route = useRoute();
  const start = () => {
    setState({ starting: true });
    resume().then(() => setState({}), (error) => setState({ error }));
  };
  useEffect(() => {
    const stop = onSession(set);
    start();
    return stop;
  }, []);
  const first = route.parts[0];
  const outside = first === "first-operator" || first === "sign-in";
  useEffect(() => {
    if (state.starting || state.error) return;
    // After signing in one is where one wanted to be. Only paths of our own, which begin with one slash.
    const next = /^\/(?!\/)/.test(route.params.next || "") ? route.params.next : "/overview";
    if (session && outside) {
      const to = new URL(next, location.origin);
      go(to.pathname, Object.fromEntries(to.searchParams), { replace: true });
    } else if (!session && !outside) {
      const back = location.pathname + location.search;
      go("/sign-in", back === "/" ? {} : { next: back }, { replace: true });
    }
  }, [session, state, first]);
  let content;
  if (state.error) content = html`<main class="outside"><h1>Deskstream</h1><${Failure} error=${state.error} retry=${start} /></main>`;
  else if (first === "first-operator" && !session) content = html`<${FirstOperator} />`;
  else if (state.starting || (!session && first !== "sign-in") || (session && outside)) content = html`<main class="outside"><h1 class="visually-hidden">Deskstream</h1><${Skeleton} lines=${3} /></main>`;
  else if (!session) content = html`<${SignIn} />`;
  else content = html`<${Shell} session=${session}><${Content} session=${session} route=${route} /><//>`;
  return html`${content}<${Toasts} />`;
}

render(html`<${App} />`, document.getElementById("app"));
