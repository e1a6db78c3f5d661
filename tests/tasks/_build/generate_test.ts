import assert from "node:assert/strict";
import { z } from "zod";
import { declarationsText } from "../../../tasks/_build/declarations.ts";
import { generated } from "../../../tasks/_build/generate.ts";
import { settingsPage } from "../../../tasks/_build/settings_pages.ts";

Deno.test("generated files are those that the schemas give", async () => {
  for (const [path, text] of await generated()) {
    const kept = await Deno.readTextFile(new URL(`../../../${path}`, import.meta.url)).catch(() => "");
    assert.ok(
      kept === text,
      `${path} is not what its schemas say. Run \`deno task codegen\` and commit the file`,
    );
  }
});

Deno.test("an interface has a field's description, default and type; what extends it has only what differs", () => {
  const base = {
    steps: z.int().default(3).describe("steps of it;"),
    kind: z.enum(["a", "b"]).describe("a: one; b: other"),
    names: z.array(z.enum(["x", "y"])).default([]).describe("names"),
  };
  const text = declarationsText({
    path: "sid/made.generated.ts",
    schemas: {
      Base: z.strictObject(base).describe("Settings."),
      More: z.strictObject({
        ...base,
        steps: z.int().default(4).describe("steps of it;"),
        length: z.int().optional().describe("length"),
      }).describe("More settings."),
      Other: z.strictObject({ lrSchedulerType: z.enum(["constant", "linear", "cosine"]).describe("decay") })
        .describe("Other settings."),
    },
  });
  assert.equal(
    text,
    `// Generated from the schemas by \`deno task codegen\`: change those, not this file.
import type { ScheduleName } from "../models/optimizer/schedule.ts";

/** Settings. */
export interface Base {
  /**
   * Steps of it.
   * @default 3
   */
  steps: number;
  /** a: one; b: other. */
  kind: "a" | "b";
  /**
   * Names.
   * @default []
   */
  names: ("x" | "y")[];
}

/** More settings. */
export interface More extends Base {
  /**
   * Steps of it.
   * @default 4
   */
  steps: number;
  /** Length. */
  length?: number;
}

/** Other settings. */
export interface Other {
  /** Decay. */
  lrSchedulerType: ScheduleName;
}
`,
  );
});

Deno.test("a page has a table a heading, with flag, key, default and text of each setting", () => {
  const config = z.strictObject({
    out: z.string().describe("folder to write"),
    maxSteps: z.int().default(3).describe("most steps; a|b;").meta({ group: "Training" }),
    keep: z.boolean().default(true).describe("keep <it>"),
    kind: z.enum(["x", "y"]).optional().describe("kind").meta({ group: "Training", usually: "x" }),
  });
  const page = settingsPage({ name: "fit", summary: "fit it", config, run: () => Promise.resolve() });
  assert.equal(
    page.slice(page.indexOf("# genrec")),
    `# genrec fit

Fit it.

## The command

| Flag | Key | Default | What it is |
| --- | --- | --- | --- |
| \`--out\` | \`out\` | required | folder to write |
| \`--keep\` | \`keep\` | \`yes\` | keep \\<it> |

## Training

| Flag | Key | Default | What it is |
| --- | --- | --- | --- |
| \`--max-steps\` | \`maxSteps\` | \`3\` | most steps; a\\|b |
| \`--kind\` | \`kind\` | \`x\` | kind; one of x, y |
`,
  );
});
