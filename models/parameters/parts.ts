import { groupsOf } from "../../kernels/gpu/tensor.ts";
import { UserError } from "../../base/user_error.ts";
import type { ParameterPart, ParameterSpec } from "./spec.ts";

/** A tensor of a checkpoint on the host. */
export interface HostTensor {
  /** Last index fastest. */
  shape: number[];
  /** Values. */
  data: Float32Array;
}

/** Tensors of a checkpoint that make up a parameter. */
export function partsOf(spec: ParameterSpec): readonly ParameterPart[] {
  return spec.parts ?? [{ name: spec.name, shape: [spec.rows, spec.cols], row: 0, col: 0 }];
}

/** The tensor of a part. Throws {@link UserError} where `tensors` has none, or one of another shape. */
export function tensorOf(
  tensors: ReadonlyMap<string, HostTensor>,
  { name, shape }: ParameterPart,
  source: string,
): HostTensor {
  const found = tensors.get(name);
  if (!found) throw new UserError(`Cannot load ${source}: tensor ${name} is missing`);
  if (found.shape.join() === shape.join()) return found;
  throw new UserError(
    `Cannot load ${source}: tensor ${name} has shape [${found.shape}], expected [${shape}]`,
  );
}

/** A parameter (rows, cols) from its parts, rows in whole groups of four. What lies so already is not copied. */
export function joinParts(spec: ParameterSpec, read: (part: ParameterPart) => HostTensor): Float32Array {
  const stride = groupsOf(spec.cols) * 4;
  const parts = partsOf(spec);
  if (parts.length === 1 && isWhole(spec, parts[0], stride)) return read(parts[0]).data;
  const whole = new Float32Array(spec.rows * stride);
  for (const part of parts) {
    const { data } = read(part);
    const cols = part.shape.at(-1)!;
    for (let row = 0; row * cols < data.length; row++) {
      whole.set(data.subarray(row * cols, (row + 1) * cols), (part.row + row) * stride + part.col);
    }
  }
  return whole;
}

/** The reverse of {@link joinParts} for one part; shares memory with `whole` where nothing has to move. */
export function takePart(spec: ParameterSpec, part: ParameterPart, whole: Float32Array): HostTensor {
  const shape = [...part.shape];
  const stride = groupsOf(spec.cols) * 4;
  if (isWhole(spec, part, stride)) return { shape, data: whole };
  const cols = shape.at(-1)!;
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let row = 0; row * cols < data.length; row++) {
    const from = (part.row + row) * stride + part.col;
    data.set(whole.subarray(from, from + cols), row * cols);
  }
  return { shape, data };
}

function isWhole({ rows, cols }: ParameterSpec, { shape }: ParameterPart, stride: number): boolean {
  return stride === cols && shape.reduce((a, b) => a * b, 1) === rows * cols;
}
