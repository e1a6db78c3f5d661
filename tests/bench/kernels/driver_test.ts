import assert from "node:assert/strict";
import { driverEnvironment } from "../../../bench/kernels/driver.ts";

Deno.test("each driver and each width of its vectors has a shader cache of its own", () => {
  const asked = [
    {},
    { driver: "/a/lvp.json" },
    { driver: "/b/lvp.json" },
    { driver: "/a/lvp.json", width: "256" },
    { driver: "/a/lvp.json", width: "512" },
  ];
  const made = asked.map((driver) => driverEnvironment("/work", driver));
  assert.equal(new Set(made.map(({ MESA_SHADER_CACHE_DIR }) => MESA_SHADER_CACHE_DIR)).size, asked.length);
  assert.deepEqual(made[0], { MESA_SHADER_CACHE_DIR: "/work/shaders-system" });
  const { MESA_SHADER_CACHE_DIR: _, ...wide } = made[4];
  assert.deepEqual(wide, { VK_DRIVER_FILES: "/a/lvp.json", LP_NATIVE_VECTOR_WIDTH: "512" });
});
