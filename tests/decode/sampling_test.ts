import assert from "node:assert/strict";
import { checkSampling, penaliseSeen, tokenAt, tokenShares } from "../../decode/sampling.ts";

interface Golden {
  logits: number[];
  seen: number[];
  cases: {
    repetitionPenalty: number;
    temperature: number;
    topK: number;
    topP: number;
    minP: number;
    shares: Record<string, number>;
  }[];
}

Deno.test("tokens are drawn from the shares of transformers' processors and warpers", async () => {
  const path = new URL("../golden/decoder/sampling.json", import.meta.url);
  const { logits, seen, cases }: Golden = JSON.parse(await Deno.readTextFile(path));
  assert.equal(cases.length, 240);
  for (const { shares: expected, ...options } of cases) {
    const values = Float32Array.from(logits);
    penaliseSeen(values, seen, options.repetitionPenalty);
    const { tokens, shares } = tokenShares(values, options);
    const what = JSON.stringify(options);
    assert.deepEqual([...tokens].sort((a, b) => a - b), Object.keys(expected).map(Number), what);
    tokens.forEach((token, i) =>
      assert.ok(Math.abs(shares[i] - expected[token]) < 1e-5, `${what}: ${token}`)
    );
  }
});

Deno.test("tokenAt() gives each token the part of the line that is its share", () => {
  const shares = { tokens: Uint32Array.of(4, 2, 9), shares: Float64Array.of(0.5, 0.3, 0.2) };
  assert.deepEqual([0, 0.49, 0.5, 0.79, 0.81, 0.999].map((at) => tokenAt(shares, at)), [4, 4, 2, 2, 9, 9]);
  assert.equal(tokenAt({ tokens: Uint32Array.of(3), shares: Float64Array.of(0.9999) }, 0.99999), 3);
});

Deno.test("checkSampling() refuses what transformers refuses", () => {
  checkSampling({ temperature: 0 });
  checkSampling({ temperature: 1.5, topK: 50, topP: 0.9, minP: 0.1, repetitionPenalty: 1.1 });
  for (
    const wrong of [
      { temperature: -1 },
      { topK: -1 },
      { topK: 1.5 },
      { topP: 0 },
      { topP: 1.1 },
      { minP: -0.1 },
      { minP: 1.1 },
      {
        repetitionPenalty: 0,
      },
    ]
  ) {
    assert.throws(() => checkSampling({ temperature: 1, ...wrong }), RangeError, JSON.stringify(wrong));
  }
});
