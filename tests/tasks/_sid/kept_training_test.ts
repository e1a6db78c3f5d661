import assert from "node:assert/strict";
import { join } from "node:path";
import { UserError } from "../../../base/user_error.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { SID_METHODS } from "../../../sid/methods/by_name.ts";
import type { SidInput, SidMethod } from "../../../sid/method.ts";
import { KeptTraining, type TrainingRecord } from "../../../tasks/_sid/kept_training.ts";
import { runManifest } from "../../../train/run/inputs.ts";
import { collector } from "../../scenarios/text_shop.ts";
import { nested, readJsonIn, sid, withMatrices } from "./command.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const rows = 48, dim = 6;
/** Rows around four directions, and users who buy those of one. */
const input: SidInput = {
  embeddings: {
    data: Float32Array.from({ length: rows * dim }, (_, i) => Math.sin(i * i) + (i % dim === i % 4 ? 3 : 0)),
    rows,
    dim,
  },
  collaborative: { data: Float32Array.from({ length: rows * 3 }, (_, i) => Math.cos(3 * i)), rows, dim: 3 },
  histories: [0, 1, 2, 3].map((user) => Array.from({ length: 8 }, (_, i) => (user + 4 * i) % rows)),
};
const quick = {
  levels: 2,
  codebookSize: 8,
  layers: [16],
  epochs: 6,
  evalEpochs: 2,
  batchSize: 16,
  dropout: 0.1,
  batchNorm: true,
  seed: 3,
};

async function recordOf(settings: Record<string, unknown>): Promise<TrainingRecord> {
  const manifest = await runManifest(await Device.open(), "toys", [], { task: "sid", seed: 3 });
  const reports = { reportTo: ["tensorboard" as const], wandbProject: "" };
  return { settings, defaults: {}, config: settings, manifest, reports, name: "toys" };
}

const linesOf = async (folder: string) =>
  (await Deno.readTextFile(join(folder, "metrics.jsonl"))).trim().split("\n").map((line) => {
    const { seconds: _, ...entry } = JSON.parse(line);
    return entry;
  });

for (const method of SID_METHODS.filter(({ trains }) => trains) as SidMethod[]) {
  Deno.test(`${method.name}: a training that was stopped goes on to the same bytes and the same log`, async () => {
    await withFiles({}, async (folder) => {
      const own = "clusterEpochs" in method.Config.shape ? { clusterEpochs: 3 } : {};
      const config = method.Config.parse({
        ...quick,
        ...own,
        ..."latentDim" in method.Config.shape && { latentDim: 4 },
      }) as Record<string, unknown>;
      const record = await recordOf(config);
      const { io } = collector();
      const device = await Device.open();
      const fit = async (path: string, resume: boolean, stopAfter = Infinity) => {
        const training = await KeptTraining.open(join(folder, path), record, resume, 0);
        return await method.fit(device, input, config, ({ done }) => {
          if (done >= stopAfter) throw new Error("stopped");
        }, training.openStore(io));
      };
      const whole = await fit("whole", false);
      // Epoch 4 is not saved yet.
      await assert.rejects(fit("stopped", false, 3), /^Error: stopped$/);
      assert.deepEqual(await fit("stopped", true), whole);
      assert.deepEqual(await linesOf(join(folder, "stopped")), await linesOf(join(folder, "whole")));
      const lines = await linesOf(join(folder, "whole"));
      assert.deepEqual(lines.flatMap(({ epoch }) => epoch ?? []), [2, 4, 6]);
      assert.equal(lines.at(-1).valid.epoch, 6);
      // The terms of the loss are in the log, and add up to it.
      const { step: _, epoch: _e, loss, learningRate: _l, ...terms } = lines[0];
      const sum = Object.values(terms as Record<string, number>).reduce((sum, term) => sum + term, 0);
      assert.ok(Math.abs(sum - loss) < 1e-3 * Math.abs(loss) + 1e-4, `${sum} and ${loss}`);
      assert.equal([...Deno.readDirSync(join(folder, "whole/tensorboard"))].length, 1);
    });
  });
}

