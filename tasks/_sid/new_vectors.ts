import type { CorpusItem } from "../../data/corpus.ts";
import { TEXT_FIELDS } from "../../data/item_text.ts";
import type { NewItems } from "../../data/new_items.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";
import type { Layout } from "../../kernels/gpu/tensor.ts";
import type { TextProvider } from "../../embed/provider.ts";
import { PROVIDERS } from "../../embed/by_name.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import { applyLinearMap, fitLinearMap } from "../../sid/kmeans/linear_map.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { openDevice } from "../_cli/open_device.ts";
import { textsOf } from "../embed.ts";
import type { SidFlags } from "./flags.ts";
import type { Recipe, StoredSids } from "./folder.ts";
import { combine, loadEmbeddings, wordEmbeddings, WORDS_OF } from "./inputs.ts";

/** Share of old vectors that a text model must give again before its new ones are believed. */
const LEAST_EXPLAINED = 0.9;

/** What the vectors of new items are made from. */
export interface NewVectorsInput {
  stored: StoredSids;
  /** Items that the codebooks were learned from, where they are known. */
  items: readonly CorpusItem[] | undefined;
  fresh: NewItems;
}

/** Vectors of new items as the codebooks want them, (M, D): fused and scaled like those that these were learned from. */
export async function newVectors(input: NewVectorsInput, flags: SidFlags, io: TaskIO): Promise<Embeddings> {
  const { stored: { recipe }, fresh } = input;
  const text = flags.embeddings
    ? await fromFile(flags.embeddings, fresh, recipe.parts[0])
    : await embedNew(input, flags, io);
  if (recipe.parts.length === 1) return combine(recipe, [text]);
  const { dim } = recipe.parts[1];
  // Nobody has bought a new item yet: zeros, as for such items when the codebooks were learned.
  const rows = fresh.items.length;
  const collab = flags.collab
    ? await fromFile(flags.collab, fresh, recipe.parts[1])
    : { data: new Float32Array(rows * dim), rows, dim };
  return combine(recipe, [text, collab]);
}

async function fromFile(path: string, fresh: NewItems, part: Recipe["parts"][number]): Promise<Embeddings> {
  const { embeddings: { data, rows, dim } } = await loadEmbeddings(path);
  if (rows !== fresh.lines || dim !== part.dim) {
    throw new UserError(
      `Cannot use ${path}: it is (${rows}, ${dim}), expected (${fresh.lines}, ${part.dim}), one row a line and the ` +
        `width of ${part.from}. Embed the new items as those were embedded`,
    );
  }
  const kept = new Float32Array(fresh.rows.length * dim);
  fresh.rows.forEach((row, i) => kept.set(data.subarray(row * dim, (row + 1) * dim), i * dim));
  return { data: kept, rows: fresh.rows.length, dim };
}

async function embedNew(
  { stored, items, fresh }: NewVectorsInput,
  flags: SidFlags,
  io: TaskIO,
): Promise<Embeddings> {
  const { recipe, added, embeddings } = stored;
  const [{ from, dim }] = recipe.parts;
  const old = items && [...items, ...added];
  if (from.startsWith(WORDS_OF) && old) {
    return lastRows(wordEmbeddings("", [...old, ...fresh.items]).embeddings, fresh.items.length);
  }
  const provider = textProvider(recipe.provider?.name);
  if (provider === undefined) {
    throw new UserError(
      `Cannot embed the new items: nothing tells what made ${from}. Embed them in the same way and name the file ` +
        "with --embeddings, one row a line",
    );
  }
  const { settings, fields = [...TEXT_FIELDS], maxCharacters = Infinity, dialect = "genrec" } = recipe
    .provider!;
  const texts = (items: readonly CorpusItem[]) =>
    textsOf({ items: [...items] }, { fields, maxCharacters, dialect, provider: provider.name }).texts;
  const device = async (layout?: Layout) => (await openDevice(flags, { layout })).device;
  const embedder = await provider.open({ ...diskFiles, device }, provider.Config.parse(settings));
  try {
    const rows = fresh.items.length;
    if (!embedder.wholeCorpus) {
      return { data: await embedder.embed(texts(fresh.items)), rows, dim: embedder.dim };
    }
    if (old === undefined) {
      throw new UserError(
        `Cannot embed the new items: ${provider.name} needs the old ones beside them. Name their dataset with --data`,
      );
    }
    io.log(
      `Embedding ${old.length} old items with the new ones: vectors of ${provider.name} depend on all texts`,
    );
    const all = {
      data: await embedder.embed(texts([...old, ...fresh.items])),
      rows: old.length + rows,
      dim: embedder.dim,
    };
    return alignNew(all, firstColumns(embeddings, dim), provider.name, io);
  } finally {
    embedder.close();
  }
}

/**
 * Rows of `all` (N + M, D') beyond those of `old` (N, D), in the space of the old ones. A model that was fitted again
 * to more texts has other axes: the linear map that takes its vectors of the old items to the old vectors takes the
 * new ones there too.
 */
function alignNew(all: Embeddings, old: Embeddings, provider: string, io: TaskIO): Embeddings {
  const again = { data: all.data.subarray(0, old.rows * all.dim), rows: old.rows, dim: all.dim };
  const map = fitLinearMap(again, old);
  const share = `${(100 * map.explained).toFixed(1)} %`;
  if (map.explained < LEAST_EXPLAINED) {
    throw new UserError(
      `Cannot embed the new items: ${provider} gives back only ${share} of the old vectors, expected at least ` +
        `${
          100 * LEAST_EXPLAINED
        } %. Is --data the dataset that was embedded? Else embed the new items yourself and ` +
        "name the file with --embeddings",
    );
  }
  io.log(`The old vectors were given back to ${share}; the new ones were turned the same way`);
  return applyLinearMap(map, lastRows(all, all.rows - old.rows));
}

function textProvider(name: string | undefined): TextProvider | undefined {
  const provider = PROVIDERS.find((provider) => provider.name === name);
  return provider?.input === "text" ? provider : undefined;
}

function lastRows({ data, rows, dim }: Embeddings, count: number): Embeddings {
  return { data: data.slice((rows - count) * dim), rows: count, dim };
}

function firstColumns({ data, rows, dim }: Embeddings, count: number): Embeddings {
  if (count === dim) return { data, rows, dim };
  const kept = new Float32Array(rows * count);
  for (let row = 0; row < rows; row++) kept.set(data.subarray(row * dim, row * dim + count), row * count);
  return { data: kept, rows, dim: count };
}
