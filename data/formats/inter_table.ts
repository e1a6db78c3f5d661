import type { CorpusSample } from "../corpus.ts";
import { rowsIn } from "../corpus_parts.ts";
import { badValue, type Place } from "../../base/file_error.ts";
import { type OnFault, orFault } from "../../base/fault.ts";
import { readText } from "../../base/files/text_file.ts";

/** Header of a table of samples: RecBole's types, MiniOneRec's columns. */
export const SAMPLE_HEADER = "user_id:token\titem_id_list:token_seq\titem_id:token";

/** How a table's ids become numbers; each throws `UserError` for an id that has none. */
export interface IdNumbers {
  user(id: string): number;
  item(id: string, place: Place): number;
}

/** Reads a table of samples, `user ⇥ history ⇥ target` a line, the history split by spaces. */
export async function loadSampleTable(
  path: string,
  numbers: IdNumbers,
  onFault: OnFault,
): Promise<CorpusSample[]> {
  const [header, ...lines] = (await readText(path)).split(/\r?\n/);
  if (header !== SAMPLE_HEADER) throw badValue({ path, line: 1 }, `the header ${SAMPLE_HEADER}`, header);
  if (lines.at(-1) === "") lines.pop();
  return lines.flatMap((text, index) =>
    orFault(onFault, () => {
      const place = { path, line: index + 2 };
      const [user, list, target, ...more] = text.split("\t");
      if (target === undefined || more.length > 0) throw badValue(place, "3 tab-separated fields", text);
      if (user === "") throw badValue({ ...place, column: "user_id" }, "a user", "");
      const item = (column: string) => (id: string) => numbers.item(id, { ...place, column });
      return {
        user: numbers.user(user),
        history: list === "" ? [] : list.split(" ").map(item("item_id_list")),
        target: item("item_id")(target),
      };
    }) ?? []
  );
}

/** Ids that are item numbers already. */
export function itemNumber(id: string, place: Place, itemCount: number): number {
  const number = /^\d+$/.test(id) ? Number(id) : -1;
  if (number >= 0 && number < itemCount) return number;
  throw badValue(place, `an item number from 0 to ${itemCount - 1}`, id);
}

/** The text of a table of samples. */
export async function* sampleTablePieces(
  samples: AsyncIterable<readonly CorpusSample[]>,
): AsyncGenerator<string> {
  yield `${SAMPLE_HEADER}\n`;
  for await (const { user, history, target } of rowsIn(samples)) {
    yield `${user}\t${history.join(" ")}\t${target}\n`;
  }
}
