import { join } from "node:path";
import type { Device } from "../../kernels/gpu/device.ts";
import { cacheFolder, claimCache } from "../../base/files/cache_folder.ts";

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

/** What the driver reads of the environment once, when the first adapter is asked for; what is set stays. */
export function setDriver(): void {
  if (Deno.build.os !== "linux") return;
  // Where Vulkan is missing, Deno would silently take OpenGL, which lacks half of what the kernels use.
  if (!Deno.env.has("DENO_WEBGPU_BACKEND")) Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
  // Mesa 25 runs what its cache has of a shader on vectors of whatever width: the numbers are wrong on those of another.
  const width = Deno.env.get("LP_NATIVE_VECTOR_WIDTH");
  if (!width || Deno.env.has("MESA_SHADER_CACHE_DIR")) return;
  if (claimCache()) Deno.env.set("MESA_SHADER_CACHE_DIR", join(cacheFolder(), `shaders-${width}-bits`));
  else Deno.env.set("MESA_SHADER_CACHE_DISABLE", "true");
}
