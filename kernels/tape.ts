import { add } from "./add.ts";
import type { Device } from "./device.ts";
import { expectShape, type Matrix } from "./tensor.ts";

/**
 * Reverse-mode differentiation over matrices. Layers run their forward kernel, then `record` what to do with the
 * gradient of its result; `backward()` replays these in reverse. Gradients of parameters do not pass through the tape:
 * layers accumulate them in flat arrays.
 */
export class Tape {
  /** Device that holds the matrices and runs the operations. */
  readonly device: Device;
  /** False in inference: nothing is recorded and dropout is off. */
  readonly training: boolean;
  #steps: (() => void)[] = [];
  #gradients = new Map<Matrix, Matrix>();
  #constants = new Set<Matrix>();
  /** How many operands a gradient matrix stands for: several may share one. */
  #uses = new Map<Matrix, number>();
  /** Results whose gradient the running step has taken: each is taken by one step, the one of its operation. */
  #taken: Matrix[] = [];
  /** Terms of the running step that were added to others. */
  #added = new Set<Matrix>();

  /** An empty tape; with `training` false it records nothing. */
  constructor(device: Device, training: boolean) {
    this.device = device;
    this.training = training;
  }

  /** Remembers the backward step of an operation. Skipped in inference. */
  record(step: () => void): void {
    if (this.training) this.#steps.push(step);
  }

  /**
   * Gradient of the loss with respect to `result`, or undefined where the loss does not depend on it. Only the step of
   * the operation that made `result` may ask: the matrix goes back to the pool when that step ends.
   */
  gradient(result: Matrix): Matrix | undefined {
    this.#taken.push(result);
    return this.#gradients.get(result);
  }

  /** Says that nothing needs the gradient of `matrix`, such as data: layers may spare themselves its computation. */
  constant(matrix: Matrix): void {
    this.#constants.add(matrix);
  }

  /** Whether the gradient of `operand` is of use; see {@link constant}. */
  wants(operand: Matrix): boolean {
    return !this.#constants.has(operand);
  }

  /** Adds a term to the gradient of `operand`. The matrix may be shared with other operands and is never written to. */
  accumulate(operand: Matrix, term: Matrix): void {
    expectShape("Tape.accumulate() term", term, operand.rows, operand.cols);
    const known = this.#gradients.get(operand);
    if (!known) {
      this.#hold(operand, term);
      return;
    }
    this.#hold(operand, add(this.device, known, term));
    this.#drop(known);
    this.#added.add(term);
  }

  /** Runs the recorded steps, last one first, and forgets them. */
  backward(): void {
    for (const step of this.#steps.reverse()) {
      step();
      for (const result of this.#taken) {
        const gradient = this.#gradients.get(result);
        if (!gradient) continue;
        this.#gradients.delete(result);
        this.#drop(gradient);
      }
      this.#taken = [];
      for (const term of this.#added) if (!this.#uses.has(term)) this.device.release(term);
      this.#added.clear();
    }
    this.#steps = [];
    this.#constants.clear();
    this.#gradients.clear();
    this.#uses.clear();
  }

  #hold(operand: Matrix, gradient: Matrix): void {
    this.#gradients.set(operand, gradient);
    this.#uses.set(gradient, (this.#uses.get(gradient) ?? 0) + 1);
  }

  #drop(gradient: Matrix): void {
    const uses = this.#uses.get(gradient)! - 1;
    this.#uses.set(gradient, uses);
    if (uses > 0) return;
    this.#uses.delete(gradient);
    this.device.release(gradient);
  }
}
