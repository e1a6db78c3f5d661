import assert from "node:assert/strict";
import { sftStep } from "../../../bench/layouts/sft.ts";
import { sftRows } from "../../../bench/layouts/sft_rows.ts";
import { SFT_SHAPES } from "../../../bench/layouts/sft_shapes.ts";
import { Device } from "../../../kernels/gpu/device.ts";

Deno.test("sftStep() learns the same from packed rows as from padded ones", async () => {
  const config = { ...SFT_SHAPES.tiny, hidden_size: 16, head_dim: 8, intermediate_size: 24, vocab_size: 90 };
  const rows = sftRows(config.vocab_size, { rows: 4 });
  const device = await Device.open();
  const [packed, padded] = (["packed", "padded"] as const).map((layout) =>
    sftStep(device, config, rows, layout)
  );
  assert.ok(packed.capacity.tokens < padded.capacity.tokens);
  assert.equal(padded.capacity.rows, 4 * Math.max(...rows.map(({ tokens }) => tokens.length)));
  for (let step = 0; step < 3; step++) {
    packed.run();
    padded.run();
    const losses = [await packed.loss(), await padded.loss()];
    assert.ok(Math.abs(losses[0] - losses[1]) < 1e-5, `step ${step}: ${losses}`);
    // Random ids: about ln 90 = 4.5 before anything is learned.
    assert.ok(Math.abs(losses[0] - 4.5) < 0.2, `step ${step}: ${losses}`);
  }
});

Deno.test("sftRows() ends with the targets of each row, and takes as many as fit", () => {
  const rows = sftRows(1000, { tokens: 500 });
  const more = sftRows(1000, { rows: rows.length + 1 });
  const total = (list: typeof rows) => list.reduce((sum, { tokens }) => sum + tokens.length, 0);
  assert.ok(
    total(rows) <= 500 && total(more) > 500,
    `${total(rows)} tokens, ${total(more)} with one row more`,
  );
  for (const { tokens, targets } of rows) {
    assert.equal(targets.at(-1)!.at, tokens.length - 1);
    assert.equal(targets[0].at, tokens.length - targets.length);
  }
  assert.deepEqual(more.slice(0, -1), rows);
});
