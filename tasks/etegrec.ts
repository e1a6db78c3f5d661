import { join } from "node:path";
import { z } from "zod";
import { byFirst } from "../base/parallel/first_rank.ts";
import { ALONE } from "../base/parallel/world.ts";
import { toDataset } from "../data/corpus_dataset.ts";
import { splits } from "../data/dataset.ts";
import { holdOut } from "../data/holdout.ts";
import { loadCorpus } from "../data/formats/load.ts";
import { UserError } from "../base/user_error.ts";
import { checkedEtegrec, EtegrecSchema } from "../train/etegrec/config.ts";
import { reportFields } from "../train/run/fields.ts";
import { checkDealt } from "../train/ranks/dealt_step.ts";
import { RunDirectory } from "../train/run/directory.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { type EtegrecReport, reportStages } from "./_train/etegrec_report.ts";
import { EtegrecRlFlags, reinforce } from "./_train/etegrec_rl.ts";
import { betterStage, EtegrecStages, keptCheckpoint } from "./_train/etegrec_stages.ts";
import { agreeOn } from "./_train/together.ts";
import { tokenizerWeights } from "./_train/named_tokenizer.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { runManifest } from "../train/run/inputs.ts";
import { INPUTS, loadItemVectors } from "./_train/item_vectors.ts";
import { makeFolder } from "../base/files/line_file.ts";
import { checkSame } from "./_cli/resume.ts";
import { TrainingData } from "./_cli/run_flags.ts";
import { goOnLine } from "./_cli/training_lines.ts";
import { settingsDefaults } from "./_cli/settings_flags.ts";

const config = z.strictObject({
  data: z.string().describe("dataset directory, ours, ETEGRec's or another one, or `synthetic`"),
  holdoutRows: TrainingData.holdoutRows,
  embeddings: z.string().default("").describe("item embeddings of texts, a .npy file of shape (items, dim)"),
  collab: z.string().default("").describe(
    "item embeddings of purchases, such as the embeddings.npy of `genrec baseline --model sasrec`",
  ),
  input: z.enum(INPUTS).optional().describe(
    "what the tokenizer codes: --embeddings, --collab, or both side by side (default: what is given);",
  ),
  out: z.string().describe("folder to write, a run directory a stage in it"),
  resume: z.boolean().default(false).describe(
    "continue in --out from the latest checkpoint; its settings are --config OUT/config.json",
  ),
  tokenizer: z.string().default("").describe(
    "tokenizer stage of another run, folder of `genrec sid --method rqvae`, or .pth of a published RQ-VAE, in place of pretraining one",
  ),
  evaluate: z.array(z.enum(splits)).default(["valid", "test"]).describe(
    "splits to rank at the end with the best checkpoint of each stage",
  ),
  beams: z.int().min(10).default(20).describe("SIDs kept a user in these evaluations"),
  unconstrained: z.boolean().default(false).describe(
    "in these evaluations write any codewords, be they a SID or not, as ETEGRec's code does",
  ),
  limit: z.int().min(0).default(0).describe("evaluate the first so many users alone; 0: all"),
  ...reportFields,
  ...DeviceFlags,
  ...EtegrecSchema.shape,
  ...EtegrecRlFlags,
});
type Flags = z.output<typeof config>;

export const task: Task<typeof config> = {
  name: "etegrec",
  summary: "train a tokenizer and a recommender together",
  examples: [
    "etegrec --data synthetic --embeddings items.npy --out runs/etegrec",
    "etegrec --data data/mine --collab runs/sasrec/embeddings.npy --frozen-epochs 10 --out runs/etegrec",
    "etegrec --data data/mine --embeddings items.npy --collab runs/sasrec/embeddings.npy --out runs/dual",
    "etegrec --config runs/etegrec/config.json --out runs/etegrec --resume",
  ],
  config,
  async run(flags, io) {
    const report = await runEtegrec(flags, io);
    if (io.json && report) console.log(JSON.stringify(report, null, 2));
  },
};

