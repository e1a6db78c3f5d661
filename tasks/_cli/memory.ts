import type { Device } from "../../kernels/gpu/device.ts";
import { type Counted, countedOn, openCounting, rehearsed } from "../../kernels/gpu/rehearsal.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import type { TaskIO } from "./cli.ts";

/** What a CPU adapter holds of a kernel that it compiled: measured on llvmpipe with sasrec, gru4rec and tiger. */
const KERNEL_BYTES = 2.3 * 2 ** 20;

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
  const { rss } = Deno.memoryUsage();
  const compiled = kernels * KERNEL_BYTES;
  io.log(
    `Memory: about ${formatBytes(rss + bytes + compiled)}: ${formatBytes(bytes)} for ${what}, ${
      kernels > 0 ? `${formatBytes(compiled)} for ${kernels} kernels, ` : ""
    }${formatBytes(rss)} of the process`,
  );
}

/**
 * Counts what `work` holds on a device that computes nothing (see `rehearsed()`), and says it. Throws `DeviceError`
 * for more than the limits of the device and its memory, before anything is computed.
 */
export async function tellRehearsed(
  device: Device,
  work: Parameters<typeof rehearsed>[1],
  what: string,
  io: Pick<TaskIO, "log">,
): Promise<void> {
  tellCounted(device, await rehearsed(device, work), what, io);
}

/** The same for work that may need no device: it asks for one, and `open` opens the one that it is to be like. */
export async function tellAsked(
  open: () => Promise<Device>,
  work: (device: () => Promise<Device>) => Promise<unknown>,
  what: string,
  io: Pick<TaskIO, "log">,
): Promise<void> {
  let counting: Device | undefined;
  await work(async () => counting ??= await openCounting(await open()));
  if (counting) tellCounted(await open(), countedOn(counting), what, io);
}

/** Kernels that `device` has compiled are not counted again. */
function tellCounted(device: Device, { bytes, pipelines }: Counted, what: string, io: Pick<TaskIO, "log">) {
  tellMemory(device, bytes, what, io, Math.max(0, pipelines - device.counters.pipelines));
}
