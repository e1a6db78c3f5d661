import type { Device } from "../../kernels/gpu/device.ts";
import { openCounting, rehearsedMemory } from "../../kernels/gpu/rehearsal.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import type { TaskIO } from "./cli.ts";

/**
 * Says before a task starts what it takes: `bytes` for `what` on the device, and on a CPU adapter, whose matrices lie in the
 * memory of the process, what that holds by now. Nothing where nothing is computed on the device.
 */
export function tellMemory(device: Device, bytes: number, what: string, io: Pick<TaskIO, "log">): void {
  if (bytes === 0) return;
  if (!device.isCpu) {
    io.log(`Memory: about ${formatBytes(bytes)} of the GPU for ${what}`);
    return;
  }
  const { rss } = Deno.memoryUsage();
  io.log(
    `Memory: about ${formatBytes(rss + bytes)}: ${formatBytes(bytes)} for ${what}, ${
      formatBytes(rss)
    } of the process`,
  );
}

/**
 * Counts what `work` holds on a device that computes nothing (see `rehearsedMemory()`), and says it. Throws `DeviceError`
 * for more than the limits of the device and its memory, before anything is computed.
 */
export async function tellRehearsed(
  device: Device,
  work: Parameters<typeof rehearsedMemory>[1],
  what: string,
  io: Pick<TaskIO, "log">,
): Promise<void> {
  tellMemory(device, await rehearsedMemory(device, work), what, io);
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
  if (counting) tellMemory(await open(), counting.memory.peak, what, io);
}
