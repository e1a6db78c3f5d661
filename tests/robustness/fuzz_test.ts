import { deepStrictEqual } from "node:assert/strict";
import { fuzz } from "./fuzz.ts";

Deno.test("every reader ends with a value or an error for people, whatever is done to its file", async () => {
  deepStrictEqual(await fuzz((subjects) => Math.ceil(300 / subjects)), []);
});
