import assert from "node:assert/strict";
import { join } from "node:path";
import { loadCorpus } from "../../data/formats/load.ts";
import { UserError } from "../../base/user_error.ts";
import { readSafetensors } from "../../models/safetensors/safetensors.ts";
import { torchFile } from "../models/torch/state_dict_file.ts";
import { loadItemVectors, type VectorFlags } from "../../tasks/_train/item_vectors.ts";
import { inSession } from "./_cli/session.ts";
import { filesIn, genrec } from "./genrec.ts";
import { ROWS, TINY_FLAGS, withToys } from "./etegrec_toys.ts";

Deno.test("loadItemVectors() has a row an item in the order of ETEGRec's map, parts side by side in unit length", async () => {
  await withToys(async (dir) => {
    const corpus = await loadCorpus(join(dir, "toys"));
    assert.deepEqual(corpus.items.map(({ id }) => id), ["B4", "B1", "B2", "B3"]);
    const load = async (flags: Partial<Record<keyof VectorFlags, string>>) => {
      const named = Object.entries(flags).map((
        [key, name],
      ) => [key, key === "input" ? name : join(dir, name)]);
      const given = { embeddings: "", collab: "", ...Object.fromEntries(named) } as VectorFlags;
      return (await loadItemVectors(given, corpus)).vectors;
    };
    const collab = await load({ collab: "collab.npy" });
    assert.deepEqual(collab, { data: Float32Array.from(ROWS.flat()), rows: 4, dim: 4 });
    // A first row of zeros stands for padding.
    const text = await load({ embeddings: "text.npy" });
    assert.deepEqual([...text.data], [4, 0, 1, 3, 1, 0, 4, 3]);
    const dual = await load({ embeddings: "text.npy", collab: "collab.npy" });
    assert.deepEqual([dual.rows, dual.dim], [4, 6]);
    const third = [1, 0, 0, 0, 1, 1].map((value, i) => Math.fround(i < 2 ? value : value / Math.SQRT2));
    assert.deepEqual([...dual.data.subarray(12, 18)].map(Math.fround), third);

    const refused: [Parameters<typeof load>[0], RegExp][] = [
      [{}, /semantic item vectors without --embeddings: name a \.npy file/],
      [{ input: "dual", embeddings: "text.npy" }, /dual item vectors without --collab: .*sasrec/],
      [
        { input: "collaborative", embeddings: "text.npy" },
        /Cannot use --embeddings with --input collaborative/,
      ],
      [{ collab: "other.npy" }, /other\.npy: it has 8 rows, Toys has 4 items, expected one row an item/],
    ];
    for (const [flags, message] of refused) {
      await assert.rejects(load(flags), (error) => error instanceof UserError && message.test(error.message));
    }
  });
});

const TRAIN = [
  "etegrec",
  "--data",
  "toys",
  "--embeddings",
  "text.npy",
  "--collab",
  "collab.npy",
  "--out",
  "run",
];
const STAGES = ["--frozen-epochs", "1", "--finetune-epochs", "1", "--beams", "10", "--evaluate", "test"];

Deno.test("genrec etegrec trains all stages on ETEGRec's own files and reports on them; --resume finds them done", async () => {
  await withToys(async (dir) => {
    const first = await genrec(dir, [...TRAIN, ...TINY_FLAGS, ...STAGES]);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /Stage tokenizer[^]*Stage frozen[^]*Stage joint[^]*Stage finetune/);
    assert.match(first.stdout, /epoch 1: \d items have another SID; \d different paths of codes/);
    assert.match(first.stdout, /test +Recall@1 +Recall@5 +Recall@10 +NDCG@5 +NDCG@10\nfrozen /);
    assert.deepEqual(
      filesIn(join(dir, "run"))!.filter((name) => !/checkpoints\/.|eval-test\/./.test(name)),
      [
        "config.json",
        ...["finetune/", "frozen/", "joint/", "tokenizer/"].flatMap((stage) => [
          stage,
          ...["best", "checkpoints/", "config.json"].map((name) => stage + name),
          `${stage}catalogue.json`,
          ...stage === "tokenizer/"
            ? ["training/", "training/manifest.json", "training/metrics.jsonl"].map((name) => stage + name)
            : [`${stage}eval-test/`],
          ...["index.json", "latest", "manifest.json", "metrics.jsonl"].map((name) => stage + name),
        ]),
        "index.json",
        "manifest.json",
        "report.json",
      ].sort(),
    );
    const report = JSON.parse(await Deno.readTextFile(join(dir, "run/report.json")));
    assert.deepEqual(Object.keys(report.stages), ["frozen", "joint", "finetune"]);
    assert.equal(report.stages.joint.metrics.test.users, 2);
    const kept = await Deno.readTextFile(join(dir, "run", report.best, "index.json"));
    assert.equal(await Deno.readTextFile(join(dir, "run/index.json")), kept);

    const resume = ["etegrec", "--config", "run/config.json", "--out", "run", "--resume"];
    const again = await inSession(dir, [...resume, "--unconstrained", "--json"]);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /Stage finetune, continued/);
    assert.match(again.stderr, /test .*NDCG@10 +no SID\nfrozen .* %\n/);
    const { best, stages } = JSON.parse(again.stdout);
    assert.equal(best, report.best);
    for (const [name, { validation, metrics }] of Object.entries<typeof report.stages.joint>(stages)) {
      assert.deepEqual(validation, report.stages[name].validation);
      const { test: { invalid, invalidShare, users } } = metrics;
      assert.ok(invalid > 0 && invalidShare === invalid / (10 * users), `${name}: ${invalidShare}`);
    }
  });
});

