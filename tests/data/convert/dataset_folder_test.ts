import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../../../base/files/sha256.ts";
import { UserError } from "../../../base/user_error.ts";
import type { Corpus } from "../../../data/corpus.ts";
import { type CorpusParts, corpusParts } from "../../../data/corpus_parts.ts";
import { DatasetFolder } from "../../../data/convert/dataset_folder.ts";
import * as registry from "../../../data/convert/registry.ts";
import { surveyed } from "../../../data/convert/survey.ts";
import type { DatasetWriter } from "../../../data/convert/writer.ts";
import { filesIn } from "../../tasks/genrec.ts";
import { trickyCorpus } from "./tricky_corpus.ts";
import { PLAIN } from "./written.ts";
import { withFiles } from "../formats/minionerec/fixture.ts";

const OF = { "--from": "x", "the file a": "1" };
/** As a task gives up. */
const STOPPED = new UserError("stopped by a test");
const HIDDEN = ".out.genrec-new";

/** Writes a corpus to `dir/out` and hands over what was there when it began. */
async function write(dir: string, writer: DatasetWriter, parts: CorpusParts, signal?: AbortSignal) {
  await using folder = await DatasetFolder.open(join(dir, "out"), { of: OF, keepEvery: 0, signal });
  const { files, rows } = folder.found;
  const found = { files: files.map(({ path }) => path), rows: rows?.rows };
  const corpus = surveyed(parts, (make) => folder.value("survey", make));
  await folder.write((written) => writer.files(corpus, PLAIN, written));
  return found;
}

/** The hash of each file. */
async function hashes(dir: string): Promise<Record<string, string>> {
  const paths = filesIn(dir)!.filter((path) => !path.endsWith("/"));
  return Object.fromEntries(
    await Promise.all(paths.map(async (path) => [path, await sha256(join(dir, path))])),
  );
}

/** The corpus in parts of so many rows, before each of which `between` is awaited. */
function cutParts(corpus: Corpus, size: number, between: () => Promise<void>): CorpusParts {
  const { interactions: { users, items, times, ratings }, samples } = corpus;
  async function* cut<T>(rows: readonly T[]) {
    for (let row = 0; row < rows.length; row += size) {
      await between();
      yield rows.slice(row, row + size);
    }
  }
  return {
    ...corpusParts(corpus),
    items: () => cut(corpus.items),
    users: () => cut(corpus.users),
    async *interactions() {
      for (let row = 0; row < users.length; row += size) {
        await between();
        const part = <A extends Int32Array | Float64Array>(column: A) => column.slice(row, row + size) as A;
        yield {
          users: part(users),
          items: part(items),
          ...(times && { times: part(times) }),
          ...(ratings && { ratings: part(ratings) }),
        };
      }
    },
    samples: (split) => cut(samples[split]),
  };
}

/** 102,500 train samples of 50 users, which are three row groups, and a few others. */
function largeCorpus(): Corpus {
  const train = Array.from({ length: 102_500 }, (_, row) => ({
    user: row % 50,
    history: [row % 7, row % 11],
    target: row % 13,
    time: row,
  }));
  const users = Int32Array.from({ length: 5000 }, (_, row) => Math.floor(row / 100));
  return {
    ...trickyCorpus(),
    attachments: {},
    sids: undefined,
    items: Array.from(
      { length: 20 },
      (_, item) => ({ id: `B${item}`, title: `Tape ${item}`, categories: [] }),
    ),
    users: Array.from({ length: 50 }, (_, user) => ({ id: `A${user}` })),
    interactions: { users, items: users.map((user) => user % 17) },
    samples: { train, valid: train.slice(0, 40), test: train.slice(0, 30) },
  };
}

for (const writer of Object.values(registry)) {
  Deno.test(`${writer.name}: a conversion that was killed anywhere goes on and ends with the same bytes`, async () => {
    await withFiles({}, async (dir) => {
      let moments = 0;
      const corpus = trickyCorpus();
      // What a kill at this moment would leave.
      const leave = async () =>
        await cp(join(dir, "whole", HIDDEN), join(dir, `${moments++}`, HIDDEN), { recursive: true });
      await write(join(dir, "whole"), writer, cutParts(corpus, 2, leave));
      const whole = await hashes(join(dir, "whole"));
      assert.ok(moments > 3, `${moments}`);
      for (let moment = 0; moment < moments; moment++) {
        const there = join(dir, `${moment}`);
        await write(there, writer, cutParts(corpus, 2, () => Promise.resolve()));
        assert.deepEqual(await hashes(there), whole, `moment ${moment}`);
      }
    });
  });
}

