// Pictures of the studio and of a terminal for the pages: deno run -A bench/browser/pictures.ts RUNS... [--out docs/guides/pictures]
// Those in the repository are of the runs that `genrec quickstart` leaves.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { escapeHtml } from "../../base/html_page.ts";
import { Chromium } from "./chromium.ts";

const { values: { out }, positionals: runs } = parseArgs({
  allowPositionals: true,
  options: { out: { type: "string", default: "docs/guides/pictures" } },
});
const WAIT_MS = 120_000;
/** Words of titles of the built-in shop. */
const HISTORY = ["tape", "brush"];
/** Items of it. */
const BOUGHT = "60,328,380,11";

const args = ["run", "-A", "--no-prompt", "tasks/main.ts", "studio", ...runs, "--port", "0", "--json"];
const server = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
try {
  const [said] = await Array.fromAsync(firstLine(server.stdout));
  if (!said) throw new Error("genrec studio did not start");
  const { url } = JSON.parse(said) as { url: string };
  await using browser = await Chromium.start();
  const take = async (name: string, size: { width: number; height: number; scheme?: "light" | "dark" }) => {
    await browser.screenshot(size); // lays the page out at this size
    await new Promise((resolve) => setTimeout(resolve, 500));
    await Deno.writeFile(join(out, name), await browser.screenshot(size));
  };
  await browser.open(url);
  await browser.until('document.querySelectorAll("#curves canvas").length > 2', WAIT_MS);
  await take("studio.png", { width: 1180, height: 860 });
  await browser.evaluate('location.hash = "try"');
  for (const [i, words] of HISTORY.entries()) {
    await browser.until('document.querySelector("#try-search-found button")', WAIT_MS);
    await browser.evaluate(
      '{ const field = document.getElementById("try-search"); field.value = ""; field.focus(); }',
    );
    await browser.type(words);
    await browser.press("Enter");
    await browser.until(`document.querySelectorAll("#try-history li").length === ${i + 1}`, WAIT_MS);
  }
  await browser.until(
    'document.querySelector("#tried li") && document.querySelector("#beam-tree svg")',
    WAIT_MS,
  );
  await browser.evaluate('document.querySelector("#part-try > section").scrollIntoView()');
  await take("studio_search.png", { width: 1180, height: 560, scheme: "dark" });
  await browser.evaluate('location.hash = "items"');
  await browser.until(
    'document.querySelector("#tree-drawing svg") && document.querySelector("#item-map svg")',
    WAIT_MS,
  );
  await browser.evaluate('document.getElementById("item-map").focus()');
  await browser.press("ArrowRight");
  await browser.until('document.querySelector("#item-map .marked")', WAIT_MS);
  await browser.evaluate('document.getElementById("tree-drawing").parentElement.scrollIntoView()');
  await take("studio_items.png", { width: 1180, height: 1060 });
  await browser.open(`data:text/html;charset=utf-8,${encodeURIComponent(await terminal())}`);
  await take("terminal.png", { width: 980, height: 340, scheme: "dark" });
} finally {
  server.kill("SIGTERM");
  await server.status;
}

/** What a command prints, as it stands in a terminal. */
async function terminal(): Promise<string> {
  const words = ["recommend", "--run", runs[0], "--data", "synthetic", "--history", BOUGHT, "--top", "5"];
  const args = ["run", "-A", "--no-prompt", "tasks/main.ts", ...words];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const [out, log] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) throw new Error(log);
  return `<body style="margin:0;padding:20px 24px;background:#14171c;color:#d8dee6">` +
    `<pre style="font:15px/1.5 'DejaVu Sans Mono',monospace;white-space:pre-wrap">` +
    `<b style="color:#8fc7ff">$ ./genrec ${escapeHtml(words.join(" "))}</b>\n${escapeHtml(log + out)}</pre>`;
}

async function* firstLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    const end = text.indexOf("\n");
    if (end >= 0) return yield text.slice(0, end);
  }
}
