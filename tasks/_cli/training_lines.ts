import { join } from "node:path";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Stopped } from "../../models/training/loop.ts";
import { quoted, short } from "./format.ts";

/** How to go on with a run that was stopped. */
export function goOnLine(task: string, out: string, config = join(out, "config.json")): string {
  return `Continue with: genrec ${task} --config ${quoted(config)} --out ${quoted(out)} --resume`;
}

/** How much is about to be trained, and how long. */
export interface TrainingSize {
  /** Numbers of the model. */
  parameters: number;
  /** Those of them that change. Default: all. */
  trained?: number;
  /** Steps of the whole run. */
  steps: number;
  /** Steps that were done before a resume. */
  done: number;
}

/** What is about to be trained, and how long. */
export function sizeLines(
  device: Device,
  { parameters, trained = parameters, steps, done }: TrainingSize,
): { model: string; steps: string } {
  const share = trained < parameters ? `, ${short(trained)} of them trained` : "";
  const { description, vendor } = device.info;
  return {
    model: `Model: ${short(parameters)} parameters${share}, on ${description || vendor}`,
    steps: `Steps: ${steps}${done > 0 ? `, ${done} of them done before` : ""}`,
  };
}

/** How a run ended that was not interrupted. */
export function endedAs(stopped: Stopped): string {
  return stopped === "early" ? "Stopped early" : "Finished";
}

/** How a run that has done its steps is trained on: longer runs have another schedule, so it is a run of its own. */
export function trainOnAdvice(out: string): string {
  return `To train on from its weights, start another run with --model ${quoted(out)} and another --out`;
}

/** How to evaluate a run. */
export function evaluateLine(out: string, data: string): string {
  const folder = quoted(join(out, "eval"));
  return `Evaluate with: genrec evaluate --run ${quoted(out)} --data ${quoted(data)} --out ${folder}`;
}
