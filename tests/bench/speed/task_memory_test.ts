import assert from "node:assert/strict";
import { saidBytes } from "../../../bench/speed/task_memory.ts";

Deno.test("saidBytes() is the largest of what a log says, whatever its unit", () => {
  const log =
    "Memory: about 676.5 MiB: 300.0 MiB for a batch\nMemory: about 1.5 GiB: 1.0 GiB for the training\n";
  assert.equal(saidBytes(log), 1.5 * 2 ** 30);
  assert.equal(saidBytes("The memory of counts: 3.0 MiB"), undefined);
});
