import { add } from "./elementwise/add.ts";
import type { Device } from "./gpu/device.ts";
import { expectShape, type Matrix, shapeOf } from "./gpu/tensor.ts";

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
  #onLayer: ((layer: number) => void) | undefined;
  #paused = false;
  #steps: (() => void)[] = [];
  #gradients = new Map<Matrix, Matrix>();
  #constants = new Set<Matrix>();
  /** How many operands a gradient matrix stands for: several may share one. */
  #uses = new Map<Matrix, number>();
  /** Results whose gradient the running step has taken: each is taken by one step, the one of its operation. */
  #taken: Matrix[] = [];
  /** Terms of the running step that were added to others. */
  #added = new Set<Matrix>();

  /**
   * An empty tape; with `training` false it records nothing. `onLayer` is called in the backward pass once all of a layer's
   * products have given their gradients: see {@link beginLayer}.
   */
  constructor(device: Device, training: boolean, onLayer?: (layer: number) => void) {
    this.device = device;
    this.training = training;
    this.#onLayer = onLayer;
  }

  /**
   * Whether results are read again by a backward pass. Not in inference, nor in the first of the two forward passes of a
   * {@link checkpoint}: there an operation may give back to the pool what nothing else reads.
   */
  get recording(): boolean {
    return this.training && !this.#paused;
  }

  /** Remembers the backward step of an operation. Skipped where nothing is recorded. */
  record(step: () => void): void {
    if (this.recording) this.#steps.push(step);
  }

  /** Says that the products recorded from now on belong to layer `layer`, from 0, or to one after it. */
  beginLayer(layer: number): void {
    if (this.#onLayer) this.record(() => this.#onLayer!(layer));
  }

  /**
   * Activation checkpointing (Chen et al. 2016, arXiv:1604.06174): runs `work` and keeps its results alone; the backward
   * pass runs it a second time for what lies between. `work` must do the same both times, so its dropouts are numbered,
   * not counted. `inputs` are all matrices from outside whose gradient it gives; they may not be released inside.
   */
  checkpoint(inputs: readonly Matrix[], work: () => readonly Matrix[]): readonly Matrix[] {
    if (!this.recording) return work();
    const constants = new Set(this.#constants);
    this.#paused = true;
    let outputs: readonly Matrix[];
    try {
      outputs = this.device.scope(() => {
        const made = work();
        for (const matrix of made) this.device.lift(matrix);
        return made;
      });
    } finally {
      this.#paused = false;
      this.#constants = constants;
    }
    this.record(() => this.#repeat(inputs, outputs, work));
    return outputs;
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
    if (!this.wants(operand)) return;
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
    this.#replay(this.#steps);
    this.#steps = [];
    this.#constants.clear();
    this.#gradients.clear();
    this.#uses.clear();
  }

  #replay(steps: (() => void)[]): void {
    for (const step of steps.reverse()) {
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
  }

  /** Backward step of a checkpoint: forward again, recorded this time, then backward through it. */
  #repeat(inputs: readonly Matrix[], outputs: readonly Matrix[], work: () => readonly Matrix[]): void {
    const gradients = outputs.map((output) => this.gradient(output));
    const outer = { steps: this.#steps, constants: new Set(this.#constants) };
    const known = new Set(this.#gradients.keys());
    this.device.scope(() => {
      this.#steps = [];
      work().forEach((output, i) => {
        const gradient = gradients[i];
        if (gradient) this.accumulate(output, gradient);
      });
      this.#replay(this.#steps);
      for (const [operand, gradient] of this.#gradients) {
        if (inputs.includes(operand)) this.device.lift(gradient);
        else if (!known.has(operand)) {
          // It would be found again by whatever takes its place in the pool.
          throw new Error(
            `checkpoint() gave a gradient to a matrix ${shapeOf(operand)} that is not an input of it`,
          );
        }
      }
    });
    this.#steps = outer.steps;
    this.#constants = outer.constants;
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
