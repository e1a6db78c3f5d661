/**
 * Whether vLLM answers with a checkpoint folder and the grammar of semantic IDs as genrec does: the SID that follows the
 * prompts of some test users by the grammar, and that no draw writes anything else:
 *
 *     GENREC_PYTHON=python deno run -A bench/parity/vllm.ts --run RUN --work DIR [--out docs/benchmarks]
 *
 * RUN and DIR are those of bench/parity/gguf.ts, which has asked llama.cpp before. Python needs vllm.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Device } from "../../kernels/gpu/device.ts";
import { openSidRun } from "../../train/runs/open_run.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Table, tableText } from "../pages/page.ts";
import { runPython } from "../peers/python_process.ts";
import { type GgufAnswers, legalAnswers } from "./gguf_answers.ts";
import { bestSids, openModel } from "./ours.ts";

const { values: { run: path, work, out } } = parseArgs({
  options: {
    run: { type: "string", default: "" },
    work: { type: "string", default: "runs/gguf" },
    out: { type: "string", default: "" },
  },
});
const run = await openSidRun(path);
const { folder } = run.weights;
const cases: { prompts: { tokens: number[] }[]; sids: number[][] } = JSON.parse(
  await Deno.readTextFile(join(work, "cases.json")),
);
await runPython("vllm_answers.py", [work, folder]);
const found: Pick<GgufAnswers, "version" | "greedy" | "drawn"> = JSON.parse(
  await Deno.readTextFile(join(work, "vllm.json")),
);

const device = await Device.open();
const decoder = await openModel(device, folder);
const prompts = cases.prompts.map(({ tokens }) => Uint32Array.from(tokens));
const best = (await bestSids(device, decoder, prompts, cases.sids, 1)).map(({ tokens: [sid] }) => sid);
const same = best.filter((sid, i) => sid.join() === found.greedy[i].tokens.join()).length;
const legal = legalAnswers([...found.greedy, ...found.drawn], run.sids, cases.sids);
const table: Table = {
  columns: ["weights", "same SID by the grammar", "answers that are no SID", "spelled in other tokens"]
    .map((name) => ({ name })),
  rows: [[
    "float32",
    `${same} of ${best.length}`,
    `${legal.illegal} of ${legal.all}`,
    `${legal.spelled} of ${legal.all}`,
  ]],
};
console.log(tableText(table));
const { machine, ...conditions } = await conditionsNow(device.info.description);
await writeOut(out, "language_models", {
  vllm: {
    command: [commandLine("bench/parity/vllm.ts")],
    ...conditions,
    machine: `${machine}; vLLM ${found.version}`,
    tables: [table],
  },
});
Deno.exit();
