import { ATTENTION } from "../../kernels/attention/attention.ts";
import { autotune } from "../../kernels/autotune.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { MATMUL } from "../../kernels/matmul/matmul.ts";
import { parseVariants } from "../../kernels/variant_names.ts";

/**
 * Times every variant of matmul and attention at training shapes and prints which one wins:
 * `deno run -A bench/kernels/variants.ts [layout]`. Times of one call; a variant twice as slow as the best is sampled once.
 */
const MATMULS = [[1024, 1024, 1024], [2048, 256, 256], [2048, 1024, 256], [2048, 256, 1024], [
  2048,
  1200,
  256,
]];
const HEADS = [{ heads: 4, kvHeads: 4, headDim: 32 }, { heads: 8, kvHeads: 2, headDim: 64 }];
const TOKENS = 2048;

if (import.meta.main) {
  const device = await Device.open({
    ...parseVariants(Deno.args[0] ?? ""),
  });
  console.log(`${device.info.description || device.info.device}, ${device.layout} layout`);
  for (const [rows, cols, inner] of MATMULS) {
    device.variants.of(MATMUL, { form: "ab", rows: rows, cols: cols, inner: inner });
    device.variants.of(MATMUL, { form: "abt", rows: rows, cols: cols, inner: inner }); // dX of a product with the widths exchanged
    device.variants.of(MATMUL, { form: "atb", rows: inner, cols: cols, inner: rows });
  }
  for (const shape of HEADS) {
    device.variants.of(ATTENTION, { ...shape, pass: "forward", rows: TOKENS });
    device.variants.of(ATTENTION, { ...shape, pass: "backward", rows: TOKENS });
  }
  await autotune(device, new Map(), { log: console.log });
}
