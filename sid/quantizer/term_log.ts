import type { Device } from "../../kernels/gpu/device.ts";
import { sumFlat } from "../../kernels/reduce/sum.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";

interface Term {
  sums: Flat;
  /** What each step's sum is multiplied by on the host. */
  factors: number[];
}

/** Losses of the last steps by term, kept on the device until they are read: one wait for many steps. */
export class TermLog {
  readonly #device: Device;
  readonly #steps: number;
  readonly #terms = new Map<string, Term>();
  readonly #slot: Flat;
  #step = -1;

  /** Room for `steps` steps between two reads. */
  constructor(device: Device, steps: number) {
    this.#device = device;
    this.#steps = steps;
    this.#slot = device.createFlat("u32", 4);
  }

  /** Whether the next step needs a {@link read} first. */
  get full(): boolean {
    return this.#step + 1 === this.#steps;
  }

  /** Begins a step. Call before its work is recorded: an upload submits what came before. */
  begin(): void {
    this.#step++;
    this.#device.write(this.#slot, Uint32Array.of(this.#step));
  }

  /** Adds `factor` times the sum of the first `rows` of `rowLoss` f32 to the log of this step, once a term and step. */
  add(term: string, rowLoss: Flat, rows: number, factor = 1): void {
    const { sums, factors } = this.#term(term);
    sumFlat(this.#device, rowLoss, rows, sums, this.#slot);
    factors[this.#step] = factor;
  }

  /** Losses of the steps since the last read, in order, by term; 0 where a step did not have it. Waits for the device. */
  async read(): Promise<Map<string, number[]>> {
    const names = [...this.#terms.keys()];
    const values = await this.#device.read(...names.map((name) => this.#terms.get(name)!.sums));
    const steps = this.#step + 1;
    this.#step = -1;
    return new Map(names.map((name, i) => {
      const { factors } = this.#terms.get(name)!;
      const losses = Array.from({ length: steps }, (_, step) => (factors[step] ?? 0) * values[i][step]);
      factors.length = 0;
      return [name, losses];
    }));
  }

  /** Frees everything on the device. */
  destroy(): void {
    for (const { sums } of this.#terms.values()) this.#device.destroy(sums);
    this.#device.destroy(this.#slot);
  }

  #term(name: string): Term {
    const known = this.#terms.get(name);
    if (known) return known;
    const term = { sums: this.#device.createFlat("f32", this.#steps), factors: [] };
    this.#terms.set(name, term);
    return term;
  }
}
