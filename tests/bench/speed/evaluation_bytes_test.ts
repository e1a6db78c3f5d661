import assert from "node:assert/strict";
import { evaluationBytes } from "../../../bench/speed/evaluation_bytes.ts";
import { Device } from "../../../kernels/gpu/device.ts";

Deno.test("evaluationBytes() adds up beams and prompts, and multiplies them where prompts are copied", async () => {
  const device = await Device.open({ layout: "buffer" });
  const model = { width: 32, layers: 2, vocabulary: 90 };
  const bytes = (users: number, beams: number, promptTokens: number) =>
    evaluationBytes(device, model, { users, beams, promptTokens });
  // Prompts of 64 and 128 tokens fill whole blocks of 256 rows.
  const [small, beams, prompts, both] = [
    await bytes(4, 10, 64),
    await bytes(4, 40, 64),
    await bytes(4, 10, 128),
    await bytes(4, 40, 128),
  ];
  assert.ok(beams > small && prompts > small);
  // What beams and prompts cost together is what each costs alone, but for what they reuse of each other.
  assert.ok(
    both <= beams + prompts - small,
    `${both} bytes, ${beams} + ${prompts} - ${small} expected at most`,
  );
  assert.ok(await bytes(160, 1, 128) > 8 * both);
});
