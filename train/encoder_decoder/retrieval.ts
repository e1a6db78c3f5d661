import { z } from "zod";
import { formatIndex } from "../../data/formats/index_file.ts";
import { readJson } from "../../base/files/json_file.ts";
import { TOKEN_NORMALISATIONS, type TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";

/** How a checkpoint of an encoder-decoder is asked: `retrieval.json` beside its weights. */
export interface Retrieval {
  /** Items of a prompt, the latest ones. */
  maxHistory: number;
  /** What decoding normalises a token's probability over. */
  normalisation: TokenNormalisation;
}

const Schema = z.strictObject({
  maxHistory: z.int().min(1),
  normalisation: z.enum(TOKEN_NORMALISATIONS),
}) satisfies z.ZodType<Retrieval>;

/** What a checkpoint folder holds beside weights, so that it can be searched by itself: its SIDs, and how it is asked. */
export function retrievalFiles(
  sids: readonly string[][],
  { maxHistory, normalisation }: Retrieval,
): ModelFile[] {
  const file = (name: string, content: string) => ({ name, bytes: new TextEncoder().encode(content) });
  return [
    file("index.json", formatIndex(sids)),
    file("retrieval.json", JSON.stringify({ maxHistory, normalisation }, null, 2) + "\n"),
  ];
}

/** Reads the `retrieval.json` of a checkpoint folder. Throws `UserError` for one that is missing or damaged. */
export async function readRetrieval(folder: string): Promise<Retrieval> {
  return await readJson(`${folder}/retrieval.json`, Schema);
}
