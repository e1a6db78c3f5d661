import type { CorpusSample } from "./corpus.ts";
import { badValue } from "./file_error.ts";
import { type OnFault, orFault } from "./fault.ts";
import { readText } from "./text_file.ts";

/** Header of a table of samples: RecBole's types, MiniOneRec's columns. */
export const SAMPLE_HEADER = "user_id:token\titem_id_list:token_seq\titem_id:token";

/** Reads a table of samples, `user ⇥ history ⇥ target` a line with numbers as ids, the history split by spaces. */
export async function loadSampleTable(
  path: string,
  itemCount: number,
  userNumber: (id: string) => number,
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
      const itemNumber = (id: string, column: string) => {
        const number = /^\d+$/.test(id) ? Number(id) : -1;
        if (number >= 0 && number < itemCount) return number;
        throw badValue({ ...place, column }, `an item number from 0 to ${itemCount - 1}`, id);
      };
      if (user === "") throw badValue({ ...place, column: "user_id" }, "a user", "");
      return {
        user: userNumber(user),
        history: list === "" ? [] : list.split(" ").map((id) => itemNumber(id, "item_id_list")),
        target: itemNumber(target, "item_id"),
      };
    }) ?? []
  );
}

/** The text of a table of samples. */
export function* formatSampleTable(samples: readonly CorpusSample[]): Generator<string> {
  yield `${SAMPLE_HEADER}\n`;
  for (const { user, history, target } of samples) yield `${user}\t${history.join(" ")}\t${target}\n`;
}
