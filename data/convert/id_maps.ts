import { rowsIn } from "../corpus_parts.ts";
import { formatIdMap } from "../formats/id_map_file.ts";
import type { SurveyedCorpus } from "./survey.ts";
import type { NamedFile } from "./writer.ts";

/** `item2id`, where the raw ids are not the numbers themselves. */
export async function* itemIdMap({ items, survey }: SurveyedCorpus): AsyncGenerator<NamedFile> {
  const { catalogue } = await survey();
  if (catalogue["item ids"] > 0) yield ["item2id", formatIdMap(idsIn(items()))];
}

/** The same of users. */
export async function* userIdMap({ users, survey }: SurveyedCorpus): AsyncGenerator<NamedFile> {
  const { catalogue } = await survey();
  if (catalogue["ids that are not the number"] > 0) yield ["user2id", formatIdMap(idsIn(users()))];
}

async function* idsIn(parts: AsyncIterable<readonly { id: string }[]>): AsyncGenerator<string> {
  for await (const { id } of rowsIn(parts)) yield id;
}
