import { createHash } from "node:crypto";
import { join } from "node:path";

/** What a process on a driver has beside the environment of this one; without a driver it is the system's. */
export function driverEnvironment(
  /** Folder for shader caches: one for each driver and width of vectors, since a shared one hides differences. */
  folder: string,
  /** Path of the driver's file, and where given the bits of its vectors. */
  { driver, width = "" }: { driver?: string; width?: string } = {},
): Record<string, string> {
  const name = driver ? createHash("sha256").update(driver).digest("hex").slice(0, 8) : "system";
  return {
    MESA_SHADER_CACHE_DIR: join(folder, `shaders-${name}${width && `-${width}`}`),
    ...(driver && { VK_DRIVER_FILES: driver }),
    ...(width && { LP_NATIVE_VECTOR_WIDTH: width }),
  };
}
