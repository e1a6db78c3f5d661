import { badValue } from "../../base/file_error.ts";
import { readText } from "../../base/files/text_file.ts";

/** What an info file says of one item. */
export interface InfoItem {
  /** Tokens of the SID, first level first. */
  sid: string[];
  title: string;
  /** 1-based. */
  line: number;
}

const SID = /^(<[a-z]_(0|[1-9]\d*)>)+$/;

/** Reads an info file, `SID ⇥ title ⇥ item number` a line without header, into item order. */
export async function loadInfo(path: string): Promise<InfoItem[]> {
  const lines = (await readText(path)).split(/\r?\n/);
  while (lines.length > 0 && lines.at(-1)!.trim() === "") lines.pop();
  const items: InfoItem[] = [];
  for (const [index, text] of lines.entries()) {
    const place = { path, line: index + 1 };
    const fields = text.split("\t").map((field) => field.trim());
    if (fields.length !== 3) throw badValue(place, "3 tab-separated fields (SID, title, item number)", text);
    const [sid, title, id] = fields;
    if (!SID.test(sid)) throw badValue({ ...place, column: "1 (SID)" }, "a SID such as <a_1><b_2><c_3>", sid);
    const number = /^\d+$/.test(id) ? Number(id) : -1;
    if (number < 0 || number >= lines.length) {
      throw badValue({ ...place, column: "3 (item number)" }, `a number from 0 to ${lines.length - 1}`, id);
    }
    if (items[number] !== undefined) {
      throw badValue(
        { ...place, column: "3 (item number)" },
        `a new item, since line ${items[number].line} has this one`,
        id,
      );
    }
    items[number] = { sid: sid.match(/<[^>]+>/g)!, title, line: place.line };
  }
  return items;
}

/** The text of an info file. Titles that would break a line or a column have their white space collapsed. */
export async function* formatInfo(
  items: AsyncIterable<{ title: string }>,
  sids: readonly string[],
): AsyncGenerator<string> {
  let item = 0;
  for await (const { title } of items) {
    yield `${sids[item]}\t${/[\t\r\n]/.test(title) ? title.replace(/\s+/g, " ") : title}\t${item++}\n`;
  }
}
