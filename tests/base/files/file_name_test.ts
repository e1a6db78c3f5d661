import { deepStrictEqual, throws } from "node:assert/strict";
import { checkFileName, isFileName, isInside } from "../../../base/files/file_name.ts";

Deno.test("isFileName() takes plain names in any writing and nothing that leads elsewhere", () => {
  const names = ["Beauty", "a b.c", "Möbel & Küche", "商品", "..a", "-x"];
  deepStrictEqual(names.filter((name) => !isFileName(name)), []);
  const others = ["", ".", "..", "../../pwn", "/etc/x", "a/b", "a\\b", "a\0b", "a\nb", "é".repeat(101)];
  deepStrictEqual(others.filter(isFileName), []);
});

Deno.test("checkFileName() says whose name it is", () => {
  throws(
    () => checkFileName("../../pwn", "the dataset's name"),
    /UserError: Cannot use "..\/..\/pwn" as a file name, which is the dataset's name: expected a plain name/,
  );
});

Deno.test("isInside() knows paths that leave their folder", () => {
  deepStrictEqual(["a", "a/b.json", "../a", "a/../../b", "/a", "a//b"].map(isInside), [
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
