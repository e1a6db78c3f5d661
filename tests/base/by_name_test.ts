import assert from "node:assert/strict";
import { byName } from "../../base/by_name.ts";

const fruits = [{ name: "apple", kernels: 10 }, { name: "cherry", kernels: 1 }];

Deno.test("byName() gives the member of a name, or lists all names and the one that was meant", () => {
  const use = { use: "bake", kind: "fruit" };
  assert.equal(byName(fruits, "cherry", use).kernels, 1);
  assert.throws(() => byName(fruits, "chery", use), {
    name: "UserError",
    message:
      'Cannot bake "chery": there is no such fruit. Expected one of apple, cherry. Did you mean cherry?',
  });
});
