import style from "../../../base/html_page.css" with { type: "text" };
import script from "./explorer.client.js" with { type: "text" };
import own from "./explorer.css" with { type: "text" };
import page from "./explorer.html" with { type: "text" };
import type { ServedPage } from "./page.ts";

/** The requests of `/openapi.json`, to read and to try. */
export const explorer: ServedPage = {
  files: {
    "/docs": { type: "text/html", text: page },
    "/docs/style.css": { type: "text/css", text: style + own },
    "/docs/script.js": { type: "text/javascript", text: script },
  },
};