Deno.test("etegrec --holdout-rows leaves out the last train targets in all stages, so that a ranker learns from them", async () => {
  await withToys(async (dir) => {
    for (const [out, rows] of [["run", "0"], ["fold", "2"]]) {
      const flags = ["--holdout-rows", rows, "--evaluate", "test", "--beams", "10", "--finetune-epochs", "0"];
      const { code, stderr } = await inSession(dir, [...TRAIN.with(-1, out), ...TINY_FLAGS, ...flags]);
      assert.equal(code, 0, stderr);
    }
    const { holdoutRows } = JSON.parse(await Deno.readTextFile(join(dir, "fold/joint/config.json")));
    assert.equal(holdoutRows, 2);
    const ranked = await inSession(dir, [
      ...["rank", "--data", "toys", "--runs", "run", "--fold-runs", "fold", "--out", "ranked"],
      ...["--hidden-size", "4", "--num-rankers", "1", "--num-train-epochs", "1", "--list-length", "4"],
    ]);
    assert.equal(ranked.code, 0, ranked.stderr);
    assert.match(ranked.stdout + ranked.stderr, /Lists: 2 to learn from/);
  });
});

Deno.test("etegrec --tokenizer takes a folder of genrec sid, and refuses one without an autoencoder or of other vectors", async () => {
  await withToys(async (dir) => {
    const rows = ["--data", "toys", "--embeddings", "collab.npy", "--levels", "2", "--codebook-size", "3"];
    const vae = ["--latent-dim", "4", "--layers", "4", "--epochs", "2", "--no-unit-length"];
    const sid = async (out: string, ...flags: string[]) => {
      const { code, stderr } = await inSession(dir, ["sid", ...rows, "--out", out, ...flags]);
      assert.equal(code, 0, stderr);
    };
    await sid("vae", "--method", "rqvae", ...vae);
    await sid("kmeans", "--method", "rqkmeans");
    const etegrec = (out: string, tokenizer: string, ...flags: string[]) =>
      inSession(dir, [
        ...["etegrec", "--data", "toys", "--out", out, "--tokenizer", tokenizer, ...TINY_FLAGS],
        ...[
          "--finetune-epochs",
          "0",
          "--beams",
          "10",
          "--evaluate",
          "test",
          "--save-total-limit",
          "0",
          ...flags,
        ],
      ]);
    const made = await etegrec("run", "vae", "--collab", "vae/items.npy", "--num-train-epochs", "4");
    assert.equal(made.code, 0, made.stderr);
    assert.ok(!/Stage tokenizer/.test(made.stdout));
    const checkpoints = filesIn(join(dir, "run/joint/checkpoints"))!.filter((name) =>
      /^step-\d+\/$/.test(name)
    );
    assert.equal(checkpoints.length, 4, checkpoints.join(" "));

    // A checkpoint of torch with these weights.
    const tensors = readSafetensors(await Deno.readFile(join(dir, "vae/codebooks.safetensors")));
    const stored = Object.fromEntries(
      [...tensors].filter(([name]) => !name.startsWith("input")).map(
        ([name, { shape, data }]) => [
          name.replace(/^codebook\.(\d+)$/, "rq.vq_layers.$1.embedding.weight"),
          { shape: name.endsWith("bias") ? [shape[1]] : shape, data: [...data] },
        ],
      ),
    );
    await Deno.writeFile(join(dir, "rqvae.pth"), torchFile(stored));
    const published = await etegrec("published", "rqvae.pth", "--collab", "collab.npy");
    assert.equal(published.code, 0, published.stderr);

    for (
      const [tokenizer, vectors, message] of [
        ["kmeans", "collab.npy", /are of method rqkmeans, .* expected rqvae, rqvae-v2, letter/],
        ["vae", "text.npy", /4 vectors of 2 numbers are given, its SIDs were made of 4 of 4/],
      ] as const
    ) {
      const { code, stderr } = await etegrec("no", tokenizer, "--collab", vectors);
      assert.equal(code, 1, stderr);
      assert.match(stderr, message);
    }
  });
});
