// Pictures of the studio for the pages: deno run -A bench/browser/pictures.ts RUNS... [--out docs/guides]
// Those in the repository are of the runs that `genrec quickstart` leaves.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Chromium } from "./chromium.ts";

const { values: { out }, positionals: runs } = parseArgs({
  allowPositionals: true,
  options: { out: { type: "string", default: "docs/guides" } },
});
const WAIT_MS = 120_000;
/** Words of titles of the built-in shop. */
const HISTORY = ["tape", "brush"];

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
} finally {
  server.kill("SIGTERM");
  await server.status;
}

async function* firstLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    const end = text.indexOf("\n");
    if (end >= 0) return yield text.slice(0, end);
  }
}
