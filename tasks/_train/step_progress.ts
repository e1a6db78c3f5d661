import type { Device } from "../../kernels/gpu/device.ts";
import type { TaskIO } from "../_cli/cli.ts";
import type { Progress } from "../_cli/progress.ts";
import { sizeLines, type TrainingSize } from "../_cli/training_lines.ts";

/** Tells how a training by steps goes; `stop()` ends the bar. */
export class StepProgress {
  #io: TaskIO;
  #progress: Progress | undefined;

  constructor(io: TaskIO) {
    this.#io = io;
  }

  /** What is about to be trained, and on what; `name` is that of the bar. */
  start(device: Device, name: string, size: TrainingSize, data?: string): void {
    const lines = sizeLines(device, size);
    for (const line of [lines.model, ...data === undefined ? [] : [data], lines.steps]) this.#io.log(line);
    this.#progress = this.#io.progress(size.steps, name);
  }

  /** Moves the bar. */
  update(step: number, note: string): void {
    this.#progress?.update(step, note);
  }

  /** A line on a validation; `remark`: what it is, if anything. */
  validated(
    step: number,
    { hr10, ndcg10, loss }: { hr10: number; ndcg10: number; loss?: number },
    remark: string,
  ): void {
    const facts = [
      `valid HR@10 ${hr10.toFixed(4)}, NDCG@10 ${ndcg10.toFixed(4)}`,
      ...loss === undefined ? [] : [`loss ${loss.toFixed(3)}`],
      ...remark === "" ? [] : [remark],
    ];
    this.#io.log(`step ${step}: ${facts.join(", ")}`);
  }

  /** Ends the bar. */
  stop(): void {
    this.#progress?.stop();
  }
}
