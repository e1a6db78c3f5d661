import assert from "node:assert/strict";
import { join } from "node:path";
import { diskFiles } from "../../../base/files/disk.ts";
import { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { task } from "../../../tasks/_export/export.ts";
import { parseArgs, UsageError } from "../../../tasks/_cli/cli.ts";
import { parseSite } from "../../../web/site/site.ts";
import { collector } from "../../scenarios/text_shop.ts";
import { writeModelFolder } from "../../web/model_folder.ts";

const parse = (...args: string[]) => parseArgs(task, args)!.config;

Deno.test("export takes what to make as a word, and says which there are", () => {
  const { target, dtype, out } = parse("web", "--run", "r", "--out", "o");
  assert.deepEqual([target, dtype, out], ["web", "float16", "o"]);
  assert.throws(() => parse("onnx", "--run", "r", "--out", "o"), (error: Error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /Cannot use <target> onnx.*"web"/);
    return true;
  });
  assert.throws(() => parse("--run", "r", "--out", "o"), /Missing <target>: what to make/);
  assert.throws(() => parse("web", "more", "--run", "r", "--out", "o"), /[Tt]oo many arguments/);
});

Deno.test("a site has the page, its scripts and a model of halves that fits its description", async () => {
  const dir = await Deno.makeTempDir({ prefix: "genrec-export-" });
  try {
    const run = join(dir, "run"), out = join(dir, "site");
    const { items } = await writeModelFolder(run);
    const { io, lines } = collector();
    await task.run(parse("web", "--run", run, "--data", "synthetic", "--out", out), io);
    assert.match(lines.at(-1)!, /^Wrote .*: 10 files, .* MB compressed/);
    const site = parseSite(await Deno.readTextFile(join(out, "site.json")), "site.json");
    const { maxHistory, normalisation, architecture } = site.model;
    assert.deepEqual([maxHistory, normalisation, architecture], [10, "vocab", "qwen2"]);
    for (const [name, { bytes }] of Object.entries(site.model.files)) {
      assert.equal((await Deno.stat(join(out, "model", name))).size, bytes, name);
    }
    const halves = await Pretrained.open(join(out, "model"), diskFiles);
    const whole = await Pretrained.open(run, diskFiles);
    const [half, single] = [await halves.read("model.norm.weight"), await whole.read("model.norm.weight")];
    assert.deepEqual([half.dtype, single.dtype], ["F16", "F32"]);
    const head = "lm_head.weight";
    assert.deepEqual((await halves.read(head)).data, (await whole.read(head)).data.map(Math.f16round));
    const { titles, popular } = JSON.parse(await Deno.readTextFile(join(out, "model/items.json")));
    assert.equal(titles[12], items[12].title);
    assert.deepEqual(popular.toSorted((a: number, b: number) => a - b), [...items.keys()]);
    const html = await Deno.readTextFile(join(out, "index.html"));
    assert.match(html, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.doesNotMatch(html + await Deno.readTextFile(join(out, "style.css")), /https?:/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
