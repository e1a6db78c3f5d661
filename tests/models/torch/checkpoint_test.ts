import assert from "node:assert/strict";
import { readTorchCheckpoint } from "../../../models/torch/checkpoint.ts";
import { publishedTokenizer } from "../../../train/etegrec/published_tokenizer.ts";
import fc from "../../property.ts";
import { storedZip, torchFile } from "./state_dict_file.ts";

const layer = (rows: number, cols: number, first: number) => ({
  shape: [rows, cols],
  data: Array.from({ length: rows * cols }, (_, i) => first + i),
});
const bias = (rows: number) => ({ shape: [rows], data: Array<number>(rows).fill(0.5) });
/** An RQ-VAE of 3 -> 4 -> 2 with dropout before its linear layers, so that they are 1 and 4. */
const RQVAE = {
  "module.encoder.mlp_layers.1.weight": layer(4, 3, 0),
  "module.encoder.mlp_layers.1.bias": bias(4),
  "module.encoder.mlp_layers.4.weight": layer(2, 4, 20),
  "module.encoder.mlp_layers.4.bias": bias(2),
  "module.rq.vq_layers.0.embedding.weight": layer(5, 2, 40),
  "module.rq.vq_layers.1.embedding.weight": layer(5, 2, 60),
  "module.decoder.mlp_layers.1.weight": layer(4, 2, 80),
  "module.decoder.mlp_layers.1.bias": bias(4),
  "module.decoder.mlp_layers.4.weight": layer(3, 4, 100),
  "module.decoder.mlp_layers.4.bias": bias(3),
};

Deno.test("readTorchCheckpoint() has the tensors of a state_dict, and runs nothing of the file", () => {
  const tensors = readTorchCheckpoint(torchFile(RQVAE), "a.pth");
  assert.equal(tensors.size, 10);
  assert.deepEqual(tensors.get("encoder.mlp_layers.4.weight"), {
    shape: [2, 4],
    data: Float32Array.of(20, 21, 22, 23, 24, 25, 26, 27),
  });
});

Deno.test("publishedTokenizer() has the layers in order and takes vectors as they are", () => {
  const { codebookSizes, normalize, tensors } = publishedTokenizer(
    readTorchCheckpoint(torchFile(RQVAE), "a.pth"),
    "a.pth",
  );
  assert.deepEqual([codebookSizes, normalize], [[5, 5], "none"]);
  assert.equal(tensors.get("encoder.1.weight")!.data[0], 20);
  assert.equal(tensors.get("decoder.1.weight")!.data[0], 100);
  assert.equal(tensors.get("codebook.1")!.data[0], 60);
  assert.deepEqual([...tensors.get("input.scale")!.data], [1, 1, 1]);
  const {
    "module.rq.vq_layers.0.embedding.weight": _,
    "module.rq.vq_layers.1.embedding.weight": __,
    ...bare
  } = RQVAE;
  assert.throws(() => publishedTokenizer(readTorchCheckpoint(torchFile(bare), "b.pth"), "b.pth"), {
    name: "UserError",
    message: /b\.pth: it has no codebooks/,
  });
});

Deno.test("readTorchCheckpoint() says what is wrong with other files, and damaged ones end in a UserError or tensors", () => {
  assert.throws(() => readTorchCheckpoint(new Uint8Array(9), "a.pth"), /a\.pth: it is no whole zip file/);
  assert.throws(
    () => readTorchCheckpoint(storedZip({ x: new Uint8Array(1) }), "a.pth"),
    /it has no data\.pkl/,
  );
  const whole = torchFile(RQVAE);
  assert.throws(() => readTorchCheckpoint(whole.subarray(0, whole.length - 30), "a.pth"), {
    name: "UserError",
  });
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (place, value) => {
      const damaged = whole.slice();
      damaged[place] = value;
      try {
        readTorchCheckpoint(damaged, "a.pth");
      } catch (error) {
        assert.equal((error as Error).name, "UserError", `${(error as Error).stack}`);
      }
    }),
  );
});
