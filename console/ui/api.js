// The API's client. The access token lives in this module's memory only; the refresh token is in a cookie that no script
// can read. What a page shows comes from here.

/** An answer that is a problem (RFC 9457), or none at all. */
export class Problem extends Error {
  constructor(status, body, headers) {
    super(body?.detail || "the console can't be reached");
    this.status = status;
    this.code = (body?.type || "").replace("urn:deskstream:problem:", "") || "unreachable";
    this.title = body?.title || "No answer";
    this.errors = body?.errors || [];
    this.requestId = headers?.get("x-request-id") || "";
    this.retryAfter = Number(headers?.get("retry-after")) || 0;
  }
  /** What is wrong with a field, in words. */
  of(field) {
    const found = this.errors.find((error) => error.field === field);
    return found && `${found.problem}: ${found.fix}`;
  }
}

/** Whether a refresh is worth trying: without a session it would be refused, and recorded. */
const HINT = "signed-in";

let session = null;
const listeners = new Set();

/** Who is signed in: tenant, role, permissions, name; null if nobody is. */
export const currentSession = () => session;

export function onSession(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function set(next) {
  session = next;
  if (next) localStorage.setItem(HINT, "1");
  else localStorage.removeItem(HINT);
  for (const listener of listeners) listener(session);
}

async function request(method, path, { body, headers = {}, signal, token, keepalive } = {}) {
  const init = { method, signal, keepalive, headers: { accept: "application/json", ...headers }, credentials: "same-origin" };
  if (token) init.headers.authorization = `Bearer ${token}`;
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0);
  }
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => null), answer.headers);
  return answer;
}

/** Takes an access token in, and asks whose it is. */
async function adopt(access) {
  const me = await (await request("GET", "/me", { token: access.access_token })).json();
  set({ ...me, role: access.role, token: access.access_token });
  return session;
}

export async function signIn(email, password) {
  return adopt(await (await request("POST", "/auth/sign-in", { body: { email, password } })).json());
}

export async function bootstrap(fields) {
  return adopt(await (await request("POST", "/auth/bootstrap", { body: fields })).json());
}

export const bootstrapNeeded = async () => (await (await request("GET", "/auth/bootstrap")).json()).needed;

// A refresh token works once, and its second use ends the session: of all tabs, one at a time refreshes. A page that is
// left meanwhile must still take the new cookie, hence `keepalive`.
let refreshing = null;
function refresh() {
  const once = async () => {
    const access = await (await request("POST", "/auth/refresh", { keepalive: true })).json();
    return adopt(access);
  };
  const alone = () => (navigator.locks ? navigator.locks.request("deskstream-refresh", once) : once());
  refreshing ??= alone().finally(() => { refreshing = null; });
  return refreshing;
}

/** At the start of the page: the session of the cookie, if there is one. */
export async function resume() {
  if (!localStorage.getItem(HINT)) return null;
  try {
    return await refresh();
  } catch (error) {
    if (error.status === 401 || error.status === 403) set(null);
    else throw error;
    return null;
  }
}

async function authorized(send) {
  const used = session?.token;
  try {
    return await send(used);
  } catch (error) {
    if (error.status !== 401) throw error;
  }
  // Somebody else may have refreshed while we waited.
  if (session?.token === used) {
    try {
      await refresh();
    } catch (error) {
      if (error.status === 401 || error.status === 403) set(null);
      throw error;
    }
  }
  return send(session?.token);
}

/** Calls the API; gives `{ data, etag }`. */
export async function call(method, path, options = {}) {
  const answer = await authorized((token) => request(method, path, { ...options, token }));
  const text = answer.status === 204 ? "" : await answer.text();
  return { data: text ? JSON.parse(text) : null, etag: answer.headers.get("etag") };
}

export const get = async (path, signal) => (await call("GET", path, { signal })).data;

/** As a file. */
export async function download(path, name) {
  const answer = await authorized((token) => request("GET", path, { token, headers: { accept: "*/*" } }));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Operators choose the tenant they work in; null for all of them. */
export async function chooseTenant(tenant) {
  await adopt((await call("POST", "/auth/tenant", { body: { tenant } })).data);
}

export async function signOut() {
  try {
    await request("POST", "/auth/sign-out");
  } finally {
    set(null);
  }
}

/** The query string of what is set. */
export function query(params) {
  const set = Object.entries(params).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const text = new URLSearchParams(set).toString();
  return text && `?${text}`;
}

/**
 * Follows server-sent events with the access token in a header, which `EventSource` can't send. Connects again, later each
 * time, until `signal` ends it.
 */
export async function follow(path, onEvent, onState, signal) {
  const wait = (ms) => new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
  });
  for (let failures = 0; !signal.aborted;) {
    try {
      const headers = { accept: "text/event-stream" };
      const answer = await authorized((token) => request("GET", path, { token, headers, signal }));
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        failures = 0;
        onState("live");
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const fields = block.split("\n").map((line) => line.split(/: ?(.*)/s));
          const data = fields.filter(([name]) => name === "data").map(([, text]) => text).join("\n");
          const kind = fields.find(([name]) => name === "event")?.[1];
          // What has ended is asked for again, with a new token.
          if (kind && kind !== "ended") onEvent(kind, JSON.parse(data));
        }
      }
    } catch (error) {
      if (signal.aborted || error.status === 401) return;
      if (error.status === 403) return onState("refused");
    }
    if (signal.aborted) return;
    onState("waiting");
    await wait(Math.min(1000 * 2 ** failures++, 15_000));
  }
}
