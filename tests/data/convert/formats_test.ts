// Every format with data that breaks careless writers.
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { Attributes, Corpus, CorpusItem } from "../../../data/corpus.ts";
import { notHeld } from "../../../data/convert/fields.ts";
import * as registry from "../../../data/convert/registry.ts";
import { replaceSids } from "../../../data/convert/replace_sids.ts";
import { surveyed } from "../../../data/convert/survey.ts";
import { writeFolder } from "../../../data/convert/dataset_folder.ts";
import type { DatasetWriter, NamedFile } from "../../../data/convert/writer.ts";
import { type CorpusParts, corpusParts } from "../../../data/corpus_parts.ts";
import { checkDataset } from "../../../data/check/check.ts";
import { toColumns } from "../../../data/interactions.ts";
import { loadCorpus } from "../../../data/formats/load.ts";
import { filesIn } from "../../tasks/genrec.ts";
import { trickyCorpus } from "./tricky_corpus.ts";
import { content, PLAIN, written } from "./written.ts";
import { UserError } from "../../../base/user_error.ts";
import fc from "../../property.ts";

const writers: DatasetWriter[] = Object.values(registry);

/** Every file of a folder as text. */
async function texts(dir: string): Promise<Record<string, string>> {
  const names = filesIn(dir)!.filter((name) => !name.endsWith("/"));
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await Deno.readTextFile(`${dir}/${name}`)])),
  );
}

Deno.test("genrec holds everything", async () => {
  const corpus = trickyCorpus();
  await written(corpus, registry.genrecWriter, async (dir) => {
    deepStrictEqual(content(await loadCorpus(dir)), content(corpus));
    deepStrictEqual(await checkDataset(dir).then(({ problems }) => problems), []);
  });
});

for (const writer of writers) {
  Deno.test(`${writer.name} files pass the check and come back from our format byte for byte`, async () => {
    const corpus = trickyCorpus();
    await written(corpus, writer, async (first) => {
      deepStrictEqual(await checkDataset(first).then(({ problems }) => problems), []);
      const read = await loadCorpus(first);
      await written(read, registry.genrecWriter, async (ours) => {
        const again = await loadCorpus(ours);
        deepStrictEqual(content(again), content(read));
        await written(
          again,
          writer,
          async (second) => deepStrictEqual(await texts(second), await texts(first)),
        );
      });
    });
  });

  Deno.test(`${writer.name} writes the same bytes of tables in parts of one row`, async () => {
    const corpus = trickyCorpus();
    const { interactions: { users, items, times, ratings }, samples } = corpus;
    async function* oneByOne<T>(rows: readonly T[]) {
      for (const row of rows) yield await Promise.resolve([row]);
    }
    const parts: CorpusParts = {
      ...corpusParts(corpus),
      items: () => oneByOne(corpus.items),
      users: () => oneByOne(corpus.users),
      async *interactions() {
        for (const row of users.keys()) {
          yield await Promise.resolve({
            users: users.slice(row, row + 1),
            items: items.slice(row, row + 1),
            ...(times && { times: times.slice(row, row + 1) }),
            ...(ratings && { ratings: ratings.slice(row, row + 1) }),
          });
        }
      },
      samples: (split) => oneByOne(samples[split]),
    };
    const held = surveyed(corpusParts(corpus)), cut = surveyed(parts);
    deepStrictEqual(await cut.survey(), await held.survey());
    const lost = await writer.leftOut?.(held) ?? [];
    deepStrictEqual(await writer.leftOut?.(cut) ?? [], lost);
    await written(corpus, writer, async (whole) => {
      await written(parts, writer, async (inParts) => {
        for (const name of filesIn(whole)!.filter((name) => !name.endsWith("/"))) {
          deepStrictEqual(await Deno.readFile(`${inParts}/${name}`), await Deno.readFile(`${whole}/${name}`));
        }
      });
    });
  });

  Deno.test(`${writer.name} gives back every field that it says it holds`, async () => {
    const corpus = trickyCorpus();
    const lost = await notHeld(surveyed(corpusParts(corpus)), writer.holds, writer.name);
    await written(corpus, writer, async (dir) => {
      const read = await loadCorpus(dir);
      const same = (field: string, a: unknown, b: unknown) => {
        if (!lost.includes(field)) deepStrictEqual(a, b, field);
      };
      // RecBole's lines have no room for tabs and line ends.
      const oneLine = (text: string | undefined) =>
        writer.name === "recbole" ? text?.replace(/[\t\n]+/g, " ") : text;
      for (const [number, item] of read.items.entries()) {
        const original = corpus.items[number];
        same("titles", item.title, oneLine(original.title));
        same("descriptions", item.description, oneLine(original.description));
        same("brands", item.brand, original.brand);
        same("categories", item.categories, original.categories);
        same("prices", item.price, original.price);
        same("features", item.features, original.features);
        same("item ids", item.id, original.id);
        same("item attributes", withoutRaw(item), original.attributes);
      }
      same("SIDs", read.sids, corpus.sids);
      if (writer.name !== "letter") {
        same(
          "user ids",
          new Set(read.users.map(({ id }) => id)).isSubsetOf(ids(corpus)),
          writer.name !== "mimigenrec",
        );
        same("times", read.interactions.times, corpus.interactions.times);
        same("ratings", read.interactions.ratings, corpus.interactions.ratings);
        same(
          "sample attributes",
          read.samples.train.map(({ attributes }) => attributes),
          corpus.samples.train.map(({ attributes }) => attributes),
        );
        same(
          "which split a sample is in",
          Object.values(read.samples).map(({ length }) => length),
          [2, 1, 2],
        );
      }
    });
  });
}

