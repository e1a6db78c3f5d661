import { decodeHTML } from "entities";
import type { CorpusItem } from "./corpus.ts";

/** Fields of an item that hold text. */
export const TEXT_FIELDS = ["title", "brand", "categories", "features", "description"] as const;
/** One of {@link TEXT_FIELDS}. */
export type TextField = typeof TEXT_FIELDS[number];

/** How an item becomes one text. */
export interface ItemTextOptions {
  /** What is joined, in this order. Fields that an item lacks are skipped. */
  fields: readonly TextField[];
  /** Longer texts are cut at a space. */
  maxCharacters: number;
}

/** Text of an item: its cleaned fields as sentences, cut to the length allowed; "" where all are empty. */
export function itemText(item: CorpusItem, { fields, maxCharacters }: ItemTextOptions): string {
  const parts = fields.map((field) => cleanText([item[field] ?? ""].flat().join(", "))).filter((part) =>
    part !== ""
  );
  const sentences = parts.map((part, i) => i < parts.length - 1 && !/[.!?]$/.test(part) ? part + "." : part);
  return truncateText(sentences.join(" "), maxCharacters);
}

/** Text without HTML tags and the marks of printed lists, with entities decoded and white space collapsed. */
export function cleanText(text: string): string {
  // Entities last: &lt;b&gt; is text about a tag, and 3 < 5 no tag at all.
  const untagged = withoutListMarks(text).replace(/<!--[\s\S]*?-->|<\/?[a-z][^<>]*>/gi, " ");
  return decodeHTML(untagged).replace(/\s+/g, " ").trim();
}

/** Lists that were printed and then had their entities decoded have stray quotes: no parser takes them. */
function withoutListMarks(text: string): string {
  if (!/^\[(['"])[^]*\1\]$/.test(text)) return text;
  return text.slice(2, -2).replace(/['"], ['"]/g, " ").replace(/\\[nrt]/g, " ");
}

/** The start of a text, at most `maxCharacters` long, that ends with a whole word if it has a space at all. */
export function truncateText(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const space = text.lastIndexOf(" ", maxCharacters);
  // Without a space, the cut may still not split a pair of surrogates.
  return space > 0 ? text.slice(0, space) : text.slice(0, maxCharacters).replace(/[\ud800-\udbff]$/, "");
}

/** Longest field that MiniOneRec keeps, with its point. */
const MINIONEREC_LIMIT = 2000;

/**
 * The text that MiniOneRec embeds, for comparisons with its published figures: title and description as the files have
 * them, printed lists with brackets and all, each field ended by one point, and fields of 2000 characters or more lost.
 */
export function minionerecText({ title, description, attributes }: CorpusItem): string {
  const raw = attributes?.raw as { description?: string | string[] } | undefined;
  const parts = [title, raw?.description ?? description ?? ""].flatMap((field) => {
    const text = [field].flat().map(minionerecClean).join(" ").replace(/\.+$/, "") + ".";
    return text.length < MINIONEREC_LIMIT ? [text] : [];
  });
  return parts.join(" ");
}

function minionerecClean(text: string): string {
  return decodeHTML(text.trim()).replace(/<[^>]+>/g, "").replace(/["\r\n]/g, "").trim();
}
