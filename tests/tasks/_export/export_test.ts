import assert from "node:assert/strict";
import { join } from "node:path";
import { diskFiles } from "../../../base/files/disk.ts";
import { withGguf } from "../../../models/gguf/files.ts";
import { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { readSafetensors, writeSafetensors } from "../../../models/safetensors/safetensors.ts";
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { readMatrix } from "../../../base/npy.ts";
import { task as embed } from "../../../tasks/embed.ts";
import { task } from "../../../tasks/_export/export.ts";
import { parseArgs, UsageError } from "../../../tasks/_cli/cli.ts";
import { parseSite } from "../../../web/site/site.ts";
import { collector, KNOWN, SID_TOKENS, train, withShop } from "../../scenarios/text_shop.ts";
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
    assert.match(lines.at(-1)!, /^Wrote .*: 11 files, .* MB compressed/);
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

Deno.test("a model that reads text becomes a GGUF file, and its semantic IDs a grammar", async () => {
  await withShop("qwen3", {}, async (dir) => {
    const { run } = await train(dir, { maxSteps: 1 });
    const file = join(dir, "run.gguf");
    const { io, lines } = collector();
    await task.run(parse("gguf", "--run", run.path, "--dtype", "float32", "--out", file), io);
    assert.match(lines.at(-1)!, /^Wrote .*run\.gguf: \d+\.\d MB\. llama\.cpp/);
    const [there, before] = [
      await Pretrained.open(file, withGguf(diskFiles)),
      await Pretrained.open(await run.checkpoint("latest"), diskFiles),
    ];
    assert.equal(there.config.vocab_size, before.config.vocab_size);
    for (
      const name of [
        "model.embed_tokens.weight",
        "model.layers.0.self_attn.q_proj.weight",
        "model.norm.weight",
      ]
    ) {
      assert.deepEqual((await there.read(name)).data, (await before.read(name)).data, name);
    }
    const grammar = join(dir, "sids.gbnf");
    await task.run(parse("grammar", "--run", run.path, "--out", grammar), io);
    assert.equal(lines.at(-1), `Wrote ${grammar}: 4 semantic IDs. llama.cpp takes it with --grammar-file`);
    // Ids are those of the tokenizer, the new ones after the known.
    const [a1, a2, a3, b1, b2, b3] = Array.from({ length: SID_TOKENS }, (_, i) => `<[${KNOWN + i}]>`);
    assert.equal(
      await Deno.readTextFile(grammar),
      `root ::= sid-0 | sid-1 | sid-2\nsid-0 ::= ${a1} (${b2} | ${b3})\nsid-1 ::= ${a2} ${b2}\nsid-2 ::= ${a3} ${b1}\n`,
    );
    await task.run(parse("grammar", "--run", run.path, "--terminals", "texts", "--out", grammar), io);
    assert.match(
      await Deno.readTextFile(grammar),
      /^root ::= sid-0 \| sid-1 \| sid-2\nsid-0 ::= "<a_\d+>" \("<b_/,
    );
    await assert.rejects(
      () => task.run(parse("gguf", "--run", run.path, "--terminals", "texts", "--out", join(dir, "s")), io),
      /Cannot use --terminals for gguf: it is about grammars/,
    );
    await assert.rejects(
      () => task.run(parse("web", "--run", run.path, "--dtype", "q8_0", "--out", join(dir, "s")), io),
      /Cannot use --dtype q8_0 for web/,
    );
    // Items are embedded by a run, its checkpoint or the exported file alike.
    const vectors = async (model: string) => {
      const npy = join(dir, "items.npy");
      const flags = ["--data", join(dir, "data"), "--provider", "decoder", "--model", model, "--out", npy];
      await embed.run(parseArgs(embed, flags)!.config, io);
      return readMatrix(await Deno.readFile(npy));
    };
    const byRun = await vectors(run.path);
    assert.equal(byRun.rows, 4);
    assert.deepEqual(await vectors(await run.checkpoint("latest")), byRun);
    assert.deepEqual(await vectors(file), byRun);
    assert.notDeepEqual(await vectors(join(dir, "model")), byRun);
    await assert.rejects(
      () => vectors(join(dir, "data")),
      /Cannot open .*data as a run: it has no config\.json/,
    );

    const path = join(dir, "model/tokenizer.json"), out = join(dir, "never.gguf");
    const refuses = async (message: RegExp, ...flags: string[]) => {
      const args = ["gguf", "--run", join(dir, "model"), "--out", out, ...flags];
      await assert.rejects(() => task.run(parse(...args), io), { name: "UserError", message });
      for (const left of [out, `${out}.tmp`]) {
        await assert.rejects(() => Deno.stat(left), Deno.errors.NotFound);
      }
    };
    const weights = join(dir, "model/model.safetensors"), name = "model.layers.1.mlp.up_proj.weight";
    const good = await Deno.readFile(weights);
    for (
      const [value, dtype, expected] of [
        [NaN, "float32", "finite numbers"],
        [NaN, "float16", "finite numbers"],
        [-Infinity, "q8_0", "finite numbers"],
        [7e4, "float16", "numbers below 65520 in F16"],
      ] as const
    ) {
      const tensors = readSafetensors(good);
      tensors.get(name)!.data[40] = value;
      await Deno.writeFile(weights, writeSafetensors(tensors));
      await refuses(
        new RegExp(`Cannot write model as GGUF: tensor ${name} holds ${value} at 40, expected ${expected}`),
        "--dtype",
        dtype,
      );
    }
    await Deno.writeFile(weights, good);
    const config = join(dir, "model/config.json"), plain = await Deno.readTextFile(config);
    const meant = JSON.parse(plain);
    Object.assign(meant.rope_parameters, { rope_type: "dynamic", factor: 2 });
    await Deno.writeTextFile(config, JSON.stringify(meant));
    await refuses(
      /Cannot write model as GGUF: positions of kind dynamic are not written, expected linear or/,
    );
    await Deno.writeTextFile(config, plain);
    await Deno.writeFile(path, new Tokenizer(await Deno.readFile(path)).withTokens(["<more>"]).json);
    await refuses(
      /Cannot export .*model: its tokenizer has 301 tokens, but its embedding 300 rows\. Expected files of one/,
    );
  });
});