function ids({ users }: Corpus): Set<string> {
  return new Set(users.map(({ id }) => id));
}

function withoutRaw({ attributes }: CorpusItem): Attributes | undefined {
  const { raw: _, ...rest } = attributes ?? {};
  return Object.keys(rest).length > 0 ? rest : undefined;
}

Deno.test("notHeld() names what a format has no place for and what the corpus has", async () => {
  const corpus = trickyCorpus();
  const held = (corpus: Corpus, { holds, name }: DatasetWriter) =>
    notHeld(surveyed(corpusParts(corpus)), holds, name);
  deepStrictEqual(await held(corpus, registry.genrecWriter), []);
  const lost = await held(corpus, registry.letterWriter);
  for (
    const field of ["times", "ratings", "sample attributes", "user attributes", "minionerec/index.other.json"]
  ) {
    ok(lost.includes(field), `${field} is not among ${lost}`);
  }
  const plain = { ...corpus, interactions: toColumns([]), attachments: {} };
  plain.samples = { train: [{ user: 0, history: [0], target: 1 }], valid: [], test: [] };
  ok(!(await held(plain, registry.letterWriter)).includes("times"));
});

Deno.test("letter says how many users are too short for it", async () => {
  deepStrictEqual(await registry.letterWriter.leftOut!(surveyed(corpusParts(trickyCorpus()))), [
    "the history length 3",
    "1 users with fewer than 3 interactions",
  ]);
});

Deno.test("mimigenrec refuses a dataset without SIDs and says where to get some", async () => {
  const { sids: _, ...corpus } = trickyCorpus();
  await rejects(
    Array.fromAsync(registry.mimigenrecWriter.files(surveyed(corpusParts(corpus)), PLAIN, { hashes: {} })),
    /Cannot write tricky as mimigenrec: the format needs SIDs, the dataset has none\. Make some with `genrec sid`/,
  );
});

Deno.test("replaceSids() leaves no row that names the SIDs before", async () => {
  await written(trickyCorpus(), registry.mimigenrecWriter, async (dir) => {
    const path = `${dir}/sft/valid.json`;
    const rows = JSON.parse(await Deno.readTextFile(path));
    rows[0].input = "After <a_10><b_7><c_2>, what? {history}"; // a template would fill this in
    rows.push({ system: "s", instruction: "i", input: "What is <a_0><b_7>?", output: "NA" });
    await Deno.writeTextFile(path, JSON.stringify(rows));
    const read = await loadCorpus(dir);
    ok(JSON.stringify(read.samples.valid).includes("verbatim"));
    const sids = read.sids!.map((_, item) => ["<a_99>", `<b_${item}>`]);
    const { corpus, dropped } = replaceSids(corpusParts(read), sids);
    deepStrictEqual(dropped, ["mimigenrec/other/sft/valid.json"]);
    await written(corpus, registry.mimigenrecWriter, async (out) => {
      for (const [name, text] of Object.entries(await texts(out))) {
        ok(
          !text.replaceAll(/codes? such as <a_1><b_2><c_3>|code such as <a_1>/g, "").includes("<a_10>"),
          name,
        );
      }
      strictEqual(JSON.parse(await Deno.readTextFile(`${out}/sft/valid.json`))[0].output, "<a_99><b_3>");
    });
  });
});

