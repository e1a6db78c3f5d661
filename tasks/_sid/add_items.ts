import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { newTokens } from "../../data/formats/index_file.ts";
import { readNewItems } from "../../data/new_items.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import { type Placement, placeNewItems } from "../../sid/methods/place_new.ts";
import { parseToken } from "../../sid/tokens.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { openDevice } from "../_cli/open_device.ts";
import { tableLines } from "../_cli/table.ts";
import { namelessItems, storedItems } from "./stored_items.ts";
import { sidMethod } from "../../sid/methods/by_name.ts";
import type { SidFlags } from "./flags.ts";
import { type AddedItem, FILES, readSids, type StoredSids, writeSids } from "./folder.ts";
import { catalogueOf } from "../../train/runs/catalogue/catalogue.ts";
import { namesOf } from "./names.ts";
import { newVectors } from "./new_vectors.ts";
import { makeReport, tokensOf } from "./report.ts";

/** Gives SIDs to new items with the codebooks that are there, and writes the longer catalogue. */
export async function addItems(flags: SidFlags, io: TaskIO): Promise<void> {
  const stored = await readSids(flags.sids);
  const items = await storedItems(flags, stored);
  const known = new Set([...items ?? [], ...stored.added].map(({ id }) => id));
  const fresh = await readNewItems(flags.add, flags.maxBadLines, known);
  const vectors = await newVectors({ stored, items, fresh }, flags, io);

  const { recipe, tokens, embeddings, model } = stored;
  const method = sidMethod(recipe.method);
  const { device } = await openDevice(flags);
  const codes = await method.encode(device, vectors, model, method.Config.parse(recipe.settings));
  const catalogue = tokens.map((sid) => sid.map((token) => parseToken(token).codeword - recipe.codeOffset));
  const placed = placeNewItems(catalogue, codes, model.tensors, recipe.collisions === "keep");
  const newSids = placed.map(({ sid }) => tokensOf(sid, recipe.codeOffset));
  const added: AddedItem[] = placed.map(({ how }, i) => ({
    item: tokens.length + i,
    ...fresh.items[i],
    sid: newSids[i].join(""),
    how,
  }));
  const longer: StoredSids = {
    recipe: {
      ...recipe,
      genrec: manifest.version,
      errors: recipe.errors.map((error, level) =>
        (error * tokens.length + codes.errors[level] * added.length) / (tokens.length + added.length)
      ),
      added: recipe.added + added.length,
    },
    tokens: [...tokens, ...newSids],
    coded: joined(stored.coded, codes.codes),
    embeddings: appended(embeddings, vectors),
    model,
    added: [...stored.added, ...added],
  };
  const names = namesOf({ items: items ?? namelessItems(recipe.learnedFrom) }, longer.added);
  const report = makeReport(longer, names, { zeroRows: {}, notes: {} });
  await writeSids(
    flags.out,
    longer,
    report,
    undefined,
    items && catalogueOf({ items: [...items, ...longer.added] }),
  );

  const old = new Set(tokens.flat());
  const unknown = newTokens(newSids, recipe.tokenOrder).filter((token) => !old.has(token));
  if (io.json) {
    return console.log(JSON.stringify({ added, newTokens: unknown, badLines: fresh.badLines }, null, 2));
  }
  print(added, unknown, fresh.badLines, io);
  io.log(
    `Wrote ${
      join(flags.out, FILES.index)
    } of ${longer.tokens.length} items, the first ${tokens.length} as before`,
  );
}

const SHOWN = 20;
const HOW: Record<Placement, string> = {
  coded: "",
  moved: "its own codes were taken: nearest free ones",
  extended: "its own codes were taken: one more code",
  shared: "shares its SID",
};

function print(
  added: readonly AddedItem[],
  unknown: readonly string[],
  badLines: readonly string[],
  io: TaskIO,
): void {
  for (const line of badLines) io.log(`Left out ${line}`);
  const rows = added.slice(0, SHOWN).map((
    { item, id, sid, title, how },
  ) => [String(item), id, sid, title, HOW[how]]);
  for (const line of tableLines([["item", "id", "SID", "title", ""], ...rows], [1, 2, 3, 4])) io.log(line);
  if (added.length > SHOWN) io.log(`and ${added.length - SHOWN} more in ${FILES.added}`);
  const shared = added.filter(({ how }) => how === "shared").length;
  if (shared > 0) io.log(`Warning: ${shared} new items share a SID, a model cannot tell them apart`);
  if (unknown.length > 0) {
    io.log(
      `Warning: ${unknown.length} tokens are new (${unknown.slice(0, 5).join(" ")}${
        unknown.length > 5 ? " ..." : ""
      }): ` +
        "a model trained on the old index cannot write them until it is trained on this one",
    );
  }
}

function joined(a: Int32Array, b: ArrayLike<number>): Int32Array<ArrayBuffer> {
  const result = new Int32Array(a.length + b.length);
  result.set(a);
  result.set(b, a.length);
  return result;
}

function appended(a: Embeddings, b: Embeddings): Embeddings {
  const data = new Float32Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { data, rows: a.rows + b.rows, dim: a.dim };
}
