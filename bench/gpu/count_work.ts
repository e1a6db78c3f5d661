import type { Dispatch, Kernel } from "../../kernels/gpu/kernel.ts";
import type { Device, DeviceOptions } from "../../kernels/gpu/device.ts";
import { openRehearsal } from "../../kernels/gpu/rehearsal.ts";
import { rowBytes, type Tensor } from "../../kernels/gpu/tensor.ts";
import type { KernelWork } from "./roofline.ts";

/** One dispatch and what it has to do. */
export interface DispatchWork extends KernelWork {
  /** File of the kernel below `kernels/`, and its entry point. */
  kernel: string;
}

/** A device that computes nothing and tells of each dispatch. */
export interface CountingDevice {
  device: Device;
  /** What was recorded so far, in order. */
  dispatches: DispatchWork[];
}

/** Attention's share of the work, which its operands do not tell: pairs of a query and a key that it sees, summed over rows. */
export interface AttentionPairs {
  pairs: number;
}

/**
 * A rehearsal of a GPU with this name and every feature that kernels use, with the limits of `like` but for the size of
 * a binding: kernels choose there as they do on such a GPU.
 *
 * What a dispatch has to do is counted from its operands: each that it reads and each that it writes moves once, flats that
 * it may read and write twice. Of products, what they multiply is known too, 2 M N K, and of attention by its
 * pairs; others compute a few operations a number, which memory outruns on every GPU of `peaks.ts`: they count none.
 * A kernel that gathers rows of a table moves less than the whole table, which is counted.
 */
export async function openCountingGpu(
  name: string,
  like: Device,
  dtype: DeviceOptions["dtype"] = "float32",
  { pairs }: AttentionPairs = { pairs: 0 },
): Promise<CountingDevice> {
  const gpu = {
    info: { description: name, device: name, vendor: "", architecture: "" },
    features: new Set(["shader-f16", "subgroups"]),
    limits: withBindings(like.limits),
    layout: "buffer",
  };
  const device = await openRehearsal(gpu as unknown as Device, dtype);
  return { device, dispatches: countDispatches(device, { pairs }) };
}

/** Every dispatch of `device` from now on, in order, with the work of {@link openCountingGpu}. */
export function countDispatches(device: Device, { pairs }: AttentionPairs = { pairs: 0 }): DispatchWork[] {
  const dispatches: DispatchWork[] = [];
  const run = device.run.bind(device);
  device.run = (kernel, dispatch) => {
    run(kernel, dispatch);
    const label = kernel.label.replace(/^kernels\//, "").replace(/\.wgsl$/, "");
    dispatches.push({ kernel: `${label} ${kernel.entry}`, ...workOf(kernel, dispatch, pairs) });
  };
  return dispatches;
}

/** Limits of an adapter, with bindings as large as those of GPUs. */
function withBindings(limits: GPUSupportedLimits): GPUSupportedLimits {
  const large = new Set(["maxBufferSize", "maxStorageBufferBindingSize"]);
  const get = (of: GPUSupportedLimits, name: string) =>
    large.has(name) ? 2 ** 31 - 4 : of[name as keyof GPUSupportedLimits];
  return new Proxy(limits, { get: (of, name) => get(of, String(name)) });
}

function workOf(kernel: Kernel, dispatch: Dispatch, pairs: number): KernelWork {
  const { inputs = [], outputs = [], flats = [], u32 = [] } = dispatch;
  const kind = /^kernels\/(matmul|attention)\/(?!sparse|beams)/.exec(kernel.label)?.[1];
  if (kind === "matmul") {
    const [m, n, k, accumulates] = u32;
    const [a, b] = inputs.map(({ dtype }) => rowBytes(4, dtype) / 4);
    const added = inputs[2] && inputs[2] !== inputs[1] ? bytesOf(inputs[2]) : 0;
    const result = outputs.length ? bytesOf(outputs[0]) : 4 * m * n * (accumulates ? 2 : 1);
    return { flops: 2 * m * n * k, bytes: a * m * k + b * k * n + added + result };
  }
  const moved = [
    ...new Set(inputs),
    ...outputs,
    ...flats.flatMap((flat, i) => kernel.flats[i] === "read" ? [flat] : [flat, flat]),
  ];
  const bytes = moved.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  if (kind !== "attention") return { flops: 0, bytes };
  // Scores and values forward; backward those again, and four gradients that are each as long.
  return { flops: (/backward/.test(kernel.label) ? 10 : 4) * pairs * outputs[0].cols, bytes };
}

function bytesOf(tensor: Tensor): number {
  return tensor.kind === "flat" ? 4 * tensor.length : tensor.rows * rowBytes(tensor.cols, tensor.dtype);
}
