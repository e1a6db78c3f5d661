import assert from "node:assert/strict";
import { join } from "node:path";
import { findFormat } from "../../../data/formats/load.ts";
import { tellPlanned } from "../../../tasks/_data/planned_memory.ts";
import * as registry from "../../../data/convert/registry.ts";
import { trickyCorpus } from "../../data/convert/tricky_corpus.ts";
import { written } from "../../data/convert/written.ts";
import { collector } from "../../scenarios/text_shop.ts";

const GIB = 2 ** 30;
const planned = { work: "check", bytesOf: () => 3 * GIB, limit: 0 };

Deno.test("tellPlanned() says rows and memory by the footers, and refuses what passes the limit", async () => {
  const { items, users, interactions, samples } = trickyCorpus();
  const all = samples.train.length + samples.valid.length + samples.test.length;
  await written(trickyCorpus(), registry.genrecWriter, async (data) => {
    const { io, lines } = collector();
    await tellPlanned({ ...planned, data, format: await findFormat(data), limit: 3 }, io);
    assert.deepEqual(lines, [
      `Memory: about 3.0 GiB for ${interactions.users.length} interactions, ${all} samples, ` +
      `${items.length} items and ${users.length} users`,
    ]);
    const format = await findFormat(data);
    const refused = (remedy?: string) => tellPlanned({ ...planned, data, format, limit: 2, remedy }, io);
    await assert.rejects(refused(), {
      name: "UserError",
      message: `Cannot check ${data} in 2.0 GiB of memory: it takes about 3.0 GiB. Raise --memory-limit`,
    });
    await assert.rejects(
      refused("use fewer --neighbours"),
      /Raise --memory-limit, or use fewer --neighbours$/,
    );
  });
});

Deno.test("tellPlanned() leaves damage to who reads the tables, and refuses a limit where no rows are stated", async () => {
  await written(trickyCorpus(), registry.genrecWriter, async (data) => {
    await Deno.writeTextFile(join(data, "train.parquet"), "PAR1 and no more");
    const { io, lines } = collector();
    await tellPlanned({ ...planned, data, format: await findFormat(data), limit: 1 }, io);
    assert.deepEqual(lines, []);
  });
  await written(trickyCorpus(), registry.recboleWriter, async (data) => {
    const { io, lines } = collector();
    await tellPlanned({ ...planned, data, format: await findFormat(data) }, io);
    assert.deepEqual(lines, []);
    await assert.rejects(tellPlanned({ ...planned, data, format: await findFormat(data), limit: 9 }, io), {
      name: "UserError",
      message:
        `Cannot use --memory-limit with ${data}: files of RecBole do not say how many rows they have. ` +
        "Leave it out, or `genrec convert` it to genrec",
    });
  });
});
