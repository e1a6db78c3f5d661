import type { Device } from "../../kernels/gpu/device.ts";

const opened: Device[] = [];

/** Notes a device that this process opened. */
export function remember(device: Device): void {
  opened.push(device);
}

/** Gives back what ended work on these devices has left in their pools: the stages of a task open a device each. */
export function trimDevices(): void {
  for (const device of opened) device.trim();
}

/** Waits for the work of every open device: a process that exits with work in flight may crash in the driver. */
export async function settleDevices(): Promise<void> {
  if (opened.length === 0) return;
  // A device that is lost or hangs must not keep the process alive.
  const patience = new Promise((resume) => setTimeout(resume, 5000));
  const settled = opened.map((device) => device.gpu.queue.onSubmittedWorkDone().catch(() => {}));
  await Promise.race([Promise.all(settled), patience]);
}
