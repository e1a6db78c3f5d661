import assert from "node:assert/strict";
import { z } from "zod";
import { declarationsText } from "../../../tasks/_build/declarations.ts";
import { generated } from "../../../tasks/_build/generate.ts";

Deno.test("generated files are those that the schemas give", async () => {
  for (const [path, text] of await generated()) {
    const kept = await Deno.readTextFile(new URL(`../../../${path}`, import.meta.url)).catch(() => "");
    assert.ok(
      kept === text,
      `${path} is not what its schemas say. Run \`deno task generate\` and commit the file`,
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
    `// Generated from the schemas by \`deno task generate\`: change those, not this file.
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
