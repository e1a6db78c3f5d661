import { pipelinesBeyond } from "./bindings.ts";
import { Device, type DeviceOptions } from "./device.ts";

/**
 * A device like `device` on which nothing is allocated and nothing computed. Work recorded there costs milliseconds
 * whatever its size, and `memory` then holds the bytes that it would have taken; what the adapter's limits refuse is
 * refused there too. Arrays read as zeros. `dtype` may differ from that of `device`.
 */
export function openRehearsal(device: Device, dtype?: DeviceOptions["dtype"]): Promise<Device> {
  const layout = dtype === "float16" ? "buffer" : device.layout;
  const adapter = {
    info: device.info,
    features: device.features,
    limits: device.limits,
    requestDevice: () => Promise.resolve(rehearsalDevice(device)),
  };
  const gpu = { requestAdapter: () => Promise.resolve(adapter) };
  return Device.open({ gpu: gpu as unknown as GPU, layout, dtype });
}

function rehearsalDevice({ limits, features }: Device): GPUDevice {
  const named: Record<string, unknown> = {
    then: undefined, // or it would be taken for a promise
    limits,
    features,
    lost: new Promise(() => {}),
    createBuffer: ({ size }: GPUBufferDescriptor) => rehearsalBuffer(size),
  };
  return new Proxy(named, {
    get: (known, name: string) => name in known ? known[name] : inert,
  }) as unknown as GPUDevice;
}

function rehearsalBuffer(size: number) {
  return {
    size,
    getMappedRange: (_offset = 0, bytes = size) => new ArrayBuffer(bytes),
    mapAsync: () => Promise.resolve(),
    unmap: () => {},
    destroy: () => {},
  };
}

/** Whatever is asked of it or called on it is this same object. */
const inert: object = new Proxy(() => inert, { get: (_target, name) => name === "then" ? undefined : inert });

/** A rehearsal with the storage of `device`, which also refuses more than its `memoryLimit`. */
export async function openCounting(device: Device): Promise<Device> {
  const rehearsal = await openRehearsal(device, device.dtype === "f16" ? "float16" : "float32");
  rehearsal.memoryLimit = device.memoryLimit;
  rehearsal.memory.keptLimit = 0; // searches leave nothing to each other
  return rehearsal;
}

/** What work takes on a device. */
export interface Counted {
  /** Bytes at the peak. */
  bytes: number;
  /** Bytes that the work takes beside them in the memory of the process, as far as it says so. */
  inProcess: number;
  /** Pipelines that are not compiled yet. */
  pipelines: number;
  /** All of its pipelines. */
  compiled: Device["compiled"];
}

/** What a rehearsal for `device` has counted so far. */
export function countedOn(rehearsal: Device, device: Device): Counted {
  const { memory: { peak: bytes }, compiled } = rehearsal;
  return { bytes, inProcess: 0, pipelines: pipelinesBeyond(device.compiled, compiled), compiled };
}

/** Ends a training that was only to be counted: throws. `inProcess`: bytes that it would take beside the device's. */
export type StopRehearsal = (inProcess?: number) => never;

class Rehearsed extends Error {
  constructor(readonly inProcess: number) {
    super();
  }
}

/**
 * Bytes that a training holds on a device, and the pipelines that it has yet to compile, counted by its own code on one that allocates
 * nothing. `train` calls `stop` once its steps are recorded, or before it would write anything; or it ends.
 * @throws {DeviceError} for more than the limits of the device, and its `memoryLimit`.
 */
export async function rehearsed(
  device: Device,
  train: (rehearsal: Device, stop: StopRehearsal) => Promise<unknown>,
): Promise<Counted> {
  const rehearsal = await openCounting(device);
  let taken = 0;
  try {
    await train(rehearsal, (inProcess = 0) => {
      throw new Rehearsed(inProcess);
    });
  } catch (error) {
    if (!(error instanceof Rehearsed)) throw error;
    taken = error.inProcess;
  }
  return { ...countedOn(rehearsal, device), inProcess: taken };
}
