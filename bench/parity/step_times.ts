import { join } from "node:path";
import { isFile, writeAtomic } from "../../base/files/write_atomic.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { ratioOfTimes, ratioText, spread } from "../kernels/report.ts";
import type { Table } from "../pages/page.ts";
import { openPython, PYTHON } from "../peers/python_process.ts";
import type { Cost } from "../speed/cost.ts";
import type { Cases, Mode } from "./cases.ts";
import { trainedLosses } from "./ours.ts";

/** Steps of one mode, ours and PyTorch's in turns on the same batches. */
interface StepTimes {
  mode: Mode;
  /** Tokens of each step, all of them of rows. */
  tokens: number[];
  /** Milliseconds. */
  ours: number[];
  pytorch: number[];
}

/** The first step of each side also compiles and allocates. */
const WARM = 1;

/** Times the steps of each mode, and writes `times.json` into the folder of the cases, beside modes timed before. */
export async function timeSteps(
  device: Device,
  folder: string,
  cases: Cases,
  modes: readonly Mode[],
): Promise<void> {
  const peer = openPython<Cost & { loss: number }>(PYTHON, "parity_steps.py", folder);
  const path = join(folder, "times.json");
  for (const mode of modes) {
    const times: Omit<StepTimes, "mode" | "tokens"> = { ours: [], pytorch: [] };
    let resumed = performance.now();
    await trainedLosses(device, folder, cases, mode, {
      afterStep: async (loss) => {
        times.ours.push(performance.now() - resumed);
        const theirs = await peer.ask(mode);
        times.pytorch.push(theirs.milliseconds);
        console.error(mode, loss, theirs.loss, times.ours.at(-1)!.toFixed(), theirs.milliseconds.toFixed());
        resumed = performance.now();
      },
    });
    const tokens = cases.steps.map((members) =>
      members.reduce((sum, i) => sum + cases.sequences[i].tokens.length, 0)
    );
    const found: StepTimes = { mode, tokens, ...times };
    const others = (await readTimes(folder)).filter((one) => one.mode !== mode);
    await writeAtomic(path, JSON.stringify([...others, found]));
  }
  await peer.close();
}

/** `times.json` of a folder; nothing where steps were not timed. */
async function readTimes(folder: string): Promise<StepTimes[]> {
  const path = join(folder, "times.json");
  return await isFile(path) ? JSON.parse(await Deno.readTextFile(path)) : [];
}

/** A row for each mode that was timed in a folder; undefined where none was. */
export async function timesTable(folder: string): Promise<Table | undefined> {
  const found = await readTimes(folder);
  if (found.length === 0) return undefined;
  const rate = (tokens: readonly number[], times: readonly number[]) =>
    spread(times.map((time, i) => 1000 * tokens[i] / time), (value) => value.toFixed(1));
  return {
    columns: [
      { name: "what is trained" },
      { name: "steps" },
      { name: "genrec, tokens/s" },
      { name: "PyTorch, tokens/s" },
      { name: "theirs / ours, times" },
    ],
    rows: found.map(({ mode, ...all }) => {
      const [tokens, ours, pytorch] = [all.tokens, all.ours, all.pytorch].map((values) => values.slice(WARM));
      return [
        mode,
        String(ours.length),
        rate(tokens, ours),
        rate(tokens, pytorch),
        ratioText(ratioOfTimes(ours, pytorch)),
      ];
    }),
  };
}
