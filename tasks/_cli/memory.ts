import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { DeviceError } from "../../kernels/gpu/device_error.ts";
import { type Counted, countedOn, openCounting, rehearsed } from "../../kernels/gpu/rehearsal.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import type { TaskIO } from "./cli.ts";
import { type DeviceChoice, openDevice } from "./open_device.ts";

const GIB = 2 ** 30;

/** Flags of tasks that may be told how much memory there is. */
export const MemoryFlags = {
  memoryLimit: z.number().min(0).default(0).describe(
    "GiB that the run may take; 0: what the machine has free on a CPU adapter, no limit on a GPU, which does not tell",
  ),
};

/**
 * Lets the device hold what `memoryLimit` leaves: on a CPU adapter, whose matrices lie in the memory of the process, beside
 * what that holds by now.
 */
export function limitMemory(device: Device, { memoryLimit }: { memoryLimit: number }): void {
  if (memoryLimit === 0) return;
  const held = device.isCpu ? Deno.memoryUsage().rss : 0;
  device.memoryLimit = Math.max(0, memoryLimit * GIB - held);
}

/** The device of {@link openDevice}, limited by {@link limitMemory}. */
export async function openLimited(
  flags: DeviceChoice & Parameters<typeof limitMemory>[1],
  io?: Pick<TaskIO, "world" | "log">,
): Promise<Device> {
  const { device } = await openDevice(flags, {}, io);
  limitMemory(device, flags);
  return device;
}

/** What a CPU adapter holds of a kernel that it compiled: measured on llvmpipe with sasrec, gru4rec and tiger. */
const KERNEL_BYTES = 2.3 * 2 ** 20;

/**
 * Share of what was counted that a search may leave for the next, whose shapes are mostly others: the two together are then
 * hardly more than was counted. To make the matrices of 64 searches anew takes no processor time that could be measured
 * (384 users, 50 beams, decoder of width 256, llvmpipe: 16.5 s with and without).
 */
export const KEPT_BY_SEARCHES = 0.5;

let collect: (() => void) | undefined;

/**
 * Frees what nobody reads any more, such as files that were read: V8 lets it stand as long as nothing else is allocated, which
 * may be all of a training.
 */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc");
  }
  collect!();
}

/** V8 collects what has lasted when there are so many times as many bytes: 22.7 MB became 109, then 28.6 became 117. */
const HEAP_GROWTH = 4;
/** Bytes of V8's young objects, in two halves. */
const YOUNG_BYTES = 64 * 2 ** 20;

/**
 * By how many bytes V8's heap will grow, when the result is called, over work that makes `bytes` of objects which live while
 * others are made: it takes those for lasting. Collects garbage, to know what lasts.
 */
export function heapGrowth(bytes: number): () => number {
  collectGarbage();
  const most = HEAP_GROWTH * Deno.memoryUsage().heapUsed + YOUNG_BYTES;
  return () => Math.max(0, Math.min(bytes, most - Deno.memoryUsage().heapTotal));
}

/** What the process holds by now, without what earlier work on the adapter has left in it for what comes. */
export function processBytes({ memory: { together } }: Device): number {
  return Deno.memoryUsage().rss - (together?.reusable ?? 0);
}

/** Bytes that so many kernels take of the process, where the adapter is a CPU. */
export function kernelBytes(kernels: number): number {
  return kernels * KERNEL_BYTES;
}

/**
 * Says before a task starts what it takes: `bytes` for `what` on the device, and on a CPU adapter, whose matrices lie in the
 * memory of the process, what that holds by now, and `kernels` that are not compiled yet. Nothing where nothing is computed
 * on the device.
 */
export function tellMemory(
  device: Device,
  bytes: number,
  what: string,
  io: Pick<TaskIO, "log">,
  kernels = 0,
): void {
  if (bytes === 0) return;
  if (!device.isCpu) {
    io.log(`Memory: about ${formatBytes(bytes)} of the GPU for ${what}`);
    return;
  }
  const process = processBytes(device);
  const compiled = kernelBytes(kernels);
  io.log(
    `Memory: about ${formatBytes(process + bytes + compiled)}: ${formatBytes(bytes)} for ${what}, ${
      kernels > 0 ? `${formatBytes(compiled)} for ${kernels} kernels, ` : ""
    }${formatBytes(process)} of the process`,
  );
}

/**
 * Counts what `work` holds on a device that computes nothing (see `rehearsed()`), and says it, on a CPU adapter with the
 * bytes that it takes in the process. Before anything is computed it throws
 * `DeviceError` for more than the limits of the device, and {@link UserError}, with `remedy`, for more than its memory.
 */