/** Trains all stages as the flags say and reports on them. Undefined where the run was interrupted. */
export async function runEtegrec(flags: Flags, io: TaskIO): Promise<EtegrecReport | undefined> {
  const { out, resume, ...resolved } = flags;
  const { data, holdoutRows, embeddings, collab, input, tokenizer, evaluate } = resolved;
  // Keys that are not settings of the stages are left out.
  const settings = checkedEtegrec(z.object(EtegrecSchema.shape).parse(flags));
  const run = new RunDirectory(out);
  const { world } = io;
  if (world.rank === 0) await run.check(resume); // the others may find what it has made by then
  const corpus = await loadCorpus(data);
  const dataset = holdOut(toDataset(corpus), holdoutRows);
  for (const split of evaluate) {
    if (dataset.samples[split].length > 0) continue;
    throw new UserError(
      `Cannot evaluate on ${data}: its ${split} split is empty. Leave it out of --evaluate`,
    );
  }
  const { vectors, files } = await loadItemVectors({ embeddings, collab, input }, corpus);
  const { device } = await openDevice(resolved, {}, io);
  const sources = [
    ...dataset.files,
    ...files,
    ...tokenizer ? [await tokenizerWeights(tokenizer)] : [],
  ];
  const manifest = await runManifest(device, dataset.name, sources, { task: "etegrec", seed: settings.seed });
  const reports = { reportTo: flags.reportTo, wandbProject: flags.wandbProject };
  const stages = new EtegrecStages({
    device,
    dataset,
    vectors,
    settings,
    manifest,
    reports,
    out,
    from: { data, holdoutRows, embeddings, collab, ...(input && { input }) },
    tokenizer,
    io,
  });
  await stages.check();
  if (resume) {
    const defaults = { holdoutRows: 0, ...settingsDefaults(EtegrecSchema) };
    await checkSame(run, { holdoutRows, ...settings, tokenizer }, {}, sources, manifest, defaults);
  }
  await agreeOn(world, { manifest, settings: { data: { holdoutRows }, ...settings, tokenizer } });
  const { gradientAccumulationSteps: microBatches } = settings;
  checkDealt(microBatches, world, `--gradient-accumulation-steps ${microBatches * world.size}`);
  if (!resume && world.rank === 0) {
    await makeFolder(out);
    await run.write("manifest.json", JSON.stringify(manifest, null, 2) + "\n");
    // Last: a folder with it is a run. It serves as --config when the run is resumed.
    await run.write("config.json", JSON.stringify(resolved, null, 2) + "\n");
  }
  const goOn = goOnLine("etegrec", out);
  const interrupted = () => {
    io.log(`Stopped, ${out} is saved up to its last checkpoint. ${goOn}`);
    return undefined;
  };
  const trained = await stages.train().catch((error) => {
    io.log(goOn);
    throw error;
  });
  if (!trained) return interrupted();
  let best = betterStage(trained, io);
  if (flags.rlSteps > 0) {
    const { evalSamples, evalBeams, seed } = settings;
    const outcome = await reinforce({
      out,
      stage: best,
      settings: flags,
      shared: { evalSamples, evalBeams, seed },
      reports,
      embeddings: embeddings || collab,
      device: { adapter: flags.adapter, variant: flags.variant },
    }, io);
    if (!outcome) return interrupted();
    trained.set("rl", outcome);
    if (outcome.best!.step > 0) best = "rl";
  }
  const kept = await keptCheckpoint(new RunDirectory(join(out, best)));
  let report: EtegrecReport | undefined;
  const isDone = await byFirst(world, io.signal, async (signal) => {
    await run.write("index.json", await Deno.readTextFile(`${kept}/index.json`));
    report = await reportStages({ ...flags, stages: trained, best }, { ...io, signal, world: ALONE });
  });
  return isDone ? report : interrupted();
}
