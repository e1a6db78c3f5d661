import type { Device } from "../kernels/device.ts";
import { refresh } from "../kernels/refresh.ts";
import { type Flat, groupsOf, type Matrix } from "../kernels/tensor.ts";
import { UserError } from "../data/user_error.ts";

/** A parameter (rows, cols) in the layout of Hugging Face: linear weights are (out, in), vectors (1, n). */
export interface ParameterSpec {
  /** Name that layers ask for, and in checkpoints unless `parts` says otherwise. */
  name: string;
  /** Outputs of a linear weight; 1 for a vector. */
  rows: number;
  /** Inputs of a linear weight; the length of a vector. */
  cols: number;
  /** Values before training. */
  init: "normal" | "zeros" | "ones";
  /** Whether weight decay applies: matrices yes, gains and biases no. */
  decay: boolean;
  /** Whether a layer multiplies by it, so that its transposed twin is kept. */
  product: boolean;
  /** Tensors of a checkpoint that are parts of it. Default: all of it, under its own name. */
  parts?: readonly ParameterPart[];
}

/** A rectangle of a parameter that a checkpoint stores as one tensor. */
export interface ParameterPart {
  /** Name in checkpoints. */
  name: string;
  /** Shape in the checkpoint: [rows, cols], or [cols] for a vector. */
  shape: readonly number[];
  /** Its first row in the parameter. */
  row: number;
  /** Its first column in the parameter. */
  col: number;
}

/** Parameters as layers see them. */
export interface Weights {
  /** Value (rows, cols). Where a parameter has a transposed twin, only the twin need be there. */
  matrix(name: string): Matrix;
  /** Value transposed (cols, rows); undefined where products read the weight as it lies. */
  transposed(name: string): Matrix | undefined;
  /** Where backward passes add to: rows in whole groups of four. Undefined for a weight that is frozen. */
  gradient(name: string): Flat | undefined;
}

/** Named tensors as in a checkpoint. */
export type TensorMap = Map<string, { shape: number[]; data: Float32Array }>;

interface Parameter {
  spec: ParameterSpec;
  /** First element in the flat arrays; a multiple of 64, so that slices can be bound. */
  start: number;
  length: number;
  gradient: Flat;
  matrix: Matrix;
  transposed: Matrix | undefined;
  value: Flat;
}

const ALIGNMENT = 64;

/**
 * All parameters of a model in one flat array, so that clipping and the optimizer are a handful of dispatches. In the
 * texture layout every matrix also has twins in textures, itself and transposed, which `refresh()` renews.
 */
export class Parameters implements Weights {
  /** Device that holds the arrays. */
  readonly device: Device;
  /** Weights (length); call `refresh()` after a change. */
  readonly values: Flat;
  /** Gradients (length). Backward passes add to them; clear them before a step. */
  readonly gradients: Flat;
  /** Elements of the flat arrays, padding included. */
  readonly length: number;
  /** Elements with weight decay: they come first. */
  readonly decayLength: number;
  /** Trainable numbers, padding not counted. */
  readonly count: number;
  #parameters = new Map<string, Parameter>();

