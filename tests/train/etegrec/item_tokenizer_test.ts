import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import type { TensorMap } from "../../../models/parameters/parameters.ts";
import { RqVae } from "../../../models/quantizer/rq_vae.ts";
import { fitNormalizer, normalizerTensors } from "../../../sid/normalize.ts";
import { codeTable, type CodeTableConfig } from "../../../train/etegrec/code_table.ts";
import {
  checkTokenizer,
  ItemTokenizer,
  type StoredItemTokenizer,
  tokenizerFolder,
} from "../../../train/etegrec/item_tokenizer.ts";

const SIZES = { width: 4, levels: 2, codebookSize: 3, latentDim: 4 };
const device = await Device.open();

/** A tokenizer of fresh weights, and vectors that it reads. */
function fresh(
  rows: number,
): { stored: StoredItemTokenizer; vectors: ConstructorParameters<typeof ItemTokenizer>[1] } {
  const codebookSizes = new Array<number>(SIZES.levels).fill(SIZES.codebookSize);
  const shape = { width: SIZES.width, layers: [8], latentWidth: SIZES.latentDim, codebookSizes };
  const model = new RqVae(device, { ...shape, skip: false, batchNorm: false });
  const vectors = { data: new Float32Array(rows * SIZES.width).fill(1), rows, dim: SIZES.width };
  const tensors: TensorMap = new Map([
    ...model.initial(3),
    ...normalizerTensors(fitNormalizer(vectors, "none")),
  ]);
  model.destroy();
  return { stored: { codebookSizes, normalize: "none", tensors }, vectors };
}

Deno.test("checkTokenizer() names both sizes where a tokenizer has others than vectors or flags", () => {
  const { stored } = fresh(2);
  checkTokenizer(stored, "runs/a/tokenizer", SIZES);
  const cases: [Partial<typeof SIZES>, RegExp][] = [
    [{ width: 8 }, /reads vectors of width 4, the vectors given have 8/],
    [{ levels: 3 }, /has levels 2, --tokenizer-levels says 3/],
    [{ codebookSize: 256 }, /runs\/a\/tokenizer: it has codewords 3, --tokenizer-codebook-size says 256/],
    [{ latentDim: 32 }, /has latents of width 4, --tokenizer-latent-dim says 32/],
  ];
  for (const [sizes, message] of cases) {
    assert.throws(
      () => checkTokenizer(stored, "runs/a/tokenizer", { ...SIZES, ...sizes }),
      (error) => error instanceof UserError && message.test(error.message),
    );
  }
});

Deno.test("tokenizerFolder() says where there is no tokenizer", async () => {
  await assert.rejects(
    tokenizerFolder("runs/none"),
    (error) => error instanceof UserError && /the tokenizer runs\/none: there is none/.test(error.message),
  );
});

Deno.test("codeTable() tells items of equal codes apart as long as there are codes to do so", async () => {
  const { stored, vectors } = fresh(4); // all items alike
  const tokenizer = new ItemTokenizer(device, vectors, stored);
  const table = (settings: Partial<CodeTableConfig>) =>
    codeTable(tokenizer, { uniqueness: "extra-level", suffixCodes: 4, maxHistory: 5, ...settings });
  try {
    const { codes, tokens, conflicts } = await table({});
    assert.deepEqual(conflicts, { largest: 4, share: 1, distinct: 1 });
    const [a, b] = codes[0];
    assert.deepEqual(codes, [0, 1, 2, 3].map((rank) => [a, b, rank]));
    assert.deepEqual(tokens.sizes, [3, 3, 4]);
    assert.deepEqual([...tokens.itemTokens[2]], [1 + a, 4 + b, 9]);
    const refused = (settings: Partial<CodeTableConfig>, message: RegExp) =>
      assert.rejects(table(settings), (error) => error instanceof UserError && message.test(error.message));
    await refused({ suffixCodes: 3 }, /4 items of equal codes apart with 3 further codes.*--suffix-codes/);
    await refused({ uniqueness: "forge" }, /by forge: more than the 3 codewords.*--uniqueness extra-level/);
    await refused({ uniqueness: "nearest-free" }, /by nearest-free: more than the 3 codewords/);
  } finally {
    tokenizer.destroy();
  }
  const three = new ItemTokenizer(device, { ...vectors, data: vectors.data.slice(4), rows: 3 }, stored);
  const { codes, tokens } = await codeTable(three, { uniqueness: "forge", suffixCodes: 4, maxHistory: 5 });
  three.destroy();
  assert.deepEqual(tokens.sizes, [3, 3]);
  assert.equal(new Set(codes.map(String)).size, 3);
});
