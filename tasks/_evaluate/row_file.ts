import { join } from "node:path";
import { z } from "zod";
import { HELD_FORMATS } from "../../models/decoder/decoder.ts";
import { splits } from "../../data/dataset.ts";
import { readJson } from "../../base/files/json_file.ts";
import { readJsonLines } from "../../base/files/json_lines.ts";
import { UserError } from "../../base/user_error.ts";
import type { Prediction } from "../../eval/evaluate.ts";
import { SCORE_UNITS } from "../../eval/recommender.ts";
import { isFile, writeAtomic } from "../../base/files/write_atomic.ts";
import { attempt, writeAll } from "../../base/files/write_atomic.ts";
import { makeFolder } from "../../base/files/line_file.ts";

/** What the rows of an evaluation follow from: part of `metrics.json`, and `evaluation.json` until there is one. */
export const RowSettings = z.object({
  run: z.string(),
  data: z.string(),
  index: z.string(),
  prompts: z.string(),
  /** Absent where no SIDs are searched. */
  maxHistory: z.int().optional(),
  checkpoint: z.string(),
  /** Absent where no SIDs are searched. */
  normalisation: z.string().optional(),
  repetitionPenalty: z.number().default(1),
  weights: z.enum(HELD_FORMATS).default("float32"),
  split: z.enum(splits),
  /** File of what the task was told; "": none. */
  preferences: z.string().default(""),
  /** File of the questions that were asked word for word; "": that of the dataset, or none. */
  rows: z.string().default(""),
  /** Line ends between instruction and input of such a question. */
  rowLineEnds: z.int().default(1),
  beams: z.int(),
  limit: z.int(),
  shard: z.string(),
  unconstrained: z.boolean().default(false),
  /** Task that was asked. */
  task: z.string().default("next-item"),
  /** How reasons were written; absent where none were. */
  maxNewTokens: z.int().optional(),
  temperature: z.number().optional(),
  /** Which of their tokens could be drawn. */
  topK: z.int().default(0),
  topP: z.number().default(1),
  minP: z.number().default(0),
  /** Of the draws; absent where nothing was drawn. */
  reasonSeed: z.int().optional(),
  /** What lists are made of. */
  lists: z.enum(["sids", "items"]).default("sids"),
  scoreUnit: z.enum(SCORE_UNITS).default("log-probability"),
});
export type RowSettings = z.output<typeof RowSettings>;

const SavedSettings = RowSettings.extend({ secondsPerUser: z.number().default(0) });

const count = z.int().min(0);
const Row: z.ZodType<Prediction> = z.object({
  row: count,
  user: z.string(),
  history: z.array(count),
  target: count,
  rank: count.nullable(),
  sharing: z.int().min(1).optional(),
  invalid: count.optional(),
  duplicates: count.optional(),
  items: z.array(count),
  titles: z.array(z.string()),
  scores: z.array(z.number()),
  reasoning: z.string().optional(),
});

/** Rows of the predictions.jsonl of a folder, one in memory at a time. */
export async function* readRows(path: string): AsyncGenerator<Prediction> {
  for await (const { value } of readJsonLines(path, Row)) yield value;
}

/** Throws {@link UserError} naming the first setting, but those of `except`, that differs. */
export function checkSameSettings(
  found: Partial<RowSettings>,
  expected: Partial<RowSettings>,
  message: (setting: string, found: string, expected: string) => string,
): void {
  for (const key of Object.keys(expected) as (keyof RowSettings)[]) {
    if (found[key] === expected[key]) continue;
    const words = (value: unknown) => value === "" || value === undefined ? "none" : String(value);
    throw new UserError(message(key, words(found[key]), words(expected[key])));
  }
}

/** Throws {@link UserError} if a folder holds the rows of an evaluation that did not end. */
export async function checkEnded(out: string): Promise<void> {
  const { saved } = pathsOf(out);
  if (!await isFile(saved)) return;
  throw new UserError(
    `Cannot evaluate into ${out}: it holds the rows of an evaluation that did not end. Go on with --resume, delete ` +
      `${saved} to begin anew, or name another --out`,
  );
}

/**
 * Throws {@link UserError} if a folder that is removed at the end holds what is not of its evaluation: anything at all,
 * or with `resume`, files of other names.
 */
export async function checkOurs(out: string, resume: boolean): Promise<void> {
  const ours = resume ? Object.values(pathsOf(out)) : [];
  for (const name of await namesIn(out)) {
    if (ours.includes(join(out, name))) continue;
    throw new UserError(
      `Cannot evaluate in ${out}, which is removed at the end: it holds ${name}. Move it away` +
        `${
          resume ? "" : ", go on with --resume where it is of an evaluation that did not end"
        }, or name another --out`,
    );
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new UserError(`Cannot read ${folder}: ${(error as Error).message}. Name another --out`);
  }
}

/** Removes the files of an evaluation, and its folder where it holds nothing else. */
export async function removeEvaluation(out: string): Promise<void> {
  for (const path of Object.values(pathsOf(out))) {
    if (await isFile(path)) await Deno.remove(path);
  }
  await Deno.remove(out).catch(() => {}); // refused where somebody else put something there
}

