import assert from "node:assert/strict";
import { join } from "node:path";
import { soak } from "../../bench/soak.ts";
import { tinyRun } from "../tasks/_serve/tiny_service.ts";

Deno.test("serve gives good answers and clean errors alone, whatever clients do and however it ends", async () => {
  const dir = await tinyRun();
  const { answers, faults, ...counts } = await soak({
    run: join(dir, "run"),
    data: join(dir, "data"),
    seconds: 8,
  });
  assert.deepEqual(faults, []);
  assert.ok(counts.reloads >= 1 && counts.ends >= 1, JSON.stringify(counts));
  for (const key of ["good: 200", "nonsense: 400", "slow: 408", "hasty: hung up"]) {
    assert.ok(answers[key] > 0, `none of ${key}: ${JSON.stringify(answers)}`);
  }
});
