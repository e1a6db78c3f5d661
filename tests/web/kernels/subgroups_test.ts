// Kernels that use subgroups equal their references where a browser has these; Deno's CPU adapter has none.
import assert from "node:assert/strict";
import { Chromium, chromiumPath } from "../../../bench/browser/chromium.ts";
import { StaticHost } from "../../../bench/browser/static_host.ts";

const isMissing = chromiumPath() === undefined;
if (isMissing) {
  console.error("Kernels are not checked in a browser: there is no Chromium. apt-get install chromium");
}

/** What checks of kernels use of the module that a browser has not. */
const ASSERT = `
const ok = (value, message) => { if (!value) throw new Error(message); };
export default { ok, equal: (a, b, message) => ok(a === b, message) };`;

const PAGE = `<!doctype html><title>Judge</title>
<script type="importmap">{ "imports": { "node:assert/strict": "./assert.js" } }</script>
<script type="module" src="./judge.js"></script>`;

/** Operations that have a variant with subgroups, and what is computed by them. */
const OPERATIONS = {
  "attention": ["attention"],
  "path-attention": ["pathAttention"],
  "norm": ["rmsNorm", "rmsNorm gain"],
  "residual-norm": ["addRmsNorm"],
  "top-k": ["trieTopK"],
  "log-sum": ["logSumExp", "logSumExp in chunks"],
  "softmax": ["crossEntropy"],
};

Deno.test({
  name: "kernels that work through subgroups equal their references in Chromium, and the tuner times them",
  ignore: isMissing,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "genrec-judge-" });
    try {
      await Deno.writeTextFile(`${folder}/index.html`, PAGE);
      await Deno.writeTextFile(`${folder}/assert.js`, ASSERT);
      await bundle("tests/web/kernels/judge.ts", `${folder}/judge.js`);
      await using host = new StaticHost(folder);
      await using browser = await Chromium.start();
      await browser.open(host.url);
      await browser.until("globalThis.judge !== undefined");
      const features = await browser.evaluate<string[]>("judge.open()");
      if (!features.includes("subgroups")) {
        return console.error("Subgroups are not checked: this browser has none");
      }
      for (const [operation, specs] of Object.entries(OPERATIONS)) {
        const call = `judge.check("${operation}=subgroups", ${JSON.stringify(specs)})`;
        assert.ok(await browser.evaluate<number>(call) >= 5, `${operation} is checked`);
      }
      // Norms alone: barriers of large workgroups take seconds on a processor.
      const lines = await browser.evaluate<string[]>(`judge.tune(["norm"])`);
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.match(lines[0], /: \w+ \(invocation \d+ us, subgroups \d+ us\)/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

async function bundle(from: string, to: string): Promise<void> {
  const args = ["bundle", "--quiet", "--platform", "browser", "--output", to, from];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
