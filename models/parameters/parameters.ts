import type { Device } from "../../kernels/gpu/device.ts";
import { DeviceError } from "../../kernels/gpu/device_error.ts";
import { type Int8Matrix, int8Rows, toInt8Rows } from "../../kernels/matmul/int8/rows.ts";
import type { RowBlock } from "../../kernels/rows/gather.ts";
import { refresh } from "../../kernels/rows/refresh.ts";
import { type Flat, groupsOf, type Matrix, padRows, unpadRows } from "../../kernels/gpu/tensor.ts";
import { MOST_READ, readSegments, writeSegments, writingSegments } from "./flat_segments.ts";
import { layoutParameters, ROW_STEP } from "./layout.ts";
import { type HostTensor, joinParts, partsOf, takePart, tensorOf } from "./parts.ts";
import type { ParameterSpec } from "./spec.ts";
import { writingRows } from "./uploads.ts";

/** Rows [start, start + rows) of a parameter. */
export interface WeightBlock extends RowBlock {
  /** Number of rows. */
  readonly rows: number;
  /** Their values transposed (cols, rows); see {@link Weights.transposed}. */
  readonly transposed: Matrix | undefined;
  /** Their gradient, rows in whole groups of four; undefined where they are frozen. */
  readonly gradient: Flat | undefined;
}

/** Parameters as layers see them. */
export interface Weights {
  /**
   * Value (rows, cols). Where a parameter has a transposed twin, only the twin need be there. `RangeError` for a
   * parameter in several blocks.
   */
  matrix(name: string): Matrix;
  /** All rows in order, cut where a matrix can hold no more, and between frozen rows and trained ones. */
  blocks(name: string): readonly WeightBlock[];
  /** Value transposed (cols, rows); undefined where products read the weight as it lies. */
  transposed(name: string): Matrix | undefined;
  /** Value (rows, cols) in eight bits, where that is all there is of it. */
  int8?(name: string): Int8Matrix | undefined;
  /** Where backward passes add to: rows in whole groups of four. Undefined for a weight that is frozen. */
  gradient(name: string): Flat | undefined;
}

// Elements of parameters that are read back together, unless one alone has more: 4 MiB.
const GROUP = 2 ** 20;

/** A tensor of a checkpoint, or some of its values. */
export interface TensorPiece extends HostTensor {
  /** Name of the tensor. */
  name: string;
  /** Number of the first value; absent where `data` is the whole tensor. */
  from?: number;
}

/** Named tensors as in a checkpoint. */
export type TensorMap = Map<string, HostTensor>;

interface Block extends WeightBlock {
  /** Rows in whole groups of four; undefined where they are frozen. */
  readonly value: Flat | undefined;
  /** Place of `value` among all that is trained. */
  readonly trained: { segment: number; at: number; length: number } | undefined;
}

interface Parameter {
  spec: ParameterSpec;
  blocks: readonly Block[];
}

/** Rows of a parameter that are trained and lie together. */
export interface TrainedBlock {
  /** First row in the parameter. */
  start: number;
  /** Number of rows. */
  rows: number;
  /** Weights, rows in whole groups of four. */
  value: Flat;
  /** Their gradients. */
  gradient: Flat;
  /** Number of the segment that they lie in. */
  segment: number;
}

/** Arrays of trained parameters that share a buffer. */
export interface ParameterSegment {
  /** Weights; call `refresh()` after a change. */
  readonly values: Flat;
  /** Gradients, as long. Backward passes add to them; clear them before a step. */
  readonly gradients: Flat;
  /** Elements with weight decay: they come first. */
  readonly decayLength: number;
}

/**
 * All parameters of a model. What is trained lies in one flat array, or in several where a buffer holds no more, so
 * that clipping and the optimizer are a handful of dispatches. Where products cannot read it there, every matrix also
 * has twins, itself and transposed, which `refresh()` renews. Frozen rows have nothing but the matrix itself.
 */
