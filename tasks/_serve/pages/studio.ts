import curves from "uplot/dist/uPlot.min.css" with { type: "text" };
import shared from "../../../base/html_page.css" with { type: "text" };
import report from "../../../sid/report/html.css" with { type: "text" };
import controls from "../../../web/page/page.css" with { type: "text" };
import page from "../../../web/studio/index.html" with { type: "text" };
import own from "../../../web/studio/studio.css" with { type: "text" };
import compare from "../../_compare/page.css" with { type: "text" };
import { pageScripts } from "../../_export/page_scripts.ts";
import type { ServedPage } from "./page.ts";

let script: Promise<string> | undefined;

/** Runs side by side, their items, and a panel to try them. */
export const studio: ServedPage = {
  files: {
    "/studio": { type: "text/html", text: page },
    "/studio/style.css": {
      type: "text/css",
      text: [shared, controls, report, compare, curves, own].join("\n"),
    },
    "/studio/script.js": { type: "text/javascript", text: () => script ??= bundled() },
  },
};

async function bundled(): Promise<string> {
  const scripts = await pageScripts(["studio.js"]);
  return new TextDecoder().decode(scripts.get("studio.js"));
}
