import type { LoggedLine } from "../../../train/observers/observer.ts";
import { WandbFile } from "../../../train/observers/wandb_file.ts";
import { WandbHistory, type WandbRun } from "../../../train/observers/wandb_run.ts";

const run: WandbRun = {
  id: "0a1b2c3d",
  project: "shop",
  entity: "team",
  name: "a",
  // Longer than a block of the file.
  config: { seed: 1, layers: [8, 4], words: "ü".repeat(16_300), note: "x".repeat(40_000) },
  startedAt: 1_700_000_000.25,
};

/** The file of a run of three steps, two of whose lines are of one step. */
export function wandbFile(): Uint8Array[] {
  const file = new WandbFile(), history = new WandbHistory(run);
  const parts: Uint8Array[] = [file.start(run)];
  const lines: LoggedLine[] = [
    { step: 1, values: { "train/loss": 2, "train/seconds": 1.5 } },
    { step: 2, values: { "train/loss": 1, "train/seconds": 3 } },
    { step: 2, values: { "valid/ndcg10": NaN } },
    { step: 300, values: { "train/loss": 0.5, "train/seconds": 4.5 } },
  ];
  for (const line of lines) parts.push(...history.add(line).map((line) => file.line(line)));
  return [...parts, ...history.end().map((line) => file.line(line)), file.end(history.seconds)];
}
