import assert from "node:assert/strict";
import { readYaml } from "../../base/yaml.ts";

Deno.test("readYaml() reads YAML and JSON, aliases included; an empty text is null", () => {
  assert.deepEqual(readYaml("a: &x [1, two]\nb: *x\n", "config c.yaml"), { a: [1, "two"], b: [1, "two"] });
  assert.deepEqual(readYaml('{"a": {"b": null}}', "config c.json"), { a: { b: null } });
  assert.equal(readYaml("# nothing\n", "config c.yaml"), null);
});

Deno.test("readYaml() refuses keys that stand twice at any depth, unknown tags, two documents and aliases that explode", () => {
  const nines = (name: string) => Array(9).fill(`*${name}`).join(", ");
  const bomb = "a: &a [x, x]\n" +
    ["ab", "bc", "cd"].map(([from, to]) => `${to}: &${to} [${nines(from)}]\n`).join("");
  const cases: [string, RegExp][] = [
    [
      "steps: 1\nsteps: 2\n",
      /^Cannot read config c\.yaml as YAML: Map keys must be unique at line 2, column 1/,
    ],
    ["tasks:\n  next:\n    input: a\n    input: b\n", /Map keys must be unique at line 4, column 5/],
    ['{"a": [{"b": 1, "b": 2}]}', /Map keys must be unique at line 1, column 17/],
    ["steps: !python/name:os.system 3\n", /Unresolved tag: !python\/name:os\.system at line 1, column 8/],
    ["a: 1\n---\na: 2\n", /as YAML: a line --- begins a second document\. Keep one a file$/],
    ["a: [1\n", /at line 2, column 1/],
    [
      bomb,
      /^Cannot read config c\.yaml as YAML: its aliases \(\*name\) unfold to too much\. Write the values out$/,
    ],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => readYaml(text, "config c.yaml"), { name: "UserError", message }, text);
  }
});
