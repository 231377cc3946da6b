// Where we are: path and query of the address. All state that one may want to send to a colleague is there.
import { html, useState, useEffect } from "./lib.js";
import { currentSession, query } from "./api.js";

const listeners = new Set();

const read = () => ({
  path: location.pathname,
  parts: location.pathname.split("/").filter(Boolean).map(decodeURIComponent),
  params: Object.fromEntries(new URLSearchParams(location.search)),
});

let here = read();

function moved() {
  here = read();
  for (const listener of listeners) listener(here);
}
addEventListener("popstate", moved);

/** The address of a page; operators keep the tenant that they look at. */
export function href(path, params = {}) {
  const session = currentSession();
  const tenant = session?.role === "operator" ? session.tenant : undefined;
  return path + query({ tenant, ...params });
}

export function go(path, params, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", href(path, params));
  moved();
}

/** Changes some parameters of this page; an empty one goes away. */
export function adjust(changes, options) {
  go(here.path, { ...here.params, ...changes }, options);
}

export function useRoute() {
  const [route, set] = useState(here);
  useEffect(() => {
    listeners.add(set);
    return () => listeners.delete(set);
  }, []);
  return route;
}

/** A link within the console. */
export function Link({ to, params, children, ...rest }) {
  const target = href(to, params);
  const click = (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.pushState(null, "", target);
    moved();
  };
  return html`<a ...${rest} href=${target} onClick=${click}>${children}</a>`;
}