export async function tellRehearsed(
  device: Device,
  work: Parameters<typeof rehearsed>[1],
  what: string,
  io: Pick<TaskIO, "log">,
  { keep = 1, remedy = "Use a smaller model, smaller batches or another machine" }: {
    /** Share of what was counted that a search may leave for what follows: in steps of a training all of it, whose shapes are the same. */
    keep?: number;
    remedy?: string;
  } = {},
): Promise<void> {
  // Another device has no limit, so that all of it is counted.
  const counted = await rehearsed(device.sibling(), work);
  const { bytes, inProcess } = counted;
  if (device.isCpu) counted.bytes += inProcess;
  const needs = [[takenOf(device, counted), device.memoryLimit]];
  if (!device.isCpu) needs.push([inProcess, Deno.systemMemoryInfo().available]);
  for (const [taken, left] of needs) {
    if (taken <= left) continue;
    throw new UserError(
      `Cannot start: ${what} would take ${formatBytes(taken)} and ${
        formatBytes(left)
      } of memory are left. ${remedy}`,
    );
  }
  device.memory.keptLimit = keep * bytes;
  tellCounted(device, counted, what, io);
}

/** Work that may need no device: it asks for one. */
export type AskingWork = (device: () => Promise<Device>) => Promise<unknown>;

/** The same for work that may need no device; `open` opens the one that it is to be like. */
export async function tellAsked(
  open: () => Promise<Device>,
  work: AskingWork,
  what: string,
  io: Pick<TaskIO, "log">,
): Promise<void> {
  let counting: Device | undefined;
  collectGarbage();
  await work(async () => counting ??= await openCounting(await open()));
  if (counting) {
    const device = await open();
    tellCounted(device, countedOn(counting, device), what, io);
  }
  collectGarbage(); // what the process holds of the rehearsal the work makes again
}

/** Work on many things, some at once, of which `size` says how many. */
export interface SizedWork {
  /** What is done and with what, such as "rank users". */
  readonly what: readonly [verb: string, things: string];
  /** Flag of the size, where there is one. */
  readonly flag?: string;
  /** Bytes that it takes beside the device's in the memory of the process, asked for after a rehearsal; default: none. */
  inProcess?(): number;
  /** Share of what was counted that a search may leave for the next, where there is room for more than half. Default: half. */
  keep?: number;
  /** Rehearses the work with so many at once; 0: with as many as the adapter is best at. Passes on how many that are. */
  rehearse(device: () => Promise<Device>, size: number, onSize: (size: number) => void): Promise<unknown>;
}

/**
 * How many things to work on at once: `size`, or where that is 0 as many as the adapter is best at, halved until they fit
 * in the `memoryLimit` of the device. Says what that takes, as {@link tellAsked}. Undefined where no device is asked for.
 * Throws `UserError` where not even one fits, or not `size`.
 */
export async function fittedSize(
  open: () => Promise<Device>,
  { what: [verb, things], flag, inProcess, keep = KEPT_BY_SEARCHES, rehearse }: SizedWork,
  size: number,
  io: Pick<TaskIO, "log">,
): Promise<number | undefined> {
  let tried = size;
  let refused: string | undefined;
  for (;;) {
    let counting: Device | undefined;
    const openCounted = async () => {
      counting ??= await openCounting(await open());
      counting.memoryLimit = Infinity; // what it takes is compared at the end
      return counting;
    };
    let failed: unknown;
    await rehearse(openCounted, tried, (size) => tried = size).catch((error) => failed = error);
    if (failed !== undefined && !(failed instanceof DeviceError)) throw failed;
    if (!counting) return undefined;
    const device = await open();
    const counted = countedOn(counting, device);
    const { bytes } = counted;
    if (device.isCpu) counted.bytes += inProcess?.() ?? 0;
    const taken = takenOf(device, counted);
    if (failed === undefined && taken <= device.memoryLimit) {
      if (refused !== undefined) io.log(`Note: ${tried} ${things} at once, ${refused}`);
      const room = Math.max(KEPT_BY_SEARCHES * bytes, device.memoryLimit - taken);
      device.memory.keptLimit = Math.min(keep * bytes, room);
      tellCounted(device, counted, `${tried} ${things} at once`, io);
      return tried;
    }
    const limit = formatBytes(device.memoryLimit);
    if (tried <= 1 || size > 0) {
      if (failed !== undefined) throw failed;
      throw new UserError(
        `Cannot ${verb} ${tried} ${things} at once: it takes ${
          formatBytes(taken)
        } and ${limit} of memory are left. ` +
          (size > 1
            ? `Use a smaller ${flag}, or leave it out`
            : "Use a smaller model, fewer beams or another machine"),
      );
    }
    refused ??= failed === undefined
      ? `since ${tried} would take ${formatBytes(taken)} and ${limit} of memory are left`
      : `since ${tried} are too many for the adapter`;
    tried = Math.ceil(tried / 2);
  }
}

/** Bytes that work takes beside what the process holds by now. */
function takenOf(device: Device, counted: Counted): number {
  return counted.bytes + (device.isCpu ? kernelBytes(counted.pipelines) : 0);
}

function tellCounted(device: Device, counted: Counted, what: string, io: Pick<TaskIO, "log">) {
  tellMemory(device, counted.bytes, what, io, counted.pipelines);
}
