import { autotune } from "../../kernels/autotune.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { parseVariants } from "../../kernels/gpu/variants.ts";

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
    powerPreference: "high-performance",
    ...parseVariants(Deno.args[0] ?? ""),
  });
  console.log(`${device.info.description || device.info.device}, ${device.layout} layout`);
  for (const [rows, cols, inner] of MATMULS) {
    device.variants.matmul("ab", rows, cols, inner);
    device.variants.matmul("abt", rows, cols, inner); // dX of a product with the widths exchanged
    device.variants.matmul("atb", inner, cols, rows);
  }
  for (const shape of HEADS) {
    device.variants.attention("forward", TOKENS, shape);
    device.variants.attention("backward", TOKENS, shape);
  }
  await autotune(device, new Map(), { log: console.log });
}
