import assert from "node:assert/strict";
import { checkSame } from "../../../tasks/_cli/resume.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import type { RunManifest } from "../../../train/run/inputs.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const WORDS = {
  name: "genrec",
  tasks: { "next-item": { input: "{history}" }, "sid-to-title": { input: "{sid}" } },
};
const started = {
  "config.json": "{}",
  "manifest.json": '{"inputs": {}}',
  "prompts.json": JSON.stringify(WORDS, null, 2) + "\n",
};

const resumed = (dir: string, words: unknown) =>
  checkSame(new RunDirectory(dir), {}, { "prompts.json": JSON.stringify(words) }, [], {} as RunManifest, {});

Deno.test("checkSame() takes prompts in another order of tasks for the same, and other words for others", async () => {
  await withFiles(started, async (dir) => {
    const { "next-item": first, "sid-to-title": second } = WORDS.tasks;
    await resumed(dir, { tasks: { "sid-to-title": second, "next-item": first }, name: "genrec" });
    await assert.rejects(
      () => resumed(dir, { ...WORDS, tasks: { "next-item": first, "sid-to-title": first } }),
      {
        name: "UserError",
        message: /tokenizer or prompts have changed, they would give another prompts\.json/,
      },
    );
  });
});
