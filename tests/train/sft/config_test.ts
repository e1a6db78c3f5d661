import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { type SftConfig, sftConfig } from "../../../train/sft/config.ts";

Deno.test("sftConfig() fills in defaults and keeps what is given", () => {
  const config = sftConfig({ hiddenSize: 64 });
  assert.deepEqual([config.hiddenSize, config.numHiddenLayers, config.lrSchedulerType], [64, 4, "cosine"]);
});

Deno.test("sftConfig() names every setting that is wrong or unknown", () => {
  const wrong = { dropout: 1, hidenSize: 64 } as Partial<SftConfig>;
  assert.throws(() => sftConfig(wrong), (error: Error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.message, /dropout: .*<1/);
    assert.match(error.message, /hidenSize/);
    return true;
  });
});
