import { PhiloxStream } from "../../base/philox.ts";
import { UserError } from "../../base/user_error.ts";
import type { TensorSource } from "./frozen.ts";
import { type HostTensor, joinParts, partsOf, tensorOf } from "./parts.ts";
import type { Parameters } from "./parameters.ts";
import type { ParameterSpec } from "./spec.ts";
import { Uploads } from "./uploads.ts";

/** Rows of tables that a checkpoint does not have, or has only as spare ones. */
export interface NewRows {
  /** Parameters that may have more rows than the checkpoint. */
  tables: readonly string[];
  /** The first new row, if the checkpoint has so many; rows that it has from there on are replaced. */
  first: number;
  /** Standard deviation of the noise, as a multiple of 1 / sqrt(columns). */
  noise: number;
  /** Seed of the noise. */
  seed: number;
}

/** How to load parameters. */
export interface LoadOptions {
  /** Parameters to load; default all. */
  names?: ReadonlySet<string>;
  newRows?: NewRows;
  /** Told after each parameter. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Fills parameters from a checkpoint, one after the other, so that the host holds no more than one at a time. New rows of
 * tables become the mean of the old ones plus normal noise, each row its own: they are the same whatever their number.
 * @throws {UserError} for a tensor that is missing, has another shape or holds a number that is not finite.
 */
export async function loadParameters(
  parameters: Parameters,
  source: TensorSource,
  { names, newRows, onProgress }: LoadOptions = {},
): Promise<void> {
  const specs = parameters.specs.filter(({ name }) => !names || names.has(name));
  const uploads = new Uploads(parameters.device);
  for (const [number, spec] of specs.entries()) {
    const tensors = new Map<string, HostTensor>();
    for (const { name } of partsOf(spec)) {
      const tensor = await source.read(name);
      expectFinite(name, tensor.data, source.folder);
      tensors.set(name, newRows?.tables.includes(spec.name) ? grown(spec, tensor, newRows) : tensor);
    }
    const values = joinParts(spec, (part) => tensorOf(tensors, part, source.folder));
    for (const numbers of parameters.writing(spec.name, values)) await uploads.wrote(numbers);
    onProgress?.(number + 1, specs.length);
  }
}

/** The table (n, cols) with all rows of `spec`; as it is where it cannot be that table. */
function grown({ name, rows, cols }: ParameterSpec, tensor: HostTensor, options: NewRows): HostTensor {
  const [found, width] = tensor.shape;
  const first = Math.min(options.first, found);
  if (tensor.shape.length !== 2 || width !== cols || found > rows || first >= rows) return tensor;
  if (first === 0) {
    throw new RangeError(`Table ${name} has no old rows to take the mean of: expected at least one`);
  }
  const mean = new Float64Array(cols);
  for (let at = 0; at < first * cols; at++) mean[at % cols] += tensor.data[at] / first;
  const data = found === rows ? tensor.data : new Float32Array(rows * cols);
  if (found < rows) data.set(tensor.data);
  const deviation = options.noise / Math.sqrt(cols);
  for (let row = first; row < rows; row++) {
    const random = new PhiloxStream(options.seed, `new row of ${name}`, row);
    for (let col = 0; col < cols; col++) data[row * cols + col] = mean[col] + deviation * random.normal();
  }
  return { shape: [rows, cols], data };
}

function expectFinite(name: string, data: Float32Array, source: string): void {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new UserError(
    `Cannot load ${source}: tensor ${name} holds ${data[at]} at ${at}, expected finite numbers. ` +
      "Fetch the checkpoint again, or use an earlier one",
  );
}
