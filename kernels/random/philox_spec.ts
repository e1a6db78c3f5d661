import { flatOf, type KernelSpec, type Values } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { randomUniform } from "./philox.ts";

type Words4 = [number, number, number, number];

/**
 * Philox4x32-10: 128 bits of counter and 64 bits of key to 128 random bits, as four u32. Plain 64-bit products: what
 * the kernels are tested with. Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
export function philox4x32Reference(counter: Readonly<Words4>, key: readonly [number, number]): Words4 {
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  const word = (value: bigint) => BigInt.asUintN(32, value);
  for (let round = 0; round < 10; round++) {
    const x = 0xD2511F53n * c0;
    const z = 0xCD9E8D57n * c2;
    [c0, c1, c2, c3] = [(z >> 32n) ^ c1 ^ k0, word(z), (x >> 32n) ^ c3 ^ k1, word(x)];
    k0 = word(k0 + 0x9E3779B9n);
    k1 = word(k1 + 0xBB67AE85n);
  }
  return [Number(c0), Number(c1), Number(c2), Number(c3)];
}

/** Seeds of kernel tests: all words differ, and use their high bits. */
export function testSeed(i: number): Values {
  return flatOf("u32", [0x243f6a88 + i, 0xa4093822 - i, 0xffffffff - i, 0]);
}

export const spec: KernelSpec<{ length: number; stream: number }> = {
  name: "randomUniform",
  cases: () =>
    [[4, 0], [1000, 7], [64 * 4, 0xffffffff]].map(([length, stream], i) => ({
      name: `${length} in stream ${stream}`,
      inputs: { seed: testSeed(i) },
      attributes: { length, stream },
    })),
  reference: ({ seed: { data: seed } }, { length, stream }) => {
    const data = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      const words = philox4x32Reference([i >> 2, stream, seed[2], 0], [seed[0], seed[1]]);
      data[i] = Math.floor(words[i % 4] / 256) / 2 ** 24;
    }
    return { uniforms: { kind: "f32", rows: 1, cols: length, data } };
  },
  forward: (device, { seed }, { length, stream }) => {
    const uniforms = device.createFlat("f32", length);
    randomUniform(device, seed as Flat, stream, uniforms);
    return { uniforms };
  },
  tolerance: { forward: 0 },
};
