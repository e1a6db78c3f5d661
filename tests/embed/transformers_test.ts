import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { diskFiles } from "../../base/files/disk.ts";
import { Device } from "../../kernels/gpu/device.ts";
import type { Pooling } from "../../embed/text/sentence_model.ts";
import { paddedBatches, type TransformersConfig, transformersProvider } from "../../embed/transformers.ts";
import fc from "../property.ts";

interface Golden {
  text: string;
  ids: number[];
  pooled: Record<Pooling, number[]>;
}

const model = fileURLToPath(new URL("../golden/embedding/onnx_encoder", import.meta.url));
const golden: Golden[] = JSON.parse(await Deno.readTextFile(`${model}/golden.json`));
const texts = golden.map(({ text }) => text);

const open = (settings: Partial<TransformersConfig> = {}) =>
  transformersProvider.open({ ...diskFiles, device: () => Device.open() }, {
    model,
    pooling: "auto",
    normalize: false,
    prefix: "",
    batchTokens: 8192,
    onnxFile: "model.onnx",
    ...settings,
  });

for (const pooling of ["mean", "last", "cls"] as const) {
  Deno.test({
    name: `vectors of an ONNX encoder equal transformers', ${pooling}, padded beside others or alone`,
    async fn() {
      const together = await open({ pooling });
      const alone = await open({ pooling, batchTokens: 1 });
      assert.equal(together.dim, 16);
      for (const vectors of [await together.embed(texts), await alone.embed(texts)]) {
        golden.forEach(({ pooled }, at) =>
          pooled[pooling].forEach((expected, i) => {
            const found = vectors[at * 16 + i];
            assert.ok(
              Math.abs(found - expected) < 1e-5,
              `text ${at}[${i}] is ${found}, expected ${expected}`,
            );
          })
        );
      }
      together.close();
      alone.close();
    },
  });
}

Deno.test({
  name: "an ONNX encoder is pooled and cut as its directory says, and scaled to length 1",
  async fn() {
    const embedder = await open({ normalize: true });
    const vectors = await embedder.embed(texts);
    golden.forEach(({ ids, pooled: { cls } }, at) => {
      assert.ok(ids.length <= 12);
      const norm = Math.hypot(...cls);
      cls.forEach((value, i) => assert.ok(Math.abs(vectors[at * 16 + i] - value / norm) < 1e-5));
    });
    embedder.close();
  },
});

Deno.test("a directory without the ONNX file is refused, and those it has are named", async () => {
  await assert.rejects(open({ onnxFile: "model_fp16.onnx" }), {
    name: "UserError",
    message: `Cannot use ${model}: it has neither model_fp16.onnx nor onnx/model_fp16.onnx. ` +
      "Choose one of onnx/model.onnx with --onnx-file",
  });
  await assert.rejects(open({ model: `${model}/1_Pooling` }), {
    name: "UserError",
    message: /Export the model to ONNX, or use --provider decoder/,
  });
  await assert.rejects(open({ model: "" }), { name: "UserError", message: /--model DIR/ });
});

Deno.test("batches hold every text once and are no larger padded than asked, or one text", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 })),
      fc.integer({ min: 1, max: 120 }),
      (lengths, most) => {
        const batches = paddedBatches(lengths, most);
        assert.deepEqual(batches.flat().sort((a, b) => a - b), [...lengths.keys()]);
        for (const batch of batches) {
          const padded = batch.length * Math.max(...batch.map((text) => lengths[text]));
          assert.ok(batch.length === 1 || padded <= most);
        }
      },
    ),
  );
});
