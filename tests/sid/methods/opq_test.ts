import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { UserError } from "../../../base/user_error.ts";
import { opq } from "../../../sid/methods/opq.ts";

const random = new PhiloxStream(7, "test embeddings");
const embeddings = {
  data: Float32Array.from({ length: 300 * 9 }, (_, i) => random.normal() / (1 + i % 9)),
  rows: 300,
  dim: 9,
};

Deno.test("opq.fit() learns orthonormal axes, as many as its parts share evenly", async () => {
  const config = opq.Config.parse({ codebookSize: 16, starts: 1, iterations: 5, rotations: 3 });
  const { model, codes } = await opq.fit(await sharedDevice(), { embeddings }, config);
  const { data: axes, shape } = model.tensors.get("rotation")!;
  assert.deepEqual(shape, [9, 8]);
  for (let i = 0; i < 8; i++) {
    for (let j = 0; j < 8; j++) {
      let dot = 0;
      for (let d = 0; d < 9; d++) dot += axes[d * 8 + i] * axes[d * 8 + j];
      assert.ok(Math.abs(dot - Number(i === j)) < 1e-5, `columns ${i} and ${j}: ${dot}`);
    }
  }
  assert.deepEqual(model.codebookSizes, [16, 16, 16, 16]);
  assert.deepEqual([0, 1, 2, 3].map((l) => model.tensors.get(`codebook.${l}`)!.shape[1]), [9, 9, 4, 4]);
  assert.equal(codes.length, 300 * 4);
});

Deno.test("opq.fit() with a learned rotation ends below the error of the one it starts from", async () => {
  const device = await sharedDevice();
  const fit = (rotations: number) =>
    opq.fit(
      device,
      { embeddings },
      opq.Config.parse({ codebookSize: 16, starts: 1, iterations: 10, rotations }),
    );
  const fixed = await fit(0);
  const learned = await fit(8);
  assert.ok(learned.errors[3] < fixed.errors[3], `${learned.errors} against ${fixed.errors}`);
});

Deno.test("opq.encode() codes the items as fit() did", async () => {
  const device = await sharedDevice();
  const config = opq.Config.parse({ codebookSize: 16, starts: 1, iterations: 5, rotations: 2 });
  const { model, ...coded } = await opq.fit(device, { embeddings }, config);
  assert.deepEqual(await opq.encode(device, embeddings, model, config), coded);
});

Deno.test("opq.fit() refuses more parts than dimensions", async () => {
  const narrow = { data: new Float32Array(40), rows: 20, dim: 2 };
  const config = opq.Config.parse({ codebookSize: 16, starts: 1, productLevels: 3 });
  await assert.rejects(
    async () => opq.fit(await sharedDevice(), { embeddings: narrow }, config),
    (error) => error instanceof UserError && /width 2.* into 3 parts.*--product-levels 2/.test(error.message),
  );
});

Deno.test("opq refuses as many product levels as levels", () => {
  assert.throws(() => opq.Config.parse({ levels: 2 }), /--product-levels must be less than --levels/);
});