export class Parameters implements Weights {
  /** Device that holds the arrays. */
  readonly device: Device;
  /** Arrays of what is trained. */
  readonly segments: readonly ParameterSegment[];
  /** Elements of all segments, padding included. */
  readonly length: number;
  /** Numbers of the model, frozen ones too, padding not counted. */
  readonly count: number;
  /** Numbers that are trained, padding not counted. */
  readonly trainedCount: number;
  #bases: number[];
  #parameters = new Map<string, Parameter>();
  /** What is kept in eight bits instead. */
  #int8 = new Map<string, { spec: ParameterSpec; value: Int8Matrix }>();

  /**
   * Allocates the arrays, all 0: `load()` or `write()` values next.
   * @throws {DeviceError} for a parameter that is no table and larger than a matrix can be.
   */
  constructor(device: Device, specs: readonly ParameterSpec[]) {
    this.device = device;
    const whole = specs.filter(({ int8 }) => !int8);
    const { maxTextureDimension2D, maxStorageBufferBindingSize, maxBufferSize } = device.limits;
    const { parameters, segments } = layoutParameters(whole, {
      matrixRows: device.layout === "texture" ? maxTextureDimension2D : Infinity,
      bindingBytes: maxStorageBufferBindingSize,
      bufferBytes: maxBufferSize,
    });
    for (const { spec, blocks } of parameters) {
      if (blocks.length === 1 || spec.table) continue;
      throw new DeviceError(
        `Cannot hold parameter ${spec.name} (${spec.rows}, ${spec.cols}) in one matrix: it takes ${blocks.length}. ` +
          "Use --variant buffer, an adapter with larger bindings, or a narrower model",
      );
    }
    this.length = segments.reduce((sum, { length }) => sum + length, 0);
    this.count = specs.reduce((sum, spec) => sum + sizeOf(spec), 0);
    const frozen = specs.reduce(
      (sum, { rows, cols, int8, frozenRows = 0 }) => sum + (int8 ? rows : frozenRows) * cols,
      0,
    );
    this.trainedCount = this.count - frozen;
    this.#bases = segments.map(({ base }) => base);
    this.segments = segments.map(({ length, decayLength }) => ({
      values: device.createFlat("f32", length),
      gradients: device.createFlat("f32", length),
      decayLength,
    }));
    for (const { spec, blocks } of parameters) {
      const made = blocks.map(({ start, rows, trained }) => this.#make(spec, start, rows, trained));
      this.#parameters.set(spec.name, { spec, blocks: made });
    }
    for (const spec of specs) {
      if (!spec.int8) continue;
      const words = device.createFlat("u32", int8Rows(spec.rows) * groupsOf(spec.cols));
      const value = { ...spec, words, scales: device.createFlat("f32", int8Rows(spec.rows)) };
      this.#int8.set(spec.name, { spec, value });
    }
  }

  /** All parameters, those with weight decay first and those in eight bits last. */
  get specs(): ParameterSpec[] {
    return [...this.#parameters.values(), ...this.#int8.values()].map(({ spec }) => spec);
  }

  /** Weights (length) where one segment holds all that is trained; `RangeError` where there are several. */
  get values(): Flat {
    return this.#onlySegment().values;
  }

  /** Gradients (length); see {@link values}. */
  get gradients(): Flat {
    return this.#onlySegment().gradients;
  }

  /** Value (rows, cols), as of the last `refresh()`. */
  matrix(name: string): Matrix {
    return this.#only(name).matrix;
  }

  /** Value transposed (cols, rows); undefined for frozen weights, and in the buffer layout, which products read as they lie. */
  transposed(name: string): Matrix | undefined {
    return this.#only(name).transposed;
  }

  int8(name: string): Int8Matrix | undefined {
    return this.#int8.get(name)?.value;
  }

  /** Gradient, rows in whole groups of four; undefined for a parameter that is frozen. */
  gradient(name: string): Flat | undefined {
    return this.#only(name).gradient;
  }

  blocks(name: string): readonly WeightBlock[] {
    return this.#get(name).blocks;
  }

  /** Value in the flat array itself, rows in whole groups of four: for statistics that a layer keeps up to date. */
  value(name: string): Flat {
    const { value } = this.#only(name);
    if (!value) throw new RangeError(`Parameter ${name} is frozen: it has no place among what is trained`);
    return value;
  }

  /** All that is trained, by parameter. */
  trainedBlocks(): { spec: ParameterSpec; blocks: TrainedBlock[] }[] {
    return [...this.#parameters.values()].map(({ spec, blocks }) => ({
      spec,
      blocks: blocks.flatMap(({ start, rows, value, gradient, trained }) =>
        value && gradient && trained ? [{ start, rows, value, gradient, segment: trained.segment }] : []
      ),
    }));
  }

