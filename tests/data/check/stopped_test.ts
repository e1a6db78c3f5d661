import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../../../base/user_error.ts";
import { checkDataset } from "../../../data/check/check.ts";
import { type CheckState, checkStream, Faults } from "../../../data/check/stream.ts";
import type { Corpus } from "../../../data/corpus.ts";
import { type CorpusStream, type PartsBefore, streamOf } from "../../../data/corpus_stream.ts";
import { splits } from "../../../data/dataset.ts";
import { cutSamples } from "../../../data/interactions.ts";
import { genrecWriter } from "../../../data/formats/genrec/write.ts";
import { KeptWork } from "../../../data/kept/work.ts";
import { filesIn } from "../../tasks/genrec.ts";
import { trickyCorpus } from "../convert/tricky_corpus.ts";
import { written } from "../convert/written.ts";
import { checkKept } from "./stopped_child.ts";
import { withFiles } from "../formats/minionerec/fixture.ts";

const HIDDEN = ".data.genrec-check";
const OF = { "version of genrec": "1" };

/** The corpus in parts of eight rows, before each of which `between` is awaited; every second part has a faulty row. */
function cutStream(corpus: Corpus, faults: Faults, between: (table: string) => Promise<void>): CorpusStream {
  const { interactions: { users, items, times }, samples } = corpus;
  async function* parts(table: string, rows: number, before?: PartsBefore) {
    for (let part = before?.parts ?? 0; 8 * part < rows; part++) {
      await between(table);
      if (part % 2 === 1) faults.add(new UserError(`a bad row in part ${part} of ${table}`));
      yield [8 * part, 8 * part + 8];
    }
  }
  return {
    ...streamOf(corpus),
    async *interactions(before) {
      for await (const [from, to] of parts("interactions", users.length, before)) {
        yield {
          users: users.slice(from, to),
          items: items.slice(from, to),
          // The first part has no times.
          ...(times && from > 0 && { times: times.slice(from, to) }),
        };
      }
    },
    async *samples(split, before) {
      for await (const [from, to] of parts(split, samples[split].length, before)) {
        yield samples[split].slice(from, to);
      }
    },
  };
}

interface Checking {
  dir: string;
  corpus: Corpus;
  signal?: AbortSignal;
  log?: (line: string) => void;
  /** Of what is read. */
  of?: Record<string, string>;
  between?: (table: string) => Promise<void>;
  keepEvery?: number;
}

/** Checks a corpus as if it were read from `dir/data`: what was found, and the tables that were read, a name a part. */
async function check({ dir, corpus, signal, log, of = OF, between, keepEvery = 0 }: Checking) {
  const faults = new Faults();
  const goOn = { of, signal: signal ?? new AbortController().signal, log: log ?? (() => {}), keepEvery };
  const files = [join(dir, "data")];
  await using kept = await KeptWork.open<CheckState>(join(dir, "data"), "check", files, goOn);
  const read: string[] = [];
  const stream = cutStream(corpus, faults, async (table) => {
    read.push(table);
    await between?.(table);
  });
  return { report: { ...await checkStream(stream, faults, kept), faults: faults.tally }, read };
}

/** Faults of all kinds: ids and purchases that come twice, histories that are too long, targets after those of later splits. */
function faultyCorpus(split: Corpus["split"], isByUser: boolean): Corpus {
  const users = Int32Array.from({ length: 60 }, (_, row) => isByUser ? Math.floor(row / 6) : row % 10);
  const interactions = {
    users,
    items: users.map((_, row) => row % 7),
    times: Float64Array.from(users, (_, row) => row % 5 === 0 ? NaN : 1000 + (row * 31) % 40),
  };
  const { train, valid, test } = cutSamples(interactions, 10, 3, (user, place) => splits[(user + place) % 3]);
  return {
    ...trickyCorpus(),
    split,
    maxHistory: 2,
    sids: undefined,
    items: Array.from(
      { length: 8 },
      (_, item) => ({ id: `B${item % 6}`, title: `Tape ${item}`, categories: [] }),
    ),
    users: Array.from({ length: 10 }, (_, user) => ({ id: `A${user}` })),
    interactions,
    samples: { train: [...train, ...train.slice(3, 6)], valid, test },
  };
}

/** What lies beside the data. */
const hiddenIn = (dir: string) => filesIn(dir)!.filter((name) => name.startsWith("."));

/** A check that leaves, in `moments/` of the folder, what a kill before each part would leave; the tables of the parts. */
async function killedAnywhere(dir: string, corpus: Corpus) {
  const tables: string[] = [];
  const whole = await check({
    dir,
    corpus,
    async between(table) {
      // Nothing is kept before the first part is through.
      if (tables.length > 0) {
        await cp(join(dir, HIDDEN), join(dir, "moments", `${tables.length}`), { recursive: true });
      }
      tables.push(table);
    },
  });
  return { tables, report: whole.report };
}

