import { add } from "./add.ts";
import type { Device } from "./device.ts";
import { expectShape, type Matrix } from "./tensor.ts";

/**
 * Reverse-mode differentiation over matrices. Layers run their forward kernel, then `record` what to do with the
 * gradient of its result; `backward()` replays these in reverse. Gradients of parameters do not pass through the tape:
 * layers accumulate them in flat arrays.
 */
export class Tape {
  readonly device: Device;
  /** False in inference: nothing is recorded and dropout is off. */
  readonly training: boolean;
  #steps: (() => void)[] = [];
  #gradients = new Map<Matrix, Matrix>();

  constructor(device: Device, training: boolean) {
    this.device = device;
    this.training = training;
  }

  /** Remembers the backward step of an operation. Skipped in inference. */
  record(step: () => void): void {
    if (this.training) this.#steps.push(step);
  }

  /** Gradient of the loss with respect to `result`, or undefined where the loss does not depend on it. */
  gradient(result: Matrix): Matrix | undefined {
    return this.#gradients.get(result);
  }

  /** Adds a term to the gradient of `operand`. The matrix may be shared with other operands and is never written to. */
  accumulate(operand: Matrix, term: Matrix): void {
    expectShape("Tape.accumulate() term", term, operand.rows, operand.cols);
    const known = this.#gradients.get(operand);
    this.#gradients.set(operand, known ? add(this.device, known, term) : term);
  }

  /** Runs the recorded steps, last one first, and forgets them. */
  backward(): void {
    for (const step of this.#steps.reverse()) step();
    this.#steps = [];
    this.#gradients.clear();
  }
}
