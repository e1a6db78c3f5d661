import type { Device } from "../../kernels/gpu/device.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { partsOf, tensorOf } from "./parts.ts";
import type { WeightBlock, Weights } from "./parameters.ts";
import type { ParameterSpec } from "./spec.ts";
import type { StoredTensor } from "../safetensors/safetensors.ts";
import { Uploads, writingRows } from "./uploads.ts";

/** Where tensors come from. */
export interface TensorSource {
  /** Names the source in messages. */
  readonly folder: string;
  /** Throws `UserError` if there is no tensor of that name. */
  read(name: string): Promise<StoredTensor>;
}

/**
 * Parameters that are only read: each is on the device once, in the form in which products read it, without gradients
 * and the twins of training. A quarter of the memory of `Parameters` in the texture layout, half in the buffer layout.
 */
export class FrozenParameters implements Weights {
  #device: Device;
  #values = new Map<string, { matrix?: Matrix; transposed?: Matrix }>();

  private constructor(device: Device) {
    this.#device = device;
  }

  /**
   * Reads and uploads one parameter after the other, so that the host holds no more than one at a time.
   * @throws {UserError} for a missing tensor or one of another shape.
   */
  static async load(
    device: Device,
    specs: readonly ParameterSpec[],
    source: TensorSource,
    onProgress?: (done: number, total: number) => void,
  ): Promise<FrozenParameters> {
    const frozen = new FrozenParameters(device);
    const uploads = new Uploads(device);
    try {
      for (const [number, spec] of specs.entries()) {
        const transpose = spec.product && device.layout === "texture";
        const values = await assemble(spec, source, transpose);
        const { rows, cols } = spec;
        const matrix = transpose ? device.createMatrix(cols, rows) : device.createMatrix(rows, cols);
        frozen.#values.set(spec.name, transpose ? { transposed: matrix } : { matrix });
        for (const numbers of writingRows(device, matrix, values)) await uploads.wrote(numbers);
        onProgress?.(number + 1, specs.length);
      }
    } catch (error) {
      frozen.destroy();
      throw error;
    }
    return frozen;
  }

  matrix(name: string): Matrix {
    const { matrix } = this.#get(name);
    if (!matrix) throw new RangeError(`Parameter ${name} is kept transposed: ask for transposed()`);
    return matrix;
  }

  blocks(name: string): readonly WeightBlock[] {
    const matrix = this.matrix(name);
    return [{ start: 0, rows: matrix.rows, matrix, transposed: this.transposed(name), gradient: undefined }];
  }

  transposed(name: string): Matrix | undefined {
    return this.#get(name).transposed;
  }

  gradient(_name: string): Flat | undefined {
    return undefined;
  }

  /** Frees everything on the device. */
  destroy(): void {
    for (const { matrix, transposed } of this.#values.values()) this.#device.destroy((matrix ?? transposed)!);
    this.#values.clear();
  }

  #get(name: string): { matrix?: Matrix; transposed?: Matrix } {
    const value = this.#values.get(name);
    if (!value) {
      throw new RangeError(`No parameter ${name}: known are ${[...this.#values.keys()].join(", ")}`);
    }
    return value;
  }
}

/** Host copy of a parameter (rows, cols) put together from its parts; transposed (cols, rows) on demand. */
async function assemble(
  spec: ParameterSpec,
  source: TensorSource,
  transpose: boolean,
): Promise<Float32Array> {
  const { rows, cols } = spec;
  const values = new Float32Array(rows * cols);
  for (const part of partsOf(spec)) {
    const tensor = await source.read(part.name);
    const { data } = tensorOf(new Map([[part.name, tensor]]), part, source.folder);
    const width = part.shape.at(-1)!;
    for (let at = 0; at < data.length; at++) {
      const row = part.row + Math.floor(at / width);
      const col = part.col + at % width;
      values[transpose ? col * rows + row : row * cols + col] = data[at];
    }
  }
  return values;
}