for (
  const [what, corpus] of Object.entries({
    "a split by time": faultyCorpus("time", true),
    "leave-one-out, with a log out of order": faultyCorpus("leave-one-out", false),
  })
) {
  Deno.test(`a check of ${what} that was killed anywhere goes on to the same report`, async () => {
    await withFiles({ data: "what is read" }, async (dir) => {
      const { tables, report } = await killedAnywhere(dir, corpus);
      assert.deepEqual([...new Set(tables)], ["interactions", ...splits]);
      assert.ok(report.findings.length > 4 && report.faults.count > 4, JSON.stringify(report));
      assert.deepEqual(hiddenIn(dir), []);
      for (let moment = 1; moment < tables.length; moment++) {
        await Deno.rename(join(dir, "moments", `${moment}`), join(dir, HIDDEN));
        const log = (line: string) => assert.fail(line);
        assert.deepEqual(
          await check({ dir, corpus, log }),
          { report, read: tables.slice(moment) },
          `${moment}`,
        );
        assert.deepEqual(hiddenIn(dir), []);
      }
    });
  });
}

Deno.test("a check that is told to stop leaves how far it is, and nothing before the first moment to keep it", async () => {
  await withFiles({ data: "what is read" }, async (dir) => {
    const corpus = faultyCorpus("time", true), stopped = new UserError("stopped by a test");
    const whole = await check({ dir, corpus });
    const stop = async (keepEvery: number) => {
      const controller = new AbortController(), lines: string[] = [];
      let parts = 0;
      const between = () => Promise.resolve(++parts === 11 ? controller.abort(stopped) : undefined);
      const { signal } = controller, log = (line: string) => void lines.push(line);
      await assert.rejects(check({ dir, corpus, signal, log, between, keepEvery }), stopped);
      return lines;
    };
    assert.deepEqual(await stop(1e9), []);
    assert.deepEqual(hiddenIn(dir), []);
    assert.deepEqual(await stop(0), [`Stopped; the same command goes on from ${join(dir, HIDDEN)}`]);
    const again = await check({ dir, corpus });
    assert.deepEqual(again.report, whole.report);
    assert.equal(again.read.length, whole.read.length - 11);
  });
});

Deno.test("what was kept of another check, or is damaged anywhere, is thrown away and said", async () => {
  await withFiles({ data: "what is read" }, async (dir) => {
    const corpus = faultyCorpus("time", true);
    const { tables, report } = await killedAnywhere(dir, corpus);
    const left = join(dir, "moments", "11"), hidden = join(dir, HIDDEN);
    const startsAnew = async (why: RegExp, of = OF) => {
      const lines: string[] = [];
      const log = (line: string) => void lines.push(line);
      assert.deepEqual(await check({ dir, corpus, log, of }), { report, read: tables });
      assert.equal(lines.length, 1, `${why}`);
      assert.match(lines[0], /^Thrown away what was kept of a check: .*\. It starts anew$/);
      assert.match(lines[0], why);
      assert.deepEqual(hiddenIn(dir), []);
    };
    const names = filesIn(left)!;
    assert.ok(names.includes("items") && names.includes("times of train"), names.join());
    for (const name of names) {
      const bytes = await Deno.readFile(join(left, name));
      for (
        const damaged of [bytes.with(bytes.length >> 1, bytes[bytes.length >> 1] ^ 1), bytes.slice(0, -1)]
      ) {
        await cp(left, hidden, { recursive: true });
        await Deno.writeFile(join(hidden, name), damaged);
        await startsAnew(name === ".genrec-kept" ? /kept is damaged/ : /was changed since it was written/);
      }
      if (name === ".genrec-kept") continue;
      await cp(left, hidden, { recursive: true });
      await Deno.remove(join(hidden, name));
      await startsAnew(/was changed since it was written/);
    }
    await cp(left, hidden, { recursive: true });
    await startsAnew(/another version of genrec, expected "1", found "2"/, { "version of genrec": "2" });
    await cp(left, hidden, { recursive: true });
    await Deno.writeTextFile(join(dir, "data"), "something else");
    await startsAnew(/another file .*data, expected/);
    // Killed before anything was kept, or in the middle of it: as if there were nothing.
    await Deno.mkdir(hidden);
    await Deno.writeTextFile(join(hidden, "items"), "half of");
    assert.deepEqual(await check({ dir, corpus, log: assert.fail }), { report, read: tables });
    assert.deepEqual(hiddenIn(dir), []);
  });
});

Deno.test("a check of our format whose process is killed goes on behind whole row groups to the same report", async () => {
  const train = Array.from(
    { length: 250_000 },
    (_, row) => ({ user: 0, history: [row % 5], target: row % 3 }),
  );
  const corpus: Corpus = { ...trickyCorpus(), samples: { ...trickyCorpus().samples, train } };
  await written(corpus, genrecWriter, async (dir) => {
    const whole = await checkDataset(dir), kept = join(dir, "../.out.genrec-check");
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", fileURLToPath(new URL("./stopped_child.ts", import.meta.url)), dir],
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    // A line a row group: the log's, and two of train, of which the last may be kept or not.
    for (let text = ""; text.split("\n").length < 4;) text += (await lines.read()).value ?? assert.fail(text);
    child.kill("SIGKILL");
    await lines.cancel();
    assert.equal((await child.status).signal, "SIGKILL");
    assert.ok(filesIn(kept)!.includes(".genrec-kept"));
    const told: string[] = [];
    assert.deepEqual(await checkKept(dir, (line) => told.push(line)), whole);
    assert.equal(told.length, 1);
    assert.match(told[0], /^Goes on behind [1-9][0-9,]* of 250,000 rows of train, which were checked$/);
    assert.equal(filesIn(kept), undefined);
  });
});
