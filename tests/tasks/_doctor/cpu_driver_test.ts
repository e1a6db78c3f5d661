import assert from "node:assert/strict";
import { join } from "node:path";
import { driverOf, otherDriver } from "../../../tasks/_doctor/cpu_driver.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

Deno.test("driverOf() reads the version out of the library that is loaded", async () => {
  await withFiles(
    { "libvulkan_lvp.so": "\x7fELF\0llvmpipe\0Mesa 25.0.7-2~bpo12+1 (LLVM\0" },
    async (folder) => {
      const path = join(folder, "libvulkan_lvp.so");
      const line = (file: string) => `7f00-7f01 r--p 00000000 fe:00 42       ${file}\n`;
      const maps = join(folder, "maps");
      await Deno.writeTextFile(maps, line("/usr/lib/libc.so.6") + line(path) + line("[stack]"));
      assert.deepEqual(driverOf(maps), { version: "Mesa 25.0.7", path });
      await Deno.writeTextFile(maps, line("/usr/lib/libc.so.6") + line("/gone/libvulkan_lvp.so"));
      assert.equal(driverOf(maps), undefined);
      assert.equal(driverOf(join(folder, "none")), undefined);
    },
  );
});

Deno.test("otherDriver() tells of versions that were measured, and of no others", () => {
  const told = (version: string) => otherDriver({ version, path: "" });
  assert.match(told("Mesa 22.3.6")!, /^Mesa 25 /);
  assert.match(told("Mesa 25.0.7")!, /^Mesa 22 .*tiles-block/);
  assert.equal(told("Mesa 24.2.0"), undefined);
});