Deno.test("KeptTraining starts where none was stopped, and goes on where the settings are the same", async () => {
  await withFiles({}, async (folder) => {
    const path = join(folder, "training");
    const record = await recordOf({ method: "rqvae", epochs: 8 });
    const fails = (resume: boolean, message: RegExp, other = record) =>
      assert.rejects(
        KeptTraining.open(path, other, resume),
        (error) => error instanceof UserError && message.test(error.message),
      );
    await fails(true, /no checkpoint of a training that was stopped. Start one without --resume/);
    await KeptTraining.open(path, record, false);
    // Killed before its first checkpoint: it begins again.
    await Deno.writeTextFile(join(path, "metrics.jsonl"), "{}\n");
    const training = await KeptTraining.open(path, record, false);
    await assert.rejects(Deno.stat(join(path, "metrics.jsonl")), Deno.errors.NotFound);
    await Deno.writeTextFile(join(path, "latest"), "step-2\n");
    await fails(false, /holds a training that was stopped. Go on with --resume, or delete the folder/);
    await fails(true, /epochs 9: it was started with 8/, await recordOf({ method: "rqvae", epochs: 9 }));
    await KeptTraining.open(path, record, true);
    await training.end();
    await fails(true, /no checkpoint/);
  });
});

Deno.test("sid --checkpoint writes the SIDs of other weights that a training kept", async () => {
  await withMatrices({ "items.npy": nested }, {}, async (dir) => {
    const at = (name: string) => join(dir, name);
    const flags = "--method rqvae --levels 2 --codebook-size 4 --latent-dim 4 --layers 8 --epochs 6".split(
      " ",
    );
    const make = (out: string, keep: string) =>
      sid("--embeddings", at("items.npy"), "--out", at(out), ...flags, "--keep", keep, "--code-offset", "1");
    await make("kept", "gini");
    await make("other", "loss");
    await sid("--sids", at("kept"), "--checkpoint", "best-loss", "--out", at("exported"));
    for (
      const name of ["index.json", "codes.npy", "codebooks.safetensors", "best-gini.safetensors", "sid.json"]
    ) {
      assert.deepEqual(
        await Deno.readFile(at(`exported/${name}`)),
        await Deno.readFile(at(`other/${name}`)),
        name,
      );
    }
    assert.equal(
      (await readJsonIn(dir, "exported/sid.report.json")).notes.exported,
      `best-loss of ${at("kept")}`,
    );
    // What a training leaves is its log.
    assert.deepEqual([...Deno.readDirSync(at("kept/training"))].map(({ name }) => name).sort(), [
      "manifest.json",
      "metrics.jsonl",
    ]);
    await sid("--embeddings", at("items.npy"), "--out", at("plain"), "--levels", "2", "--codebook-size", "4");
    await assert.rejects(
      sid("--sids", at("plain"), "--checkpoint", "best-loss", "--out", at("none")),
      /it has no best-loss.safetensors, its method rqkmeans keeps none/,
    );
  });
});

Deno.test("sid names flags that a method without training, or a mode, takes no notice of", async () => {
  for (
    const [line, message] of [
      ["--data x --out y --resume", /Cannot use --resume with rqkmeans: it has no training .* as .*rqvae/],
      ["--data x --out y --report-to tensorboard", /Cannot use --report-to with rqkmeans/],
      ["--sids x --checkpoint best-loss --add y --out z", /Cannot use --add and --checkpoint together/],
      ["--checkpoint best-loss --out z", /Missing --sids: the folder whose SIDs --checkpoint uses/],
      ["--sids x --checkpoint best-loss --out z --resume", /Cannot use --resume with --checkpoint/],
    ] as const
  ) await assert.rejects(sid(...line.split(" ")), message, line);
});
