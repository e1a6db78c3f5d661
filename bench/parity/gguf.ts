/**
 * Whether llama.cpp answers with an exported file of weights and the grammar of semantic IDs as genrec does: the prompts of
 * some test users as both cut them into tokens, the SID that follows by the grammar, lists by beams, and that no draw writes
 * anything else:
 *
 *     GENREC_PYTHON=python deno run -A bench/parity/gguf.ts --run RUN --work DIR
 *         [--data DIR] [--users 20] [--beams 10] [--draws 200] [--dtypes float32,float16,q8_0] [--out docs/benchmarks]
 *
 * RUN is a run of `genrec sft --model`. Python needs llama-cpp-python and safetensors.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { diskFiles } from "../../base/files/disk.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { readTokenizer } from "../../models/tokenizer/from_folder.ts";
import { openSidRun } from "../../train/runs/open_run.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, type Table, tableText } from "../pages/page.ts";
import { runPython } from "../peers/python_process.ts";
import { runGenrec } from "../results/command.ts";
import { differenceOf, matrixRows } from "./compare.ts";
import { type GgufAnswers, legalAnswers } from "./gguf_answers.ts";
import { type Answers, bestSids, lastLogits, openModel } from "./ours.ts";

const SEED = 42;
const { values } = parseArgs({
  options: {
    run: { type: "string", default: "" },
    data: { type: "string", default: "" },
    work: { type: "string", default: "runs/gguf" },
    users: { type: "string", default: "20" },
    beams: { type: "string", default: "10" },
    draws: { type: "string", default: "200" },
    dtypes: { type: "string", default: "float32,float16,q8_0" },
    out: { type: "string", default: "" },
  },
});
const { work } = values;
const files = values.dtypes.split(",");
const beams = Number(values.beams);

await Deno.mkdir(work, { recursive: true });
for (const terminals of ["ids", "texts"]) {
  const file = join(work, `${terminals}.gbnf`);
  await runGenrec(["export", "grammar", "--run", values.run, "--terminals", terminals, "--out", file]);
}
for (const dtype of files) {
  await runGenrec([
    "export",
    "gguf",
    "--run",
    values.run,
    "--dtype",
    dtype,
    "--out",
    join(work, `${dtype}.gguf`),
  ]);
}

const run = await openSidRun(values.run, values.data === "" ? {} : { data: values.data });
const { folder } = run.weights;
const { tokenizer } = await readTokenizer(folder, diskFiles);
const { test } = run.dataset.samples;
const asked = [...shuffledOrder(test.length, SEED, 0).subarray(0, Number(values.users))].map((i) => test[i]);
const prompts = asked.map((sample) => run.prompts.prompt(sample.history, sample));
const sids = run.prompts.itemTokens.map((tokens) => [...tokens]);
await Deno.writeTextFile(
  join(work, "cases.json"),
  JSON.stringify({
    prompts: prompts.map((tokens) => ({ tokens: [...tokens], text: tokenizer.decode(tokens, true) })),
    sids,
    beams,
    draws: Number(values.draws),
    temperature: 1.5,
    seed: SEED,
    files,
  }),
);
await runPython("gguf_answers.py", [work]);

const device = await Device.open();
const decoder = await openModel(device, folder);
const logits: Float32Array[] = [];
for (const prompt of prompts) logits.push(await lastLogits(device, decoder, prompt));
const first = await bestSids(device, decoder, prompts, sids, 1);
const ours: Answers = {
  logits,
  greedy: first.map(({ tokens: [best] }) => best),
  beams: await bestSids(device, decoder, prompts, sids, beams),
};
const rows: Cell[][] = [];
let version = "";
for (const dtype of files) {
  const found: GgufAnswers = JSON.parse(await Deno.readTextFile(join(work, `${dtype}.json`)));
  version = found.version;
  const gap = differenceOf({
    logits: (await matrixRows(join(work, `${dtype}.safetensors`))).get("logits")!,
    greedy: found.greedy.map(({ tokens }) => tokens),
    beams: found.beams,
  }, ours);
  const sameTokens = found.prompts.filter((tokens, i) => tokens.join() === prompts[i].join()).length;
  const legal = legalAnswers([...found.greedy, ...found.drawn], run.sids, sids);
  const byTexts = legalAnswers(found.spelled, run.sids, sids);
  const bytes = (await Deno.stat(join(work, `${dtype}.gguf`))).size;
  rows.push([
    dtype,
    `${(bytes / 1e6).toFixed(1)} MB`,
    `${sameTokens} of ${prompts.length}`,
    gap.greedy.join(" of "),
    gap.beams.join(" of "),
    gap.scores.toExponential(1),
    gap.logits.toExponential(1),
    `${legal.illegal + byTexts.illegal} of ${legal.all + byTexts.all}`,
    `${legal.spelled} of ${legal.all}`,
    `${byTexts.spelled} of ${byTexts.all}`,
  ]);
}
const table: Table = {
  columns: [
    "weights",
    "file",
    "prompts in the same tokens",
    "same SID by the grammar",
    `same lists of ${beams}`,
    "largest difference of a score",
    "of a logit",
    "answers that are no SID",
    "spelled in other tokens, grammar of ids",
    "of texts",
  ].map((name) => ({ name })),
  rows,
};
console.log(tableText(table));
const { machine, ...conditions } = await conditionsNow(device.info.description);
await writeOut(values.out, "language_models", {
  "llama-cpp": {
    command: [commandLine("bench/parity/gguf.ts")],
    ...conditions,
    machine: `${machine}; llama-cpp-python ${version}`,
    tables: [table],
  },
});
Deno.exit();
