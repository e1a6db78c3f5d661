import { UserError } from "../../base/user_error.ts";
import type { HostTensor } from "../parameters/parts.ts";
import { readPickle } from "./pickle.ts";
import { zipEntries } from "./zip_entries.ts";

const DTYPES: Record<string, { bytes: number; read(buffer: ArrayBuffer): ArrayLike<number> }> = {
  FloatStorage: { bytes: 4, read: (buffer) => new Float32Array(buffer) },
  DoubleStorage: { bytes: 8, read: (buffer) => new Float64Array(buffer) },
  HalfStorage: { bytes: 2, read: (buffer) => new Float16Array(buffer) },
};

interface Storage {
  bytes: Uint8Array;
  type: string;
}

/** A tensor where its pickle stands: nothing is copied until it is asked for. */
class StoredTensor {
  readonly shape: number[];
  readonly #values: () => Float32Array<ArrayBuffer>;

  constructor(shape: number[], values: () => Float32Array<ArrayBuffer>) {
    this.shape = shape;
    this.#values = values;
  }

  toHost(): HostTensor {
    return { shape: this.shape, data: this.#values() };
  }
}

/**
 * Float tensors of a checkpoint of `torch.save` (`.pth`, `.pt`) by name: those of its `state_dict`, or of the file where it
 * is one. Names lose a leading `module.`. Nothing in the file is run.
 * @throws {UserError} for a file that is damaged or holds no tensors; `source` names it.
 */
export function readTorchCheckpoint(bytes: Uint8Array, source: string): Map<string, HostTensor> {
  const entries = zipEntries(bytes, source);
  const [path] = [...entries.keys()].filter((name) => name === "data.pkl" || name.endsWith("/data.pkl"));
  if (path === undefined) {
    throw new UserError(
      `Cannot read ${source}: it has no data.pkl, expected a file of torch.save(). Check the path`,
    );
  }
  const folder = path.slice(0, -"data.pkl".length);
  const value = readPickle(
    entries.get(path)!,
    source,
    (id) => storage(id, entries, folder, source),
    (type, args) => {
      if (type === "collections.OrderedDict") return new Map();
      if (type === "torch._utils._rebuild_tensor_v2") return tensor(args, source);
      if (type === "torch._utils._rebuild_parameter") return args[0];
    },
  );
  const inner = value instanceof Map ? value.get("state_dict") : undefined;
  const found = new Map<string, HostTensor>();
  for (const [name, stored] of inner instanceof Map ? inner : value instanceof Map ? value : []) {
    if (typeof name === "string" && stored instanceof StoredTensor) {
      found.set(name.replace(/^module\./, ""), stored.toHost());
    }
  }
  if (found.size > 0) return found;
  throw new UserError(
    `Cannot read ${source}: it has no tensors, expected a state_dict. Save model.state_dict()`,
  );
}

function storage(id: unknown, entries: Map<string, Uint8Array>, folder: string, source: string): Storage {
  const [, type, key] = Array.isArray(id) ? id : [];
  const bytes = entries.get(`${folder}data/${key}`);
  if (bytes !== undefined) {
    return { bytes, type: String((type as { type?: string })?.type).split(".").at(-1)! };
  }
  throw new UserError(`Cannot read ${source}: it lacks data/${key}, which a tensor is in. Copy it again`);
}

function tensor([from, offset, shape, stride]: readonly unknown[], source: string): StoredTensor | undefined {
  const { bytes, type } = (from ?? {}) as Partial<Storage>;
  const numbers = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((value) => Number.isInteger(value) && value >= 0);
  if (bytes === undefined || !numbers(shape) || !numbers(stride) || !numbers([offset])) return undefined;
  return new StoredTensor(shape, () => {
    const dtype = Object.hasOwn(DTYPES, type!) ? DTYPES[type!] : undefined;
    const rows = shape.reduce((product, size) => product * size, 1);
    let step = 1;
    const isDense = shape.toReversed().every((size, i) => {
      const matches = size === 1 || stride[shape.length - 1 - i] === step;
      step *= size;
      return matches;
    });
    if (dtype === undefined || !isDense) {
      throw new UserError(
        `Cannot read ${source}: a tensor is of ${type}${
          isDense ? "" : " and not contiguous"
        }, expected contiguous ` +
          "float16, float32 or float64. Save it with .float().contiguous()",
      );
    }
    const whole = bytes.slice(0, bytes.length - bytes.length % dtype.bytes);
    const all = dtype.read(whole.buffer as ArrayBuffer), start = offset as number;
    if (start + rows <= all.length) return Float32Array.from({ length: rows }, (_, i) => all[start + i]);
    throw new UserError(`Cannot read ${source}: a tensor is cut off. Copy it again`);
  });
}
