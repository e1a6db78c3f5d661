import manifest from "../../deno.json" with { type: "json" };
import html from "../../web/page/index.html" with { type: "text" };
import pageCss from "../../web/page/page.css" with { type: "text" };
import sharedCss from "../../base/html_page.css" with { type: "text" };
import type { SidRun } from "../../train/runs/sid_model.ts";
import { SHOP_CODEBOOK, SHOP_TRAINING } from "../../train/pipeline/shop.ts";
import { sftConfig } from "../../train/sft/config.ts";
import { MODEL_FOLDER, SITE_FILE } from "../../web/site/paths.ts";
import { formatSite } from "../../web/site/site.ts";
import { siteModel, type WEIGHT_FORMATS } from "./site_model.ts";
import { pageScripts } from "./page_scripts.ts";

/** How a page trains: as `quickstart`, with a line of the log every other step and fewer users to validate on. */
const SHOP = {
  items: 600,
  users: 3000,
  codewords: SHOP_CODEBOOK,
  settings: { ...sftConfig({ ...SHOP_TRAINING, loggingSteps: 2, evalSteps: 100, evalSamples: 100 }) },
};

/** Files of a static site that recommends with a run, by their paths in it. Throws as {@link siteModel}. */
export async function webSite(
  run: SidRun,
  dtype: keyof typeof WEIGHT_FORMATS,
  signal: AbortSignal,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const { model, files } = await siteModel(run, dtype);
  const encode = (text: string) => new TextEncoder().encode(text);
  return new Map([
    ["index.html", encode(html)],
    ["style.css", encode(sharedCss + pageCss)],
    [SITE_FILE, encode(formatSite({ genrec: manifest.version, model, shop: SHOP }))],
    ...Array.from(files, ([name, bytes]) => [`${MODEL_FOLDER}/${name}`, bytes] as const),
    ...await pageScripts(["page.js", "worker.js", "offline.js"], signal),
  ]);
}
