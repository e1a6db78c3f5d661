// The programs of docs/guides/library.md, one after the other as they stand there.
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import manifest from "../../../deno.json" with { type: "json" };
import { libraryPrograms, root } from "../../docs/markdown.ts";

/** What each program prints. */
const PRINTS: Record<string, RegExp> = {
  "sids.ts": /^600 items, error [\d.]+ > [\d.]+ > [\d.]+\n$/,
  "train.ts": /step 60: loss [\d.]+\nfinished, best NDCG@10 on valid 0\.\d{4} after 60 steps\n$/,
  "recommend.ts": /^user 0: (.+ \| ){4}.+\nuser 1: (.+ \| ){4}.+\n$/,
  "evaluate.ts":
    /^model: HR@10 0\.\d+, NDCG@10 0\.\d+ \[.*\]\ncounts: HR@10 0\.7\d+, NDCG@10 0\.4\d+ \[.*\]\n$/,
  "reward.ts": /^\[ 1, 0\.5, 0 \]\n$/,
};

// tests/scenarios/extension/one_line_test.ts checks their types.
Deno.test("the programs of docs/guides/library.md print what they should", async (t) => {
  const programs = libraryPrograms();
  assert.deepEqual(programs.map(({ name }) => name), Object.keys(PRINTS));
  const folder = await Deno.makeTempDir();
  try {
    const at = (path: string) => pathToFileURL(join(root, path)).href;
    const entries = Object.entries(manifest.exports).map((
      [name, path],
    ) => [join("@genrec/genrec", name), at(path)]);
    const config = {
      imports: { ...manifest.imports, ...Object.fromEntries(entries) },
      compilerOptions: manifest.compilerOptions,
      nodeModulesDir: manifest.nodeModulesDir,
    };
    await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify(config));
    for (const { name, text } of programs) await Deno.writeTextFile(join(folder, name), text);
    const deno = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args,
        cwd: folder,
        env: { NO_COLOR: "1" },
        stdin: "null",
      }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    for (const { name } of programs) {
      await t.step(name, async () => assert.match(await deno("run", "-A", "--no-check", name), PRINTS[name]));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
