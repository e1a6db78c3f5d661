// Damages files of every format, so many of each, and reads them:
//     deno run -A tests/robustness/fuzz.ts 10000 [FILTER] [--out docs/benchmarks]
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { ParquetReader } from "../../base/files/parquet/read.ts";
import { UserError } from "../../base/user_error.ts";
import { commandLine, conditionsNow, writeOut } from "../../bench/pages/files.ts";
import type { Table } from "../../bench/pages/page.ts";
import { UsageError } from "../../tasks/_cli/cli.ts";
import fc from "../property.ts";
import { mutate, type Mutation, mutations } from "./mutate.ts";
import { type Subject, subjects } from "./subjects.ts";

const DEADLINE_MS = 15_000, TICK_MS = 100;

/** What a reader did that it should not. */
export interface Failure {
  file: string;
  what: readonly Mutation[];
  problem: string;
}

/** Reads `each` damaged files of every subject that `filter` is in the name of, and tells `done` after each subject. */
export async function fuzz(
  each: (subjects: number) => number,
  filter = "",
  done: (name: string, runs: number, failures: readonly Failure[]) => void = () => {},
): Promise<Failure[]> {
  const root = await Deno.makeTempDir();
  const failures: Failure[] = [];
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    failures.push({ file: "", what: [], problem: `unhandled rejection: ${event.reason}` });
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  try {
    using reader = new ParquetReader();
    const all = (await subjects(root, reader)).filter((subject) => nameOf(subject).includes(filter));
    for (const subject of all) {
      const before = failures.length, runs = each(all.length);
      await fuzzOne(subject, runs, failures);
      done(nameOf(subject), runs, failures.slice(before));
    }
    return failures;
  } finally {
    globalThis.removeEventListener("unhandledrejection", onRejection);
    await Deno.remove(root, { recursive: true });
  }
}

const nameOf = ({ folder, file }: Subject) => `${basename(folder)}/${file}`;

async function fuzzOne(subject: Subject, runs: number, failures: Failure[]): Promise<void> {
  const path = `${subject.folder}/${subject.file}`, sound = await Deno.readFile(path);
  for (const what of fc.sample(mutations, runs)) {
    await Deno.writeFile(path, mutate(sound, what));
    const problem = await problemOf(subject);
    if (problem !== undefined) failures.push({ file: nameOf(subject), what, problem });
  }
  await Deno.writeFile(path, sound);
}

/** Why the end of a reading is none that it may have: a value, or an error for people. */
async function problemOf({ read, folder }: Subject): Promise<string | undefined> {
  let timer: ReturnType<typeof setInterval> | undefined;
  const late = new Promise<string>((resolve) => {
    let ticks = 0; // of this thread, which a busy machine keeps waiting as it does the reading
    timer = setInterval(() => {
      if (++ticks * TICK_MS >= DEADLINE_MS) resolve(`no end within ${DEADLINE_MS / 1000} s`);
    }, TICK_MS);
  });
  const ended = (async () => {
    try {
      await read(folder);
    } catch (error) {
      if (error instanceof UserError || error instanceof UsageError) return;
      return error instanceof Error ? error.stack ?? error.message : String(error);
    }
  })();
  return await Promise.race([ended, late]).finally(() => clearInterval(timer));
}

/** Damaged files and failures of each kind of file, a kind a row, in the order in which they were read. */
export function fuzzTable(subjects: readonly { name: string; runs: number; failed: number }[]): Table {
  const kinds = new Map<string, [string, number, number, number]>();
  for (const { name, runs, failed } of subjects) {
    const kind = name.endsWith(".parquet") ? "Parquet tables of genrec" : name.split("/")[0];
    const [, files, damaged, failures] = kinds.get(kind) ?? [kind, 0, 0, 0];
    kinds.set(kind, [kind, files + 1, damaged + runs, failures + failed]);
  }
  const columns = ["files of", "files", "damaged and read", "without a proper end"];
  return { columns: columns.map((name) => ({ name })), rows: [...kinds.values()] };
}

if (import.meta.main) {
  const { values: { out }, positionals: [count = "1000", filter] } = parseArgs({
    options: {
      out: { type: "string", default: "" },
    },
    allowPositionals: true,
  });
  const done: { name: string; runs: number; failed: number }[] = [];
  const failures = await fuzz(() => Number(count), filter, (name, runs, failed) => {
    done.push({ name, runs, failed: failed.length });
    console.log(`${name}: ${runs} damaged files, ${failed.length} failures`);
    for (const { what, problem } of failed.slice(0, 3)) console.log(JSON.stringify(what), problem);
  });
  await writeOut(out, "data", {
    damaged: {
      command: [commandLine("tests/robustness/fuzz.ts")],
      ...await conditionsNow(),
      tables: [fuzzTable(done)],
      raw: done,
    },
  });
  Deno.exit(failures.length === 0 ? 0 : 1);
}
