import { deepStrictEqual } from "node:assert/strict";
import type { Interactions } from "../../data/corpus.ts";
import { joinInteractions } from "../../data/corpus_stream.ts";

Deno.test("joinInteractions() puts parts in one, with NaN where a part has no times and none where no part has any", async () => {
  const part = (rows: number[], times?: number[]): Interactions => ({
    users: Int32Array.from(rows),
    items: Int32Array.from(rows, (row) => 10 * row),
    ...(times && { times: Float64Array.from(times) }),
  });
  const joined = async (...parts: Interactions[]) =>
    await joinInteractions((async function* () {
      for (const part of parts) yield await Promise.resolve(part);
    })());
  const users = Int32Array.of(0, 1, 2, 3, 4, 5), items = Int32Array.of(0, 10, 20, 30, 40, 50);
  deepStrictEqual(
    await joined(part([0]), part([1, 2], [7, 8]), part([3]), part([4], [9]), part([5])),
    { users, items, times: Float64Array.of(NaN, 7, 8, NaN, 9, NaN) },
  );
  deepStrictEqual(await joined(part([0, 1, 2]), part([3, 4, 5])), { users, items });
  deepStrictEqual(await joined(), { users: new Int32Array(), items: new Int32Array() });
});
