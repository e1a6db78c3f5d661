/**
 * Whether a real language model computes here what it computes in transformers, PEFT and PyTorch: logits, greedy texts and
 * beams of real prompts, losses of trainings from the same start, and what is saved:
 *
 *     GENREC_PYTHON=python deno run -A bench/parity/parity.ts --model SmolLM2-135M-Instruct --work DIR
 *         [--layers 2 --trim] [--prompts 50] [--answers 10] [--beams 20] [--steps 20] [--tokens 256] [--modes full,lora,frozen]
 *         [--stages cases,python,ours,saved,compare] [--out docs/benchmarks]
 *
 * `--layers 2 --trim` makes the cut of the model that tests/bench/parity/ asks: name DIR in GENREC_LANGUAGE_MODEL. Python
 * needs torch, transformers and peft. The stage `times`, for a machine with nothing else on it, runs steps of both sides in
 * turns. Stages that are done need not be repeated, and modes may be trained one by one: what they wrote lies in DIR. With
 * `--modes "" --stages cases,python,compare` only the model as it starts is asked.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isFile, writeAtomic } from "../../base/files/write_atomic.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, type Table, tableText } from "../pages/page.ts";
import { runPython } from "../peers/python_process.ts";
import { type Cases, type Mode, MODES, writeCases } from "./cases.ts";
import {
  type AnswerGap,
  differenceOf,
  largest,
  readGolden,
  savedAnswers,
  unchangedTensors,
} from "./compare.ts";
import { openModel, ourAnswers, ourVectors, trainedLosses } from "./ours.ts";
import { timesTable, timeSteps } from "./step_times.ts";

const shared = Deno.env.get("GENREC_DATA") ?? "../shared/data";
const { values } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    data: { type: "string", default: `${shared}/minionerec-industrial` },
    work: { type: "string", default: "runs/parity" },
    layers: { type: "string", default: "0" },
    trim: { type: "boolean", default: false },
    prompts: { type: "string", default: "50" },
    answers: { type: "string", default: "10" },
    beams: { type: "string", default: "20" },
    steps: { type: "string", default: "20" },
    tokens: { type: "string", default: "256" },
    modes: { type: "string", default: MODES.join() },
    stages: { type: "string", default: "cases,python,ours,saved,compare" },
    out: { type: "string", default: "" },
  },
});
const { work } = values;
const modes = values.modes.split(",").filter((mode) => mode !== "") as Mode[];
const isAsked = (stage: string) => values.stages.split(",").includes(stage);
const device = await Device.open();

if (isAsked("cases")) {
  await Deno.mkdir(work, { recursive: true });
  await writeCases(device, work, { model: values.model, data: values.data }, {
    layers: Number(values.layers),
    trim: values.trim,
    prompts: Number(values.prompts),
    answers: Number(values.answers),
    beams: Number(values.beams),
    newTokens: 16,
    steps: Number(values.steps),
    tokensPerBatch: Number(values.tokens),
  });
}
const cases: Cases = JSON.parse(await Deno.readTextFile(join(work, "cases.json")));
if (isAsked("python")) await runPython("parity.py", [work, modes.join()]);
if (isAsked("ours")) {
  const path = join(work, "ours.json");
  for (const mode of modes) {
    const losses = await trainedLosses(device, work, cases, mode, { saved: join(work, "saved", mode) });
    // Beside those of other modes, that may have been trained before.
    const known = await isFile(path) ? JSON.parse(await Deno.readTextFile(path)) : {};
    await writeAtomic(path, JSON.stringify({ ...known, [mode]: losses }));
  }
}
if (isAsked("times")) await timeSteps(device, work, cases, modes);
if (isAsked("saved")) await runPython("parity.py", [work, "--saved"]);
if (isAsked("compare")) await compare();
Deno.exit();

async function compare(): Promise<void> {
  const golden = await readGolden(work);
  const ours: Record<Mode, number[]> = JSON.parse(
    modes.length > 0 ? await Deno.readTextFile(join(work, "ours.json")) : "{}",
  );
  const start = await openModel(device, join(work, "start"));
  const rows: Cell[][] = answerRows(
    "as it starts",
    differenceOf(await ourAnswers(device, start, cases), golden),
  );
  start.destroy();
  const vectors = await ourVectors(device, join(work, "start"), cases);
  rows.push([
    `as it starts: vectors of ${vectors.length} items`,
    amount(largest(vectors, golden.vectors)),
    "1e-3",
  ]);
  for (const mode of modes) {
    const [mine, theirs] = [ours[mode], golden.training[mode]!.losses];
    rows.push([`${mode}: losses of ${theirs.length} steps`, amount(largest([mine], [theirs])), "1e-3"]);
  }
  const saved = modes.length > 0 ? await savedAnswers(work) : [];
  for (const mode of modes) {
    const model = await openModel(device, join(work, "saved", mode));
    const mine = await ourAnswers(device, model, cases, {
      prompts: 4,
      answers: Math.min(2, cases.sizes.answers),
    });
    model.destroy();
    for (const [name, theirs] of saved) {
      const [of, kind] = name.split("-");
      if (of !== mode) continue;
      const reader = kind === "adapter" ? "adapter, in PEFT" : "saved, in transformers";
      rows.push(...answerRows(`${mode}, ${reader}`, differenceOf(mine, theirs)));
    }
  }
  const [same, all] = await unchangedTensors(device, join(work, "start"));
  rows.push(["tensors that are saved in the bytes they were loaded from", `${same} of ${all}`, "all"]);
  const results: Table = {
    columns: [{ name: "what is compared" }, { name: "largest difference, or how many are the same" }, {
      name: "allowed",
    }],
    rows,
  };
  const times = await timesTable(work);
  const tables = times ? [results, times] : [results];
  console.log(tables.map(tableText).join("\n\n"));
  await writeOut(values.out, "language_models", {
    parity: {
      command: [commandLine("bench/parity/parity.ts")],
      ...await conditionsNow(device.info.description),
      tables,
    },
  });
}

function answerRows(what: string, { logits, greedy, beams, scores }: AnswerGap): Cell[][] {
  const count = ([same, all]: [number, number]) => `${same} of ${all}`;
  return [
    [`${what}: logits`, amount(logits), "1e-3"],
    [`${what}: greedy texts`, count(greedy), "all"],
    [`${what}: lists of ${cases.sizes.beams} SIDs`, count(beams), "all"],
    [`${what}: their scores`, amount(scores), "1e-3"],
  ];
}

function amount(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}
