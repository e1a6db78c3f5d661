import { type Contender, NotSupported, type Runner } from "../kernels/contender.ts";
import { openPython, PYTHON } from "./python_process.ts";
import { serve } from "../speed/serve.ts";
import {
  CHECKED_STEPS,
  NORM_EPS,
  OPTIMIZER,
  ROPE_THETA,
  stepParameters,
  stepSequences,
  type StepWorkload,
} from "../kernels/workload.ts";

interface Answer {
  losses: number[];
  milliseconds: number;
  residentBytes: number;
}

const contender: Contender = {
  name: "transformers torch cpu",
  async open(workload) {
    if (workload.kind !== "step") throw new NotSupported("measured in the training step only");
    await probe();
    return await stepRunner(workload);
  },
};

async function probe(): Promise<void> {
  const found = await new Deno.Command(PYTHON, { args: ["-c", "import torch, transformers"] })
    .output().then(({ success }) => success, () => false);
  if (found) return;
  throw new NotSupported(
    `not installed: ${PYTHON} has no torch and transformers, GENREC_PYTHON names another`,
  );
}

async function stepRunner(workload: StepWorkload): Promise<Runner> {
  const folder = await Deno.makeTempDir();
  await writeStep(workload, folder);
  const process = openPython<Answer>(PYTHON, "sft_step.py", folder);
  let residentBytes = 0;
  const ask = async (steps: number): Promise<Answer> => {
    const answer = await process.ask(String(steps));
    residentBytes = answer.residentBytes;
    return answer;
  };
  const { losses } = await ask(CHECKED_STEPS);
  await Deno.remove(folder, { recursive: true }); // read by now
  return {
    async run(times) {
      await ask(times);
    },
    outputs: () => Promise.resolve({ losses }),
    residentBytes: () => residentBytes,
  };
}

async function writeStep(workload: StepWorkload, folder: string): Promise<void> {
  const parameters: Record<string, [number, number[]]> = {};
  const parts: Float32Array<ArrayBuffer>[] = [];
  let start = 0;
  for (const [name, { shape, data }] of stepParameters(workload)) {
    parameters[name] = [start, shape];
    parts.push(Float32Array.from(data));
    start += data.length;
  }
  const sequences = stepSequences(workload).map(({ tokens, targets }) => ({ tokens: [...tokens], targets }));
  const rest = { optimizer: OPTIMIZER, normEps: NORM_EPS, ropeTheta: ROPE_THETA };
  await Deno.writeFile(`${folder}/weights.bin`, await new Blob(parts).bytes());
  await Deno.writeTextFile(
    `${folder}/step.json`,
    JSON.stringify({ ...workload, ...rest, parameters, sequences }),
  );
}

await serve(contender);
