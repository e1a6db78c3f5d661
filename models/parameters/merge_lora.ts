import { UserError } from "../../base/user_error.ts";
import { adapterNames, isAdapterTensor, type Lora } from "./lora.ts";
import type { HostTensor } from "./parts.ts";
import type { TensorMap, TensorPiece } from "./parameters.ts";

/** A tensor of a checkpoint, or a piece of one that no adapter is for. */
export type NamedTensor = TensorPiece;

/**
 * The weights of a model with its adapters merged into them, W + scale * B A, one tensor after the other; adapters among
 * `tensors` are left out. `adapters` holds all A and B under their names in checkpoints.
 * @throws {UserError} if an adapter is missing or fits no weight.
 */
export async function* mergeLora(
  tensors: AsyncIterable<NamedTensor> | Iterable<NamedTensor>,
  adapters: TensorMap,
  lora: Lora,
): AsyncGenerator<NamedTensor> {
  const waiting = new Set([...adapters.keys()].filter(isAdapterTensor));
  for await (const tensor of tensors) {
    if (isAdapterTensor(tensor.name)) continue;
    const names = adapterNames(tensor.name);
    const [a, b] = [names.a, names.b].map((name) => {
      waiting.delete(name);
      return adapters.get(name);
    });
    if (!a !== !b) throw new UserError(`Cannot merge: of ${names.a} and ${names.b} one is missing`);
    yield a && b ? { ...tensor, data: mergedData(tensor, a, b, lora) } : tensor;
  }
  const [left] = waiting;
  if (left) throw new UserError(`Cannot merge adapter ${left}: the model has no such weight`);
}

/**
 * W (out, in) + scale * B (out, r) A (r, in), summed in double precision.
 * @throws {UserError} for factors of other shapes.
 */
export function mergedData(
  { name, shape, data }: NamedTensor,
  a: HostTensor,
  b: HostTensor,
  { scale }: Pick<Lora, "scale">,
): Float32Array<ArrayBuffer> {
  const [rows, cols] = shape;
  const [r] = a.shape;
  if (a.shape.join() !== [r, cols].join() || b.shape.join() !== [rows, r].join()) {
    throw new UserError(
      `Cannot merge into ${name} (${rows}, ${cols}): A has shape (${a.shape.join(", ")}), B (${
        b.shape.join(", ")
      }). ` +
        "Expected the adapters of this model",
    );
  }
  const merged = Float32Array.from(data);
  const sum = new Float64Array(cols);
  for (let row = 0; row < rows; row++) {
    sum.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = b.data[row * r + k];
      for (let col = 0; col < cols; col++) sum[col] += factor * a.data[k * cols + col];
    }
    for (let col = 0; col < cols; col++) merged[row * cols + col] += scale * sum[col];
  }
  return merged;
}
