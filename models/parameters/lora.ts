import { add, scale } from "../../kernels/elementwise/add.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { dropout } from "../../kernels/random/dropout.ts";
import { type BlockRows, keepBlocks } from "../../kernels/rows/keep_blocks.ts";
import { matmul, matmulAt, matmulBt } from "../../kernels/matmul/matmul.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { PhiloxStream } from "../../base/philox.ts";
import { UserError } from "../../base/user_error.ts";
import { partsOf } from "./parts.ts";
import type { TensorMap, Weights } from "./parameters.ts";
import type { ParameterPart, ParameterSpec } from "./spec.ts";

/** Projections that can have an adapter, under the names of Hugging Face. */
export const LORA_TARGETS = [
  "q_proj",
  "k_proj",
  "v_proj",
  "o_proj",
  "gate_proj",
  "up_proj",
  "down_proj",
] as const;

/** Settings of low-rank adapters (LoRA, Hu et al. 2021), as in Hugging Face's PEFT. */
export interface LoraOptions {
  /** Rank of what is added to a weight. */
  r: number;
  /** Numerator of the scale: PEFT's `lora_alpha`. */
  alpha: number;
  /** Share of an adapter's input that is dropped in training: PEFT's `lora_dropout`. */
  dropout: number;
  /** Some of {@link LORA_TARGETS}, or "all" of them. */
  targetModules: "all" | readonly string[];
  /** Scale alpha / sqrt(r) (Kalajdzievski 2023, eq. 6) instead of alpha / r: PEFT's `use_rslora`. */
  rankStabilised: boolean;
}

/** The adapters of one weight: one a projection where the weight holds several projections. */
export interface LoraAdapter {
  /** Parameter (P r, in): the A of all P projections, one below the other; r filled up to a multiple of 4. */
  a: string;
  /** Parameter (out, P r): the B of all projections as blocks on the diagonal, 0 elsewhere. */
  b: string;
  /** Rows of the weight that each projection has. */
  blocks: readonly BlockRows[];
  /** Factor of the product. */
  scale: number;
  /** Share of the input that is dropped in training. */
  dropout: number;
  /** Tells the adapter's dropout from all others of a step. */
  stream: number;
}

/** An adapter at work: with what its dropout is drawn. */
export interface ActiveAdapter extends LoraAdapter {
  /** u32 [seed, micro batch of the step, step, unused]; needed in training with dropout. */
  seed?: Flat;
}

/** First dropout stream of adapters: far above those of the blocks. */
const FIRST_STREAM = 1 << 20;
/** What PEFT puts before the name of a module. */
const PEFT_PREFIX = "base_model.model.";

/** Low-rank adapters of a model. */
export class Lora {
  /** Settings. */
  readonly options: LoraOptions;
  /** Factor of B A. */
  readonly scale: number;
  /** Parameters to add to the model's; their parts carry the names of PEFT's `adapter_model.safetensors`. */
  readonly specs: readonly ParameterSpec[];
  #adapters = new Map<string, LoraAdapter>();

  /**
   * Adapters for the products among `base`, the parameters of a model.
   * @throws {UserError} for settings that cannot be, or a target that is not in the model.
   */
  constructor(base: readonly ParameterSpec[], options: LoraOptions) {
    checkOptions(options);
    this.options = options;
    const { r, alpha, dropout, rankStabilised } = options;
    const scale = this.scale = alpha / (rankStabilised ? Math.sqrt(r) : r);
    const specs: ParameterSpec[] = [];
    for (const spec of base) {
      const parts = spec.product ? partsOf(spec).filter((part) => isTarget(part, options)) : [];
      if (parts.length === 0) continue;
      const weight = spec.name.replace(/\.weight$/, "");
      const names = { a: `${weight}.lora_A.weight`, b: `${weight}.lora_B.weight` };
      specs.push(...adapterSpecs(spec, names, parts, r));
      const blocks = parts.map(({ row, shape }) => ({ start: row, end: row + shape[0] }));
      const stream = FIRST_STREAM + this.#adapters.size;
      this.#adapters.set(spec.name, { ...names, blocks, scale, dropout, stream });
    }
    this.specs = specs;
    if (options.targetModules !== "all") {
      for (const target of options.targetModules) {
        if (specs.some((spec) => partsOf(spec).some(({ name }) => name.includes(`.${target}.`)))) continue;
        throw new UserError(`Cannot adapt ${target}: the model has no such projection`);
      }
    }
  }

