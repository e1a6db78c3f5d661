import assert from "node:assert/strict";
import { join } from "node:path";
import { writeTogether } from "../../../base/files/write_atomic.ts";

Deno.test("writeTogether() replaces all files or none", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const files = (text: string) => ["a", "b"].map((name) => [join(dir, name), name + text] as const);
    await writeTogether(dir, files("1"));
    // The third cannot be written, as on a full disk.
    await assert.rejects(writeTogether(dir, [...files("2"), [join(dir, "none/c"), "c2"]]), {
      name: "UserError",
      message: new RegExp(`^Cannot write ${dir}: no such file\\. Free some space`),
    });
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), ["a", "b"]);
    assert.equal(await Deno.readTextFile(join(dir, "a")), "a1");
    await writeTogether(dir, files("2"));
    assert.equal(await Deno.readTextFile(join(dir, "b")), "b2");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
