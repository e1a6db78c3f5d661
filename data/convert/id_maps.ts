import type { Corpus } from "../corpus.ts";
import { formatIdMap, idsAreNumbers } from "../id_map_file.ts";
import type { NamedFile } from "./writer.ts";

/** `item2id`, and `user2id` unless `usersNamed`, where the raw ids are not the numbers themselves. */
export function* idMaps({ items, users }: Corpus, usersNamed: boolean): Generator<NamedFile> {
  if (!usersNamed && !idsAreNumbers(users)) yield ["user2id", formatIdMap(users)];
  if (!idsAreNumbers(items)) yield ["item2id", formatIdMap(items)];
}