  /** Sets all gradients to 0. */
  clearGradients(): void {
    for (const { gradients } of this.segments) this.device.clear(gradients);
  }

  /** Renews the twins from the segments: once after each change. */
  refresh(): void {
    if (this.device.viewsFlats) return;
    for (const { spec, blocks } of this.#parameters.values()) {
      for (const { rows, value, matrix, transposed } of blocks) {
        if (value) refresh(this.device, value, rows, spec.cols, matrix, transposed);
      }
    }
  }

  /** Replaces all that is trained by `values` (length). */
  write(values: Float32Array): void {
    writeSegments(this.device, this.segments.map((segment) => segment.values), values);
    this.refresh();
  }

  /** Host copy (length) of all that is trained. */
  async read(): Promise<Float32Array> {
    const [values] = await readSegments(this.device, this.segments.map((segment) => segment.values));
    return values;
  }

  /** Replaces one parameter, for layers at once. `values` (rows, cols), rows in whole groups of four. */
  writeParameter(name: string, values: Float32Array): void {
    this.writing(name, values).forEach(() => {});
  }

  /** {@link writeParameter} in pieces; yields how many numbers each has. */
  *writing(name: string, values: Float32Array): Generator<number> {
    const { device } = this;
    const coded = this.int8(name);
    if (coded) {
      const { words, scales } = toInt8Rows(values, coded.rows, coded.cols);
      device.write(coded.words, words);
      device.write(coded.scales, scales);
      yield words.length + scales.length;
      return;
    }
    const { spec, blocks } = this.#get(name);
    const stride = groupsOf(spec.cols) * 4;
    for (const { start, rows, value, matrix, transposed } of blocks) {
      const part = values.subarray(start * stride, (start + rows) * stride);
      if (!value) {
        yield* writingRows(device, matrix, unpadRows(part, { rows, cols: spec.cols }, stride));
        continue;
      }
      yield* writingSegments(device, [value], part);
      if (!device.viewsFlats) refresh(device, value, rows, spec.cols, matrix, transposed);
    }
  }

  /** Checkpoint tensors from a host copy (length) of a model without frozen rows; see `readTensors()` for others. */
  toTensors(values: Float32Array): TensorMap {
    const tensors: TensorMap = new Map();
    for (const { spec, blocks } of this.#parameters.values()) {
      if (spec.frozenRows) {
        throw new RangeError(`toTensors() cannot tell parameter ${spec.name}: some of its rows are frozen`);
      }
      const start = this.#placeOf(blocks[0]);
      const { rows, cols } = spec;
      const own = values.slice(start, start + rows * groupsOf(cols) * 4);
      for (const part of partsOf(spec)) tensors.set(part.name, takePart(spec, part, own));
    }
    return tensors;
  }

