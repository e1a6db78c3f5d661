import { deepStrictEqual } from "node:assert/strict";
import { chainHistories } from "../../data/histories.ts";

Deno.test("chainHistories() joins a user's windows, first history and every target", () => {
  deepStrictEqual(
    chainHistories([
      { user: "a", history: [1], target: 2 },
      { user: "b", history: [7, 8], target: 7 },
      { user: "a", history: [1, 2], target: 3 },
      { user: "a", history: [2, 3], target: 1 },
    ]),
    [
      // Row r of four was bought at r / 3; the first history no later than its row.
      { user: "a", items: [1, 2, 3, 1], times: [0, 0, 2 / 3, 1] },
      { user: "b", items: [7, 8, 7], times: [1 / 3, 1 / 3, 1 / 3] },
    ],
  );
});

Deno.test("chainHistories() starts anew where a window does not follow", () => {
  deepStrictEqual(
    chainHistories([
      { user: "a", history: [1, 2], target: 3 },
      { user: "a", history: [1, 9], target: 4 },
      { user: "a", history: [4], target: 5 },
    ]),
    [
      { user: "a", items: [1, 2, 3], times: [0, 0, 0] },
      { user: "a", items: [1, 9, 4], times: [0.5, 0.5, 0.5] },
      { user: "a", items: [4, 5], times: [1, 1] },
    ],
  );
});

Deno.test("chainHistories() takes an empty history", () => {
  deepStrictEqual(
    chainHistories([{ user: "a", history: [], target: 3 }, { user: "a", history: [3], target: 4 }]),
    [{ user: "a", items: [3, 4], times: [0, 1] }],
  );
});