Deno.test("a conversion to our format goes on behind the last row group and does not read whole tables again", async () => {
  await withFiles({}, async (dir) => {
    const corpus = largeCorpus(), { genrecWriter } = registry;
    let reads = 0;
    const leave = async () => {
      if (++reads === 32) {
        await cp(join(dir, "whole", HIDDEN), join(dir, "killed", HIDDEN), { recursive: true });
      }
    };
    await write(join(dir, "whole"), genrecWriter, cutParts(corpus, 4000, leave));
    assert.equal(reads, 2 + 2 + 26 + 2); // of items and users, the log, train, valid and test: the copy was made before test
    let again = 0;
    const count = () => Promise.resolve(void again++);
    assert.deepEqual(await write(join(dir, "killed"), genrecWriter, cutParts(corpus, 4000, count)), {
      files: ["items.parquet", "users.parquet", "interactions.parquet", "train.parquet", "valid.parquet"],
      rows: undefined,
    });
    assert.equal(again, 1);
    assert.deepEqual(await hashes(join(dir, "killed")), await hashes(join(dir, "whole")));
  });
});

Deno.test("a conversion that is told to stop keeps its row groups, and says what is there to the next", async () => {
  await withFiles({}, async (dir) => {
    const corpus = largeCorpus(), { genrecWriter } = registry;
    await write(join(dir, "whole"), genrecWriter, cutParts(corpus, 4000, () => Promise.resolve()));
    const stop = new AbortController();
    let reads = 0;
    const stopAt = () => Promise.resolve(++reads === 30 ? stop.abort(STOPPED) : undefined);
    await assert.rejects(write(dir, genrecWriter, cutParts(corpus, 4000, stopAt), stop.signal), STOPPED);
    assert.deepEqual(await write(dir, genrecWriter, cutParts(corpus, 4000, () => Promise.resolve())), {
      files: ["items.parquet", "users.parquet", "interactions.parquet"],
      rows: 101_000,
    });
    assert.deepEqual(await hashes(join(dir, "out")), await hashes(join(dir, "whole/out")));
  });
});

Deno.test("parts of another conversion, and parts that were changed, are refused and stay", async () => {
  await withFiles({}, async (dir) => {
    const corpus = trickyCorpus(), { genrecWriter } = registry;
    const stop = AbortSignal.abort(STOPPED);
    const parts = cutParts(corpus, 2, () => Promise.resolve());
    await assert.rejects(write(dir, genrecWriter, parts, stop), STOPPED);
    const open = (of: Record<string, string>) => DatasetFolder.open(join(dir, "out"), { of });
    const hidden = join(dir, HIDDEN);
    const remedy = `Give the command that was stopped, or remove ${hidden} to start anew`;
    await assert.rejects(open({ ...OF, "the file a": "2" }), {
      name: "UserError",
      message: `Cannot go on with ${dir}/out: what was stopped there had another the file a, expected "1", ` +
        `found "2". ${remedy}`,
    });
    await assert.rejects(open({ ...OF, "--seed": "1" }), /another --seed, expected none, found "1"/);
    const items = join(hidden, "items.parquet");
    const bytes = await Deno.readFile(items);
    await Deno.writeFile(items, bytes.with(9, bytes[9] ^ 1));
    await assert.rejects(open(OF), {
      name: "UserError",
      message:
        `Cannot go on with ${items}: it was changed since it was written. Remove ${hidden} to start anew`,
    });
    await Deno.writeTextFile(join(hidden, ".genrec-kept"), "?");
    await assert.rejects(open(OF), /\.genrec-kept is damaged\. Give the command/);
    await Deno.remove(hidden, { recursive: true });
    assert.deepEqual(filesIn(dir), []);
    assert.deepEqual(await write(dir, genrecWriter, parts), { files: [], rows: undefined });
  });
});