  /**
   * All that is trained (length) from checkpoint tensors; frozen rows of them are passed over.
   * @throws {UserError} for a missing tensor or another shape.
   */
  fromTensors(tensors: TensorMap, source: string): Float32Array {
    const values = new Float32Array(this.length);
    for (const { spec, blocks } of this.#parameters.values()) {
      if (spec.frozenRows === spec.rows) continue;
      const whole = joinParts(spec, (part) => tensorOf(tensors, part, source));
      const stride = groupsOf(spec.cols) * 4;
      for (const block of blocks) {
        if (!block.trained) continue;
        const { start, rows } = block;
        values.set(whole.subarray(start * stride, (start + rows) * stride), this.#placeOf(block));
      }
    }
    return values;
  }

  /**
   * Replaces all parameters, frozen rows too, or only those of `names`.
   * @throws {UserError} for a missing tensor or another shape.
   */
  load(tensors: TensorMap, source: string, names?: ReadonlySet<string>): void {
    for (const spec of this.specs) {
      if (names && !names.has(spec.name)) continue;
      this.writeParameter(spec.name, joinParts(spec, (part) => tensorOf(tensors, part, source)));
    }
  }

  /**
   * Checkpoint tensors one after the other, so that the host holds one parameter at a time, or several small ones.
   * `trained` are arrays in place of the values of the segments, such as the optimizer's average; only parameters with a
   * tensor that is `wanted` are read. Nothing may change them meanwhile. Frozen rows come as the device stores them:
   * rounded on one of float16.
   */
  async *readTensors(
    trained?: readonly Flat[],
    wanted?: (name: string) => boolean,
  ): AsyncGenerator<HostTensor & { name: string }> {
    let joined = new Float32Array();
    for await (const { from, ...tensor } of this.readPieces(trained, wanted)) {
      if (from === undefined) {
        yield tensor;
        continue;
      }
      const { name, shape, data } = tensor;
      if (from === 0) joined = new Float32Array(shape[0] * shape[1]);
      joined.set(data, from);
      if (from + data.length === joined.length) yield { name, shape, data: joined };
    }
  }

  /** {@link readTensors}, but tables, the largest of them, come in pieces of rows, one after the other. */
  async *readPieces(
    trained: readonly Flat[] = this.segments.map(({ values }) => values),
    wanted: (name: string) => boolean = () => true,
  ): AsyncGenerator<TensorPiece> {
    if (this.#int8.size > 0) throw new RangeError("Parameters in eight bits cannot be read back");
    for (const group of this.#groups(wanted)) {
      const [{ spec, blocks }] = group;
      if (spec.table && !spec.parts && spec.cols % 4 === 0 && spec.rows * spec.cols > MOST_READ) {
        yield* this.#readTable(spec, blocks, trained);
        continue;
      }
      const flats = group.flatMap(({ blocks }) =>
        blocks.flatMap(({ trained: place }) =>
          place ? [[this.device.slice(trained[place.segment], place.at, place.length)]] : []
        )
      );
      const read = (await readSegments(this.device, ...flats)).values();
      for (const { spec, blocks } of group) {
        const stride = groupsOf(spec.cols) * 4;
        const whole = new Float32Array(spec.rows * stride);
        for (const { start, rows, matrix, trained: place } of blocks) {
          const values = place
            ? read.next().value!
            : padRows((await this.device.read(matrix))[0], rows, spec.cols);
          whole.set(values, start * stride);
        }
        for (const part of partsOf(spec)) yield { name: part.name, ...takePart(spec, part, whole) };
      }
    }
  }

  async *#readTable(
    { name, rows, cols }: ParameterSpec,
    blocks: readonly Block[],
    trained: readonly Flat[],
  ): AsyncGenerator<TensorPiece> {
    const { device } = this;
    // Slices start where so many whole rows end, whatever their width: see layoutParameters().
    const step = Math.max(ROW_STEP, Math.floor(MOST_READ / cols / ROW_STEP) * ROW_STEP);
    for (const { start, rows: own, matrix, trained: place } of blocks) {
      for (let first = 0; first < own; first += step) {
        const count = Math.min(step, own - first);
        const flat = place &&
          device.slice(trained[place.segment], place.at + first * cols, count * cols);
        const data = flat ? (await device.read(flat))[0] : await device.readRows(matrix, first, count);
        yield { name, shape: [rows, cols], from: (start + first) * cols, data };
      }
    }
  }

  /** Freshly made values: `normal(index)` gives standard normal numbers, `scale(spec)` their standard deviation. */
  initial(normal: () => number, scale: (spec: ParameterSpec) => number): Float32Array {
    const values = new Float32Array(this.length);
    for (const { spec, blocks } of this.#parameters.values()) {
      const stride = groupsOf(spec.cols) * 4;
      for (const block of blocks) {
        if (!block.trained) continue;
        const start = this.#placeOf(block);
        for (let row = 0; row < block.rows; row++) {
          for (let col = 0; col < spec.cols; col++) {
            values[start + row * stride + col] = spec.init === "zeros"
              ? 0
              : spec.init === "ones"
              ? 1
              : normal() * scale(spec);
          }
        }
      }
    }
    return values;
  }

  /** Frees everything on the device. */
  destroy(): void {
    for (const { blocks } of this.#parameters.values()) {
      for (const { value, matrix, transposed } of blocks) {
        if (!value || !this.device.viewsFlats) this.device.destroy(matrix);
        if (transposed) this.device.destroy(transposed);
      }
    }
    for (const { value: { words, scales } } of this.#int8.values()) {
      this.device.destroy(words);
      this.device.destroy(scales);
    }
    for (const { values, gradients } of this.segments) {
      this.device.destroy(values);
      this.device.destroy(gradients);
    }
  }

  /** Parameters in order, small ones together: every read waits for the device, however little it reads. */
  #groups(wanted: (name: string) => boolean): Parameter[][] {
    const groups: Parameter[][] = [];
    let size = Infinity;
    for (const parameter of this.#parameters.values()) {
      if (!partsOf(parameter.spec).some(({ name }) => wanted(name))) continue;
      const own = parameter.spec.rows * groupsOf(parameter.spec.cols) * 4;
      if (size + own > GROUP) {
        groups.push([]);
        size = 0;
      }
      groups.at(-1)!.push(parameter);
      size += own;
    }
    return groups;
  }

