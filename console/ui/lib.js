// The libraries, bound to each other once.
import { h, render, Fragment } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";
export { h, render, Fragment };
export {
  useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useId, useErrorBoundary,
} from "./vendor/hooks.mjs";

/** Templates. Whatever stands in `${}` is text or a property, never markup: tickets are written by strangers. */
export const html = htm.bind(h);
