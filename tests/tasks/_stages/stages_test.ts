import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeNpy } from "../../../base/npy.ts";
import { makeSids } from "../../../tasks/_sid/make.ts";
import { runStages, trainingStage } from "../../../tasks/_stages/stages.ts";
import { task as train } from "../../../tasks/_stages/train.ts";
import { task as sid } from "../../../tasks/sid.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";
import { collector } from "../../scenarios/text_shop.ts";

/** Makes SIDs of vectors as a stage of `genrec train`; what it said. */
async function sidStage(dir: string, rows: number[][], codebookSize: number): Promise<string> {
  const embeddings = join(dir, "items.npy"), folder = join(dir, "sids");
  await Deno.writeFile(
    embeddings,
    writeNpy([rows.length, rows[0].length], Float32Array.from(rows.flat())),
  );
  const { io, lines } = collector();
  const stage = (io: Parameters<typeof trainingStage>[3]) =>
    trainingStage(
      sid,
      folder,
      { embeddings, codebookSize, levels: 2, out: folder },
      io,
      (config, io) => makeSids(config as Parameters<typeof makeSids>[0], io),
      { instead: "name SIDs with --sids" },
    );
  await runStages([{ title: "Semantic IDs", run: stage }], train, io);
  return lines.join("\n");
}

const grid = Array.from({ length: 8 }, (_, i) => [i & 1, i & 2, i & 4]);

Deno.test("a stage that advises flags of its task says where their settings are, and keeps what was changed there", async () => {
  await withFiles({}, async (dir) => {
    const file = join(dir, "sids.yaml");
    await assert.rejects(() => sidStage(dir, grid, 64), (error: Error) => {
      assert.equal(error.name, "UserError");
      assert.match(error.message, /Use --codebook-size 2 or less\. `genrec train` has no such flag: change /);
      assert.ok(
        error.message.endsWith(
          `change ${file} and start the same command again to set codebookSize, or name SIDs with --sids`,
        ),
        error.message,
      );
      return true;
    });
    const text = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, text.replace("codebookSize: 64", "codebookSize: x"));
    await assert.rejects(() => sidStage(dir, grid, 64), /Cannot use codebookSize in .*sids\.yaml: /);
    await Deno.writeTextFile(file, text.replace("codebookSize: 64", "codebookSize: 4"));
    const said = await sidStage(dir, grid, 64);
    assert.ok(existsSync(`${join(dir, "sids")}.done`));
    assert.doesNotMatch(said, /no such flag/);
  });
});

Deno.test("a stage that warns says once where the settings are whose flags its warnings name", async () => {
  await withFiles({}, async (dir) => {
    const said = await sidStage(dir, grid.map(([x]) => [x, 0, 0]), 4);
    assert.match(said, /Warning: .*--levels/);
    const told = said.split("\n").filter((line) => line.includes("no such flag"));
    assert.equal(told.length, 1, said);
    const folder = join(dir, "sids");
    assert.match(told[0], /^ {4}`genrec train` has no such flag: change .* to set .*levels.*, or name SIDs/);
    assert.ok(
      told[0].includes(`change ${folder}.yaml, delete ${folder} and ${folder}.done, and `),
      told[0],
    );
  });
});