/** Removes the rows of an evaluation that did not end. */
export async function discardRows(out: string): Promise<void> {
  const { partial, saved } = pathsOf(out);
  for (const path of [partial, saved]) {
    if (await isFile(path)) await Deno.remove(path);
  }
}

/**
 * The predictions.jsonl of a folder while it is made: rows go to `predictions.jsonl.partial`, with their settings in
 * `evaluation.json` beside it. What was written stays when the work stops, and goes on from there.
 */
export class RowFile implements AsyncDisposable {
  /** Rows that were there before. */
  readonly found: number;
  /** What `metrics.json` said of them; 0 without one. */
  readonly secondsPerUser: number;
  #out: string;
  #settings: RowSettings;
  #file: Deno.FsFile | undefined;
  #added = 0;

  private constructor(
    out: string,
    settings: RowSettings,
    { found = 0, secondsPerUser = 0, file }: { found?: number; secondsPerUser?: number; file?: Deno.FsFile },
  ) {
    this.#out = out;
    this.#settings = settings;
    this.found = found;
    this.secondsPerUser = secondsPerUser;
    this.#file = file;
  }

  /**
   * Looks into a folder. With `resume`, rows that are there are kept, be they of an evaluation that ended or not.
   * @throws {UserError} without `resume` if an evaluation did not end there; with it, if rows have other settings.
   */
  static async open(out: string, settings: RowSettings, resume: boolean): Promise<RowFile> {
    if (!resume) {
      await checkEnded(out);
      return new RowFile(out, settings, {});
    }
    const { partial, whole, saved, metrics } = pathsOf(out);
    const unfinished = await isFile(saved);
    if (!unfinished && !(await isFile(metrics) && await isFile(whole))) return new RowFile(out, settings, {});
    const report = await readJson(unfinished ? saved : metrics, SavedSettings);
    checkSameSettings(
      report,
      settings,
      (setting, found, expected) =>
        `Cannot resume the evaluation in ${out} with ${setting} ${expected}: its rows were made with ${found}. ` +
        "Use the same flags, or name another --out",
    );
    // Without a partial file, rows got their name already.
    if (!unfinished || !await isFile(partial)) {
      const { lines } = await attempt(`write ${whole}`, () => scanLines(whole));
      return new RowFile(out, settings, { found: lines, secondsPerUser: report.secondsPerUser });
    }
    return await attempt(`write ${whole}`, async () => {
      const { lines, end } = await scanLines(partial);
      await Deno.truncate(partial, end); // the row that was cut off
      return new RowFile(out, settings, { found: lines, file: await Deno.open(partial, { append: true }) });
    });
  }

  /** Makes the files where there are none. */
  async begin(): Promise<void> {
    if (this.#file || this.found > 0) return;
    const { partial, whole, saved } = pathsOf(this.#out);
    await makeFolder(this.#out);
    this.#file = await attempt(
      `write ${whole}`,
      () => Deno.open(partial, { write: true, create: true, truncate: true }),
    );
    // After the rows: settings never stand beside the rows of others.
    await writeAtomic(saved, JSON.stringify(this.#settings, null, 2) + "\n");
  }

  /** Rows that are there now. */
  get length(): number {
    return this.found + this.#added;
  }

  /** The rows that were there before. */
  read(): AsyncGenerator<Prediction> {
    const { partial, whole } = pathsOf(this.#out);
    return readRows(this.#file ? partial : whole);
  }

  /** Appends a row. */
  async append(row: Prediction): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(row) + "\n");
    await attempt(`write ${pathsOf(this.#out).whole}`, () => writeAll(this.#file!, bytes));
    this.#added++;
  }

  /** Gives the file its name and writes `metrics.json`: the evaluation ended. */
  async commit(report: unknown): Promise<void> {
    const { partial, whole, saved, metrics } = pathsOf(this.#out);
    if (this.#file) {
      await attempt(`write ${whole}`, async () => {
        await this.#file!.sync();
        this.#file!.close();
        this.#file = undefined;
        await Deno.rename(partial, whole);
      });
    }
    await writeAtomic(metrics, JSON.stringify(report, null, 2) + "\n");
    if (await isFile(saved)) await Deno.remove(saved);
  }

  /** Closes the file; one without a row is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#file) return;
    this.#file.close();
    this.#file = undefined;
    if (this.length > 0) return;
    const { partial, saved } = pathsOf(this.#out);
    await Deno.remove(partial);
    if (await isFile(saved)) await Deno.remove(saved);
  }
}

function pathsOf(out: string) {
  return {
    partial: join(out, "predictions.jsonl.partial"),
    whole: join(out, "predictions.jsonl"),
    saved: join(out, "evaluation.json"),
    metrics: join(out, "metrics.json"),
  };
}

/** Number of line ends in a file, and the byte after the last one. */
async function scanLines(path: string): Promise<{ lines: number; end: number }> {
  using file = await Deno.open(path);
  const chunk = new Uint8Array(1 << 16);
  let [lines, end, at] = [0, 0, 0];
  for (let count; (count = await file.read(chunk)) !== null; at += count) {
    for (let i = 0; i < count; i++) {
      if (chunk[i] !== 10) continue;
      lines++;
      end = at + i + 1;
    }
  }
  return { lines, end };
}