  #get(name: string): Parameter {
    const parameter = this.#parameters.get(name);
    if (!parameter) {
      throw new RangeError(`No parameter ${name}: known are ${[...this.#parameters.keys()].join(", ")}`);
    }
    return parameter;
  }

  #only(name: string): Block {
    const { spec, blocks } = this.#get(name);
    if (blocks.length !== 1) {
      throw new RangeError(
        `Parameter ${name} (${spec.rows}, ${spec.cols}) lies in ${blocks.length} blocks of rows, expected 1: read it by blocks()`,
      );
    }
    return blocks[0];
  }

  #onlySegment(): ParameterSegment {
    if (this.segments.length !== 1) {
      throw new RangeError(`Parameters lie in ${this.segments.length} buffers, expected 1: use segments`);
    }
    return this.segments[0];
  }

  #placeOf({ trained }: Block): number {
    return this.#bases[trained!.segment] + trained!.at;
  }

  #make(spec: ParameterSpec, start: number, rows: number, trained: Block["trained"]): Block {
    const { device } = this;
    const segment = trained && this.segments[trained.segment];
    const part = (flat: Flat) => device.slice(flat, trained!.at, trained!.length);
    const value = segment && part(segment.values);
    const gradient = segment && part(segment.gradients);
    const matrix = value && device.viewsFlats
      ? device.asMatrix(value, rows, spec.cols)
      : device.createMatrix(rows, spec.cols);
    // Products read a weight as it lies about as fast: a twin is for those that are trained, whose gradients want one.
    const twin = spec.product && value !== undefined && device.layout === "texture";
    const transposed = twin ? device.createMatrix(spec.cols, rows) : undefined;
    return { start, rows, matrix, transposed, value, gradient, trained };
  }
}

/** Numbers of a parameter; what belongs to none of its parts stays 0. */
function sizeOf(spec: ParameterSpec): number {
  return partsOf(spec).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
