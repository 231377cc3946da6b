// Line icons of 16 pixels; decoration, with a name beside them wherever they stand alone.
import { html } from "./lib.js";

const PATHS = {
  overview: "M2 13V9m4 4V4m4 9V7m4 6V2",
  inbox: "M2 9h3l1.2 2h3.6L11 9h3M2 9l2-6h8l2 6v4H2z",
  quality: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 8h.01",
  audit: "M8 1.8 13 4v4c0 3-2.1 5.2-5 6.2C5.1 13.2 3 11 3 8V4zM5.8 8l1.6 1.6L10.4 6.4",
  settings: "M2 4.5h7m4 0h1M2 11.5h1m4 0h7M11 2.7v3.6M5 9.7v3.6",
  users: "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c.4-2.3 2.2-3.8 4.5-3.8s4.1 1.5 4.5 3.8M10.5 2.7a2.4 2.4 0 0 1 0 4.6M12.3 10.3c1.2.6 2 1.7 2.2 3.2",
  keys: "M10.2 9.2a3.7 3.7 0 1 0-3.4-3.4L2 10.6V14h3l.4-2 2-.4zM11 5h.01",
  sessions: "M2 3h12v8H2zM6 14h4M8 11v3",
  out: "M6 2H2.5v12H6M10 5l3 3-3 3M13 8H6",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.2M8 13.8V15M1 8h1.2M13.8 8H15M3 3l.9.9M12.1 12.1l.9.9M13 3l-.9.9M3.9 12.1 3 13",
  moon: "M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1z",
  auto: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6 14 14",
  close: "M3.5 3.5l9 9m0-9-9 9",
  right: "M6 3l5 5-5 5",
  down: "M3 6l5 5 5-5",
  up: "M8 13V3M4 7l4-4 4 4",
  check: "M3 8.5 6.3 12 13 4.5",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  alert: "M8 2 1.5 13.5h13zM8 6.5v3M8 11.6v.1",
  menu: "M2 4h12M2 8h12M2 12h12",
  plus: "M8 3v10M3 8h10",
  download: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
};

export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;

/** The product's mark: three streams that become one. */
export const Mark = () => html`
  <svg class="mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
    <path d="M2 6c6 0 6 6 11 6h9" /><path d="M2 12h20" /><path d="M2 18c6 0 6-6 11-6" />
  </svg>`;