  /** Adapter of a weight, if it has one. */
  adapter(weight: string): LoraAdapter | undefined {
    return this.#adapters.get(weight);
  }

  /** Numbers that the adapters train. */
  get count(): number {
    return this.specs.flatMap(partsOf).reduce((sum, { shape: [rows, cols] }) => sum + rows * cols, 0);
  }

  /**
   * Adapters before training, under their names in checkpoints: A uniform in +-1 / sqrt(in) as in PEFT (Kaiming's with
   * a = sqrt(5)), B 0, so that nothing is added yet.
   */
  initial(seed: number): TensorMap {
    const stream = new PhiloxStream(seed, "lora");
    const tensors: TensorMap = new Map();
    for (const { name, shape } of this.specs.flatMap(partsOf)) {
      const data = new Float32Array(shape[0] * shape[1]);
      const bound = 1 / Math.sqrt(shape[1]);
      if (isA(name)) data.forEach((_, i) => data[i] = (2 * stream.uniform() - 1) * bound);
      tensors.set(name, { shape: [...shape], data });
    }
    return tensors;
  }
}

/** Name of a tensor of the base model in PEFT's files. */
export function peftName(name: string): string {
  return PEFT_PREFIX + name;
}

/** Names of the A and B of a projection's weight, `...q_proj.weight`, in checkpoints and PEFT files. */
export function adapterNames(weight: string): { a: string; b: string } {
  const module = peftName(weight.replace(/\.weight$/, ""));
  return { a: `${module}.lora_A.weight`, b: `${module}.lora_B.weight` };
}

/** Whether a tensor of a checkpoint belongs to an adapter. */
export function isAdapterTensor(name: string): boolean {
  return name.startsWith(PEFT_PREFIX) && /\.lora_[AB]\.weight$/.test(name);
}

/**
 * y + scale * (dropout(x) A^T) B^T, in place of y, which is spent. x (N, in), y (N, out) -> (N, out). `low` (N, P r) is
 * what {@link lowRankBackward} asks for; in inference it is spent as well.
 *
 * One mask is drawn for all projections of a weight, where PEFT draws one for each.
 */
export function addLowRank(
  tape: Tape,
  parameters: Weights,
  x: Matrix,
  y: Matrix,
  adapter: ActiveAdapter,
): { y: Matrix; low: Matrix } {
  const { device } = tape;
  const input = droppedInput(tape, x, adapter);
  const low = times(device, parameters, input, adapter.a);
  if (input !== x) device.release(input);
  const scaled = scale(device, low, adapter.scale);
  device.release(low);
  const sum = times(device, parameters, scaled, adapter.b, y);
  device.release(y);
  if (!tape.training) device.release(scaled);
  return { y: sum, low: scaled };
}

/**
 * Adds the gradients of A and B; `low` is spent. dy (N, out) is the gradient of the sum, and dx (N, in), if it is
 * wanted, that of the weight below -> the whole gradient of x, in place of dx.
 */
export function lowRankBackward(
  tape: Tape,
  parameters: Weights,
  x: Matrix,
  low: Matrix,
  dy: Matrix,
  dx: Matrix | undefined,
  adapter: ActiveAdapter,
): Matrix | undefined {
  const { device } = tape;
  const b = parameters.matrix(adapter.b);
  const gradientB = parameters.gradient(adapter.b);
  if (gradientB) {
    matmulAt(device, dy, low, gradientB, true);
    if (!isWhole(adapter, b)) keepBlocks(device, gradientB, b.rows, b.cols, adapter.blocks);
  }
  device.release(low);
  const unscaled = matmul(device, dy, b);
  const dLow = scale(device, unscaled, adapter.scale);
  device.release(unscaled);
  const gradientA = parameters.gradient(adapter.a);
  if (gradientA) {
    // The dropped input is computed again: kept, it would be the largest matrix of the layer.
    const input = droppedInput(tape, x, adapter);
    matmulAt(device, dLow, input, gradientA, true);
    if (input !== x) device.release(input);
  }
  const whole = dx && addInputGradient(device, parameters, dLow, dx, adapter);
  device.release(dLow);
  return whole;
}

