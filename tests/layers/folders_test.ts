import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { filesIn, TOP } from "./imports.ts";

const MAX_FILES = 17;

/** Paths of all files of the rooms, the presets, the docs and the tests. */
const paths = [...TOP, "configs", "docs", "tests"].flatMap((folder) => filesIn(folder, ""));

/** Folders with more than {@link MAX_FILES} files, and how many they have. */
function fullFolders(paths: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > MAX_FILES).map(([folder, count]) => `${folder}: ${count}`);
}

/**
 * Whether a file's name has the words of its folder's name. The main file of a folder is called like it
 * (`attention/attention.ts`), and so are the parts that go with that one: its test, its spec, its backward shader.
 * A folder `_x` of `tasks/` is called x here.
 */
function repeatsFolder(path: string): boolean {
  const folder = basename(dirname(path)).replace(/^_/, "");
  const name = basename(path).split(".")[0].replace(/_(test|spec|backward)$/, "");
  return name !== folder && `_${name}_`.includes(`_${folder}_`);
}

Deno.test(`no folder has more than ${MAX_FILES} files`, () => {
  const full = fullFolders(paths);
  assert.deepEqual(
    full,
    [],
    `split ${full.join(", ")} by concept, each part a folder with a name of the field`,
  );
});

Deno.test("a folder's name is not said again in its files", () => {
  // Golden files are called after what made them.
  const repeated = paths.filter((path) => !path.startsWith("tests/golden/") && repeatsFolder(path));
  assert.deepEqual(
    repeated,
    [],
    "leave the folder's name out of these names: train/sft/sft_config.ts is config.ts",
  );
});

Deno.test("fullFolders() counts the files of a folder alone, repeatsFolder() compares whole words", () => {
  const many = Array.from({ length: 18 }, (_, i) => `models/items/${i}.ts`);
  assert.deepEqual(fullFolders([...many, "models/a.ts", "models/items/deep/b.ts"]), ["models/items: 18"]);
  assert.deepEqual(fullFolders(many.slice(1)), []);
  const repeated = [
    "train/sft/sft_config.ts",
    "train/sft/load_sft_test.ts",
    "tasks/_evaluate/evaluate_rows.ts",
    "kernels/relative_attention/relative_attention_bias.wgsl",
  ];
  assert.deepEqual(repeated.filter((path) => !repeatsFolder(path)), []);
  const fine = [
    "train/sft/sft.ts",
    "tests/train/sft/sft_test.ts",
    "kernels/attention/attention_backward.wgsl",
    "kernels/attention/attention_spec.ts",
    "kernels/relative_attention/attention_dropout.wgsl",
    "models/parameters/parameter.ts",
    "data/dataset.ts",
  ];
  assert.deepEqual(fine.filter(repeatsFolder), []);
});
