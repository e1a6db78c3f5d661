import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../base/user_error.ts";
import { credit } from "./_evaluate/credit_flag.ts";
import { writeAtomic } from "../base/files/write_atomic.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { groupNamed, openGroups } from "./_compare/run_groups.ts";
import { comparePage } from "./_compare/html.ts";
import { reportSystems, type SystemsReport } from "./_compare/report.ts";
import { markdown, reportLines } from "./_compare/tables.ts";
import { makeFolder } from "../base/files/line_file.ts";

const config = z.strictObject({
  evals: z.array(z.string()).default([]).describe(
    "evaluations: folders of genrec evaluate --out and baseline --evaluate, or runs that hold one; those whose names are " +
      "equal but for the seed are one system",
  ),
  group: z.array(z.string()).default([]).describe(
    "systems by name: name=folder,folder or, of --evals, name=pattern such as sasrec=runs/sasrec-*",
  ),
  baseline: z.string().describe("name of the system that the others are tested against"),
  ks: z.array(z.int().min(1)).min(1).default([1, 5, 10]).describe(
    "cut-offs of the metrics; those beyond the beams are left out",
  ),
  credit,
  seed: z.int().min(0).default(42).describe("seed of the bootstrap intervals and of the paired tests"),
  out: z.string().describe("folder to write: compare.json, compare.md, compare.html"),
});

export const task: Task<typeof config> = {
  name: "compare",
  summary: "a table of systems over seeds, with paired tests",
  examples: [
    "compare --evals eval/sasrec-42,eval/sasrec-43,eval/tiger-42,eval/tiger-43 --baseline sasrec --out compare/",
    "compare --group counts=runs/counts/eval-test --group ours=eval/a-42,eval/a-43 --baseline counts --out compare/",
    "compare --evals runs/*/eval-test --group 'sft=runs/sft-*' --baseline sft --out compare/",
  ],
  config,
  async run(flags, io) {
    const report = await compare(flags, io);
    if (io.json) console.log(JSON.stringify(report, null, 2));
  },
};

/** Compares systems as the flags say, and writes what it found. */
export async function compare(
  flags: z.output<typeof config>,
  io: Pick<TaskIO, "log">,
): Promise<SystemsReport> {
  const { evals, group, credit, seed, out } = flags;
  const groups = await openGroups(evals, group, credit);
  const baseline = groupNamed(groups, flags.baseline);
  const beams = Math.min(
    ...groups.flatMap(({ members }) => members.map(({ evaluation }) => evaluation.metrics.beams)),
  );
  const ks = [...new Set(flags.ks)].filter((k) => k <= beams).sort((a, b) => a - b);
  if (ks.length === 0) {
    throw new UserError(
      `Cannot compare at ${flags.ks.join(", ")}: the shortest lists have ${beams} places. Lower --ks`,
    );
  }
  const report = reportSystems(groups, baseline, { ks, credit, seed });
  reportLines(report).forEach((line) => io.log(line));
  await makeFolder(out);
  const files = {
    "compare.json": JSON.stringify(report, null, 2) + "\n",
    "compare.md": markdown(report),
    "compare.html": comparePage(report),
  };
  for (const [name, content] of Object.entries(files)) await writeAtomic(join(out, name), content);
  io.log(`Wrote ${Object.keys(files).map((name) => join(out, name)).join(", ")}`);
  return report;
}
