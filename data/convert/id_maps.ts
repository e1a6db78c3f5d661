import { formatIdMap, idsAreNumbers } from "../formats/id_map_file.ts";
import type { NamedFile } from "./writer.ts";

/** `user2id` and `item2id`, where the raw ids are not the numbers themselves. */
export function* idMaps({ items, users }: IdRows): Generator<NamedFile> {
  if (!idsAreNumbers(users)) yield ["user2id", formatIdMap(users)];
  if (!idsAreNumbers(items)) yield ["item2id", formatIdMap(items)];
}

/** Rows by number. */
type IdRows = Record<"items" | "users", readonly { id: string }[]>;
