// How large a site is, how long it takes, and how it looks, in headless Chromium on SwiftShader:
// deno run -A bench/browser/measure.ts --run RUN [--pictures docs/guides/pictures], or --site FOLDER of one that is exported
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Chromium } from "./chromium.ts";
import { StaticHost } from "./static_host.ts";

const { values: { run = "", site = "", pictures = "" } } = parseArgs({
  options: {
    run: { type: "string" },
    site: { type: "string" },
    pictures: { type: "string" },
  },
});
/** What is typed into the search. */
const PICKED = ["digital caliper", "respirator"];
const ALERT = "document.querySelector('[role=alert]')";
const LISTED = "document.querySelectorAll('#recommendations li').length === 10";

const folder = site || await Deno.makeTempDir({ prefix: "genrec-site-" });
const exported = site ? undefined : await exportSite();
await using host = new StaticHost(folder);
await using browser = await Chromium.start();
await browser.open(host.url);
const opened = performance.now();
await browser.until(`document.querySelector('#found button') || ${ALERT}`, 120_000);
const loaded = performance.now() - opened;
await browser.evaluate("document.querySelector('#found button').click()");
await browser.until(`${LISTED} || ${ALERT}`, 120_000);
const first = performance.now() - opened;
const seconds = (milliseconds: number) => Number((milliseconds / 1000).toFixed(2));
const load = Deno.loadavg()[0];

await browser.evaluate(
  "[...document.querySelectorAll('button')].find(({ textContent }) => textContent === 'Start over').click()",
);
for (const words of PICKED) {
  await browser.evaluate("document.querySelector('#search').focus()");
  await browser.evaluate("document.querySelector('#search').select()");
  await browser.type(words);
  await browser.press("Enter");
}
await browser.until(`document.querySelectorAll('#history li').length === 2 && ${LISTED}`);
await new Promise((resolve) => setTimeout(resolve, 3000)); // the second list follows the first
const shots: Record<string, Uint8Array<ArrayBuffer>> = {
  "browser.png": await browser.screenshot({ width: 1100, height: 820 }),
  "browser-phone.png": await browser.screenshot({ width: 390, height: 844, scheme: "dark", scale: 2 }),
};
await browser.screenshot({ width: 1100, height: 820 });
await browser.evaluate("document.querySelector('#train').click()");
const clicked = performance.now();
await browser.until(
  `/step \\d/.test(document.querySelector('#training-note').textContent) || ${ALERT}`,
  300_000,
);
const firstLoss = performance.now() - clicked;
await browser.evaluate("document.querySelector('#stop').click()");

const result = {
  ...exported,
  loadSeconds: seconds(loaded),
  firstRecommendationSeconds: seconds(first),
  firstLossSeconds: seconds(firstLoss),
  loadAverage: load,
  browser: (await browser.send<{ product: string }>("Browser.getVersion")).product,
};
console.log(JSON.stringify(result, null, 2));
if (pictures) {
  await Deno.mkdir(pictures, { recursive: true });
  for (const [name, bytes] of Object.entries(shots)) await Deno.writeFile(join(pictures, name), bytes);
}
if (!site) await Deno.remove(folder, { recursive: true });

async function exportSite(): Promise<{ bytes: number; compressed: number }> {
  const args = ["run", "-A", "tasks/main.ts", "export", "web", "--run", run, "--out", folder, "--json"];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { bytes, compressed } = JSON.parse(new TextDecoder().decode(stdout));
  return { bytes, compressed };
}