Deno.test("genrec gives back any corpus", async () => {
  const text = fc.string({ unit: "grapheme" });
  const json = fc.dictionary(text, fc.jsonValue({ maxDepth: 2 }), { minKeys: 1, maxKeys: 3 })
    .map((value) => JSON.parse(JSON.stringify(value)));
  const item = fc.record(
    {
      title: text,
      categories: fc.array(text, { maxLength: 3 }),
      description: fc.string({ unit: "grapheme", minLength: 1 }),
      price: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }).map((price) => price + 0),
      attributes: json,
    },
    { requiredKeys: ["title", "categories"], noNullPrototype: true },
  );
  const number = fc.nat(3);
  const sample = fc.record(
    {
      user: number,
      history: fc.array(number, { maxLength: 5 }),
      target: number,
      time: fc.integer({ min: 0, max: 2 ** 40 }),
      attributes: json,
    },
    { requiredKeys: ["user", "history", "target"], noNullPrototype: true },
  );
  const samples = fc.array(sample, { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(item, { minLength: 4, maxLength: 4 }),
      fc.record({ train: samples, valid: samples, test: samples }, { noNullPrototype: true }),
      async (items, samples) => {
        const corpus: Corpus = {
          ...trickyCorpus(),
          items: items.map((item, number) => ({ id: `i${number}`, ...item })),
          users: [0, 1, 2, 3].map((user) => ({ id: `u${user}` })),
          interactions: toColumns([{ user: 0, item: 3 }, { user: 2, item: 0 }]),
          samples,
          sids: [0, 1, 2, 3].map((item) => [`<a_${item}>`]),
        };
        await written(corpus, registry.genrecWriter, async (dir) => {
          deepStrictEqual(content(await loadCorpus(dir)), content(corpus));
        });
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("a table of tabs says which texts it changes, and how many", async () => {
  const corpus = trickyCorpus();
  const [first, second, ...others] = corpus.items;
  const plain = others.map((item) => ({
    ...item,
    title: "nut",
    description: undefined,
    features: undefined,
  }));
  const items = [
    { ...first, title: "a\tb", description: "x\ny", features: undefined },
    { ...second, title: "c\r\nd", description: undefined, features: undefined },
    ...plain,
  ];
  const told = async (writer: DatasetWriter) =>
    (await writer.leftOut!(surveyed(corpusParts({ ...corpus, items })))).filter((text) => /tabs/.test(text));
  deepStrictEqual(await told(registry.recboleWriter), [
    "titles with tabs or line ends (2), which become spaces in tricky.item",
    "descriptions with tabs or line ends (1), which become spaces in tricky.item",
  ]);
  deepStrictEqual(await told(registry.minionerecWriter), [
    "titles with tabs or line ends (2), which become spaces in info.txt",
  ]);
});

Deno.test("item.json says of how many items it cannot keep the categories", async () => {
  const corpus = trickyCorpus();
  const categories = [["Tools, 6 mm", "Tape"], ["Tools", "Tape"], [" Glue"]];
  const items = corpus.items.map(({ attributes: _, ...item }, i) => ({
    ...item,
    categories: categories[i] ?? [],
  }));
  for (const writer of [registry.letterWriter, registry.minionerecWriter, registry.mimigenrecWriter]) {
    const told = async (items: Corpus["items"]) =>
      (await writer.leftOut!(surveyed(corpusParts({ ...corpus, items })))).filter((text) =>
        /categories/.test(text)
      );
    deepStrictEqual(await told(items), [
      "categories with commas or spaces around them (of 2 items), which item.json cannot tell apart",
    ]);
    deepStrictEqual(await told(items.map((item) => ({ ...item, categories: ["Tools", "Tape"] }))), []);
  }
});

for (const writer of writers) {
  Deno.test(`${writer.name} writes nothing outside of its folder, whatever the dataset is called`, async () => {
    const corpus = { ...trickyCorpus(), name: "../../pwn" };
    const root = await Deno.makeTempDir();
    try {
      await writeFolder(
        `${root}/a/b/out`,
        (written) => writer.files(surveyed(corpusParts(corpus)), PLAIN, written),
      ).catch(
        (error) => {
          ok(
            error instanceof UserError && /"\.\.\/\.\.\/pwn" as a file name/.test(error.message),
            `${error}`,
          );
        },
      );
      deepStrictEqual(filesIn(root)!.filter((name) => name.includes("pwn")), []);
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  });
}

Deno.test("writeFolder() refuses a file that would not be inside of the folder, and leaves nothing", async () => {
  async function* two(): AsyncGenerator<NamedFile> {
    yield ["a", await Promise.resolve(["1"])];
    yield ["x/../../b", ["2"]];
  }
  const root = await Deno.makeTempDir();
  try {
    await rejects(
      writeFolder(`${root}/out`, two),
      /would not be inside of it/,
    );
    deepStrictEqual(filesIn(root), []);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
