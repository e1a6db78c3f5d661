import { parseWithDigits } from "../../../base/json.ts";
import { decodeHTMLStrict } from "entities/decode";

const SILENT = /<(script|style)\b[\s\S]*?<\/\1\s*>|<!--[\s\S]*?-->/gi;
const INLINE = /<\/?(?:a|b|big|code|em|font|i|small|span|strong|sub|sup|u)(?:\s[^<>]*)?\/?>/gi;
const OTHER = /<\/?[a-z][^<>]*>/gi;

/** Text without HTML: tags dropped, entities decoded, every run of white space one space, none at the ends. */
export function withoutHtml(text: string): string {
  const plain = text.includes("<") ? text.replace(SILENT, " ").replace(INLINE, "").replace(OTHER, " ") : text;
  return (plain.includes("&") ? decodeHTMLStrict(plain) : plain).replace(/\s+/g, " ").trim();
}

/** How titles are judged: `strict` as MiniOneRec judges Amazon 2018, `nonempty` as it judges Amazon 2023, `off` keeps all. */
export const TITLE_FILTERS = ["strict", "nonempty", "off"] as const;
export type TitleFilter = typeof TITLE_FILTERS[number];

/** Settings of {@link cleanTitle}. */
export interface TitleRules {
  filter: TitleFilter;
  /** Most words of a title under `strict`. */
  maxWords: number;
  /** Decodes `&quot;` and `&amp;` alone and leaves tags and white space, as MiniOneRec does. */
  twoEntities: boolean;
}

/** The title to show, or null where its item is to be left out. Under `off` null means that there is none. */
export function cleanTitle(raw: string, { filter, maxWords, twoEntities }: TitleRules): string | null {
  // Amazon's own page code, scraped in place of a title.
  if (filter === "strict" && raw.includes("<span id")) return null;
  const decoded = twoEntities
    ? raw.replaceAll("&quot;", '"').replaceAll("&amp;", "&").replace(/^ +| +$/g, "")
    : withoutHtml(raw);
  const title = decoded.replace(/^"+|"+$/g, "");
  const shown = twoEntities ? title : title.trim();
  if (filter === "strict" && ([...shown].length <= 1 || shown.split(" ").length > maxWords)) return null;
  return shown === "" ? null : shown;
}

/**
 * All texts in a JSON value, in order: a text, a list, lists in lists. A value that is no JSON is a text by itself.
 */
export function textsIn(json: string | null): string[] {
  if (json === null) return [];
  let value: unknown;
  try {
    value = parseWithDigits(json);
  } catch {
    return [json];
  }
  return [value].flat(Infinity).filter((one) => one !== null && typeof one !== "object").map(String);
}

/** One text out of a JSON value, its parts cleaned and joined; null where nothing is left. */
export function cleanJoined(json: string | null, separator = " "): string | null {
  return textsIn(json).map(withoutHtml).filter((text) => text !== "").join(separator) || null;
}

/** A JSON list of the clean texts in a JSON value. Amazon's leftovers of page code (`</span>`) are dropped, as in MiniOneRec. */
export function cleanList(json: string | null): string {
  const kept = textsIn(json).filter((text) => !text.includes("</span>"));
  return JSON.stringify(kept.map(withoutHtml).filter((text) => text !== ""));
}

/** A description as MiniOneRec writes it: a list in Python's print, brackets and quotes included, tags and entities out. */
export function printedDescription(json: string | null): string | null {
  if (json === null) return null;
  const isList = json.trimStart().startsWith("[");
  const texts = textsIn(json);
  return withoutHtml(isList ? `[${texts.map(printed).join(", ")}]` : texts[0] ?? "") || null;
}

/** A text as Python prints it inside a list. */
function printed(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll(
    "\t",
    "\\t",
  );
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}