function addInputGradient(
  device: Device,
  parameters: Weights,
  dLow: Matrix,
  dx: Matrix,
  { a, dropout: rate, seed, stream }: ActiveAdapter,
): Matrix {
  const spent = [dx];
  let sum: Matrix;
  if (rate === 0) {
    sum = matmul(device, dLow, parameters.matrix(a), { addend: dx });
  } else {
    const term = matmul(device, dLow, parameters.matrix(a));
    const dropped = dropout(device, term, seed!, stream, rate);
    sum = add(device, dx, dropped);
    spent.push(term, dropped);
  }
  for (const matrix of spent) device.release(matrix);
  return sum;
}

function droppedInput(tape: Tape, x: Matrix, { dropout: rate, seed, stream }: ActiveAdapter): Matrix {
  if (!tape.training || rate === 0) return x;
  if (!seed) throw new Error("An adapter with dropout needs a seed in training");
  return dropout(tape.device, x, seed, stream, rate);
}

/** x W^T + addend. */
function times(device: Device, parameters: Weights, x: Matrix, weight: string, addend?: Matrix): Matrix {
  const transposed = parameters.transposed(weight);
  return transposed
    ? matmul(device, x, transposed, { addend })
    : matmulBt(device, x, parameters.matrix(weight), { addend });
}

/** Whether B is a single block with nothing beside it. */
function isWhole({ blocks: [first, ...others] }: LoraAdapter, b: Matrix): boolean {
  return others.length === 0 && first.start === 0 && first.end === b.rows;
}

function isA(name: string): boolean {
  return name.endsWith(".lora_A.weight");
}

function isTarget({ name }: ParameterPart, { targetModules }: LoraOptions): boolean {
  const module = name.split(".").at(-2)!;
  return (targetModules === "all" ? LORA_TARGETS : targetModules).some((target) => target === module);
}

function adapterSpecs(
  { rows, cols }: ParameterSpec,
  names: { a: string; b: string },
  parts: readonly ParameterPart[],
  r: number,
): ParameterSpec[] {
  const stride = Math.ceil(r / 4) * 4;
  const aParts: ParameterPart[] = parts.map(({ name }, p) => ({
    name: adapterNames(name).a,
    shape: [r, cols],
    row: p * stride,
    col: 0,
  }));
  const bParts: ParameterPart[] = parts.map(({ name, shape, row }, p) => ({
    name: adapterNames(name).b,
    shape: [shape[0], r],
    row,
    col: p * stride,
  }));
  const width = parts.length * stride;
  return [
    { name: names.a, rows: width, cols, init: "normal", decay: true, product: true, parts: aParts },
    { name: names.b, rows, cols: width, init: "zeros", decay: true, product: true, parts: bParts },
  ];
}

function checkOptions({ r, alpha, dropout, targetModules }: LoraOptions): void {
  const refuse = (what: string, found: unknown, expected: string) => {
    throw new UserError(`Cannot make LoRA adapters: ${what} is ${found}, expected ${expected}`);
  };
  if (!Number.isInteger(r) || r < 1) refuse("r", r, "an integer of 1 or more");
  if (!(Number.isFinite(alpha) && alpha > 0)) refuse("alpha", alpha, "a number above 0");
  if (!(dropout >= 0 && dropout < 1)) refuse("dropout", dropout, "0 or more and less than 1");
  if (targetModules === "all") return;
  if (targetModules.length === 0) refuse("the list of target modules", "empty", LORA_TARGETS.join(", "));
  for (const module of targetModules) {
    if (!LORA_TARGETS.some((target) => target === module)) {
      refuse("a target module", module, `some of ${LORA_TARGETS.join(", ")}`);
    }
  }
}