  /** Allocates the arrays, all 0: fill `values` from `initial()` or `fromTensors()`. */
  constructor(device: Device, specs: readonly ParameterSpec[]) {
    this.device = device;
    const ordered = [...specs.filter((spec) => spec.decay), ...specs.filter((spec) => !spec.decay)];
    const sizes = ordered.map((spec) => spec.rows * groupsOf(spec.cols) * 4);
    const starts: number[] = [];
    let end = 0;
    let decayed = 0;
    ordered.forEach((spec, i) => {
      starts.push(end);
      end = Math.ceil((end + sizes[i]) / ALIGNMENT) * ALIGNMENT;
      if (spec.decay) decayed = end;
    });
    this.length = end;
    this.decayLength = decayed;
    this.count = specs.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
    this.values = device.createFlat("f32", end);
    this.gradients = device.createFlat("f32", end);
    ordered.forEach((spec, i) => this.#parameters.set(spec.name, this.#make(spec, starts[i], sizes[i])));
  }

  /** Value (rows, cols), as of the last `refresh()`. */
  matrix(name: string): Matrix {
    return this.#get(name).matrix;
  }

  /** Value transposed (cols, rows); undefined in the buffer layout, where products read the weight as it lies. */
  transposed(name: string): Matrix | undefined {
    return this.#get(name).transposed;
  }

  /** Gradient, rows in whole groups of four. */
  gradient(name: string): Flat {
    return this.#get(name).gradient;
  }

  /** Value in the flat array itself, rows in whole groups of four: for statistics that a layer keeps up to date. */
  value(name: string): Flat {
    return this.#get(name).value;
  }

  /** Renews the texture twins from `values`: once after each change. */
  refresh(): void {
    if (this.device.layout === "buffer") return;
    for (const { spec, value, matrix, transposed } of this.#parameters.values()) {
      refresh(this.device, value, spec.rows, spec.cols, matrix, transposed);
    }
  }

  /** Checkpoint tensors from a host copy of the flat array. */
  toTensors(values: Float32Array): TensorMap {
    const tensors: TensorMap = new Map();
    for (const { spec, start } of this.#parameters.values()) {
      for (const part of partsOf(spec)) {
        const cols = part.shape.at(-1)!;
        const data = new Float32Array(product(part.shape));
        for (let row = 0; row * cols < data.length; row++) {
          const from = start + (part.row + row) * groupsOf(spec.cols) * 4 + part.col;
          data.set(values.subarray(from, from + cols), row * cols);
        }
        tensors.set(part.name, { shape: [...part.shape], data });
      }
    }
    return tensors;
  }

  /** Flat array from checkpoint tensors. Throws {@link UserError} for a missing tensor or another shape. */
  fromTensors(tensors: TensorMap, source: string): Float32Array {
    const values = new Float32Array(this.length);
    for (const { spec, start } of this.#parameters.values()) {
      for (const part of partsOf(spec)) {
        const found = tensors.get(part.name);
        if (!found) throw new UserError(`Cannot load ${source}: tensor ${part.name} is missing`);
        if (found.shape.join() !== part.shape.join()) {
          throw new UserError(
            `Cannot load ${source}: tensor ${part.name} has shape [${found.shape}], expected [${part.shape}]`,
          );
        }
        const cols = part.shape.at(-1)!;
        for (let row = 0; row * cols < found.data.length; row++) {
          const to = start + (part.row + row) * groupsOf(spec.cols) * 4 + part.col;
          values.set(found.data.subarray(row * cols, (row + 1) * cols), to);
        }
      }
    }
    return values;
  }

  /** Freshly made values: `normal(index)` gives standard normal numbers, `scale(spec)` their standard deviation. */
  initial(normal: () => number, scale: (spec: ParameterSpec) => number): Float32Array {
    const values = new Float32Array(this.length);
    for (const { spec, start } of this.#parameters.values()) {
      for (let row = 0; row < spec.rows; row++) {
        for (let col = 0; col < spec.cols; col++) {
          const at = start + row * groupsOf(spec.cols) * 4 + col;
          values[at] = spec.init === "zeros" ? 0 : spec.init === "ones" ? 1 : normal() * scale(spec);
        }
      }
    }
    return values;
  }

  /** Frees everything on the device. */
  destroy(): void {
    for (const { matrix, transposed } of this.#parameters.values()) {
      if (matrix.storage.layout === "texture") this.device.destroy(matrix);
      if (transposed) this.device.destroy(transposed);
    }
    this.device.destroy(this.values);
    this.device.destroy(this.gradients);
  }

  #get(name: string): Parameter {
    const parameter = this.#parameters.get(name);
    if (!parameter) {
      throw new RangeError(`No parameter ${name}: known are ${[...this.#parameters.keys()].join(", ")}`);
    }
    return parameter;
  }

  #make(spec: ParameterSpec, start: number, length: number): Parameter {
    const { device } = this;
    const value = device.slice(this.values, start, length);
    const gradient = device.slice(this.gradients, start, length);
    if (device.layout === "buffer") {
      const matrix = device.asMatrix(value, spec.rows, spec.cols);
      return { spec, start, length, value, gradient, matrix, transposed: undefined };
    }
    const matrix = device.createMatrix(spec.rows, spec.cols);
    const transposed = spec.product ? device.createMatrix(spec.cols, spec.rows) : undefined;
    return { spec, start, length, value, gradient, matrix, transposed };
  }
}

/** Tensors of a checkpoint that make up a parameter. */
export function partsOf(spec: ParameterSpec): readonly ParameterPart[] {
  return spec.parts ?? [{ name: spec.name, shape: [spec.rows, spec.cols], row: 0, col: 0 }];
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
